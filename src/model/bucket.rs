//! Where large templates are put for CloudFormation to read.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::{AccountId, Region, Target};

/// The largest template that goes into a request itself, in bytes.
pub const LARGEST_INLINE_TEMPLATE: usize = 51_200;

/// The largest template that CloudFormation takes at all, in bytes.
pub const LARGEST_TEMPLATE: usize = 1_048_576;

/// Returns whether a template of that many bytes goes through a bucket.
pub fn goes_through_bucket(bytes: usize) -> bool {
    bytes > LARGEST_INLINE_TEMPLATE
}

/// The buckets for large templates, by region.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TemplateBuckets {
    by_region: BTreeMap<Region, Named>,
    everywhere: Option<Named>,
}

/// A bucket for the large templates of a target.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TemplateBucket {
    /// Its name.
    pub name: String,
    /// The account that must own it, so that nothing is put into a bucket that somebody else made under the name of
    /// one that is gone; none: that of the caller.
    pub owner: Option<AccountId>,
}

/// A bucket as it was named, its placeholders not filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    name: String,
    owner: Owner,
}

/// Whose a bucket is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Owner {
    Caller,
    Target,
    Account(AccountId),
}

/// A text that names no bucket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BucketError {
    /// It is no name of a bucket.
    #[error(
        "`{0}` is no bucket, expected `NAME` or `REGION=NAME`, the name with 3 to 63 of a-z, 0-9, `.` and `-`, and \
         `@ACCOUNT` behind it for one that is not of the caller's account; \
         `{{region}}`, `{{account}}` and `{{partition}}` are filled in"
    )]
    Name(String),
    /// Two buckets are given for one place.
    #[error("two buckets are given for {0}; name one")]
    Twice(String),
}

impl TemplateBuckets {
    /// Returns the buckets of texts such as `NAME` and `REGION=NAME`.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, BucketError> {
        let mut buckets = Self::default();
        for text in texts {
            let invalid = || BucketError::Name(super::clean(text));
            match text.split_once('=') {
                Some((region, name)) => {
                    let region = Region::new(region).map_err(|_| invalid())?;
                    let name = Named::parse(name).ok_or_else(invalid)?;
                    if buckets.by_region.insert(region.clone(), name).is_some() {
                        return Err(BucketError::Twice(region.to_string()));
                    }
                }
                None => {
                    let name = Named::parse(text).ok_or_else(invalid)?;
                    if buckets.everywhere.replace(name).is_some() {
                        return Err(BucketError::Twice("all regions".to_owned()));
                    }
                }
            }
        }
        Ok(buckets)
    }

    /// Returns whether no bucket is given.
    pub fn is_empty(&self) -> bool {
        self.by_region.is_empty() && self.everywhere.is_none()
    }

    /// Returns the bucket for a target, or `None` if none is given for its region.
    pub fn of(&self, target: &Target) -> Option<TemplateBucket> {
        let named = self
            .by_region
            .get(&target.region)
            .or(self.everywhere.as_ref())?;
        Some(TemplateBucket {
            name: target.fill(&named.name),
            owner: match &named.owner {
                Owner::Caller => None,
                Owner::Target => Some(target.account.clone()),
                Owner::Account(account) => Some(account.clone()),
            },
        })
    }
}

impl Named {
    fn parse(text: &str) -> Option<Self> {
        let (name, owner) = match text.split_once('@') {
            None => (text, Owner::Caller),
            Some((name, "{account}")) => (name, Owner::Target),
            Some((name, account)) => (name, Owner::Account(AccountId::new(account).ok()?)),
        };
        let name = checked(name)?;
        Some(Self { name, owner })
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.owner {
            Owner::Caller => f.write_str(&self.name),
            Owner::Target => write!(f, "{}@{{account}}", self.name),
            Owner::Account(account) => write!(f, "{}@{account}", self.name),
        }
    }
}

/// Returns `name` if it is one of a bucket once its placeholders are filled in.
fn checked(name: &str) -> Option<String> {
    let filled = name
        .replace("{partition}", "aws")
        .replace("{account}", "111111111111")
        .replace("{region}", "us-east-1");
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_valid = (3..=63).contains(&filled.len())
        && filled.chars().all(|c| edge(c) || c == '.' || c == '-')
        && filled.starts_with(edge)
        && filled.ends_with(edge)
        && !filled.contains("..");
    is_valid.then(|| name.to_owned())
}

impl FromStr for TemplateBuckets {
    type Err = BucketError;
    fn from_str(text: &str) -> Result<Self, BucketError> {
        Self::parse(text.split(',').filter(|part| !part.is_empty()))
    }
}

impl fmt::Display for TemplateBuckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by_region = self.by_region.iter().map(|(r, name)| format!("{r}={name}"));
        let everywhere = self.everywhere.iter().map(ToString::to_string);
        let all: Vec<String> = everywhere.chain(by_region).collect();
        f.write_str(&all.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AccountId, StackName};

    fn target(region: &str) -> Target {
        Target {
            account: AccountId::new("222222222222").unwrap(),
            region: Region::new(region).unwrap(),
            stack: StackName::new("app").unwrap(),
        }
    }

    #[test]
    fn the_bucket_of_the_region_wins_over_the_one_for_all() {
        let texts = ["templates-{account}-{region}", "eu-west-1=mine.eu"];
        let buckets = TemplateBuckets::parse(texts).unwrap();
        let name = |region: &str| buckets.of(&target(region)).unwrap().name;
        assert_eq!(name("eu-west-1"), "mine.eu");
        assert_eq!(name("us-east-1"), "templates-222222222222-us-east-1");
        assert_eq!(buckets.to_string().parse(), Ok(buckets));
        let one = TemplateBuckets::parse(["eu-west-1=mine"]).unwrap();
        assert_eq!(one.of(&target("us-east-1")), None);
    }

    #[test]
    fn a_bucket_is_the_callers_unless_its_owner_is_named() {
        let texts = [
            "mine",
            "us-east-1=theirs@{account}",
            "eu-west-1=shared@333333333333",
        ];
        let buckets = TemplateBuckets::parse(texts).unwrap();
        for (region, owner) in [
            ("ap-south-1", None),
            ("us-east-1", Some("222222222222")),
            ("eu-west-1", Some("333333333333")),
        ] {
            let bucket = buckets.of(&target(region)).unwrap();
            assert_eq!(bucket.owner.as_ref().map(AccountId::as_str), owner);
            assert!(!bucket.name.contains('@'));
        }
        assert_eq!(buckets.to_string().parse(), Ok(buckets));
    }

    #[test]
    fn what_is_no_bucket_is_refused() {
        for text in [
            "",
            "ab",
            "Upper",
            "a_b",
            "s3://bucket",
            "-ab",
            "a..b",
            "a/b",
            "nowhere!=abc",
            "a,b",
            "x=abc?",
            "abc@",
            "abc@me",
            "abc@1{account}",
            "@111111111111",
            "abc@111111111111@222222222222",
        ] {
            let refused = TemplateBuckets::parse([text]);
            assert!(matches!(refused, Err(BucketError::Name(_))), "{text}");
        }
        for twice in [["abc", "abd"], ["us-east-1=abc", "us-east-1=abd"]] {
            let refused = TemplateBuckets::parse(twice);
            assert!(matches!(refused, Err(BucketError::Twice(_))), "{twice:?}");
        }
    }
}
