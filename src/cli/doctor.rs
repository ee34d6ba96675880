//! `stackgate doctor`: whether a deployment from here would get through, without changing anything.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use clap::Args;
use futures_util::future::join_all;
use jiff::Timestamp;
use rustix::fs::{Access, access};
use serde::Serialize;
use serde_json::Value;

use super::options::{Connection, Global, OutputForm};
use super::project::TEMPLATES;
use super::run::{block_on, connect};
use super::settings::FILE;
use super::targets::TargetArgs;
use super::{CliError, exit, output, permissions};
use crate::aws::{Aws, StackRef};
use crate::journal::{Journal, JournalError};
use crate::model::{
    CallFailure, Caller, FailureKind, Invocation, Priority, StackName, TargetSpec, clean,
};
use crate::report::{DOCUMENT_VERSION, markdown_text};
use crate::runtime;

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// The stack that is looked for at each target, and that the policies are limited to
    #[arg(value_name = "STACK")]
    stack: Option<StackName>,
    /// The role that CloudFormation acts with, for the policies; `{partition}`, `{account}` and `{region}` are filled in
    #[arg(long, value_name = "ARN")]
    role_arn: Option<String>,
    /// Print nothing but the policies that allow each stage, as JSON
    #[arg(long)]
    policy: bool,
    // Last, since its headings hold for what follows.
    #[command(flatten)]
    targets: TargetArgs,
    #[command(flatten)]
    connection: Connection,
}

/// A clock that is this much off is told; AWS refuses requests from 5 minutes on.
const SKEW_TOLD: i64 = 60;
const SKEW_REFUSED: i64 = 300;

/// The stack that is asked for where none is named; nobody has it.
const NOBODYS: &str = "stackgate-doctor-looks-for-no-stack";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Health {
    Ok,
    Warning,
    Failed,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    health: Health,
    what: String,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
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
}

impl Check {
    fn ok(what: impl Into<String>, found: impl AsRef<str>) -> Self {
        Self {
            health: Health::Ok,
            what: what.into(),
            found: clean(found.as_ref()),
            remedy: None,
        }
    }

    fn warning(what: &str, found: impl AsRef<str>, remedy: &str) -> Self {
        Self {
            health: Health::Warning,
            remedy: Some(remedy.to_owned()),
            ..Self::ok(what, found)
        }
    }

    fn failed(what: impl Into<String>, found: impl AsRef<str>, remedy: Option<String>) -> Self {
        Self {
            health: Health::Failed,
            remedy,
            ..Self::ok(what, found)
        }
    }
}

/// Runs `stackgate doctor`.
pub(super) fn doctor(global: &Global, mut args: DoctorArgs) -> Result<u8, CliError> {
    let root = std::env::current_dir()?;
    let mut taken = args.targets.fill(&root, &mut args.connection)?;
    taken.fill_role(&mut args.role_arn);
    taken.say();
    let mut checks = vec![project(&root), settings(&root), state(&global.state)];
    let invocation = Invocation {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        profile: args.connection.profile.clone(),
        endpoint_url: args.connection.endpoint_url.clone(),
        region: args.targets.regions.first().map(ToString::to_string),
        session: args.targets.session()?,
        ..Invocation::default()
    };
    let specs = block_on(reach(&invocation, &args, &mut checks))??;
    let policies = policies(&args, &specs);
    let has_failed = checks.iter().any(|c| c.health == Health::Failed);
    match global.output {
        OutputForm::Text if args.policy => {
            checks.retain(|check| check.health == Health::Failed);
            if has_failed {
                output::stderr(&draw(&checks));
            }
            print(&policies)?;
        }
        OutputForm::Text => output::stdout(&draw(&checks))?,
        OutputForm::Markdown => output::stdout(&markdown_text(&draw(&checks)))?,
        OutputForm::Json | OutputForm::Ndjson => print(&Document {
            document: "doctor",
            version: DOCUMENT_VERSION,
            checks,
            policies,
        })?,
    }
    Ok(if has_failed { exit::FAILED } else { exit::DONE })
}

fn print(document: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(document).map_err(CliError::failed)?;
    Ok(output::stdout(&format!("{text}\n"))?)
}

fn draw(checks: &[Check]) -> String {
    let width = checks.iter().map(|c| c.what.chars().count()).max();
    let width = width.unwrap_or(0);
    let mut text = String::new();
    for check in checks {
        let health = match check.health {
            Health::Ok => "ok",
            Health::Warning => "warning",
            Health::Failed => "failed",
        };
        text.push_str(&format!(
            "{health:<7}  {:<width$}  {}\n",
            check.what, check.found
        ));
        if let Some(remedy) = &check.remedy {
            text.push_str(&format!(
                "{:width$}remedy: {remedy}\n",
                "",
                width = width + 11
            ));
        }
    }
    text.push_str("`stackgate doctor --policy` prints what each stage must be allowed\n");
    text
}

fn project(root: &Path) -> Check {
    let templates = std::fs::read_dir(root.join(TEMPLATES));
    match templates.map(|entries| entries.flatten().count()) {
        Ok(1) => Check::ok("project", format!("1 file in `{TEMPLATES}/`")),
        Ok(count) if count > 0 => Check::ok("project", format!("{count} files in `{TEMPLATES}/`")),
        Ok(_) | Err(_) => Check::warning(
            "project",
            format!("no `{TEMPLATES}/` here"),
            "run this in the folder that holds it, or make one with `stackgate init`",
        ),
    }
}

/// Says whether there are settings; wrong ones ended the command before.
fn settings(root: &Path) -> Check {
    let found = if root.join(FILE).is_file() {
        "every key is known"
    } else {
        "none, and none is needed"
    };
    Check::ok(FILE, found)
}

/// Looks at the state folder without making it.
fn state(folder: &Path) -> Check {
    let what = "state folder";
    let shown = folder.display();
    let mode = match folder.metadata() {
        Ok(found) => found.permissions().mode(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Check::ok(
                what,
                format!("`{shown}` will be made by the first deployment"),
            );
        }
        Err(error) => {
            let remedy = "choose another with `--state`".to_owned();
            return Check::failed(what, format!("`{shown}`: {error}"), Some(remedy));
        }
    };
    if access(folder, Access::WRITE_OK).is_err() {
        let remedy =
            format!("make it writable, or choose another with `--state`: chmod u+w {shown}");
        return Check::failed(what, format!("`{shown}` cannot be written"), Some(remedy));
    }
    match Journal::open_existing(folder).and_then(|journal| journal.executions()) {
        Ok(_) if mode & 0o022 != 0 => Check::warning(
            what,
            format!("`{shown}` can be written by others, who can approve with it"),
            &format!("chmod go-w {shown}"),
        ),
        Ok(executions) if executions.len() == 1 => {
            Check::ok(what, format!("`{shown}`: 1 execution"))
        }
        Ok(executions) => Check::ok(what, format!("`{shown}`: {} executions", executions.len())),
        Err(JournalError::Missing { .. }) => {
            Check::ok(what, format!("`{shown}` has no journal yet"))
        }
        Err(error) => Check::failed(what, error.to_string(), None),
    }
}

/// Looks at everything that is reached over the network; returns the targets.
async fn reach(
    invocation: &Invocation,
    args: &DoctorArgs,
    checks: &mut Vec<Check>,
) -> Result<Vec<TargetSpec>, CliError> {
    let aws = connect(invocation, None).await?;
    checks.push(match aws.endpoint() {
        Some(url) => Check::ok(
            "endpoint",
            format!("{url}, for every call: no AWS account is reached"),
        ),
        None => Check::ok("endpoint", "AWS"),
    });
    let asked = runtime::now();
    if let Some(service) = aws.service_time().await {
        checks.push(clock(service, asked, runtime::now()));
    }
    let caller = match aws.caller().await {
        Ok(caller) => caller,
        Err(failure) => {
            checks.push(Check::failed("caller", &failure.message, None));
            checks.push(Check::warning(
                "targets",
                "not tried without a caller",
                "run this again when the caller is known",
            ));
            return Ok(Vec::new());
        }
    };
    checks.push(Check::ok("caller", &caller.arn));
    let stack = match &args.stack {
        Some(stack) => stack.clone(),
        None => StackName::new(NOBODYS).map_err(CliError::failed)?,
    };
    args.targets.preferences()?;
    let specs = args
        .targets
        .resolve(&stack, &caller, aws.default_region())?;
    let looks = specs
        .iter()
        .map(|spec| look(&aws, spec, &caller, args.stack.is_some()));
    checks.extend(join_all(looks).await);
    Ok(specs)
}

/// Compares the service's time, which is cut to seconds, with when it was asked for and when it came.
fn clock(service: Timestamp, asked: Timestamp, came: Timestamp) -> Check {
    let service = service.as_second();
    let ahead = asked.as_second() - (service + 1);
    let behind = service - came.as_second();
    let (seconds, found) = if ahead > 0 {
        (ahead, format!("{ahead} s ahead of that of the service"))
    } else if behind > 0 {
        (behind, format!("{behind} s behind that of the service"))
    } else {
        (0, "agrees with that of the service".to_owned())
    };
    let remedy = "set the clock of this machine, for example with NTP: AWS refuses requests that are 5 minutes off";
    match seconds {
        ..SKEW_TOLD => Check::ok("clock", found),
        SKEW_TOLD..SKEW_REFUSED => Check::warning("clock", found, remedy),
        SKEW_REFUSED.. => Check::failed("clock", found, Some(remedy.to_owned())),
    }
}

/// Opens the session of a target and reads its stack.
async fn look(aws: &Aws, spec: &TargetSpec, caller: &Caller, is_named: bool) -> Check {
    let what = spec.target.place();
    let there = match aws.caller_at(spec).await {
        Ok(there) => there,
        Err(failure) => {
            let remedy = remedy(&failure, spec, caller);
            return Check::failed(what, &failure.message, remedy);
        }
    };
    let who = there.arn.rsplit(':').next().unwrap_or(&there.arn);
    match aws
        .stack(spec, StackRef::Name(&spec.target.stack), Priority::Read)
        .await
    {
        Ok(_) if !is_named => Check::ok(what, format!("as {who}; stacks can be read")),
        Ok(None) => Check::ok(
            what,
            format!("as {who}; no stack {} yet", spec.target.stack),
        ),
        Ok(Some(stack)) => Check::ok(
            what,
            format!("as {who}; stack {} is {}", spec.target.stack, stack.status),
        ),
        Err(failure) => {
            let remedy = remedy(&failure, spec, &there);
            Check::failed(what, &failure.message, remedy)
        }
    }
}

/// Returns what to do where the message does not say it.
fn remedy(failure: &CallFailure, spec: &TargetSpec, caller: &Caller) -> Option<String> {
    match (&failure.kind, &spec.role_arn) {
        (FailureKind::AccessDenied, Some(role)) if failure.message.starts_with("AssumeRole") => {
            Some(format!(
                "the role {role} must exist, its trust policy must name {}, and that caller must be allowed `sts:AssumeRole` on it",
                caller.arn
            ))
        }
        (FailureKind::AccessDenied, _) => Some(format!(
            "allow {} what `stackgate doctor --policy` prints",
            caller.arn
        )),
        (
            FailureKind::CredentialsExpired
            | FailureKind::Throttled
            | FailureKind::NotFound
            | FailureKind::AlreadyExists
            | FailureKind::MissingCapabilities(_)
            | FailureKind::Refused
            | FailureKind::Ambiguous
            | FailureKind::Unreachable
            | FailureKind::BadInput
            | FailureKind::SecretNeeded(_),
            _,
        ) => None,
    }
}

fn policies(args: &DoctorArgs, specs: &[TargetSpec]) -> Policies {
    let of = |spec: &TargetSpec| [spec.role_arn.clone(), spec.execute_role_arn.clone()];
    let mut roles: Vec<String> = specs.iter().flat_map(of).flatten().collect();
    roles.sort();
    roles.dedup();
    let partition = specs.first().map_or("aws", |s| s.target.region.partition());
    // One policy serves all targets.
    let pass = args.role_arn.as_ref().map(|role| {
        role.replace("{partition}", partition)
            .replace("{account}", "*")
            .replace("{region}", "*")
    });
    let stack = args.stack.as_ref().map(StackName::as_str);
    Policies {
        caller: permissions::of_caller(&roles),
        at_target: permissions::at_target(stack, partition, pass.as_deref()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_told_before_it_is_refused() {
        let service: Timestamp = "2026-11-22T21:40:00Z".parse().unwrap();
        let at = |seconds: i64| {
            let now = Timestamp::from_second(service.as_second() + seconds).unwrap();
            clock(service, now, now)
        };
        for (seconds, health, word) in [
            (1, Health::Ok, "agrees"),
            (-30, Health::Ok, "30 s behind"),
            (91, Health::Warning, "90 s ahead"),
            (-301, Health::Failed, "301 s behind"),
        ] {
            let check = at(seconds);
            assert_eq!(check.health, health, "{check:?}");
            assert!(check.found.contains(word), "{check:?}");
            assert_eq!(check.remedy.is_some(), health != Health::Ok);
        }
    }

    #[test]
    fn a_state_folder_is_looked_at_and_not_made() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(".stackgate");
        assert_eq!(state(&folder).health, Health::Ok);
        assert!(!folder.exists());
        drop(Journal::open(&folder).unwrap());
        assert_eq!(state(&folder).health, Health::Ok);
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(&folder, open).unwrap();
        assert_eq!(state(&folder).health, Health::Warning);
        std::fs::write(folder.join("journal.db"), "no database ".repeat(100)).unwrap();
        assert_eq!(state(&folder).health, Health::Failed);
        let file = root.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(state(&file.join("state")).health, Health::Failed);
    }
}
