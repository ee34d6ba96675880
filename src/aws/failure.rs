//! What a failed call means for the decision that waits for it, and what to tell people.

use std::error::Error;
use std::io;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_cloudformation::operation::RequestId;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::model::{CallFailure, FailureKind, Region, clean, status_reason};

/// Messages longer than this are cut: some endpoints repeat a whole template in them.
const LONGEST_MESSAGE: usize = 1_000;

/// What a call does, which decides what losing its reply means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It reads, or changes something that may be changed twice.
    Repeatable,
    /// It changes something, and must not be sent again unless it surely did not arrive.
    Once,
}

/// The call that failed, as a message names it.
#[derive(Debug, Clone)]
pub(super) struct Attempted<'a> {
    /// The operation, such as `DescribeStacks`.
    pub(super) operation: &'static str,
    /// Where: account and region.
    pub(super) place: &'a str,
    pub(super) effect: Effect,
    /// How the credentials are renewed, by where they came from.
    pub(super) renewal: &'a str,
    /// Whether the credentials are known to be good elsewhere, and nothing was carried out here yet.
    pub(super) proven: bool,
    /// Whether every region that the account has knows the credentials: keys that last, or a session that was opened
    /// here, at a regional endpoint. Sessions of the global one are unknown to regions that must be enabled.
    pub(super) everywhere: bool,
}

/// Returns what `error` means.
pub(super) fn classify<E>(
    error: &SdkError<E, HttpResponse>,
    attempted: &Attempted<'_>,
) -> CallFailure
where
    E: ProvideErrorMetadata + Error + 'static,
{
    if let Some(cause) = find::<CredentialsError>(error) {
        return of_credentials(cause, attempted);
    }
    // The SDK has no public type for this one. Nothing was sent.
    if chain(error).any(|e| e.to_string().starts_with("identity resolver timed out")) {
        let what = format!("no credentials in time; {}", attempted.renewal);
        return attempted.failure(FailureKind::CredentialsExpired, what);
    }
    let kind_if_lost = match attempted.effect {
        Effect::Repeatable => FailureKind::Unreachable,
        Effect::Once => FailureKind::Ambiguous,
    };
    let lost = match attempted.effect {
        Effect::Repeatable => "no usable reply",
        Effect::Once => "the reply was lost, so it may or may not have been carried out",
    };
    if let Some(reply) = error.raw_response() {
        let status = reply.status().as_u16();
        if (200..=299).contains(&status) {
            // Accepted, but the reply broke off or is not CloudFormation's.
            let what = format!("{lost}: the reply could not be read ({})", root(error));
            return attempted.failure(kind_if_lost, what);
        }
        let said = error.as_service_error();
        let body = reply.body().bytes().unwrap_or_default();
        let (code, message) = match said.and_then(|e| e.code()) {
            Some(code) => (
                Some(code.to_owned()),
                said.and_then(|e| e.message()).map(str::to_owned),
            ),
            None => (element(body, "Code"), element(body, "Message")),
        };
        return of_reply(
            attempted,
            status,
            code.as_deref(),
            message.as_deref(),
            error.request_id(),
        );
    }
    match error {
        SdkError::TimeoutError(_) => {
            attempted.failure(kind_if_lost, format!("{lost}: no reply in time"))
        }
        SdkError::DispatchFailure(context) => {
            if never_connected(error) {
                return attempted.failure(
                    FailureKind::Unreachable,
                    format!(
                        "the endpoint cannot be reached ({}){}",
                        root(error),
                        network_advice(&root(error))
                    ),
                );
            }
            if context.is_user() {
                return attempted.failure(FailureKind::Refused, root(error));
            }
            if root(error).contains("endpoint must contain scheme") {
                // Nothing was sent.
                let what = "the endpoint is no URL such as `http://127.0.0.1:4566`; correct AWS_ENDPOINT_URL, or `endpoint_url` of the profile";
                return attempted.failure(FailureKind::Refused, what);
            }
            attempted.failure(kind_if_lost, format!("{lost}: {}", root(error)))
        }
        // Construction failures, and whatever the SDK adds: nothing was sent.
        other => attempted.failure(FailureKind::Refused, root(other)),
    }
}

impl Attempted<'_> {
    /// Returns a failure of this call; `what` is cleaned and cut.
    pub(super) fn failure(&self, kind: FailureKind, what: impl AsRef<str>) -> CallFailure {
        CallFailure::new(
            kind,
            format!(
                "{} in {}: {}",
                self.operation,
                self.place,
                shortened(what.as_ref())
            ),
        )
    }

    fn region(&self) -> Option<Region> {
        let region = self.place.rsplit('/').next()?;
        Region::new(region).ok()
    }

    /// Returns whether `code` can mean nothing but that the account does not have the region, which it must enable first.
    fn is_not_enabled(&self, code: &str) -> bool {
        // STS may have been asked in another region.
        let asked_there = self.operation != "AssumeRole";
        asked_there
            && (is_missing_region(code) || is_unknown_here(code) && self.proven && self.everywhere)
    }

    /// Returns what to do where an account does not have the region.
    fn enabling(&self) -> String {
        let region = self.region();
        let region = region.as_ref().map_or(self.place, Region::as_str);
        let account = match self.place.split_once('/') {
            Some((account, _)) => format!(" --account-id {account}"),
            None => String::new(),
        };
        format!(
            "region {region} is probably not enabled for the account: enable it with \
             `aws account enable-region --region-name {region}{account}`, or leave it out of `--regions`; if it \
             is enabled, the session is one of the global STS endpoint: set AWS_STS_REGIONAL_ENDPOINTS=regional \
             where it is made"
        )
    }
}

/// Returns what an error reply means.
fn of_reply(
    attempted: &Attempted<'_>,
    status: u16,
    code: Option<&str>,
    message: Option<&str>,
    request_id: Option<&str>,
) -> CallFailure {
    let said = message.unwrap_or_default();
    let opt_in = attempted.region().is_some_and(|region| region.is_opt_in());
    let kind = match (code, status) {
        (Some(code), _) if status_reason::is_throttling(code) => FailureKind::Throttled,
        (_, 429) => FailureKind::Throttled,
        (Some(code), _) if opt_in && attempted.is_not_enabled(code) => {
            FailureKind::RegionNotEnabled
        }
        (Some(code), _) if is_unknown_here(code) && attempted.proven && opt_in => {
            FailureKind::AccessDenied
        }
        (Some(code), _) if is_stale_credentials(code) => FailureKind::CredentialsExpired,
        (Some(code), _) if is_denial(code) => FailureKind::AccessDenied,
        (Some("InsufficientCapabilitiesException" | "InsufficientCapabilities"), _) => {
            FailureKind::MissingCapabilities(status_reason::required_capabilities(said))
        }
        (Some("AlreadyExistsException" | "TokenAlreadyExistsException"), _) => {
            FailureKind::AlreadyExists
        }
        (
            Some("ChangeSetNotFound" | "ChangeSetNotFoundException" | "StackNotFoundException"),
            _,
        ) => FailureKind::NotFound,
        // Other things that do not exist (a key pair, an image) are named first in their messages.
        (Some("ValidationError"), _)
            if status_reason::is_missing_stack(said) && said.starts_with("Stack") =>
        {
            FailureKind::NotFound
        }
        // Not implemented, as emulators say: it will not be next time either.
        (_, 501) => FailureKind::Refused,
        // The service did not get the whole request in time, as it says; a load balancer before it may say so, too.
        (Some("RequestTimeout" | "RequestTimeoutException"), _) | (_, 408 | 500..) => {
            match attempted.effect {
                Effect::Repeatable => FailureKind::Unreachable,
                Effect::Once => FailureKind::Ambiguous,
            }
        }
        (None, 401 | 403) => FailureKind::AccessDenied,
        _ => FailureKind::Refused,
    };
    let mut what = match (code, message) {
        (Some(code), Some(message)) => format!("{code}: {}", without_echo(message)),
        (Some(code), None) => code.to_owned(),
        (None, _) => {
            format!("the endpoint answered HTTP {status} without an error that can be read")
        }
    };
    if let Some(id) = request_id {
        what = format!("{} (request {id})", shortened(&what));
    }
    match kind {
        FailureKind::CredentialsExpired => {
            what = format!("{what}; {}", attempted.renewal);
            if code.is_some_and(is_unknown_here) && opt_in {
                what = format!(
                    "{what}; if the credentials are good, {}",
                    attempted.enabling()
                );
            }
        }
        FailureKind::Refused if said.contains("is invalid or cannot be assumed") => what.push_str(
            "; the role must exist in the target's account, and its trust policy must name the service \
             cloudformation.amazonaws.com",
        ),
        FailureKind::Ambiguous => what.push_str("; it may or may not have been carried out"),
        FailureKind::AccessDenied
            if code.is_some_and(|code| is_unknown_here(code) || is_missing_region(code)) =>
        {
            what = format!("{what}; {}", attempted.enabling());
        }
        FailureKind::RegionNotEnabled => {
            what = format!("{what}; the region is not enabled in the account");
        }
        FailureKind::AccessDenied
        | FailureKind::Throttled
        | FailureKind::NotFound
        | FailureKind::AlreadyExists
        | FailureKind::MissingCapabilities(_)
        | FailureKind::Refused
        | FailureKind::NotSent
        | FailureKind::Unreachable
        | FailureKind::BadInput
        | FailureKind::SecretNeeded(_) => {}
    }
    attempted.failure(kind, what)
}

/// Returns what a failure to get credentials means; nothing was sent.
fn of_credentials(error: &CredentialsError, attempted: &Attempted<'_>) -> CallFailure {
    let assuming = Attempted {
        operation: "AssumeRole",
        effect: Effect::Repeatable,
        ..attempted.clone()
    };
    if let Some(refused) = find::<SdkError<AssumeRoleError, HttpResponse>>(error) {
        // The base credentials' own failure is inside; otherwise STS answered, or could not be reached.
        let inner = find_below::<CredentialsError>(refused);
        return match inner {
            Some(inner) => of_credentials(inner, &assuming),
            None => classify(refused, &assuming),
        };
    }
    // They were renewed, and whose they are could not be asked.
    if let Some(refused) = find::<SdkError<GetCallerIdentityError, HttpResponse>>(error) {
        let asking = Attempted {
            operation: "GetCallerIdentity",
            ..assuming
        };
        return classify(refused, &asking);
    }
    let why = match error {
        CredentialsError::CredentialsNotLoaded(_) => "no credentials were found".to_owned(),
        CredentialsError::InvalidConfiguration(_) => {
            format!(
                "the configuration of the credentials is not valid ({})",
                root(error)
            )
        }
        other => format!("the credentials could not be had ({})", root(other)),
    };
    attempted.failure(
        FailureKind::CredentialsExpired,
        format!("{why}; {}", attempted.renewal),
    )
}

/// Returns the text of the first element `name` of a reply in which the SDK found no error: some endpoints wrap theirs
/// in `Errors`, as EC2 does.
fn element(body: &[u8], name: &str) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let plain = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&amp;", "&"),
    ];
    let text = plain
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    Some(text).filter(|text| !text.is_empty())
}

fn is_stale_credentials(code: &str) -> bool {
    matches!(
        code,
        "ExpiredToken"
            | "ExpiredTokenException"
            | "RequestExpired"
            | "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "InvalidAccessKeyId"
            | "MissingAuthenticationToken"
            | "MissingAuthenticationTokenException"
            | "SignatureDoesNotMatch"
            | "IncompleteSignature"
            | "AuthFailure"
    )
}

fn is_denial(code: &str) -> bool {
    matches!(
        code,
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "NotAuthorized"
    ) || is_missing_region(code)
}

/// Returns whether a service has never heard of the credentials: they are wrong, or their account does
/// not have the region.
fn is_unknown_here(code: &str) -> bool {
    matches!(
        code,
        "InvalidClientTokenId" | "UnrecognizedClientException" | "AuthFailure"
    )
}

fn is_missing_region(code: &str) -> bool {
    matches!(code, "OptInRequired" | "RegionDisabledException")
}

/// Returns whether the request surely was not sent, because there was no connection to send it on.
///
/// The SDK marks this only where nobody outside can read it, so it is recognised by the errors below:
/// hyper-util's for a failed connection, and what the operating system says of one.
fn never_connected(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|e| {
        if let Some(io) = e.downcast_ref::<io::Error>() {
            use io::ErrorKind::*;
            return matches!(
                io.kind(),
                ConnectionRefused
                    | HostUnreachable
                    | NetworkUnreachable
                    | NetworkDown
                    | AddrNotAvailable
            );
        }
        let text = e.to_string();
        text == "client error (Connect)" || text.starts_with("dns error")
    })
}

fn network_advice(why: &str) -> &'static str {
    let why = why.to_ascii_lowercase();
    if why.contains("certificate") || why.contains("tls") {
        "; where a proxy has a certificate authority of its own, name its PEM bundle with AWS_CA_BUNDLE or `ca_bundle` of the profile"
    } else {
        "; check the network, the region's name, and `--endpoint-url` or AWS_ENDPOINT_URL"
    }
}

/// Returns the error and its sources, outermost first, and what an I/O error wraps.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&e| match e.downcast_ref::<io::Error>() {
        Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => e.source(),
    })
}

fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    chain(error).find_map(|e| e.downcast_ref())
}

fn find_below<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    chain(error).skip(1).find_map(|e| e.downcast_ref())
}

/// Returns the innermost words, which are the most telling.
fn root(error: &(dyn Error + 'static)) -> String {
    chain(error)
        .map(|e| e.to_string())
        .filter(|text| !text.is_empty())
        .last()
        .unwrap_or_default()
}

/// Returns `message` without the value that a failed constraint repeats: it may be a secret, or a template.
pub(super) fn without_echo(message: &str) -> String {
    let mut out = String::new();
    let mut rest = message;
    while let Some((before, after)) = rest.split_once("Value '") {
        out.push_str(before);
        match after.find("' at '") {
            Some(end) => {
                out.push_str("Value '…");
                rest = &after[end..];
            }
            None => {
                out.push_str("Value '…");
                return out;
            }
        }
    }
    out.push_str(rest);
    out
}

fn shortened(text: &str) -> String {
    let text = clean(text);
    match text.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(effect: Effect, status: u16, code: Option<&str>, message: &str) -> CallFailure {
        of_reply(
            &Attempted {
                operation: "CreateChangeSet",
                place: "111111111111/eu-west-1",
                effect,
                renewal: "run `aws sso login --profile ci`",
                proven: false,
                everywhere: false,
            },
            status,
            code,
            Some(message),
            Some("r-1"),
        )
    }

    #[test]
    fn an_error_that_the_sdk_does_not_find_is_read() {
        let body = b"<ErrorResponse><Errors><Error><Code>AccessDenied</Code>\
            <Message>&quot;a&quot; &amp;lt; b</Message></Error></Errors></ErrorResponse>";
        assert_eq!(element(body, "Code").as_deref(), Some("AccessDenied"));
        assert_eq!(element(body, "Message").as_deref(), Some("\"a\" &lt; b"));
        for body in [
            &b""[..],
            b"\xff<Code>x</Code>",
            b"<Code>x",
            b"<Code></Code>",
        ] {
            assert_eq!(element(body, "Code"), None);
        }
    }

    #[test]
    fn each_code_is_answered_in_its_own_way() {
        use FailureKind::*;
        for (code, message, kind) in [
            (
                "ExpiredToken",
                "The security token included in the request is expired",
                CredentialsExpired,
            ),
            ("RequestExpired", "Request has expired.", CredentialsExpired),
            (
                "InvalidClientTokenId",
                "The security token is invalid.",
                CredentialsExpired,
            ),
            ("AccessDenied", "User: x is not authorized", AccessDenied),
            ("Throttling", "Rate exceeded", Throttled),
            ("RequestLimitExceeded", "Request limit exceeded.", Throttled),
            (
                "ValidationError",
                "Stack with id nope does not exist",
                NotFound,
            ),
            (
                "ValidationError",
                "Parameter value k for parameter name KeyName does not exist. Rollback requested by user.",
                Refused,
            ),
            (
                "ChangeSetNotFound",
                "ChangeSet [c] does not exist",
                NotFound,
            ),
            (
                "AlreadyExistsException",
                "ChangeSet c already exists",
                AlreadyExists,
            ),
            (
                "InsufficientCapabilitiesException",
                "Requires capabilities : [CAPABILITY_NAMED_IAM]",
                MissingCapabilities(vec!["CAPABILITY_NAMED_IAM".into()]),
            ),
            ("InvalidChangeSetStatus", "cannot be executed", Refused),
            ("LimitExceededException", "quota", Refused),
        ] {
            for effect in [Effect::Repeatable, Effect::Once] {
                assert_eq!(reply(effect, 400, Some(code), message).kind, kind, "{code}");
            }
        }
        assert_eq!(
            reply(Effect::Once, 500, Some("InternalFailure"), "").kind,
            Ambiguous
        );
        assert_eq!(reply(Effect::Once, 503, None, "").kind, Ambiguous);
        assert_eq!(reply(Effect::Repeatable, 503, None, "").kind, Unreachable);
        assert_eq!(
            reply(Effect::Once, 501, Some("InternalFailure"), "").kind,
            Refused
        );
        for (status, code) in [
            (400, Some("RequestTimeout")),
            (400, Some("RequestTimeoutException")),
            (408, Some("RequestTimeout")),
            (408, Some("SomethingElse")),
            (408, None),
        ] {
            let kind = |effect| reply(effect, status, code, "").kind;
            assert_eq!(kind(Effect::Once), Ambiguous, "{status} {code:?}");
            assert_eq!(kind(Effect::Repeatable), Unreachable, "{status} {code:?}");
        }
        assert_eq!(
            reply(Effect::Once, 503, Some("Throttling"), "").kind,
            Throttled
        );
    }

    #[test]
    fn a_message_names_call_place_words_and_request_and_says_what_to_do() {
        assert_eq!(
            reply(
                Effect::Once,
                400,
                Some("ExpiredToken"),
                "The token\u{1b}[1m is expired"
            )
            .message,
            "CreateChangeSet in 111111111111/eu-west-1: ExpiredToken: The token[1m is expired (request r-1); run \
             `aws sso login --profile ci`"
        );
    }

    #[test]
    fn a_region_that_is_not_enabled_is_no_matter_of_credentials() {
        let said = |place, proven, everywhere, code| {
            let attempted = Attempted {
                operation: "DescribeStacks",
                place,
                effect: Effect::Repeatable,
                renewal: "renew them",
                proven,
                everywhere,
            };
            of_reply(&attempted, 403, Some(code), Some("invalid"), None)
        };
        let reply = |place, proven, code| said(place, proven, false, code);
        let milan = "111111111111/eu-south-1";
        let denied = reply(milan, true, "InvalidClientTokenId");
        assert_eq!(denied.kind, FailureKind::AccessDenied);
        assert!(
            denied.message.contains(
                "`aws account enable-region --region-name eu-south-1 --account-id 111111111111`"
            ),
            "{denied}"
        );
        // Credentials that were good nowhere yet may be the reason all the same: the execution pauses.
        let unproven = reply(milan, false, "InvalidClientTokenId");
        assert_eq!(unproven.kind, FailureKind::CredentialsExpired);
        assert!(
            unproven
                .message
                .contains("if the credentials are good, region eu-south-1")
        );
        let elsewhere = reply("111111111111/eu-west-1", true, "InvalidClientTokenId");
        assert_eq!(elsewhere.kind, FailureKind::CredentialsExpired);
        assert!(!elsewhere.message.contains("enable-region"));
        let disabled = reply("111111111111/us-east-1", false, "RegionDisabledException");
        assert_eq!(disabled.kind, FailureKind::AccessDenied);
        assert!(disabled.message.contains("enable-region"));

        // Nothing but the region can be the reason.
        for (proven, everywhere, code, expected) in [
            (
                true,
                true,
                "InvalidClientTokenId",
                FailureKind::RegionNotEnabled,
            ),
            (
                true,
                true,
                "UnrecognizedClientException",
                FailureKind::RegionNotEnabled,
            ),
            (false, false, "OptInRequired", FailureKind::RegionNotEnabled),
            (
                false,
                true,
                "InvalidClientTokenId",
                FailureKind::CredentialsExpired,
            ),
            (true, true, "ExpiredToken", FailureKind::CredentialsExpired),
            (
                true,
                true,
                "SignatureDoesNotMatch",
                FailureKind::CredentialsExpired,
            ),
            (true, true, "AccessDenied", FailureKind::AccessDenied),
        ] {
            let failure = said(milan, proven, everywhere, code);
            assert_eq!(failure.kind, expected, "{code} {failure}");
            // A region that every account has is never it.
            let ireland = said("111111111111/eu-west-1", proven, everywhere, code);
            assert_ne!(ireland.kind, FailureKind::RegionNotEnabled, "{code}");
        }
    }

    #[test]
    fn values_and_templates_are_not_repeated() {
        let said = reply(
            Effect::Once,
            400,
            Some("ValidationError"),
            "2 validation errors detected: Value 'hunter2' at 'parameters.1.member.parameterValue' failed to satisfy constraint; \
             Value 'Resources: {}' at 'templateBody' failed",
        );
        assert!(!said.message.contains("hunter2") && !said.message.contains("Resources"));
        assert!(said.message.contains("'…' at 'templateBody' failed"));
        assert!(
            reply(Effect::Once, 400, Some("X"), &"é".repeat(5_000))
                .message
                .len()
                < 2_200
        );
        assert!(!without_echo("Value 'hunter2").contains("hunter2"));
    }
}
