//! The endpoints that the options, the environment and the profile set, looked at before anything is called.

use aws_config::SdkConfig;
use aws_types::service_config::ServiceConfigKey;
use http::Uri;

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
    of_profile: impl Fn(&str) -> Option<String>,
) -> Result<(), CallFailure> {
    let ignored = variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
        .or_else(|| of_profile("ignore_configured_endpoint_urls"));
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
    match of_profile("endpoint_url") {
        Some(url) if variable(&everywhere).is_none() => {
            is_url(&url, "`endpoint_url` of the profile")
        }
        Some(_) | None => Ok(()),
    }
}

/// Returns the endpoint that is set for a service, such as `SSM`, found as the SDK's own clients find theirs: the one that was
/// given, else those of the environment and the profile, unless they are to be ignored.
pub(super) fn of_service(base: &SdkConfig, service: &str) -> Option<String> {
    let general = base.endpoint_url().map(str::to_owned);
    if base.get_origin("endpoint_url").is_client_config() {
        return general;
    }
    let id = service.replace('_', " ");
    let key = ServiceConfigKey::builder()
        .service_id(&id)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    // All three were given, so there is a key.
    let own = key.ok().zip(base.service_config());
    own.and_then(|(key, config)| config.load_config(key))
        .or(general)
}

/// Refuses an endpoint that is no URL in the section of services that the profile names; `check` has seen all others.
pub(super) fn check_section(base: &SdkConfig) -> Result<(), CallFailure> {
    for service in SERVICES {
        if let Some(url) = of_service(base, service) {
            let id = service.to_lowercase().replace('_', "-");
            is_url(
                &url,
                &format!("`endpoint_url` of {id} in the `services` of the profile"),
            )?;
        }
    }
    Ok(())
}

fn is_url(text: &str, name: &str) -> Result<(), CallFailure> {
    let what = match text.parse::<Uri>() {
        // The client would take one without a port, or of a port that it does not understand, to be the usual one.
        Ok(uri) if is_called(&uri) => return Ok(()),
        Ok(_) | Err(_) if text.is_empty() => "is set, but empty",
        // It is not shown: a URL may have a password in it.
        Ok(_) | Err(_) => "is no URL such as `http://127.0.0.1:4566`",
    };
    Err(CallFailure::new(
        FailureKind::BadInput,
        format!("{name} {what}; correct {name}, or unset it to reach AWS"),
    ))
}

/// Returns whether something can be called there: by HTTP, at a host, at a port that is one where it is given.
fn is_called(uri: &Uri) -> bool {
    let (Some("http" | "https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return false;
    };
    let (host, place) = (authority.host(), authority.as_str());
    // A name or password may stand before the host.
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    !host.is_empty() && (place == host || uri.port_u16().is_some_and(|port| port > 0))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Write as _;
    use std::process::Command;

    use super::super::fixture::spec_in;
    use super::super::scripted::Scripted;
    use super::super::{Aws, Settings};
    use super::*;
    use crate::model::Caller;

    /// Tells a process that it is to say what it finds, and with which endpoint given.
    const CHILD: &str = "STACKGATE_ENDPOINT_TEST_CHILD";

    /// Returns the endpoints of CloudFormation and CloudWatch that a process finds, or why it found none.
    fn found(given: &str, variables: &[(&str, &str)], config: &str) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), config).unwrap();
        let test = "aws::endpoint::tests::every_service_is_looked_up_in_the_same_order";
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", test])
            .env_clear()
            .env(CHILD, given)
            .env("AWS_CONFIG_FILE", file.path())
            .env(
                "AWS_SHARED_CREDENTIALS_FILE",
                file.path().with_extension("none"),
            )
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        String::from_utf8(output.stderr).unwrap()
    }

    /// Writes what this process finds.
    async fn say_found(given: String) {
        let settings = Settings {
            region: Some("eu-west-1".into()),
            endpoint_url: Some(given).filter(|url| !url.is_empty()),
            credentials: Some(Scripted::credentials()),
            ..Settings::default()
        };
        let text = match Aws::connect(&settings).await {
            Ok(aws) => {
                let of = |service| aws.endpoint_for(service).unwrap_or("aws".into());
                assert_eq!(aws.has_own_endpoint(), of("CLOUDFORMATION") != "aws");
                let spec = spec_in("111111111111", "cn-north-1", None);
                let caller = Caller {
                    account: "111111111111".parse().unwrap(),
                    arn: "arn:aws:iam::111111111111:root".to_owned(),
                };
                let is_refused = aws.check_partition(&spec.target, Some(&caller)).is_err();
                assert_eq!(is_refused, !aws.has_own_endpoint());
                format!("{} {}", of("CLOUDFORMATION"), of("CLOUDWATCH"))
            }
            Err(failure) => failure.message,
        };
        write!(std::io::stderr(), "{text}").unwrap();
    }

    /// Variables are those of a process, so this runs itself once more for each case.
    #[tokio::test]
    async fn every_service_is_looked_up_in_the_same_order() {
        if let Ok(given) = std::env::var(CHILD) {
            return say_found(given).await;
        }
        let general = ("AWS_ENDPOINT_URL", "http://general");
        let own = ("AWS_ENDPOINT_URL_CLOUDWATCH", "http://own");
        let ignore = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
        let profile = "[default]\nendpoint_url = http://profile\n";
        let ignoring = format!("{profile}ignore_configured_endpoint_urls = true\n");
        let given = "http://given";
        for (given, variables, config, expected) in [
            (
                given,
                &[general, own][..],
                profile,
                "http://given http://given",
            ),
            (given, &[own, ignore], "", "http://given http://given"),
            ("", &[general, own], profile, "http://general http://own"),
            ("", &[own], profile, "http://profile http://own"),
            ("", &[own], "", "aws http://own"),
            ("", &[], profile, "http://profile http://profile"),
            ("", &[general, own, ignore], profile, "aws aws"),
            ("", &[general, own], &ignoring, "aws aws"),
        ] {
            assert_eq!(
                found(given, variables, config),
                expected,
                "{given} {variables:?} {config}"
            );
        }
    }

    #[test]
    fn a_section_of_services_counts_and_is_looked_at() {
        let section = |service: &str, url: &str| {
            format!(
                "[default]\nservices = local\n[services local]\n{service} =\n  endpoint_url = {url}\n"
            )
        };
        let cloudformation = section("cloudformation", "http://section");
        assert_eq!(found("", &[], &cloudformation), "http://section aws");
        let cloudwatch = section("cloudwatch", "http://section");
        assert_eq!(found("", &[], &cloudwatch), "aws http://section");
        for (url, what) in [("", "is set, but empty"), ("nonsense", "is no URL such as")] {
            for service in ["cloudformation", "cloudwatch", "sso-oidc"] {
                let config = section(service, url);
                let refused = found("", &[], &config);
                let begin =
                    format!("`endpoint_url` of {service} in the `services` of the profile {what}");
                assert!(refused.starts_with(&begin), "{refused}");
                assert_eq!(
                    found("http://given", &[], &config),
                    "http://given http://given"
                );
            }
        }
    }

    fn said(variables: &[(&str, &str)], url: Option<&str>) -> String {
        let profile: Vec<_> = url.map(|url| ("endpoint_url", url)).into_iter().collect();
        said_with(variables, &profile)
    }

    fn said_with(variables: &[(&str, &str)], profile: &[(&str, &str)]) -> String {
        let profile: BTreeMap<&str, &str> = profile.iter().copied().collect();
        let of_profile = |name: &str| profile.get(name).map(|&value| value.to_owned());
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
            "http://127.0.0.1:99999",
            "http://127.0.0.1:abc",
            "http://127.0.0.1:0",
            "http://localhost:",
            "http://:4566",
            "http://[::1",
            "http://::1:4566",
            "http://me:secret@:80",
            "/path",
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
            "http://[::1]",
            "HTTP://127.0.0.1:4566",
            "HTTPS://Vpce-1.example:443/",
            "http://me:secret@localhost:65535",
        ] {
            assert_eq!(said(&[("AWS_ENDPOINT_URL", url)], Some("")), "", "{url}");
        }
        assert_eq!(said(&[], None), "");
        assert_eq!(said(&[("AWS_ENDPOINT_URL_DYNAMODB", "")], None), "");
        let ignored = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "True");
        assert_eq!(said(&[ignored, ("AWS_ENDPOINT_URL", "")], Some("")), "");
        let ignored = ("ignore_configured_endpoint_urls", "true");
        let profile = [ignored, ("endpoint_url", "")];
        assert_eq!(said_with(&[("AWS_ENDPOINT_URL", "")], &profile), "");
        let overruled = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "false");
        assert_ne!(said_with(&[overruled], &profile), "");
    }
}
