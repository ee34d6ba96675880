//! How many calls may be under way at once, in all accounts and regions together: each has a connection, and a process
//! may have only so many files open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The most calls at once: more of them would not be faster.
pub const MOST_LINES: usize = 1_000;

/// Calls at once even where files are few: fewer would not help, and what cannot be opened is told by the call.
const FEWEST_LINES: usize = 16;

/// Files for everything else: the journal, artifacts, terminals, and look-ups of names.
const RESERVE: u64 = 96;

/// Connections that are kept for later calls need room too. No higher than that, since some programs that may be run
/// for credentials go through all the files that there might be.
const WANTED: u64 = 4_096;

/// Raises the soft limit of open files as far as it is of use and allowed; returns what holds then.
pub fn raise_open_files() -> Option<u64> {
    if let Some(limit) = raised(&getrlimit(Resource::Nofile)) {
        // Where it is not allowed after all, what holds now is gone by.
        let _ = setrlimit(Resource::Nofile, limit);
    }
    open_files()
}

/// Returns how many files this process may have open; none means that there is no limit.
pub fn open_files() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// Returns how many calls may be under way at once where so many files may be open.
pub fn lines(open_files: Option<u64>) -> usize {
    let Some(limit) = open_files else {
        return MOST_LINES;
    };
    let lines = usize::try_from(limit.saturating_sub(RESERVE)).unwrap_or(MOST_LINES);
    lines.clamp(FEWEST_LINES, MOST_LINES)
}

/// Returns the limit to set, if it is any higher.
fn raised(now: &Rlimit) -> Option<Rlimit> {
    let current = now.current?;
    let possible = now.maximum.map_or(WANTED, |hard| hard.min(WANTED));
    (possible > current).then_some(Rlimit {
        current: Some(possible),
        maximum: now.maximum,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_leave_files_for_the_rest() {
        assert_eq!(lines(None), 1_000);
        assert_eq!(lines(Some(4_096)), 1_000);
        assert_eq!(lines(Some(1_024)), 928);
        assert_eq!(lines(Some(256)), 160);
        assert_eq!(lines(Some(0)), FEWEST_LINES);
        assert_eq!(lines(Some(u64::MAX)), 1_000);
    }

    #[test]
    fn the_limit_is_raised_as_far_as_it_is_of_use_and_allowed() {
        let limit = |current, maximum| Rlimit { current, maximum };
        let to = |current, maximum| raised(&limit(current, maximum)).and_then(|l| l.current);
        assert_eq!(to(Some(1_024), Some(524_288)), Some(4_096));
        assert_eq!(to(Some(1_024), None), Some(4_096));
        assert_eq!(to(Some(256), Some(1_024)), Some(1_024));
        assert_eq!(to(Some(1_024), Some(1_024)), None);
        assert_eq!(to(Some(65_536), Some(524_288)), None);
        assert_eq!(to(None, None), None);
    }
}
