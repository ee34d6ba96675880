//! An update that takes an export away: who imports it is looked up when the update is planned, and only then.

use serde_json::Value;

use crate::support::proxy::Proxy;
use crate::support::{Emulator, TestEnv};

const QUEUE: &str = "Resources:\n  Queue: {Type: AWS::SQS::Queue}\n";
const TOPIC: &str = "  Topic: {Type: AWS::SNS::Topic}\n";

/// The name is known to the deployed stack alone.
const EXPORT: &str = "Outputs:\n  Name:\n    Value: !GetAtt Queue.QueueName\n    \
                      Export: {Name: !Sub '${AWS::StackName}-queue'}\n";

const IMPORTING: &str = "Resources:\n  User:\n    Type: AWS::SSM::Parameter\n    \
                         Properties: {Name: /user, Type: String, Value: !ImportValue app-queue}\n";

/// Returns the review of an update of the stack `app`, which exports its queue, to `template`.
fn planned(env: &TestEnv, template: &str) -> Value {
    env.write("templates/app.yaml", template);
    env.run(&["plan", "app"]).code(3);
    let status = env.run(&["status", "latest", "--output=json"]);
    let mut status: Value = serde_json::from_str(&env.public(&status.success().raw)).unwrap();
    status["review"].take()
}

#[test]
fn who_imports_an_export_that_goes_is_told() {
    let env = TestEnv::on(Emulator::Ministack);
    let cloud = env.cloud("111111111111", "us-east-1");
    let exporting = format!("{QUEUE}{EXPORT}");
    assert_eq!(cloud.create("app", &exporting, &[]), "CREATE_COMPLETE");
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);

    // No export goes.
    planned(&env, &format!("{QUEUE}{TOPIC}{EXPORT}"));
    assert_eq!(proxy.count("ListImports"), 0);

    let told = |review: Value| review["groups"][0]["impact"]["outputs"].to_string();
    let without = format!("{QUEUE}{TOPIC}");
    let text = told(planned(&env, &without));
    assert!(text.contains("app-queue go; no stack imports it"), "{text}");
    assert_eq!(proxy.count("ListImports"), 1);

    assert_eq!(cloud.create("web", IMPORTING, &[]), "CREATE_COMPLETE");
    let text = told(planned(&env, &without));
    let wanted = "app-queue go; imported by web: the update will fail until it stops";
    assert!(text.contains(wanted), "{text}");
}
