//! Mattermost's incoming webhooks: an attachment, for its colour.
//!
//! Its text is Markdown, and mentions people by `@name`, `@channel` and, for those who come from
//! Slack, by `<!channel>`. Servers of old accept 4,000 characters.

use serde_json::{Value, json};

use super::{APART, markdown};
use crate::notify::text::{Detail, Link, Text, Tone, utf16};

/// The most characters of a message.
const MOST: usize = 4000;

pub(super) fn payload(text: &Text) -> Value {
    let first = format!("**{}**", markdown(&text.headline));
    let links = text.links.iter().map(link).collect::<Vec<_>>().join(" · ");
    let write = |detail: &Detail| format!("{}: {}", detail.label, markdown(&detail.value));
    let room = MOST.saturating_sub(utf16(&first) + utf16(&links) + 4);
    // Two lines are one to Markdown, unless a list keeps them apart.
    let details = text.fitting(room, |line| utf16(line) + 2, write);
    let list = details.iter().map(|line| format!("- {line}")).collect::<Vec<_>>().join("\n");
    let parts: Vec<_> = [first, list, links].into_iter().filter(|part| !part.is_empty()).collect();
    let fallback = text.headline.replace('@', &format!("@{APART}")).replace('<', &format!("<{APART}"));
    let color = match text.tone {
        Tone::Good => "#2e7d32",
        Tone::Warning => "#b26a00",
        Tone::Bad => "#c62828",
    };
    json!({ "attachments": [{ "fallback": fallback, "color": color, "text": parts.join("\n\n") }] })
}

fn link(link: &Link) -> String {
    format!("[{}]({})", markdown(&link.title), link.url.replace('(', "%28").replace(')', "%29"))
}
