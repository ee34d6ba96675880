//! A look at the connection itself: which endpoint it has, and what time it is there.

use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::{DateTime, Format};
use jiff::Timestamp;

use super::connection::Aws;

/// Keeps the `Date` of the last reply, be it a good one or an error.
#[derive(Debug, Clone, Default)]
struct Date(Arc<Mutex<Option<String>>>);

impl Intercept for Date {
    fn name(&self) -> &'static str {
        "Date"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date").map(str::to_owned);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = date;
        Ok(())
    }
}

impl Aws {
    /// Returns the endpoint of every call where one is given, as for an emulator.
    pub fn endpoint(&self) -> Option<&str> {
        self.base().endpoint_url()
    }

    /// Returns the time that the service puts on a reply, to the second, or `None` where it gives none or cannot be
    /// reached. A reply that refuses the call because of the clock has it too.
    pub async fn service_time(&self) -> Option<Timestamp> {
        let date = Date::default();
        let client = aws_sdk_sts::Client::new(&self.near());
        // Who calls is asked elsewhere; here only the reply's head counts.
        let _ = client
            .get_caller_identity()
            .customize()
            .interceptor(date.clone())
            .send()
            .await;
        let text = date
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()?;
        let at = DateTime::from_str(&text, Format::HttpDate).ok()?;
        Timestamp::from_second(at.secs()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::aws;
    use super::super::scripted::Scripted;

    #[tokio::test(start_paused = true)]
    async fn the_time_is_taken_from_refusals_too() {
        let script = Scripted::new();
        script.error(
            "GetCallerIdentity",
            403,
            "SignatureDoesNotMatch",
            "Signature expired",
        );
        let time = aws(&script).await.service_time().await;
        assert_eq!(time, Some("2026-11-22T21:40:01Z".parse().unwrap()));
    }
}
