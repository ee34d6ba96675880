//! Executions of the journal that cannot be read: they are passed over where others are looked for, and never silently.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::output;
use crate::journal::JournalError;

/// Says on standard error that an execution was passed over and why; once, however often it is come upon.
pub(super) fn tell(error: &JournalError) {
    static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let text = format!("warning: {error}\n");
    // A set of texts is whole after a panic, too.
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    if told.insert(text.clone()) {
        output::stderr(&text);
    }
}

/// Returns what was read, or nothing of what cannot be, which is told of.
pub(super) fn found<T>(read: Result<T, JournalError>) -> Option<T> {
    read.inspect_err(tell).ok()
}
