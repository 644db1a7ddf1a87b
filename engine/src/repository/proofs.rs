//! Stores what restored copies have shown of backups.
//!
//! ```text
//! <instance>/proofs/<backup id>/<time>-<depth>-<outcome>.json
//! ```
//!
//! The names of the objects contain everything that a list of backups shows, so it reads none of
//! them.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use futures::TryStreamExt;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{BackupId, BackupRef, Repository, RepositoryError, is_future, member, parse};
use crate::manifest::Manifest;
use crate::manifest::{Depth, Verification, seconds};
use crate::manifest::{moment, stamp};
use crate::store::{Key, Mode, Object, read_document};
use crate::stream::{Digest, body_of};

/// The format of a proof.
const FORMAT: u32 = 1;
const PROOFS: &str = "proofs";
const EXTENSION: &str = ".json";

/// What a copy has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProofOutcome {
    /// The copy was what had been backed up.
    Passed,
    /// The copy differed, or could not be made because an object is damaged.
    Failed,
}

impl ProofOutcome {
    const ALL: [Self; 2] = [Self::Passed, Self::Failed];

    /// Returns the outcome as one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
        }
    }
}

/// Why a copy was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProofOccasion {
    /// It became a target.
    Restore,
    /// It was verified and dropped.
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

/// How long it took to have a working copy, and its parts. Database and files are restored in
/// parallel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Timings {
    /// The total, from the first connection on.
    #[serde(with = "seconds")]
    #[schema(value_type = f64, required = true)]
    pub total: Duration,
    /// The dump, read and restored.
    #[serde(with = "seconds")]
    #[schema(value_type = f64, required = true)]
    pub database: Duration,
    /// The files.
    #[serde(with = "seconds")]
    #[schema(value_type = f64, required = true)]
    pub filestore: Duration,
    /// The verification.
    #[serde(with = "seconds")]
    #[schema(value_type = f64, required = true)]
    pub verification: Duration,
    /// The neutralization; zero where there was none.
    #[serde(with = "seconds")]
    #[schema(value_type = f64, required = true)]
    pub neutralization: Duration,
    /// The anonymization; zero where there was none, as in a drill.
    #[serde(with = "seconds", skip_serializing_if = "rounds_to_zero")]
    #[schema(value_type = f64)]
    pub anonymization: Duration,
}

/// Returns whether the duration is stored as 0. A value that is not stored must be the same after
/// it is read back.
fn rounds_to_zero(duration: &Duration) -> bool {
    duration.as_micros() < 500
}

/// What a copy has shown of a backup, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ProofRecord)]
pub struct Proof {
    /// Version of the format that it is written in.
    pub format: u32,
    /// The backup.
    pub backup: BackupId,
    /// The instance of the backup.
    pub instance: String,
    /// SHA-256 of the backup's `manifest.json`.
    pub manifest: Digest,
    /// When it was seen, by the clock of the machine that saw it, or by the repository's clock if
    /// that one was wrong.
    pub at: Timestamp,
    /// The version of odoo-backup that saw it.
    pub program: String,
    /// What the copy was made for.
    pub occasion: ProofOccasion,
    /// What it has shown.
    pub outcome: ProofOutcome,
    /// How much was read.
    pub depth: Depth,
    /// The checks. Absent if damage was met before there was anything to check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub verification: Option<Verification>,
    /// What failed, in a sentence. Absent if the copy passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub failure: Option<String>,
    /// How long it took to have the copy. Absent if that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub seconds: Option<Timings>,
}

/// What the name of a proof says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProofName {
    /// Its object.
    pub key: Key,
    /// The backup.
    #[serde(skip)]
    pub backup: BackupRef,
    /// When it was seen, by the clock of the machine that saw it.
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

    /// Returns the name with a date that can be right. A passed proof dated in the future is
    /// dropped, because it would outweigh everything found until then. A failure dated in the
    /// future gets the time at which it was stored.
    fn dated_by(self, stored: Timestamp, now: Timestamp) -> Option<Self> {
        match (is_future(self.at, now), self.outcome) {
            (false, _) => Some(self),
            (true, ProofOutcome::Passed) => None,
            (true, ProofOutcome::Failed) => Some(Self { at: stored.min(now), ..self }),
        }
    }

    /// Returns the name of the proof in an object, if this version understands it.
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

/// What all proofs of a backup amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// A copy was what had been backed up, and nothing contradicts it: the latest such proof.
    Proven(ProofName),
    /// A copy differed, and no later copy verified as deeply passed: the latest such failure.
    Refuted(ProofName),
}

impl Evidence {
    /// Returns `None` if there are no proofs.
    fn of(mut seen: Vec<ProofName>) -> Option<Self> {
        // Of two at the same moment, the failure counts more.
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

    /// Returns the evidence of each backup. Each proof comes with the time at which it was stored.
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

    /// Returns the proof if the backup is verified.
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
    /// Returns a new proof for a copy of `manifest`. The caller fills in what the copy has shown.
    ///
    /// # Errors
    /// [`RepositoryError::Damaged`] if the repository contains another manifest by now;
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
            return Err(self.damaged(&key, "it is not the manifest that was restored"));
        }
        let clocks = self.clocks().await;
        // The repository's clock is used if this machine's is wrong: a proof dated in the future
        // would not count.
        let now = clocks.own.checked_sub(clocks.ahead()).unwrap_or(clocks.own);
        Ok(Proof {
            format: FORMAT,
            backup: backup.id,
            instance: backup.instance,
            manifest: Digest::of(&bytes),
            // Rounded as in the name, so that the name and the content agree.
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

    /// Stores what a copy has shown. Existing proofs are never overwritten.
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

    /// Returns the evidence for the backups of an instance, including backups that no longer exist.
    /// Reads no object.
    ///
    /// # Errors
    /// [`RepositoryError::Store`]
    pub async fn proofs(&self, instance: &str) -> Result<BTreeMap<BackupId, Evidence>, RepositoryError> {
        // A name that is no valid key segment cannot have backups.
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
    /// [`RepositoryError::Damaged`] if it contradicts its name; [`RepositoryError::NewerFormat`];
    /// [`RepositoryError::Store`]
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

/// Returns the name of the proof in an object, with the time at which it was stored.
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
