//! The properties of a resource before and after a change, from whatever tells them.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::network::{Rule, rules};
use super::unknown::Scope;
use super::value::{from_text, to_text};
use crate::model::{ChangeAction, LogicalId, ParameterValue, PlannedTarget, ResourceChange};
use crate::template::{Known, Node, NodeKind, ResourceDeclaration, Template};

/// A template as it is at a target. It is worked out when a value is first asked for.
#[derive(Debug)]
pub(super) struct Declared<'t> {
    template: &'t Template,
    known: Known,
    root: OnceCell<Node>,
    ingress: OnceCell<Ingress>,
}

/// The rules of a template that let into security groups. They are read once, since every rule is compared to all others of
/// its group.
#[derive(Debug, Default)]
struct Ingress {
    /// Which group each resource lets into.
    groups: HashMap<String, String>,
    /// The resources that let into each group, with their rules.
    rules: HashMap<String, Vec<(String, Vec<Rule>)>>,
}

/// The new template and the one the stack has, where they are at hand.
#[derive(Debug, Default)]
pub(super) struct Templates<'t> {
    pub new: Option<Declared<'t>>,
    pub old: Option<Declared<'t>>,
}

impl<'t> Declared<'t> {
    pub(super) fn new(template: &'t Template, known: Known) -> Self {
        Self {
            template,
            known,
            root: OnceCell::new(),
            ingress: OnceCell::new(),
        }
    }

    /// Returns the template, as it is written.
    pub(super) fn template(&self) -> &'t Template {
        self.template
    }

    /// Returns what is declared of a resource beside its properties.
    pub(super) fn resource(&self, id: &LogicalId) -> Option<&'t ResourceDeclaration> {
        self.template.resource(id)
    }

    /// Returns the properties of a resource: what is known is filled in, the rest stays the function that it is. None
    /// where there is no such resource, or its condition is false.
    pub(super) fn properties(&self, id: &LogicalId) -> Option<Value> {
        let root = self.root();
        let resource = root.value("Resources")?.value(id.as_str())?;
        Some(resource.value("Properties").map_or(Value::Null, to_value))
    }

    /// Returns the rules of other resources that let into the same security group as those of `id`.
    pub(super) fn ingress_beside(&self, id: &LogicalId) -> Vec<&Rule> {
        let Ingress { groups, rules } = self
            .ingress
            .get_or_init(|| ingress(self.root(), self.scope()));
        let group = groups.get(id.as_str());
        let of_group = group.and_then(|group| rules.get(group));
        let beside = of_group.into_iter().flatten();
        let beside = beside.filter(|(resource, _)| resource != id.as_str());
        beside.flat_map(|(_, rules)| rules).collect()
    }

    fn scope(&self) -> Scope<'t> {
        Scope {
            template: Some(self.template),
        }
    }

    fn root(&self) -> &Node {
        self.root
            .get_or_init(|| self.template.evaluate(&self.known).root)
    }
}

impl<'t> Templates<'t> {
    /// Returns the templates at a target, with the values of parameters that the plan knows. A secret one has none.
    pub(super) fn of(
        target: &PlannedTarget,
        new: Option<&'t Template>,
        old: Option<&'t Template>,
    ) -> Self {
        let before = &target.previous_parameters;
        let value = |given: &ParameterValue, name: &str| match given {
            ParameterValue::Plain(text) | ParameterValue::Default(Some(text)) => Some(text.clone()),
            ParameterValue::Previous => before.get(name).cloned(),
            ParameterValue::Default(None) | ParameterValue::Secret(_) => None,
        };
        let given = target.inputs.parameters.iter();
        let after = given.filter_map(|one| Some((one.name.clone(), value(&one.value, &one.name)?)));
        let known = |parameters: BTreeMap<String, String>| Known {
            parameters,
            account: Some(target.target.account.to_string()),
            region: Some(target.target.region.to_string()),
            partition: target.caller.arn.split(':').nth(1).map(str::to_owned),
            stack_name: Some(target.target.stack.to_string()),
        };
        Self {
            new: new.map(|template| Declared::new(template, known(after.collect()))),
            old: old.map(|template| Declared::new(template, known(before.clone()))),
        }
    }

    /// Returns templates of which nothing is known but what they say.
    #[cfg(test)]
    pub(super) fn as_written(new: Option<&'t Template>, old: Option<&'t Template>) -> Self {
        let of = |template| Declared::new(template, Known::default());
        Self {
            new: new.map(of),
            old: old.map(of),
        }
    }
}

fn ingress(root: &Node, scope: Scope<'_>) -> Ingress {
    let resources = root.value("Resources").and_then(Node::entries);
    let found = resources.into_iter().flatten().filter_map(|(id, entry)| {
        let mut properties = to_value(entry.value.value("Properties")?);
        let (group, written) = match entry.value.value("Type")?.text()? {
            "AWS::EC2::SecurityGroup" => {
                let rules = properties.get_mut("SecurityGroupIngress");
                (id.clone(), rules.map_or(Value::Null, Value::take))
            }
            "AWS::EC2::SecurityGroupIngress" => (group(properties.get("GroupId")?), properties),
            _ => return None,
        };
        Some((id.clone(), group, rules(&written, scope)))
    });
    let mut ingress = Ingress::default();
    for (resource, group, rules) in found {
        ingress.groups.insert(resource.clone(), group.clone());
        let of_group = ingress.rules.entry(group).or_default();
        of_group.push((resource, rules));
    }
    ingress
}

/// Returns the logical id of a group that is named by a reference, else the text itself.
fn group(value: &Value) -> String {
    let named = value.get("Ref").or_else(|| match value.get("Fn::GetAtt")? {
        Value::Array(parts) => parts.first(),
        one => Some(one),
    });
    let text = to_text(named.unwrap_or(value));
    match named {
        Some(_) => text.split('.').next().unwrap_or_default().to_owned(),
        None => text,
    }
}

/// All properties of a resource before and after; none on a side where there is no resource, or where nothing tells them.
#[derive(Debug, Default)]
pub(super) struct Sides<'a> {
    pub before: Option<Cow<'a, Value>>,
    pub after: Option<Cow<'a, Value>>,
    /// What functions refer to that are left in them.
    pub scope: Scope<'a>,
}

impl<'a> Sides<'a> {
    /// Takes the values of the change where it has them, else what the templates are at the target.
    ///
    /// The two sides of a modification are of one kind: an evaluated value compares to no function.
    pub(super) fn of(change: &'a ResourceChange, templates: &Templates<'a>) -> Self {
        let id = &change.logical_id;
        let Templates { new, old } = templates;
        let scope = Scope {
            // That of a nested stack is not at hand.
            template: new
                .as_ref()
                .filter(|new| new.resource(id).is_some())
                .map(Declared::template),
        };
        let written = |side: &Option<Declared<'_>>| side.as_ref()?.properties(id).map(Cow::Owned);
        let (before, after) = (
            change.before.as_ref().and_then(properties),
            change.after.as_ref().and_then(properties),
        );
        match change.action {
            ChangeAction::Add | ChangeAction::Import => Self {
                before: None,
                after: after.or_else(|| written(new)),
                scope,
            },
            ChangeAction::Remove => Self {
                before: before.or_else(|| written(old)),
                after: None,
                scope,
            },
            ChangeAction::Modify | ChangeAction::Dynamic | ChangeAction::SyncWithActual => {
                let (before, after) = match (before, after) {
                    (Some(before), Some(after)) => (Some(before), Some(after)),
                    (_, _) => (written(old), written(new)),
                };
                if before.is_some() && after.is_some() {
                    Self {
                        before,
                        after,
                        scope,
                    }
                } else {
                    Self::default()
                }
            }
        }
    }

    /// Takes what the new template says at the target, as if nothing were there yet; none where it says nothing.
    pub(super) fn written(id: &LogicalId, templates: &Templates<'a>) -> Option<Self> {
        let new = templates.new.as_ref()?;
        Some(Self {
            before: None,
            after: Some(Cow::Owned(new.properties(id)?)),
            scope: Scope {
                template: Some(new.template()),
            },
        })
    }

    /// Returns the value of a property before.
    pub(super) fn was(&self, name: &str) -> Option<&Value> {
        self.before.as_ref()?.get(name)
    }

    /// Returns the value of a property after.
    pub(super) fn is(&self, name: &str) -> Option<&Value> {
        self.after.as_ref()?.get(name)
    }
}

/// Returns whether a value means `true`, which templates write as a text too.
pub(super) fn is_true(value: Option<&Value>) -> bool {
    flag(value) == Some(true)
}

/// Returns whether a value means `false`; one that is absent or not known does not.
pub(super) fn is_false(value: Option<&Value>) -> bool {
    flag(value) == Some(false)
}

fn flag(value: Option<&Value>) -> Option<bool> {
    match value? {
        Value::Bool(value) => Some(*value),
        Value::String(text) => text.to_ascii_lowercase().parse().ok(),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Returns the properties that a context tells; none where it cannot be read.
fn properties(context: &Value) -> Option<Cow<'_, Value>> {
    let properties = match context {
        // Some endpoints give the context as text.
        Value::String(text) => match from_text(text) {
            Value::Object(mut entries) => {
                Cow::Owned(entries.remove("Properties").unwrap_or_default())
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => return None,
        },
        Value::Object(entries) => Cow::Borrowed(entries.get("Properties").unwrap_or(&Value::Null)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => return None,
    };
    (properties.is_object() || properties.is_null()).then_some(properties)
}

/// Returns a part of a template as JSON; scalars are texts, since what reads them tells numbers by itself.
pub(super) fn to_value(node: &Node) -> Value {
    match &node.kind {
        NodeKind::Scalar(_) if node.is_null() => Value::Null,
        NodeKind::Scalar(scalar) => Value::from(scalar.text.as_str()),
        NodeKind::Sequence(items) => items.iter().map(to_value).collect(),
        NodeKind::Mapping(entries) => entries
            .iter()
            .map(|(key, entry)| (key.clone(), to_value(&entry.value)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Replacement;
    use serde_json::json;

    const TEMPLATE: &str = "\
Parameters: {Cidr: {Type: String}, Key: {Type: String, NoEcho: true}, Stage: {Type: String}}
Conditions: {IsProd: !Equals [!Ref Stage, prod]}
Resources:
  Group:
    Type: T
    Properties: {CidrIp: !Ref Cidr, Key: !Ref Key, Name: !Sub '${AWS::Region}-${Other}', Only: !If [IsProd, a, !Ref AWS::NoValue]}
  Other: {Type: T}
  Prod: {Type: T, Condition: IsProd, Properties: {}}
";

    fn known(values: &[(&str, &str)]) -> Known {
        let values = values.iter();
        Known {
            parameters: values
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            region: Some("eu-west-1".into()),
            ..Known::default()
        }
    }

    #[test]
    fn what_is_known_is_filled_in_and_nothing_else() {
        let template = Template::parse("t.yaml", TEMPLATE.as_bytes()).unwrap();
        let of = |values: &[(&str, &str)], id: &str| {
            let declared = Declared::new(&template, known(values));
            declared.properties(&LogicalId::new(id).unwrap())
        };
        let found = of(&[("Cidr", "0.0.0.0/0"), ("Key", "hunter2")], "Group").unwrap();
        assert_eq!(found["CidrIp"], json!("0.0.0.0/0"));
        assert_eq!(found["Key"], json!({"Ref": "Key"}));
        assert!(found["Name"].to_string().contains("eu-west-1"), "{found}");
        assert!(found["Only"].get("Fn::If").is_some(), "{found}");
        let found = of(&[("Stage", "test")], "Group").unwrap();
        assert_eq!(found["CidrIp"], json!({"Ref": "Cidr"}));
        assert_eq!(found.get("Only"), None);
        assert_eq!(of(&[("Stage", "test")], "Prod"), None);
        assert!(of(&[("Stage", "prod")], "Prod").is_some());
        assert!(of(&[], "Prod").is_some());
    }

    #[test]
    fn rules_of_one_group_are_found_beside_each_other() {
        let text = "\
Resources:
  G: {Type: 'AWS::EC2::SecurityGroup', Properties: {SecurityGroupIngress: [{IpProtocol: tcp, CidrIp: g}]}}
  A: {Type: 'AWS::EC2::SecurityGroupIngress', Properties: {GroupId: !GetAtt G.GroupId, IpProtocol: tcp, CidrIp: a}}
  B: {Type: 'AWS::EC2::SecurityGroupIngress', Properties: {GroupId: !Ref G, IpProtocol: tcp, CidrIp: b}}
  C: {Type: 'AWS::EC2::SecurityGroupIngress', Properties: {GroupId: sg-1, IpProtocol: tcp, CidrIp: c}}
  T: {Type: 'AWS::SNS::Topic', Properties: {}}
";
        let template = Template::parse("t.yaml", text.as_bytes()).unwrap();
        let declared = Declared::new(&template, Known::default());
        let beside = |id: &str| {
            let found = declared.ingress_beside(&LogicalId::new(id).unwrap());
            found
                .iter()
                .map(|rule| format!("{rule:?}"))
                .collect::<String>()
        };
        for (id, others) in [("A", ["\"g\"", "\"b\""]), ("G", ["\"a\"", "\"b\""])] {
            let found = beside(id);
            assert!(others.iter().all(|other| found.contains(other)), "{found}");
            assert!(!found.contains("\"c\""), "{found}");
        }
        assert_eq!(
            (beside("C"), beside("T"), beside("Gone")),
            Default::default()
        );
    }

    #[test]
    fn the_rules_of_a_group_are_read_once_for_all_of_its_rules() {
        // A group, and as many rules that are resources of their own: how many rules are read in all.
        let read = |count: usize| {
            let rule = |at: usize| format!("IpProtocol: tcp, FromPort: {at}, ToPort: {at}");
            let inline: String = (0..count)
                .map(|at| format!("{{{}, CidrIp: 10.0.0.0/8}}, ", rule(at)))
                .collect();
            let text = |cidr: &str| {
                let own = (0..count).map(|at| {
                    let rule = rule(at);
                    format!("  R{at}: {{Type: 'AWS::EC2::SecurityGroupIngress', Properties: {{GroupId: !Ref G, {rule}, CidrIp: {cidr}}}}}\n")
                });
                format!(
                    "Resources:\n  G: {{Type: 'AWS::EC2::SecurityGroup', Properties: {{SecurityGroupIngress: [{inline}]}}}}\n{}",
                    own.collect::<String>()
                )
            };
            let parsed = |cidr| Template::parse("t.yaml", text(cidr).as_bytes()).unwrap();
            let (old, new) = (parsed("10.0.0.0/8"), parsed("52.0.0.0/7"));
            let of = "AWS::EC2::SecurityGroupIngress";
            let changes = (0..count).map(|at| {
                super::super::fixtures::change(
                    &format!("R{at}"),
                    of,
                    ChangeAction::Modify,
                    Replacement::No,
                )
            });
            let target = super::super::fixtures::target(&[], &[], changes.collect());
            super::super::network::READ.set(0);
            let risks = super::super::risks_of_target(&target, Some(&new), Some(&old));
            let found = risks
                .iter()
                .filter(|risk| risk.rule == "wide_ingress")
                .count();
            assert_eq!(found, count);
            super::super::network::READ.get()
        };
        let (few, many) = (read(10), read(40));
        assert!(few >= 40, "{few}: both sides have 20 rules");
        assert!(
            many <= 4 * few,
            "{many} for four times as many rules as take {few}"
        );
    }

    #[test]
    fn values_of_the_change_come_first_and_both_sides_are_of_one_kind() {
        let template = Template::parse("t.yaml", TEMPLATE.as_bytes()).unwrap();
        let declared = |cidr| Some(Declared::new(&template, known(&[("Cidr", cidr)])));
        let templates = Templates {
            new: declared("0.0.0.0/0"),
            old: declared("10.0.0.0/8"),
        };
        let mut change =
            super::super::fixtures::change("Group", "T", ChangeAction::Modify, Replacement::No);
        let told = |change: &ResourceChange| {
            let sides = Sides::of(change, &templates);
            let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
            (text(sides.was("CidrIp")), text(sides.is("CidrIp")))
        };
        let from_templates = (Some("10.0.0.0/8".into()), Some("0.0.0.0/0".into()));
        assert_eq!(told(&change), from_templates);
        change.after = Some(json!({"Properties": {"CidrIp": "said"}}));
        assert_eq!(told(&change), from_templates);
        change.before = Some(json!({"Properties": {}}));
        assert_eq!(told(&change), (None, Some("said".into())));
        // What cannot be read tells nothing.
        for unread in [
            json!("oops{"),
            json!("null"),
            json!(null),
            json!({"Properties": "x"}),
        ] {
            change.before = Some(unread);
            assert_eq!(told(&change), from_templates);
        }
    }
}
