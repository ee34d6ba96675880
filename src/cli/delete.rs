//! `stackgate delete`: a reviewed deletion over targets, by the same engine as a deployment.

use std::collections::BTreeMap;

use clap::Args;

use super::deploy::{RiskArg, answering, minutes};
use super::face::Answering;
use super::options::{Connection, Global, stack_wait};
use super::run::{Account, Run, Start, block_on, connect, new_id};
use super::targets::TargetArgs;
use super::{CliError, exit, output, project};
use crate::action::inputs::TEMPLATE_PATHS;
use crate::approval;
use crate::journal::Journal;
use crate::model::{
    ActionDeclaration, ExecutionDefinition, ExecutionOutcome, FanOut, Invocation, LeftOut,
    LogicalId, StackName, StackWait,
};
use crate::pipeline::{APPROVAL_STAGE, Deletion};
use crate::report::View;

/// Arguments of `delete`.
#[derive(Debug, Args)]
pub(super) struct DeleteArgs {
    /// The stack's name
    #[arg(value_name = "STACK")]
    stack: StackName,
    /// Approve without asking, up to a level of risk; `--yes` alone is `--yes=medium`, and stops at the loss of
    /// data
    #[arg(long, value_enum, value_name = "RISK", num_args = 0..=1, require_equals = true,
          default_missing_value = "medium", conflicts_with = "detach")]
    yes: Option<RiskArg>,
    /// Leave, with exit code 3, when the plan waits for approval
    #[arg(long)]
    detach: bool,
    /// Resources to leave where an earlier deletion of the stack failed (`DELETE_FAILED`) because of them
    #[arg(long, value_delimiter = ',', value_name = "LOGICAL_ID")]
    retain_resources: Vec<LogicalId>,
    /// The role that CloudFormation acts with; `{partition}`, `{account}` and `{region}` are filled in
    #[arg(long, value_name = "ARN")]
    role_arn: Option<String>,
    /// Wait while somebody else works on a stack, as long as it takes or no longer than a time such as `30m`;
    /// without it, such a stack is reported and not planned
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true,
          default_missing_value = "unlimited", value_parser = stack_wait)]
    wait_for_stack: Option<StackWait>,
    /// How long the answer is waited for, such as `8h` or `7d` [default: 7d]
    #[arg(long, value_name = "TIME", value_parser = minutes)]
    approval_expires: Option<u32>,
    // Last, since its headings hold for what follows.
    #[command(flatten)]
    targets: TargetArgs,
    #[command(flatten)]
    connection: Connection,
}

/// Runs `stackgate delete`.
pub(super) fn delete(global: &Global, mut args: DeleteArgs) -> Result<u8, CliError> {
    let answering = answering(args.yes, args.detach);
    let root = std::env::current_dir()?;
    let mut taken = args.targets.fill(&root, &mut args.connection)?;
    taken.fill_role(&mut args.role_arn);
    taken.fill_expiry(&mut args.approval_expires);
    let risks = std::mem::take(&mut taken.values.risks);
    taken.note_risks(&risks);
    taken.say();
    let preferences = args.targets.preferences()?;
    let invocation = args
        .targets
        .invocation(&root, &args.connection, taken.chosen)?;
    let id = new_id()?;
    let journal = Journal::open(&global.state)?;
    let (execution, name) = (id.clone(), args.stack.clone());

    let code = block_on(async {
        let aws = connect(&invocation, Some(&id)).await?;
        let caller = aws.caller().await?;
        let resolved = args.targets.resolve(&aws, &args.stack, &caller).await?;
        let waves = args.targets.waves(&resolved.specs, &preferences)?;
        let deletion = Deletion {
            stack: args.stack,
            only_failed: false,
            wait: args.wait_for_stack,
            retain: args.retain_resources,
            role_arn: args.role_arn,
            fan_out: FanOut {
                waves,
                targets: resolved.specs,
                preferences,
            },
            approval_minutes: args
                .approval_expires
                .unwrap_or(approval::DEFAULT_VALIDITY_MINUTES),
            risks,
        };
        let definition = ExecutionDefinition {
            pipeline: deletion.pipeline(),
            invocation,
            secrets: BTreeMap::new(),
            allow_literal_secrets: false,
            left_out: resolved.left_out,
        };
        let start = Start {
            global,
            journal: &journal,
            id,
            aws,
            caller,
            answering,
            out: None,
            account: Account::Always,
        };
        Run::start(start, definition).await
    })??;
    let view = View::read(journal.events(&execution, 0))?;
    if view.outcome() == Some(&ExecutionOutcome::NothingToDo)
        && let Some(other) = project::meant(&root, name.as_str())
    {
        output::stderr(&format!(
            "no target has a stack `{name}`; did you mean `{other}`?\n"
        ));
    }
    Ok(code)
}

/// Returns the deletion of the stacks that an execution makes, over the same targets in the same way.
pub(super) fn as_made_by(definition: &ExecutionDefinition) -> Result<Deletion, CliError> {
    let pipeline = &definition.pipeline;
    let mut actions = pipeline.actions().filter(|a| a.fan_out.is_some());
    let makes = |a: &&ActionDeclaration| {
        let settings = &a.configuration;
        settings.contains_key("TemplatePath") || settings.contains_key(TEMPLATE_PATHS)
    };
    let made = actions.find(makes);
    let made = made.and_then(|create| Some((create, create.fan_out.clone()?)));
    let made = made.and_then(|(create, fan_out)| {
        let stack = fan_out.targets.first()?.target.stack.clone();
        Some((create, fan_out, stack))
    });
    let Some((create, mut fan_out, stack)) = made else {
        return Err(CliError::message("the execution makes no stacks"));
    };
    // The waves are for what is made anew.
    fan_out.waves.clear();
    let mut stages = pipeline.stages.iter();
    let approval = stages.find(|stage| stage.name.as_str() == APPROVAL_STAGE);
    let minutes = approval.and_then(|stage| stage.actions.first()?.timeout_in_minutes);
    Ok(Deletion {
        stack,
        only_failed: false,
        wait: StackWait::of(create).map_err(CliError::failed)?,
        retain: Vec::new(),
        role_arn: create.configuration.get("RoleArn").cloned(),
        fan_out,
        approval_minutes: minutes.unwrap_or(approval::DEFAULT_VALIDITY_MINUTES),
        risks: definition.risk_choices().map_err(CliError::failed)?,
    })
}

/// Deletes the stacks whose creation failed, in an execution of its own before the deployment's, with its
/// own review and answer. Returns the exit code.
pub(super) async fn delete_failed(
    global: &Global,
    journal: &Journal,
    invocation: &Invocation,
    deletion: Deletion,
    left_out: &[LeftOut],
    answering: Answering,
) -> Result<u8, CliError> {
    let id = new_id()?;
    let aws = connect(invocation, Some(&id)).await?;
    let caller = aws.caller().await?;
    let definition = ExecutionDefinition {
        pipeline: deletion.pipeline(),
        invocation: invocation.clone(),
        secrets: BTreeMap::new(),
        allow_literal_secrets: false,
        left_out: left_out.to_vec(),
    };
    let start = Start {
        global,
        journal,
        id,
        aws,
        caller,
        answering,
        out: None,
        account: Account::UnlessDone,
    };
    let code = Run::start(start, definition).await?;
    if code == exit::AWAITING {
        output::stderr(
            "these stacks failed when they were created; once their deletion is approved and done, deploy again\n",
        );
    }
    Ok(code)
}
