//! Who runs an execution.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::model::ExecutionId;

/// How long a process that is not heard of keeps its lease.
pub const LEASE_TTL: SignedDuration = SignedDuration::from_secs(15);

/// How often the owner says that it lives: two may be lost before the lease is.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);

/// The right to append to an execution, until another process takes it over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub(super) execution: ExecutionId,
    pub(super) owner: String,
    pub(super) fence: u64,
}

impl Lease {
    /// Returns the execution.
    pub fn execution(&self) -> &ExecutionId {
        &self.execution
    }

    /// Returns who holds it.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Returns its fencing number: greater than that of every earlier lease of the execution.
    pub fn fence(&self) -> u64 {
        self.fence
    }
}

/// The process that holds an execution's lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its name: host and process id.
    pub name: String,
    /// When it was last heard of.
    pub heartbeat: Timestamp,
}

impl Owner {
    /// Returns whether it was heard of recently enough to hold its lease.
    pub fn is_alive(&self, now: Timestamp) -> bool {
        // A heartbeat far in the future is from before the clock was set back; its writer would have
        // written another one since.
        now.duration_since(self.heartbeat).abs() < LEASE_TTL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_lives_for_the_time_of_its_lease() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let alive = |seconds| {
            let owner = Owner {
                name: "host 1".into(),
                heartbeat: now - SignedDuration::from_secs(seconds),
            };
            owner.is_alive(now)
        };
        assert!(alive(0) && alive(14) && alive(-14));
        assert!(!alive(15) && !alive(3600) && !alive(-3600));
    }
}
