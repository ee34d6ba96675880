//! Events folded into a view, then drawn.

mod screen;
mod target_view;
mod view;
mod words;

pub use screen::ScreenOptions;
pub use target_view::{Phase, TargetView};
pub use view::{Approval, Counts, Fact, Refused, Source, StageStatus, State, View};
