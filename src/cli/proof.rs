//! Whether the targets that an execution was done with still are as it left them, and how that is known.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};

use super::earlier::{AT_ONCE, Earlier, Last, Since, gone, newest_known, tell};
use super::followers::{self, Follower};
use super::options::Connection;
use super::sources::Sources;
use super::{CliError, output, run};
use crate::aws::{Aws, can_be};
use crate::journal::Journal;
use crate::model::{
    CallFailure, Digest, EffectiveParameter, ExecutionDefinition, ExecutionId, Follows,
    ParameterValue, PlannedTarget, Proof, Target, TargetOutcome, TargetSpec, Verdict,
};
use crate::pipeline::execute_token;
use crate::report::{self, View, count};

/// A target that is done with, and what did it: the execution, or one that went on from it.
struct Done<'a> {
    last: Last<'a>,
    sources: &'a Sources,
}

/// What a target was done by, execution by execution: the earlier one first.
pub(super) struct Line<'a> {
    views: Vec<(&'a View, Sources)>,
}

impl<'a> Line<'a> {
    /// Returns the execution and `followers`, which went on from it.
    pub(super) fn of(
        journal: &Journal,
        earlier: &'a View,
        followers: &'a [Follower],
    ) -> Result<Self, CliError> {
        let store = run::store_folder(journal.folder());
        let followers = followers.iter().map(|(follower, _)| follower);
        let views = std::iter::once(earlier).chain(followers);
        let views = views.map(|view| Ok((view, Sources::of(view, &store)?)));
        Ok(Self {
            views: views.collect::<Result<_, CliError>>()?,
        })
    }

    /// Returns the targets of the first one that were executed and ended well, there or later.
    fn done(&self) -> Vec<Done<'_>> {
        let Some(((earlier, _), followers)) = self.views.split_first() else {
            return Vec::new();
        };
        let views: Vec<&View> = followers.iter().map(|(view, _)| *view).collect();
        let since = report::since(earlier, &views);
        let targets = earlier.targets().into_iter();
        let done = targets.filter_map(|target| {
            let name = target.target();
            let later = match since.get(name) {
                Some(report::Since::Done(by)) => Some(*by),
                Some(report::Since::Back(_)) | None => None,
            };
            let succeeded_in = |id: Option<&ExecutionId>| {
                let mut views = self.views.iter();
                let (view, sources) = views.find(|(view, _)| view.execution() == id)?;
                let target = view.target(name)?;
                let is_done = matches!(target.outcome(), Some(TargetOutcome::Succeeded { .. }));
                let by = view.execution().filter(|_| is_done)?;
                let last = Last { by, target };
                Some(Done { last, sources })
            };
            let later = later.and_then(|by| succeeded_in(Some(by)));
            later.or_else(|| succeeded_in(earlier.execution()))
        });
        done.collect()
    }
}

/// Looks at every target that the execution, or one that went on from it, was done with. It only reads.
pub(super) async fn proofs(earlier: &Earlier, line: &Line<'_>, aws: &Aws) -> Vec<Proof> {
    let specs = earlier.specs();
    let done = line.done().into_iter();
    let asked = done.map(|done| {
        let spec = specs.get(done.last.target.target()).copied();
        async move {
            let mut proof = unread(done.last);
            if let Some(spec) = spec {
                proof.verdict = match prove(earlier, &done, aws, spec, &mut proof).await {
                    Ok(verdict) => verdict,
                    Err(failure) => Verdict::NotRead {
                        why: failure.message,
                    },
                };
            }
            proof
        }
    });
    stream::iter(asked).buffered(AT_ONCE).collect().await
}

fn unread(Last { by, target }: Last<'_>) -> Proof {
    Proof {
        target: target.target().clone(),
        stack_id: target.stack().cloned(),
        status: None,
        operation: execute_token(by, target.target()),
        newest_event: newest_known(target),
        template: None,
        parameters: Vec::new(),
        verdict: Verdict::NotRead {
            why: "it is no target of the execution".to_owned(),
        },
    }
}

/// Compares what can be compared, and notes it in `proof`.
async fn prove(
    earlier: &Earlier,
    Done { last, sources }: &Done<'_>,
    aws: &Aws,
    spec: &TargetSpec,
    proof: &mut Proof,
) -> Result<Verdict, CallFailure> {
    let target = last.target;
    let found = earlier.look(aws, spec, *last).await?;
    proof.status = found.status;
    match found.since {
        Since::Nothing => {}
        Since::Changed(why) => return Ok(Verdict::Changed { why }),
        Since::Gone { is_another_there } => {
            let why = gone(is_another_there).to_owned();
            return Ok(Verdict::Changed { why });
        }
        Since::NotRead(why) => return Ok(Verdict::NotRead { why }),
    }
    // What is deleted has nothing to compare, and of what was only set the template was not executed.
    let planned = target.planned().filter(|planned| !planned.settings_only);
    let (Some(planned), Some(stack), false) = (planned, target.stack(), earlier.view.deletes())
    else {
        return Ok(Verdict::Current);
    };
    let text = aws.template(spec, stack).await?;
    proof.template = text.as_ref().map(|text| Digest::of(text.as_bytes()));
    let different = |what: String| Ok(Verdict::Changed { why: what });
    if !text.is_some_and(|text| is_executed(&planned, sources, &text)) {
        return different("its template is not the one that was executed".to_owned());
    }
    for (name, value) in open(&planned.inputs.parameters) {
        if found.parameters.get(name).map(String::as_str) != Some(value) {
            return different(format!("parameter `{name}` has another value"));
        }
        proof.parameters.push(name.to_owned());
    }
    Ok(Verdict::Current)
}

/// Returns whether what the service gives back as the template is what was executed, as far as it shows that.
fn is_executed(planned: &PlannedTarget, sources: &Sources, read: &str) -> bool {
    let sent = || sources.template(planned);
    Digest::of(read.as_bytes()) == executed(planned)
        || sent().is_some_and(|sent| can_be(sent.text(), read))
}

/// Returns the digest of the template that CloudFormation was given.
fn executed(planned: &PlannedTarget) -> Digest {
    let inputs = &planned.inputs;
    inputs.packaged.unwrap_or(inputs.template_digest)
}

/// Returns the values that were given and are not secret.
fn open(parameters: &[EffectiveParameter]) -> impl Iterator<Item = (&str, &str)> {
    parameters.iter().filter_map(|parameter| {
        let value = match &parameter.value {
            ParameterValue::Plain(text) | ParameterValue::Default(Some(text)) => text.as_str(),
            ParameterValue::Default(None)
            | ParameterValue::Previous
            | ParameterValue::Secret(_) => return None,
        };
        Some((parameter.name.as_str(), value))
    })
}

/// Says on standard error what came of it. `are_included`: whether what was changed since is run again.
pub(super) fn told(proofs: &[Proof], are_included: bool) {
    if proofs.is_empty() {
        return;
    }
    let (mut changed, mut not_read) = (Vec::new(), Vec::new());
    for proof in proofs {
        match &proof.verdict {
            Verdict::Current => {}
            Verdict::Changed { why } => changed.push((&proof.target, why.clone())),
            Verdict::NotRead { why } => not_read.push((&proof.target, why.clone())),
        }
    }
    let current = proofs.len() - changed.len() - not_read.len();
    output::stderr(&format!(
        "succeeded before, still as it was left, not run again: {}\n",
        count(current, "target")
    ));
    match are_included {
        true => tell("succeeded before, changed since, run again", &changed),
        false => {
            tell("succeeded before, changed since, not run again", &changed);
            if !changed.is_empty() {
                output::stderr("  `--stale` runs such targets again\n");
            }
        }
    }
    tell(
        "succeeded before, could not be looked at, not run again",
        &not_read,
    );
}

const NOT_READ: &str = "proven current when this was planned, could not be looked at again";

/// So long this may take: well below the time after which a lease that nobody renews may be taken by others.
const LONGEST: Duration = Duration::from_secs(5);

/// Looks again at what was proven current when the execution was planned, before anything of it is executed, and says on standard
/// error what is not so any more: whoever approved it may have done so long ago.
pub(super) async fn look_again(
    journal: &Journal,
    view: &View,
    definition: &ExecutionDefinition,
    connection: &Connection,
    aws: &Aws,
) {
    let Some(Follows::Retries(earlier)) = &definition.invocation.follows else {
        return;
    };
    let was_current: BTreeSet<&Target> = definition
        .invocation
        .proven
        .iter()
        .filter(|proof| proof.verdict == Verdict::Current)
        .map(|proof| &proof.target)
        .collect();
    let counts = view.counts();
    let has_begun = counts.running + counts.succeeded + counts.failed + counts.unknown > 0;
    if was_current.is_empty() || has_begun || view.plan().is_none() || view.outcome().is_some() {
        return;
    }
    // All of this is a remark: what cannot be read does not keep the execution from going on.
    let Ok(earlier) = Earlier::of(journal, earlier.as_str(), connection) else {
        return;
    };
    let Ok(followers) = followers::seen(journal, &earlier.view) else {
        return;
    };
    let Ok(line) = Line::of(journal, &earlier.view, &followers) else {
        return;
    };
    let (changed, not_read) = news(&was_current, proofs(&earlier, &line, aws)).await;
    tell(
        "proven current when this was planned, changed since, not run again",
        &changed,
    );
    tell(NOT_READ, &not_read);
}

/// Targets, each with a reason.
type Told<'a> = Vec<(&'a Target, String)>;

/// Returns which of the targets were changed, and which could not be looked at, by what `looking` finds in time.
async fn news<'a>(
    was_current: &BTreeSet<&'a Target>,
    looking: impl Future<Output = Vec<Proof>>,
) -> (Told<'a>, Told<'a>) {
    let (mut changed, mut not_read) = (Vec::new(), Vec::new());
    let Ok(now) = tokio::time::timeout(LONGEST, looking).await else {
        let why = format!("no answer within {} s", LONGEST.as_secs());
        not_read.extend(was_current.iter().map(|target| (*target, why.clone())));
        return (changed, not_read);
    };
    for proof in now {
        let Some(target) = was_current.get(&proof.target) else {
            continue;
        };
        match proof.verdict {
            Verdict::Current => {}
            Verdict::Changed { why } => changed.push((*target, why)),
            Verdict::NotRead { why } => not_read.push((*target, why)),
        }
    }
    (changed, not_read)
}

/// Returns the targets that were changed since.
pub(super) fn changed(proofs: &[Proof]) -> impl Iterator<Item = &Target> {
    let is_changed = |proof: &&Proof| matches!(proof.verdict, Verdict::Changed { .. });
    proofs.iter().filter(is_changed).map(|proof| &proof.target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Layer, Provenance, SecretRef};

    #[test]
    fn only_what_is_known_and_not_secret_is_compared() {
        let given = [
            ("Plain", ParameterValue::Plain("1".into())),
            ("Default", ParameterValue::Default(Some("2".into()))),
            ("Hidden", ParameterValue::Default(None)),
            ("Kept", ParameterValue::Previous),
            ("Secret", ParameterValue::Secret(SecretRef::Prompt)),
        ];
        let parameters = given.map(|(name, value)| EffectiveParameter {
            name: name.to_owned(),
            value,
            provenance: Provenance {
                layer: Layer::Override,
                file: None,
                line: None,
                lookup: None,
            },
        });
        let compared: Vec<_> = open(&parameters).collect();
        assert_eq!(compared, [("Plain", "1"), ("Default", "2")]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_never_comes_keeps_nobody_waiting() {
        let planned = |account| crate::plan::sample::planned(account, "eu-west-1", "app");
        let targets = ["111111111111", "222222222222"].map(|account| planned(account).target);
        let was_current: BTreeSet<&Target> = targets.iter().collect();
        let began = tokio::time::Instant::now();
        let looking = news(&was_current, std::future::pending());
        let in_time = tokio::time::timeout(Duration::from_secs(60), looking).await;
        let (changed, not_read) = in_time.expect("it ends by itself");
        assert_eq!(began.elapsed(), LONGEST);
        assert!(changed.is_empty());
        let why = || "no answer within 5 s".to_owned();
        assert_eq!(not_read, [(&targets[0], why()), (&targets[1], why())]);

        let proof = |target: &Target, verdict| Proof {
            target: target.clone(),
            stack_id: None,
            status: None,
            operation: "token".to_owned(),
            newest_event: None,
            template: None,
            parameters: Vec::new(),
            verdict,
        };
        let why = "it is another one".to_owned();
        let other = planned("333333333333").target;
        let now = vec![
            proof(&targets[0], Verdict::Current),
            proof(&targets[1], Verdict::Changed { why: why.clone() }),
            proof(&other, Verdict::Changed { why: why.clone() }),
        ];
        let (changed, not_read) = news(&was_current, std::future::ready(now)).await;
        assert_eq!(changed, [(&targets[1], why)]);
        assert!(not_read.is_empty());
    }

    #[test]
    fn what_was_packaged_is_what_was_executed() {
        let mut planned = crate::plan::sample::planned("111111111111", "eu-west-1", "app");
        planned.inputs_mut().packaged = None;
        assert_eq!(executed(&planned), planned.inputs.template_digest);
        let packaged = Digest::of(b"packaged");
        planned.inputs_mut().packaged = Some(packaged);
        assert_eq!(executed(&planned), packaged);
    }
}
