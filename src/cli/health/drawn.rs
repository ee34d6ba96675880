//! What was found as people read it: what fails first, and equal findings of many places once.

use std::cmp::Reverse;

use indexmap::IndexMap;

use super::{Check, Health};
use crate::cli::output::lines;
use crate::model::status_reason::normalised;
use crate::report::count;

/// From so many places on, an equal finding is told once.
const MANY: usize = 3;
/// How many of those places are named.
const NAMED: usize = 8;
/// Where names leave less than this, lines are as long as they are.
const NARROWEST: usize = 24;

/// What is told in one go.
struct Told<'a> {
    first: &'a Check,
    what: String,
    places: Vec<&'a str>,
}

/// Returns all that was found. `columns`: how wide a line may be, where that matters; it is broken at words.
pub(in crate::cli) fn draw(checks: &[Check], columns: Option<usize>) -> String {
    let told = told(checks);
    let width = told.iter().map(|told| told.what.chars().count()).max();
    let width = width.unwrap_or(0);
    let indent = width + 11;
    let fit = |text: &str| match columns {
        Some(columns) => lines(text, columns.saturating_sub(indent).max(NARROWEST)),
        None => vec![text.to_owned()],
    };
    let mut text = String::new();
    for Told {
        first,
        what,
        places,
    } in &told
    {
        let health = match first.health {
            Health::Ok => "ok",
            Health::Warning => "warning",
            Health::Failed => "failed",
        };
        for (at, found) in fit(&first.found).iter().enumerate() {
            text.push_str(&match at {
                0 => format!("{health:<7}  {what:<width$}  {found}\n"),
                _ => format!("{:indent$}{found}\n", ""),
            });
        }
        let mut add = |line: &str| {
            for line in fit(line) {
                text.push_str(&format!("{:indent$}{line}\n", ""));
            }
        };
        if places.len() > 1 {
            let named = places.get(..NAMED).unwrap_or(places).join(", ");
            add(&match places.len().saturating_sub(NAMED) {
                0 => format!("in {named}"),
                more => format!("in {named} and {more} more; each with --output json"),
            });
        }
        if let Some(remedy) = &first.remedy {
            add(&format!("remedy: {remedy}"));
        }
    }
    text.push_str("`stackgate doctor --policy` prints what each stage must be allowed\n");
    text
}

/// Returns what is told in one go, what fails first. What differs by the place alone is told for the first of many.
fn told(checks: &[Check]) -> Vec<Told<'_>> {
    let mut groups: IndexMap<_, Vec<&Check>> = IndexMap::new();
    for check in checks {
        let is_place = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
        let of_its_own = (!is_place(&check.what)).then_some(&check.what);
        let remedy = check.remedy.as_deref().map(normalised);
        let kind = normalised(&check.what);
        let key = (
            check.health,
            of_its_own,
            kind,
            normalised(&check.found),
            remedy,
        );
        groups.entry(key).or_default().push(check);
    }
    let mut all: Vec<Told<'_>> = Vec::new();
    for group in groups.into_values() {
        match &group[..] {
            [first, ..] if group.len() >= MANY => all.push(Told {
                first,
                what: count(group.len(), "place"),
                places: group.iter().map(|check| check.what.as_str()).collect(),
            }),
            few => all.extend(few.iter().map(|check| Told {
                first: check,
                what: check.what.clone(),
                places: Vec::new(),
            })),
        }
    }
    all.sort_by_key(|told| Reverse(told.first.health));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_comes_first_and_what_is_equal_in_many_places_is_told_once() {
        let place = |number: usize| format!("11111111111{number}/us-east-1");
        let mut checks = vec![
            Check::ok("project", "1 file"),
            Check::ok("caller", "arn:aws:iam::111111111111:root"),
        ];
        let fine = |number| Check::ok(place(number), "as role/Deploy; stacks can be read");
        checks.extend((0..10).map(fine));
        let denied = |number: usize| {
            let role = format!("the role arn:aws:iam::22222222222{number}:role/X must exist");
            let message = format!("AssumeRole in 22222222222{number}/eu-west-1: AccessDenied: no");
            Check::failed(
                format!("22222222222{number}/eu-west-1"),
                message,
                Some(role),
            )
        };
        checks.extend((0..3).map(denied));
        checks.push(Check::ok(
            "444444444444/us-east-1",
            "as role/Deploy; no stack app yet",
        ));
        insta::assert_snapshot!(draw(&checks, None));
    }

    #[test]
    fn a_terminal_breaks_no_word_of_it() {
        let found = "GetCallerIdentity in us-east-1: the endpoint cannot be reached";
        let checks = [Check::failed(
            "caller",
            found,
            Some("check the network".to_owned()),
        )];
        assert_eq!(
            draw(&checks, Some(50)).lines().take(3).collect::<Vec<_>>(),
            [
                "failed   caller  GetCallerIdentity in us-east-1:",
                "                 the endpoint cannot be reached",
                "                 remedy: check the network"
            ]
        );
    }
}
