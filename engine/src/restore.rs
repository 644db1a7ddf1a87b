//! `restore`: restores a backup into a target's database and filestore.
//!
//! Both are created under names of their own next to the target's. They get the target's names only
//! once they are complete, every digest matches, and the copy was verified and neutralized. The
//! previous state is kept, and undo restores it. A failed or stopped restore leaves the target
//! unchanged and nothing behind; after a kill, the next run removes the remains.

pub mod drill;
mod guard;
mod preflight;
mod prove;
mod record;
mod staging;
mod state;
mod swap;
mod target;
mod undo;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;
use utoipa::ToSchema;

pub use self::guard::TargetIdentity;
pub(crate) use self::guard::{FORCEABLE, before_restore};
pub use self::preflight::Preflight;
pub(crate) use self::preflight::altered_members;
pub use self::preflight::examine::examine;
pub(crate) use self::record::folders::check_movable;
pub use self::state::{CopyLabel, FormerState, HeldDatabase, TargetState, state};
pub use self::target::{Protected, Target};
pub use self::undo::{Undone, examine_undo, undo};
pub use crate::error::{Obstacle, RestoreError};

use self::preflight::require_none;
use self::record::claim::TargetClaim;
use self::record::leftovers;
use self::staging::{Made, Staging, timed};
use self::undo::wait_for_sessions;
use crate::error::Error;
use crate::filestore::NewFilestore;
use crate::manifest::Manifest;
use crate::odoo::{Anonymized, AnonymizedAttachments, Neutralized, anonymize, assert_still_neutral, neutralize};
use crate::postgres::{LeftOut, with_pulse};
use crate::repository::{ProofName, ProofOccasion, Repository, Timings};
use crate::run::Run;
use crate::verify::{Depth, RestoredCopy, Verification, verify};

/// How a backup is restored.
#[derive(Debug, Clone, Copy)]
pub struct RestoreOptions {
    /// Sessions that load rows, and jobs of pg_restore that build indexes and keys.
    pub jobs: u32,
    /// Volumes unpacked in parallel.
    pub parallel_volumes: u32,
    /// How much is read to verify the copy.
    pub depth: Depth,
    /// Whether the previous state is removed after the swap, rather than kept for [`undo`].
    pub drop_previous: bool,
    /// Whether production itself is the target.
    pub identity: TargetIdentity,
    /// How long to wait for sessions on the target that the role may not end; `None`: if there are
    /// any at the start, the restore is refused.
    pub wait: Option<Duration>,
    /// Whether indexes, constraints and other objects after the rows are left out if they cannot be
    /// created.
    pub skip_failed_post_data: bool,
}

/// What was restored.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Restored {
    /// The target's database.
    pub database: String,
    /// The filestore of the target.
    pub filestore: RestoredFiles,
    /// As in [`RestoreOptions::jobs`]; one where the dump had to be streamed to pg_restore.
    pub jobs: u32,
    /// The comparison of the copy with the backup, made before it got its names. It passed.
    pub verification: Verification,
    /// What of the dump was left out.
    pub left_out: Vec<LeftOut>,
    /// How the copy was neutralized; null if the target does not want it, or the database is not
    /// Odoo's.
    #[schema(required = true)]
    pub neutralized: Option<Neutralized>,
    /// How the copy was anonymized; null if the target does not want it.
    #[schema(required = true)]
    pub anonymized: Option<Anonymized>,
    /// The previous state, if there was one and it is kept.
    #[schema(required = true)]
    pub former: Option<Former>,
    /// What was removed of earlier, interrupted runs, in words.
    pub cleared: Vec<String>,
    /// What could not be removed, and why there is no proof, in words.
    pub warnings: Vec<String>,
    /// How long it took until both had their names.
    pub timings: Timings,
    /// The proof that was stored; null where a warning says why not.
    #[schema(required = true)]
    pub proof: Option<ProofName>,
}

/// The filestore of a copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RestoredFiles {
    /// Its folder.
    #[schema(value_type = String)]
    pub path: PathBuf,
    /// How many files it has.
    pub files: u64,
    /// Their length in bytes together.
    pub bytes: u64,
}

/// The state of a target before it was replaced, under its present names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Former {
    /// Its database, which accepts no connections; null where there was only a filestore.
    #[schema(required = true)]
    pub database: Option<String>,
    /// Its filestore; null where there was only a database.
    #[schema(required = true, value_type = Option<String>)]
    pub filestore: Option<PathBuf>,
}

impl Former {
    fn of(claim: &TargetClaim) -> Option<Self> {
        let kept = claim.record.former.as_ref()?;
        let names = claim.names.with(&kept.suffix);
        Some(Self { database: kept.oid.map(|_| names.database), filestore: kept.folder.map(|_| names.filestore) })
    }
}

/// What is restored, where to, and how.
#[derive(Debug, Clone, Copy)]
struct Job<'a> {
    repository: &'a Repository,
    manifest: &'a Manifest,
    target: &'a Target,
    protected: &'a Protected,
    options: RestoreOptions,
    run: &'a Run,
}

/// Restores a backup into a target, replacing its present state.
///
/// # Errors
/// [`Error::Refused`] for a target that must not be replaced, above all one of the `protected`
/// places; otherwise the first failure. Each is the cause of [`Error::Verb`], and leaves the target
/// unchanged.
pub async fn restore(
    repository: &Repository,
    manifest: &Manifest,
    target: &Target,
    protected: &Protected,
    options: RestoreOptions,
    run: &Run,
) -> Result<Restored, Error> {
    let job = Job { repository, manifest, target, protected, options, run };
    let result = Box::pin(job.locked(ProofOccasion::Restore, Box::pin(job.restore()))).await;
    result.map_err(|error| error.during(format!("restore {}/{} to {}", manifest.instance, manifest.id, target.name)))
}

/// A copy that was verified and neutralized, and does not have its name yet.
#[derive(Debug)]
struct MadeCopy {
    made: Made,
    verification: Verification,
    neutralized: Option<Neutralized>,
    neutralization: Duration,
    anonymization: Duration,
}

impl MadeCopy {
    /// Returns how long its parts took, within the given `total`.
    fn timings(&self, total: Duration) -> Timings {
        Timings {
            total,
            database: self.made.database.1,
            filestore: self.made.files.1,
            verification: self.verification.duration,
            neutralization: self.neutralization,
            anonymization: self.anonymization,
        }
    }
}

impl Job<'_> {
    /// Does `work`, which makes a copy, while the backup is locked against a prune. Records what it
    /// shows of the backup.
    async fn locked<T>(
        &self,
        occasion: ProofOccasion,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let Self { repository, manifest, run, .. } = *self;
        let work = async {
            let result = Box::pin(work).await;
            match &result {
                Ok(_) => self.settle().await,
                Err(error) => Box::pin(self.record_failure(occasion, error)).await,
            }
            result
        };
        repository.locked_to_read(&manifest.backup(), run, work).await
    }

    async fn restore(&self) -> Result<Restored, Error> {
        let (target, run) = (self.target, self.run);
        let started = Instant::now();
        let mut claim = run.until_cancelled(Box::pin(TargetClaim::take(target, run))).await?;
        let cleared = Box::pin(leftovers::clear(&mut claim, run)).await?;
        run.until_cancelled(Box::pin(self.preflight(&claim))).await?;
        if self.options.identity == TargetIdentity::Production {
            let name = &target.database.name;
            run.progress.warn(&format!(
                "{name:?} is restored as production: NOTHING IS NEUTRALIZED, its mail and its scheduled actions stay active"
            ));
        }
        let staging = run.until_cancelled(Box::pin(Staging::begin(self, &mut claim))).await?;
        let work = async {
            let mut copy = Box::pin(self.make(&staging, &claim)).await?;
            let (anonymized, took) = timed(Box::pin(self.anonymize(&staging, copy.neutralized.as_mut()))).await?;
            if anonymized.is_some() {
                copy.anonymization = took;
                self.assert_neutral(&staging, copy.neutralized.as_ref()).await?;
            }
            copy.made.database.0.hide_rows_again().await?;
            self.label(&claim.server, &staging.database.database, &copy, anonymized.is_some()).await;
            // An Odoo may have started to use what is about to be replaced.
            claim.check_connection()?;
            wait_for_sessions(&claim, self.options.wait, run).await?;
            self.admit(&claim).await?;
            Ok((copy, anonymized))
        };
        let database = staging.database.database.as_str();
        let work = with_pulse(&claim.server, Some(database), &run.progress, Box::pin(work));
        let result = match run.until_cancelled(Box::pin(work)).await {
            // From here it takes a moment and must not be stopped halfway.
            Ok(done) => Box::pin(swap::swap(&mut claim, &staging.suffix)).await.map(|()| done).map_err(Error::from),
            Err(error) => Err(error),
        };
        let total = started.elapsed();
        tracing::info!(database = target.database.name, ok = result.is_ok(), "restore ended");
        let (copy, anonymized) = match result {
            Ok(done) => done,
            Err(error) => {
                Box::pin(staging.abandon(&mut claim)).await.iter().for_each(|text| run.progress.warn(text));
                return Err(error);
            }
        };
        if self.options.drop_previous {
            let former = claim.record.former.take();
            claim.record.scraps.extend(former.as_ref().map(Into::into));
        }
        let mut warnings = Box::pin(leftovers::remove(&mut claim)).await.left;
        warnings.extend(anonymized.iter().flat_map(Anonymized::warnings));
        let timings = copy.timings(total);
        let proof = Box::pin(self.prove(ProofOccasion::Restore, &copy.verification, timings, &mut warnings)).await;
        let MadeCopy { made, verification, neutralized, .. } = copy;
        warnings.extend(made.database.0.warnings.iter().cloned());
        // What was unpacked, without what placeholders replaced.
        let left = |unpacked: u64, change: fn(&AnonymizedAttachments) -> (u64, u64)| {
            let (added, removed) = anonymized.as_ref().map_or((0, 0), |report| change(&report.attachments));
            (unpacked + added).saturating_sub(removed)
        };
        let unpacked = &made.files.0;
        let files = left(unpacked.files, |change| (change.files_added, change.files_removed));
        let bytes = left(unpacked.bytes, |change| (change.bytes_added, change.bytes_removed));
        Ok(Restored {
            database: target.database.name.clone(),
            filestore: RestoredFiles { path: target.filestore.clone(), files, bytes },
            jobs: made.database.0.jobs,
            verification,
            left_out: made.database.0.left_out,
            neutralized,
            anonymized,
            former: Former::of(&claim),
            cleared,
            warnings,
            timings,
            proof,
        })
    }

    /// Refuses what must not or cannot be done, before anything existing is touched.
    async fn preflight(&self, claim: &TargetClaim) -> Result<(), Error> {
        let Job { manifest, target, protected, options, run, .. } = *self;
        let Preflight { obstacles, warnings } =
            preflight::examine::look(protected, manifest, target, (options.identity, options.wait), &claim.server)
                .await?;
        warnings.iter().for_each(|one| run.progress.warn(&format!("{}; {}", one.message, one.hint)));
        require_none(obstacles)
    }

    /// Refuses a target that must not be replaced.
    async fn admit(&self, claim: &TargetClaim) -> Result<(), Error> {
        let Job { manifest, target, protected, options, .. } = *self;
        let uuid = source_uuid(manifest);
        require_none(guard::before_restore(protected, uuid, target, options.identity, &claim.server).await?)
    }

    /// Makes a copy next to the target, verifies it, and neutralizes it.
    async fn make(&self, staging: &Staging, claim: &TargetClaim) -> Result<MadeCopy, Error> {
        // Each step waits on the heap: together they exceed the stack of a thread.
        let mut made = Box::pin(staging.fill(self, claim)).await?;
        made.database.0.show_all_rows().await?;
        let verification = Box::pin(self.verify(staging, &made.database.0.left_out)).await?;
        let (neutralized, took) = timed(Box::pin(self.neutralize(staging))).await?;
        let neutralization = if neutralized.is_some() { took } else { Duration::ZERO };
        Ok(MadeCopy { made, verification, neutralized, neutralization, anonymization: Duration::ZERO })
    }

    /// Compares the copy with the backup.
    async fn verify(&self, staging: &Staging, left_out: &[LeftOut]) -> Result<Verification, Error> {
        let Job { repository, manifest, options, run, .. } = *self;
        let (database, filestore) = (&staging.database, staging.filestore.as_path());
        let copy = RestoredCopy { repository, manifest, database, filestore, sessions: options.jobs, left_out };
        Box::pin(verify(&copy, options.depth, run)).await?.require()
    }

    /// Neutralizes the copy unless the target says otherwise, while no program knows its name yet.
    /// Production is not changed.
    async fn neutralize(&self, staging: &Staging) -> Result<Option<Neutralized>, Error> {
        let (Some(settings), TargetIdentity::Copy) = (&self.target.neutralize, self.options.identity) else {
            return Ok(None);
        };
        let _task = self.run.progress.task("neutralization", None);
        let source = self.manifest.odoo.as_ref();
        let neutralized = Box::pin(neutralize(&staging.database, settings, source)).await.map_err(Error::Neutralize)?;
        self.assert_neutral(staging, neutralized.as_ref()).await?;
        match &neutralized {
            Some(report) => report.warnings.iter().for_each(|warning| self.run.progress.warn(warning)),
            None => self.run.progress.warn("the database is not Odoo's: it was restored as it is, not neutralized"),
        }
        Ok(neutralized)
    }

    /// Asserts that a neutralized copy still is neutral.
    async fn assert_neutral(&self, staging: &Staging, neutralized: Option<&Neutralized>) -> Result<(), Error> {
        let (Some(settings), Some(done)) = (&self.target.neutralize, neutralized) else { return Ok(()) };
        assert_still_neutral(&staging.database, settings, done).await.map_err(Error::Neutralize)
    }

    /// Replaces the people in the copy if the target says so and is a copy. Names of people in the
    /// neutralization report are replaced as well.
    async fn anonymize(
        &self,
        staging: &Staging,
        neutralized: Option<&mut Neutralized>,
    ) -> Result<Option<Anonymized>, Error> {
        let (Some(settings), TargetIdentity::Copy) = (&self.target.anonymize, self.options.identity) else {
            return Ok(None);
        };
        let _task = self.run.progress.task("anonymization", None);
        let filestore = NewFilestore::open(&staging.filestore, &staging.writers)?;
        let anonymized = Box::pin(anonymize(&staging.database, filestore, settings, self.options.jobs))
            .await
            .map_err(Error::Anonymize)?;
        if let Some(login) = neutralized.and_then(|report| report.administrator.as_mut()) {
            *login = anonymized.administrator.clone().unwrap_or_default();
        }
        if !anonymized.addresses_left.is_empty() {
            let columns: Vec<_> = anonymized.addresses_left.iter().map(ToString::to_string).collect();
            self.run.progress.warn(&format!(
                "e-mail addresses of others remain in columns that are not anonymized: {}",
                columns.join(", ")
            ));
        }
        Ok(Some(anonymized))
    }
}

/// Returns the identity that the source has for Odoo's own services.
fn source_uuid(manifest: &Manifest) -> Option<&str> {
    manifest.odoo.as_ref().and_then(|odoo| odoo.database_uuid.as_deref())
}

#[cfg(test)]
mod tests;
