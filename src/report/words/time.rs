//! Times and durations.

use jiff::{SignedDuration, Timestamp};

use super::super::View;

/// Returns a duration as people say it: `1.8 s`, `2 min 3 s`, `3 h 4 min`, `6 d 23 h`.
pub(in crate::report) fn duration(duration: SignedDuration) -> String {
    let millis = duration.as_millis().max(0);
    let seconds = millis / 1000;
    match seconds {
        0..10 => format!("{}.{} s", seconds, millis % 1000 / 100),
        10..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// Returns the duration between two times.
pub(in crate::report) fn between(from: Timestamp, to: Timestamp) -> String {
    duration(to.duration_since(from))
}

/// Returns how long an execution took, with what of that it waited for people: `12 min 3 s, of which 9 min 2 s waiting for
/// approval`.
pub(in crate::report) fn took(view: &View, from: Timestamp, to: Timestamp) -> String {
    let waited = view.waited(to);
    let told = |time: SignedDuration, what: &str| {
        (time >= WORTH_TELLING).then(|| format!("{} {what}", duration(time)))
    };
    let parts: Vec<String> = [
        told(waited.approval, "waiting for approval"),
        told(waited.paused, "paused"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let took = between(from, to);
    match parts.is_empty() {
        true => took,
        false => format!("{took}, of which {}", parts.join(" and ")),
    }
}

/// What is shorter is no wait: an answer that was there already is taken up at once.
const WORTH_TELLING: SignedDuration = SignedDuration::from_secs(1);

/// Returns a time to the second, in UTC.
pub fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Returns a time to the second, in UTC, as short as it can be told from local time.
pub(in crate::report) fn short_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// Returns a time to the minute, likewise.
pub(in crate::report) fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%MZ").to_string()
}

/// Returns the hours, minutes and seconds of a time, in UTC.
pub(in crate::report) fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M:%S").to_string()
}
