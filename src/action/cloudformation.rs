//! `Deploy/AWS/CloudFormation`: `CHANGE_SET_REPLACE` and `CHANGE_SET_EXECUTE`, step by step.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::inputs;
use super::package;
use super::present;
use super::world::{Artifacts, World};
use super::{bad_input, exports, foreign};
use crate::aws::{
    CreateChangeSet, Deleted, DescribedStack, ReadChangeSet, SentParameter, SentValue, StackRef,
};
use crate::diff;
use crate::model::{
    ActionDeclaration, Base, CallFailure, ChangeSetId, ChangeSetKind, ChangeSetName,
    ChangeSetOutcome, Ending, FailureKind, ParameterValue, PlannedTarget, Preparation, Reading,
    Removal, ResourceChange, SecretRef, SetDrift, Settlement, StackEvent, StackId, StackSetting,
    StackStatus, StackSummary, StackWait, Staleness, TargetInputs, TargetSpec, TemplateBucket,
    TemplateBuckets,
};
use crate::parameters::parse_override_file;
use crate::plan::{self, Found, FoundChangeSet};
use crate::template::Template;

/// Looks at the stack, once nobody else works on it if the action says so, and works out what goes into its
/// change set.
pub async fn prepare(
    world: &World,
    spec: &TargetSpec,
    action: &ActionDeclaration,
    artifacts: &Artifacts,
    busy: impl FnMut(StackStatus),
) -> Result<Preparation, CallFailure> {
    let wait = StackWait::of(action).map_err(|e| bad_input(&e))?;
    let caller = world.aws.caller_at(spec).await?;
    let stack = world.aws.stack_at_rest(spec, wait, busy).await?;
    let is_live = |stack: &StackSummary| {
        !matches!(
            stack.status,
            StackStatus::ReviewInProgress | StackStatus::DeleteComplete
        )
    };
    // Who deleted it meant it to be gone.
    let meant = action.meant_stack(&spec.target);
    let live = stack.as_ref().filter(|stack| is_live(stack));
    if live.is_none() && (meant.is_some() || action.was_seen(&spec.target)) {
        let why = "the stack was there when the rollback looked at it, and is gone: a rollback makes no stacks; roll the execution back \
                   again, which leaves it out";
        return Err(CallFailure::new(FailureKind::Refused, why));
    }
    if let (Some(live), Some(meant)) = (live, meant)
        && live.id != meant
    {
        let why = "the stack that the rollback looked at is gone, and the one of its name that is there now was made by somebody else: it \
                   is not touched; roll the execution back again, which leaves it out";
        return Err(CallFailure::new(FailureKind::Refused, why));
    }
    let inputs = inputs::collect(world, spec, action, artifacts, stack.as_ref());
    let inputs = Box::pin(inputs).await?;
    Ok(Preparation {
        caller,
        stack,
        inputs,
    })
}

/// A change set to create.
pub struct Creation<'a> {
    /// Whether it makes or changes the stack.
    pub kind: ChangeSetKind,
    /// Its name.
    pub name: &'a ChangeSetName,
    /// The `ClientToken`.
    pub token: &'a str,
    /// What it is made from.
    pub inputs: &'a TargetInputs,
    /// The buckets for large templates.
    pub buckets: Option<&'a str>,
    /// Look for it before creating it.
    pub look_first: bool,
}

/// Returns the change set of that name, if there is one.
pub async fn find(
    world: &World,
    spec: &TargetSpec,
    name: &ChangeSetName,
) -> Result<Option<(ChangeSetId, StackId)>, CallFailure> {
    let stack = &spec.target.stack;
    world.aws.find_change_set(spec, stack, name).await
}

/// Creates a change set, or finds the one that an earlier attempt created.
pub async fn create(
    world: &World,
    spec: &TargetSpec,
    creation: &Creation<'_>,
    artifacts: &Artifacts,
) -> Result<(ChangeSetId, StackId), CallFailure> {
    if creation.look_first
        && let Some(found) = find(world, spec, creation.name).await?
    {
        return Ok(found);
    }
    let (_, template) = inputs::template_of(world, creation.inputs, artifacts)?;
    let mut parameters = Vec::new();
    for parameter in &creation.inputs.parameters {
        let value = match &parameter.value {
            ParameterValue::Plain(text) => SentValue::Plain(text.clone()),
            ParameterValue::Previous => SentValue::Previous,
            // Nothing is sent: the service takes the template's default.
            ParameterValue::Default(_) => continue,
            ParameterValue::Secret(reference) => {
                SentValue::Secret(secret(world, &parameter.name, reference, artifacts).await?)
            }
        };
        parameters.push(SentParameter {
            name: parameter.name.clone(),
            value,
        });
    }
    let request = CreateChangeSet {
        stack: spec.target.stack.clone(),
        name: creation.name.clone(),
        kind: creation.kind,
        token: creation.token.to_owned(),
        template,
        bucket: bucket(spec, creation.buckets)?,
        uploaded: creation.inputs.uploads.template.clone(),
        parameters,
        tags: creation.inputs.tags.clone(),
        capabilities: creation.inputs.capabilities.clone(),
        role_arn: creation.inputs.role_arn.clone(),
        options: creation.inputs.options.clone(),
        description: None,
    };
    world.aws.create_change_set(spec, &request).await
}

/// Returns the bucket for the large templates of a target, where one is named.
pub(super) fn bucket(
    spec: &TargetSpec,
    buckets: Option<&str>,
) -> Result<Option<TemplateBucket>, CallFailure> {
    let buckets: TemplateBuckets = buckets
        .unwrap_or_default()
        .parse()
        .map_err(|e| bad_input(&e))?;
    Ok(buckets.of(&spec.target))
}

async fn secret(
    world: &World,
    parameter: &str,
    reference: &SecretRef,
    artifacts: &Artifacts,
) -> Result<String, CallFailure> {
    let literal = || {
        let SecretRef::Literal(path) = reference else {
            return Err(CallFailure::new(
                FailureKind::BadInput,
                "not a literal secret",
            ));
        };
        let file = parse_override_file(&path.path, &world.file(artifacts, path)?)
            .map_err(|e| bad_input(&e))?;
        file.parameters
            .get(parameter)
            .map(|value| value.text.clone())
            .ok_or_else(|| {
                CallFailure::new(
                    FailureKind::BadInput,
                    format!("{path} no longer has a value for `{parameter}`"),
                )
            })
    };
    world.secrets.value(parameter, reference, literal).await
}

/// A change set that was asked for.
pub struct Asked<'a> {
    /// The change set.
    pub change_set: &'a ChangeSetId,
    /// Its stack.
    pub stack: &'a StackId,
    /// Whether it makes or changes the stack.
    pub kind: ChangeSetKind,
    /// What it was made from.
    pub inputs: &'a TargetInputs,
    /// The buckets for large templates.
    pub buckets: Option<&'a str>,
    /// The newest event that the stack had when it was looked at before; the rest of its operation may follow.
    pub seen: Option<&'a str>,
}

/// Waits until a change set is ready or failed, and reads it and what it stands on.
pub async fn read(
    world: &World,
    spec: &TargetSpec,
    asked: &Asked<'_>,
    artifacts: &Artifacts,
) -> Result<Reading, CallFailure> {
    let set = world.aws.await_change_set(spec, asked.change_set).await?;
    let mut read = Reading {
        outcome: set.outcome,
        changes: set.changes,
        base: None,
        previous_template: None,
        gone_exports: Vec::new(),
        drift: drift(asked, set.drift),
        previous_parameters: BTreeMap::new(),
        settings_differ: false,
    };
    if let Some(reason) = foreign::template(world, spec, asked, &read.outcome, artifacts).await? {
        // Nothing that it describes is of interest any more: it is removed as one that failed.
        read.outcome = ChangeSetOutcome::Failed { reason };
        read.changes.clear();
        return Ok(read);
    }
    if read.outcome == ChangeSetOutcome::NoChanges
        && read.drift.is_some_and(|drift| !drift.is_confirmed)
    {
        read.outcome = ChangeSetOutcome::Failed {
            reason: UNCONFIRMED.to_owned(),
        };
        return Ok(read);
    }
    if read.outcome == ChangeSetOutcome::NoChanges && asked.kind == ChangeSetKind::Update {
        for setting in asked.inputs.settings() {
            match has(world, spec, asked.stack, asked.inputs, setting).await {
                Ok(is_as_asked) => read.settings_differ |= !is_as_asked,
                // Who may set it need not be allowed to look at it.
                Err(failure) if failure.kind == FailureKind::AccessDenied => {
                    read.settings_differ = true;
                }
                Err(failure) => return Err(failure),
            }
        }
        if read.settings_differ {
            read.base = base(world, spec, asked.stack, asked.seen).await?;
        }
        return Ok(read);
    }
    if read.outcome != ChangeSetOutcome::Ready {
        return Ok(read);
    }
    let mut exported = BTreeMap::new();
    let mut values = BTreeMap::new();
    // One after another: a second connection takes longer to set up than the first one to answer.
    let previous = match asked.kind {
        ChangeSetKind::Create => {
            // Nothing to look up: a stack whose creation can still be executed is in review. Should it
            // have moved on, `verify` finds a base other than this one.
            read.base = Some(Base::in_review(asked.stack.clone()));
            None
        }
        ChangeSetKind::Update | ChangeSetKind::Import => {
            if let Some((base, found)) = live(world, spec, asked.stack, asked.seen).await? {
                read.base = Some(base);
                values = found.parameters;
                exported = found.exports;
            }
            // What is imported may make the stack.
            let is_live = read
                .base
                .as_ref()
                .is_some_and(|base| base.status != StackStatus::ReviewInProgress);
            if is_live || asked.kind == ChangeSetKind::Update {
                world.aws.template(spec, asked.stack).await?
            } else {
                None
            }
        }
        // Made without a change set; nothing asks for it.
        ChangeSetKind::Delete => None,
    };
    if let Some(text) = &previous {
        let digest = world
            .store
            .put_blob(text.as_bytes())
            .map_err(|e| bad_input(&e))?;
        read.previous_template = Some(digest);
    }
    let (template, _) = inputs::template_of(world, asked.inputs, artifacts)?;
    let previous = previous.and_then(|text| present::read(world, text.as_bytes()));
    if let Some(previous) = &previous {
        let given = &asked.inputs.parameters;
        let known = world.secrets.texts();
        read.gone_exports = exports::gone(world, spec, &exported, previous, &template).await;
        read.previous_parameters = present::open(&known, values, previous, &template, given);
    }
    mask(world, &mut read.changes, asked.inputs, &template, previous);
    Ok(read)
}

/// Why a change set without changes is none to rely on where drift was to be put back.
const UNCONFIRMED: &str = "a drift-aware change set was asked for (`--revert-drift`), and the endpoint made one without changes and did not \
     confirm that it compared the stack with what is really there: whether something drifted is not known; use an endpoint that \
     knows `DeploymentMode`, or leave `--revert-drift` out";

/// Returns what the endpoint says of drift, where that was asked for: a new stack cannot have drifted, and an import puts
/// nothing back.
fn drift(asked: &Asked<'_>, said: SetDrift) -> Option<SetDrift> {
    let is_asked = asked.inputs.options.revert_drift && asked.kind == ChangeSetKind::Update;
    is_asked.then_some(said)
}

/// Returns what a change set of `stack` stands on, or `None` if the stack is gone. `known`: the newest event as far as it is
/// known, which stands for what is left of its operation.
async fn base(
    world: &World,
    spec: &TargetSpec,
    stack: &StackId,
    known: Option<&str>,
) -> Result<Option<Base>, CallFailure> {
    let found = live(world, spec, stack, known).await?;
    Ok(found.map(|(base, _)| base))
}

/// Returns the same and the stack as it was described.
async fn live(
    world: &World,
    spec: &TargetSpec,
    stack: &StackId,
    known: Option<&str>,
) -> Result<Option<(Base, DescribedStack)>, CallFailure> {
    let by_id = StackRef::Id(stack);
    let Some(described) = world.aws.described_stack(spec, by_id).await? else {
        return Ok(None);
    };
    let found = &described.summary;
    // A stack in review is not live: every change set made for it adds an event.
    let newest_event = if found.status == StackStatus::ReviewInProgress {
        None
    } else {
        world.aws.newest_event(spec, stack, known).await?
    };
    let base = Base {
        stack: found.id.clone(),
        status: found.status,
        newest_event,
    };
    Ok(Some((base, described)))
}

/// Masks secrets by the new template and the present one.
fn mask(
    world: &World,
    changes: &mut [ResourceChange],
    inputs: &TargetInputs,
    template: &Template,
    previous: Option<Arc<Template>>,
) {
    // Secret by how it was given, even where the template does not say so.
    let also_secret: Vec<&str> = inputs
        .parameters
        .iter()
        .filter(|p| match &p.value {
            ParameterValue::Secret(_) => true,
            ParameterValue::Plain(text) | ParameterValue::Default(Some(text)) => {
                text.contains("{{resolve:")
            }
            ParameterValue::Default(None) | ParameterValue::Previous => false,
        })
        .map(|p| p.name.as_str())
        .collect();
    let secretive = |template: &Template| {
        template
            .clone()
            .with_secret_parameters(also_secret.iter().map(|name| (*name).to_owned()))
    };
    let previous = previous.map(|t| secretive(&t));
    diff::mask(
        changes,
        &secretive(template),
        previous.as_ref(),
        &world.secrets.texts(),
    );
}

/// Deletes a change set; one that is gone already is no error, and one that was executed is left.
pub async fn delete_change_set(
    world: &World,
    spec: &TargetSpec,
    change_set: &ChangeSetId,
    stack: &StackId,
    look_first: bool,
) -> Result<Removal, CallFailure> {
    if look_first {
        match world.aws.read_change_set(spec, change_set).await? {
            // The status is told where it can be had; the change set is gone whatever it is.
            None => {
                let found = base(world, spec, stack, None).await.ok().flatten();
                let stack = found.map(|base| base.status);
                return Ok(Removal::Gone { stack });
            }
            Some(set) if set.execution_status.starts_with("EXECUTE_") => {
                let status = set.execution_status;
                return Ok(Removal::Executed { status });
            }
            Some(_) => {}
        }
    }
    world.aws.delete_change_set(spec, change_set, stack).await?;
    Ok(Removal::Deleted)
}

/// Deletes the empty stack that a change set made, if it is provably ours. Returns why it was left.
pub async fn delete_review_stack(
    world: &World,
    spec: &TargetSpec,
    stack: &StackId,
    change_set: &ChangeSetId,
) -> Result<Option<String>, CallFailure> {
    Ok(
        match world
            .aws
            .delete_review_stack(spec, stack, change_set)
            .await?
        {
            Deleted::Yes => None,
            Deleted::Left { why } => Some(why),
        },
    )
}

/// Describes the change set and the stack again, and looks at the code that they lead to. Returns how they differ from what
/// was approved.
///
/// Its template is not asked for again (see `foreign::template`): what is compared here can change, and that cannot.
pub async fn verify(
    world: &World,
    spec: &TargetSpec,
    approved: &PlannedTarget,
    artifacts: &Artifacts,
) -> Result<Vec<Staleness>, CallFailure> {
    let known = approved.base.newest_event.as_deref();
    if approved.settings_only {
        let found = Found {
            change_set: None,
            base: base(world, spec, &approved.base.stack, known).await?,
        };
        return Ok(plan::staleness(approved, &found));
    }
    let set = world
        .aws
        .read_change_set(spec, change_set_of(approved)?)
        .await?;
    let base = base(world, spec, &approved.base.stack, known).await?;
    let (template, _) = inputs::template_of(world, &approved.inputs, artifacts)?;
    let change_set = match set {
        None => None,
        Some(set) => Some(masked(world, set, approved, &template)?),
    };
    let mut found = Found { change_set, base };
    let mut differences = plan::staleness(approved, &found);
    let code = package::differences(world, &approved.inputs.uploads).await?;
    differences.extend(code.iter().cloned());
    let differ = differences
        .iter()
        .any(|d| matches!(d, Staleness::ChangesDiffer { .. }));
    if !differ || world.secrets.are_elsewhere() {
        return Ok(differences);
    }
    // A secret that was typed before the process ended may have been masked by its text: look again
    // with every secret at hand before calling the target stale.
    for parameter in &approved.inputs.parameters {
        if let ParameterValue::Secret(reference) = &parameter.value {
            secret(world, &parameter.name, reference, artifacts).await?;
        }
    }
    if let Some(set) = &mut found.change_set {
        mask(
            world,
            &mut set.changes,
            &approved.inputs,
            &template,
            present::stored(world, approved.previous_template)?,
        );
    }
    differences = plan::staleness(approved, &found);
    differences.extend(code);
    Ok(differences)
}

fn change_set_of(approved: &PlannedTarget) -> Result<&ChangeSetId, CallFailure> {
    approved.change_set.as_ref().ok_or_else(|| {
        let why = format!("the plan of {} has no change set", approved.target);
        CallFailure::new(FailureKind::BadInput, why)
    })
}

fn masked(
    world: &World,
    mut set: ReadChangeSet,
    approved: &PlannedTarget,
    template: &Template,
) -> Result<FoundChangeSet, CallFailure> {
    mask(
        world,
        &mut set.changes,
        &approved.inputs,
        template,
        present::stored(world, approved.previous_template)?,
    );
    Ok(FoundChangeSet {
        id: set.id,
        executable: set.executable,
        execution_status: set.execution_status,
        changes: set.changes,
    })
}

/// Executes a change set.
pub async fn execute(
    world: &World,
    spec: &TargetSpec,
    approved: &PlannedTarget,
    token: &str,
) -> Result<(), CallFailure> {
    let disable_rollback = approved.inputs.options.execute_disable_rollback();
    let (change_set, stack) = (change_set_of(approved)?, &approved.base.stack);
    world
        .aws
        .execute_change_set(spec, change_set, stack, token, disable_rollback)
        .await
}

/// Returns whether a stack has what is to be set on it.
async fn has(
    world: &World,
    spec: &TargetSpec,
    stack: &StackId,
    inputs: &TargetInputs,
    setting: StackSetting,
) -> Result<bool, CallFailure> {
    match setting {
        StackSetting::TerminationProtection => {
            let found = world.aws.termination_protection(spec, stack).await?;
            Ok(found == inputs.options.termination_protection)
        }
        StackSetting::StackPolicy => {
            let found = world.aws.stack_policy(spec, stack).await?;
            // Compared as values: it does not matter how they were written.
            let value = |text: Option<&str>| {
                text.and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok())
            };
            let wanted = value(inputs.stack_policy.as_deref());
            Ok(wanted.is_some() && value(found.as_deref()) == wanted)
        }
    }
}

/// Sets something on a stack, unless it has it: an earlier attempt may have set it.
pub async fn apply_setting(
    world: &World,
    spec: &TargetSpec,
    approved: &PlannedTarget,
    setting: StackSetting,
) -> Result<(), CallFailure> {
    let (stack, inputs) = (&approved.base.stack, &approved.inputs);
    match has(world, spec, stack, inputs, setting).await {
        Ok(true) => return Ok(()),
        Ok(false) => {}
        // Who may set may not be allowed to look; to set the same again does no harm.
        Err(failure) if failure.kind == FailureKind::AccessDenied => {}
        Err(failure) => return Err(failure),
    }
    match setting {
        StackSetting::TerminationProtection => {
            let Some(is_on) = inputs.options.termination_protection else {
                return Ok(());
            };
            world
                .aws
                .set_termination_protection(spec, stack, is_on)
                .await
        }
        StackSetting::StackPolicy => {
            let Some(policy) = &inputs.stack_policy else {
                return Ok(());
            };
            world.aws.set_stack_policy(spec, stack, policy).await
        }
    }
}

/// Finds out whether an execution without an answer was accepted: from the events that carry its
/// token, else from the change set's execution status.
pub async fn settle(
    world: &World,
    spec: &TargetSpec,
    approved: &PlannedTarget,
    token: &str,
) -> Result<Settlement, CallFailure> {
    let stack = &approved.base.stack;
    let after = approved.base.newest_event.as_deref();
    let events = match world.aws.events_since(spec, stack, after).await {
        Ok(events) => events,
        Err(failure) if failure.kind == FailureKind::NotFound => Vec::new(),
        Err(failure) => return Err(failure),
    };
    if events.iter().any(|e| e.token.as_deref() == Some(token)) {
        return Ok(Settlement::Accepted);
    }
    let Some(set) = world
        .aws
        .read_change_set(spec, change_set_of(approved)?)
        .await?
    else {
        return Ok(Settlement::Unknown {
            reason: "the change set is gone, and no event of the stack carries our token"
                .to_owned(),
        });
    };
    if set.execution_status.starts_with("EXECUTE_") {
        return Ok(Settlement::Accepted);
    }
    if set.executable {
        // Whether the stack moved in the meantime is compared again before the next attempt.
        return Ok(Settlement::NotAccepted);
    }
    Ok(Settlement::Unknown {
        reason: format!(
            "the change set is {}, and no event of the stack carries our token",
            set.execution_status
        ),
    })
}

/// Follows a stack until its operation ends. Secret outputs are masked.
pub async fn watch(
    world: &World,
    spec: &TargetSpec,
    approved: &PlannedTarget,
    token: &str,
    artifacts: &Artifacts,
    mut observe: impl FnMut(Vec<StackEvent>) + Send,
) -> Result<Ending, CallFailure> {
    let after = approved.base.newest_event.as_deref();
    let hidden = world.secrets.hidden().await;
    let stack = &approved.base.stack;
    // Services repeat in names and reasons what they were given.
    let observe = |mut events: Vec<StackEvent>| {
        for event in &mut events {
            let name = match event.is_of_stack(stack) {
                true => None,
                false => event.physical_id.as_mut(),
            };
            let shown = event.reason.as_mut().into_iter().chain(name);
            shown.for_each(|text| hidden.hide(text));
        }
        observe(events);
    };
    let (template, _) = inputs::template_of(world, &approved.inputs, artifacts)?;
    let has_outputs = template.may_have_outputs();
    let mut settled = world
        .aws
        .watch(
            spec,
            &approved.base.stack,
            token,
            after,
            has_outputs,
            observe,
        )
        .await?;
    if let Some(cause) = &mut settled.cause {
        hidden.hide(&mut cause.reason);
    }
    for name in template.secret_outputs() {
        if let Some(value) = settled.outputs.get_mut(&name) {
            *value = diff::MASK.to_owned();
        }
    }
    Ok(Ending {
        status: settled.status,
        outputs: settled.outputs,
        cause: settled.cause,
    })
}
