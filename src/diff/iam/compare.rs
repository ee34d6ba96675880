//! How the statements of a policy differ.

use std::collections::HashMap;

use super::condition;
use super::pattern::Letters;
use super::statement::{Effect, Names, Openness, Statement, some};
use crate::diff::impact::ImpactKind;

/// How one statement differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    pub kind: ImpactKind,
    /// The statement's `Sid`.
    pub sid: Option<String>,
    pub what: String,
    /// Whether somebody may do more than before.
    pub is_wider: bool,
    /// Whether anybody may more than before.
    pub openness: Openness,
}

/// Compares the statements of a policy, paired by `Sid`, else by what they have in common.
pub(super) fn compare(old: &[Statement], new: &[Statement]) -> Vec<Difference> {
    let mut left: Vec<Option<&Statement>> = old.iter().map(Some).collect();
    let mut partners: Vec<Option<&Statement>> = vec![None; new.len()];
    // Names first, then the whole content, then parts of it.
    let keys: [fn(&Statement) -> Option<String>; 4] = [
        |s| s.sid.clone(),
        |s| {
            Some(format!(
                "{:?}{:?}{:?}{:?}{:?}",
                s.effect, s.principals, s.actions, s.resources, s.condition
            ))
        },
        |s| Some(format!("{:?}{:?}{:?}", s.effect, s.principals, s.resources)),
        |s| Some(format!("{:?}{:?}", s.effect, s.actions)),
    ];
    for key in keys {
        let mut by_key: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, statement) in left.iter().enumerate().rev() {
            if let Some(key) = statement.and_then(key) {
                by_key.entry(key).or_default().push(at);
            }
        }
        for (statement, partner) in new.iter().zip(&mut partners) {
            if partner.is_none()
                && let Some(at) = key(statement).and_then(|key| by_key.get_mut(&key)?.pop())
            {
                *partner = left[at].take();
            }
        }
    }
    let mut found = Vec::new();
    for (statement, partner) in new.iter().zip(partners) {
        match partner {
            Some(old) => found.extend(changed(old, statement)),
            None => found.push(Difference {
                kind: ImpactKind::Added,
                sid: statement.sid.clone(),
                what: statement.text(),
                is_wider: statement.effect != Effect::Deny,
                openness: statement.openness(),
            }),
        }
    }
    found.extend(left.into_iter().flatten().map(|statement| Difference {
        kind: ImpactKind::Removed,
        sid: statement.sid.clone(),
        what: statement.text(),
        is_wider: statement.effect != Effect::Allow,
        openness: Openness::Closed,
    }));
    found
}

fn changed(old: &Statement, new: &Statement) -> Option<Difference> {
    let (mut more, mut less) = (Vec::new(), Vec::new());
    let (any, as_written) = (Letters::AnyCase, Letters::AsWritten);
    let parts: [(&str, &Names, &Names, Letters); 3] = [
        ("action", &old.actions, &new.actions, any),
        ("resource", &old.resources, &new.resources, as_written),
        ("principal", &old.principals, &new.principals, as_written),
    ];
    for (part, before, after, letters) in parts {
        let (gained, lost) = (after.beyond(before, letters), before.beyond(after, letters));
        if !gained.is_empty() {
            more.push(format!("{part} + {}", some(&gained, ", ")));
        }
        if !lost.is_empty() {
            less.push(format!("{part} - {}", some(&lost, ", ")));
        }
    }
    let conditions = condition::compare(old.condition.as_ref(), new.condition.as_ref());
    if !conditions.gone.is_empty() {
        more.push(format!(
            "condition removed: {}",
            some(&conditions.gone, ", ")
        ));
    }
    if !conditions.added.is_empty() {
        less.push(format!(
            "condition added: {}",
            some(&conditions.added, ", ")
        ));
    }
    let more_counts = !more.is_empty() || conditions.is_wider;
    let less_counts = !less.is_empty() || conditions.is_narrower;
    let mut what = more;
    what.extend(less);
    let (kind, is_wider) = match (old.effect, new.effect) {
        (Effect::Allow, Effect::Deny) => {
            what.insert(0, "Allow became Deny".to_owned());
            (ImpactKind::Narrowed, false)
        }
        (Effect::Deny, Effect::Allow) => {
            what.insert(0, "Deny became Allow".to_owned());
            (ImpactKind::Broadened, true)
        }
        (Effect::Allow, Effect::Allow) => (kind(more_counts, less_counts), more_counts),
        // Whoever is denied less, may do more.
        (Effect::Deny, Effect::Deny) => {
            what.iter_mut()
                .for_each(|text| text.insert_str(0, "Deny: "));
            (kind(less_counts, more_counts), less_counts)
        }
        (Effect::Unknown, _) | (_, Effect::Unknown) => {
            if old.effect != new.effect {
                what.insert(0, "Effect changed".to_owned());
            }
            // It may be an Allow or a Deny.
            (ImpactKind::Changed, true)
        }
    };
    if conditions.is_wider || conditions.is_narrower {
        what.push("condition changed".to_owned());
    }
    if what.is_empty() {
        return None;
    }
    Some(Difference {
        kind,
        sid: new.sid.clone(),
        what: what.join("; "),
        is_wider,
        openness: if is_wider || new.openness() > old.openness() {
            new.openness()
        } else {
            Openness::Closed
        },
    })
}

fn kind(is_wider: bool, is_narrower: bool) -> ImpactKind {
    match (is_wider, is_narrower) {
        (true, _) => ImpactKind::Broadened,
        (false, true) => ImpactKind::Narrowed,
        (false, false) => ImpactKind::Changed,
    }
}
