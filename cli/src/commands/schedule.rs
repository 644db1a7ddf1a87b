//! `odoo-backup schedule`

use config::schedule::Schedule;
use daemon::agenda::{Entry, Job, Slot, entries};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::chosen::{Chosen, load};
use super::failure::Failure;
use crate::exit::Exit;
use crate::output::Output;
use crate::table::table;

/// Shows the next runs of every job that has a schedule.
pub(super) fn schedule(chosen: Chosen<'_>, names: &[String], count: usize, output: Output) -> Result<Exit, Failure> {
    let config = load(chosen, output)?;
    for name in names {
        config.instance(name)?;
    }
    let now = Timestamp::now();
    let entries: Vec<_> = entries(&config).into_values().collect();
    let mut coming: Vec<(Slot, &Entry)> = entries
        .iter()
        .filter(|entry| names.is_empty() || names.contains(&entry.instance))
        .flat_map(|entry| next(entry, now).take(count).map(move |slot| (slot, entry)))
        .collect();
    coming.sort_by(|(a, of_a), (b, of_b)| {
        (a.begins, &of_a.instance, of_a.job).cmp(&(b.begins, &of_b.instance, of_b.job))
    });
    if coming.is_empty() {
        output.warning("no instance has a `schedule`: the daemon starts no runs");
    }
    let document = ScheduleDocument { runs: coming.iter().map(|(slot, entry)| Coming::of(*slot, entry)).collect() };
    let rows = coming.iter().map(|(slot, entry)| row(*slot, entry));
    let header = ["START", "TIME ZONE", "INSTANCE", "JOB", "SCHEDULE"];
    let text = || if coming.is_empty() { String::new() } else { table(&header, &[], rows) };
    Ok(output.result(&document, text, Exit::Success))
}

/// Returns the slots that begin after `now`.
fn next(entry: &Entry, now: Timestamp) -> impl Iterator<Item = Slot> {
    // The splay can delay the start of a slot that has passed.
    let from = now.checked_sub(entry.splay).unwrap_or(now);
    std::iter::successors(entry.next_after(from), |slot| entry.next_after(slot.time))
        .filter(move |slot| slot.begins > now)
}

/// What `schedule` prints.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Schedules)]
pub(super) struct ScheduleDocument {
    /// The next runs of each job, in the order in which they begin.
    runs: Vec<Coming>,
}

/// A run to come.
#[derive(Debug, Serialize, ToSchema)]
struct Coming {
    /// The instance.
    instance: String,
    /// What will run.
    job: Job,
    /// When its schedule fires.
    slot: Timestamp,
    /// When it begins, within the splay after that.
    begins: Timestamp,
    /// Its schedule.
    schedule: Schedule,
    /// The time zone of the schedule; null where it has no name.
    #[schema(required = true)]
    timezone: Option<String>,
}

impl Coming {
    fn of(slot: Slot, entry: &Entry) -> Self {
        Self {
            instance: entry.instance.clone(),
            job: entry.job,
            slot: slot.time,
            begins: slot.begins,
            schedule: entry.schedule.clone(),
            timezone: entry.zone.iana_name().map(Into::into),
        }
    }
}

/// Formats a slot in the time zone of the schedule.
fn row(slot: Slot, entry: &Entry) -> Vec<String> {
    let begins = slot.begins.to_zoned(entry.zone.clone()).strftime("%a %Y-%m-%d %H:%M:%S %:z").to_string();
    let zone = entry.zone.iana_name().unwrap_or("unknown").to_owned();
    vec![begins, zone, entry.instance.clone(), entry.job.to_string(), entry.schedule.to_string()]
}
