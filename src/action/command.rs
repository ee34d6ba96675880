//! Runs the command of a gate.

mod files;
mod holder;
mod list;
mod processes;

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::task::JoinSet;

pub use files::named;
use list::List;

use super::World;
use super::secrets::Hidden;
use crate::artifact::Store;
use crate::model::{ExecutionId, GateCommand, Target, TargetOutcome, WaveName, clean};

/// So much of what a command wrote last is kept.
const KEPT: usize = 16 << 10;
/// So many of its last lines are shown, each of so many characters.
const SHOWN_LINES: usize = 5;
const SHOWN_CHARACTERS: usize = 200;
/// How long the rest of the output is read after the end: what runs on in the background may keep it open.
const LATE_OUTPUT: Duration = Duration::from_secs(1);

/// What a command is told.
pub struct Told<'a> {
    /// The execution.
    pub execution: &'a ExecutionId,
    /// The wave that ended.
    pub wave: &'a WaveName,
    /// How its targets ended.
    pub targets: &'a [(Target, TargetOutcome)],
}

/// Runs a command and returns what it wrote last, or why the rollout does not go on. It is ended, with all that it began,
/// when its time is over or nobody waits for it any more. `tell` is told what it waits for before it begins, and that it does.
pub async fn run(
    world: &World,
    command: &GateCommand,
    told: &Told<'_>,
    tell: impl FnMut(Option<String>),
) -> Result<String, String> {
    files::changed(&world.root, command)?;
    let hidden = world.secrets.hidden().await;
    let limit = Duration::from_secs(u64::from(command.timeout_minutes) * 60);
    let list = list_of(&world.store, told.execution);
    run_for((&world.root, &list), command, told, limit, &hidden, tell).await
}

async fn run_for(
    (root, list): (&Path, &Path),
    command: &GateCommand,
    told: &Told<'_>,
    limit: Duration,
    hidden: &Hidden,
    tell: impl FnMut(Option<String>),
) -> Result<String, String> {
    let Some((program, arguments)) = command.line.split_first() else {
        return Err("it names no program".to_owned());
    };
    let (list, input) = List::write(list, told.targets, limit, tell).await?;
    // A path is counted from the project, whatever a system makes of one in another folder; a name is looked for
    // on the `PATH`.
    let program = match program.contains('/') {
        true => root.join(program).into_os_string(),
        false => program.into(),
    };
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(root)
        .env("STACKGATE_EXECUTION", told.execution.as_str())
        .env("STACKGATE_WAVE", told.wave.as_str())
        .env(processes::MARK, &list.path)
        .stdin(Stdio::from(input))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        // A group of its own: Ctrl-C stops the execution, which then ends the command.
        .process_group(0)
        .spawn()
        .map_err(|error| format!("it could not be started: {error}"))?;
    let mut group = Group::of(child.id(), &list.path);
    let tail = Arc::new(Mutex::new(Tail::default()));
    let mut readers = JoinSet::new();
    if let Some(pipe) = child.stdout.take() {
        readers.spawn(read(pipe, tail.clone()));
    }
    if let Some(pipe) = child.stderr.take() {
        readers.spawn(read(pipe, tail.clone()));
    }
    let ended = tokio::time::timeout(limit, child.wait()).await;
    match &ended {
        // Its number may be another process's by now.
        Ok(_) => group.forget(),
        Err(_) => group.end(),
    }
    let reading = async { while readers.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(LATE_OUTPUT, reading).await;
    let said = tail
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .last_lines(hidden);
    let what = match ended {
        Ok(Ok(status)) if status.success() => return Ok(said),
        Ok(Ok(status)) => how(status),
        Ok(Err(error)) => format!("it cannot be told how it ended: {error}"),
        Err(_) => format!("it did not end in {} s, and was ended", limit.as_secs()),
    };
    Err(match said.is_empty() {
        true => what,
        false => format!("{what}: {said}"),
    })
}

fn how(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => "it ended otherwise than by itself".to_owned(),
    }
}

/// Ends what a killed process of this machine left running of the command of an execution, which nobody else runs now.
/// Returns how many processes that were.
pub fn end_left_over(store: &Store, execution: &ExecutionId) -> usize {
    let list = list_of(store, execution);
    // Without a list, no command was running.
    match list.exists() {
        true => processes::end(&list, None, || ()),
        false => 0,
    }
}

/// Returns the group of the processes that a killed process of this machine left running of the command of an execution, as far
/// as this system tells that.
pub fn left_over(store: &Store, execution: &ExecutionId) -> Option<i32> {
    holder::group(&list_of(store, execution))
}

fn list_of(store: &Store, execution: &ExecutionId) -> PathBuf {
    store.beside(&format!("gate-{execution}.json"))
}

/// The processes of a command; they end with it.
struct Group {
    leader: Option<Pid>,
    list: PathBuf,
}

impl Group {
    fn of(leader: Option<u32>, list: &Path) -> Self {
        let leader = leader.and_then(|id| i32::try_from(id).ok());
        Self {
            leader: leader.and_then(Pid::from_raw),
            list: list.to_owned(),
        }
    }

    fn forget(&mut self) {
        self.leader = None;
    }

    fn end(&mut self) {
        if let Some(leader) = self.leader.take() {
            // Gone already is as good.
            processes::end(&self.list, Some(leader), || {
                let _ = kill_process_group(leader, Signal::KILL);
            });
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

/// The end of what a command wrote.
#[derive(Default)]
struct Tail {
    bytes: Vec<u8>,
    /// Whether something before it is gone.
    is_cut: bool,
}

impl Tail {
    fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        let over = self.bytes.len().saturating_sub(KEPT);
        self.is_cut |= over > 0;
        self.bytes.drain(..over);
    }

    /// Returns the last lines without what is secret, in one line.
    fn last_lines(&self, hidden: &Hidden) -> String {
        if let Some(parameter) = &hidden.unknown {
            return match self.bytes.is_empty() {
                true => String::new(),
                false => format!(
                    "what it wrote is not kept, since the secret `{parameter}`, which is not known to this process, could not be masked in it"
                ),
            };
        }
        let text = String::from_utf8_lossy(&self.bytes);
        // Of a line whose beginning is gone, it cannot be told whether it ends with half a secret.
        let mut text = match (self.is_cut, text.split_once('\n')) {
            (false, _) => text.clone().into_owned(),
            (true, Some((_, rest))) => rest.to_owned(),
            (true, None) => String::new(),
        };
        for secret in &hidden.texts {
            text = text.replace(secret.as_str(), "****");
        }
        let lines = text.lines().map(clean);
        let lines: Vec<String> = lines.filter(|line| !line.trim().is_empty()).collect();
        let from = lines.len().saturating_sub(SHOWN_LINES);
        let last = lines[from..].iter().map(|line| beginning(line.trim()));
        last.collect::<Vec<_>>().join(" | ")
    }
}

/// Returns a line up to the most that is shown of one, and that it goes on where it does.
fn beginning(line: &str) -> String {
    match line.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

async fn read(mut pipe: impl AsyncRead + Unpin, tail: Arc<Mutex<Tail>>) {
    let mut buffer = vec![0; 4 << 10];
    while let Ok(length @ 1..) = pipe.read(&mut buffer).await {
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.add(buffer.get(..length).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests;
