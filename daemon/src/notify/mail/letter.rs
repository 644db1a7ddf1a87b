//! What a mail says: the same as text and as HTML.

use crate::notify::channels::html;
use crate::notify::text::{Detail, Link, Text, Tone};

/// The most characters of a subject.
const SUBJECT: usize = 200;

/// A mail without its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::notify) struct Letter {
    /// In one line.
    pub(in crate::notify) subject: String,
    pub(in crate::notify) text: String,
    /// A page that loads nothing.
    pub(in crate::notify) html: String,
}

impl Letter {
    /// Returns the mail about something.
    pub(in crate::notify) fn of(text: &Text) -> Self {
        let subject = crate::notify::text::shorten(&format!("odoo-backup: {}", text.headline), SUBJECT);
        Self { subject, text: text.plain(), html: page(text) }
    }
}

fn page(text: &Text) -> String {
    let color = match text.tone {
        Tone::Good => "#2e7d32",
        Tone::Warning => "#b26a00",
        Tone::Bad => "#c62828",
    };
    let (headline, rows) = (html(&text.headline), text.details.iter().map(row).collect::<String>());
    let links: Vec<_> = text.links.iter().map(link).collect();
    let links = if links.is_empty() { String::new() } else { format!("<p>{}</p>\n", links.join(" · ")) };
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{headline}</title></head>\n\
         <body style=\"font-family: sans-serif; font-size: 15px; line-height: 1.4\">\n\
         <p style=\"border-left: 4px solid {color}; padding-left: 10px; font-weight: bold\">{headline}</p>\n\
         <table style=\"border-collapse: collapse\">\n{rows}</table>\n{links}</body>\n</html>\n"
    )
}

fn row(detail: &Detail) -> String {
    let (label, value) = (html(&detail.label), html(&detail.value));
    format!(
        "<tr><th style=\"text-align: left; vertical-align: top; padding: 2px 14px 2px 0; font-weight: normal; \
         color: #666\">{label}</th><td style=\"padding: 2px 0\">{value}</td></tr>\n"
    )
}

fn link(link: &Link) -> String {
    format!("<a href=\"{}\">{}</a>", html(&link.url), html(&link.title))
}
