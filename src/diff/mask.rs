//! Secrets are taken out of changes before anything stores or shows them.
//!
//! Endpoints exist that return `NoEcho` values in plain text, so what is masked goes by the templates: the new one and
//! the one the stack has. A value counts as secret when either says so.

use serde_json::Value;

use super::judged::keep_judged;
use super::property::detail_path;
use super::value::{MARKER, from_text, keys, to_text};
use crate::model::{LogicalId, ResourceChange};
use crate::template::{PathSegment, Secrecy, Template};

/// What stands for a secret.
pub const MASK: &str = "****";
/// What stands for a secret that is known to differ from the one before.
pub const MASK_CHANGED: &str = "**** (changed)";

/// Shorter texts occur by chance, and would mask what is no secret.
const SHORTEST_KNOWN: usize = 4;

/// Replaces every value whose expression in either template depends on a secret, and every occurrence of
/// a known secret.
///
/// Where both values are at hand and differ, the one after says so. Masking twice changes nothing. No template at hand says
/// what is secret inside a nested stack: only what rules judge stays there.
pub fn mask(
    changes: &mut [ResourceChange],
    new: &Template,
    old: Option<&Template>,
    known_secrets: &[String],
) {
    let masker = Masker {
        new,
        old,
        known: known(known_secrets),
    };
    for change in changes {
        if change.logical_id.as_str().contains('/') {
            keep_judged(change);
        }
        masker.change(change);
    }
}

/// Returns the texts to look for, longest first: one secret can be part of another.
fn known(secrets: &[String]) -> Vec<String> {
    let mut known = Vec::new();
    for secret in secrets {
        // Inside JSON texts, as policies are often written, a secret is escaped.
        let quoted = Value::from(secret.as_str()).to_string();
        let escaped = quoted.get(1..quoted.len() - 1).unwrap_or_default();
        let trimmed = secret.trim().to_owned();
        known.extend([secret.clone(), escaped.to_owned(), trimmed]);
    }
    known.retain(|text| text.chars().count() >= SHORTEST_KNOWN);
    known.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    known.dedup();
    known
}

/// A resource whose values are masked.
#[derive(Clone, Copy)]
struct Resource<'a> {
    id: &'a LogicalId,
    /// Whether the items of lists stand where the templates have them.
    is_in_order: bool,
}

struct Masker<'a> {
    new: &'a Template,
    old: Option<&'a Template>,
    known: Vec<String>,
}

impl Masker<'_> {
    fn change(&self, change: &mut ResourceChange) {
        let id = change.logical_id.clone();
        let of = Resource {
            id: &id,
            is_in_order: self.is_in_order(change),
        };
        self.context(of, change.before.as_mut(), change.after.as_mut());
        for detail in &mut change.details {
            let mut path = detail_path(detail);
            let mut before = detail.before.as_deref().map(from_text);
            let mut after = detail.after.as_deref().map(from_text);
            self.pair(of, before.as_mut(), after.as_mut(), &mut path);
            // An untouched text stays as it was given, to the last space.
            replace(&mut detail.before, before);
            replace(&mut detail.after, after);
            if let Some(drift) = &mut detail.drift {
                let mut previous = drift.previous.as_deref().map(from_text);
                let mut actual = drift.actual.as_deref().map(from_text);
                self.pair(of, previous.as_mut(), actual.as_mut(), &mut path);
                replace(&mut drift.previous, previous);
                replace(&mut drift.actual, actual);
            }
        }
        if let Some(physical_id) = &mut change.physical_id {
            *physical_id = self.without_known(physical_id);
        }
    }

    /// Returns whether the items of lists stand where the templates have them: what is really there, in place of what was
    /// deployed, may have another order, and so may what was made from a template that is not at hand.
    fn is_in_order(&self, change: &ResourceChange) -> bool {
        let mut details = change.details.iter();
        let is_drift = change.drift.is_some() || details.any(|detail| detail.drift.is_some());
        let mut details = change.details.iter();
        let has_before = change.before.is_some() || details.any(|detail| detail.before.is_some());
        !is_drift && (self.old.is_some() || !has_before)
    }

    fn secrecy(&self, of: Resource<'_>, path: &[PathSegment]) -> Secrecy {
        let secrecy = |template: &Template| match of.is_in_order {
            true => template.secrecy(of.id, path),
            false => template.secrecy_in_any_order(of.id, path),
        };
        let old = self.old.map_or(Secrecy::Clear, secrecy);
        secrecy(self.new).max(old)
    }

    /// Masks the contexts, which hold the properties beside other attributes of the resource.
    fn context(&self, of: Resource<'_>, before: Option<&mut Value>, after: Option<&mut Value>) {
        let (mut before, mut after) = (before, after);
        for side in [&mut before, &mut after] {
            // A context that was not read as JSON is read here.
            if let Some(value) = side
                && let Value::String(text) = &**value
            {
                **value = from_text(text);
            }
        }
        let names = keys(before.as_deref(), after.as_deref());
        if !all_objects(before.as_deref(), after.as_deref()) {
            self.pair(of, before, after, &mut Vec::new());
            return;
        }
        for name in names {
            let old = before.as_mut().and_then(|value| value.get_mut(&name));
            let new = after.as_mut().and_then(|value| value.get_mut(&name));
            let mut path = if name == "Properties" {
                Vec::new()
            } else {
                vec![PathSegment::Key(name)]
            };
            self.pair(of, old, new, &mut path);
        }
    }

    /// Masks two values at the same place.
    fn pair(
        &self,
        of: Resource<'_>,
        before: Option<&mut Value>,
        after: Option<&mut Value>,
        path: &mut Vec<PathSegment>,
    ) {
        match self.secrecy(of, path) {
            Secrecy::Whole => hide(before, after),
            Secrecy::Clear => {
                for value in [before, after].into_iter().flatten() {
                    self.remove_known(value);
                }
            }
            Secrecy::Below => match (before, after) {
                (Some(old), Some(new)) if is_structure(old) && is_structure(new) => {
                    self.children(of, Some(old), Some(new), path);
                }
                (old, new) => {
                    // They are of different kinds, so nothing inside one is comparable to the other.
                    for value in [old, new].into_iter().flatten() {
                        if is_structure(value) {
                            self.children(of, Some(value), None, path);
                        } else {
                            hide(Some(value), None);
                        }
                    }
                }
            },
        }
    }

    fn children(
        &self,
        of: Resource<'_>,
        mut before: Option<&mut Value>,
        mut after: Option<&mut Value>,
        path: &mut Vec<PathSegment>,
    ) {
        for name in keys(before.as_deref(), after.as_deref()) {
            path.push(PathSegment::Key(name.clone()));
            let old = before.as_mut().and_then(|value| value.get_mut(&name));
            let new = after.as_mut().and_then(|value| value.get_mut(&name));
            self.pair(of, old, new, path);
            path.pop();
        }
        let length = |value: Option<&Value>| value.and_then(Value::as_array).map_or(0, Vec::len);
        for index in 0..length(before.as_deref()).max(length(after.as_deref())) {
            path.push(PathSegment::Index(index));
            let old = before.as_mut().and_then(|value| value.get_mut(index));
            let new = after.as_mut().and_then(|value| value.get_mut(index));
            self.pair(of, old, new, path);
            path.pop();
        }
    }

    fn without_known(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.known {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), MASK);
            }
        }
        text
    }

    fn remove_known(&self, value: &mut Value) {
        if self.known.is_empty() {
            return;
        }
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => {
                let text = number.to_string();
                if self.known.contains(&text) {
                    *value = Value::from(MASK);
                }
            }
            Value::String(text) => *text = self.without_known(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.remove_known(item)),
            Value::Object(entries) => {
                let taken = std::mem::take(entries);
                for (key, mut value) in taken {
                    self.remove_known(&mut value);
                    entries.insert(self.without_known(&key), value);
                }
            }
        }
    }
}

fn is_structure(value: &Value) -> bool {
    value.is_object() || value.is_array()
}

fn all_objects(before: Option<&Value>, after: Option<&Value>) -> bool {
    [before, after].into_iter().flatten().all(Value::is_object)
}

/// Masks two values as a whole, and keeps whether they are known to differ.
fn hide(before: Option<&mut Value>, after: Option<&mut Value>) {
    let differ = match (&before, &after) {
        (Some(old), Some(new)) => is_known(old) && is_known(new) && old != new,
        _ => false,
    };
    for (value, mask) in [
        (before, MASK),
        (after, if differ { MASK_CHANGED } else { MASK }),
    ] {
        if let Some(value) = value
            && !is_public(value)
        {
            *value = Value::from(mask);
        }
    }
}

/// Values that stand for no value: masks, and what only execution brings.
fn is_public(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|text| matches!(text, MASK | MASK_CHANGED | MARKER))
}

fn is_known(value: &Value) -> bool {
    // Some endpoints use other numbers of asterisks.
    let is_mask = |text: &str| !text.is_empty() && text.chars().all(|c| c == '*');
    !is_public(value) && !value.as_str().is_some_and(is_mask) && !value.to_string().contains(MARKER)
}

fn replace(text: &mut Option<String>, value: Option<Value>) {
    if let (Some(text), Some(value)) = (text.as_mut(), value)
        && from_text(text) != value
    {
        *text = to_text(&value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ChangeAction, ChangeDetail, ChangeScope, Recreation, Replacement};
    use proptest::prelude::*;
    use serde_json::json;

    fn change(before: Option<Value>, after: Option<Value>) -> ResourceChange {
        ResourceChange {
            logical_id: LogicalId::new("R").unwrap(),
            resource_type: "AWS::X::Y".to_owned(),
            physical_id: None,
            action: ChangeAction::Modify,
            replacement: Replacement::No,
            policy_action: None,
            scope: Vec::new(),
            details: Vec::new(),
            before,
            after,
            nested: None,
            module: None,
            drift: None,
        }
    }

    fn detail(path: Option<&str>, name: &str, before: &str, after: &str) -> ChangeDetail {
        ChangeDetail {
            attribute: Some(ChangeScope::Properties),
            name: Some(name.to_owned()),
            path: path.map(str::to_owned),
            recreation: Recreation::Never,
            before: Some(before.to_owned()),
            after: Some(after.to_owned()),
            evaluation: None,
            source: None,
            causing_entity: None,
            drift: None,
        }
    }

    fn template(properties: &str) -> Template {
        let text = format!(
            "Parameters:\n  Secret: {{Type: String, NoEcho: true}}\n  Public: {{Type: String}}\nResources:\n  R:\n    Type: AWS::X::Y\n    Properties: {properties}\n"
        );
        Template::parse("t.yaml", text.as_bytes()).unwrap()
    }

    fn masked(
        new: &str,
        old: Option<&str>,
        mut change: ResourceChange,
        known: &[&str],
    ) -> ResourceChange {
        let known: Vec<String> = known.iter().map(|&text| text.to_owned()).collect();
        let (new, old) = (template(new), old.map(template));
        mask(
            std::slice::from_mut(&mut change),
            &new,
            old.as_ref(),
            &known,
        );
        change
    }

    #[test]
    fn secrets_in_contexts_are_masked_and_their_change_is_told() {
        let properties = "{P: !Ref Secret, Q: !Sub 'x-${Secret}', O: x, L: [{N: a, V: !Ref Secret}, {N: b, V: !Ref Public}]}";
        let context = |secret: &str, public: &str| {
            json!({"Properties": {"P": secret, "Q": "x-same", "O": "x",
                "L": [{"N": "a", "V": secret}, {"N": "b", "V": public}]}})
        };
        let change = change(Some(context("one", "y")), Some(context("two", "z")));
        let result = masked(properties, Some(properties), change, &[]);
        assert_eq!(
            result.before.unwrap()["Properties"],
            json!({"P": MASK, "Q": MASK, "O": "x", "L": [{"N": "a", "V": MASK}, {"N": "b", "V": "y"}]})
        );
        assert_eq!(
            result.after.unwrap()["Properties"],
            json!({"P": MASK_CHANGED, "Q": MASK, "O": "x",
                "L": [{"N": "a", "V": MASK_CHANGED}, {"N": "b", "V": "z"}]})
        );
    }

    #[test]
    fn what_is_really_there_is_masked_like_what_was_deployed() {
        let of = |path: &str, previous: &str, actual: &str, known: &[&str]| {
            let mut given = change(None, None);
            given.details = vec![ChangeDetail {
                drift: Some(crate::model::PropertyDrift {
                    previous: Some(previous.to_owned()),
                    actual: Some(actual.to_owned()),
                    detected: None,
                    before_from: None,
                    only_recorded: false,
                }),
                ..detail(Some(path), "P", "one", "one")
            }];
            let template = "{P: !Ref Secret, L: [{V: !Ref Secret, O: x}], Q: q}";
            let drift = masked(template, None, given, known).details[0]
                .drift
                .clone();
            let drift = drift.unwrap();
            (drift.previous.unwrap(), drift.actual.unwrap())
        };
        let told = |previous: &str, actual: &str| (previous.to_owned(), actual.to_owned());
        assert_eq!(
            of("/Properties/P", "one", "two", &[]),
            told(MASK, MASK_CHANGED)
        );
        assert_eq!(of("/Properties/P", "one", "one", &[]), told(MASK, MASK));
        assert_eq!(
            of(
                "/Properties/L",
                r#"[{"V":"one","O":"x"}]"#,
                r#"[{"V":"two","O":"y"}]"#,
                &[]
            ),
            told(
                r#"[{"V":"****","O":"x"}]"#,
                r#"[{"V":"**** (changed)","O":"y"}]"#
            )
        );
        assert_eq!(
            of("/Properties/Q", "q", "by hand: hunter2", &["hunter2"]),
            told("q", "by hand: ****")
        );
    }

    #[test]
    fn what_is_really_there_may_have_another_order() {
        let template =
            "{Env: [{N: A, V: plain}, {N: PW, V: !Ref Secret}], L: [[a, !Ref Secret], b]}";
        let deployed = r#"[{"N":"A","V":"plain"},{"N":"PW","V":"deployed"}]"#;
        let actual = r#"[{"N":"PW","V":"hunter2"},{"N":"A","V":"plain"}]"#;
        let told = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let mut given = change(
            Some(json!({"Properties": {"Env": told(actual), "L": [["hunter2", "a"], "b"]}})),
            Some(json!({"Properties": {"Env": told(deployed), "L": [["a", "deployed"], "b"]}})),
        );
        given.details = vec![ChangeDetail {
            drift: Some(crate::model::PropertyDrift {
                previous: Some(deployed.to_owned()),
                actual: Some(actual.to_owned()),
                detected: None,
                before_from: None,
                only_recorded: false,
            }),
            ..detail(Some("/Properties/Env"), "Env", actual, deployed)
        }];
        let of_details = masked(template, Some(template), given.clone(), &[]);
        given.details = vec![detail(
            Some("/Properties/Env/0/V"),
            "Env",
            "hunter2",
            "plain",
        )];
        given.drift = Some(crate::model::ResourceDrift {
            status: None,
            ignored: Vec::new(),
        });
        let of_resource = masked(template, Some(template), given.clone(), &[]);
        given.drift = None;
        let of_unknown = masked(template, None, given.clone(), &[]);
        for result in [of_details, of_resource, of_unknown] {
            let text = serde_json::to_string(&result).unwrap();
            assert!(
                !text.contains("hunter2") && !text.contains("deployed"),
                "{text}"
            );
            // The names of items are no secret in any order.
            assert!(text.contains("PW"), "{text}");
        }
        given.before = Some(json!({"Properties": {"Env": told(deployed)}}));
        given.details.clear();
        let in_order = masked(template, Some(template), given, &[]);
        assert_eq!(
            in_order.before.unwrap()["Properties"]["Env"][0]["V"],
            json!("plain")
        );
    }

    #[test]
    fn a_structure_that_is_a_secret_is_masked_as_a_whole() {
        let after = json!({"Properties": {"P": ["one", "two"]}});
        let result = masked(
            "{P: !Split [',', !Ref Secret]}",
            None,
            change(None, Some(after)),
            &[],
        );
        assert_eq!(result.after.unwrap(), json!({"Properties": {"P": MASK}}));
    }

    #[test]
    fn what_either_template_calls_secret_is_masked() {
        let context = |value: &str| Some(json!({"Properties": {"P": value, "Q": "q"}}));
        let both = change(context("hunter"), context("open"));
        for (new, old) in [
            ("{P: open, Q: q}", "{P: !Ref Secret, Q: q}"),
            ("{P: !Ref Secret}", "{Q: q}"),
        ] {
            let result = masked(new, Some(old), both.clone(), &[]);
            assert_eq!(
                result.before.unwrap()["Properties"],
                json!({"P": MASK, "Q": "q"})
            );
            assert_eq!(
                result.after.unwrap()["Properties"],
                json!({"P": MASK_CHANGED, "Q": "q"})
            );
        }
    }

    #[test]
    fn what_is_known_after_apply_stays_and_says_nothing_about_a_change() {
        let before = json!({"Properties": {"P": "hunter"}});
        let after = json!({"Properties": {"P": MARKER}});
        let result = masked(
            "{P: !Ref Secret}",
            None,
            change(Some(before), Some(after)),
            &[],
        );
        assert_eq!(result.before.unwrap()["Properties"]["P"], MASK);
        assert_eq!(result.after.unwrap()["Properties"]["P"], MARKER);
        let masks = json!({"Properties": {"P": "*****"}});
        let before = json!({"Properties": {"P": "hunter"}});
        let result = masked(
            "{P: !Ref Secret}",
            None,
            change(Some(before), Some(masks)),
            &[],
        );
        assert_eq!(result.after.unwrap()["Properties"]["P"], MASK);
    }

    #[test]
    fn secrets_in_details_are_masked() {
        let properties = "{P: !Ref Secret, L: [{V: !Ref Secret, O: x}], M: {'012': !Ref Secret}}";
        let mut given = change(None, None);
        given.details = vec![
            detail(Some("/Properties/P"), "P", "one", "two"),
            detail(None, "P", "one", "one"),
            detail(
                None,
                "L",
                r#"[ {"V": "one", "O": "x"} ]"#,
                r#"[{"V":"two","O":"y"}]"#,
            ),
            detail(Some("/Properties/L/0/O"), "L", "x", "y"),
            detail(Some("/Properties/M/012"), "M", "one", "two"),
            detail(Some("/Properties/L"), "L", "not json one", "[broken one"),
            detail(Some("/Properties/N"), "N", r#"{ "as": "given" }"#, "y"),
        ];
        let result = masked(properties, None, given, &[]);
        let values: Vec<_> = result
            .details
            .iter()
            .map(|d| (d.before.as_deref().unwrap(), d.after.as_deref().unwrap()))
            .collect();
        assert_eq!(
            values,
            [
                (MASK, MASK_CHANGED),
                (MASK, MASK),
                (
                    r#"[{"V":"****","O":"x"}]"#,
                    r#"[{"V":"**** (changed)","O":"y"}]"#
                ),
                ("x", "y"),
                (MASK, MASK_CHANGED),
                (MASK, MASK),
                (r#"{ "as": "given" }"#, "y"),
            ]
        );
    }

    #[test]
    fn inside_nested_stacks_only_what_rules_judge_stays() {
        let inside =
            json!({"Properties": {"PubliclyAccessible": true, "MasterUserPassword": "unheard"}});
        let mut given = change(None, Some(inside));
        given.logical_id = LogicalId::new("Nested/R").unwrap();
        let result = masked("{}", None, given, &[]);
        assert_eq!(
            result.after,
            Some(json!({"Properties": {"PubliclyAccessible": true}}))
        );
    }

    #[test]
    fn known_secrets_are_replaced_wherever_they_are() {
        let mut given = change(
            None,
            Some(
                json!({"Properties": {"Q": "a hunter2 b", "N": 12345, "J": "{\"p\":\"a\\\"bcd\"}", "hunter2": [1]},
                "Metadata": {"M": "hunter2"}}),
            ),
        );
        given.physical_id = Some("queue-hunter2".to_owned());
        given.details = vec![detail(None, "Q", "hunter2", r#"{"x": "hunter2!"}"#)];
        let result = masked(
            "{}",
            None,
            given,
            &["hunter2", "12345", "a\"bcd", "Q", "hunter2!"],
        );
        assert_eq!(
            result.after.unwrap(),
            json!({"Properties": {"Q": "a **** b", "N": MASK, "J": "{\"p\":\"****\"}", "****": [1]},
                "Metadata": {"M": MASK}})
        );
        assert_eq!(result.physical_id.as_deref(), Some("queue-****"));
        assert_eq!(result.details[0].before.as_deref(), Some(MASK));
        assert_eq!(result.details[0].after.as_deref(), Some(r#"{"x":"****"}"#));
    }

    #[test]
    fn contexts_of_other_shapes_are_masked_too() {
        let text = Value::from(r#"{"Properties":{"P":"hunter2"}}"#);
        let result = masked("{P: !Ref Secret}", None, change(None, Some(text)), &[]);
        assert_eq!(result.after.unwrap(), json!({"Properties": {"P": MASK}}));
        let text = Value::from("P=hunter2");
        let result = masked("{P: !Ref Secret}", None, change(None, Some(text)), &[]);
        assert_eq!(result.after.unwrap(), json!(MASK));
        let bare = json!({"P": "hunter2"});
        let result = masked("{P: !Ref Secret}", None, change(None, Some(bare)), &[]);
        assert_eq!(result.after.unwrap(), json!({"P": MASK}));
    }

    /// Recorded from LocalStack 4.13.1, which resolves everything it can.
    #[test]
    fn what_localstack_returned_is_masked() {
        const TEMPLATE: &str = "\
Parameters: {Secret: {Type: String, NoEcho: true}, Open: {Type: String}, Extra: {Type: String}}
Resources:
  P: {Type: 'AWS::SSM::Parameter', Properties: {Value: !Join ['-', [a, !Ref Secret]], Description: !Ref Open}}
  D: {Type: 'AWS::SSM::Parameter', Properties: {Value: '{{resolve:ssm:h1-ext}}', Description: !Ref Open}}
  G: {Type: 'AWS::SSM::Parameter', Properties: {Value: !GetAtt P.Value, Description: !Ref Open}}
  L:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ContainerDefinitions:
        - Environment:
            - !If [HasExtra, {Name: E, Value: !Ref Extra}, !Ref 'AWS::NoValue']
            - {Name: S, Value: !Ref Secret}
            - {Name: T, Value: !Select [0, !Split [',', !Ref Secret]]}
";
        let parameter = |value: &str, description: &str| {
            Some(json!({"Properties": {"Description": description, "Value": value}}))
        };
        let task = |environment: Value| {
            Some(json!({"Properties": {"ContainerDefinitions": [{"Environment": environment}]}}))
        };
        let recorded = [
            (
                "P",
                parameter("a-hunterONE,b", "x"),
                parameter("a-hunterTWO,c", "y"),
            ),
            (
                "D",
                parameter("hunterDYN", "x"),
                parameter("hunterDYN", "y"),
            ),
            ("G", parameter("a-hunterONE,b", "x"), parameter(MARKER, "y")),
            (
                "L",
                task(
                    json!([{"Name": "S", "Value": "hunterONE,b"}, {"Name": "T", "Value": "hunterONE"}]),
                ),
                task(
                    json!([{"Name": "E", "Value": "z"}, {"Name": "S", "Value": "hunterTWO,c"},
                    {"Name": "T", "Value": "hunterTWO"}]),
                ),
            ),
        ];
        let mut changes: Vec<_> = recorded
            .into_iter()
            .map(|(id, before, after)| ResourceChange {
                logical_id: LogicalId::new(id).unwrap(),
                ..change(before, after)
            })
            .collect();
        let template = Template::parse("t.yaml", TEMPLATE.as_bytes()).unwrap();
        mask(&mut changes, &template, Some(&template), &[]);
        let text = serde_json::to_string(&changes).unwrap();
        assert!(!text.contains("hunter"), "{text}");
        let value =
            |index: usize| changes[index].after.as_ref().unwrap()["Properties"]["Value"].clone();
        assert_eq!(
            [value(0), value(1), value(2)],
            [json!(MASK_CHANGED), json!(MASK), json!(MARKER)]
        );
        assert!(
            text.contains("\"Description\":\"y\""),
            "what is public stays"
        );
    }

    /// An expression in a template, with its value for a given secret; none where it vanishes.
    #[derive(Debug, Clone)]
    enum Expression {
        Public(u8),
        Secret,
        Part,
        Joined(Box<Expression>),
        If(bool, Box<Expression>, Box<Expression>),
        NoValue,
        List(Vec<Expression>),
        Map(Vec<Expression>),
    }

    impl Expression {
        fn template(&self) -> Value {
            let all = |items: &[Expression]| items.iter().map(Self::template).collect::<Vec<_>>();
            match self {
                Self::Public(n) => json!(format!("public{n}")),
                Self::Secret => json!({"Ref": "Secret"}),
                Self::Part => json!({"Fn::Sub": "pre-${Secret}-post"}),
                Self::Joined(inner) => json!({"Fn::Join": ["+", ["x", inner.template()]]}),
                Self::If(_, a, b) => json!({"Fn::If": ["C", a.template(), b.template()]}),
                Self::NoValue => json!({"Ref": "AWS::NoValue"}),
                Self::List(items) => Value::from(all(items)),
                Self::Map(items) => {
                    let keyed = all(items).into_iter().enumerate();
                    Value::Object(keyed.map(|(n, v)| (format!("K{n}"), v)).collect())
                }
            }
        }

        fn value(&self, secret: &str) -> Option<Value> {
            match self {
                Self::Public(n) => Some(json!(format!("public{n}"))),
                Self::Secret => Some(json!(secret)),
                Self::Part => Some(json!(format!("pre-{secret}-post"))),
                Self::Joined(inner) => {
                    let inner = inner
                        .value(secret)
                        .map(|v| v.to_string())
                        .unwrap_or_default();
                    Some(json!(format!("x+{inner}")))
                }
                Self::If(condition, a, b) => if *condition { a } else { b }.value(secret),
                Self::NoValue => None,
                Self::List(items) => Some(Value::from(
                    items
                        .iter()
                        .filter_map(|i| i.value(secret))
                        .collect::<Vec<_>>(),
                )),
                Self::Map(items) => {
                    let keyed = items.iter().enumerate();
                    let values =
                        keyed.filter_map(|(n, i)| Some((format!("K{n}"), i.value(secret)?)));
                    Some(Value::Object(values.collect()))
                }
            }
        }
    }

    fn expressions() -> impl Strategy<Value = Expression> {
        let leaf = prop_oneof![
            3 => (0..3_u8).prop_map(Expression::Public),
            2 => Just(Expression::Secret),
            1 => Just(Expression::Part),
            1 => Just(Expression::NoValue),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                inner.clone().prop_map(|e| Expression::Joined(Box::new(e))),
                (any::<bool>(), inner.clone(), inner.clone()).prop_map(|(c, a, b)| Expression::If(
                    c,
                    Box::new(a),
                    Box::new(b)
                )),
                prop::collection::vec(inner.clone(), 0..4).prop_map(Expression::List),
                prop::collection::vec(inner, 0..4).prop_map(Expression::Map),
            ]
        })
    }

    fn template_of(expression: &Expression) -> Template {
        let text = json!({
            "Parameters": {"Secret": {"Type": "String", "NoEcho": true}},
            "Resources": {"R": {"Type": "T", "Properties": {"P": expression.template()}}}
        });
        Template::parse("t.json", text.to_string().as_bytes()).unwrap()
    }

    fn context_of(expression: &Expression, secret: &str) -> Value {
        let properties = Expression::value(expression, secret).map(|value| json!({"P": value}));
        json!({"Properties": properties.unwrap_or_else(|| json!({}))})
    }

    proptest! {
        #[test]
        fn invariant_no_secret_survives(old in expressions(), new in expressions()) {
            let mut changes = vec![change(Some(context_of(&old, "S3CRET-1")), Some(context_of(&new, "S3CRET-2")))];
            let text = |c: &Value| c["Properties"].get("P").map(to_text);
            let whole = (text(changes[0].before.as_ref().unwrap()), text(changes[0].after.as_ref().unwrap()));
            let mut with_values = detail(Some("/Properties/P"), "P", "", "");
            (with_values.before, with_values.after) = whole;
            changes[0].details.push(with_values);
            let (new, old) = (template_of(&new), template_of(&old));
            mask(&mut changes, &new, Some(&old), &[]);
            let json = serde_json::to_string(&changes).unwrap();
            prop_assert!(!json.contains("S3CRET"), "{json}");
            let once = changes.clone();
            mask(&mut changes, &new, Some(&old), &[]);
            prop_assert_eq!(changes, once, "masking twice changes nothing");
        }

        #[test]
        fn invariant_without_secrets_nothing_is_masked(values in prop::collection::vec(0..3_u8, 0..5)) {
            let expression = Expression::List(values.into_iter().map(Expression::Public).collect());
            let context = context_of(&expression, "");
            let mut changes = vec![change(Some(context.clone()), Some(context))];
            let before = changes.clone();
            mask(&mut changes, &template_of(&expression), None, &["absent".to_owned()]);
            prop_assert_eq!(changes, before);
        }
    }
}
