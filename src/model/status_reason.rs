//! The only place where reason and error texts of CloudFormation are matched.

use super::{ChangeSetOutcome, Denial, StackStatus};

/// Returns what a `FAILED` change set means, from its reason alone.
///
/// Only the two texts of the service mean "nothing to change"; an empty list of changes does not.
pub fn failed_change_set(reason: &str) -> ChangeSetOutcome {
    if reason.starts_with("The submitted information didn't contain changes")
        || reason.contains("No updates are to be performed")
    {
        ChangeSetOutcome::NoChanges
    } else {
        ChangeSetOutcome::Failed {
            reason: super::clean(reason),
        }
    }
}

/// Returns whether the reason is the warning that a reading with property values left resources out.
pub fn is_incomplete_reading(reason: &str) -> bool {
    reason.contains("can return incomplete ChangeSet data")
}

/// Returns whether a change set failed for reasons that only the events of its validation tell.
pub fn is_told_by_events(reason: &str) -> bool {
    reason.contains("DescribeEvents") || reason.contains("AWS::EarlyValidation::")
}

/// Returns the ARN of the nested change set that the reason of a failed one blames.
pub fn failed_nested_set(reason: &str) -> Option<&str> {
    let (_, rest) = reason.split_once("Nested change set ")?;
    let arn = rest.split_whitespace().next()?;
    arn.starts_with("arn:").then_some(arn)
}

/// Returns whether a `ValidationError` says that the stack does not exist.
pub fn is_missing_stack(message: &str) -> bool {
    message.contains("does not exist")
}

/// Returns whether `ListImports` says that nobody imports an export.
pub fn is_not_imported(message: &str) -> bool {
    message.contains("is not imported by any stack")
}

/// Returns the capabilities that an `InsufficientCapabilitiesException` asks for.
pub fn required_capabilities(message: &str) -> Vec<String> {
    let Some((_, rest)) = message.split_once('[') else {
        return Vec::new();
    };
    let list = rest.split(']').next().unwrap_or_default();
    list.split(',')
        .map(str::trim)
        .filter(|c| c.starts_with("CAPABILITY_"))
        .map(str::to_owned)
        .collect()
}

/// What stands in the way of a change set, as far as the reason tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    /// The stack has a status that takes none.
    Status(StackStatus),
    /// The caller may not.
    Denied,
    /// The service asked for fewer calls.
    Throttled,
    /// The service was not reached.
    Unreachable,
    /// Capabilities were not acknowledged.
    Capabilities,
    /// The template or an override file is wrong.
    File,
    /// Anything else.
    Other,
}

impl Obstacle {
    /// Returns the status that takes no change set, if that is it.
    pub fn status(&self) -> Option<StackStatus> {
        match self {
            Self::Status(status) => Some(*status),
            Self::Denied
            | Self::Throttled
            | Self::Unreachable
            | Self::Capabilities
            | Self::File
            | Self::Other => None,
        }
    }
}

/// Returns what stands in the way of a target that has no change set for `reason`.
pub fn obstacle(reason: &str) -> Obstacle {
    let status = reason.strip_prefix("the stack is ");
    let status = status.and_then(|rest| rest.split_once(':')?.0.parse().ok());
    let is_code = |known: fn(&str) -> bool| reason.split(": ").any(known);
    let about_template = [
        "Template format error",
        "Template error",
        "Template validation error",
        "Unresolved resource dependencies",
    ];
    if let Some(status) = status {
        Obstacle::Status(status)
    } else if Denial::find(reason).is_some() || is_code(|code| code.starts_with("AccessDenied")) {
        Obstacle::Denied
    } else if is_code(is_throttling) {
        Obstacle::Throttled
    } else if reason.contains("the endpoint cannot be reached") {
        Obstacle::Unreachable
    } else if reason.contains("; add `--capabilities ") {
        Obstacle::Capabilities
    } else if begins_with_place(reason) || about_template.iter().any(|text| reason.contains(text)) {
        Obstacle::File
    } else {
        Obstacle::Other
    }
}

/// Returns whether a message begins with `FILE:LINE:` as ours about files do.
fn begins_with_place(message: &str) -> bool {
    let Some((place, _)) = message.split_once(": ") else {
        return false;
    };
    place.rsplit_once(':').is_some_and(|(file, number)| {
        !file.is_empty() && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
    })
}

/// Returns whether an error code asks for fewer calls.
pub fn is_throttling(code: &str) -> bool {
    matches!(
        code,
        "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "RequestThrottled"
            | "RequestThrottledException"
            | "RequestLimitExceeded"
            | "TooManyRequestsException"
            | "ProvisionedThroughputExceededException"
            | "BandwidthLimitExceeded"
            | "SlowDown"
            | "PriorRequestNotComplete"
    )
}

/// Returns whether a resource failed only because another one did.
pub fn is_secondary(reason: &str) -> bool {
    matches!(
        reason.trim_end_matches('.'),
        "Resource creation cancelled" | "Resource update cancelled" | "Resource deletion cancelled"
    )
}

/// Returns `reason` without what differs between equal failures of two targets: request ids,
/// account ids and region names.
pub fn normalised(reason: &str) -> String {
    let lines: Vec<String> = reason.lines().map(normalised_line).collect();
    lines.join("\n")
}

fn normalised_line(reason: &str) -> String {
    let mut out = String::with_capacity(reason.len());
    let mut names_request = false;
    for word in super::clean(reason).split(' ') {
        if word.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        let core = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        if names_request && !core.is_empty() {
            out.push_str(&word.replace(core, "…"));
        } else {
            out.push_str(&mask_place(word));
        }
        // `Request ID: 4Z8RYK1D`, `RequestToken: …` and our own `(request 1)`: no shape tells such an id.
        names_request = matches!(word, "ID:" | "(request") || word.ends_with("RequestToken:");
    }
    out
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.char_indices().all(|(i, c)| match i {
            8 | 13 | 18 | 23 => c == '-',
            _ => c.is_ascii_hexdigit(),
        })
}

/// Replaces by `…` what says where: accounts, regions, `account/region` and those of an ARN; and what is made by chance: UUIDs
/// and the last part of names that CloudFormation makes.
fn mask_place(word: &str) -> String {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut out = String::with_capacity(word.len());
    let mut rest = word;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_of_name(c)).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        out.push_str(&mask_name(name));
        let next = after.find(is_of_name).unwrap_or(after.len());
        let (between, after) = after.split_at(next);
        out.push_str(between);
        rest = after;
    }
    // A place is one thing, however it is written.
    out.replace("…/…", "…")
}

/// Masks a name of letters, digits and hyphens.
fn mask_name(name: &str) -> String {
    if is_uuid(name) || is_account(name) || is_region(name) {
        return "…".to_owned();
    }
    let parts: Vec<&str> = name.split('-').collect();
    let mut out: Vec<&str> = Vec::with_capacity(parts.len());
    let mut at = 0;
    while let Some(part) = parts.get(at) {
        let region = (3..=4).find(|length| {
            let parts = parts.get(at..at + length);
            parts.is_some_and(|parts| is_region(&parts.join("-")))
        });
        let is_last = at > 0 && at + 1 == parts.len();
        if let Some(length) = region {
            out.push("…");
            at += length;
            continue;
        }
        let is_masked = is_account(part) || (is_last && is_by_chance(part));
        out.push(if is_masked { "…" } else { part });
        at += 1;
    }
    out.join("-")
}

/// Returns whether `text` looks like what CloudFormation puts behind the names that it makes: `1A2B3C4D5E6F`.
fn is_by_chance(text: &str) -> bool {
    matches!(text.len(), 12 | 13)
        && text.bytes().all(|b| b.is_ascii_alphanumeric())
        && text.bytes().any(|b| b.is_ascii_digit())
        && text.bytes().any(|b| b.is_ascii_alphabetic())
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// Returns whether `text` looks like `eu-west-1` or `us-gov-east-1`.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let (first, direction, number) = match parts[..] {
        [first, direction, number] => (first, direction, number),
        [
            first,
            "gov" | "iso" | "isob" | "isoe" | "isof",
            direction,
            number,
        ] => (first, direction, number),
        _ => return false,
    };
    let is_direction = ["north", "south", "east", "west", "central"]
        .iter()
        .any(|name| direction.starts_with(name));
    first.len() == 2
        && first.bytes().all(|b| b.is_ascii_lowercase())
        && is_direction
        && number.len() == 1
        && number.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_texts_mean_no_changes() {
        for text in [
            "The submitted information didn't contain changes. Submit different information to create a change set.",
            "No updates are to be performed.",
        ] {
            assert_eq!(failed_change_set(text), ChangeSetOutcome::NoChanges);
        }
        assert!(matches!(
            failed_change_set("Validation failed with 1 error(s)."),
            ChangeSetOutcome::Failed { .. }
        ));
    }

    #[test]
    fn remarks_about_the_reading_are_told_from_reasons() {
        assert!(is_incomplete_reading(
            "[WARN] --include-property-values option can return incomplete ChangeSet data because: Logical Id: A, failed property validation"
        ));
        assert!(is_told_by_events(
            "Validation failed with 1 error(s). Call DescribeEvents to see them."
        ));
        assert!(!is_incomplete_reading("Template error") && !is_told_by_events("Template error"));
    }

    #[test]
    fn capabilities_are_read_from_the_message() {
        assert_eq!(
            required_capabilities(
                "Requires capabilities : [CAPABILITY_NAMED_IAM, CAPABILITY_AUTO_EXPAND]"
            ),
            ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
        );
        assert!(required_capabilities("denied").is_empty());
    }

    #[test]
    fn equal_failures_of_two_targets_normalise_to_one_text() {
        let of = |account: &str, region: &str, id: &str| {
            normalised(&format!(
                "CreateChangeSet in {account}/{region}: User: arn:aws:sts::{account}:role/x in {account} may not arn:aws:sqs:{region}:{account}:q (RequestToken: {id}, HandlerErrorCode: AccessDenied)"
            ))
        };
        assert_eq!(
            of(
                "111111111111",
                "us-east-1",
                "0a1b2c3d-0000-4000-8000-0a1b2c3d4e5f"
            ),
            of(
                "222222222222",
                "eu-west-1",
                "1a1b2c3d-0000-4000-8000-0a1b2c3d4e5f"
            ),
        );
    }

    #[test]
    fn what_differs_by_place_or_by_chance_does_not_count() {
        let of = |account: &str, region: &str, suffix: &str, request: &str| {
            normalised(&format!(
                "Resource app-Queue-{suffix} of arn:aws:cloudformation:{region}:{account}:stack/app/{request}: logs-{account}-{region} \
                 already exists in {region} (Service: S3, Request ID: {suffix}XYZ; Proxy: null) (request {suffix})"
            ))
        };
        let one = of(
            "111111111111",
            "us-east-1",
            "1A2B3C4D5E6F",
            "0a1b2c3d-0000-4000-8000-0a1b2c3d4e5f",
        );
        let other = of(
            "222222222222",
            "us-gov-west-1",
            "Zz9Yy8Xx7Ww6V",
            "1a1b2c3d-0000-4000-8000-0a1b2c3d4e5f",
        );
        assert_eq!(one, other);
        assert_eq!(
            one,
            "Resource app-Queue-… of arn:aws:cloudformation:…:…:stack/app/…: logs-…-… already exists in … \
             (Service: S3, Request ID: …; Proxy: null) (request …)"
        );
        // Names that differ are other causes.
        for (one, other) in [
            (
                "no queue orders-dead-letter",
                "no queue orders-dead-archive",
            ),
            (
                "Cannot exceed quota for tables",
                "Cannot exceed quota for queues",
            ),
            ("limit 100", "limit 200"),
        ] {
            assert_ne!(normalised(one), normalised(other));
        }
    }
}
