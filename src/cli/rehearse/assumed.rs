//! What a rehearsal is made to meet: a file, and flags for what is asked most.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::{CliError, output};
use crate::model::{Region, Target, clean};
use crate::simulator::{Ends, Pattern, Percent, Rule, Scenario, ScenarioError};

/// The largest file that is read.
const LARGEST: usize = 1 << 20;

/// What is assumed about the world.
#[derive(Debug, Args)]
#[command(next_help_heading = "What happens")]
pub(super) struct AssumedArgs {
    /// A YAML file of rules that say what happens where
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// How many operations on stacks fail, in a region, an account, ACCOUNT/REGION, or everywhere
    #[arg(long, value_name = "[WHERE=]N%", value_parser = placed::<Percent>)]
    fail: Vec<Placed<Percent>>,
    /// How long operations on stacks take, such as `2m`, or `1m..4m` by chance
    #[arg(long, value_name = "[WHERE=]TIME[..TIME]", value_parser = placed::<Ends>)]
    duration: Vec<Placed<Ends>>,
    /// When nothing answers, counted from the beginning
    #[arg(long, value_name = "[WHERE=]FROM..TO", value_parser = outage)]
    down: Vec<Placed<Ends>>,
    /// How many calls are refused with `Throttling`
    #[arg(long, value_name = "[WHERE=]N%", value_parser = placed::<Percent>)]
    throttle: Vec<Placed<Percent>>,
}

/// What happens somewhere, and how it was given.
#[derive(Debug, Clone)]
struct Placed<T> {
    targets: Pattern,
    value: T,
    /// The value as it was given.
    text: String,
}

/// What is assumed, and in which words that is told.
#[derive(Debug)]
pub(super) struct Assumed {
    pub scenario: Scenario,
    pub given: Vec<String>,
}

impl AssumedArgs {
    /// Returns what is assumed; flags win over the file.
    pub(super) fn read(&self, targets: &[Target]) -> Result<Assumed, CliError> {
        let mut given = Vec::new();
        let mut scenario = match &self.scenario {
            Some(file) => {
                let scenario = read(file)?;
                let rules = scenario.rules.len();
                let plural = if rules == 1 { "" } else { "s" };
                given.push(format!("{rules} rule{plural} of {}", file.display()));
                scenario
            }
            None => Scenario::default(),
        };
        for (at, rule) in scenario.rules.iter().enumerate() {
            if let Some(pattern) = unmet(&rule.targets, targets) {
                output::stderr(&format!(
                    "note: rule {} is about {pattern}, where no target is\n",
                    at + 1
                ));
            }
        }
        let mut add = |flag: &str, targets_of: &Pattern, told: String, rule: Rule| {
            given.push(told);
            match unmet(targets_of, targets) {
                Some(pattern) => Err(CliError::message(format!(
                    "`{flag}` is about {pattern}, where no target is"
                ))
                .hint(format!("there are targets in {}", regions(targets)))),
                None => {
                    scenario.rules.push(Rule {
                        targets: targets_of.clone(),
                        ..rule
                    });
                    Ok(())
                }
            }
        };
        for one in &self.fail {
            let rule = Rule {
                fails: Some(one.value),
                ..Rule::default()
            };
            let told = format!(
                "{} of the operations fail{}{}",
                one.text,
                one.place(),
                drawn(one.value)
            );
            add("--fail", &one.targets, told, rule)?;
        }
        for one in &self.duration {
            let rule = Rule {
                duration: Some(one.value),
                ..Rule::default()
            };
            let told = format!("a stack takes {}{}", one.text, one.place());
            add("--duration", &one.targets, told, rule)?;
        }
        for one in &self.down {
            let rule = Rule {
                down: Some(one.value),
                ..Rule::default()
            };
            let told = format!(
                "nothing answers from {}{}",
                one.text.replace("..", " to "),
                one.place()
            );
            add("--down", &one.targets, told, rule)?;
        }
        for one in &self.throttle {
            let rule = Rule {
                throttled: Some(one.value),
                ..Rule::default()
            };
            let told = format!("{} of the calls are throttled{}", one.text, one.place());
            add("--throttle", &one.targets, told, rule)?;
        }
        Ok(Assumed { scenario, given })
    }
}

impl<T> Placed<T> {
    /// Returns where, as it goes on a sentence.
    fn place(&self) -> String {
        match self.targets == Pattern::default() {
            true => String::new(),
            false => format!(" in {}", self.targets),
        }
    }
}

/// Returns that each operation has its own chance, so that a share of one target is none or one.
fn drawn(share: Percent) -> &'static str {
    match 0.0 < share.0 && share.0 < 100.0 {
        true => ", each by chance",
        false => "",
    }
}

/// Returns the pattern where no target is meant by it.
fn unmet(pattern: &Pattern, targets: &[Target]) -> Option<String> {
    let is_met = targets.iter().any(|target| pattern.matches(target));
    (!is_met).then(|| pattern.to_string())
}

fn regions(targets: &[Target]) -> String {
    let mut regions: Vec<&Region> = targets.iter().map(|target| &target.region).collect();
    regions.sort();
    regions.dedup();
    let texts: Vec<&str> = regions.iter().map(|region| region.as_str()).collect();
    texts.join(", ")
}

fn placed<T>(text: &str) -> Result<Placed<T>, String>
where
    T: TryFrom<String, Error = ScenarioError>,
{
    let (targets, value) = match text.split_once('=') {
        Some((pattern, value)) => (Pattern::try_from(pattern.to_owned()), value),
        None => (Ok(Pattern::default()), text),
    };
    Ok(Placed {
        targets: targets.map_err(|error| error.to_string())?,
        value: T::try_from(value.to_owned()).map_err(|error| error.to_string())?,
        text: clean(value),
    })
}

fn outage(text: &str) -> Result<Placed<Ends>, String> {
    let placed = placed::<Ends>(text)?;
    match placed.value.0 < placed.value.1 {
        true => Ok(placed),
        false => Err("expected two times such as `10m..15m`, the earlier first".to_owned()),
    }
}

fn read(file: &Path) -> Result<Scenario, CliError> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file)
        .map_err(|error| CliError::unread("scenario", &name, error))?;
    if text.len() > LARGEST {
        return Err(CliError::message(format!(
            "scenario `{name}` is larger than 1 MB"
        )));
    }
    parse(&name, &text)
}

fn parse(name: &str, text: &str) -> Result<Scenario, CliError> {
    serde_yaml::from_str(text).map_err(|error| {
        CliError::yaml(name, &error).hint(
            "it has `rules:`, a list such as `- targets: eu-west-1` with `fails: 30%` or `duration: 1m..4m` below",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_about_a_place_or_about_all() {
        let everywhere = placed::<Percent>("30%").unwrap();
        assert_eq!(everywhere.targets, Pattern::default());
        assert_eq!(everywhere.place(), "");
        let there = placed::<Ends>("1111*/eu-west-1=1m..4m").unwrap();
        assert_eq!(there.place(), " in 1111*/eu-west-1");
        assert_eq!(there.text, "1m..4m");
        for text in [
            "=30%",
            "eu west=30%",
            "eu-west-1=30",
            "30",
            "eu-west-1=",
            "101%",
            "NaN%",
        ] {
            assert!(placed::<Percent>(text).is_err(), "{text}");
        }
        for text in ["5m", "15m..10m", "5m..5m", "10m.."] {
            assert!(outage(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_a_file_says_wrong_is_told_with_its_place() {
        for (text, expected) in [
            (
                "rules:\n  - fails: 30%\n    durations: 2m\n",
                "s.yaml:3:5: ",
            ),
            ("rules:\n  - duration: 4m..1m\n", "s.yaml:2:"),
            ("rules:\n  - fails: 30\n", "s.yaml:2:"),
            ("rules: [", "s.yaml:"),
        ] {
            let (message, hints) = parse("s.yaml", text).unwrap_err().told();
            assert!(message.starts_with(expected), "{text}: {message}");
            assert_eq!(hints.len(), 1);
        }
        let scenario = parse("s.yaml", "seed: 7\nrules: [{fails: 30%}]").unwrap();
        assert_eq!((scenario.seed, scenario.rules.len()), (7, 1));
    }
}
