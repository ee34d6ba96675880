//! The waves of a target set: which accounts and regions run first, how, and what is to be passed after them.

use std::collections::BTreeSet;

use super::{
    FILE, SettingsError, Values, known, list, malformed, of_entries, parsed, text, unexpected,
};
use crate::model::{AccountId, AlarmCheck, Gate, GateCommand, Region, Target, WaveName};
use crate::parameters::{Node, Object, Place, Value};

/// The keys of a wave.
pub(super) const KEYS: [&str; 13] = [
    "name",
    "accounts",
    "regions",
    "bake",
    "alarms",
    "command",
    "command-timeout",
    "approval",
    "max-concurrent",
    "failure-tolerance",
    "region-order",
    "region-concurrency",
    "concurrency-mode",
];

/// A wave, as it stands in the file.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct WaveValues {
    pub name: WaveName,
    pub place: Place,
    /// The accounts and regions, and preferences that differ from those of the other waves.
    pub values: Values,
    pub gates: Vec<Gate>,
}

impl WaveValues {
    /// Returns whether it takes all targets that are left.
    pub(in super::super) fn is_rest(&self) -> bool {
        self.values.accounts.is_none() && self.values.regions.is_none()
    }

    /// Returns a test for its targets.
    pub(in super::super) fn matcher(&self) -> impl Fn(&Target) -> bool {
        let accounts: Option<BTreeSet<AccountId>> = set(&self.values.accounts);
        let regions: Option<BTreeSet<Region>> = set(&self.values.regions);
        move |target| {
            accounts
                .as_ref()
                .is_none_or(|a| a.contains(&target.account))
                && regions.as_ref().is_none_or(|r| r.contains(&target.region))
        }
    }
}

fn set<T: Ord + Clone>(list: &Option<Vec<T>>) -> Option<BTreeSet<T>> {
    list.as_ref().map(|list| list.iter().cloned().collect())
}

/// Returns the waves of a target set.
pub(super) fn of(key: &str, node: &Node) -> Result<Vec<WaveValues>, SettingsError> {
    let items = match &node.value {
        Value::List(items) if !items.is_empty() => items,
        Value::List(_) | Value::Null | Value::Text(_) | Value::Object(_) => {
            return Err(unexpected(key, node, "a list of waves"));
        }
    };
    let mut waves: Vec<WaveValues> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let wave = one(key, item)?;
        let is_last = index + 1 == items.len();
        let problem = if waves.iter().any(|other| other.name == wave.name) {
            Some(format!("there is a wave `{}` already", wave.name))
        } else if wave.is_rest() && !is_last {
            Some(format!(
                "wave `{}` has neither `accounts` nor `regions`, which is for the last one: it takes all targets that are left",
                wave.name
            ))
        } else if wave.is_rest() && !wave.gates.is_empty() {
            Some("nothing comes after the last wave that could wait".to_owned())
        } else if !wave.is_rest() && wave.name == WaveName::rest() {
            Some(
                "`rest` is the wave of all targets that are left; name this one otherwise"
                    .to_owned(),
            )
        } else {
            None
        };
        if let Some(problem) = problem {
            return Err(malformed(key, item, &problem));
        }
        waves.push(wave);
    }
    Ok(waves)
}

fn one(key: &str, node: &Node) -> Result<WaveValues, SettingsError> {
    let mut entries = known(key, node, "a wave", &KEYS)?;
    let name = match entries.shift_remove("name") {
        Some(entry) => parsed("name", &entry.node)?,
        None => return Err(malformed(key, node, "a wave needs a `name`")),
    };
    let gates = gates(&mut entries)?;
    Ok(WaveValues {
        name,
        place: Place::at(FILE, node.position),
        values: of_entries(&entries)?,
        gates,
    })
}

/// How long a command may take where nothing is said, in minutes.
const COMMAND_MINUTES: u32 = 10;

/// Takes the gates out: time passes before a command runs, and that before anybody is asked.
fn gates(entries: &mut Object) -> Result<Vec<Gate>, SettingsError> {
    let mut gates = Vec::new();
    let bake = minutes("bake", entries)?;
    match (entries.shift_remove("alarms"), bake) {
        (Some(entry), bake) => gates.push(Gate::Alarms(AlarmCheck {
            names: list("alarms", &entry.node)?,
            minutes: bake.unwrap_or(0),
        })),
        (None, Some(minutes)) => gates.push(Gate::Bake { minutes }),
        (None, None) => {}
    }
    let timeout = entries.get("command-timeout").cloned();
    let timeout_minutes = minutes("command-timeout", entries)?;
    match (entries.shift_remove("command"), timeout) {
        (Some(entry), _) => {
            gates.push(Gate::Command(GateCommand {
                line: words(&entry.node)?,
                // Read when it is known what is planned.
                files: Vec::new(),
                timeout_minutes: timeout_minutes.unwrap_or(COMMAND_MINUTES),
            }));
        }
        (None, Some(timeout)) => {
            let problem = "the wave has no `command`";
            return Err(malformed("command-timeout", &timeout.node, problem));
        }
        (None, None) => {}
    }
    if let Some(entry) = entries.shift_remove("approval")
        && parsed("approval", &entry.node)?
    {
        gates.push(Gate::Approval);
    }
    Ok(gates)
}

/// Takes a time out.
fn minutes(key: &str, entries: &mut Object) -> Result<Option<u32>, SettingsError> {
    let Some(entry) = entries.shift_remove(key) else {
        return Ok(None);
    };
    super::super::deploy::minutes(&text(key, &entry.node)?)
        .map(Some)
        .map_err(|why| malformed(key, &entry.node, &format!("expected {why}")))
}

/// Returns the words of a command. An argument may be empty, the program not.
fn words(node: &Node) -> Result<Vec<String>, SettingsError> {
    let expected = "a list: the program and its arguments";
    let Value::List(items) = &node.value else {
        return Err(unexpected("command", node, expected));
    };
    let word = |item: &Node| match &item.value {
        Value::Text(word) => Ok(word.clone()),
        Value::Null | Value::List(_) | Value::Object(_) => {
            Err(unexpected("command", item, "a text"))
        }
    };
    let words: Vec<String> = items.iter().map(word).collect::<Result<_, _>>()?;
    match words.first() {
        Some(program) if !program.is_empty() => Ok(words),
        Some(_) | None => Err(unexpected("command", node, expected)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;

    fn read(waves: &str) -> Result<Settings, String> {
        let text = format!("targetSets:\n  fleet:\n    waves:\n{waves}");
        Settings::parse(text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn mistakes_in_waves_have_a_place() {
        for (waves, said) in [
            (
                "      canary\n",
                "stackgate.yaml:4:7: found a text for `waves`, expected a list of waves",
            ),
            (
                "      - accounts: ['111111111111']\n",
                "stackgate.yaml:4:9: `waves`: a wave needs a `name`",
            ),
            ("      - {name: a b}\n", "`a b` is not a wave name"),
            (
                "      - {name: a, bakes: 1h}\n",
                "stackgate.yaml:4:19: unknown key `bakes` in a wave; did you mean `bake`?",
            ),
            (
                "      - {name: a, regions: [eu-west-1], bake: soon}\n",
                "`bake`: expected a time such as",
            ),
            (
                "      - {name: a, regions: [eu-west-1], approval: maybe}\n",
                "`approval`: ",
            ),
            (
                "      - {name: a}\n      - {name: b, regions: [eu-west-1]}\n",
                "stackgate.yaml:4:9: `waves`: wave `a` has neither `accounts` nor `regions`",
            ),
            (
                "      - {name: a, regions: [eu-west-1]}\n      - {name: a, regions: [eu-west-2]}\n",
                "stackgate.yaml:5:9: `waves`: there is a wave `a` already",
            ),
            (
                "      - {name: a, bake: 1h}\n",
                "nothing comes after the last wave",
            ),
            (
                "      - {name: a, regions: [eu-west-1], alarms: ['*']}\n",
                "`alarms`: `*` is not the name of an alarm",
            ),
            (
                "      - {name: a, regions: [eu-west-1], alarms: errors}\n",
                "found a text for `alarms`, expected a list",
            ),
            (
                "      - {name: a, regions: [eu-west-1], command: ./smoke.sh}\n",
                "expected a list: the program and its arguments",
            ),
            (
                "      - {name: a, regions: [eu-west-1], command: []}\n",
                "expected a list: the program and its arguments",
            ),
            (
                "      - {name: a, regions: [eu-west-1], command: [a], command-timeout: 0m}\n",
                "`command-timeout`: expected a time from 1m to 60d",
            ),
            (
                "      - {name: a, regions: [eu-west-1], command-timeout: 5m}\n",
                "`command-timeout`: the wave has no `command`",
            ),
            (
                "      - {name: rest, regions: [eu-west-1]}\n",
                "name this one otherwise",
            ),
            (
                "      - {name: a, regions: [eu-west-1], max-concurrent: 0}\n",
                "0 would start nothing",
            ),
        ] {
            let error = read(waves).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
