//! What `doctor` finds over the network: who calls, how roles are assumed, the stacks and the buckets. Nothing is changed.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use indexmap::IndexMap;

use super::CliError;
use super::health::{Check, clock};
use super::targets::TargetArgs;
use crate::aws::{Aws, StackRef};
use crate::model::{
    AccountId, CallFailure, Caller, FailureKind, Priority, StackName, TargetSpec, TemplateBucket,
    TemplateBuckets,
};
use crate::report;
use crate::runtime;

/// The stack that is asked for where none is named; nobody has it.
const NOBODYS: &str = "stackgate-doctor-looks-for-no-stack";

/// What is looked at.
pub(super) struct Wanted<'a> {
    /// The stack, if one is named.
    pub stack: Option<&'a StackName>,
    /// The targets; none where they cannot be known.
    pub targets: Option<&'a TargetArgs>,
    /// The buckets for large templates.
    pub buckets: &'a TemplateBuckets,
}

/// Looks at everything that is reached over the network; returns the targets.
pub(super) async fn reach(
    aws: &Aws,
    wanted: &Wanted<'_>,
    checks: &mut Vec<Check>,
) -> Result<Vec<TargetSpec>, CliError> {
    let asked = runtime::now();
    let service = aws.service_time().await;
    let answered = runtime::now();
    let caller = aws.caller().await;
    checks.push(endpoint(aws.endpoint(), caller.as_ref().err()));
    if let Some(service) = service {
        checks.push(clock(service, asked, answered));
    }
    let caller = match caller {
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
    let Some(targets) = wanted.targets else {
        checks.push(Check::warning(
            "targets",
            "not tried without the file that names them",
            "run this again when it can be read",
        ));
        return Ok(Vec::new());
    };
    let stack = match wanted.stack {
        Some(stack) => stack.clone(),
        None => StackName::new(NOBODYS).map_err(CliError::failed)?,
    };
    targets.preferences()?;
    let resolved = match targets.resolve(aws, &stack, &caller).await {
        Ok(resolved) => resolved,
        // Whoever may not look at it yet came here for the policy.
        Err(error) if targets.asks_organization() => {
            let (said, hints) = error.told();
            let remedy = Some(hints.join("; ")).filter(|text| !text.is_empty());
            checks.push(Check::failed("organization", said, remedy));
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    if let Some(said) = report::left_out_line(&resolved.left_out) {
        checks.push(Check::ok("organization", said));
    }
    let specs = resolved.specs;
    let ways = ways(&specs, |spec| spec.role_arn.clone());
    let is_named = wanted.stack.is_some();
    let looks = ways
        .values()
        .map(|specs| look_through(aws, specs, &caller, is_named));
    checks.extend(join_all(looks).await.into_iter().flatten());
    let executing = self::ways(&specs, |spec| spec.execute_role_arn.clone());
    let executing = executing
        .into_iter()
        .filter(|((role, _), _)| role.is_some());
    let tries = executing.map(|((_, account), specs)| try_execute(aws, account, specs, &caller));
    checks.extend(join_all(tries).await.into_iter().flatten());
    let tries = buckets(&specs, wanted.buckets)
        .into_iter()
        .map(|(bucket, spec)| look_at_bucket(aws, bucket, spec));
    checks.extend(join_all(tries).await);
    Ok(specs)
}

/// Says where the calls go, and whether anything answered there. `failure`: why the first call failed, if it did.
fn endpoint(own: Option<&str>, failure: Option<&CallFailure>) -> Check {
    let place = own.unwrap_or("AWS");
    if failure.is_some_and(|failure| failure.kind == FailureKind::Unreachable) {
        let remedy = match own {
            Some(_) => {
                "start what is to answer there, or name another with `--endpoint-url` or AWS_ENDPOINT_URL"
            }
            None => "check the network, the proxy and the region's name",
        };
        let found = format!("{place} cannot be reached");
        return Check::failed("endpoint", found, Some(remedy.to_owned()));
    }
    match own {
        Some(url) => Check::ok(
            "endpoint",
            format!("{url}, for every call: no AWS account is reached"),
        ),
        None => Check::ok("endpoint", place),
    }
}

/// Returns the targets by the role that leads to them, each role in the account where it must be.
fn ways(
    specs: &[TargetSpec],
    role: impl Fn(&TargetSpec) -> Option<String>,
) -> IndexMap<(Option<String>, AccountId), Vec<&TargetSpec>> {
    let mut ways = IndexMap::<_, Vec<_>>::new();
    for spec in specs {
        let key = (role(spec), spec.target.account.clone());
        ways.entry(key).or_default().push(spec);
    }
    ways
}

/// Looks at the targets behind one role; where it cannot be assumed, that is said once.
async fn look_through(
    aws: &Aws,
    specs: &[&TargetSpec],
    caller: &Caller,
    is_named: bool,
) -> Vec<Check> {
    if let [first, _, ..] = specs
        && let Err(failure) = aws.caller_at(first).await
        && is_of_role(&failure)
    {
        let regions: Vec<&str> = specs.iter().map(|s| s.target.region.as_str()).collect();
        return vec![Check::failed(
            format!("{} in {} regions", first.target.account, regions.len()),
            format!(
                "{}; so nothing is known of {}",
                failure.message,
                regions.join(", ")
            ),
            remedy(&failure, first, caller),
        )];
    }
    join_all(specs.iter().map(|spec| look(aws, spec, caller, is_named))).await
}

/// Assumes the role that holds from the approval on.
async fn try_execute(
    aws: &Aws,
    account: AccountId,
    specs: Vec<&TargetSpec>,
    caller: &Caller,
) -> Option<Check> {
    let spec = (*specs.first()?).clone().executing();
    let what = format!("{account}, to execute");
    Some(match aws.caller_at(&spec).await {
        Ok(there) => Check::ok(what, format!("as {}", who(&there))),
        Err(failure) => {
            let remedy = remedy(&failure, &spec, caller);
            let remedy = remedy.map(|r| format!("{r}; whoever only plans does not need it"));
            Check::failed(what, &failure.message, remedy)
        }
    })
}

/// Returns the buckets for the large templates of the targets, each with the first target that needs it.
pub(super) fn buckets<'a>(
    specs: &'a [TargetSpec],
    buckets: &TemplateBuckets,
) -> Vec<(TemplateBucket, &'a TargetSpec)> {
    let mut seen = BTreeSet::new();
    let of = |spec: &'a TargetSpec| Some((buckets.of(&spec.target)?, spec));
    let mut found: Vec<_> = specs.iter().filter_map(of).collect();
    found.retain(|(bucket, _)| seen.insert((bucket.name.clone(), bucket.owner.clone())));
    found
}

/// Looks whether a bucket is there and whose it is. Whether it can be written is not tried: a file would be left there.
async fn look_at_bucket(aws: &Aws, bucket: TemplateBucket, spec: &TargetSpec) -> Check {
    let what = format!("bucket {}", bucket.name);
    match aws.template_bucket(spec, &bucket).await {
        Ok(found) => Check::ok(
            what,
            format!(
                "of account {}, in {}; nothing was put there to try it",
                found.owner, found.region
            ),
        ),
        Err(failure) => {
            let remedy = match failure.kind {
                FailureKind::AccessDenied => Some(format!(
                    "it must be of the caller's account, or of the one that is named, `{}@ACCOUNT`; and the caller must \
                     be allowed what `stackgate doctor --policy --s3-bucket {}` prints",
                    bucket.name, bucket.name
                )),
                FailureKind::NotFound | FailureKind::Refused => Some(format!(
                    "make it, or name another with `--s3-bucket`: aws s3 mb s3://{} --region {}",
                    bucket.name, spec.target.region
                )),
                FailureKind::CredentialsExpired
                | FailureKind::RegionNotEnabled
                | FailureKind::Throttled
                | FailureKind::AlreadyExists
                | FailureKind::MissingCapabilities(_)
                | FailureKind::Ambiguous
                | FailureKind::NotSent
                | FailureKind::Unreachable
                | FailureKind::BadInput
                | FailureKind::SecretNeeded(_) => None,
            };
            Check::failed(what, &failure.message, remedy)
        }
    }
}

fn is_of_role(failure: &CallFailure) -> bool {
    failure.message.starts_with("AssumeRole")
}

/// Returns the last part of who somebody is.
fn who(caller: &Caller) -> &str {
    caller.arn.rsplit(':').next().unwrap_or(&caller.arn)
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
    let who = who(&there);
    match aws
        .stack(spec, StackRef::Name(&spec.target.stack), Priority::Read)
        .await
    {
        Ok(_) if !is_named => Check::ok(what, format!("as {who}; stacks can be read")),
        Ok(None) => Check::ok(
            what,
            format!("as {who}; no stack {} yet", spec.target.stack),
        ),
        Ok(Some(stack)) => {
            let status = stack.status;
            let found = format!("as {who}; stack {} is {status}", spec.target.stack);
            match status.refusal() {
                None => Check::ok(what, found),
                Some(why) => {
                    let found = format!("{found}: {why}");
                    Check::failed(what, found, status.remedy(&spec.target, None))
                }
            }
        }
        Err(failure) if failure.kind == FailureKind::RegionNotEnabled => {
            let region = &spec.target.region;
            let remedy = format!(
                "it is skipped; to have it, `aws account enable-region --region-name {region} --account-id {}`",
                spec.target.account
            );
            Check::warning(&what, &failure.message, &remedy)
        }
        Err(failure) => {
            let remedy = remedy(&failure, spec, &there);
            Check::failed(what, &failure.message, remedy)
        }
    }
}

/// Returns what to do where the message does not say it.
fn remedy(failure: &CallFailure, spec: &TargetSpec, caller: &Caller) -> Option<String> {
    match (&failure.kind, &spec.role_arn) {
        (FailureKind::AccessDenied, Some(role)) if is_of_role(failure) => Some(format!(
            "the role {role} must exist, its trust policy must name {}, and that caller must be allowed `sts:AssumeRole` on it",
            caller.arn
        )),
        (FailureKind::AccessDenied, _) => Some(format!(
            "allow {} what `stackgate doctor --policy` prints",
            caller.arn
        )),
        (
            FailureKind::CredentialsExpired
            | FailureKind::RegionNotEnabled
            | FailureKind::Throttled
            | FailureKind::NotFound
            | FailureKind::AlreadyExists
            | FailureKind::MissingCapabilities(_)
            | FailureKind::Refused
            | FailureKind::Ambiguous
            | FailureKind::NotSent
            | FailureKind::Unreachable
            | FailureKind::BadInput
            | FailureKind::SecretNeeded(_),
            _,
        ) => None,
    }
}
