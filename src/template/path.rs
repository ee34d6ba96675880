//! Places of values: from the path of a property to a position in the file.

use super::declaration::{PathSegment, Position};
use super::node::{Entry, Node, NodeKind};
use super::tree::Template;
use crate::model::LogicalId;

/// Attributes of a resource beside `Properties` that a change can be about.
const ATTRIBUTES: [&str; 7] = [
    "Metadata",
    "CreationPolicy",
    "UpdatePolicy",
    "DeletionPolicy",
    "UpdateReplacePolicy",
    "DependsOn",
    "Condition",
];

/// Returns whether `path` may begin with an attribute of the resource instead of a property.
pub(super) fn is_attribute(path: &[PathSegment]) -> bool {
    match path.first() {
        Some(PathSegment::Key(key)) => ATTRIBUTES.contains(&key.as_str()),
        Some(PathSegment::Index(_)) | None => false,
    }
}

impl Template {
    /// Returns where the value at `path` is written, or the nearest structure around it that is there.
    ///
    /// Paths begin below `Properties`; one that begins with another attribute of the resource, such as
    /// `DeletionPolicy`, and with no property of that name, is about that attribute.
    pub fn property_position(&self, id: &LogicalId, path: &[PathSegment]) -> Option<Position> {
        let resource = self.resource_entry(id.as_str())?;
        let below = |entry: &Entry| nearest(entry, path);
        let properties = resource.value.entries()?.get("Properties");
        let (mut found, mut depth) = properties.map_or((resource.position, 0), below);
        if depth == 0 && is_attribute(path) {
            (found, depth) = below(resource);
        }
        if depth == 0 && !path.is_empty() {
            // Nothing of the path is written: the resource says more than `Properties`.
            found = resource.position;
        }
        Some(found)
    }
}

/// Returns the position of the deepest value on `path` that is there, and how many steps it is away.
fn nearest(entry: &Entry, path: &[PathSegment]) -> (Position, usize) {
    let mut position = entry.position;
    let mut node = &entry.value;
    for (depth, segment) in path.iter().enumerate() {
        match step(node, segment) {
            Some((found, next)) => {
                position = found;
                node = next;
            }
            None => return (position, depth),
        }
    }
    (position, path.len())
}

/// Returns the value one step below `node`, through the branches of a `Fn::If`.
fn step<'a>(node: &'a Node, segment: &PathSegment) -> Option<(Position, &'a Node)> {
    if let Some(("Fn::If", argument)) = node.intrinsic() {
        let branches = argument.items()?.get(1..)?;
        return branches.iter().find_map(|branch| step(branch, segment));
    }
    match (&node.kind, segment) {
        (NodeKind::Mapping(entries), PathSegment::Key(key)) => {
            let entry = entries.get(key)?;
            Some((entry.position, &entry.value))
        }
        (NodeKind::Sequence(items), PathSegment::Index(index)) => {
            let item = items.get(*index)?;
            Some((item.position, item))
        }
        (NodeKind::Mapping(_), PathSegment::Index(_))
        | (NodeKind::Sequence(_), PathSegment::Key(_))
        | (NodeKind::Scalar(_), _) => None,
    }
}
