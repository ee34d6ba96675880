//! Who runs this process.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::model::{Approver, Caller, clean};

/// Returns the machine's name.
pub(super) fn host() -> String {
    let name = fs::read_to_string("/etc/hostname").or_else(|_| std::env::var("HOSTNAME"));
    let name = clean(name.unwrap_or_default().trim());
    if name.is_empty() {
        "localhost".to_owned()
    } else {
        name
    }
}

/// Returns the name under which this process holds a lease.
pub(super) fn owner() -> String {
    format!("{}:{}", host(), std::process::id())
}

/// Returns whether `owner` is a process of this machine that has ended.
pub(super) fn is_gone(owner: &str) -> bool {
    match owner.rsplit_once(':') {
        Some((machine, process)) => machine == host() && has_ended(process),
        None => false,
    }
}

/// Returns whether a process has ended for certain. One that nobody has reaped yet, as in a container without an init,
/// still has its folder; it has ended once every thread has, since the first may end before the others.
fn has_ended(process: &str) -> bool {
    // Where the processes of other users are hidden, so is the first one; then nothing is certain.
    if !Path::new("/proc/1").exists() {
        return false;
    }
    let folder = Path::new("/proc").join(process);
    let Ok(threads) = fs::read_dir(folder.join("task")) else {
        return !folder.exists();
    };
    let mut states = threads.map(|thread| fs::read_to_string(thread?.path().join("stat")));
    states.all(|stat| match stat {
        Ok(stat) => is_dead(&stat),
        // It ended while it was looked at.
        Err(error) => error.kind() == ErrorKind::NotFound,
    })
}

/// Reads `PID (NAME) STATE …`, in which the name may hold anything.
fn is_dead(stat: &str) -> bool {
    stat.rsplit_once(')')
        .is_some_and(|(_, rest)| rest.trim_start().starts_with(['Z', 'X', 'x']))
}

/// Returns the person at this process, with the STS caller where it is known.
pub(super) fn approver(caller: Option<&Caller>) -> Approver {
    let user = ["USER", "LOGNAME", "USERNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok());
    Approver {
        arn: caller.map(|c| c.arn.clone()),
        os_user: clean(&user.unwrap_or_else(user_id)),
        host: host(),
    }
}

/// Returns the numeric id of the user where no variable names one.
fn user_id() -> String {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").map_or_else(|_| "unknown".to_owned(), |m| format!("uid {}", m.uid()))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_killed_process_that_nobody_has_reaped_is_gone() {
        let mut child = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let name = format!("{}:{}", host(), child.id());
        assert!(!is_gone(&name), "it runs");
        child.kill().unwrap();
        // Its end of the pipe is closed when it has ended, without anybody waiting for it.
        let mut said = Vec::new();
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_to_end(&mut said).unwrap();
        // The kernel closes files a moment before it sets the state.
        while !is_gone(&name) {
            std::thread::yield_now();
        }
        let process = Path::new("/proc").join(child.id().to_string());
        assert!(process.exists(), "it is a zombie");
        child.wait().unwrap();
        assert!(is_gone(&name), "it is reaped");
    }

    #[test]
    fn nothing_is_certain_of_another_machine_or_a_living_process() {
        assert!(!is_gone(&owner()));
        assert!(!is_gone("elsewhere:999999999"));
        assert!(!is_gone("no process"));
        assert!(is_gone(&format!("{}:999999999", host())));
    }

    #[test]
    fn the_name_of_a_program_may_hold_anything() {
        assert!(is_dead("12 (a) b) R (c) Z 1 2"));
        assert!(is_dead("12 (gone) X 1 2"));
        assert!(!is_dead("12 (Z) S 1 2"));
        assert!(!is_dead("12 (cut"));
        assert!(!is_dead(""));
    }
}
