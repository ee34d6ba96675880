//! The `stackgate` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    stackgate::cli::main()
}
