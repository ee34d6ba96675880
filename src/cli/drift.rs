//! `stackgate drift`: what was changed outside CloudFormation, over all targets.

use clap::Args;
use futures_util::{StreamExt as _, stream};

use super::options::{Connection, Global, OutputForm};
use super::run::{block_on, connect};
use super::targets::TargetArgs;
use super::{CliError, exit, output};
use crate::action::drift::detect;
use crate::model::StackName;
use crate::report::{Drift, ScreenOptions, TargetDrift, drift as draw};

/// How many detections go on at once: most of the time they only wait for the service.
const AT_ONCE: usize = 64;

/// Arguments of `drift`.
#[derive(Debug, Args)]
pub(super) struct DriftArgs {
    /// The stack's name
    #[arg(value_name = "STACK")]
    stack: StackName,
    /// Show everything, nothing shortened or left out
    #[arg(long)]
    full: bool,
    /// End with exit code 3 if anything drifted
    #[arg(long)]
    exit_code: bool,
    // Last, since its headings hold for what follows.
    #[command(flatten)]
    targets: TargetArgs,
    #[command(flatten)]
    connection: Connection,
}

/// Runs `stackgate drift`. It keeps nothing.
pub(super) fn drift(global: &Global, mut args: DriftArgs) -> Result<u8, CliError> {
    let root = std::env::current_dir()?;
    let options = args.targets.reached_by(&args.connection);
    let taken = args.targets.fill(&root, &mut args.connection)?;
    taken.say();
    let invocation = args
        .targets
        .invocation(&root, &args.connection, taken.chosen)?;
    let found = block_on(async {
        let aws = connect(&invocation, None).await?;
        let caller = aws.caller().await?;
        let specs = args
            .targets
            .resolve(&aws, &args.stack, &caller)
            .await?
            .told();
        let (aws, specs) = (&aws, &specs);
        let looks = specs.iter().map(|spec| async move {
            let found = match detect(aws, spec).await {
                Ok(Some((resources, failure))) => TargetDrift::Checked { resources, failure },
                Ok(None) => TargetDrift::NoStack,
                Err(failure) => TargetDrift::Failed {
                    reason: failure.message,
                },
            };
            (spec.target.clone(), found)
        });
        let found: Vec<_> = stream::iter(looks).buffered(AT_ONCE).collect().await;
        Ok::<_, CliError>(found)
    })??;
    let all = Drift::new(args.stack, found, &options);
    let screen = ScreenOptions {
        full: args.full,
        ..output::screen()
    };
    match global.output {
        form @ (OutputForm::Text | OutputForm::Markdown | OutputForm::Html) => {
            output::text(form, "stackgate drift", &draw(&all, &screen))?;
        }
        OutputForm::Json => output::document(&all)?,
        OutputForm::Ndjson => output::line(&all)?,
    }
    Ok(if !all.not_checked.is_empty() {
        exit::FAILED
    } else if args.exit_code && all.drifted {
        exit::AWAITING
    } else {
        exit::DONE
    })
}
