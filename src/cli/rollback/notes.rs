//! What a reviewer of a rollback has to know beside the changes.

use std::collections::{BTreeMap, BTreeSet};

use super::former::Former;
use super::sorted::{Sorted, Why};
use crate::model::ExecutionId;

/// Returns it, in sentences.
pub(super) fn of(earlier: &ExecutionId, sorted: &Sorted) -> Vec<String> {
    let Sorted {
        former,
        created,
        left,
    } = sorted;
    let mut notes = vec![format!(
        "gives back the templates, parameters and tags that the stacks had before execution {earlier}; role and options stay \
         those of that execution, stack policies and termination protection stay as they are"
    )];
    let mut tell = |what: &str, targets: usize| {
        if targets > 0 {
            notes.push(format!("{what}; targets: {targets}"));
        }
    };
    for (name, targets) in by_name(former, |f| &f.asked) {
        tell(
            &format!(
                "secret parameter `{name}`: its former value cannot be read back, and is asked for"
            ),
            targets,
        );
    }
    for (name, targets) in by_name(former, |f| &f.kept) {
        tell(
            &format!("secret parameter `{name}`: keeps its present value, which is the former one"),
            targets,
        );
    }
    let count = |is_so: fn(&&Former) -> bool| former.iter().filter(is_so).count();
    tell(
        "former tags are not on record, and stay those of that execution",
        count(|f| !f.has_former_tags),
    );
    tell(
        "the former template is known only as the service shows it: each character outside ASCII that it had becomes `?`",
        count(|f| f.may_lack_characters),
    );
    tell(
        "changed by somebody else since that execution, which is lost",
        count(|f| f.unchanged.is_none()),
    );
    tell(
        "created by that execution, and deleted afterwards: reviewed and approved on its own",
        created.len(),
    );
    let is_imported = |why: &Why| *why == Why::Imported;
    let is_created = |why: &Why| matches!(why, Why::Created { .. });
    let imported = left.iter().filter(|left| is_imported(&left.why)).count();
    let kept = left.iter().filter(|left| is_created(&left.why)).count();
    tell(
        "has resources that were there before and that it imported, and is kept as it is",
        imported,
    );
    tell("created by that execution, and kept", kept);
    let others = left.iter().map(|left| &left.why);
    let others = others.filter(|why| !is_created(why) && !is_imported(why));
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for why in others {
        *reasons.entry(why.reason()).or_default() += 1;
    }
    for (reason, targets) in reasons {
        tell(&format!("left as it is: {reason}"), targets);
    }
    notes
}

/// Returns how many targets have each of the names.
fn by_name(former: &[Former], of: fn(&Former) -> &BTreeSet<String>) -> BTreeMap<&String, usize> {
    let mut counts = BTreeMap::new();
    for name in former.iter().flat_map(of) {
        *counts.entry(name).or_default() += 1;
    }
    counts
}
