//! The generic webhook: all that is known, as an object of this program's own. Its keys stay.

use std::collections::BTreeMap;

use config::{NotifyConfig, NotifyOccasion};
use engine::error::Explanation;
use engine::repository::BackupId;
use jiff::Timestamp;
use serde::Serialize;

use crate::agenda::Job;
use crate::journal::RunId;
use crate::notify::notice::Notice;
use crate::notify::text::links;

/// A notice, as a webhook is sent it.
#[derive(Serialize)]
pub(super) struct Event<'a> {
    program: &'static str,
    event: Option<NotifyOccasion>,
    instance: &'a str,
    job: Option<Job>,
    run: Option<RunId>,
    at: Timestamp,
    summary: &'a str,
    error: Option<&'a Explanation>,
    backup: Option<&'a BackupId>,
    warnings: &'a [String],
    figures: &'a BTreeMap<String, u64>,
    url: Option<String>,
    test: bool,
}

/// Returns what a webhook is sent.
pub(super) fn event<'a>(notice: &'a Notice, to: &NotifyConfig) -> Event<'a> {
    Event {
        program: "odoo-backup",
        event: notice.occasion_for(to),
        instance: &notice.instance,
        job: notice.job,
        run: notice.run,
        at: notice.at,
        summary: &notice.summary,
        error: notice.error.as_ref(),
        backup: notice.backup.as_ref(),
        warnings: &notice.warnings,
        figures: &notice.figures,
        url: links(notice, to.public_url.as_deref()).into_iter().next().map(|link| link.url),
        test: notice.test,
    }
}
