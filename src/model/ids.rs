//! Newtypes for every identifier, checked where they enter.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

/// Why a text is not an identifier of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct IdError {
    /// The text as given.
    pub text: String,
    /// What a valid text looks like, with an article.
    pub expected: &'static str,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $check:expr) => {
        $(#[$doc])*
        // Shared: the same ids stand in the thousands of targets of a fleet, and in all that is said of them.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Returns the identifier for `text`, or says what a valid one looks like.
            pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                let check: fn(&str) -> bool = $check;
                if check(&text) {
                    Ok(Self(text.into()))
                } else {
                    Err(IdError { text: crate::model::clean(&text), expected: $expected })
                }
            }

            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        conversions!($name);
    };
}

/// How every identifier becomes a text and is made from one.
macro_rules! conversions {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.as_str().to_owned()
            }
        }
    };
}

/// `[a-zA-Z][-a-zA-Z0-9]*`, 1–128 characters (CloudFormation's pattern for names).
fn is_stack_like_name(text: &str) -> bool {
    text.len() <= 128
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// `[A-Za-z0-9.@\-_]+`, 1–100 characters (CodePipeline's pattern for names).
fn is_pipeline_name(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '@' | '-' | '_'))
}

fn is_visible(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(|c| c.is_control() || c.is_whitespace())
}

/// An AWS account id.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
// In place: targets are sorted by their account first.
pub struct AccountId([u8; 12]);

impl AccountId {
    /// Returns the identifier for `text`, or says what a valid one looks like.
    pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
        let text = text.into();
        match <[u8; 12]>::try_from(text.as_bytes()) {
            Ok(digits) if digits.iter().all(u8::is_ascii_digit) => Ok(Self(digits)),
            Ok(_) | Err(_) => Err(IdError {
                text: crate::model::clean(&text),
                expected: "an account id of 12 digits",
            }),
        }
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        // They are digits, as `new` saw.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Hash for AccountId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // As a text, which is the same on every machine: a seed of a simulation stands for one run.
        self.as_str().hash(state);
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AccountId").field(&self.as_str()).finish()
    }
}

conversions!(AccountId);

text_id!(
    /// An AWS region, such as `eu-west-1`.
    Region,
    "a region such as `eu-west-1`",
    |t| {
        (4..=30).contains(&t.len())
            && t.contains('-')
            && t.starts_with(|c: char| c.is_ascii_lowercase())
            && !t.ends_with('-')
            && t.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    }
);
text_id!(
    /// An organizational unit, or the root of an organization.
    OrganizationalUnitId,
    "an organizational unit such as `ou-ab12-cdef3456`, or a root such as `r-ab12`",
    |t| {
        let is_id = |part: &str, shortest: usize| {
            (shortest..=32).contains(&part.len())
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        match (t.strip_prefix("r-"), t.strip_prefix("ou-")) {
            (Some(root), _) => is_id(root, 4),
            (None, Some(unit)) => unit
                .split_once('-')
                .is_some_and(|(root, own)| is_id(root, 4) && is_id(own, 8)),
            (None, None) => false,
        }
    }
);
text_id!(
    /// The name of a wave of a rollout.
    WaveName,
    "a wave name (letters, digits, `.`, `@`, `-` and `_`, 100 at most)",
    is_pipeline_name
);
text_id!(
    /// The name of a stack.
    StackName,
    "a stack name (a letter, then letters, digits and hyphens, 128 at most)",
    is_stack_like_name
);
text_id!(
    /// The name of a change set.
    ChangeSetName,
    "a change set name (a letter, then letters, digits and hyphens, 128 at most)",
    is_stack_like_name
);
text_id!(
    /// The ARN of a stack, which stays valid after the stack is gone.
    StackId,
    "a stack ARN",
    is_visible
);
text_id!(
    /// The ARN of a change set.
    ChangeSetId,
    "a change set ARN",
    is_visible
);
text_id!(
    /// The logical id of a resource in its template.
    LogicalId,
    "a logical id",
    is_visible
);
text_id!(
    /// The id of one execution of a pipeline: a lowercase UUID that sorts by time.
    ExecutionId,
    "an execution id",
    |t| t.len() == 36 && t.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f' | '-'))
);
text_id!(
    /// The name of a stage.
    StageName,
    "a stage name (letters, digits and `.@-_`, 100 at most)",
    is_pipeline_name
);
text_id!(
    /// The name of an action.
    ActionName,
    "an action name (letters, digits and `.@-_`, 100 at most)",
    is_pipeline_name
);

impl Region {
    /// Returns the partition that the region belongs to.
    pub fn partition(&self) -> &'static str {
        match self.as_str() {
            r if r.starts_with("cn-") => "aws-cn",
            r if r.starts_with("us-gov-") => "aws-us-gov",
            r if r.starts_with("us-iso-") => "aws-iso",
            r if r.starts_with("us-isob-") => "aws-iso-b",
            r if r.starts_with("eusc-") => "aws-eusc",
            _ => "aws",
        }
    }
}

impl Region {
    /// Returns whether accounts must enable the region before they can use it: all that came after 2019.
    ///
    /// The list grows; it only adds advice to what a service refused.
    pub fn is_opt_in(&self) -> bool {
        matches!(
            self.as_str(),
            "af-south-1"
                | "ap-east-1"
                | "ap-east-2"
                | "ap-south-2"
                | "ap-southeast-3"
                | "ap-southeast-4"
                | "ap-southeast-5"
                | "ap-southeast-6"
                | "ap-southeast-7"
                | "ca-west-1"
                | "eu-central-2"
                | "eu-south-1"
                | "eu-south-2"
                | "il-central-1"
                | "me-central-1"
                | "me-south-1"
                | "mx-central-1"
        )
    }
}

impl ExecutionId {
    /// Returns the first part and the last four digits, enough for a person to tell executions apart.
    ///
    /// The time part of ids made in the same minute is equal, so the end is needed too.
    pub fn short(&self) -> String {
        format!("{}…{}", &self.0[..8], &self.0[32..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_checked_where_they_enter() {
        assert!(AccountId::new("012345678901").is_ok());
        for bad in ["12345678901", "1234567890123", "12345678901a", ""] {
            assert!(AccountId::new(bad).is_err(), "{bad}");
        }
        for good in ["eu-west-1", "us-gov-west-1", "eusc-de-east-1"] {
            assert!(Region::new(good).is_ok(), "{good}");
        }
        for bad in ["eu_west_1", "EU-WEST-1", "eu west", "-eu", "euwest"] {
            assert!(Region::new(bad).is_err(), "{bad}");
        }
        assert!(StackName::new("1abc").is_err());
        assert!(StackName::new("a".repeat(129)).is_err());
        assert_eq!(
            serde_json::from_str::<AccountId>("\"12\"")
                .unwrap_err()
                .to_string(),
            "`12` is not an account id of 12 digits"
        );
    }

    #[test]
    fn regions_know_their_partition() {
        let partition = |r: &str| Region::new(r).unwrap().partition();
        assert_eq!(partition("eu-west-1"), "aws");
        assert_eq!(partition("cn-north-1"), "aws-cn");
        assert_eq!(partition("us-gov-east-1"), "aws-us-gov");
    }
}
