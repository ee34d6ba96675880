//! The templates that stacks had before, as they were sent: the service shows each character outside ASCII as `?`, and rolling
//! back to that would put the `?` in their place.

use std::collections::BTreeMap;

use crate::aws::can_be;
use crate::cli::earlier::Earlier;
use crate::cli::sources::Sources;
use crate::cli::{CliError, run};
use crate::journal::Journal;
use crate::model::Target;
use crate::report::{TargetView, View};

/// Returns the templates of those targets of which an execution before `earlier` deployed what is `shown` to the same stack;
/// the newest of them counts.
pub(super) fn of(
    journal: &Journal,
    earlier: &Earlier,
    mut shown: Vec<(&TargetView, &[u8])>,
) -> Result<BTreeMap<Target, Vec<u8>>, CliError> {
    let mut found = BTreeMap::new();
    if shown.is_empty() {
        return Ok(found);
    }
    let folder = run::store_folder(journal.folder());
    let all = journal.executions()?.into_iter();
    let older = all.skip_while(|other| other.id != earlier.id).skip(1);
    for other in older.filter(|other| other.pipeline == earlier.view.pipeline()) {
        if shown.is_empty() {
            break;
        }
        // What cannot be read proves nothing, and another one may.
        let Ok(view) = View::read(journal.events(&other.id, 0)) else {
            continue;
        };
        let Ok(sources) = Sources::of(&view, &folder) else {
            continue;
        };
        shown.retain(|(target, text)| match sent(&view, &sources, target, text) {
            Some(original) => {
                found.insert(target.target().clone(), original);
                false
            }
            None => true,
        });
    }
    Ok(found)
}

/// Returns the template that the execution in `view` deployed to the stack of `target`, where it can be what is `shown`.
fn sent(view: &View, sources: &Sources, target: &TargetView, shown: &[u8]) -> Option<Vec<u8>> {
    let there = view.target(target.target())?;
    if !there.is_changed() || there.stack().is_none() || there.stack() != target.stack() {
        return None;
    }
    let template = sources.template(&there.planned()?)?;
    let shown = std::str::from_utf8(shown).ok()?;
    can_be(template.text(), shown).then(|| template.text().as_bytes().to_vec())
}
