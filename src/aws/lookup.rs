//! Values that are kept elsewhere in the account of a target: outputs, exports, parameters of Systems Manager.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::call::Call;
use super::connection::Aws;
use super::stack::StackRef;
use crate::model::{
    CallFailure, LookedUp, Lookup, Priority, Region, StackName, StackSummary, TargetSpec,
};

/// The look-ups of one target. What several of them need is asked for once.
#[derive(Debug)]
pub struct LookUps<'a> {
    aws: &'a Aws,
    spec: &'a TargetSpec,
    stacks: BTreeMap<(Region, StackName), Option<StackSummary>>,
    exports: BTreeMap<Region, BTreeMap<String, String>>,
}

impl<'a> LookUps<'a> {
    /// Returns those in the account of `spec`, of which nothing is known yet.
    pub fn new(aws: &'a Aws, spec: &'a TargetSpec) -> Self {
        Self {
            aws,
            spec,
            stacks: BTreeMap::new(),
            exports: BTreeMap::new(),
        }
    }

    /// Returns the value that `lookup` names; otherwise why there is none, in words that follow what was looked up.
    pub async fn value(&mut self, lookup: &Lookup) -> Result<Result<String, String>, CallFailure> {
        let mut spec = self.spec.clone();
        if let Some(region) = &lookup.region {
            spec.target.region = region.clone();
        }
        let region = &spec.target.region;
        match &lookup.what {
            LookedUp::StackOutput { stack, output } => {
                let key = (region.clone(), stack.clone());
                let found = match self.stacks.entry(key) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(place) => {
                        let by = StackRef::Name(stack);
                        place.insert(self.aws.stack(&spec, by, Priority::Read).await?)
                    }
                };
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
                let exports = match self.exports.entry(region.clone()) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(place) => place.insert(self.aws.exports(&spec).await?),
                };
                Ok(named(exports, name, || {
                    format!("nothing in {region} is exported by that name")
                }))
            }
            LookedUp::SsmParameter(name) => self.aws.ssm_parameter(&spec, name).await,
        }
    }
}

impl Aws {
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
    use super::super::fixture::{aws, spec, stacks, stacks_in};
    use super::super::scripted::{Reply, Scripted};
    use super::*;
    use crate::model::FailureKind;

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
        let there = stacks_in("111111111111", "us-east-1", "CREATE_COMPLETE");
        script
            .ok("DescribeStacks", &stacks("CREATE_COMPLETE"))
            .ok("DescribeStacks", &there);
        let aws = aws(&script).await;
        for (region, host) in [(None, "eu-west-1"), (Some("us-east-1"), "us-east-1")] {
            let found = LookUps::new(&aws, &spec())
                .value(&output("Url", region))
                .await
                .unwrap();
            assert_eq!(found.as_deref(), Ok("of CREATE_COMPLETE"));
            let request = script.requests_of("DescribeStacks").pop().unwrap();
            assert_eq!(request.field("StackName"), "app");
            assert_eq!(request.region, host);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_several_values_need_is_asked_for_once() {
        let script = Scripted::new();
        let exports = "<Exports><member><Name>a</Name><Value>1</Value></member></Exports>";
        let there = stacks_in("111111111111", "us-east-1", "CREATE_COMPLETE");
        script
            .ok("DescribeStacks", &stacks("CREATE_COMPLETE"))
            .ok("DescribeStacks", &there)
            .ok("ListExports", exports);
        let (aws, spec) = (aws(&script).await, spec());
        let mut look_ups = LookUps::new(&aws, &spec);
        let export = Lookup {
            what: LookedUp::Export("a".into()),
            region: None,
        };
        for _ in 0..2 {
            for lookup in [&output("Url", None), &export] {
                look_ups.value(lookup).await.unwrap().unwrap();
            }
        }
        assert_eq!(script.requests_of("DescribeStacks").len(), 1);
        assert_eq!(script.requests_of("ListExports").len(), 1);
        // Another region has its own.
        let elsewhere = output("Url", Some("us-east-1"));
        look_ups.value(&elsewhere).await.unwrap().unwrap();
        assert_eq!(script.requests_of("DescribeStacks").len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_there_is_named_where_an_output_is_missing() {
        let script = Scripted::new();
        script.ok("DescribeStacks", &stacks("CREATE_COMPLETE"));
        let aws = aws(&script).await;
        let why = LookUps::new(&aws, &spec())
            .value(&output("VpcId", None))
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
        let why = LookUps::new(&aws, &spec())
            .value(&output("VpcId", None))
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
        let found = LookUps::new(&aws, &spec()).value(&lookup).await.unwrap();
        assert_eq!(found.as_deref(), Ok("v-second"));
        let missing = Lookup {
            what: LookedUp::Export("third".into()),
            region: None,
        };
        let why = LookUps::new(&aws, &spec())
            .value(&missing)
            .await
            .unwrap()
            .unwrap_err();
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
        let found = LookUps::new(&aws, &spec())
            .value(&parameter("/a:3"))
            .await
            .unwrap();
        assert_eq!(found.as_deref(), Ok("ami-1"));
        let request = script.requests_of("GetParameter").pop().unwrap();
        assert_eq!(request.field("Name"), "/a:3");
        let why = LookUps::new(&aws, &spec())
            .value(&parameter("/a"))
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
        let why = LookUps::new(&aws, &spec())
            .value(&parameter("/a"))
            .await
            .unwrap()
            .unwrap_err();
        assert!(why.contains("no such parameter"), "{why}");
        let failure = LookUps::new(&aws, &spec())
            .value(&parameter("/a"))
            .await
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::AccessDenied, "{failure:?}");
    }
}
