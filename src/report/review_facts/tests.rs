//! Tests of `review_facts`.

use serde_json::Value;

use super::super::fixtures::{self, Template};
use super::super::{ScreenOptions, draw, markdown};
use super::*;
use crate::diff::{self, Impact, ImpactKind, ImpactRow};
use crate::model::{
    ChangeSetKind, Digest, DriftStatus, EventKind, GatePlace, IgnoredAttribute, ImportedResource,
    LeftOut, LeftOutWhy, OnStackFailure, OperationPreferences, ParameterValue, PolicyAction,
    Recreation, RegionConcurrency, Replacement, ResourceDrift, Risk, RiskChoice, RiskLevel,
    RiskSetting, RollbackTrigger, SetDrift, StackDrift, StackStatus, TargetOutcome,
};
use crate::report::review_data::ReviewDrift;

/// The parts of a review whose fields are told one by one.
const TAKEN_APART: [&str; 11] = [
    "common_parameters",
    "common_parameters.values",
    "groups",
    "groups.impact",
    "groups.options",
    "groups.resources",
    "groups.resources.properties",
    "groups.resources.risks",
    "parameters",
    "parameters.values",
    "risks",
];

/// What no screen tells, and why that hides nothing.
const NOT_TOLD: [&str; 9] = [
    // Of the document, not of the plan.
    "document",
    "version",
    // Long, and said again by what they are of.
    "groups.change_sets",
    "groups.resources.physical_id",
    "groups.resources.risks.rule",
    "groups.resources.risks.resource",
    // Told once, with the rule.
    "groups.resources.risks.chosen",
    // All of them.
    "common_parameters.values.targets",
    // Told with the other failures, from the events.
    "not_planned",
];

type Change = (&'static str, fn(&mut Review));

fn id(text: &str) -> LogicalId {
    text.parse().unwrap()
}

/// One change of each field that is told.
fn changes() -> Vec<Change> {
    vec![
        ("plan", |r| {
            r.plan = Some(crate::model::Digest::of(b"other"))
        }),
        ("risk", |r| {
            r.risk = RiskLevel::Low;
            r.risks.clear();
        }),
        ("notes", |r| r.notes = vec!["marked".into()]),
        ("risks.level", |r| r.risks[0].level = RiskLevel::Medium),
        ("risks.rule", |r| r.risks[0].rule = "marked".into()),
        ("risks.resources", |r| {
            r.risks[0].resources.insert(id("Marked"));
        }),
        ("risks.targets", |r| r.risks[0].targets = 30),
        ("risks.findings", |r| r.risks[0].findings = 7),
        ("risks.chosen", |r| r.risks[0].chosen = None),
        ("groups.name", |r| r.groups[0].name = "Z".into()),
        ("groups.targets", |r| {
            r.groups[0].targets.pop();
        }),
        ("groups.kind", |r| r.groups[0].kind = ChangeSetKind::Create),
        ("groups.in_review", |r| {
            r.groups[0].in_review.pop();
        }),
        ("groups.deleted_from", |r| {
            r.groups[0].deleted_from = [StackStatus::DeleteFailed].into();
        }),
        ("groups.callers", |r| {
            let mut callers = std::mem::take(&mut r.groups[0].callers);
            callers.pop_first();
            r.groups[0].callers = callers;
        }),
        ("groups.executed_as", |r| {
            r.groups[0].executed_as = ["marked".into()].into();
        }),
        ("groups.capabilities", |r| {
            r.groups[0].capabilities = ["MARKED".into()].into();
        }),
        ("groups.role_arn", |r| {
            r.groups[0].role_arn = Some("marked".into());
        }),
        ("groups.tags", |r| {
            r.groups[0].tags.insert("Marked".into(), "yes".into());
        }),
        ("groups.tags_before", |r| {
            r.groups[0]
                .tags_before
                .insert("Marked".into(), ["yes".into()].into());
        }),
        ("groups.options.notification_arns", |r| {
            r.groups[0].options.notification_arns.clear();
        }),
        ("groups.options.on_stack_failure", |r| {
            r.groups[0].options.on_stack_failure = Some(OnStackFailure::Rollback);
        }),
        ("groups.options.disable_rollback", |r| {
            // Told where nothing else says what becomes of a failure.
            r.groups[0].options.on_stack_failure = None;
        }),
        ("groups.options.rollback_triggers", |r| {
            r.groups[0].options.rollback_triggers.clear();
        }),
        ("groups.options.monitoring_minutes", |r| {
            r.groups[0].options.monitoring_minutes = Some(9);
        }),
        ("groups.options.resources_to_import", |r| {
            r.groups[0].options.resources_to_import.clear();
        }),
        ("groups.options.import_existing_resources", |r| {
            r.groups[0].options.import_existing_resources = false;
        }),
        ("groups.options.include_nested_stacks", |r| {
            r.groups[0].options.include_nested_stacks = false;
        }),
        ("groups.options.revert_drift", |r| {
            r.groups[0].options.revert_drift = false;
        }),
        ("groups.drift", |r| {
            r.groups[0].drift = None;
        }),
        ("groups.resources.drift", |r| {
            r.groups[0].resources[0].drift.as_mut().unwrap().ignored[0].path = "Marked".into();
        }),
        ("groups.resources.properties.drift", |r| {
            let drift = drift_of(r);
            drift.actual = Some("marked".into());
        }),
        ("groups.resources.properties.drift", |r| {
            let drift = drift_of(r);
            drift.previous = Some("marked".into());
        }),
        ("groups.resources.properties.drift", |r| {
            let drift = drift_of(r);
            drift.detected = None;
        }),
        ("groups.resources.properties.drift", |r| {
            let drift = drift_of(r);
            drift.fate = diff::DriftFate::Overwritten;
        }),
        ("groups.options.termination_protection", |r| {
            r.groups[0].options.termination_protection = Some(false);
        }),
        ("groups.stack_policy", |r| r.groups[0].stack_policy = false),
        ("groups.policy", |r| {
            r.groups[0].policy = Some("{\"Marked\":[]}".into());
        }),
        ("groups.settings_only", |r| r.groups[0].settings_only = true),
        ("groups.impact.permissions", |r| {
            r.groups[0].impact.permissions[0].kind = ImpactKind::Narrowed;
        }),
        ("groups.impact.network", |r| {
            r.groups[0].impact.network[0].what = "marked".into();
        }),
        ("groups.impact.data", |r| {
            r.groups[0].impact.data[0].name = id("Marked");
        }),
        ("groups.impact.undescribed", |r| {
            r.groups[0].impact.undescribed[0].what = "marked".into();
        }),
        ("groups.impact.outputs", |r| {
            r.groups[0].impact.outputs[0].warns = false;
        }),
        ("groups.template_diff", |r| {
            r.groups[0].template_diff = Some("@@ -1 +1 @@\n-marked\n+marks\n".into());
        }),
        ("groups.resources.logical_id", |r| {
            r.groups[0].resources[0].logical_id = id("Marked");
        }),
        ("groups.resources.resource_type", |r| {
            r.groups[0].resources[0].resource_type = "Custom::Marked".into();
        }),
        ("groups.resources.action", |r| {
            r.groups[0].resources[0].action = ChangeAction::Import;
        }),
        ("groups.resources.policy_action", |r| {
            r.groups[0].resources[2].policy_action = Some(PolicyAction::Retain);
        }),
        ("groups.resources.replacement", |r| {
            r.groups[0].resources[0].replacement = Replacement::May;
        }),
        ("groups.resources.scope", |r| {
            r.groups[0].resources[1].scope = vec![ChangeScope::Metadata];
        }),
        ("groups.resources.place", |r| {
            r.groups[0].resources[1].place = None;
        }),
        ("groups.resources.risks.level", |r| {
            r.groups[0].resources[0].risks[0].level = RiskLevel::Low;
        }),
        ("groups.resources.risks.message", |r| {
            r.groups[0].resources[0].risks[0].message = "marked".into();
        }),
        ("groups.resources.is_nested", |r| {
            r.groups[0].resources[1].is_nested = true;
        }),
        ("groups.resources.module", |r| {
            r.groups[0].resources[0].module = Some("Marked".into());
        }),
        ("groups.resources.properties.path", |r| {
            r.groups[0].resources[0].properties[0].path = "Marked".into();
        }),
        ("groups.resources.properties.before", |r| {
            r.groups[0].resources[0].properties[0].before = Some("marked".into());
        }),
        ("groups.resources.properties.after", |r| {
            r.groups[0].resources[0].properties[0].after = Some("marked".into());
        }),
        ("groups.resources.properties.recreation", |r| {
            r.groups[0].resources[0].properties[0].recreation = Recreation::Always;
        }),
        ("groups.resources.properties.evaluation", |r| {
            let one = &mut r.groups[0].resources[0].properties[0];
            one.after = None;
            one.evaluation = Some(crate::model::Evaluation::Dynamic);
        }),
        ("groups.resources.properties.cause", |r| {
            r.groups[0].resources[0].properties[0].cause = Some("Marked".into());
        }),
        ("groups.resources.properties.reasons", |r| {
            let parameter = ReviewReason::Parameter {
                name: "Marked".into(),
                provenance: None,
            };
            r.groups[0].resources[0].properties[0].reasons = vec![parameter];
        }),
        ("groups.resources.properties.in_template", |r| {
            r.groups[0].resources[0].properties[0].in_template = None;
        }),
        ("groups.resources.properties.secret", |r| {
            let one = &mut r.groups[0].resources[0].properties[0];
            one.secret = true;
            one.after = Some(diff::MASK_CHANGED.into());
        }),
        ("groups.resources.properties.place", |r| {
            r.groups[0].resources[0].properties[0].place = None;
        }),
        ("groups.resources.properties.varies", |r| {
            r.groups[0].resources[0].properties[0].varies = true;
        }),
        ("parameters.name", |r| {
            r.parameters[0].name = "Marked".into()
        }),
        ("parameters.template", |r| {
            r.parameters[1].template = "templates/marked.yaml".into();
        }),
        ("parameters.values.value", |r| {
            r.parameters[0].values[0].value = ParameterValue::Plain("marked".into());
        }),
        ("parameters.values.provenance", |r| {
            r.parameters[0].values[0].provenance.file = Some("marked".into());
        }),
        ("parameters.values.before", |r| {
            r.parameters[0].values[0].before = ["marked".to_owned()].into();
        }),
        ("common_parameters.values.before", |r| {
            r.common_parameters[0].values[0].before = ["marked".to_owned()].into();
        }),
        ("parameters.values.default", |r| {
            r.parameters[0].values[0].default = default("marked");
        }),
        ("common_parameters.values.default", |r| {
            r.common_parameters[0].values[0].default = default("marked");
        }),
        ("parameters.values.targets", |r| {
            r.parameters[0].values[0].targets.pop();
        }),
        ("common_parameters.name", |r| {
            r.common_parameters[0].name = "Marked".into();
        }),
        ("common_parameters.template", |r| {
            r.common_parameters[1].template = "templates/marked.yaml".into();
        }),
        ("common_parameters.values.value", |r| {
            r.common_parameters[0].values[0].value = ParameterValue::Plain("marked".into());
        }),
        ("common_parameters.values.provenance", |r| {
            r.common_parameters[0].values[0].provenance.file = Some("marked".into());
        }),
        ("not_enabled", |r| {
            r.not_enabled.push(r.groups[0].targets[0].clone())
        }),
        ("left_out", |r| {
            r.left_out.pop();
        }),
        ("unchanged", |r| {
            r.unchanged.push(r.groups[0].targets[0].clone())
        }),
    ]
}

fn drift_of(review: &mut Review) -> &mut ReviewDrift {
    let properties = &mut review.groups[0].resources[0].properties;
    properties.last_mut().unwrap().drift.as_mut().unwrap()
}

fn default(after: &str) -> Option<crate::diff::DefaultDiff> {
    Some(crate::diff::DefaultDiff {
        before: Some("30".to_owned()),
        after: Some(after.to_owned()),
    })
}

/// A review in which every field says something.
fn everything() -> (View, Review) {
    let view = fixtures::many().view();
    let mut review = Review::of(&view, &Template);
    let targets = fixtures::four();
    // Templates are named where there are several.
    let mut other = review.parameters[0].clone();
    other.template = "templates/other.yaml".into();
    review.parameters.push(other.clone());
    review.parameters[0].values[0].before = ["30".to_owned()].into();
    review.parameters[0].values[0].default = default("45");
    review.common_parameters = vec![review.parameters[0].clone(), other];
    let group = &mut review.groups[0];
    group.targets = targets.clone();
    review.not_enabled = targets[..1].to_vec();
    review.left_out = vec![LeftOut {
        account: targets[0].account.clone(),
        region: None,
        why: LeftOutWhy::ManagementAccount,
    }];
    let group = &mut review.groups[0];
    group.kind = ChangeSetKind::Update;
    group.in_review = targets[..2].to_vec();
    group.deleted_from = [StackStatus::CreateComplete].into();
    group.executed_as = ["arn:aws:iam::111111111111:role/Execute".into()].into();
    group.capabilities = ["CAPABILITY_IAM".into()].into();
    group.role_arn = Some("arn:aws:iam::111111111111:role/Service".into());
    group.tags = [("Team".to_owned(), "payments".to_owned())].into();
    let before = [("Team", ["shop", "payment"]), ("Owner", ["bob", "ann"])];
    group.tags_before = before
        .map(|(key, had)| (key.to_owned(), had.map(str::to_owned).into()))
        .into();
    group.stack_policy = true;
    group.policy = Some("{\"Statement\":[]}".into());
    group.options = crate::model::StackOptions {
        notification_arns: ["arn:aws:sns:us-east-1:111111111111:told".into()].into(),
        on_stack_failure: Some(OnStackFailure::Delete),
        disable_rollback: true,
        rollback_triggers: [RollbackTrigger {
            arn: "arn:aws:cloudwatch:us-east-1:111111111111:alarm:a".into(),
            is_composite: false,
        }]
        .into(),
        monitoring_minutes: Some(5),
        import_existing_resources: true,
        include_nested_stacks: true,
        revert_drift: true,
        termination_protection: Some(true),
        resources_to_import: [(
            id("Taken"),
            ImportedResource {
                resource_type: "AWS::S3::Bucket".into(),
                identifier: [("BucketName".to_owned(), "taken".to_owned())].into(),
            },
        )]
        .into(),
    };
    let row = |kind| ImpactRow {
        name: id("Told"),
        kind,
        what: "what it does".into(),
        warns: true,
    };
    group.impact = Impact {
        permissions: vec![row(ImpactKind::Broadened)],
        network: vec![row(ImpactKind::Opened)],
        data: vec![row(ImpactKind::Lost)],
        outputs: vec![row(ImpactKind::Removed)],
        undescribed: vec![row(ImpactKind::Changed)],
    };
    let property = &mut group.resources[0].properties[0];
    property.reasons = vec![ReviewReason::Template];
    property.in_template = Some("another".into());
    let mut drifted = property.clone();
    drifted.path = "Drifted".into();
    drifted.drift = Some(ReviewDrift {
        previous: Some("1".into()),
        actual: Some("2".into()),
        detected: Some(fixtures::begin()),
        fate: diff::DriftFate::PutBack,
    });
    group.resources[0].properties.push(drifted);
    group.resources[0].drift = Some(ResourceDrift {
        status: Some(DriftStatus::Modified),
        ignored: vec![IgnoredAttribute {
            path: "/Properties/Ignored".into(),
            reason: None,
        }],
    });
    group.drift = Some(SetDrift {
        is_confirmed: true,
        stack: Some(StackDrift::Drifted),
    });
    review.risks[0].chosen = Some(RiskChoice {
        setting: RiskSetting::Approval,
        place: "stackgate.yaml:2:3".into(),
    });
    group.resources[0].risks = vec![Risk {
        rule: "removal".into(),
        level: RiskLevel::High,
        resource: id("Queue"),
        message: "it is gone".into(),
        chosen: None,
    }];
    // The second one has no properties, so that its scope is what there is to tell.
    group.resources[1].action = ChangeAction::Modify;
    // What becomes of a resource is told of one that goes.
    let mut gone = group.resources[1].clone();
    gone.logical_id = id("Gone");
    gone.action = ChangeAction::Remove;
    group.resources.push(gone);
    (view, review)
}

/// Every path of fields in the document, lists and their members as one.
fn fields(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let path = match path {
                    "" => key.clone(),
                    path => format!("{path}.{key}"),
                };
                if TAKEN_APART.contains(&path.as_str()) {
                    fields(value, &path, found);
                } else {
                    found.insert(path);
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|one| fields(one, path, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_rollout_goes_by_the_regions_of_all_targets() {
    let target = fixtures::target;
    let regions = ["eu-west-1", "us-east-1", "sa-east-1"];
    let targets: Vec<Target> = "12"
        .chars()
        .flat_map(|account| regions.map(|region| target(account, region)))
        .collect();
    let told = |order: &[&str]| {
        let preferences = OperationPreferences {
            region_order: order.iter().map(|name| name.parse().unwrap()).collect(),
            ..OperationPreferences::default()
        };
        let mut script = fixtures::Script::with(&targets, preferences);
        // Nothing to do in the first target, and nothing at all in one region.
        script.end(&targets[0], TargetOutcome::NoChanges);
        script.update(&targets[1], fixtures::change_a());
        script.end(&targets[2], TargetOutcome::NoChanges);
        script.update(&targets[3], fixtures::change_a());
        script.update(&targets[4], fixtures::change_a());
        script.end(&targets[5], TargetOutcome::NoChanges);
        let view = script.view();
        rollout(&view, &Review::of(&view, &Template)).remove(0)
    };
    assert_eq!(told(&[]), "eu-west-1, then us-east-1");
    let order = ["sa-east-1", "us-east-1", "eu-west-1"];
    assert_eq!(told(&order), "us-east-1, then eu-west-1");
}

#[test]
fn regions_side_by_side_are_told_with_how_many_targets_that_is_at_once() {
    let target = fixtures::target;
    let mut targets: Vec<Target> = "123".chars().map(|a| target(a, "eu-west-1")).collect();
    targets.extend("123".chars().map(|a| target(a, "us-east-1")));
    targets.push(target('1', "sa-east-1"));
    let told = |max: &str, tolerance: &str| {
        let preferences = OperationPreferences {
            region_concurrency: RegionConcurrency::Parallel,
            max_concurrent: max.parse().unwrap(),
            failure_tolerance: tolerance.parse().unwrap(),
            ..OperationPreferences::default()
        };
        let mut script = fixtures::Script::with(&targets, preferences);
        for target in &targets {
            script.update(target, fixtures::change_a());
        }
        let view = script.view();
        rollout(&view, &Review::of(&view, &Template)).remove(1)
    };
    // Of three, three and one targets.
    assert_eq!(
        told("2", "2"),
        "2 targets at a time in each region, 5 at once"
    );
    assert_eq!(
        told("1", "0"),
        "1 target at a time in each region, 3 at once"
    );
    assert_eq!(told("3", "2"), "all at once");
    assert_eq!(
        told("100%", "34%"),
        "2 targets at a time (100% asked for; strict mode allows one more than may fail) in each region, 5 at once"
    );
}

#[test]
fn a_rollback_says_what_it_goes_back_to() {
    let mut script = fixtures::fleet();
    let earlier: ExecutionId = "01938f5e-0000-7000-8000-000000000001".parse().unwrap();
    if let EventKind::ExecutionStarted { definition } = &mut script.events[0].kind {
        let definition = std::sync::Arc::make_mut(definition);
        definition.invocation.follows = Some(Follows::RollsBack(earlier.clone()));
    }
    let view = script.view();
    let told = template(&view, ToString::to_string).unwrap();
    assert_eq!(
        told,
        format!("back to the template from before execution {earlier}")
    );
}

#[test]
fn waves_are_told_with_what_is_between_them() {
    let targets = fixtures::four();
    let script = fixtures::canary();
    let view = script.view();
    let review = Review::of(&view, &Template);
    let wide = ScreenOptions {
        width: 200,
        ..ScreenOptions::default()
    };
    let screen = draw(&view, &review, &wide);
    for told in [
        "Rollout  3 waves, one after the other\n",
        "wave 1 canary · 1 target · us-east-1 · the first failure stops the rollout · then bake 10m, then approval",
        "wave 2 half · 2 targets · us-east-1, then eu-west-1 · 50% of the targets at a time (1 of 1) in a region · the first failure stops the rollout",
        "wave 3 rest · 1 target · eu-west-1 · the first failure stops the rollout",
    ] {
        assert!(screen.contains(told), "{screen}");
        let told = told.trim_start_matches("Rollout ").trim();
        assert!(markdown(&view, None, Some(&review)).contains(told));
    }
    let json = serde_json::to_value(&review).unwrap();
    assert_eq!(
        json["waves"][0]["targets"][0]["account"],
        targets[0].account.as_str()
    );
}

#[test]
fn what_is_waited_for_between_waves_is_told_everywhere() {
    let mut script = fixtures::canary();
    script.approve();
    script.start(&fixtures::four()[0]);
    script.end(&fixtures::four()[0], fixtures::succeeded());
    let place = GatePlace {
        wave: "canary".parse().unwrap(),
        number: 1,
        gate: Gate::Bake { minutes: 10 },
    };
    let until = script.now() + jiff::SignedDuration::from_mins(10);
    script.say(EventKind::GateStarted {
        place: place.clone(),
        until,
    });
    let options = ScreenOptions {
        now: Some(until - jiff::SignedDuration::from_mins(8)),
        ..ScreenOptions::default()
    };
    let left = "(8 min 0 s left)";
    let view = script.view();
    let live =
        super::super::live::rows(&super::super::fleet::Fleet::of(view.clone()), &options, 20);
    assert!(
        live.iter()
            .any(|row| row.contains("wave canary baking until") && row.contains(left)),
        "{live:?}"
    );
    let status = super::super::status(&view, Some(true), &options);
    assert!(
        status.contains("wave canary baking until") && status.contains(left),
        "{status}"
    );
    script.say(EventKind::GateHeld {
        place: place.clone(),
        reason: Some("errors: no data".to_owned()),
    });
    let held = "(8 min 0 s left): errors: no data";
    let view = script.view();
    let live =
        super::super::live::rows(&super::super::fleet::Fleet::of(view.clone()), &options, 20);
    assert!(live.iter().any(|row| row.contains(held)), "{live:?}");
    let status = super::super::status(&view, Some(true), &options);
    assert!(status.contains(held), "{status}");
    script.say(EventKind::GateOpened { place, said: None });
    assert_eq!((script.view().gate(), script.view().held()), (None, None));
    script.say(EventKind::ApprovalRequested {
        plan: Digest::of(b"plan"),
        expires: until,
        wave: Some("canary".parse().unwrap()),
    });
    let view = script.view();
    assert!(
        view.awaits_answer(),
        "the answer about the plan is none about the canary"
    );
    let status = super::super::status(&view, Some(true), &options);
    assert!(
        status.contains("after wave canary · waits for an answer"),
        "{status}"
    );
}

#[test]
fn every_field_of_a_review_is_told_on_the_terminal_and_in_markdown() {
    let (view, review) = everything();
    let mut found = BTreeSet::new();
    fields(&serde_json::to_value(&review).unwrap(), "", &mut found);
    let told = changes();
    let known = told.iter().map(|(field, _)| *field).chain(NOT_TOLD);
    let known: BTreeSet<String> = known.map(str::to_owned).collect();
    let unknown: Vec<_> = found.difference(&known).collect();
    assert!(unknown.is_empty(), "how are {unknown:?} told?");

    let options = ScreenOptions {
        full: true,
        width: 120,
        ..ScreenOptions::default()
    };
    let screen = |review: &Review| draw(&view, review, &options);
    let page = |review: &Review| markdown(&view, None, Some(review));
    for (field, change) in told {
        let mut other = review.clone();
        change(&mut other);
        assert!(screen(&review) != screen(&other), "{field} on the terminal");
        assert!(page(&review) != page(&other), "{field} in Markdown");
    }
}

/// How the terminal tells a review.
fn told(view: &View, review: &Review) -> String {
    let options = ScreenOptions {
        width: 120,
        ..ScreenOptions::default()
    };
    draw(view, review, &options)
}

#[test]
fn private_files_are_a_warning_that_is_not_folded() {
    let (view, mut review) = everything();
    let is_told = |text: &str| text.contains("! packed into code") && text.contains("move it out");
    let unfolded = |review: &Review| {
        let page = markdown(&view, None, Some(review));
        page.split("<details>").next().unwrap().to_owned()
    };
    review.groups[0].private_files.clear();
    assert!(!is_told(&told(&view, &review)) && !is_told(&unfolded(&review)));
    review.groups[0].private_files = vec!["functions/greet/.env".into()];
    assert!(is_told(&told(&view, &review)), "{}", told(&view, &review));
    let unfolded = unfolded(&review);
    assert!(
        is_told(&unfolded) && unfolded.contains("greet"),
        "{unfolded}"
    );
}

#[test]
fn what_a_parameter_changes_is_never_folded_away() {
    let (view, mut review) = everything();
    for group in &mut review.groups {
        group.kind = ChangeSetKind::Update;
    }
    let sample = review.common_parameters[0].clone();
    let parameter = |name: &str, value: ParameterValue, before: &[&str]| {
        let mut one = sample.clone();
        one.name = name.to_owned();
        one.values.truncate(1);
        one.values[0].value = value;
        one.values[0].default = None;
        one.values[0].before = before.iter().map(|text| (*text).to_owned()).collect();
        one
    };
    let plain = |text: &str| ParameterValue::Plain(text.to_owned());
    let mut all = vec![parameter("Kept", plain("1"), &["1"])];
    all.extend((0..20).map(|at| parameter(&format!("Changed{at}"), plain("2"), &["1"])));
    let reference = "env:PASSWORD".parse().unwrap();
    let secret = ParameterValue::Secret(reference);
    all.push(parameter("Password", secret, &[]));
    review.common_parameters = all;
    let text = told(&view, &review);
    for name in ["Changed0 ", "Changed19", "Password", "and 1 more parameter"] {
        assert!(text.contains(name), "{name}: {text}");
    }
    assert!(!text.contains("Kept"), "{text}");
}

#[test]
fn a_document_that_is_only_written_otherwise_is_told_as_such() {
    let (view, mut review) = everything();
    let property = &mut review.groups[0].resources[0].properties[0];
    property.before = Some(r#"{"Version":"2012-10-17"}"#.into());
    property.after = Some("{\n  \"Version\": \"2012-10-17\"\n}\n".into());
    let page = markdown(&view, None, Some(&review));
    for text in [told(&view, &review), page] {
        assert!(text.contains("written otherwise, same meaning"), "{text}");
        assert!(!text.contains("2012-10-17"), "{text}");
    }
}

#[test]
fn nested_stacks_without_change_sets_are_not_told_as_if_they_had_some() {
    let (_, mut review) = everything();
    let with = |review: &Review| {
        let facts = of_group(&review.groups[0], usize::MAX);
        let with = facts.into_iter().find(|fact| fact.label == "with");
        match with.map(|fact| fact.said) {
            Some(Said::Texts(texts)) => texts.join("; "),
            Some(Said::Targets(_)) | None => String::new(),
        }
    };
    let none = "change sets of nested stacks asked for, but none came for Network";
    let resource = &mut review.groups[0].resources[0];
    resource.logical_id = id("Network");
    resource.resource_type = "AWS::CloudFormation::Stack".into();
    resource.action = ChangeAction::Add;
    assert!(with(&review).contains(none), "{}", with(&review));
    review.groups[0].resources[0].is_nested = true;
    let told = with(&review);
    assert!(
        told.contains("change sets of nested stacks") && !told.contains("none"),
        "{told}"
    );
    review.groups[0].resources[0].is_nested = false;
    review.groups[0].options.include_nested_stacks = false;
    assert!(!with(&review).contains("nested"));
}
