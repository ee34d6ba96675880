//! Requests for approval and whether an answer to one counts.

use jiff::Timestamp;

use crate::model::{Answer, Approver, Decision, Digest, WaveName};

/// How long a request waits for its answer unless said otherwise: seven days, as in CodePipeline.
pub const DEFAULT_VALIDITY_MINUTES: u32 = 10_080;

/// A request to approve a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The plan to look at.
    pub plan: Digest,
    /// The wave after which the rollout goes on or does not; none where the plan itself is asked about.
    pub wave: Option<WaveName>,
    /// When it was made.
    pub requested: Timestamp,
    /// When it ends; an answer given at this moment is too late.
    pub expires: Timestamp,
    /// The answer that counts, once there is one.
    pub answered: Option<Answer>,
}

/// Why an answer does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is an answer already; the first one counts.
    #[error("the plan was already {} by {} at {at:.0}", past(*.decision), person(.by))]
    AlreadyAnswered {
        /// What was decided.
        decision: Decision,
        /// By whom.
        by: Box<Approver>,
        /// When.
        at: Timestamp,
    },
    /// The request had ended.
    #[error("the request for approval ended at {expires:.0}; plan again to get a new one")]
    Expired {
        /// When it ended.
        expires: Timestamp,
    },
    /// The answer is about another plan.
    #[error(
        "the answer is about plan {}, but the execution asks about plan {}; look at that plan and answer again",
        .answered.short(), .requested.short()
    )]
    OtherPlan {
        /// The plan that the execution asks about.
        requested: Digest,
        /// The plan that the answer names.
        answered: Digest,
    },
    /// The answer is about another question.
    #[error("the answer is about {}, but the execution asks about {}", subject(.answered), subject(.requested))]
    OtherWave {
        /// What the execution asks about.
        requested: Option<WaveName>,
        /// What the answer is about.
        answered: Option<WaveName>,
    },
}

/// Returns the decision of `answer` if it counts, read at `now`.
///
/// An answer given in time counts even when nobody read it in time: the process that runs the execution may
/// have been away, and what the stacks have become since is checked before each is executed.
pub fn judge(request: &Request, answer: &Answer, now: Timestamp) -> Result<Decision, Refusal> {
    if let Some(first) = &request.answered {
        return Err(Refusal::AlreadyAnswered {
            decision: first.decision,
            by: Box::new(first.approver.clone()),
            at: first.at,
        });
    }
    let given = if answer.at < request.requested {
        // Nobody answers before the question: a clock that is this late says nothing of when it was, so ours does.
        now
    } else {
        // The clock of another machine may be ahead: an answer is never from the future.
        answer.at.min(now)
    };
    if has_expired(request, given) {
        return Err(Refusal::Expired {
            expires: request.expires,
        });
    }
    if answer.plan != request.plan {
        return Err(Refusal::OtherPlan {
            requested: request.plan,
            answered: answer.plan,
        });
    }
    // Two may approve a plan at once: the second answer is none to what is asked after the canary.
    if answer.wave != request.wave {
        return Err(Refusal::OtherWave {
            requested: request.wave.clone(),
            answered: answer.wave.clone(),
        });
    }
    Ok(answer.decision)
}

/// Returns whether nobody answered in time. Answers that wait to be read come first.
pub fn has_expired(request: &Request, now: Timestamp) -> bool {
    request.answered.is_none() && now >= request.expires
}

fn subject(wave: &Option<WaveName>) -> String {
    match wave {
        Some(wave) => format!("what follows wave {wave}"),
        None => "the plan".to_owned(),
    }
}

fn past(decision: Decision) -> &'static str {
    match decision {
        Decision::Approve => "approved",
        Decision::Reject => "rejected",
    }
}

fn person(approver: &Approver) -> String {
    let Approver { arn, os_user, host } = approver;
    let place = format!("{os_user}@{host}");
    let text = match arn {
        Some(arn) => format!("{arn} ({place})"),
        None => place,
    };
    // Names come from other machines and end up on terminals.
    crate::model::clean(&text)
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;

    use super::*;
    use crate::model::Origin;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn request() -> Request {
        let requested = at("2026-03-01T12:00:00Z");
        Request {
            plan: Digest::of(b"plan"),
            wave: None,
            requested,
            expires: requested + i64::from(DEFAULT_VALIDITY_MINUTES).minutes(),
            answered: None,
        }
    }

    fn answer(decision: Decision, at: Timestamp) -> Answer {
        Answer {
            decision,
            plan: Digest::of(b"plan"),
            wave: None,
            approver: Approver {
                arn: Some("arn:aws:iam::111111111111:user/ana".to_owned()),
                os_user: "ana".to_owned(),
                host: "laptop".to_owned(),
            },
            origin: Origin::Command,
            at,
            summary: String::new(),
            covers: None,
        }
    }

    #[test]
    fn the_default_validity_is_seven_days() {
        assert_eq!(request().expires, at("2026-03-08T12:00:00Z"));
    }

    #[test]
    fn an_answer_about_the_plan_in_time_counts() {
        let now = at("2026-03-08T11:59:59Z");
        for decision in [Decision::Approve, Decision::Reject] {
            assert_eq!(judge(&request(), &answer(decision, now), now), Ok(decision));
        }
    }

    #[test]
    fn an_answer_at_the_end_is_too_late() {
        let now = at("2026-03-08T12:00:00Z");
        let refusal = judge(&request(), &answer(Decision::Approve, now), now).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "the request for approval ended at 2026-03-08T12:00:00Z; plan again to get a new one"
        );
        assert!(has_expired(&request(), now));
        assert!(!has_expired(&request(), at("2026-03-08T11:59:59Z")));
    }

    #[test]
    fn an_answer_given_in_time_and_read_late_counts() {
        let given = answer(Decision::Approve, at("2026-03-07T09:00:00Z"));
        let read = at("2026-03-20T09:00:00Z");
        assert_eq!(judge(&request(), &given, read), Ok(Decision::Approve));
    }

    #[test]
    fn a_clock_ahead_of_ours_does_not_make_an_answer_late() {
        let given = answer(Decision::Approve, at("2026-03-09T09:00:00Z"));
        let read = at("2026-03-02T09:00:00Z");
        assert_eq!(judge(&request(), &given, read), Ok(Decision::Approve));
    }

    #[test]
    fn a_clock_far_behind_ours_does_not_make_a_late_answer_early() {
        let given = answer(Decision::Approve, at("2026-03-01T11:59:59Z"));
        let judged = |read: &str| judge(&request(), &given, at(read));
        assert_eq!(judged("2026-03-08T11:59:59Z"), Ok(Decision::Approve));
        let late = judged("2026-03-08T12:00:00Z").unwrap_err();
        assert!(matches!(late, Refusal::Expired { .. }), "{late}");
    }

    #[test]
    fn an_answer_about_another_plan_is_refused() {
        let now = at("2026-03-01T13:00:00Z");
        let mut other = answer(Decision::Approve, now);
        other.plan = Digest::of(b"another plan");
        let refusal = judge(&request(), &other, now).unwrap_err();
        assert_eq!(
            refusal,
            Refusal::OtherPlan {
                requested: Digest::of(b"plan"),
                answered: other.plan
            }
        );
        assert!(refusal.to_string().contains(&other.plan.short()));
        assert!(refusal.to_string().contains(&request().plan.short()));
    }

    #[test]
    fn the_first_answer_counts_whatever_the_second_says() {
        let now = at("2026-03-01T13:00:00Z");
        let answered = Request {
            answered: Some(answer(Decision::Reject, now)),
            ..request()
        };
        let late = at("2027-01-01T00:00:00Z");
        for (decision, when) in [(Decision::Approve, now), (Decision::Reject, late)] {
            let refusal = judge(&answered, &answer(decision, when), when).unwrap_err();
            assert_eq!(
                refusal.to_string(),
                "the plan was already rejected by arn:aws:iam::111111111111:user/ana (ana@laptop) at 2026-03-01T13:00:00Z"
            );
        }
        assert!(
            !has_expired(&answered, late),
            "an answered request does not expire"
        );
    }

    #[test]
    fn names_of_approvers_cannot_steer_the_terminal() {
        let by = Approver {
            arn: None,
            os_user: "eve\u{1b}[2J".to_owned(),
            host: "h\u{202e}ost".to_owned(),
        };
        assert_eq!(person(&by), "eve[2J@host");
    }
}
