//! `drill`: does a whole restore except its end, which shows in advance that it works and how long
//! it takes.
//!
//! The database and the folder have names that only unfinished copies have, next to a target that
//! does not exist. They never get other names. They are dropped after they were verified and
//! neutralized, or when that fails.

use std::time::Instant;

use serde::Serialize;
use utoipa::ToSchema;

use super::Job;
use super::MadeCopy;
use super::RestoreOptions;
use super::RestoredFiles;
use super::TargetIdentity;
use super::record::claim::TargetClaim;
use super::record::leftovers;
use super::staging::Staging;
use super::target::{Protected, Target};
use crate::error::Error;
use crate::manifest::Manifest;
use crate::odoo::Neutralized;
use crate::postgres::with_pulse;
use crate::repository::{BackupId, ProofName, ProofOccasion, Repository, Timings};
use crate::run::Run;
use crate::verify::{Depth, Verification};

/// How a drill is done.
#[derive(Debug, Clone, Copy)]
pub struct DrillOptions {
    /// As in [`RestoreOptions::jobs`](super::RestoreOptions::jobs).
    pub jobs: u32,
    /// Volumes unpacked in parallel.
    pub parallel_volumes: u32,
    /// How much is read to verify the copy.
    pub depth: Depth,
}

/// A drill that passed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Drilled {
    /// The backup.
    pub backup: BackupId,
    /// Its instance.
    pub instance: String,
    /// The database that was created.
    pub database: String,
    /// The folder that was created.
    pub filestore: RestoredFiles,
    /// Whether both were removed; if not, a warning says what is left, and the next drill tries
    /// again.
    pub removed: bool,
    /// Jobs that pg_restore ran with.
    pub jobs: u32,
    /// The comparison of the copy with the backup. It passed.
    pub verification: Verification,
    /// How the copy was neutralized; null where the database is not Odoo's.
    #[schema(required = true)]
    pub neutralized: Option<Neutralized>,
    /// How long it took until there was a usable copy.
    pub timings: Timings,
    /// The proof that was stored; null where a warning says why not.
    #[schema(required = true)]
    pub proof: Option<ProofName>,
    /// What was removed of earlier, interrupted drills, in words.
    pub cleared: Vec<String>,
    /// What could not be removed, and why there is no proof, in words.
    pub warnings: Vec<String>,
}

/// Restores a backup, verifies and neutralizes the copy, drops it, and stores the proof. `place`
/// has a unique name: it is never created.
///
/// # Errors
/// The first failure, as the cause of [`Error::Verb`]; [`Error::refutes_backup`] tells a bad backup
/// from an obstacle. Nothing of the copy is left.
pub async fn drill(
    repository: &Repository,
    manifest: &Manifest,
    place: &Target,
    protected: &Protected,
    options: DrillOptions,
    run: &Run,
) -> Result<Drilled, Error> {
    let DrillOptions { jobs, parallel_volumes, depth } = options;
    let options = RestoreOptions {
        jobs,
        parallel_volumes,
        depth,
        drop_previous: false,
        identity: TargetIdentity::Copy,
        wait: None,
        skip_failed_post_data: false,
    };
    let job = Job { repository, manifest, target: place, protected, options, run };
    let drilled = Box::pin(job.locked(ProofOccasion::Drill, Box::pin(job.drill()))).await;
    drilled.map_err(|error| error.during(format!("drill {}/{}", manifest.instance, manifest.id)))
}

impl Job<'_> {
    async fn drill(&self) -> Result<Drilled, Error> {
        let run = self.run;
        let started = Instant::now();
        let mut claim = run.until_cancelled(Box::pin(TargetClaim::take(self.target, run))).await?;
        let cleared = Box::pin(leftovers::clear(&mut claim, run)).await?;
        run.until_cancelled(Box::pin(self.preflight(&claim))).await?;
        let staging = run.until_cancelled(Box::pin(Staging::begin(self, &mut claim))).await?;
        let (database, filestore) = (staging.database.database.clone(), staging.filestore.clone());
        let work = with_pulse(&claim.server, Some(&database), &run.progress, Box::pin(self.make(&staging, &claim)));
        let result = run.until_cancelled(Box::pin(work)).await;
        let total = started.elapsed();
        tracing::info!(database, ok = result.is_ok(), "drill ended");
        let mut warnings = Box::pin(staging.abandon(&mut claim)).await;
        let removed = warnings.is_empty();
        let copy = match result {
            Ok(copy) => copy,
            Err(error) => {
                warnings.iter().for_each(|text| run.progress.warn(text));
                return Err(error);
            }
        };
        let timings = copy.timings(total);
        let proof = Box::pin(self.prove(ProofOccasion::Drill, &copy.verification, timings, &mut warnings)).await;
        let MadeCopy { made, verification, neutralized, .. } = copy;
        warnings.extend(made.database.0.warnings.iter().cloned());
        Ok(Drilled {
            backup: self.manifest.id.clone(),
            instance: self.manifest.instance.clone(),
            database,
            filestore: RestoredFiles { path: filestore, files: made.files.0.files, bytes: made.files.0.bytes },
            removed,
            jobs: made.database.0.jobs,
            verification,
            neutralized,
            timings,
            proof,
            cleared,
            warnings,
        })
    }
}
