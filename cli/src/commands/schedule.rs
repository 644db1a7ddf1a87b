//! `odoo-backup schedule`

use daemon::agenda::{Entry, Slot, entries};
use jiff::Timestamp;
use serde_json::{Value, json};

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
    let document = json!({ "runs": coming.iter().map(|(slot, entry)| document(*slot, entry)).collect::<Vec<_>>() });
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

fn document(slot: Slot, entry: &Entry) -> Value {
    json!({
        "instance": entry.instance,
        "job": entry.job,
        "slot": slot.time,
        "begins": slot.begins,
        "schedule": entry.schedule,
        "timezone": entry.zone.iana_name(),
    })
}

/// Formats a slot in the time zone of the schedule.
fn row(slot: Slot, entry: &Entry) -> Vec<String> {
    let begins = slot.begins.to_zoned(entry.zone.clone()).strftime("%a %Y-%m-%d %H:%M:%S %:z").to_string();
    let zone = entry.zone.iana_name().unwrap_or("unknown").to_owned();
    vec![begins, zone, entry.instance.clone(), entry.job.to_string(), entry.schedule.to_string()]
}
