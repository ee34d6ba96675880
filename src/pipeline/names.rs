//! Names and tokens, derived from the execution and the target.
//!
//! A resumed execution computes the same ones, so it finds its own change set instead of making a
//! second one, and a request that is sent again carries the same token.

use sha2::{Digest as _, Sha256};

use crate::model::{ChangeSetName, ExecutionId, Target};

/// What the names of change sets begin with.
const PREFIX: &str = "stackgate-";

/// How many hexadecimal digits follow.
const DIGITS: usize = 24;

/// Returns the name of the change set of `target`; unique over stacks and executions.
pub fn change_set_name(execution: &ExecutionId, target: &Target) -> ChangeSetName {
    let name = format!(
        "{PREFIX}{}",
        &hash(execution, target, "change-set")[..DIGITS]
    );
    // Letters, digits and one hyphen, 34 characters: a change set name by construction.
    ChangeSetName::new(name).expect("a hexadecimal suffix makes a valid name")
}

/// Returns whether a change set has a name of that shape, whichever execution it is of.
pub fn is_change_set_name(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|rest| {
        let is_digit = |b: u8| b.is_ascii_digit() || matches!(b, b'a'..=b'f');
        rest.len() == DIGITS && rest.bytes().all(is_digit)
    })
}

/// Returns the `ClientToken` of `CreateChangeSet`.
pub fn create_token(execution: &ExecutionId, target: &Target) -> String {
    uuid_shaped(&hash(execution, target, "create"))
}

/// Returns the `ClientRequestToken` of `ExecuteChangeSet`.
pub fn execute_token(execution: &ExecutionId, target: &Target) -> String {
    uuid_shaped(&hash(execution, target, "execute"))
}

fn hash(execution: &ExecutionId, target: &Target, purpose: &str) -> String {
    hex::encode(Sha256::digest(format!("{execution}\n{target}\n{purpose}")))
}

/// Returns 32 hexadecimal digits in the shape of a UUID, which every token pattern accepts.
fn uuid_shaped(hex: &str) -> String {
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..32]
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AccountId, Region, StackName};

    #[test]
    fn names_are_stable_and_differ_per_target_and_execution() {
        let id =
            |n: u8| ExecutionId::new(format!("01938f5e-0000-7000-8000-0000000000{n:02}")).unwrap();
        let target = |region: &str| Target {
            account: AccountId::new("111111111111").unwrap(),
            region: Region::new(region).unwrap(),
            stack: StackName::new("network").unwrap(),
        };
        let (a, b) = (target("eu-west-1"), target("us-east-1"));
        assert_eq!(change_set_name(&id(1), &a), change_set_name(&id(1), &a));
        assert!(is_change_set_name(change_set_name(&id(1), &a).as_str()));
        for name in [
            "stackgate-",
            "stackgate-plan",
            "plan",
            "stackgate-0123456789abcdef0123456X",
        ] {
            assert!(!is_change_set_name(name), "{name}");
        }
        assert_ne!(change_set_name(&id(1), &a), change_set_name(&id(1), &b));
        assert_ne!(change_set_name(&id(1), &a), change_set_name(&id(2), &a));
        assert_ne!(create_token(&id(1), &a), execute_token(&id(1), &a));
        assert_eq!(execute_token(&id(1), &a).len(), 36);
    }
}
