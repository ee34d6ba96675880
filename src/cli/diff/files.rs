//! Two templates, without a call.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::project::Project;
use super::super::validate::named;
use super::super::{CliError, deploy};
use super::{Compared, DiffArgs};
use crate::diff::{compare_trees, shown, text_diff};
use crate::report::{Diff, RawDiff, RawText};
use crate::template::{Known, Template};

/// Compares the template that is named first with `after`.
pub(super) fn compare(args: &DiffArgs, after: &str) -> Result<Compared, CliError> {
    let root = std::env::current_dir().map_err(CliError::failed)?;
    let Some(before) = args.what.stack() else {
        return Err(CliError::message("name two templates"));
    };
    let (before, after) = (read(&root, before)?, read(&root, after)?);
    let (from, to) = (before.file().to_owned(), after.file().to_owned());
    if args.raw {
        let text = RawText {
            before: from,
            after: to,
            diff: text_diff(&before.shown_text(), &after.shown_text()),
            differs: before.text() != after.text(),
        };
        return Ok(Compared::Lines(RawDiff {
            texts: vec![(Vec::new(), text)],
            new_stacks: Vec::new(),
            not_compared: Vec::new(),
        }));
    }
    let known = known(args, &to)?;
    let tree = |template: &Template| match &known {
        Some(known) => template.evaluate(known).root,
        None => template.root().clone(),
    };
    let diff = compare_trees(&tree(&before), &tree(&after));
    let entries = shown(&diff, &before, &after);
    Ok(Compared::Meaning(Diff::of_files(from, to, entries)))
}

fn read(root: &Path, name: &str) -> Result<Template, CliError> {
    let file = named(root, name)?;
    let bytes = std::fs::read(root.join(&file))
        .map_err(|error| CliError::unread("template", &file, error))?;
    Template::parse(&file, &bytes).map_err(CliError::usage)
}

/// Returns what is known of the place that was asked for; none where the templates are compared as they are written.
fn known(args: &DiffArgs, file: &str) -> Result<Option<Known>, CliError> {
    let given = deploy::pairs("--parameter", args.what.parameters())?;
    if args.at.is_none() && given.is_empty() {
        return Ok(None);
    }
    let mut known = Known::default();
    if let Some((account, region)) = &args.at {
        let project = Project::open(None, Some(Path::new(file)), args.what.overrides())?;
        let values = project.values(account, region)?.into_iter();
        known.parameters = values
            .filter_map(|(name, (_, text))| Some((name, text?)))
            .collect::<BTreeMap<_, _>>();
        known.account = Some(account.to_string());
        known.region = Some(region.to_string());
    }
    known.parameters.extend(given);
    Ok(Some(known))
}
