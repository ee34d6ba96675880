use std::collections::BTreeMap;

use super::*;
use crate::aws::cadence::Stopwatch;

/// A service that answers so many calls of a class a second, and refuses the others.
struct Service {
    per_second: f64,
    burst: f64,
    tokens: Mutex<(f64, Instant)>,
}

impl Service {
    fn new(per_second: f64, burst: f64) -> Arc<Self> {
        Arc::new(Self {
            per_second,
            burst,
            tokens: Mutex::new((burst, cadence::now())),
        })
    }

    fn answers(&self) -> bool {
        let mut tokens = self.tokens.lock().unwrap();
        let now = cadence::now();
        let passed = (now - tokens.1).as_secs_f64();
        let there = (tokens.0 + passed * self.per_second).min(self.burst);
        let answers = there >= 1.0;
        *tokens = (there - f64::from(u8::from(answers)), now);
        answers
    }
}

/// What became of calls.
#[derive(Debug, Default)]
struct Told {
    answered: BTreeMap<&'static str, usize>,
    refused: usize,
    longest: BTreeMap<&'static str, Duration>,
}

/// Makes calls one after another until `until`.
async fn caller(
    name: &'static str,
    (class, priority): (Class, Priority),
    gate: Arc<Gate>,
    service: Option<Arc<Service>>,
    until: Instant,
    told: Arc<Mutex<Told>>,
) {
    while cadence::now() < until {
        let clock = Stopwatch::start();
        loop {
            let permit = gate.enter(class, priority).await;
            let answers = service.as_ref().is_none_or(|service| service.answers());
            cadence::pause(Duration::from_millis(140)).await;
            if answers {
                permit.succeeded();
                break;
            }
            permit.throttled();
            told.lock().unwrap().refused += 1;
        }
        let mut told = told.lock().unwrap();
        *told.answered.entry(name).or_default() += 1;
        let longest = told.longest.entry(name).or_default();
        *longest = clock.elapsed().max(*longest);
    }
}

const CHANGE: (Class, Priority) = (Class::Change, Priority::Execute);
const READ: (Class, Priority) = (Class::Read, Priority::Read);
const OBSERVE: (Class, Priority) = (Class::Read, Priority::Observe);

#[tokio::test(start_paused = true)]
async fn the_urgent_go_first_and_never_more_than_the_width() {
    let gate = Gate::new();
    let mut inside = Vec::new();
    for _ in 0..WIDEST {
        inside.push(gate.enter(Class::Read, Priority::Observe).await);
    }
    let (order, mut seen) = tokio::sync::mpsc::unbounded_channel();
    for (name, class, priority) in [
        ("observe", Class::Read, Priority::Observe),
        ("read", Class::Read, Priority::Read),
        ("create", Class::Change, Priority::Mutate),
        ("create another", Class::Change, Priority::Mutate),
        ("execute", Class::Change, Priority::Execute),
    ] {
        let (gate, order) = (gate.clone(), order.clone());
        tokio::spawn(async move {
            let permit = gate.enter(class, priority).await;
            order.send(name).unwrap();
            permit.succeeded();
        });
        tokio::task::yield_now().await;
    }
    assert!(seen.try_recv().is_err());
    inside.pop();
    let mut got = Vec::new();
    for _ in 0..5 {
        got.push(seen.recv().await.unwrap());
    }
    // The fourth turn is for the one who has waited longest.
    let expected = ["execute", "create", "create another", "observe", "read"];
    assert_eq!(got, expected);
    drop(inside);
    assert_eq!(gate.state().inside, 0);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_went_away_gives_its_turn_on() {
    let gate = Gate::new();
    let mut inside = Vec::new();
    for _ in 0..WIDEST {
        inside.push(gate.enter(Class::Read, Priority::Read).await);
    }
    let gone = tokio::spawn({
        let gate = gate.clone();
        async move { gate.enter(Class::Change, Priority::Mutate).await }
    });
    tokio::task::yield_now().await;
    gone.abort();
    let _ = gone.await;
    let waiting = tokio::spawn({
        let gate = gate.clone();
        async move { drop(gate.enter(Class::Read, Priority::Observe).await) }
    });
    tokio::task::yield_now().await;
    drop(inside);
    waiting.await.unwrap();
    assert_eq!(gate.state().inside, 0);
}

#[tokio::test(start_paused = true)]
async fn a_refused_class_waits_and_the_others_go_on() {
    let gate = Gate::new();
    let clock = Stopwatch::start();
    gate.enter(Class::Read, Priority::Read).await.throttled();
    let watcher = gate.watch(&Arc::default());
    assert!(watcher.others().short.is_some());
    gate.enter(Class::Change, Priority::Execute)
        .await
        .succeeded();
    gate.enter(Class::Elsewhere, Priority::Read)
        .await
        .succeeded();
    assert_eq!(clock.elapsed(), Duration::ZERO);
    gate.enter(Class::Read, Priority::Observe).await.succeeded();
    let waited = clock.elapsed();
    assert!(waited >= Duration::from_millis(250), "{waited:?}");
    assert!(waited <= Duration::from_secs(1), "{waited:?}");
    cadence::pause(Duration::from_secs(60)).await;
    gate.enter(Class::Read, Priority::Observe).await.succeeded();
    assert!(watcher.others().short.is_none());
}

#[tokio::test(start_paused = true)]
async fn hundreds_of_callers_get_what_the_service_answers_and_nobody_starves() {
    let gate = Gate::new();
    let until = cadence::now() + Duration::from_secs(300);
    let reads = Service::new(10.0, 20.0);
    let told: Arc<Mutex<Told>> = Arc::default();
    let mut tasks = Vec::new();
    let mut start = |name, call, service: Option<&Arc<Service>>| {
        let (gate, told) = (gate.clone(), told.clone());
        tasks.push(tokio::spawn(caller(
            name,
            call,
            gate,
            service.cloned(),
            until,
            told,
        )));
    };
    // Together they ask for many times more than there is.
    for _ in 0..20 {
        start("read", READ, Some(&reads));
    }
    for _ in 0..100 {
        start("observe", OBSERVE, Some(&reads));
    }
    start("execute", CHANGE, None);
    for task in tasks {
        task.await.unwrap();
    }
    let told = told.lock().unwrap();
    let of_reads = (told.answered["read"] + told.answered["observe"]) as f64;
    assert!(of_reads >= 0.9 * 3_020.0, "{told:?}");
    assert!((told.refused as f64) < 0.05 * of_reads, "{told:?}");
    // A quarter is for those who have waited longest, who are observers.
    assert!(
        told.answered["read"] >= 3 * told.answered["observe"] / 2,
        "{told:?}"
    );
    assert!(told.answered["observe"] >= 500, "{told:?}");
    assert!(
        told.longest["observe"] <= Duration::from_secs(120),
        "{told:?}"
    );
    // A call of another class waits for room at most, never for the rate of this one.
    assert!(
        told.longest["execute"] <= Duration::from_millis(281),
        "{told:?}"
    );
    assert_eq!(gate.state().inside, 0);
    assert!(
        gate.state()
            .lanes
            .iter()
            .all(|lane| lane.waiting.is_empty())
    );
}

#[test]
fn calls_are_limited_with_those_of_their_kind() {
    for (operation, class) in [
        ("CreateChangeSet", Class::Change),
        ("ExecuteChangeSet", Class::Change),
        ("DeleteStack", Class::Change),
        ("SetStackPolicy", Class::Change),
        ("ContinueUpdateRollback", Class::Change),
        ("DescribeStackEvents", Class::Read),
        ("GetTemplateSummary", Class::Read),
        ("ValidateTemplate", Class::Read),
        ("DetectStackDrift", Class::Read),
        ("GetParameter", Class::Elsewhere),
        ("ListAccountsForParent", Class::Elsewhere),
    ] {
        assert_eq!(Class::of(operation), class, "{operation}");
    }
}
