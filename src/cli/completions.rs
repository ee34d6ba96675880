//! `stackgate completions SHELL`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{CliError, exit};

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the completion script of the command line `C`.
pub(super) fn completions<C: CommandFactory>(args: &CompletionsArgs) -> Result<u8, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut C::command(), "stackgate", &mut script);
    super::output::stdout(&String::from_utf8_lossy(&script))?;
    Ok(exit::DONE)
}
