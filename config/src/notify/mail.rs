//! `[[notify]]` by mail.

use std::num::NonZeroU16;
use std::path::PathBuf;

use engine::secret::Secret;

use super::super::secrets::{self, SecretKeys};
use super::super::section::{Reported, Section};
use super::super::value::{Raw, Refusal, Value, one_of};

/// Mail by SMTP.
#[derive(Debug, Clone)]
pub struct MailConfig {
    /// Whom to: plain addresses, one or more.
    pub to: Vec<String>,
    /// Whom from.
    pub from: String,
    /// The server.
    pub host: String,
    /// Its port; `None`: the usual one of `tls`.
    pub port: Option<u16>,
    /// How it is spoken to.
    pub tls: SmtpTls,
    /// Whom to sign in as, and with what.
    pub login: Option<(String, Secret)>,
    /// PEM file of the authorities that are trusted instead of the system's.
    pub root_cert: Option<PathBuf>,
}

/// How far SMTP is encrypted. What is encrypted is verified, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// From its begin, port 465.
    Tls,
    /// After STARTTLS, port 587; a server that does not offer it is refused.
    StartTls,
    /// Not at all, port 25.
    None,
}

impl SmtpTls {
    const ALL: [Self; 3] = [Self::StartTls, Self::Tls, Self::None];

    fn as_str(self) -> &'static str {
        match self {
            Self::StartTls => "starttls",
            Self::Tls => "tls",
            Self::None => "none",
        }
    }
}

impl Value for SmtpTls {
    const EXPECTED: &'static str = "a string";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        one_of(&String::read(raw)?, &Self::ALL, Self::as_str)
    }
}

const SMTP_PASSWORD: SecretKeys = SecretKeys { value: "smtp_password", file: "smtp_password_file" };

/// Reads the keys of a mail.
pub(super) fn read(section: &Section<'_>) -> Result<MailConfig, Reported> {
    let to = section.required::<Vec<Address>>("mail_to");
    let from = section.required::<Address>("mail_from");
    let host = section.required("smtp_host");
    let port = section.optional::<NonZeroU16>("smtp_port");
    let tls = section.optional("smtp_tls");
    let user = section.optional::<String>("smtp_user");
    let password = secrets::read(section, SMTP_PASSWORD);
    let root_cert = section.optional("smtp_root_cert");
    let (to, from, host, port, tls) = (to?, from?, host?, port?, tls?.unwrap_or(SmtpTls::StartTls));
    if to.is_empty() {
        return Err(section.refuse("mail_to", "the list is empty; add an address"));
    }
    let login = match (user?, password?) {
        (Some(user), Some(password)) => Some((user, password)),
        (None, None) => None,
        (Some(_), None) => return Err(section.missing("smtp_password", "`smtp_user` needs `smtp_password`".into())),
        (None, Some(_)) => return Err(section.missing("smtp_user", "`smtp_password` needs `smtp_user`".into())),
    };
    if login.is_some() && tls == SmtpTls::None {
        return Err(
            section.refuse("smtp_tls", "`smtp_password` would be sent without encryption; set `tls` or `starttls`")
        );
    }
    let to = to.into_iter().map(|address| address.0).collect();
    Ok(MailConfig { to, from: from.0, host, port: port.map(NonZeroU16::get), tls, login, root_cert: root_cert? })
}

/// A mail address without a name.
struct Address(String);

impl Value for Address {
    const EXPECTED: &'static str = "a mail address";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        let text = String::read(raw)?;
        let plain = |part: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c))
        };
        match text.split_once('@') {
            Some((user, host)) if plain(user) && plain(host) => Ok(Self(text)),
            _ => Err(format!("expected an address such as \"admin@example.com\", found {text:?}").into()),
        }
    }
}
