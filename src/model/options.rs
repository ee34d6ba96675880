//! What is asked of a stack beside its template, parameters and tags.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{LogicalId, Target};

/// How many topics, and how many rollback triggers, the service takes.
const MOST_ARNS: usize = 5;

/// How many resources one operation imports.
const MOST_IMPORTED: usize = 200;

/// The longest time for which alarms are watched after an operation, in minutes.
const LONGEST_MONITORING: u8 = 180;

/// The longest stack policy that the service takes, in bytes.
const LONGEST_POLICY: usize = 16_384;

/// The options of a stack operation. What is not set is not sent, and stays as the stack has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackOptions {
    /// The topics that hear of the stack's events.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub notification_arns: BTreeSet<String>,
    /// What becomes of the stack if the operation fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_stack_failure: Option<OnStackFailure>,
    /// Whether a failed operation leaves what it made.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disable_rollback: bool,
    /// The alarms that roll an operation back.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub rollback_triggers: BTreeSet<RollbackTrigger>,
    /// How long the alarms are watched after all resources are done, in minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitoring_minutes: Option<u8>,
    /// Whether resources that exist under the names that the template gives them are adopted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub import_existing_resources: bool,
    /// The resources that exist outside and are taken into the stack, which makes the operation an import.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub resources_to_import: BTreeMap<LogicalId, ImportedResource>,
    /// Whether nested stacks get change sets of their own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub include_nested_stacks: bool,
    /// Whether an update compares the stack with what is really there, and puts back what was changed by hand.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub revert_drift: bool,
    /// Whether the stack is protected from deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub termination_protection: Option<bool>,
}

/// What is set on a stack by a call of its own, once its operation has succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StackSetting {
    /// `UpdateTerminationProtection`.
    TerminationProtection,
    /// `SetStackPolicy`.
    StackPolicy,
}

/// A resource that exists outside of the stack.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportedResource {
    /// Its type, such as `AWS::S3::Bucket`.
    pub resource_type: String,
    /// What tells it from others of the type, such as `BucketName`.
    pub identifier: BTreeMap<String, String>,
}

impl ImportedResource {
    /// Returns what tells it from others, in words.
    pub fn identified(&self) -> String {
        let pairs: Vec<String> = self
            .identifier
            .iter()
            .map(|(key, value)| format!("{key} {value}"))
            .collect();
        pairs.join(", ")
    }
}

/// What becomes of a stack whose operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OnStackFailure {
    /// It goes back to what it was.
    Rollback,
    /// It is deleted; for new stacks only.
    Delete,
    /// It stays as the failure left it.
    DoNothing,
}

/// An alarm that rolls an operation back, written as its ARN, or as `composite:` and its ARN: the ARN alone does
/// not tell which of the two it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RollbackTrigger {
    /// The alarm.
    pub arn: String,
    /// Whether it is one over other alarms.
    pub is_composite: bool,
}

/// An option that the service would not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// Not an ARN of the right service.
    #[error(
        "`{found}` is no ARN of {what}, such as `{example}`; `{{partition}}`, `{{account}}` and `{{region}}` are filled in"
    )]
    Arn {
        /// What was found.
        found: String,
        /// What is asked for.
        what: &'static str,
        /// How it looks.
        example: &'static str,
    },
    /// More than the service takes.
    #[error("{found} {what} were given, and CloudFormation takes at most {MOST_ARNS}")]
    TooMany {
        /// How many.
        found: usize,
        /// Of what.
        what: &'static str,
    },
    /// Not a known way to fail.
    #[error("`{0}` is none of `ROLLBACK`, `DELETE` and `DO_NOTHING`")]
    OnStackFailure(String),
    /// Not a time that the service takes.
    #[error("`{0}` is no number of minutes from 0 to {LONGEST_MONITORING}")]
    Minutes(String),
    /// Two options that say different things about a failure.
    #[error("`OnStackFailure` says what happens on failure; `DisableRollback` cannot say it too")]
    TwoWaysToFail,
    /// More than the service takes.
    #[error("{0} resources are to be imported, and CloudFormation takes at most {MOST_IMPORTED}")]
    TooManyImported(usize),
    /// Two kinds of imports.
    #[error(
        "`ResourcesToImport` names each resource, and `ImportExistingResources` finds them by their names; only one of \
         them can be asked for"
    )]
    TwoWaysToImport,
    /// A deletion on failure, of what is imported.
    #[error(
        "`OnStackFailure DELETE` is for stacks that are created, not for imports; `ROLLBACK` gives back what was \
         imported, and `DO_NOTHING` keeps it"
    )]
    DeletesImported,
    /// Drift that an import would put back.
    #[error(
        "`RevertDrift` is for updates: an import (`ResourcesToImport`) takes resources in as they are, and puts nothing \
         back; do one after the other"
    )]
    RevertsImported,
    /// Not a policy that the service takes.
    #[error(
        "{found}, expected a stack policy: a JSON object with a list `Statement`, of at most {LONGEST_POLICY} bytes"
    )]
    Policy {
        /// What was found.
        found: String,
    },
    /// A setting of an action that cannot be read.
    #[error("`{key}` is {found}, expected {expected}")]
    Setting {
        /// The setting.
        key: &'static str,
        /// What was found.
        found: String,
        /// What is asked for.
        expected: &'static str,
    },
}

impl StackOptions {
    /// Returns the settings of an action from which [`Self::from_configuration`] reads the same options.
    pub fn to_configuration(&self) -> Vec<(&'static str, String)> {
        let mut settings = Vec::new();
        let mut set = |key: &'static str, value: Option<String>| {
            settings.extend(value.map(|value| (key, value)));
        };
        let yes = |is_set: bool| is_set.then(|| "true".to_owned());
        set(
            "NotificationARNs",
            (!self.notification_arns.is_empty())
                .then(|| serde_json::json!(self.notification_arns).to_string()),
        );
        set(
            "OnStackFailure",
            self.on_stack_failure.map(|f| f.to_string()),
        );
        set("DisableRollback", yes(self.disable_rollback));
        set(
            "RollbackTriggers",
            (!self.rollback_triggers.is_empty())
                .then(|| serde_json::json!(self.rollback_triggers).to_string()),
        );
        set(
            "MonitoringTimeInMinutes",
            self.monitoring_minutes.map(|m| m.to_string()),
        );
        set(
            "ImportExistingResources",
            yes(self.import_existing_resources),
        );
        set(
            "ResourcesToImport",
            (!self.resources_to_import.is_empty())
                .then(|| serde_json::json!(self.resources_to_import).to_string()),
        );
        set("IncludeNestedStacks", yes(self.include_nested_stacks));
        set("RevertDrift", yes(self.revert_drift));
        set(
            "TerminationProtection",
            self.termination_protection.map(|on| on.to_string()),
        );
        settings
    }

    /// Returns the options among the settings of an action.
    pub fn from_configuration(settings: &IndexMap<String, String>) -> Result<Self, OptionError> {
        let text = |key: &str| settings.get(key).map(String::as_str);
        let texts = |key: &'static str| -> Result<Vec<String>, OptionError> {
            let Some(found) = text(key) else {
                return Ok(Vec::new());
            };
            serde_json::from_str(found).map_err(|_| OptionError::Setting {
                key,
                found: format!("`{found}`"),
                expected: "a JSON list of texts",
            })
        };
        let yes = |key: &'static str| match text(key) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(found) => Err(OptionError::Setting {
                key,
                found: format!("`{found}`"),
                expected: "`true` or `false`",
            }),
        };
        let options = Self {
            notification_arns: texts("NotificationARNs")?
                .iter()
                .map(|arn| topic(arn))
                .collect::<Result<_, _>>()?,
            on_stack_failure: text("OnStackFailure").map(str::parse).transpose()?,
            disable_rollback: yes("DisableRollback")?,
            rollback_triggers: texts("RollbackTriggers")?
                .iter()
                .map(|trigger| trigger.parse())
                .collect::<Result<_, _>>()?,
            monitoring_minutes: text("MonitoringTimeInMinutes").map(minutes).transpose()?,
            import_existing_resources: yes("ImportExistingResources")?,
            resources_to_import: match text("ResourcesToImport") {
                None => BTreeMap::new(),
                Some(found) => serde_json::from_str(found).map_err(|_| OptionError::Setting {
                    key: "ResourcesToImport",
                    found: format!("`{found}`"),
                    expected: "a JSON object of logical ids, each with `resource_type` and `identifier`",
                })?,
            },
            include_nested_stacks: yes("IncludeNestedStacks")?,
            revert_drift: yes("RevertDrift")?,
            termination_protection: match text("TerminationProtection") {
                None => None,
                Some(_) => Some(yes("TerminationProtection")?),
            },
        };
        options.check()?;
        Ok(options)
    }

    /// Returns what is wrong with the options taken together.
    pub fn check(&self) -> Result<(), OptionError> {
        for (found, what) in [
            (self.notification_arns.len(), "topics"),
            (self.rollback_triggers.len(), "rollback triggers"),
        ] {
            if found > MOST_ARNS {
                return Err(OptionError::TooMany { found, what });
            }
        }
        if self.resources_to_import.len() > MOST_IMPORTED {
            return Err(OptionError::TooManyImported(self.resources_to_import.len()));
        }
        if self.import_existing_resources && !self.resources_to_import.is_empty() {
            return Err(OptionError::TwoWaysToImport);
        }
        if self.on_stack_failure == Some(OnStackFailure::Delete)
            && !self.resources_to_import.is_empty()
        {
            return Err(OptionError::DeletesImported);
        }
        if self.revert_drift && !self.resources_to_import.is_empty() {
            return Err(OptionError::RevertsImported);
        }
        if self.disable_rollback && self.on_stack_failure.is_some() {
            return Err(OptionError::TwoWaysToFail);
        }
        Ok(())
    }

    /// Returns the options with `{partition}`, `{account}` and `{region}` filled in.
    pub fn filled(&self, target: &Target) -> Self {
        Self {
            notification_arns: self
                .notification_arns
                .iter()
                .map(|arn| target.fill(arn))
                .collect(),
            rollback_triggers: self
                .rollback_triggers
                .iter()
                .map(|trigger| RollbackTrigger {
                    arn: target.fill(&trigger.arn),
                    is_composite: trigger.is_composite,
                })
                .collect(),
            resources_to_import: self
                .resources_to_import
                .iter()
                .map(|(id, resource)| {
                    let mut resource = resource.clone();
                    for value in resource.identifier.values_mut() {
                        *value = target.fill(value);
                    }
                    (id.clone(), resource)
                })
                .collect(),
            ..self.clone()
        }
    }

    /// Returns the options as [`Self::filled`] got them, as far as imports are concerned: what several targets share.
    pub fn unfilled(&self, target: &Target) -> Self {
        let mut options = self.clone();
        for resource in options.resources_to_import.values_mut() {
            for value in resource.identifier.values_mut() {
                *value = target.unfill(value);
            }
        }
        options
    }

    /// Returns whether the stack stays as a failure leaves it.
    pub fn keeps_failures(&self) -> bool {
        self.disable_rollback || self.on_stack_failure == Some(OnStackFailure::DoNothing)
    }

    /// Returns the `DisableRollback` of `ExecuteChangeSet`: always said, as its default is in doubt, unless the change
    /// set itself says what happens on failure, beside which the service takes none.
    pub fn execute_disable_rollback(&self) -> Option<bool> {
        match self.on_stack_failure {
            Some(_) => None,
            None => Some(self.disable_rollback),
        }
    }

    /// Returns whether nothing is asked for.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Takes the ARN of an SNS topic.
pub fn topic(text: &str) -> Result<String, OptionError> {
    if is_arn(text, "sns", "") {
        Ok(text.to_owned())
    } else {
        Err(OptionError::Arn {
            found: text.to_owned(),
            what: "an SNS topic",
            example: "arn:aws:sns:eu-west-1:111111111111:stacks",
        })
    }
}

/// Takes a stack policy and returns it without needless white space.
pub fn policy(text: &str) -> Result<String, OptionError> {
    let found = match serde_json::from_str::<serde_json::Value>(text) {
        Err(error) => format!("the text is no JSON: {error}"),
        Ok(value)
            if !value
                .get("Statement")
                .is_some_and(serde_json::Value::is_array) =>
        {
            "there is no list `Statement`".to_owned()
        }
        Ok(value) => {
            let short = value.to_string();
            if short.len() <= LONGEST_POLICY {
                return Ok(short);
            }
            format!("the policy has {} bytes", short.len())
        }
    };
    Err(OptionError::Policy { found })
}

/// Takes a monitoring time.
pub fn minutes(text: &str) -> Result<u8, OptionError> {
    text.parse()
        .ok()
        .filter(|minutes| *minutes <= LONGEST_MONITORING)
        .ok_or_else(|| OptionError::Minutes(text.to_owned()))
}

/// Returns whether `text` is an ARN of `service` in one account and region, its resource beginning with `prefix`.
fn is_arn(text: &str, service: &str, prefix: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [arn, partition, of, region, account, resource] = parts[..] else {
        return false;
    };
    let is_account = account == "{account}"
        || account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    arn == "arn"
        && (partition == "{partition}" || partition.starts_with("aws"))
        && of == service
        && !region.is_empty()
        && is_account
        && resource.len() > prefix.len()
        && resource.starts_with(prefix)
        && !text.chars().any(char::is_control)
}

impl OnStackFailure {
    /// Returns the service's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rollback => "ROLLBACK",
            Self::Delete => "DELETE",
            Self::DoNothing => "DO_NOTHING",
        }
    }
}

impl fmt::Display for OnStackFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for OnStackFailure {
    type Err = OptionError;
    fn from_str(text: &str) -> Result<Self, OptionError> {
        [Self::Rollback, Self::Delete, Self::DoNothing]
            .into_iter()
            .find(|known| known.as_str() == text)
            .ok_or_else(|| OptionError::OnStackFailure(text.to_owned()))
    }
}

impl fmt::Display for RollbackTrigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_composite {
            f.write_str("composite:")?;
        }
        f.write_str(&self.arn)
    }
}

impl FromStr for RollbackTrigger {
    type Err = OptionError;
    fn from_str(text: &str) -> Result<Self, OptionError> {
        let (arn, is_composite) = match text.strip_prefix("composite:") {
            Some(arn) => (arn, true),
            None => (text, false),
        };
        if !is_arn(arn, "cloudwatch", "alarm:") {
            return Err(OptionError::Arn {
                found: text.to_owned(),
                what: "a CloudWatch alarm",
                example: "arn:aws:cloudwatch:eu-west-1:111111111111:alarm:Errors",
            });
        }
        Ok(Self {
            arn: arn.to_owned(),
            is_composite,
        })
    }
}

impl TryFrom<String> for RollbackTrigger {
    type Error = OptionError;
    fn try_from(text: String) -> Result<Self, OptionError> {
        text.parse()
    }
}

impl From<RollbackTrigger> for String {
    fn from(trigger: RollbackTrigger) -> String {
        trigger.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, btree_set};
    use proptest::option;
    use proptest::prelude::*;

    use super::*;
    use crate::model::{AccountId, Region, StackName};

    fn options() -> impl Strategy<Value = StackOptions> {
        let place = "(aws|aws-cn|\\{partition\\}):SERVICE:([a-z]{2}-west-[1-3]|\\{region\\}):([0-9]{12}|\\{account\\})";
        let arn = move |service: &str, resource: &str| {
            let place = place.replace("SERVICE", service);
            proptest::string::string_regex(&format!("arn:{place}:{resource}")).unwrap()
        };
        let trigger = (arn("cloudwatch", "alarm:[ -~]{1,20}"), any::<bool>())
            .prop_map(|(arn, is_composite)| RollbackTrigger { arn, is_composite });
        let failure = prop_oneof![
            Just((None, false)),
            Just((None, true)),
            prop_oneof![
                Just(OnStackFailure::Rollback),
                Just(OnStackFailure::Delete),
                Just(OnStackFailure::DoNothing)
            ]
            .prop_map(|f| (Some(f), false)),
        ];
        (
            btree_set(arn("sns", "[A-Za-z0-9_-]{1,20}"), 0..=5),
            failure,
            btree_set(trigger, 0..=5),
            option::of(0..=180_u8),
            any::<[bool; 3]>(),
            any::<Option<bool>>(),
            btree_map(
                "[A-Za-z0-9]{1,10}",
                (
                    any::<String>(),
                    btree_map(any::<String>(), any::<String>(), 0..3),
                ),
                0..3,
            ),
        )
            .prop_map(
                |(topics, mut failure, triggers, minutes, flags, protection, imports)| {
                    if failure.0 == Some(OnStackFailure::Delete) && !imports.is_empty() {
                        failure.0 = None;
                    }
                    let import_existing = flags[0] && imports.is_empty();
                    let takes_in = !imports.is_empty();
                    let imported = imports
                        .into_iter()
                        .map(|(id, (resource_type, identifier))| {
                            (
                                LogicalId::new(id).unwrap(),
                                ImportedResource {
                                    resource_type,
                                    identifier,
                                },
                            )
                        })
                        .collect();
                    StackOptions {
                        notification_arns: topics,
                        on_stack_failure: failure.0,
                        disable_rollback: failure.1,
                        rollback_triggers: triggers,
                        monitoring_minutes: minutes,
                        import_existing_resources: import_existing,
                        resources_to_import: imported,
                        include_nested_stacks: flags[1],
                        revert_drift: flags[2] && !takes_in,
                        termination_protection: protection,
                    }
                },
            )
    }

    const ONE_IMPORT: &str =
        r#"{"Logs": {"resource_type": "AWS::S3::Bucket", "identifier": {"BucketName": "logs"}}}"#;

    fn configuration(settings: &[(&str, &str)]) -> IndexMap<String, String> {
        let settings = settings.iter();
        settings
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    proptest! {
        #[test]
        fn invariant_options_survive_the_action_and_the_journal(options in options()) {
            let settings = options.to_configuration();
            let settings = settings.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
            prop_assert_eq!(StackOptions::from_configuration(&settings).unwrap(), options.clone());
            let json = serde_json::to_string(&options).unwrap();
            prop_assert_eq!(serde_json::from_str::<StackOptions>(&json).unwrap(), options.clone());
            prop_assert_eq!(json == "{}", options.is_default());
        }

        #[test]
        fn invariant_rollback_is_said_exactly_once(options in options()) {
            let on_execute = options.execute_disable_rollback();
            prop_assert_eq!(on_execute.is_none(), options.on_stack_failure.is_some());
            prop_assert_eq!(on_execute == Some(true), options.disable_rollback);
        }

        #[test]
        fn invariant_no_text_is_too_odd_to_be_judged(text in "\\PC*", key in 0..8_usize) {
            let keys = ["NotificationARNs", "OnStackFailure", "DisableRollback", "RollbackTriggers",
                "MonitoringTimeInMinutes", "ImportExistingResources", "IncludeNestedStacks", "RevertDrift"];
            let _ = StackOptions::from_configuration(&configuration(&[(keys[key], &text)]));
            let _ = topic(&text);
            let _ = text.parse::<RollbackTrigger>();
        }
    }

    #[test]
    fn what_the_service_would_not_take_is_refused_with_the_reason() {
        let topics = |n: usize| {
            let arns = (0..n).map(|i| format!("arn:aws:sns:eu-west-1:111111111111:t{i}"));
            serde_json::json!(arns.collect::<Vec<_>>()).to_string()
        };
        assert!(
            StackOptions::from_configuration(&configuration(&[("NotificationARNs", &topics(5))]))
                .is_ok()
        );
        let six = topics(6);
        for (settings, said) in [
            (&[("NotificationARNs", six.as_str())][..], "at most 5"),
            (&[("NotificationARNs", "stacks")], "JSON list"),
            (&[("NotificationARNs", "[\"stacks\"]")], "SNS topic"),
            (
                &[(
                    "NotificationARNs",
                    "[\"arn:aws:sqs:eu-west-1:111111111111:q\"]",
                )],
                "SNS topic",
            ),
            (&[("OnStackFailure", "delete")], "`DELETE`"),
            (&[("MonitoringTimeInMinutes", "181")], "0 to 180"),
            (&[("MonitoringTimeInMinutes", "-1")], "0 to 180"),
            (&[("DisableRollback", "yes")], "`true` or `false`"),
            (
                &[
                    ("DisableRollback", "true"),
                    ("OnStackFailure", "DO_NOTHING"),
                ],
                "cannot say it too",
            ),
            (
                &[("RevertDrift", "true"), ("ResourcesToImport", ONE_IMPORT)],
                "one after the other",
            ),
            (&[("RevertDrift", "REVERT_DRIFT")], "`true` or `false`"),
            (
                &[(
                    "RollbackTriggers",
                    "[\"arn:aws:sns:eu-west-1:111111111111:t\"]",
                )],
                "CloudWatch alarm",
            ),
        ] {
            let error = StackOptions::from_configuration(&configuration(settings)).unwrap_err();
            assert!(error.to_string().contains(said), "{settings:?}: {error}");
        }
    }

    #[test]
    fn a_policy_is_an_object_with_statements_of_some_size() {
        let long = |n: usize| format!(r#"{{"Statement": ["{}"]}}"#, "x".repeat(n));
        assert_eq!(
            policy(" { \"Statement\" : [ ] } ").unwrap(),
            r#"{"Statement":[]}"#
        );
        assert!(policy(&long(16_000)).is_ok());
        for text in [
            "",
            "[]",
            "{}",
            r#"{"Statement": {}}"#,
            "\"Statement\"",
            &long(16_385),
        ] {
            let error = policy(text).unwrap_err().to_string();
            assert!(error.contains("expected a stack policy"), "{error}");
        }
    }

    #[test]
    fn places_are_filled_in() {
        let target = Target {
            account: AccountId::new("111111111111").unwrap(),
            region: Region::new("cn-north-1").unwrap(),
            stack: StackName::new("app").unwrap(),
        };
        let place = "{region}:{account}";
        let options = StackOptions {
            notification_arns: [format!("arn:{{partition}}:sns:{place}:stacks")].into(),
            rollback_triggers: [
                format!("composite:arn:{{partition}}:cloudwatch:{place}:alarm:A")
                    .parse()
                    .unwrap(),
            ]
            .into(),
            ..StackOptions::default()
        };
        let filled = options.filled(&target);
        let topic = filled.notification_arns.first().unwrap();
        assert_eq!(topic, "arn:aws-cn:sns:cn-north-1:111111111111:stacks");
        let trigger = filled.rollback_triggers.first().unwrap();
        assert_eq!(
            trigger.to_string(),
            "composite:arn:aws-cn:cloudwatch:cn-north-1:111111111111:alarm:A"
        );
    }
}
