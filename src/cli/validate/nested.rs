//! Templates that others nest by local paths: whoever deploys one deploys them, so that they are validated with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::Read;
use crate::model::clean;
use crate::template::{At, Code, Content, Foreign, LocalPath, Rule, Severity, Template};

/// A template that another one nests.
#[derive(Debug)]
pub(super) struct Nested {
    local: LocalPath,
    /// Its path, written as that of the template around it.
    pub file: String,
    /// The same without links, by which it is known.
    pub full: PathBuf,
}

/// Returns the templates that the one in `bytes` nests, as far as they are there.
pub(super) fn of(root: &Path, file: &str, bytes: &[u8]) -> Vec<Nested> {
    let Ok(template) = Template::parse(file, bytes) else {
        return Vec::new();
    };
    let paths = template.local_paths().unwrap_or_default().into_iter();
    let templates = paths.filter(|local| local.content == Content::Template);
    let found = templates.filter_map(|local| {
        let folder = Path::new(file).parent().unwrap_or(Path::new(""));
        let beside = || folder.join(&local.path).display().to_string();
        let file = match Path::new(file).is_absolute() {
            true => beside(),
            false => local.from_root(file).unwrap_or_else(beside),
        };
        let full = root.join(&file).canonicalize().ok()?;
        full.is_file().then_some(Nested { local, file, full })
    });
    found.collect()
}

/// Adds to each template what those inside it need to be acknowledged, and says where templates nest each other in a
/// circle.
pub(super) fn join(all: &mut [Read]) {
    let inside: BTreeMap<&Path, Vec<&Path>> = all
        .iter()
        .map(|read| {
            let nested = read.nested.iter().map(|one| one.full.as_path());
            (read.full.as_path(), nested.collect())
        })
        .collect();
    let capabilities: BTreeMap<&Path, &BTreeSet<String>> = all
        .iter()
        .map(|read| (read.full.as_path(), &read.findings.capabilities))
        .collect();
    // Everything below a template, itself too where it is nested in itself.
    let below = |from: &Path| {
        let mut seen: BTreeSet<&Path> = BTreeSet::new();
        let mut pending: Vec<&Path> = inside.get(from).cloned().unwrap_or_default();
        while let Some(one) = pending.pop() {
            if seen.insert(one) {
                pending.extend(inside.get(one).into_iter().flatten());
            }
        }
        seen
    };
    let found: Vec<(BTreeSet<String>, Vec<Foreign>)> = all
        .iter()
        .map(|read| {
            let seen = below(&read.full);
            let needed = seen.iter().filter_map(|one| capabilities.get(one));
            let needed = needed.flat_map(|names| names.iter().cloned()).collect();
            let is_circle = |one: &&Nested| {
                one.full == read.full || below(&one.full).contains(read.full.as_path())
            };
            let circles = match seen.contains(read.full.as_path()) {
                true => read.nested.iter().filter(is_circle).map(circle).collect(),
                false => Vec::new(),
            };
            (needed, circles)
        })
        .collect();
    for (read, (needed, circles)) in all.iter_mut().zip(found) {
        read.findings.capabilities.extend(needed);
        if !circles.is_empty() {
            read.findings.join(&read.file, &read.bytes, circles);
        }
    }
}

fn circle(nested: &Nested) -> Foreign {
    let LocalPath {
        place,
        path,
        position,
        ..
    } = &nested.local;
    Foreign {
        code: Code::Own(Rule::LocalPath),
        severity: Severity::Error,
        message: format!(
            "{place} is `{}`: the templates nest each other in a circle",
            clean(path)
        ),
        at: At::Text {
            position: *position,
            length: None,
        },
        help: "break the circle: no template can be inside itself".to_owned(),
    }
}
