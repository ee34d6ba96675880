//! What changes inside a resource, from whatever the endpoint says about it.
//!
//! AWS gives details with paths and values, and contexts; LocalStack gives contexts alone; ministack details without
//! values; moto nothing.

use indexmap::IndexMap;
use serde_json::Value;

use super::mask::MASK;
use super::value::{Leaf, MARKER, differences, from_text, keys, shown};
use crate::model::{
    ChangeAction, ChangeDetail, ChangeScope, Evaluation, PropertyDrift, Recreation, ResourceChange,
};
use crate::template::PathSegment;

/// A property that changes, or another attribute of the resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertyChange {
    /// Where it is, below `Properties`; another attribute's path begins with its name, as in
    /// `DeletionPolicy`.
    pub path: Vec<PathSegment>,
    /// The value before, structures as JSON; none where it was absent or is not known.
    pub before: Option<String>,
    /// The value after, likewise; `known after apply` where only execution brings it.
    pub after: Option<String>,
    /// Whether its change recreates the resource.
    pub recreation: Recreation,
    /// Whether the value is known now.
    pub evaluation: Option<Evaluation>,
    /// What makes it change, where that is not the property itself: `parameter Size`, `attribute Key.Arn`.
    pub cause: Option<String>,
    /// Whether a part of a value is masked.
    pub secret: bool,
    /// What was done to it outside CloudFormation.
    pub drift: Option<PropertyDrift>,
}

/// Returns what changes in the resource, at the leaves where values are known.
///
/// An added or removed resource has every property that is known of it.
pub fn properties(change: &ResourceChange) -> Vec<PropertyChange> {
    let mut causes: IndexMap<Vec<PathSegment>, Why> = IndexMap::new();
    for detail in &change.details {
        causes.entry(detail_path(detail)).or_default().add(detail);
    }
    let mut found = Vec::new();
    for leaf in context_leaves(change) {
        let cause = causes
            .iter_mut()
            .filter(|(path, _)| leaf.path.starts_with(path) || path.starts_with(&leaf.path))
            .max_by_key(|(path, _)| path.len());
        let why = match cause {
            Some((_, why)) => {
                why.is_used = true;
                why.clone()
            }
            None => Why::default(),
        };
        found.push(why.change(leaf));
    }
    for (path, why) in causes {
        if !why.is_used {
            let leaves = why.leaves(path.clone()).into_iter();
            found.extend(leaves.map(|leaf| why.change(leaf)));
        }
        if let Some(drift) = why.drift.clone() {
            tell_drift(&mut found, path, &why, drift);
        }
    }
    found
}

/// Tells drift at the place that the service names. Drift of a structure is told of all of it, before its parts: what is
/// overwritten need not be among those that differ from the last deployment.
fn tell_drift(
    found: &mut Vec<PropertyChange>,
    path: Vec<PathSegment>,
    why: &Why,
    drift: PropertyDrift,
) {
    let is_masked = |side: &Option<String>| side.as_deref().is_some_and(|s| s.contains(MASK));
    let secret = is_masked(&drift.previous) || is_masked(&drift.actual);
    if let Some(same) = found.iter_mut().find(|one| one.path == path) {
        same.secret |= secret;
        same.drift = Some(drift);
        return;
    }
    let part = found.iter().position(|one| one.path.starts_with(&path));
    let whole = why.change(Leaf {
        path,
        before: why.before.clone(),
        after: why.after.as_deref().map(|text| shown(&from_text(text))),
        is_open: why
            .after
            .as_deref()
            .is_some_and(|text| text.contains(MARKER)),
    });
    let whole = PropertyChange {
        secret: whole.secret || secret,
        drift: Some(drift),
        ..whole
    };
    found.insert(part.unwrap_or(found.len()), whole);
}

/// Returns a path as text, such as `KeySchema[0].AttributeName`.
pub fn path_text(path: &[PathSegment]) -> String {
    let mut text = String::new();
    for segment in path {
        match segment {
            PathSegment::Index(index) => text.push_str(&format!("[{index}]")),
            PathSegment::Key(key) => push_key(&mut text, key),
        }
    }
    text
}

/// Adds a key to the text of a path.
pub(super) fn push_key(text: &mut String, key: &str) {
    if !is_simple(key) {
        text.push_str(&format!("[{}]", Value::from(key)));
        return;
    }
    if !text.is_empty() {
        text.push('.');
    }
    text.push_str(key);
}

pub(super) fn is_simple(key: &str) -> bool {
    let is_special = |c: char| c.is_whitespace() || c.is_control() || "[].\"".contains(c);
    !key.is_empty() && !key.contains(is_special)
}

/// Returns where a detail is about; `Path` is a JSON pointer from the resource.
pub(super) fn detail_path(detail: &ChangeDetail) -> Vec<PathSegment> {
    if let Some(pointer) = detail.path.as_deref().filter(|pointer| !pointer.is_empty()) {
        let mut path: Vec<_> = pointer
            .trim_start_matches('/')
            .split('/')
            .map(|part| part.replace("~1", "/").replace("~0", "~"))
            .map(|part| match part.parse::<usize>() {
                // A key such as `012345678901` is no index.
                Ok(index) if index.to_string() == part => PathSegment::Index(index),
                Ok(_) | Err(_) => PathSegment::Key(part),
            })
            .collect();
        if path.first() == Some(&PathSegment::Key("Properties".to_owned())) {
            path.remove(0);
        }
        return path;
    }
    let attribute = match detail.attribute {
        None | Some(ChangeScope::Properties) => None,
        Some(ChangeScope::Metadata) => Some("Metadata"),
        Some(ChangeScope::CreationPolicy) => Some("CreationPolicy"),
        Some(ChangeScope::UpdatePolicy) => Some("UpdatePolicy"),
        Some(ChangeScope::DeletionPolicy) => Some("DeletionPolicy"),
        Some(ChangeScope::UpdateReplacePolicy) => Some("UpdateReplacePolicy"),
        Some(ChangeScope::Tags) => Some("Tags"),
    };
    let names = attribute.into_iter().chain(detail.name.as_deref());
    names
        .map(|name| PathSegment::Key(name.to_owned()))
        .collect()
}

fn context_leaves(change: &ResourceChange) -> Vec<Leaf> {
    let (before, after) = (change.before.as_ref(), change.after.as_ref());
    let is_whole = match change.action {
        ChangeAction::Add | ChangeAction::Import | ChangeAction::Remove => true,
        // With one side alone, every property would look added or removed.
        ChangeAction::Modify | ChangeAction::Dynamic | ChangeAction::SyncWithActual => {
            before.is_some() && after.is_some()
        }
    };
    if !is_whole {
        return Vec::new();
    }
    let side = |context: Option<&Value>, name: &str| context?.as_object()?.get(name).cloned();
    let mut leaves = Vec::new();
    for name in keys(before, after) {
        let (old, new) = (side(before, &name), side(after, &name));
        let mut path = if name == "Properties" {
            Vec::new()
        } else {
            vec![PathSegment::Key(name)]
        };
        differences(old.as_ref(), new.as_ref(), &mut path, &mut leaves);
    }
    leaves
}

/// What details say about one path.
#[derive(Debug, Clone)]
struct Why {
    recreation: Recreation,
    evaluation: Option<Evaluation>,
    cause: Option<String>,
    before: Option<String>,
    after: Option<String>,
    drift: Option<PropertyDrift>,
    is_used: bool,
}

impl Default for Why {
    fn default() -> Self {
        Why {
            recreation: Recreation::Unknown,
            evaluation: None,
            cause: None,
            before: None,
            after: None,
            drift: None,
            is_used: false,
        }
    }
}

impl Why {
    /// One property can have several details; a static one says more than a dynamic one.
    fn add(&mut self, detail: &ChangeDetail) {
        let is_static = detail.evaluation == Some(Evaluation::Static);
        let was_static = self.evaluation == Some(Evaluation::Static);
        if rank(detail.recreation) > rank(self.recreation) {
            self.recreation = detail.recreation;
        }
        if self.evaluation.is_none() || is_static {
            self.evaluation = detail.evaluation.or(self.evaluation);
        }
        if self.cause.is_none() || (is_static && !was_static) {
            self.cause = cause(detail).or_else(|| self.cause.take());
        }
        self.before = self.before.take().or_else(|| detail.before.clone());
        self.after = self.after.take().or_else(|| detail.after.clone());
        self.drift = self.drift.take().or_else(|| detail.drift.clone());
    }

    fn leaves(&self, path: Vec<PathSegment>) -> Vec<Leaf> {
        let before = self.before.as_deref().map(from_text);
        let after = self.after.as_deref().map(from_text);
        let mut leaves = Vec::new();
        differences(
            before.as_ref(),
            after.as_ref(),
            &mut path.clone(),
            &mut leaves,
        );
        if leaves.is_empty() {
            // No values, or the same ones: masked, or evaluated again at execution.
            leaves.push(Leaf {
                path,
                before: self.before.clone(),
                after: self.after.clone(),
                is_open: false,
            });
        }
        leaves
    }

    fn change(&self, leaf: Leaf) -> PropertyChange {
        let is_masked = |side: &Option<String>| side.as_deref().is_some_and(|s| s.contains(MASK));
        PropertyChange {
            secret: is_masked(&leaf.before) || is_masked(&leaf.after),
            path: leaf.path,
            before: leaf.before,
            after: leaf.after,
            recreation: self.recreation,
            evaluation: if leaf.is_open {
                Some(Evaluation::Dynamic)
            } else {
                self.evaluation
            },
            cause: self.cause.clone(),
            drift: None,
        }
    }
}

fn rank(recreation: Recreation) -> u8 {
    match recreation {
        Recreation::Unknown => 0,
        Recreation::Never => 1,
        Recreation::Conditionally => 2,
        Recreation::Always => 3,
    }
}

fn cause(detail: &ChangeDetail) -> Option<String> {
    let entity = detail.causing_entity.as_deref();
    match (detail.source.as_deref()?, entity) {
        ("ParameterReference", Some(entity)) => Some(format!("parameter {entity}")),
        ("ResourceReference", Some(entity)) => Some(format!("resource {entity}")),
        ("ResourceAttribute", Some(entity)) => Some(format!("attribute {entity}")),
        ("Automatic", _) => Some("nested stack".to_owned()),
        ("DirectModification" | "NoModification", _) => None,
        (_, entity) => entity.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::MASK_CHANGED;
    use crate::model::{LogicalId, Replacement};
    use serde_json::json;

    fn change(action: ChangeAction, before: Option<Value>, after: Option<Value>) -> ResourceChange {
        ResourceChange {
            logical_id: LogicalId::new("R").unwrap(),
            resource_type: "AWS::X::Y".to_owned(),
            physical_id: None,
            action,
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

    fn detail(name: &str, path: Option<&str>, values: Option<(&str, &str)>) -> ChangeDetail {
        ChangeDetail {
            attribute: Some(ChangeScope::Properties),
            name: Some(name.to_owned()),
            path: path.map(str::to_owned),
            recreation: Recreation::Always,
            before: values.map(|(before, _)| before.to_owned()),
            after: values.map(|(_, after)| after.to_owned()),
            evaluation: Some(Evaluation::Static),
            source: Some("ParameterReference".to_owned()),
            causing_entity: Some("Size".to_owned()),
            drift: None,
        }
    }

    fn told(change: &ResourceChange) -> Vec<String> {
        let side = |side: Option<String>| side.unwrap_or_else(|| "-".to_owned());
        properties(change)
            .into_iter()
            .map(|p| {
                let path = path_text(&p.path);
                let cause = p
                    .cause
                    .map(|cause| format!(" by {cause}"))
                    .unwrap_or_default();
                format!(
                    "{path} {} > {} {:?}{cause}",
                    side(p.before),
                    side(p.after),
                    p.recreation
                )
            })
            .collect()
    }

    fn contexts(before: Value, after: Value) -> ResourceChange {
        change(
            ChangeAction::Modify,
            Some(json!({"Properties": before})),
            Some(json!({"Properties": after})),
        )
    }

    #[test]
    fn contexts_alone_are_enough() {
        let change = contexts(
            json!({"A": "30", "B": [{"C": "x"}]}),
            json!({"A": "60", "B": [{"C": MARKER}]}),
        );
        assert_eq!(
            told(&change),
            ["A 30 > 60 Unknown", "B[0].C x > known after apply Unknown"]
        );
        assert_eq!(properties(&change)[1].evaluation, Some(Evaluation::Dynamic));
    }

    #[test]
    fn details_alone_are_enough() {
        let mut change = change(ChangeAction::Modify, None, None);
        change.details = vec![
            detail(
                "A",
                Some("/Properties/A"),
                Some(("10.0.1.0/24", "10.0.2.0/24")),
            ),
            detail(
                "B",
                Some("/Properties/B"),
                Some((r#"[{"C":1}]"#, r#"[{"C":2}]"#)),
            ),
            detail("D", None, None),
        ];
        assert_eq!(
            told(&change),
            [
                "A 10.0.1.0/24 > 10.0.2.0/24 Always by parameter Size",
                "B[0].C 1 > 2 Always by parameter Size",
                "D - > - Always by parameter Size"
            ]
        );
    }

    #[test]
    fn contexts_and_details_are_joined() {
        let mut change = contexts(
            json!({"A": 1, "B": {"C": 1, "D": 1}, "E": 1}),
            json!({"A": 2, "B": {"C": 2, "D": 1}, "E": 2}),
        );
        change.details = vec![
            detail("A", Some("/Properties/A"), Some(("1", "2"))),
            detail("B", None, None),
            detail("F", Some("/Properties/F"), Some(("****", "****"))),
        ];
        assert_eq!(
            told(&change),
            [
                "A 1 > 2 Always by parameter Size",
                "B.C 1 > 2 Always by parameter Size",
                "E 1 > 2 Unknown",
                "F **** > **** Always by parameter Size"
            ]
        );
        assert!(properties(&change)[3].secret);
    }

    #[test]
    fn several_details_of_one_property_are_one() {
        let mut change = change(ChangeAction::Modify, None, None);
        let mut dynamic = detail("A", None, None);
        dynamic.evaluation = Some(Evaluation::Dynamic);
        dynamic.source = Some("DirectModification".to_owned());
        dynamic.recreation = Recreation::Conditionally;
        change.details = vec![dynamic.clone(), detail("A", None, None), dynamic];
        let found = properties(&change);
        assert_eq!(told(&change), ["A - > - Always by parameter Size"]);
        assert_eq!(found[0].evaluation, Some(Evaluation::Static));
    }

    #[test]
    fn an_addition_has_all_and_half_a_change_has_none() {
        let properties =
            json!({"Properties": {"A": {"B": 1}, "C": []}, "DeletionPolicy": "Retain"});
        let add = change(ChangeAction::Add, None, Some(properties.clone()));
        assert_eq!(
            told(&add),
            [
                "A.B - > 1 Unknown",
                "C - > [] Unknown",
                "DeletionPolicy - > Retain Unknown"
            ]
        );
        let remove = change(ChangeAction::Remove, Some(properties.clone()), None);
        assert_eq!(told(&remove)[0], "A.B 1 > - Unknown");
        assert!(told(&change(ChangeAction::Modify, None, Some(properties))).is_empty());
        assert!(told(&change(ChangeAction::Modify, None, None)).is_empty());
    }

    #[test]
    fn masked_values_are_called_secret() {
        let change = contexts(
            json!({"A": MASK, "B": MASK}),
            json!({"A": MASK_CHANGED, "B": MASK}),
        );
        let found = properties(&change);
        assert_eq!(found.len(), 1);
        assert!(found[0].secret);
        assert_eq!(found[0].after.as_deref(), Some("**** (changed)"));
    }

    #[test]
    fn other_attributes_have_their_names_in_front() {
        let mut change = change(ChangeAction::Modify, None, None);
        let mut tags = detail("x", Some("/Properties/Tags/0"), Some(("a", "b")));
        tags.attribute = Some(ChangeScope::Tags);
        let mut policy = detail("x", None, None);
        (policy.name, policy.attribute) = (None, Some(ChangeScope::DeletionPolicy));
        let metadata = detail("x", Some("/Metadata/a~1b~0/012/7"), None);
        change.details = vec![tags, policy, metadata];
        let paths: Vec<_> = properties(&change)
            .iter()
            .map(|p| path_text(&p.path))
            .collect();
        assert_eq!(paths, ["Tags[0]", "DeletionPolicy", "Metadata.a/b~.012[7]"]);
    }

    #[test]
    fn paths_are_unambiguous() {
        let path = ["a", "b.c", "", "d[0]", "e"].map(|key| PathSegment::Key(key.to_owned()));
        assert_eq!(path_text(&path), r#"a["b.c"][""]["d[0]"].e"#);
        assert_eq!(path_text(&[]), "");
    }

    fn with_drift(detail: ChangeDetail, previous: &str, actual: &str) -> ChangeDetail {
        ChangeDetail {
            drift: Some(PropertyDrift {
                previous: Some(previous.to_owned()),
                actual: Some(actual.to_owned()),
                detected: None,
                before_from: None,
                only_recorded: false,
            }),
            ..detail
        }
    }

    /// Returns the paths, each with the value that is really there.
    fn drifted(change: &ResourceChange) -> Vec<(String, Option<String>)> {
        let all = properties(change).into_iter();
        all.map(|p| (path_text(&p.path), p.drift.and_then(|drift| drift.actual)))
            .collect()
    }

    #[test]
    fn drift_is_told_at_the_place_that_the_service_names() {
        let of = |detail: ChangeDetail| {
            let mut change = contexts(
                json!({"A": {"B": 1, "C": 2}}),
                json!({"A": {"B": 3, "C": 4}}),
            );
            change.details = vec![detail];
            drifted(&change)
        };
        let actual = |text: &str| Some(text.to_owned());
        let exact = with_drift(
            detail("A", Some("/Properties/A/B"), Some(("1", "3"))),
            "1",
            "9",
        );
        assert_eq!(
            of(exact),
            [("A.B".into(), actual("9")), ("A.C".into(), None)]
        );
        // A structure: of all of it, before its parts.
        let whole = with_drift(detail("A", Some("/Properties/A"), None), "{}", r#"{"D":1}"#);
        assert_eq!(
            of(whole),
            [
                ("A".into(), actual(r#"{"D":1}"#)),
                ("A.B".into(), None),
                ("A.C".into(), None)
            ]
        );
        let open = format!(r#"{{"D":"{MARKER}"}}"#);
        let path = Some("/Properties/A");
        let open = with_drift(detail("A", path, Some(("{}", &open))), "{}", "[]");
        let mut change = contexts(json!({"A": {"B": 1}}), json!({"A": {"B": 3}}));
        change.details = vec![open];
        let whole = properties(&change).remove(0);
        assert_eq!(
            whole.after.as_deref(),
            Some(r#"{"D":"(known after apply)"}"#)
        );
        assert_eq!(whole.evaluation, Some(Evaluation::Dynamic));
        // Inside what is told as a whole, and beside all that differs from the last deployment.
        for path in ["A.B.X", "Z"] {
            let pointer = format!("/Properties/{}", path.replace('.', "/"));
            let found = of(with_drift(detail("A", Some(&pointer), None), "1", "9"));
            assert!(found.contains(&(path.into(), actual("9"))), "{found:?}");
            assert_eq!(found.len(), 3, "{found:?}");
        }
    }

    #[test]
    fn drift_of_a_template_that_does_not_change_is_told() {
        let mut change = contexts(json!({"A": "30"}), json!({"A": "30"}));
        let same = detail("A", Some("/Properties/A"), Some(("30", "30")));
        change.details = vec![with_drift(same, "30", MASK)];
        let found = properties(&change);
        assert_eq!(found.len(), 1);
        assert!(found[0].secret);
        assert_eq!(
            found[0].drift.as_ref().unwrap().previous.as_deref(),
            Some("30")
        );
    }
}
