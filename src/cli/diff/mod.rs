//! `stackgate diff`: two templates without a call, or a template and what is deployed.

mod files;
mod stack;

use clap::Args;

use super::deploy::{OF_DEPLOYMENT, WhatArgs};
use super::options::{Global, OutputForm};
use super::validate::place;
use super::{CliError, exit, output};
use crate::model::{AccountId, Region};
use crate::report::{
    Diff, RawDiff, ScreenOptions, diff as draw, markdown_diff, markdown_raw_diff, raw_diff,
};

/// What is of stacks, and refused where two files are compared.
fn of_stacks() -> impl Iterator<Item = &'static str> {
    OF_DEPLOYMENT.into_iter().chain(["profile", "endpoint_url"])
}

/// Arguments of `diff`: those of `plan`, so that one word turns one into the other, and those of files.
#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// Another template, which the first one is compared with: then nothing is asked of AWS. Either is a file, or the
    /// name of a stack whose template is in `templates/`
    #[arg(value_name = "AFTER", index = 2, conflicts_with_all = of_stacks())]
    after: Option<String>,
    /// Compare two templates as they are in this account and region, with the override files of the second and
    /// `--parameter`: what does not exist there is gone
    #[arg(long, value_name = "ACCOUNT/REGION", value_parser = place, requires = "after")]
    at: Option<(AccountId, Region)>,
    /// Compare the texts line by line; side by side where the screen has 120 columns
    #[arg(long)]
    raw: bool,
    /// Show everything, nothing shortened or left out
    #[arg(long)]
    full: bool,
    /// End with exit code 3 if anything differs
    #[arg(long)]
    exit_code: bool,
    // Last, since its headings hold for what follows.
    #[command(flatten)]
    what: WhatArgs,
}

/// What was compared.
enum Compared {
    Meaning(Diff),
    Lines(RawDiff),
}

/// Runs `stackgate diff`. It reads, and keeps nothing.
pub(super) fn diff(global: &Global, mut args: DiffArgs) -> Result<u8, CliError> {
    let is_for_machines = matches!(global.output, OutputForm::Json | OutputForm::Ndjson);
    if args.raw && is_for_machines {
        let error = CliError::message("`--raw` has no form for machines");
        return Err(error.hint("leave `--raw` out, or take `--output text`"));
    }
    let compared = match args.after.take() {
        Some(after) => files::compare(&args, &after)?,
        None => stack::compare(args.what, args.raw)?,
    };
    show(global, &compared, args.full)?;
    Ok(match &compared {
        Compared::Meaning(diff) if !diff.not_compared.is_empty() => exit::FAILED,
        Compared::Lines(raw) if !raw.not_compared.is_empty() => exit::FAILED,
        Compared::Meaning(diff) if args.exit_code && diff.differs => exit::AWAITING,
        Compared::Lines(raw) if args.exit_code && raw.differs() => exit::AWAITING,
        Compared::Meaning(_) | Compared::Lines(_) => exit::DONE,
    })
}

fn show(global: &Global, compared: &Compared, full: bool) -> Result<(), CliError> {
    let screen = ScreenOptions {
        full,
        ..output::screen()
    };
    let text = |screen: &ScreenOptions| match compared {
        Compared::Meaning(diff) => draw(diff, screen),
        Compared::Lines(raw) => raw_diff(raw, screen),
    };
    match (global.output, compared) {
        (form @ (OutputForm::Text | OutputForm::Html), _) => {
            output::text(form, "stackgate diff", &text(&screen))?;
        }
        (OutputForm::Markdown, Compared::Meaning(diff)) => output::stdout(&markdown_diff(diff))?,
        (OutputForm::Markdown, Compared::Lines(raw)) => output::stdout(&markdown_raw_diff(raw))?,
        (OutputForm::Json, Compared::Meaning(diff)) => output::document(diff)?,
        (OutputForm::Ndjson, Compared::Meaning(diff)) => output::line(diff)?,
        // They were refused before anything was read.
        (OutputForm::Json | OutputForm::Ndjson, Compared::Lines(_)) => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::super::Cli;

    #[test]
    fn two_files_take_nothing_that_is_of_stacks() {
        let cli = Cli::command();
        let diff = cli.find_subcommand("diff").unwrap();
        let of = |id: &str| diff.get_arguments().find(|a| a.get_id() == id).unwrap();
        let refused = diff.get_arg_conflicts_with(of("after"));
        let with_it = [
            "after",
            "stack",
            "at",
            "raw",
            "full",
            "exit_code",
            "parameters",
            "overrides",
        ];
        for argument in diff.get_arguments() {
            let id = argument.get_id().as_str();
            let is_refused = refused.iter().any(|other| other.get_id() == id);
            let is_taken = argument.is_global_set() || with_it.contains(&id);
            assert_eq!(is_refused, !is_taken, "{id}");
        }
    }
}
