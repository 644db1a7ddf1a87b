//! Microsoft Teams: a workflow that posts what a webhook gets, as an Adaptive Card.
//!
//! Runs of text in a card know no Markdown, and mention no person without `entities`. A message may
//! have 28 KB.

use serde_json::{Value, json};

use crate::notify::text::{Detail, Link, Text, Tone};

/// The most bytes of the details: each may be written as two in JSON, next to its frame.
const DETAILS: usize = 8000;
/// The bytes of the frame of a detail.
const FRAME: usize = 160;

pub(super) fn payload(text: &Text) -> Value {
    let color = match text.tone {
        Tone::Good => "Good",
        Tone::Warning => "Warning",
        Tone::Bad => "Attention",
    };
    let headline = json!({ "type": "TextRun", "text": text.headline, "weight": "Bolder", "color": color });
    let details = text.fitting(DETAILS, |line| line.len() + FRAME, Detail::plain);
    let rows = details.iter().map(|line| {
        let (label, value) = line.split_once(": ").unwrap_or(("", line));
        let label = json!({ "type": "TextRun", "text": format!("{label}: "), "isSubtle": true });
        row(&[label, json!({ "type": "TextRun", "text": value })])
    });
    let body: Vec<_> = std::iter::once(row(&[headline])).chain(rows).collect();
    let actions: Vec<_> = text.links.iter().map(action).collect();
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "fallbackText": text.headline,
                "msteams": { "width": "Full" },
                "body": body,
                "actions": actions,
            },
        }],
    })
}

fn row(inlines: &[Value]) -> Value {
    json!({ "type": "RichTextBlock", "inlines": inlines, "spacing": "Small" })
}

fn action(link: &Link) -> Value {
    json!({ "type": "Action.OpenUrl", "title": link.title, "url": link.url })
}
