//! Slack's incoming webhooks. Others that take the same, such as Rocket.Chat, read `text` alone.
//!
//! Slack reads `&`, `<` and `>` as markup, wherever they stand, and everything else that would
//! notify people is between the latter two. `verbatim` keeps it from linking names.
//! A text may have 40,000 characters, that of a section 3,000.

use serde_json::{Value, json};

use crate::notify::text::{Link, Text, utf16};

/// The most that the details may have.
const DETAILS: usize = 2900;

pub(super) fn payload(text: &Text) -> Value {
    let headline = escape(&text.headline);
    let details = text.fitting(DETAILS, utf16, |detail| escape(&detail.plain())).join("\n");
    let links: Vec<_> = text.links.iter().map(link).collect();
    let sections = [format!("*{headline}*"), details.clone(), links.join(" · ")];
    let blocks: Vec<_> = sections.iter().filter(|section| !section.is_empty()).map(|text| section(text)).collect();
    let lines: Vec<_> = [headline, details].into_iter().chain(links).filter(|line| !line.is_empty()).collect();
    json!({ "text": lines.join("\n"), "blocks": blocks, "unfurl_links": false })
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": { "type": "mrkdwn", "text": text, "verbatim": true } })
}

fn link(link: &Link) -> String {
    // A `|` ends the URL.
    format!("<{}|{}>", escape(&link.url).replace('|', "%7C"), escape(&link.title))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
