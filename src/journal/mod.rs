//! The append-only log of executions, the lease and the inbox.
