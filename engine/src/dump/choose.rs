//! Decides, before a dump, which volumes of the previous backup it may reference, and when the next
//! backup references none.

use std::cmp::Reverse;
use std::fmt;

use jiff::Timestamp;

/// The most volumes that a backup is based on, its own included.
pub const MOST_VOLUMES: usize = 16;

/// The bytes of the volumes that a backup is based on, in hundredths of the dump's bytes. It limits
/// what a restore fetches, and what a chain stores.
const LARGEST_SHARE: u64 = 175;

/// A volume of the previous backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Built {
    /// Its number in the map.
    pub number: u32,
    /// Its bytes before compression.
    pub bytes: u64,
    /// How many of them the previous dump needs.
    pub needed: u64,
}

impl Built {
    fn waste(&self) -> u64 {
        self.bytes.saturating_sub(self.needed)
    }
}

/// Returns the numbers of the volumes that the next backup may reference, in their order. The
/// previous dump had `dump` bytes.
///
/// If all volumes are too large together, the one with the most waste for each byte that is needed
/// is left out, again and again. If they are too many, the half of which least is needed is left
/// out. What is needed of those is stored again.
pub fn kept(volumes: &[Built], dump: u64) -> Vec<u32> {
    let mut kept: Vec<_> = volumes.iter().copied().filter(|volume| volume.needed > 0).collect();
    let most = u128::from(dump) * u128::from(LARGEST_SHARE) / 100;
    let mut again = 0;
    while total(&kept) + again > most {
        // Every volume's bytes are wasted or needed, so what is left is at most the dump.
        let Some(worst) = (0..kept.len()).max_by(|a, b| by_waste(&kept[*a], &kept[*b])) else { break };
        again += u128::from(kept.remove(worst).needed);
    }
    if kept.len() >= MOST_VOLUMES {
        kept.sort_by_key(|volume| (Reverse(volume.needed), volume.number));
        kept.truncate(MOST_VOLUMES / 2);
    }
    let kept: std::collections::BTreeSet<_> = kept.into_iter().map(|volume| volume.number).collect();
    volumes.iter().map(|volume| volume.number).filter(|number| kept.contains(number)).collect()
}

fn total(volumes: &[Built]) -> u128 {
    volumes.iter().map(|volume| u128::from(volume.bytes)).sum()
}

/// Compares waste divided by need; of equals, the smaller volume is the worse one.
fn by_waste(a: &Built, b: &Built) -> std::cmp::Ordering {
    let share = |a: &Built, b: &Built| u128::from(a.waste()) * u128::from(b.needed);
    share(a, b).cmp(&share(b, a)).then(b.needed.cmp(&a.needed)).then(a.number.cmp(&b.number))
}

/// Why a backup references no earlier dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FullReason {
    /// There is none to reference, or only one that may not be.
    First,
    /// The operator asked for it.
    Asked,
    /// The last full backup is older than configured.
    Due,
    /// The last full backup lies in the future, so it is unknown how old it is.
    Future,
    /// The dump is to be cut in another way.
    Chunker,
    /// A backup of the chain failed verification, or its map is damaged.
    Doubted,
    /// Nothing of the earlier volumes can be used.
    Nothing,
}

impl fmt::Display for FullReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::First => "there is no earlier backup to build upon",
            Self::Asked => "it was asked for",
            Self::Due => "the last full backup is older than `full_every`",
            Self::Future => "the last full backup is dated in the future",
            Self::Chunker => "the dump is cut in another way than before",
            Self::Doubted => "an earlier backup of the chain failed verification or is damaged",
            Self::Nothing => "nothing of the earlier volumes can be used",
        })
    }
}

/// Returns why a backup at `now` must be full, although there is a chain to continue.
///
/// `begun` is the date of the chain's full backup, and `oldest` the moment `full_every` before
/// `now`.
pub fn full_reason(asked: bool, begun: Timestamp, oldest: Timestamp, now: Timestamp) -> Option<FullReason> {
    if asked {
        Some(FullReason::Asked)
    } else if begun > now {
        Some(FullReason::Future)
    } else if begun <= oldest {
        Some(FullReason::Due)
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
