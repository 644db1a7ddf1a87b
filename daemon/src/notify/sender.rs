//! How a message gets to its receiver.

use async_trait::async_trait;
use config::{Channel, NotifyConfig, explain};
use engine::error::Explanation;

use super::channels::{Composed, compose};
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
        let sent = match (compose(notifier, message), &notifier.channel) {
            (Ok(Composed::Letter(letter)), Channel::Mail(mail)) => mail::send(mail, &letter).await,
            (Ok(Composed::Post(post)), _) => {
                // The library blocks, and limits how long.
                let sent = tokio::task::spawn_blocking(move || web::send(&post)).await;
                sent.unwrap_or_else(|fault| Err(SendError::Fault(fault.to_string())))
            }
            (Ok(Composed::Letter(_)), channel) => Err(SendError::Misdirected(channel.as_str())),
            (Err(error), _) => Err(error),
        };
        sent.map_err(|error| {
            let explanation = explain(&error);
            Explanation { hint: explanation.hint.or_else(|| error.hint().map(Into::into)), ..explanation }
        })
    }
}
