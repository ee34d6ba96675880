//! What CloudFormation would refuse, and what was probably not meant, found without asking it.

mod foreign;
mod functions;
mod names;
mod parameters;
mod rule;
mod structure;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::Position;
use super::compose;
use super::node::{Entry, Node, NodeKind};
use super::references::for_each;
use super::source::{Source, Span};
use super::tree::Template;
use super::{TemplateError, TemplateProblem};

pub use foreign::{At, Foreign};
pub use rule::{Code, Diagnostic, Rule, Severity};
pub(super) use structure::meant;

/// What was found in a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    /// What is wrong, in the order of the file.
    pub diagnostics: Vec<Diagnostic>,
    /// How many more there are.
    pub left_out: usize,
    /// How many resources it declares, with those of loops whose values stand in the template, without those that macros
    /// make.
    pub resources: usize,
    /// How many loops make resources of values that the template does not say.
    pub loops: usize,
    /// How many parameters it declares.
    pub parameters: usize,
    /// What has to be acknowledged to deploy it.
    pub capabilities: BTreeSet<String>,
}

impl Findings {
    /// Returns how many there are of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        let same = |one: &&Diagnostic| one.severity == severity;
        self.diagnostics.iter().filter(same).count()
    }
}

/// So many are shown: whoever has more has one cause.
const MOST_DIAGNOSTICS: usize = 100;

/// Adds one to those that are shown, or counts it. An error takes the place of a warning, or a template with a hundred
/// warnings would pass for one without errors.
fn keep(found: &mut Vec<Diagnostic>, left_out: &mut usize, one: Diagnostic) {
    let is_warning = |one: &Diagnostic| one.severity == Severity::Warning;
    if found.len() < MOST_DIAGNOSTICS {
        found.push(one);
        return;
    }
    *left_out += 1;
    if !is_warning(&one)
        && let Some(place) = found.iter().rposition(is_warning)
    {
        found.remove(place);
        found.push(one);
    }
}

/// Returns what is wrong with the template in `bytes`; `file` is its name.
pub fn validate(file: &str, bytes: &[u8]) -> Findings {
    let read = compose::text(file, bytes);
    let lossy;
    let text = match &read {
        Ok(text) => text,
        Err(_) => {
            let shown = bytes.get(..bytes.len().min(compose::MAX_BYTES));
            lossy = String::from_utf8_lossy(shown.unwrap_or_default());
            lossy.as_ref()
        }
    };
    let composed = read.as_ref().map_err(Clone::clone);
    let composed = composed.and_then(|text| compose::compose(file, text));
    let source = Source::new(text, composed.as_ref().ok());
    let root = match &composed {
        Ok(root) if root.is_null() => {
            let error = TemplateProblem::Empty.at(file, root.position);
            return Findings::unreadable(&source, &error);
        }
        Ok(root) => root,
        Err(error) => return Findings::unreadable(&source, error),
    };
    let mut checker = Checker::new(source, root, text.trim_start().starts_with('{'));
    checker.structure();
    if root.entries().is_some() {
        checker.parameters();
        checker.functions();
        checker.names();
    }
    let mut diagnostics = checker.found;
    diagnostics.sort_by_key(|one| one.span.position);
    let resources = checker.names.section("Resources");
    let (resources, loops) = resources.map_or((0, 0), counted);
    Findings {
        resources,
        loops,
        parameters: checker.names.of("Parameters").count(),
        diagnostics,
        left_out: checker.left_out,
        capabilities: Template::parse(file, bytes)
            .map(|template| template.required_capabilities())
            .unwrap_or_default(),
    }
}

/// Returns how many resources a section declares, and how many loops in it have values that are not known here.
///
/// No deeper than a template that was read is nested.
fn counted(entries: &IndexMap<String, Entry>) -> (usize, usize) {
    let (mut resources, mut loops) = (0_usize, 0);
    for (name, entry) in entries {
        if !name.starts_with("Fn::") {
            resources += 1;
            continue;
        }
        let each = for_each(&entry.value).filter(|_| name.starts_with("Fn::ForEach"));
        let Some((_, collection, output)) = each else {
            continue;
        };
        let (made, unknown) = output.entries().map_or((0, 0), counted);
        match collection.items() {
            Some(values) if values.iter().all(|value| value.text().is_some()) => {
                resources = resources.saturating_add(made.saturating_mul(values.len()));
                loops += unknown;
            }
            Some(_) | None => loops += 1,
        }
    }
    (resources, loops)
}

impl Findings {
    /// Returns that a file cannot be read at all, and why.
    pub fn unread(why: &str) -> Self {
        let source = Source::new("", None);
        let start = Position { line: 1, column: 1 };
        let found = Diagnostic::error(
            Rule::Unread,
            source.at(start),
            format!("the file cannot be read: {why}"),
        );
        Self {
            diagnostics: vec![found.help("make it readable for you, or remove it")],
            left_out: 0,
            resources: 0,
            loops: 0,
            parameters: 0,
            capabilities: BTreeSet::new(),
        }
    }

    /// Adds what else was found.
    pub fn add(&mut self, others: impl IntoIterator<Item = Diagnostic>) {
        for one in others {
            keep(&mut self.diagnostics, &mut self.left_out, one);
        }
        self.diagnostics.sort_by_key(|one| one.span.position);
    }

    fn unreadable(source: &Source<'_>, error: &TemplateError) -> Self {
        let rule = Rule::of(&error.problem);
        let mut found = Diagnostic::error(rule, source.at(error.position), error.what());
        if let TemplateProblem::DuplicateKey { first, .. } = &error.problem {
            found = found.related(source.at(*first), "first here");
        }
        Self {
            diagnostics: vec![found.help(error.help())],
            left_out: 0,
            resources: 0,
            loops: 0,
            parameters: 0,
            capabilities: BTreeSet::new(),
        }
    }
}

/// Looks through a template and collects what it finds.
struct Checker<'t> {
    source: Source<'t>,
    root: &'t Node,
    is_json: bool,
    names: Names<'t>,
    found: Vec<Diagnostic>,
    left_out: usize,
}

/// What a template declares, and what may declare more.
struct Names<'t> {
    root: &'t Node,
    /// Whether a macro or an include may make sections, resources and names that are not in the text.
    has_macros: bool,
    /// Whether `AWS::LanguageExtensions` is on.
    has_extensions: bool,
    /// Whether SAM is on.
    has_sam: bool,
}

impl<'t> Names<'t> {
    fn new(root: &'t Node) -> Self {
        let mut names = Self {
            root,
            has_macros: includes(root),
            has_extensions: false,
            has_sam: false,
        };
        let transform = root.value("Transform");
        let one = transform.map(std::slice::from_ref).unwrap_or_default();
        for node in transform.and_then(Node::items).unwrap_or(one) {
            match node.text() {
                Some("AWS::LanguageExtensions") => names.has_extensions = true,
                text => {
                    names.has_macros = true;
                    names.has_sam |= text.is_some_and(|t| t.starts_with("AWS::Serverless"));
                }
            }
        }
        names
    }

    fn section(&self, name: &str) -> Option<&'t IndexMap<String, Entry>> {
        self.root.value(name)?.entries()
    }

    /// Returns what a section declares, without what `Fn::ForEach` and `Fn::Transform` make.
    fn of(&self, section: &str) -> impl Iterator<Item = (&'t str, &'t Entry)> + use<'t> {
        let entries = self.section(section).into_iter().flatten();
        entries
            .filter(|(name, _)| !name.starts_with("Fn::"))
            .map(|(name, entry)| (name.as_str(), entry))
    }

    fn get(&self, section: &str, name: &str) -> Option<&'t Entry> {
        self.section(section)?.get(name)
    }
}

/// Returns whether a `Fn::Transform` is somewhere inside.
fn includes(node: &Node) -> bool {
    match &node.kind {
        NodeKind::Scalar(_) => false,
        NodeKind::Sequence(items) => items.iter().any(includes),
        NodeKind::Mapping(entries) => {
            entries.contains_key("Fn::Transform") || entries.values().any(|e| includes(&e.value))
        }
    }
}

impl<'t> Checker<'t> {
    fn new(source: Source<'t>, root: &'t Node, is_json: bool) -> Self {
        Self {
            source,
            root,
            is_json,
            names: Names::new(root),
            found: Vec::new(),
            left_out: 0,
        }
    }

    fn say(&mut self, diagnostic: Diagnostic) {
        keep(&mut self.found, &mut self.left_out, diagnostic);
    }

    /// Returns whether so much was found that the rest is only counted: unless it may be the first error.
    fn is_full(&self) -> bool {
        let is_error = |one: &Diagnostic| one.severity == Severity::Error;
        self.found.len() >= MOST_DIAGNOSTICS
            && (self.names.has_macros || self.found.iter().any(is_error))
    }

    fn key(&self, entry: &Entry) -> Span {
        self.source.at(entry.position)
    }

    /// Returns the text of a scalar, or says that one was expected.
    fn expect_text(&mut self, node: &'t Node, what: &str) -> Option<&'t str> {
        if let Some(text) = node.text().filter(|_| !node.is_null()) {
            return Some(text);
        }
        if !node.is_null() {
            let message = format!("{what} is {}, expected a text", node.kind_name());
            let span = self.source.of(node);
            self.say(Diagnostic::error(Rule::Shape, span, message).help("write a text"));
        }
        None
    }

    /// Returns the entries of a mapping, or says that one was expected.
    fn expect_entries(
        &mut self,
        node: &'t Node,
        what: &str,
    ) -> Option<&'t IndexMap<String, Entry>> {
        if let Some(entries) = node.entries() {
            return Some(entries);
        }
        if !node.is_null() {
            let message = format!("{what} is {}, expected a mapping", node.kind_name());
            let span = self.source.of(node);
            let found = Diagnostic::error(Rule::Shape, span, message);
            self.say(found.help("write it as `Name: value` pairs"));
        }
        None
    }
}
