//! `stackgate.yaml`: named sets of targets, environments, and what holds where no flag says otherwise.
//!
//! ```text
//! flag  ►  environment  ►  its target set  ►  defaults  ►  what the program does by itself
//! ```
//!
//! Everything is checked as it is read, used or not: a mistake shows on the first run, with its line and column.

mod risks;
mod validation;
mod waves;

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;

use indexmap::IndexMap;

use super::CliError;
use super::deploy::OnFailureArg;
use super::options::url;
use super::selection::{AccountFilter, AccountTag, Exclusion};
use super::targets::{ConcurrencyModeArg, RegionConcurrencyArg};
use crate::model::{AccountId, CountOrPercent, OrganizationalUnitId, Region, RiskChoices, clean};
use crate::parameters::{
    Entry, Node, Object, ParameterError, Place, Value, nearest, parse_document,
};

pub(super) use validation::Validation;
pub(super) use waves::WaveValues;

/// The file, in the project root.
pub(super) const FILE: &str = "stackgate.yaml";

/// What stands in `stackgate.yaml`.
#[derive(Debug, Default)]
pub(super) struct Settings {
    defaults: Values,
    target_sets: IndexMap<String, Values>,
    environments: IndexMap<String, Environment>,
    validation: Validation,
}

#[derive(Debug, Default)]
struct Environment {
    targets: Option<String>,
    values: Values,
}

/// Values that flags would give too; those that are absent are not said.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Values {
    pub accounts: Option<Vec<AccountId>>,
    pub regions: Option<Vec<Region>>,
    pub targets: Option<Vec<(AccountId, Vec<Region>)>>,
    pub organizational_units: Option<Vec<OrganizationalUnitId>>,
    pub account_filter: Option<AccountFilter>,
    pub exclude: Option<Vec<Exclusion>>,
    pub account_tags: Option<Vec<AccountTag>>,
    pub organization_role: Option<String>,
    pub target_role: Option<String>,
    pub max_concurrent: Option<CountOrPercent>,
    pub failure_tolerance: Option<CountOrPercent>,
    pub region_order: Option<Vec<Region>>,
    pub region_concurrency: Option<RegionConcurrencyArg>,
    pub concurrency_mode: Option<ConcurrencyModeArg>,
    pub waves: Option<Vec<WaveValues>>,
    pub profile: Option<String>,
    pub endpoint_url: Option<String>,
    pub role_arn: Option<String>,
    pub capabilities: Option<Vec<String>>,
    pub approval_expires: Option<u32>,
    pub on_failure: Option<OnFailureArg>,
    /// With their lines.
    pub parameters: BTreeMap<String, (String, u32)>,
    pub tags: BTreeMap<String, String>,
    pub risks: RiskChoices,
}

/// Why the file cannot be used. Values are never part of a message that a flag would not show either.
#[derive(Debug, thiserror::Error)]
pub(super) enum SettingsError {
    /// It is there and cannot be read.
    #[error("failed to read `{FILE}`")]
    Read(#[source] std::io::Error),
    /// It is no YAML.
    #[error(transparent)]
    Text(#[from] ParameterError),
    /// A key that means nothing.
    #[error("{place}: unknown key `{key}` in {part}; {}", meant(.key, .known))]
    UnknownKey {
        place: Place,
        key: String,
        part: &'static str,
        known: &'static [&'static str],
    },
    /// A value of another kind.
    #[error("{place}: found {found} for `{key}`, expected {expected}")]
    Unexpected {
        place: Place,
        key: String,
        found: &'static str,
        expected: &'static str,
    },
    /// A text that does not mean what it has to.
    #[error("{place}: `{key}`: {problem}")]
    Malformed {
        place: Place,
        key: String,
        problem: String,
    },
    /// There is no such rule.
    #[error("{place}: there is no risk rule `{name}`; {}", meant(.name, .known))]
    UnknownRule {
        place: Place,
        name: String,
        known: Vec<&'static str>,
    },
    /// An environment names a target set that is not there.
    #[error("{place}: there is no target set `{name}`; {}", listed("target sets", .known, .name))]
    UnknownTargets {
        place: Place,
        name: String,
        known: Vec<String>,
    },
    /// A set names its targets in two ways.
    #[error("{place}: `targets` excludes `accounts` and `organizational-units`; keep one of them")]
    BothForms { place: Place },
    /// A flag names what is not there.
    #[error("`{flag} {name}`: `{FILE}` has no such {what}; {}", instead(.what, .known, .name, .elsewhere))]
    UnknownName {
        flag: &'static str,
        what: &'static str,
        name: String,
        known: Vec<String>,
        /// The flag and the noun under which the name is known.
        elsewhere: Option<(&'static str, &'static str)>,
    },
    /// A flag needs the file.
    #[error(
        "`{flag} {name}` needs a `{FILE}` in the folder that stackgate runs in, and there is none"
    )]
    NoFile { flag: &'static str, name: String },
}

const TOP: [&str; 5] = [
    "defaults",
    "risks",
    "validate",
    "targetSets",
    "environments",
];
const OF_SET: [&str; 15] = [
    "accounts",
    "organizational-units",
    "account-filter",
    "exclude",
    "account-tags",
    "organization-role",
    "regions",
    "targets",
    "target-role",
    "max-concurrent",
    "failure-tolerance",
    "region-order",
    "region-concurrency",
    "concurrency-mode",
    "waves",
];
const OF_ENVIRONMENT: [&str; 10] = [
    "targets",
    "profile",
    "endpoint-url",
    "role-arn",
    "capabilities",
    "approval-expires",
    "on-failure",
    "parameters",
    "tags",
    "risks",
];
const OF_DEFAULTS: [&str; 16] = [
    "exclude",
    "organization-role",
    "regions",
    "target-role",
    "max-concurrent",
    "failure-tolerance",
    "region-order",
    "region-concurrency",
    "concurrency-mode",
    "profile",
    "endpoint-url",
    "role-arn",
    "capabilities",
    "approval-expires",
    "on-failure",
    "tags",
];

impl Settings {
    /// Reads the file of the project; without one nothing is set.
    pub(super) fn load(root: &Path) -> Result<Option<Self>, CliError> {
        let bytes = match std::fs::read(root.join(FILE)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(CliError::usage(SettingsError::Read(error))),
        };
        Self::parse(&bytes).map(Some).map_err(|error| {
            CliError::usage(error).hint("docs/stackgate-yaml.md describes every key")
        })
    }

    /// Returns what a text says.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, SettingsError> {
        let mut settings = Self::default();
        let Some(node) = parse_document(FILE, bytes)? else {
            return Ok(settings);
        };
        let mut sets = None;
        let mut environments = None;
        let mut risks = RiskChoices::default();
        for (key, entry) in &known(FILE, &node, "the file", &TOP)? {
            match key.as_str() {
                "defaults" => {
                    settings.defaults = values(key, &entry.node, "`defaults`", &OF_DEFAULTS)?
                }
                "risks" => risks = risks::choices(key, &entry.node)?,
                "validate" => settings.validation = validation::of(key, &entry.node)?,
                "targetSets" => sets = Some(object(key, &entry.node)?),
                _ => environments = Some(object(key, &entry.node)?),
            }
        }
        settings.defaults.risks = risks;
        for (name, entry) in sets.unwrap_or_default() {
            let set = values(&name, &entry.node, "a target set", &OF_SET)?;
            if set.targets.is_some()
                && (set.accounts.is_some() || set.organizational_units.is_some())
            {
                let place = Place::at(FILE, entry.position);
                return Err(SettingsError::BothForms { place });
            }
            settings.target_sets.insert(name, set);
        }
        for (name, entry) in environments.unwrap_or_default() {
            let mut entries = known(&name, &entry.node, "an environment", &OF_ENVIRONMENT)?;
            // Here it is the name of a set, and there a list.
            let targets = match entries.shift_remove("targets") {
                None => None,
                Some(entry) => {
                    let name = text("targets", &entry.node)?;
                    if !settings.target_sets.contains_key(&name) {
                        return Err(SettingsError::UnknownTargets {
                            place: Place::at(FILE, entry.node.position),
                            known: settings.target_sets.keys().cloned().collect(),
                            name: clean(&name),
                        });
                    }
                    Some(name)
                }
            };
            let values = of_entries(&entries)?;
            settings
                .environments
                .insert(name, Environment { targets, values });
        }
        Ok(settings)
    }

    /// Returns who else looks at templates.
    pub(super) fn validation(&self) -> &Validation {
        &self.validation
    }

    /// Returns what is made of risk rules where somebody else named the environment: the stricter of what holds everywhere
    /// and of what holds there. An environment that is not here adds nothing.
    pub(super) fn strictest_risks(&self, environment: Option<&str>) -> RiskChoices {
        let everywhere = &self.defaults.risks;
        match environment.and_then(|name| self.environments.get(name)) {
            Some(environment) => {
                let mut there = environment.values.risks.clone();
                // What it does not say itself holds there, too.
                for (rule, choice) in &everywhere.0 {
                    let known = there.0.entry(rule.clone());
                    known.or_insert_with(|| choice.clone());
                }
                there.or_stricter(everywhere)
            }
            None => everywhere.clone(),
        }
    }

    /// Returns the values that hold for an environment and a target set, the nearer ones in front.
    pub(super) fn choose(
        &self,
        environment: Option<&str>,
        target_set: Option<&str>,
    ) -> Result<(Values, Option<String>), SettingsError> {
        const ENVIRONMENT: (&str, &str) = ("--environment", "environment");
        const TARGET_SET: (&str, &str) = ("--target-set", "target set");
        let environment = environment
            .map(|name| {
                let is_set = self.target_sets.contains_key(name);
                find(
                    ENVIRONMENT,
                    name,
                    &self.environments,
                    is_set.then_some(TARGET_SET),
                )
            })
            .transpose()?;
        let set = target_set
            .map(str::to_owned)
            .or_else(|| environment.and_then(|e| e.targets.clone()));
        let mut values = environment.map(|e| e.values.clone()).unwrap_or_default();
        if let Some(name) = &set {
            let is_environment = self.environments.contains_key(name);
            let other = is_environment.then_some(ENVIRONMENT);
            values.fall_back(find(TARGET_SET, name, &self.target_sets, other)?);
        }
        values.fall_back(&self.defaults);
        Ok((values, set))
    }
}

fn find<'a, T>(
    (flag, what): (&'static str, &'static str),
    name: &str,
    among: &'a IndexMap<String, T>,
    elsewhere: Option<(&'static str, &'static str)>,
) -> Result<&'a T, SettingsError> {
    among.get(name).ok_or_else(|| SettingsError::UnknownName {
        flag,
        what,
        name: clean(name),
        known: among.keys().cloned().collect(),
        elsewhere,
    })
}

impl Values {
    /// Takes from `lower` what is not said here.
    fn fall_back(&mut self, lower: &Self) {
        fn fill<T: Clone>(value: &mut Option<T>, lower: &Option<T>) {
            if value.is_none() {
                value.clone_from(lower);
            }
        }
        fill(&mut self.accounts, &lower.accounts);
        // Targets name their regions; the regions of the defaults would choose among them.
        if self.targets.is_none() {
            fill(&mut self.regions, &lower.regions);
        }
        fill(&mut self.targets, &lower.targets);
        fill(&mut self.organizational_units, &lower.organizational_units);
        fill(&mut self.account_filter, &lower.account_filter);
        fill(&mut self.account_tags, &lower.account_tags);
        fill(&mut self.organization_role, &lower.organization_role);
        // What is excluded anywhere is excluded.
        if let Some(lower) = &lower.exclude {
            self.exclude.get_or_insert_default().extend(lower.clone());
        }
        fill(&mut self.target_role, &lower.target_role);
        fill(&mut self.max_concurrent, &lower.max_concurrent);
        fill(&mut self.failure_tolerance, &lower.failure_tolerance);
        fill(&mut self.region_order, &lower.region_order);
        fill(&mut self.region_concurrency, &lower.region_concurrency);
        fill(&mut self.concurrency_mode, &lower.concurrency_mode);
        fill(&mut self.waves, &lower.waves);
        fill(&mut self.profile, &lower.profile);
        fill(&mut self.endpoint_url, &lower.endpoint_url);
        fill(&mut self.role_arn, &lower.role_arn);
        fill(&mut self.capabilities, &lower.capabilities);
        fill(&mut self.approval_expires, &lower.approval_expires);
        fill(&mut self.on_failure, &lower.on_failure);
        fn add<T: Clone>(mine: &mut BTreeMap<String, T>, lower: &BTreeMap<String, T>) {
            for (key, value) in lower {
                mine.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        add(&mut self.parameters, &lower.parameters);
        add(&mut self.tags, &lower.tags);
        add(&mut self.risks.0, &lower.risks.0);
    }
}

fn values(
    name: &str,
    node: &Node,
    part: &'static str,
    keys: &'static [&'static str],
) -> Result<Values, SettingsError> {
    of_entries(&known(name, node, part, keys)?)
}

/// Returns what the entries say; which of them may stand there was checked.
fn of_entries(entries: &Object) -> Result<Values, SettingsError> {
    let mut values = Values::default();
    for (key, Entry { node, .. }) in entries {
        match key.as_str() {
            "accounts" => values.accounts = Some(list(key, node)?),
            "regions" => values.regions = Some(list(key, node)?),
            "targets" => values.targets = Some(targets(key, node)?),
            "organizational-units" => values.organizational_units = Some(list(key, node)?),
            "account-filter" => values.account_filter = Some(one_of(key, node)?),
            "exclude" => values.exclude = Some(list(key, node)?),
            "account-tags" => {
                let tags = texts(key, node)?.into_iter();
                let tags = tags.map(|(key, value)| AccountTag::new(key, value));
                values.account_tags = Some(tags.collect());
            }
            "organization-role" => values.organization_role = Some(text(key, node)?),
            "target-role" => values.target_role = Some(text(key, node)?),
            "max-concurrent" => {
                let count: CountOrPercent = parsed(key, node)?;
                if count == CountOrPercent::Count(0) {
                    return Err(malformed(
                        key,
                        node,
                        "0 would start nothing; give at least 1",
                    ));
                }
                values.max_concurrent = Some(count);
            }
            "failure-tolerance" => values.failure_tolerance = Some(parsed(key, node)?),
            "region-order" => values.region_order = Some(list(key, node)?),
            "region-concurrency" => values.region_concurrency = Some(one_of(key, node)?),
            "concurrency-mode" => values.concurrency_mode = Some(one_of(key, node)?),
            "waves" => values.waves = Some(waves::of(key, node)?),
            "profile" => values.profile = Some(text(key, node)?),
            "endpoint-url" => {
                let given = url(&text(key, node)?).map_err(|why| malformed(key, node, &why))?;
                values.endpoint_url = Some(given);
            }
            "role-arn" => values.role_arn = Some(text(key, node)?),
            "capabilities" => values.capabilities = Some(list(key, node)?),
            "approval-expires" => {
                let minutes = super::deploy::minutes(&text(key, node)?);
                let minutes =
                    minutes.map_err(|why| malformed(key, node, &format!("expected {why}")))?;
                values.approval_expires = Some(minutes);
            }
            "on-failure" => values.on_failure = Some(one_of(key, node)?),
            "parameters" => values.parameters = placed_texts(key, node)?,
            "risks" => values.risks = risks::choices(key, node)?,
            // The last of the keys that can come here.
            _ => values.tags = texts(key, node)?,
        }
    }
    Ok(values)
}

/// Returns the entries of an object that has no other keys than `keys`.
fn known(
    name: &str,
    node: &Node,
    part: &'static str,
    keys: &'static [&'static str],
) -> Result<Object, SettingsError> {
    let entries = object(name, node)?;
    match entries
        .iter()
        .find(|(key, _)| !keys.contains(&key.as_str()))
    {
        None => Ok(entries),
        Some((key, entry)) => Err(SettingsError::UnknownKey {
            place: Place::at(FILE, entry.position),
            key: clean(key),
            part,
            known: keys,
        }),
    }
}

fn object(key: &str, node: &Node) -> Result<Object, SettingsError> {
    match &node.value {
        Value::Object(entries) => Ok(entries.clone()),
        Value::Null | Value::Text(_) | Value::List(_) => {
            Err(unexpected(key, node, "keys and values"))
        }
    }
}

fn text(key: &str, node: &Node) -> Result<String, SettingsError> {
    match &node.value {
        Value::Text(text) if !text.is_empty() => Ok(text.clone()),
        Value::Text(_) | Value::Null | Value::List(_) | Value::Object(_) => {
            Err(unexpected(key, node, "a text"))
        }
    }
}

fn parsed<T: FromStr<Err: std::fmt::Display>>(key: &str, node: &Node) -> Result<T, SettingsError> {
    let text = text(key, node)?;
    text.parse()
        .map_err(|why: T::Err| malformed(key, node, &why.to_string()))
}

fn one_of<T: clap::ValueEnum>(key: &str, node: &Node) -> Result<T, SettingsError> {
    T::from_str(&text(key, node)?, false).map_err(|_| {
        let names = T::value_variants()
            .iter()
            .filter_map(|v| v.to_possible_value());
        let names: Vec<String> = names.map(|v| format!("`{}`", v.get_name())).collect();
        malformed(key, node, &format!("expected {}", names.join(" or ")))
    })
}

fn list<T: FromStr<Err: std::fmt::Display>>(
    key: &str,
    node: &Node,
) -> Result<Vec<T>, SettingsError> {
    match &node.value {
        Value::List(items) if !items.is_empty() => {
            items.iter().map(|item| parsed(key, item)).collect()
        }
        Value::List(_) | Value::Null | Value::Text(_) | Value::Object(_) => {
            Err(unexpected(key, node, "a list with at least one item"))
        }
    }
}

fn targets(key: &str, node: &Node) -> Result<Vec<(AccountId, Vec<Region>)>, SettingsError> {
    let expected = "a list of `account` and `regions`";
    let items = match &node.value {
        Value::List(items) if !items.is_empty() => items,
        Value::List(_) | Value::Null | Value::Text(_) | Value::Object(_) => {
            return Err(unexpected(key, node, expected));
        }
    };
    let mut found = Vec::new();
    for item in items {
        let entries = known(key, item, "a target", &["account", "regions"])?;
        match (entries.get("account"), entries.get("regions")) {
            (Some(account), Some(regions)) => found.push((
                parsed("account", &account.node)?,
                list("regions", &regions.node)?,
            )),
            (None, _) | (_, None) => return Err(unexpected(key, item, expected)),
        }
    }
    Ok(found)
}

fn texts(key: &str, node: &Node) -> Result<BTreeMap<String, String>, SettingsError> {
    let placed = placed_texts(key, node)?.into_iter();
    Ok(placed.map(|(name, (text, _))| (name, text)).collect())
}

/// Returns texts and the lines that they are in.
fn placed_texts(key: &str, node: &Node) -> Result<BTreeMap<String, (String, u32)>, SettingsError> {
    let entries = object(key, node)?;
    let pair = |(name, entry): (&String, &Entry)| match &entry.node.value {
        // An empty text is a value.
        Value::Text(text) => Ok((name.clone(), (text.clone(), entry.position.line))),
        Value::Null | Value::List(_) | Value::Object(_) => {
            Err(unexpected(&clean(name), &entry.node, "a text"))
        }
    };
    entries.iter().map(pair).collect()
}

fn unexpected(key: &str, node: &Node, expected: &'static str) -> SettingsError {
    SettingsError::Unexpected {
        place: Place::at(FILE, node.position),
        key: clean(key),
        found: node.kind(),
        expected,
    }
}

fn malformed(key: &str, node: &Node, problem: &str) -> SettingsError {
    SettingsError::Malformed {
        place: Place::at(FILE, node.position),
        key: clean(key),
        problem: clean(problem),
    }
}

/// Returns what was probably meant, or all that could be.
fn meant(key: &str, known: &[&str]) -> String {
    match nearest(key, known.iter().copied()) {
        Some(one) => format!("did you mean `{one}`?"),
        None => format!("expected one of {}", known.join(", ")),
    }
}

/// Returns what was probably meant by a name that is none of `known`.
fn instead(
    what: &str,
    known: &[String],
    name: &str,
    elsewhere: &Option<(&'static str, &'static str)>,
) -> String {
    match elsewhere {
        Some((flag, noun)) => format!("{name} is the name of its {noun}: `{flag} {name}`"),
        None => listed(&format!("{what}s"), known, name),
    }
}

fn listed(what: &str, known: &[String], name: &str) -> String {
    let all = match known {
        [] => format!("it has no {what}"),
        known => format!("{what} there: {}", clean(&known.join(", "))),
    };
    match nearest(name, known.iter().map(String::as_str)) {
        Some(one) => format!("did you mean `{}`? {all}", clean(one)),
        None => all,
    }
}

#[cfg(test)]
mod tests;
