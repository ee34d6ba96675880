//! What somebody changed by hand, and is put back.

use serde_json::Value;

use crate::support::fake::{Fake, Update};
use crate::support::output::Output;
use crate::support::proxy::Proxy;
use crate::support::schema::assert_documented;
use crate::support::{Emulator, TestEnv};

/// The template that the stack has, and is to have: what changes was changed by hand.
const TEMPLATE: &str = "Parameters: {Password: {Type: String, NoEcho: true}}\nResources:\n  Queue:\n    Type: AWS::SQS::Queue\n    \
    Properties: {VisibilityTimeout: 30, QueueName: !Ref Password}\n";

const CONFIRMED: &str =
    "<DeploymentMode>REVERT_DRIFT</DeploymentMode><StackDriftStatus>DRIFTED</StackDriftStatus>";

const IN_SYNC: &str =
    "<DeploymentMode>REVERT_DRIFT</DeploymentMode><StackDriftStatus>IN_SYNC</StackDriftStatus>";

/// A queue with a timeout that was changed by hand, and with a secret, likewise.
const DRIFTED: &str = "<member><Type>Resource</Type><ResourceChange><Action>Modify</Action><LogicalResourceId>Queue</LogicalResourceId>\
    <PhysicalResourceId>queue</PhysicalResourceId><ResourceType>AWS::SQS::Queue</ResourceType><Replacement>False</Replacement>\
    <Scope><member>Properties</member></Scope><ResourceDriftStatus>MODIFIED</ResourceDriftStatus>\
    <ResourceDriftIgnoredAttributes><member><Path>/Properties/RedrivePolicy</Path><Reason>MANAGED_BY_AWS</Reason></member>\
    </ResourceDriftIgnoredAttributes><Details>\
    <member><Target><Attribute>Properties</Attribute><Name>VisibilityTimeout</Name><RequiresRecreation>Never</RequiresRecreation>\
    <Path>/Properties/VisibilityTimeout</Path><BeforeValue>90</BeforeValue><AfterValue>30</AfterValue>\
    <BeforeValueFrom>ACTUAL_STATE</BeforeValueFrom><AfterValueFrom>TEMPLATE</AfterValueFrom><Drift><PreviousValue>30</PreviousValue>\
    <ActualValue>90</ActualValue><DriftDetectionTimestamp>2026-11-22T22:00:00Z</DriftDetectionTimestamp></Drift>\
    <AttributeChangeType>Modify</AttributeChangeType></Target><Evaluation>Static</Evaluation><ChangeSource>NoModification</ChangeSource>\
    </member><member><Target><Attribute>Properties</Attribute><Name>QueueName</Name><RequiresRecreation>Never</RequiresRecreation>\
    <Path>/Properties/QueueName</Path><BeforeValue>handmade-secret</BeforeValue><AfterValue>deployed-secret</AfterValue>\
    <Drift><PreviousValue>deployed-secret</PreviousValue><ActualValue>handmade-secret</ActualValue></Drift>\
    <AttributeChangeType>Modify</AttributeChangeType></Target><Evaluation>Static</Evaluation><ChangeSource>NoModification</ChangeSource>\
    </member></Details></ResourceChange></member>";

/// A table that somebody deleted.
const DELETED: &str = "<member><Type>Resource</Type><ResourceChange><Action>Add</Action><LogicalResourceId>Orders</LogicalResourceId>\
    <ResourceType>AWS::DynamoDB::Table</ResourceType><ResourceDriftStatus>DELETED</ResourceDriftStatus></ResourceChange></member>";

/// Returns a project with a stack that has these changes, behind a proxy that knows what was asked.
fn project(changes: &'static str, about: &'static str) -> (TestEnv, Proxy) {
    let update = Update {
        changes,
        about,
        template: TEMPLATE,
    };
    let fake = Fake::start(move |_| Some(update), |_| false);
    let proxy = Proxy::start(fake.endpoint());
    let env = TestEnv::offline()
        .variable("AWS_ENDPOINT_URL", &proxy.endpoint())
        .variable("QUEUE_PASSWORD", "deployed-secret");
    env.write("templates/messaging.yaml", TEMPLATE);
    (env, proxy)
}

fn run(env: &TestEnv, command: &str, more: &[&str]) -> Output {
    let given = [
        command,
        "messaging",
        "--regions=us-east-1",
        "--secret=Password=env:QUEUE_PASSWORD",
        "--revert-drift",
    ];
    env.run(&[&given[..], more].concat())
}

/// Returns the modes that change sets were asked for.
fn modes(proxy: &Proxy) -> Vec<Option<String>> {
    let calls = proxy.calls().into_iter();
    calls
        .filter(|call| call.operation == "CreateChangeSet")
        .map(|call| call.field("DeploymentMode"))
        .collect()
}

/// Returns the words of what is shown, however the lines are broken.
fn words(output: &Output) -> String {
    let words: Vec<&str> = output.stdout.split_whitespace().collect();
    words.join(" ")
}

#[test]
fn what_was_changed_by_hand_is_shown_before_it_is_put_back() {
    let (env, proxy) = project(DRIFTED, CONFIRMED);
    let planned = run(&env, "plan", &[]);
    planned.code(3);
    assert_eq!(modes(&proxy), [Some("REVERT_DRIFT".to_owned())]);
    let shown = words(&planned);
    for said in [
        "the stack has drifted",
        "last deployment 30 really there 90, found [TIME] becomes 30",
        "changed outside CloudFormation; this deployment puts it back",
        "RedrivePolicy (managed by AWS)",
        "overwrites 2 properties that were changed outside CloudFormation",
    ] {
        assert!(shown.contains(said), "{said}\n{planned}");
    }
    let status = env.run(&["status", "--output=json"]);
    let status: Value = serde_json::from_str(&env.public(&status.success().raw)).unwrap();
    assert_documented(&status);
    let group = &status["review"]["groups"][0];
    assert_eq!(group["options"]["revert_drift"], true);
    assert_eq!(group["drift"]["stack"], "DRIFTED");
    let properties = group["resources"][0]["properties"].as_array().unwrap();
    let timeout = properties
        .iter()
        .find(|one| one["path"] == "VisibilityTimeout");
    assert_eq!(timeout.unwrap()["drift"]["fate"], "put_back");

    // The value of a secret is nowhere, whoever set it.
    let events = env.run(&["events", "latest", "--output=json"]);
    let full = env.run(&["status", "--full"]);
    let markdown = env.run(&["status", "--output=markdown"]);
    for output in [&planned, &events, &full, &markdown] {
        let text = format!("{}{}", output.raw, output.stderr);
        for secret in ["handmade-secret", "deployed-secret"] {
            assert!(!text.contains(secret), "{secret}\n{output}");
        }
    }
    let plan = status["plan"].as_str().unwrap();
    env.run(&["approve", "latest", "--plan", plan]).success();
}

#[test]
fn what_somebody_deleted_needs_an_approval_of_high_risk() {
    let (env, _proxy) = project(DELETED, CONFIRMED);
    let stopped = run(&env, "deploy", &["--yes"]);
    stopped.code(3);
    let shown = words(&stopped);
    assert!(
        shown
            .contains("deleted outside CloudFormation; it is made again, without the data it held"),
        "{stopped}"
    );
}

#[test]
fn an_endpoint_that_does_not_confirm_the_mode_is_not_believed() {
    let (env, proxy) = project(DRIFTED, "");
    let planned = run(&env, "plan", &[]);
    planned.code(3);
    assert_eq!(modes(&proxy), [Some("REVERT_DRIFT".to_owned())]);
    let shown = words(&planned);
    assert!(
        shown.contains("drift NOT CONFIRMED: the endpoint did not say"),
        "{planned}"
    );
    assert!(!shown.contains("the stack has drifted"), "{planned}");

    // Nobody who says yes beforehand gets an ordinary change set for it.
    run(&env, "deploy", &["--yes"]).code(3);

    // That there is nothing to change is worth nothing then.
    let (env, _proxy) = project("", "");
    let failed = run(&env, "deploy", &["--yes"]);
    failed.code(1);
    let said = format!("{} {}", words(&failed), failed.stderr);
    assert!(
        said.contains("whether something drifted is not known"),
        "{failed}"
    );
    let (env, _proxy) = project("", IN_SYNC);
    run(&env, "deploy", &["--yes"]).success();
}

#[test]
fn a_plan_in_a_file_keeps_what_was_changed_by_hand() {
    let (env, _proxy) = project(DRIFTED, CONFIRMED);
    run(&env, "plan", &["--out=plan.stackgate"]).code(3);
    let executed = env.run(&["deploy", "--plan=plan.stackgate", "--yes"]);
    executed.success();
    let shown = words(&env.run(&["status", "latest", "--full"]));
    assert!(shown.contains("really there 90"), "{shown}");
}

#[test]
fn an_import_puts_nothing_back() {
    let (env, proxy) = project(DRIFTED, CONFIRMED);
    env.write("imports.yaml", "[]");
    let refused = run(&env, "plan", &["--resources-to-import=imports.yaml"]);
    refused.code(2);
    assert!(refused.stderr.contains("cannot be used with"), "{refused}");
    assert!(proxy.calls().is_empty());
}

#[test]
fn a_new_stack_gets_an_ordinary_change_set_and_an_emulator_confirms_nothing() {
    let env = TestEnv::on(Emulator::Ministack);
    let template = |name: &str| {
        format!(
            "Resources: {{Topic: {{Type: AWS::SNS::Topic, Properties: {{DisplayName: {name}}}}}}}\n"
        )
    };
    env.write("templates/app.yaml", &template("one"));
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    let made = env.run(&["deploy", "app", "--yes", "--revert-drift"]);
    made.success();
    assert_eq!(modes(&proxy), [None]);
    let review = words(&env.run(&["status", "latest", "--full"]));
    assert!(
        review.contains("nothing of a new stack can have been changed"),
        "{review}"
    );

    proxy.forget();
    env.write("templates/app.yaml", &template("two"));
    let planned = env.run(&["plan", "app", "--revert-drift"]);
    planned.code(3);
    assert_eq!(modes(&proxy), [Some("REVERT_DRIFT".to_owned())]);
    assert!(words(&planned).contains("NOT CONFIRMED"), "{planned}");
}
