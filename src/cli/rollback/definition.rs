//! The execution that gives stacks back what they had.

use std::collections::{BTreeMap, BTreeSet};

use super::former::Former;
use super::waves;
use crate::action::inputs::TEMPLATE_PATHS;
use crate::action::source_local::{STORED, Stored};
use crate::artifact::Store;
use crate::cli::earlier::{Earlier, only};
use crate::cli::{CliError, deploy, prompt};
use crate::model::{
    ActionCategory, ActionDeclaration, ArtifactRef, Digest, ExecutionDefinition, FanOut, Follows,
    NEWEST_EVENTS, NOTES, OverrideLine, PipelineDeclaration, Region, SecretRef, SourceRevision,
    StackId, Target, TemplateBuckets,
};

/// The folder of the artifact in which each target has its values.
const VALUES: &str = "rollback/stack";

/// Returns the execution that rolls back.
pub(super) fn definition(
    earlier: &Earlier,
    store: &Store,
    former: &[Former],
    secrets: BTreeMap<String, SecretRef>,
    notes: &[String],
) -> Result<ExecutionDefinition, CliError> {
    let (files, paths) = files(former)?;
    let mut definition = earlier.followed(Follows::RollsBack(earlier.id.clone()));
    definition.secrets = secrets;
    definition.allow_literal_secrets = false;
    let pipeline = &mut definition.pipeline;
    // A rollback that fails is not rolled back.
    pipeline.ends_on_failure();
    let targets: Vec<&Target> = former.iter().map(|f| &f.target).collect();
    only(pipeline, &targets.iter().copied().collect());
    for action in actions(pipeline) {
        if let Some(fan_out) = &mut action.fan_out {
            turn_round(fan_out, &targets);
        }
    }
    let is_in_waves = pipeline
        .actions()
        .filter_map(|action| action.fan_out.as_ref())
        .any(|fan_out| !fan_out.waves.is_empty());
    let order = is_in_waves.then_some(waves::NOTE);
    let artifact = source(pipeline, |output| {
        store.put_zip(output, &files).map_err(CliError::failed)
    })?;
    let create = creation(pipeline)?;
    let at = |path: &str| format!("{}::{path}", artifact.name);
    let settings = &mut create.configuration;
    for gone in GONE {
        settings.shift_remove(gone);
    }
    let paths: Paths = paths
        .into_iter()
        .map(|(path, targets)| (at(&path), targets))
        .collect();
    let mut set = |key: &str, value: String| settings.insert(key.to_owned(), value);
    // Serialising maps and lists of texts cannot fail.
    set(TEMPLATE_PATHS, serde_json::json!(paths).to_string());
    set("TemplateConfiguration", at(VALUES));
    let events: BTreeMap<String, &Option<String>> = former
        .iter()
        .filter_map(|f| Some((f.target.to_string(), f.unchanged.as_ref()?)))
        .collect();
    set(NEWEST_EVENTS, serde_json::json!(events).to_string());
    let notes: Vec<&str> = notes.iter().map(String::as_str).chain(order).collect();
    set(NOTES, serde_json::json!(notes).to_string());
    let stacks: BTreeMap<&Target, &StackId> = former
        .iter()
        .filter_map(|f| Some((&f.target, f.stack.as_ref()?)))
        .collect();
    pipeline.mean_stacks(|target| stacks.get(target).copied().cloned());
    Ok(definition)
}

/// The files of an artifact, by path.
type Files = BTreeMap<String, Vec<u8>>;
/// The targets of each template, by its path.
type Paths = BTreeMap<String, BTreeSet<String>>;

/// Returns the former templates, each once, and the values of each target; in one file where all have the same.
fn files(former: &[Former]) -> Result<(Files, Paths), CliError> {
    let mut templates: BTreeMap<&Digest, String> = BTreeMap::new();
    let (mut files, mut paths) = (Files::new(), Paths::new());
    let mut places = BTreeSet::new();
    for one in former {
        let place = one.target.place();
        if !places.insert(place.clone()) {
            return Err(CliError::message(format!(
                "the execution has two stacks in {place}, which cannot be rolled back together"
            )));
        }
        let number = templates.len() + 1;
        let path = templates.entry(&one.digest).or_insert_with(|| {
            let path = format!("former/{number}.yaml");
            files.insert(path.clone(), one.text.clone());
            path
        });
        let targets = paths.entry(path.clone()).or_default();
        targets.insert(one.target.to_string());
    }
    let values = former.iter().map(Former::values);
    let values = values.collect::<Result<Vec<_>, _>>()?;
    match values.split_first() {
        Some((first, others)) if others.iter().all(|other| other == first) => {
            files.insert(format!("{VALUES}.json"), first.clone());
        }
        Some(_) | None => {
            for (one, values) in former.iter().zip(values) {
                let (account, region) = (&one.target.account, &one.target.region);
                files.insert(format!("{VALUES}.{account}.{region}.json"), values);
            }
        }
    }
    Ok((files, paths))
}

/// What the earlier execution asked for that is not asked for again: its own template and values, and what is done once.
const GONE: [&str; 11] = [
    "TemplatePath",
    TEMPLATE_PATHS,
    "TemplateConfiguration",
    "ParameterOverrides",
    OverrideLine::KEY,
    "ArtifactBucket",
    "Tags",
    "StackPolicy",
    "TerminationProtection",
    "ImportExistingResources",
    "ResourcesToImport",
];

fn actions(pipeline: &mut PipelineDeclaration) -> impl Iterator<Item = &mut ActionDeclaration> {
    pipeline.stages.iter_mut().flat_map(|s| &mut s.actions)
}

/// Returns the action that makes the change sets.
pub(super) fn creation(
    pipeline: &mut PipelineDeclaration,
) -> Result<&mut ActionDeclaration, CliError> {
    let is_creation = |action: &&mut ActionDeclaration| {
        let settings = &action.configuration;
        settings.contains_key("TemplatePath") || settings.contains_key(TEMPLATE_PATHS)
    };
    let mut found = actions(pipeline).filter(is_creation);
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => Err(CliError::message(
            "the pipeline makes change sets in several actions, which cannot be rolled back together",
        )),
        (None, _) => Err(CliError::message("the execution makes no change sets")),
    }
}

/// Makes the source action give what is rolled back to.
fn source(
    pipeline: &mut PipelineDeclaration,
    store: impl FnOnce(crate::model::ArtifactName) -> Result<ArtifactRef, CliError>,
) -> Result<ArtifactRef, CliError> {
    let mut sources =
        actions(pipeline).filter(|action| action.action_type_id.category == ActionCategory::Source);
    let named = sources.next().and_then(|action| {
        let output = action.output_artifacts.first()?.name.clone();
        Some((action, output))
    });
    let (Some((action, output)), None) = (named, sources.next()) else {
        return Err(CliError::message(
            "the pipeline has not one source, which cannot be rolled back",
        ));
    };
    let artifact = store(output)?;
    let stored = Stored {
        artifact: artifact.clone(),
        // It was made from no commit: the templates are those of the stacks.
        revision: SourceRevision::default(),
    };
    action.configuration.clear();
    let json = serde_json::to_string(&stored).map_err(CliError::failed)?;
    action.configuration.insert(STORED.to_owned(), json);
    Ok(artifact)
}

/// Turns the order of a rollout round: `order` of the targets, and the regions and waves backwards.
pub(super) fn turn_round(fan_out: &mut FanOut, order: &[&Target]) {
    let mut regions: Vec<Region> = Vec::new();
    let named = fan_out.preferences.region_order.iter();
    let used = fan_out.targets.iter().map(|spec| &spec.target.region);
    for region in named.chain(used) {
        if !regions.contains(region) {
            regions.push(region.clone());
        }
    }
    regions.reverse();
    fan_out.preferences.region_order = regions;
    let places: BTreeMap<&Target, usize> = order.iter().copied().zip(0..).collect();
    fan_out
        .targets
        .sort_by_key(|spec| places.get(&spec.target).copied());
    let targets = fan_out.targets.iter().map(|spec| &spec.target);
    fan_out.waves = waves::turned_round(std::mem::take(&mut fan_out.waves), targets);
}

/// Adds the capabilities that the former templates need, asking for those that nobody acknowledged.
pub(super) fn acknowledge(
    pipeline: &mut PipelineDeclaration,
    former: &[Former],
    given: &[String],
) -> Result<(), CliError> {
    deploy::check_capabilities(given)?;
    let create = creation(pipeline)?;
    let known = create.configuration.get("Capabilities");
    let known = known.map(String::as_str).unwrap_or_default().split(',');
    let mut all: BTreeSet<String> = known
        .map(str::trim)
        .filter(|c| !c.is_empty())
        .map(str::to_owned)
        .collect();
    all.extend(given.iter().cloned());
    let needed = former.iter().flat_map(|f| f.capabilities.iter());
    let missing: BTreeSet<String> = needed
        .filter(|c| {
            let by_more = *c == "CAPABILITY_IAM" && all.contains("CAPABILITY_NAMED_IAM");
            !(all.contains(*c) || by_more)
        })
        .cloned()
        .collect();
    if !missing.is_empty() {
        let list = missing.iter().cloned().collect::<Vec<_>>().join(",");
        if !prompt::confirm(&format!("The former templates need {list}. Acknowledge?")) {
            return Err(CliError::message(format!(
                "the former templates need capabilities that were not acknowledged: {list}"
            ))
            .hint(format!("add `--capabilities {list}`")));
        }
        all.extend(missing);
    }
    if !all.is_empty() {
        let list = all.into_iter().collect::<Vec<_>>().join(",");
        let settings = &mut creation(pipeline)?.configuration;
        settings.insert("Capabilities".to_owned(), list);
    }
    Ok(())
}

pub(super) fn name_buckets(
    pipeline: &mut PipelineDeclaration,
    given: &[String],
) -> Result<(), CliError> {
    if given.is_empty() {
        return Ok(());
    }
    let buckets = TemplateBuckets::parse(given.iter().map(String::as_str))
        .map_err(|error| CliError::usage(anyhow::Error::new(error).context("`--s3-bucket`")))?;
    let settings = &mut creation(pipeline)?.configuration;
    settings.insert("TemplateBuckets".to_owned(), buckets.to_string());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Gate, OperationPreferences, TargetSpec, Wave, WaveName};

    fn target(place: &str) -> Target {
        let (account, region) = place.split_once('/').unwrap();
        Target {
            account: account.parse().unwrap(),
            region: region.parse().unwrap(),
            stack: "app".parse().unwrap(),
        }
    }

    #[test]
    fn the_newest_target_and_the_last_region_come_first() {
        let places = [
            "111111111111/eu-west-1",
            "222222222222/eu-west-1",
            "111111111111/us-east-1",
            "222222222222/us-east-1",
        ];
        let all = places.map(target);
        let spec = |target: &Target| TargetSpec {
            target: target.clone(),
            role_arn: None,
            execute_role_arn: None,
        };
        let mut fan_out = FanOut {
            waves: vec![Wave {
                name: WaveName::new("canary").unwrap(),
                targets: vec![all[3].clone()],
                preferences: None,
                gates: vec![Gate::Approval],
                ended: Vec::new(),
            }],
            targets: all.iter().map(spec).collect(),
            preferences: OperationPreferences {
                region_order: vec!["us-east-1".parse().unwrap()],
                ..OperationPreferences::default()
            },
        };
        turn_round(&mut fan_out, &[&all[1], &all[0], &all[3], &all[2]]);
        let regions = fan_out.preferences.region_order.iter();
        let regions: Vec<&str> = regions.map(Region::as_str).collect();
        assert_eq!(regions, ["eu-west-1", "us-east-1"]);
        let order = fan_out.targets.iter().map(|spec| spec.target.place());
        let order: Vec<String> = order.collect();
        assert_eq!(order, [places[1], places[0], places[3], places[2]]);
        let waves = fan_out.waves.iter().map(|wave| wave.targets.len());
        assert_eq!(waves.collect::<Vec<_>>(), [3, 1]);
        assert_eq!(fan_out.waves[1].targets, [all[3].clone()]);
    }
}
