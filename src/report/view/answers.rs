//! What was asked, and who answered what.

use jiff::Timestamp;

use super::{Fact, StageStatus, View};
use crate::model::{
    ActionCategory, ActionDeclaration, Answer, Decision, Digest, RiskLevel, StageName, WaveName,
};

/// An answer that did not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The answer.
    pub answer: Answer,
    /// Why not.
    pub reason: String,
}

/// The approval request and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval<'a> {
    /// The plan to look at.
    pub plan: Digest,
    /// The wave after which the rollout goes on or does not; none where the plan itself is asked about.
    pub wave: Option<&'a WaveName>,
    /// When it was asked for.
    pub requested: Timestamp,
    /// When the request ends.
    pub expires: Timestamp,
    /// The answer that counts.
    pub answer: Option<&'a Answer>,
    /// Whether nobody answered in time.
    pub expired: bool,
}

impl View {
    /// Returns the approval request and what became of it.
    pub fn approval(&self) -> Option<Approval<'_>> {
        let request = self.request.as_ref()?;
        let since = |seq: u64| seq > request.seq;
        let last = self.answers.last_key_value();
        let told = last.filter(|(seq, _)| since(**seq)).map(|(_, a)| a);
        Some(Approval {
            plan: request.value.0,
            wave: request.value.2.as_ref(),
            requested: request.at,
            expires: request.value.1,
            answer: told.or(self.outside.answer.as_ref()),
            expired: self.expired.as_ref().is_some_and(|fact| since(fact.seq))
                || told.is_none() && self.outside.is_late,
        })
    }

    /// Returns the answers that count, oldest first: about the plan, and about what comes after a wave of it. The last may be one
    /// that no process has made an event of yet.
    pub fn answers(&self) -> Vec<&Answer> {
        let mut answers: Vec<&Answer> = self.answers.values().collect();
        let newest = self.approval().and_then(|approval| approval.answer);
        answers.extend(newest.filter(|newest| !answers.iter().any(|a| std::ptr::eq(*a, *newest))));
        answers
    }

    /// Returns up to which risk the approval of the plan covers the rollback that follows where the rollout fails: none where what
    /// would be given back came in a file, and nothing proves that it is what the stacks had.
    pub fn covers(&self) -> Option<RiskLevel> {
        self.plan_answer()?
            .covers
            .filter(|_| !self.has_unproven_former())
    }

    /// Returns whether what the stacks had before came in a file with a plan whose digest does not cover it.
    pub fn has_unproven_former(&self) -> bool {
        let imported = self.imported.as_ref();
        imported.is_some_and(|imported| !imported.value.covers_former)
    }

    /// Returns the answer about the plan itself, whatever was answered about waves since.
    pub fn plan_answer(&self) -> Option<&Answer> {
        let mut newest = self.answers.values().rev();
        newest.find(|answer| answer.wave.is_none())
    }

    /// Returns whether an answer is awaited.
    pub fn awaits_answer(&self) -> bool {
        self.outcome().is_none()
            && self.given_up.is_none()
            && self
                .approval()
                .is_some_and(|a| a.answer.is_none() && !a.expired)
    }

    /// Returns the answers that did not count, oldest first.
    pub fn refusals(&self) -> impl Iterator<Item = &Refused> {
        self.refusals.values()
    }

    /// Returns how the approval ended without a yes, where that is why `stage` failed.
    pub(in crate::report) fn refused_stage(&self, stage: &StageName) -> Option<&'static str> {
        let is_failed = |fact: &Fact<StageStatus>| matches!(fact.value, StageStatus::Failed(_));
        self.stages.get(stage).filter(|fact| is_failed(fact))?;
        let mut stages = self.definition()?.pipeline.stages.iter();
        let actions = &stages.find(|declared| declared.name == *stage)?.actions;
        let is_approval =
            |a: &ActionDeclaration| a.action_type_id.category == ActionCategory::Approval;
        if !actions.iter().any(is_approval) {
            return None;
        }
        let approval = self.approval()?;
        match approval.answer.map(|answer| answer.decision) {
            Some(Decision::Reject) => Some("rejected"),
            Some(Decision::Approve) => None,
            None => approval.expired.then_some("expired"),
        }
    }
}
