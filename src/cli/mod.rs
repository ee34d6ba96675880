//! One file per command; the composition root, which nothing imports.

mod alarms;
mod answer;
mod beside;
mod ci;
mod clean;
mod completions;
#[cfg(test)]
mod damaged;
mod debug;
mod delete;
mod denied;
mod deploy;
mod diff;
mod doctor;
mod drift;
mod earlier;
mod elsewhere;
mod error;
mod events;
mod expected;
mod face;
mod find;
mod findings;
mod followers;
mod health;
mod identity;
mod imports;
mod init;
mod list;
mod newer;
mod opposite;
mod options;
mod others;
mod output;
mod parameters;
mod permissions;
mod portable;
mod progress;
mod project;
mod prompt;
mod proof;
mod reach;
mod recover;
mod rehearse;
mod removal;
mod resume;
mod retry;
mod risks;
mod rollback;
mod run;
mod secret;
mod selection;
mod session;
mod settings;
mod show;
mod sources;
mod stack_options;
mod status;
mod stop;
mod survey;
mod targets;
mod unread;
mod validate;
mod waves;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use error::CliError;

/// Exit codes; the README documents them.
mod exit {
    pub const DONE: u8 = 0;
    pub const FAILED: u8 = 1;
    pub const USAGE: u8 = 2;
    pub const AWAITING: u8 = 3;
    pub const REJECTED: u8 = 4;
    pub const WITH_FAILURES: u8 = 5;
    pub const INTERRUPTED: u8 = 130;
}

/// Deploys CloudFormation templates through reviewed change sets, to one stack or to a fleet.
#[derive(Debug, Parser)]
#[command(
    name = "stackgate",
    version,
    max_term_width = 100,
    arg_required_else_help = true
)]
struct Cli {
    #[command(flatten)]
    global: options::Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create change sets, review, approve once, execute
    Deploy(Box<deploy::DeployArgs>),
    /// The same up to the approval, then stop
    Plan(Box<deploy::PlanArgs>),
    /// Run a plan in a simulated world, and tell what would come of it; touches nothing
    ///
    /// The deployment, or the recorded plan, is carried out as it would be, against stacks that are only imagined: nothing is
    /// asked of AWS, and nothing is written. How long stacks take is known from earlier executions; what goes wrong is said
    /// with `--fail`, `--down` and others, or in a file.
    Rehearse(Box<rehearse::RehearseArgs>),
    /// Show the parameters of every target, and which file or look-up gave each
    ///
    /// Values come from override files, weakest first `STACK`, `STACK.REGION`, `STACK.ACCOUNT` and
    /// `STACK.ACCOUNT.REGION` in `parameter-overrides/`, and from `--parameter`. In a file, a value may be looked up:
    /// `{StackOutput: STACK.OUTPUT}`, `{Export: NAME}` or `{SsmParameter: NAME}`.
    Parameters(Box<parameters::ParametersArgs>),
    /// Show the plan in a file that `plan --out` wrote
    Show(show::ShowArgs),
    /// Review the deletion of a stack in every target, and delete it
    Delete(Box<delete::DeleteArgs>),
    /// Approve a plan, and execute it unless another process does
    Approve(answer::AnswerArgs),
    /// Reject a plan, and remove its change sets
    Reject(answer::AnswerArgs),
    /// Take up an execution that was left
    Resume(resume::ResumeArgs),
    /// Run the targets of an execution again that failed, were not begun or went stale, with the files that it stored
    ///
    /// A new execution with its own review: options, preferences and secrets are those of the earlier one. Targets that
    /// succeeded are not run again; it is looked up whether their stacks still are as they were left.
    Retry(retry::RetryArgs),
    /// Give the stacks that an execution changed their former templates and parameters back, newest first
    ///
    /// A new execution with change sets, a review and an approval of its own. Stacks that the execution created, and those
    /// that somebody changed since, are named and left alone. The former value of a secret parameter cannot be read back:
    /// where the present one is not the same, it is asked for.
    Rollback(rollback::RollbackArgs),
    /// Ask a running execution to stop, which can be resumed; or give one up
    Stop(stop::StopArgs),
    /// Show how far an execution is
    Status(status::StatusArgs),
    /// List executions, newest first
    List(list::ListArgs),
    /// Show the events of an execution
    Events(events::EventsArgs),
    /// Make a template with its parameters that deploys as it stands
    Init(init::InitArgs),
    /// Compare two templates, or a template and what is deployed; changes nothing
    ///
    /// What counts is what templates say: the order of keys, formatting, comments, YAML or JSON and the form of functions
    /// do not. With a stack, each target's template and parameters are read, and compared with the local ones as they are
    /// there.
    #[command(
        override_usage = "stackgate diff BEFORE AFTER [OPTIONS]\n       stackgate diff STACK [OPTIONS]"
    )]
    Diff(Box<diff::DiffArgs>),
    /// Find what CloudFormation would refuse in templates, without asking it
    Validate(validate::ValidateArgs),
    /// Show the rules by which changes are judged, and what `stackgate.yaml` makes of them
    Risks(risks::RisksArgs),
    /// Detect what was changed outside CloudFormation, in every target; changes nothing
    Drift(Box<drift::DriftArgs>),
    /// Get stacks out of where they are stuck: cancel an update, go on with a rollback, roll back
    ///
    /// Without an operation, shows which one each target takes, and does nothing.
    Recover(Box<recover::RecoverArgs>),
    /// List and remove this tool's own abandoned change sets and empty stacks in review
    ///
    /// What belongs to an execution that still runs, waits for an answer or can be resumed stays, and so does all that
    /// the journal does not know.
    Clean(Box<clean::CleanArgs>),
    /// Look whether a deployment from here would get through; changes nothing
    Doctor(Box<doctor::DoctorArgs>),
    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),
}

/// Runs the program.
pub fn main() -> ExitCode {
    let parsed = Cli::try_parse().map_err(without_guess);
    let Cli { global, command } = parsed.unwrap_or_else(|error| error.exit());
    if global.debug {
        debug::turn_on();
    }
    // Where it cannot be raised, fewer calls are under way at once.
    let _ = crate::aws::raise_open_files();
    // A system without that signal, or out of descriptors, is told of by what comes next.
    let _ = crate::runtime::outlive_file_limit();
    let result = match command {
        Command::Deploy(args) => deploy::deploy(&global, *args),
        Command::Plan(args) => deploy::plan(&global, *args),
        Command::Rehearse(args) => rehearse::rehearse(&global, *args),
        Command::Parameters(args) => parameters::parameters(&global, *args),
        Command::Show(args) => show::show(&global, &args),
        Command::Delete(args) => delete::delete(&global, *args),
        Command::Approve(args) => answer::approve(&global, args),
        Command::Reject(args) => answer::reject(&global, args),
        Command::Resume(args) => resume::resume(&global, args),
        Command::Retry(args) => retry::retry(&global, &args),
        Command::Rollback(args) => rollback::rollback(&global, &args),
        Command::Stop(args) => stop::stop(&global, &args),
        Command::Status(args) => status::status(&global, &args),
        Command::List(args) => list::list(&global, &args),
        Command::Events(args) => events::events(&global, &args),
        Command::Init(args) => init::init(&global, &args),
        Command::Diff(args) => diff::diff(&global, *args),
        Command::Validate(args) => validate::validate(&global, &args),
        Command::Risks(args) => risks::risks(&global, args),
        Command::Drift(args) => drift::drift(&global, *args),
        Command::Recover(args) => recover::recover(&global, *args),
        Command::Clean(args) => clean::clean(&global, *args),
        Command::Doctor(args) => doctor::doctor(&global, *args),
        Command::Completions(args) => completions::completions::<Cli>(&args),
    };
    ExitCode::from(match result {
        Ok(code) => code,
        Err(error) => error.report(),
    })
}

/// Returns a refusal without clap's advice to pass an option that it does not know as a value, `-- --yes`: nobody means that;
/// and with how an execution is named, where none is.
fn without_guess(mut error: clap::Error) -> clap::Error {
    use clap::error::{ContextKind, ContextValue, ErrorKind};
    if error.kind() == ErrorKind::UnknownArgument {
        error.remove(ContextKind::Suggested);
    }
    let names_execution = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::Strings(missing)) => missing.iter().any(|one| one == "<EXECUTION>"),
        Some(_) | None => false,
    };
    if error.kind() == ErrorKind::MissingRequiredArgument && names_execution {
        // What is meant most often needs no id.
        let tip =
            "EXECUTION is `latest`, an id, or a unique part of one; `stackgate list` shows them";
        let tip = ContextValue::StyledStrs(vec![tip.into()]);
        error.insert(ContextKind::Suggested, tip);
    }
    error
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::*;

    #[test]
    fn a_list_of_nothing_is_refused() {
        for limit in ["0", "-1", "x"] {
            let limit = format!("--limit={limit}");
            let refused = Cli::try_parse_from(["stackgate", "list", &limit]);
            let error = refused.map(|_| ()).unwrap_err();
            assert_eq!(error.exit_code(), i32::from(exit::USAGE), "{error}");
        }
        assert!(Cli::try_parse_from(["stackgate", "list", "--limit=1"]).is_ok());
    }

    #[test]
    fn an_option_that_is_not_known_is_not_offered_as_a_value() {
        let refused = |arguments: &[&str]| {
            let error = Cli::try_parse_from(arguments).map(|_| ()).unwrap_err();
            without_guess(error).to_string()
        };
        let text = refused(&["stackgate", "approve", "latest", "--yes"]);
        assert!(text.contains("unexpected argument '--yes' found"), "{text}");
        assert!(!text.contains("-- --yes"), "{text}");
        let text = refused(&["stackgate", "deploy", "app", "--yess"]);
        assert!(
            text.contains("a similar argument exists: '--yes'"),
            "{text}"
        );
    }

    #[test]
    fn who_names_no_execution_is_told_how_one_is_named() {
        for command in ["stop", "resume", "approve", "reject", "retry", "rollback"] {
            let parsed = Cli::try_parse_from(["stackgate", command]);
            let error = without_guess(parsed.map(|_| ()).unwrap_err()).to_string();
            let tip = "tip: EXECUTION is `latest`, an id, or a unique part of one";
            assert!(error.contains(tip), "{error}");
            let cli = Cli::command();
            let command = cli.find_subcommand(command).unwrap();
            let mut arguments = command.get_arguments();
            let execution = arguments.find(|a| a.get_id() == "execution").unwrap();
            let help = execution.get_help().unwrap().to_string();
            assert!(help.contains("`latest`"), "{help}");
        }
        let parsed = Cli::try_parse_from(["stackgate", "delete", "--yess"]);
        let error = without_guess(parsed.map(|_| ()).unwrap_err()).to_string();
        assert!(!error.contains("EXECUTION is"), "{error}");
    }

    #[test]
    fn a_plan_of_a_file_takes_nothing_that_it_already_holds() {
        let cli = Cli::command();
        let deploy = cli.find_subcommand("deploy").unwrap();
        let of = |id: &str| deploy.get_arguments().find(|a| a.get_id() == id).unwrap();
        let refused = deploy.get_arg_conflicts_with(of("plan"));
        let with_it = [
            "plan",
            "approve",
            "yes",
            "detach",
            "profile",
            "endpoint_url",
        ];
        for argument in deploy.get_arguments() {
            let id = argument.get_id().as_str();
            let is_global = argument.is_global_set();
            let is_refused = refused.iter().any(|other| other.get_id() == id);
            assert_eq!(is_refused, !is_global && !with_it.contains(&id), "{id}");
        }
    }
}
