//! Chooses which objects are read next, so that all are read in time.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::ReadBack;
use super::sample::Sample;
use crate::error::{Error, explain};
use crate::repository::{Clocks, KnownDamage, LastRead, Repository, is_future};
use crate::run::Run;
use crate::store::Key;

/// When the objects of each instance were last read.
#[derive(Default)]
pub(super) struct Rotation {
    read: BTreeMap<String, BTreeMap<Key, LastRead>>,
    /// Recorded damage by instance.
    damage: BTreeMap<String, KnownDamage>,
    clocks: Clocks,
}

/// An object to read.
pub(super) struct Candidate<T> {
    pub(super) instance: String,
    /// The object that identifies it.
    pub(super) key: Key,
    /// The object that is read together with it.
    pub(super) partner: Option<Key>,
    /// Its stored bytes.
    pub(super) bytes: u64,
    /// When it was stored.
    pub(super) stored: Timestamp,
    pub(super) what: T,
}

impl Rotation {
    pub(super) async fn load(repository: &Repository, instances: impl Iterator<Item = &str>) -> Result<Self, Error> {
        let mut all = Self { clocks: repository.clocks().await, ..Self::default() };
        for instance in instances {
            all.read.insert(instance.to_owned(), repository.last_read(instance).await?);
            let damage = match repository.known_damage(instance).await {
                Err(error) if error.is_of_object() => KnownDamage::new(),
                damage => damage?,
            };
            all.damage.insert(instance.to_owned(), damage);
        }
        Ok(all)
    }

    /// Returns the last time that the candidate was read. A time in the future comes from a wrong
    /// clock, and counts as never.
    fn last<T>(&self, candidate: &Candidate<T>) -> Option<LastRead> {
        let last = self.read.get(&candidate.instance)?.get(&candidate.key).copied();
        last.filter(|last| !is_future(last.at, self.clocks.now()))
    }

    /// Returns when the candidate was last read, else when it was stored. A date in the future must
    /// not delay it until then.
    fn date<T>(&self, candidate: &Candidate<T>) -> Timestamp {
        let date = self.last(candidate).map_or(candidate.stored, |last| last.at);
        if is_future(date, self.clocks.now()) { Timestamp::MIN } else { date }
    }

    fn is_damaged<T>(&self, candidate: &Candidate<T>) -> bool {
        let read = self.read.get(&candidate.instance).and_then(|read| read.get(&candidate.key));
        let damage = self.damage.get(&candidate.instance);
        let is_known = |key: &Key| damage.is_some_and(|damage| damage.contains_key(key));
        read.is_some_and(|last| !last.sound)
            || is_known(&candidate.key)
            || candidate.partner.as_ref().is_some_and(is_known)
    }

    /// Returns the candidates to read now. Those that were damaged when last read are always read.
    /// Of the others, those read or stored longest ago follow, until they reach the size of the
    /// sample.
    pub(super) fn choose<'a, T>(&self, candidates: &'a [Candidate<T>], sample: Sample) -> Vec<&'a Candidate<T>> {
        let (mut chosen, mut queue): (Vec<_>, Vec<_>) =
            candidates.iter().partition(|candidate| self.is_damaged(candidate));
        queue.sort_by_key(|candidate| (self.date(candidate), &candidate.key));
        let mut left = sample.of(candidates.iter().map(|candidate| candidate.bytes).sum());
        for candidate in queue {
            if left == 0 {
                break;
            }
            left = left.saturating_sub(candidate.bytes.max(1));
            chosen.push(candidate);
        }
        chosen
    }

    pub(super) fn note<T>(&mut self, candidate: &Candidate<T>, sound: bool) {
        let objects = self.read.entry(candidate.instance.clone()).or_default();
        let at = Timestamp::now();
        // Uses the repository's clock if this machine's is wrong.
        let at = at.checked_sub(self.clocks.ahead()).unwrap_or(at);
        objects.insert(candidate.key.clone(), LastRead { at, sound });
    }

    /// Returns how much of everything has been read.
    pub(super) fn summary<T>(&self, candidates: &[Candidate<T>], read: &[&Candidate<T>]) -> ReadBack {
        let dates = || candidates.iter().map(|candidate| self.last(candidate).map(|last| last.at));
        ReadBack {
            objects: read.len() as u64,
            bytes: read.iter().map(|candidate| candidate.bytes).sum(),
            of_objects: candidates.len() as u64,
            of_bytes: candidates.iter().map(|candidate| candidate.bytes).sum(),
            never_read: dates().filter(Option::is_none).count() as u64,
            oldest: dates().flatten().min(),
        }
    }

    /// Records what was read, and drops objects that are gone. A repository that cannot be written
    /// can still be checked: a check that reads everything needs no record.
    pub(super) async fn store(
        mut self,
        repository: &Repository,
        is_there: impl Fn(&str, &Key) -> bool,
        sample: Sample,
        run: &Run,
    ) {
        for (instance, mut objects) in std::mem::take(&mut self.read) {
            objects.retain(|key, _| is_there(&instance, key));
            if let Err(error) = repository.note_read(&instance, objects).await
                && sample != Sample::ALL
            {
                let reason = explain(&error);
                run.progress.warn(&format!(
                    "unable to record which objects of {instance} were read, so the next check reads the same ones again: {reason}"
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;

    use super::*;

    /// Returns objects of these sizes, each stored an hour before the next.
    fn candidates(sizes: &[u64]) -> Vec<Candidate<()>> {
        let candidates = sizes.iter().zip(0..).map(|(bytes, number)| Candidate {
            instance: "production".into(),
            key: Key::new(format!("production/{number}")).unwrap(),
            partner: None,
            bytes: *bytes,
            stored: Timestamp::from_second(1_000_000).unwrap().checked_add(i64::from(number).hours()).unwrap(),
            what: (),
        });
        candidates.collect()
    }

    /// Reads a sample, and returns the indexes of what was read.
    fn read(rotation: &mut Rotation, candidates: &[Candidate<()>], sample: Sample, damaged: &[usize]) -> Vec<usize> {
        let chosen = rotation.choose(candidates, sample);
        let numbers: Vec<usize> = chosen.iter().map(|chosen| chosen.key.name().parse().unwrap()).collect();
        for (candidate, number) in chosen.iter().zip(&numbers) {
            rotation.note(candidate, !damaged.contains(number));
        }
        numbers
    }

    #[test]
    fn samples_cover_everything_then_repeat() {
        let (all, mut rotation) = (candidates(&[10, 10, 10, 10, 10]), Rotation::default());
        let sample = "40%".parse().unwrap();
        let runs: Vec<_> = (0..5).map(|_| read(&mut rotation, &all, sample, &[])).collect();
        assert_eq!(runs, [vec![0, 1], vec![2, 3], vec![4, 0], vec![1, 2], vec![3, 4]]);
        assert_eq!(read(&mut rotation, &all, Sample::ALL, &[]), [0, 1, 2, 3, 4]);
        let summary = rotation.summary(&all, &[]);
        assert_eq!((summary.never_read, summary.of_bytes, summary.oldest.is_some()), (0, 50, true));
    }

    #[test]
    fn oversized_object_gets_its_turn() {
        let (all, mut rotation) = (candidates(&[1000, 1, 1, 0]), Rotation::default());
        let runs: Vec<_> = (0..3).map(|_| read(&mut rotation, &all, Sample::Bytes(2), &[])).collect();
        assert_eq!(runs, [vec![0], vec![1, 2], vec![3, 0]]);
    }

    #[test]
    fn damaged_object_is_read_each_time() {
        let (all, mut rotation) = (candidates(&[10, 10, 10, 10]), Rotation::default());
        let runs: Vec<_> = (0..3).map(|_| read(&mut rotation, &all, Sample::Bytes(10), &[0])).collect();
        assert_eq!(runs, [vec![0], vec![0, 1], vec![0, 2]]);
        assert_eq!(read(&mut rotation, &all, Sample::Bytes(10), &[]), [0, 3], "repaired since");
        assert_eq!(read(&mut rotation, &all, Sample::Bytes(10), &[]), [1]);
    }

    #[test]
    fn future_dated_object_is_read_first() {
        let (mut all, mut rotation) = (candidates(&[10, 10, 10]), Rotation::default());
        let in_ten_years = Timestamp::now().checked_add((10 * 365 * 24).hours()).unwrap();
        read(&mut rotation, &all, Sample::ALL, &[]);
        all[2].stored = in_ten_years;
        for (number, at) in [(0, Timestamp::now()), (1, in_ten_years), (2, in_ten_years)] {
            let key = all[number].key.clone();
            rotation.read.get_mut("production").unwrap().insert(key, LastRead { at, sound: true });
        }
        assert_eq!(read(&mut rotation, &all, Sample::Bytes(10), &[]), [2], "it is unknown when it was stored or read");
        assert_eq!(read(&mut rotation, &all, Sample::Bytes(10), &[]), [1]);
        assert_eq!(read(&mut rotation, &all, Sample::Bytes(10), &[]), [0]);
    }

    #[test]
    fn new_object_waits_behind_older_readings() {
        let (mut all, mut rotation) = (candidates(&[10, 10]), Rotation::default());
        read(&mut rotation, &all, Sample::ALL, &[]);
        all.extend(candidates(&[10, 10, 10]).split_off(2));
        all[2].stored = Timestamp::now();
        assert_eq!(read(&mut rotation, &all, Sample::Bytes(20), &[]), [0, 1]);
        assert_eq!(read(&mut rotation, &all, Sample::Bytes(20), &[]), [2, 0]);
    }
}
