//! A simulated world behind the SDK's HTTP client, under Tokio's paused clock: requests, signing, retries and parsing are
//! the real ones, and hours pass in seconds.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use jiff::Timestamp;
use stackgate::action::World;
use stackgate::action::secrets::Secrets;
use stackgate::artifact::Store;
use stackgate::aws::{Aws, Expected, Settings};
use stackgate::journal::{Journal, JournalError};
use stackgate::model::{
    AccountId, Answer as Decided, Approver, Decision, Event, ExecutionDefinition, ExecutionId,
    FanOut, InboxMessage, Invocation, OperationPreferences, Origin, PauseReason, Region,
    RiskChoices, StackName, StackOptions, Target, TargetSpec,
};
use stackgate::pipeline::{Deployment, Execution, Machine, UnknownPolicy};
use stackgate::runtime::{Driver, Ended, Face};
use stackgate::simulator::{Answer, Asked, Cloud, Scenario, answer};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::scripted::{Scripted, parsed};

/// When every simulation begins.
pub const START: Timestamp = Timestamp::UNIX_EPOCH;

/// A simulated world as an HTTP client. Clones share it.
#[derive(Debug, Clone)]
pub struct Simulated {
    cloud: Arc<Mutex<Cloud>>,
    begun: Instant,
}

impl Simulated {
    /// Returns the world in which now is `START`.
    pub fn new(cloud: Cloud) -> Self {
        Self {
            cloud: Arc::new(Mutex::new(cloud)),
            begun: Instant::now(),
        }
    }

    /// Returns the world.
    pub fn cloud(&self) -> MutexGuard<'_, Cloud> {
        self.cloud.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how much time passed in it.
    pub fn passed(&self) -> Duration {
        self.begun.elapsed()
    }
}

impl HttpClient for Simulated {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Simulated {
    #[expect(clippy::disallowed_methods, reason = "a call takes its time")]
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let request = parsed(&request);
        let asked = Asked {
            fields: &request.fields,
            access_key: &request.access_key,
            region: &request.region,
        };
        let now = START + self.passed();
        let (answer, latency) = answer(&mut self.cloud(), &asked, now);
        HttpConnectorFuture::new(async move {
            tokio::time::sleep(latency).await;
            let reset = || {
                ConnectorError::io(std::io::Error::from(std::io::ErrorKind::ConnectionReset).into())
            };
            match answer {
                Answer::Http(status, body) => {
                    let status =
                        StatusCode::try_from(status).expect("the world uses real statuses");
                    Ok(HttpResponse::new(status, SdkBody::from(body)))
                }
                // Who sent it cannot tell the two apart.
                Answer::NotCarriedOut | Answer::Lost => Err(reset()),
            }
        })
    }
}

/// A fleet in the regions of `regions` for each of `accounts` accounts.
pub fn targets(accounts: u32, regions: u32) -> Vec<Target> {
    let target = |account: u32, region: u32| Target {
        account: AccountId::new(format!("{account:012}")).expect("twelve digits"),
        region: Region::new(format!("eu-west-{region}")).expect("a region"),
        stack: StackName::new("network").expect("a name"),
    };
    let of_account = |account| (1..=regions).map(move |region| target(account, region));
    (1..=accounts).flat_map(of_account).collect()
}

/// Returns what deploys the template of `project` to `targets`, each by a role of its account.
pub fn definition(
    targets: Vec<Target>,
    preferences: OperationPreferences,
    project: &Path,
) -> ExecutionDefinition {
    let specs = targets.into_iter().map(|target| TargetSpec {
        role_arn: Some(format!("arn:aws:iam::{}:role/deploy", target.account)),
        execute_role_arn: None,
        target,
    });
    let deployment = Deployment {
        wait: None,
        stack: StackName::new("network").expect("a name"),
        template: "network.yaml".to_owned(),
        files: vec!["network.yaml".to_owned()],
        configuration: None,
        parameter_overrides: None,
        parameter_origins: BTreeMap::new(),
        tags: BTreeMap::new(),
        capabilities: Vec::new(),
        role_arn: None,
        artifact_bucket: None,
        stack_policy: None,
        options: StackOptions::default(),
        packaged: Vec::new(),
        template_buckets: None,
        fan_out: FanOut {
            waves: Vec::new(),
            targets: specs.collect(),
            preferences,
        },
        rolls_back: false,
        approval_minutes: 10_080,
        risks: RiskChoices::default(),
        notes: Vec::new(),
    };
    ExecutionDefinition {
        pipeline: deployment.pipeline(),
        invocation: Invocation {
            root: project.display().to_string(),
            ..Invocation::default()
        },
        secrets: BTreeMap::new(),
        allow_literal_secrets: false,
        left_out: Vec::new(),
    }
}

/// What came of an execution.
#[derive(Debug)]
pub struct Outcome {
    /// How the run ended; the last one, where it was taken up again.
    pub ended: Ended,
    /// Why it paused before, each time.
    pub pauses: Vec<PauseReason>,
    /// How long it took in the simulated world, without the time in which nobody answered.
    pub took: Duration,
    /// When the first target began to be executed, and when the last ended.
    pub executed: Option<(Duration, Duration)>,
    /// The execution after it.
    pub state: Execution,
    /// The world after it.
    pub world: Simulated,
    /// The most memory that this process had until it ended, in MB, before the journal was read back for `state`.
    pub resident: Option<u64>,
}

/// Returns the most memory that this process ever had, in MB.
pub fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1024)
}

/// Runs `definition` in `scenario` to its end; state and files are kept in `project`.
pub fn run(scenario: Scenario, definition: ExecutionDefinition, project: &Path) -> Outcome {
    run_expecting(Expected::default(), scenario, definition, project)
}

/// The same where somebody takes it up again whenever it paused, a minute later.
pub fn run_resumed(scenario: Scenario, definition: ExecutionDefinition, project: &Path) -> Outcome {
    run_with(100, Expected::default(), scenario, definition, project)
}

/// The same where earlier executions tell how long things take.
pub fn run_expecting(
    expected: Expected,
    scenario: Scenario,
    definition: ExecutionDefinition,
    project: &Path,
) -> Outcome {
    run_with(0, expected, scenario, definition, project)
}

#[expect(clippy::disallowed_methods, reason = "somebody takes a while")]
fn run_with(
    resumptions: usize,
    expected: Expected,
    scenario: Scenario,
    definition: ExecutionDefinition,
    project: &Path,
) -> Outcome {
    let template = "Resources:\n  Queue:\n    Type: AWS::SQS::Queue\n";
    std::fs::write(project.join("network.yaml"), template).expect("the folder is ours");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let simulated = Simulated::new(Cloud::new(scenario, START));
        let settings = Settings {
            region: Some("us-east-1".to_owned()),
            session_name: "simulated".to_owned(),
            http_client: Some(SharedHttpClient::new(simulated.clone())),
            credentials: Some(Scripted::credentials()),
            ..Settings::default()
        };
        let aws = Aws::connect(&settings).await.expect("nothing is called");
        aws.expect(expected);
        let journal = Journal::open(&project.join(".stackgate")).expect("a journal");
        let id = ExecutionId::new("01938f5e-0000-7000-8000-000000000001").expect("an id");
        let now = stackgate::runtime::now();
        let lease = journal
            .acquire(&id, "simulated", now, |_| false)
            .expect("nobody has it");
        let (machine, turn) = Machine::start(id.clone(), definition, now).expect("it may begin");
        let store = Store::open(&project.join(".stackgate/artifacts")).expect("a store");
        let secrets = Secrets::new(BTreeMap::new(), false, Arc::new(Nobody));
        let world = Arc::new(World::new(aws, store, project.to_owned(), secrets));
        let bell = Arc::new(Notify::new());
        let mut face = Approves {
            journal: &journal,
            bell: bell.clone(),
            world: simulated.clone(),
            has_answered: false,
            executed: None,
        };
        let mut taken_up = (lease, machine, turn);
        let mut pauses = Vec::new();
        let ended = loop {
            let (lease, machine, turn) = taken_up;
            let driver = Driver {
                journal: &journal,
                lease,
                world: world.clone(),
                face: &mut face,
                bell: bell.clone(),
                detach: Arc::new(AtomicBool::new(false)),
                operator: approver(),
            };
            let ended = driver.run(machine, turn).await.expect("the journal works");
            let Ended::Paused(reason) = &ended else {
                break ended;
            };
            if pauses.len() == resumptions {
                break ended;
            }
            pauses.push(reason.clone());
            tokio::time::sleep(Duration::from_secs(60)).await;
            let now = stackgate::runtime::now();
            let lease = journal
                .acquire(&id, "simulated", now, |_| true)
                .expect("nobody has it");
            let state = Execution::read::<_, anyhow::Error>(journal.events(&id, 0));
            let state = state.expect("they are its own");
            let (owner, none) = ("simulated".to_owned(), BTreeMap::new());
            let (machine, turn) = Machine::resume(state, owner, UnknownPolicy::Ask, none, now);
            taken_up = (lease, machine, turn);
        };
        let (executed, resident) = (face.executed, resident());
        let events: Result<Vec<Event>, JournalError> = journal.events(&id, 0).collect();
        let events = events.expect("the journal works");
        Outcome {
            ended,
            pauses,
            took: simulated.passed(),
            executed,
            state: Execution::replay(&events).expect("they are its own"),
            world: simulated.clone(),
            resident,
        }
    })
}

pub fn approver() -> Approver {
    Approver {
        arn: None,
        os_user: "ana".to_owned(),
        host: "laptop".to_owned(),
    }
}

/// Shows nothing, and approves what waits for an answer.
struct Approves<'a> {
    journal: &'a Journal,
    bell: Arc<Notify>,
    world: Simulated,
    has_answered: bool,
    executed: Option<(Duration, Duration)>,
}

impl Face for Approves<'_> {
    fn show(&mut self, events: &[Event], state: &Execution) {
        if events.iter().any(|e| e.kind.name() == "target_started") {
            let now = self.world.passed();
            self.executed.get_or_insert((now, now));
        }
        if let Some((_, last)) = &mut self.executed {
            *last = self.world.passed();
        }
        if state.awaits_answer()
            && !self.has_answered
            && let Some(request) = &state.approval
        {
            self.has_answered = true;
            let answer = InboxMessage::Answer(Decided {
                wave: None,
                decision: Decision::Approve,
                plan: request.plan,
                approver: approver(),
                origin: Origin::Command,
                at: stackgate::runtime::now(),
                summary: String::new(),
                covers: None,
            });
            let id = &state.id;
            self.journal
                .post(id, &answer, stackgate::runtime::now())
                .expect("the inbox takes it");
            self.bell.notify_one();
        }
    }

    fn tick(&mut self, _: Timestamp) {}

    fn interrupted(&mut self, _: &Execution) {}

    fn unread(&mut self, error: &JournalError) {
        panic!("{error}");
    }
}

/// Nobody to ask for secrets.
struct Nobody;

impl stackgate::action::secrets::SecretPrompt for Nobody {
    fn ask(&self, _: &str) -> Option<String> {
        None
    }
}
