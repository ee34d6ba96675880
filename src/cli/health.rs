//! What `doctor` finds: one thing each, and those that need no network.

mod drawn;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use jiff::Timestamp;
use rustix::fs::{Access, access};
use serde::Serialize;

pub(super) use drawn::draw;

use super::CliError;
use super::project::{self, TEMPLATES};
use super::settings::FILE;
use crate::aws;
use crate::journal::{Journal, JournalError};
use crate::model::clean;

/// A clock that is this much off is told; AWS refuses requests from 5 minutes on.
const SKEW_TOLD: i64 = 60;
const SKEW_REFUSED: i64 = 300;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Health {
    Ok,
    Warning,
    Failed,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    pub(super) health: Health,
    pub(super) what: String,
    pub(super) found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remedy: Option<String>,
}

impl Check {
    pub(super) fn ok(what: impl Into<String>, found: impl AsRef<str>) -> Self {
        Self {
            health: Health::Ok,
            what: what.into(),
            found: clean(found.as_ref()),
            remedy: None,
        }
    }

    pub(super) fn warning(what: &str, found: impl AsRef<str>, remedy: &str) -> Self {
        Self {
            health: Health::Warning,
            remedy: Some(remedy.to_owned()),
            ..Self::ok(what, found)
        }
    }

    pub(super) fn failed(
        what: impl Into<String>,
        found: impl AsRef<str>,
        remedy: Option<String>,
    ) -> Self {
        Self {
            health: Health::Failed,
            remedy,
            ..Self::ok(what, found)
        }
    }
}

/// Tells where a fleet of hundreds of targets would be slower than it could be, because few files may be open.
pub(super) fn open_files(limit: Option<u64>) -> Option<Check> {
    let calls = aws::lines(limit);
    let limit = limit.filter(|_| calls < aws::MOST_LINES / 2)?;
    Some(Check::warning(
        "open files",
        format!("{limit} at most, hence {calls} calls at once"),
        "harmless below hundreds of targets; for more, raise the hard limit (`ulimit -Hn 4096`, `LimitNOFILE`, `nofile`)",
    ))
}

pub(super) fn project(root: &Path) -> Check {
    let templates = std::fs::read_dir(root.join(TEMPLATES));
    match templates.map(|entries| entries.flatten().count()) {
        Ok(1) => Check::ok("project", format!("1 file in `{TEMPLATES}/`")),
        Ok(count) if count > 0 => Check::ok("project", format!("{count} files in `{TEMPLATES}/`")),
        Ok(_) | Err(_) => Check::warning(
            "project",
            format!("no `{TEMPLATES}/` here"),
            "run this in the folder that holds it, or make one with `stackgate init`",
        ),
    }
}

/// Looks for the template of a stack, where there are templates at all.
pub(super) fn template(root: &Path, stack: &str) -> Option<Check> {
    project::templates(root).ok()?;
    Some(match project::find(root, stack, project::BY_OPTION) {
        Ok(path) => Check::ok("template", format!("`{path}`")),
        Err(error) => {
            let (said, mut hints) = error.told();
            hints.push("the stack is looked at all the same".to_owned());
            Check::warning("template", said, &hints.join("; "))
        }
    })
}

/// Says that the settings can be used, which whoever calls has found out.
pub(super) fn settings(root: &Path) -> Check {
    let found = if root.join(FILE).is_file() {
        "every key is known"
    } else {
        "none, and none is needed"
    };
    Check::ok(FILE, found)
}

/// Says what is wrong with the settings.
pub(super) fn broken_settings(error: &CliError) -> Check {
    let (said, hints) = error.told();
    let go_on = format!("mend it; the rest is looked at as if there were no `{FILE}`");
    let remedy: Vec<String> = [go_on].into_iter().chain(hints).collect();
    Check::failed(FILE, said, Some(remedy.join("; ")))
}

/// Looks at the state folder without making it.
pub(super) fn state(folder: &Path) -> Check {
    let what = "state folder";
    let shown = folder.display();
    let mode = match folder.metadata() {
        Ok(found) => found.permissions().mode(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Check::ok(
                what,
                format!("`{shown}` will be made by the first deployment"),
            );
        }
        Err(error) => {
            let remedy = "choose another with `--state`".to_owned();
            return Check::failed(what, format!("`{shown}`: {error}"), Some(remedy));
        }
    };
    if access(folder, Access::WRITE_OK).is_err() {
        let remedy =
            format!("make it writable, or choose another with `--state`: chmod u+w {shown}");
        return Check::failed(what, format!("`{shown}` cannot be written"), Some(remedy));
    }
    match Journal::open_existing(folder).and_then(|journal| journal.executions()) {
        Ok(_) if mode & 0o022 != 0 => Check::warning(
            what,
            format!("`{shown}` can be written by others, who can approve with it"),
            &format!("chmod go-w {shown}"),
        ),
        Ok(executions) if executions.len() == 1 => {
            Check::ok(what, format!("`{shown}`: 1 execution"))
        }
        Ok(executions) => Check::ok(what, format!("`{shown}`: {} executions", executions.len())),
        Err(JournalError::Missing { .. }) => {
            Check::ok(what, format!("`{shown}` has no journal yet"))
        }
        Err(error) => Check::failed(what, error.to_string(), None),
    }
}

/// Compares the service's time, which is cut to seconds, with when it was asked for and when it came.
pub(super) fn clock(service: Timestamp, asked: Timestamp, came: Timestamp) -> Check {
    let service = service.as_second();
    let ahead = asked.as_second() - (service + 1);
    let behind = service - came.as_second();
    let (seconds, found) = if ahead > 0 {
        (ahead, format!("{ahead} s ahead of that of the service"))
    } else if behind > 0 {
        (behind, format!("{behind} s behind that of the service"))
    } else {
        (0, "agrees with that of the service".to_owned())
    };
    let remedy = "set the clock of this machine, for example with NTP: AWS refuses requests that are 5 minutes off";
    match seconds {
        ..SKEW_TOLD => Check::ok("clock", found),
        SKEW_TOLD..SKEW_REFUSED => Check::warning("clock", found, remedy),
        SKEW_REFUSED.. => Check::failed("clock", found, Some(remedy.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_told_before_it_is_refused() {
        let service: Timestamp = "2026-11-22T21:40:00Z".parse().unwrap();
        let at = |seconds: i64| {
            let now = Timestamp::from_second(service.as_second() + seconds).unwrap();
            clock(service, now, now)
        };
        for (seconds, health, word) in [
            (1, Health::Ok, "agrees"),
            (-30, Health::Ok, "30 s behind"),
            (91, Health::Warning, "90 s ahead"),
            (-301, Health::Failed, "301 s behind"),
        ] {
            let check = at(seconds);
            assert_eq!(check.health, health, "{check:?}");
            assert!(check.found.contains(word), "{check:?}");
            assert_eq!(check.remedy.is_some(), health != Health::Ok);
        }
    }

    #[test]
    fn few_open_files_are_told_and_enough_are_not() {
        for enough in [None, Some(1_024), Some(4_096)] {
            assert!(open_files(enough).is_none(), "{enough:?}");
        }
        let check = open_files(Some(256)).unwrap();
        assert_eq!(check.health, Health::Warning);
        assert_eq!(check.found, "256 at most, hence 160 calls at once");
    }

    #[test]
    fn a_template_that_is_not_there_is_told_with_the_one_that_was_meant() {
        let root = tempfile::tempdir().unwrap();
        let of = |stack| template(root.path(), stack);
        assert!(
            of("messaging").is_none(),
            "`project` says that there are none"
        );
        std::fs::create_dir(root.path().join(TEMPLATES)).unwrap();
        std::fs::write(root.path().join("templates/messaging.yaml"), "").unwrap();
        assert_eq!(of("messaging").unwrap().found, "`templates/messaging.yaml`");
        let check = of("mesaging").unwrap();
        assert_eq!(check.health, Health::Warning);
        assert!(
            check.found.starts_with("no template of `mesaging`"),
            "{check:?}"
        );
        let remedy = check.remedy.unwrap();
        assert!(remedy.contains("did you mean `messaging`?"), "{remedy}");
    }

    #[test]
    fn a_state_folder_is_looked_at_and_not_made() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(".stackgate");
        assert_eq!(state(&folder).health, Health::Ok);
        assert!(!folder.exists());
        drop(Journal::open(&folder).unwrap());
        assert_eq!(state(&folder).health, Health::Ok);
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(&folder, open).unwrap();
        assert_eq!(state(&folder).health, Health::Warning);
        std::fs::write(folder.join("journal.db"), "no database ".repeat(100)).unwrap();
        assert_eq!(state(&folder).health, Health::Failed);
        let file = root.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(state(&file.join("state")).health, Health::Failed);
    }
}
