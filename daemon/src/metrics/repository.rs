//! Metrics of the repository: the same from the daemon and from a file.

use config::MAIN;
use engine::repository::ProofOutcome;

use super::table::{
    ALARMS, BACKUPS, BYTES, CLOCK, DAMAGED, ELSEWHERE, FILES_MISSING, FUTURE, HELD, KNOWN_DAMAGED, NEWEST,
    NEWEST_DATABASE, NEWEST_DATABASE_NEW, NEWEST_DATABASE_VOLUMES, NEWEST_DURATION, NEWEST_FILES, NEWEST_FILESTORE,
    NEWEST_GOOD, NEWEST_PROVEN, NEWEST_RATE, NEWEST_STORED, NEWEST_WARNINGS, PINNED, READ, READABLE, REFUTED,
    REMOVABLE,
};
use super::text::{Metric, Text};
use super::{INSTANCE, flag, seconds};
use crate::facts::{BackupFacts, InstanceFacts, Known};

/// Adds what is known of the repository, and of each instance's backups.
pub(crate) fn of_repository(known: &Known, text: &mut Text) {
    text.add(&READ, known.refreshed_at.map(|at| (vec![("repository", MAIN)], seconds(at))));
    let was_tried = known.refreshed_at.is_some() || known.error.is_some();
    text.add(&READABLE, was_tried.then(|| (vec![("repository", MAIN)], flag(known.error.is_none()))));
    text.add(
        &BYTES,
        known.instances().map(|(name, facts)| (vec![("repository", MAIN), (INSTANCE, name)], facts.bytes as f64)),
    );
    let mut add = |metric: &Metric, value: &dyn Fn(&InstanceFacts) -> Option<f64>| {
        let samples = known.instances().filter_map(|(name, facts)| Some((vec![(INSTANCE, name)], value(facts)?)));
        text.add(metric, samples);
    };
    let count = |facts: &InstanceFacts, is: &dyn Fn(&BackupFacts) -> bool| {
        Some(facts.backups.iter().filter(|backup| is(backup)).count() as f64)
    };
    add(&BACKUPS, &|facts| Some(facts.backups.len() as f64));
    add(&DAMAGED, &|facts| Some(facts.damaged.len() as f64));
    let is_refuted = |outcome| outcome == ProofOutcome::Failed;
    add(&REFUTED, &|facts| {
        count(facts, &|backup| backup.proof.as_ref().is_some_and(|proof| is_refuted(proof.outcome)))
    });
    add(&KNOWN_DAMAGED, &|facts| count(facts, &|backup| backup.is_damaged));
    add(&FUTURE, &|facts| count(facts, &|backup| backup.is_future));
    add(&ALARMS, &|facts| Some(facts.shown.alarms.len() as f64));
    add(&CLOCK, &|facts| Some(facts.shown.clocks.ahead().as_secs_f64()));
    add(&PINNED, &|facts| count(facts, &|backup| backup.pinned));
    add(&REMOVABLE, &|facts| count(facts, &|backup| backup.keep == Some(false)));
    add(&HELD, &|facts| {
        let is_held = facts.plan.as_ref().map_or(true, |plan| !plan.holds.is_empty());
        Some(flag(is_held || !facts.damaged.is_empty()))
    });
    add(&NEWEST, &|facts| Some(seconds(facts.backups.first()?.brief.created_at)));
    add(&NEWEST_GOOD, &|facts| facts.shown.newest_good.map(seconds));
    add(&NEWEST_PROVEN, &|facts| Some(seconds(facts.newest_proven()?.0.brief.created_at)));
    let took = |facts: &InstanceFacts| {
        let newest = &facts.backups.first()?.brief;
        Some(newest.finished_at.duration_since(newest.created_at).as_secs_f64())
    };
    add(&NEWEST_DURATION, &took);
    add(&NEWEST_DATABASE, &|facts| Some(facts.backups.first()?.brief.database.dump_bytes as f64));
    add(&NEWEST_DATABASE_NEW, &|facts| Some(facts.backups.first()?.brief.database.new_bytes as f64));
    add(&NEWEST_DATABASE_VOLUMES, &|facts| Some(facts.backups.first()?.brief.database.volumes as f64));
    add(&NEWEST_FILESTORE, &|facts| Some(facts.backups.first()?.brief.filestore.bytes as f64));
    add(&NEWEST_FILES, &|facts| Some(facts.backups.first()?.brief.filestore.files as f64));
    add(&NEWEST_STORED, &|facts| Some(facts.backups.first()?.brief.stored_bytes as f64));
    add(&NEWEST_RATE, &|facts| {
        let newest = &facts.backups.first()?.brief;
        let seconds = took(facts).filter(|seconds| *seconds > 0.0)?;
        Some((newest.database.dump_bytes + newest.filestore.new_bytes) as f64 / seconds)
    });
    add(&NEWEST_WARNINGS, &|facts| Some(facts.backups.first()?.brief.warnings.len() as f64));
    add(&FILES_MISSING, &|facts| Some(facts.backups.first()?.missing_files as f64));
    add(&ELSEWHERE, &|facts| Some(facts.backups.first()?.brief.attachments?.elsewhere as f64));
}
