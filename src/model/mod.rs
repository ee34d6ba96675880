//! Plain values that every room speaks. Nothing here decides, waits or does I/O.

mod aftermath;
mod alarm;
mod artifact;
mod bucket;
mod change;
mod decision;
mod declaration;
mod denial;
mod digest;
mod drift;
mod event;
mod failure;
mod gate_command;
mod ids;
mod inputs;
mod limits;
mod lookup;
mod nearest;
mod newest_events;
mod observation;
mod on_failure;
pub mod options;
mod plan;
mod preferences;
mod priority;
mod proof;
mod reasons;
mod recovery;
mod risk;
mod selection;
mod shared;
mod stack;
mod stack_status;
mod stack_wait;
pub mod status_reason;
mod target;
mod text;
mod uploads;
mod wave;

pub use aftermath::{by_others, newest_of};
pub use alarm::{AlarmCheck, AlarmFound, AlarmName, AlarmState, NoAlarmName};
pub use artifact::{ArtifactPath, ArtifactPathError, ArtifactRef, SourceRevision};
pub use bucket::{
    BucketError, LARGEST_INLINE_TEMPLATE, LARGEST_TEMPLATE, TemplateBucket, TemplateBuckets,
    goes_through_bucket,
};
pub use change::{
    ChangeAction, ChangeDetail, ChangeScope, Evaluation, PolicyAction, Recreation, Replacement,
    ResourceChange,
};
pub use decision::{Answer, Approver, Decision, InboxMessage, Origin, StopMode, StopRequest};
pub use declaration::{
    ActionCategory, ActionDeclaration, ActionTypeId, ArtifactName, FanOut, NamedArtifact,
    PipelineDeclaration, StageDeclaration,
};
pub use denial::{Denial, DeniedBy, PolicyKind};
pub use digest::{Digest, ParseDigestError};
pub use drift::{
    BeforeFrom, DriftStatus, IgnoredAttribute, PropertyDrift, ResourceDrift, SetDrift, StackDrift,
};
pub use event::{
    Chosen, CleanupWhy, Event, EventKind, ExecutionDefinition, FOUND_AHEAD, Follows, Invocation,
    NOTES, STACK_IDS, STACKS_LEFT, Scope, StackLeft,
};
pub use failure::{CallFailure, FailureKind};
pub use gate_command::{CommandFile, GateCommand};
pub use ids::{
    AccountId, ActionName, ChangeSetId, ChangeSetName, ExecutionId, IdError, LogicalId,
    OrganizationalUnitId, Region, StackId, StackName, StageName, WaveName,
};
pub use inputs::{
    EffectiveParameter, Layer, OverrideLine, ParameterValue, Provenance, SecretRef, SecretRefError,
    TargetInputs,
};
pub use limits::Limits;
pub use lookup::{LookedUp, Lookup};
pub use nearest::nearest;
pub use newest_events::NEWEST_EVENTS;
pub use observation::{
    Collection, DeletableStack, Ending, Preparation, Reading, Removal, Settlement,
};
pub use on_failure::{ON_FAILURE, ROLLBACK};
pub use options::{
    ImportedResource, OnStackFailure, OptionError, RollbackTrigger, StackOptions, StackSetting,
};
pub use plan::{Base, ChangeSetKind, ChangeSetOutcome, GoneExport, PlannedTarget, Staleness};
pub use preferences::{
    ConcurrencyMode, CountOrPercent, OperationPreferences, ParseCountError, RegionConcurrency,
};
pub use priority::Priority;
pub use proof::{Proof, Verdict};
pub use reasons::{
    Cause, EXECUTED_ELSEWHERE, ExecutionOutcome, LEFT_TO_ANOTHER_RUN, PauseReason, Silence,
    SkipReason, TargetOutcome,
};
pub use recovery::Recovery;
pub use risk::{Risk, RiskChoice, RiskChoices, RiskChoicesError, RiskLevel, RiskSetting};
pub use selection::{AccountState, LeftOut, LeftOutWhy};
pub use stack::{Caller, StackEvent, StackSummary};
pub use stack_status::{Sentiment, StackStatus};
pub use stack_wait::{ParseWaitError, StackWait};
pub use target::{RoleSession, Target, TargetSpec};
pub use text::{base64, clean, inert};
pub use uploads::{BucketObject, PackagedObject, Uploads};
pub use wave::{EndedTarget, Gate, GatePlace, Wave};
