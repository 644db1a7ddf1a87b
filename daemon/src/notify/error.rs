//! Why a message was not accepted.

/// Why a message was not accepted. Names only the host of a URL, because everyone who knows the URL
/// can post to it.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    /// The receiver refused it.
    #[error("{host} answered with status {status}")]
    Status {
        /// The receiver.
        host: String,
        /// Its answer.
        status: u16,
    },
    /// The receiver was not reached, or the connection broke.
    #[error("unable to send to {host}: {why}")]
    Web {
        /// The receiver.
        host: String,
        /// Why.
        why: String,
    },
    /// The file with the certificates of authorities.
    #[error("unable to read the certificates in {path}")]
    RootCert {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server was not reached, or refused the mail.
    #[error("the mail server {host} did not accept the mail")]
    Smtp {
        /// The server.
        host: String,
        /// What it said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server was reached and took too long.
    #[error("the mail server {host} did not accept the mail within {seconds} seconds")]
    Slow {
        /// The server.
        host: String,
        /// How long it was given.
        seconds: u64,
    },
    /// The addresses do not make a mail.
    #[error("unable to compose a mail to {to}")]
    Mail {
        /// The addresses.
        to: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The message is for another kind of channel.
    #[error("a {0} does not accept this kind of message")]
    Misdirected(&'static str),
    /// A fault of this program.
    #[error("the delivery failed because of a bug in odoo-backup: {0}")]
    Fault(String),
}

impl SendError {
    /// Returns what the operator can do about it, if anything.
    pub(super) fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Status { status: 401 | 403, .. } => {
                "check that the URL, or the token, is the one that the receiver issued"
            }
            Self::Status { status: 404 | 410, .. } => "check that the URL is correct and still in use",
            Self::Status { status: 300..=399, .. } => "set the URL that it redirects to",
            Self::Status { .. } | Self::Misdirected(_) | Self::Fault(_) => return None,
            Self::Web { .. } => {
                "check that this machine can connect to it, directly or through the proxy of its environment"
            }
            Self::RootCert { .. } => "set `smtp_root_cert` to a PEM file that the daemon can read",
            Self::Slow { .. } => "check whether the server is overloaded, or delays this machine on purpose",
            Self::Smtp { .. } => "check `smtp_host`, `smtp_port`, `smtp_tls` and `smtp_user`",
            Self::Mail { .. } => "check `mail_to` and `mail_from`",
        })
    }
}
