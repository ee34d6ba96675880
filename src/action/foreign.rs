//! Whether a change set can be said to be made from the template that was sent.

use super::cloudformation::{Asked, bucket};
use super::inputs;
use super::world::{Artifacts, World};
use crate::aws::TemplateRead;
use crate::model::{
    CallFailure, ChangeSetOutcome, Digest, LARGEST_INLINE_TEMPLATE, TargetSpec, goes_through_bucket,
};

/// Returns why a change set cannot be said to be made from the template that was sent, if that is so.
///
/// Asked once, before anybody sees it: a change set never changes, and the plan names it by its ARN.
pub(super) async fn template(
    world: &World,
    spec: &TargetSpec,
    asked: &Asked<'_>,
    outcome: &ChangeSetOutcome,
    artifacts: &Artifacts,
) -> Result<Option<String>, CallFailure> {
    let is_executable = match outcome {
        ChangeSetOutcome::Ready => true,
        // Nothing would be executed, but that there is nothing to do may be true of another template alone.
        ChangeSetOutcome::NoChanges => false,
        ChangeSetOutcome::Failed { .. } => return Ok(None),
    };
    // Where no bucket is named, the template was in the request: it need not be read for its size.
    let Some(bucket) = bucket(spec, asked.buckets)? else {
        return Ok(None);
    };
    let (_, sent) = inputs::template_of(world, asked.inputs, artifacts)?;
    if !goes_through_bucket(sent.len()) {
        return Ok(None);
    }
    // What is on record counts, and not what the bucket does by now: another process may have sent it.
    let uploaded = asked.inputs.uploads.template.as_ref();
    let is_pinned = uploaded.is_some_and(|object| object.version.is_some());
    let read = world
        .aws
        .template_read(spec, asked.stack, asked.change_set, &sent, is_pinned)
        .await?;
    let digest = asked.inputs.template_digest;
    Ok(doubt(read, is_executable, &bucket.name, &digest))
}

/// Returns why what was read may not be the template `digest`, which was sent.
fn doubt(read: TemplateRead, is_executable: bool, bucket: &str, digest: &Digest) -> Option<String> {
    let digest = digest.short();
    match read {
        TemplateRead::AsSent => None,
        TemplateRead::Other(found) => Some(format!(
            "CloudFormation read another template from bucket {bucket} than the one that was sent: {digest} was put there, and it read {}; \
             find out who replaced it, let the bucket keep versions, so that the one that is sent is the one that is read, and run the command again",
            found.short()
        )),
        TemplateRead::InAscii | TemplateRead::Untold if !is_executable => None,
        TemplateRead::InAscii => Some(format!(
            "it cannot be told whether CloudFormation read from bucket {bucket} what was sent ({digest}): the template has characters outside \
             ASCII, which it shows as `?`, and the bucket keeps no versions, so they may have been replaced; let it keep versions with \
             `aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled`, and run the command again"
        )),
        TemplateRead::Untold => Some(format!(
            "CloudFormation does not say which template it read from bucket {bucket}, so it cannot be told whether it is {digest}, which was sent; \
             run the command again, or, where `GetTemplate` never answers for change sets, as on some emulators, keep the template at {LARGEST_INLINE_TEMPLATE} bytes"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_another_template_is_not_executed_and_the_way_out_is_named() {
        let of =
            |read, is_executable| doubt(read, is_executable, "templates", &Digest::of(b"sent"));
        let other = TemplateRead::Other(Digest::of(b"other"));
        for (read, says) in [
            (other, "find out who replaced it"),
            (
                TemplateRead::InAscii,
                "`aws s3api put-bucket-versioning --bucket templates ",
            ),
            (TemplateRead::Untold, "keep the template at 51200 bytes"),
        ] {
            let said = of(read, true).unwrap();
            assert!(
                said.contains(says) && said.contains(&Digest::of(b"sent").short()),
                "{said}"
            );
        }
        // Where nothing would be executed, only what is known to be another one counts.
        assert_eq!(of(TemplateRead::AsSent, true), None);
        assert_eq!(of(TemplateRead::InAscii, false), None);
        assert_eq!(of(TemplateRead::Untold, false), None);
        assert!(of(other, false).is_some());
    }
}
