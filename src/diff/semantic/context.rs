//! What a value is, by the place where it stands: the name of a resource, the text of a `Fn::Sub`, a list whose order
//! says nothing.

use super::Section;
use crate::template::{Node, NodeKind};

/// What is known of a value before one looks at it.
#[derive(Clone, Copy)]
pub(super) struct Context<'t> {
    pub role: Role<'t>,
    /// The variables that a `Fn::Sub` brings, where the value is its text or in a JSON document that is its text.
    pub substituted: Option<Option<&'t Node>>,
    /// In how many JSON documents, each a text in the other, it is. Functions are none there, and `30` is not `"30"`.
    pub documents: u8,
    /// Whether it goes to the code behind a custom resource as it is: CloudFormation does not know what it means there.
    is_passed_on: bool,
    /// Whether a text is taken for the JSON document that it is.
    pub reads_documents: bool,
}

/// What a value is used for.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Role<'t> {
    /// Nothing special.
    Value,
    /// The body of a resource or output.
    Body,
    /// The name of something.
    Name(Names),
    /// A list of names in any order, or one name.
    NameSet(Names),
    /// The argument of a function.
    Argument(&'t str),
    /// A list where a value alone is as good as a list of one.
    Listed,
    /// A list in any order.
    AnyOrder,
    /// A list in any order or one value, so many mappings below.
    Sets(u8),
}

/// What has names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Names {
    /// Parameters and resources.
    Values,
    Conditions,
    Mappings,
    /// Outputs, to which nothing in a template refers.
    Outputs,
}

/// JSON documents inside of texts inside of JSON documents are looked into so deeply.
pub(super) const MOST_DOCUMENTS: u8 = 3;

impl<'t> Context<'t> {
    /// Returns the context of the entries of a section, or of a section without names.
    pub fn of(section: &Section) -> Self {
        let role = match section {
            Section::Resources | Section::Outputs => Role::Body,
            Section::Transform => Role::Listed,
            Section::FormatVersion
            | Section::Description
            | Section::Metadata
            | Section::Parameters
            | Section::Rules
            | Section::Mappings
            | Section::Conditions
            | Section::Globals
            | Section::Hooks
            | Section::Other(_) => Role::Value,
        };
        Self {
            role,
            substituted: None,
            documents: 0,
            is_passed_on: false,
            reads_documents: true,
        }
    }

    /// Returns the context where a text is a text, whatever document it is.
    pub fn literal(self) -> Self {
        Self {
            reads_documents: false,
            ..self
        }
    }

    fn with(self, role: Role<'t>) -> Self {
        Self { role, ..self }
    }

    /// Returns the context of the value of `key` in `mapping`, which is no function.
    pub fn below(self, mapping: &Node, key: &str) -> Self {
        if key == "Properties" && self.documents == 0 && is_custom(mapping) {
            return Self {
                is_passed_on: true,
                ..self.inside()
            };
        }
        if self.is_passed_on {
            return self.inside();
        }
        match self.role {
            Role::Body if key == "DependsOn" => {
                return self.with(Role::NameSet(Names::Values));
            }
            Role::Body if key == "Condition" => return self.with(Role::Name(Names::Conditions)),
            Role::Sets(depth) if depth > 0 => return self.with(Role::Sets(depth - 1)),
            Role::Value
            | Role::Body
            | Role::Name(_)
            | Role::NameSet(_)
            | Role::Argument(_)
            | Role::Listed
            | Role::AnyOrder
            | Role::Sets(_) => {}
        }
        match key {
            "Tags" => self.with(Role::AnyOrder),
            "Statement" if mapping.value(key).is_some_and(is_statements) => {
                self.with(Role::Sets(0))
            }
            "Action" | "NotAction" | "Resource" | "NotResource" if is_statement(mapping) => {
                self.with(Role::Sets(0))
            }
            "Principal" | "NotPrincipal" if is_statement(mapping) => self.with(Role::Sets(1)),
            "Condition" if is_statement(mapping) => self.with(Role::Sets(2)),
            _ => self.inside(),
        }
    }

    /// Returns the context of the values of `key` in two mappings: special only if both are.
    pub fn below_both(self, old: &Node, new: &Node, key: &str) -> Self {
        let (before, after) = (self.below(old, key), self.below(new, key));
        if (before.role, before.is_passed_on) == (after.role, after.is_passed_on) {
            return before;
        }
        Self {
            is_passed_on: before.is_passed_on || after.is_passed_on,
            ..self.inside()
        }
    }

    /// Returns the context of an item of the list `items`.
    pub fn item(self, items: &'t [Node], index: usize) -> Self {
        match self.role {
            Role::Argument("Fn::If") if index == 0 => self.with(Role::Name(Names::Conditions)),
            Role::Argument("Fn::FindInMap") if index == 0 => self.with(Role::Name(Names::Mappings)),
            Role::Argument("Fn::GetAtt") if index == 0 => self.with(Role::Name(Names::Values)),
            Role::Argument("Fn::Sub") if index == 0 => self.substituted(items.get(1)),
            Role::NameSet(names) => self.with(Role::Name(names)),
            Role::Value
            | Role::Body
            | Role::Name(_)
            | Role::Argument(_)
            | Role::Listed
            | Role::AnyOrder
            | Role::Sets(_) => self.inside(),
        }
    }

    /// Returns the context of the argument of a function.
    pub fn argument(self, function: &'t str, argument: &Node) -> Self {
        match (function, &argument.kind) {
            ("Ref", NodeKind::Scalar(_)) => self.with(Role::Name(Names::Values)),
            ("Condition", NodeKind::Scalar(_)) => self.with(Role::Name(Names::Conditions)),
            ("Fn::Sub", NodeKind::Scalar(_)) => self.substituted(None),
            _ => self.with(Role::Argument(function)),
        }
    }

    /// Returns the context of the document that a text is.
    pub fn document(self) -> Self {
        Self {
            documents: self.documents.saturating_add(1),
            ..self.inside()
        }
    }

    fn substituted(self, variables: Option<&'t Node>) -> Self {
        Self {
            substituted: Some(variables),
            ..self.inside()
        }
    }

    /// A role is not handed down.
    fn inside(self) -> Self {
        self.with(Role::Value)
    }

    /// Returns whether the order of a list says nothing.
    pub fn is_free(self) -> bool {
        matches!(self.role, Role::AnyOrder | Role::NameSet(_) | Role::Sets(0))
    }

    /// Returns whether the items of a list are told apart by their places alone.
    pub fn is_positional(self) -> bool {
        matches!(
            self.role,
            Role::Argument(
                "Fn::If"
                    | "Fn::FindInMap"
                    | "Fn::GetAtt"
                    | "Fn::Sub"
                    | "Fn::Join"
                    | "Fn::Select"
                    | "Fn::Split"
                    | "Fn::Equals"
                    | "Fn::Cidr"
            )
        )
    }

    /// Returns the items of a list, or the value alone where that is as good.
    pub fn items(self, node: &'t Node) -> Option<&'t [Node]> {
        let may_be_alone = matches!(self.role, Role::NameSet(_) | Role::Sets(0) | Role::Listed);
        match node.items() {
            Some(items) => Some(items),
            None => (may_be_alone && is_alone(node)).then(|| std::slice::from_ref(node)),
        }
    }

    /// Returns name and argument of a function; a document has none.
    pub fn intrinsic(self, node: &'t Node) -> Option<(&'t str, &'t Node)> {
        (self.documents == 0).then(|| node.intrinsic()).flatten()
    }
}

/// Returns whether a value that is no list is certainly one value.
fn is_alone(node: &Node) -> bool {
    match node.intrinsic() {
        Some(("Fn::Sub" | "Fn::Join", _)) => true,
        Some(("Fn::GetAtt", argument)) => {
            let attribute = argument.items().and_then(<[Node]>::last);
            attribute
                .and_then(Node::text)
                .is_some_and(|name| name.ends_with("Arn"))
        }
        Some(_) => false,
        None => match &node.kind {
            NodeKind::Scalar(_) => !node.is_null(),
            NodeKind::Sequence(_) => false,
            NodeKind::Mapping(_) => is_statement(node),
        },
    }
}

/// Returns whether a mapping is a custom resource.
fn is_custom(resource: &Node) -> bool {
    let declared = resource.value("Type").and_then(Node::text);
    declared.is_some_and(|name| {
        name.starts_with("Custom::") || name == "AWS::CloudFormation::CustomResource"
    })
}

/// Returns whether a mapping is a statement of an IAM policy.
fn is_statement(node: &Node) -> bool {
    let has = |key| node.value(key).is_some();
    has("Effect") && (has("Action") || has("NotAction"))
}

fn is_statements(node: &Node) -> bool {
    match node.items() {
        Some(items) => items
            .iter()
            .all(|item| is_statement(item) || item.intrinsic().is_some()),
        None => is_statement(node),
    }
}
