//! Which process still runs what a killed process began.

use std::fs::{self, File};
use std::path::Path;

use jiff::Timestamp;

/// Returns in words what is waited for, where another process holds the list at `path`, and how that is ended.
pub(super) fn told(path: &Path, list: &File) -> String {
    // It was written right before the command began.
    let since = list.metadata().and_then(|found| found.modified());
    let since = since.ok().and_then(|time| Timestamp::try_from(time).ok());
    let since = since.map_or(String::new(), |at| {
        format!(", begun at {}", at.strftime("%H:%M:%S UTC"))
    });
    let (who, how) = match group(path) {
        Some(group) => (
            format!("process {group}"),
            format!("end it with `kill -- -{group}`"),
        ),
        None => (
            "a process of another user or machine".to_owned(),
            "have it ended".to_owned(),
        ),
    };
    format!(
        "waiting for the earlier run of the command ({who}{since}), which a killed stackgate left and which is not run beside \
         itself: let it end, or {how}"
    )
}

/// Returns the group of the processes whose input is the file at `path`, as far as this system tells that.
pub(super) fn group(path: &Path) -> Option<i32> {
    let path = fs::canonicalize(path).ok()?;
    let mut processes = fs::read_dir("/proc").ok()?.flatten();
    processes.find_map(|process| {
        let folder = process.path();
        let input = fs::read_link(folder.join("fd/0")).ok()?;
        (input == path).then_some(())?;
        let stat = fs::read_to_string(folder.join("stat")).ok()?;
        // PID (NAME) STATE PARENT GROUP …, in which the name may hold anything.
        let (_, rest) = stat.rsplit_once(')')?;
        rest.split_whitespace().nth(2)?.parse().ok()
    })
}
