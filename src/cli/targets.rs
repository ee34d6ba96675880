//! Which stacks are meant: accounts times regions, or a ragged list from a file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Deserialize;

use super::CliError;
use super::session::SessionArgs;
use crate::model::{
    AccountId, Caller, ConcurrencyMode, CountOrPercent, OperationPreferences, Region,
    RegionConcurrency, RoleSession, StackName, Target, TargetSpec,
};

/// The role that StackSets assumes in other accounts.
const DEFAULT_TARGET_ROLE: &str =
    "arn:{partition}:iam::{account}:role/AWSCloudFormationStackSetExecutionRole";

/// Which targets, and how the rollout moves over them.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Targets")]
pub(super) struct TargetArgs {
    /// Accounts, separated by commas; without it, the caller's own
    #[arg(long, value_delimiter = ',', value_name = "ID")]
    accounts: Vec<AccountId>,
    /// Regions, separated by commas; without it, the one of the profile or `AWS_REGION`
    #[arg(
        long,
        visible_alias = "region",
        value_delimiter = ',',
        value_name = "REGION"
    )]
    pub regions: Vec<Region>,
    /// A YAML or JSON list of `{account, regions}`, for sets that are not a product
    #[arg(long, value_name = "FILE", conflicts_with = "accounts")]
    targets: Option<PathBuf>,
    /// The role to assume in accounts other than the caller's; `{partition}`, `{account}` and
    /// `{region}` are filled in
    #[arg(long, value_name = "ARN", default_value = DEFAULT_TARGET_ROLE)]
    target_role: String,
    /// The role to assume in every account for the plan, where execution has another one
    #[arg(long, value_name = "ARN", requires = "execute_role")]
    plan_role: Option<String>,
    /// The role to assume in every account from the approval on
    #[arg(long, value_name = "ARN")]
    execute_role: Option<String>,
    /// How many targets of a region run at once: a count, or a percentage of the region's targets
    #[arg(long, value_name = "N|N%", default_value = "1")]
    max_concurrent: CountOrPercent,
    /// How many targets of a region may fail before it stops: a count or a percentage
    #[arg(long, value_name = "N|N%", default_value = "0")]
    failure_tolerance: CountOrPercent,
    /// The order of regions; those not named follow
    #[arg(long, value_delimiter = ',', value_name = "REGION")]
    region_order: Vec<Region>,
    /// Whether regions run one after another
    #[arg(long, value_enum, default_value = "sequential")]
    region_concurrency: RegionConcurrencyArg,
    /// Whether concurrency shrinks as failures come in
    #[arg(long, value_enum, default_value = "strict")]
    concurrency_mode: ConcurrencyModeArg,
    // Last, since its heading holds for what follows.
    #[command(flatten)]
    sessions: SessionArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RegionConcurrencyArg {
    Sequential,
    Parallel,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ConcurrencyModeArg {
    Strict,
    Soft,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    account: AccountText,
    regions: Vec<Region>,
}

/// An account id as people write it in YAML: a number loses its leading zeros, so it is refused.
#[derive(Debug, Deserialize)]
#[serde(try_from = "serde_yaml::Value")]
struct AccountText(AccountId);

impl TryFrom<serde_yaml::Value> for AccountText {
    type Error = String;
    fn try_from(value: serde_yaml::Value) -> Result<Self, String> {
        let text = match value {
            serde_yaml::Value::String(text) => text,
            serde_yaml::Value::Number(number) => number.to_string(),
            _ => return Err("an account is 12 digits".to_owned()),
        };
        AccountId::new(text)
            .map(Self)
            .map_err(|e| format!("{e}; put it in quotes"))
    }
}

impl TargetArgs {
    /// Returns what is sent along when a role is assumed.
    pub(super) fn session(&self) -> Result<RoleSession, CliError> {
        self.sessions.session()
    }

    /// Returns the preferences.
    pub(super) fn preferences(&self) -> Result<OperationPreferences, CliError> {
        if self.max_concurrent == CountOrPercent::Count(0) {
            return Err(CliError::message(
                "`--max-concurrent 0` would start nothing; give at least 1",
            ));
        }
        Ok(OperationPreferences {
            region_order: self.region_order.clone(),
            region_concurrency: match self.region_concurrency {
                RegionConcurrencyArg::Sequential => RegionConcurrency::Sequential,
                RegionConcurrencyArg::Parallel => RegionConcurrency::Parallel,
            },
            max_concurrent: self.max_concurrent,
            failure_tolerance: self.failure_tolerance,
            concurrency_mode: match self.concurrency_mode {
                ConcurrencyModeArg::Strict => ConcurrencyMode::Strict,
                ConcurrencyModeArg::Soft => ConcurrencyMode::Soft,
            },
        })
    }

    /// Returns the targets, in the order they were asked for.
    pub(super) fn resolve(
        &self,
        stack: &StackName,
        caller: &Caller,
        default_region: Option<Region>,
    ) -> Result<Vec<TargetSpec>, CliError> {
        let own = [caller.account.clone()];
        let default: Vec<Region> = default_region.into_iter().collect();
        let regions = || -> Result<&[Region], CliError> {
            match (&self.regions[..], &default[..]) {
                ([], []) => Err(CliError::message("no region is given").hint(
                    "name them with `--regions`, or set `AWS_REGION` or the profile's region",
                )),
                ([], default) => Ok(default),
                (given, _) => Ok(given),
            }
        };
        let mut places: Vec<(AccountId, Region)> = Vec::new();
        match &self.targets {
            Some(file) => {
                for entry in read(file)? {
                    places.extend(
                        entry
                            .regions
                            .into_iter()
                            .map(|r| (entry.account.0.clone(), r)),
                    );
                }
                if !self.regions.is_empty() {
                    places.retain(|(_, region)| self.regions.contains(region));
                }
            }
            None => {
                let accounts = if self.accounts.is_empty() {
                    &own[..]
                } else {
                    &self.accounts
                };
                for account in accounts {
                    places.extend(regions()?.iter().map(|r| (account.clone(), r.clone())));
                }
            }
        }
        if places.is_empty() {
            return Err(CliError::message(
                "no target is left; check `--targets` and `--regions`",
            ));
        }
        let mut seen = BTreeSet::new();
        if let Some((account, region)) = places.iter().find(|place| !seen.insert(*place)) {
            let place = match &self.targets {
                Some(file) => format!("in `{}`", file.display()),
                None => "by `--accounts` and `--regions`".to_owned(),
            };
            return Err(CliError::message(format!(
                "target {account}/{region} is named twice {place}; a stack is deployed once, remove one of the two"
            )));
        }
        let named: BTreeSet<&Region> = places.iter().map(|(_, r)| r).collect();
        if let Some(unused) = self.region_order.iter().find(|r| !named.contains(r)) {
            return Err(CliError::message(format!(
                "`--region-order` names {unused}, where no target is"
            )));
        }
        Ok(places
            .into_iter()
            .map(|(account, region)| {
                let target = Target {
                    account,
                    region,
                    stack: stack.clone(),
                };
                let is_elsewhere = target.account != caller.account;
                TargetSpec {
                    role_arn: match &self.plan_role {
                        Some(role) => Some(target.fill(role)),
                        None => is_elsewhere.then(|| target.fill(&self.target_role)),
                    },
                    execute_role_arn: self.execute_role.as_ref().map(|role| target.fill(role)),
                    target,
                }
            })
            .collect())
    }
}

fn read(file: &Path) -> Result<Vec<Entry>, CliError> {
    let text = std::fs::read_to_string(file).map_err(|e| {
        CliError::usage(
            anyhow::Error::new(e)
                .context(format!("failed to read targets file `{}`", file.display())),
        )
        .hint("paths count from the folder that stackgate runs in")
    })?;
    if text.len() > 4 << 20 {
        return Err(CliError::message(format!(
            "targets file `{}` is larger than 4 MB",
            file.display()
        )));
    }
    serde_yaml::from_str(&text).map_err(|error| {
        let said = error.to_string();
        // The place comes first, as everywhere, and once.
        let place = error
            .location()
            .map(|at| format!(":{}:{}", at.line(), at.column()));
        let what = said.split(" at line ").next().unwrap_or(&said);
        CliError::message(format!(
            "{}{}: {what}",
            file.display(),
            place.unwrap_or_default()
        ))
        .hint(
            "it is a list such as `- account: \"111111111111\"` with `regions: [eu-west-1]` below",
        )
    })
}
