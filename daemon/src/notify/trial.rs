//! `odoo-backup notify test`: one message of each kind to each notifier that would get it.

use config::{Channel, Config, NotifyConfig, NotifyOccasion};
use engine::error::Explanation;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::channels::{Composed, compose};
use super::digest::Digest;
use super::notice::Notice;
use super::sender::{Network, Sender};
use super::state::{Message, Signal};
use super::web;
use crate::view::channels;

/// What came of a message.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Tried {
    /// The notifier.
    pub notifier: String,
    /// `webhook`, `ping`, `telegram` or `mail`.
    #[schema(schema_with = channels)]
    pub channel: &'static str,
    /// What it was sent: an [`NotifyOccasion`]'s word, `digest`, or `start`, `success` and `fail`.
    pub message: &'static str,
    /// What would be sent, of a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub preview: Option<Preview>,
    /// Why it was not taken.
    #[schema(required = true)]
    pub error: Option<Explanation>,
}

/// What would be sent, without secrets.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = NoticePreview)]
pub struct Preview {
    /// Where to: the host of a URL, whose rest is a secret, or the mail's addresses.
    pub to: String,
    /// Headers, as `Name: value`.
    pub headers: Vec<String>,
    /// The body; of a mail its text.
    pub body: String,
}

/// Sends each notifier that `wanted` takes one message of each kind that it would get, marked as
/// tests. A dry run shows them instead.
pub async fn try_all(config: &Config, wanted: impl Fn(&NotifyConfig) -> bool, is_dry_run: bool) -> Vec<Tried> {
    let mut all = Vec::new();
    for notifier in config.notify.iter().filter(|notifier| wanted(notifier)) {
        for (word, message) in messages(config, notifier) {
            let (preview, error) = match is_dry_run {
                true => match compose(notifier, &message) {
                    Ok(composed) => (Some(Preview::of(notifier, &composed)), None),
                    Err(error) => (None, Some(config::explain(&error))),
                },
                false => (None, Network.send(notifier, &message).await.err()),
            };
            let channel = notifier.channel.as_str();
            all.push(Tried { notifier: notifier.name.clone(), channel, message: word, preview, error });
        }
    }
    all
}

impl Preview {
    fn of(notifier: &NotifyConfig, composed: &Composed) -> Self {
        match (composed, &notifier.channel) {
            (Composed::Letter(letter), Channel::Mail(mail)) => {
                let headers = vec![format!("From: {}", mail.from), format!("Subject: {}", letter.subject)];
                Self { to: mail.to.join(", "), headers, body: letter.text.clone() }
            }
            (Composed::Letter(letter), _) => Self { to: String::new(), headers: Vec::new(), body: letter.text.clone() },
            (Composed::Post(post), _) => {
                let token = post.token.as_ref().map(|_| "Authorization: Bearer ***".to_owned());
                let headers = post.headers.iter().map(|(name, value)| format!("{name}: {value}"));
                let kind = format!("Content-Type: {}", post.content_type);
                let headers = std::iter::once(kind).chain(token).chain(headers).collect();
                Self { to: web::host(post.url.expose()), headers, body: post.body.clone() }
            }
        }
    }
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
    let digest = notifier.digest.map(|_| ("digest", Message::Digest(Box::new(Digest::test(Timestamp::now())))));
    occasions.map(|occasion| (occasion.as_str(), test(occasion))).chain(digest).collect()
}
