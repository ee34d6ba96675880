//! `stackgate rollback`: a new execution that gives every stack that an earlier one changed its former template and
//! parameters back, newest first.

mod created;
mod definition;
mod failed;
mod former;
mod notes;
mod open;
mod original;
mod sorted;
mod told;
mod waves;

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;

use self::former::Former;
use self::sorted::{Sorted, sort};
use super::deploy::{RiskArg, answering};
use super::earlier::Earlier;
use super::face::Answering;
use super::opposite::{self, Own};
use super::options::{Connection, Global};
use super::run::{self, Account, Run, Start, block_on, new_id};
use super::secret::secrets;
use super::{CliError, answer, exit, followers, newer, others, output};
use crate::artifact::Store;
use crate::journal::Journal;
use crate::model::{ExecutionId, Follows, SecretRef, Target};
use crate::report::{RolledBack, View};

pub(super) use self::failed::{Failed, Next, account_for, next};

/// Arguments of `rollback`.
#[derive(Debug, Args)]
pub(super) struct RollbackArgs {
    /// The execution, which has ended: its id, a unique part of it, or `latest`
    execution: String,
    /// Also roll back stacks that somebody else changed since, whose changes are lost
    #[arg(long)]
    include_changed: bool,
    /// Also roll back to templates that are known only as the service shows them, with `?` for every character outside ASCII
    #[arg(long)]
    accept_lost_characters: bool,
    /// Also delete the stacks that the execution created, once the others are rolled back: reviewed and approved on its own
    #[arg(long)]
    delete_created: bool,
    /// Approve without asking, up to a level of risk; `--yes` alone is `--yes=medium`, and stops at high risk
    #[arg(long, value_enum, value_name = "RISK", num_args = 0..=1, require_equals = true,
          default_missing_value = "medium", conflicts_with = "detach")]
    yes: Option<RiskArg>,
    /// Leave, with exit code 3, when the plan waits for approval
    #[arg(long)]
    detach: bool,
    /// Where the former value of a secret parameter is, which cannot be read back: `env:NAME`, `file:PATH` or `prompt`
    #[arg(long = "secret", value_name = "KEY=REF")]
    secrets: Vec<String>,
    /// Capabilities that the former templates need and the execution did not acknowledge, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "CAPABILITY")]
    capabilities: Vec<String>,
    /// The bucket for former templates above 51,200 bytes, where the execution named none
    #[arg(long = "s3-bucket", value_name = "[REGION=]BUCKET[@ACCOUNT]")]
    s3_buckets: Vec<String>,
    #[command(flatten)]
    connection: Connection,
}

/// Runs `stackgate rollback`.
pub(super) fn rollback(global: &Global, args: &RollbackArgs) -> Result<u8, CliError> {
    let journal = Journal::open_existing(&global.state)?;
    let earlier = Earlier::of(&journal, &args.execution, &args.connection)?;
    open::refuse_another(&journal, &earlier)?;
    output::notes(&newer::of_rollback(
        &journal,
        (&earlier.id, &earlier.view),
        None,
    ));
    let rollback = Rollback {
        global,
        journal: &journal,
        earlier: &earlier,
        id: new_id()?,
        answering: answering(args.yes, args.detach),
        account: Account::Always,
        wish: Wish {
            include_changed: args.include_changed,
            accept_lost_characters: args.accept_lost_characters,
            delete_created: args.delete_created,
            secrets: secrets(&args.secrets)?,
            capabilities: args.capabilities.clone(),
            s3_buckets: args.s3_buckets.clone(),
        },
    };
    block_on(rollback.run())?
}

/// What is asked of a rollback.
#[derive(Debug, Default)]
struct Wish {
    /// Whether stacks that somebody changed since are rolled back, too.
    include_changed: bool,
    /// Whether templates are given back that may lack characters outside ASCII.
    accept_lost_characters: bool,
    /// Whether stacks that the execution created are deleted.
    delete_created: bool,
    /// Where former values are that cannot be read back.
    secrets: BTreeMap<String, SecretRef>,
    /// Capabilities that the former templates need and the execution did not acknowledge.
    capabilities: Vec<String>,
    /// Buckets for former templates, where the execution named none.
    s3_buckets: Vec<String>,
}

/// A rollback that is to be begun.
struct Rollback<'a> {
    global: &'a Global,
    journal: &'a Journal,
    /// The execution that is rolled back.
    earlier: &'a Earlier,
    /// The one that rolls it back.
    id: ExecutionId,
    answering: Answering,
    account: Account,
    wish: Wish,
}

impl Rollback<'_> {
    /// Plans the rollback and runs it; returns the exit code.
    async fn run(self) -> Result<u8, CliError> {
        let earlier = self.earlier;
        if earlier.view.deletes() {
            return Err(CliError::message(format!(
                "execution {} deleted stacks; what is deleted cannot be rolled back",
                earlier.id
            ))
            .hint("deploy the stacks again"));
        }
        let store = Store::open(&run::store_folder(self.journal.folder()))?;
        let (aws, caller) = earlier.reach(&self.id).await?;
        let followers = followers::of(self.journal, &earlier.view)?;
        let followers = followers::own(&earlier.view, &followers);
        let sorted = sort(earlier, self.journal, &store, &aws, &self.wish, &followers).await?;
        sorted.tell();
        if let Answering::Foreseen(_) = self.answering {
            sorted.is_foreseen()?;
        }
        let Sorted {
            former, created, ..
        } = &sorted;
        if former.is_empty() && created.is_empty() {
            output::stderr(&format!("execution {}: nothing to roll back\n", earlier.id));
            told::kept(&earlier.id, &sorted);
            return Ok(exit::DONE);
        }
        let mut code = exit::DONE;
        if !former.is_empty() {
            let secrets = asked(former, &self.wish.secrets, self.answering)?;
            let notes = notes::of(&earlier.id, &sorted);
            let mut definition = definition::definition(earlier, &store, former, secrets, &notes)?;
            let pipeline = &mut definition.pipeline;
            definition::acknowledge(pipeline, former, &self.wish.capabilities)?;
            definition::name_buckets(pipeline, &self.wish.s3_buckets)?;
            let targets: Vec<Target> = former.iter().map(|f| f.target.clone()).collect();
            others::tell(self.journal, &targets);
            let own = Own {
                id: None,
                follows: &Follows::RollsBack(earlier.id.clone()),
                targets: &targets.iter().collect(),
                ended: None,
            };
            // A remark that cannot be read keeps nobody from going on.
            output::notes(&opposite::notes(self.journal, &own).unwrap_or_default());
            let start = Start {
                global: self.global,
                journal: self.journal,
                id: self.id.clone(),
                aws,
                caller,
                answering: self.answering,
                out: None,
                account: match created.is_empty() {
                    true => self.account,
                    false => Account::UnlessDone,
                },
            };
            if self.account == Account::ForPeople {
                output::stderr(&format!("rolling back in execution {}\n", self.id));
            }
            code = Run::start(start, definition).await?;
        }
        if created.is_empty() {
            if matches!(code, exit::DONE | exit::WITH_FAILURES) {
                told::kept(&earlier.id, &sorted);
            }
            return Ok(code);
        }
        if !matches!(code, exit::DONE | exit::WITH_FAILURES) {
            output::stderr(
                "the stacks that it created are not deleted; once the others are rolled back, run the same command again\n",
            );
            return Ok(code);
        }
        Ok(code.max(self.delete(created).await?))
    }
}

/// Returns where the former values are that cannot be read back, or says which are missing.
fn asked(
    former: &[Former],
    given: &BTreeMap<String, SecretRef>,
    answering: Answering,
) -> Result<BTreeMap<String, SecretRef>, CliError> {
    let asked: BTreeSet<&String> = former.iter().flat_map(|f| &f.asked).collect();
    if let Some(unknown) = given.keys().find(|name| !asked.contains(name)) {
        let names: Vec<&str> = asked.iter().map(|name| name.as_str()).collect();
        let message = format!("`--secret {unknown}=…`: no value of `{unknown}` is asked for");
        return Err(CliError::message(message).hint(match names.is_empty() {
            true => "leave it out: no former value is missing".to_owned(),
            false => format!("asked for: {}", names.join(", ")),
        }));
    }
    let is_foreseen = matches!(answering, Answering::Foreseen(_));
    let mut found = given.clone();
    for name in asked {
        if given.contains_key(name) {
            continue;
        }
        let targets = former.iter().filter(|f| f.asked.contains(name)).count();
        if is_foreseen || !output::is_interactive() {
            return Err(CliError::message(format!(
                "parameter `{name}` is secret, and the value that it had in {targets} of the stacks cannot be read back"
            ))
            .hint(format!(
                "name where that value is with `--secret {name}=env:VARIABLE` or `--secret {name}=file:PATH`"
            )));
        }
        output::stderr(&format!(
            "parameter `{name}` is secret: you will be asked for the value that it had before\n"
        ));
        found.insert(name.clone(), SecretRef::Prompt);
    }
    Ok(found)
}

/// Returns the executions that roll `earlier` back, and those that retry them, newest first; with what is known of them besides
/// their events.
pub(super) fn of(
    journal: &Journal,
    earlier: &ExecutionId,
    pipeline: &str,
) -> Result<Vec<View>, CliError> {
    let all = journal.executions()?.into_iter();
    let newer = all.take_while(|other| other.id != *earlier);
    let mut newer: Vec<_> = newer.filter(|other| other.pipeline == pipeline).collect();
    // What is retried is older than its retry.
    newer.reverse();
    let (mut found, mut ids) = (Vec::new(), BTreeSet::new());
    for other in newer {
        let rolls_back = match followers::follows(journal, &other.id)? {
            Some(Follows::RollsBack(id)) => id == *earlier,
            Some(Follows::Retries(id)) => ids.contains(&id),
            None => false,
        };
        if rolls_back {
            let mut view = View::read(journal.events(&other.id, 0))?;
            answer::note(journal, &mut view)?;
            ids.insert(other.id);
            found.push(view);
        }
    }
    found.reverse();
    Ok(found)
}

/// Notes in `view` how far the rollback is that follows it by itself; returns the executions that do it.
pub(super) fn note(journal: &Journal, view: &mut View) -> Result<Vec<ExecutionId>, CliError> {
    let (true, Some(id)) = (view.is_to_be_rolled_back(), view.execution()) else {
        return Ok(Vec::new());
    };
    let rollbacks = of(journal, id, view.pipeline())?;
    note_these(journal, view, &rollbacks)?;
    let ids = rollbacks.iter().filter_map(View::execution);
    Ok(ids.cloned().collect())
}

/// Notes in `view` how far `rollbacks` are, the newest of which comes first.
fn note_these(journal: &Journal, view: &mut View, rollbacks: &[View]) -> Result<(), CliError> {
    let leading = RolledBack::leading(rollbacks).and_then(View::execution);
    let alive = leading.map(|id| run::is_alive(journal, id)).transpose()?;
    view.note_rolled_back(Some(RolledBack::of(view, rollbacks, alive.flatten())));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::samples;

    #[test]
    fn another_execution_that_cannot_be_read_hides_no_rollback() {
        let (_folder, journal) = samples::journal();
        for number in 1..=2 {
            samples::begun(&journal, &samples::id(number));
        }
        samples::write_raw(&journal, 2, 2, "{\"seq\":2,\"event\":\"yet_unknown\"}");
        let rollbacks = of(&journal, &samples::id(1), "deploy-network");
        assert!(rollbacks.unwrap().is_empty());
        // This one may be a rollback, and nobody may begin a second one.
        let lease = journal.acquire(&samples::id(3), "host 1", samples::now(), |_| false);
        lease.unwrap();
        samples::write_raw(&journal, 3, 1, "{\"seq\":1,\"event\":\"yet_unknown\"}");
        let all = journal.executions().unwrap();
        let pipeline = |n| {
            all.iter()
                .find(|one| one.id == samples::id(n))
                .map(|one| &one.pipeline)
        };
        let rollbacks = of(&journal, &samples::id(1), pipeline(3).unwrap());
        assert!(rollbacks.is_err());
    }
}
