//! Chooses the volumes of earlier dumps that the next one may reference.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::earlier::Earlier;
use crate::dump::{Base, Built, Continued, FullReason, full_reason, kept, needs};
use crate::error::{Error, explain};
use crate::manifest::{DumpVolume, DumpVolumes};
use crate::repository::{BackupId, Repository, RepositoryError};

/// When the next dump builds upon nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct FullRules {
    /// A full dump was asked for.
    pub(super) asked: bool,
    /// The moment of the backup.
    pub(super) now: Timestamp,
    /// A chain that began before this moment is not continued.
    pub(super) oldest: Timestamp,
}

/// What the next dump is based on.
pub(super) struct DumpBase {
    /// The chunks that may be referenced.
    pub(super) base: Base,
    /// The volumes with these chunks, in the order of their numbers.
    pub(super) volumes: Vec<DumpVolume>,
    /// The full backup with which the chain begins. `None` if the next one is full itself.
    pub(super) chain: Option<BackupId>,
    /// What is wrong with earlier backups.
    pub(super) warnings: Vec<String>,
}

impl DumpBase {
    /// Finds what a dump of about `bytes` can build upon. Volumes that are known to be damaged, or
    /// whose index cannot be read, are left out: what is needed of them is stored again.
    ///
    /// # Errors
    /// [`Error::Repository`], [`Error::Store`] where the store is not available.
    pub(super) async fn find(earlier: &Earlier<'_>, rules: FullRules, bytes: u64) -> Result<Self, Error> {
        let mut warnings = Vec::new();
        let continued = match earlier.own.as_ref().and_then(|own| Some((&own.id, own.database.dump.volumes()?))) {
            None => Err(FullReason::First),
            Some((id, stored)) => Self::continued(earlier, rules, id, stored, &mut warnings).await?,
        };
        match continued {
            Ok((base, volumes, chain)) => {
                tracing::info!(volumes = volumes.len(), chain = %chain, "the dump builds upon earlier ones");
                Ok(Self { base, volumes, chain: Some(chain), warnings })
            }
            Err(reason) => {
                tracing::info!(%reason, "the dump is stored in full");
                let base = Base::full(bytes).map_err(RepositoryError::from)?;
                Ok(Self { base, volumes: Vec::new(), chain: None, warnings })
            }
        }
    }

    /// Continues the chain of the backup `id`, or returns why that must not be.
    async fn continued(
        earlier: &Earlier<'_>,
        rules: FullRules,
        id: &BackupId,
        stored: &DumpVolumes,
        warnings: &mut Vec<String>,
    ) -> Result<Result<(Base, Vec<DumpVolume>, BackupId), FullReason>, Error> {
        if earlier.refuted.range(&stored.chain..=id).next().is_some() {
            return Ok(Err(FullReason::Doubted));
        }
        let begun = stored.chain.created_at().unwrap_or(Timestamp::MAX);
        if let Some(reason) = full_reason(rules.asked, begun, rules.oldest, rules.now) {
            return Ok(Err(reason));
        }
        let built = match needed(earlier, stored).await? {
            Ok(built) => built,
            Err(reason) => {
                let key = &stored.map.key;
                warnings
                    .push(format!("{key} is damaged, and with it its backup: {reason}; the dump is stored in full"));
                return Ok(Err(FullReason::Doubted));
            }
        };
        let mut left_out = LeftOut { numbers: BTreeSet::new(), warnings };
        for volume in &stored.volumes {
            if let Some(reason) = earlier.reason_against([&volume.object, &volume.index]) {
                left_out.add(volume, &reason);
            }
        }
        let last = stored.volumes.iter().map(|volume| volume.n).max().unwrap_or(0);
        loop {
            let usable: Vec<_> = built.iter().copied().filter(|one| !left_out.numbers.contains(&one.number)).collect();
            let kept = kept(&usable, stored.dump.size);
            let volumes: Vec<_> = stored.volumes.iter().filter(|volume| kept.contains(&volume.n)).cloned().collect();
            match read_indexes(earlier.repository, &volumes, last).await? {
                Ok(base) => {
                    let base = base.finish(stored.dump.size);
                    return Ok(base.map(|base| (base, volumes, stored.chain.clone())));
                }
                // All are read again: what a damaged index began to say must not be used.
                Err((damaged, reason)) => left_out.add(damaged, &reason),
            }
        }
    }
}

/// Volumes that are not built upon.
struct LeftOut<'a> {
    numbers: BTreeSet<u32>,
    warnings: &'a mut Vec<String>,
}

impl LeftOut<'_> {
    fn add(&mut self, volume: &DumpVolume, reason: &str) {
        let key = &volume.object.key;
        self.warnings.push(format!(
            "{key} is damaged, and with it the backups that reference it: {reason}; what is needed of it is stored again"
        ));
        self.numbers.insert(volume.n);
    }
}

/// Returns how much the dump needs of each of its volumes, by its map. If that is damaged, returns
/// why.
async fn needed(earlier: &Earlier<'_>, stored: &DumpVolumes) -> Result<Result<Vec<Built>, String>, Error> {
    if let Some(reason) = earlier.reason_against([&stored.map]) {
        return Ok(Err(reason));
    }
    let segments = match earlier.repository.segments(stored).await.map_err(Error::from) {
        Ok(segments) => segments,
        Err(error) if error.is_damage() => return Ok(Err(explain(&error).to_string())),
        Err(error) => return Err(error),
    };
    let sizes = stored.sizes();
    let built = sizes.iter().zip(needs(&segments, &sizes));
    Ok(Ok(built.map(|(volume, needed)| Built { number: volume.number, bytes: volume.bytes, needed }).collect()))
}

/// Reads the indexes of these volumes, up to the first that is damaged.
async fn read_indexes<'a>(
    repository: &Repository,
    volumes: &'a [DumpVolume],
    last: u32,
) -> Result<Result<Continued, (&'a DumpVolume, String)>, Error> {
    let mut base = Continued::after(last);
    for volume in volumes {
        let (number, lengths) = (volume.n, volume.lengths());
        let read = repository.read_cached(&volume.index, move |index| {
            base.add(number, index, lengths)?;
            Ok(base)
        });
        base = match read.await.map_err(Error::from) {
            Ok(base) => base,
            Err(error) if error.is_damage() => return Ok(Err((volume, explain(&error).to_string()))),
            Err(error) => return Err(error),
        };
    }
    Ok(Ok(base))
}
