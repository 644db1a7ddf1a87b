//! How a message gets to whom it is for.

use async_trait::async_trait;
use engine::config::{Channel, NotifyConfig};
use engine::error::{Explanation, explain};

use super::state::Message;
use super::{mail, web};

/// Carries one message. Tests put something else in the network's place.
#[async_trait]
pub(super) trait Carrier: Send + Sync {
    /// Returns when it was taken.
    async fn carry(&self, notifier: &NotifyConfig, message: &Message) -> Result<(), Explanation>;
}

/// Why a message was not taken. Of a URL no more than the host stands in it, for whoever knows all of it may post there.
#[derive(Debug, thiserror::Error)]
pub(super) enum CarryError {
    /// It was reached and said no.
    #[error("{host} answered with status {status}")]
    Status {
        /// The receiver.
        host: String,
        /// Its answer.
        status: u16,
    },
    /// It was not reached, or broke off.
    #[error("unable to tell {host}: {why}")]
    Web {
        /// The receiver.
        host: String,
        /// Why.
        why: String,
    },
    /// The file with the authorities.
    #[error("unable to read the authorities in {path}")]
    RootCert {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server was not reached, or refused the mail.
    #[error("the mail server {host} did not take the mail")]
    Smtp {
        /// The server.
        host: String,
        /// What it said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server was reached and took too long.
    #[error("the mail server {host} did not take the mail within {seconds} seconds")]
    Slow {
        /// The server.
        host: String,
        /// How long it was given.
        seconds: u64,
    },
    /// The addresses do not make a mail.
    #[error("unable to write a mail to {to}")]
    Mail {
        /// The addresses.
        to: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The message is for another kind of channel.
    #[error("a {0} takes no such message")]
    Misdirected(&'static str),
    /// A fault of this program.
    #[error("the delivery broke off by a fault of this program: {0}")]
    Fault(String),
}

impl CarryError {
    fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Status { status: 401 | 403, .. } => {
                "see whether the URL and `token` are those that the receiver gave out"
            }
            Self::Status { status: 404 | 410, .. } => "see whether the URL is right, and still in use",
            Self::Status { status: 300..=399, .. } => "write the URL that it redirects to",
            Self::Status { .. } | Self::Misdirected(_) | Self::Fault(_) => return None,
            Self::Web { .. } => {
                "see whether this machine may connect there, directly or by the proxy of its environment"
            }
            Self::RootCert { .. } => "set `smtp_root_cert` to a PEM file that the daemon may read",
            Self::Slow { .. } => "see whether the server is overloaded, or lets this machine wait on purpose",
            Self::Smtp { .. } => "see `smtp_host`, `smtp_port`, `smtp_tls` and `smtp_user`",
            Self::Mail { .. } => "see `mail_to` and `mail_from`",
        })
    }
}

/// The network.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Post;

#[async_trait]
impl Carrier for Post {
    async fn carry(&self, notifier: &NotifyConfig, message: &Message) -> Result<(), Explanation> {
        let sent = match (&notifier.channel, message) {
            (Channel::Mail(mail), Message::Notice(notice)) => mail::send(mail, notice).await,
            _ => {
                let (notifier, message) = (notifier.clone(), message.clone());
                // The library blocks, and limits how long.
                let sent = tokio::task::spawn_blocking(move || send(&notifier, &message)).await;
                sent.unwrap_or_else(|fault| Err(CarryError::Fault(fault.to_string())))
            }
        };
        sent.map_err(|error| {
            let explanation = explain(&error);
            Explanation { hint: explanation.hint.or_else(|| error.hint().map(Into::into)), ..explanation }
        })
    }
}

fn send(notifier: &NotifyConfig, message: &Message) -> Result<(), CarryError> {
    match (&notifier.channel, message) {
        (Channel::Webhook { url, format, token }, Message::Notice(notice)) => {
            web::post(url, token.as_ref(), &web::body(notice, notice.occasion_for(notifier), *format))
        }
        (Channel::Ping { url }, Message::Ping { instance, signal, text }) => web::ping(url, instance, *signal, text),
        (channel, _) => Err(CarryError::Misdirected(channel.as_str())),
    }
}
