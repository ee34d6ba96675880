//! One rollback of an execution at a time: of two, each would make the plan of the other stale, and hide it.

use super::of;
use crate::cli::earlier::Earlier;
use crate::cli::{CliError, others, run};
use crate::journal::Journal;
use crate::report::RolledBack;

/// Refuses to begin another rollback of an execution while one is open, and says how that one goes on.
pub(super) fn refuse_another(journal: &Journal, earlier: &Earlier) -> Result<(), CliError> {
    let rollbacks = of(journal, &earlier.id, earlier.view.pipeline())?;
    let leading = RolledBack::leading(&rollbacks);
    let Some((open, id)) = leading.and_then(|open| Some((open, open.execution()?))) else {
        return Ok(());
    };
    let alive = run::is_alive(journal, id)?;
    let Some((does, _)) = others::does(open, alive == Some(true)) else {
        return Ok(());
    };
    let rolled_back = RolledBack::of(&earlier.view, &rollbacks, alive);
    let hint = match rolled_back.next() {
        [] => format!(
            "watch it with `stackgate status {id}`, or end it with `stackgate stop {id} --give-up`"
        ),
        [to_its_end] => format!("bring it to its end with `{to_its_end}`, then roll back again"),
        [go_on, end, ..] => format!("go on with `{go_on}`, or end it with `{end}`"),
    };
    Err(CliError::message(format!(
        "execution {} has a rollback already: execution {id} {}",
        earlier.id,
        does.trim_end_matches(',')
    ))
    .hint(hint))
}
