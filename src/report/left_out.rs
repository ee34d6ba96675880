//! What was left out when the targets were chosen, in words.

use crate::model::{LeftOut, LeftOutWhy, clean};

use super::words::count;

/// Returns how much was left out and why: `3 accounts: 1 management account, 2 suspended`.
pub(super) fn left_out(all: &[LeftOut]) -> Vec<String> {
    let of = |noun: &str, some: Vec<&LeftOut>| {
        let mut kinds: Vec<(String, usize)> = Vec::new();
        for why in some.iter().map(|left_out| reason(&left_out.why)) {
            match kinds.iter_mut().find(|(known, _)| *known == why) {
                Some((_, number)) => *number += 1,
                None => kinds.push((why, 1)),
            }
        }
        let kinds: Vec<String> = kinds
            .into_iter()
            .map(|(why, number)| match why.as_str() {
                "management account" => count(number, &why),
                _ => format!("{number} {why}"),
            })
            .collect();
        (!some.is_empty()).then(|| format!("{}: {}", count(some.len(), noun), kinds.join(", ")))
    };
    let (places, accounts) = all.iter().partition(|left_out| left_out.region.is_some());
    let parts = [of("account", accounts), of("target", places)];
    parts.into_iter().flatten().collect()
}

/// Returns the same in one line, if anything was left out: `left out: 3 accounts: …`.
pub fn left_out_line(all: &[LeftOut]) -> Option<String> {
    let parts = left_out(all);
    (!parts.is_empty()).then(|| format!("left out: {}", parts.join(" · ")))
}

/// Returns each account or target that was left out, with the reason.
pub(super) fn each(all: &[LeftOut]) -> Vec<String> {
    let one = |left_out: &LeftOut| {
        let place = match &left_out.region {
            Some(region) => format!("{}/{region}", left_out.account),
            None => left_out.account.to_string(),
        };
        format!("{place}   {}", reason(&left_out.why))
    };
    all.iter().map(one).collect()
}

fn reason(why: &LeftOutWhy) -> String {
    match why {
        LeftOutWhy::ManagementAccount => "management account".to_owned(),
        LeftOutWhy::NotActive { state } => state.word().to_owned(),
        LeftOutWhy::Excluded => "excluded".to_owned(),
        LeftOutWhy::OutsideUnits => "outside the organizational units".to_owned(),
        LeftOutWhy::WithoutTag { tag } => format!("without tag {}", clean(tag)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AccountState;

    #[test]
    fn what_was_left_out_is_counted_by_its_reasons() {
        let of = |digit: char, region: Option<&str>, why: LeftOutWhy| LeftOut {
            account: digit.to_string().repeat(12).parse().unwrap(),
            region: region.map(|region| region.parse().unwrap()),
            why,
        };
        let not_active = |state| LeftOutWhy::NotActive { state };
        let all = [
            of('1', None, LeftOutWhy::ManagementAccount),
            of('2', None, not_active(AccountState::Suspended)),
            of('3', Some("eu-west-1"), LeftOutWhy::Excluded),
            of('4', None, not_active(AccountState::Suspended)),
            of('5', Some("eu-west-1"), LeftOutWhy::Excluded),
        ];
        assert_eq!(
            left_out(&all),
            [
                "3 accounts: 1 management account, 2 suspended",
                "2 targets: 2 excluded"
            ]
        );
        assert_eq!(left_out(&all[..1]), ["1 account: 1 management account"]);
        assert!(left_out(&[]).is_empty());
        assert_eq!(left_out_line(&[]), None);
        let line = left_out_line(&all).unwrap();
        assert!(line.starts_with("left out: 3 accounts: ") && line.contains(" · 2 targets: "));
        assert_eq!(each(&all)[2], "333333333333/eu-west-1   excluded");
        let tag = "Stage=\u{1b}[31mprod".to_owned();
        let text = reason(&LeftOutWhy::WithoutTag { tag });
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}
