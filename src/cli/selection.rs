//! Which accounts of an organization are meant, and what is left out of them.
//!
//! ```text
//! units  ── filter with --accounts ──►  chosen  ── not the management account, active ──►
//!        ── --exclude ──►  ── --account-tags ──►  targets; whatever falls off is kept with its reason
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use futures_util::future::try_join_all;

use super::{CliError, output};
use crate::aws::{Aws, organizations_region};
use crate::model::{
    AccountId, AccountState, CallFailure, Caller, FailureKind, LeftOut, LeftOutWhy,
    OrganizationalUnitId, Region, StackName, Target, TargetSpec, clean,
};

/// The most bytes that a file of accounts may have, as StackSets takes them.
const LARGEST_FILE: usize = 10 << 20;

/// Which accounts of the organization, and what is left out.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Targets")]
pub(super) struct SelectionArgs {
    /// Organizational units, separated by commas: their accounts and those of all units below; the root `r-…` is the
    /// whole organization. The management account and accounts that are not active are left out
    #[arg(long, value_delimiter = ',', value_name = "OU")]
    pub organizational_units: Vec<OrganizationalUnitId>,
    /// What `--accounts` does beside organizational units
    #[arg(long, value_enum, value_name = "HOW")]
    pub account_filter: Option<AccountFilter>,
    /// Targets to leave out, separated by commas: all of an account, all of a region, or one region of an account
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "ACCOUNT|REGION|ACCOUNT/REGION"
    )]
    pub exclude: Vec<Exclusion>,
    /// Tags that accounts have in the organization, separated by commas; those without are left out
    #[arg(long, value_delimiter = ',', value_name = "KEY=VALUE")]
    pub account_tags: Vec<AccountTag>,
    /// The role to assume for reading the organization, where the caller may not
    #[arg(long, value_name = "ARN")]
    pub organization_role: Option<String>,
}

/// What listed accounts do beside organizational units, with the names of StackSets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum AccountFilter {
    /// All accounts of the units
    None,
    /// The listed accounts that are in the units
    Intersection,
    /// The accounts of the units that are not listed
    Difference,
    /// The accounts of the units, and the listed ones
    Union,
}

/// Accounts as they are given: one, or those that a file names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AccountList(pub Vec<AccountId>);

/// Targets that are left out by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Exclusion {
    /// All targets of an account.
    Account(AccountId),
    /// All targets of a region.
    Region(Region),
    /// One.
    Place(AccountId, Region),
}

/// A tag that an account must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AccountTag {
    key: String,
    value: String,
}

/// Where targets are: accounts and regions.
pub(super) type Places = Vec<(AccountId, Region)>;

impl SelectionArgs {
    /// Returns whether the organization is asked for anything.
    pub(super) fn asks_organization(&self) -> bool {
        !self.organizational_units.is_empty() || !self.account_tags.is_empty()
    }

    /// Refuses what does not go together, before anything is asked.
    pub(super) fn check(&self, listed: usize) -> Result<(), CliError> {
        let has_units = !self.organizational_units.is_empty();
        match self.account_filter {
            Some(_) if !has_units => Err(CliError::message(
                "`--account-filter` says what `--accounts` does beside organizational units, and none is given",
            )
            .hint("name them with `--organizational-units`, or leave the filter out")),
            None if has_units && listed > 0 => Err(CliError::message(
                "organizational units and accounts are given, and not what the accounts do there",
            )
            .hint(
                "add `--account-filter intersection` (the listed accounts that are in the units), `difference` (the \
                 units without the listed accounts), `union` (both) or `none` (the units alone)",
            )),
            Some(
                AccountFilter::Intersection | AccountFilter::Difference | AccountFilter::Union,
            ) if listed == 0 => Err(CliError::message(
                "`--account-filter` needs accounts to filter with, and none is given",
            )
            .hint("name them with `--accounts`, or leave the filter out")),
            Some(_) | None => Ok(()),
        }
    }

    /// Returns the accounts that are chosen by organizational units, and which of those looked at are not.
    pub(super) async fn accounts(
        &self,
        organization: &Organization<'_>,
        listed: &[AccountId],
    ) -> Result<(Vec<AccountId>, Vec<LeftOut>), CliError> {
        let Organization { aws, spec } = organization;
        let told = |failure| self.denied(failure);
        let management = aws.management_account(spec).await.map_err(told)?;
        let within = aws.accounts_in(spec, &self.organizational_units);
        let mut states = within.await.map_err(told)?;
        let (candidates, mut left_out) = chosen(self.account_filter, listed, &states);
        // Accounts of a union may be anywhere, even outside the organization.
        let elsewhere = candidates.iter().filter(|a| !states.contains_key(*a));
        let asked = try_join_all(elsewhere.map(async |account| {
            let state = aws.account_state(spec, account).await?;
            Ok::<_, CallFailure>((account.clone(), state.unwrap_or(AccountState::Active)))
        }));
        states.extend(asked.await.map_err(told)?);
        let mut accounts = Vec::new();
        for account in candidates {
            let state = states.get(&account).copied();
            let why = match state.unwrap_or(AccountState::Unknown) {
                _ if account == management => LeftOutWhy::ManagementAccount,
                AccountState::Active => {
                    accounts.push(account);
                    continue;
                }
                state @ (AccountState::PendingActivation
                | AccountState::Suspended
                | AccountState::PendingClosure
                | AccountState::Closed
                | AccountState::Unknown) => LeftOutWhy::NotActive { state },
            };
            left_out.push(whole(account, why));
        }
        Ok((accounts, left_out))
    }

    /// Takes away what is excluded by name, and says what that is.
    pub(super) fn exclude(&self, places: &mut Places, left_out: &mut Vec<LeftOut>) {
        let mut used: BTreeSet<Exclusion> = BTreeSet::new();
        let given: BTreeSet<&Exclusion> = self.exclude.iter().collect();
        let before = std::mem::take(places);
        let mut accounts = BTreeSet::new();
        for (account, region) in before {
            let whole_account = Exclusion::Account(account.clone());
            let others = [
                Exclusion::Region(region.clone()),
                Exclusion::Place(account.clone(), region.clone()),
            ];
            let others = others.into_iter().filter(|e| given.contains(e));
            let others: Vec<Exclusion> = others.collect();
            if given.contains(&whole_account) {
                if accounts.insert(account.clone()) {
                    left_out.push(whole(account, LeftOutWhy::Excluded));
                }
                used.insert(whole_account);
            } else if others.is_empty() {
                places.push((account, region));
            } else {
                left_out.push(LeftOut {
                    account,
                    region: Some(region),
                    why: LeftOutWhy::Excluded,
                });
            }
            used.extend(others);
        }
        for idle in given.into_iter().filter(|e| !used.contains(*e)) {
            output::stderr(&format!(
                "note: `--exclude {idle}` leaves nothing out, as no target is there\n"
            ));
        }
    }

    /// Takes away the accounts without the tags that are asked for.
    pub(super) async fn keep_tagged(
        &self,
        organization: &Organization<'_>,
        places: &mut Places,
        left_out: &mut Vec<LeftOut>,
    ) -> Result<(), CliError> {
        let Organization { aws, spec } = organization;
        let accounts: BTreeSet<AccountId> = places.iter().map(|(a, _)| a.clone()).collect();
        let tags = try_join_all(accounts.into_iter().map(async |account| {
            let tags = aws.account_tags(spec, &account).await?;
            Ok::<_, CallFailure>((account, tags))
        }));
        let tags = tags.await.map_err(|failure| self.denied(failure))?;
        for (account, tags) in tags {
            let lacks = |tag: &&AccountTag| tags.get(&tag.key) != Some(&tag.value);
            if let Some(tag) = self.account_tags.iter().find(lacks) {
                places.retain(|(other, _)| *other != account);
                let tag = tag.to_string();
                left_out.push(whole(account, LeftOutWhy::WithoutTag { tag }));
            }
        }
        Ok(())
    }

    /// Returns the error for a failed look at the organization, with what it needs.
    fn denied(&self, failure: CallFailure) -> CliError {
        let not_in_use = failure
            .message
            .contains("AWSOrganizationsNotInUseException");
        let no_unit = failure.message.contains("ParentNotFoundException");
        let is_denied = failure.kind == FailureKind::AccessDenied;
        let error = CliError::from(failure);
        if not_in_use {
            return error.hint("the caller's account is in no organization: name the accounts with `--accounts`, or use a profile of the organization with `--profile`");
        }
        if no_unit {
            return error.hint("the organization of the caller has no such unit; `aws organizations list-roots` and `list-organizational-units-for-parent` name those it has");
        }
        if !is_denied {
            return error;
        }
        error
            .hint("the accounts of an organization are listed by its management account or a delegated administrator: take credentials of one with `--profile`, or have a role there assumed with `--organization-role`")
            .hint(format!(
                "it must be allowed {}; `stackgate doctor --policy` prints the whole policy",
                super::permissions::ORGANIZATION.map(|call| format!("organizations:{call}")).join(", ")
            ))
    }
}

/// How the organization is asked.
pub(super) struct Organization<'a> {
    aws: &'a Aws,
    spec: TargetSpec,
}

impl<'a> Organization<'a> {
    /// Returns the organization of the caller, or the one that a role leads to.
    pub(super) fn of(
        aws: &'a Aws,
        caller: &Caller,
        stack: &StackName,
        role: Option<&str>,
    ) -> Result<Self, CliError> {
        let field = |arn: &str, at| arn.split(':').nth(at).unwrap_or_default().to_owned();
        let partition = field(role.unwrap_or(&caller.arn), 1);
        let account = match role {
            None => caller.account.clone(),
            Some(arn) => AccountId::new(field(arn, 4)).map_err(|_| {
                CliError::message(format!(
                    "`--organization-role {}` is no role of an account; expected an ARN such as \
                     `arn:aws:iam::111111111111:role/OrganizationReader`",
                    clean(arn)
                ))
            })?,
        };
        let region = Region::new(organizations_region(&partition)).map_err(CliError::failed)?;
        Ok(Self {
            aws,
            spec: TargetSpec {
                target: Target {
                    account,
                    region,
                    // Whatever asks for a target wants a stack; none is looked at.
                    stack: stack.clone(),
                },
                role_arn: role.map(str::to_owned),
                execute_role_arn: None,
            },
        })
    }
}

/// Returns the accounts that a filter chooses, in the order of their ids, and those that it takes away.
fn chosen(
    filter: Option<AccountFilter>,
    listed: &[AccountId],
    within: &BTreeMap<AccountId, AccountState>,
) -> (Vec<AccountId>, Vec<LeftOut>) {
    let listed: BTreeSet<&AccountId> = listed.iter().collect();
    let units: BTreeSet<&AccountId> = within.keys().collect();
    let (chosen, gone, why): (BTreeSet<&AccountId>, Vec<&AccountId>, LeftOutWhy) = match filter {
        None | Some(AccountFilter::None) => (units, Vec::new(), LeftOutWhy::OutsideUnits),
        Some(AccountFilter::Union) => (&units | &listed, Vec::new(), LeftOutWhy::OutsideUnits),
        Some(AccountFilter::Intersection) => (
            &units & &listed,
            listed.difference(&units).copied().collect(),
            LeftOutWhy::OutsideUnits,
        ),
        Some(AccountFilter::Difference) => (
            &units - &listed,
            listed.intersection(&units).copied().collect(),
            LeftOutWhy::Excluded,
        ),
    };
    let gone = gone.into_iter().cloned();
    (
        chosen.into_iter().cloned().collect(),
        gone.map(|account| whole(account, why.clone())).collect(),
    )
}

fn whole(account: AccountId, why: LeftOutWhy) -> LeftOut {
    LeftOut {
        account,
        region: None,
        why,
    }
}

impl FromStr for AccountList {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let Some(file) = text.strip_prefix('@') else {
            let account = AccountId::new(text).map_err(|e| e.to_string())?;
            return Ok(Self(vec![account]));
        };
        let bytes = std::fs::read(file)
            .map_err(|error| format!("failed to read `{}`: {error}", clean(file)))?;
        if bytes.len() > LARGEST_FILE {
            return Err(format!("`{}` is larger than 10 MB", clean(file)));
        }
        let text = String::from_utf8_lossy(&bytes);
        let mut accounts = Vec::new();
        for (line, words) in (1..).zip(text.lines()) {
            let words = words.split(',').map(str::trim).filter(|w| !w.is_empty());
            for word in words {
                let account =
                    AccountId::new(word).map_err(|e| format!("{}:{line}: {e}", clean(file)))?;
                accounts.push(account);
            }
        }
        if accounts.is_empty() {
            return Err(format!(
                "`{}` names no account; expected ids separated by commas or lines",
                clean(file)
            ));
        }
        Ok(Self(accounts))
    }
}

impl fmt::Display for AccountList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let accounts: Vec<&str> = self.0.iter().map(AccountId::as_str).collect();
        f.write_str(&accounts.join(","))
    }
}

impl FromStr for Exclusion {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || {
            format!(
                "`{}` is no account, no region and no ACCOUNT/REGION",
                clean(text)
            )
        };
        if let Some((account, region)) = text.split_once('/') {
            let account = AccountId::new(account).map_err(|_| expected())?;
            let region = Region::new(region).map_err(|_| expected())?;
            return Ok(Self::Place(account, region));
        }
        match AccountId::new(text) {
            Ok(account) => Ok(Self::Account(account)),
            Err(_) => Region::new(text).map(Self::Region).map_err(|_| expected()),
        }
    }
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(account) => account.fmt(f),
            Self::Region(region) => region.fmt(f),
            Self::Place(account, region) => write!(f, "{account}/{region}"),
        }
    }
}

impl AccountTag {
    pub(super) fn new(key: String, value: String) -> Self {
        Self { key, value }
    }
}

impl FromStr for AccountTag {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok(Self::new(key.into(), value.into())),
            Some(_) | None => Err("expected KEY=VALUE".to_owned()),
        }
    }
}

impl fmt::Display for AccountTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

#[cfg(test)]
mod tests;
