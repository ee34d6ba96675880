//! The waves of a target set: which accounts and regions run first, how, and what is to be passed after them.

use std::collections::BTreeSet;

use super::{FILE, SettingsError, Values, known, malformed, of_entries, parsed, text, unexpected};
use crate::model::{AccountId, Gate, Region, Target, WaveName};
use crate::parameters::{Node, Object, Place, Value};

/// The keys of a wave.
pub(super) const KEYS: [&str; 10] = [
    "name",
    "accounts",
    "regions",
    "bake",
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

/// Takes the gates out: time passes before anybody is asked.
fn gates(entries: &mut Object) -> Result<Vec<Gate>, SettingsError> {
    let mut gates = Vec::new();
    if let Some(entry) = entries.shift_remove("bake") {
        let minutes = super::super::deploy::minutes(&text("bake", &entry.node)?)
            .map_err(|why| malformed("bake", &entry.node, &format!("expected {why}")))?;
        gates.push(Gate::Bake { minutes });
    }
    if let Some(entry) = entries.shift_remove("approval")
        && parsed("approval", &entry.node)?
    {
        gates.push(Gate::Approval);
    }
    Ok(gates)
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
