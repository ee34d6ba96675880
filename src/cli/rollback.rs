//! `stackgate rollback`: a new execution that gives every stack that an earlier one changed its former template and
//! parameters back, newest first.

mod former;

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;

use self::former::{Former, Left};
use super::deploy::{RiskArg, answering};
use super::earlier::{Earlier, Since, only, tell};
use super::options::{Connection, Global};
use super::run::{self, Run, Start, block_on, connect};
use super::secret::secrets;
use super::{CliError, exit, newer, others, output, prompt};
use crate::action::inputs::TEMPLATE_PATHS;
use crate::action::source_local::{STORED, Stored};
use crate::artifact::Store;
use crate::aws::Aws;
use crate::journal::Journal;
use crate::model::{
    ActionCategory, ActionDeclaration, ArtifactRef, Digest, ExecutionDefinition, ExecutionId,
    FanOut, Follows, NOTES, OverrideLine, PipelineDeclaration, Region, SecretRef, SourceRevision,
    Target, TemplateBuckets,
};

/// Arguments of `rollback`.
#[derive(Debug, Args)]
pub(super) struct RollbackArgs {
    /// The execution, which has ended: its id, a unique part of it, or `latest`
    execution: String,
    /// Also roll back stacks that somebody else changed since, whose changes are lost
    #[arg(long)]
    include_changed: bool,
    /// Approve without asking, up to a level of risk; `--yes` alone is `--yes=medium`, and stops at high risk
    #[arg(long, value_enum, value_name = "RISK", num_args = 0..=1, require_equals = true,
          default_missing_value = "medium", conflicts_with = "detach")]
    yes: Option<RiskArg>,
    /// Leave, with exit code 3, when the plan waits for approval
    #[arg(long)]
    detach: bool,
    /// Where the former value of a secret parameter is, which cannot be read back: `env:NAME`, `file:PATH` or `prompt`
    #[arg(long = "secret", value_name = "KEY=REF")]
    secrets: Vec<String>,
    /// Capabilities that the former templates need and the execution did not acknowledge, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "CAPABILITY")]
    capabilities: Vec<String>,
    /// The bucket for former templates above 51,200 bytes, where the execution named none
    #[arg(long = "s3-bucket", value_name = "[REGION=]BUCKET[@ACCOUNT]")]
    s3_buckets: Vec<String>,
    #[command(flatten)]
    connection: Connection,
}

/// Runs `stackgate rollback`.
pub(super) fn rollback(global: &Global, args: &RollbackArgs) -> Result<u8, CliError> {
    let journal = Journal::open_existing(&global.state)?;
    let earlier = Earlier::of(&journal, &args.execution, &args.connection)?;
    newer::tell(&journal, &earlier)?;
    if earlier.view.deletes() {
        return Err(CliError::message(format!(
            "execution {} deleted stacks; what is deleted cannot be rolled back",
            earlier.id
        ))
        .hint("deploy the stacks again"));
    }
    let given = secrets(&args.secrets)?;
    let store = Store::open(&run::store_folder(journal.folder()))?;
    let id = ExecutionId::new(uuid::Uuid::now_v7().to_string()).map_err(CliError::failed)?;
    block_on(async {
        let aws = connect(&earlier.definition.invocation, Some(&id)).await?;
        run::same_way(&earlier.definition.invocation, &aws)?;
        let caller = aws.caller().await?;
        run::same_account(&earlier.definition, &caller)?;
        let (former, left) = former(&earlier, &store, &aws, args.include_changed).await?;
        let untouched: Vec<(&Target, String)> = left
            .iter()
            .map(|left| (&left.target, left.why.clone()))
            .collect();
        tell("not rolled back", &untouched);
        if former.is_empty() {
            output::stderr(&format!("execution {}: nothing to roll back\n", earlier.id));
            return Ok(exit::DONE);
        }
        let secrets = asked(&former, given)?;
        let notes = notes(&earlier.id, &former, &left);
        let mut definition = definition(&earlier, &store, &former, secrets, &notes)?;
        acknowledge(&mut definition.pipeline, &former, &args.capabilities)?;
        name_buckets(&mut definition.pipeline, &args.s3_buckets)?;
        let targets: Vec<Target> = former.iter().map(|f| f.target.clone()).collect();
        others::tell(&journal, &targets);
        let start = Start {
            global,
            journal: &journal,
            id,
            aws,
            caller,
            answering: answering(args.yes, args.detach),
            out: None,
            goes_on: false,
        };
        Run::start(start, definition).await
    })?
}

/// Returns what is rolled back, newest first, and what is not and why.
async fn former(
    earlier: &Earlier,
    store: &Store,
    aws: &Aws,
    include_changed: bool,
) -> Result<(Vec<Former>, Vec<Left>), CliError> {
    let (mut changed, mut left) = (Vec::new(), Vec::new());
    for target in earlier.view.targets() {
        match former::changed(target) {
            None => {}
            Some(Ok(())) => changed.push(target),
            Some(Err(why)) => left.push(Left {
                target: target.target().clone(),
                why,
            }),
        }
    }
    // The newest first: a sort keeps what ended together in order.
    changed.reverse();
    changed.sort_by_key(|target| std::cmp::Reverse(target.ended_at()));
    let since = earlier.since(aws, &changed).await;
    let mut former = Vec::new();
    for (target, since) in changed.into_iter().zip(since) {
        let is_unchanged = since == Since::Nothing;
        let why = match since {
            Since::Nothing => None,
            Since::Changed(what) => Some(format!("changed since: {what} (`--include-changed`)")),
            Since::NotRead(why) => Some(format!("could not be looked at: {why}")),
        };
        match why.filter(|_| !include_changed) {
            Some(why) => left.push(Left {
                target: target.target().clone(),
                why,
            }),
            None => former.push(Former::of(target, store, is_unchanged)?),
        }
    }
    Ok((former, left))
}

/// Returns where the former values are that cannot be read back, or says which are missing.
fn asked(
    former: &[Former],
    mut given: BTreeMap<String, SecretRef>,
) -> Result<BTreeMap<String, SecretRef>, CliError> {
    let asked: BTreeSet<&String> = former.iter().flat_map(|f| &f.asked).collect();
    if let Some(unknown) = given.keys().find(|name| !asked.contains(name)) {
        let names: Vec<&str> = asked.iter().map(|name| name.as_str()).collect();
        let message = format!("`--secret {unknown}=…`: no value of `{unknown}` is asked for");
        return Err(CliError::message(message).hint(match names.is_empty() {
            true => "leave it out: no former value is missing".to_owned(),
            false => format!("asked for: {}", names.join(", ")),
        }));
    }
    for name in asked {
        if given.contains_key(name) {
            continue;
        }
        let targets = former.iter().filter(|f| f.asked.contains(name)).count();
        if !output::is_interactive() {
            return Err(CliError::message(format!(
                "parameter `{name}` is secret, and the value that it had in {targets} of the stacks cannot be read back"
            ))
            .hint(format!(
                "name where that value is with `--secret {name}=env:VARIABLE` or `--secret {name}=file:PATH`"
            )));
        }
        output::stderr(&format!(
            "parameter `{name}` is secret: you will be asked for the value that it had before\n"
        ));
        given.insert(name.clone(), SecretRef::Prompt);
    }
    Ok(given)
}

/// Returns what a reviewer has to know beside the changes.
fn notes(earlier: &ExecutionId, former: &[Former], left: &[Left]) -> Vec<String> {
    let mut notes = vec![format!(
        "gives back the templates and parameters that the stacks had before execution {earlier}; tags, role and options stay \
         those of that execution, stack policies and termination protection stay as they are"
    )];
    let by_name = |of: fn(&Former) -> &BTreeSet<String>| {
        let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
        for name in former.iter().flat_map(of) {
            *counts.entry(name).or_default() += 1;
        }
        counts
    };
    for (name, targets) in by_name(|f| &f.asked) {
        notes.push(format!(
            "secret parameter `{name}`: its former value cannot be read back, and is asked for; targets: {targets}"
        ));
    }
    for (name, targets) in by_name(|f| &f.kept) {
        notes.push(format!(
            "secret parameter `{name}`: keeps its present value, which is the former one; targets: {targets}"
        ));
    }
    let overwritten = former.iter().filter(|f| !f.is_unchanged).count();
    if overwritten > 0 {
        notes.push(format!(
            "changed by somebody else since that execution, which is lost; targets: {overwritten}"
        ));
    }
    if !left.is_empty() {
        notes.push(format!(
            "not rolled back of what it changed; targets: {}",
            left.len()
        ));
    }
    notes
}

/// The folder of the artifact in which each target has its values.
const VALUES: &str = "rollback/stack";

/// Returns the execution that rolls back.
fn definition(
    earlier: &Earlier,
    store: &Store,
    former: &[Former],
    secrets: BTreeMap<String, SecretRef>,
    notes: &[String],
) -> Result<ExecutionDefinition, CliError> {
    let (files, paths) = files(former)?;
    let mut definition = earlier.definition.clone();
    definition.secrets = secrets;
    definition.allow_literal_secrets = false;
    definition.invocation.follows = Some(Follows::RollsBack(earlier.id.clone()));
    let pipeline = &mut definition.pipeline;
    let targets: Vec<&Target> = former.iter().map(|f| &f.target).collect();
    only(pipeline, &targets.iter().copied().collect());
    for action in actions(pipeline) {
        if let Some(fan_out) = &mut action.fan_out {
            turn_round(fan_out, &targets);
        }
    }
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
    set(NOTES, serde_json::json!(notes).to_string());
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
fn creation(pipeline: &mut PipelineDeclaration) -> Result<&mut ActionDeclaration, CliError> {
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

/// Turns the order of a rollout round: `order` of the targets, and the regions backwards.
fn turn_round(fan_out: &mut FanOut, order: &[&Target]) {
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
    // What the waves tried out first is not what has to be given back first.
    fan_out.waves.clear();
    let places: BTreeMap<&Target, usize> = order.iter().copied().zip(0..).collect();
    fan_out
        .targets
        .sort_by_key(|spec| places.get(&spec.target).copied());
}

/// Adds the capabilities that the former templates need, asking for those that nobody acknowledged.
fn acknowledge(
    pipeline: &mut PipelineDeclaration,
    former: &[Former],
    given: &[String],
) -> Result<(), CliError> {
    super::deploy::check_capabilities(given)?;
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

fn name_buckets(pipeline: &mut PipelineDeclaration, given: &[String]) -> Result<(), CliError> {
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
    use crate::model::{OperationPreferences, TargetSpec};

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
            waves: Vec::new(),
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
    }
}
