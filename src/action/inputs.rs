//! What goes into a change set of one target, read from the action's artifacts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexMap;

use super::world::{Artifacts, Sent, World};
use super::{bad_input, cloudformation, package, present};
use crate::aws::{LookUps, ObjectContent, StackRef, TEMPLATE_ENDING};
use crate::diff::{self, DefaultDiff};
use crate::model::options::policy;
use crate::model::{
    ActionDeclaration, ArtifactName, ArtifactPath, BucketObject, CallFailure, Digest,
    EffectiveParameter, FailureKind, LARGEST_TEMPLATE, Layer, Lookup, OverrideLine, ParameterValue,
    Priority, SecretRef, StackOptions, StackStatus, StackSummary, TargetInputs, TargetSpec,
    Uploads, goes_through_bucket,
};
use crate::parameters::{
    ArtifactAttribute, OverrideFile, Request, choose_file, evaluate, layer_files, lookups,
    overridden, parse_override_file, parse_overrides, resolve,
};
use crate::template::Template;

/// Returns what goes into the change set of a target whose stack is `stack`.
pub(super) async fn collect(
    world: &World,
    spec: &TargetSpec,
    action: &ActionDeclaration,
    artifacts: &Artifacts,
    stack: Option<&StackSummary>,
) -> Result<TargetInputs, CallFailure> {
    let setting = |key: &str| action.configuration.get(key).map(String::as_str);
    let given = Given::of(world, spec, action, artifacts)?;
    let path = &given.template_path;
    let packaged = package::packaged(world, spec, action, artifacts, path).await?;
    let (packaged, objects) = match packaged {
        Some(package::Packaged {
            digest, objects, ..
        }) => (Some(digest), objects),
        None => (None, Vec::new()),
    };
    let previous: &[String] = stack.map(|s| &s.parameters[..]).unwrap_or_default();
    let looked_up = given.look_up(world, spec, previous).await?;
    let request = given.request(world, previous, Some(&looked_up));
    let resolved = resolve(&request).map_err(|e| bad_input(&e))?;
    let capabilities: BTreeSet<String> = setting("Capabilities")
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|c| !c.is_empty())
        .map(str::to_owned)
        .collect();
    // The action's own wins over those of files, as its tags and parameters do.
    let own_policy = setting("StackPolicy").map(str::to_owned);
    let stack_policy = own_policy
        .or(resolved.stack_policy)
        .map(|text| policy(&text).map_err(|e| bad_input(&e)))
        .transpose()?;
    let options =
        StackOptions::from_configuration(&action.configuration).map_err(|e| bad_input(&e))?;
    let mut inputs = TargetInputs {
        template: given.template_path,
        template_digest: given.template_digest,
        packaged,
        uploads: Uploads {
            template: None,
            packaged: objects,
        },
        parameters: resolved.parameters,
        tags: resolved.tags,
        capabilities,
        role_arn: setting("RoleArn").map(|r| spec.target.fill(r)),
        stack_policy,
        options: options.filled(&spec.target),
    };
    inputs.uploads.template = upload(world, spec, action, artifacts, &inputs).await?;
    Ok(inputs)
}

/// Puts the template of a target into its bucket where it is too large for a request, so that it is on record which version
/// of it is sent before anything is.
async fn upload(
    world: &World,
    spec: &TargetSpec,
    action: &ActionDeclaration,
    artifacts: &Artifacts,
    inputs: &TargetInputs,
) -> Result<Option<BucketObject>, CallFailure> {
    let buckets = action.configuration.get("TemplateBuckets");
    // Where no bucket is named, the template need not be read for its size.
    let Some(bucket) = cloudformation::bucket(spec, buckets.map(String::as_str))? else {
        return Ok(None);
    };
    let (_, text) = template_of(world, inputs, artifacts)?;
    if !goes_through_bucket(text.len()) || text.len() > LARGEST_TEMPLATE {
        return Ok(None);
    }
    let content = ObjectContent::of(text.as_bytes());
    let put = world
        .aws
        .put_object(spec, &bucket, TEMPLATE_ENDING, content);
    put.await.map(Some)
}

/// The parameters of a target, explained.
#[derive(Debug, Clone)]
pub struct Explained {
    /// Whether the stack exists, and so has values of its own.
    pub stack_exists: bool,
    /// Each effective parameter, and what it won over, the strongest first.
    pub parameters: Vec<WithOthers>,
    /// The values that the stack has, of parameters that are no secrets.
    pub present: BTreeMap<String, String>,
    /// How the defaults change of parameters that keep their values.
    pub defaults: BTreeMap<String, DefaultDiff>,
}

/// An effective parameter, and what it won over.
type WithOthers = (EffectiveParameter, Vec<EffectiveParameter>);

/// Returns the effective parameters of a target, as its change set would have them.
pub async fn explain(
    world: &World,
    spec: &TargetSpec,
    action: &ActionDeclaration,
    artifacts: &Artifacts,
) -> Result<Explained, CallFailure> {
    world.aws.caller_at(spec).await?;
    let by_name = StackRef::Name(&spec.target.stack);
    let found = world
        .aws
        .stack_and_parameters(spec, by_name, Priority::Read);
    // One that is in review has never had any.
    let found = found
        .await?
        .filter(|(stack, _)| stack.status != StackStatus::ReviewInProgress);
    let stack = found.as_ref().map(|(stack, _)| stack);
    let (template, parameters) = explained(world, spec, action, artifacts, stack).await?;
    let mut explained = Explained {
        stack_exists: stack.is_some(),
        parameters,
        present: BTreeMap::new(),
        defaults: BTreeMap::new(),
    };
    let Some((stack, values)) = found else {
        return Ok(explained);
    };
    // Which values are secret the stack's own template says, too: without it none is shown.
    let Some(before) = present::template_of_stack(world, spec, &stack).await? else {
        return Ok(explained);
    };
    let given = explained.parameters.iter().map(|(one, _)| one);
    explained.present = present::open(&world.secrets.texts(), values, &before, &template, given);
    let kept = explained.parameters.iter().map(|(one, _)| one);
    let kept = kept.filter(|one| one.value == ParameterValue::Previous);
    explained.defaults = kept
        .filter_map(|one| {
            let value = explained.present.get(&one.name).map(String::as_str);
            let default = diff::kept_default(&one.name, value, &before, &template)?;
            Some((one.name.clone(), default))
        })
        .collect();
    Ok(explained)
}

/// Returns the template of a target, and the effective parameters where its stack is `stack`, each with what it won over.
pub(super) async fn explained(
    world: &World,
    spec: &TargetSpec,
    action: &ActionDeclaration,
    artifacts: &Artifacts,
    stack: Option<&StackSummary>,
) -> Result<(Arc<Template>, Vec<WithOthers>), CallFailure> {
    let given = Given::of(world, spec, action, artifacts)?;
    let previous = stack.map(|s| &s.parameters[..]).unwrap_or_default();
    let looked_up = given.look_up(world, spec, previous).await?;
    let request = given.request(world, previous, Some(&looked_up));
    let resolved = resolve(&request).map_err(|e| bad_input(&e))?;
    let explained = resolved.parameters.into_iter().map(|winner| {
        let others = overridden(&request, &winner);
        (winner, others)
    });
    let explained = explained.collect();
    Ok((given.template, explained))
}

/// Whoever gave flags was told of them before anything was asked of AWS.
const NO_FLAGS: &BTreeMap<String, &str> = &BTreeMap::new();

/// What the artifacts of an action give for a target.
struct Given {
    template_path: ArtifactPath,
    template_digest: Digest,
    template: Arc<Template>,
    files: Vec<(Layer, OverrideFile)>,
    /// Where the secrets of this target are, where they are not those of all.
    secrets: Option<BTreeMap<String, SecretRef>>,
    overrides: IndexMap<String, String>,
    origins: BTreeMap<String, OverrideLine>,
    tags: BTreeMap<String, String>,
}

impl Given {
    fn of(
        world: &World,
        spec: &TargetSpec,
        action: &ActionDeclaration,
        artifacts: &Artifacts,
    ) -> Result<Self, CallFailure> {
        let setting = |key: &str| action.configuration.get(key).map(String::as_str);
        let own = match setting(TEMPLATE_PATHS) {
            Some(json) => Some(own_template(spec, action, json)?),
            None => None,
        };
        let template_path: ArtifactPath = own
            .as_deref()
            .or(setting("TemplatePath"))
            .ok_or_else(|| bad(format!("action `{}` names no `TemplatePath`", action.name)))?
            .parse()
            .map_err(|e| bad_input(&e))?;
        let bytes = world.file(artifacts, &template_path)?;
        let (template_digest, template) = world.template(&template_path.path, &bytes)?;
        let files = override_files(world, spec, setting("TemplateConfiguration"), artifacts)?;
        let overrides = match setting("ParameterOverrides") {
            Some(json) => evaluate_overrides(world, action, json, artifacts)?,
            None => IndexMap::new(),
        };
        let origins = match setting(OverrideLine::KEY) {
            Some(json) => serde_json::from_str(json).map_err(|e| {
                bad(format!(
                    "`{}` of action `{}` is no map of files and lines: {e}",
                    OverrideLine::KEY,
                    action.name
                ))
            })?,
            None => BTreeMap::new(),
        };
        let tags = match setting("Tags") {
            Some(json) => serde_json::from_str(json).map_err(|e| {
                bad(format!(
                    "`Tags` of action `{}` is no map of texts: {e}",
                    action.name
                ))
            })?,
            None => BTreeMap::new(),
        };
        let references = world.secrets.references();
        let secrets = own.map(|_| secrets_of(references, &template, &files));
        Ok(Self {
            secrets,
            template_path,
            template_digest,
            template,
            files,
            overrides,
            origins,
            tags,
        })
    }

    /// Looks the values up that win, one after another; every one that is not there is told of at once.
    async fn look_up(
        &self,
        world: &World,
        spec: &TargetSpec,
        previous: &[String],
    ) -> Result<BTreeMap<Lookup, String>, CallFailure> {
        let mut look_ups = LookUps::new(&world.aws, spec);
        let mut found = BTreeMap::new();
        let mut missing = Vec::new();
        for (lookup, place) in lookups(&self.request(world, previous, None)) {
            match look_ups.value(&lookup).await? {
                Ok(value) => {
                    found.insert(lookup, value);
                }
                Err(why) => missing.push(format!("{place}: {lookup}: {why}")),
            }
        }
        if missing.is_empty() {
            Ok(found)
        } else {
            missing.sort();
            let problems = missing.iter().map(String::as_str);
            Err(CallFailure::several(FailureKind::BadInput, problems))
        }
    }

    fn request<'a>(
        &'a self,
        world: &'a World,
        previous: &'a [String],
        looked_up: Option<&'a BTreeMap<Lookup, String>>,
    ) -> Request<'a> {
        Request {
            declared: self.template.parameters(),
            file: self.template.file(),
            files: &self.files,
            overrides: &self.overrides,
            origins: &self.origins,
            flags: NO_FLAGS,
            secrets: match &self.secrets {
                Some(own) => own,
                None => world.secrets.references(),
            },
            allow_literal_secrets: world.secrets.allows_literals(),
            previous,
            tags: &self.tags,
            artifact: &self.template_path.artifact,
            looked_up,
        }
    }
}

/// The setting of an action whose targets have different templates: a JSON object with the targets of each path.
pub const TEMPLATE_PATHS: &str = "TemplatePaths";

/// Returns the path of the template that a target has for itself.
fn own_template(
    spec: &TargetSpec,
    action: &ActionDeclaration,
    json: &str,
) -> Result<String, CallFailure> {
    let paths: BTreeMap<String, BTreeSet<String>> = serde_json::from_str(json).map_err(|e| {
        bad(format!(
            "`{TEMPLATE_PATHS}` of action `{}` is no map of paths and targets: {e}",
            action.name
        ))
    })?;
    let name = spec.target.to_string();
    let mut own = paths
        .into_iter()
        .filter(|(_, targets)| targets.contains(&name));
    own.next().map(|(path, _)| path).ok_or_else(|| {
        bad(format!(
            "`{TEMPLATE_PATHS}` of action `{}` names no template of {name}",
            action.name
        ))
    })
}

/// Returns those of the secrets that a target takes whose template and values are its own: what its template declares, and
/// no file of its own keeps as it is.
fn secrets_of(
    all: &BTreeMap<String, SecretRef>,
    template: &Template,
    files: &[(Layer, OverrideFile)],
) -> BTreeMap<String, SecretRef> {
    let is_kept = |name: &String| {
        let values = files.iter().filter_map(|(_, f)| f.parameters.get(name));
        values.into_iter().any(|value| value.use_previous)
    };
    let own = all
        .iter()
        .filter(|(name, _)| template.parameters().contains_key(*name) && !is_kept(name));
    own.map(|(name, reference)| (name.clone(), reference.clone()))
        .collect()
}

/// Returns the template that `inputs` send, and its bytes as text.
pub(super) fn template_of(
    world: &World,
    inputs: &TargetInputs,
    artifacts: &Artifacts,
) -> Result<Sent, CallFailure> {
    let file = &inputs.template;
    world.sent(inputs.packaged.unwrap_or(inputs.template_digest), || {
        let bytes = match &inputs.packaged {
            None => world.file(artifacts, file)?,
            Some(digest) => world.store.blob(digest).map_err(|e| bad_input(&e))?,
        };
        Ok((file.path.clone(), bytes))
    })
}

/// Returns the layered override files that the artifact has for the target, weakest first.
///
/// `TemplateConfiguration` names either one file, as in CodePipeline, or the base name of layers.
fn override_files(
    world: &World,
    spec: &TargetSpec,
    configuration: Option<&str>,
    artifacts: &Artifacts,
) -> Result<Vec<(Layer, OverrideFile)>, CallFailure> {
    let Some(configuration) = configuration else {
        return Ok(Vec::new());
    };
    let base: ArtifactPath = configuration.parse().map_err(|e| bad_input(&e))?;
    let Some(artifact) = artifacts.get(&base.artifact) else {
        return Err(bad(format!(
            "artifact `{}` is not an input of the action",
            base.artifact
        )));
    };
    let read = |path: &str| -> Result<OverrideFile, CallFailure> {
        let at = ArtifactPath {
            artifact: base.artifact.clone(),
            path: path.to_owned(),
        };
        parse_override_file(path, &world.file(artifacts, &at)?).map_err(|e| bad_input(&e))
    };
    if artifact.files.contains(&base.path) {
        return Ok(vec![(Layer::Stack, read(&base.path)?)]);
    }
    let (folder, name) = base.path.rsplit_once('/').unwrap_or(("", &base.path));
    let mut found = Vec::new();
    for (layer, candidate) in layer_files(name, folder, &spec.target.account, &spec.target.region) {
        let chosen = choose_file(&candidate, artifact.files.iter().map(String::as_str));
        if let Some(path) = chosen.map_err(|e| bad_input(&e))? {
            found.push((layer, read(path)?));
        }
    }
    Ok(found)
}

/// Evaluates `ParameterOverrides`, with `Fn::GetParam` and `Fn::GetArtifactAtt` read from the
/// action's input artifacts.
fn evaluate_overrides(
    world: &World,
    action: &ActionDeclaration,
    json: &str,
    artifacts: &Artifacts,
) -> Result<IndexMap<String, String>, CallFailure> {
    let expressions = parse_overrides(json).map_err(|e| bad_input(&e))?;
    let inputs: Vec<ArtifactName> = action
        .input_artifacts
        .iter()
        .map(|a| a.name.clone())
        .collect();
    let read = |artifact: &ArtifactName, file: &str| {
        let path = ArtifactPath {
            artifact: artifact.clone(),
            path: file.to_owned(),
        };
        world
            .file(artifacts, &path)
            .map_err(|failure| failure.message)
    };
    let bucket = action.configuration.get("ArtifactBucket");
    let locate = |artifact: &ArtifactName, attribute| {
        let key = format!("{}.zip", artifacts.get(artifact)?.digest);
        match attribute {
            ArtifactAttribute::ObjectKey => Some(key),
            // The store is local: only who publishes the artifact knows its bucket.
            ArtifactAttribute::BucketName => bucket.cloned(),
            ArtifactAttribute::Url => bucket.map(|b| format!("https://s3.amazonaws.com/{b}/{key}")),
        }
    };
    evaluate(&expressions, &inputs, read, locate).map_err(|e| bad_input(&e))
}

fn bad(message: String) -> CallFailure {
    CallFailure::new(FailureKind::BadInput, message)
}
