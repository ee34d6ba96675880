//! What a code host shows beside the lines of a change: failures, and changes that may do harm.

use std::collections::BTreeSet;

use crate::model::{LogicalId, Origin, RiskLevel, Target, TargetOutcome};

use super::review_data::{Place, Review, ReviewSources};
use super::words::{self, Places, count};
use super::{CauseGroup, Summary, View};

/// The annotations of one kind that are shown; GitHub shows as many of a step.
const SHOWN: usize = 10;

/// How an annotation looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something failed.
    Error,
    /// Something may do harm.
    Warning,
}

/// One remark, at a place of a file where that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// How it looks.
    pub severity: Severity,
    /// Where it belongs.
    pub place: Option<Place>,
    /// What it is about.
    pub title: String,
    /// What there is to say.
    pub message: String,
}

/// Returns what to remark about the execution in `view`: failures by cause, then high risks that nobody else
/// than a flag has approved.
pub fn annotations(
    view: &View,
    review: Option<&Review>,
    sources: &dyn ReviewSources,
) -> Vec<Annotation> {
    let targets: Vec<&Target> = view.targets().iter().map(|t| t.target()).collect();
    let places = Places::of(targets.iter().copied());
    let mut all = failures(view, sources, &places);
    cut(&mut all, Severity::Error);
    let answered = view.approval().and_then(|approval| approval.answer);
    let is_unseen = |origin| match origin {
        Origin::Flag | Origin::Beforehand => true,
        Origin::Prompt | Origin::Command => false,
    };
    if answered.is_none_or(|answer| is_unseen(answer.origin))
        && let Some(review) = review
    {
        let mut risks = risks(review);
        cut(&mut risks, Severity::Warning);
        all.extend(risks);
    }
    all
}

fn failures(view: &View, sources: &dyn ReviewSources, places: &Places) -> Vec<Annotation> {
    let summary = Summary::of(view);
    let of = |what: &str, group: &CauseGroup| Annotation {
        severity: Severity::Error,
        place: declared(view, sources, group),
        title: format!("{what} in {}", count(group.targets.len(), "target")),
        message: format!(
            "{}\n{}",
            words::cause(&group.cause),
            places.names(&group.targets).join(", ")
        ),
    };
    let mut all: Vec<Annotation> = Vec::new();
    all.extend(summary.failed.iter().map(|g| of("deployment failed", g)));
    all.extend(summary.not_planned.iter().map(|g| of("no change set", g)));
    all.extend(summary.unknown.iter().map(|g| of("end unknown", g)));
    all.extend(view.targets().iter().filter_map(|target| {
        let Some(TargetOutcome::Stale { differences }) = target.outcome() else {
            return None;
        };
        Some(Annotation {
            severity: Severity::Error,
            place: None,
            title: format!("stale: {}", places.name(target.target())),
            message: words::stale(differences),
        })
    }));
    all
}

/// Returns where the resource that failed is declared.
fn declared(view: &View, sources: &dyn ReviewSources, group: &CauseGroup) -> Option<Place> {
    let (resource, _): &(LogicalId, String) = group.cause.resource.as_ref()?;
    let planned = view.target(group.targets.first()?)?.planned()?;
    sources.place(&planned, resource, None)
}

fn risks(review: &Review) -> Vec<Annotation> {
    let mut told = BTreeSet::new();
    let resources = review.groups.iter().flat_map(|group| &group.resources);
    let mut all = Vec::new();
    for resource in resources {
        let high = resource
            .risks
            .iter()
            .filter(|r| r.weight() == RiskLevel::High);
        for risk in high {
            let what = (resource.place.clone(), &resource.logical_id, &risk.message);
            if told.insert(what) {
                all.push(Annotation {
                    severity: Severity::Warning,
                    place: resource.place.clone(),
                    title: format!("high risk: {}", resource.logical_id),
                    message: format!("{}: {}", resource.resource_type, risk.message),
                });
            }
        }
    }
    all
}

/// Keeps as many as are shown; the last one says how many there are besides.
fn cut(all: &mut Vec<Annotation>, severity: Severity) {
    if all.len() > SHOWN {
        let more = all.len() - (SHOWN - 1);
        all.truncate(SHOWN - 1);
        all.push(Annotation {
            severity,
            place: None,
            title: format!("and {more} more"),
            message: "the summary of the job lists them".to_owned(),
        });
    }
}

impl Annotation {
    /// Returns it as a workflow command of GitHub. `prefix` leads from the repository to the project: `app/`.
    pub fn github(&self, prefix: &str) -> String {
        let command = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let mut properties = Vec::new();
        if let Some(place) = &self.place {
            properties.push(format!(
                "file={}",
                property(&format!("{prefix}{}", place.file))
            ));
            properties.push(format!("line={},col={}", place.line, place.column));
        }
        properties.push(format!("title={}", property(&self.title)));
        format!(
            "::{command} {}::{}",
            properties.join(","),
            data(&self.message)
        )
    }
}

fn data(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(crate::model::clean).collect();
    lines.join("\n").replace('%', "%25").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{self, Template};
    use super::*;

    fn of(script: &fixtures::Script) -> String {
        let view = script.view();
        let review = Review::of(&view, &Template);
        let all = annotations(&view, Some(&review), &Template);
        let lines: Vec<String> = all.iter().map(|one| one.github("app/")).collect();
        lines.join("\n")
    }

    #[test]
    fn a_high_risk_is_a_warning_until_somebody_approved_it() {
        let mut script = fixtures::fleet();
        assert_eq!(
            of(&script),
            "::warning file=app/templates/network.yaml,line=41,col=3,title=high risk%3A Orders::AWS::DynamoDB::Table: \
             data loss: no UpdateReplacePolicy is known"
        );
        script.approve();
        assert_eq!(of(&script), "");
    }

    #[test]
    fn what_was_chosen_for_a_rule_decides() {
        use crate::model::{RiskChoice, RiskSetting};

        let view = fixtures::fleet().view();
        let with = |level: RiskLevel, setting: RiskSetting| {
            let mut review = Review::of(&view, &Template);
            let resources = review.groups.iter_mut().flat_map(|g| &mut g.resources);
            for risk in resources.flat_map(|resource| &mut resource.risks) {
                risk.level = level;
                risk.chosen = Some(RiskChoice {
                    setting,
                    place: "stackgate.yaml:1:1".to_owned(),
                });
            }
            risks(&review).len()
        };
        assert_eq!(with(RiskLevel::High, RiskSetting::Warn), 0);
        assert_eq!(with(RiskLevel::Low, RiskSetting::Approval), 1);
    }

    #[test]
    fn a_cause_is_one_error() {
        assert_eq!(
            of(&fixtures::halted()),
            "::error file=app/templates/network.yaml,line=41,col=3,title=deployment failed in 3 targets::\
             Orders (AWS::DynamoDB::Table): Cannot exceed quota for tables in account 111111111111 \
             (RequestToken: 11111111-0000-4000-8000-0a1b2c3d4e5f)%0A111111111111/eu-west-1, 222222222222/eu-west-1, \
             333333333333/eu-west-1"
        );
        assert!(
            of(&fixtures::stale()).starts_with("::error title=stale%3A 222222222222/eu-west-1::")
        );
    }

    #[test]
    fn a_text_cannot_become_a_command_or_a_property() {
        let hostile = Annotation {
            severity: Severity::Error,
            place: Some(Place {
                file: "a,line=9::x".to_owned(),
                line: 1,
                column: 1,
            }),
            title: "a::b,c=d\n::error::e".to_owned(),
            message: "100%\r\n::set-output name=x::y\u{1b}[31m".to_owned(),
        };
        assert_eq!(
            hostile.github(""),
            "::error file=a%2Cline=9%3A%3Ax,line=1,col=1,title=a%3A%3Ab%2Cc=d%0A%3A%3Aerror%3A%3Ae::\
             100%25%0A::set-output name=x::y[31m"
        );
    }

    #[test]
    fn many_are_cut_and_counted() {
        let one = Annotation {
            severity: Severity::Error,
            place: None,
            title: String::new(),
            message: String::new(),
        };
        let mut all = vec![one; 25];
        cut(&mut all, Severity::Error);
        assert_eq!(all.len(), SHOWN);
        assert_eq!(all[SHOWN - 1].title, "and 16 more");
    }
}
