//! What the program itself reads of the AWS configuration, beside the SDK: trusted authorities, and where the
//! credentials come from.

use std::path::{Path, PathBuf};

use aws_config::profile::{self, ProfileSet};
use aws_credential_types::Credentials;
use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use aws_types::os_shim_internal::{Env, Fs};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::mfa::MfaRole;
use crate::model::{CallFailure, FailureKind, clean};

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The profile in use.
#[derive(Debug, Default)]
pub(super) struct Profile {
    files: Option<ProfileSet>,
    /// Whether it was named by an option, and so goes before keys of the environment.
    is_named: bool,
}

/// Where the credentials are found that a role is assumed with.
#[derive(Debug)]
pub(super) enum Source {
    /// Another profile.
    Profile(String),
    /// The environment.
    Environment,
    /// The profile itself.
    Keys(Credentials),
}

/// Profiles that are followed through `source_profile`.
const LONGEST_CHAIN: usize = 8;

impl Profile {
    /// Returns the profile `named`, else the one of the environment. Files that cannot be read are for the
    /// SDK to complain about.
    pub(super) async fn load(named: Option<&str>) -> Self {
        let is_named = named.is_some();
        let named = named.map(|name| name.to_owned().into());
        let files = profile::load(&Fs::real(), &Env::real(), &Default::default(), named).await;
        Self {
            files: files.ok(),
            is_named,
        }
    }

    /// Returns what to do when the credentials have expired, by where they come from.
    pub(super) fn renewal(&self) -> String {
        let has = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        if !self.is_named && has("AWS_ACCESS_KEY_ID") {
            return "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN anew"
                .to_owned();
        }
        if let Some(found) = self.renewal_of_profile() {
            return found;
        }
        if has("AWS_WEB_IDENTITY_TOKEN_FILE") {
            return "have a new token written to the file that AWS_WEB_IDENTITY_TOKEN_FILE names"
                .to_owned();
        }
        if has("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
            || has("AWS_CONTAINER_CREDENTIALS_FULL_URI")
        {
            return "see to the role of the container or job, which the credentials come from"
                .to_owned();
        }
        "give credentials by the environment, by `--profile`, or with `aws sso login`".to_owned()
    }

    /// Returns the same for the profile, where it says where its credentials come from.
    fn renewal_of_profile(&self) -> Option<String> {
        let files = self.files.as_ref()?;
        let mut name = files.selected_profile();
        if name != "default" && files.get_profile(name).is_none() {
            return Some(format!(
                "profile `{}` is in no configuration file; `aws configure list-profiles` shows those that are",
                clean(name)
            ));
        }
        for _ in 0..LONGEST_CHAIN {
            let profile = files.get_profile(name)?;
            let shown = clean(name);
            if profile.get("sso_session").is_some() || profile.get("sso_start_url").is_some() {
                return Some(format!("run `aws sso login --profile {shown}`"));
            }
            if profile.get("login_session").is_some() {
                return Some(format!("run `aws login --profile {shown}`"));
            }
            if profile.get("credential_process").is_some() {
                return Some(format!(
                    "see to the `credential_process` of profile `{shown}`, which the credentials come from"
                ));
            }
            match profile.get("source_profile") {
                Some(source) if source != name => name = source,
                Some(_) | None => break,
            }
        }
        // Keys in a file, or another source that the SDK knows; the default profile often has none.
        let profile = files.get_profile(name)?;
        let has_source = ["aws_access_key_id", "role_arn"]
            .iter()
            .any(|key| profile.get(key).is_some());
        (self.is_named || has_source)
            .then(|| format!("renew the credentials of profile `{}`", clean(name)))
    }

    /// Returns the role of the profile, where it asks for a code, and where the credentials for it are found.
    pub(super) fn mfa(&self) -> Result<Option<(MfaRole, Source)>, CallFailure> {
        let keys_win = std::env::var_os("AWS_ACCESS_KEY_ID").is_some_and(|v| !v.is_empty());
        let (Some(files), false) = (&self.files, keys_win && !self.is_named) else {
            return Ok(None);
        };
        let (Some(role_arn), Some(serial)) = (self.setting("role_arn"), self.setting("mfa_serial"))
        else {
            return Ok(None);
        };
        let name = files.selected_profile();
        let refuse = |why: String| {
            CallFailure::new(
                FailureKind::BadInput,
                format!("profile `{}`: {why}", clean(name)),
            )
        };
        let source = match (
            self.setting("source_profile"),
            self.setting("credential_source"),
        ) {
            (Some(source), _) if source != name => Source::Profile(source.to_owned()),
            (None, Some("Environment")) => Source::Environment,
            (None, Some(other)) => {
                return Err(refuse(format!(
                    "a role with `mfa_serial` is assumed with a `source_profile` or with `credential_source = \
                     Environment`, and not with `{other}`"
                )));
            }
            (Some(_) | None, _) => {
                let key = |name| self.setting(name).map(str::to_owned);
                let (Some(id), Some(secret)) =
                    (key("aws_access_key_id"), key("aws_secret_access_key"))
                else {
                    return Err(refuse(
                        "`role_arn` needs a `source_profile` that it is assumed with".to_owned(),
                    ));
                };
                let token = key("aws_session_token");
                Source::Keys(Credentials::new(id, secret, token, None, "profile"))
            }
        };
        let seconds = match self.setting("duration_seconds") {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| {
                refuse(format!(
                    "`duration_seconds` is `{text}`; expected a number such as 3600"
                ))
            })?),
        };
        let owned = |key| self.setting(key).map(str::to_owned);
        let role = MfaRole {
            profile: clean(name),
            role_arn: role_arn.to_owned(),
            serial: serial.to_owned(),
            session_name: owned("role_session_name"),
            external_id: owned("external_id"),
            seconds,
        };
        Ok(Some((role, source)))
    }

    /// Returns a setting of the profile.
    pub(super) fn setting(&self, key: &str) -> Option<&str> {
        self.files.as_ref()?.get(key)
    }

    /// Returns the authorities to trust instead of the system's, where a bundle is named by `AWS_CA_BUNDLE` or
    /// by `ca_bundle` of the profile. The SDK reads neither.
    pub(super) fn trusted(&self) -> Result<Option<TlsContext>, CallFailure> {
        let of_environment = std::env::var_os("AWS_CA_BUNDLE").filter(|path| !path.is_empty());
        let (origin, path) = match (of_environment, self.setting("ca_bundle")) {
            (Some(path), _) => ("AWS_CA_BUNDLE", PathBuf::from(path)),
            (None, Some(path)) => ("`ca_bundle` of the profile", PathBuf::from(path)),
            (None, None) => return Ok(None),
        };
        trust(&path).map(Some).map_err(|why| {
            CallFailure::new(
                FailureKind::BadInput,
                format!("{origin} names `{}`: {why}", path.display()),
            )
        })
    }
}

/// Returns a trust in the authorities of a bundle alone, as the AWS CLI does.
fn trust(path: &Path) -> Result<TlsContext, String> {
    let text = std::fs::read(path).map_err(|e| format!("it cannot be read ({e})"))?;
    let text = String::from_utf8_lossy(&text);
    let mut store = TrustStore::empty();
    let mut known = RootCertStore::empty();
    let mut rest = &*text;
    while let Some(begin) = rest.find(BEGIN) {
        rest = &rest[begin..];
        let Some(end) = rest.find(END) else { break };
        let block = &rest[..end + END.len()];
        rest = &rest[end + END.len()..];
        // The SDK panics over one that is no certificate; an authority of a kind that is not known here is
        // left out, as other programs do.
        let is_good = CertificateDer::from_pem_slice(block.as_bytes())
            .is_ok_and(|certificate| known.add(certificate).is_ok());
        if is_good {
            store.add_pem_certificate(block);
        }
    }
    if known.is_empty() {
        return Err(format!(
            "it holds no certificate that can be read; expected PEM, which begins with `{BEGIN}`"
        ));
    }
    TlsContext::builder()
        .with_trust_store(store)
        .build()
        .map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn profile(text: &str, name: &str) -> Profile {
        let files = Fs::from_slice(&[("/config", text)]);
        let env = Env::from_slice(&[
            ("AWS_CONFIG_FILE", "/config"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/none"),
        ]);
        let name = Some(name.to_owned().into());
        let files = profile::load(&files, &env, &Default::default(), name).await;
        Profile {
            files: Some(files.unwrap()),
            is_named: true,
        }
    }

    const CONFIG: &str = "[profile sso]\nsso_session = corp\nsso_account_id = 111111111111\n\
        [sso-session corp]\nsso_start_url = https://x\n\
        [profile through]\nrole_arn = arn:aws:iam::222222222222:role/R\nsource_profile = sso\n\
        [profile login]\nlogin_session = arn:aws:iam::111111111111:user/ann\n\
        [profile process]\ncredential_process = /bin/secret --password hunter2\n\
        [profile keys]\naws_access_key_id = AKIA\naws_secret_access_key = s\n\
        [profile circle]\nsource_profile = round\n[profile round]\nsource_profile = circle\n\
        [profile admin]\nrole_arn = arn:aws:iam::111111111111:role/Admin\nsource_profile = keys\n\
        mfa_serial = arn:aws:iam::111111111111:mfa/ann\nduration_seconds = 7200\n\
        [profile alone]\nrole_arn = arn:aws:iam::111111111111:role/Admin\nmfa_serial = m\n\
        [profile own]\nrole_arn = r\nmfa_serial = m\nsource_profile = own\naws_access_key_id = A\naws_secret_access_key = s\n";

    #[tokio::test]
    async fn how_to_renew_follows_where_the_credentials_come_from() {
        for (name, what) in [
            ("sso", "run `aws sso login --profile sso`"),
            ("through", "run `aws sso login --profile sso`"),
            ("login", "run `aws login --profile login`"),
            ("keys", "renew the credentials of profile `keys`"),
        ] {
            assert_eq!(profile(CONFIG, name).await.renewal(), what);
        }
        let process = profile(CONFIG, "process").await.renewal();
        assert!(process.contains("credential_process") && !process.contains("hunter2"));
        // One that goes round in a circle ends.
        assert!(profile(CONFIG, "circle").await.renewal().contains("renew"));
    }

    #[tokio::test]
    async fn a_role_with_a_device_is_read_with_its_source() {
        let (role, source) = profile(CONFIG, "admin").await.mfa().unwrap().unwrap();
        assert_eq!(role.serial, "arn:aws:iam::111111111111:mfa/ann");
        assert_eq!(role.seconds, Some(7200));
        assert!(matches!(source, Source::Profile(name) if name == "keys"));
        let (_, source) = profile(CONFIG, "own").await.mfa().unwrap().unwrap();
        assert!(matches!(source, Source::Keys(keys) if keys.access_key_id() == "A"));
        let alone = profile(CONFIG, "alone").await.mfa().unwrap_err();
        assert!(alone.message.contains("source_profile"), "{alone}");
        for name in ["sso", "through", "keys", "missing"] {
            assert!(
                profile(CONFIG, name).await.mfa().unwrap().is_none(),
                "{name}"
            );
        }
    }

    const AUTHORITY: &str = include_str!("../../tests/support/tls/authority.pem");

    fn trusted(text: &str) -> Result<TlsContext, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        trust(file.path())
    }

    #[test]
    fn a_bundle_may_hold_comments_and_others() {
        let odd = format!("{BEGIN}\nAAAA\n{END}\n");
        trusted(&format!("# comment\n{odd}{AUTHORITY}\n{AUTHORITY}")).unwrap();
    }

    #[test]
    fn a_file_without_a_certificate_is_refused() {
        let odd = format!("{BEGIN}\nnot base64\n{END}\n");
        for text in ["", "hello", BEGIN, &odd, "\u{fffd}é"] {
            let why = trusted(text).unwrap_err();
            assert!(why.contains("no certificate"), "{why}");
        }
        assert!(
            trust(Path::new("/nonexistent"))
                .unwrap_err()
                .contains("cannot be read")
        );
    }
}
