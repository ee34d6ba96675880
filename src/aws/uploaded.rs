//! Whether CloudFormation made a change set from the template that was sent.
//!
//! In a request nothing comes between. From a bucket it reads by itself, some time after the upload, and whoever can
//! write to the bucket can put another template in the place of ours until then. Where the bucket keeps versions the
//! URL names ours; many do not. So the service is asked what it read.

use aws_sdk_cloudformation::types::TemplateStage;

use super::connection::Aws;
use crate::model::{CallFailure, ChangeSetId, Digest, StackId, TargetSpec};

/// Which template a change set was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemplateRead {
    /// The one that was sent.
    AsSent,
    /// Another one, with this digest.
    Other(Digest),
    /// Perhaps the one that was sent: in what is shown they are the same, and characters outside ASCII, which are not
    /// shown, may have been replaced in a bucket that keeps no versions.
    InAscii,
    /// The service does not say, which is no proof of anything.
    Untold,
}

impl Aws {
    /// Returns whether a change set was made from the template `sent`.
    ///
    /// `is_pinned`: the URL named a version of it, so that nobody could replace what was read there.
    pub async fn template_read(
        &self,
        spec: &TargetSpec,
        stack: &StackId,
        change_set: &ChangeSetId,
        sent: &str,
        is_pinned: bool,
    ) -> Result<TemplateRead, CallFailure> {
        let stage = TemplateStage::Original;
        let read = self.template_at(spec, stack, Some(change_set), stage).await;
        let Some(read) = read? else {
            return Ok(TemplateRead::Untold);
        };
        Ok(match compared(sent, &read) {
            Likeness::Same => TemplateRead::AsSent,
            Likeness::InAscii if is_pinned => TemplateRead::AsSent,
            Likeness::InAscii => TemplateRead::InAscii,
            Likeness::Different => TemplateRead::Other(Digest::of(read.as_bytes())),
        })
    }
}

/// Returns whether `read`, which the service gave back, can be the template `sent`: they are the same as far as the service
/// shows them.
pub fn can_be(sent: &str, read: &str) -> bool {
    match compared(sent, read) {
        Likeness::Same | Likeness::InAscii => true,
        Likeness::Different => false,
    }
}

/// Returns whether the service may have given characters outside ASCII of a template back as `?`: where it shows one of them,
/// it shows all.
pub fn may_lack_characters(read: &[u8]) -> bool {
    read.is_ascii() && read.contains(&b'?')
}

/// How alike two templates are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Likeness {
    Same,
    InAscii,
    Different,
}

/// Returns how alike `sent` and what the service gives back are.
///
/// It gives each character outside ASCII back as `?`, though it keeps it for the stack. That could be another letter, and
/// also a U+0085, U+2028 or U+2029, at which some readers of YAML begin a line and others do not. Ends of lines and
/// blanks around the text may be lost in XML; neither YAML nor JSON tells ends of lines apart.
fn compared(sent: &str, read: &str) -> Likeness {
    let plain = |text: &str| text.replace("\r\n", "\n").trim_ascii().to_owned();
    let (sent, read) = (plain(sent), plain(read));
    if sent == read {
        Likeness::Same
    } else if !sent.is_ascii() && in_ascii(&sent) == read {
        Likeness::InAscii
    } else {
        Likeness::Different
    }
}

fn in_ascii(text: &str) -> String {
    let shown = |c: char| if c.is_ascii() { c } else { '?' };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{CHANGE_SET, STACK, aws, change_set_id, spec, stack_id};
    use super::super::scripted::Scripted;
    use super::*;
    use crate::model::FailureKind;

    const SENT: &str = "Description: größer 🙂\r\nResources: {}\n";

    async fn read(script: &Scripted) -> Result<TemplateRead, CallFailure> {
        read_where(script, false).await
    }

    async fn read_where(script: &Scripted, is_pinned: bool) -> Result<TemplateRead, CallFailure> {
        let aws = aws(script).await;
        aws.template_read(&spec(), &stack_id(), &change_set_id(), SENT, is_pinned)
            .await
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_shown_is_as_sent_only_where_the_url_named_a_version() {
        for (is_pinned, expected) in [(true, TemplateRead::AsSent), (false, TemplateRead::InAscii)]
        {
            let script = Scripted::new();
            let body = "<TemplateBody>Description: gr??er ?\nResources: {}\n</TemplateBody>";
            script.ok("GetTemplate", body);
            assert_eq!(read_where(&script, is_pinned).await.unwrap(), expected);
            // The bucket is not asked: it may keep versions only since then.
            assert_eq!(script.requests().len(), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_sent_is_known_again_as_the_service_gives_it_back() {
        for body in [SENT, "Description: größer 🙂\nResources: {}"] {
            let script = Scripted::new();
            script.ok(
                "GetTemplate",
                &format!("<TemplateBody>{body}</TemplateBody>"),
            );
            assert_eq!(read(&script).await.unwrap(), TemplateRead::AsSent, "{body}");
            let asked = &script.requests()[0];
            assert_eq!(asked.field("ChangeSetName"), CHANGE_SET);
            assert_eq!(asked.field("StackName"), STACK);
            assert_eq!(asked.field("TemplateStage"), "Original");
        }
    }

    #[test]
    fn what_the_service_does_not_show_may_be_lost_and_is_no_difference() {
        let sent = "Description: gr\u{f6}\u{df}er?\nResources: {}\n";
        let shown = "Description: gr??er?\nResources: {}";
        assert!(can_be(sent, shown));
        assert!(can_be(sent, sent));
        // A `?` that is one was sent as one.
        assert!(can_be(shown, shown));
        assert!(!can_be(shown, sent));
        assert!(!can_be(sent, "Description: gr??er!\nResources: {}"));
        assert!(may_lack_characters(shown.as_bytes()));
        assert!(!may_lack_characters(sent.as_bytes()));
        assert!(!may_lack_characters(b"Resources: {}"));
    }

    #[tokio::test(start_paused = true)]
    async fn anything_else_is_another_template() {
        for body in [
            "Description: größer 🙂\nResources: {Mine: {Type: AWS::SQS::Queue}}",
            // As far as the service shows characters, they must be the same ones.
            "Description: grüßer 🙂\nResources: {}",
            "Description: gr??er 🙂\nResources: {}",
            "Description: größer 🙂\nResources: {}\n\u{85}",
            "Description: gr???er ?\nResources: {}",
            "description: gr??er ?\nResources: {}",
        ] {
            let script = Scripted::new();
            script.ok(
                "GetTemplate",
                &format!("<TemplateBody>{body}</TemplateBody>"),
            );
            let other = TemplateRead::Other(Digest::of(body.as_bytes()));
            assert_eq!(read(&script).await.unwrap(), other);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_answer_is_not_taken_for_the_same() {
        let script = Scripted::new();
        let gone = "ChangeSet [plan] does not exist";
        script
            .ok("GetTemplate", "")
            .error("GetTemplate", 404, "ChangeSetNotFound", gone)
            .error("GetTemplate", 403, "AccessDenied", "not authorized");
        for _ in 0..2 {
            assert_eq!(read(&script).await.unwrap(), TemplateRead::Untold);
        }
        let denied = read(&script).await.unwrap_err();
        assert_eq!(denied.kind, FailureKind::AccessDenied);
    }
}
