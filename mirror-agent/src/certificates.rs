//! Which certificates of servers are believed.

use std::path::Path;

use anyhow::{Context, ensure};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// The system's, and those of a file (PEM) that `option` names.
pub(crate) fn roots(option: &str, file: Option<&Path>) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(system.certs);
    if let Some(file) = file {
        let context = || format!("{option} {}", file.display());
        for certificate in CertificateDer::pem_file_iter(file).with_context(context)? {
            roots
                .add(certificate.with_context(context)?)
                .with_context(context)?;
        }
    }
    ensure!(
        !roots.is_empty(),
        "no certificate to check the server's by: this system has none, so name a file with {option}"
    );
    Ok(roots)
}
