//! The page itself: how long it may be, and how text from outside gets onto it.

use crate::report::View;
use crate::report::screen::{shorten, visible};
use crate::report::words::count;

/// The longest comment that GitHub takes, in characters; GitLab takes more.
pub(super) const LONGEST: usize = 65_536;

/// What is kept free for the sentences at the end.
pub(super) const KEPT: usize = 1_024;

/// The longest value that is shown.
pub(in crate::report) const LONGEST_VALUE: usize = 200;

/// Returns `text` in a fence that is longer than any in it. The lines are shown as they are, without what is invisible.
pub(in crate::report) fn block(language: &str, text: &str) -> String {
    let runs = text.split(|c| c != '`').map(str::len);
    let fence = "`".repeat(runs.max().unwrap_or_default().max(2) + 1);
    let lines: Vec<String> = text.lines().map(visible).collect();
    format!("{fence}{language}\n{}\n{fence}\n", lines.join("\n"))
}

/// Markdown under construction, never longer than a comment may be.
pub(in crate::report) struct Page {
    pub(super) out: String,
    pub(super) left_out: Vec<String>,
}

impl Page {
    pub(in crate::report) fn new() -> Self {
        Self {
            out: String::new(),
            left_out: Vec::new(),
        }
    }

    pub(super) fn fits(&self, text: &str) -> bool {
        // Bytes are at least as many as characters.
        self.out.len() + text.len() + KEPT <= LONGEST
    }

    /// Adds a text, or notes that it was left out.
    pub(in crate::report) fn add(&mut self, text: &str, what: &str) {
        if self.fits(text) {
            self.out.push_str(text);
        } else if !what.is_empty() {
            self.left_out.push(what.to_owned());
        }
    }

    /// Adds `begin`, as many rows as there is room for, and `end`; says how many rows are missing.
    pub(in crate::report) fn rows(
        &mut self,
        begin: &str,
        rows: Vec<String>,
        end: &str,
        noun: &str,
    ) {
        let (mut text, total) = (begin.to_owned(), rows.len());
        let mut added = 0;
        for row in rows {
            if !self.fits(&format!("{text}{row}{end}")) {
                break;
            }
            text.push_str(&row);
            added += 1;
        }
        if added < total {
            self.left_out.push(count(total - added, noun));
        }
        if added > 0 {
            self.out.push_str(&text);
            self.out.push_str(end);
        }
    }

    pub(in crate::report) fn closed(mut self) -> String {
        if !self.left_out.is_empty() {
            // Many parts of one kind are enough of a hint.
            let total = self.left_out.len();
            self.left_out.truncate(6);
            let mut parts = self.left_out.join(", ");
            if total > 6 {
                parts.push_str(&format!(" and {} more parts", total - 6));
            }
            self.out.push_str(&format!(
                "\nLeft out, since a comment holds no more: {parts}.\n"
            ));
        }
        self.out
    }

    pub(super) fn finish(mut self, view: &View) -> String {
        if !self.left_out.is_empty()
            && let Some(id) = view.execution()
        {
            let id = id.to_string();
            let rest = self.closed();
            return format!("{rest}Everything: `stackgate status {id} --full`.\n");
        }
        if self.out.ends_with("\n\n") {
            self.out.pop();
        }
        self.out
    }
}

/// Returns `text` as code: exactly what it is, and nothing that Markdown or HTML gives a meaning to.
pub(in crate::report) fn code(text: &str) -> String {
    coded(&shorten(text, LONGEST_VALUE, "…"))
}

/// Returns the whole of `text` as [`code`].
pub(in crate::report) fn whole(text: &str) -> String {
    coded(&visible(text))
}

fn coded(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let mut out = String::from("<code>");
    for c in text.chars() {
        match c {
            // Digits, letters and these mean nothing; everything else is written as its number.
            ' ' | '-' | '/' | ',' | '%' | '\'' | '"' | '?' | ';' => out.push(c),
            // A full stop makes `www.` a link.
            '.' if !out.ends_with(['w', 'W']) => out.push(c),
            c if c.is_ascii_alphanumeric() || !c.is_ascii() => out.push(c),
            c => out.push_str(&format!("&#{};", u32::from(c))),
        }
    }
    out.push_str("</code>");
    out
}

/// Returns the first of the names, and how many there are besides.
pub(in crate::report) fn some(names: Vec<String>) -> String {
    let more = names.len().saturating_sub(12);
    let mut text = names[..names.len() - more].join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}
