//! `--on-failure rollback`: what follows where a rollout fails, as was approved with its plan.

use super::{Rollback, Wish, note, note_these, of};
use crate::cli::earlier::Earlier;
use crate::cli::face::Answering;
use crate::cli::options::{Global, OutputForm};
use crate::cli::portable::UNPROVEN_FORMER;
use crate::cli::run::{self, Account};
use crate::cli::{CliError, answer, ci, exit, output};
use crate::journal::Journal;
use crate::model::{Digest, ExecutionId, RiskLevel};
use crate::report::{RolledBack, View, count, summary_so_far};

/// A rollout that failed, and is rolled back.
pub(in crate::cli) struct Failed<'a> {
    pub global: &'a Global,
    pub journal: &'a Journal,
    pub earlier: Earlier,
    /// How the deployment was answered, or how it was taken up.
    pub answering: Answering,
}

impl Failed<'_> {
    /// Rolls back what it changed and accounts for both; returns the exit code, which is that of a failure.
    pub(in crate::cli) async fn roll_back(mut self) -> Result<u8, CliError> {
        let id = self.earlier.id.clone();
        let is_text = self.global.output == OutputForm::Text;
        let own = id_for(&self.earlier.view, &id)?;
        note(self.journal, &mut self.earlier.view)?;
        if let Some(why) = by_hand(&self.earlier.view) {
            // The account of it says the same where it is text.
            if !is_text {
                output::stderr(&format!("execution {id} failed: {why}\n"));
            }
            ci::tell(
                &self.earlier.view,
                &run::store_folder(self.journal.folder()),
            );
            run::account(self.global, &self.earlier.view, self.journal.folder())?;
            return Ok(exit::FAILED);
        }
        if is_text {
            let view = &self.earlier.view;
            output::stdout(&summary_so_far(view, &output::screen()))?;
        }
        let targets = self.earlier.view.targets().into_iter();
        let changed = targets.filter(|target| target.is_changed()).count();
        output::stderr(&format!(
            "execution {id} failed: going on with the rollback of {}\n",
            count(changed, "changed target")
        ));
        if self.earlier.view.has_unproven_former() {
            output::stderr(&format!("note: {UNPROVEN_FORMER}\n"));
        }
        let rollback = Rollback {
            global: self.global,
            journal: self.journal,
            earlier: &self.earlier,
            id: own,
            answering: answering(
                self.earlier.view.covers(),
                self.answering,
                output::is_interactive(),
            ),
            account: Account::ForPeople,
            wish: Wish::default(),
        };
        let code = match rollback.run().await {
            Ok(code) => code,
            Err(error) => {
                let code = error.report();
                output::stderr(&format!(
                    "execution {id} is not rolled back; do it with\n  stackgate rollback {id}\n"
                ));
                code
            }
        };
        if code == exit::DONE && of(self.journal, &id, self.earlier.view.pipeline())?.is_empty() {
            output::stderr(&format!(
                "execution {id} is not rolled back: nothing of it can be, for the reasons above; no execution was begun for that\n"
            ));
        }
        account_for(self.global, self.journal, &mut self.earlier.view, code)
    }
}

/// Returns why the rollback of the execution in `view` does not begin by itself, where that is known before any stack is looked at.
fn by_hand(view: &View) -> Option<String> {
    let rolled_back = view.rolled_back()?;
    rolled_back.by_hand.map(|_| rolled_back.text())
}

/// Accounts for the rollout in `view`, which failed, and for its rollback, of which a run ended with `code`; returns the exit
/// code, which is that of a failure.
pub(in crate::cli) fn account_for(
    global: &Global,
    journal: &Journal,
    view: &mut View,
    code: u8,
) -> Result<u8, CliError> {
    note(journal, view)?;
    ci::tell(view, &run::store_folder(journal.folder()));
    let is_text = global.output == OutputForm::Text;
    match view.rolled_back().filter(|_| is_text) {
        Some(rolled_back) => output::stdout(&format!(
            "{}: failed, {}\n",
            view.pipeline(),
            rolled_back.text()
        ))?,
        None => run::account(global, view, journal.folder())?,
    }
    Ok(match code {
        exit::INTERRUPTED => exit::INTERRUPTED,
        _ => exit::FAILED,
    })
}

/// What comes next for a rollout that failed and is to be rolled back.
pub(in crate::cli) enum Next {
    /// The rollback begins.
    Begin,
    /// It was begun, and goes on.
    GoOn {
        id: ExecutionId,
        answering: Answering,
    },
    /// It has ended, or does not begin by itself.
    Over,
}

/// Returns what comes next for the execution in `view`, where it is to be rolled back; what is known of that is noted.
pub(in crate::cli) fn next(
    journal: &Journal,
    view: &mut View,
    of_deployment: Answering,
) -> Result<Option<Next>, CliError> {
    let Some(earlier) = view.execution().filter(|_| view.is_to_be_rolled_back()) else {
        return Ok(None);
    };
    let rollbacks = of(journal, earlier, view.pipeline())?;
    let own = id_for(view, earlier)?;
    note_these(journal, view, &rollbacks)?;
    let Some(leading) = RolledBack::leading(&rollbacks) else {
        return Ok(Some(match by_hand(view) {
            Some(_) => Next::Over,
            None => Next::Begin,
        }));
    };
    let open = leading.execution().filter(|_| leading.outcome().is_none());
    Ok(Some(match open {
        None => Next::Over,
        Some(id) => Next::GoOn {
            id: id.clone(),
            answering: match *id == own {
                // The answer is in the inbox already.
                true if answer::given(journal, id, leading)?.is_some() => Answering::Given,
                true => answering(view.covers(), of_deployment, output::is_interactive()),
                // One that somebody began by hand is answered as they like.
                false => of_deployment,
            },
        },
    }))
}

/// Returns how the rollback is answered. What the approval of the deployment `covers` is on record with it; else a person
/// answers, who has not seen the changes yet, and whoever put that off is not passed over.
fn answering(
    covers: Option<RiskLevel>,
    of_deployment: Answering,
    is_interactive: bool,
) -> Answering {
    match (covers, of_deployment) {
        (Some(limit), _) => Answering::Foreseen(limit),
        (None, Answering::Prompt | Answering::Given) if is_interactive => Answering::Prompt,
        (
            None,
            Answering::Prompt
            | Answering::Given
            | Answering::Detached
            | Answering::Yes(_)
            | Answering::Foreseen(_),
        ) => Answering::Detached,
    }
}

/// Returns the id of the execution that rolls `earlier` back by itself: always the same, so that of two processes which both
/// find that it is due only one begins it.
fn id_for(view: &View, earlier: &ExecutionId) -> Result<ExecutionId, CliError> {
    let ended = view.ended().map_or(0, |at| at.as_millisecond());
    let digest = Digest::of(format!("rolls back {earlier}").as_bytes());
    let mut random = [0; 10];
    random.copy_from_slice(&digest.as_bytes()[..10]);
    let millis = u64::try_from(ended).unwrap_or_default();
    let id = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
    ExecutionId::new(id.to_string()).map_err(CliError::failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_on_record_covers_a_rollback_and_nobody_is_passed_over() {
        use Answering::{Detached, Foreseen, Given, Prompt, Yes};
        use RiskLevel::{High, Low, Medium};
        for (covers, of_deployment, is_interactive, expected) in [
            // Whoever takes it up, and whatever they were asked.
            (Some(Low), Yes(Low), false, Foreseen(Low)),
            (Some(Low), Detached, false, Foreseen(Low)),
            (Some(Low), Given, false, Foreseen(Low)),
            (Some(Medium), Prompt, true, Foreseen(Medium)),
            (None, Prompt, true, Prompt),
            (None, Given, true, Prompt),
            (None, Given, false, Detached),
            (None, Detached, true, Detached),
            (None, Detached, false, Detached),
            (None, Yes(High), false, Detached),
            (None, Foreseen(Medium), false, Detached),
        ] {
            let found = answering(covers, of_deployment, is_interactive);
            assert_eq!(
                found, expected,
                "{covers:?} {of_deployment:?} {is_interactive}"
            );
        }
    }

    #[test]
    fn the_id_of_a_rollback_is_always_the_same() {
        let earlier = |text: &str| ExecutionId::new(text).unwrap();
        let one = earlier("01900000-0000-7000-8000-000000000001");
        let other = earlier("01900000-0000-7000-8000-000000000002");
        let of = |id: &ExecutionId| id_for(&View::new(), id).unwrap();
        assert_eq!(of(&one), of(&one));
        assert_ne!(of(&one), of(&other));
        assert_ne!(of(&one), one);
    }
}
