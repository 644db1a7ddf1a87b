//! Certificates from a small certificate authority, for servers that use TLS.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// A certificate authority. Only clients that were given its certificate trust it.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

/// A server's certificate and its private key, both PEM.
#[derive(Debug, Clone)]
pub struct Identity {
    /// What the server presents.
    pub certificate: String,
    /// What only the server knows.
    pub key: String,
}

impl Authority {
    /// Creates an authority of this name with its own key.
    pub fn new(name: &str) -> Self {
        let mut params = named(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = key();
        let certificate = params.self_signed(&key).expect("signing a certificate").pem();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// Returns its certificate, as `sslrootcert` takes it.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Issues a certificate for a server with these names and addresses.
    pub fn issue(&self, names: &[&str]) -> Identity {
        self.sign(&named(names.first().unwrap_or(&"nameless"), names))
    }

    /// Issues a certificate in the old form: only the subject contains the name of the server.
    pub fn issue_without_alternative_name(&self, name: &str) -> Identity {
        self.sign(&named(name, &[]))
    }

    fn sign(&self, params: &CertificateParams) -> Identity {
        let key = key();
        let certificate = params.signed_by(&key, &self.issuer).expect("signing a certificate");
        Identity { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

impl Identity {
    /// Creates a self-signed certificate, as `openssl req -x509` does if it is given only a
    /// subject. It has the form of an authority's certificate, without alternative names.
    pub fn self_signed(name: &str) -> Self {
        let mut params = named(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = key();
        let certificate = params.self_signed(&key).expect("signing a certificate");
        Self { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

fn named(name: &str, alternatives: &[&str]) -> CertificateParams {
    let names: Vec<String> = alternatives.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names of servers");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}
