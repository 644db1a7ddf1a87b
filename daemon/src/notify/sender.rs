//! How a message gets to its receiver.

use async_trait::async_trait;
use config::{Channel, NotifyConfig, explain};
use engine::error::Explanation;

use super::error::SendError;
use super::state::Message;
use super::{mail, web};

/// Sends one message. Tests put something else in the network's place.
#[async_trait]
pub(super) trait Sender: Send + Sync {
    /// Returns when the message was accepted.
    ///
    /// # Errors
    /// Why the message was not accepted.
    async fn send(&self, notifier: &NotifyConfig, message: &Message) -> Result<(), Explanation>;
}

/// The network.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Network;

#[async_trait]
impl Sender for Network {
    async fn send(&self, notifier: &NotifyConfig, message: &Message) -> Result<(), Explanation> {
        let sent = match (&notifier.channel, message) {
            (Channel::Mail(mail), Message::Notice(notice)) => mail::send(mail, notice).await,
            _ => {
                let (notifier, message) = (notifier.clone(), message.clone());
                // The library blocks, and limits how long.
                let sent = tokio::task::spawn_blocking(move || send_blocking(&notifier, &message)).await;
                sent.unwrap_or_else(|fault| Err(SendError::Fault(fault.to_string())))
            }
        };
        sent.map_err(|error| {
            let explanation = explain(&error);
            Explanation { hint: explanation.hint.or_else(|| error.hint().map(Into::into)), ..explanation }
        })
    }
}

fn send_blocking(notifier: &NotifyConfig, message: &Message) -> Result<(), SendError> {
    match (&notifier.channel, message) {
        (Channel::Webhook { url, format, token }, Message::Notice(notice)) => {
            web::post(url, token.as_ref(), &web::payload(notice, notice.occasion_for(notifier), *format))
        }
        (Channel::Ping { url }, Message::Ping { instance, signal, text }) => web::ping(url, instance, *signal, text),
        (channel, _) => Err(SendError::Misdirected(channel.as_str())),
    }
}
