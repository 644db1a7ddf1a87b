//! Formats the proofs of a backup: what verified copies of it have shown.

use engine::manifest::Manifest;
use engine::repository::{Evidence, Proof, ProofName, Repository, RepositoryError, Timings};
use engine::store::Key;
use engine::text::one_line;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::table::{day, time};

/// Formats the latest verification for a column.
pub(super) fn brief(evidence: Option<&Evidence>) -> String {
    match evidence {
        None => "-".to_owned(),
        Some(Evidence::Proven(proof)) => format!("{} {}", day(proof.at), proof.depth),
        Some(Evidence::Refuted(failed)) => format!("FAILED {}", day(failed.at)),
    }
}

/// What was last seen of a backup.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = StoredProof)]
#[expect(clippy::large_enum_variant, reason = "there is one, and it is printed")]
pub(super) enum ProofDocument {
    /// The proof as it is stored, and its object.
    Read {
        #[serde(flatten)]
        proof: Proof,
        /// Its object.
        key: Key,
    },
    /// What its name says, where it cannot be read.
    Named(ProofName),
}

/// The verifications of one backup, with the latest proof.
pub(super) struct Seen {
    evidence: Option<Evidence>,
    /// `Err`: why the proof cannot be read.
    proof: Option<Result<Proof, String>>,
}

impl Seen {
    pub(super) async fn of(repository: &Repository, manifest: &Manifest) -> Result<Self, RepositoryError> {
        let evidence = repository.proofs(&manifest.instance).await?.remove(&manifest.id);
        let proof = match &evidence {
            None => None,
            // A damaged proof must not keep the backup from being shown.
            Some(evidence) => Some(repository.proof(evidence.name()).await.map_err(|error| error.to_string())),
        };
        Ok(Self { evidence, proof })
    }

    /// Returns the time of the successful verification, if there is one.
    pub(super) fn proven(&self) -> Option<Timestamp> {
        self.evidence.as_ref().and_then(Evidence::proven).map(|proof| proof.at)
    }

    /// Returns the proof, or what its name says if it cannot be read.
    pub(super) fn document(&self) -> Option<ProofDocument> {
        let name = self.evidence.as_ref()?.name();
        Some(match &self.proof {
            Some(Ok(proof)) => ProofDocument::Read { proof: proof.clone(), key: name.key.clone() },
            _ => ProofDocument::Named(name.clone()),
        })
    }

    /// Formats the verification in one or two lines.
    pub(super) fn text(&self) -> String {
        let mut text = match &self.evidence {
            None => "  verified      not yet: no restored copy was compared with it\n".to_owned(),
            Some(Evidence::Proven(name)) => format!("  verified      {}\n", self.circumstances(name)),
            Some(Evidence::Refuted(name)) => format!("  verified      FAILED {}\n", self.circumstances(name)),
        };
        match &self.proof {
            Some(Ok(Proof { failure: Some(failure), .. })) => {
                text.push_str(&format!("  failure       {}\n", one_line(failure)))
            }
            Some(Err(why)) => text.push_str(&format!("  proof         cannot be read: {}\n", one_line(why))),
            _ => {}
        }
        text
    }

    fn circumstances(&self, name: &ProofName) -> String {
        let mut text = format!("{}, {}", time(name.at), name.depth);
        let Some(Ok(proof)) = &self.proof else { return text };
        text.push_str(&format!(", by a {} with odoo-backup {}", proof.occasion, proof.program));
        if let Some(verification) = &proof.verification {
            text.push_str(&format!(" on PostgreSQL {}", verification.server));
        }
        if let Some(timings) = &proof.seconds {
            text.push_str(&format!("; {}", took(timings)));
        }
        // Everyone who can write to the repository can change a stored text.
        one_line(&text).into_owned()
    }
}

/// Returns the key of the proof.
pub(super) fn stored(proof: Option<&ProofName>) -> &str {
    proof.map_or("not stored", |proof| proof.key.as_str())
}

/// Formats the duration of a restore, with its parts.
pub(super) fn took(timings: &Timings) -> String {
    let Timings { total, database, filestore, verification, neutralization, anonymization } = timings;
    let parts = [
        ("database", database),
        ("filestore", filestore),
        ("verification", verification),
        ("neutralization", neutralization),
        ("anonymization", anonymization),
    ];
    let parts = parts.into_iter().filter(|(_, took)| !took.is_zero());
    let parts: Vec<_> = parts.map(|(name, took)| format!("{name} {:.1} s", took.as_secs_f64())).collect();
    format!("{:.1} s ({})", total.as_secs_f64(), parts.join(", "))
}
