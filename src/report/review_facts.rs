//! What is said of a review, wherever it is drawn: the terminal and Markdown differ in how they show it, never in what.
//!
//! The values are taken apart field by field, so that a new one does not compile until somebody has decided how it is told.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::model::{
    ChangeAction, ChangeScope, ChangeSetKind, CountOrPercent, ExecutionId, Follows, Gate,
    LogicalId, ParameterValue, Region, Risk, RiskLevel, Target, Verdict,
};

use super::review_data::{
    ParameterUse, Review, ReviewGroup, ReviewParameter, ReviewReason, ReviewResource, ReviewWave,
    urgency,
};
use super::review_resource::what;
use super::waves::{failed, not_run_again};
use super::words::{self, count};
use super::{Phase, View, links};

/// The resource changes of a group beyond which they are counted, and not told again for other groups.
pub(super) const LONG_GROUP: usize = 8;

/// The title of the stack policy of a group.
pub(super) const POLICY: &str = "The stack policy, set after the operation succeeded";

/// The title of how the template of a group differs.
pub(super) const TEMPLATE: &str = "The template, as it is and as it will be";

/// What is said of private files that get into code.
pub(super) const PRIVATE: &str = "! packed into code";

/// What to do about them.
pub(super) const PRIVATE_ADVICE: &str =
    "seldom meant for others: move it out of the folder, unless the code needs it there";

/// A commit that an execution was made from.
pub(super) struct Commit<'a> {
    /// The first digits of its id.
    pub(super) short: &'a str,
    /// Its message, where there is one.
    pub(super) message: Option<&'a str>,
    /// Whether there were changes beside it.
    pub(super) is_dirty: bool,
}

/// Returns the commits that an execution was made from.
pub(super) fn commits(view: &View) -> impl Iterator<Item = Commit<'_>> {
    view.sources().filter_map(|source| {
        let commit = source.revision.commit.as_deref()?;
        Some(Commit {
            short: commit.get(..8).unwrap_or(commit),
            message: source.revision.commit_message.as_deref(),
            is_dirty: source.revision.dirty,
        })
    })
}

/// Something to know of a group besides its changes.
pub(super) struct Fact<'a> {
    /// How it begins: `as`, `with`.
    pub(super) label: &'static str,
    /// What follows.
    pub(super) said: Said<'a>,
    /// Whether it needs care.
    pub(super) is_warning: bool,
}

/// What a fact says.
pub(super) enum Said<'a> {
    /// Some of the group's targets.
    Targets(&'a [Target]),
    /// Texts, one for each thing.
    Texts(Vec<String>),
}

/// Returns what there is to know of a group besides its changes. `limit`: how many of a kind are named.
pub(super) fn of_group(group: &ReviewGroup, limit: usize) -> Vec<Fact<'_>> {
    let ReviewGroup {
        // The title.
        name: _,
        targets: _,
        kind: _,
        in_review,
        deleted_from,
        callers,
        executed_as,
        capabilities,
        role_arn,
        tags,
        tags_before,
        options,
        stack_policy,
        // Its text, the change sets and the difference of the templates follow where everything is told.
        policy: _,
        private_files,
        settings_only,
        change_sets: _,
        resources,
        drift: _,
        // Tables of their own.
        impact: _,
        template_diff: _,
    } = group;
    let mut facts = Vec::new();
    if !in_review.is_empty() {
        facts.push(Fact {
            label: "in review already, for another change set, which is obsolete once this one is executed",
            said: Said::Targets(in_review),
            is_warning: true,
        });
    }
    if !private_files.is_empty() {
        let mut texts = limited(private_files.clone(), limit);
        texts.push(PRIVATE_ADVICE.to_owned());
        facts.push(Fact {
            label: PRIVATE,
            said: Said::Texts(texts),
            is_warning: true,
        });
    }
    if let Some((is_warning, texts)) = words::drift::of_group(group) {
        facts.push(Fact {
            label: "drift",
            said: Said::Texts(texts),
            is_warning,
        });
    }
    let lost = tags_before
        .iter()
        .filter(|(key, _)| !tags.contains_key(*key));
    let lost: Vec<String> = lost
        .map(|(key, had)| format!("{key}={}", values(had)))
        .collect();
    if !lost.is_empty() {
        facts.push(Fact {
            label: "tags taken away",
            said: Said::Texts(limited(lost, limit)),
            is_warning: true,
        });
    }
    let mut say = |label, texts: Vec<String>| {
        if !texts.is_empty() {
            facts.push(Fact {
                label,
                said: Said::Texts(texts),
                is_warning: false,
            });
        }
    };
    say(
        "now",
        deleted_from.iter().map(ToString::to_string).collect(),
    );
    say("as", limited(words::callers(callers, limit), limit));
    say(
        "executed as",
        limited(words::roles(executed_as, limit), limit),
    );

    let policy = stack_policy.then(|| "a stack policy".to_owned());
    let protection = options.termination_protection;
    let protection = protection.map(|is_on| words::protection(is_on).to_owned());
    let settings = policy.into_iter().chain(protection);
    let with = if *settings_only {
        // The change set has no changes and is not executed: only this is done.
        settings.collect()
    } else {
        let mut with: Vec<String> = capabilities.iter().cloned().collect();
        with.extend(role_arn.iter().map(|arn| format!("role {arn}")));
        with.extend(settings);
        with.extend(words::options(options));
        if options.include_nested_stacks {
            with.push(nested_sets(resources));
        }
        let is_shown = |id: &LogicalId| resources.iter().any(|r| r.logical_id == *id);
        let imported = options.resources_to_import.iter();
        with.extend(
            imported
                .filter(|(id, _)| !is_shown(id))
                .map(|(id, resource)| format!("{id} taken in from {}", resource.identified())),
        );
        if !tags.is_empty() {
            let tags = tags.iter().map(|(key, value)| format!("{key}={value}"));
            with.push(format!("tags {}", tags.collect::<Vec<_>>().join(", ")));
        }
        with
    };
    say("with", with);
    let changed = tags.iter().filter_map(|(key, value)| {
        let had = tags_before.get(key)?;
        Some(format!("{key}: {} → {value}", values(had)))
    });
    say("tags changed", limited(changed.collect(), limit));
    facts
}

/// Returns the values that stacks have, one after another.
fn values(values: &BTreeSet<String>) -> String {
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    values.join(" or ")
}

/// Returns what became of the wish for change sets of nested stacks: not every endpoint makes them.
fn nested_sets(resources: &[ReviewResource]) -> String {
    let is_unseen = |one: &&ReviewResource| {
        let may_change = match one.action {
            ChangeAction::Add | ChangeAction::Modify | ChangeAction::Dynamic => true,
            ChangeAction::Remove | ChangeAction::Import | ChangeAction::SyncWithActual => false,
        };
        one.resource_type == "AWS::CloudFormation::Stack" && !one.is_nested && may_change
    };
    let unseen = resources.iter().filter(is_unseen);
    let unseen: Vec<&str> = unseen.map(|one| one.logical_id.as_str()).collect();
    if unseen.is_empty() {
        return "change sets of nested stacks".to_owned();
    }
    let names = unseen.join(", ");
    format!("change sets of nested stacks asked for, but none came for {names}")
}

/// The changes of a group that the first group of the review has, too.
pub(super) struct Alike<'a> {
    /// The name of the first group.
    pub(super) first: &'a ReviewGroup,
    /// What is the same there.
    pub(super) same: BTreeSet<&'a LogicalId>,
    /// What the first group changes, and this one does not.
    pub(super) missing: Vec<&'a LogicalId>,
}

/// Returns what need not be shown again of a long list of changes; `None` where most of it is of its own.
pub(super) fn alike<'a>(first: &'a ReviewGroup, group: &'a ReviewGroup) -> Option<Alike<'a>> {
    if first.name == group.name || group.resources.len() <= LONG_GROUP {
        return None;
    }
    let of_first: BTreeMap<&LogicalId, &ReviewResource> =
        first.resources.iter().map(|r| (&r.logical_id, r)).collect();
    let is_same = |resource: &&ReviewResource| {
        let other = of_first.get(&resource.logical_id);
        other.is_some_and(|other| is_same_change(resource, other))
    };
    let same = group.resources.iter().filter(is_same);
    let same: BTreeSet<&LogicalId> = same.map(|r| &r.logical_id).collect();
    if same.len() * 2 <= group.resources.len() {
        return None;
    }
    let own: BTreeSet<&LogicalId> = group.resources.iter().map(|r| &r.logical_id).collect();
    let missing = first.resources.iter().map(|r| &r.logical_id);
    Some(Alike {
        first,
        same,
        missing: missing.filter(|id| !own.contains(id)).collect(),
    })
}

/// Returns whether two resources are changed alike; they are two physical ones.
fn is_same_change(one: &ReviewResource, other: &ReviewResource) -> bool {
    let other = ReviewResource {
        physical_id: one.physical_id.clone(),
        ..other.clone()
    };
    *one == other
}

/// Returns `4 REPLACE`, `2 add`: how many changes there are of a kind, what may do harm first.
pub(super) fn kinds<'a>(resources: impl Iterator<Item = &'a ReviewResource>) -> Vec<String> {
    let mut counts: BTreeMap<u8, Vec<(String, usize)>> = BTreeMap::new();
    for resource in resources {
        let (_, word, _) = what(resource, "");
        let words = counts.entry(urgency(resource)).or_default();
        match words.iter_mut().find(|(known, _)| *known == word) {
            Some((_, number)) => *number += 1,
            None => words.push((word, 1)),
        }
    }
    let counts = counts.into_values().flatten();
    counts
        .map(|(word, number)| format!("{number} {word}"))
        .collect()
}

/// Returns whether the change needs an approval of high risk.
pub(super) fn is_high(resource: &ReviewResource) -> bool {
    let mut risks = resource.risks.iter();
    risks.any(|risk| risk.weight() == RiskLevel::High)
}

/// Returns how many of the resources are changed with a high risk, where there are any.
pub(super) fn high_risks(group: &ReviewGroup) -> Option<String> {
    let number = group.resources.iter().filter(|r| is_high(r)).count();
    (number > 0).then(|| format!("{number} with high risk"))
}

/// Returns what is done to the stacks as a whole; nothing for an update.
pub(super) fn kind(group: &ReviewGroup) -> &'static str {
    let one = group.targets.len() == 1;
    match group.kind {
        ChangeSetKind::Create if one => "new stack",
        ChangeSetKind::Create => "new stacks",
        ChangeSetKind::Update => "",
        ChangeSetKind::Import => "import",
        ChangeSetKind::Delete if one => "DELETE THE STACK",
        ChangeSetKind::Delete => "DELETE THE STACKS",
    }
}

/// Returns what a group without resource changes comes to, with its symbol.
pub(super) fn without_resources(group: &ReviewGroup) -> (&'static str, &'static str) {
    match group.kind {
        ChangeSetKind::Create | ChangeSetKind::Update | ChangeSetKind::Import
            if group.settings_only =>
        {
            ("~", "no changes but what is set on the stack, as above")
        }
        ChangeSetKind::Create | ChangeSetKind::Update | ChangeSetKind::Import => (
            "~",
            "no resource changes: only outputs, tags or metadata of the stack",
        ),
        ChangeSetKind::Delete => ("-", "a stack without resources"),
    }
}

/// Returns which existing resource becomes the one of `change`, where one is taken in.
pub(super) fn taken_in(change: &ReviewResource, group: &ReviewGroup) -> Option<String> {
    let imported = &group.options.resources_to_import;
    let resource = imported.get(&change.logical_id)?;
    Some(format!("takes in {}", resource.identified()))
}

/// Returns what a property list of `change` cannot say, where the service names no properties.
pub(super) fn scope(change: &ReviewResource) -> Option<String> {
    let names: Vec<&str> = change
        .scope
        .iter()
        .map(|scope| scope_name(*scope))
        .collect();
    match names.as_slice() {
        [] if change.action == ChangeAction::Modify => Some("what changes was not said".to_owned()),
        [] => None,
        _ => Some(format!("{}: values were not given", names.join(", "))),
    }
}

fn scope_name(scope: ChangeScope) -> &'static str {
    match scope {
        ChangeScope::Properties => "properties",
        ChangeScope::Metadata => "Metadata",
        ChangeScope::CreationPolicy => "CreationPolicy",
        ChangeScope::UpdatePolicy => "UpdatePolicy",
        ChangeScope::DeletionPolicy => "DeletionPolicy",
        ChangeScope::UpdateReplacePolicy => "UpdateReplacePolicy",
        ChangeScope::Tags => "tags",
    }
}

/// Returns what all changes are made from: the template, or how many there are; of a rollback, what it goes back to.
pub(super) fn template(view: &View, named: impl Fn(&ExecutionId) -> String) -> Option<String> {
    let targets = view.targets();
    let mut templates: Vec<&str> = targets
        .iter()
        .filter_map(|t| t.inputs().map(|i| i.template.path.as_str()))
        .collect();
    templates.sort_unstable();
    templates.dedup();
    match (templates.as_slice(), view.follows()) {
        ([], _) => view.deletes().then(|| "delete".to_owned()),
        // Their files were put together for it, and have names that nobody knows.
        (some, Some(Follows::RollsBack(earlier))) => {
            let what = match some.len() {
                1 => "the template".to_owned(),
                many => count(many, "template"),
            };
            Some(format!(
                "back to {what} from before execution {}",
                named(earlier)
            ))
        }
        ([only], _) => Some((*only).to_owned()),
        (many, _) => Some(count(many.len(), "template")),
    }
}

/// Returns the environment whose settings were taken.
pub(super) fn environment(view: &View) -> Option<&str> {
    let definition = view.definition()?;
    definition.invocation.chosen.environment.as_deref()
}

/// Returns what the execution does with an earlier one, and that one.
pub(super) fn follows(view: &View) -> Option<(&'static str, &ExecutionId)> {
    view.follows().map(|follows| match follows {
        Follows::Retries(earlier) => ("retries", earlier),
        Follows::RollsBack(earlier) => ("rolls back", earlier),
    })
}

/// Returns what is known of the targets that an earlier execution was done with, and that are not run again for it.
pub(super) fn proven(view: &View) -> Option<String> {
    let proven = view.proven();
    let of = |is_so: fn(&Verdict) -> bool| proven.iter().filter(|p| is_so(&p.verdict)).count();
    let parts = [
        (
            of(|v| matches!(v, Verdict::Current)),
            "proven current when it was planned",
        ),
        (
            of(|v| matches!(v, Verdict::Changed { .. })),
            "changed since",
        ),
        (
            of(|v| matches!(v, Verdict::NotRead { .. })),
            "not looked at",
        ),
    ];
    let told = parts.iter().filter(|(number, _)| *number > 0);
    let told: Vec<String> = told
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
    let all = count(proven.len(), "target");
    (!told.is_empty()).then(|| format!("{all} done before: {}", told.join(", ")))
}

/// Returns what became beside an execution that has ended of the targets that it was not to run again.
pub(super) fn beside_ended(view: &View) -> &[String] {
    match view.outcome() {
        Some(_) => view.beside(),
        // It is told in the review, and among the notes.
        None => &[],
    }
}

/// Returns how many targets have come as far as they come before the approval.
pub(super) fn prepared(view: &View) -> usize {
    let is_done = |phase| match phase {
        Phase::Waiting | Phase::Creating | Phase::Reading => false,
        Phase::Ready
        | Phase::Deletable
        | Phase::Checking
        | Phase::Executing
        | Phase::CleaningUp
        | Phase::Ended(_) => true,
    };
    let targets = view.targets();
    targets.iter().filter(|t| is_done(t.phase())).count()
}

/// Returns how the rollout moves, where there is more than one target to change; with waves, each of them says how.
pub(super) fn rollout(view: &View, review: &Review) -> Vec<String> {
    let changed = changed(review);
    let Some(preferences) = view.preferences() else {
        return Vec::new();
    };
    // Each wave is told with a line of its own, which needs one above it.
    if !review.waves.is_empty() {
        let number = count(review.waves.len(), "wave");
        return vec![match review.waves.len() {
            1 => number,
            _ => format!("{number}, one after the other"),
        }];
    }
    if changed.len() < 2 {
        return Vec::new();
    }
    // The execution takes the regions in the order of all targets, and percentages of all of them.
    let all = view.targets().into_iter().map(|t| t.target());
    words::rollout(preferences, all.map(|t| (t, changed.contains(t))))
}

/// Returns the targets in which something is done.
fn changed(review: &Review) -> HashSet<&Target> {
    review.groups.iter().flat_map(|g| &g.targets).collect()
}

/// Returns the waves of the rollout: what each is called, how many targets it has, how it moves over them, and what is to be
/// passed after it.
pub(super) fn waves(view: &View, review: &Review) -> Vec<Vec<String>> {
    let changed = changed(review);
    let told = |(index, wave): (usize, &ReviewWave)| {
        let mut parts = vec![
            format!("wave {} {}", index + 1, wave.name),
            count(wave.targets.len(), "target"),
        ];
        if !wave.ended.is_empty() {
            let planned = view.waves().iter().find(|w| w.name.as_str() == wave.name);
            let failed = planned.map_or(0, |planned| failed(&planned.ended));
            parts.push(not_run_again(wave.ended.len(), failed));
        }
        let is_last = index + 1 == review.waves.len();
        let is_changed = |target: &Target| changed.contains(target);
        let run = wave.targets.iter().filter(|target| is_changed(target));
        let run = run.count();
        if run == 0 && !wave.targets.is_empty() {
            parts.push("nothing to change".to_owned());
        } else if run < wave.targets.len() {
            parts.push(format!("{run} to change"));
        }
        let preferences = wave.preferences.as_ref().or(view.preferences());
        if let Some(preferences) = preferences.filter(|_| run > 0) {
            let targets = wave.targets.iter().map(|t| (t, is_changed(t)));
            parts.extend(words::rollout(preferences, targets));
        }
        let mut regions: BTreeMap<&Region, usize> = BTreeMap::new();
        for target in &wave.targets {
            *regions.entry(&target.region).or_default() += 1;
        }
        let most = regions.values().copied().max().unwrap_or(0);
        let may_all_fail = preferences.is_some_and(|p| all_may_fail(p.failure_tolerance, most));
        if !is_last && !wave.targets.is_empty() && may_all_fail {
            parts.push("all of it may fail, and the next one begins".to_owned());
        }
        let gates: Vec<String> = wave.gates.iter().map(gate).collect();
        match gates.join(", then ") {
            none if none.is_empty() => {}
            gates if is_last => parts.push(format!("no wave follows, so not run: {gates}")),
            gates => parts.push(format!("then {gates}")),
        }
        parts
    };
    review.waves.iter().enumerate().map(told).collect()
}

/// Returns whether a tolerance stops nothing where a region has `most` targets.
fn all_may_fail(tolerance: CountOrPercent, most: usize) -> bool {
    match tolerance {
        CountOrPercent::Count(number) => number as usize >= most,
        CountOrPercent::Percent(share) => share >= 100,
    }
}

/// Returns what is to be passed, with what it is bound to.
fn gate(gate: &Gate) -> String {
    let files = match gate {
        Gate::Command(command) => &command.files[..],
        Gate::Bake { .. } | Gate::Alarms(_) | Gate::Approval => &[],
    };
    let files = files.iter().map(|file| {
        let path = crate::model::clean(&file.path);
        format!(" ({path} sha256:{})", file.digest.short())
    });
    format!("{gate}{}", files.collect::<String>())
}

/// Returns the parameters with one value in all targets that an approver looks at first: all of new stacks, and of stacks
/// that change those that change or would be expected to, and those through which something changes.
///
/// Up to `limit` of those that new stacks begin with, and all others: what changes something is never left out.
pub(super) fn telling_parameters(review: &Review, limit: usize) -> Vec<&ReviewParameter> {
    let makes_stacks = review
        .groups
        .iter()
        .any(|g| g.kind == ChangeSetKind::Create);
    let resources = review.groups.iter().flat_map(|g| &g.resources);
    let causes: BTreeSet<&str> = resources
        .flat_map(|resource| &resource.properties)
        .flat_map(|property| &property.reasons)
        .filter_map(|reason| match reason {
            ReviewReason::Parameter { name, .. } => Some(name.as_str()),
            ReviewReason::Template => None,
        })
        .collect();
    let changes = |used: &ParameterUse| {
        // Whether a secret is another one is not known.
        let is_given = matches!(used.value, ParameterValue::Secret(_));
        is_given || used.is_change() || used.default.is_some()
    };
    let mut left = limit;
    let all = review.common_parameters.iter();
    all.filter(|parameter| {
        let is_cause = causes.contains(parameter.name.as_str());
        if is_cause || parameter.values.iter().any(changes) {
            return true;
        }
        let is_shown = makes_stacks && left > 0;
        left -= usize::from(is_shown);
        is_shown
    })
    .collect()
}

/// Returns where the one value of a parameter came from: each place once.
pub(super) fn origins(parameter: &ReviewParameter) -> String {
    let mut places: Vec<String> = Vec::new();
    for value in &parameter.values {
        let place = words::provenance(&value.provenance);
        if !places.contains(&place) {
            places.push(place);
        }
    }
    limited(places, 3).join(", ")
}

/// Returns whether parameters of several templates are told of, so that each is named with its own.
pub(super) fn has_several_templates(parameters: &[&ReviewParameter]) -> bool {
    parameters
        .iter()
        .any(|p| p.template != parameters[0].template)
}

/// What is said of targets whose account does not have the region.
pub(super) const NOT_ENABLED: &str = "Skipped, region not enabled";

/// Returns what is to be said of the targets with nothing to change.
pub(super) fn unchanged(view: &View) -> &'static str {
    if view.only_failed() {
        "Nothing to replace"
    } else if view.deletes() {
        "No such stack"
    } else {
        "Unchanged"
    }
}

/// Returns what a target is said to have that could not be planned.
pub(super) fn not_planned(view: &View) -> &'static str {
    match view.deletes() {
        true => "not deletable",
        false => "no change set",
    }
}

/// Returns the first target of a group, and where its change set is in the console.
pub(super) fn console<'a>(view: &View, group: &'a ReviewGroup) -> Option<(&'a Target, String)> {
    let (target, set) = (group.targets.first()?, group.change_sets.first()?);
    let stack = view.target(target)?.stack()?;
    let address = links::change_set(stack, set).filter(|_| view.has_console())?;
    Some((target, address))
}

/// Returns the worst that may go wrong in a group.
pub(super) fn risk_of(group: &ReviewGroup) -> RiskLevel {
    let risks = group.resources.iter().flat_map(|r| &r.risks);
    risks.map(Risk::weight).max().unwrap_or(RiskLevel::Low)
}

/// Returns the first of `names`, and how many there are besides.
pub(super) fn limited(mut names: Vec<String>, limit: usize) -> Vec<String> {
    if names.len() > limit {
        let more = names.len() - limit;
        names.truncate(limit);
        names.push(format!("{more} more"));
    }
    names
}

#[cfg(test)]
mod tests;
