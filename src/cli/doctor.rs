//! `stackgate doctor`: whether a deployment from here would get through, without changing anything.

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::health::{self, Check, Health};
use super::options::{Connection, Global, OutputForm};
use super::reach::{Wanted, buckets, reach};
use super::run::{block_on, connect};
use super::settings::Settings;
use super::targets::TargetArgs;
use super::{CliError, exit, output, permissions};
use crate::aws;
use crate::model::{Invocation, StackName, TargetSpec, TemplateBuckets};
use crate::report::DOCUMENT_VERSION;

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// The stack that is looked for at each target, and that the policies are limited to
    #[arg(value_name = "STACK")]
    stack: Option<StackName>,
    /// The role that CloudFormation acts with, for the policies; `{partition}`, `{account}` and `{region}` are filled in
    #[arg(long, value_name = "ARN")]
    role_arn: Option<String>,
    /// The bucket for templates above 51,200 bytes, as `deploy` takes it; it is looked at, and nothing is put there
    #[arg(long = "s3-bucket", value_name = "[REGION=]BUCKET[@ACCOUNT]")]
    s3_buckets: Vec<String>,
    /// Print nothing but the policies that allow each stage, as JSON
    #[arg(long)]
    policy: bool,
    // Last, since its headings hold for what follows.
    #[command(flatten)]
    targets: TargetArgs,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Serialize)]
struct Document {
    document: &'static str,
    version: u32,
    checks: Vec<Check>,
    policies: Policies,
}

#[derive(Debug, Default, Serialize)]
struct Policies {
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<Value>,
    at_target: Value,
    /// Of the role that reads the organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    of_organization: Option<Value>,
}

/// Runs `stackgate doctor`.
pub(super) fn doctor(global: &Global, mut args: DoctorArgs) -> Result<u8, CliError> {
    let root = std::env::current_dir()?;
    let buckets = TemplateBuckets::parse(args.s3_buckets.iter().map(String::as_str))
        .map_err(|error| CliError::usage(anyhow::Error::new(error).context("`--s3-bucket`")))?;
    let settings = match Settings::load(&root) {
        Ok(_) => {
            let mut taken = args.targets.fill(&root, &mut args.connection)?;
            taken.fill_role(&mut args.role_arn);
            taken.say();
            health::settings(&root)
        }
        Err(error) => health::broken_settings(&error),
    };
    let is_broken = settings.health == Health::Failed;
    let mut checks = vec![health::project(&root)];
    let stack = args.stack.as_ref().map(StackName::as_str);
    checks.extend(stack.and_then(|stack| health::template(&root, stack)));
    checks.extend([settings, health::state(&global.state)]);
    checks.extend(health::open_files(aws::open_files()));
    let invocation = Invocation {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        profile: args.connection.profile.clone(),
        endpoint_url: args.connection.endpoint_url.clone(),
        region: args.targets.first_region().map(ToString::to_string),
        session: args.targets.session()?,
        ..Invocation::default()
    };
    let wanted = Wanted {
        stack: args.stack.as_ref(),
        targets: (!is_broken || !args.targets.names_settings()).then_some(&args.targets),
        buckets: &buckets,
    };
    let specs = block_on(async {
        let aws = connect(&invocation, None).await?;
        reach(&aws, &wanted, &mut checks).await
    })??;
    let policies = policies(&args, &specs, &buckets);
    let has_failed = checks.iter().any(|c| c.health == Health::Failed);
    match global.output {
        OutputForm::Text if args.policy => {
            checks.retain(|check| check.health == Health::Failed);
            if has_failed {
                output::stderr(&health::draw(&checks, None));
            }
            output::document(&policies)?;
        }
        form @ (OutputForm::Text | OutputForm::Markdown | OutputForm::Html) => {
            let columns = match form {
                OutputForm::Text => output::stdout_width(),
                OutputForm::Markdown | OutputForm::Html | OutputForm::Json | OutputForm::Ndjson => {
                    None
                }
            };
            output::text(form, "doctor", &health::draw(&checks, columns))?;
        }
        form @ (OutputForm::Json | OutputForm::Ndjson) => {
            let document = Document {
                document: "doctor",
                version: DOCUMENT_VERSION,
                checks,
                policies,
            };
            if form == OutputForm::Ndjson {
                output::line(&document)?;
            } else {
                output::document(&document)?;
            }
        }
    }
    Ok(if has_failed { exit::FAILED } else { exit::DONE })
}

fn policies(args: &DoctorArgs, specs: &[TargetSpec], named: &TemplateBuckets) -> Policies {
    let of = |spec: &TargetSpec| [spec.role_arn.clone(), spec.execute_role_arn.clone()];
    let mut roles: Vec<String> = specs.iter().flat_map(of).flatten().collect();
    let reader = args.targets.organization_role();
    roles.extend(reader.map(str::to_owned));
    roles.sort();
    roles.dedup();
    let mut objects: Vec<String> = buckets(specs, named)
        .into_iter()
        .map(|b| b.0.name)
        .collect();
    objects.sort();
    objects.dedup();
    let partition = specs.first().map_or("aws", |s| s.target.region.partition());
    // One policy serves all targets.
    let pass = args.role_arn.as_ref().map(|role| {
        role.replace("{partition}", partition)
            .replace("{account}", "*")
            .replace("{region}", "*")
    });
    let stack = args.stack.as_ref().map(StackName::as_str);
    Policies {
        caller: permissions::of_caller(
            &roles,
            &objects,
            partition,
            args.targets.asks_organization() && reader.is_none(),
        ),
        of_organization: reader.map(|_| permissions::of_organization()),
        at_target: permissions::at_target(stack, partition, pass.as_deref(), &objects),
    }
}
