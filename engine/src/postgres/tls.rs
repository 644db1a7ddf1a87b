//! TLS to PostgreSQL, by libpq's words: what `require`, `verify-ca` and `verify-full` verify.
//!
//! rustls is stricter than OpenSSL where it verifies: a certificate needs a subject alternative name, and the server's own
//! certificate cannot at the same time be the authority.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{Endpoint, PostgresError};
use crate::config::SslMode;

/// A connector that verifies as far as the endpoint's `sslmode` says.
pub(super) fn connector(endpoint: &Endpoint) -> Result<MakeRustlsConnect, PostgresError> {
    let failed = |reason: String| PostgresError::Tls { server: endpoint.to_string(), reason };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match (endpoint.sslmode, &endpoint.sslrootcert) {
        (SslMode::Disable | SslMode::Prefer, _) | (SslMode::Require, None) => Arc::new(Verifier::nothing(&provider)),
        (mode, file) => {
            let roots = match file {
                Some(file) => {
                    let certificates =
                        CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
                    certificates.map_err(|error| failed(format!("unable to read {}: {error}", file.display())))?
                }
                None => rustls_native_certs::load_native_certs().certs,
            };
            let mut store = RootCertStore::empty();
            let (added, _) = store.add_parsable_certificates(roots);
            if added == 0 {
                return Err(failed("there is no trusted certificate to verify the server with".into()));
            }
            let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider.clone()).build();
            let inner = inner.map_err(|error| failed(error.to_string()))?;
            if mode == SslMode::VerifyFull { inner } else { Arc::new(Verifier::authority_only(inner, &provider)) }
        }
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// Verifies less than rustls does by itself, because libpq's mode says so.
#[derive(Debug)]
struct Verifier {
    /// `None`: any certificate will do.
    authority: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn nothing(provider: &Arc<CryptoProvider>) -> Self {
        Self { authority: None, provider: provider.clone() }
    }

    fn authority_only(authority: Arc<WebPkiServerVerifier>, provider: &Arc<CryptoProvider>) -> Self {
        Self { authority: Some(authority), provider: provider.clone() }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(authority) = &self.authority else { return Ok(ServerCertVerified::assertion()) };
        // The name is looked at only after the chain has been found good, so this error says that all the rest is well.
        match authority.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
