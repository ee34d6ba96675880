//! What is asked of stacks beside their templates, on the emulator that does it.

use serde_json::{Value, json};

use crate::support::output::Output;
use crate::support::proxy::{Call, Error, Fault, Proxy, Rule};
use crate::support::{Emulator, TestEnv};

/// A topic, and a setting of a name that may be taken.
const SETTING: &str = r#"
Parameters:
  Name: {Type: String}
Resources:
  Topic: {Type: AWS::SNS::Topic}
  Setting:
    Type: AWS::SSM::Parameter
    DependsOn: Topic
    Properties: {Name: !Ref Name, Type: String, Value: ours}
"#;

const HERE: &str = "us-east-1";

fn settings() -> TestEnv {
    let env = TestEnv::on(Emulator::Ministack);
    env.write("templates/app.yaml", SETTING);
    env.cloud("111111111111", HERE)
        .put_parameter("/taken", "theirs");
    env
}

fn deploy(env: &TestEnv, more: &[&str]) -> Output {
    env.run(&[&["deploy", "app", "--yes=high", "--output=json"], more].concat())
}

fn document(env: &TestEnv, output: &Output) -> Value {
    serde_json::from_str(&env.public(&output.raw)).unwrap()
}

#[test]
fn a_new_stack_that_fails_is_deleted_where_that_is_asked_for() {
    let env = settings();
    let arguments = ["--parameter=Name=/taken", "--on-stack-failure=DELETE"];
    let output = deploy(&env, &arguments);
    output.code(1);
    let failed = &document(&env, &output)["failed"][0];
    assert_eq!(failed["cause"]["resource"][0], "Setting", "{failed}");
    let there = env.cloud("111111111111", HERE).status("app");
    assert!(
        there.is_none() || there.as_deref() == Some("DELETE_COMPLETE"),
        "{there:?}"
    );
}

#[test]
fn a_stack_that_exists_is_never_deleted_for_a_failure() {
    let env = settings();
    deploy(&env, &["--parameter=Name=/free"]).success();
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    let arguments = ["--parameter=Name=/taken", "--on-stack-failure=DELETE"];
    let output = deploy(&env, &arguments);
    output.code(1);
    let reason = document(&env, &output)["not_planned"][0]["cause"]["reason"].to_string();
    assert!(reason.contains("do not exist yet"), "{reason}");
    assert!(proxy.mutations().is_empty());
}

#[test]
fn what_a_failure_leaves_is_kept_and_tried_again() {
    for flag in ["--disable-rollback", "--on-stack-failure=DO_NOTHING"] {
        let env = settings();
        let cloud = env.cloud("111111111111", HERE);
        deploy(&env, &["--parameter=Name=/taken", flag]).code(1);
        assert_eq!(
            cloud.status("app").as_deref(),
            Some("CREATE_FAILED"),
            "{flag}"
        );
        let topic = cloud.physical_id("app", "Topic");
        assert!(topic.is_some());

        // Without the flag the next change would roll back to nothing: it is refused.
        let output = deploy(&env, &["--parameter=Name=/free"]);
        output.code(1);
        let reason = document(&env, &output)["not_planned"][0]["cause"]["reason"].to_string();
        assert!(reason.contains("--disable-rollback"), "{reason}");

        deploy(&env, &["--parameter=Name=/free", flag]).success();
        assert_eq!(cloud.parameter("/free").as_deref(), Some("ours"));
        assert_eq!(cloud.physical_id("app", "Topic"), topic);
    }
}

#[test]
fn the_review_shows_what_is_asked_for() {
    let env = settings();
    let plan = |more: &[&str]| {
        let given = ["plan", "app", "--parameter=Name=/free"];
        let output = env.run(&[&given[..], more].concat());
        output.code(3);
        output
    };
    let output = plan(&[
        "--notification-arn=arn:{partition}:sns:{region}:{account}:stacks",
        "--on-stack-failure=ROLLBACK",
        "--rollback-trigger=composite:arn:aws:cloudwatch:{region}:{account}:alarm:Errors",
        "--monitoring-time=10",
        "--import-existing-resources",
        "--include-nested-stacks",
    ]);
    let shown = output.stdout.split_whitespace().collect::<Vec<_>>();
    let shown = shown.join(" ");
    for said in [
        "rollback on failure",
        "rollback trigger composite:arn:aws:cloudwatch:us-east-1:111111111111:alarm:Errors",
        "10 minutes of monitoring",
        "notifications to arn:aws:sns:us-east-1:111111111111:stacks",
        "import of existing resources",
        "change sets of nested stacks",
    ] {
        assert!(shown.contains(said), "{said}\n{output}");
    }
    let output = plan(&["--disable-rollback"]);
    assert!(output.stdout.contains("no rollback on failure"), "{output}");
}

const POLICY: &str = r#"{"Statement": [
    {"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}
]}"#;

/// Returns how often each change reached the emulator, without its place.
fn changes(proxy: &Proxy) -> Vec<(String, usize)> {
    let operation = |key: String| key.rsplit(' ').next().unwrap().to_owned();
    let mutations = proxy.mutations().into_iter();
    mutations.map(|(key, n)| (operation(key), n)).collect()
}

fn counted(expected: &[&str]) -> Vec<(String, usize)> {
    expected.iter().map(|one| ((*one).to_owned(), 1)).collect()
}

#[test]
fn policy_and_protection_are_set_on_a_new_stack_once_it_is_there() {
    let env = settings();
    let overrides = format!(r#"{{"StackPolicy": {POLICY}}}"#);
    env.write("parameter-overrides/app.json", &overrides);
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    let arguments = ["--parameter=Name=/free", "--termination-protection"];
    let output = deploy(&env, &arguments);
    output.success();
    let cloud = env.cloud("111111111111", HERE);
    assert!(cloud.is_protected("app"));
    let wanted: Value = serde_json::from_str(POLICY).unwrap();
    assert_eq!(cloud.policy("app"), Some(wanted));
    assert_eq!(
        changes(&proxy),
        counted(&[
            "CreateChangeSet",
            "ExecuteChangeSet",
            "SetStackPolicy",
            "UpdateTerminationProtection"
        ])
    );
    // What the stack has is not set again.
    let output = deploy(&env, &arguments);
    output.success();
    assert_eq!(document(&env, &output)["outcome"], "nothing_to_do");
    assert_eq!(proxy.count("SetStackPolicy"), 1);
    assert_eq!(proxy.count("UpdateTerminationProtection"), 1);
}

#[test]
fn what_is_set_on_a_stack_is_reviewed_even_where_nothing_else_changes() {
    let env = settings();
    deploy(&env, &["--parameter=Name=/free"]).success();
    env.write("policy.json", POLICY);
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    let arguments = [
        "plan",
        "app",
        "--parameter=Name=/free",
        "--stack-policy=policy.json",
        "--termination-protection",
        "--monitoring-time=5",
    ];
    let planned = env.run(&arguments);
    planned.code(3);
    // What only an operation could change is not promised where none is needed.
    assert!(!planned.stdout.contains("monitoring"), "{planned}");
    assert!(planned.stdout.contains("a stack policy"), "{planned}");
    assert!(planned.stdout.contains("termination protection"));
    assert!(planned.stdout.contains("no changes but what is set"));
    let full = env.run(&["status", "latest", "--full"]);
    assert!(full.stdout.contains("\"Update:*\""), "{full}");
    let cloud = env.cloud("111111111111", HERE);
    assert_eq!(cloud.policy("app"), None);

    let status = env.run(&["status", "latest", "--output=json"]);
    let plan = document(&env, &status)["plan"].as_str().unwrap().to_owned();
    env.run(&["approve", "latest", "--plan", &plan]).success();
    let wanted: Value = serde_json::from_str(POLICY).unwrap();
    assert_eq!(cloud.policy("app"), Some(wanted));
    assert!(cloud.is_protected("app"));
    assert_eq!(cloud.status("app").as_deref(), Some("CREATE_COMPLETE"));
    assert_eq!(
        changes(&proxy),
        counted(&[
            "CreateChangeSet",
            "DeleteChangeSet",
            "SetStackPolicy",
            "UpdateTerminationProtection"
        ])
    );

    let off = ["--parameter=Name=/free", "--no-termination-protection"];
    deploy(&env, &off).success();
    assert!(!cloud.is_protected("app"));
}

#[test]
fn a_rejected_setting_is_not_set() {
    let env = settings();
    let cloud = env.cloud("111111111111", HERE);
    let status = cloud.create("app", SETTING, &[("Name", "/free")]);
    assert_eq!(status, "CREATE_COMPLETE");
    let arguments = [
        "plan",
        "app",
        "--parameter=Name=/free",
        "--termination-protection",
    ];
    env.run(&arguments).code(3);
    env.run(&["reject", "latest"]).code(4);
    assert!(!cloud.is_protected("app"));
    assert_eq!(cloud.change_sets("app"), Vec::<String>::new());
}

#[test]
fn a_policy_that_cannot_be_set_fails_the_target_and_the_next_run_sets_it() {
    let env = settings();
    env.write("policy.json", POLICY);
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    let denied = Fault::Answer(Error::ACCESS_DENIED);
    proxy.disturb(Rule::new(denied).operation("SetStackPolicy").times(1));
    let arguments = ["--parameter=Name=/free", "--stack-policy=policy.json"];
    let output = deploy(&env, &arguments);
    output.code(1);
    let failed = &document(&env, &output)["failed"][0];
    let reason = failed["cause"]["reason"].as_str().unwrap();
    assert!(
        reason.contains("deployed, but its stack policy could not be set"),
        "{reason}"
    );
    let cloud = env.cloud("111111111111", HERE);
    assert_eq!(cloud.status("app").as_deref(), Some("CREATE_COMPLETE"));
    assert_eq!(cloud.policy("app"), None);
    deploy(&env, &arguments).success();
    assert!(cloud.policy("app").is_some());
}

#[test]
fn a_stack_whose_operation_failed_gets_neither_policy_nor_protection() {
    let env = settings();
    env.write("policy.json", POLICY);
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    let arguments = [
        "--parameter=Name=/taken",
        "--stack-policy=policy.json",
        "--termination-protection",
    ];
    deploy(&env, &arguments).code(1);
    assert_eq!(
        changes(&proxy),
        counted(&["CreateChangeSet", "ExecuteChangeSet"])
    );
}

/// Returns the only call of an operation, or the one of an account.
fn only(proxy: &Proxy, operation: &str, account: &str) -> Call {
    let mut calls = proxy.calls();
    calls.retain(|call| call.operation == operation && call.account == account);
    let [call] = &calls[..] else {
        panic!("{operation} in {account}: {calls:#?}");
    };
    call.clone()
}

#[track_caller]
fn assert_sent(env: &TestEnv, call: &Call, fields: &[(&str, &str)]) {
    for (field, value) in fields {
        let wanted = (!value.is_empty()).then(|| env.private(value));
        assert_eq!(call.field(field), wanted, "{} {field}", call.operation);
    }
}

#[test]
fn every_option_of_a_change_set_reaches_the_wire() {
    let env = TestEnv::on(Emulator::Ministack);
    env.write(
        "templates/app.yaml",
        "Parameters:\n  Name: {Type: String}\n  Bucket: {Type: String}\n  Password: {Type: String, NoEcho: true}\n\
         Resources:\n  Topic: {Type: AWS::SNS::Topic}\n",
    );
    env.write(
        "overrides/app.json",
        r#"{"Parameters": {"Password": "literal"}}"#,
    );
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    let output = env.run(&[
        "deploy",
        "app",
        "--stack-name=other",
        "--yes=high",
        "--overrides=overrides/app",
        "--parameter=Name=given",
        r#"--parameter-overrides={"Bucket": {"Fn::GetArtifactAtt": ["Source", "BucketName"]}}"#,
        "--artifact-bucket=artifacts",
        "--allow-literal-secrets",
        "--tag=team=net",
        "--tag=cost=7",
        "--capabilities=CAPABILITY_IAM,CAPABILITY_AUTO_EXPAND",
        "--role-arn=arn:{partition}:iam::{account}:role/Formation",
        "--notification-arn=arn:{partition}:sns:{region}:{account}:stacks",
        "--on-stack-failure=ROLLBACK",
        "--rollback-trigger=arn:aws:cloudwatch:{region}:{account}:alarm:Errors",
        "--rollback-trigger=composite:arn:aws:cloudwatch:{region}:{account}:alarm:Whole",
        "--monitoring-time=0",
        "--import-existing-resources",
        "--include-nested-stacks",
    ]);
    output.success();
    let account = env.private("111111111111");
    let created = only(&proxy, "CreateChangeSet", &account);
    assert_sent(
        &env,
        &created,
        &[
            ("StackName", "other"),
            ("ChangeSetType", "CREATE"),
            ("Parameters.member.1.ParameterKey", "Name"),
            ("Parameters.member.1.ParameterValue", "given"),
            ("Parameters.member.2.ParameterKey", "Bucket"),
            ("Parameters.member.2.ParameterValue", "artifacts"),
            ("Parameters.member.3.ParameterKey", "Password"),
            ("Parameters.member.3.ParameterValue", "literal"),
            ("Tags.member.1.Key", "cost"),
            ("Tags.member.1.Value", "7"),
            ("Tags.member.2.Key", "team"),
            ("Capabilities.member.1", "CAPABILITY_AUTO_EXPAND"),
            ("Capabilities.member.2", "CAPABILITY_IAM"),
            ("RoleARN", "arn:aws:iam::111111111111:role/Formation"),
            (
                "NotificationARNs.member.1",
                "arn:aws:sns:us-east-1:111111111111:stacks",
            ),
            ("OnStackFailure", "ROLLBACK"),
            (
                "RollbackConfiguration.RollbackTriggers.member.1.Arn",
                "arn:aws:cloudwatch:us-east-1:111111111111:alarm:Errors",
            ),
            (
                "RollbackConfiguration.RollbackTriggers.member.1.Type",
                "AWS::CloudWatch::Alarm",
            ),
            (
                "RollbackConfiguration.RollbackTriggers.member.2.Type",
                "AWS::CloudWatch::CompositeAlarm",
            ),
            ("RollbackConfiguration.MonitoringTimeInMinutes", "0"),
            ("ImportExistingResources", "true"),
            ("IncludeNestedStacks", "true"),
        ],
    );
    // The change set itself says what happens on failure; the service takes nothing beside that.
    let executed = only(&proxy, "ExecuteChangeSet", &account);
    assert_sent(&env, &executed, &[("DisableRollback", "")]);
    assert!(executed.token.is_some());

    // What was not asked for is not sent, and stays as the stack has it.
    proxy.forget();
    let output = env.run(&[
        "deploy",
        "app",
        "--stack-name=other",
        "--yes=high",
        "--parameter=Name=changed",
        "--tag=team=other",
        "--disable-rollback",
    ]);
    output.success();
    let updated = only(&proxy, "CreateChangeSet", &account);
    assert_sent(
        &env,
        &updated,
        &[
            ("ChangeSetType", "UPDATE"),
            ("Parameters.member.2.UsePreviousValue", "true"),
            ("Parameters.member.3.UsePreviousValue", "true"),
            ("Tags.member.1.Value", "other"),
            ("Capabilities.member.1", ""),
            ("RoleARN", ""),
            ("NotificationARNs.member.1", ""),
            ("OnStackFailure", ""),
            ("RollbackConfiguration.MonitoringTimeInMinutes", ""),
            ("ImportExistingResources", ""),
            ("IncludeNestedStacks", ""),
        ],
    );
    let executed = only(&proxy, "ExecuteChangeSet", &account);
    assert_sent(&env, &executed, &[("DisableRollback", "true")]);

    // A deletion has a role of its own.
    proxy.forget();
    let output = env.run(&[
        "delete",
        "other",
        "--yes=high",
        "--role-arn=arn:aws:iam::{account}:role/Formation",
    ]);
    output.success();
    let deleted = only(&proxy, "DeleteStack", &account);
    let role = "arn:aws:iam::111111111111:role/Formation";
    assert_sent(&env, &deleted, &[("RoleARN", role)]);
    assert!(deleted.token.is_some());
}

#[test]
fn every_option_of_a_session_reaches_the_wire() {
    let env = settings();
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    let assumed = |arguments: &[&str]| -> Vec<Call> {
        proxy.forget();
        let given = [
            "deploy",
            "app",
            "--accounts=222222222222",
            "--parameter=Name=/free",
            "--yes=high",
        ];
        env.run(&[&given[..], arguments].concat()).success();
        let mut calls = proxy.calls();
        calls.retain(|call| call.operation == "AssumeRole");
        calls
    };
    let calls = assumed(&[]);
    let role = "arn:aws:iam::222222222222:role/AWSCloudFormationStackSetExecutionRole";
    assert_sent(
        &env,
        &calls[0],
        &[
            ("RoleArn", role),
            ("ExternalId", ""),
            ("Tags.member.1.Key", ""),
        ],
    );
    let calls = assumed(&[
        "--target-role=arn:{partition}:iam::{account}:role/{region}",
        "--external-id=e-1",
        "--session-name=release-7",
        "--session-tag=team=net",
        "--tag=v=2",
    ]);
    assert_sent(
        &env,
        &calls[0],
        &[
            ("RoleArn", "arn:aws:iam::222222222222:role/us-east-1"),
            ("ExternalId", "e-1"),
            ("RoleSessionName", "release-7"),
            ("Tags.member.1.Key", "team"),
            ("Tags.member.1.Value", "net"),
        ],
    );
    let calls = assumed(&[
        "--plan-role=arn:aws:iam::{account}:role/Plan",
        "--execute-role=arn:aws:iam::{account}:role/Execute",
        "--tag=v=3",
    ]);
    let roles: Vec<_> = calls
        .iter()
        .map(|call| call.field("RoleArn").unwrap())
        .collect();
    let wanted = ["Plan", "Execute"]
        .map(|role| env.private(&format!("arn:aws:iam::222222222222:role/{role}")));
    assert_eq!(roles, wanted);
}

#[test]
fn regions_are_executed_in_the_order_that_was_asked_for() {
    let env = settings();
    let proxy = Proxy::start(&env.endpoint());
    let env = env.through(&proxy);
    let arguments = [
        "--parameter=Name=/free",
        "--regions=us-east-1,eu-west-1,eu-west-2",
        "--region-order=eu-west-2,us-east-1",
        "--concurrency-mode=soft",
        "--approval-expires=2h",
    ];
    let planned = env.run(&[&["plan", "app"][..], &arguments].concat());
    planned.code(3);
    assert!(planned.stdout.contains("in 1 h 59 min"), "{planned}");
    deploy(&env, &arguments).success();
    let mut calls = proxy.calls();
    calls.retain(|call| call.operation == "ExecuteChangeSet");
    let regions: Vec<&str> = calls.iter().map(|call| call.region.as_str()).collect();
    assert_eq!(regions, ["eu-west-2", "us-east-1", "eu-west-1"]);
}

#[test]
fn values_that_the_service_would_not_take_are_refused_before_any_call() {
    let env = TestEnv::offline();
    env.write("templates/app.yaml", SETTING);
    env.write("policy.json", "{}");
    let topic = |n: usize| format!("--notification-arn=arn:aws:sns:us-east-1:111111111111:t{n}");
    let six: Vec<String> = (0..6).map(topic).collect();
    let six: Vec<&str> = six.iter().map(String::as_str).collect();
    for (arguments, said) in [
        (&["--notification-arn=stacks"][..], "SNS topic"),
        (
            &["--rollback-trigger=arn:aws:sns:us-east-1:111111111111:t"],
            "CloudWatch alarm",
        ),
        (&["--monitoring-time=181"], "0 to 180"),
        (&["--on-stack-failure=EXPLODE"], "DO_NOTHING"),
        (
            &["--on-stack-failure=DELETE", "--disable-rollback"],
            "cannot be used with",
        ),
        (&six, "at most 5"),
        (&["--stack-policy=policy.json"], "no list `Statement`"),
        (&["--stack-policy=missing.json"], "missing.json"),
        (
            &["--termination-protection", "--no-termination-protection"],
            "cannot be used with",
        ),
    ] {
        let output = env.run(&[&["deploy", "app", "--yes"][..], arguments].concat());
        output.code(2);
        assert!(
            output.stderr.contains(said),
            "{arguments:?} {said}\n{output}"
        );
    }
}

const QUEUE: &str = "
Parameters: {Delay: {Type: Number, Default: 1}}
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties: {DelaySeconds: !Ref Delay}
";

#[test]
fn tags_that_nobody_gives_stay_and_those_that_go_are_told() {
    let env = TestEnv::on(Emulator::Ministack);
    env.write("templates/app.yaml", QUEUE);
    let tags = || json!(env.cloud("111111111111", "us-east-1").tags("app"));
    let deploy = |arguments: &[&str]| {
        let deploy = ["deploy", "app", "--yes=high"];
        env.run(&[&deploy[..], arguments].concat()).success();
    };
    deploy(&[]);
    assert_eq!(tags(), json!({}));
    deploy(&["--parameter=Delay=2", "--tag=owner=ann", "--tag=cost=7"]);
    assert_eq!(tags(), json!({"owner": "ann", "cost": "7"}));
    // None is given back, too.
    env.run(&["rollback", "latest", "--yes=high"]).success();
    assert_eq!(tags(), json!({}));

    deploy(&["--parameter=Delay=3", "--tag=owner=ann", "--tag=cost=7"]);
    deploy(&["--parameter=Delay=4"]);
    assert_eq!(tags(), json!({"owner": "ann", "cost": "7"}));

    let plan = ["plan", "app", "--parameter=Delay=5", "--tag=cost=8"];
    let output = env.run(&plan);
    output.code(3);
    for told in ["tags taken away", "owner=ann", "cost: 7 → 8"] {
        assert!(output.stdout.contains(told), "{output}");
    }
    let output = env.run(&["status", "latest", "--output=json"]);
    let document: Value = serde_json::from_str(&output.success().raw).unwrap();
    let group = &document["review"]["groups"][0];
    assert_eq!(group["tags"], json!({"cost": "8"}));
    assert_eq!(
        group["tags_before"],
        json!({"cost": ["7"], "owner": ["ann"]})
    );
}
