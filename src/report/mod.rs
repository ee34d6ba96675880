//! Events folded into a view, then drawn.

mod advice;
mod annotations;
mod causes;
mod clean;
mod diff;
mod diff_data;
mod diff_markdown;
mod diff_raw;
mod diff_words;
#[cfg(test)]
mod documents;
mod drift;
mod events;
#[cfg(test)]
mod fixtures;
mod fleet;
mod followed;
mod halted;
mod html;
mod impact;
mod left_out;
mod lines;
mod links;
mod list;
mod live;
mod markdown;
mod next;
mod overwritten;
mod parameters;
mod recorded;
mod recover;
mod rehearsal;
mod review;
mod review_data;
mod review_facts;
mod review_resource;
mod risk_rules;
mod rolled_back;
#[cfg(test)]
#[path = "../../tests/support/schema.rs"]
mod schema;
mod screen;
mod status;
mod summary;
mod target_view;
mod versions;
mod view;
mod waves;
mod words;

pub use annotations::{Annotation, Severity, annotations};
pub use causes::{CauseGroup, SkipGroup};
pub use clean::{Cleaning, Fate, Kept, Leftover, LeftoverKind, NotLookedAt, cleaning};
pub use diff::diff;
pub use diff_data::{Diff, DiffGroup, NotCompared, ParameterChange, ParameterDiff, TargetDiff};
pub use diff_markdown::{markdown_diff, markdown_raw_diff};
pub use diff_raw::{RawDiff, RawText, raw_diff};
pub use drift::{Drift, DriftGroup, TargetDrift, drift};
pub use events::{EventLine, EventText, Events};
pub use followed::{Followed, Follower, Since, directed, since};
pub use halted::HaltedRegion;
pub use html::{html, html_text};
pub use left_out::left_out_line;
pub use lines::Lines;
pub use list::{List, ListEntry, list};
pub use live::Live;
pub use markdown::{markdown, markdown_list, markdown_of_file, markdown_text};
pub use overwritten::{Newer, gates_first};
pub use parameters::{ExplainedParameter, Parameters, TargetParameters, parameters};
pub use recorded::Recorded;
pub use recover::{Recovering, RecoveryFate, RecoveryTarget, recovering};
pub use rehearsal::{
    Durations, Figures, RegionOfRun, Rehearsed, RehearsedRun, Spread, SpreadOf, SpreadRegion,
    TimelineRow, TypicalRun, Verdict, WhatIf, rehearsal,
};
pub use review::{draw, review};
pub use review_data::{
    NoSources, ParameterUse, Place, Review, ReviewGroup, ReviewParameter, ReviewProperty,
    ReviewReason, ReviewResource, ReviewSources, RiskGroup,
};
pub use risk_rules::{RiskRule, RiskRules, risk_rules};
pub use rolled_back::RolledBack;
pub use screen::ScreenOptions;
pub use status::{ApprovalStatus, RefusedAnswer, Stage, Status, TargetStatus, status};
pub use summary::{StaleTarget, Summary, TargetOutputs, summary, summary_so_far};
pub use target_view::{Phase, TargetView};
pub use versions::Versions;
pub use view::{Approval, Counts, Direction, Refused, Source, StageStatus, State, View};
pub use waves::{GateReached, GateStage, WaveStatus, wave_account};
pub use words::{count, time, unreached};

/// The version of the documents for machines, which `docs/json.md` describes.
pub const DOCUMENT_VERSION: u32 = 1;
