//! Who runs this process.

use crate::model::{Approver, Caller, clean};

/// Returns the machine's name.
pub(super) fn host() -> String {
    let name = std::fs::read_to_string("/etc/hostname").or_else(|_| std::env::var("HOSTNAME"));
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
        Some((machine, process))
            if machine == host() && std::path::Path::new("/proc/self").exists() =>
        {
            !std::path::Path::new("/proc").join(process).exists()
        }
        _ => false,
    }
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
    std::fs::metadata("/proc/self")
        .map_or_else(|_| "unknown".to_owned(), |m| format!("uid {}", m.uid()))
}
