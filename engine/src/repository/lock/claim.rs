//! Describes the object by which a process says what it does to an instance.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Owner;
use crate::repository::BackupId;
use crate::store::{Key, Object};

pub(super) use crate::repository::layout::LOCKS;

/// What is done to an instance while it is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// A backup is made.
    Backup,
    /// Backups are copied here from another repository.
    Copy,
    /// Backups that the policy does not keep, and unreferenced objects, are removed.
    Prune,
    /// One backup is removed because the operator said so.
    Forget,
    /// Damaged objects are recreated, or backups quarantined.
    Repair,
    /// The operator's marks are stored: pins, and accepted figures.
    Pin,
    /// A backup is read.
    Read,
}

impl Purpose {
    const ALL: [Self; 7] = [Self::Backup, Self::Copy, Self::Prune, Self::Forget, Self::Repair, Self::Pin, Self::Read];

    /// Returns whether the two exclude each other. Reading excludes nothing: removal looks for
    /// readers and spares what they read.
    pub fn conflicts_with(self, other: Self) -> bool {
        use Purpose::{Backup, Copy, Forget, Pin, Prune, Read, Repair};
        match (self, other) {
            (Read, _) | (_, Read) | (Pin, Pin | Backup | Copy) | (Backup | Copy, Pin) => false,
            (Backup | Copy | Prune | Forget | Repair | Pin, Backup | Copy | Prune | Forget | Repair | Pin) => true,
        }
    }

    /// Returns whether it takes moments, so that another process should wait for it.
    pub(super) fn is_short(self) -> bool {
        !matches!(self, Self::Backup | Self::Copy | Self::Repair)
    }

    /// Returns the word in object names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Copy => "copy",
            Self::Prune => "prune",
            Self::Forget => "forget",
            Self::Repair => "repair",
            Self::Pin => "pin",
            Self::Read => "read",
        }
    }
}

impl fmt::Display for Purpose {
    /// Writes what is being done, to follow "being".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Backup => "backed up",
            Self::Copy => "copied to",
            Self::Prune => "pruned",
            Self::Forget => "cleared of a backup",
            Self::Repair => "repaired",
            Self::Pin => "marked",
            Self::Read => "read",
        })
    }
}

/// The content of a claim's object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// What is being done.
    pub purpose: Purpose,
    /// The instance that is locked.
    pub instance: String,
    /// The backups that are read or removed. Empty if unknown, or if all are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backups: Vec<BackupId>,
    /// The process that owns the claim.
    pub owner: Owner,
    /// When it was stored, by the owner's clock. For display only, never compared.
    pub since: Timestamp,
    /// How long it is valid after the last modification of its object. Each renewal changes that
    /// time.
    pub lease: SignedDuration,
    /// Whether the lock is held. Otherwise the owner waits for it.
    pub held: bool,
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { purpose, instance, owner, since, .. } = self;
        let doing = if self.held { "is being" } else { "is about to be" };
        write!(f, "{} {doing} {purpose} by {owner} since {since:.0}", instance.escape_debug())
    }
}

/// The name of a claim's object: `locks/<instance>/<purpose>-<id>.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// `None` for a claim of a later version, or of another origin. It conflicts with every purpose
    /// that conflicts with any.
    pub(super) purpose: Option<Purpose>,
    /// Random, so that no two claims share an object. Of two that wait, the lower one goes first.
    pub(super) id: String,
}

impl Name {
    /// Returns a new unique name.
    pub(super) fn draw(purpose: Purpose) -> Result<Self, getrandom::Error> {
        Ok(Self { purpose: Some(purpose), id: format!("{:016x}", getrandom::u64()?) })
    }

    pub(super) fn of(key: &Key) -> Self {
        let name = key.name().strip_suffix(".json").unwrap_or(key.name());
        let (word, id) = name.rsplit_once('-').unwrap_or(("", name));
        let purpose = Purpose::ALL.into_iter().find(|purpose| purpose.as_str() == word);
        Self { purpose, id: id.to_owned() }
    }

    pub(super) fn key(&self, instance: &str) -> Key {
        let purpose = self.purpose.map_or("unknown", Purpose::as_str);
        folder(instance, &format!("/{purpose}-{}.json", self.id))
    }

    pub(super) fn conflicts_with(&self, purpose: Purpose) -> bool {
        match self.purpose {
            Some(other) => other.conflicts_with(purpose),
            None => purpose != Purpose::Read,
        }
    }
}

/// Returns the folder of an instance's claims, followed by `rest`.
pub(super) fn folder(instance: &str, rest: &str) -> Key {
    #[expect(clippy::expect_used, reason = "an instance's name is checked where it is read")]
    Key::new(format!("{LOCKS}/{instance}{rest}")).expect("an instance's name is a segment of a key")
}

/// A claim as it is stored.
#[derive(Debug, Clone)]
pub struct StoredClaim {
    /// Its object, with the time of the last modification by the store's clock.
    pub object: Object,
    /// Its content. `None` if it cannot be understood.
    pub claim: Option<Claim>,
}

impl StoredClaim {
    /// Returns the instance that is locked.
    pub fn instance(&self) -> &str {
        self.object.key.segments().nth(1).unwrap_or_default()
    }

    /// Returns how long ago it was renewed, if `now` is the time by the store's clock.
    pub fn age(&self, now: Timestamp) -> SignedDuration {
        now.duration_since(self.object.modified)
    }

    /// Returns whether its owner has certainly ended, or must have stopped because it could not
    /// renew it.
    pub fn is_dead(&self, now: Timestamp) -> bool {
        self.has_ended() || self.has_lapsed(now)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.claim.as_ref().is_some_and(|claim| claim.owner.has_ended())
    }

    pub(super) fn has_lapsed(&self, now: Timestamp) -> bool {
        self.age(now) > self.lease()
    }

    /// Returns whether it is dated further in the future than a renewal lasts. By that date it
    /// would never expire.
    pub(super) fn is_from_the_future(&self, now: Timestamp) -> bool {
        self.age(now) < -self.lease()
    }

    pub(super) fn lease(&self) -> SignedDuration {
        // A claim with a forged lease must not be valid for ever.
        const LONGEST: SignedDuration = SignedDuration::from_hours(1);
        let written = self.claim.as_ref().map_or(super::LEASE, |claim| claim.lease);
        written.clamp(SignedDuration::ZERO, LONGEST)
    }

    /// Returns who does what, in words for messages.
    pub fn describe(&self) -> String {
        match &self.claim {
            Some(claim) => claim.to_string(),
            None => format!("{} is locked by {}, which this version cannot read", self.instance(), self.object.key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_conflict_except_with_readers() {
        for purpose in Purpose::ALL {
            let name = Name::draw(purpose).unwrap();
            assert_eq!(Name::of(&name.key("shop-1.example")), name);
        }
        for strange in ["locks/x/mend-00.json", "locks/x/note.txt", "locks/x/backup-x/y"] {
            let name = Name::of(&Key::new(strange).unwrap());
            assert_eq!(name.purpose, None);
            assert!(name.conflicts_with(Purpose::Backup) && name.conflicts_with(Purpose::Pin));
            assert!(!name.conflicts_with(Purpose::Read));
        }
    }

    #[test]
    fn conflicts_are_mutual() {
        for one in Purpose::ALL {
            for other in Purpose::ALL {
                assert_eq!(one.conflicts_with(other), other.conflicts_with(one), "{one:?} {other:?}");
            }
        }
        let with = |purpose: Purpose| Purpose::ALL.map(|other| u8::from(purpose.conflicts_with(other)));
        assert_eq!(with(Purpose::Backup), [1, 1, 1, 1, 1, 0, 0]);
        assert_eq!(with(Purpose::Copy), with(Purpose::Backup));
        assert_eq!(with(Purpose::Prune), [1, 1, 1, 1, 1, 1, 0]);
        assert_eq!(with(Purpose::Pin), [0, 0, 1, 1, 1, 0, 0]);
    }
}
