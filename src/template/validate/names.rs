//! Names that refer to nothing, names that nothing uses, circles.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::super::graph::{Graph, depends_on};
use super::super::node::{Entry, Node, NodeKind};
use super::super::references::{Reference, ReferenceKind, for_each, is_pattern, references};
use super::{Checker, Diagnostic, Rule, Severity};
use crate::model::nearest;

const PSEUDO_PARAMETERS: [&str; 8] = [
    "AWS::AccountId",
    "AWS::NotificationARNs",
    "AWS::NoValue",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
];

/// What SAM makes without being asked by name.
const SAM_NAMES: [&str; 3] = [
    "ServerlessRestApi",
    "ServerlessHttpApi",
    "ServerlessDeploymentApplication",
];

/// Where a name is used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    /// In `Conditions` or `Rules`, which are worked out before there are resources.
    BeforeResources,
    /// In `Resources` or `Outputs`.
    WithResources,
}

/// A name that a loop makes.
enum Made<'t> {
    /// It has no variable.
    Name(&'t str),
    /// What stands around its variables.
    Pattern { prefix: &'t str, suffix: &'t str },
}

impl Made<'_> {
    fn fits(&self, name: &str) -> bool {
        match self {
            Self::Name(made) => *made == name,
            Self::Pattern { prefix, suffix } => {
                name.len() >= prefix.len() + suffix.len()
                    && name.starts_with(prefix)
                    && name.ends_with(suffix)
            }
        }
    }
}

/// Names that were used somewhere.
#[derive(Default)]
struct Used<'t> {
    values: BTreeSet<&'t str>,
    conditions: BTreeSet<&'t str>,
    mappings: BTreeSet<&'t str>,
    /// Whether a name is put together while the template is evaluated, so that everything may be used.
    any: bool,
}

impl<'t> Checker<'t> {
    pub(super) fn names(&mut self) {
        let mut used = Used::default();
        let made = self.made_names();
        for (section, place) in [
            ("Conditions", Where::BeforeResources),
            ("Rules", Where::BeforeResources),
            ("Resources", Where::WithResources),
            ("Outputs", Where::WithResources),
            ("Hooks", Where::WithResources),
        ] {
            let Some(node) = self.root.value(section) else {
                continue;
            };
            used.any |= has_computed_names(node);
            for reference in references(node) {
                // The `Condition` of a statement in a policy is none of ours.
                let is_foreign =
                    reference.kind == ReferenceKind::ConditionKey && place == Where::WithResources;
                used.note(reference);
                if !is_foreign {
                    self.reference(reference, place, &made);
                }
            }
        }
        // Macros and SAM read `Globals` and whatever else there is.
        let others = self.root.entries().into_iter().flatten();
        for (name, entry) in others {
            if ![
                "Conditions",
                "Rules",
                "Resources",
                "Outputs",
                "Hooks",
                "Metadata",
            ]
            .contains(&name.as_str())
            {
                references(&entry.value)
                    .into_iter()
                    .for_each(|one| used.note(one));
            }
        }
        for section in ["Resources", "Outputs"] {
            if let Some(entries) = self.names.section(section) {
                self.attributes(section, entries, &made, &mut used);
            }
        }
        self.unused(&used);
        self.circles();
    }

    /// Names that loops make.
    fn made_names(&self) -> Vec<Made<'t>> {
        let mut made = Vec::new();
        let sections = ["Resources", "Conditions"].map(|section| self.names.section(section));
        let mut pending: Vec<_> = sections.into_iter().flatten().map(|s| (s, false)).collect();
        while let Some((entries, is_in_loop)) = pending.pop() {
            for (key, entry) in entries {
                if key.starts_with("Fn::ForEach") {
                    let output = for_each(&entry.value).and_then(|(_, _, output)| output.entries());
                    pending.extend(output.map(|output| (output, true)));
                } else if is_in_loop && is_pattern(key) {
                    made.push(Made::Pattern {
                        prefix: key.split(['$', '&']).next().unwrap_or_default(),
                        suffix: key.rsplit('}').next().unwrap_or_default(),
                    });
                } else if is_in_loop {
                    made.push(Made::Name(key));
                }
            }
        }
        made
    }

    fn reference(&mut self, one: Reference<'t>, place: Where, made: &[Made<'_>]) {
        let name = one.name;
        let is_made = is_pattern(name) || made.iter().any(|made| made.fits(name));
        let has = |section| self.names.get(section, name).is_some() && !name.starts_with("Fn::");
        let is_known = match one.kind {
            ReferenceKind::Value => {
                has("Parameters")
                    || PSEUDO_PARAMETERS.contains(&name)
                    || place == Where::WithResources && has("Resources")
            }
            ReferenceKind::Attribute => place == Where::WithResources && has("Resources"),
            ReferenceKind::Condition | ReferenceKind::ConditionKey => has("Conditions"),
            ReferenceKind::Mapping => has("Mappings"),
        };
        if is_known || is_made || self.is_made_by_macro(name) {
            return;
        }
        if self.is_full() {
            // What was meant takes time to find out.
            self.left_out += 1;
            return;
        }
        let span = self.source.part(one.node, name);
        if let Some((message, help, declared)) = self.other_kind(one) {
            let found = Diagnostic::error(Rule::WrongKind, span, message).help(help);
            let declared = self.key(declared);
            self.say(found.related(declared, "declared here"));
            return;
        }
        let (what, sections): (_, &[&str]) = match (one.kind, place) {
            (ReferenceKind::Value, Where::WithResources) => {
                ("parameter or resource", &["Parameters", "Resources"])
            }
            (ReferenceKind::Value, Where::BeforeResources) => ("parameter", &["Parameters"]),
            (ReferenceKind::Attribute, _) => ("resource", &["Resources"]),
            (ReferenceKind::Condition | ReferenceKind::ConditionKey, _) => {
                ("condition", &["Conditions"])
            }
            (ReferenceKind::Mapping, _) => ("mapping", &["Mappings"]),
        };
        let message = format!("`{name}` is no {what} of the template");
        let mut found = Diagnostic::error(Rule::UnknownName, span, message);
        if self.names.has_macros {
            found.severity = Severity::Warning;
        }
        let pseudo: &[&str] = match one.kind {
            ReferenceKind::Value => &PSEUDO_PARAMETERS,
            ReferenceKind::Attribute
            | ReferenceKind::Condition
            | ReferenceKind::ConditionKey
            | ReferenceKind::Mapping => &[],
        };
        let declared = sections.iter().flat_map(|section| self.names.of(section));
        let candidates = declared.map(|(name, _)| name).chain(pseudo.iter().copied());
        let help = match nearest(name, candidates) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("declare it in `{}`, or correct the name", sections[0]),
        };
        self.say(found.help(help));
    }

    /// Returns what to say of a name that is declared as something of another kind.
    fn other_kind(&self, one: Reference<'t>) -> Option<(String, String, &'t Entry)> {
        let name = one.name;
        let get = |section| self.names.get(section, name);
        let (is, expected, help, entry) = match one.kind {
            ReferenceKind::Value => match (get("Conditions"), get("Mappings"), get("Resources")) {
                (Some(entry), _, _) => (
                    "a condition",
                    "a parameter or resource",
                    "use `!If`, or `!Condition` inside of conditions",
                    entry,
                ),
                (_, Some(entry), _) => (
                    "a mapping",
                    "a parameter or resource",
                    "use `!FindInMap`",
                    entry,
                ),
                (_, _, Some(entry)) => (
                    "a resource",
                    "a parameter",
                    "conditions and rules are worked out before there are resources",
                    entry,
                ),
                (None, None, None) => return None,
            },
            ReferenceKind::Attribute => match (get("Parameters"), get("Resources")) {
                (Some(entry), _) => (
                    "a parameter",
                    "a resource",
                    "a parameter has no attributes; use `!Ref`",
                    entry,
                ),
                (_, Some(entry)) => (
                    "a resource",
                    "a parameter",
                    "conditions and rules are worked out before there are resources",
                    entry,
                ),
                (None, None) => return None,
            },
            ReferenceKind::Condition | ReferenceKind::ConditionKey => (
                "a parameter",
                "a condition",
                "declare a condition such as `!Equals [!Ref Name, value]`",
                get("Parameters")?,
            ),
            ReferenceKind::Mapping => (
                "a parameter",
                "a mapping",
                "declare it in `Mappings`",
                get("Parameters")?,
            ),
        };
        Some((
            format!("`{name}` is {is}, expected {expected}"),
            help.to_owned(),
            entry,
        ))
    }

    fn is_made_by_macro(&self, name: &str) -> bool {
        self.names.has_sam
            && (SAM_NAMES.iter().any(|made| name.starts_with(made))
                || self
                    .names
                    .of("Resources")
                    .any(|(id, _)| name.starts_with(id)))
    }

    /// Looks at `Condition` and `DependsOn` beside the properties.
    fn attributes(
        &mut self,
        section: &str,
        entries: &'t IndexMap<String, Entry>,
        made: &[Made<'_>],
        used: &mut Used<'t>,
    ) {
        for (id, entry) in entries {
            if id.starts_with("Fn::ForEach") {
                let output = for_each(&entry.value).and_then(|(_, _, output)| output.entries());
                if let Some(output) = output {
                    self.attributes(section, output, made, used);
                }
                continue;
            }
            if let Some(node) = entry.value.value("Condition")
                && !node.is_null()
                && let Some(name) = self.expect_text(node, "`Condition`")
            {
                let one = Reference {
                    kind: ReferenceKind::Condition,
                    name,
                    node,
                    conditional: false,
                };
                used.note(one);
                self.reference(one, Where::WithResources, made);
            }
            if section == "Resources" {
                for node in depends_on(&entry.value) {
                    self.depends_on(node, made);
                }
            }
        }
    }

    fn depends_on(&mut self, node: &'t Node, made: &[Made<'_>]) {
        let Some(name) = self.expect_text(node, "`DependsOn`") else {
            return;
        };
        let one = Reference {
            kind: ReferenceKind::Attribute,
            name,
            node,
            conditional: false,
        };
        self.reference(one, Where::WithResources, made);
    }

    fn unused(&mut self, used: &Used<'t>) {
        if used.any || self.names.has_macros && !self.names.has_sam {
            return;
        }
        let kinds = [
            (
                "Parameters",
                "parameter",
                Rule::UnusedParameter,
                &used.values,
            ),
            (
                "Conditions",
                "condition",
                Rule::UnusedCondition,
                &used.conditions,
            ),
            ("Mappings", "mapping", Rule::UnusedMapping, &used.mappings),
        ];
        for (section, kind, rule, names) in kinds {
            for (name, entry) in self.names.of(section) {
                if !names.contains(name) {
                    let message = format!("nothing uses {kind} `{name}`");
                    let found = Diagnostic::warning(rule, self.key(entry), message);
                    self.say(found.help("remove it, or use it"));
                }
            }
        }
    }

    fn circles(&mut self) {
        self.circles_of(&Graph::of_conditions(self.root), "condition", &[false]);
        self.circles_of(&Graph::of(self.root), "resource", &[false, true]);
    }

    fn circles_of(&mut self, graph: &Graph<'t>, kind: &str, passes: &[bool]) {
        let mut seen = BTreeSet::new();
        for with_conditions in passes.iter().copied() {
            for circle in graph.circles(with_conditions) {
                let mut names: Vec<&str> = circle.iter().map(|step| step.resource).collect();
                if names.iter().any(|name| seen.contains(name)) {
                    continue;
                }
                seen.extend(names.iter().copied());
                names.extend(names.first().copied());
                let message = match &names[..] {
                    [one, _] => format!("{kind} `{one}` needs itself"),
                    names if names.len() <= LONGEST_CIRCLE => {
                        let names: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
                        format!("{kind}s need each other: {}", names.join(" → "))
                    }
                    names => format!("{} {kind}s need each other in a circle", names.len() - 1),
                };
                let Some((first, others)) = circle.split_first() else {
                    continue;
                };
                let place = |step: &super::super::graph::Step<'t>, next: &str| {
                    self.source.part(step.dependency.node, next)
                };
                let mut found = Diagnostic::error(Rule::Circle, place(first, names[1]), message);
                if with_conditions {
                    found.severity = Severity::Warning;
                }
                for (step, next) in others.iter().zip(&names[2..]).take(LONGEST_CIRCLE) {
                    let text = format!("`{}` needs `{next}`", step.resource);
                    found = found.related(place(step, next), text);
                }
                let help = if with_conditions {
                    "make sure that the conditions never hold together"
                } else if kind == "condition" {
                    "remove one of these uses"
                } else {
                    "remove one of these uses, for example by a resource of its own for the connection"
                };
                self.say(found.help(help));
            }
        }
    }
}

/// So many resources of a circle are named.
const LONGEST_CIRCLE: usize = 10;

impl<'t> Used<'t> {
    fn note(&mut self, one: Reference<'t>) {
        match one.kind {
            ReferenceKind::Value | ReferenceKind::Attribute => self.values.insert(one.name),
            ReferenceKind::Condition | ReferenceKind::ConditionKey => {
                self.conditions.insert(one.name)
            }
            ReferenceKind::Mapping => self.mappings.insert(one.name),
        };
        self.any |= is_pattern(one.name);
    }
}

/// Returns whether a function computes the name of a parameter, mapping or condition.
fn has_computed_names(node: &Node) -> bool {
    let is_computed = match node.intrinsic() {
        Some(("Ref", argument)) => argument.text().is_none(),
        Some(("Fn::FindInMap", argument)) => argument
            .items()
            .and_then(<[Node]>::first)
            .is_some_and(|name| name.text().is_none()),
        Some(_) | None => false,
    };
    is_computed
        || match &node.kind {
            NodeKind::Scalar(_) => false,
            NodeKind::Sequence(items) => items.iter().any(has_computed_names),
            NodeKind::Mapping(entries) => entries
                .values()
                .any(|entry| has_computed_names(&entry.value)),
        }
}
