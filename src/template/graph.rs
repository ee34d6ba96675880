//! Which resource needs which: for order, and for circles that no order satisfies.

use indexmap::{IndexMap, IndexSet};

use super::node::Node;
use super::references::{ReferenceKind, references};
use super::tree::Template;

/// The resources of a template and what each needs.
#[derive(Debug)]
pub struct Graph<'t> {
    resources: IndexMap<&'t str, Vec<Dependency<'t>>>,
}

/// A use of one resource by another.
#[derive(Debug, Clone, Copy)]
pub struct Dependency<'t> {
    /// The place of the needed resource in the template's order.
    needed: usize,
    /// The text that names it.
    pub node: &'t Node,
    /// Whether a condition decides on the use.
    pub conditional: bool,
}

/// A step of a circle: this resource needs that of the next step.
#[derive(Debug, Clone, Copy)]
pub struct Step<'t> {
    /// The resource.
    pub resource: &'t str,
    /// Where it names the next one.
    pub dependency: Dependency<'t>,
}

impl Template {
    /// Returns which resource needs which.
    pub fn graph(&self) -> Graph<'_> {
        Graph::of(self.root())
    }
}

impl<'t> Graph<'t> {
    pub(super) fn of(root: &'t Node) -> Self {
        Self::with(root, "Resources", dependencies)
    }

    /// Returns which condition needs which.
    pub(super) fn of_conditions(root: &'t Node) -> Self {
        Self::with(root, "Conditions", conditions)
    }

    fn with(
        root: &'t Node,
        section: &str,
        dependencies: impl Fn(&IndexSet<&'t str>, &'t Node) -> Vec<Dependency<'t>>,
    ) -> Self {
        let Some(entries) = root.value(section).and_then(Node::entries) else {
            return Self {
                resources: IndexMap::new(),
            };
        };
        let ids: IndexSet<&str> = entries
            .keys()
            .map(String::as_str)
            .filter(|id| !id.starts_with("Fn::"))
            .collect();
        let resources = ids
            .iter()
            .filter_map(|id| {
                let resource = &entries.get(*id)?.value;
                Some((*id, dependencies(&ids, resource)))
            })
            .collect();
        Self { resources }
    }

    /// Returns what `resource` needs, each once.
    pub fn needs(&self, resource: &str) -> IndexSet<&'t str> {
        let needed = self.resources.get(resource).into_iter().flatten();
        needed.filter_map(|one| self.name(one.needed)).collect()
    }

    /// Returns the resources that need `resource`.
    pub fn needed_by(&self, resource: &str) -> IndexSet<&'t str> {
        let Some(needed) = self.resources.get_index_of(resource) else {
            return IndexSet::new();
        };
        self.resources
            .iter()
            .filter(|(_, needs)| needs.iter().any(|one| one.needed == needed))
            .map(|(id, _)| *id)
            .collect()
    }

    /// Returns one circle for each group of resources that need each other, a shortest one of its first resource.
    /// `with_conditions` follows uses, too, that conditions may switch off.
    pub fn circles(&self, with_conditions: bool) -> Vec<Vec<Step<'t>>> {
        let is_followed = |one: &&Dependency<'_>| with_conditions || !one.conditional;
        let groups = self.groups(with_conditions);
        let mut circles = Vec::new();
        let mut seen = IndexSet::new();
        for start in 0..self.resources.len() {
            let group = groups[start];
            if !seen.insert(group) {
                continue;
            }
            // The way to each resource of the group, breadth first, back to the start.
            let mut came_from: IndexMap<usize, (usize, Dependency<'t>)> = IndexMap::new();
            let mut pending = std::collections::VecDeque::from([start]);
            while let Some(at) = pending.pop_front() {
                for one in self.needs_of(at).iter().filter(is_followed) {
                    if groups[one.needed] == group && !came_from.contains_key(&one.needed) {
                        came_from.insert(one.needed, (at, *one));
                        pending.push_back(one.needed);
                    }
                }
                if came_from.contains_key(&start) {
                    break;
                }
            }
            let mut circle = Vec::new();
            let mut at = start;
            while let Some((from, dependency)) = came_from.get(&at).copied() {
                if let Some(resource) = self.name(from) {
                    circle.push(Step {
                        resource,
                        dependency,
                    });
                }
                at = from;
                if at == start {
                    break;
                }
            }
            circle.reverse();
            if !circle.is_empty() {
                circles.push(circle);
            }
        }
        circles
    }

    fn name(&self, index: usize) -> Option<&'t str> {
        self.resources.get_index(index).map(|(id, _)| *id)
    }

    fn needs_of(&self, index: usize) -> &[Dependency<'t>] {
        self.resources
            .get_index(index)
            .map(|(_, needs)| needs.as_slice())
            .unwrap_or_default()
    }

    /// Returns a number for each resource; those that reach each other share it. Tarjan's way, with a list instead
    /// of recursion, since a chain can be as long as the template.
    fn groups(&self, with_conditions: bool) -> Vec<usize> {
        const NONE: usize = usize::MAX;
        let count = self.resources.len();
        let mut order = vec![NONE; count];
        let mut lowest = vec![NONE; count];
        let mut group = vec![NONE; count];
        let mut open = Vec::new();
        let mut next = 0;
        for root in 0..count {
            let mut stack = vec![(root, 0)];
            while let Some((at, edge)) = stack.pop() {
                if edge == 0 {
                    if order[at] != NONE {
                        continue;
                    }
                    order[at] = next;
                    lowest[at] = next;
                    next += 1;
                    open.push(at);
                }
                if let Some(one) = self.needs_of(at).get(edge) {
                    stack.push((at, edge + 1));
                    if (with_conditions || !one.conditional) && order[one.needed] == NONE {
                        stack.push((one.needed, 0));
                    }
                    continue;
                }
                for one in self.needs_of(at) {
                    if (with_conditions || !one.conditional) && group[one.needed] == NONE {
                        lowest[at] = lowest[at].min(lowest[one.needed]);
                    }
                }
                if lowest[at] == order[at] {
                    while let Some(member) = open.pop() {
                        group[member] = at;
                        if member == at {
                            break;
                        }
                    }
                }
            }
        }
        group
    }
}

fn dependencies<'t>(ids: &IndexSet<&'t str>, resource: &'t Node) -> Vec<Dependency<'t>> {
    let is_conditional = resource.value("Condition").is_some();
    let mut found: IndexMap<(usize, bool), Dependency<'t>> = IndexMap::new();
    let mut add = |name: &str, node: &'t Node, conditional: bool| {
        if let Some(needed) = ids.get_index_of(name) {
            let conditional = conditional || is_conditional;
            found.entry((needed, conditional)).or_insert(Dependency {
                needed,
                node,
                conditional,
            });
        }
    };
    for one in references(resource) {
        match one.kind {
            ReferenceKind::Value | ReferenceKind::Attribute => {
                add(one.name, one.node, one.conditional);
            }
            ReferenceKind::Condition | ReferenceKind::ConditionKey | ReferenceKind::Mapping => {}
        }
    }
    for node in depends_on(resource) {
        if let Some(name) = node.text() {
            add(name, node, false);
        }
    }
    found.into_values().collect()
}

fn conditions<'t>(ids: &IndexSet<&'t str>, condition: &'t Node) -> Vec<Dependency<'t>> {
    let uses = references(condition).into_iter();
    uses.filter_map(|one| match one.kind {
        ReferenceKind::Condition | ReferenceKind::ConditionKey => Some(Dependency {
            needed: ids.get_index_of(one.name)?,
            node: one.node,
            conditional: false,
        }),
        ReferenceKind::Value | ReferenceKind::Attribute | ReferenceKind::Mapping => None,
    })
    .collect()
}

/// Returns the names in `DependsOn`, one or a list.
pub(super) fn depends_on(resource: &Node) -> &[Node] {
    match resource.value("DependsOn") {
        Some(node) => node.items().unwrap_or(std::slice::from_ref(node)),
        None => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circles(text: &str, with_conditions: bool) -> Vec<String> {
        let template = Template::parse("t.yaml", text.as_bytes()).unwrap();
        let graph = template.graph();
        let circles = graph.circles(with_conditions);
        let show = |circle: &Vec<Step<'_>>| {
            let steps = circle.iter().map(|step| {
                let line = step.dependency.node.position.line;
                format!("{}:{line}", step.resource)
            });
            steps.collect::<Vec<_>>().join(" ")
        };
        circles.iter().map(show).collect()
    }

    #[test]
    fn what_needs_what_is_known() {
        let text = "Parameters: {P: {Type: String}}\nResources:\n  A: {Type: X, Properties: {P: !Ref P, Q: !GetAtt B.Arn}}\n  B: {Type: X, DependsOn: C}\n  C: {Type: X, Properties: !Sub '${B}${D.Arn}${!A}'}\n  D: {Type: X, DependsOn: [A, Nope]}\n";
        let template = Template::parse("t.yaml", text.as_bytes()).unwrap();
        let graph = template.graph();
        assert_eq!(graph.needs("C"), IndexSet::from(["B", "D"]));
        assert_eq!(graph.needed_by("B"), IndexSet::from(["A", "C"]));
        assert_eq!(graph.needs("Nope"), IndexSet::new());
    }

    #[test]
    fn circles_are_found_with_their_places() {
        let text = "Resources:\n  A: {Type: X, Properties: {Q: !GetAtt B.Arn}}\n  B: {Type: X, DependsOn: C}\n  C: {Type: X, Properties: !Sub '${A}'}\n  Self: {Type: X, DependsOn: Self}\n  Free: {Type: X, DependsOn: A}\n";
        assert_eq!(circles(text, false), ["A:2 B:3 C:4", "Self:5"]);
        let text = "Resources:\n  A: {Type: X, Properties: !If [C, !Ref B, x]}\n  B: {Type: X, DependsOn: A}\n";
        assert!(circles(text, false).is_empty());
        assert_eq!(circles(text, true), ["A:2 B:3"]);
        let loops = "Resources:\n  Fn::ForEach::L: [A, [x], {'R${A}': {Type: X, Properties: !Ref A}}]\n  A: {Type: X, Properties: {Fn::ForEach::M: [A, [x], {'${A}': !Ref A}]}}\n";
        assert!(circles(loops, true).is_empty());
    }

    #[test]
    fn a_long_chain_needs_no_deep_stack() {
        let mut text = String::from("Resources:\n");
        for number in 0..20_000 {
            text.push_str(&format!(
                "  R{number}: {{Type: X, DependsOn: R{}}}\n",
                number + 1
            ));
        }
        assert!(circles(&text, false).is_empty());
        text.push_str("  R20000: {Type: X, DependsOn: R0}\n");
        let found = circles(&text, false);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].split(' ').count(), 20_001);
    }

    proptest::proptest! {
        #[test]
        fn invariant_a_circle_is_found_where_no_order_exists(
            edges in proptest::collection::vec((0_usize..7, 0_usize..7), 0..14),
        ) {
            let mut text = String::from("Resources:\n");
            for number in 0..7 {
                let needs = edges.iter().filter(|(from, _)| *from == number);
                let needs: Vec<_> = needs.map(|(_, to)| format!("R{to}")).collect();
                text.push_str(&format!("  R{number}: {{Type: X, DependsOn: [{}]}}\n", needs.join(", ")));
            }
            // Takes away what needs nothing that is left, until nothing can be taken away.
            let mut left: std::collections::BTreeSet<usize> = (0..7).collect();
            while let Some(free) = left.iter().copied().find(|at| {
                !edges.iter().any(|(from, to)| from == at && left.contains(to))
            }) {
                left.remove(&free);
            }
            proptest::prop_assert_eq!(circles(&text, false).is_empty(), left.is_empty());
        }
    }
}
