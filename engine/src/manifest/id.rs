//! Defines the ids of backups.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::store::is_segment;

/// `20261121T020003Z-3f9c`: sorts by time, and is safe in a path and in an object key. The second
/// part is the fraction of the second in 65,536ths, so it sorts too. If two backups fall into the
/// same fraction, the store's create-only writes refuse the later one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(into = "String", try_from = "String")]
#[schema(
    value_type = String,
    pattern = "^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{4}$",
    description = "A backup's id: `20261121T020003Z-3f9c`. It sorts by time."
)]
pub struct BackupId(String);

/// A text that is not a [`BackupId`].
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a backup id such as 20261121T020003Z-3f9c")]
pub struct InvalidBackupId(String);

impl BackupId {
    /// Returns the id of a backup that shows the moment `created_at`.
    pub fn new(created_at: Timestamp) -> Self {
        Self(stamp(created_at))
    }

    /// Returns the moment that it shows, or `None` if the id is not a valid moment.
    pub fn created_at(&self) -> Option<Timestamp> {
        moment(&self.0)
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The format of a second.
const SECOND: &str = "%Y%m%dT%H%M%SZ";

/// Returns a moment as it appears in names.
pub(crate) fn stamp(moment: Timestamp) -> String {
    let second = moment.to_zoned(TimeZone::UTC).strftime(SECOND).to_string();
    let fraction = (u64::from(moment.subsec_nanosecond().unsigned_abs()) << 16) / 1_000_000_000;
    format!("{second}-{fraction:04x}")
}

/// Returns the first moment with this [`stamp`].
pub(crate) fn moment(text: &str) -> Option<Timestamp> {
    let (second, fraction) = text.split_once('-')?;
    let second = DateTime::strptime(SECOND, second).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
    let fraction = u64::from(u16::from_str_radix(fraction, 16).ok()?);
    let moment = second + Duration::from_nanos((fraction * 1_000_000_000).div_ceil(1 << 16));
    (stamp(moment) == text).then_some(moment)
}

impl fmt::Display for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for BackupId {
    type Err = InvalidBackupId;

    fn from_str(text: &str) -> Result<Self, InvalidBackupId> {
        let bytes = text.as_bytes();
        let shape = |(i, byte): (usize, &u8)| match i {
            8 => *byte == b'T',
            15 => *byte == b'Z',
            16 => *byte == b'-',
            17.. => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            _ => byte.is_ascii_digit(),
        };
        let valid = bytes.len() == 21 && bytes.iter().enumerate().all(shape) && is_segment(text);
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidBackupId(text.to_owned())) }
    }
}

impl TryFrom<String> for BackupId {
    type Error = InvalidBackupId;

    fn try_from(text: String) -> Result<Self, InvalidBackupId> {
        text.parse()
    }
}

impl From<BackupId> for String {
    fn from(id: BackupId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time() {
        let ids = [
            "2026-11-21T02:00:03Z",
            "2026-11-21T02:00:03.25Z",
            "2026-11-21T02:00:03.999999999Z",
            "2026-11-21T02:00:04Z",
        ]
        .map(|time| BackupId::new(time.parse().unwrap()));
        assert_eq!(
            ids.each_ref().map(BackupId::as_str),
            ["20261121T020003Z-0000", "20261121T020003Z-4000", "20261121T020003Z-ffff", "20261121T020004Z-0000"]
        );
        assert!(ids.is_sorted());
        for id in ids {
            assert_eq!(id.as_str().parse::<BackupId>().unwrap(), id);
            assert_eq!(stamp(moment(id.as_str()).unwrap()), id.as_str());
        }
        for no_moment in
            ["20261321T020003Z-0000", "20261121T020003Z-FFFF", "20261121T020003Z-00000", "20261121T020003Z"]
        {
            assert_eq!(moment(no_moment), None, "{no_moment}");
        }
    }

    #[test]
    fn other_text_is_no_id() {
        for text in [
            "",
            "latest",
            "20261121T020003Z",
            "20261121T020003Z-3f9",
            "20261121T020003Z-3F9C",
            "20261121t020003Z-3f9c",
            "20261121T020003Z-3f9c/",
            "2026112.T020003Z-3f9c",
        ] {
            assert!(text.parse::<BackupId>().is_err(), "{text}");
        }
    }
}
