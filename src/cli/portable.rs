//! Plans in files: written by `plan --out`, shown by `show`, taken over by `deploy --plan`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;

use super::denied::denied;
use super::deploy::OF_DEPLOYMENT;
use super::face::Answering;
use super::options::{Connection, Global};
use super::resume::{Policy, invocation, take_up};
use super::run::{self, acquire, block_on, connect};
use super::settings::{FILE, Settings};
use super::sources::Sources;
use super::{CliError, answer, exit, identity, output};
use crate::artifact::{PORTABLE_VERSION, PortableError, PortablePlan, Store};
use crate::journal::{Durability, Journal, JournalError};
use crate::model::{
    Answer, Approver, Decision, Digest, Event, EventKind, ExecutionId, InboxMessage, Invocation,
    Origin, RiskChoices, clean,
};
use crate::parameters::parse_override_file;
use crate::pipeline::{Execution, IllegalEvent};
use crate::plan::RecordVersion;
use crate::report::View;
use crate::runtime;
use crate::template::Template;

/// What only a plan that is made here can have: the one of a file has it in it.
fn made_anew() -> impl Iterator<Item = &'static str> {
    let own = ["replace_failed", "stack", "overrides", "parameters"];
    own.into_iter().chain(OF_DEPLOYMENT)
}

/// How `deploy` takes over a plan from a file.
#[derive(Debug, Args)]
pub(super) struct PlanFileArgs {
    /// Take over the plan in a file that `plan --out` wrote, instead of making one
    #[arg(long, value_name = "FILE", conflicts_with_all = made_anew())]
    pub plan: Option<PathBuf>,
    /// Approve the plan of the file without asking, if it has this whole digest
    #[arg(long, value_name = "DIGEST", requires = "plan", conflicts_with_all = ["yes", "detach"])]
    pub approve: Option<Digest>,
}

/// Why what a plan file holds cannot be what it was made as.
#[derive(Debug, thiserror::Error)]
enum Untrue {
    #[error("{}: its events do not follow from each other; do not run it", .0.display())]
    Events(PathBuf, #[source] IllegalEvent),
    #[error("{}: it does not end where an answer is waited for; do not run it", .0.display())]
    NotAwaited(PathBuf),
    #[error(
        "{}: it says that its plan is {said}, but what it holds has the digest {found}; the file was altered, or stackgate {program} computes digests in another way", .path.display()
    )]
    Digest {
        path: PathBuf,
        said: String,
        found: String,
        program: String,
    },
    #[error("{}: the template of {target} is not the one that the plan was made from; the file was altered, do not run it", .path.display())]
    Template { path: PathBuf, target: String },
    #[error(
        "{} and the journal in {} tell different stories of execution {id}; the file was altered, do not run it", .path.display(), .state.display()
    )]
    OtherStory {
        path: PathBuf,
        state: PathBuf,
        id: ExecutionId,
    },
}

impl From<PortableError> for CliError {
    fn from(error: PortableError) -> Self {
        Self::failed(error)
    }
}

/// A plan file that was read and checked.
pub(super) struct PlanFile {
    pub plan: PortablePlan,
    /// The digest of the file.
    pub file: Digest,
    /// The digest of the plan, computed from what the file holds.
    pub digest: Digest,
    /// Whether it covers what the stacks had before, which a rollback gives back.
    covers_former: bool,
}

impl PlanFile {
    /// Reads the plan file at `path` and computes its digest again; its content goes into `store`.
    pub(super) fn open(path: &Path, store: &Store) -> Result<Self, CliError> {
        let (plan, file) = PortablePlan::read(path)?;
        let state = Execution::replay(&plan.events)
            .map_err(|e| CliError::failed(Untrue::Events(path.to_owned(), e)))?;
        let said = match (&state.approval, state.awaits_answer()) {
            (Some(request), true) if request.answered.is_none() => request.plan,
            _ => return Err(CliError::failed(Untrue::NotAwaited(path.to_owned()))),
        };
        // What an earlier program made is judged by what its digests covered.
        let record = state.plan_version(said);
        let found = match record {
            Some(_) => Some(said),
            None => state.plan_digest(),
        };
        // How a newer program computes digests is not known here; what it wrote is only shown.
        let is_newer = plan.version > PORTABLE_VERSION;
        let Some(digest) = found.filter(|found| *found == said || is_newer) else {
            return Err(CliError::failed(Untrue::Digest {
                path: path.to_owned(),
                said: said.to_string(),
                found: found.map_or_else(|| "none".to_owned(), |d| d.to_string()),
                program: plan.program.clone(),
            }));
        };
        plan.unpack(store)?;
        for planned in state.targets.values().filter_map(|t| t.planned.as_deref()) {
            let at = &planned.inputs.template;
            let artifact = state.artifacts.get(&at.artifact);
            let bytes = match artifact {
                Some(artifact) => store.read(artifact, &at.path)?,
                None => Vec::new(),
            };
            if Digest::of(&bytes) != planned.inputs.template_digest {
                return Err(CliError::failed(Untrue::Template {
                    path: path.to_owned(),
                    target: planned.target.to_string(),
                }));
            }
            let blobs = [planned.previous_template, planned.inputs.packaged];
            for blob in blobs.iter().flatten() {
                store.blob(blob)?;
            }
        }
        Ok(Self {
            plan,
            file,
            digest,
            covers_former: record.is_some_and(RecordVersion::holds_former),
        })
    }

    /// Returns who made the change sets of the plan, each once.
    pub(super) fn planners(&self) -> Vec<String> {
        let view = View::of(&self.plan.events);
        let names: BTreeSet<String> = view
            .planned()
            .into_iter()
            .map(|planned| planned.caller.arn)
            .collect();
        names.into_iter().collect()
    }

    /// Returns whether this program may run it, and not only show it.
    pub(super) fn is_newer(&self) -> bool {
        self.plan.version > PORTABLE_VERSION
    }
}

/// Refuses a place for a plan file that would be of no use once the plan is made.
pub(super) fn check_place(path: &Path) -> Result<(), CliError> {
    if path.exists() {
        return Err(CliError::message(format!(
            "{} exists already; a plan is not written over another one",
            path.display()
        ))
        .hint("name another file with `--out`, or remove that one"));
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    match folder {
        Some(folder) if !folder.is_dir() => Err(CliError::message(format!(
            "{} is no folder; make it before the plan is written there",
            folder.display()
        ))),
        _ => Ok(()),
    }
}

/// Refuses override files that hold a secret in clear: a plan file would carry it away.
pub(super) fn refuse_secrets<'a>(
    templates: &[&Template],
    files: impl IntoIterator<Item = (&'a str, Vec<u8>)>,
) -> Result<(), CliError> {
    let secret: BTreeSet<&str> = templates
        .iter()
        .flat_map(|template| template.parameters())
        .filter(|(_, declared)| declared.no_echo)
        .map(|(name, _)| name.as_str())
        .collect();
    for (path, bytes) in files {
        // Only override files give parameters; whatever else is stored is no such file.
        let Ok(file) = parse_override_file(path, &bytes) else {
            continue;
        };
        for (name, value) in &file.parameters {
            let literal = value.literal();
            let is_literal = literal.is_some_and(|text| !text.starts_with("{{resolve:"));
            if secret.contains(name.as_str()) && is_literal {
                return Err(CliError::message(format!(
                    "{path}:{}: `{name}` is `NoEcho` and its value stands here, which a plan file would carry away",
                    value.line
                ))
                .hint(format!(
                    "remove it there and give `--secret {name}=env:VARIABLE`"
                )));
            }
        }
    }
    Ok(())
}

/// Writes the plan that waits for an answer to `path`, and notes in the journal that it left.
pub(super) fn export(
    journal: &Journal,
    id: &ExecutionId,
    path: &Path,
    by: Approver,
) -> Result<Event, CliError> {
    let lease = acquire(journal, id)?;
    let written = (|| {
        let events = all(journal, id)?;
        let state = Execution::replay(&events)?;
        let store = Store::open(&run::store_folder(journal.folder()))?;
        let planned: Vec<_> = state
            .targets
            .values()
            .filter_map(|t| t.planned.as_deref())
            .collect();
        let mut templates = Vec::new();
        let mut paths = BTreeSet::new();
        for planned in &planned {
            let at = &planned.inputs.template;
            if let Some(artifact) = state.artifacts.get(&at.artifact)
                && paths.insert(at.clone())
            {
                let bytes = store.read(artifact, &at.path)?;
                templates.push(Template::parse(&at.path, &bytes).map_err(CliError::failed)?);
            }
        }
        let artifacts: Vec<_> = state.artifacts.values().collect();
        let mut files = Vec::new();
        for artifact in &artifacts {
            for file in &artifact.files {
                files.push((file.as_str(), store.read(artifact, file)?));
            }
        }
        refuse_secrets(&templates.iter().collect::<Vec<_>>(), files)?;
        let blobs: Vec<Digest> = planned
            .iter()
            .flat_map(|p| [p.previous_template, p.inputs.packaged])
            .flatten()
            .collect();
        let version = env!("CARGO_PKG_VERSION");
        let plan = PortablePlan::collect(version, events, &store, &artifacts, &blobs)?;
        let file = plan.write(path)?;
        let kind = EventKind::PlanExported {
            path: path.display().to_string(),
            file,
            by,
        };
        let event = state.follow(runtime::now(), kind)?;
        let events = std::slice::from_ref(&event);
        journal.append(&lease, state.seq, events, &[], Durability::Intent)?;
        Ok::<_, CliError>(event)
    })();
    journal.release(&lease)?;
    written
}

/// Returns all events of an execution, as a file holds them.
fn all(journal: &Journal, id: &ExecutionId) -> Result<Vec<Event>, JournalError> {
    journal.events(id, 0).collect()
}

/// Returns the error for an execution whose plan left in a file.
pub(super) fn left_in(file: &str, id: &ExecutionId) -> CliError {
    CliError::message(format!(
        "the plan of execution {id} left in the file {file}, and is run by whoever has it"
    ))
    .hint(format!(
        "run it, here or elsewhere, with `stackgate deploy --plan {file}`; withdraw it with `stackgate reject {id}`"
    ))
}

/// Runs `stackgate deploy --plan FILE`.
pub(super) fn deploy(
    global: &Global,
    path: &Path,
    approve: Option<Digest>,
    connection: &Connection,
    answering: Answering,
) -> Result<u8, CliError> {
    // Nothing of a file that is refused comes near the state folder.
    let aside = tempfile::tempdir()?;
    let file = PlanFile::open(path, &Store::open(aside.path())?)?;
    if file.is_newer() {
        return Err(CliError::failed(PortableError::Newer {
            path: path.to_owned(),
            version: file.plan.version,
            program: file.plan.program,
            known: PORTABLE_VERSION,
        })
        .hint("look at it with `stackgate show`, and run it with that version"));
    }
    if let Some(given) = approve.filter(|given| *given != file.digest) {
        return Err(CliError::message(format!(
            "plan {given} is not the one in {}, which is {}",
            path.display(),
            file.digest
        ))
        .hint(format!(
            "look at the one in the file with `stackgate show {}`",
            path.display()
        )));
    }
    let journal = Journal::open(&global.state)?;
    let id = take_over(&journal, path, &file, connection)?;
    let view = View::read(journal.events(&id, 0))?;
    if view.awaits_answer() {
        // Where the plan was made this was said too; here it is asked to run.
        let sources = Sources::of(&view, &run::store_folder(journal.folder()))?;
        if let Some(why) = denied(&view, &sources) {
            output::stderr(&why);
            return Ok(exit::FAILED);
        }
    }
    // One that has ended, or was answered, takes no answer any more; what became of it is told below.
    let is_given = !view.awaits_answer() || answer::given(&journal, &id, &view)?.is_some();
    let answering = match approve {
        Some(plan) if !is_given => {
            let now = runtime::now();
            let answer = Answer {
                decision: Decision::Approve,
                plan,
                wave: None,
                approver: runner(&journal, &id)?,
                origin: Origin::Flag,
                at: now,
                summary: String::new(),
                covers: answer::covered(Decision::Approve, false, view.definition()),
            };
            journal.post(&id, &InboxMessage::Answer(answer), now)?;
            Answering::Given
        }
        Some(_) => Answering::Given,
        None if is_given => Answering::Given,
        None => answering,
    };
    take_up(global, &journal, id, connection, Policy::of(answering))
}

/// Why a person answers the rollback of a plan that came in a file, whatever its approval covers.
pub(super) const UNPROVEN_FORMER: &str = "the plan came in a file of an earlier stackgate, and its digest does not cover the former templates, \
                                          parameters and tags: a rollback to them does not begin without a person who looks at it";

/// Returns who took the execution over.
fn runner(journal: &Journal, id: &ExecutionId) -> Result<Approver, CliError> {
    let view = View::read(journal.events(id, 0))?;
    Ok(view
        .imported_by()
        .cloned()
        .unwrap_or_else(|| identity::approver(None)))
}

/// Returns what this project makes of risk rules: everywhere, and in the environment of the plan, where it has that too.
/// Who planned chose the environment, so that it only makes it stricter.
fn own_risks(here: &Invocation) -> Result<RiskChoices, CliError> {
    let Some(settings) = Settings::load(Path::new(&here.root))? else {
        output::stderr(&format!(
            "no {FILE} in {}: risk rules count by their own levels here, and by the plan's where they are stricter\n",
            clean(&here.root)
        ));
        return Ok(RiskChoices::default());
    };
    Ok(settings.strictest_risks(here.chosen.environment.as_deref()))
}

/// Puts the plan into the journal, unless it came in before; says who planned and who runs it.
fn take_over(
    journal: &Journal,
    path: &Path,
    file: &PlanFile,
    connection: &Connection,
) -> Result<ExecutionId, CliError> {
    let id = file.plan.execution.clone();
    let known = all(journal, &id)?;
    let (shared, since) = known.split_at(known.len().min(file.plan.events.len()));
    if !known.is_empty() && shared != file.plan.events {
        return Err(CliError::failed(Untrue::OtherStory {
            path: path.to_owned(),
            state: journal.folder().to_owned(),
            id,
        }));
    }
    let view = View::of(&known);
    let is_here = view.imported_by().is_some() && view.exported().is_none();
    if view.outcome().is_some() {
        return Ok(id);
    }
    if is_here {
        output::stderr(&format!("execution {id} was taken over before; going on\n"));
        return Ok(id);
    }
    if since
        .iter()
        .any(|e| matches!(e.kind, EventKind::Answered { .. }))
    {
        // Answered where it was made, before the file was written or noted there.
        return Ok(id);
    }
    let planned = View::of(&file.plan.events);
    let mut here = invocation(&planned, &Connection::default()).unwrap_or_default();
    // The file's own way to AWS is that of another machine, and not to be trusted with credentials.
    here.version = env!("CARGO_PKG_VERSION").to_owned();
    here.root = std::env::current_dir()
        .map_err(CliError::failed)?
        .display()
        .to_string();
    here.profile = connection.profile.clone();
    here.endpoint_url = connection.endpoint_url.clone();
    let (caller, own_endpoint) = block_on(async {
        let aws = connect(&here, Some(&id)).await?;
        let caller = aws.caller().await?;
        Ok::<_, CliError>((caller, aws.has_own_endpoint()))
    })??;
    here.own_endpoint = own_endpoint;
    if let Some(definition) = planned.definition() {
        run::same_account(definition, &caller)?;
    }
    let risks = own_risks(&here)?;
    let by = identity::approver(Some(&caller));
    let planners = file.planners().join(", ");
    output::stderr(&format!(
        "plan {} of {} from {}\n  planned as {planners}\n  run as     {} on {}\n",
        file.digest.short(),
        planned.pipeline(),
        path.display(),
        caller.arn,
        by.host
    ));
    let rolls_back = planned
        .definition()
        .is_some_and(|d| d.rolls_back_on_failure());
    if rolls_back && !file.covers_former {
        output::stderr(&format!("note: {UNPROVEN_FORMER}\n"));
    }
    let lease = acquire(journal, &id)?;
    let written = (|| {
        // Read again under the lease: somebody else may have taken it over meanwhile.
        if all(journal, &id)? != known {
            return Err(CliError::message(format!(
                "execution {id} was taken over by another process just now"
            ))
            .hint(format!("see `stackgate status {id}`")));
        }
        let store = Store::open(&run::store_folder(journal.folder()))?;
        file.plan.unpack(&store)?;
        let before: &[Event] = if known.is_empty() {
            &file.plan.events
        } else {
            &known
        };
        let kind = EventKind::PlanImported {
            file: file.file,
            by,
            invocation: Box::new(here),
            risks,
            covers_former: file.covers_former,
        };
        let state = Execution::replay(before)?;
        let event = state.follow(runtime::now(), kind)?;
        let mut events = if known.is_empty() {
            file.plan.events.clone()
        } else {
            Vec::new()
        };
        events.push(event);
        let after = known.len() as u64;
        journal.append(&lease, after, &events, &[], Durability::Intent)?;
        Ok(())
    })();
    journal.release(&lease)?;
    written.map(|()| id)
}
