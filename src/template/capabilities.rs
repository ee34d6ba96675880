//! Which capabilities a template needs acknowledged.

use std::collections::BTreeSet;

use super::node::{Node, NodeKind};
use super::tree::Template;

/// Every capability there is.
pub const CAPABILITIES: [&str; 3] = [
    "CAPABILITY_IAM",
    "CAPABILITY_NAMED_IAM",
    "CAPABILITY_AUTO_EXPAND",
];

/// IAM types, each with the property that gives it a name of its own.
const IAM_TYPES: [(&str, Option<&str>); 11] = [
    ("AWS::IAM::AccessKey", None),
    ("AWS::IAM::Group", Some("GroupName")),
    ("AWS::IAM::GroupPolicy", None),
    ("AWS::IAM::InstanceProfile", Some("InstanceProfileName")),
    ("AWS::IAM::ManagedPolicy", Some("ManagedPolicyName")),
    ("AWS::IAM::Policy", None),
    ("AWS::IAM::Role", Some("RoleName")),
    ("AWS::IAM::RolePolicy", None),
    ("AWS::IAM::User", Some("UserName")),
    ("AWS::IAM::UserPolicy", None),
    ("AWS::IAM::UserToGroupAddition", None),
];

impl Template {
    /// Returns the capabilities that have to be acknowledged, as far as the template shows: what
    /// nested stacks need is only known to CloudFormation.
    ///
    /// `CAPABILITY_NAMED_IAM` includes `CAPABILITY_IAM`, so at most one of the two is returned.
    pub fn required_capabilities(&self) -> BTreeSet<String> {
        let mut iam = Iam::None;
        if let Some(resources) = self.section("Resources") {
            for (id, entry) in resources {
                if id.starts_with("Fn::") {
                    scan_generated(&entry.value, &mut iam);
                } else {
                    iam = iam.max(of_resource(&entry.value));
                }
            }
        }
        let mut capabilities = BTreeSet::new();
        match iam {
            Iam::None => {}
            Iam::Unnamed => {
                capabilities.insert("CAPABILITY_IAM".to_owned());
            }
            Iam::Named => {
                capabilities.insert("CAPABILITY_NAMED_IAM".to_owned());
            }
        }
        if self.root().value("Transform").is_some() || uses_transform(self.root()) {
            capabilities.insert("CAPABILITY_AUTO_EXPAND".to_owned());
        }
        capabilities
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Iam {
    None,
    Unnamed,
    Named,
}

fn of_resource(resource: &Node) -> Iam {
    let Some(resource_type) = resource.value("Type").and_then(Node::text) else {
        return Iam::None;
    };
    let properties = resource.value("Properties");
    let has = |name: &str| {
        properties
            .and_then(|properties| properties.value(name))
            .is_some_and(|value| !is_no_value(value))
    };
    match IAM_TYPES.iter().find(|(name, _)| *name == resource_type) {
        Some((_, Some(name))) if has(name) => Iam::Named,
        Some(_) => Iam::Unnamed,
        // SAM makes a role for these where none is given.
        None if matches!(
            resource_type,
            "AWS::Serverless::Function" | "AWS::Serverless::StateMachine"
        ) && !has("Role") =>
        {
            Iam::Unnamed
        }
        None => Iam::None,
    }
}

/// Looks at every resource that a `Fn::ForEach` makes.
fn scan_generated(node: &Node, iam: &mut Iam) {
    *iam = (*iam).max(of_resource(node));
    for child in children(node) {
        scan_generated(child, iam);
    }
}

fn is_no_value(node: &Node) -> bool {
    matches!(node.intrinsic(), Some(("Ref", name)) if name.text() == Some("AWS::NoValue"))
}

fn uses_transform(node: &Node) -> bool {
    node.entries()
        .is_some_and(|entries| entries.contains_key("Fn::Transform"))
        || children(node).any(uses_transform)
}

fn children(node: &Node) -> Box<dyn Iterator<Item = &Node> + '_> {
    match &node.kind {
        NodeKind::Scalar(_) => Box::new(std::iter::empty()),
        NodeKind::Sequence(items) => Box::new(items.iter()),
        NodeKind::Mapping(entries) => Box::new(entries.values().map(|entry| &entry.value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capabilities(text: &str) -> Vec<String> {
        let template = Template::parse("t.yaml", text.as_bytes()).unwrap();
        template.required_capabilities().into_iter().collect()
    }

    fn of_resource(body: &str) -> Vec<String> {
        capabilities(&format!("Resources:\n  R: {{{body}}}\n"))
    }

    #[test]
    fn iam_resources_need_acknowledgement() {
        assert!(of_resource("Type: 'AWS::SQS::Queue', Properties: {RoleName: x}").is_empty());
        assert_eq!(of_resource("Type: 'AWS::IAM::Role'"), ["CAPABILITY_IAM"]);
        assert_eq!(
            of_resource("Type: 'AWS::IAM::Role', Properties: {RoleName: !Ref A}"),
            ["CAPABILITY_NAMED_IAM"]
        );
        assert_eq!(
            of_resource("Type: 'AWS::IAM::Role', Properties: {RoleName: !Ref 'AWS::NoValue'}"),
            ["CAPABILITY_IAM"]
        );
        assert_eq!(
            of_resource("Type: 'AWS::IAM::Policy', Properties: {PolicyName: p}"),
            ["CAPABILITY_IAM"]
        );
    }

    #[test]
    fn transforms_need_acknowledgement() {
        assert_eq!(capabilities("Transform: [X]\n"), ["CAPABILITY_AUTO_EXPAND"]);
        assert_eq!(
            capabilities(
                "Transform: AWS::Serverless-2016-10-31\nResources: {F: {Type: 'AWS::Serverless::Function'}}"
            ),
            ["CAPABILITY_AUTO_EXPAND", "CAPABILITY_IAM"]
        );
        assert_eq!(
            of_resource("Type: 'AWS::SQS::Queue', Properties: {Fn::Transform: {Name: X}}"),
            ["CAPABILITY_AUTO_EXPAND"]
        );
    }

    #[test]
    fn what_a_loop_makes_counts() {
        let text = "Resources:\n  Fn::ForEach::R: [N, [A], {'R${N}': {Type: 'AWS::IAM::User', Properties: {UserName: x}}}]\n";
        assert_eq!(capabilities(text), ["CAPABILITY_NAMED_IAM"]);
    }
}
