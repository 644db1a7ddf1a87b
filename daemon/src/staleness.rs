//! When an instance has been without a good backup for too long. This is the only definition:
//! `status`, the API, the metrics and the notices use it. `docs/daemon.md` describes it.

use std::fmt;

use config::Routine;
use jiff::{SignedDuration, Timestamp};

/// The time in addition to the longest pause of a schedule, for the run, its retries, and a machine
/// that was asleep. It is half that pause within these limits: a backup every few minutes may take
/// longer, and a monthly one is missed sooner.
const LEAST_GRACE: SignedDuration = SignedDuration::from_hours(1);
const MOST_GRACE: SignedDuration = SignedDuration::from_hours(24);

/// Returns how old the newest good backup may become: as the configuration says, else by the
/// longest pause of the schedule. Returns `None` without either.
pub(crate) fn allowed_age(routine: &Routine, pause: Option<SignedDuration>) -> Option<SignedDuration> {
    let length = |duration| SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
    let scheduled = pause.map(|pause| {
        let grace = (pause / 2).clamp(LEAST_GRACE, MOST_GRACE);
        pause.saturating_add(grace).saturating_add(length(routine.splay))
    });
    routine.stale_after.map(length).or(scheduled)
}

/// From when on an instance is without a good backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// The moment that its newest good backup shows.
    Backup(Timestamp),
    /// It has none; when the daemon started to watch it.
    Watched(Timestamp),
}

/// An instance that has been without a good backup for longer than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Staleness {
    since: Since,
    age: SignedDuration,
    allowed: SignedDuration,
}

impl Staleness {
    pub(crate) fn of(since: Since, allowed: SignedDuration, now: Timestamp) -> Option<Self> {
        let (Since::Backup(at) | Since::Watched(at)) = since;
        let age = now.duration_since(at);
        (age > allowed).then_some(Self { since, age, allowed })
    }
}

impl fmt::Display for Staleness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.since {
            Since::Backup(at) => write!(f, "no good backup since {at:.0}")?,
            Since::Watched(at) => write!(f, "no good backup at all, watched since {at:.0}")?,
        }
        write!(f, ", for {} (limit: {})", length(self.age), length(self.allowed))
    }
}

/// Formats a length to the minute: `36h 10m`.
fn length(duration: SignedDuration) -> String {
    let minutes = SignedDuration::from_mins(duration.as_mins());
    format!("{minutes:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowed_age_follows_schedule() {
        let hours = SignedDuration::from_hours;
        for (pause, allowed) in [(hours(24), hours(36)), (hours(7 * 24), hours(8 * 24)), (hours(1), hours(2))] {
            assert_eq!(allowed_age(&Routine::default(), Some(pause)), Some(allowed));
        }
        let splayed = Routine { splay: std::time::Duration::from_secs(600), ..Routine::default() };
        assert_eq!(allowed_age(&splayed, Some(hours(24))), Some(hours(36) + SignedDuration::from_mins(10)));
        let said = Routine { stale_after: Some(std::time::Duration::from_secs(7200)), ..Routine::default() };
        assert_eq!(allowed_age(&said, Some(hours(24))), Some(hours(2)));
        assert_eq!(allowed_age(&said, None), Some(hours(2)));
        assert_eq!(allowed_age(&Routine::default(), None), None);
    }

    #[test]
    fn staleness_beyond_limit_is_reported() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let stale = |since, now| Staleness::of(since, SignedDuration::from_hours(36), at(now)).map(|it| it.to_string());
        let since = Since::Backup(at("2026-11-01T02:00:07Z"));
        assert_eq!(stale(since, "2026-11-02T14:00:07Z"), None);
        let said = "no good backup since 2026-11-01T02:00:07Z, for 36h 1m (limit: 36h)";
        assert_eq!(stale(since, "2026-11-02T14:01:07Z").as_deref(), Some(said));
    }
}
