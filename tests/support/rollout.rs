//! A fleet with waves and two versions of a stack, of which the second cannot be deployed where something is in its way.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use stackgate::simulator::Chance;

use super::output::Output;
use super::proxy::Proxy;
use super::schema::assert_documented;
use super::{Cloud, Emulator, TestEnv};

/// The stack of both versions.
pub const STACK: &str = "app";

/// An account and a region, as tests write them.
pub type Place = (String, &'static str);

const REGIONS: [&str; 5] = [
    "us-east-1",
    "us-west-2",
    "eu-west-1",
    "eu-central-1",
    "ap-southeast-2",
];

/// The first version.
pub const FIRST: &str = r#"
Parameters:
  Value: {Type: String}
Resources:
  Setting:
    Type: AWS::SSM::Parameter
    Properties: {Name: /rollout/setting, Type: String, Value: !Ref Value}
"#;

/// What the second version adds, once it has changed what was there before.
const MORE: &str = r#"
  Other:
    Type: AWS::SSM::Parameter
    DependsOn: Setting
    Properties: {Name: /rollout/other, Type: String, Value: !Ref Added}
"#;

/// Returns the second version.
pub fn second() -> String {
    let added = "  Added: {Type: String, Default: more}\nResources:";
    format!("{}{MORE}", FIRST.replace("Resources:", added))
}

/// Says how to choose the same targets again, should the test fail.
pub struct Seed(pub u64);

impl Seed {
    /// Returns the seed of the environment, else `default`.
    pub fn or(default: u64) -> Seed {
        let asked = std::env::var("STACKGATE_SEED").ok();
        Seed(asked.map_or(default, |seed| {
            seed.parse().expect("STACKGATE_SEED is a number")
        }))
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the targets are those of STACKGATE_SEED={}", self.0);
        }
    }
}

/// The targets and the project that deploys to them.
pub struct Fleet {
    pub env: TestEnv,
    places: Vec<Place>,
}

impl Fleet {
    /// Returns a fleet of accounts in five regions, of which the first account is the canary. `preferences` are those of
    /// the set, a line each.
    pub fn new(emulator: Emulator, accounts: usize, preferences: &[&str]) -> Fleet {
        let env = TestEnv::on(emulator);
        let accounts: Vec<String> = (1..=accounts)
            .map(|digit| digit.to_string().repeat(12))
            .collect();
        let quoted: Vec<String> = accounts.iter().map(|id| format!("\"{id}\"")).collect();
        let preferences: String = preferences
            .iter()
            .map(|line| format!("    {line}\n"))
            .collect();
        env.write(
            "stackgate.yaml",
            &format!(
                "targetSets:\n  fleet:\n    accounts: [{}]\n    regions: [{}]\n{preferences}    waves:\n      \
                 - {{name: canary, accounts: [{}], failure-tolerance: 0}}\n      - name: others\n",
                quoted.join(", "),
                REGIONS.join(", "),
                quoted[0],
            ),
        );
        let in_account = |id: String| REGIONS.map(|region| (id.clone(), region));
        let places = accounts.into_iter().flat_map(in_account).collect();
        Fleet { env, places }
    }

    /// Sends the calls of the binary through a proxy.
    pub fn through(self, proxy: &Proxy) -> Fleet {
        let env = self.env.through(proxy);
        Fleet { env, ..self }
    }

    /// Returns all targets, those of the canary first.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Returns `count` targets that follow from the seed, none of them of the canary.
    pub fn chosen(&self, count: usize, seed: &Seed) -> BTreeSet<Place> {
        let chance = Chance::new(seed.0);
        let mut drawn: Vec<&Place> = self.places[REGIONS.len()..].iter().collect();
        drawn.sort_by(|a, b| chance.share(a).total_cmp(&chance.share(b)));
        drawn.into_iter().take(count).cloned().collect()
    }

    pub fn cloud(&self, (account, region): &Place) -> Cloud {
        self.env.cloud(account, region)
    }

    /// Puts in the way of the second version what it makes, or takes it away.
    pub fn block(&self, places: &BTreeSet<Place>, is_in_the_way: bool) {
        for place in places {
            match is_in_the_way {
                true => self.cloud(place).put_parameter("/rollout/other", "theirs"),
                false => self.cloud(place).delete_parameter("/rollout/other"),
            }
        }
    }

    /// Writes a version, with a value of its own for each target.
    pub fn write(&self, template: &str, version: &str) {
        self.env.write(&format!("templates/{STACK}.yaml"), template);
        for (account, region) in &self.places {
            let path = format!("parameter-overrides/{STACK}.{account}.{region}.json");
            let values = serde_json::json!({ "Value": value(version, account, region) });
            self.env.write(&path, &values.to_string());
        }
    }

    /// Returns the command that deploys what is written.
    pub fn deploy(&self) -> [&'static str; 5] {
        [
            "deploy",
            STACK,
            "--target-set=fleet",
            "--yes=high",
            "--output=json",
        ]
    }

    /// Checks that a stack, read past stackgate, is what a version makes of it.
    #[track_caller]
    pub fn assert_version(&self, place: &Place, template: &str, version: &str) {
        let (cloud, (account, region)) = (self.cloud(place), place);
        let at = format!("{account}/{region}, version {version}");
        assert_eq!(cloud.template(STACK), template, "{at}");
        let mut parameters = BTreeMap::new();
        let value = self.env.private(&value(version, account, region));
        parameters.insert("Value".to_owned(), value.clone());
        let other = template.contains("Added:").then(|| "more".to_owned());
        if let Some(other) = &other {
            parameters.insert("Added".to_owned(), other.clone());
        }
        assert_eq!(cloud.parameters(STACK), parameters, "{at}");
        // What the stack is said to hold is really there.
        assert_eq!(cloud.parameter("/rollout/setting"), Some(value), "{at}");
        let is_theirs = |found: &String| found == "theirs";
        let found = cloud.parameter("/rollout/other");
        assert_eq!(found.filter(|found| !is_theirs(found)), other, "{at}");
        assert_eq!(cloud.open_change_sets(STACK), Vec::<String>::new(), "{at}");
    }

    /// Checks the same of all targets.
    #[track_caller]
    pub fn assert_all(&self, template: &str, version: &str) {
        for place in &self.places {
            self.assert_version(place, template, version);
        }
    }

    /// Returns how often the stack began to be updated.
    pub fn updates(&self, place: &Place) -> usize {
        let begun = format!("{STACK} UPDATE_IN_PROGRESS");
        let events = self.cloud(place).events(STACK);
        events.iter().filter(|event| **event == begun).count()
    }

    /// Returns a document of the binary, which must be as its schema says.
    #[track_caller]
    pub fn document(&self, output: &Output) -> Value {
        let document = serde_json::from_str(&self.env.public(&output.raw))
            .unwrap_or_else(|error| panic!("{error}: {output}"));
        assert_documented(&document);
        document
    }

    /// Returns what the binary says of the newest execution.
    pub fn status(&self) -> Value {
        let output = self.env.run(&["status", "latest", "--output=json"]);
        self.document(output.success())
    }

    /// Returns how the targets of the newest execution ended, by the name of the outcome.
    pub fn outcomes(&self) -> BTreeMap<String, BTreeSet<Place>> {
        let status = self.status();
        let mut ended: BTreeMap<String, BTreeSet<Place>> = BTreeMap::new();
        for target in status["targets"].as_array().unwrap() {
            let outcome = match &target["outcome"] {
                Value::String(name) => name.clone(),
                Value::Object(named) => named.keys().next().unwrap().clone(),
                other => panic!("{target:#} has ended as {other}"),
            };
            let is_there = |(account, region): &&Place| {
                target["account"] == account.as_str() && target["region"] == *region
            };
            let place = self.places.iter().find(is_there);
            let place = place.unwrap_or_else(|| panic!("no target of the test: {target:#}"));
            let is_new = ended.entry(outcome).or_default().insert(place.clone());
            assert!(is_new, "twice: {target:#}");
        }
        ended
    }
}

fn value(version: &str, account: &str, region: &str) -> String {
    format!("{version} {account} {region}")
}
