//! `DELETE_ONLY`: what the deletion of a stack would do, and the deletion itself, step by step.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::bad_input;
use super::world::World;
use crate::aws::{DescribedStack, HeldResource, StackRef};
use crate::diff;
use crate::model::{
    ActionDeclaration, Base, CallFailure, ChangeAction, Collection, DeletableStack, Digest, Ending,
    FailureKind, LogicalId, PlannedTarget, PolicyAction, Priority, Replacement, ResourceChange,
    STACK_IDS, STACKS_LEFT, Settlement, StackEvent, StackId, StackLeft, StackStatus, StackWait,
    Staleness, TargetSpec, by_others,
};
use crate::plan;
use crate::template::Template;

/// Looks at the stack of that name, and works out what its deletion would do.
pub async fn collect(
    world: &World,
    spec: &TargetSpec,
    action: &ActionDeclaration,
    busy: impl FnMut(StackStatus),
) -> Result<Collection, CallFailure> {
    let wait = StackWait::of(action).map_err(|e| bad_input(&e))?;
    let setting = |key: &str| action.configuration.get(key).map(String::as_str);
    let mut retain = Vec::new();
    let named = setting("RetainResources").unwrap_or_default().split(',');
    for id in named.map(str::trim).filter(|id| !id.is_empty()) {
        retain.push(LogicalId::new(id).map_err(|e| bad_input(&e))?);
    }
    let role_arn = setting("RoleArn").map(|role| spec.target.fill(role));
    let caller = world.aws.caller_at(spec).await?;
    if wait.is_some() {
        world.aws.stack_at_rest(spec, wait, busy).await?;
    }
    let named = setting(STACK_IDS).map(serde_json::from_str::<BTreeMap<String, StackId>>);
    let named = named.transpose().map_err(|e| bad_input(&e))?;
    let id = named.map(|ids| ids.get(&spec.target.to_string()).cloned());
    let by = match &id {
        Some(Some(id)) => StackRef::Id(id),
        // It is none of the stacks that are meant.
        Some(None) => {
            return Ok(Collection {
                caller,
                stack: None,
            });
        }
        None => StackRef::Name(&spec.target.stack),
    };
    let only_failed = setting("OnlyFailed") == Some("true");
    let stack = look(world, spec, by, &retain, role_arn, only_failed, wait).await?;
    let left = setting(STACKS_LEFT).map(serde_json::from_str::<BTreeMap<String, StackLeft>>);
    let left = left.transpose().map_err(|e| bad_input(&e))?;
    let left = left.and_then(|mut left| left.remove(&spec.target.to_string()));
    if let (Some(stack), Some(left)) = (&stack, left) {
        // After the look: what happens later than it is found before the deletion, against what was approved.
        let after = left.newest_event.as_deref();
        let id = &stack.base.stack;
        let newer = world.aws.events_since(spec, id, after).await?;
        if let Some(event) = by_others(id, &newer, &left.token) {
            return Err(CallFailure::new(
                FailureKind::Refused,
                format!(
                    "{}: somebody else worked on the stack since ({} at {}), so it is not deleted; `--include-changed` \
                     deletes it all the same",
                    spec.target, event.status, event.at
                ),
            ));
        }
    }
    Ok(Collection { caller, stack })
}

async fn look(
    world: &World,
    spec: &TargetSpec,
    by: StackRef<'_>,
    retain: &[LogicalId],
    role_arn: Option<String>,
    only_failed: bool,
    waited: Option<StackWait>,
) -> Result<Option<DeletableStack>, CallFailure> {
    let Some(described) = world.aws.described_stack(spec, by).await? else {
        return Ok(None);
    };
    let (id, status) = (&described.summary.id, described.summary.status);
    if status == StackStatus::DeleteComplete || only_failed && !status.is_failed_creation() {
        return Ok(None);
    }
    let newest_event = world.aws.newest_event(spec, id, None).await?;
    let held = world.aws.held_resources(spec, id).await?;
    // A stack in review has no template yet, and some endpoints fail when they are asked for it.
    let (digest, template) = match status {
        StackStatus::ReviewInProgress => (None, None),
        _ => deployed(world, world.aws.processed_template(spec, id).await?)?,
    };
    let mut changes: Vec<ResourceChange> = held
        .iter()
        .map(|resource| removal(resource, template.as_deref(), retain))
        .collect();
    add_nested(world, spec, &mut changes).await?;
    let mut importers = BTreeMap::new();
    for export in described.exports.values() {
        let stacks = world.aws.importers(spec, export).await?;
        if !stacks.is_empty() {
            importers.insert(export.clone(), stacks);
        }
    }
    Ok(Some(DeletableStack {
        base: Base {
            stack: id.clone(),
            status,
            newest_event,
        },
        changes,
        template: digest,
        retain: retain.to_vec(),
        role_arn,
        obstacles: obstacles(spec, &described, &held, &importers, retain, waited),
    }))
}

/// Adds what goes with nested stacks, at every depth, each resource named by its path: `Network/Orders`.
///
/// All of it or a failure: what is not shown would be deleted unseen.
async fn add_nested(
    world: &World,
    spec: &TargetSpec,
    changes: &mut Vec<ResourceChange>,
) -> Result<(), CallFailure> {
    let mut seen = BTreeSet::new();
    let mut at = 0;
    // Those that are found are looked into in their turn.
    while let Some(change) = changes.get(at) {
        at += 1;
        let Some(stack) = goes_with_it(change).filter(|stack| seen.insert(stack.clone())) else {
            continue;
        };
        let path = change.logical_id.clone();
        let held = match world.aws.held_resources(spec, &stack).await {
            Ok(held) => held,
            Err(failure) if failure.kind == FailureKind::NotFound => continue,
            Err(failure) => return Err(failure),
        };
        let (_, template) = deployed(world, world.aws.processed_template(spec, &stack).await?)?;
        for resource in &held {
            let mut inside = removal(resource, template.as_deref(), &[]);
            // A path of visible texts is one.
            if let Ok(whole) = LogicalId::new(format!("{path}/{}", inside.logical_id)) {
                inside.logical_id = whole;
            }
            changes.push(inside);
        }
    }
    changes.sort_by(|a, b| a.logical_id.cmp(&b.logical_id));
    Ok(())
}

/// Returns the nested stack that is deleted with `change`, if it is one.
fn goes_with_it(change: &ResourceChange) -> Option<StackId> {
    let is_stack = change.resource_type == "AWS::CloudFormation::Stack"
        && change.policy_action != Some(PolicyAction::Retain);
    let id = change.physical_id.as_ref().filter(|_| is_stack)?;
    StackId::new(id.clone()).ok()
}

/// Stores the deployed template, and returns it parsed; one that cannot be read tells no policies.
fn deployed(
    world: &World,
    text: Option<String>,
) -> Result<(Option<Digest>, Option<Arc<Template>>), CallFailure> {
    let Some(text) = text else {
        return Ok((None, None));
    };
    let digest = world
        .store
        .put_blob(text.as_bytes())
        .map_err(|e| bad_input(&e))?;
    let read = world.template("the stack's present template", text.as_bytes());
    Ok((Some(digest), read.ok().map(|(_, template)| template)))
}

fn removal(
    resource: &HeldResource,
    template: Option<&Template>,
    retain: &[LogicalId],
) -> ResourceChange {
    let declared = template.and_then(|t| t.resource(&resource.logical_id));
    ResourceChange {
        logical_id: resource.logical_id.clone(),
        resource_type: resource.resource_type.clone(),
        physical_id: resource.physical_id.clone(),
        action: ChangeAction::Remove,
        replacement: Replacement::No,
        policy_action: if retain.contains(&resource.logical_id) {
            Some(PolicyAction::Retain)
        } else {
            declared.map(diff::when_deleted)
        },
        scope: Vec::new(),
        details: Vec::new(),
        before: None,
        after: None,
        nested: None,
        module: resource.module.clone(),
        drift: None,
    }
}

/// Returns why the stack cannot be deleted, and what to do.
fn obstacles(
    spec: &TargetSpec,
    described: &DescribedStack,
    held: &[HeldResource],
    importers: &BTreeMap<String, Vec<String>>,
    retain: &[LogicalId],
    waited: Option<StackWait>,
) -> Vec<String> {
    let target = &spec.target;
    let status = described.summary.status;
    let mut obstacles = Vec::new();
    if let Some(why) = status.delete_refusal() {
        let next = status.remedy(target, waited).unwrap_or_default();
        obstacles.push(format!("the stack is {status}: {why}; {next}"));
    }
    if let Some(parent) = &described.parent {
        obstacles.push(format!(
            "the stack is nested in {parent}; take it out of that one's template, or delete that one"
        ));
    }
    if described.protected {
        obstacles.push(format!(
            "termination protection is on; take it away with `stackgate deploy {stack} \
             --no-termination-protection --accounts {account} --regions {region}`, or without its template with \
             `aws cloudformation update-termination-protection --no-enable-termination-protection --stack-name \
             {stack} --region {region}`, then run again",
            stack = target.stack,
            account = target.account,
            region = target.region
        ));
    }
    for (export, stacks) in importers {
        obstacles.push(format!(
            "its export `{export}` is imported by {}; delete them first, or deploy them without the import",
            stacks.join(", ")
        ));
    }
    if !retain.is_empty() && status != StackStatus::DeleteFailed {
        obstacles.push(format!(
            "resources can only be retained where a deletion failed, and the stack is {status}; leave \
             `--retain-resources` out, or deploy `DeletionPolicy: Retain` first"
        ));
    } else {
        for id in retain {
            let failed = |r: &&HeldResource| r.logical_id == *id && r.status == "DELETE_FAILED";
            if held.iter().find(failed).is_none() {
                obstacles.push(format!(
                    "`--retain-resources` names {id}, which is no resource that failed to be deleted"
                ));
            }
        }
    }
    obstacles
}

/// Looks at the stack again. Returns how it differs from what was approved.
pub async fn verify(
    world: &World,
    spec: &TargetSpec,
    approved: &PlannedTarget,
) -> Result<Vec<Staleness>, CallFailure> {
    let by = StackRef::Id(&approved.base.stack);
    let role_arn = approved.inputs.role_arn.clone();
    let found = look(world, spec, by, &approved.retain, role_arn, false, None).await?;
    Ok(plan::staleness_of_deletion(approved, found.as_ref()))
}

/// Deletes the stack.
pub async fn execute(
    world: &World,
    spec: &TargetSpec,
    approved: &PlannedTarget,
    token: &str,
) -> Result<(), CallFailure> {
    world
        .aws
        .delete_stack(
            spec,
            &approved.base.stack,
            token,
            &approved.retain,
            approved.inputs.role_arn.as_deref(),
        )
        .await
}

/// Finds out whether a deletion without an answer was accepted, from the stack's status and events.
///
/// Where the stack has not moved, it was not: asking again, with the same token and by the stack's id,
/// would do nothing that was not approved.
pub async fn settle(
    world: &World,
    spec: &TargetSpec,
    approved: &PlannedTarget,
    token: &str,
) -> Result<Settlement, CallFailure> {
    let stack = &approved.base.stack;
    let found = world
        .aws
        .stack(spec, StackRef::Id(stack), Priority::Read)
        .await?;
    let status = match found.map(|s| s.status) {
        None | Some(StackStatus::DeleteComplete | StackStatus::DeleteInProgress) => {
            return Ok(Settlement::Accepted);
        }
        Some(status) => status,
    };
    let after = approved.base.newest_event.as_deref();
    let events = world.aws.events_since(spec, stack, after).await?;
    if events.iter().any(|e| e.token.as_deref() == Some(token)) {
        return Ok(Settlement::Accepted);
    }
    // Endpoints without tokens: a deletion that failed since the plan was made is this one.
    let failed_since = status == StackStatus::DeleteFailed && !events.is_empty();
    Ok(
        if failed_since && events.iter().all(|e| e.token.is_none()) {
            Settlement::Accepted
        } else {
            Settlement::NotAccepted
        },
    )
}

/// Follows the stack until it is gone, or could not be deleted.
pub async fn watch(
    world: &World,
    spec: &TargetSpec,
    approved: &PlannedTarget,
    token: &str,
    observe: impl FnMut(Vec<StackEvent>) + Send,
) -> Result<Ending, CallFailure> {
    let after = approved.base.newest_event.as_deref();
    let settled = world
        .aws
        .watch_deletion(spec, &approved.base.stack, token, after, observe)
        .await?;
    Ok(Ending {
        status: settled.status,
        // What a deleted stack gave out is of no use to anybody.
        outputs: BTreeMap::new(),
        cause: settled.cause,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AccountId, Region, StackId, StackName, StackSummary, Target};

    fn spec() -> TargetSpec {
        TargetSpec {
            target: Target {
                account: AccountId::new("111111111111").unwrap(),
                region: Region::new("eu-west-1").unwrap(),
                stack: StackName::new("app").unwrap(),
            },
            role_arn: None,
            execute_role_arn: None,
        }
    }

    fn described(status: StackStatus) -> DescribedStack {
        DescribedStack {
            summary: StackSummary {
                id: StackId::new("arn:stack").unwrap(),
                status,
                reason: None,
                parameters: Vec::new(),
                outputs: BTreeMap::new(),
                tags: None,
            },
            protected: false,
            parent: None,
            parameters: BTreeMap::new(),
            exports: BTreeMap::new(),
        }
    }

    fn held(id: &str, status: &str) -> HeldResource {
        HeldResource {
            logical_id: LogicalId::new(id).unwrap(),
            resource_type: "AWS::S3::Bucket".to_owned(),
            physical_id: None,
            status: status.to_owned(),
            module: None,
        }
    }

    #[test]
    fn only_a_stack_at_rest_can_be_deleted() {
        for &status in StackStatus::ALL {
            let found = obstacles(
                &spec(),
                &described(status),
                &[],
                &BTreeMap::new(),
                &[],
                None,
            );
            assert_eq!(found.is_empty(), status.is_settled(), "{status}: {found:?}");
        }
    }

    #[test]
    fn everything_in_the_way_is_told_at_once() {
        let stack = DescribedStack {
            protected: true,
            parent: Some("arn:parent".to_owned()),
            ..described(StackStatus::UpdateComplete)
        };
        let importers = BTreeMap::from([("net-a".to_owned(), vec!["api".into(), "web".into()])]);
        let found = obstacles(&spec(), &stack, &[], &importers, &[], None);
        let parts = [
            "nested in arn:parent",
            "protection is on",
            "`net-a` is imported by api, web",
        ];
        assert_eq!(found.len(), parts.len(), "{found:?}");
        for (said, part) in found.iter().zip(parts) {
            assert!(said.contains(part), "{said}");
        }
    }

    #[test]
    fn only_what_failed_to_be_deleted_can_be_retained() {
        let retain = [LogicalId::new("Bucket").unwrap()];
        let resources = [
            held("Bucket", "DELETE_FAILED"),
            held("Other", "CREATE_COMPLETE"),
        ];
        let found = |status, resources: &[HeldResource]| {
            let none = BTreeMap::new();
            obstacles(&spec(), &described(status), resources, &none, &retain, None)
        };
        assert!(found(StackStatus::DeleteFailed, &resources).is_empty());
        assert!(found(StackStatus::CreateComplete, &resources)[0].contains("CREATE_COMPLETE"));
        assert!(found(StackStatus::DeleteFailed, &resources[1..])[0].contains("Bucket"));
    }

    #[test]
    fn what_becomes_of_a_resource_is_said_by_the_flag_the_template_or_not_at_all() {
        let template = "Resources:\n  Bucket: {Type: 'AWS::S3::Bucket', DeletionPolicy: RetainExceptOnCreate}\n  \
                        Other: {Type: 'AWS::S3::Bucket'}\n";
        let template = Template::parse("template", template.as_bytes()).unwrap();
        let of = |id: &str, template: Option<&Template>, retain: &[&str]| {
            let retain: Vec<_> = retain
                .iter()
                .map(|id| LogicalId::new(*id).unwrap())
                .collect();
            removal(&held(id, "CREATE_COMPLETE"), template, &retain).policy_action
        };
        assert_eq!(
            of("Bucket", Some(&template), &[]),
            Some(PolicyAction::Retain)
        );
        assert_eq!(
            of("Other", Some(&template), &[]),
            Some(PolicyAction::Delete)
        );
        assert_eq!(
            of("Other", Some(&template), &["Other"]),
            Some(PolicyAction::Retain)
        );
        assert_eq!(of("Other", None, &[]), None);
        assert_eq!(of("Unknown", Some(&template), &[]), None);
    }
}
