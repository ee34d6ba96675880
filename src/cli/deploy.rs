//! `stackgate deploy` and `stackgate plan`: one pipeline, built in memory.

mod asked;
mod given;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

pub(super) use self::asked::Asked;
use self::given::acknowledge;
pub(super) use self::given::{check_capabilities, minutes, pairs};

use super::face::Answering;
use super::options::{Connection, Global, stack_wait};
use super::portable::{self, PlanFileArgs};
use super::run::{Account, Run, Start, block_on, connect, new_id};
use super::stack_options::StackOptionArgs;
use super::targets::TargetArgs;
use super::{CliError, delete, exit, others, output};
use crate::action::package::scan;
use crate::approval;
use crate::journal::Journal;
use crate::model::{RiskLevel, StackName, StackWait};
use crate::pipeline::Deletion;

/// Arguments of `deploy`.
#[derive(Debug, Args)]
pub(super) struct DeployArgs {
    /// Approve without asking, up to a level of risk; `--yes` alone is `--yes=medium`, and stops at high risk
    #[arg(long, value_enum, value_name = "RISK", num_args = 0..=1, require_equals = true,
          default_missing_value = "medium", conflicts_with = "detach")]
    yes: Option<RiskArg>,
    /// Leave, with exit code 3, when the plan waits for approval
    #[arg(long)]
    detach: bool,
    #[command(flatten)]
    file: PlanFileArgs,
    /// First delete the stacks whose creation failed (`ROLLBACK_COMPLETE`, `ROLLBACK_FAILED`, `CREATE_FAILED`),
    /// reviewed and approved on its own; then deploy them as new
    #[arg(long)]
    replace_failed: bool,
    // Last, since its headings hold for what follows.
    #[command(flatten)]
    what: WhatArgs,
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// Write the plan to a file, to be approved and executed on another machine by `deploy --plan`
    #[arg(long, value_name = "FILE", conflicts_with = "allow_literal_secrets")]
    out: Option<PathBuf>,
    #[command(flatten)]
    what: WhatArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum RiskArg {
    Low,
    Medium,
    High,
}

/// What follows where a rollout fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OnFailureArg {
    /// Nothing: what was changed stays
    Keep,
    /// What was changed is rolled back
    Rollback,
}

impl OnFailureArg {
    fn word(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Rollback => "rollback",
        }
    }
}

/// The options that say how stacks are deployed and where, beside the template and its parameters: they have no meaning
/// where nothing is made anew. Tests of the commands that refuse them keep the list whole.
pub(super) const OF_DEPLOYMENT: [&str; 46] = [
    "wait_for_stack",
    "stack_name",
    "template",
    "parameter_overrides",
    "secrets",
    "allow_literal_secrets",
    "tags",
    "capabilities",
    "role_arn",
    "artifact_bucket",
    "s3_buckets",
    "approval_expires",
    "on_failure",
    "notification_arns",
    "on_stack_failure",
    "disable_rollback",
    "rollback_triggers",
    "monitoring_time",
    "import_existing_resources",
    "resources_to_import",
    "include_nested_stacks",
    "revert_drift",
    "stack_policy",
    "termination_protection",
    "no_termination_protection",
    "accounts",
    "organizational_units",
    "account_filter",
    "exclude",
    "account_tags",
    "organization_role",
    "regions",
    "targets",
    "target_role",
    "plan_role",
    "execute_role",
    "max_concurrent",
    "failure_tolerance",
    "region_order",
    "region_concurrency",
    "concurrency_mode",
    "target_set",
    "environment",
    "external_id",
    "session_name",
    "session_tags",
];

/// What to deploy, and where.
#[derive(Debug, Args)]
pub(super) struct WhatArgs {
    /// The template `templates/STACK.{yaml,yml,json,template}`, and the stack's name
    #[arg(value_name = "STACK")]
    stack: Option<String>,
    /// The stack's name, where it is not that of the template
    #[arg(long, value_name = "NAME")]
    stack_name: Option<StackName>,
    /// The template, where it is not in `templates/`
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// Folder and base name of the override files [default: parameter-overrides/STACK]
    ///
    /// The files are `STACK`, `STACK.REGION`, `STACK.ACCOUNT` and `STACK.ACCOUNT.REGION`, each with `.json`, `.yaml` or
    /// `.yml`; a later one wins. A file is an object with `Parameters`, `Tags` and `StackPolicy`, a map of names and
    /// values, or the list of the AWS CLI (`ParameterKey`, `ParameterValue`).
    ///
    /// A value may be looked up in the target's account: `{StackOutput: STACK.OUTPUT}`, `{Export: NAME}` or
    /// `{SsmParameter: NAME}`, each with `Region: REGION` where it is another one.
    #[arg(long, value_name = "PATH")]
    overrides: Option<String>,
    /// A parameter that wins over all files
    #[arg(long = "parameter", short = 'p', value_name = "KEY=VALUE")]
    parameters: Vec<String>,
    /// Parameters as CodePipeline writes them: a JSON object whose values are texts, `Fn::GetParam`
    /// or `Fn::GetArtifactAtt`
    #[arg(long, value_name = "JSON")]
    parameter_overrides: Option<String>,
    /// Where the value of a secret parameter is: `env:NAME`, `file:PATH` or `prompt`
    #[arg(long = "secret", value_name = "KEY=REF")]
    secrets: Vec<String>,
    /// Accept secret values written in override files
    #[arg(long)]
    allow_literal_secrets: bool,
    /// A tag of the stack that wins over those of files
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    tags: Vec<String>,
    /// Acknowledged capabilities, separated by commas: `CAPABILITY_IAM`, `CAPABILITY_NAMED_IAM`,
    /// `CAPABILITY_AUTO_EXPAND`
    #[arg(long, value_delimiter = ',', value_name = "CAPABILITY")]
    capabilities: Vec<String>,
    /// The role that CloudFormation acts with; `{partition}`, `{account}` and `{region}` are filled in
    #[arg(long, value_name = "ARN")]
    role_arn: Option<String>,
    /// The bucket that `Fn::GetArtifactAtt` names
    #[arg(long, value_name = "BUCKET")]
    artifact_bucket: Option<String>,
    /// The bucket for the code and nested templates that a template names by local paths, and for templates above
    /// 51,200 bytes, for one region or for all; `{region}`,
    /// `{account}` and `{partition}` are filled in. It must be of your own account, or of the one behind `@`
    #[arg(long = "s3-bucket", value_name = "[REGION=]BUCKET[@ACCOUNT]")]
    s3_buckets: Vec<String>,
    /// Wait while somebody else works on a stack, as long as it takes or no longer than a time such as `30m`;
    /// without it, such a stack is reported and not planned
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true,
          default_missing_value = "unlimited", value_parser = stack_wait)]
    wait_for_stack: Option<StackWait>,
    /// How long the answer is waited for, such as `8h` or `7d` [default: 7d]
    #[arg(long, value_name = "TIME", value_parser = minutes)]
    approval_expires: Option<u32>,
    /// What becomes of the stacks that were changed where the rollout fails, with more failures than are tolerated
    /// [default: keep]
    ///
    /// `rollback` goes on by itself as `stackgate rollback` would: whoever approves the deployment approves that, too. What
    /// becomes of the one stack whose operation fails says `--on-stack-failure`.
    #[arg(long, value_enum, value_name = "WHAT")]
    on_failure: Option<OnFailureArg>,
    #[command(flatten)]
    options: StackOptionArgs,
    #[command(flatten)]
    targets: TargetArgs,
    #[command(flatten)]
    connection: Connection,
}

impl WhatArgs {
    /// Returns the stack that is named.
    pub(super) fn stack(&self) -> Option<&str> {
        self.stack.as_deref()
    }

    /// Returns the template that is given by its file.
    pub(super) fn template(&self) -> Option<&std::path::Path> {
        self.template.as_deref()
    }

    /// Returns the base name of override files.
    pub(super) fn overrides(&self) -> Option<&str> {
        self.overrides.as_deref()
    }

    /// Returns the parameters that are given one by one.
    pub(super) fn parameters(&self) -> &[String] {
        &self.parameters
    }
}

/// Runs `stackgate deploy`.
pub(super) fn deploy(global: &Global, args: DeployArgs) -> Result<u8, CliError> {
    let answering = answering(args.yes, args.detach);
    if let Some(path) = &args.file.plan {
        let connection = &args.what.connection;
        return portable::deploy(global, path, args.file.approve, connection, answering);
    }
    start(global, args.what, answering, args.replace_failed, None)
}

/// Returns how the approval is answered.
pub(super) fn answering(yes: Option<RiskArg>, detach: bool) -> Answering {
    match yes {
        Some(RiskArg::Low) => Answering::Yes(RiskLevel::Low),
        Some(RiskArg::Medium) => Answering::Yes(RiskLevel::Medium),
        Some(RiskArg::High) => Answering::Yes(RiskLevel::High),
        None if detach || !output::is_interactive() => Answering::Detached,
        None => Answering::Prompt,
    }
}

/// Runs `stackgate plan`.
pub(super) fn plan(global: &Global, args: PlanArgs) -> Result<u8, CliError> {
    if let Some(out) = &args.out {
        portable::check_place(out)?;
    }
    start(global, args.what, Answering::Detached, false, args.out)
}

fn start(
    global: &Global,
    args: WhatArgs,
    answering: Answering,
    replace_failed: bool,
    out: Option<PathBuf>,
) -> Result<u8, CliError> {
    let mut asked = Asked::of(args)?;
    let named = scan(&asked.project.root, &asked.project.template_path).map_err(CliError::usage)?;
    acknowledge(&asked.project, &named, &mut asked.args.capabilities)?;
    let id = new_id()?;
    let journal = Journal::open(&global.state)?;

    block_on(async {
        let aws = connect(&asked.invocation, Some(&id)).await?;
        let caller = aws.caller().await?;
        let mut deployment = asked.deployment(&aws, &caller).await?;
        asked.name_buckets(&mut deployment, &named)?;
        if out.is_some() {
            let root = &asked.project.root;
            let read = deployment.files.iter().filter_map(|file| {
                let bytes = std::fs::read(root.join(file)).ok()?;
                Some((file.as_str(), bytes))
            });
            portable::refuse_secrets(&[&asked.project.template], read)?;
        }
        let targets = deployment.fan_out.targets.iter().map(|s| &s.target);
        others::tell(&journal, &targets.cloned().collect::<Vec<_>>());
        if replace_failed {
            let deletion = Deletion {
                stack: deployment.stack.clone(),
                only_failed: true,
                wait: deployment.wait,
                retain: Vec::new(),
                role_arn: deployment.role_arn.clone(),
                fan_out: deployment.fan_out.clone(),
                approval_minutes: deployment.approval_minutes,
                risks: deployment.risks.clone(),
            };
            let invocation = &asked.invocation;
            let code = delete::delete_failed(
                global,
                &journal,
                invocation,
                deletion,
                &asked.left_out,
                answering,
            )
            .await?;
            if !matches!(code, exit::DONE | exit::WITH_FAILURES) {
                return Ok(code);
            }
        }
        let start = Start {
            global,
            journal: &journal,
            id,
            aws,
            caller,
            answering,
            out,
            account: Account::Always,
        };
        Run::start(start, asked.definition(deployment)).await
    })?
}

const _: () = assert!(
    approval::DEFAULT_VALIDITY_MINUTES == 7 * 24 * 60,
    "the default of --approval-expires"
);
const _: () = assert!(exit::DONE == 0);
