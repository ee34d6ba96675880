//! Where large templates are put for CloudFormation to read.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::{Region, Target};

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
    by_region: BTreeMap<Region, String>,
    everywhere: Option<String>,
}

/// A text that names no bucket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BucketError {
    /// It is no name of a bucket.
    #[error(
        "`{0}` is no bucket, expected `NAME` or `REGION=NAME`, the name with 3 to 63 of a-z, 0-9, `.` and `-`; \
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
                    let name = checked(name).ok_or_else(invalid)?;
                    if buckets.by_region.insert(region.clone(), name).is_some() {
                        return Err(BucketError::Twice(region.to_string()));
                    }
                }
                None => {
                    let name = checked(text).ok_or_else(invalid)?;
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
    pub fn of(&self, target: &Target) -> Option<String> {
        let name = self
            .by_region
            .get(&target.region)
            .or(self.everywhere.as_ref())?;
        Some(target.fill(name))
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
        let all: Vec<String> = self.everywhere.iter().cloned().chain(by_region).collect();
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
        assert_eq!(buckets.of(&target("eu-west-1")).unwrap(), "mine.eu");
        assert_eq!(
            buckets.of(&target("us-east-1")).unwrap(),
            "templates-222222222222-us-east-1"
        );
        assert_eq!(buckets.to_string().parse(), Ok(buckets));
        let one = TemplateBuckets::parse(["eu-west-1=mine"]).unwrap();
        assert_eq!(one.of(&target("us-east-1")), None);
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
