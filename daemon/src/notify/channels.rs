//! What each channel is sent, in its own form.
//!
//! Nothing from outside may be more than text there: no markup, no mention of people, no header.

mod discord;
mod json;
mod mattermost;
mod ntfy;
mod slack;
mod teams;
mod telegram;

use config::{Channel, INSTANCE_IN_URL, NotifyConfig, WebhookFormat};
use engine::secret::Secret;
use serde::Serialize;

use super::error::SendError;
use super::mail::Letter;
use super::state::{Message, Signal};
use super::text::Text;

/// A message that is ready to be sent.
#[derive(Debug)]
pub(super) enum Composed {
    /// Over HTTP.
    Post(Post),
    /// By mail.
    Letter(Letter),
}

/// A request over HTTP.
#[derive(Debug)]
pub(super) struct Post {
    /// Where to: a secret, because everyone who knows it can post there.
    pub(super) url: Secret,
    /// What it is sent as `Authorization: Bearer`.
    pub(super) token: Option<Secret>,
    pub(super) content_type: &'static str,
    /// Headers of the service, without line ends.
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

impl Post {
    fn json(url: &Secret, token: Option<&Secret>, body: &impl Serialize) -> Result<Self, SendError> {
        let body = serde_json::to_string(body).map_err(|error| SendError::Fault(error.to_string()))?;
        // The same document, without anything that a terminal or an editor would obey.
        let body = engine::text::json(&body).into_owned();
        Ok(Self { url: url.clone(), token: token.cloned(), content_type: JSON, headers: Vec::new(), body })
    }
}

/// Writes a message for a notifier.
pub(super) fn compose(to: &NotifyConfig, message: &Message) -> Result<Composed, SendError> {
    let text = match (&to.channel, message) {
        (Channel::Ping { url }, Message::Ping { instance, signal, text }) => {
            return Ok(Composed::Post(ping(url, instance, *signal, text)));
        }
        (Channel::Ping { .. }, _) | (_, Message::Ping { .. }) => {
            return Err(SendError::Misdirected(to.channel.as_str()));
        }
        (_, Message::Notice(notice)) => Text::of(notice, to),
        (_, Message::Collected(collected)) => collected.text(to),
        (_, Message::Digest(digest)) => digest.text(to),
    };
    let post = match &to.channel {
        Channel::Mail(_) => return Ok(Composed::Letter(Letter::of(&text))),
        Channel::Telegram(telegram) => telegram::post(telegram, &text),
        Channel::Webhook { url, format, token } => {
            let token = token.as_ref();
            match format {
                WebhookFormat::Json => Post::json(url, token, &json::event(message, to)),
                WebhookFormat::Slack => Post::json(url, token, &slack::payload(&text)),
                WebhookFormat::Mattermost => Post::json(url, token, &mattermost::payload(&text)),
                WebhookFormat::Teams => Post::json(url, token, &teams::payload(&text)),
                WebhookFormat::Discord => Post::json(url, token, &discord::payload(&text)),
                WebhookFormat::Ntfy => Ok(ntfy::post(url, token, &text)),
            }
        }
        Channel::Ping { .. } => Err(SendError::Misdirected(to.channel.as_str())),
    };
    post.map(Composed::Post)
}

/// Returns a signal to the dead man's switch of an instance.
fn ping(url: &Secret, instance: &str, signal: Signal, text: &str) -> Post {
    let url = url.expose().replace(INSTANCE_IN_URL, instance);
    let url = match signal {
        Signal::Success => url,
        Signal::Start => below(&url, "start"),
        Signal::Fail => below(&url, "fail"),
    };
    Post { url: Secret::new(&url), token: None, content_type: TEXT, headers: Vec::new(), body: text.to_owned() }
}

/// Returns the path with one more segment; the query after a `?` stays at the end.
fn below(url: &str, segment: &str) -> String {
    let (path, query) = url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query)));
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}/{segment}{query}", path.trim_end_matches('/'))
}

/// Returns text as HTML text, or as the value of an attribute in quotes.
pub(super) fn html(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    html
}

/// Returns text as Markdown that shows it, and mentions no person: after each `@` and `<` stands a
/// space without width.
fn markdown(text: &str) -> String {
    let mut markdown = String::with_capacity(text.len());
    for c in text.chars() {
        // No text begins a line, where more characters would be obeyed.
        if "\\*_~`|[]<>".contains(c) {
            markdown.push('\\');
        }
        markdown.push(c);
        if "@<".contains(c) {
            markdown.push(APART);
        }
    }
    markdown
}

/// A space without width, which keeps apart what a service would read as one.
const APART: char = '\u{200b}';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signal_precedes_query_of_url() {
        assert_eq!(below("https://e/uuid", "fail"), "https://e/uuid/fail");
        assert_eq!(below("https://e/uuid/?rid=1", "start"), "https://e/uuid/start?rid=1");
    }

    #[test]
    fn markdown_shows_its_characters() {
        let shown = markdown("a_b *c* @here <!here> [x](y)");
        assert_eq!(shown, "a\\_b \\*c\\* @\u{200b}here \\<\u{200b}!here\\> \\[x\\](y)");
    }
}
