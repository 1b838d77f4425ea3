//! A certificate that a program makes for itself when it starts, and the configurations around it: for the
//! examples and tests here, not for the world.

use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{
    ClientConfig, DEFAULT_VERSIONS, RootCertStore, ServerConfig, SupportedProtocolVersion,
};

/// For `localhost`, signed by itself.
#[derive(Debug)]
pub struct Certificate {
    /// As a file has it.
    pub pem: String,
    der: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Certificate {
    /// A new one.
    ///
    /// # Errors
    /// `Other`, if no key could be made.
    pub fn new() -> io::Result<Certificate> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_string()]);
        let made = made.map_err(io::Error::other)?;
        Ok(Certificate {
            pem: made.cert.pem(),
            der: made.cert.der().clone(),
            key: made.signing_key.serialize_der(),
        })
    }

    /// A server that shows it, and offers `protocols` (`h2`, `http/1.1`).
    ///
    /// # Errors
    /// `Other`, with rustls's reason inside.
    pub fn server(&self, protocols: &[&str]) -> io::Result<Arc<ServerConfig>> {
        let key = PrivateKeyDer::try_from(self.key.clone()).map_err(io::Error::other)?;
        let mut config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![self.der.clone()], key)
            .map_err(io::Error::other)?;
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        Ok(Arc::new(config))
    }

    /// A client that trusts it, and nobody else.
    ///
    /// # Errors
    /// `Other`, with rustls's reason inside.
    pub fn client(&self) -> io::Result<Arc<ClientConfig>> {
        self.client_of(DEFAULT_VERSIONS)
    }

    /// The same, for a few versions of TLS.
    ///
    /// # Errors
    /// `Other`, with rustls's reason inside.
    pub fn client_of(
        &self,
        versions: &[&'static SupportedProtocolVersion],
    ) -> io::Result<Arc<ClientConfig>> {
        trusting(self.der.clone(), versions)
    }
}

/// A client that trusts the certificate in a file, and nobody else.
///
/// # Errors
/// `Other`: the file cannot be read, or holds no certificate.
pub fn client_of_file(path: &str) -> io::Result<Arc<ClientConfig>> {
    let certificate = CertificateDer::from_pem_file(path).map_err(io::Error::other)?;
    trusting(certificate, DEFAULT_VERSIONS)
}

fn trusting(
    certificate: CertificateDer<'static>,
    versions: &[&'static SupportedProtocolVersion],
) -> io::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate).map_err(io::Error::other)?;
    let config = ClientConfig::builder_with_protocol_versions(versions)
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
