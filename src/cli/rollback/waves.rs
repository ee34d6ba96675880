//! The waves of a rollback: those of the way forward, backwards.

use std::collections::{HashMap, HashSet};

use crate::model::{Target, Wave, WaveName};

/// What a reviewer is told of them.
pub(super) const NOTE: &str = "goes wave by wave, the one that came last first, each with the preferences of the whole operation; what was to be \
     passed between the waves on the way forward (bakes, alarms, commands, approvals) does not stand between them";

/// Returns `waves` backwards over `targets`, in their order; none where that leaves one wave.
///
/// What ran last is the least proven, so it goes back first; the canary, which was looked at longest, keeps what it has
/// until the others are back. What differs per wave was made for trying out what is new: it holds for the way forward only.
pub(super) fn turned_round<'a>(
    waves: Vec<Wave>,
    targets: impl Iterator<Item = &'a Target>,
) -> Vec<Wave> {
    // Targets that no wave names ran last.
    let mut names: Vec<WaveName> = waves.iter().map(|wave| wave.name.clone()).collect();
    names.push(WaveName::rest());
    let mut wave_of: HashMap<&Target, usize> = HashMap::new();
    for (index, wave) in waves.iter().enumerate() {
        for target in &wave.targets {
            wave_of.entry(target).or_insert(index);
        }
    }
    let mut members: Vec<Vec<Target>> = vec![Vec::new(); names.len()];
    let mut seen = HashSet::new();
    for target in targets {
        let index = wave_of.get(target).copied().unwrap_or(waves.len());
        if seen.insert(target)
            && let Some(members) = members.get_mut(index)
        {
            members.push(target.clone());
        }
    }
    let turned = names.into_iter().zip(members).rev();
    let turned = turned.filter(|(_, targets)| !targets.is_empty());
    let turned: Vec<Wave> = turned
        .map(|(name, targets)| Wave {
            name,
            targets,
            preferences: None,
            gates: Vec::new(),
            ended: Vec::new(),
        })
        .collect();
    match turned.len() {
        0 | 1 => Vec::new(),
        _ => turned,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Gate, OperationPreferences};

    fn target(name: &str) -> Target {
        Target {
            account: "111111111111".parse().unwrap(),
            region: "eu-west-1".parse().unwrap(),
            stack: name.parse().unwrap(),
        }
    }

    fn wave(name: &str, targets: &[&str]) -> Wave {
        Wave {
            name: WaveName::new(name).unwrap(),
            targets: targets.iter().map(|name| target(name)).collect(),
            preferences: Some(OperationPreferences::default()),
            gates: vec![Gate::Approval],
            ended: Vec::new(),
        }
    }

    fn told(waves: &[Wave]) -> Vec<(&str, Vec<&str>)> {
        waves
            .iter()
            .map(|wave| {
                assert_eq!((&wave.preferences, &wave.gates[..]), (&None, &[][..]));
                let targets = wave.targets.iter().map(|target| target.stack.as_str());
                (wave.name.as_str(), targets.collect())
            })
            .collect()
    }

    #[test]
    fn the_last_wave_goes_back_first_without_gates() {
        let targets = ["d", "c", "b", "a", "e"].map(target);
        let waves = vec![
            wave("canary", &["a"]),
            // A target is in the first wave that names it.
            wave("early", &["b", "a", "c"]),
        ];
        let turned = turned_round(waves, targets.iter());
        let expected = [
            ("rest", vec!["d", "e"]),
            ("early", vec!["c", "b"]),
            ("canary", vec!["a"]),
        ];
        assert_eq!(told(&turned), expected);
        // What takes a rollback back goes forward again.
        let again = turned_round(turned, targets.iter());
        let names: Vec<&str> = told(&again).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["canary", "early", "rest"]);
    }

    #[test]
    fn of_one_wave_nothing_is_left_to_order() {
        let canary = [target("a")];
        let waves = || vec![wave("canary", &["a"]), wave("others", &["b"])];
        assert_eq!(turned_round(waves(), canary.iter()), []);
        assert_eq!(turned_round(Vec::new(), canary.iter()), []);
        assert_eq!(turned_round(waves(), [].iter()), []);
    }
}
