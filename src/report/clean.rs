//! What executions left behind, what of it is removed, and why the rest stays.

use indexmap::IndexMap;
use serde::Serialize;

use crate::model::{ExecutionId, Target, status_reason};

use super::DOCUMENT_VERSION;
use super::screen::{Line, Page, ScreenOptions, Tone};
use super::words::{self, Places, count};

/// What was found over all targets, and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cleaning {
    /// Which document this is.
    pub document: &'static str,
    /// The version of this form.
    pub version: u32,
    /// How many targets were looked at.
    pub looked_at: usize,
    /// Change sets and stacks, in the order of the targets.
    pub leftovers: Vec<Leftover>,
    /// How many change sets have no name of this program's.
    pub others: usize,
    /// Targets that could not be looked at.
    pub not_looked_at: Vec<NotLookedAt>,
}

/// A change set with a name of this program's, or a stack in review.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Leftover {
    /// Where it is.
    pub target: Target,
    /// What it is.
    pub kind: LeftoverKind,
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub id: String,
    /// The execution that made it, where the journal knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution: Option<ExecutionId>,
    /// What becomes of it.
    pub fate: Fate,
}

/// What is left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftoverKind {
    /// A change set.
    ChangeSet,
    /// An empty stack in review.
    ReviewStack,
}

/// What becomes of a leftover.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is abandoned, and can be removed.
    Removable,
    /// It was removed.
    Removed,
    /// It stays.
    Kept {
        /// Why.
        why: Kept,
    },
    /// It was to be removed, and is there still.
    NotRemoved {
        /// Why.
        reason: String,
    },
}

/// Why something stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// A process works on its execution.
    Running,
    /// Its plan waits for an answer.
    WaitingForApproval,
    /// Nobody works on its execution, which can be resumed.
    Resumable,
    /// Its plan was carried away in a file, and may be executed from there.
    CarriedAway {
        /// The file.
        file: String,
    },
    /// It cannot be told whether it was executed.
    OutcomeUnknown,
    /// The service makes, executes or deletes it now.
    UnderWay {
        /// Its status.
        status: String,
    },
    /// It is named as this program names change sets, and no execution of this journal made it.
    NotOfThisJournal,
    /// Its execution made another change set of that name.
    AnotherOfThatName,
    /// The stack has change sets that stay.
    HasChangeSets,
}

/// Targets that could not be looked at for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotLookedAt {
    /// The reason, in the words of the first target.
    pub reason: String,
    /// The targets.
    pub targets: Vec<Target>,
}

impl NotLookedAt {
    /// Returns targets with equal reasons together.
    pub(super) fn grouped(failures: Vec<(Target, String)>) -> Vec<Self> {
        let mut groups: IndexMap<String, Self> = IndexMap::new();
        for (target, reason) in failures {
            let key = status_reason::normalised(&reason);
            let group = groups.entry(key).or_insert_with(|| Self {
                reason,
                targets: Vec::new(),
            });
            group.targets.push(target);
        }
        groups.into_values().collect()
    }
}

impl Kept {
    /// Returns why several things stay, in a few words.
    fn reason(&self) -> &'static str {
        match self {
            Self::Running => "of running executions",
            Self::WaitingForApproval => "waiting for an answer",
            Self::Resumable => "of executions to resume",
            Self::CarriedAway { .. } => "of plans in files",
            Self::OutcomeUnknown => "of unknown outcome",
            Self::UnderWay { .. } => "under way",
            Self::NotOfThisJournal => "of other journals",
            Self::AnotherOfThatName => "with another ARN than known",
            Self::HasChangeSets => "with change sets that stay",
        }
    }

    /// Returns why it stays, and what could be done about that.
    fn words(&self, execution: Option<&ExecutionId>) -> String {
        let id = execution.map(ToString::to_string).unwrap_or_default();
        match self {
            Self::Running => format!("a process works on it; see `stackgate status {id}`"),
            Self::WaitingForApproval => {
                format!("waits for an answer; `stackgate reject {id}` removes it")
            }
            Self::Resumable => format!(
                "can be resumed; `stackgate resume {id}` goes on, `stackgate stop {id} --give-up` removes it"
            ),
            Self::CarriedAway { file } => format!(
                "its plan is in {file}, and may be executed from there; while it waits, `stackgate reject {id}` takes it back"
            ),
            Self::OutcomeUnknown => {
                "it cannot be told whether it was executed; look at the stack, then delete it by hand"
                    .to_owned()
            }
            Self::UnderWay { status } => format!("is {status}; look again later"),
            Self::NotOfThisJournal => {
                "made from another journal, where it may wait for an answer; `stackgate clean` there knows, and \
                 `--unknown-older-than 30d` removes it where it is older"
                    .to_owned()
            }
            Self::AnotherOfThatName => {
                "its ARN is not the one that the journal knows; delete it by hand if nobody needs it"
                    .to_owned()
            }
            Self::HasChangeSets => "has change sets that stay".to_owned(),
        }
    }
}

impl Leftover {
    fn noun(&self) -> &'static str {
        match self.kind {
            LeftoverKind::ChangeSet => "change set",
            LeftoverKind::ReviewStack => "empty stack",
        }
    }
}

impl Cleaning {
    /// Returns the document of what was found.
    pub fn new(
        looked_at: usize,
        leftovers: Vec<Leftover>,
        others: usize,
        failures: Vec<(Target, String)>,
    ) -> Self {
        Self {
            document: "clean",
            version: DOCUMENT_VERSION,
            looked_at,
            leftovers,
            others,
            not_looked_at: NotLookedAt::grouped(failures),
        }
    }

    /// Returns how many change sets and how many stacks have a fate, in words; none where nothing has it.
    pub fn how_many(&self, fate: &Fate) -> Option<String> {
        let of = |kind: LeftoverKind| {
            let all = self.leftovers.iter();
            all.filter(|one| one.kind == kind && one.fate == *fate)
                .count()
        };
        let counts = [
            (of(LeftoverKind::ChangeSet), "change set"),
            (of(LeftoverKind::ReviewStack), "empty stack"),
        ];
        let told: Vec<String> = counts
            .into_iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, noun)| count(number, noun))
            .collect();
        (!told.is_empty()).then(|| words::listed(&told))
    }

    /// Returns whether something could not be looked at, or not be removed.
    pub fn has_failed(&self) -> bool {
        let left = |one: &Leftover| matches!(one.fate, Fate::NotRemoved { .. });
        !self.not_looked_at.is_empty() || self.leftovers.iter().any(left)
    }
}

/// Returns what was found and what became of it.
pub fn cleaning(all: &Cleaning, options: &ScreenOptions) -> String {
    let mut page = Page::new(options);
    let named = all.leftovers.iter().map(|one| &one.target);
    let unread = all.not_looked_at.iter().flat_map(|group| &group.targets);
    let places = Places::of(named.chain(unread));
    headline(&mut page, all);
    kept(&mut page, all);
    for one in &all.leftovers {
        leftover(&mut page, one, &places);
    }
    if all.others > 0 {
        let text = format!(
            "  {} of others, left alone",
            count(all.others, "change set")
        );
        page.line(Line::of(Tone::Dim, &text), 4);
    }
    for group in &all.not_looked_at {
        let number = count(group.targets.len(), "target");
        let mut line = Line::of(Tone::Bad, &format!("  {number} not looked at"));
        line.push(Tone::Plain, &format!("   {}", group.reason));
        page.line(line, 6);
        page.items(Line::indent(6), 6, Tone::Dim, &places.names(&group.targets));
    }
    page.finish()
}

fn headline(page: &mut Page<'_>, all: &Cleaning) {
    let looked_at = count(all.looked_at, "target");
    let (text, tone) = if let Some(removed) = all.how_many(&Fate::Removed) {
        (format!("removed {removed}"), Tone::Good)
    } else if let Some(removable) = all.how_many(&Fate::Removable) {
        (format!("{removable} can be removed"), Tone::Warn)
    } else {
        ("nothing to remove".to_owned(), Tone::Good)
    };
    page.line(
        Line::of(tone, &text).add(Tone::Dim, &format!("   {looked_at} looked at")),
        2,
    );
}

/// Says how much stays, and why: a reason that holds for several once.
fn kept(page: &mut Page<'_>, all: &Cleaning) {
    let mut reasons: IndexMap<&'static str, usize> = IndexMap::new();
    for one in &all.leftovers {
        if let Fate::Kept { why } = &one.fate {
            *reasons.entry(why.reason()).or_default() += 1;
        }
    }
    let number: usize = reasons.values().sum();
    if number == 0 {
        return;
    }
    let texts = reasons.iter();
    let texts: Vec<String> = texts
        .map(|(why, number)| format!("{number} {why}"))
        .collect();
    let line = Line::of(Tone::Plain, &format!("  {number} kept   "));
    page.items(line, 4, Tone::Dim, &texts);
}

fn leftover(page: &mut Page<'_>, one: &Leftover, places: &Places) {
    let (symbol, tone) = match &one.fate {
        Fate::Removable | Fate::Removed => ("-", Tone::Warn),
        Fate::Kept { .. } => ("=", Tone::Dim),
        Fate::NotRemoved { .. } => ("!", Tone::Bad),
    };
    let mut line = Line::of(tone, &format!("  {symbol} "));
    line.push(Tone::Plain, one.noun());
    line.push(Tone::Strong, &format!(" {}", one.name));
    line.push(Tone::Dim, &format!("   {}", places.name(&one.target)));
    page.line(line, 6);
    let more = match &one.fate {
        Fate::Removable | Fate::Removed => one
            .execution
            .as_ref()
            .map(|id| (Tone::Dim, format!("of execution {id}, which has ended"))),
        Fate::Kept { why } => Some((Tone::Plain, why.words(one.execution.as_ref()))),
        Fate::NotRemoved { reason } => Some((Tone::Bad, format!("not removed: {reason}"))),
    };
    if let Some((tone, text)) = more {
        page.line(Line::indent(6).add(tone, &text), 8);
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{self, assert_screens};
    use super::super::schema::assert_documented;
    use super::*;

    fn found() -> Cleaning {
        let targets = fixtures::four();
        let id = ExecutionId::new("01938f5e-0000-7000-8000-000000000001").unwrap();
        let leftover = |at: usize, kind, name: &str, known: bool, fate| Leftover {
            target: targets[at].clone(),
            kind,
            name: name.to_owned(),
            id: format!("arn:aws:cloudformation:us-east-1:111111111111:changeSet/{name}/1"),
            execution: known.then(|| id.clone()),
            fate,
        };
        let kept = |why| Fate::Kept { why };
        let set = LeftoverKind::ChangeSet;
        let file = "network.plan".to_owned();
        let status = "EXECUTE_IN_PROGRESS".to_owned();
        Cleaning::new(
            4,
            vec![
                leftover(
                    0,
                    set,
                    "stackgate-0123456789abcdef01234567",
                    true,
                    Fate::Removable,
                ),
                leftover(
                    0,
                    LeftoverKind::ReviewStack,
                    "network",
                    true,
                    Fate::Removable,
                ),
                leftover(1, set, "stackgate-1", true, kept(Kept::Running)),
                leftover(1, set, "stackgate-2", true, kept(Kept::WaitingForApproval)),
                leftover(1, set, "stackgate-3", true, kept(Kept::Resumable)),
                leftover(
                    1,
                    set,
                    "stackgate-4",
                    true,
                    kept(Kept::CarriedAway { file }),
                ),
                leftover(1, set, "stackgate-5", true, kept(Kept::OutcomeUnknown)),
                leftover(2, set, "stackgate-6", true, kept(Kept::UnderWay { status })),
                leftover(2, set, "stackgate-7", false, kept(Kept::NotOfThisJournal)),
                leftover(
                    2,
                    set,
                    "stackgate-8\u{1b}[2J",
                    true,
                    kept(Kept::AnotherOfThatName),
                ),
                leftover(
                    2,
                    LeftoverKind::ReviewStack,
                    "network",
                    true,
                    kept(Kept::HasChangeSets),
                ),
            ],
            2,
            vec![
                (
                    targets[2].clone(),
                    "ListChangeSets in 111111111111/eu-west-1: AccessDenied: no".to_owned(),
                ),
                (
                    targets[3].clone(),
                    "ListChangeSets in 222222222222/eu-west-1: AccessDenied: no".to_owned(),
                ),
            ],
        )
    }

    #[test]
    fn everything_is_told_with_why_it_stays() {
        assert_screens!("clean", |options: &ScreenOptions| cleaning(
            &found(),
            options
        ));
    }

    #[test]
    fn what_became_of_it_is_told() {
        let mut all = found();
        all.leftovers.truncate(2);
        all.leftovers[0].fate = Fate::Removed;
        all.leftovers[1].fate = Fate::NotRemoved {
            reason: "the stack is in CREATE_COMPLETE, no longer in review".to_owned(),
        };
        all.others = 0;
        all.not_looked_at.clear();
        assert!(all.has_failed());
        insta::assert_snapshot!(cleaning(&all, &ScreenOptions::default()));
        all.leftovers.clear();
        assert!(!all.has_failed());
        assert!(cleaning(&all, &ScreenOptions::default()).starts_with("nothing to remove"));
    }

    #[test]
    fn the_document_is_as_its_schema_says() {
        let mut all = found();
        assert_documented(&serde_json::to_value(&all).unwrap());
        all.leftovers[0].fate = Fate::Removed;
        all.leftovers[1].fate = Fate::NotRemoved {
            reason: "why".to_owned(),
        };
        assert_documented(&serde_json::to_value(&all).unwrap());
    }

    #[test]
    fn what_stays_is_counted_by_why() {
        let mut all = found();
        all.leftovers.truncate(4);
        let mut again = all.leftovers[2].clone();
        again.name = "stackgate-9".to_owned();
        all.leftovers.push(again);
        let text = cleaning(&all, &ScreenOptions::default());
        let told = "  3 kept   2 of running executions · 1 waiting for an answer\n";
        assert!(text.contains(told), "{text}");
        all.leftovers.truncate(2);
        let text = cleaning(&all, &ScreenOptions::default());
        assert!(!text.contains("kept"), "{text}");
    }

    #[test]
    fn equal_reasons_of_many_targets_are_told_once() {
        let all = found();
        assert_eq!(all.not_looked_at.len(), 1);
        assert_eq!(all.not_looked_at[0].targets.len(), 2);
    }
}
