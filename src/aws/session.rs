//! Sessions in other accounts: one per role, for all its regions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_sts::Client;
use aws_sdk_sts::types::{Credentials as Given, Tag};

use super::kept::Kept;
use super::trace::Traced;
use crate::model::{AccountId, CallFailure, Caller, FailureKind};

/// How often STS is asked for a session before it is told that it refuses; half a minute at most.
const ATTEMPTS: u32 = 6;

/// A role in an account, assumed once and renewed when it runs out.
///
/// Clones share the credentials.
#[derive(Debug, Clone)]
pub(super) struct Session {
    caller: Caller,
    credentials: SharedCredentialsProvider,
}

/// How sessions are opened.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) name: String,
    pub(super) external_id: Option<String>,
    pub(super) tags: BTreeMap<String, String>,
}

/// A role ARN in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Role {
    arn: String,
    partition: String,
    account: AccountId,
    name: String,
}

impl Role {
    /// Returns the role of `arn`, which must be in `account`.
    ///
    /// A role template without the account in it would otherwise deploy every target into one account.
    pub(super) fn parse(arn: &str, account: &AccountId) -> Result<Self, CallFailure> {
        let refuse = |why: String| {
            Err(CallFailure::new(
                FailureKind::Refused,
                format!("role `{arn}`: {why}"),
            ))
        };
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let [_, partition, "iam", "", in_account, path] = parts[..] else {
            return refuse("expected an ARN such as `arn:aws:iam::111111111111:role/NAME`".into());
        };
        let name = match path.strip_prefix("role/") {
            // The session's ARN has the name without its path.
            Some(path) => path.rsplit('/').next().unwrap_or(path),
            None => return refuse("expected `role/NAME` after the account".into()),
        };
        if in_account != account.as_str() {
            return refuse(format!(
                "it is in account {in_account}, but the target is in {account}; write `{{account}}` in the role's template"
            ));
        }
        Ok(Self {
            arn: arn.to_owned(),
            partition: partition.to_owned(),
            account: account.clone(),
            name: name.to_owned(),
        })
    }

    /// Returns who a session of this role is.
    fn caller(&self, session_name: &str) -> Caller {
        Caller {
            account: self.account.clone(),
            arn: format!(
                "arn:{}:sts::{}:assumed-role/{}/{session_name}",
                self.partition, self.account, self.name
            ),
        }
    }
}

/// Returns how STS is asked for sessions: hundreds of accounts may want theirs at once. There is nothing to let go first,
/// so that the SDK's own retries do, with their jitter; its adaptive mode measures by the wall clock, not by a
/// simulated one.
pub(super) fn for_sessions() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(ATTEMPTS)
}

impl Session {
    /// Returns a session that will be opened by `client` when it is first needed.
    pub(super) fn new(
        role: &Role,
        opening: Arc<Opening>,
        client: Client,
        traced: Option<Traced>,
        config: &SdkConfig,
    ) -> Self {
        let caller = role.caller(&opening.name);
        let provider = SharedCredentialsProvider::new(Assumed {
            role_arn: role.arn.clone(),
            opening,
            client,
            traced,
        });
        Self {
            caller,
            credentials: Kept::new(provider, config).shared(),
        }
    }

    /// Returns who the session is, after opening it.
    pub(super) async fn caller(&self) -> Result<Caller, CredentialsError> {
        self.credentials.provide_credentials().await?;
        Ok(self.caller.clone())
    }

    /// Returns the session's credentials.
    pub(super) fn credentials(&self) -> SharedCredentialsProvider {
        self.credentials.clone()
    }
}

/// The credentials of a role, each time from a new session. The SDK's own provider has a client of its own for each role.
#[derive(Debug)]
struct Assumed {
    role_arn: String,
    opening: Arc<Opening>,
    client: Client,
    traced: Option<Traced>,
}

impl Assumed {
    async fn credentials(&self) -> provider::Result {
        let tags = self.opening.tags.iter().map(|(key, value)| {
            let tag = Tag::builder().key(key).value(value);
            tag.build().map_err(CredentialsError::invalid_configuration)
        });
        let tags: Vec<Tag> = tags.collect::<Result<_, _>>()?;
        let mut call = self
            .client
            .assume_role()
            .role_arn(&self.role_arn)
            .role_session_name(&self.opening.name)
            .set_external_id(self.opening.external_id.clone())
            .set_tags((!tags.is_empty()).then_some(tags))
            .customize();
        if let Some(traced) = &self.traced {
            call = call.interceptor(traced.clone());
        }
        let reply = call
            .send()
            .await
            .map_err(CredentialsError::provider_error)?;
        match reply.credentials {
            Some(given) => credentials_of(given, "AssumeRole"),
            None => Err(CredentialsError::unhandled(
                "the reply holds no credentials",
            )),
        }
    }
}

impl ProvideCredentials for Assumed {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}

/// Returns the credentials of a session as STS gave them.
pub(super) fn credentials_of(given: Given, source: &'static str) -> provider::Result {
    let expiry = SystemTime::try_from(given.expiration).map_err(CredentialsError::unhandled)?;
    Ok(Credentials::new(
        given.access_key_id,
        given.secret_access_key,
        Some(given.session_token),
        Some(expiry),
        source,
    ))
}

/// Returns `text` as a role session name: `[\w+=,.@-]`, 2 to 64 characters.
pub(super) fn session_name(text: &str) -> String {
    let mut name: String = text
        .chars()
        .map(|c| match c {
            c if c.is_ascii_alphanumeric() || "_+=,.@-".contains(c) => c,
            _ => '-',
        })
        .take(64)
        .collect();
    while name.len() < 2 {
        name.push_str("stackgate");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(id: &str) -> AccountId {
        AccountId::new(id).unwrap()
    }

    #[test]
    fn a_session_is_named_as_sts_names_it() {
        let role = Role::parse(
            "arn:aws-cn:iam::222222222222:role/team/Deployer",
            &account("222222222222"),
        )
        .unwrap();
        assert_eq!(
            role.caller("stackgate-1").arn,
            "arn:aws-cn:sts::222222222222:assumed-role/Deployer/stackgate-1"
        );
    }

    #[test]
    fn a_role_in_another_account_is_refused() {
        let refused = Role::parse("arn:aws:iam::111111111111:role/D", &account("222222222222"));
        assert!(
            refused
                .unwrap_err()
                .message
                .contains("is in account 111111111111")
        );
        for bad in [
            "",
            "D",
            "arn:aws:iam::222222222222:user/D",
            "arn:aws:s3:::bucket",
        ] {
            assert!(Role::parse(bad, &account("222222222222")).is_err(), "{bad}");
        }
    }

    #[test]
    fn session_names_keep_to_the_alphabet_of_sts() {
        assert_eq!(session_name("stackgate-01jd8…9f2c"), "stackgate-01jd8-9f2c");
        assert_eq!(session_name("").len(), 9);
        assert_eq!(session_name(&"a".repeat(100)).len(), 64);
    }
}
