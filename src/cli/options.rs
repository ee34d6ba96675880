//! Options that several commands share.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::deploy::minutes;
use crate::model::StackWait;

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Everywhere")]
pub(super) struct Global {
    /// The folder that holds the journal and the artifacts
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "STACKGATE_STATE",
        default_value = ".stackgate"
    )]
    pub state: PathBuf,
    /// The form of what goes to standard output
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "FORM",
        default_value = "text"
    )]
    pub output: OutputForm,
    /// Tell of every AWS call on standard error: operation, target, attempt, status, time, request id
    #[arg(long, global = true)]
    pub debug: bool,
}

/// The form of what goes to standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OutputForm {
    /// For people
    Text,
    /// One document at the end
    Json,
    /// One event a line, as it happens
    Ndjson,
    /// A comment for a pull request, at the end
    Markdown,
    /// A file for a ticket that needs nothing beside it, at the end
    Html,
}

/// How to reach AWS.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection")]
pub(super) struct Connection {
    /// The named profile of the AWS configuration
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// The endpoint of every AWS call, for an emulator
    #[arg(long, value_name = "URL", value_parser = url)]
    pub endpoint_url: Option<String>,
}

/// Takes nothing, or a time such as `30m`, for as long as which somebody else's operation is waited for.
pub(super) fn stack_wait(text: &str) -> Result<StackWait, String> {
    match text.parse() {
        Ok(StackWait { minutes: None }) => Ok(StackWait { minutes: None }),
        Ok(_) | Err(_) => Ok(StackWait {
            minutes: Some(minutes(text)?),
        }),
    }
}

/// Takes a URL with its scheme, without which no reply would be usable.
pub(super) fn url(text: &str) -> Result<String, String> {
    if ["http://", "https://"]
        .iter()
        .any(|scheme| text.starts_with(scheme))
    {
        Ok(text.to_owned())
    } else {
        Err("expected a URL such as `http://127.0.0.1:4566`".to_owned())
    }
}
