//! Tests of `review`.

use super::super::fixtures::{self, Template, assert_screens};
use super::super::review_data::NoSources;
use super::*;
use crate::model::RiskSetting;

#[test]
fn a_change_without_resources_shows_a_short_difference_of_the_template() {
    let targets = fixtures::four();
    let mut script = fixtures::Script::new(&targets);
    for target in &targets {
        script.update(target, Vec::new());
    }
    let view = script.ask().view();
    let mut of_template = Review::of(&view, &Template);
    let options = ScreenOptions::default();
    let text = draw(&view, &of_template, &options);
    assert!(text.contains("+    VisibilityTimeout: 60"), "{text}");
    assert!(!text.contains("`--full` elsewhere"), "{text}");
    of_template.groups[0].template_diff = Some("+ line\n".repeat(SHORT_DIFF + 1));
    let text = draw(&view, &of_template, &options);
    assert!(!text.contains("+ line"), "{text}");
    assert!(text.contains("`--full` elsewhere"), "{text}");
}

#[test]
fn identical_changes_are_shown_once() {
    let view = fixtures::fleet().view();
    assert_screens!("fleet", |options: &ScreenOptions| review(
        &view, &Template, options
    ));
}

#[test]
fn what_was_changed_by_hand_is_shown_with_its_three_values() {
    let view = fixtures::drifted().view();
    assert_screens!("drifted", |options: &ScreenOptions| review(
        &view, &Template, options
    ));
}

#[test]
fn what_was_left_out_of_an_organization_is_told_in_one_line() {
    use crate::model::{AccountState, LeftOut, LeftOutWhy};
    let of = |digit: &str, region: Option<&str>, why| LeftOut {
        account: digit.repeat(12).parse().unwrap(),
        region: region.map(|region| region.parse().unwrap()),
        why,
    };
    let tag = "Stage=production".to_owned();
    let state = AccountState::Suspended;
    let mut script = fixtures::fleet();
    script.leaving_out(vec![
        of("3", None, LeftOutWhy::NotActive { state }),
        of("4", None, LeftOutWhy::NotActive { state }),
        of("5", None, LeftOutWhy::ManagementAccount),
        of("6", None, LeftOutWhy::WithoutTag { tag }),
        of("7", Some("eu-west-1"), LeftOutWhy::Excluded),
    ]);
    let view = script.view();
    assert_screens!("left_out", |options: &ScreenOptions| review(
        &view, &Template, options
    ));
    let full = ScreenOptions {
        full: true,
        ..ScreenOptions::default()
    };
    let text = review(&view, &Template, &full);
    assert!(text.contains("555555555555   management account"), "{text}");
}

#[test]
fn a_review_without_a_mode_says_nothing_of_drift() {
    let text = review(
        &fixtures::fleet().view(),
        &Template,
        &ScreenOptions::default(),
    );
    assert!(!text.contains("drift"), "{text}");
}

#[test]
fn changes_inside_nested_stacks_are_shown_by_their_path() {
    use crate::model::ChangeAction::{Add, Modify, Remove};
    let stack = "AWS::CloudFormation::Stack";
    let mut network = fixtures::change("Network", stack, Modify);
    network.nested = Some("arn:child".parse().unwrap());
    let long = "Network/PrivateSubnetsOfTheSecondKind/RouteTable";
    let changes = vec![
        network,
        fixtures::change("Network/Alerts", "AWS::SNS::Topic", Add),
        fixtures::change("Network/Orders", "AWS::DynamoDB::Table", Remove),
        fixtures::change(long, "AWS::EC2::RouteTable", Modify),
    ];
    let only = fixtures::target('1', "eu-west-1");
    let mut script = fixtures::Script::new(std::slice::from_ref(&only));
    script.update(&only, changes).ask();
    let view = script.view();
    assert_screens!("nested", |options: &ScreenOptions| review(
        &view, &NoSources, options
    ));
}

/// Knows of a default that changes.
struct NewDefault;

impl super::super::review_data::ReviewSources for NewDefault {
    fn kept_default(
        &self,
        _: &crate::model::PlannedTarget,
        parameter: &str,
    ) -> Option<crate::diff::DefaultDiff> {
        (parameter == "Size").then(|| crate::diff::DefaultDiff {
            before: Some("small".to_owned()),
            after: Some("large".to_owned()),
        })
    }
}

#[test]
fn values_that_stacks_have_stand_before_those_that_they_get() {
    use crate::model::{Layer, ParameterValue};
    let targets = &fixtures::four()[..2];
    let mut script = fixtures::Script::new(targets);
    for (target, name) in targets.iter().zip(["a", "b"]) {
        let given = |name: &str, value: &str| {
            fixtures::parameter(name, value, Layer::Stack, "network.yaml")
        };
        let kept = |name: &str| {
            let mut kept = given(name, "");
            kept.value = ParameterValue::Previous;
            kept.provenance.layer = Layer::Previous;
            kept.provenance.file = None;
            kept
        };
        let mut inputs = fixtures::inputs();
        inputs.parameters = vec![
            given("Timeout", "45"),
            given("Name", "c"),
            given("Same", "x"),
            given("New", "y"),
            kept("Size"),
            kept("Kept"),
        ];
        let changes = fixtures::change_a();
        script.plan(target, ChangeSetKind::Update, inputs, changes);
        script.having(&[
            ("Timeout", "30"),
            ("Name", name),
            ("Same", "x"),
            ("Size", "small"),
            ("Kept", "z\u{1b}[31m"),
        ]);
    }
    let view = script.ask().view();
    assert_eq!(Review::of(&view, &NewDefault).groups.len(), 1);
    assert_screens!("values_before", |options: &ScreenOptions| review(
        &view,
        &NewDefault,
        options
    ));
    let full = ScreenOptions {
        full: true,
        ..ScreenOptions::default()
    };
    let all = review(&view, &NewDefault, &full);
    insta::assert_snapshot!("values_before_full", all);
}

/// Judges as a project does that has chosen something for each kind of setting.
struct Chosen;

impl super::super::review_data::ReviewSources for Chosen {
    fn risks(&self, target: &crate::model::PlannedTarget) -> Vec<crate::model::Risk> {
        use crate::model::{RiskChoice, RiskChoices};
        let chosen = [
            ("iam_change", RiskSetting::Off),
            ("iam_broadening", RiskSetting::Warn),
            ("public_ingress", RiskSetting::Deny),
            ("removal", RiskSetting::Approval),
        ];
        let choices = chosen.into_iter().enumerate().map(|(at, (rule, setting))| {
            let place = format!("stackgate.yaml:{}:9", at + 2);
            (rule.to_owned(), RiskChoice { setting, place })
        });
        let mut risks = crate::diff::risks_of_target(target, None, None);
        RiskChoices(choices.collect()).apply(&mut risks);
        risks
    }
}

#[test]
fn permissions_and_ports_have_tables_of_their_own() {
    use crate::model::ChangeAction::{Modify, Remove};
    use serde_json::json;
    let mut role = fixtures::change("WorkerRole", "AWS::IAM::Role", Modify);
    let policy = |actions: &str, resource: &str| {
        json!({"Properties": {"Policies": [{"PolicyName": "queue", "PolicyDocument": {"Statement": [
            {"Sid": "Send", "Effect": "Allow", "Action": actions, "Resource": resource}
        ]}}]}})
    };
    role.before = Some(policy(
        "sqs:SendMessage",
        "arn:aws:sqs:us-east-1:111111111111:orders",
    ));
    role.after = Some(policy("sqs:*", "*"));
    let mut group = fixtures::change("Web", "AWS::EC2::SecurityGroup", Modify);
    let open = |port: u16, cidr: &str| {
        json!({"Properties": {"SecurityGroupIngress": [
            {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIp": cidr}
        ]}})
    };
    group.before = Some(open(443, "10.0.0.0/8"));
    group.after = Some(open(22, "0.0.0.0/0"));
    let changes = vec![
        role,
        group,
        fixtures::change("Orders", "AWS::DynamoDB::Table", Remove),
        fixtures::change("Alerts", "AWS::SNS::Topic", Remove),
    ];
    let only = fixtures::target('1', "eu-west-1");
    let mut script = fixtures::Script::new(std::slice::from_ref(&only));
    script.update(&only, changes).ask();
    let view = script.view();
    assert_screens!("impact", |options: &ScreenOptions| review(
        &view, &Chosen, options
    ));
    let review = Review::of(&view, &Chosen);
    let json = serde_json::to_value(&review).unwrap();
    super::super::schema::assert_documented(&json);
    assert_eq!(json["groups"][0]["impact"]["network"][0]["kind"], "opened");
}

/// Sources with the templates that a change is from.
struct Templates;

const BEFORE: &str = "Parameters: {Visibility: {Type: Number}, Stage: {Type: String}}
Resources:
  Queue: {Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: !Ref Visibility, QueueName: !Sub '${Stage}-q'}}
  Alerts: {Type: AWS::SNS::Topic}
";

impl ReviewSources for Templates {
    fn account(&self, target: &crate::model::PlannedTarget) -> Option<crate::diff::Account> {
        let after = BEFORE.replace("-q'", "-queue'");
        let after = after.replace(
            "{Type: AWS::SNS::Topic}",
            "{Type: AWS::SNS::Topic, Metadata: {Note: new}}",
        );
        let mut target = target.clone();
        let previous = [("Visibility", "30"), ("Stage", "test")];
        let previous = previous.map(|(name, value)| (name.to_owned(), value.to_owned()));
        target.previous_parameters = previous.into();
        Some(crate::diff::Account::of_texts(&target, BEFORE, &after))
    }
}

#[test]
fn a_change_says_through_what_it_comes_and_what_the_change_set_leaves_out() {
    use crate::model::{ChangeAction::Modify, Layer};
    let only = fixtures::target('1', "eu-west-1");
    let mut script = fixtures::Script::new(std::slice::from_ref(&only));
    let mut with = fixtures::inputs();
    with.parameters = vec![
        fixtures::parameter("Visibility", "60", Layer::Stack, "network.json"),
        fixtures::parameter("Stage", "prod", Layer::Region, "network.eu-west-1.json"),
    ];
    let mut queue = fixtures::change("Queue", "AWS::SQS::Queue", Modify);
    queue.details = vec![
        fixtures::detail("VisibilityTimeout", "30", "60"),
        fixtures::detail("QueueName", "test-q", "prod-queues"),
    ];
    script
        .plan(&only, ChangeSetKind::Update, with, vec![queue])
        .ask();
    let view = script.view();
    assert_screens!("reasons", |options: &ScreenOptions| review(
        &view, &Templates, options
    ));
    let review = Review::of(&view, &Templates);
    let json = serde_json::to_value(&review).unwrap();
    super::super::schema::assert_documented(&json);
    let queue = &json["groups"][0]["resources"][0]["properties"];
    assert_eq!(queue[1]["reasons"].as_array().unwrap().len(), 2, "{queue}");
    assert_eq!(queue[1]["in_template"], "prod-queue");
}

#[test]
fn many_targets_are_told_by_region() {
    let view = fixtures::many().view();
    assert_screens!("many", |options: &ScreenOptions| review(
        &view, &Template, options
    ));
}

#[test]
fn a_large_update_is_told_by_what_it_may_harm() {
    let view = fixtures::shop().view();
    let review = Review::of(&view, &fixtures::Shop);
    assert!(review.groups[0].resources.len() > 30);
    assert_screens!("shop", |options: &ScreenOptions| draw(
        &view, &review, options
    ));
    let options = ScreenOptions {
        full: true,
        ..ScreenOptions::default()
    };
    insta::assert_snapshot!("shop_full", draw(&view, &review, &options));
}

#[test]
fn secrets_show_as_changed_only() {
    let view = fixtures::secrets().view();
    assert_screens!("secrets", |options: &ScreenOptions| review(
        &view, &Template, options
    ));
}

#[test]
fn new_stacks_show_what_they_are_made_with() {
    let view = fixtures::made().view();
    assert_screens!("made", |options: &ScreenOptions| review(
        &view, &Template, options
    ));
}

#[test]
fn an_update_shows_the_parameters_through_which_something_changes() {
    let only = fixtures::target('1', "eu-west-1");
    let mut script = fixtures::Script::new(std::slice::from_ref(&only));
    let mut with = fixtures::inputs();
    let layer = crate::model::Layer::Stack;
    with.parameters = (0..20)
        .map(|n| fixtures::parameter(&format!("P{n}"), "v", layer, "network.json"))
        .collect();
    let mut changes = fixtures::change_a();
    changes[1].details[0].causing_entity = Some("P7".to_owned());
    changes[1].details[0].source = Some("ParameterReference".to_owned());
    script
        .plan(&only, ChangeSetKind::Update, with, changes)
        .ask();
    let view = script.view();
    let text = review(&view, &NoSources, &ScreenOptions::default());
    let begin = text.find("Parameters\n").unwrap();
    let said: Vec<&str> = text[begin..].lines().take(4).collect();
    assert_eq!(
        said,
        [
            "Parameters",
            "  P7   \"v\"   parameter-overrides/network.json:4",
            "  and 19 more parameters with one value in all targets; the full diff shows all",
            "",
        ],
        "{text}"
    );
    let full = ScreenOptions {
        full: true,
        ..ScreenOptions::default()
    };
    let text = review(&view, &NoSources, &full);
    assert!(
        (0..20).all(|n| text.contains(&format!("  P{n} "))),
        "{text}"
    );
}

#[test]
fn hostile_text_is_harmless() {
    let view = fixtures::hostile().view();
    assert_screens!("hostile", |options: &ScreenOptions| {
        let text = review(&view, &NoSources, options);
        let escapes = text.matches('\u{1b}').count();
        assert!(options.colour || escapes == 0);
        assert!(!text.contains(['\u{202e}', '\u{200b}']));
        text
    });
}

#[test]
fn a_plan_without_changes_says_so() {
    let view = fixtures::nothing().view();
    assert_screens!("nothing", |options: &ScreenOptions| review(
        &view, &NoSources, options
    ));
}

#[test]
fn values_that_differ_within_a_group_name_their_target() {
    let targets = fixtures::four();
    let mut script = fixtures::Script::new(&targets);
    for target in &targets {
        let arn = |name: &str| {
            let (region, account) = (&target.region, &target.account);
            format!("arn:aws:sqs:{region}:{account}:{name}")
        };
        let mut change = fixtures::change_a().remove(1);
        change.details = vec![fixtures::detail("DeadLetter", &arn("old"), &arn("new"))];
        script.update(target, vec![change]);
    }
    let options = ScreenOptions {
        width: 120,
        ..ScreenOptions::default()
    };
    let text = review(&script.ask().view(), &NoSources, &options);
    assert!(text.contains("Change A · 4 targets"), "{text}");
    assert!(text.contains("as in 111111111111/us-east-1"), "{text}");
}

#[test]
fn everything_is_shown_on_request() {
    for (name, script) in [
        ("fleet", fixtures::fleet()),
        ("hostile", fixtures::hostile()),
        ("made", fixtures::made()),
    ] {
        let options = ScreenOptions {
            full: true,
            ..ScreenOptions::default()
        };
        let text = review(&script.view(), &Template, &options);
        assert!(!text.contains('…'), "nothing is shortened");
        insta::assert_snapshot!(format!("{name}_full"), text);
    }
}

#[test]
fn ascii_terminals_get_ascii() {
    let options = ScreenOptions {
        unicode: false,
        now: Some("2026-11-23T23:00:00Z".parse().unwrap()),
        ..ScreenOptions::default()
    };
    let text = review(&fixtures::fleet().view(), &Template, &options);
    assert!(text.is_ascii());
    insta::assert_snapshot!("fleet_ascii", text);
}

#[test]
fn no_line_is_wider_than_the_screen() {
    for script in [
        fixtures::fleet(),
        fixtures::many(),
        fixtures::secrets(),
        fixtures::hostile(),
        fixtures::made(),
        fixtures::drifted(),
        fixtures::shop(),
    ] {
        let view = script.view();
        for width in 60..130 {
            let options = ScreenOptions {
                width,
                ..ScreenOptions::default()
            };
            for line in review(&view, &Template, &options).lines() {
                assert!(columns(line) <= width, "{width}: {line}");
            }
        }
    }
}

#[test]
fn the_machine_form_is_pinned() {
    let review = Review::of(&fixtures::fleet().view(), &Template);
    insta::assert_json_snapshot!("fleet_json", review);
}
