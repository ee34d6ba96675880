//! The AWS API as this program needs it: sessions per target, one budget per account and region,
//! failures by what to do about them, and readings that lose nothing. The only user of the SDK.
//!
//! ```text
//! Aws::create_change_set, execute_change_set, watch, …      one method per need
//!   └─ call        one attempt loop: budget, back-off, classification
//!        ├─ budget      who may call next in an account and region; `rate` learns how fast
//!        ├─ failure     SdkError → CallFailure
//!        └─ connection  one HTTP client (`http`); clients per role and region; one session per role
//! ```
//!
//! All waiting goes through `cadence`, so that tests run it in paused time.

mod acting;
mod alarms;
mod budget;
mod cadence;
mod call;
mod change_set;
mod check;
mod connection;
mod convert;
mod deletion;
mod drift;
mod endpoint;
mod expected;
mod failure;
mod fresh;
mod http;
mod json;
mod kept;
mod lines;
mod listed;
mod lookup;
mod mfa;
mod nested;
mod nested_set;
mod object;
mod organization;
mod place;
mod probe;
mod profile;
mod rate;
mod reading;
mod recovery;
mod rest;
mod s3;
mod session;
mod signed;
mod silence;
mod ssm;
mod stack;
mod trace;
mod upload;
mod uploaded;
mod watch;

pub use cadence::{approved, brief};
pub use change_set::{CreateChangeSet, SentParameter, SentValue};
pub use check::TemplateSummary;
pub use connection::{Aws, Settings};
pub use deletion::{DescribedStack, HeldResource};
pub use drift::DetectedDrift;
pub use expected::Expected;
pub use lines::{MOST_LINES, lines, open_files, raise_open_files};
pub use listed::ListedChangeSet;
pub use lookup::LookUps;
pub use mfa::MfaPrompt;
pub use object::{ObjectContent, ObjectState, object_key};
pub use organization::organizations_region;
pub use reading::ReadChangeSet;
pub use recovery::RecoverStack;
pub use s3::FoundBucket;
pub use stack::{Deleted, StackRef};
pub use trace::{Attempt, Trace};
pub use upload::TEMPLATE_ENDING;
pub use uploaded::{TemplateRead, can_be, may_lack_characters};
pub use watch::Settled;

#[cfg(test)]
#[path = "../../tests/support/scripted.rs"]
mod scripted;

#[cfg(test)]
mod fixture {
    use super::scripted::Scripted;
    use super::{Aws, Settings};
    use crate::model::{AccountId, ChangeSetId, Region, StackId, StackName, Target, TargetSpec};

    pub(super) const STACK: &str = "arn:aws:cloudformation:eu-west-1:111111111111:stack/app/5e1f0000-0000-4000-8000-000000000001";
    pub(super) const CHANGE_SET: &str = "arn:aws:cloudformation:eu-west-1:111111111111:changeSet/plan/5e1f0000-0000-4000-8000-000000000002";

    pub(super) async fn aws(script: &Scripted) -> Aws {
        Aws::connect(&Settings {
            region: Some("eu-west-1".into()),
            endpoint_url: Some("http://scripted.invalid".into()),
            session_name: "stackgate-test".into(),
            http_client: Some(script.http_client()),
            credentials: Some(Scripted::credentials()),
            ..Settings::default()
        })
        .await
        .unwrap()
    }

    pub(super) fn spec() -> TargetSpec {
        spec_in("111111111111", "eu-west-1", None)
    }

    pub(super) fn spec_in(account: &str, region: &str, role_arn: Option<&str>) -> TargetSpec {
        TargetSpec {
            target: Target {
                account: AccountId::new(account).unwrap(),
                region: Region::new(region).unwrap(),
                stack: StackName::new("app").unwrap(),
            },
            role_arn: role_arn.map(str::to_owned),
            execute_role_arn: None,
        }
    }

    pub(super) fn stack_id() -> StackId {
        StackId::new(STACK).unwrap()
    }

    pub(super) fn change_set_id() -> ChangeSetId {
        ChangeSetId::new(CHANGE_SET).unwrap()
    }

    /// Returns the body of a `DescribeStacks` reply about the stack in another account and region.
    pub(super) fn stacks_in(account: &str, region: &str, status: &str) -> String {
        let own = stacks(status);
        own.replace("111111111111", account)
            .replace("eu-west-1", region)
    }

    /// Returns the body of a `DescribeStacks` reply.
    pub(super) fn stacks(status: &str) -> String {
        format!(
            "<Stacks><member><StackId>{STACK}</StackId><StackName>app</StackName><StackStatus>{status}</StackStatus>\
             <Parameters><member><ParameterKey>Password</ParameterKey><ParameterValue>hunter2</ParameterValue></member></Parameters>\
             <Outputs><member><OutputKey>Url</OutputKey><OutputValue>of {status}</OutputValue></member></Outputs>\
             </member></Stacks>"
        )
    }
}
