//! Targets whose changes are identical.
//!
//! Two targets belong together if a person who has read the changes of one knows those of the other. What differs because
//! the targets are two, such as ARNs, physical ids, account ids, region names and stack names inside values, does not
//! count. In doubt targets stay apart: one group too many costs a look, one too few hides a change.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;

use indexmap::IndexMap;

use super::canonical::Sha;
use super::own::Own;
use super::shape::Shape;
use crate::model::{Digest, PlannedTarget};

/// Targets whose changes are identical.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// `A`, `B`, … `Z`, `AA`, ….
    pub name: String,
    /// The targets, as ascending indices into what was grouped.
    pub targets: Vec<usize>,
}

/// Returns a key that targets share if their changes are identical but for what is each target's own.
pub fn grouping_key(planned: &PlannedTarget) -> Digest {
    let shape = Shape::of(planned);
    let own = Own::of(planned);
    let mut sha = Sha::default();
    let mut take = |bytes: &[u8]| {
        // A hash takes every byte.
        let _ = sha.write_all(bytes);
    };
    take(shape.digest.to_string().as_bytes());
    for text in shape.texts {
        let text = own.normalise(text);
        take(&text.len().to_le_bytes());
        take(text.as_bytes());
    }
    sha.finish()
}

/// Returns the groups of identical changes, the largest first, then by their first target.
pub fn group(planned: &[PlannedTarget]) -> Vec<Group> {
    let shapes: Vec<Shape<'_>> = planned.iter().map(Shape::of).collect();
    let mut classes: IndexMap<Digest, Vec<usize>> = IndexMap::new();
    for (index, shape) in shapes.iter().enumerate() {
        classes.entry(shape.digest).or_default().push(index);
    }
    let classes = classes.into_values();
    let mut groups: Vec<Vec<usize>> = classes
        .flat_map(|class| split(planned, &shapes, class))
        .collect();
    groups.sort_by_key(|targets| (std::cmp::Reverse(targets.len()), targets.first().copied()));
    groups
        .into_iter()
        .enumerate()
        .map(|(index, targets)| Group {
            name: group_name(index),
            targets,
        })
        .collect()
}

/// Splits targets of one shape by their texts.
///
/// A text is compared either word for word or normalised, whichever tells fewer targets apart, but in the same way for all
/// targets. Word for word, a certificate in `us-east-1` that all targets use does not split off the targets of that very
/// region, whose own name it holds; normalised, a topic's ARN does not split every target off. Deciding it target by
/// target would join one that trusts itself to one that trusts a certain account, over a third that does both.
fn split(planned: &[PlannedTarget], shapes: &[Shape<'_>], class: Vec<usize>) -> Vec<Vec<usize>> {
    let texts: Vec<&[&str]> = class.iter().map(|t| &*shapes[*t].texts).collect();
    // One shape, one number of texts; the shortest list is all of them.
    let places = texts.iter().map(|texts| texts.len()).min().unwrap_or(0);
    let at = |place: usize| texts.iter().map(move |texts| texts[place]);
    let varying: Vec<usize> = (0..places)
        .filter(|place| at(*place).any(|text| Some(text) != at(*place).next()))
        .collect();
    if varying.is_empty() {
        return vec![class];
    }
    let own: Vec<Own<'_>> = class.iter().map(|t| Own::of(&planned[*t])).collect();
    let mut keys: Vec<Vec<usize>> = vec![Vec::with_capacity(varying.len()); class.len()];
    for place in varying {
        let verbatim = Numbered::of(at(place).map(Cow::Borrowed));
        let normalised = Numbered::of(at(place).zip(&own).map(|(text, own)| own.normalise(text)));
        let numbered = match verbatim.distinct < normalised.distinct {
            true => verbatim,
            false => normalised,
        };
        for (key, number) in keys.iter_mut().zip(numbered.numbers) {
            key.push(number);
        }
    }
    let mut groups: IndexMap<Vec<usize>, Vec<usize>> = IndexMap::new();
    for (key, target) in keys.into_iter().zip(class) {
        groups.entry(key).or_default().push(target);
    }
    groups.into_values().collect()
}

/// Texts as numbers, the same for equal texts.
struct Numbered {
    numbers: Vec<usize>,
    distinct: usize,
}

impl Numbered {
    fn of<'t>(texts: impl Iterator<Item = Cow<'t, str>>) -> Self {
        let mut known: HashMap<Cow<'t, str>, usize> = HashMap::new();
        let mut numbers = Vec::new();
        for text in texts {
            let new = known.len();
            numbers.push(*known.entry(text).or_insert(new));
        }
        Self {
            numbers,
            distinct: known.len(),
        }
    }
}

/// Returns the name of the group at `index`: `A` to `Z`, then `AA`, as spreadsheets name columns.
pub fn group_name(mut index: usize) -> String {
    let mut letters = Vec::new();
    loop {
        letters.push(char::from(b'A' + (index % 26) as u8));
        match index / 26 {
            0 => break,
            rest => index = rest - 1,
        }
    }
    letters.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::sample::planned;
    use super::*;

    /// Returns a target that updates one queue, with the values before and after.
    fn update(account: &str, region: &str, before: Value, after: Value) -> PlannedTarget {
        let mut target = planned(account, region, "network");
        target.changes.drain(..2);
        target.changes[0].details.clear();
        target.changes[0].before = Some(json!({"Properties": before}));
        target.changes[0].after = Some(json!({"Properties": after}));
        target
    }

    fn set(account: &str, region: &str, value: &str) -> PlannedTarget {
        update(account, region, json!({}), json!({"Value": value}))
    }

    fn groups(planned: &[PlannedTarget]) -> Vec<(String, Vec<usize>)> {
        let groups = group(planned).into_iter();
        groups.map(|g| (g.name, g.targets)).collect()
    }

    fn sets(planned: &[PlannedTarget]) -> Vec<Vec<usize>> {
        groups(planned).into_iter().map(|(_, t)| t).collect()
    }

    #[test]
    fn identical_changes_group_over_accounts_regions_and_stacks() {
        let fleet = [
            planned("111111111111", "us-east-1", "network"),
            planned("111111111111", "eu-west-1", "network"),
            planned("222222222222", "us-east-1", "network-prod"),
        ];
        assert_eq!(groups(&fleet), [("A".to_owned(), vec![0, 1, 2])]);
        assert_eq!(grouping_key(&fleet[0]), grouping_key(&fleet[2]));
    }

    #[test]
    fn the_largest_group_comes_first_then_the_one_with_the_first_target() {
        let fleet = [
            set("111111111111", "us-east-1", "x"),
            set("222222222222", "us-east-1", "y"),
            set("333333333333", "us-east-1", "z"),
            set("444444444444", "us-east-1", "z"),
        ];
        assert_eq!(
            groups(&fleet),
            [
                ("A".to_owned(), vec![2, 3]),
                ("B".to_owned(), vec![0]),
                ("C".to_owned(), vec![1])
            ]
        );
        assert_eq!(group(&[]), []);
    }

    #[test]
    fn names_go_on_after_z() {
        let names = [0, 1, 25, 26, 27, 51, 52, 701, 702].map(group_name);
        assert_eq!(names, ["A", "B", "Z", "AA", "AB", "AZ", "BA", "ZZ", "AAA"]);
    }

    #[test]
    fn every_part_of_a_change_that_is_not_the_targets_own_keeps_targets_apart() {
        use crate::model::{ChangeAction, ChangeSetKind, Digest, Recreation, Replacement};
        let parts: &[fn(&mut PlannedTarget)] = &[
            |t| t.kind = ChangeSetKind::Create,
            |t| t.inputs_mut().template_digest = Digest::of(b"another"),
            |t| t.inputs_mut().tags = None,
            |t| t.inputs_mut().tags = Some(Default::default()),
            |t| t.inputs_mut().tags = Some([("team".to_owned(), "x".to_owned())].into()),
            |t| drop(t.inputs_mut().capabilities.pop_first()),
            |t| t.inputs_mut().role_arn = None,
            |t| t.inputs_mut().stack_policy = None,
            |t| t.inputs_mut().options.notification_arns.clear(),
            |t| t.inputs_mut().options.on_stack_failure = None,
            |t| t.inputs_mut().options.disable_rollback = false,
            |t| t.inputs_mut().options.rollback_triggers.clear(),
            |t| t.inputs_mut().options.monitoring_minutes = Some(11),
            |t| t.inputs_mut().options.import_existing_resources = false,
            |t| t.inputs_mut().options.resources_to_import.clear(),
            |t| t.inputs_mut().options.include_nested_stacks = false,
            |t| t.inputs_mut().options.revert_drift = false,
            |t| t.inputs_mut().options.termination_protection = Some(false),
            |t| t.settings_only = false,
            |t| t.inputs_mut().parameters.truncate(1),
            |t| drop(t.changes.pop()),
            |t| t.changes[0].action = ChangeAction::Import,
            |t| t.changes[0].logical_id = "Other".parse().unwrap(),
            |t| t.changes[0].resource_type.push('x'),
            |t| t.changes[0].after = Some(json!({})),
            |t| t.changes[0].after = None,
            |t| t.changes[1].nested = None,
            |t| t.changes[1].module = None,
            |t| t.changes[2].replacement = Replacement::No,
            |t| t.changes[2].policy_action = None,
            |t| t.changes[2].scope.truncate(1),
            |t| t.changes[2].details.truncate(1),
            |t| t.changes[2].details[0].after = Some("61".to_owned()),
            |t| t.changes[2].details[0].before = None,
            |t| t.changes[2].details[0].recreation = Recreation::Always,
            |t| t.changes[2].before = Some(json!({"Properties": {}})),
            |t| t.changes[2].before = None,
            |t| t.drift = None,
            |t| t.changes[2].drift = None,
            |t| t.changes[2].details[0].drift = None,
            |t| drift(t).actual = None,
            |t| drift(t).previous = Some("32".to_owned()),
            |t| drift(t).before_from = None,
            |t| drift(t).only_recorded = false,
        ];
        for (index, part) in parts.iter().enumerate() {
            let mut other = planned("222222222222", "us-east-1", "network");
            part(&mut other);
            let fleet = [planned("111111111111", "us-east-1", "network"), other];
            assert_eq!(sets(&fleet), [[0], [1]], "part {index}");
        }
    }

    fn drift(target: &mut PlannedTarget) -> &mut crate::model::PropertyDrift {
        target.changes[2].details[0].drift.as_mut().unwrap()
    }

    #[test]
    fn what_is_made_for_one_target_alone_does_not_keep_it_apart() {
        let mut other = planned("111111111111", "us-east-1", "network");
        drift(&mut other).detected = None;
        other.change_set = Some("arn:other".parse().unwrap());
        other.name = "other".parse().unwrap();
        other.base.stack = "arn:other".parse().unwrap();
        other.base.newest_event = None;
        other.caller.arn.push('x');
        other.previous_template = None;
        // The same code in another bucket.
        other.inputs_mut().packaged = Some(crate::model::Digest::of(b"packaged"));
        other.changes[1].physical_id = Some("other".to_owned());
        other.changes.reverse();
        let fleet = [planned("111111111111", "us-east-1", "network"), other];
        assert_eq!(sets(&fleet), [[0, 1]]);
    }

    #[test]
    fn what_stays_in_a_resource_does_not_keep_targets_apart() {
        let with = |account: &str, subnet: &str, timeout: u32| {
            update(
                account,
                "us-east-1",
                json!({"Subnet": subnet, "Timeout": 30, "List": [subnet, {"Id": subnet, "N": 1}], "Gone": 1}),
                json!({"Subnet": subnet, "Timeout": timeout, "List": [subnet, {"Id": subnet, "N": 2}], "New": 1}),
            )
        };
        let fleet = [
            with("111111111111", "subnet-1", 60),
            with("222222222222", "subnet-2", 60),
            with("333333333333", "subnet-3", 90),
        ];
        assert_eq!(sets(&fleet), [vec![0, 1], vec![2]]);
    }

    #[test]
    fn the_place_of_a_difference_counts() {
        let fleet = [
            update(
                "111111111111",
                "us-east-1",
                json!({"A": 1, "B": 1}),
                json!({"A": 2, "B": 1}),
            ),
            update(
                "222222222222",
                "us-east-1",
                json!({"A": 1, "B": 1}),
                json!({"A": 1, "B": 2}),
            ),
            update(
                "333333333333",
                "us-east-1",
                json!({"A": [1, 1]}),
                json!({"A": [2, 1]}),
            ),
            update(
                "444444444444",
                "us-east-1",
                json!({"A": [1, 1]}),
                json!({"A": [1, 2]}),
            ),
            update("555555555555", "us-east-1", json!({"A": 1}), json!({})),
            update("666666666666", "us-east-1", json!({}), json!({"A": 1})),
            update(
                "777777777777",
                "us-east-1",
                json!({"A": 1}),
                json!({"A": "1"}),
            ),
            update(
                "888888888888",
                "us-east-1",
                json!({"A": 1}),
                json!({"A": null}),
            ),
        ];
        assert_eq!(group(&fleet).len(), fleet.len());
    }

    #[test]
    fn a_parameter_that_nothing_shows_keeps_targets_apart() {
        use crate::model::ParameterValue;
        let with = |account: &str, shown: bool| {
            let mut target = set(account, "us-east-1", "x");
            target.inputs_mut().parameters[0].value =
                ParameterValue::Plain(format!("vpc-{account}-x"));
            target.inputs_mut().parameters[0].name = format!("Vpc{}", &account[..1]);
            if !shown {
                target.changes[0].before = None;
            }
            target
        };
        let shown = [with("111111111111", true), with("222222222222", true)];
        assert_eq!(sets(&shown), [[0, 1]]);
        let hidden = [with("111111111111", false), with("222222222222", false)];
        assert_eq!(sets(&hidden), [[0], [1]]);
        let mut nested = shown.clone();
        for target in &mut nested {
            target.changes[0].nested = Some("arn:child".parse().unwrap());
        }
        assert_eq!(sets(&nested), [[0], [1]]);
        let mut unknown = shown;
        for target in &mut unknown {
            target.changes[0].after =
                Some(json!({"Properties": {"Arn": "{{changeSet:KNOWN_AFTER_APPLY}}"}}));
        }
        assert_eq!(sets(&unknown), [[0], [1]]);
    }

    #[test]
    fn only_outputs_change_by_parameters() {
        let mut other = set("222222222222", "us-east-1", "x");
        other.inputs_mut().parameters.truncate(1);
        let mut fleet = [set("111111111111", "us-east-1", "x"), other];
        for target in &mut fleet {
            target.changes.clear();
        }
        assert_eq!(sets(&fleet), [[0], [1]]);
    }

    #[test]
    fn a_region_that_is_meant_for_all_targets_does_not_split_off_its_own() {
        let central = "arn:aws:acm:us-east-1:111111111111:certificate/1";
        let fleet = [
            set("111111111111", "us-east-1", central),
            set("111111111111", "eu-west-1", central),
            set("222222222222", "us-east-1", central),
        ];
        assert_eq!(sets(&fleet), [[0, 1, 2]]);
        let mut with_another = fleet.to_vec();
        with_another.push(set("333333333333", "eu-west-1", "none"));
        assert_eq!(sets(&with_another), [vec![0, 1, 2], vec![3]]);
    }

    #[test]
    fn trusting_one_account_and_trusting_oneself_are_two_changes() {
        let trust = |account: &str| format!("arn:aws:iam::{account}:root");
        let fleet = [
            set("111111111111", "us-east-1", &trust("111111111111")),
            set("222222222222", "us-east-1", &trust("111111111111")),
            set("333333333333", "us-east-1", &trust("333333333333")),
        ];
        let sets = sets(&fleet);
        assert!(
            !sets.iter().any(|g| g.contains(&1) && g.contains(&2)),
            "{sets:?}"
        );
    }

    const VALUES: [&str; 4] = ["x", "111111111111", "us-east-1", "eu-west-1/222222222222"];

    fn fleet() -> impl Strategy<Value = Vec<PlannedTarget>> {
        let accounts = prop::sample::select(vec!["111111111111", "222222222222"]);
        let regions = prop::sample::select(vec!["us-east-1", "eu-west-1"]);
        let values = prop::sample::select(VALUES.to_vec());
        prop::collection::vec((accounts, regions, values), 0..12).prop_map(|targets| {
            let targets = targets.into_iter();
            targets.map(|(a, r, v)| set(a, r, v)).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn invariant_every_target_is_in_exactly_one_group(fleet in fleet()) {
            let mut all: Vec<usize> = group(&fleet).into_iter().flat_map(|g| g.targets).collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..fleet.len()).collect::<Vec<_>>());
        }

        #[test]
        fn invariant_texts_are_equal_word_for_word_or_but_for_own_names(fleet in fleet()) {
            for group in group(&fleet) {
                let members: Vec<_> = group.targets.iter().map(|t| &fleet[*t]).collect();
                let shapes: Vec<_> = members.iter().map(|member| Shape::of(member)).collect();
                for place in 0..shapes[0].texts.len() {
                    let verbatim = shapes.iter().all(|s| s.texts[place] == shapes[0].texts[place]);
                    let normalised = |i: usize| Own::of(members[i]).normalise(shapes[i].texts[place]);
                    let normalised = (0..members.len()).all(|i| normalised(i) == normalised(0));
                    prop_assert!(verbatim || normalised, "{group:?}");
                }
            }
        }

        #[test]
        fn invariant_targets_of_one_key_are_one_group(mut fleet in fleet()) {
            for target in &mut fleet {
                let own = format!("{}/{}", target.target, target.inputs.role_arn.as_ref().unwrap());
                target.changes[0].after = Some(json!({"Properties": {"Value": own}}));
            }
            let keys: BTreeSet<Digest> = fleet.iter().map(grouping_key).collect();
            prop_assert_eq!(keys.len(), usize::from(!fleet.is_empty()));
            prop_assert_eq!(group(&fleet).len(), keys.len());
        }

        #[test]
        fn invariant_groups_do_not_depend_on_the_order_of_targets(fleet in fleet()) {
            let mut reversed = fleet.clone();
            reversed.reverse();
            let mirror = |index: usize| fleet.len() - 1 - index;
            let mut expected = sets(&fleet);
            let mut found: Vec<Vec<usize>> = sets(&reversed)
                .into_iter()
                .map(|group| group.into_iter().map(mirror).rev().collect())
                .collect();
            expected.sort();
            found.sort();
            prop_assert_eq!(expected, found);
        }
    }
}
