//! What was changed outside CloudFormation over all targets; those with the same drift together.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use super::DOCUMENT_VERSION;
use super::clean::NotLookedAt;
use super::diff_words::name_of;
use super::screen::{Line, Page, ScreenOptions, Tone, columns};
use super::words::{Places, count};
use crate::diff::{Difference, DriftedProperty, DriftedResource, value_text};
use crate::model::{DriftStatus, StackName, Target};

/// How wide a value may be before it is cut, unless all is to be shown.
const WIDEST: usize = 200;

/// The drift of all targets.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drift {
    /// Which document this is.
    pub document: &'static str,
    /// The version of this form.
    pub version: u32,
    /// The stack.
    pub stack: StackName,
    /// Whether anything drifted.
    pub drifted: bool,
    /// What drifted; targets with the same drift together.
    pub groups: Vec<DriftGroup>,
    /// Targets without any drift.
    pub in_sync: Vec<Target>,
    /// Targets that have no such stack.
    pub no_stack: Vec<Target>,
    /// Targets whose drift is not known, or not all of it.
    pub not_checked: Vec<NotLookedAt>,
    /// Commands that go on from here.
    pub next: Vec<String>,
}

/// One drift.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DriftGroup {
    /// The targets.
    pub targets: Vec<Target>,
    /// Whether a value names the account, region or stack of its target: then it is that of the first.
    pub varies: bool,
    /// What drifted.
    pub resources: Vec<DriftedResource>,
}

/// What is known of one target.
#[derive(Debug, Clone, PartialEq)]
pub enum TargetDrift {
    /// Its stack was checked.
    Checked {
        /// What drifted.
        resources: Vec<DriftedResource>,
        /// Why not all of it could be checked, where that is so.
        failure: Option<String>,
    },
    /// There is no such stack.
    NoStack,
    /// It could not be checked.
    Failed {
        /// Why.
        reason: String,
    },
}

impl Drift {
    /// Returns the drift of the stack over all targets.
    /// `options`: those with which the targets are reached, for the commands that go on.
    pub fn new(stack: StackName, found: Vec<(Target, TargetDrift)>, options: &str) -> Self {
        let mut groups: Vec<DriftGroup> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        let (mut in_sync, mut no_stack, mut failures) = (Vec::new(), Vec::new(), Vec::new());
        for (target, drift) in found {
            match drift {
                TargetDrift::NoStack => no_stack.push(target),
                TargetDrift::Failed { reason } => failures.push((target, reason)),
                TargetDrift::Checked { resources, failure } => {
                    let is_whole = failure.is_none();
                    failures.extend(failure.map(|reason| (target.clone(), reason)));
                    if resources.is_empty() {
                        if is_whole {
                            in_sync.push(target);
                        }
                        continue;
                    }
                    let key = key(&target, &resources);
                    match known.get(&key).and_then(|at| groups.get_mut(*at)) {
                        Some(group) => {
                            group.varies |= group.resources != resources;
                            group.targets.push(target);
                        }
                        None => {
                            known.insert(key, groups.len());
                            groups.push(DriftGroup {
                                targets: vec![target],
                                varies: false,
                                resources,
                            });
                        }
                    }
                }
            }
        }
        groups.sort_by_key(|group| std::cmp::Reverse(group.targets.len()));
        let next = next(&stack, &groups, options);
        Self {
            document: "drift",
            version: DOCUMENT_VERSION,
            stack,
            drifted: !groups.is_empty(),
            groups,
            in_sync,
            no_stack,
            not_checked: NotLookedAt::grouped(failures),
            next,
        }
    }

    fn targets(&self) -> impl Iterator<Item = &Target> {
        let drifted = self.groups.iter().flat_map(|group| &group.targets);
        let failed = self.not_checked.iter().flat_map(|group| &group.targets);
        drifted
            .chain(&self.in_sync)
            .chain(&self.no_stack)
            .chain(failed)
    }
}

/// Returns what all targets with the same drift have in common: their own names do not count.
fn key(target: &Target, resources: &[DriftedResource]) -> String {
    target
        .unfill(&format!("{resources:?}"))
        .replace(target.stack.as_str(), "{stack}")
}

/// Returns the command that plans to put back what drifted.
fn next(stack: &StackName, groups: &[DriftGroup], options: &str) -> Vec<String> {
    let targets = || groups.iter().flat_map(|group| &group.targets);
    if groups.is_empty() {
        return Vec::new();
    }
    let all = super::words::place_options(targets()).into_iter();
    all.map(|places| format!("stackgate plan {stack} --revert-drift {places}{options}"))
        .collect()
}

/// Returns the drift as people read it.
pub fn drift(all: &Drift, options: &ScreenOptions) -> String {
    let mut page = Page::new(options);
    let places = Places::of(all.targets());
    headline(&mut page, all);
    for (at, group) in all.groups.iter().enumerate() {
        page.blank();
        draw_group(&mut page, at, group, &places);
    }
    if !all.groups.is_empty() {
        page.blank();
    }
    let lists = [
        ("in sync", Tone::Good, &all.in_sync),
        ("no such stack", Tone::Warn, &all.no_stack),
    ];
    for (what, tone, targets) in lists {
        if !targets.is_empty() {
            let number = count(targets.len(), "target");
            let line = Line::of(tone, what).add(Tone::Plain, &format!(" · {number}   "));
            page.items(line, 2, Tone::Dim, &names(targets, &places, options));
        }
    }
    for group in &all.not_checked {
        let number = count(group.targets.len(), "target");
        let line = Line::of(Tone::Bad, "not checked")
            .add(Tone::Plain, &format!(" · {number}   {}", group.reason));
        page.line(line, 4);
        let names = names(&group.targets, &places, options);
        page.items(Line::indent(4), 4, Tone::Dim, &names);
    }
    for (at, command) in all.next.iter().enumerate() {
        let label = if at == 0 { "next: " } else { "      " };
        page.verbatim(Line::of(Tone::Dim, label).add(Tone::Strong, command));
    }
    page.finish()
}

fn names(targets: &[Target], places: &Places, options: &ScreenOptions) -> Vec<String> {
    let limit = if options.full { usize::MAX } else { 8 };
    let mut names = places.names(targets.iter().take(limit));
    if targets.len() > limit {
        names.push(format!("and {} more", targets.len() - limit));
    }
    names
}

fn headline(page: &mut Page<'_>, all: &Drift) {
    let drifted: BTreeSet<&Target> = all.groups.iter().flat_map(|g| &g.targets).collect();
    let total: BTreeSet<&Target> = all.targets().collect();
    let total = count(total.len(), "target");
    let (text, tone) = if !drifted.is_empty() {
        (
            format!("drifted in {} of {total}", drifted.len()),
            Tone::Warn,
        )
    } else if all.not_checked.is_empty() {
        (format!("no drift in {total}"), Tone::Good)
    } else {
        (format!("no drift known in {total}"), Tone::Warn)
    };
    let line = Line::of(Tone::Strong, all.stack.as_str()).add(tone, &format!(": {text}"));
    page.line(line, 2);
    let note =
        "resources of types that CloudFormation cannot check, and nested stacks, are not looked at";
    page.line(Line::indent(2).add(Tone::Dim, note), 4);
}

fn draw_group(page: &mut Page<'_>, at: usize, group: &DriftGroup, places: &Places) {
    let name = name_of(at).replace("Change", "Drift");
    let number = count(group.targets.len(), "target");
    let line = Line::of(Tone::Strong, &name).add(Tone::Plain, &format!(" · {number}   "));
    page.items(
        line,
        4,
        Tone::Dim,
        &names(&group.targets, places, page.options),
    );
    if group.varies {
        let text = "values that name account, region or stack are those of the first";
        page.line(Line::indent(2).add(Tone::Dim, text), 4);
    }
    for resource in &group.resources {
        let (symbol, word, tone) = match resource.status {
            DriftStatus::Deleted => ("-", "DELETED", Tone::Bad),
            DriftStatus::Modified => ("~", "modified", Tone::Warn),
            DriftStatus::InSync
            | DriftStatus::NotChecked
            | DriftStatus::Unsupported
            | DriftStatus::Unknown => ("?", "unknown", Tone::Warn),
        };
        let mut line = Line::of(tone, &format!("  {symbol} "));
        line.push(Tone::Plain, resource.logical_id.as_str());
        line.push(Tone::Dim, &format!("   {}   ", resource.resource_type));
        line.push(tone, word);
        page.line(line, 6);
        let paths = resource.properties.iter().map(|one| columns(&one.path));
        let wide = paths.max().unwrap_or(0).min(40);
        for one in &resource.properties {
            property(page, one, wide);
        }
    }
}

fn property(page: &mut Page<'_>, one: &DriftedProperty, wide: usize) {
    let mut line = Line::indent(6).add(Tone::Plain, &one.path);
    line.pad(6 + wide, 0);
    line.spaces(3);
    let room = if page.options.full {
        usize::MAX
    } else {
        WIDEST
    };
    let side = |value: &Option<String>| {
        let text = value
            .as_deref()
            .map_or_else(|| "(none)".to_owned(), value_text);
        page.options.shorten(&text, room)
    };
    let arrow = page.glyphs.arrow;
    line.push(Tone::Plain, &format!("{} {arrow} ", side(&one.expected)));
    line.push(Tone::Warn, &side(&one.actual));
    let word = match one.difference {
        Difference::Add => "   added by hand",
        Difference::Remove => "   taken away by hand",
        Difference::NotEqual => "",
    };
    line.push(Tone::Dim, word);
    page.line(line, 8);
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{self, assert_screens};
    use super::super::schema::assert_documented;
    use super::*;

    fn property(path: &str, difference: Difference, sides: [Option<&str>; 2]) -> DriftedProperty {
        let [expected, actual] = sides.map(|side| side.map(str::to_owned));
        DriftedProperty {
            path: path.to_owned(),
            difference,
            expected,
            actual,
        }
    }

    fn queue(target: &Target) -> DriftedResource {
        let arn = format!("arn:aws:sqs:{}:{}:dead", target.region, target.account);
        DriftedResource {
            logical_id: "Queue".parse().unwrap(),
            resource_type: "AWS::SQS::Queue".to_owned(),
            status: DriftStatus::Modified,
            properties: vec![
                property(
                    "VisibilityTimeout",
                    Difference::NotEqual,
                    [Some("30"), Some("90")],
                ),
                property(
                    "Tags[0].Value",
                    Difference::Add,
                    [None, Some("hand\u{1b}[2Jmade")],
                ),
                property("RedrivePolicy", Difference::Remove, [Some(&arn), None]),
                property(
                    "QueueName",
                    Difference::NotEqual,
                    [Some("****"), Some("**** (changed)")],
                ),
            ],
        }
    }

    fn deleted() -> DriftedResource {
        DriftedResource {
            logical_id: "Orders".parse().unwrap(),
            resource_type: "AWS::DynamoDB::Table".to_owned(),
            status: DriftStatus::Deleted,
            properties: Vec::new(),
        }
    }

    fn found() -> Drift {
        let mut found: Vec<(Target, TargetDrift)> = Vec::new();
        let checked = |resources: Vec<DriftedResource>| TargetDrift::Checked {
            resources,
            failure: None,
        };
        let four = fixtures::four();
        found.push((four[3].clone(), checked(vec![deleted(), queue(&four[3])])));
        found.push((four[0].clone(), checked(vec![queue(&four[0])])));
        found.push((four[1].clone(), checked(vec![queue(&four[1])])));
        let other = |account: char| fixtures::target(account, "eu-central-1");
        found.push((four[2].clone(), checked(Vec::new())));
        found.push((other('3'), TargetDrift::NoStack));
        for account in ['4', '5'] {
            let target = other(account);
            let reason = format!("DetectStackDrift in {}: AccessDenied: no", target.place());
            found.push((target, TargetDrift::Failed { reason }));
        }
        let partly = TargetDrift::Checked {
            resources: vec![deleted()],
            failure: Some("Failed to detect drift on resource [R]".to_owned()),
        };
        found.push((other('6'), partly));
        Drift::new("network".parse().unwrap(), found, " --environment prod")
    }

    #[test]
    fn equal_drift_of_many_targets_is_told_once() {
        let all = found();
        let sizes: Vec<_> = all
            .groups
            .iter()
            .map(|g| (g.targets.len(), g.varies))
            .collect();
        assert_eq!(sizes, [(2, true), (1, false), (1, false)]);
        assert_eq!(all.not_checked.len(), 2);
        assert!(all.drifted);
        assert_screens!("drift", |options: &ScreenOptions| drift(&all, options));
    }

    #[test]
    fn a_stack_without_drift_is_in_sync_only_if_all_of_it_was_checked() {
        let target = fixtures::target('1', "eu-west-1");
        let checked = |failure: Option<&str>| {
            let drift = TargetDrift::Checked {
                resources: Vec::new(),
                failure: failure.map(str::to_owned),
            };
            Drift::new(
                "network".parse().unwrap(),
                vec![(target.clone(), drift)],
                "",
            )
        };
        let all = checked(None);
        assert_eq!((all.in_sync.len(), all.not_checked.len()), (1, 0));
        assert!(all.next.is_empty());
        assert!(
            drift(&all, &ScreenOptions::default()).starts_with("network: no drift in 1 target")
        );
        let all = checked(Some("why"));
        assert_eq!((all.in_sync.len(), all.not_checked.len()), (0, 1));
        assert!(drift(&all, &ScreenOptions::default()).contains("no drift known"));
    }

    #[test]
    fn the_document_is_as_its_schema_says() {
        assert_documented(&serde_json::to_value(found()).unwrap());
    }
}
