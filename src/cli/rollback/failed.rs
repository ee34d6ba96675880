//! `--on-failure rollback`: what follows where a rollout fails, as was approved with its plan.

use super::{Rollback, Wish, note, of};
use crate::cli::earlier::Earlier;
use crate::cli::face::Answering;
use crate::cli::options::{Global, OutputForm};
use crate::cli::run::{self, Account};
use crate::cli::{CliError, ci, exit, output};
use crate::journal::Journal;
use crate::model::{Digest, ExecutionId, RiskLevel};
use crate::report::{RolledBack, View};

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
        // What comes next if this process ends before the rollback begins.
        note(self.journal, &mut self.earlier.view)?;
        if is_text {
            run::account(self.global, &self.earlier.view, self.journal.folder())?;
        }
        output::stderr(&format!(
            "execution {id} failed: what it changed is rolled back\n"
        ));
        let rollback = Rollback {
            global: self.global,
            journal: self.journal,
            earlier: &self.earlier,
            id: id_for(&self.earlier.view, &id)?,
            answering: answering(self.answering, output::is_interactive()),
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
        let view = &mut self.earlier.view;
        note(self.journal, view)?;
        ci::tell(view, &run::store_folder(self.journal.folder()));
        match view.rolled_back().filter(|_| is_text) {
            Some(rolled_back) => output::stdout(&format!(
                "{}: failed, {}\n",
                view.pipeline(),
                rolled_back.text()
            ))?,
            None => run::account(self.global, view, self.journal.folder())?,
        }
        Ok(match code {
            exit::INTERRUPTED => exit::INTERRUPTED,
            _ => exit::FAILED,
        })
    }
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
    /// It has ended.
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
    view.note_rolled_back(Some(RolledBack::of(view, &rollbacks)));
    let Some(newest) = rollbacks.first() else {
        return Ok(Some(Next::Begin));
    };
    let open = newest.execution().filter(|_| newest.outcome().is_none());
    Ok(Some(match open {
        None => Next::Over,
        Some(id) => Next::GoOn {
            id: id.clone(),
            // One that somebody began by hand is answered as they like.
            answering: match *id == own {
                true => answering(of_deployment, output::is_interactive()),
                false => of_deployment,
            },
        },
    }))
}

/// Returns how the rollback is answered. Who approved the deployment approved that it is rolled back, and has not seen the
/// changes: a high risk is never covered, and where somebody can be asked, they are.
fn answering(of_deployment: Answering, is_interactive: bool) -> Answering {
    match of_deployment {
        Answering::Prompt => Answering::Prompt,
        Answering::Yes(limit) | Answering::Foreseen(limit) => {
            Answering::Foreseen(limit.min(RiskLevel::Medium))
        }
        Answering::Given if is_interactive => Answering::Prompt,
        // Somebody who could be asked does not want to be.
        Answering::Detached if is_interactive => Answering::Detached,
        Answering::Given | Answering::Detached => Answering::Foreseen(RiskLevel::Medium),
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
    fn an_approval_beforehand_covers_medium_risk_and_nobody_is_passed_over() {
        use Answering::{Detached, Foreseen, Given, Prompt, Yes};
        use RiskLevel::{High, Low, Medium};
        for (of_deployment, is_interactive, expected) in [
            (Prompt, true, Prompt),
            (Yes(Low), true, Foreseen(Low)),
            (Yes(Medium), false, Foreseen(Medium)),
            (Yes(High), false, Foreseen(Medium)),
            (Given, true, Prompt),
            (Given, false, Foreseen(Medium)),
            (Detached, true, Detached),
            (Detached, false, Foreseen(Medium)),
        ] {
            let found = answering(of_deployment, is_interactive);
            assert_eq!(found, expected, "{of_deployment:?} {is_interactive}");
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
