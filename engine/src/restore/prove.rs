//! Records in the repository what a restore showed of its backup.

use super::Job;
use crate::check::{look_again, settle, warn_of_unwritten, write_down};
use crate::error::{Error, explain};
use crate::manifest::Manifest;
use crate::repository::{Proof, ProofName, ProofOccasion, ProofOutcome, Timings};
use crate::store::Key;
use crate::verify::{Depth, Verification};

impl Job<'_> {
    /// Stores the proof that a copy matched the backup. If it cannot, a warning says why: the copy
    /// is good all the same.
    pub(in crate::restore) async fn prove(
        &self,
        occasion: ProofOccasion,
        verification: &Verification,
        timings: Timings,
        warnings: &mut Vec<String>,
    ) -> Option<ProofName> {
        let skipped = verification.skipped().map(|check| format!("{}: {}", check.subject, check.summary));
        let skipped = skipped.collect::<Vec<_>>().join("; ");
        if !skipped.is_empty() {
            warnings.push(format!("no proof of the backup is stored, because parts could not be verified: {skipped}"));
            return None;
        }
        let stored = async {
            let proof = self
                .repository
                .prepare_proof(self.manifest, occasion, ProofOutcome::Passed, verification.depth)
                .await?;
            let (verification, seconds) = (Some(verification.clone()), Some(timings));
            self.store(Proof { verification, seconds, ..proof }).await
        };
        // Must not be stopped: it takes a moment, and its subject is done.
        match stored.await {
            Ok(proof) => Some(proof),
            Err(error) => {
                warnings.push(format!("unable to store the proof of the backup: {}", explain(&error)));
                None
            }
        }
    }

    /// Stores that the backup could not be restored as it was, if `error` says so. Other obstacles
    /// say nothing about the backup.
    pub(in crate::restore) async fn record_failure(&self, occasion: ProofOccasion, error: &Error) {
        let (verification, depth) = match error {
            Error::NotAsBackedUp(verification) => (Some((**verification).clone()), verification.depth),
            // Every restore of any depth would find it, and one that does not shows that it is
            // repaired.
            error if error.refutes_backup() => (None, Depth::Quick),
            _ => return,
        };
        let recorded = async {
            let looked = match error.is_damage() {
                true => look_again(self.repository, self.manifest, error, self.run).await?,
                false => None,
            };
            if error.is_of_one_reading() && looked.as_ref().is_some_and(Vec::is_empty) {
                let said = "an object looked damaged, but was intact when read again: no failed proof is stored";
                self.run.progress.warn(said);
                return Ok(());
            }
            // Other backups may need the object, too.
            let noted = write_down(self.repository, self.manifest, &looked.unwrap_or_default()).await;
            let failure = Some(explain(error).to_string());
            let proof = self.repository.prepare_proof(self.manifest, occasion, ProofOutcome::Failed, depth).await?;
            let stored = self.store(Proof { verification, failure, ..proof }).await;
            noted.and(stored.map(drop))
        };
        if let Err(error) = self.run.until_cancelled(recorded).await {
            warn_of_unwritten(&error, self.run);
        }
    }

    /// Clears the recorded damage of the objects that a copy was made of: all of them were read,
    /// and their digests matched. Of a volume of dumps, that is so if the dump needs all of it.
    pub(super) async fn settle(&self) {
        let (repository, instance) = (self.repository, &self.manifest.instance);
        let settled = async {
            if repository.known_damage(instance).await?.is_empty() {
                return Ok(());
            }
            let mut read = read_lists(self.manifest);
            read.extend(repository.dump(self.manifest).await?.read_whole());
            settle(repository, instance, &read).await
        };
        if let Err(error) = settled.await {
            let why = explain(&error);
            self.run.progress.warn(&format!("unable to record which objects of the backup are intact: {why}"));
        }
    }

    async fn store(&self, proof: Proof) -> Result<ProofName, Error> {
        Ok(self.repository.store_proof(&proof).await?)
    }
}

/// Returns the volumes of files that a restore reads to their end, and the lists of the dump.
fn read_lists(manifest: &Manifest) -> Vec<Key> {
    let mut read: Vec<_> = manifest.filestore.volumes.iter().map(|volume| volume.object.key.clone()).collect();
    if let Some(stored) = manifest.database.dump.volumes() {
        read.extend(stored.volumes.iter().map(|volume| volume.index.key.clone()));
        read.push(stored.map.key.clone());
    }
    read
}
