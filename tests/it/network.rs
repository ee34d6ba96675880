//! The way to AWS where something stands in between: authorities of one's own, and proxies.

use std::io::{BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::{TestEnv, http};

// Its key is of no use but here: the authority's own key is gone.
const AUTHORITY: &str = include_str!("../support/tls/authority.pem");
const CERTIFICATE: &[u8] = include_bytes!("../support/tls/server.pem");
const KEY: &[u8] = include_bytes!("../support/tls/server.key");

const TEMPLATE: &str = "Resources: {Topic: {Type: AWS::SNS::Topic}}";
const DENIED: &str = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>User: arn:aws:iam::111111111111:user/ann is \
     not authorized to perform: sts:GetCallerIdentity with an explicit deny in a service control policy</Message></Error>\
     </ErrorResponse>";

/// Answers each connection once, denying what it asks, and tells the first line of what came.
fn endpoint(over_tls: bool) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, lines) = mpsc::channel();
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(CERTIFICATE).unwrap()];
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let sent = if over_tls {
                let session = ServerConnection::new(config.clone()).unwrap();
                serve(StreamOwned::new(session, stream))
            } else {
                serve(stream)
            };
            // A client that does not trust the certificate says nothing.
            if let Some(line) = sent
                && sender.send(line).is_err()
            {
                return;
            }
        }
    });
    (address, lines)
}

fn serve(stream: impl Read + Write) -> Option<String> {
    let mut stream = BufReader::new(stream);
    let message = http::read(&mut stream).ok()??;
    let stream = stream.get_mut();
    stream
        .write_all(&http::reply(403, "text/xml", DENIED))
        .ok()?;
    stream.flush().ok()?;
    Some(message.start)
}

fn project(endpoint: &str) -> TestEnv {
    let env = TestEnv::offline().variable("AWS_ENDPOINT_URL", endpoint);
    env.write("templates/app.yaml", TEMPLATE);
    env
}

#[test]
fn a_bundle_of_authorities_is_trusted_and_nothing_else() {
    let (address, lines) = endpoint(true);
    let env = project(&format!("https://{address}"));
    env.write("authority.pem", AUTHORITY);
    let bundle = env.root().join("authority.pem").display().to_string();

    let refused = env.run(&["plan", "app"]);
    refused.code(1);
    assert!(
        refused.stderr.contains("AWS_CA_BUNDLE"),
        "{}",
        refused.stderr
    );
    assert!(lines.try_recv().is_err());

    let trusting = env.variable("AWS_CA_BUNDLE", &bundle);
    let answered = trusting.run(&["plan", "app"]);
    answered.code(1);
    // The answer is a denial, and says who can do something about it.
    assert!(
        answered.stderr.contains("explicitly denies"),
        "{}",
        answered.stderr
    );
    assert_eq!(lines.recv().unwrap(), "POST / HTTP/1.1");

    // A profile may name it as well.
    trusting.write(
        "config",
        &format!("[profile corporate]\nregion = us-east-1\nca_bundle = {bundle}\n"),
    );
    let config = trusting.root().join("config").display().to_string();
    let profiled = trusting
        .variable("AWS_CA_BUNDLE", "")
        .variable("AWS_CONFIG_FILE", &config)
        .variable("AWS_PROFILE", "corporate");
    profiled.run(&["plan", "app"]).code(1);
    assert_eq!(lines.recv().unwrap(), "POST / HTTP/1.1");
}

#[test]
fn a_bundle_that_cannot_be_used_is_named() {
    let env = project("https://127.0.0.1:9");
    env.write("empty.pem", "no certificate");
    for (file, why) in [
        ("empty.pem", "no certificate"),
        ("missing.pem", "cannot be read"),
    ] {
        let path = env.root().join(file).display().to_string();
        let mut command = env.command(&["plan", "app"]);
        let output = command.env("AWS_CA_BUNDLE", &path).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(&path) && said.contains(why), "{said}");
    }
}

#[test]
fn a_profile_that_asks_for_a_code_needs_a_terminal() {
    let env = project("http://127.0.0.1:9");
    env.write(
        "config",
        "[profile keys]\naws_access_key_id = AKIA\naws_secret_access_key = s\n\
         [profile admin]\nrole_arn = arn:aws:iam::111111111111:role/Admin\nsource_profile = keys\n\
         mfa_serial = arn:aws:iam::111111111111:mfa/ann\n",
    );
    let config = env.root().join("config").display().to_string();
    let env = env.variable("AWS_CONFIG_FILE", &config);
    let output = env.run(&["plan", "app", "--profile=admin"]);
    output.code(1);
    for word in [
        "mfa_serial",
        "arn:aws:iam::111111111111:mfa/ann",
        "no terminal",
    ] {
        assert!(output.stderr.contains(word), "{}", output.stderr);
    }
}

#[test]
fn calls_take_the_proxy_of_the_environment() {
    let (address, lines) = endpoint(false);
    let proxy = format!("http://{address}");
    let plain = project("http://sts.stackgate.invalid").variable("HTTP_PROXY", &proxy);
    plain.run(&["plan", "app"]).code(1);
    assert_eq!(
        lines.recv().unwrap(),
        "POST http://sts.stackgate.invalid/ HTTP/1.1"
    );

    let secure = project("https://sts.stackgate.invalid").variable("HTTPS_PROXY", &proxy);
    secure.run(&["plan", "app"]).code(1);
    assert_eq!(
        lines.recv().unwrap(),
        "CONNECT sts.stackgate.invalid:443 HTTP/1.1"
    );

    while lines.try_recv().is_ok() {}
    let direct = project("http://127.0.0.1:9")
        .variable("HTTP_PROXY", &proxy)
        .variable("NO_PROXY", "127.0.0.1");
    direct.run(&["plan", "app"]).code(1);
    assert!(lines.try_recv().is_err());
}
