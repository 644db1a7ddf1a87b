//! What a restore has shown of its backup, written down in the repository.

use super::Job;
use crate::error::{Error, explain};
use crate::repository::{Occasion, Proof, ProofName, ProofOutcome, Timings};
use crate::verify::{Depth, Verification};

impl Job<'_> {
    /// Stores the proof that a copy was what had been backed up. Where there is none, `warnings` says why: the copy is good all the same.
    pub(in crate::restore) async fn prove(
        &self,
        occasion: Occasion,
        verification: &Verification,
        timings: Timings,
        warnings: &mut Vec<String>,
    ) -> Option<ProofName> {
        let skipped = verification.skipped().map(|check| format!("{}: {}", check.subject, check.summary));
        let skipped = skipped.collect::<Vec<_>>().join("; ");
        if !skipped.is_empty() {
            warnings.push(format!("no proof of the backup is stored, for not all could be verified: {skipped}"));
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
        // Not to be stopped: it takes a moment, and what it tells of is done.
        match stored.await {
            Ok(proof) => Some(proof),
            Err(error) => {
                warnings.push(format!("the proof of the backup could not be stored: {}", explain(&error)));
                None
            }
        }
    }

    /// Stores that the backup could not be restored as it was, where `error` says so. What else was in the way is nothing that speaks against it.
    pub(in crate::restore) async fn testify_against(&self, occasion: Occasion, error: &Error) {
        let (verification, depth) = match error {
            Error::NotAsBackedUp(verification) => (Some((**verification).clone()), verification.depth),
            // Every restore, however deep, meets it, and any that does not has shown that it is mended.
            error if error.refutes_backup() => (None, Depth::Quick),
            _ => return,
        };
        let failure = Some(explain(error).to_string());
        let stored = async {
            if error.is_of_one_reading() && self.reads_well(failure.as_deref().unwrap_or_default()).await? {
                let said = "an object looked damaged, and is intact when it is read again: no failed proof is stored";
                self.run.progress.warn(said);
                return Ok(());
            }
            let proof = self.repository.prepare_proof(self.manifest, occasion, ProofOutcome::Failed, depth).await?;
            self.store(Proof { verification, failure, ..proof }).await.map(drop)
        };
        if let Err(error) = self.run.until_cancelled(stored).await {
            let why = explain(&error);
            self.run.progress.warn(&format!("that the backup is damaged could not be written down: {why}"));
        }
    }

    /// Whether the objects that a failure names are right when they are read once more. `false`
    /// where it names none.
    async fn reads_well(&self, failure: &str) -> Result<bool, Error> {
        let named: Vec<_> = self.manifest.objects().filter(|object| failure.contains(object.key.as_str())).collect();
        for object in &named {
            let task = self.run.progress.task(object.key.as_str(), Some(object.plain.size));
            let read = self.repository.examine(object, task, |plain| std::io::copy(plain, &mut std::io::sink()));
            if read.await?.is_err() {
                return Ok(false);
            }
        }
        Ok(!named.is_empty())
    }

    async fn store(&self, proof: Proof) -> Result<ProofName, Error> {
        Ok(self.repository.store_proof(&proof).await?)
    }
}
