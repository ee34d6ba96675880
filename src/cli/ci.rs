//! What is said to the CI system that runs the job, besides the log.

use std::io::Write as _;
use std::path::Path;

use super::output;
use super::sources::Sources;
use crate::model::{Event, EventKind};
use crate::report::{Review, View, annotations, markdown};

/// A CI system that understands more than text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum System {
    GitHub,
    GitLab,
}

/// Returns the CI system that runs this process.
fn system() -> Option<System> {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| value == "true");
    if is_set("GITHUB_ACTIONS") {
        Some(System::GitHub)
    } else if is_set("GITLAB_CI") {
        Some(System::GitLab)
    } else {
        None
    }
}

/// Says how a run ended: remarks at the lines concerned, and the summary of the job.
pub(super) fn tell(view: &View, artifacts: &Path) {
    if system() != Some(System::GitHub) {
        return;
    }
    let sources = Sources::of(view, artifacts).ok();
    let review = match (&sources, view.plan()) {
        (Some(sources), Some(_)) => Some(Review::of(view, sources)),
        (Some(_), None) | (None, _) => None,
    };
    if let Some(sources) = &sources {
        let prefix = prefix(view);
        for one in annotations(view, review.as_ref(), sources) {
            output::command(&format!("{}\n", one.github(&prefix)));
        }
    }
    let Some(file) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|file| !file.is_empty()) else {
        return;
    };
    let text = format!("{}\n", markdown(view, None, review.as_ref()));
    let written = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&file)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    if let Err(error) = written {
        // The deployment is what counts; its exit code stays.
        let file = Path::new(&file).display();
        output::stderr(&format!(
            "the summary of the job could not be written to `{file}`: {error}\n"
        ));
    }
}

/// Returns the way from the repository to the project, as files of the repository are named by it.
fn prefix(view: &View) -> String {
    let root = view.definition().map(|d| d.invocation.root.as_str());
    let workspace = std::env::var_os("GITHUB_WORKSPACE");
    let (Some(root), Some(workspace)) = (root, workspace) else {
        return String::new();
    };
    let workspace = Path::new(&workspace);
    let whole = workspace.canonicalize();
    let found = [Some(workspace), whole.as_deref().ok()]
        .into_iter()
        .flatten()
        .find_map(|workspace| Path::new(root).strip_prefix(workspace).ok());
    match found.and_then(Path::to_str) {
        None | Some("") => String::new(),
        Some(path) => format!("{path}/"),
    }
}

/// The sections of GitLab's log: one for each stage that does much.
#[derive(Debug, Default)]
pub(super) struct Sections {
    open: Option<String>,
}

impl Sections {
    /// Opens or closes a section, where an event begins or ends a stage.
    pub(super) fn tell(&mut self, event: &Event) {
        if system() != Some(System::GitLab) {
            return;
        }
        if is_end_of_stage(&event.kind) {
            self.close(event.at.as_second());
        }
        if let (EventKind::StageStarted, Some(stage)) = (&event.kind, &event.scope.stage) {
            // The review of the approval is to be seen, whatever is folded.
            if stage.as_str() != "Approval" {
                self.close(event.at.as_second());
                let name: String = stage
                    .as_str()
                    .chars()
                    .map(|c| {
                        if c.is_ascii_alphanumeric() {
                            c.to_ascii_lowercase()
                        } else {
                            '_'
                        }
                    })
                    .collect();
                let name = format!("stackgate_{name}");
                mark(&format!(
                    "\x1b[0Ksection_start:{}:{name}\r\x1b[0K{stage}\n",
                    event.at.as_second()
                ));
                self.open = Some(name);
            }
        }
    }

    /// Closes the section that is open.
    pub(super) fn close(&mut self, second: i64) {
        if let Some(name) = self.open.take() {
            mark(&format!("\x1b[0Ksection_end:{second}:{name}\r\x1b[0K\n"));
        }
    }
}

fn is_end_of_stage(kind: &EventKind) -> bool {
    matches!(
        kind,
        EventKind::StageSucceeded | EventKind::StageFailed { .. } | EventKind::StageSkipped { .. }
    )
}

/// Writes a mark to standard error as it is: a writer that strips colours would strip it too.
fn mark(text: &str) {
    let mut out = std::io::stderr().lock();
    // There is nowhere to report that standard error is gone.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
