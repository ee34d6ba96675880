//! The waves of a rollout: which target runs in which, by what `stackgate.yaml` says.

use std::path::Path;

use super::CliError;
use super::settings::{Values, WaveValues};
use super::targets::{concurrency_mode, region_concurrency};
use crate::action::command;
use crate::model::{
    CommandFile, Digest, Gate, OperationPreferences, Target, TargetSpec, Wave, WaveName, clean,
};

/// Returns the waves with their targets, each in the first wave that names it.
///
/// `root`: the project, of which commands may name files. `preferences`: what holds where a wave says nothing else. `is_narrowed`: whether flags chose among the targets, so
/// that a wave without any is left out instead of being a mistake.
pub(super) fn resolve(
    root: &Path,
    waves: &[WaveValues],
    specs: &[TargetSpec],
    preferences: &OperationPreferences,
    is_narrowed: bool,
) -> Result<Vec<Wave>, CliError> {
    if waves.is_empty() {
        return Ok(Vec::new());
    }
    let mut left: Vec<&Target> = specs.iter().map(|spec| &spec.target).collect();
    let mut found = Vec::new();
    for wave in waves {
        let is_member = wave.matcher();
        let (members, others): (Vec<_>, Vec<_>) = left.into_iter().partition(|t| is_member(t));
        left = others;
        if members.is_empty() {
            if is_narrowed || wave.is_rest() {
                continue;
            }
            return Err(CliError::message(format!(
                "{}: no target is left for wave `{}`",
                wave.place, wave.name
            ))
            .hint("a target runs in the first wave that names its account and region; check those of this wave and of the ones before"));
        }
        found.push(Wave {
            name: wave.name.clone(),
            targets: members.into_iter().cloned().collect(),
            preferences: own(&wave.values, preferences),
            gates: bound(root, wave)?,
            ended: Vec::new(),
        });
    }
    if !left.is_empty() {
        found.push(Wave {
            name: WaveName::rest(),
            targets: left.into_iter().cloned().collect(),
            preferences: None,
            gates: Vec::new(),
            ended: Vec::new(),
        });
    }
    Ok(found)
}

/// Returns the gates of a wave, whose commands are bound to the files that they name.
fn bound(root: &Path, wave: &WaveValues) -> Result<Vec<Gate>, CliError> {
    let mut gates = wave.gates.clone();
    for gate in &mut gates {
        bind(root, &wave.place.to_string(), gate)?;
    }
    Ok(gates)
}

/// Binds a gate to the files that its command names, as they are now. `place` is where the command stands.
pub(super) fn bind(root: &Path, place: &str, gate: &mut Gate) -> Result<(), CliError> {
    let command = match gate {
        Gate::Command(command) => command,
        Gate::Bake { .. } | Gate::Alarms(_) | Gate::Approval => return Ok(()),
    };
    let mut files = Vec::new();
    for word in command::named(root, &command.line) {
        let bytes = std::fs::read(root.join(word)).map_err(|error| {
            CliError::message(format!("{place}: `command`: `{}` cannot be read: {error}", clean(word)))
                .hint("a path is counted from the folder of stackgate.yaml; a program on the PATH is named without `/`")
        })?;
        files.push(CommandFile {
            path: word.to_owned(),
            digest: Digest::of(&bytes),
        });
    }
    command.files = files;
    Ok(())
}

/// Returns the preferences of a wave, where it has any of its own.
fn own(values: &Values, others: &OperationPreferences) -> Option<OperationPreferences> {
    let mut own = others.clone();
    if let Some(order) = &values.region_order {
        own.region_order.clone_from(order);
    }
    if let Some(how) = values.region_concurrency {
        own.region_concurrency = region_concurrency(Some(how));
    }
    if let Some(count) = values.max_concurrent {
        own.max_concurrent = count;
    }
    if let Some(count) = values.failure_tolerance {
        own.failure_tolerance = count;
    }
    if let Some(mode) = values.concurrency_mode {
        own.concurrency_mode = concurrency_mode(Some(mode));
    }
    (own != *others).then_some(own)
}

/// Says which of the waves have no target among those that were chosen.
pub(super) fn passed_over(waves: &[WaveValues], run: &[Wave]) -> Vec<String> {
    let is_run = |wave: &WaveValues| run.iter().any(|one| one.name == wave.name);
    let left = waves.iter().filter(|wave| !wave.is_rest() && !is_run(wave));
    left.map(|wave| {
        format!(
            "wave {} has no target among those that were chosen: neither it nor what stands after it is run",
            wave.name
        )
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::super::settings::Settings;
    use super::*;
    use crate::model::{AccountId, AlarmCheck, CountOrPercent, Region, StackName};

    fn waves(text: &str) -> Vec<WaveValues> {
        let text = format!("targetSets:\n  fleet:\n    waves:\n{text}");
        let settings = Settings::parse(text.as_bytes()).unwrap();
        let (values, _) = settings.choose(None, Some("fleet")).unwrap();
        values.waves.unwrap()
    }

    fn specs() -> Vec<TargetSpec> {
        let places = ["111111111111", "222222222222", "333333333333"]
            .into_iter()
            .flat_map(|account| ["eu-west-1", "us-east-1"].map(|region| (account, region)));
        let spec = |(account, region): (&str, &str)| TargetSpec {
            target: Target {
                account: AccountId::new(account).unwrap(),
                region: Region::new(region).unwrap(),
                stack: StackName::new("network").unwrap(),
            },
            role_arn: None,
            execute_role_arn: None,
        };
        places.map(spec).collect()
    }

    fn told(waves: &[Wave]) -> Vec<String> {
        let told = |wave: &Wave| {
            let places: Vec<String> = wave.targets.iter().map(Target::place).collect();
            format!("{}: {}", wave.name, places.join(" "))
        };
        waves.iter().map(told).collect()
    }

    #[test]
    fn targets_run_in_the_first_wave_that_names_them_and_the_others_last() {
        let waves = waves(
            "      - {name: canary, accounts: ['222222222222'], regions: [eu-west-1], bake: 10m, approval: true, max-concurrent: 50%}\n      - {name: europe, regions: [eu-west-1]}\n",
        );
        let preferences = OperationPreferences::default();
        let found = resolve(Path::new(""), &waves, &specs(), &preferences, false).unwrap();
        assert_eq!(
            told(&found),
            [
                "canary: 222222222222/eu-west-1",
                "europe: 111111111111/eu-west-1 333333333333/eu-west-1",
                "rest: 111111111111/us-east-1 222222222222/us-east-1 333333333333/us-east-1",
            ]
        );
        assert_eq!(found[0].gates, [Gate::Bake { minutes: 10 }, Gate::Approval]);
        let own = found[0].preferences.as_ref().unwrap();
        assert_eq!(own.max_concurrent, CountOrPercent::Percent(50));
        assert_eq!(own.failure_tolerance, preferences.failure_tolerance);
        assert_eq!(found[1].preferences, None);
    }

    #[test]
    fn a_wave_without_targets_is_a_mistake_unless_flags_chose_among_them() {
        let waves = waves(
            "      - {name: canary, accounts: ['444444444444'], approval: true}\n      - name: others\n",
        );
        let preferences = OperationPreferences::default();
        let error = resolve(Path::new(""), &waves, &specs(), &preferences, false).unwrap_err();
        let told = error.told().0;
        assert!(
            told.contains("stackgate.yaml:4:9: no target is left for wave `canary`"),
            "{told}"
        );
        let found = resolve(Path::new(""), &waves, &specs(), &preferences, true).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].name.as_str(), found[0].targets.len()),
            ("others", 6)
        );
        assert_eq!(
            passed_over(&waves, &found),
            [
                "wave canary has no target among those that were chosen: neither it nor what stands after it is run"
            ]
        );
    }

    #[test]
    fn without_waves_there_is_nothing_to_resolve() {
        let preferences = OperationPreferences::default();
        assert_eq!(
            resolve(Path::new(""), &[], &specs(), &preferences, false).unwrap(),
            []
        );
    }

    #[test]
    fn what_a_command_runs_is_bound_to_its_content() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("smoke.sh"), "one").unwrap();
        std::fs::write(root.path().join("urls.txt"), "two").unwrap();
        let preferences = OperationPreferences::default();
        let gates = |words: &str| {
            let wave = format!(
                "      - {{name: a, regions: [eu-west-1], bake: 5m, alarms: [errors, 'edge-*'], command: [{words}], command-timeout: 2h}}\n"
            );
            let found = resolve(root.path(), &waves(&wave), &specs(), &preferences, false);
            found.map(|found| found[0].gates.clone())
        };
        let found = gates("./smoke.sh, --strict, urls.txt, ''").unwrap();
        let names = ["errors", "edge-*"].map(|name| name.parse().unwrap());
        let alarms = AlarmCheck {
            names: names.to_vec(),
            minutes: 5,
        };
        assert_eq!(found[0], Gate::Alarms(alarms));
        let Gate::Command(command) = &found[1] else {
            panic!("{found:?}");
        };
        assert_eq!(command.timeout_minutes, 120);
        assert_eq!(command.line, ["./smoke.sh", "--strict", "urls.txt", ""]);
        let files: Vec<_> = command
            .files
            .iter()
            .map(|f| (f.path.as_str(), f.digest))
            .collect();
        let expected = [
            ("./smoke.sh", Digest::of(b"one")),
            ("urls.txt", Digest::of(b"two")),
        ];
        assert_eq!(files, expected);
        let Gate::Command(command) = &gates("sh, --urls=urls.txt").unwrap()[1] else {
            panic!();
        };
        assert_eq!(command.files.len(), 1);
        assert_eq!(command.files[0].path, "urls.txt");
        // On the `PATH`: no file of the project, whatever is called so there.
        std::fs::write(root.path().join("sh"), "three").unwrap();
        let Gate::Command(command) = &gates("sh, -c, 'true'").unwrap()[1] else {
            panic!();
        };
        assert_eq!(command.files, []);
        let (told, ..) = gates("./none.sh").unwrap_err().told();
        assert!(
            told.contains("stackgate.yaml:4:9: `command`: `./none.sh` cannot be read"),
            "{told}"
        );
    }
}
