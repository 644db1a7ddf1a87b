//! What restored copies have shown of backups.
//!
//! ```text
//! <instance>/proofs/<backup id>/<time>-<depth>-<outcome>.json
//! ```
//!
//! All that a list of backups says of proofs is in their names, so that it need not read any.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use futures::TryStreamExt;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{BackupId, BackupRef, Repository, RepositoryError, is_future, member, parse};
use crate::manifest::{Depth, Verification, seconds};
use crate::manifest::{FORMAT, Manifest};
use crate::manifest::{moment, stamp};
use crate::store::{Key, Mode, Object, read_document};
use crate::stream::{Digest, body_of};

const PROOFS: &str = "proofs";
const EXTENSION: &str = ".json";

/// What a copy has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofOutcome {
    /// It was what had been backed up.
    Passed,
    /// It was not, or could not be made because an object is damaged.
    Failed,
}

impl ProofOutcome {
    const ALL: [Self; 2] = [Self::Passed, Self::Failed];

    /// In a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
        }
    }
}

/// What a copy was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofOccasion {
    /// To be a target.
    Restore,
    /// To be verified, and dropped.
    Drill,
}

impl fmt::Display for ProofOccasion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Restore => "restore",
            Self::Drill => "drill",
        })
    }
}

/// How long it took to have a working copy, and its parts. Database and files are made side by
/// side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Timings {
    /// All of it, from the first connection on.
    #[serde(with = "seconds")]
    pub total: Duration,
    /// The dump, read and restored.
    #[serde(with = "seconds")]
    pub database: Duration,
    /// The files.
    #[serde(with = "seconds")]
    pub filestore: Duration,
    /// The verification.
    #[serde(with = "seconds")]
    pub verification: Duration,
    /// The neutralization; zero where there was none.
    #[serde(with = "seconds")]
    pub neutralization: Duration,
    /// The anonymization; zero where there was none, as in a drill.
    #[serde(with = "seconds", skip_serializing_if = "rounds_to_zero")]
    pub anonymization: Duration,
}

/// Returns whether it is stored as 0: what is left out must be the same after it was read back.
fn rounds_to_zero(duration: &Duration) -> bool {
    duration.as_micros() < 500
}

/// What a copy has shown of a backup, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// [`FORMAT`] of the program that wrote it.
    pub format: u32,
    /// The backup.
    pub backup: BackupId,
    /// The instance that it is of.
    pub instance: String,
    /// SHA-256 of the backup's `manifest.json`.
    pub manifest: Digest,
    /// When that was seen, by the clock of the machine that saw it, or the repository's where that
    /// one was wrong.
    pub at: Timestamp,
    /// Version of odoo-backup that saw it.
    pub program: String,
    /// What the copy was made for.
    pub occasion: ProofOccasion,
    /// What it has shown.
    pub outcome: ProofOutcome,
    /// How much was read.
    pub depth: Depth,
    /// The checks; `None` where there was nothing to check yet when damage was met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
    /// What failed, in a sentence; `None` where it passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// How long it took to have the copy; `None` where that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<Timings>,
}

/// What the name of a proof says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProofName {
    /// Its object.
    pub key: Key,
    /// The backup.
    #[serde(skip)]
    pub backup: BackupRef,
    /// When that was seen, by the clock of the machine that saw it.
    pub at: Timestamp,
    /// How much was read.
    pub depth: Depth,
    /// What the copy has shown.
    pub outcome: ProofOutcome,
}

impl ProofName {
    fn of_proof(Proof { instance, backup, at, depth, outcome, .. }: &Proof) -> Self {
        Self::new(BackupRef::new(instance.as_str(), backup.clone()), *at, *depth, *outcome)
    }

    fn new(backup: BackupRef, at: Timestamp, depth: Depth, outcome: ProofOutcome) -> Self {
        let name = format!("{}-{depth}-{}{EXTENSION}", stamp(at), outcome.as_str());
        Self { key: member(&of_backup(&backup), &name), backup, at, depth, outcome }
    }

    /// Returns the same, dated as it can be. A proof dated in the future proves nothing, for it
    /// would outweigh all that is found until then; a failure dated so was seen when it was stored.
    fn dated_by(self, stored: Timestamp, now: Timestamp) -> Option<Self> {
        match (is_future(self.at, now), self.outcome) {
            (false, _) => Some(self),
            (true, ProofOutcome::Passed) => None,
            (true, ProofOutcome::Failed) => Some(Self { at: stored.min(now), ..self }),
        }
    }

    /// Returns the name of the proof that an object is, if it is one that this version understands.
    pub(crate) fn of(key: &Key) -> Option<Self> {
        let mut segments = key.segments();
        let [instance, folder, backup, name] = [(); 4].map(|()| segments.next());
        if folder? != PROOFS || segments.next().is_some() {
            return None;
        }
        let mut words = name?.strip_suffix(EXTENSION)?.rsplitn(3, '-');
        let (outcome, depth, at) = (words.next()?, words.next()?, words.next()?);
        let outcome = ProofOutcome::ALL.into_iter().find(|known| known.as_str() == outcome)?;
        let depth = Depth::ALL.into_iter().find(|known| known.as_str() == depth)?;
        let (backup, at) = (BackupRef::new(instance?, backup?.parse().ok()?), moment(at)?);
        Some(Self { key: key.clone(), backup, at, depth, outcome })
    }
}

/// What all that was seen of a backup comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// A copy was what had been backed up, and nothing speaks against the backup: the latest of
    /// these proofs.
    Proven(ProofName),
    /// A copy was not, and no later one, verified as deeply, was: the latest such failure.
    Refuted(ProofName),
}

impl Evidence {
    /// `None` where nothing was seen.
    fn of(mut seen: Vec<ProofName>) -> Option<Self> {
        // What failed at the same moment weighs more.
        seen.sort_by_key(|one| (one.at, one.outcome));
        let settled = |failed: &ProofName, later: &[ProofName]| {
            later.iter().any(|one| one.outcome == ProofOutcome::Passed && one.depth >= failed.depth)
        };
        let failed = (0..seen.len()).rev().find(|at| {
            let (one, later) = (&seen[*at], &seen[at + 1..]);
            one.outcome == ProofOutcome::Failed && !settled(one, later)
        });
        match failed {
            Some(at) => Some(Self::Refuted(seen.swap_remove(at))),
            None => seen.into_iter().rfind(|one| one.outcome == ProofOutcome::Passed).map(Self::Proven),
        }
    }

    /// Of each backup; each proof comes with the time at which the store got it.
    pub(super) fn by_backup(
        seen: impl IntoIterator<Item = (ProofName, Timestamp)>,
        now: Timestamp,
    ) -> BTreeMap<BackupRef, Self> {
        let mut of: BTreeMap<BackupRef, Vec<ProofName>> = BTreeMap::new();
        for (name, stored) in seen {
            if let Some(name) = name.dated_by(stored, now) {
                of.entry(name.backup.clone()).or_default().push(name);
            }
        }
        of.into_iter().filter_map(|(backup, seen)| Some((backup, Self::of(seen)?))).collect()
    }

    /// Returns the proof, where the backup is proven.
    pub fn proven(&self) -> Option<&ProofName> {
        match self {
            Self::Proven(name) => Some(name),
            Self::Refuted(_) => None,
        }
    }

    /// Returns the proof or the failure.
    pub fn name(&self) -> &ProofName {
        match self {
            Self::Proven(name) | Self::Refuted(name) => name,
        }
    }
}

impl Repository {
    /// Returns the proof that a copy of `manifest` has been, to be filled in with what it has
    /// shown.
    ///
    /// # Errors
    /// [`RepositoryError::Damaged`] where the repository holds another manifest by now;
    /// [`RepositoryError::Store`]
    pub(crate) async fn prepare_proof(
        &self,
        manifest: &Manifest,
        occasion: ProofOccasion,
        outcome: ProofOutcome,
        depth: Depth,
    ) -> Result<Proof, RepositoryError> {
        let backup = manifest.backup();
        let key = backup.manifest();
        let bytes = read_document(&*self.store, &key).await?;
        if !self.manifest_of(&backup, &key, &bytes)?.is_same_backup(manifest) {
            return Err(self.damaged(&key, "it is not the one that was restored from"));
        }
        let clocks = self.clocks().await;
        // By the repository's clock where this machine's is wrong: dated in the future, a proof
        // would not count.
        let now = clocks.own.checked_sub(clocks.ahead()).unwrap_or(clocks.own);
        Ok(Proof {
            format: FORMAT,
            backup: backup.id,
            instance: backup.instance,
            manifest: Digest::of(&bytes),
            // As exact as its name, so that whoever reads only that is told the same.
            at: moment(&stamp(now)).unwrap_or(now),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            occasion,
            outcome,
            depth,
            verification: None,
            failure: None,
            seconds: None,
        })
    }

    /// Stores what a copy has shown. What was stored before is never overwritten.
    ///
    /// # Errors
    /// [`RepositoryError::Store`]
    pub async fn store_proof(&self, proof: &Proof) -> Result<ProofName, RepositoryError> {
        let name = ProofName::of_proof(proof);
        let mut bytes = serde_json::to_vec_pretty(proof).map_err(RepositoryError::Json)?;
        bytes.push(b'\n');
        self.store.put(&name.key, body_of(bytes), Mode::CreateNew).await?;
        Ok(name)
    }

    /// Returns what was seen of the backups of an instance, also of such as are gone. Reads no
    /// object.
    ///
    /// # Errors
    /// [`RepositoryError::Store`]
    pub async fn proofs(&self, instance: &str) -> Result<BTreeMap<BackupId, Evidence>, RepositoryError> {
        // A name that is no key's segment cannot have backups.
        if Key::new(instance).is_err() {
            return Ok(BTreeMap::new());
        }
        let objects: Vec<_> = self.store.list(Some(&folder(instance))).try_collect().await?;
        let seen = objects.iter().filter_map(seen_in);
        let now = self.clocks().await.now();
        Ok(Evidence::by_backup(seen, now).into_iter().map(|(backup, evidence)| (backup.id, evidence)).collect())
    }

    /// Reads a proof.
    ///
    /// # Errors
    /// [`RepositoryError::Damaged`] where it is not what its name says;
    /// [`RepositoryError::NewerFormat`]; [`RepositoryError::Store`]
    pub async fn proof(&self, name: &ProofName) -> Result<Proof, RepositoryError> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let bytes = read_document(&*self.store, &name.key).await?;
        let head: Head = parse(&*self.store, &name.key, &bytes)?;
        if head.format > FORMAT {
            return Err(RepositoryError::NewerFormat { what: format!("the proof {}", name.key), found: head.format });
        }
        let proof: Proof = parse(&*self.store, &name.key, &bytes)?;
        let same = ProofName::of_proof(&proof);
        if same.key == name.key { Ok(proof) } else { Err(self.damaged(&name.key, format!("it is {}", same.key))) }
    }
}

/// Returns the proof that an object is, with the time at which the store got it.
pub(super) fn seen_in(object: &Object) -> Option<(ProofName, Timestamp)> {
    ProofName::of(&object.key).map(|name| (name, object.modified))
}

/// Returns the folder of the proofs of a backup.
pub(crate) fn of_backup(backup: &BackupRef) -> Key {
    member(&folder(&backup.instance), backup.id.as_str())
}

fn folder(instance: &str) -> Key {
    #[expect(clippy::expect_used, reason = "checked where it was made")]
    Key::new(format!("{instance}/{PROOFS}")).expect("an instance's name is a segment of a key")
}

#[cfg(test)]
mod tests;
