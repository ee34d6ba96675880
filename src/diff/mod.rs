//! What changes: in text, resources and properties; and how risky it is.

mod account;
mod addresses;
mod declared;
mod detected;
mod drift;
#[cfg(test)]
mod fixtures;
mod iam;
mod impact;
mod judged;
mod kept;
mod mask;
mod network;
mod outputs;
mod property;
mod rules;
mod semantic;
mod shown;
mod stateful;
mod text;
mod unknown;
mod value;

pub use account::{Account, Reason};
pub use detected::{Difference, DriftedProperty, DriftedResource, detected};
pub use drift::{DriftFate, drift_fate};
pub use impact::{Impact, ImpactKind, ImpactRow, impact};
pub use kept::{DefaultDiff, kept_default};
pub use mask::{MASK, MASK_CHANGED, SHORTEST_KNOWN, mask};
pub use outputs::gone_exports;
pub use property::{PropertyChange, path_text, properties};
pub use rules::{RULES, Rule, are_told, level, risks_of_target, when_deleted};
pub use semantic::{
    EntryDiff, EntryKind, Section, Side, Step, TemplateDiff, ValueDiff, ValueKind, compare,
    compare_trees, steps_text,
};
#[cfg(test)]
pub(crate) use shown::of_texts;
pub use shown::{EntryChange, ShownEntry, ShownPlace, ShownText, ShownValue, TextForm, shown};
pub use stateful::is_stateful;
pub use text::{TextDiff, TextLine, TextTag, text_diff};
pub use value::{KNOWN_AFTER_APPLY, says_the_same, value_text};
