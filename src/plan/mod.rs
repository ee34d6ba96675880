//! The change sets of all targets: grouping, digest, staleness.
