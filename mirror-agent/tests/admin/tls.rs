//! The admin side over TLS.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mirror_agent::control::{ControlOptions, RemoteAgent};
use mirror_agent::web::WebUrl;
use mirror_core::options::FromText;
use mirror_core::verdict::Decision;
use mirror_tests::scratch::Scratch;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::{CONNECTIONS, Side, empty_report, status, token_file};

const TOKEN: &str = "planted-admin-token-0123";

/// A side with TLS, and the file with its certificate.
fn side(scratch: &Scratch) -> (Side, CertificateDer<'static>, PathBuf) {
    let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (scratch.join("cert.pem"), scratch.join("key.pem"));
    std::fs::write(&cert, signed.cert.pem()).unwrap();
    std::fs::write(&key, signed.signing_key.serialize_pem()).unwrap();
    let options = ControlOptions {
        admin_token_file: Some(token_file(scratch, TOKEN)),
        admin_tls_cert: Some(cert.clone()),
        admin_tls_key: Some(key),
        ..ControlOptions::default()
    };
    let side = Side::with(&options, CONNECTIONS, empty_report());
    (side, signed.cert.der().clone(), cert)
}

#[test]
fn it_is_answered_over_tls_and_not_without() {
    let scratch = Scratch::new().unwrap();
    let (admin, certificate, _) = side(&scratch);
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, admin.connect());
    let question =
        format!("GET /verdict HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n\r\n");
    stream.write_all(question.as_bytes()).unwrap();
    let mut answer = String::new();
    // It closes the connection without the notice of TLS that it will.
    let _ = stream.read_to_string(&mut answer);
    assert_eq!(status(&answer), "200", "{answer}");
    assert!(answer.contains("\"result\":\"inconclusive\""), "{answer}");

    let plain = admin.get("/verdict");
    assert!(!plain.contains("inconclusive"), "{plain}");
}

/// As `mirror-agent wait --admin` asks.
#[test]
fn an_agent_elsewhere_is_asked_if_its_certificate_is_known() {
    let scratch = Scratch::new().unwrap();
    let (admin, _, certificate) = side(&scratch);
    let url = format!("https://localhost:{}", admin.address.port());
    let url = WebUrl::from_text(&url).unwrap();
    let token = token_file(&scratch, TOKEN);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let ask = |token: Option<&Path>, certificate: Option<&Path>| {
        let agent = RemoteAgent::new(url.clone(), token, certificate).unwrap();
        runtime
            .block_on(agent.verdict())
            .map_err(|error| format!("{error:#}"))
    };
    let verdict = ask(Some(&token), Some(&certificate)).unwrap();
    assert_eq!(verdict.decision, Decision::Hold);
    let without_token = ask(None, Some(&certificate)).unwrap_err();
    assert!(without_token.contains("401"), "{without_token}");
    // Its token is sent to nobody who cannot prove to be the agent.
    let unknown = ask(Some(&token), None).unwrap_err();
    assert!(unknown.contains("TLS handshake"), "{unknown}");
}
