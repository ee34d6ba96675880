use super::*;
use crate::model::StackName;

fn scenario(text: &str) -> Scenario {
    serde_yaml::from_str(text).unwrap()
}

fn target(account: u32) -> Target {
    Target {
        account: AccountId::new(format!("{account:012}")).unwrap(),
        region: Region::new("eu-west-1").unwrap(),
        stack: StackName::new("network").unwrap(),
    }
}

fn version(template: &str) -> Version {
    Version {
        template: template.into(),
        parameters: Arc::new([]),
    }
}

fn wanted(kind: ChangeSetKind, template: &str) -> Wanted {
    Wanted {
        name: ChangeSetName::new("release").unwrap(),
        kind,
        version: version(template),
    }
}

const START: Timestamp = Timestamp::UNIX_EPOCH;

fn at(seconds: u64) -> Timestamp {
    START + Duration::from_secs(seconds)
}

#[test]
fn a_stack_is_made_by_its_change_set_and_time_does_the_rest() {
    let mut cloud = Cloud::new(scenario("rules: [{duration: 60s, change_set: 5s}]"), START);
    let place = target(1);
    assert!(cloud.stack(&place, "network", START).is_err());
    let (set, id) = cloud
        .create_change_set(&place, wanted(ChangeSetKind::Create, "a"), START)
        .unwrap();
    let stack = cloud.stack(&place, "network", START).unwrap();
    assert_eq!(stack.status(START), StackStatus::ReviewInProgress);
    let early = cloud
        .execute(&place, set.as_str(), None, at(4))
        .unwrap_err();
    assert_eq!(early.code, "InvalidChangeSetStatus");
    cloud
        .execute(&place, set.as_str(), Some("token"), at(10))
        .unwrap();
    let twice = cloud
        .execute(&place, set.as_str(), Some("token"), at(11))
        .unwrap_err();
    assert_eq!(twice.code, "InvalidChangeSetStatus");
    let stack = cloud.stack(&place, id.as_str(), at(10)).unwrap();
    let statuses = [9, 10, 69, 70].map(|s| stack.status(at(s)));
    use StackStatus::*;
    assert_eq!(
        statuses,
        [
            ReviewInProgress,
            CreateInProgress,
            CreateInProgress,
            CreateComplete
        ]
    );
    let events = stack.events(at(70));
    assert_eq!(events.len(), 8);
    assert!(events.iter().all(|e| e.token.as_deref() == Some("token")));
    assert_eq!(events[0].status, "CREATE_COMPLETE");
    assert!(events[0].is_of_stack(&id));
    assert_eq!(stack.version(at(70)), Some(&version("a")));
}

#[test]
fn a_failed_update_goes_back_to_what_was_there() {
    let text = "rules: [{duration: 100s, fails: 100%, reason: full, resource: Orders}]";
    let mut cloud = Cloud::new(scenario(text), START);
    let place = target(1);
    cloud.settle(&place, version("old"));
    let wanted = wanted(ChangeSetKind::Update, "new");
    let (set, _) = cloud.create_change_set(&place, wanted, START).unwrap();
    cloud.execute(&place, set.as_str(), None, at(10)).unwrap();
    let stack = cloud.stack(&place, "network", at(10)).unwrap();
    use StackStatus::*;
    let statuses = [69, 70, 109, 110].map(|s| stack.status(at(s)));
    assert_eq!(
        statuses,
        [
            UpdateInProgress,
            UpdateRollbackInProgress,
            UpdateRollbackInProgress,
            UpdateRollbackComplete
        ]
    );
    assert_eq!(stack.version(at(50)), Some(&version("new")));
    assert_eq!(stack.version(at(110)), Some(&version("old")));
    let events = stack.events(at(110));
    let failed = events.iter().find(|e| e.is_failure()).unwrap();
    assert_eq!(
        (failed.logical_id.as_str(), failed.reason.as_deref()),
        ("Orders", Some("full"))
    );
    let orders = events.iter().filter(|e| e.logical_id.as_str() == "Orders");
    let updates = orders.filter(|e| e.status.starts_with("UPDATE"));
    let statuses: Vec<&str> = updates.map(|e| e.status.as_str()).collect();
    assert_eq!(statuses, ["UPDATE_FAILED", "UPDATE_IN_PROGRESS"]);
}

#[test]
fn the_same_template_changes_nothing() {
    let mut cloud = Cloud::new(Scenario::default(), START);
    let place = target(1);
    cloud.settle(&place, version("a"));
    let same = wanted(ChangeSetKind::Update, "a");
    let (set, _) = cloud.create_change_set(&place, same, START).unwrap();
    let stack = cloud.stack(&place, "network", at(10)).unwrap();
    assert!(stack.change_set(set.as_str()).unwrap().changes.is_empty());
    cloud
        .delete_change_set(&place, set.as_str(), at(10))
        .unwrap();
    let other = wanted(ChangeSetKind::Update, "b");
    let (set, _) = cloud.create_change_set(&place, other, at(10)).unwrap();
    let stack = cloud.stack(&place, "network", at(20)).unwrap();
    assert_eq!(stack.change_set(set.as_str()).unwrap().changes.len(), 3);
}

#[test]
fn what_was_deleted_is_found_by_its_arn_alone() {
    let mut cloud = Cloud::new(scenario("rules: [{duration: 30s}]"), START);
    let place = target(1);
    cloud.settle(&place, version("a"));
    let id = cloud.stack(&place, "network", START).unwrap().id.clone();
    cloud.delete(&place, None, START).unwrap();
    assert!(cloud.stack(&place, "network", at(29)).is_ok());
    assert!(cloud.stack(&place, "network", at(30)).is_err());
    let stack = cloud.stack(&place, id.as_str(), at(30)).unwrap();
    assert_eq!(stack.status(at(30)), StackStatus::DeleteComplete);
    cloud
        .create_change_set(&place, wanted(ChangeSetKind::Create, "b"), at(31))
        .unwrap();
    assert_ne!(cloud.stack(&place, "network", at(31)).unwrap().id, id);
}

#[test]
fn one_seed_gives_one_world_in_whatever_order_it_is_asked() {
    let text = "{seed: 3, rules: [{fails: 50%, duration: 10s..90s, lost_replies: 20%}]}";
    let run = |order: &[u32]| {
        let mut cloud = Cloud::new(scenario(text), START);
        let mut found = BTreeMap::new();
        for account in order {
            let place = target(*account);
            let admission = cloud.admit(&place, "CreateChangeSet", START);
            let wanted = wanted(ChangeSetKind::Create, "a");
            let (set, _) = cloud.create_change_set(&place, wanted, START).unwrap();
            cloud.execute(&place, set.as_str(), None, at(10)).unwrap();
            let stack = cloud.stack(&place, "network", at(200)).unwrap();
            found.insert(*account, (admission, stack.events(at(200))));
        }
        found
    };
    let calm: Vec<u32> = (1..40).collect();
    let reversed: Vec<u32> = calm.iter().rev().copied().collect();
    let (one, other) = (run(&calm), run(&reversed));
    assert_eq!(one, other);
    let lost = one
        .values()
        .filter(|((a, _), _)| *a == Admission::LosesReply);
    assert!((2..20).contains(&lost.count()));
}

#[test]
fn calls_are_refused_as_the_rules_say() {
    let text = "rules: [{targets: eu-west-1, down: 10m..15m}, {calls: [DescribeStacks], rate: 1, burst: 2}, {targets: '000000000002', role: denied}]";
    let mut cloud = Cloud::new(scenario(text), START);
    let mut admit =
        |account, operation, seconds| match cloud.admit(&target(account), operation, at(seconds)).0
        {
            Admission::Answered => "answered",
            Admission::LosesReply => "loses its reply",
            Admission::LosesRequest => "never arrives",
            Admission::Refused(refusal) => refusal.code,
        };
    assert_eq!(admit(1, "DescribeStacks", 0), "answered");
    assert_eq!(admit(1, "DescribeStacks", 0), "answered");
    assert_eq!(admit(1, "DescribeStacks", 0), "Throttling");
    assert_eq!(admit(1, "DescribeStackEvents", 0), "answered");
    assert_eq!(admit(2, "AssumeRole", 0), "AccessDenied");
    assert_eq!(admit(1, "DescribeStacks", 600), "never arrives");
    assert_eq!(admit(1, "DescribeStacks", 900), "answered");
    assert_eq!(cloud.counts().throttled, 1);
}
