//! TLS to PostgreSQL, with libpq's meanings of `require`, `verify-ca` and `verify-full`.
//!
//! rustls verifies more strictly than OpenSSL: a certificate needs a subject alternative name, and
//! the server's own certificate cannot be the authority as well.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::postgres::SslMode;
use crate::postgres::{Endpoint, PostgresError};

/// Returns a connector that verifies as much as the endpoint's `sslmode` says.
pub(in crate::postgres) fn connector(endpoint: &Endpoint) -> Result<MakeRustlsConnect, PostgresError> {
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
            let (added, _) = store.add_parsable_certificates(roots.iter().cloned());
            if added == 0 {
                return Err(failed("there is no trusted certificate to verify the server".into()));
            }
            let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider.clone()).build();
            let inner = inner.map_err(|error| failed(error.to_string()))?;
            let any_name = mode != SslMode::VerifyFull;
            Arc::new(Verifier {
                trust: Some(Trust { authority: inner, certificates: roots, any_name }),
                provider: provider.clone(),
            })
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

/// Returns whether a certificate was refused only because it is an authority's: its validity was
/// checked before.
fn is_an_authoritys(error: &rustls::Error) -> bool {
    // The error type of webpki would need another dependency.
    matches!(error, rustls::Error::InvalidCertificate(CertificateError::Other(other)) if other.to_string() == "CaUsedAsEndEntity")
}

/// Verifies as libpq's mode says, while rustls itself would verify more or otherwise.
#[derive(Debug)]
struct Verifier {
    /// `None`: any certificate is accepted.
    trust: Option<Trust>,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug)]
struct Trust {
    authority: Arc<WebPkiServerVerifier>,
    /// The trusted certificates, as they are in the file.
    certificates: Vec<CertificateDer<'static>>,
    /// Whether the certificate may be another host's.
    any_name: bool,
}

impl Verifier {
    fn nothing(provider: &Arc<CryptoProvider>) -> Self {
        Self { trust: None, provider: provider.clone() }
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
        let Some(trust) = &self.trust else { return Ok(ServerCertVerified::assertion()) };
        match trust.authority.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is checked after the chain, so this error means that all the rest is valid.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if trust.any_name => Ok(ServerCertVerified::assertion()),
            // A self-signed certificate (`openssl req -x509`) is an authority's, which webpki does
            // not accept for a server. If it is in the file itself, it needs no chain; the server's
            // signature proves that it has the key.
            Err(refused)
                if is_an_authoritys(&refused) && trust.certificates.iter().any(|trusted| trusted == end_entity) =>
            {
                let names = rustls::server::ParsedCertificate::try_from(end_entity)?;
                let named =
                    if trust.any_name { Ok(()) } else { rustls::client::verify_server_name(&names, server_name) };
                named.map(|()| ServerCertVerified::assertion())
            }
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
