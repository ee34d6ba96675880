//! The one HTTP client that all clients of the SDK share: by itself, every client makes one, with its own
//! connections and its own copy of the trusted certificates.

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::{ConnectorBuilder, tls};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

/// Returns the client, which trusts the authorities of the system, or `trusted` instead.
pub(super) fn client(trusted: Option<tls::TlsContext>) -> SharedHttpClient {
    let secure = connecting(trusted);
    let plain = if by_proxy() {
        // The way to a proxy may need certificates where the way to the endpoint does not.
        secure.clone()
    } else {
        let nobody = tls::TlsContext::builder()
            .with_trust_store(tls::TrustStore::empty())
            .build();
        connecting(nobody.ok())
    };
    SharedHttpClient::new(ByScheme { plain, secure })
}

fn connecting(trusted: Option<tls::TlsContext>) -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().build_with_connector_fn(move |settings, components| {
        let mut builder = ConnectorBuilder::default().tls_provider(tls::Provider::Rustls(
            tls::rustls_provider::CryptoMode::AwsLc,
        ));
        if let Some(trusted) = &trusted {
            builder.set_tls_context(trusted.clone());
        }
        builder.set_connector_settings(settings.cloned());
        builder.set_sleep_impl(components.and_then(|c| c.sleep_impl()));
        builder.set_proxy_config(Some(ProxyConfig::from_env()));
        builder.build()
    })
}

/// Returns whether requests without TLS may go by a proxy.
fn by_proxy() -> bool {
    ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
        .into_iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// Reads the system's certificates, some 150 files, only when the first request with TLS is made: an emulator is
/// asked without. Leaves out the SDK's trial connector for each new client, which costs a TLS configuration each time.
#[derive(Debug)]
struct ByScheme {
    plain: SharedHttpClient,
    secure: SharedHttpClient,
}

impl HttpClient for ByScheme {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Chosen {
            plain: self.plain.clone(),
            secure: self.secure.clone(),
            settings: settings.clone(),
            components: components.clone(),
        })
    }
}

/// A connector that is looked up with each request; the clients keep those they made.
#[derive(Debug)]
struct Chosen {
    plain: SharedHttpClient,
    secure: SharedHttpClient,
    settings: HttpConnectorSettings,
    components: RuntimeComponents,
}

impl HttpConnector for Chosen {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        // A scheme may be written in capitals.
        let scheme = request.uri().split_once("://").map(|(scheme, _)| scheme);
        let is_plain = scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("http"));
        let client = if is_plain { &self.plain } else { &self.secure };
        client
            .http_connector(&self.settings, &self.components)
            .call(request)
    }
}
