//! A client of a test's own, to see what really happened and to act behind the binary's back.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_cloudformation::error::DisplayErrorContext;
use aws_sdk_cloudformation::types::{Capability, ChangeSetType, ExecutionStatus, Parameter, Stack};
use tokio::runtime::Runtime;

use super::http;
use super::xml::Xml;

/// One runtime for all tests, whose client connections outlive the calls.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// One account and region of an emulator.
pub struct Cloud {
    client: Client,
    endpoint: String,
    account: String,
    region: String,
}

impl Cloud {
    /// Returns a client for an account, which emulators select by the access key.
    pub fn new(endpoint: &str, account: &str, region: &str) -> Cloud {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(endpoint)
            .region(Region::new(region.to_owned()))
            .credentials_provider(Credentials::new(account, "test", None, None, "test"))
            .build();
        Cloud {
            client: Client::from_conf(config),
            endpoint: endpoint.to_owned(),
            account: account.to_owned(),
            region: region.to_owned(),
        }
    }

    /// Returns the stack, or nothing if there is none of that name.
    pub fn stack(&self, name: &str) -> Option<Stack> {
        match RUNTIME.block_on(self.client.describe_stacks().stack_name(name).send()) {
            Ok(reply) => reply.stacks.unwrap_or_default().into_iter().next(),
            Err(error) => {
                let text = DisplayErrorContext(&error).to_string();
                assert!(text.contains("does not exist"), "{text}");
                None
            }
        }
    }

    /// Returns the status of a stack, or nothing if there is none of that name.
    pub fn status(&self, name: &str) -> Option<String> {
        let status = self.stack(name)?.stack_status?;
        Some(status.as_str().to_owned())
    }

    /// Returns the outputs of a stack.
    pub fn outputs(&self, name: &str) -> BTreeMap<String, String> {
        let outputs = self.existing(name).outputs.unwrap_or_default();
        let pair = |output: aws_sdk_cloudformation::types::Output| {
            Some((output.output_key?, output.output_value?))
        };
        outputs.into_iter().filter_map(pair).collect()
    }

    /// Returns the parameters of a stack.
    pub fn parameters(&self, name: &str) -> BTreeMap<String, String> {
        let parameters = self.existing(name).parameters.unwrap_or_default();
        let pair =
            |parameter: Parameter| Some((parameter.parameter_key?, parameter.parameter_value?));
        parameters.into_iter().filter_map(pair).collect()
    }

    fn existing(&self, name: &str) -> Stack {
        self.stack(name)
            .unwrap_or_else(|| panic!("no stack `{name}` in {}/{}", self.account, self.region))
    }

    /// Returns the names of a stack's change sets. LocalStack keeps quiet about failed ones.
    pub fn change_sets(&self, stack: &str) -> Vec<String> {
        let reply = RUNTIME
            .block_on(self.client.list_change_sets().stack_name(stack).send())
            .unwrap_or_else(|error| panic!("{}", DisplayErrorContext(&error)));
        let summaries = reply.summaries.unwrap_or_default();
        let mut names: Vec<String> = summaries
            .into_iter()
            .filter_map(|summary| summary.change_set_name)
            .collect();
        names.sort();
        names
    }

    /// Returns the names of a stack's change sets that could still be executed.
    pub fn open_change_sets(&self, stack: &str) -> Vec<String> {
        let reply = RUNTIME
            .block_on(self.client.list_change_sets().stack_name(stack).send())
            .unwrap_or_else(|error| panic!("{}", DisplayErrorContext(&error)));
        let summaries = reply.summaries.unwrap_or_default().into_iter();
        let open = summaries.filter(|one| one.execution_status == Some(ExecutionStatus::Available));
        open.filter_map(|one| one.change_set_name).collect()
    }

    /// Returns `logical id status` of the events of a stack, oldest first.
    pub fn events(&self, stack: &str) -> Vec<String> {
        let mut pages = self
            .client
            .describe_stack_events()
            .stack_name(stack)
            .into_paginator()
            .items()
            .send();
        let mut events = Vec::new();
        RUNTIME.block_on(async {
            while let Some(event) = pages.next().await {
                let event = event.unwrap_or_else(|error| panic!("{}", DisplayErrorContext(&error)));
                let status = event
                    .resource_status
                    .map(|status| status.as_str().to_owned());
                events.push(format!(
                    "{} {}",
                    event.logical_resource_id.unwrap_or_default(),
                    status.unwrap_or_default()
                ));
            }
        });
        events.reverse();
        events
    }

    /// Returns the physical id of a resource, or nothing if the stack has none of that name.
    pub fn physical_id(&self, stack: &str, resource: &str) -> Option<String> {
        let call = self
            .client
            .describe_stack_resources()
            .stack_name(stack)
            .send();
        let resources = RUNTIME.block_on(call).ok()?.stack_resources?;
        let found = resources
            .into_iter()
            .find(|one| one.logical_resource_id() == Some(resource))?;
        found.physical_resource_id
    }

    /// Creates a stack without stackgate and returns the status in which it ends.
    #[must_use]
    pub fn create(&self, stack: &str, template: &str, parameters: &[(&str, &str)]) -> String {
        self.begin_create(stack, template, parameters);
        self.settled(stack)
    }

    /// Returns the policy of a stack, or nothing if it has none.
    pub fn policy(&self, stack: &str) -> Option<serde_json::Value> {
        let call = self.client.get_stack_policy().stack_name(stack).send();
        let reply = RUNTIME
            .block_on(call)
            .unwrap_or_else(|error| panic!("{}", DisplayErrorContext(&error)));
        let body = reply.stack_policy_body.filter(|body| !body.is_empty())?;
        Some(serde_json::from_str(&body).unwrap())
    }

    /// Returns the template of a stack, as it was sent.
    pub fn template(&self, stack: &str) -> String {
        let call = self.client.get_template().stack_name(stack).send();
        let reply = RUNTIME
            .block_on(call)
            .unwrap_or_else(|error| panic!("{}", DisplayErrorContext(&error)));
        reply.template_body.unwrap_or_default()
    }

    /// Returns whether a stack is protected from deletion.
    pub fn is_protected(&self, stack: &str) -> bool {
        self.existing(stack)
            .enable_termination_protection
            .unwrap_or(false)
    }

    /// Begins to create a stack without stackgate.
    pub fn begin_create(&self, stack: &str, template: &str, parameters: &[(&str, &str)]) {
        self.offer(stack, template, parameters)
            .unwrap_or_else(|refusal| panic!("{refusal}"));
    }

    /// Begins to create a stack without stackgate, unless the emulator refuses it at once.
    pub fn offer(
        &self,
        stack: &str,
        template: &str,
        parameters: &[(&str, &str)],
    ) -> Result<(), String> {
        let call = self
            .client
            .create_stack()
            .stack_name(stack)
            .template_body(template)
            .capabilities(Capability::CapabilityNamedIam)
            .capabilities(Capability::CapabilityAutoExpand)
            .set_parameters(Some(given(parameters)));
        let reply = RUNTIME.block_on(call.send());
        reply.map_or_else(
            |error| Err(DisplayErrorContext(&error).to_string()),
            |_| Ok(()),
        )
    }

    /// Creates a change set for a new stack without stackgate, and leaves it waiting.
    pub fn begin_review(&self, stack: &str, template: &str, parameters: &[(&str, &str)]) {
        let call = self
            .client
            .create_change_set()
            .change_set_type(ChangeSetType::Create)
            .change_set_name("somebody-elses")
            .stack_name(stack)
            .template_body(template)
            .set_parameters(Some(given(parameters)));
        RUNTIME
            .block_on(call.send())
            .unwrap_or_else(|error| panic!("{}", DisplayErrorContext(&error)));
        self.await_status(stack, "REVIEW_IN_PROGRESS");
    }

    /// Updates a stack without stackgate and returns the status in which it ends.
    #[must_use]
    pub fn update(&self, stack: &str, template: &str, parameters: &[(&str, &str)]) -> String {
        let call = self
            .client
            .update_stack()
            .stack_name(stack)
            .template_body(template)
            .capabilities(Capability::CapabilityNamedIam)
            .set_parameters(Some(given(parameters)));
        RUNTIME
            .block_on(call.send())
            .unwrap_or_else(|error| panic!("{}", DisplayErrorContext(&error)));
        self.settled(stack)
    }

    /// Returns the status of a stack once nothing is in progress.
    pub fn settled(&self, stack: &str) -> String {
        let is_settled = |status: &String| !status.ends_with("IN_PROGRESS");
        self.poll(
            || {
                self.existing(stack)
                    .stack_status
                    .unwrap()
                    .as_str()
                    .to_owned()
            },
            is_settled,
        )
    }

    /// Deletes a stack without stackgate, and waits until it is gone.
    pub fn delete(&self, stack: &str) {
        RUNTIME
            .block_on(self.client.delete_stack().stack_name(stack).send())
            .unwrap_or_else(|error| panic!("{}", DisplayErrorContext(&error)));
        let is_gone = |status: &Option<String>| {
            status
                .as_ref()
                .is_none_or(|status| status == "DELETE_COMPLETE")
        };
        let status = self.poll(|| self.status(stack), is_gone);
        assert!(is_gone(&status), "{status:?}");
    }

    /// Waits until a stack has a status; panics when a minute passes without.
    pub fn await_status(&self, stack: &str, wanted: &str) {
        let got = self.poll(
            || self.status(stack),
            |status| status.as_deref() == Some(wanted),
        );
        assert_eq!(
            got.as_deref(),
            Some(wanted),
            "stack `{stack}` in {}/{}",
            self.account,
            self.region
        );
    }

    /// Asks until the answer is wanted or a minute has passed, and returns the last answer.
    #[expect(
        clippy::disallowed_methods,
        reason = "an emulator is a real program: it is polled, in real time"
    )]
    fn poll<T>(&self, ask: impl Fn() -> T, is_wanted: impl Fn(&T) -> bool) -> T {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let answer = ask();
            if is_wanted(&answer) || Instant::now() > deadline {
                return answer;
            }
            // An emulator has no way to call back, so there is nothing else to wait for.
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Takes a stack's termination protection away, or gives it back.
    pub fn protect(&self, stack: &str, protected: bool) {
        let call = self.client.update_termination_protection();
        let call = call
            .stack_name(stack)
            .enable_termination_protection(protected);
        RUNTIME
            .block_on(call.send())
            .unwrap_or_else(|error| panic!("{}", DisplayErrorContext(&error)));
    }

    /// Makes an SSM parameter. A stack that wants to create one of the same name fails, on both emulators.
    pub fn put_parameter(&self, name: &str, value: &str) {
        let body = serde_json::json!({ "Name": name, "Value": value, "Type": "String", "Overwrite": true });
        let reply = self.ssm("PutParameter", &body);
        assert_eq!(reply.status(), 200, "{}", reply.text());
    }

    /// Returns the value of an SSM parameter, or nothing if there is none.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let reply = self.ssm("GetParameter", &serde_json::json!({ "Name": name }));
        let value: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        Some(value.get("Parameter")?.get("Value")?.as_str()?.to_owned())
    }

    /// Removes an SSM parameter.
    pub fn delete_parameter(&self, name: &str) {
        let reply = self.ssm("DeleteParameter", &serde_json::json!({ "Name": name }));
        assert_eq!(reply.status(), 200, "{}", reply.text());
    }

    /// Puts a template into a bucket, which is made if there is none, and returns its URL.
    pub fn put_template(&self, bucket: &str, key: &str, template: &str) -> String {
        let authorization = self.authorization("s3");
        let headers = [("authorization", authorization.as_str())];
        // One that is there already is no error in `us-east-1`.
        let made = http::send("PUT", &format!("{}/{bucket}", self.endpoint), &headers, "").unwrap();
        assert!(matches!(made.status(), 200 | 409), "{}", made.text());
        let url = format!("{}/{bucket}/{key}", self.endpoint);
        let reply = http::send("PUT", &url, &headers, template).unwrap();
        assert_eq!(reply.status(), 200, "{}", reply.text());
        format!("https://s3.amazonaws.com/{bucket}/{key}")
    }

    fn authorization(&self, service: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential={}/20260101/{}/{service}/aws4_request, SignedHeaders=host, Signature=0",
            self.account, self.region
        )
    }

    fn ssm(&self, operation: &str, body: &serde_json::Value) -> http::Message {
        self.call_json("ssm", &format!("AmazonSSM.{operation}"), body)
    }

    fn call_json(&self, service: &str, target: &str, body: &serde_json::Value) -> http::Message {
        // Emulators route by the scope of the signature and never check it.
        let authorization = self.authorization(service);
        let version = if service == "sqs" { "1.0" } else { "1.1" };
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", &format!("application/x-amz-json-{version}")),
            ("x-amz-target", target),
        ];
        http::send("POST", &self.endpoint, &headers, &body.to_string()).unwrap()
    }

    /// Calls a service that speaks JSON, such as `AmazonSQS.ListQueueTags` of `sqs`.
    pub fn json(&self, service: &str, target: &str, body: &serde_json::Value) -> serde_json::Value {
        let reply = self.call_json(service, target, body);
        assert_eq!(reply.status(), 200, "{target}: {}", reply.text());
        serde_json::from_slice(&reply.body).unwrap()
    }

    /// Calls a service that speaks the query protocol, with one argument.
    pub fn query(
        &self,
        service: &str,
        version: &str,
        action: &str,
        (key, value): (&str, &str),
    ) -> Xml {
        let authorization = self.authorization(service);
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        let body = format!("Action={action}&Version={version}&{key}={value}");
        let reply = http::send("POST", &self.endpoint, &headers, &body).unwrap();
        assert_eq!(reply.status(), 200, "{action}: {}", reply.text());
        Xml(reply.text())
    }

    /// Returns the type and the physical id of each resource of a stack.
    pub fn resources(&self, stack: &str) -> BTreeMap<String, (String, String)> {
        let call = self.client.describe_stack_resources().stack_name(stack);
        let reply = RUNTIME
            .block_on(call.send())
            .unwrap_or_else(|error| panic!("{}", DisplayErrorContext(&error)));
        let resources = reply.stack_resources.unwrap_or_default().into_iter();
        let named = |one: aws_sdk_cloudformation::types::StackResource| {
            let what = (one.resource_type?, one.physical_resource_id?);
            Some((one.logical_resource_id?, what))
        };
        resources.filter_map(named).collect()
    }

    /// Ends the waiting of a wait condition (ministack), given the logical id of its handle.
    pub fn signal(&self, stack: &str, handle: &str, is_success: bool) {
        let url = self.poll(|| self.physical_id(stack, handle), Option::is_some);
        let url = url.unwrap_or_else(|| panic!("stack `{stack}` has no handle `{handle}`"));
        let status = if is_success { "SUCCESS" } else { "FAILURE" };
        let body = serde_json::json!({ "Status": status, "Reason": "the test says so", "UniqueId": "1", "Data": "" });
        // A content type would be refused.
        let reply = http::send("PUT", &url, &[], &body.to_string()).unwrap();
        assert_eq!(reply.status(), 200, "{}", reply.text());
    }
}

fn given(parameters: &[(&str, &str)]) -> Vec<Parameter> {
    let parameter = |(key, value): &(&str, &str)| {
        Parameter::builder()
            .parameter_key(*key)
            .parameter_value(*value)
            .build()
    };
    parameters.iter().map(parameter).collect()
}
