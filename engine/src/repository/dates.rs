//! Decides which dates can be right, and by which clock.

use jiff::{SignedDuration, Timestamp};

use super::{BackupId, Repository};
use crate::manifest::Manifest;

/// How far two clocks may differ before a date counts as wrong.
pub const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// Returns whether `date` is later than `now` by more than [`CLOCK_TOLERANCE`].
pub fn is_future(date: Timestamp, now: Timestamp) -> bool {
    date.duration_since(now) > CLOCK_TOLERANCE
}

impl BackupId {
    /// Returns whether the id shows a moment later than `now`, or no moment at all.
    pub fn is_future(&self, now: Timestamp) -> bool {
        self.created_at().is_none_or(|moment| is_future(moment, now))
    }
}

impl Manifest {
    /// Returns whether the backup is dated later than `now`, by its id or by its manifest.
    pub fn is_future(&self, now: Timestamp) -> bool {
        self.id.is_future(now) || is_future(self.created_at, now)
    }

    /// Returns the later of the two dates. They differ only if somebody changed one of them.
    pub(crate) fn latest_date(&self) -> Timestamp {
        self.id.created_at().map_or(self.created_at, |moment| moment.max(self.created_at))
    }
}

/// The time by this machine's clock and by the repository's clock, at the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clocks {
    /// This machine's clock.
    pub own: Timestamp,
    /// The repository's clock. `None` if it cannot be read.
    pub store: Option<Timestamp>,
}

impl Default for Clocks {
    fn default() -> Self {
        Self { own: Timestamp::now(), store: None }
    }
}

impl Clocks {
    /// Returns the time by which dates in the repository are judged.
    pub fn now(&self) -> Timestamp {
        self.store.unwrap_or(self.own)
    }

    /// Returns the earlier of the two. By it the most dates count as future dates, and backups with
    /// future dates are never removed.
    pub(crate) fn earlier(&self) -> Timestamp {
        self.store.map_or(self.own, |store| store.min(self.own))
    }

    /// Returns how far this machine's clock is ahead of the repository's. It is negative if the
    /// clock is behind, and zero within the tolerance.
    pub fn ahead(&self) -> SignedDuration {
        let ahead = self.store.map_or(SignedDuration::ZERO, |store| self.own.duration_since(store));
        if ahead.abs() > CLOCK_TOLERANCE { ahead } else { SignedDuration::ZERO }
    }

    /// Returns a sentence that says how the clocks differ, if they do.
    pub fn disagreement(&self) -> Option<String> {
        let ahead = self.ahead();
        let minutes = SignedDuration::from_mins((ahead.abs().as_secs() + 30) / 60);
        let side = if ahead.is_positive() { "ahead of" } else { "behind" };
        (!ahead.is_zero()).then(|| format!("the clock of this machine is {minutes:#} {side} that of the repository"))
    }
}

impl Repository {
    /// Reads both clocks.
    pub async fn clocks(&self) -> Clocks {
        let store = self.store.clock().await;
        Clocks { own: Timestamp::now(), store }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn id_later_than_tolerance_is_future() {
        let now = at("2026-11-21T02:00:00Z");
        for (id, future) in [
            ("20261121T015900Z-0000", false),
            ("20261121T020459Z-0000", false),
            ("20261121T020501Z-0000", true),
            ("20421121T020000Z-0000", true),
            ("99991231T235959Z-ffff", true),
            ("20261341T020000Z-0000", true),
        ] {
            assert_eq!(id.parse::<BackupId>().unwrap().is_future(now), future, "{id}");
        }
    }

    #[test]
    fn clocks_report_their_difference() {
        let clocks = |own: &str, store: Option<&str>| Clocks { own: at(own), store: store.map(at) };
        let noon = "2026-11-21T12:00:00Z";
        assert_eq!(clocks(noon, None).disagreement(), None);
        assert_eq!(clocks(noon, Some("2026-11-21T12:04:00Z")).disagreement(), None);
        let said = |clocks: Clocks| clocks.disagreement().unwrap();
        let behind = clocks(noon, Some("2026-11-21T14:30:00Z"));
        assert_eq!(said(behind), "the clock of this machine is 2h 30m behind that of the repository");
        assert_eq!((behind.now(), behind.earlier()), (at("2026-11-21T14:30:00Z"), at(noon)));
        let ahead = clocks(noon, Some("2026-11-21T09:00:00Z"));
        assert_eq!(said(ahead), "the clock of this machine is 3h ahead of that of the repository");
        assert_eq!(ahead.earlier(), at("2026-11-21T09:00:00Z"));
    }
}
