//! `stackgate deploy` and `stackgate plan`: one pipeline, built in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use indexmap::IndexMap;
use jiff::{SignedDuration, Span};

use super::face::Answering;
use super::options::{Connection, Global, stack_wait};
use super::portable::{self, PlanFileArgs};
use super::project::Project;
use super::prompt;
use super::run::{Account, Run, Start, block_on, connect, new_id};
use super::secret::secrets;
use super::stack_options::StackOptionArgs;
use super::targets::{Resolved, TargetArgs};
use super::{CliError, delete, exit, others, output};
use crate::action::package::{Scan, scan};
use crate::approval;
use crate::aws::Aws;
use crate::journal::Journal;
use crate::model::{
    ArtifactName, Caller, Chosen, ExecutionDefinition, FanOut, Invocation, LARGEST_INLINE_TEMPLATE,
    LeftOut, OperationPreferences, OverrideLine, RiskChoices, RiskLevel, SecretRef, StackName,
    StackOptions, StackWait, Target, TemplateBuckets, clean,
};
use crate::parameters::{
    OverrideExpression, Request, nearest, parse_override_file, parse_overrides, resolve,
};
use crate::pipeline::{Deletion, Deployment, SOURCE_ARTIFACT};
use crate::template::CAPABILITIES;

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

/// What the arguments ask for, with the project's template and `stackgate.yaml` read.
pub(super) struct Asked {
    pub project: Project,
    pub invocation: Invocation,
    stack: StackName,
    args: WhatArgs,
    tags: BTreeMap<String, String>,
    secrets: BTreeMap<String, SecretRef>,
    overrides: IndexMap<String, OverrideExpression>,
    overrides_json: Option<String>,
    origins: BTreeMap<String, OverrideLine>,
    /// The flag that gives each of the overrides.
    flags: BTreeMap<String, &'static str>,
    options: StackOptions,
    stack_policy: Option<String>,
    preferences: OperationPreferences,
    risks: RiskChoices,
    /// What is no target although it was looked at, once the targets are known.
    left_out: Vec<LeftOut>,
}

impl Asked {
    pub(super) fn of(mut args: WhatArgs) -> Result<Self, CliError> {
        let project = Project::open(
            args.stack.as_deref(),
            args.template.as_deref(),
            args.overrides.as_deref(),
        )?;
        let stack = match &args.stack_name {
            Some(name) => name.clone(),
            None => {
                let name = args
                    .stack
                    .clone()
                    .unwrap_or_else(|| project.default_stack_name());
                StackName::new(name).map_err(|e| {
                    CliError::usage(e).hint("give the stack another name with `--stack-name`")
                })?
            }
        };
        let Filled {
            chosen,
            risks,
            origins,
        } = fill(&project, &mut args)?;
        check_capabilities(&args.capabilities)?;
        let tags = pairs("--tag", &args.tags)?;
        let secrets = secrets(&args.secrets)?;
        let overrides_json = overrides(&args)?;
        let overrides = match &overrides_json {
            Some(json) => parsed_overrides(json)?,
            None => IndexMap::new(),
        };
        let single = pairs("--parameter", &args.parameters)?;
        let flag = |name: &String| match single.contains_key(name) {
            true => "`--parameter`",
            false => "`--parameter-overrides`",
        };
        let flags = overrides.keys().map(|name| (name.clone(), flag(name)));
        let flags = flags.collect();
        let invocation = args
            .targets
            .invocation(&project.root, &args.connection, chosen)?;
        Ok(Self {
            options: args.options.options(&project.template)?,
            stack_policy: args.options.policy()?,
            preferences: args.targets.preferences()?,
            risks,
            project,
            invocation,
            stack,
            args,
            tags,
            secrets,
            overrides,
            overrides_json,
            origins,
            left_out: Vec::new(),
            flags,
        })
    }

    /// Returns what is deployed, once it is known whose account is the own one. The files are checked for every
    /// target before anything else is asked of AWS.
    pub(super) async fn deployment(
        &mut self,
        aws: &Aws,
        caller: &Caller,
    ) -> Result<Deployment, CliError> {
        let resolved = self.args.targets.resolve(aws, &self.stack, caller).await?;
        self.deployment_to(resolved)
    }

    /// Returns what would be deployed, as far as that is known without AWS.
    pub(super) fn rehearsed(&mut self) -> Result<Deployment, CliError> {
        let resolved = self.args.targets.resolve_offline(&self.stack)?;
        self.deployment_to(resolved)
    }

    fn deployment_to(&mut self, resolved: Resolved) -> Result<Deployment, CliError> {
        let specs = resolved.specs;
        self.left_out = resolved.left_out;
        let (args, project) = (&self.args, &self.project);
        let targets: Vec<Target> = specs.iter().map(|s| s.target.clone()).collect();
        for note in project.stray_files(&targets)? {
            output::stderr(&format!("note: {note}\n"));
        }
        let files = project.files(&targets, &self.overrides)?;
        self.check(&targets, &files)?;
        let waves = args.targets.waves(&specs, &self.preferences)?;
        Ok(Deployment {
            notes: args.targets.waves_passed_over(&waves),
            stack: self.stack.clone(),
            template: project.template_path.clone(),
            files,
            configuration: Some(project.configuration.clone()),
            parameter_overrides: self.overrides_json.clone(),
            parameter_origins: self.origins.clone(),
            tags: self.tags.clone(),
            capabilities: args.capabilities.clone(),
            role_arn: args.role_arn.clone(),
            artifact_bucket: args.artifact_bucket.clone(),
            stack_policy: self.stack_policy.clone(),
            options: self.options.clone(),
            packaged: Vec::new(),
            template_buckets: None,
            wait: args.wait_for_stack,
            rolls_back: args.on_failure == Some(OnFailureArg::Rollback),
            fan_out: FanOut {
                waves,
                targets: specs,
                preferences: self.preferences.clone(),
            },
            approval_minutes: args
                .approval_expires
                .unwrap_or(approval::DEFAULT_VALIDITY_MINUTES),
            risks: self.risks.clone(),
        })
    }

    /// Says what is packaged, and which buckets it and a large template go through.
    fn name_buckets(&self, deployment: &mut Deployment, named: &Scan) -> Result<(), CliError> {
        let targets = deployment.fan_out.targets.iter().map(|s| s.target.clone());
        let targets: Vec<Target> = targets.collect();
        deployment.template_buckets =
            template_buckets(&self.project, named, &targets, &self.args.s3_buckets)?;
        if !named.is_empty() {
            deployment.packaged.push(deployment.template.clone());
        }
        Ok(())
    }

    /// Checks the parameters of every target before anything is asked of AWS for it.
    ///
    /// What a stack has at present is not known yet: every parameter is taken to have a previous value.
    fn check(&self, targets: &[Target], files: &[String]) -> Result<(), CliError> {
        let project = &self.project;
        let (folder, name) = project
            .configuration
            .rsplit_once('/')
            .unwrap_or(("", &project.configuration));
        let mut parsed = BTreeMap::new();
        for file in files
            .iter()
            .filter(|f| f.starts_with(&project.configuration))
        {
            let bytes = std::fs::read(project.root.join(file)).map_err(|error| {
                CliError::usage(
                    anyhow::Error::new(error).context(format!("failed to read `{file}`")),
                )
            })?;
            parsed.insert(
                file.as_str(),
                parse_override_file(file, &bytes).map_err(CliError::usage)?,
            );
        }
        // The values of functions are read later; here only their names count.
        let values: IndexMap<String, String> = self
            .overrides
            .iter()
            .map(|(name, expression)| match expression {
                OverrideExpression::Literal(text) => (name.clone(), text.clone()),
                OverrideExpression::Param { .. } | OverrideExpression::ArtifactAtt { .. } => {
                    (name.clone(), String::new())
                }
            })
            .collect();
        let previous: Vec<String> = project.template.parameters().keys().cloned().collect();
        for target in targets {
            let mut layers = Vec::new();
            for (layer, base) in
                crate::parameters::layer_files(name, folder, &target.account, &target.region)
            {
                let chosen = crate::parameters::choose_file(&base, parsed.keys().copied());
                if let Some(file) = chosen.map_err(CliError::usage)?
                    && let Some(overrides) = parsed.get(file)
                {
                    layers.push((layer, overrides.clone()));
                }
            }
            resolve(&Request {
                declared: project.template.parameters(),
                file: project.template.file(),
                files: &layers,
                overrides: &values,
                origins: &self.origins,
                flags: &self.flags,
                secrets: &self.secrets,
                allow_literal_secrets: self.args.allow_literal_secrets,
                previous: &previous,
                tags: &self.tags,
                artifact: &ArtifactName::from(SOURCE_ARTIFACT),
                looked_up: None,
            })
            .map_err(CliError::usage)?;
        }
        Ok(())
    }

    /// Returns the execution that deploys it.
    pub(super) fn definition(self, deployment: Deployment) -> ExecutionDefinition {
        ExecutionDefinition {
            pipeline: deployment.pipeline(),
            invocation: self.invocation,
            secrets: self.secrets,
            allow_literal_secrets: self.args.allow_literal_secrets,
            left_out: self.left_out,
        }
    }
}

/// What `stackgate.yaml` says besides what flags could.
struct Filled {
    /// The names that were chosen.
    chosen: Chosen,
    /// What is made of risk rules.
    risks: RiskChoices,
    /// Where the parameters stand that are as if given by flag.
    origins: BTreeMap<String, OverrideLine>,
}

/// Fills in what `stackgate.yaml` says and no flag does, and says so.
fn fill(project: &Project, args: &mut WhatArgs) -> Result<Filled, CliError> {
    let mut taken = args.targets.fill(&project.root, &mut args.connection)?;
    taken.fill_role(&mut args.role_arn);
    taken.fill_expiry(&mut args.approval_expires);
    let on_failure = taken.values.on_failure.take();
    taken.fill("on-failure", &mut args.on_failure, on_failure, |what| {
        what.word().to_owned()
    });
    let values = std::mem::take(&mut taken.values);
    taken.fill_list("capabilities", &mut args.capabilities, values.capabilities);
    let given = pairs("--tag", &args.tags)?;
    for (key, value) in values.tags {
        if !given.contains_key(&key) {
            taken.note("tag", &key);
            args.tags.push(format!("{key}={value}"));
        }
    }
    let mut given = pairs("--parameter", &args.parameters)?
        .into_keys()
        .collect::<BTreeSet<_>>();
    if let Some(json) = &args.parameter_overrides {
        given.extend(parsed_overrides(json)?.into_keys());
    }
    given.extend(pairs("--secret", &args.secrets)?.into_keys());
    let mut origins = BTreeMap::new();
    for (key, (value, line)) in values.parameters {
        if !project.template.parameters().contains_key(&key) {
            // An environment serves several templates.
            taken.note(
                "without parameter",
                &format!("{key}, which the template does not declare"),
            );
        } else if !given.contains(&key) {
            taken.note("parameter", &key);
            args.parameters.push(format!("{key}={value}"));
            let file = super::settings::FILE.to_owned();
            origins.insert(key, OverrideLine { file, line });
        }
    }
    taken.note_risks(&values.risks);
    taken.say();
    Ok(Filled {
        chosen: taken.chosen,
        risks: values.risks,
        origins,
    })
}

/// Returns the buckets for a template that is too large for a request or names local files; none where it is neither.
fn template_buckets(
    project: &Project,
    named: &Scan,
    targets: &[Target],
    given: &[String],
) -> Result<Option<String>, CliError> {
    let buckets = TemplateBuckets::parse(given.iter().map(String::as_str))
        .map_err(|error| CliError::usage(anyhow::Error::new(error).context("`--s3-bucket`")))?;
    let path = &project.template_path;
    let bytes = std::fs::metadata(project.root.join(path)).map_or(0, |m| m.len());
    let why = match named.first() {
        _ if bytes > LARGEST_INLINE_TEMPLATE as u64 => format!(
            "`{path}` has {bytes} bytes; above {LARGEST_INLINE_TEMPLATE} a template goes to CloudFormation through a bucket"
        ),
        Some(first) => format!(
            "{}: {} is the local path `{}`, and stacks read its content from a bucket",
            first.at(),
            first.local.place,
            clean(&first.local.path)
        ),
        None => return Ok(None),
    };
    if let Some(target) = targets.iter().find(|t| buckets.of(t).is_none()) {
        let region = &target.region;
        let more = if buckets.is_empty() {
            String::new()
        } else {
            format!(" in {region}")
        };
        return Err(CliError::message(format!(
            "{why}, and none is named{more}"
        ))
        .hint("name one that your credentials can write with `--s3-bucket NAME`, or `--s3-bucket REGION=NAME` for each region; one of another account as NAME@ACCOUNT"));
    }
    Ok(Some(buckets.to_string()))
}

/// Refuses a capability that does not exist, wherever it was named.
pub(super) fn check_capabilities(given: &[String]) -> Result<(), CliError> {
    let Some(unknown) = given.iter().find(|c| !CAPABILITIES.contains(&c.as_str())) else {
        return Ok(());
    };
    let meant = nearest(unknown, CAPABILITIES)
        .map(|meant| format!("did you mean `{meant}`? "))
        .unwrap_or_default();
    Err(
        CliError::message(format!("`--capabilities`: there is no `{unknown}`")).hint(format!(
            "{meant}there are {}",
            CAPABILITIES.map(|c| format!("`{c}`")).join(", ")
        )),
    )
}

/// Asks for the capabilities that the template and those nested in it need and nobody acknowledged; without a terminal the
/// flag is named.
fn acknowledge(project: &Project, named: &Scan, given: &mut Vec<String>) -> Result<(), CliError> {
    let needed = named.required_capabilities();
    let has_named = given.iter().any(|c| c == "CAPABILITY_NAMED_IAM");
    let missing: BTreeSet<String> = needed
        .into_iter()
        .filter(|c| !(given.contains(c) || has_named && c == "CAPABILITY_IAM"))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.iter().cloned().collect::<Vec<_>>().join(",");
    let question = format!("`{}` needs {list}. Acknowledge?", project.template_path);
    if prompt::confirm(&question) {
        given.extend(missing);
        return Ok(());
    }
    Err(CliError::message(format!(
        "`{}` needs capabilities that were not acknowledged: {list}",
        project.template_path
    ))
    .hint(format!("add `--capabilities {list}`")))
}

/// Returns `--parameter-overrides` and `--parameter` as one JSON object; the latter win.
fn overrides(args: &WhatArgs) -> Result<Option<String>, CliError> {
    let parameters = pairs("--parameter", &args.parameters)?;
    if parameters.is_empty() {
        return Ok(args.parameter_overrides.clone());
    }
    let mut object: serde_json::Map<String, serde_json::Value> = match &args.parameter_overrides {
        // Parsed for its errors, which name the place; then again for its text.
        Some(json) => {
            parsed_overrides(json)?;
            serde_json::from_str(json).map_err(CliError::usage)?
        }
        None => serde_json::Map::new(),
    };
    for (key, value) in parameters {
        object.insert(key, serde_json::Value::String(value));
    }
    Ok(Some(serde_json::Value::Object(object).to_string()))
}

/// Returns what `--parameter-overrides` says; the AWS CLI knows another form by that name.
fn parsed_overrides(json: &str) -> Result<IndexMap<String, OverrideExpression>, CliError> {
    parse_overrides(json).map_err(|error| {
        let error = CliError::usage(error);
        match json.split_once('=') {
            Some((key, _)) if !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric()) => {
                error.hint(format!("write `-p {key}=VALUE`; this option takes JSON"))
            }
            Some(_) | None => error,
        }
    })
}

/// Returns `KEY=VALUE` pairs, each key once.
pub(super) fn pairs(flag: &str, given: &[String]) -> Result<BTreeMap<String, String>, CliError> {
    let mut map = BTreeMap::new();
    for (index, pair) in given.iter().enumerate() {
        let Some((key, value)) = pair.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            // Only tags are echoed: another text may be a value that somebody meant as a secret.
            let which = match flag {
                "--tag" => format!("`{}`", clean(pair)),
                _ => format!("number {} of {}", index + 1, given.len()),
            };
            return Err(CliError::message(format!(
                "`{flag}` takes KEY=VALUE; {which} has no `=` or no key"
            )));
        };
        if map.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(CliError::message(format!("`{flag}` names `{key}` twice")));
        }
    }
    Ok(map)
}

/// Parses a time such as `8h` or `7d` into minutes.
pub(super) fn minutes(text: &str) -> Result<u32, String> {
    let span: Span = text
        .parse()
        .map_err(|_| "a time such as `30m`, `8h` or `7d`".to_owned())?;
    let duration: SignedDuration = span
        .to_duration(jiff::SpanRelativeTo::days_are_24_hours())
        .map_err(|_| "months and years have no fixed length; use days".to_owned())?;
    let minutes =
        u32::try_from(duration.as_mins()).map_err(|_| "a time from 1m to 60d".to_owned())?;
    if (1..=86_400).contains(&minutes) {
        Ok(minutes)
    } else {
        Err("a time from 1m to 60d".to_owned())
    }
}

const _: () = assert!(
    approval::DEFAULT_VALIDITY_MINUTES == 7 * 24 * 60,
    "the default of --approval-expires"
);
const _: () = assert!(exit::DONE == 0);
