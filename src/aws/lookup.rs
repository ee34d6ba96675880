//! Values that are kept elsewhere in the account of a target: outputs, exports, parameters of Systems Manager.

use std::collections::BTreeMap;

use super::call::Call;
use super::connection::Aws;
use super::stack::StackRef;
use crate::model::{CallFailure, LookedUp, Lookup, Priority, TargetSpec};

impl Aws {
    /// Returns the value that `lookup` names, in the account of `spec`; otherwise why there is none, in words that
    /// follow what was looked up.
    pub async fn look_up(
        &self,
        spec: &TargetSpec,
        lookup: &Lookup,
    ) -> Result<Result<String, String>, CallFailure> {
        let mut spec = spec.clone();
        if let Some(region) = &lookup.region {
            spec.target.region = region.clone();
        }
        let region = &spec.target.region;
        match &lookup.what {
            LookedUp::StackOutput { stack, output } => {
                let found = self
                    .stack(&spec, StackRef::Name(stack), Priority::Read)
                    .await?;
                Ok(match found {
                    None => Err(format!("there is no stack `{stack}` in {region}")),
                    // Its outputs are those of before, and may be others in a moment.
                    Some(found) if !found.status.is_settled() => Err(format!(
                        "stack `{stack}` in {region} is {}; run this again once that has ended",
                        found.status
                    )),
                    Some(found) => named(&found.outputs, output, || {
                        format!("stack `{stack}` in {region} has no output of that name")
                    }),
                })
            }
            LookedUp::Export(name) => {
                let exports = self.exports(&spec).await?;
                Ok(named(&exports, name, || {
                    format!("nothing in {region} is exported by that name")
                }))
            }
            LookedUp::SsmParameter(name) => self.ssm_parameter(&spec, name).await,
        }
    }

    /// Returns the exports of a region by name.
    async fn exports(&self, spec: &TargetSpec) -> Result<BTreeMap<String, String>, CallFailure> {
        let mut exports = BTreeMap::new();
        let mut page: Option<String> = None;
        loop {
            let reply = self
                .call(Call::read("ListExports", Priority::Read), spec, |client| {
                    client.list_exports().set_next_token(page.clone()).send()
                })
                .await?;
            for export in reply.exports() {
                if let (Some(name), Some(value)) = (export.name(), export.value()) {
                    exports.insert(name.to_owned(), value.to_owned());
                }
            }
            match reply.next_token {
                Some(next) if page.as_ref() != Some(&next) => page = Some(next),
                _ => return Ok(exports),
            }
        }
    }
}

/// Returns the value of `name`, or `why` there is none and what there is instead.
fn named(
    values: &BTreeMap<String, String>,
    name: &str,
    why: impl FnOnce() -> String,
) -> Result<String, String> {
    if let Some(value) = values.get(name) {
        return Ok(value.clone());
    }
    let mut known: Vec<String> = values.keys().map(|n| crate::model::clean(n)).collect();
    let more = known.len().saturating_sub(SHOWN);
    known.truncate(SHOWN);
    let known = match (known.is_empty(), more) {
        (true, _) => "it has none".to_owned(),
        (false, 0) => format!("there are {}", known.join(", ")),
        (false, more) => format!("there are {} and {more} more", known.join(", ")),
    };
    Err(format!("{}; {known}", why()))
}

/// How many names of what is there a message has.
const SHOWN: usize = 10;

#[cfg(test)]
mod tests {
    use super::super::fixture::{aws, spec, stacks};
    use super::super::scripted::{Reply, Scripted};
    use super::*;
    use crate::model::{FailureKind, Region, StackName};

    fn output(name: &str, region: Option<&str>) -> Lookup {
        Lookup {
            what: LookedUp::StackOutput {
                stack: StackName::new("app").unwrap(),
                output: name.to_owned(),
            },
            region: region.map(|r| Region::new(r).unwrap()),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_output_is_asked_for_where_it_is_named() {
        let script = Scripted::new();
        script.ok("DescribeStacks", &stacks("CREATE_COMPLETE"));
        let aws = aws(&script).await;
        for (region, host) in [(None, "eu-west-1"), (Some("us-east-1"), "us-east-1")] {
            let found = aws.look_up(&spec(), &output("Url", region)).await.unwrap();
            assert_eq!(found.as_deref(), Ok("of CREATE_COMPLETE"));
            let request = script.requests_of("DescribeStacks").pop().unwrap();
            assert_eq!(request.field("StackName"), "app");
            assert_eq!(request.region, host);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_there_is_named_where_an_output_is_missing() {
        let script = Scripted::new();
        script.ok("DescribeStacks", &stacks("CREATE_COMPLETE"));
        let aws = aws(&script).await;
        let why = aws
            .look_up(&spec(), &output("VpcId", None))
            .await
            .unwrap()
            .unwrap_err();
        assert!(why.contains("no output") && why.contains("Url"), "{why}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stack_that_is_not_there_is_said() {
        let script = Scripted::new();
        script.error(
            "DescribeStacks",
            400,
            "ValidationError",
            "Stack with id app does not exist",
        );
        let aws = aws(&script).await;
        let why = aws
            .look_up(&spec(), &output("VpcId", None))
            .await
            .unwrap()
            .unwrap_err();
        assert!(why.contains("no stack `app` in eu-west-1"), "{why}");
    }

    #[tokio::test(start_paused = true)]
    async fn exports_are_read_to_the_last_page() {
        let script = Scripted::new();
        let page = |name: &str, next: &str| {
            format!(
                "<Exports><member><Name>{name}</Name><Value>v-{name}</Value></member></Exports>{next}"
            )
        };
        script
            .ok("ListExports", &page("first", "<NextToken>2</NextToken>"))
            .ok("ListExports", &page("second", ""));
        let aws = aws(&script).await;
        let lookup = Lookup {
            what: LookedUp::Export("second".into()),
            region: None,
        };
        let found = aws.look_up(&spec(), &lookup).await.unwrap();
        assert_eq!(found.as_deref(), Ok("v-second"));
        let missing = Lookup {
            what: LookedUp::Export("third".into()),
            region: None,
        };
        let why = aws.look_up(&spec(), &missing).await.unwrap().unwrap_err();
        assert!(
            why.contains("exported by that name") && why.contains("second"),
            "{why}"
        );
    }

    fn parameter(name: &str) -> Lookup {
        Lookup {
            what: LookedUp::SsmParameter(name.into()),
            region: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_ssm_parameter_is_read_and_a_secure_one_refused() {
        let script = Scripted::new();
        let reply = |kind: &str| {
            Reply::Http(
                200,
                format!(r#"{{"Parameter":{{"Name":"/a","Type":"{kind}","Value":"ami-1"}}}}"#),
            )
        };
        script
            .on("GetParameter", reply("String"))
            .on("GetParameter", reply("SecureString"));
        let aws = aws(&script).await;
        let found = aws.look_up(&spec(), &parameter("/a:3")).await.unwrap();
        assert_eq!(found.as_deref(), Ok("ami-1"));
        let request = script.requests_of("GetParameter").pop().unwrap();
        assert_eq!(request.field("Name"), "/a:3");
        let why = aws
            .look_up(&spec(), &parameter("/a"))
            .await
            .unwrap()
            .unwrap_err();
        assert!(
            why.contains("SecureString") && !why.contains("ami-1"),
            "{why}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_ssm_parameter_that_is_not_there_is_said_and_a_denial_is_a_failure() {
        let script = Scripted::new();
        let refusal = |kind: &str| {
            Reply::Http(
                400,
                format!(r#"{{"__type":"com.amazonaws.ssm#{kind}","message":"no"}}"#),
            )
        };
        script
            .on("GetParameter", refusal("ParameterNotFound"))
            .on("GetParameter", refusal("AccessDeniedException"));
        let aws = aws(&script).await;
        let why = aws
            .look_up(&spec(), &parameter("/a"))
            .await
            .unwrap()
            .unwrap_err();
        assert!(why.contains("no such parameter"), "{why}");
        let failure = aws.look_up(&spec(), &parameter("/a")).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::AccessDenied, "{failure:?}");
    }
}
