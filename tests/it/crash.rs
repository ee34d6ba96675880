//! A deployment may die anywhere: taken up again, it ends as if it had never stopped, and no change is sent twice.
//!
//! What is on disk and what is in AWS can differ after every append to the journal and after every reply that
//! changed something. The binary dies at each of these points in turn, once by its own hand and once killed by the
//! proxy before it has the reply; and in the longest trial every run dies early, until one has nothing left to do.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;

use crate::support::output::Output;
use crate::support::process::Process;
use crate::support::proxy::{Fate, Fault, Proxy, Rule};
use crate::support::{Emulator, TestEnv};

const TEMPLATE: &str = r#"
Parameters:
  Value: {Type: String, Default: one}
Resources:
  Topic:
    Type: AWS::SNS::Topic
    Properties: {DisplayName: !Ref Value}
Outputs:
  Value: {Value: !Ref Value}
"#;

const POLICY: &str = r#"{"Statement": [{"Effect": "Deny", "Action": "Update:Delete", "Principal": "*", "Resource": "*"}]}"#;

const PLACES: [(&str, &str); 4] = [
    ("111111111111", "us-east-1"),
    ("111111111111", "eu-west-1"),
    ("222222222222", "us-east-1"),
    ("222222222222", "eu-west-1"),
];

/// Trials that run side by side: each one mostly waits.
const LANES: usize = 4;

/// What is deployed, and how that ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Story {
    /// Four stacks are made, and a policy and protection are set on each.
    Create,
    /// Four stacks are changed.
    Update,
    /// Four stacks are deleted.
    Delete,
    /// Two stacks that are not there and two that are: none is changed, and what was made for the plan is removed.
    Rejection,
}

/// Where the binary dies first.
#[derive(Debug, Clone, Copy)]
enum Death {
    /// Nowhere.
    Never,
    /// Right after the n-th append to the journal.
    AfterAppend(usize),
    /// When the n-th change has reached the emulator, before its reply is back.
    BeforeReply(usize),
}

/// What is left when all is over. Every trial of a story ends with the same.
#[derive(Debug, PartialEq)]
struct End {
    code: Option<i32>,
    outcome: Value,
    /// By `account/region`: what the journal says.
    said: BTreeMap<String, Value>,
    /// By `account/region`: the stack that is there.
    there: BTreeMap<String, There>,
    /// How often each change reached the emulator.
    mutations: BTreeMap<String, usize>,
}

#[derive(Debug, Default, PartialEq)]
struct There {
    status: Option<String>,
    outputs: BTreeMap<String, String>,
    change_sets: usize,
    policy: Option<Value>,
    is_protected: bool,
}

struct Trial {
    env: TestEnv,
    proxy: Proxy,
    story: Story,
}

impl Trial {
    fn new(story: Story) -> Trial {
        let env = TestEnv::on(Emulator::Ministack);
        env.write("templates/app.yaml", TEMPLATE);
        env.write("policy.json", POLICY);
        for (account, region) in PLACES {
            let exists = match story {
                Story::Create => false,
                Story::Update | Story::Delete => true,
                Story::Rejection => region == "us-east-1",
            };
            if exists {
                let status = env.cloud(account, region).create("app", TEMPLATE, &[]);
                assert_eq!(status, "CREATE_COMPLETE");
            }
        }
        let proxy = Proxy::start(&env.endpoint());
        let env = env.through(&proxy);
        let trial = Trial { env, proxy, story };
        if story == Story::Rejection {
            trial.env.run(&trial.deploy("--detach")).code(3);
        }
        trial
    }

    fn deploy(&self, approval: &'static str) -> Vec<&'static str> {
        let mut arguments = vec![
            "deploy",
            "app",
            "--accounts=111111111111,222222222222",
            "--regions=us-east-1,eu-west-1",
            "--max-concurrent=100%",
            "--region-concurrency=parallel",
            "--parameter=Value=two",
            approval,
        ];
        if self.story == Story::Create {
            arguments.extend(["--termination-protection", "--stack-policy=policy.json"]);
        }
        arguments
    }

    /// Runs the command that the story is about until it ends or dies. Returns nothing if it died.
    fn begin(&self, death: Death) -> Option<Output> {
        let arguments = match self.story {
            Story::Create | Story::Update => self.deploy("--yes=high"),
            Story::Delete => vec![
                "delete",
                "app",
                "--accounts=111111111111,222222222222",
                "--regions=us-east-1,eu-west-1",
                "--max-concurrent=100%",
                "--region-concurrency=parallel",
                "--yes=high",
            ],
            Story::Rejection => vec!["reject", "latest"],
        };
        match death {
            Death::Never => self.run(&arguments, None),
            Death::AfterAppend(append) => self.run(&arguments, Some(append)),
            Death::BeforeReply(number) => {
                self.proxy
                    .disturb(Rule::new(Fault::Kill).mutations().skip(number - 1));
                let process = self.env.start(&arguments);
                self.proxy.victim(process.victim());
                let output = self.finish(process);
                self.proxy.leave_alone();
                output
            }
        }
    }

    /// Runs the binary; `append` is the one after which it dies.
    fn run(&self, arguments: &[&str], append: Option<usize>) -> Option<Output> {
        let mut command = self.env.command(arguments);
        if let Some(append) = append {
            command.env("STACKGATE_CRASH_AFTER_APPEND", append.to_string());
        }
        self.finish(Process::start(command))
    }

    fn finish(&self, process: Process) -> Option<Output> {
        let output = self.env.finish(process);
        // A call that its process left behind still reaches the emulator, as it would reach AWS.
        self.proxy.wait_until("calls at rest", |calls| {
            calls.iter().all(|call| call.fate != Fate::Pending)
        });
        output.code.is_some().then_some(output)
    }

    /// Takes the execution up until it ends; `appends` are those after which one run after another dies.
    fn recover(&self, appends: &[usize]) -> Output {
        let mut appends = appends.iter().copied().cycle();
        for _ in 0..100 {
            let append = appends.next();
            let Some(mut output) = self.run(&["resume", "latest"], append) else {
                continue;
            };
            if output.code == Some(3) {
                // `--yes` died with its process, so somebody has to answer; a rejection was given and must be found.
                assert_ne!(self.story, Story::Rejection, "the answer is lost\n{output}");
                let plan = self.status()["plan"].as_str().unwrap().to_owned();
                let approve = ["approve", "latest", "--plan", &plan];
                match self.run(&approve, append) {
                    Some(answered) => output = answered,
                    None => continue,
                }
            }
            return output;
        }
        panic!("a hundred runs were not enough: {:#}", self.status());
    }

    fn status(&self) -> Value {
        let output = self.env.run(&["status", "latest", "--output=json"]);
        serde_json::from_str(&self.env.public(&output.success().raw)).unwrap()
    }

    fn end(&self, last: &Output) -> End {
        let status = self.status();
        let mut said = BTreeMap::new();
        for target in status["targets"].as_array().unwrap() {
            let text = |key: &str| target[key].as_str().unwrap();
            let facts = ["phase", "outcome", "outputs", "left"].map(|key| target[key].clone());
            said.insert(
                format!("{}/{}", text("account"), text("region")),
                facts.to_vec().into(),
            );
        }
        let mut there = BTreeMap::new();
        for (account, region) in PLACES {
            let cloud = self.env.cloud(account, region);
            let status = cloud
                .status("app")
                .filter(|status| status != "DELETE_COMPLETE");
            let seen = match status {
                None => There::default(),
                status => There {
                    status,
                    outputs: cloud.outputs("app"),
                    change_sets: cloud.change_sets("app").len(),
                    policy: cloud.policy("app"),
                    is_protected: cloud.is_protected("app"),
                },
            };
            there.insert(format!("{account}/{region}"), seen);
        }
        let mutations = self.proxy.mutations().into_iter();
        End {
            code: last.code,
            outcome: status["outcome"].clone(),
            said,
            there,
            mutations: mutations
                .map(|(key, count)| (self.env.public(&key), count))
                .collect(),
        }
    }
}

/// Returns how a story ends when nothing disturbs it, after checking that this is what was asked for.
fn undisturbed(story: Story) -> End {
    let trial = Trial::new(story);
    let output = trial.begin(Death::Never).expect("nothing disturbs it");
    let end = trial.end(&output);
    let (code, outcome) = match story {
        Story::Create | Story::Update | Story::Delete => (0, "succeeded"),
        Story::Rejection => (4, "rejected"),
    };
    output.code(code);
    assert_eq!(end.outcome, outcome);
    let mut mutations = BTreeMap::new();
    for (account, region) in PLACES {
        let is_new = story == Story::Rejection && region == "eu-west-1";
        let status = match story {
            Story::Create => Some("CREATE_COMPLETE"),
            Story::Update => Some("UPDATE_COMPLETE"),
            Story::Delete => None,
            Story::Rejection if is_new => None,
            Story::Rejection => Some("CREATE_COMPLETE"),
        };
        let value = match story {
            Story::Create | Story::Update => Some("two"),
            Story::Delete => None,
            Story::Rejection if is_new => None,
            Story::Rejection => Some("one"),
        };
        let there = &end.there[&format!("{account}/{region}")];
        assert_eq!(there.status.as_deref(), status, "{account}/{region}");
        assert_eq!(there.outputs.get("Value").map(String::as_str), value);
        if story == Story::Rejection {
            assert_eq!(there.change_sets, 0);
        }
        assert_eq!(there.policy.is_some(), story == Story::Create);
        assert_eq!(there.is_protected, story == Story::Create);
        let calls: &[&str] = match story {
            Story::Create => &[
                "CreateChangeSet",
                "ExecuteChangeSet",
                "SetStackPolicy",
                "UpdateTerminationProtection",
            ],
            Story::Update => &["CreateChangeSet", "ExecuteChangeSet"],
            Story::Delete => &["DeleteStack"],
            Story::Rejection if is_new => &["CreateChangeSet", "DeleteChangeSet", "DeleteStack"],
            Story::Rejection => &["CreateChangeSet", "DeleteChangeSet"],
        };
        for call in calls {
            mutations.insert(format!("{account}/{region}/app {call}"), 1);
        }
    }
    assert_eq!(end.mutations, mutations);
    end
}

/// Dies at the first, second, third … point until a run lives to its end. Returns how often it died.
fn die_everywhere(story: Story, expected: &End, death: fn(usize) -> Death) -> usize {
    let deaths = AtomicUsize::new(0);
    thread::scope(|scope| {
        for lane in 1..=LANES {
            let deaths = &deaths;
            scope.spawn(move || {
                for number in (lane..).step_by(LANES) {
                    let trial = Trial::new(story);
                    let lived = trial.begin(death(number));
                    let last = lived.clone().unwrap_or_else(|| trial.recover(&[]));
                    assert_eq!(
                        &trial.end(&last),
                        expected,
                        "{story:?}, {:?}\n{last}",
                        death(number)
                    );
                    if lived.is_some() {
                        return;
                    }
                    deaths.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    deaths.into_inner()
}

fn survives(story: Story, changes: usize) {
    let expected = undisturbed(story);
    let appends = die_everywhere(story, &expected, Death::AfterAppend);
    // How many inputs share a turn differs from run to run; that much cannot be less.
    assert!(appends >= 4, "it died after {appends} appends only");
    let replies = die_everywhere(story, &expected, Death::BeforeReply);
    assert_eq!(replies, changes, "every change has a reply to die before");

    // The first append of a run that takes up only says so. The second may be an intent, of which nobody knows more
    // than that nothing was sent yet, so that a run which always died there would never get on.
    let trial = Trial::new(story);
    assert!(trial.begin(Death::AfterAppend(3)).is_none());
    let last = trial.recover(&[2, 3, 4]);
    assert_eq!(
        trial.end(&last),
        expected,
        "{story:?}, again and again\n{last}"
    );
}

#[test]
fn making_stacks_survives_death_at_any_point() {
    survives(Story::Create, 16);
}

#[test]
fn changing_stacks_survives_death_at_any_point() {
    survives(Story::Update, 8);
}

#[test]
fn deleting_stacks_survives_death_at_any_point() {
    survives(Story::Delete, 4);
}

#[test]
fn a_rejection_survives_death_at_any_point() {
    survives(Story::Rejection, 6);
}
