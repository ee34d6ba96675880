//! The executions of a state folder.

use jiff::Timestamp;
use serde::Serialize;

use crate::model::{Digest, ExecutionId, Follows};

use super::review::execution;
use super::screen::{Line, Page, ScreenOptions, Tone, columns};
use super::view::{Counts, State};
use super::words::{self, count};
use super::{DOCUMENT_VERSION, View};

/// All executions, for machines.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct List {
    /// Which document this is.
    pub document: &'static str,
    /// The version of this form.
    pub version: u32,
    /// How many executions there are, of which those that follow are shown.
    pub total: usize,
    /// The executions, as they were given.
    pub executions: Vec<ListEntry>,
    /// Whether only those are meant that wait for an answer.
    #[serde(skip)]
    pub is_of_waiting: bool,
}

/// One execution.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ListEntry {
    /// The execution.
    pub execution: ExecutionId,
    /// The pipeline.
    pub pipeline: String,
    /// What it does with the stacks; none where this program cannot read it.
    pub operation: Option<&'static str>,
    /// The earlier execution that it goes on from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follows: Option<Follows>,
    /// What it is doing.
    pub state: &'static str,
    /// Whether a process works on it, where that is known.
    pub alive: Option<bool>,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When the newest event happened.
    pub last: Option<Timestamp>,
    /// The plan.
    pub plan: Option<Digest>,
    /// How many targets are in which phase.
    pub counts: Counts,
    /// What the plan holds that the project denies.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub denied: Vec<String>,
    /// What its events say; none where this program cannot read them.
    #[serde(skip)]
    view_state: Option<State>,
    #[serde(skip)]
    is_damaged: bool,
}

/// What is said of an execution whose events this program cannot read.
const UNREADABLE: &str = "written by a newer stackgate";

/// What is said of one whose events are not what was written.
const DAMAGED: &str = "damaged, cannot be read";

impl ListEntry {
    /// Returns the entry of the execution in `view`, or `None` if there is none in it.
    pub fn of(view: &View, alive: Option<bool>) -> Option<Self> {
        let state = view.state();
        Some(Self {
            execution: view.execution()?.clone(),
            pipeline: view.pipeline().to_owned(),
            operation: Some(view.operation()),
            follows: view.follows().cloned(),
            state: words::state_id(&state, alive),
            alive,
            started: view.started(),
            last: view.last(),
            plan: view.plan(),
            counts: view.counts(),
            // Once somebody rejected it, that is what there is to say.
            denied: match state == State::Denied {
                true => view.denied().to_vec(),
                false => Vec::new(),
            },
            view_state: Some(state),
            is_damaged: false,
        })
    }

    /// Returns the entry of an execution of which only the journal's own notes can be read.
    pub fn unreadable(
        execution: ExecutionId,
        pipeline: String,
        alive: Option<bool>,
        started: Timestamp,
        last: Timestamp,
        is_damaged: bool,
    ) -> Self {
        Self {
            execution,
            pipeline,
            operation: None,
            follows: None,
            state: "unreadable",
            alive,
            started: Some(started),
            last: Some(last),
            plan: None,
            counts: Counts::default(),
            denied: Vec::new(),
            view_state: None,
            is_damaged,
        }
    }

    fn words(&self) -> (&'static str, Tone) {
        match &self.view_state {
            Some(state) => words::state(state, self.alive),
            None if self.is_damaged => (DAMAGED, Tone::Bad),
            None => (UNREADABLE, Tone::Bad),
        }
    }
}

impl ListEntry {
    /// Returns the name of the pipeline, and what is done where it is no plain deployment.
    pub(super) fn title(&self) -> String {
        match self.operation {
            Some("delete") => format!("delete {}", self.pipeline),
            Some("delete_failed") => format!("clean up {}", self.pipeline),
            Some(_) | None => match &self.follows {
                Some(Follows::Retries(_)) => format!("retry {}", self.pipeline),
                Some(Follows::RollsBack(_)) => format!("roll back {}", self.pipeline),
                None => self.pipeline.clone(),
            },
        }
    }
}

impl List {
    /// Returns the list of `executions`, which are all that there are.
    pub fn of(executions: Vec<ListEntry>) -> Self {
        Self {
            document: "list",
            version: DOCUMENT_VERSION,
            total: executions.len(),
            executions,
            is_of_waiting: false,
        }
    }

    /// Returns how many are not shown, and what shows them, where there are any.
    pub(super) fn rest(&self) -> Option<String> {
        let total = self.total;
        let more = total.saturating_sub(self.executions.len());
        (more > 0).then(|| format!("and {more} more (`-n {total}` shows all)"))
    }
}

/// Returns the executions, one line each, in the order they are given.
pub fn list(list: &List, options: &ScreenOptions) -> String {
    let mut page = Page::new(options);
    let executions = &list.executions;
    if executions.is_empty() {
        let why = match list.is_of_waiting {
            true => "no execution waits for an answer",
            false => "no executions yet; `stackgate deploy` starts one",
        };
        page.line(Line::of(Tone::Dim, why), 2);
        return page.finish();
    }
    let widest = |text: fn(&ListEntry) -> String, most: usize| {
        let all = executions.iter().map(|entry| columns(&text(entry)));
        all.max().unwrap_or(0).min(most)
    };
    let name = widest(ListEntry::title, options.width / 4);
    let state = widest(|entry| entry.words().0.to_owned(), 28);
    for entry in executions {
        let (word, tone) = entry.words();
        let mut line = Line::of(Tone::Strong, &execution(&entry.execution, options));
        line.push(Tone::Plain, "  ");
        let begin = line.columns();
        let pipeline = if options.full {
            entry.title()
        } else {
            options.shorten(&entry.title(), name)
        };
        line.push(Tone::Plain, &pipeline);
        line.pad(begin + name, 0);
        line.push(tone, &format!("  {word}"));
        line.pad(begin + name + 2 + state, 0);
        line.push(Tone::Dim, "  ");
        line.push(Tone::Dim, &age(entry, options));
        let total = count(entry.counts.total, "target");
        match entry.counts.failures() {
            // How many there are is told by what cannot be read.
            _ if entry.view_state.is_none() => {}
            0 => line.push(Tone::Dim, &format!("  {total}")),
            failed => {
                let text = format!("  {failed} of {} failed", entry.counts.total);
                line.push(Tone::Bad, &text);
            }
        }
        page.line(line, 16);
        for why in words::denied(&entry.denied) {
            page.line(Line::indent(4).add(Tone::Bad, &why), 6);
        }
        if !entry.denied.is_empty() {
            let text = format!("remove it with `stackgate reject {}`", entry.execution);
            page.line(Line::indent(4).add(Tone::Dim, &text), 6);
        }
    }
    if let Some(rest) = list.rest() {
        let text = format!("{} {rest}", page.glyphs.ellipsis);
        page.line(Line::of(Tone::Dim, &text), 2);
    }
    page.finish()
}

fn age(entry: &ListEntry, options: &ScreenOptions) -> String {
    match (entry.started, options.now) {
        (Some(started), Some(now)) if !options.full => {
            format!("{:>13}", format!("{} ago", words::between(started, now)))
        }
        (Some(started), _) if options.full => words::short_time(started),
        (Some(started), _) => words::minute(started),
        (None, _) => "not begun".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{self, assert_screens};
    use super::*;

    fn entries() -> Vec<ListEntry> {
        let scripts = [
            (fixtures::fleet(), Some(false)),
            (fixtures::finished(), Some(false)),
            (fixtures::halted(), None),
            (fixtures::rejected(), None),
        ];
        let entries = scripts
            .iter()
            .map(|(script, alive)| ListEntry::of(&script.view(), *alive));
        entries.collect::<Option<_>>().unwrap()
    }

    fn all() -> List {
        List::of(entries())
    }

    #[test]
    fn executions_are_listed_one_a_line() {
        assert_screens!("list", |options: &ScreenOptions| list(&all(), options));
        let options = ScreenOptions {
            now: Some("2026-11-23T01:02:03Z".parse().unwrap()),
            ..ScreenOptions::default()
        };
        insta::assert_snapshot!("list_ages", list(&all(), &options));
    }

    #[test]
    fn a_denied_plan_is_listed_with_why_and_what_to_do() {
        let mut view = fixtures::fleet().view();
        let why = |n| format!("stackgate.yaml:2:3 denies `removal`: Alerts{n}: deleted (in x)");
        view.note_denied((1..=5).map(why).collect());
        let entry = ListEntry::of(&view, Some(false)).unwrap();
        assert_eq!((entry.state, entry.denied.len()), ("denied", 5));
        let text = list(&List::of(vec![entry]), &ScreenOptions::default());
        insta::assert_snapshot!("list_denied", text);
    }

    #[test]
    fn an_empty_list_says_what_to_do() {
        let mut empty = List::of(Vec::new());
        let text = list(&empty, &ScreenOptions::default());
        assert_eq!(text, "no executions yet; `stackgate deploy` starts one\n");
        empty.is_of_waiting = true;
        let text = list(&empty, &ScreenOptions::default());
        assert_eq!(text, "no execution waits for an answer\n");
    }

    #[test]
    fn what_is_not_shown_is_counted() {
        let mut some = all();
        some.total = 12;
        let text = list(&some, &ScreenOptions::default());
        assert!(
            text.ends_with(" and 8 more (`-n 12` shows all)\n"),
            "{text}"
        );
        let page = super::super::markdown_list(&some);
        assert!(
            page.ends_with("\nand 8 more (`-n 12` shows all)\n"),
            "{page}"
        );
        let text = list(&all(), &ScreenOptions::default());
        assert!(!text.contains("more"), "{text}");
    }

    #[test]
    fn the_machine_form_is_pinned() {
        insta::assert_json_snapshot!("list_json", all());
    }
}
