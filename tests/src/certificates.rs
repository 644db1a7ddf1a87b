//! Certificates of a small authority, for servers that speak TLS.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// An authority that nobody trusts who was not given its certificate.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

/// A server's certificate and its private key, both PEM.
#[derive(Debug, Clone)]
pub struct Identity {
    /// What the server shows.
    pub certificate: String,
    /// What only the server has.
    pub key: String,
}

impl Authority {
    /// An authority of this name, with a key of its own.
    pub fn new(name: &str) -> Self {
        let mut params = named(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = key();
        let certificate = params.self_signed(&key).expect("signing a certificate").pem();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// Its certificate, as `sslrootcert` takes it.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// A certificate for a server with these names and addresses.
    pub fn issue(&self, names: &[&str]) -> Identity {
        self.sign(&named(names.first().unwrap_or(&"nameless"), names))
    }

    /// As certificates were made long ago: the server's name is in the subject alone.
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
    /// One that vouches for itself, as `openssl req -x509` makes it when it is asked for nothing but a subject: an authority's
    /// certificate by its form, without alternative names.
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
