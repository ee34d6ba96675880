//! What is asked where it cannot be told what became of targets.

use super::advice;
use crate::model::{ExecutionId, Target};
use crate::report::View;

/// Asks what became of `target`, and of the others that are waited for with it.
pub(super) fn unknown(
    view: &View,
    id: &ExecutionId,
    target: &Target,
    accepted: bool,
    message: &str,
) -> String {
    let advice = advice(message);
    let all = view.unknown();
    let is_any = |is: bool| all.iter().any(|(_, accepted)| *accepted == is);
    let what = match accepted {
        true => format!("the change set of {target} was accepted, and its end cannot be seen"),
        false => format!("it cannot be told whether the change set of {target} was executed"),
    };
    let others = match all.len() {
        0 | 1 => String::new(),
        n => {
            let line = |(target, accepted): &(&Target, bool)| match accepted {
                true => format!("\n  {target}   accepted, its end cannot be seen"),
                false => format!("\n  {target}"),
            };
            let lines: String = all.iter().map(line).collect();
            format!("\n{n} targets are asked about:{lines}")
        }
    };
    let mut ways = vec![(format!("stackgate resume {id}"), "look again")];
    if is_any(false) {
        let way = |what: &str| format!("stackgate resume {id} --unknown {what}");
        ways.push((way("executed"), "executed"));
        ways.push((way("not-executed"), "not executed, and not to be"));
    }
    if all.len() > 1 {
        let way = format!("stackgate resume {id} --unknown {target}=not-executed");
        ways.push((way, "one alone; can be given for each"));
    }
    ways.push((
        format!("stackgate stop {id} --give-up"),
        "end it; what cannot be told stays unknown",
    ));
    let column = ways.iter().map(|(way, _)| way.len()).max().unwrap_or(0);
    let ways: String = ways
        .iter()
        .map(|(way, what)| format!("  {way:column$}   {what}\n"))
        .collect();
    let look = match is_any(true) {
        true => "see to it that the events of each stack can be read, or look at them yourself",
        false => "look at the events of each stack",
    };
    format!("paused: {what}: {message}{advice}{others}\n{look}\nthen\n{ways}")
}
