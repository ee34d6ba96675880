//! A role of the profile that asks for a code of a device (`mfa_serial`), which the SDK leaves out.

use std::fmt;

use aws_config::SdkConfig;
use aws_credential_types::provider::SharedCredentialsProvider;

use super::failure::{Attempted, Effect, classify};
use super::session::credentials_of;
use crate::model::{CallFailure, FailureKind, clean};

/// Asks a person for the code that their device shows.
pub trait MfaPrompt: fmt::Debug + Send + Sync {
    /// Returns what was typed, or `None` where nobody can be asked.
    fn ask(&self, serial: &str) -> Option<String>;
}

/// A role to be assumed with a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MfaRole {
    pub(super) profile: String,
    pub(super) role_arn: String,
    pub(super) serial: String,
    pub(super) session_name: Option<String>,
    pub(super) external_id: Option<String>,
    pub(super) seconds: Option<i32>,
}

impl MfaRole {
    /// Returns the credentials of a session, opened with those of `base` and a code that `prompt` asks for.
    ///
    /// Asked once: when the session ends, the execution pauses, and a resumed one asks again. In the middle of
    /// a run nobody may be looking.
    pub(super) async fn open(
        &self,
        base: &SdkConfig,
        session_name: &str,
        prompt: Option<&dyn MfaPrompt>,
    ) -> Result<SharedCredentialsProvider, CallFailure> {
        let refuse = |why: &str| {
            CallFailure::new(
                FailureKind::BadInput,
                format!(
                    "profile `{}` asks for an MFA code of `{}` (`mfa_serial`): {why}",
                    self.profile, self.serial
                ),
            )
        };
        let code = prompt.and_then(|prompt| prompt.ask(&self.serial)).ok_or_else(|| {
            refuse("there is no terminal to type it on; run it on one, or give credentials that need none")
        })?;
        let code = code.trim();
        if code.len() != 6 || !code.bytes().all(|b| b.is_ascii_digit()) {
            return Err(refuse("a code has six digits"));
        }
        let attempted = Attempted {
            operation: "AssumeRole",
            place: base.region().map_or("", |region| region.as_ref()),
            effect: Effect::Repeatable,
            renewal: "renew the credentials that the role is assumed with",
            proven: false,
            everywhere: false,
        };
        let reply = aws_sdk_sts::Client::new(base)
            .assume_role()
            .role_arn(&self.role_arn)
            .role_session_name(self.session_name.as_deref().unwrap_or(session_name))
            .set_external_id(self.external_id.clone())
            .set_duration_seconds(self.seconds)
            .serial_number(&self.serial)
            .token_code(code)
            .send()
            .await
            .map_err(|error| classify(&error, &attempted))?;
        let given = reply.credentials.ok_or_else(|| {
            attempted.failure(FailureKind::Refused, "the reply holds no credentials")
        })?;
        let credentials = credentials_of(given, "mfa")
            .map_err(|error| attempted.failure(FailureKind::Refused, error.to_string()))?;
        Ok(SharedCredentialsProvider::new(credentials))
    }

    /// Returns what to do when the session has ended.
    pub(super) fn renewal(&self) -> String {
        format!(
            "the session of profile `{}` ended: go on where a new MFA code can be typed",
            clean(&self.profile)
        )
    }
}

#[cfg(test)]
mod tests {
    use aws_credential_types::provider::ProvideCredentials as _;

    use super::super::scripted::Scripted;
    use super::*;

    #[derive(Debug)]
    struct Types(&'static str);

    impl MfaPrompt for Types {
        fn ask(&self, serial: &str) -> Option<String> {
            assert_eq!(serial, "arn:aws:iam::111111111111:mfa/ann");
            Some(self.0.to_owned())
        }
    }

    fn role() -> MfaRole {
        MfaRole {
            profile: "admin".into(),
            role_arn: "arn:aws:iam::111111111111:role/Admin".into(),
            serial: "arn:aws:iam::111111111111:mfa/ann".into(),
            session_name: None,
            external_id: Some("x-1".into()),
            seconds: Some(7200),
        }
    }

    fn base(script: &Scripted) -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::v2026_01_12())
            .region(aws_config::Region::new("eu-west-1"))
            .endpoint_url("http://scripted.invalid")
            .http_client(script.http_client())
            .credentials_provider(Scripted::credentials())
            .build()
    }

    #[tokio::test(start_paused = true)]
    async fn the_code_opens_the_session() {
        let script = Scripted::new();
        script.ok(
            "AssumeRole",
            "<Credentials><AccessKeyId>ASIAMFA</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
             <SessionToken>t</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials>",
        );
        let prompt = Types(" 123456\n");
        let opened = role()
            .open(&base(&script), "stackgate-1", Some(&prompt))
            .await;
        let credentials = opened.unwrap().provide_credentials().await.unwrap();
        assert_eq!(credentials.access_key_id(), "ASIAMFA");
        assert!(credentials.expiry().is_some());
        let sent = &script.requests()[0];
        for (field, value) in [
            ("RoleArn", "arn:aws:iam::111111111111:role/Admin"),
            ("RoleSessionName", "stackgate-1"),
            ("SerialNumber", "arn:aws:iam::111111111111:mfa/ann"),
            ("TokenCode", "123456"),
            ("ExternalId", "x-1"),
            ("DurationSeconds", "7200"),
        ] {
            assert_eq!(sent.field(field), value, "{field}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_code_nothing_is_sent() {
        let script = Scripted::new();
        let base = base(&script);
        let nobody = role().open(&base, "s", None).await.unwrap_err();
        assert!(nobody.message.contains("no terminal"), "{nobody}");
        for odd in ["", "12345", "1234567", "12345é", "hunter"] {
            let prompt = Types(odd);
            let failure = role().open(&base, "s", Some(&prompt)).await.unwrap_err();
            assert!(failure.message.contains("six digits"), "{failure}");
        }
        assert!(script.requests().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_wrong_code_is_told_in_the_words_of_the_service() {
        let script = Scripted::new();
        script.error(
            "AssumeRole",
            403,
            "AccessDenied",
            "MultiFactorAuthentication failed",
        );
        let prompt = Types("000000");
        let failure = role()
            .open(&base(&script), "s", Some(&prompt))
            .await
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::AccessDenied);
        assert!(failure.message.contains("MultiFactorAuthentication failed"));
    }
}
