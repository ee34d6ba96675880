//! Who runs this process.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::journal::Owner;
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

/// Returns the name under which this process holds a lease: `HOST:PID@PLACE`.
pub(super) fn owner() -> String {
    let process = std::process::id();
    match place() {
        Some(place) => format!("{}:{process}@{place}", host()),
        None => format!("{}:{process}", host()),
    }
}

/// Returns whether `owner` is a process that this one would see, and that has ended.
pub(super) fn is_gone(owner: &Owner) -> bool {
    match (owner.name.rsplit_once(':'), &owner.place) {
        (Some((machine, process)), Some(there)) => {
            machine == host() && place().as_ref() == Some(there) && has_ended(process)
        }
        (None, _) | (_, None) => false,
    }
}

/// Returns where the number of a process means what it means here: the start of the kernel and the namespace of its
/// processes. Containers may share the name of a host and its files, yet none sees the processes of another.
fn place() -> Option<String> {
    let start = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    let namespace = namespace.to_str()?.strip_prefix("pid:[")?;
    let start = start.split('-').next()?;
    Some(format!("{start}.{}", namespace.strip_suffix(']')?))
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

    fn owner_of(name: &str, place: Option<String>) -> Owner {
        let heartbeat = jiff::Timestamp::UNIX_EPOCH;
        Owner {
            name: name.to_owned(),
            place,
            heartbeat,
        }
    }

    #[test]
    fn a_killed_process_that_nobody_has_reaped_is_gone() {
        let mut child = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let child_owner = owner_of(&format!("{}:{}", host(), child.id()), place());
        assert!(!is_gone(&child_owner), "it runs");
        child.kill().unwrap();
        // Its end of the pipe is closed when it has ended, without anybody waiting for it.
        let mut said = Vec::new();
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_to_end(&mut said).unwrap();
        // The kernel closes files a moment before it sets the state.
        while !is_gone(&child_owner) {
            std::thread::yield_now();
        }
        let process = Path::new("/proc").join(child.id().to_string());
        assert!(process.exists(), "it is a zombie");
        child.wait().unwrap();
        assert!(is_gone(&child_owner), "it is reaped");
    }

    #[test]
    fn nothing_is_certain_of_another_machine_or_a_living_process() {
        let gone = format!("{}:999999999", host());
        assert!(is_gone(&owner_of(&gone, place())));
        let lives = format!("{}:{}", host(), std::process::id());
        assert!(!is_gone(&owner_of(&lives, place())));
        assert!(!is_gone(&owner_of("elsewhere:999999999", place())));
        assert!(!is_gone(&owner_of("no process", place())));
        // A container of the same name, and a version that did not say where it runs.
        let elsewhere = format!("{}1", place().unwrap());
        assert!(!is_gone(&owner_of(&gone, Some(elsewhere))));
        assert!(!is_gone(&owner_of(&gone, None)));
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
