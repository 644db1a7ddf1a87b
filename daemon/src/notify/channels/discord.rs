//! Discord's webhooks: a text, which its notifications show, and an embed.
//!
//! `allowed_mentions` forbids to notify people, whatever the text says. A text may have 2,000
//! characters, the description of an embed 4,096.

use serde_json::{Value, json};

use super::markdown;
use crate::notify::text::{Detail, Text, Tone, utf16};

/// The most that the details may have.
const DETAILS: usize = 3000;

pub(super) fn payload(text: &Text) -> Value {
    let write = |detail: &Detail| format!("{}: {}", detail.label, markdown(&detail.value));
    let links = text.links.iter().map(|link| format!("[{}]({})", markdown(&link.title), link.url));
    let links = links.collect::<Vec<_>>().join(" · ");
    let details = text.fitting(DETAILS, utf16, write).into_iter();
    let lines: Vec<_> = details.chain(Some(links).filter(|links| !links.is_empty())).collect();
    let color = match text.tone {
        Tone::Good => 0x002e_7d32,
        Tone::Warning => 0x00b2_6a00,
        Tone::Bad => 0x00c6_2828,
    };
    json!({
        "content": format!("**{}**", markdown(&text.headline)),
        "embeds": [{ "description": lines.join("\n"), "color": color, "timestamp": text.at }],
        "allowed_mentions": { "parse": [] },
    })
}
