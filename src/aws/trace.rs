//! What can be told of every attempt of a call: enough to ask AWS about it, and nothing of what was said in it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};

use super::cadence::Stopwatch;

/// One attempt of a call. It has no bodies, headers or addresses, in which secrets or signatures may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The service and the operation: `CloudFormation.DescribeStacks`.
    pub operation: String,
    /// Where: account and region of the target, or the region.
    pub place: String,
    /// Which attempt of the same sending, from 1.
    pub number: u32,
    /// The HTTP status; absent where no reply came.
    pub status: Option<u16>,
    /// The request id that the service gave.
    pub request_id: Option<String>,
    /// How long it took.
    pub took: Duration,
}

/// Who is told of attempts.
#[derive(Clone)]
pub struct Trace(Arc<dyn Fn(&Attempt) + Send + Sync>);

impl Trace {
    /// Returns one that calls `listener`.
    pub fn new(listener: impl Fn(&Attempt) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trace")
    }
}

/// Tells of the attempts of one client.
#[derive(Debug)]
pub(super) struct Traced {
    trace: Trace,
    place: String,
}

impl Traced {
    pub(super) fn new(trace: Trace, place: String) -> Self {
        Self { trace, place }
    }
}

#[derive(Debug)]
struct Started(Stopwatch);

impl Storable for Started {
    type Storer = StoreReplace<Self>;
}

impl Intercept for Traced {
    fn name(&self) -> &'static str {
        "Traced"
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        bag.interceptor_state()
            .store_put(Started(Stopwatch::start()));
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let operation = bag.load::<Metadata>().map_or_else(String::new, |about| {
            format!("{}.{}", about.service(), about.name())
        });
        let reply = context.response();
        let id = reply.and_then(|reply| {
            let headers = reply.headers();
            let names = ["x-amzn-requestid", "x-amz-request-id"];
            names.iter().find_map(|name| headers.get(*name))
        });
        (self.trace.0)(&Attempt {
            operation: crate::model::clean(&operation),
            place: self.place.clone(),
            number: bag.load::<RequestAttempts>().map_or(1, |n| n.attempts()),
            status: reply.map(|reply| reply.status().as_u16()),
            request_id: id.map(crate::model::clean),
            took: bag
                .load::<Started>()
                .map_or(Duration::ZERO, |started| started.0.elapsed()),
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::fixture::{spec, stack_id, stacks};
    use super::super::scripted::Scripted;
    use super::super::{Aws, Settings, StackRef};
    use super::*;
    use crate::model::Priority;

    #[tokio::test(start_paused = true)]
    async fn every_attempt_is_told_without_what_was_said() {
        let script = Scripted::new();
        script
            .error("DescribeStacks", 400, "Throttling", "Rate exceeded")
            .ok("DescribeStacks", &stacks("CREATE_COMPLETE"));
        let told: Arc<Mutex<Vec<Attempt>>> = Arc::default();
        let listener = Arc::clone(&told);
        let aws = Aws::connect(&Settings {
            region: Some("eu-west-1".into()),
            endpoint_url: Some("http://scripted.invalid".into()),
            http_client: Some(script.http_client()),
            credentials: Some(Scripted::credentials()),
            trace: Some(Trace::new(move |attempt| {
                listener.lock().unwrap().push(attempt.clone());
            })),
            ..Settings::default()
        })
        .await
        .unwrap();
        let stack = stack_id();
        aws.stack(&spec(), StackRef::Id(&stack), Priority::Read)
            .await
            .unwrap();
        let told = told.lock().unwrap();
        assert_eq!(told.len(), 2, "{told:?}");
        for (attempt, status) in told.iter().zip([400, 200]) {
            assert_eq!(attempt.operation, "CloudFormation.DescribeStacks");
            assert_eq!(attempt.place, "111111111111/eu-west-1");
            assert_eq!(attempt.status, Some(status));
            assert_eq!(attempt.request_id.as_deref(), Some("r-header"));
        }
        assert_eq!((told[0].number, told[1].number), (1, 2));
        let all = format!("{told:?}");
        assert!(
            !all.contains("hunter2") && !all.contains("scripted.invalid"),
            "{all}"
        );
    }
}
