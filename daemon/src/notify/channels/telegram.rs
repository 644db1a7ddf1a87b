//! Telegram's bot API.
//!
//! A text may have 4,096 characters. A part of HTML marks it up, and a `@name` in it mentions the
//! user of that name. The bot's token is a part of the URL.

use config::TelegramConfig;
use engine::secret::Secret;
use serde_json::json;

use super::{APART, Post, html};
use crate::notify::error::SendError;
use crate::notify::text::{Detail, Link, Text, Tone, utf16};

/// The most characters of a message.
const MOST: usize = 4000;

pub(super) fn post(config: &TelegramConfig, text: &Text) -> Result<Post, SendError> {
    let first = format!("<b>{}</b>", escape(&text.headline));
    let links = text.links.iter().map(link).collect::<Vec<_>>().join(" · ");
    let write = |detail: &Detail| format!("{}: {}", detail.label, escape(&detail.value));
    let room = MOST.saturating_sub(utf16(&first) + utf16(&links) + 2);
    let details = text.fitting(room, utf16, write);
    let lines: Vec<_> =
        std::iter::once(first).chain(details).chain(Some(links).filter(|links| !links.is_empty())).collect();
    let body = json!({
        "chat_id": config.chat,
        "text": lines.join("\n"),
        "parse_mode": "HTML",
        "link_preview_options": { "is_disabled": true },
        "disable_notification": text.tone == Tone::Good,
    });
    let url = Secret::new(format!("{}/bot{}/sendMessage", config.api, config.token.expose()));
    Post::json(&url, None, &body)
}

fn link(link: &Link) -> String {
    format!("<a href=\"{}\">{}</a>", html(&link.url), escape(&link.title))
}

fn escape(text: &str) -> String {
    html(text).replace('@', &format!("@{APART}"))
}
