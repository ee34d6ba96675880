//! Which stacks are meant: accounts times regions, or a ragged list from a file.

mod listed;
mod taken;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use self::listed::read;
use super::options::Connection;
use super::selection::{AccountList, Organization, Places, SelectionArgs};
use super::session::SessionArgs;
use super::settings::{Settings, SettingsError, Values, WaveValues};
use super::{CliError, output, waves};
use crate::aws::Aws;
use crate::model::{
    AccountId, Caller, Chosen, ConcurrencyMode, CountOrPercent, Invocation, LeftOut,
    OperationPreferences, Region, RegionConcurrency, RoleSession, StackName, Target, TargetSpec,
    Wave, clean,
};
use crate::report;

#[cfg(test)]
pub(super) use self::listed::parse;
pub(super) use self::taken::Taken;

/// The role that StackSets assumes in other accounts.
pub(super) const DEFAULT_TARGET_ROLE: &str =
    "arn:{partition}:iam::{account}:role/AWSCloudFormationStackSetExecutionRole";

/// Which targets, and how the rollout moves over them.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Targets")]
pub(super) struct TargetArgs {
    /// Accounts, separated by commas, or `@FILE` that names them; without it, the caller's own
    #[arg(long, value_delimiter = ',', value_name = "ID|@FILE")]
    accounts: Vec<AccountList>,
    #[command(flatten)]
    selection: SelectionArgs,
    /// Regions, separated by commas; without it, the one of the profile or `AWS_REGION`
    #[arg(
        long,
        visible_alias = "region",
        value_delimiter = ',',
        value_name = "REGION"
    )]
    pub regions: Vec<Region>,
    /// A YAML or JSON list of `{account, regions}`, for sets that are not a product
    #[arg(long, value_name = "FILE", conflicts_with_all = ["accounts", "organizational_units"])]
    targets: Option<PathBuf>,
    /// The role to assume in accounts other than the caller's; `{partition}`, `{account}` and
    /// `{region}` are filled in [default: the role AWSCloudFormationStackSetExecutionRole]
    #[arg(long, value_name = "ARN")]
    target_role: Option<String>,
    /// The role to assume in every account for the plan, where execution has another one
    #[arg(long, value_name = "ARN", requires = "execute_role")]
    plan_role: Option<String>,
    /// The role to assume in every account from the approval on
    #[arg(long, value_name = "ARN")]
    execute_role: Option<String>,
    /// How many targets of a region run at once: a count, or a percentage of the region's targets
    /// [default: 1]
    #[arg(long, value_name = "N|N%")]
    max_concurrent: Option<CountOrPercent>,
    /// How many targets of a region may fail before it stops: a count or a percentage [default: 0]
    #[arg(long, value_name = "N|N%")]
    failure_tolerance: Option<CountOrPercent>,
    /// The order of regions; those not named follow
    #[arg(long, value_delimiter = ',', value_name = "REGION")]
    region_order: Vec<Region>,
    /// Whether regions run one after another [default: sequential]
    #[arg(long, value_enum, value_name = "HOW")]
    region_concurrency: Option<RegionConcurrencyArg>,
    /// Whether concurrency shrinks as failures come in [default: strict]
    #[arg(long, value_enum, value_name = "HOW")]
    concurrency_mode: Option<ConcurrencyModeArg>,
    /// A set of targets that `stackgate.yaml` names
    #[arg(long, value_name = "NAME")]
    target_set: Option<String>,
    /// An environment that `stackgate.yaml` names
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    #[command(flatten)]
    sessions: SessionArgs,
    /// What was taken from `stackgate.yaml`; nothing where a command did not ask for it.
    #[arg(skip)]
    filled: Option<Filled>,
}

/// What `stackgate.yaml` gave that no field holds.
#[derive(Debug, Clone, Default)]
struct Filled {
    /// The accounts and their regions, where they are no product.
    targets: Option<Vec<(AccountId, Vec<Region>)>>,
    /// The waves.
    waves: Vec<WaveValues>,
    /// Whether flags chose among the targets.
    is_narrowed: bool,
}

/// The targets, and what was left out of them when they were chosen.
#[derive(Debug, Clone)]
pub(super) struct Resolved {
    pub specs: Vec<TargetSpec>,
    pub left_out: Vec<LeftOut>,
}

#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
pub(super) enum RegionConcurrencyArg {
    Sequential,
    Parallel,
}

#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
pub(super) enum ConcurrencyModeArg {
    Strict,
    Soft,
}

impl Resolved {
    /// Returns the targets, after saying what was left out.
    pub(super) fn told(self) -> Vec<TargetSpec> {
        if let Some(line) = report::left_out_line(&self.left_out) {
            output::stderr(&format!("{line}\n"));
        }
        self.specs
    }
}

impl TargetArgs {
    /// Returns how an execution in the project `root` is begun.
    pub(super) fn invocation(
        &self,
        root: &Path,
        connection: &Connection,
        chosen: Chosen,
    ) -> Result<Invocation, CliError> {
        let root = root.to_str().ok_or_else(|| {
            CliError::message(format!("the path `{}` is not UTF-8", root.display()))
        })?;
        Ok(Invocation {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            root: root.to_owned(),
            profile: connection.profile.clone(),
            endpoint_url: connection.endpoint_url.clone(),
            own_endpoint: false,
            region: self.first_region().map(ToString::to_string),
            session: self.session()?,
            chosen,
            follows: None,
            proven: Vec::new(),
        })
    }

    /// Returns the region of the first calls (STS): where only one region is named, it is that; of several, one that
    /// every account has, since one that is not enabled would take the others with it.
    pub(super) fn first_region(&self) -> Option<&Region> {
        let everywhere = self.regions.iter().find(|region| !region.is_opt_in());
        everywhere.or(self.regions.first())
    }

    /// Returns what is sent along when a role is assumed.
    pub(super) fn session(&self) -> Result<RoleSession, CliError> {
        self.sessions.session()
    }

    /// Returns the options as they were given that say how targets are reached, and with what settings, beside their places; for
    /// a command that goes on. To be asked before anything is filled in.
    pub(super) fn reached_by(&self, connection: &Connection) -> String {
        let given = [
            ("--environment", &self.environment),
            ("--target-set", &self.target_set),
            ("--profile", &connection.profile),
            ("--endpoint-url", &connection.endpoint_url),
            ("--target-role", &self.target_role),
            ("--plan-role", &self.plan_role),
            ("--execute-role", &self.execute_role),
        ];
        let given = given
            .into_iter()
            .filter_map(|(flag, value)| Some((flag, value.clone()?)));
        let all = given.chain(self.sessions.flags());
        all.map(|(flag, value)| format!(" {flag} {}", output::word(&value)))
            .collect()
    }

    /// Returns whether any option chooses targets, or how they are reached.
    pub(super) fn are_chosen(&self) -> bool {
        let SelectionArgs {
            organizational_units,
            account_filter,
            exclude,
            account_tags,
            organization_role,
        } = &self.selection;
        let is_list_given = !self.accounts.is_empty()
            || !self.regions.is_empty()
            || !organizational_units.is_empty()
            || !exclude.is_empty()
            || !account_tags.is_empty();
        let names = [
            organization_role,
            &self.target_role,
            &self.plan_role,
            &self.execute_role,
            &self.target_set,
            &self.environment,
        ];
        is_list_given
            || account_filter.is_some()
            || self.targets.is_some()
            || names.into_iter().any(Option::is_some)
    }

    /// Fills in what `stackgate.yaml` in `root` says and no flag does; returns the rest of it.
    pub(super) fn fill(
        &mut self,
        root: &Path,
        connection: &mut Connection,
    ) -> Result<Taken, CliError> {
        let mut filled = Filled::default();
        let Some(settings) = Settings::load(root)? else {
            let named = [
                ("--environment", &self.environment),
                ("--target-set", &self.target_set),
            ];
            if let Some((flag, Some(name))) = named.into_iter().find(|(_, name)| name.is_some()) {
                return Err(CliError::usage(SettingsError::NoFile {
                    flag,
                    name: clean(name),
                }));
            }
            self.filled = Some(filled);
            return Ok(Taken::default());
        };
        let (mut values, target_set) = settings
            .choose(self.environment.as_deref(), self.target_set.as_deref())
            .map_err(CliError::usage)?;
        let mut taken = Taken::of(Chosen {
            environment: self.environment.clone(),
            target_set,
        });
        filled.is_narrowed =
            !self.accounts.is_empty() || !self.regions.is_empty() || self.targets.is_some();
        filled.waves = self.waves_of(&mut values);
        if !filled.waves.is_empty() {
            let names: Vec<&str> = filled.waves.iter().map(|w| w.name.as_str()).collect();
            taken.note("waves", &names.join(","));
        }
        let text = String::clone;
        // A file of targets says it all.
        if self.targets.is_none() {
            if let Some(targets) = values.targets.take() {
                let noun = if targets.len() == 1 {
                    "account"
                } else {
                    "accounts"
                };
                if self.selection.organizational_units.is_empty() {
                    taken.note("targets", &format!("in {} {noun}", targets.len()));
                    filled.targets = Some(targets);
                }
            } else {
                self.fill_accounts(&mut taken, &mut values);
            }
            // An order is of the regions that are left.
            if !self.regions.is_empty() {
                let order = values.region_order.take().into_iter().flatten();
                let left: Vec<Region> = order.filter(|r| self.regions.contains(r)).collect();
                values.region_order = Some(left).filter(|left| !left.is_empty());
            }
            taken.fill_list("regions", &mut self.regions, values.regions.take());
        }
        self.fill_selection(&mut taken, &mut values);
        taken.fill_list(
            "region-order",
            &mut self.region_order,
            values.region_order.take(),
        );
        let role = values.target_role.take();
        taken.fill("target-role", &mut self.target_role, role, text);
        let count = values.max_concurrent.take();
        taken.fill(
            "max-concurrent",
            &mut self.max_concurrent,
            count,
            CountOrPercent::to_string,
        );
        let count = values.failure_tolerance.take();
        taken.fill(
            "failure-tolerance",
            &mut self.failure_tolerance,
            count,
            CountOrPercent::to_string,
        );
        let how = values.region_concurrency.take();
        taken.fill(
            "region-concurrency",
            &mut self.region_concurrency,
            how,
            word,
        );
        let how = values.concurrency_mode.take();
        taken.fill("concurrency-mode", &mut self.concurrency_mode, how, word);
        let profile = values.profile.take();
        taken.fill("profile", &mut connection.profile, profile, text);
        let url = values.endpoint_url.take();
        taken.fill("endpoint-url", &mut connection.endpoint_url, url, text);
        taken.values = values;
        self.filled = Some(filled);
        Ok(taken)
    }

    /// Fills in which accounts: those of a flag take the place of the set's, unless a filter says what they do there.
    fn fill_accounts(&mut self, taken: &mut Taken, values: &mut Values) {
        let given = !self.accounts.is_empty();
        if !self.selection.organizational_units.is_empty()
            || given && self.selection.account_filter.is_none()
        {
            return;
        }
        let accounts = values.accounts.take().filter(|_| !given);
        let accounts = accounts.map(|all| all.into_iter().map(|a| AccountList(vec![a])).collect());
        taken.fill_list("accounts", &mut self.accounts, accounts);
        taken.fill_list(
            "organizational-units",
            &mut self.selection.organizational_units,
            values.organizational_units.take(),
        );
        let filter = values.account_filter.take();
        taken.fill(
            "account-filter",
            &mut self.selection.account_filter,
            filter,
            word,
        );
    }

    /// Fills in what is left out of them. What is excluded here and there is excluded.
    fn fill_selection(&mut self, taken: &mut Taken, values: &mut Values) {
        if let Some(exclude) = values.exclude.take() {
            let words: Vec<String> = exclude.iter().map(ToString::to_string).collect();
            taken.note("exclude", &words.join(","));
            self.selection.exclude.extend(exclude);
        }
        taken.fill_list(
            "account-tags",
            &mut self.selection.account_tags,
            values.account_tags.take(),
        );
        let role = values.organization_role.take();
        taken.fill(
            "organization-role",
            &mut self.selection.organization_role,
            role,
            String::clone,
        );
    }

    /// Returns whether the organization is asked for anything.
    pub(super) fn asks_organization(&self) -> bool {
        self.selection.asks_organization()
    }

    /// Returns the role that is assumed for asking the organization, where one is.
    pub(super) fn organization_role(&self) -> Option<&str> {
        let role = self.selection.organization_role.as_deref();
        role.filter(|_| self.asks_organization())
    }

    /// Returns whether they name `target` where no stack is named: all that accounts and regions do not exclude.
    pub(super) fn pick(&self, target: &Target) -> bool {
        (self.accounts.is_empty()
            || self
                .accounts
                .iter()
                .any(|list| list.0.contains(&target.account)))
            && (self.regions.is_empty() || self.regions.contains(&target.region))
    }

    /// Returns whether they come from a list, which is of a stack.
    pub(super) fn are_listed(&self) -> bool {
        self.targets.is_some() || self.names_settings()
    }

    /// Returns whether they are named by what only `stackgate.yaml` explains.
    pub(super) fn names_settings(&self) -> bool {
        self.environment.is_some() || self.target_set.is_some()
    }

    /// Takes the waves out of `values`; what flags say of the rollout holds in each of them.
    fn waves_of(&self, values: &mut Values) -> Vec<WaveValues> {
        fn drop_if<T>(is_flag: bool, value: &mut Option<T>) {
            if is_flag {
                *value = None;
            }
        }
        let mut waves = values.waves.take().unwrap_or_default();
        for WaveValues { values, .. } in &mut waves {
            drop_if(self.max_concurrent.is_some(), &mut values.max_concurrent);
            drop_if(
                self.failure_tolerance.is_some(),
                &mut values.failure_tolerance,
            );
            drop_if(!self.region_order.is_empty(), &mut values.region_order);
            drop_if(
                self.region_concurrency.is_some(),
                &mut values.region_concurrency,
            );
            drop_if(
                self.concurrency_mode.is_some(),
                &mut values.concurrency_mode,
            );
        }
        waves
    }

    /// Returns the waves in which the targets run.
    pub(super) fn waves(
        &self,
        specs: &[TargetSpec],
        preferences: &OperationPreferences,
    ) -> Result<Vec<Wave>, CliError> {
        match &self.filled {
            Some(filled) => {
                let root = std::env::current_dir()?;
                waves::resolve(&root, &filled.waves, specs, preferences, filled.is_narrowed)
            }
            None => Ok(Vec::new()),
        }
    }

    /// Says which waves the chosen targets leave without any, so that nobody takes them for run.
    pub(super) fn waves_passed_over(&self, run: &[Wave]) -> Vec<String> {
        let all = self.filled.as_ref().map_or(&[][..], |f| &f.waves);
        waves::passed_over(all, run)
    }

    /// Returns the preferences.
    pub(super) fn preferences(&self) -> Result<OperationPreferences, CliError> {
        if self.max_concurrent == Some(CountOrPercent::Count(0)) {
            return Err(CliError::message(
                "`--max-concurrent 0` would start nothing; give at least 1",
            ));
        }
        Ok(OperationPreferences {
            region_order: self.region_order.clone(),
            region_concurrency: region_concurrency(self.region_concurrency),
            max_concurrent: self.max_concurrent.unwrap_or(CountOrPercent::Count(1)),
            failure_tolerance: self.failure_tolerance.unwrap_or(CountOrPercent::Count(0)),
            concurrency_mode: concurrency_mode(self.concurrency_mode),
        })
    }

    /// Returns the targets where nothing is asked of AWS: the roles are those of accounts that are all another's.
    pub(super) fn resolve_offline(&self, stack: &StackName) -> Result<Resolved, CliError> {
        let selection = &self.selection;
        if !selection.organizational_units.is_empty() || !selection.account_tags.is_empty() {
            return Err(CliError::message(
                "AWS is not asked here, so it is not known which accounts the organization has",
            )
            .hint("name accounts with `--accounts`, or rehearse a plan with `--execution`"));
        }
        let filled = self.filled.as_ref();
        let is_listed =
            self.targets.is_some() || filled.is_some_and(|filled| filled.targets.is_some());
        if !is_listed && self.accounts.is_empty() {
            return Err(CliError::message(
                "AWS is not asked here, so your own account is not known",
            )
            .hint("name accounts with `--accounts`, or a list of targets with `--targets FILE`"));
        }
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let default = set("AWS_REGION").or_else(|| set("AWS_DEFAULT_REGION"));
        if !is_listed && self.regions.is_empty() && default.is_none() {
            return Err(CliError::message("no region is given")
                .hint("name them with `--regions`, or set `AWS_REGION`"));
        }
        let default = default
            .map(Region::new)
            .transpose()
            .map_err(|error| CliError::usage(anyhow::Error::new(error).context("`AWS_REGION`")))?;
        let nobody = Caller {
            account: AccountId::new("000000000000").map_err(CliError::failed)?,
            arn: String::new(),
        };
        let listed: Vec<AccountId> = self.accounts.iter().flat_map(|l| l.0.clone()).collect();
        selection.check(listed.len())?;
        let mut places = self.places(&listed, &nobody, default)?;
        let mut left_out = Vec::new();
        selection.exclude(&mut places, &mut left_out);
        left_out.sort();
        let specs = self.specs(places, stack, &nobody, &left_out)?;
        Ok(Resolved { specs, left_out })
    }

    /// Returns the targets, in the order they were asked for, and what was left out of them. Where organizational units
    /// or tags choose them, the organization is asked, once.
    pub(super) async fn resolve(
        &self,
        aws: &Aws,
        stack: &StackName,
        caller: &Caller,
    ) -> Result<Resolved, CliError> {
        let selection = &self.selection;
        let listed: Vec<AccountId> = self.accounts.iter().flat_map(|l| l.0.clone()).collect();
        selection.check(listed.len())?;
        let role = selection.organization_role.as_deref();
        let organization = Organization::of(aws, caller, stack, role)?;
        let (accounts, mut left_out) = if selection.organizational_units.is_empty() {
            (listed, Vec::new())
        } else {
            // Whatever can be wrong without the organization is said before it is asked.
            self.places(
                std::slice::from_ref(&caller.account),
                caller,
                aws.default_region(),
            )?;
            selection.accounts(&organization, &listed).await?
        };
        let has_units = !selection.organizational_units.is_empty();
        let mut places = match accounts[..] {
            // Units without an account are nothing, and not the caller's own account.
            [] if has_units => Vec::new(),
            _ => self.places(&accounts, caller, aws.default_region())?,
        };
        selection.exclude(&mut places, &mut left_out);
        if !selection.account_tags.is_empty() {
            let kept = selection.keep_tagged(&organization, &mut places, &mut left_out);
            kept.await?;
        }
        left_out.sort();
        let specs = self.specs(places, stack, caller, &left_out)?;
        Ok(Resolved { specs, left_out })
    }

    /// Returns where targets are, of `accounts` or of a list with regions of its own.
    fn places(
        &self,
        accounts: &[AccountId],
        caller: &Caller,
        default_region: Option<Region>,
    ) -> Result<Places, CliError> {
        let listed = match &self.filled {
            Some(filled) => filled.targets.as_ref(),
            None if self.environment.is_some() || self.target_set.is_some() => {
                return Err(CliError::message(
                    "this command takes no `--environment` and no `--target-set`; name accounts and regions",
                ));
            }
            None => None,
        };
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
        let mut places: Places = Vec::new();
        let ragged = match (&self.targets, listed) {
            (Some(file), _) => Some(
                read(file)?
                    .into_iter()
                    .map(|entry| (entry.account.0, entry.regions))
                    .collect(),
            ),
            (None, listed) => listed.cloned(),
        };
        match ragged {
            Some(entries) => {
                let entries: Vec<(AccountId, Vec<Region>)> = entries;
                for (account, regions) in entries {
                    places.extend(regions.into_iter().map(|r| (account.clone(), r)));
                }
                if !self.regions.is_empty() {
                    places.retain(|(_, region)| self.regions.contains(region));
                }
                if !accounts.is_empty() {
                    let accounts: BTreeSet<&AccountId> = accounts.iter().collect();
                    places.retain(|(account, _)| accounts.contains(account));
                }
            }
            None => {
                let accounts = match accounts {
                    [] => &own[..],
                    given => given,
                };
                for account in accounts {
                    places.extend(regions()?.iter().map(|r| (account.clone(), r.clone())));
                }
            }
        }
        if places.is_empty() {
            return Err(CliError::message(
                "no target is left; check which of the targets `--accounts` and `--regions` choose",
            ));
        }
        let mut seen = BTreeSet::new();
        if let Some((account, region)) = places.iter().find(|place| !seen.insert(*place)) {
            let place = match (&self.targets, listed) {
                (Some(file), _) => format!("in `{}`", file.display()),
                (None, Some(_)) => "in the target set".to_owned(),
                (None, None) => "by `--accounts` and `--regions`".to_owned(),
            };
            return Err(CliError::message(format!(
                "target {account}/{region} is named twice {place}; a stack is deployed once, remove one of the two"
            )));
        }
        Ok(places)
    }

    /// Returns the targets at `places`, and how each is reached.
    fn specs(
        &self,
        places: Places,
        stack: &StackName,
        caller: &Caller,
        left_out: &[LeftOut],
    ) -> Result<Vec<TargetSpec>, CliError> {
        if places.is_empty() {
            let why = report::left_out_line(left_out)
                .unwrap_or_else(|| "the organizational units hold no account".to_owned());
            return Err(CliError::message(format!("no target is left; {why}")));
        }
        let named: BTreeSet<&Region> = places.iter().map(|(_, r)| r).collect();
        if let Some(unused) = self.region_order.iter().find(|r| !named.contains(r)) {
            return Err(CliError::message(format!(
                "`--region-order` names {unused}, where no target is"
            )));
        }
        let role = self.target_role.as_deref().unwrap_or(DEFAULT_TARGET_ROLE);
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
                        None => is_elsewhere.then(|| target.fill(role)),
                    },
                    execute_role_arn: self.execute_role.as_ref().map(|role| target.fill(role)),
                    target,
                }
            })
            .collect())
    }
}

pub(super) fn region_concurrency(how: Option<RegionConcurrencyArg>) -> RegionConcurrency {
    match how {
        None | Some(RegionConcurrencyArg::Sequential) => RegionConcurrency::Sequential,
        Some(RegionConcurrencyArg::Parallel) => RegionConcurrency::Parallel,
    }
}

pub(super) fn concurrency_mode(how: Option<ConcurrencyModeArg>) -> ConcurrencyMode {
    match how {
        None | Some(ConcurrencyModeArg::Strict) => ConcurrencyMode::Strict,
        Some(ConcurrencyModeArg::Soft) => ConcurrencyMode::Soft,
    }
}

/// Returns the name of a choice, as it is given.
fn word<T: ValueEnum>(choice: &T) -> String {
    choice
        .to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned())
}
