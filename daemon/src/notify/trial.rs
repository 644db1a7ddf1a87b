//! `odoo-backup notify test`: one message of each kind to each notifier that would get it.

use config::{Channel, Config, NotifyConfig, NotifyOccasion};
use engine::error::Explanation;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::notice::Notice;
use super::sender::{Network, Sender};
use super::state::{Message, Signal};
use crate::view::channels;

/// What came of a message.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Tried {
    /// The notifier.
    pub notifier: String,
    /// `webhook`, `ping`, `telegram` or `mail`.
    #[schema(schema_with = channels)]
    pub channel: &'static str,
    /// What it was sent: an [`NotifyOccasion`]'s word, or `start`, `success` and `fail`.
    pub message: &'static str,
    /// Why it was not taken.
    #[schema(required = true)]
    pub error: Option<Explanation>,
}

/// Sends each notifier that `wanted` takes one message of each kind that it would get, marked as
/// tests.
pub async fn try_all(config: &Config, wanted: impl Fn(&NotifyConfig) -> bool) -> Vec<Tried> {
    let mut all = Vec::new();
    for notifier in config.notify.iter().filter(|notifier| wanted(notifier)) {
        for (word, message) in messages(config, notifier) {
            let error = Network.send(notifier, &message).await.err();
            let channel = notifier.channel.as_str();
            all.push(Tried { notifier: notifier.name.clone(), channel, message: word, error });
        }
    }
    all
}

fn messages(config: &Config, notifier: &NotifyConfig) -> Vec<(&'static str, Message)> {
    let Some(instance) = config.instances.keys().find(|name| notifier.covers(name)) else { return Vec::new() };
    if let Channel::Ping { .. } = notifier.channel {
        // Success last, so that the switch raises no alarm.
        let signals = [("start", Signal::Start), ("fail", Signal::Fail), ("success", Signal::Success)];
        let text = format!("{instance}: this is a test; nothing happened\n");
        let ping = |signal| Message::Ping { instance: instance.clone(), signal, text: text.clone() };
        return signals.into_iter().map(|(word, signal)| (word, ping(signal))).collect();
    }
    let occasions = NotifyOccasion::ALL.into_iter().filter(|occasion| notifier.on.contains(occasion));
    let test = |occasion| Message::Notice(Box::new(Notice::test(occasion, instance, Timestamp::now())));
    occasions.map(|occasion| (occasion.as_str(), test(occasion))).collect()
}
