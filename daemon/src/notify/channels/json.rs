//! The generic webhook: all that is known, as an object of this program's own. Its keys stay.

use std::collections::BTreeMap;

use config::{NotifyConfig, NotifyOccasion};
use engine::error::Explanation;
use engine::repository::BackupId;
use jiff::Timestamp;
use serde::Serialize;

use crate::agenda::Job;
use crate::journal::RunId;
use crate::notify::collected::Collected;
use crate::notify::digest::Digest;
use crate::notify::notice::Notice;
use crate::notify::state::Message;
use crate::notify::text::{dashboard, links};

/// A message, as a webhook is sent it.
#[derive(Default, Serialize)]
pub(super) struct Event<'a> {
    program: &'static str,
    event: Option<&'static str>,
    instance: Option<&'a str>,
    job: Option<Job>,
    run: Option<RunId>,
    at: Timestamp,
    summary: String,
    error: Option<&'a Explanation>,
    backup: Option<&'a BackupId>,
    warnings: &'a [String],
    figures: Option<&'a BTreeMap<String, u64>>,
    url: Option<String>,
    test: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    notices: Option<Vec<Event<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    omitted_notices: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'a Digest>,
}

/// Returns what a webhook is sent.
pub(super) fn event<'a>(message: &'a Message, to: &NotifyConfig) -> Event<'a> {
    match message {
        Message::Notice(notice) => of_notice(notice, to),
        Message::Collected(collected) => of_collected(collected, to),
        Message::Digest(digest) => of_digest(digest, to),
        Message::Ping { instance, text, .. } => {
            Event { instance: Some(instance), summary: text.clone(), ..Event::default() }
        }
    }
}

fn of_notice<'a>(notice: &'a Notice, to: &NotifyConfig) -> Event<'a> {
    Event {
        program: PROGRAM,
        event: notice.occasion_for(to).map(NotifyOccasion::as_str),
        instance: Some(&notice.instance),
        job: notice.job,
        run: notice.run,
        at: notice.at,
        summary: notice.summary.clone(),
        error: notice.error.as_ref(),
        backup: notice.backup.as_ref(),
        warnings: &notice.warnings,
        figures: Some(&notice.figures),
        url: links(notice, to.public_url.as_deref()).into_iter().next().map(|link| link.url),
        test: notice.test,
        ..Event::default()
    }
}

fn of_collected<'a>(collected: &'a Collected, to: &NotifyConfig) -> Event<'a> {
    Event {
        program: PROGRAM,
        event: Some("collected"),
        at: collected.at(),
        summary: collected.headline(to),
        url: dashboard(to.public_url.as_deref()).map(|link| link.url),
        notices: Some(collected.notices.iter().map(|notice| of_notice(notice, to)).collect()),
        omitted_notices: Some(collected.omitted),
        ..Event::default()
    }
}

fn of_digest<'a>(digest: &'a Digest, to: &NotifyConfig) -> Event<'a> {
    Event {
        program: PROGRAM,
        event: Some("digest"),
        at: digest.to,
        summary: digest.headline(),
        url: dashboard(to.public_url.as_deref()).map(|link| link.url),
        test: digest.test,
        digest: Some(digest),
        ..Event::default()
    }
}

const PROGRAM: &str = "odoo-backup";
