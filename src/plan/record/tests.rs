//! Tests of `record`.

use proptest::prelude::*;
use serde_json::json;

use super::super::sample::{Plan, plan};
use super::*;
use crate::model::{
    AlarmCheck, AlarmName, CommandFile, EndedTarget, Gate, GateCommand, ON_FAILURE,
    OperationPreferences, ROLLBACK, SkipReason, TargetOutcome, TargetSpec, Uploads, Wave,
};

fn digest_of(plan: &Plan) -> Digest {
    digest(&plan.input())
}

#[test]
fn the_digest_is_the_hash_of_the_record() {
    let plan = plan();
    let text = serde_json::to_vec(&record(&plan.input())).unwrap();
    assert_eq!(digest_of(&plan), Digest::of(&text));
}

#[test]
fn the_versions_stay_as_they_are() {
    // Approvals that are waiting for their answer hold these digests. A new one needs a new `VERSION`.
    assert_eq!(KNOWN, [3, 2]);
    // What came later leaves no trace where it is not used.
    let mut plan = plan();
    let stages = &mut plan.definition.pipeline.stages;
    for action in stages.iter_mut().flat_map(|stage| &mut stage.actions) {
        for spec in action.fan_out.iter_mut().flat_map(|f| &mut f.targets) {
            spec.execute_role_arn = None;
        }
    }
    plan.definition.left_out.clear();
    plan.not_enabled.clear();
    for planned in &mut plan.planned {
        planned.inputs_mut().options.resources_to_import.clear();
        planned.gone_exports.clear();
        planned.inputs_mut().uploads = Uploads::default();
        planned.drift = None;
        planned.inputs_mut().options.revert_drift = false;
        for change in &mut planned.changes {
            change.drift = None;
            for detail in &mut change.details {
                detail.drift = None;
            }
        }
    }
    assert_eq!(
        former_digest(&plan.input()).to_string(),
        "7da2450ee0f85c967470a64ac5e0264b29f50dafaa9dc7e945f3777d3c0886ea"
    );
    assert_eq!(
        digest_of(&plan).to_string(),
        "634b4b9eaba4bb385ad87b0c76425baf7c76500729676f5c89838623fa6ddc80"
    );
}

#[test]
fn a_plan_is_known_by_the_version_that_its_digest_is_over() {
    let plan = plan();
    let version = |said: Digest| version_of(&plan.input(), said);
    let (now, before) = (digest_of(&plan), former_digest(&plan.input()));
    assert_ne!(now, before);
    assert!(version(now).unwrap().holds_former());
    assert!(!version(before).unwrap().holds_former());
    assert_eq!(version(Digest::of(b"another plan")), None);
}

#[test]
fn what_a_rollback_gives_back_is_approved_with_the_plan() {
    type Change<'a> = &'a dyn Fn(&mut Plan);
    let changes: [Change<'_>; 4] = [
        &|plan| plan.planned[0].previous_template = Some(Digest::of(b"foreign")),
        &|plan| plan.planned[0].previous_template = None,
        &|plan| {
            drop(
                plan.planned[0]
                    .previous_parameters
                    .insert("Open".into(), "0.0.0.0/0".into()),
            )
        },
        &|plan| plan.former_tags[0].1 = [("team".to_owned(), "foreign".to_owned())].into(),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut other = plan();
        change(&mut other);
        assert_ne!(digest_of(&plan()), digest_of(&other), "{number}");
        // What was approved before goes on.
        let former = [plan(), other].map(|plan| former_digest(&plan.input()));
        assert_eq!(former[0], former[1], "{number}");
    }
}

#[test]
fn plans_from_before_the_values_of_stacks_were_recorded_keep_their_digest() {
    let mut plan = plan();
    let recorded = former_digest(&plan.input());
    for planned in &mut plan.planned {
        let mut old = serde_json::to_value(&*planned).unwrap();
        assert!(
            old.as_object_mut()
                .unwrap()
                .remove("previous_parameters")
                .is_some()
        );
        *planned = serde_json::from_value(old).unwrap();
        assert!(planned.previous_parameters.is_empty());
    }
    assert_eq!(former_digest(&plan.input()), recorded);
}

#[test]
fn what_is_packaged_is_approved() {
    let mut plan = plan();
    let mut digests = vec![digest_of(&plan)];
    for text in ["one", "two"] {
        plan.planned[0].inputs_mut().packaged = Some(Digest::of(text.as_bytes()));
        digests.push(digest_of(&plan));
    }
    digests.dedup();
    assert_eq!(digests.len(), 3);
    assert!(
        record(&plan.input())
            .to_string()
            .contains(&Digest::of(b"two").to_string())
    );
}

#[test]
fn the_record_is_canonical_json() {
    fn check(value: &Value, path: &str) {
        if let Value::Object(members) = value {
            let keys: Vec<_> = members.keys().collect();
            assert!(keys.is_sorted(), "{path}: {keys:?}");
        }
        for (key, value) in children(value) {
            check(value, &format!("{path}/{key}"));
        }
    }
    check(&record(&plan().input()), "");
}

#[test]
fn secrets_and_the_machine_stay_out_of_the_record() {
    let text = record(&plan().input()).to_string();
    for word in [
        "DATABASE_PASSWORD",
        "hunter2",
        "/home/ana",
        "127.0.0.1",
        "Deployer",
        "parameter-overrides",
    ] {
        assert!(!text.contains(word), "{word}");
    }
    assert!(text.contains(r#"{"kind":"secret","name":"Password"}"#));
}

// --- every field: change one at a time, and see whether the digest does

/// What is no part of what an execution will do, as beginnings of paths; `*` is any one step.
const NOT_RECORDED: &[&str] = &[
    "definition/invocation",
    "definition/secrets",
    "definition/allow_literal_secrets",
    "definition/pipeline/stages/0/actions/0/configuration",
    "definition/pipeline/stages/2/actions/0/configuration/ParameterOverrides",
    "definition/pipeline/stages/2/actions/0/configuration/ParameterOrigins",
    "planned/*/caller",
    "planned/*/inputs/template/",
    "planned/*/changes/*/details/*/drift/detected",
    "planned/*/inputs/parameters/*/provenance",
    "planned/*/inputs/parameters/*/value/secret",
];

/// Texts to put in the place of another; each kind of value in a plan accepts one of them.
const OTHER_TEXTS: &[&str] = &[
    "excluded",
    "999999999999",
    "ap-south-1",
    "Other",
    "other",
    "Remove",
    "Will",
    "Retain",
    "Metadata",
    "Always",
    "Dynamic",
    "Static",
    "CREATE",
    "UPDATE_COMPLETE",
    "Compute",
    "7%",
    "soft",
    "parallel",
    "override",
    "region",
    "env:OTHER",
    "2026-11-22T11:00:00Z",
    "PREVIOUS_DEPLOYMENT_STATE",
    "DELETED",
    "IN_SYNC",
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
];

fn children(value: &Value) -> Vec<(String, &Value)> {
    match value {
        Value::Object(members) => members.iter().map(|(k, v)| (k.clone(), v)).collect(),
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.map(|(i, v)| (i.to_string(), v)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

fn to_json(plan: &Plan) -> Value {
    json!({
        "definition": plan.definition, "planned": plan.planned,
        "unchanged": plan.unchanged, "failed": plan.failed, "not_enabled": plan.not_enabled,
        "former_tags": plan.former_tags,
    })
}

fn from_json(value: &Value) -> Option<Plan> {
    let part = |name: &str| value.get(name).cloned().unwrap_or_default();
    Some(Plan {
        definition: serde_json::from_value(part("definition")).ok()?,
        planned: serde_json::from_value(part("planned")).ok()?,
        unchanged: serde_json::from_value(part("unchanged")).ok()?,
        failed: serde_json::from_value(part("failed")).ok()?,
        not_enabled: serde_json::from_value(part("not_enabled")).ok()?,
        former_tags: serde_json::from_value(part("former_tags")).ok()?,
    })
}

/// Returns the paths of everything in `value`, as JSON pointers without the first slash.
fn paths(value: &Value, path: &str, all: &mut Vec<String>) {
    for (key, child) in children(value) {
        let path = match path {
            "" => key,
            path => format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")),
        };
        paths(child, &path, all);
        all.push(path);
    }
}

fn is_recorded_path(path: &str) -> bool {
    !NOT_RECORDED.iter().any(|prefix| {
        let path = format!("{path}/");
        let mut steps = path.split('/');
        prefix
            .trim_end_matches('/')
            .split('/')
            .all(|wanted| steps.next().is_some_and(|s| wanted == "*" || wanted == s))
    })
}

/// Returns plans that differ from `plan` at `path` only: with another value there, and with none.
fn mutants(plan: &Plan, whole: &Value, path: &str) -> Vec<Plan> {
    let pointer = format!("/{path}");
    let with = |change: &dyn Fn(&mut Value)| {
        let mut copy = whole.clone();
        change(&mut copy);
        from_json(&copy).filter(|mutant| mutant != plan)
    };
    let other = |value: Value| with(&|copy| *copy.pointer_mut(&pointer).unwrap() = value.clone());
    let replaced = match whole.pointer(&pointer).unwrap() {
        Value::String(_) => (OTHER_TEXTS.iter())
            .map(|text| json!(text))
            .chain([json!({"plain": "other"})])
            .find_map(other),
        Value::Number(number) => other(json!(number.as_u64().unwrap() + 1)),
        Value::Bool(flag) => other(json!(!flag)),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let removed = with(&|copy| match copy.pointer_mut(parent).unwrap() {
        Value::Object(members) => {
            members.shift_remove(key);
        }
        Value::Array(items) => {
            items.remove(key.parse().unwrap());
        }
        other => panic!("{other} has no members"),
    });
    replaced.into_iter().chain(removed).collect()
}

#[test]
fn invariant_the_digest_changes_with_every_field_that_matters_and_no_other() {
    let mut plan = plan();
    plan.planned.truncate(1);
    let whole = to_json(&plan);
    assert_eq!(from_json(&whole).as_ref(), Some(&plan));
    let mut all = Vec::new();
    paths(&whole, "", &mut all);
    let (mut seen, mut unseen) = (0, 0);
    for path in &all {
        let mutants = mutants(&plan, &whole, path);
        match whole.pointer(&format!("/{path}")).unwrap() {
            Value::Array(_) | Value::Object(_) => {}
            leaf => assert!(!mutants.is_empty(), "{path}: {leaf} was never changed"),
        }
        for mutant in mutants {
            let changed = digest_of(&mutant) != digest_of(&plan);
            assert_eq!(changed, is_recorded_path(path), "{path} in {mutant:?}");
            *(if changed { &mut seen } else { &mut unseen }) += 1;
        }
    }
    assert!(seen > 200 && unseen > 20, "{seen} {unseen}");
}

#[test]
fn every_part_of_the_model_is_filled_in_by_the_sample() {
    // Otherwise the test above would not see a field that the record forgets.
    let text = to_json(&plan()).to_string();
    for word in [
        "nested",
        "module",
        "policy_action",
        "causing_entity",
        "newest_event",
        "stack_policy",
        "notification_arns",
        "on_stack_failure",
        "disable_rollback",
        "rollback_triggers",
        "monitoring_minutes",
        "import_existing_resources",
        "resources_to_import",
        "include_nested_stacks",
        "termination_protection",
        "settings_only",
        "gone_exports",
        "revert_drift",
        "is_confirmed",
        "ignored",
        "before_from",
        "only_recorded",
        "role_arn",
        "execute_role_arn",
        "timeoutInMinutes",
        "fanOut",
        "inputArtifacts",
        "endpoint_url",
    ] {
        assert!(text.contains(&format!("\"{word}\"")), "{word}");
    }
}

#[test]
fn the_order_of_execution_is_recorded() {
    let original = plan();
    let mut swapped = plan();
    let action = &mut swapped.definition.pipeline.stages[2].actions[0];
    action.fan_out.as_mut().unwrap().targets.reverse();
    assert_ne!(digest_of(&original), digest_of(&swapped));
    let mut swapped = plan();
    let action = &mut swapped.definition.pipeline.stages[2].actions[0];
    let preferences = &mut action.fan_out.as_mut().unwrap().preferences;
    preferences.region_order.reverse();
    assert_ne!(digest_of(&original), digest_of(&swapped));
}

#[test]
fn what_follows_a_failure_is_approved_with_the_plan() {
    let mut other = plan();
    let action = &mut other.definition.pipeline.stages[2].actions[0];
    let settings = &mut action.configuration;
    settings.insert(ON_FAILURE.to_owned(), ROLLBACK.to_owned());
    assert!(other.definition.rolls_back_on_failure());
    assert_ne!(digest_of(&plan()), digest_of(&other));
    other.definition.pipeline.ends_on_failure();
    assert!(!other.definition.rolls_back_on_failure());
    assert_eq!(digest_of(&plan()), digest_of(&other));
}

#[test]
fn an_approval_holds_for_what_was_left_out_too() {
    let mut other = plan();
    assert_eq!(other.definition.left_out.len(), 2);
    other.definition.left_out.reverse();
    assert_eq!(digest_of(&plan()), digest_of(&other));
    other.definition.left_out[0].why = LeftOutWhy::Excluded;
    assert_ne!(digest_of(&plan()), digest_of(&other));
    other = plan();
    other.definition.left_out.pop();
    assert_ne!(digest_of(&plan()), digest_of(&other));
}

#[test]
fn waves_their_order_their_targets_and_what_is_between_them_are_part_of_the_plan() {
    let waves = |change: &dyn Fn(&mut Vec<Wave>)| {
        let mut plan = plan();
        let action = &mut plan.definition.pipeline.stages[2].actions[0];
        let fan_out = action.fan_out.as_mut().unwrap();
        let wave = |name: &str, at: usize| Wave {
            name: name.parse().unwrap(),
            targets: vec![fan_out.targets[at].target.clone()],
            preferences: None,
            gates: vec![Gate::Bake { minutes: 10 }],
            ended: Vec::new(),
        };
        fan_out.waves = vec![wave("canary", 0), wave("others", 1)];
        change(&mut fan_out.waves);
        digest_of(&plan)
    };
    type Change<'a> = &'a dyn Fn(&mut Vec<Wave>);
    let names = ["errors", "latency"].map(|name| AlarmName::new(name).unwrap());
    let alarms = |count: usize, minutes| {
        let names = names[..count].to_vec();
        vec![Gate::Alarms(AlarmCheck { names, minutes })]
    };
    let command = |word: &str, content: &str, timeout_minutes| {
        let file = CommandFile {
            path: "smoke.sh".to_owned(),
            digest: Digest::of(content.as_bytes()),
        };
        vec![Gate::Command(GateCommand {
            line: vec!["./smoke.sh".to_owned(), word.to_owned()],
            files: vec![file],
            timeout_minutes,
        })]
    };
    let ended = |spec: TargetSpec, outcome| vec![EndedTarget { spec, outcome }];
    let spec = plan().definition.target_specs().next().unwrap().clone();
    let there = TargetSpec {
        execute_role_arn: Some("other".to_owned()),
        ..spec.clone()
    };
    let stopped = || TargetOutcome::Skipped {
        reason: SkipReason::Stopped,
    };
    let changes: [Change<'_>; 19] = [
        &|_| {},
        &|waves| waves.clear(),
        &|waves| waves.reverse(),
        &|waves| waves[0].name = "first".parse().unwrap(),
        &|waves| waves[0].targets.clear(),
        &|waves| waves[0].gates.clear(),
        &|waves| waves[0].gates.push(Gate::Approval),
        &|waves| waves[0].gates = vec![Gate::Bake { minutes: 11 }],
        &|waves| waves[0].gates = alarms(1, 10),
        &|waves| waves[0].gates = alarms(1, 0),
        &|waves| waves[0].gates = alarms(2, 10),
        &|waves| waves[0].gates = command("a", "one", 10),
        &|waves| waves[0].gates = command("b", "one", 10),
        &|waves| waves[0].gates = command("a", "two", 10),
        &|waves| waves[0].gates = command("a", "one", 11),
        &|waves| waves[0].preferences = Some(OperationPreferences::default()),
        &|waves| waves[0].ended = ended(spec.clone(), TargetOutcome::NoChanges),
        &|waves| waves[0].ended = ended(there.clone(), TargetOutcome::NoChanges),
        &|waves| waves[0].ended = ended(spec.clone(), stopped()),
    ];
    let digests: BTreeSet<String> = changes.map(|change| waves(change).to_string()).into();
    assert_eq!(digests.len(), changes.len());
    assert!(
        digests.contains(&digest_of(&plan()).to_string()),
        "none is as it always was"
    );
}

#[test]
fn targets_do_not_move_between_the_lists_unseen() {
    let original = plan();
    let mut moved = plan();
    let target = moved.failed.remove(0);
    moved.unchanged.push(target);
    assert_ne!(digest_of(&original), digest_of(&moved));
    let target = moved.unchanged.remove(0);
    let before = digest_of(&moved);
    moved.not_enabled.push(target);
    assert_ne!(before, digest_of(&moved));
}

#[test]
fn changes_of_one_logical_id_are_ordered_by_all_they_say() {
    let mut one = plan();
    let mut twin = one.planned[0].changes[0].clone();
    twin.after = Some(json!({"Properties": {}}));
    one.planned[0].changes.push(twin);
    let mut other = one.clone();
    other.planned[0].changes.reverse();
    assert_eq!(digest_of(&one), digest_of(&other));
}

/// Returns `value` with the members of every object in reverse.
fn reversed(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.iter().rev();
            Value::Object(members.map(|(k, v)| (k.clone(), reversed(v))).collect())
        }
        Value::Array(items) => items.iter().map(reversed).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn shuffled<T: Clone + std::fmt::Debug + 'static>(items: &[T]) -> BoxedStrategy<Vec<T>> {
    Just(items.to_vec()).prop_shuffle().boxed()
}

/// Plans that are equal to the sample but for orders that mean nothing.
fn reordered() -> impl Strategy<Value = Plan> {
    let plan = plan();
    let changes = plan.planned[0].changes.clone();
    let queue = changes[2].clone();
    (
        shuffled(&plan.planned),
        shuffled(&plan.unchanged),
        shuffled(&plan.failed),
        shuffled(&changes),
        shuffled(&queue.details),
        shuffled(&queue.scope),
        shuffled(&plan.planned[0].inputs.parameters),
        any::<bool>(),
    )
        .prop_map(
            move |(planned, unchanged, failed, changes, details, scope, parameters, flip)| {
                let mut plan = Plan {
                    definition: plan.definition.clone(),
                    planned,
                    unchanged,
                    failed,
                    not_enabled: plan.not_enabled.clone(),
                    former_tags: plan.former_tags.clone(),
                };
                let first = (plan.planned.iter_mut())
                    .find(|p| p.target.place() == "111111111111/us-east-1")
                    .unwrap();
                first.changes = changes;
                first.inputs_mut().parameters = parameters;
                let queue = (first.changes.iter_mut())
                    .find(|c| c.logical_id.as_str() == "Queue")
                    .unwrap();
                queue.details = details;
                queue.scope = scope;
                if flip {
                    plan = from_json(&reversed(&to_json(&plan))).unwrap();
                }
                plan
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn invariant_the_digest_does_not_depend_on_orders_that_mean_nothing(other in reordered()) {
        prop_assert_eq!(digest_of(&other), digest_of(&plan()));
        prop_assert_eq!(record(&other.input()).to_string(), record(&plan().input()).to_string());
    }
}
