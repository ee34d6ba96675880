//! The options that choose targets, and nothing but those.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Target;

/// How many targets are excluded one by one before a command of its own is shorter.
const EXCLUDED: usize = 8;

/// Returns the options that choose exactly `targets`: those of one command or, where too much of a product would have to be
/// excluded, of several.
pub(in crate::report) fn place_options<'a>(
    targets: impl IntoIterator<Item = &'a Target>,
) -> Vec<String> {
    let mut regions_of: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for target in targets {
        let regions = regions_of.entry(target.account.as_str()).or_default();
        regions.insert(target.region.as_str());
    }
    let regions: BTreeSet<&str> = regions_of.values().flatten().copied().collect();
    let others = regions_of.iter().flat_map(|(account, own)| {
        let others = regions.difference(own);
        others.map(move |region| format!("{account}/{region}"))
    });
    let others: Vec<String> = others.take(EXCLUDED + 1).collect();
    if others.len() <= EXCLUDED {
        let accounts = regions_of.keys().copied();
        let mut options = product(accounts, &regions);
        if !others.is_empty() {
            options.push_str(&format!(" --exclude {}", others.join(",")));
        }
        return vec![options];
    }
    let mut accounts_of: BTreeMap<&BTreeSet<&str>, Vec<&str>> = BTreeMap::new();
    for (account, regions) in &regions_of {
        accounts_of.entry(regions).or_default().push(account);
    }
    let all = accounts_of.into_iter();
    all.map(|(regions, accounts)| product(accounts, regions))
        .collect()
}

fn product<'a>(accounts: impl IntoIterator<Item = &'a str>, regions: &BTreeSet<&str>) -> String {
    let joined = |names: Vec<&str>| names.join(",");
    format!(
        "--accounts {} --regions {}",
        joined(accounts.into_iter().collect()),
        joined(regions.iter().copied().collect())
    )
}

#[cfg(test)]
mod tests {
    use super::super::super::fixtures;
    use super::*;

    fn options(places: &[(char, &str)]) -> Vec<String> {
        let targets = places
            .iter()
            .map(|(a, region)| fixtures::target(*a, region));
        place_options(&targets.collect::<Vec<_>>())
    }

    #[test]
    fn a_product_is_named_by_accounts_and_regions() {
        let all = [
            ('2', "us-east-1"),
            ('1', "us-east-1"),
            ('1', "eu-west-1"),
            ('2', "eu-west-1"),
        ];
        let expected = "--accounts 111111111111,222222222222 --regions eu-west-1,us-east-1";
        assert_eq!(options(&all), [expected]);
    }

    #[test]
    fn what_is_not_meant_is_excluded() {
        let some = options(&[('1', "us-east-1"), ('2', "us-east-1"), ('1', "eu-west-1")]);
        let expected = "--accounts 111111111111,222222222222 --regions eu-west-1,us-east-1 --exclude 222222222222/eu-west-1";
        assert_eq!(some, [expected]);
    }

    #[test]
    fn where_too_much_would_be_excluded_there_are_several_commands() {
        let some = options(&[
            ('1', "us-east-1"),
            ('2', "us-east-2"),
            ('3', "us-west-1"),
            ('4', "us-west-2"),
            ('5', "us-east-1"),
        ]);
        assert_eq!(some.len(), 4);
        assert_eq!(
            some[0],
            "--accounts 111111111111,555555555555 --regions us-east-1"
        );
    }
}
