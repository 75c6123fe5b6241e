//! Targets behind TLS.

use hyper_util::rt::{TokioExecutor, TokioIo};
use mirror_tests::scratch::Scratch;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

use super::*;

/// A target for `shop.example` that signed its certificate itself, and that certificate's file.
struct TlsTarget {
    address: SocketAddr,
    scratch: Scratch,
}

impl TlsTarget {
    async fn new() -> Self {
        Self::speaking(None).await
    }

    /// With HTTP/2 where that is the protocol that TLS agrees on.
    async fn speaking(protocol: Option<&'static str>) -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["shop.example".to_owned()]).unwrap();
        let scratch = Scratch::new().unwrap();
        std::fs::write(scratch.join("ca.pem"), cert.pem()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        config.alpn_protocols = protocol.iter().map(|name| name.as_bytes().into()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    if protocol == Some("h2") {
                        return serve_http2(stream).await;
                    }
                    let mut seen = Vec::new();
                    while stream.read_buf(&mut seen).await.is_ok_and(|read| read > 0) {
                        if seen.ends_with(b"\r\n\r\n") {
                            let ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                            stream.write_all(ok).await.unwrap();
                            seen.clear();
                        }
                    }
                });
            }
        });
        Self { address, scratch }
    }

    async fn get(&self, change: impl FnOnce(&mut ReplayOptions)) -> String {
        let target = Target::from_text(&format!("https://{}", self.address)).unwrap();
        let mut options = ReplayOptions::default();
        change(&mut options);
        let client = Client::new(parts(target, &options).unwrap(), &options);
        let mut all = String::new();
        for _ in 0..2 {
            let sent = sent(&client, request("GET", ""));
            all = text(sent.await);
        }
        all
    }
}

#[tokio::test]
async fn a_certificate_is_checked_unless_told_otherwise() {
    let target = TlsTarget::new().await;
    let ca = target.scratch.join("ca.pem");
    let trusts = |options: &mut ReplayOptions| options.target_ca = Some(ca.clone());
    let named = |options: &mut ReplayOptions| options.target_name = Some("shop.example".into());

    let both = |options: &mut ReplayOptions| {
        trusts(options);
        named(options);
    };
    assert_eq!(target.get(both).await, "200 ok");
    assert_eq!(
        target.get(|options| options.target_insecure = true).await,
        "200 ok"
    );
    // The name of --target is that of another.
    let wrong_name = target.get(trusts).await;
    assert!(
        wrong_name.starts_with("connect failed: TLS handshake with "),
        "{wrong_name}"
    );
    let unknown = target
        .get(|options| {
            let other = generate_simple_self_signed(["other.example".to_owned()]).unwrap();
            let file = target.scratch.join("other.pem");
            std::fs::write(&file, other.cert.pem()).unwrap();
            options.target_ca = Some(file);
            named(options);
        })
        .await;
    assert!(
        unknown.starts_with("connect failed: TLS handshake with "),
        "{unknown}"
    );
}

async fn serve_http2(stream: tokio_rustls::server::TlsStream<TcpStream>) {
    let service = hyper::service::service_fn(async |_| {
        let body = http_body_util::Full::new(Bytes::from_static(b"two"));
        Ok::<_, std::convert::Infallible>(hyper::Response::new(body))
    });
    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    // It ends with the client.
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

#[tokio::test]
async fn http2_is_agreed_on_in_tls_or_refused_with_a_reason() {
    let get = async |target: &TlsTarget| {
        let url = Target::from_text(&format!("https://{}", target.address)).unwrap();
        let options = ReplayOptions {
            target_insecure: true,
            http2: true,
            ..ReplayOptions::default()
        };
        let client = Http2Client::new(parts(url, &options).unwrap(), &options);
        let get = request("GET", "");
        text(client.send(&get, &Marks::default(), LONG).await)
    };
    let agrees = TlsTarget::speaking(Some("h2")).await;
    assert_eq!(get(&agrees).await, "200 two");
    let says_nothing = get(&TlsTarget::new().await).await;
    assert!(
        says_nothing.ends_with("does not agree to HTTP/2 (ALPN)"),
        "{says_nothing}"
    );
    let other = get(&TlsTarget::speaking(Some("http/1.1")).await).await;
    assert!(
        other.starts_with("connect failed: TLS handshake with "),
        "{other}"
    );
}
