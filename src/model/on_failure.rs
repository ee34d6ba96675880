//! What follows where a rollout fails.

use super::{ExecutionDefinition, PipelineDeclaration, RiskLevel};

/// The key of an action's configuration under which it says what follows where the rollout fails: `ROLLBACK`, with
/// CodePipeline's word for it. Whoever approves the plan approves that, too.
pub const ON_FAILURE: &str = "OnFailure";

/// Its one value.
pub const ROLLBACK: &str = "ROLLBACK";

impl ExecutionDefinition {
    /// Returns whether what the execution changed is rolled back where its rollout fails.
    pub fn rolls_back_on_failure(&self) -> bool {
        let mut actions = self.pipeline.actions();
        actions.any(|action| {
            action.configuration.get(ON_FAILURE).map(String::as_str) == Some(ROLLBACK)
        })
    }

    /// Returns up to which risk an approval that takes `limit`, and was given where nobody is asked, covers the rollback: a
    /// high risk is never covered.
    pub fn covered(&self, limit: RiskLevel) -> Option<RiskLevel> {
        self.rolls_back_on_failure()
            .then_some(limit.min(RiskLevel::Medium))
    }
}

impl PipelineDeclaration {
    /// Makes nothing follow where the rollout fails.
    pub fn ends_on_failure(&mut self) {
        for action in self.stages.iter_mut().flat_map(|s| &mut s.actions) {
            action.configuration.shift_remove(ON_FAILURE);
        }
    }
}

/// What a reviewer is told of it.
pub(super) const TOLD: &str = "if the rollout fails, the stacks that it changed get their former templates, parameters and tags \
                               back (`--on-failure rollback`), newest first: by a plan of its own, which is asked about where \
                               this one is answered in a terminal, and else covered by this approval up to the risk that it \
                               allows, at most medium; what \
                               cannot be known yet, such as values that cannot be read back, and new stacks stop it";
