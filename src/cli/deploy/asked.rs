//! What the arguments of a deployment ask for.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use super::super::project::Project;
use super::super::secret::secrets;
use super::super::targets::Resolved;
use super::super::{CliError, output, settings};
use super::given::{check_capabilities, overrides, pairs, parsed_overrides, template_buckets};
use super::{OnFailureArg, WhatArgs};
use crate::action::package::Scan;
use crate::approval;
use crate::aws::Aws;
use crate::model::{
    ArtifactName, Caller, Chosen, ExecutionDefinition, FanOut, Invocation, LeftOut,
    OperationPreferences, OverrideLine, RiskChoices, SecretRef, StackName, StackOptions, Target,
};
use crate::parameters::{OverrideExpression, Request, parse_override_file, resolve};
use crate::pipeline::{Deployment, SOURCE_ARTIFACT};

/// What the arguments ask for, with the project's template and `stackgate.yaml` read.
pub(in crate::cli) struct Asked {
    pub project: Project,
    pub invocation: Invocation,
    stack: StackName,
    pub(super) args: WhatArgs,
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
    pub(super) left_out: Vec<LeftOut>,
}

impl Asked {
    pub(in crate::cli) fn of(mut args: WhatArgs) -> Result<Self, CliError> {
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
    pub(in crate::cli) async fn deployment(
        &mut self,
        aws: &Aws,
        caller: &Caller,
    ) -> Result<Deployment, CliError> {
        let resolved = self.args.targets.resolve(aws, &self.stack, caller).await?;
        self.deployment_to(resolved)
    }

    /// Returns what would be deployed, as far as that is known without AWS.
    pub(in crate::cli) fn rehearsed(&mut self) -> Result<Deployment, CliError> {
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
    pub(super) fn name_buckets(
        &self,
        deployment: &mut Deployment,
        named: &Scan,
    ) -> Result<(), CliError> {
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
    pub(in crate::cli) fn definition(self, deployment: Deployment) -> ExecutionDefinition {
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
            let file = settings::FILE.to_owned();
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
