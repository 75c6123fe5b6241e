//! TLS of the admin side.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, ensure};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// What answers a handshake, from files in PEM.
pub(super) fn acceptor(certificates: &Path, key: &Path) -> anyhow::Result<TlsAcceptor> {
    let context = || format!("--admin-tls-cert {}", certificates.display());
    let chain = CertificateDer::pem_file_iter(certificates)
        .with_context(context)?
        .collect::<Result<Vec<_>, _>>()
        .with_context(context)?;
    ensure!(
        !chain.is_empty(),
        "--admin-tls-cert {}: it holds no certificate in PEM",
        certificates.display()
    );
    let private = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("--admin-tls-key {}", key.display()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .context("--admin-tls-cert and --admin-tls-key do not fit")?;
    config.alpn_protocols = vec![b"http/1.1".into()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
