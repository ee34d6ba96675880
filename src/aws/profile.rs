//! What the program itself reads of the AWS configuration, beside the SDK: trusted authorities, and where the
//! credentials come from.

use std::path::{Path, PathBuf};

use aws_config::profile::{self, ProfileSet};
use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use aws_types::os_shim_internal::{Env, Fs};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::model::{CallFailure, FailureKind};

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The profile in use.
#[derive(Debug, Default)]
pub(super) struct Profile {
    files: Option<ProfileSet>,
}

impl Profile {
    /// Returns the profile `named`, else the one of the environment. Files that cannot be read are for the
    /// SDK to complain about.
    pub(super) async fn load(named: Option<&str>) -> Self {
        let named = named.map(|name| name.to_owned().into());
        let files = profile::load(&Fs::real(), &Env::real(), &Default::default(), named).await;
        Self { files: files.ok() }
    }

    /// Returns a setting of the profile.
    fn setting(&self, key: &str) -> Option<&str> {
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
