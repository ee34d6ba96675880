//! What changes: in text, resources and properties; and how risky it is.

mod declared;
mod iam;
mod impact;
mod mask;
mod network;
mod outputs;
mod property;
mod rules;
mod stateful;
mod text;
mod value;

pub use impact::{Impact, ImpactKind, ImpactRow, impact};
pub use mask::{MASK, MASK_CHANGED, mask};
pub use property::{PropertyChange, path_text, properties};
pub use rules::{RULES, Rule, level, risks_of_target, when_deleted};
pub use stateful::is_stateful;
pub use text::{TextDiff, TextLine, TextTag, text_diff};
pub use value::{KNOWN_AFTER_APPLY, value_text};
