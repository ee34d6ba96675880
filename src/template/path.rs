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

#[cfg(test)]
mod tests {
    use super::*;
    use PathSegment::{Index, Key};

    const TEMPLATE: &str = "\
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: Retain
    Properties:
      KeySchema:
        - AttributeName: id
          KeyType: HASH
        - !If [A, {AttributeName: x}, {KeyType: RANGE}]
  Bare:
    Type: AWS::SQS::Queue
";

    fn at(id: &str, path: &[PathSegment]) -> Option<(u32, u32)> {
        let template = Template::parse("t.yaml", TEMPLATE.as_bytes()).unwrap();
        let id = LogicalId::new(id).unwrap();
        let position = template.property_position(&id, path)?;
        Some((position.line, position.column))
    }

    #[test]
    fn a_property_is_where_its_key_is() {
        let key = |k: &str| Key(k.to_owned());
        assert_eq!(at("Table", &[key("KeySchema")]), Some((6, 7)));
        let path = [key("KeySchema"), Index(0), key("KeyType")];
        assert_eq!(at("Table", &path), Some((8, 11)));
        assert_eq!(at("Table", &[key("DeletionPolicy")]), Some((4, 5)));
        let path = [key("KeySchema"), Index(1), key("KeyType")];
        assert_eq!(at("Table", &path), Some((9, 40)), "through a branch");
    }

    #[test]
    fn what_is_not_written_is_at_the_nearest_structure_around_it() {
        let key = |k: &str| Key(k.to_owned());
        let path = [key("KeySchema"), Index(0), key("Nope"), Index(3)];
        assert_eq!(at("Table", &path), Some((7, 11)));
        assert_eq!(at("Table", &[key("Tags"), Index(0)]), Some((2, 3)));
        assert_eq!(at("Table", &[]), Some((5, 5)));
        assert_eq!(at("Bare", &[key("DelaySeconds")]), Some((10, 3)));
        assert_eq!(at("Nope", &[]), None);
    }
}
