//! Tests of `selection`.

use super::*;

fn id(digit: char) -> AccountId {
    digit.to_string().repeat(12).parse().unwrap()
}

fn ids(digits: &str) -> Vec<AccountId> {
    digits.chars().map(id).collect()
}

fn digits<'a>(accounts: impl IntoIterator<Item = &'a AccountId>) -> String {
    let first = |account: &AccountId| account.as_str()[..1].to_owned();
    accounts.into_iter().map(first).collect()
}

fn selection(units: &[&str], filter: Option<AccountFilter>) -> SelectionArgs {
    SelectionArgs {
        organizational_units: units.iter().map(|unit| unit.parse().unwrap()).collect(),
        account_filter: filter,
        ..SelectionArgs::default()
    }
}

#[test]
fn the_filters_choose_as_stack_sets_does() {
    let states = ids("4321").into_iter().map(|a| (a, AccountState::Active));
    let within: BTreeMap<AccountId, AccountState> = states.collect();
    let listed = ids("93");
    for (filter, expected, gone) in [
        (None, "1234", ""),
        (Some(AccountFilter::None), "1234", ""),
        (Some(AccountFilter::Intersection), "3", "9"),
        (Some(AccountFilter::Difference), "124", "3"),
        (Some(AccountFilter::Union), "12349", ""),
    ] {
        let (accounts, left_out) = chosen(filter, &listed, &within);
        assert_eq!(digits(&accounts), expected, "{filter:?}");
        assert_eq!(digits(left_out.iter().map(|l| &l.account)), gone);
    }
}

#[test]
fn what_does_not_go_together_is_refused_before_anything_is_asked() {
    let units: &[&str] = &["r-ab12", "ou-ab12-cdef3456"];
    let filter = Some(AccountFilter::Union);
    for (units, filter, listed, problem) in [
        (units, None, 1, "not what the accounts do"),
        (units, filter, 0, "needs accounts"),
        (&[], filter, 1, "none is given"),
    ] {
        let error = selection(units, filter).check(listed).unwrap_err();
        let (said, hints) = error.told();
        assert!(said.contains(problem), "{said}");
        assert!(!hints.is_empty());
    }
    for (units, filter, listed) in [
        (units, None, 0),
        (units, filter, 1),
        (units, Some(AccountFilter::None), 1),
        (units, Some(AccountFilter::None), 0),
        (&[], None, 2),
    ] {
        assert!(selection(units, filter).check(listed).is_ok());
    }
    for text in ["ou-1", "r-", "ou-ab12-short", "r-AB12", "x-ab12", "ou-ab12"] {
        assert!(text.parse::<OrganizationalUnitId>().is_err(), "{text}");
    }
}

#[test]
fn accounts_regions_and_single_places_are_excluded() {
    let region = |name: &str| Region::new(name).unwrap();
    let mut places: Places = Vec::new();
    for account in ids("123") {
        for name in ["us-east-1", "eu-west-1", "sa-east-1"] {
            places.push((account.clone(), region(name)));
        }
    }
    let given = [
        "222222222222",
        "sa-east-1",
        "333333333333/us-east-1",
        "999999999999",
    ];
    let selection = SelectionArgs {
        exclude: given.iter().map(|text| text.parse().unwrap()).collect(),
        ..SelectionArgs::default()
    };
    let mut left_out = Vec::new();
    selection.exclude(&mut places, &mut left_out);
    let of = |(account, region): &(AccountId, Region)| format!("{account}/{region}");
    let left: Vec<String> = places.iter().map(of).collect();
    assert_eq!(
        left,
        [
            "111111111111/us-east-1",
            "111111111111/eu-west-1",
            "333333333333/eu-west-1"
        ]
    );
    let gone = left_out.iter().map(|l| match &l.region {
        Some(region) => format!("{}/{region}", l.account),
        None => l.account.to_string(),
    });
    assert_eq!(
        gone.collect::<Vec<_>>(),
        [
            "111111111111/sa-east-1",
            "222222222222",
            "333333333333/us-east-1",
            "333333333333/sa-east-1"
        ]
    );
    for text in ["", "/", "123", "222222222222/", "/us-east-1", "US-EAST-1"] {
        assert!(text.parse::<Exclusion>().is_err(), "{text}");
    }
}

#[test]
fn a_file_of_accounts_is_separated_by_commas_or_lines() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("accounts.csv");
    let read = |text: &str| {
        std::fs::write(&file, text).unwrap();
        format!("@{}", file.display()).parse::<AccountList>()
    };
    let found = read("111111111111, 222222222222\r\n\n333333333333,\n").unwrap();
    assert_eq!(digits(&found.0), "123");
    let error = read("111111111111\n22222\n").unwrap_err();
    assert!(error.contains("accounts.csv:2: `22222`"), "{error}");
    assert!(read(" \n").unwrap_err().contains("names no account"));
    let missing = "@/nowhere/at/all".parse::<AccountList>().unwrap_err();
    assert!(missing.contains("failed to read"), "{missing}");
    assert_eq!(
        "444444444444".parse::<AccountList>().unwrap().to_string(),
        "444444444444"
    );
}
