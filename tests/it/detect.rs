//! What was changed by hand is found, over all targets.

use serde_json::{Value, json};

use crate::support::schema::assert_documented;
use crate::support::{Emulator, TestEnv};

const TEMPLATE: &str = r#"
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties: {QueueName: checked, VisibilityTimeout: 30}
"#;

#[test]
fn drift_is_detected_and_equal_drift_told_once() {
    let env = TestEnv::on(Emulator::Ministack);
    env.write("templates/app.yaml", TEMPLATE);
    let regions = "--regions=us-east-1,eu-west-1,us-east-2";
    env.run(&["deploy", "app", "--yes", regions]).success();
    for region in ["us-east-1", "eu-west-1"] {
        let cloud = env.cloud("111111111111", region);
        let url = cloud.physical_id("app", "Queue").unwrap();
        let attributes = json!({"QueueUrl": url, "Attributes": {"VisibilityTimeout": "90"}});
        cloud.json("sqs", "AmazonSQS.SetQueueAttributes", &attributes);
    }
    let regions = "--regions=us-east-1,eu-west-1,us-east-2,us-west-1";
    let found = env.run(&["drift", "app", regions, "--exit-code", "--output=json"]);
    found.code(3);
    let found: Value = serde_json::from_str(&env.public(&found.raw)).unwrap();
    assert_documented(&found);
    assert_eq!(found["drifted"], true);
    let groups = found["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 1, "{found:#}");
    assert_eq!(groups[0]["targets"].as_array().unwrap().len(), 2);
    let resource = &groups[0]["resources"][0];
    assert_eq!(resource["logical_id"], "Queue");
    let properties = resource["properties"].as_array().unwrap();
    let timeout = properties
        .iter()
        .find(|one| one["path"] == "VisibilityTimeout");
    let timeout = timeout.unwrap();
    assert_eq!(
        (&timeout["expected"], &timeout["actual"]),
        (&json!("30"), &json!("90"))
    );
    assert_eq!(found["in_sync"][0]["region"], "us-east-2");
    assert_eq!(found["no_stack"][0]["region"], "us-west-1");
    let next = found["next"][0].as_str().unwrap();
    assert!(
        next.starts_with("stackgate plan app --revert-drift"),
        "{next}"
    );
    let text = env.run(&["drift", "app", "--regions=us-east-2"]);
    assert!(
        text.success()
            .stdout
            .starts_with("app: no drift in 1 target"),
        "{text}"
    );
}
