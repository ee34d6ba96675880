use super::*;
use crate::journal::JournalError;
use crate::model::{ExecutionId, Scope, StackEvent, StackStatus};

const BEGIN: Timestamp = Timestamp::UNIX_EPOCH;

fn target(region: &str, stack: &str) -> Target {
    Target {
        account: "111111111111".parse().unwrap(),
        region: region.parse().unwrap(),
        stack: stack.parse().unwrap(),
    }
}

/// An operation that is begun, accepted two seconds later, and ends well after `seconds` more.
fn operation(target: &Target, deletes: bool, seconds: u64) -> Vec<Event> {
    let event = |at: u64, kind| Event {
        seq: at + 1,
        execution: ExecutionId::new("01938f5e-0000-7000-8000-000000000001").unwrap(),
        at: BEGIN + Duration::from_secs(at),
        scope: Scope {
            target: Some(target.clone()),
            ..Scope::default()
        },
        kind,
    };
    let intended = EventKind::ExecuteIntended {
        token: String::new(),
        deletes,
    };
    let finished = EventKind::TargetFinished {
        outcome: TargetOutcome::Succeeded {
            status: StackStatus::UpdateComplete,
        },
        outputs: Default::default(),
    };
    vec![
        event(0, intended),
        event(2, EventKind::ExecuteAccepted),
        event(2 + seconds, finished),
    ]
}

fn take(learned: &mut Learned, events: &[Event]) {
    let read = events.iter().cloned().map(Ok::<_, JournalError>);
    learned.take(read).unwrap();
}

fn seconds(of: Option<&Ends>) -> Option<(u64, u64)> {
    of.map(|ends| (ends.0.as_secs(), ends.1.as_secs()))
}

#[test]
fn a_stack_takes_as_long_as_it_took_else_as_its_neighbours() {
    let (ireland, ohio) = (
        target("eu-west-1", "network"),
        target("us-east-2", "network"),
    );
    let (tokyo, other) = (
        target("ap-northeast-1", "network"),
        target("eu-west-1", "app"),
    );
    let neighbour = Target {
        account: "222222222222".parse().unwrap(),
        ..ireland.clone()
    };
    let mut learned = Learned::default();
    take(&mut learned, &operation(&ireland, false, 60));
    take(&mut learned, &operation(&ireland, false, 90));
    take(&mut learned, &operation(&ohio, false, 240));
    // What a deletion takes says nothing about an update.
    take(&mut learned, &operation(&ohio, true, 5));
    let all = [ireland, neighbour, ohio, tokyo, other];
    learned.expect(&all);
    let expected = all.each_ref().map(|t| seconds(learned.expected.get(t)));
    assert_eq!(
        expected,
        [
            Some((60, 90)),
            Some((60, 90)),
            Some((240, 240)),
            Some((60, 240)),
            None
        ]
    );
    assert!(learned.is_by_chance());
    let durations = learned.durations(&Scenario::default(), &all);
    let told = Durations::Journal {
        executions: 3,
        shortest_seconds: 60,
        longest_seconds: 240,
    };
    assert_eq!(durations, told);
    let given: Scenario = serde_yaml::from_str("rules: [{duration: 1s}]").unwrap();
    assert_eq!(learned.durations(&given, &all), Durations::Given);
}

#[test]
fn the_newest_execution_says_whether_a_stack_stands() {
    let (gone, stands, unknown) = (
        target("eu-west-1", "network"),
        target("us-east-1", "network"),
        target("us-east-2", "network"),
    );
    let mut learned = Learned::default();
    take(&mut learned, &operation(&gone, true, 5));
    take(&mut learned, &operation(&gone, false, 60));
    take(&mut learned, &operation(&stands, false, 60));
    let all = [gone, stands, unknown];
    assert_eq!(
        all.each_ref().map(|t| learned.stands(t)),
        [false, true, false]
    );
    assert_eq!(learned.standing(&all), 1);
    // What is to be deleted is there, unless it is known to be gone.
    learned.deletes = true;
    assert_eq!(
        all.each_ref().map(|t| learned.stands(t)),
        [false, true, true]
    );
}

#[test]
fn an_operation_that_failed_tells_no_duration() {
    let ireland = target("eu-west-1", "network");
    let mut learned = Learned::default();
    let mut events = operation(&ireland, false, 60);
    events.pop();
    take(&mut learned, &events);
    assert_eq!((learned.executions, learned.of_stack.len()), (0, 0));
}

#[test]
fn a_stack_took_no_longer_because_nobody_looked() {
    let ireland = target("eu-west-1", "network");
    let mut events = operation(&ireland, false, 86_400);
    let mut observed = events[1].clone();
    observed.kind = EventKind::Observed {
        events: vec![StackEvent {
            id: "1".to_owned(),
            at: BEGIN + Duration::from_secs(92),
            logical_id: "network".parse().unwrap(),
            resource_type: "AWS::CloudFormation::Stack".to_owned(),
            physical_id: None,
            status: "UPDATE_COMPLETE".to_owned(),
            reason: None,
            token: None,
        }],
    };
    events.insert(2, observed);
    let mut learned = Learned::default();
    take(&mut learned, &events);
    assert_eq!(seconds(learned.of_target.get(&ireland)), Some((90, 90)));
}
