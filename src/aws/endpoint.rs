//! The endpoints that the environment and the profile set, looked at before anything is called.

use crate::model::{CallFailure, FailureKind};

/// What is called, as it is named in `AWS_ENDPOINT_URL_…`; the last ones for credentials only.
const SERVICES: [&str; 9] = [
    "CLOUDFORMATION",
    "STS",
    "S3",
    "SSM",
    "CLOUDWATCH",
    "ORGANIZATIONS",
    "SSO",
    "SSO_OIDC",
    "SIGNIN",
];

/// Refuses an endpoint that is no URL, in the environment or else in the profile.
///
/// The AWS CLI passes over an empty one and goes to AWS. Here it is refused: `AWS_ENDPOINT_URL=$EMULATOR` where that
/// variable is missing means an emulator, and whoever wrote it must not find their changes in a real account. The SDK
/// panics over an empty one, and of another one that is no URL it says so in its log only.
pub(super) fn check(
    variable: impl Fn(&str) -> Option<String>,
    of_profile: Option<&str>,
) -> Result<(), CallFailure> {
    let ignored = variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
    if ignored.is_some_and(|text| text.eq_ignore_ascii_case("true")) {
        return Ok(());
    }
    let everywhere = "AWS_ENDPOINT_URL".to_owned();
    let of_services = SERVICES.map(|service| format!("AWS_ENDPOINT_URL_{service}"));
    for name in std::iter::once(&everywhere).chain(&of_services) {
        if let Some(url) = variable(name) {
            is_url(&url, name)?;
        }
    }
    match of_profile {
        Some(url) if variable(&everywhere).is_none() => {
            is_url(url, "`endpoint_url` of the profile")
        }
        Some(_) | None => Ok(()),
    }
}

fn is_url(text: &str, name: &str) -> Result<(), CallFailure> {
    let mut schemes = ["http://", "https://"].into_iter();
    let rest = schemes.find_map(|scheme| text.strip_prefix(scheme));
    let is_host = |rest: &str| {
        rest.starts_with(|c: char| c != '/') && rest.chars().all(|c| c.is_ascii_graphic())
    };
    let what = match rest {
        Some(rest) if is_host(rest) => return Ok(()),
        None if text.is_empty() => "is set, but empty",
        // It is not shown: a URL may have a password in it.
        Some(_) | None => "is no URL such as `http://127.0.0.1:4566`",
    };
    Err(CallFailure::new(
        FailureKind::BadInput,
        format!("{name} {what}; correct {name}, or unset it to reach AWS"),
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn said(variables: &[(&str, &str)], of_profile: Option<&str>) -> String {
        let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
        let variable = |name: &str| variables.get(name).map(|&value| value.to_owned());
        match check(variable, of_profile) {
            Ok(()) => String::new(),
            Err(failure) => failure.message,
        }
    }

    #[test]
    fn an_empty_endpoint_is_refused_by_its_name() {
        for name in [
            "AWS_ENDPOINT_URL",
            "AWS_ENDPOINT_URL_CLOUDFORMATION",
            "AWS_ENDPOINT_URL_STS",
            "AWS_ENDPOINT_URL_S3",
        ] {
            assert_eq!(
                said(&[(name, "")], None),
                format!("{name} is set, but empty; correct {name}, or unset it to reach AWS")
            );
        }
        let of_profile = said(&[], Some(""));
        assert!(of_profile.starts_with("`endpoint_url` of the profile is set, but empty;"));
    }

    #[test]
    fn what_is_no_url_is_refused_and_not_shown() {
        for url in [
            " ",
            "nonsense",
            "127.0.0.1:4566",
            "ftp://127.0.0.1",
            "http://",
            "https:///path",
            "http://a b",
            "http://a\n",
        ] {
            assert_eq!(
                said(&[("AWS_ENDPOINT_URL_STS", url)], None),
                "AWS_ENDPOINT_URL_STS is no URL such as `http://127.0.0.1:4566`; correct AWS_ENDPOINT_URL_STS, or unset it to reach AWS",
                "{url:?}"
            );
        }
    }

    #[test]
    fn what_is_a_url_or_not_used_is_let_be() {
        for url in [
            "http://127.0.0.1:4566",
            "https://vpce-1.example/path",
            "http://[::1]:1",
        ] {
            assert_eq!(said(&[("AWS_ENDPOINT_URL", url)], Some("")), "", "{url}");
        }
        assert_eq!(said(&[], None), "");
        assert_eq!(said(&[("AWS_ENDPOINT_URL_DYNAMODB", "")], None), "");
        let ignored = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "True");
        assert_eq!(said(&[ignored, ("AWS_ENDPOINT_URL", "")], Some("")), "");
    }
}
