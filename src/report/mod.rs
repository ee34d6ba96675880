//! Events folded into a view, then drawn.

mod causes;
#[cfg(test)]
mod fixtures;
mod review;
mod review_data;
mod review_resource;
mod screen;
mod target_view;
mod view;
mod words;

pub use causes::{CauseGroup, SkipGroup};
pub use review::{draw, review};
pub use review_data::{
    DifferingParameter, NoSources, ParameterUse, Place, Review, ReviewGroup, ReviewProperty,
    ReviewResource, ReviewSources, RiskGroup,
};
pub use screen::ScreenOptions;
pub use target_view::{Phase, TargetView};
pub use view::{Approval, Counts, Fact, Refused, Source, StageStatus, State, View};
