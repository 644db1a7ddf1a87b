//! Keeps the damage that checks found, until the object is repaired or found intact in the same
//! way.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::Timestamp;

use super::data::ReadFindings;
use super::structure::Survey;
use super::{Checked, Sample};
use crate::error::{Error, explain};
use crate::repository::{Damage, FoundDamage, KnownDamage, Repository, RepositoryError, damage_of, layout};
use crate::run::Run;
use crate::store::Key;

/// Records damage that was found by reading, immediately: stopping the check must not lose it.
pub(super) async fn remember(repository: &Repository, instance: &str, damage: &[Damage], run: &Run) {
    warn(note(repository, instance, damage, |_| true).await, run);
}

/// Records damage. `by_reading` says for which objects only reading can show that they are intact
/// again.
///
/// # Errors
/// An error if it cannot be stored
pub(super) async fn note(
    repository: &Repository,
    instance: &str,
    damage: &[Damage],
    by_reading: impl Fn(&Key) -> bool,
) -> Result<(), RepositoryError> {
    let found = by_object(damage.iter(), by_reading);
    repository.note_damage(instance, false, |known| merge(known, found)).await
}

/// Updates what is recorded of an instance, and adds open damage to its backups. Returns whether
/// the record could be read.
pub(super) async fn conclude(
    repository: &Repository,
    survey: &Survey,
    findings: &ReadFindings,
    read: Option<Sample>,
    checked: &mut [Checked],
    run: &Run,
) -> Result<bool, Error> {
    let instance = survey.instance();
    let by_look: BTreeSet<&Key> =
        survey.backups.iter().flat_map(|backup| &backup.damage).map(|damage| &damage.key).collect();
    let damage = checked.iter().flat_map(|checked| &checked.damage);
    let fresh = by_object(damage, |key| !by_look.contains(key));
    let is_listed = survey.listed.has_known_damage();
    if fresh.is_empty() && !is_listed {
        return Ok(true);
    }
    let known = match repository.known_damage_of(&survey.listed).await {
        Err(error) if error.is_of_object() => {
            run.progress.warn(&format!("unable to tell what damage of {instance} was found before: {error}"));
            None
        }
        known => Some(known?),
    };
    let needed: HashSet<Key> = survey.manifests().flat_map(layout::needed).collect();
    let are_all_known = survey.is_whole && survey.manifests().count() == survey.backups.len();
    let is_settled = |key: &Key, found: &FoundDamage| {
        let is_needed = needed.contains(key) || survey.aside.keeps(key);
        let looked_at = findings.have_read(key) || (!found.by_reading && needed.contains(key));
        !fresh.contains_key(key) && (looked_at || (are_all_known && !is_needed))
    };
    let mut open = known.clone().unwrap_or_default();
    open.retain(|key, found| !fresh.contains_key(key) && !is_settled(key, found));
    for checked in checked {
        if let Some(manifest) = survey.manifests().find(|manifest| manifest.id == checked.backup.id) {
            checked.damage.extend(damage_of(manifest, &open));
            checked.damage.sort();
        }
    }
    // Only a check that read everything knows what an unreadable record contained.
    let may_replace = known.is_some() || read == Some(Sample::ALL);
    let noted = repository.note_damage(instance, may_replace, |known| {
        known.retain(|key, found| !is_settled(key, found));
        merge(known, fresh.clone());
    });
    let noted = noted.await;
    if known.is_some() {
        warn(noted, run);
    }
    Ok(known.is_some() || read == Some(Sample::ALL))
}

fn by_object<'a>(damage: impl Iterator<Item = &'a Damage>, by_reading: impl Fn(&Key) -> bool) -> KnownDamage {
    let mut found: BTreeMap<Key, FoundDamage> = BTreeMap::new();
    for Damage { key, reason } in damage {
        let new = || FoundDamage { reasons: Vec::new(), found_at: Timestamp::now(), by_reading: by_reading(key) };
        let found = found.entry(key.clone()).or_insert_with(new);
        if !found.reasons.contains(reason) {
            found.reasons.push(reason.clone());
        }
    }
    found
}

fn merge(known: &mut KnownDamage, fresh: KnownDamage) {
    for (key, found) in fresh {
        let before = known.get(&key);
        let found_at = before.map_or(found.found_at, |before| before.found_at);
        let by_reading = found.by_reading || before.is_some_and(|before| before.by_reading);
        known.insert(key, FoundDamage { found_at, by_reading, ..found });
    }
}

fn warn(noted: Result<(), RepositoryError>, run: &Run) {
    if let Err(error) = noted {
        let reason = explain(&error);
        run.progress
            .warn(&format!("unable to record the damage, so only a check that reads the data finds it: {reason}"));
    }
}
