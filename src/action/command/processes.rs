//! The processes of a command, also those that left its process group (`setsid`).
//!
//! On Linux they are found by a variable of their environment, which they inherited and no other process has, and by their
//! parents. What empties its environment and outlives its parent is not found, and neither is what left the group on another
//! system, or on a Linux before 5.3.

use std::path::Path;

use rustix::process::Pid;

/// The variable that names the list of targets: unique for a run of a command, since the list is.
pub(super) const MARK: &str = "STACKGATE_TARGETS";

/// Ends the processes that have `list` for their list, and all below `leader`, once `also` is done. Returns how many there were.
pub(super) fn end(list: &Path, leader: Option<Pid>, also: impl FnOnce()) -> usize {
    // Before anything ends: what is below a process that is gone has another parent.
    let found = system::found(list, leader);
    also();
    let mut ended = system::kill(found);
    // What was begun while it was looked. Each round ends all that there was; one that cannot be ended is not waited for.
    for _ in 0..ROUNDS {
        match system::kill(system::found(list, None)) {
            0 => break,
            more => ended = ended.max(more),
        }
    }
    ended
}

const ROUNDS: usize = 8;

#[cfg(target_os = "linux")]
mod system {
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs;
    use std::os::fd::OwnedFd;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};

    /// Returns the processes. A handle means the same process for ever, unlike its number.
    pub(super) fn found(list: &Path, leader: Option<Pid>) -> Vec<OwnedFd> {
        let Ok(folder) = fs::read_dir("/proc") else {
            return Vec::new();
        };
        let mark = [super::MARK.as_bytes(), b"=", list.as_os_str().as_bytes()].concat();
        let mut handles = BTreeMap::new();
        let mut below: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
        let mut wanted: Vec<i32> = leader
            .map(Pid::as_raw_nonzero)
            .map(i32::from)
            .into_iter()
            .collect();
        for entry in folder.flatten() {
            let id = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<i32>().ok());
            let Some(pid) = id.and_then(Pid::from_raw).filter(|pid| *pid != getpid()) else {
                continue;
            };
            // First the handle: what is read afterwards is of the process that it means, or of none.
            let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else {
                continue;
            };
            let id = i32::from(pid.as_raw_nonzero());
            if let Some(parent) = parent(&entry.path()) {
                below.entry(parent).or_default().push(id);
            }
            // That of another user cannot be read, and is none of ours.
            let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
            if environment
                .split(|byte| *byte == 0)
                .any(|variable| variable == mark)
            {
                wanted.push(id);
            }
            handles.insert(id, handle);
        }
        let mut seen = BTreeSet::new();
        while let Some(id) = wanted.pop() {
            if seen.insert(id) {
                wanted.extend(below.get(&id).into_iter().flatten());
            }
        }
        seen.iter().filter_map(|id| handles.remove(id)).collect()
    }

    /// Returns the parent of a process, from its status line: `1 (a name) S 0 …`, of which the name may hold anything.
    fn parent(process: &Path) -> Option<i32> {
        let line = fs::read(process.join("stat")).ok()?;
        let line = String::from_utf8_lossy(&line);
        let (_, after_name) = line.rsplit_once(')')?;
        after_name.split_whitespace().nth(1)?.parse().ok()
    }

    /// Ends processes, and returns how many.
    pub(super) fn kill(processes: Vec<OwnedFd>) -> usize {
        let killed = processes
            .iter()
            .map(|process| pidfd_send_signal(process, Signal::KILL));
        killed.filter(Result::is_ok).count()
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::convert::Infallible;
    use std::path::Path;

    use rustix::process::Pid;

    pub(super) fn found(_: &Path, _: Option<Pid>) -> Vec<Infallible> {
        Vec::new()
    }

    pub(super) fn kill(_: Vec<Infallible>) -> usize {
        0
    }
}
