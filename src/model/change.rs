//! What a change set says will happen to a resource. Secrets are masked before a value gets here.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ChangeSetId, LogicalId, PropertyDrift, ResourceDrift};

/// One resource change, read losslessly from `DescribeChangeSet`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceChange {
    /// The logical id.
    pub logical_id: LogicalId,
    /// The resource type, such as `AWS::SQS::Queue`.
    pub resource_type: String,
    /// The physical id; absent for additions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub physical_id: Option<String>,
    /// What will be done.
    pub action: ChangeAction,
    /// Whether the resource is replaced.
    pub replacement: Replacement,
    /// What happens to the physical resource that goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_action: Option<PolicyAction>,
    /// The attributes that change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scope: Vec<ChangeScope>,
    /// The causes, as the service lists them; some endpoints give none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<ChangeDetail>,
    /// The whole resource before (`BeforeContext`), where property values were returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The whole resource after (`AfterContext`), where property values were returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// The child change set, where the resource is a nested stack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nested: Option<ChangeSetId>,
    /// `TypeHierarchy` and `LogicalIdHierarchy`, where the resource is part of a module.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<(String, String)>,
    /// What was done to it outside CloudFormation; only of drift-aware change sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<ResourceDrift>,
}

/// What will be done to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ChangeAction {
    /// Created.
    Add,
    /// Changed in place or replaced.
    Modify,
    /// Removed from the stack.
    Remove,
    /// Taken into the stack.
    Import,
    /// A nested stack whose change is unknown.
    Dynamic,
    /// Only CloudFormation's record of it is refreshed.
    SyncWithActual,
}

/// Whether a modified resource is replaced, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Replacement {
    /// It stays.
    #[serde(alias = "No")]
    No,
    /// It may be replaced (`Conditional`): a value is known only at execution.
    #[serde(alias = "May")]
    May,
    /// It will be replaced.
    #[serde(alias = "Will")]
    Will,
    /// The endpoint did not say.
    #[serde(alias = "Unknown")]
    Unknown,
}

/// What happens to the physical resource when its logical resource goes or is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PolicyAction {
    /// Deleted.
    Delete,
    /// Kept, no longer managed.
    Retain,
    /// Deleted after a snapshot.
    Snapshot,
    /// Replaced; the old one is deleted.
    ReplaceAndDelete,
    /// Replaced; the old one is kept, no longer managed.
    ReplaceAndRetain,
    /// Replaced; the old one is deleted after a snapshot.
    ReplaceAndSnapshot,
}

/// An attribute of a resource that changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "the names are CloudFormation's own attribute names"
)]
pub enum ChangeScope {
    Properties,
    Metadata,
    CreationPolicy,
    UpdatePolicy,
    DeletionPolicy,
    UpdateReplacePolicy,
    Tags,
}

/// One cause of a change, as the service gives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeDetail {
    /// The attribute concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribute: Option<ChangeScope>,
    /// The property's name, where the attribute is `Properties`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `/Properties/Tags/0`-like; only with property values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Whether a change of it recreates the resource.
    pub recreation: Recreation,
    /// The value before, a text even for structures; only with property values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The value after, a text even for structures; only with property values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Whether the value is known now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<Evaluation>,
    /// `ParameterReference`, `DirectModification`, …, as given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The parameter, resource or attribute that causes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causing_entity: Option<String>,
    /// What was done to it outside CloudFormation; only of drift-aware change sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<PropertyDrift>,
}

/// Whether a property's change recreates its resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Recreation {
    /// Never.
    Never,
    /// Depends on the values.
    Conditionally,
    /// Always.
    Always,
    /// Not said. The other names are the service's.
    #[serde(rename = "unknown", alias = "Unknown")]
    Unknown,
}

/// Whether a changed value is known before execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Evaluation {
    /// Known now.
    Static,
    /// Known at execution.
    Dynamic,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_spellings_are_still_read() {
        for (text, wanted) in [
            ("\"Will\"", Replacement::Will),
            ("\"No\"", Replacement::No),
            ("\"may\"", Replacement::May),
            ("\"Unknown\"", Replacement::Unknown),
        ] {
            let found: Replacement = serde_json::from_str(text).unwrap();
            assert_eq!(found, wanted);
        }
        let found: Recreation = serde_json::from_str("\"Unknown\"").unwrap();
        assert_eq!(found, Recreation::Unknown);
        assert_eq!(serde_json::to_string(&found).unwrap(), "\"unknown\"");
    }
}
