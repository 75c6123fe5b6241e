//! The admin side over TLS.

use std::io::{Read, Write};
use std::sync::Arc;

use mirror_agent::control::ControlOptions;
use mirror_tests::scratch::Scratch;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::{CONNECTIONS, Side, empty_report, status};

#[test]
fn it_is_answered_over_tls_and_not_without() {
    let scratch = Scratch::new().unwrap();
    let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (scratch.join("cert.pem"), scratch.join("key.pem"));
    std::fs::write(&cert, signed.cert.pem()).unwrap();
    std::fs::write(&key, signed.signing_key.serialize_pem()).unwrap();
    let options = ControlOptions {
        admin_tls_cert: Some(cert),
        admin_tls_key: Some(key),
        ..ControlOptions::default()
    };
    let admin = Side::with(&options, CONNECTIONS, empty_report());

    let mut roots = RootCertStore::empty();
    roots.add(signed.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, admin.connect());
    stream
        .write_all(b"GET /verdict HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    // It closes the connection without the notice of TLS that it will.
    let _ = stream.read_to_string(&mut answer);
    assert_eq!(status(&answer), "200", "{answer}");
    assert!(answer.contains("\"result\":\"inconclusive\""), "{answer}");

    let plain = admin.get("/verdict");
    assert!(!plain.contains("inconclusive"), "{plain}");
}
