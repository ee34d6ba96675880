//! A step that panics, through the real driver, journal and SDK.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use jiff::Timestamp;
use stackgate::action::World;
use stackgate::action::secrets::{SecretPrompt, Secrets};
use stackgate::artifact::Store;
use stackgate::aws::{Aws, Settings};
use stackgate::journal::{Journal, JournalError};
use stackgate::model::{Event, ExecutionId, OperationPreferences};
use stackgate::pipeline::{Execution, Machine};
use stackgate::runtime::{Driver, Face, now};
use tokio::sync::Notify;

use crate::support::scripted::Scripted;
use crate::support::simulated;

/// A client whose every call panics.
#[derive(Debug, Clone)]
struct Broken;

impl HttpClient for Broken {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Self)
    }
}

impl HttpConnector for Broken {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        panic!("the proof was wrong")
    }
}

struct Blind;

impl Face for Blind {
    fn show(&mut self, _: &[Event], _: &Execution) {}
    fn tick(&mut self, _: Timestamp) {}
    fn interrupted(&mut self, _: &Execution) {}
    fn unread(&mut self, _: &JournalError) {}
}

impl SecretPrompt for Blind {
    fn ask(&self, _: &str) -> Option<String> {
        None
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_that_panics_ends_the_run_and_gives_the_execution_back() {
    let project = tempfile::tempdir().unwrap();
    let template = "Resources:\n  Queue:\n    Type: AWS::SQS::Queue\n";
    std::fs::write(project.path().join("network.yaml"), template).unwrap();
    let preferences = OperationPreferences::default();
    let definition = simulated::definition(simulated::targets(1, 1), preferences, project.path());
    let settings = Settings {
        region: Some("eu-west-1".to_owned()),
        http_client: Some(SharedHttpClient::new(Broken)),
        credentials: Some(Scripted::credentials()),
        ..Settings::default()
    };
    let aws = Aws::connect(&settings).await.unwrap();
    let state = project.path().join(".stackgate");
    let journal = Journal::open(&state).unwrap();
    let id = ExecutionId::new("01938f5e-0000-7000-8000-000000000001").unwrap();
    let lease = journal.acquire(&id, "first", now(), |_| false).unwrap();
    let (machine, turn) = Machine::start(id.clone(), definition, now()).unwrap();
    let store = Store::open(&state.join("artifacts")).unwrap();
    let secrets = Secrets::new(BTreeMap::new(), false, Arc::new(Blind));
    let driver = Driver {
        journal: &journal,
        lease,
        world: Arc::new(World::new(aws, store, project.path().to_owned(), secrets)),
        face: &mut Blind,
        bell: Arc::new(Notify::new()),
        detach: Arc::new(AtomicBool::new(false)),
        operator: simulated::approver(),
    };
    // The clock is paused: these are ten minutes of the loop's own time.
    let ended = tokio::time::timeout(Duration::from_secs(600), driver.run(machine, turn)).await;
    let error = ended.expect("it does not wait for ever").unwrap_err();
    let text = error.to_string();
    let begin = "a step of 000000000001/eu-west-1/network ended unexpectedly: the proof was wrong;";
    assert!(text.starts_with(begin), "{text}");
    journal.acquire(&id, "second", now(), |_| false).unwrap();
}
