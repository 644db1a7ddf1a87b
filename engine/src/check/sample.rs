//! Parses how much is to be read back.

use std::fmt;
use std::str::FromStr;

/// A part of everything that can be read back: `5%`, `10GB`, or `100%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sample {
    /// Thousandths of a per cent of the stored bytes.
    Share(u32),
    /// A number of stored bytes.
    Bytes(u64),
}

/// A text that is not a [`Sample`].
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is neither a percentage, such as 5%, nor a size, such as 10GB or 10GiB")]
pub struct InvalidSample(String);

const WHOLE: u32 = 100_000;
const UNITS: [(&str, u64); 9] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
];

impl Sample {
    /// Everything.
    pub const ALL: Self = Self::Share(WHOLE);

    /// Only what was damaged when it was last read.
    pub(crate) const DAMAGED_BEFORE: Self = Self::Bytes(0);

    /// Returns how many of `total` bytes the sample has.
    pub(super) fn of(self, total: u64) -> u64 {
        match self {
            Self::Share(share) => {
                let part = u128::from(total) * u128::from(share) / u128::from(WHOLE);
                u64::try_from(part).unwrap_or(u64::MAX)
            }
            Self::Bytes(bytes) => bytes,
        }
    }
}

impl FromStr for Sample {
    type Err = InvalidSample;

    fn from_str(text: &str) -> Result<Self, InvalidSample> {
        let invalid = || InvalidSample(text.to_owned());
        if let Some(number) = text.strip_suffix('%') {
            let share = in_units(number, u64::from(WHOLE / 100)).ok_or_else(invalid)?;
            let share = u32::try_from(share).ok().filter(|share| (1..=WHOLE).contains(share));
            return share.map(Self::Share).ok_or_else(invalid);
        }
        let upper = text.to_ascii_uppercase();
        let unit = UNITS.iter().find_map(|(name, unit)| Some((upper.strip_suffix(&name.to_ascii_uppercase())?, *unit)));
        let (number, unit) = unit.ok_or_else(invalid)?;
        in_units(number.trim_end(), unit).filter(|bytes| *bytes > 0).map(Self::Bytes).ok_or_else(invalid)
    }
}

/// Returns a decimal number of units as bytes.
fn in_units(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || fraction.len() > 6 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let scale = 10_u64.pow(u32::try_from(fraction.len()).ok()?);
    let thousandths = if fraction.is_empty() { 0 } else { fraction.parse::<u64>().ok()? };
    let part = u128::from(thousandths) * u128::from(unit) / u128::from(scale);
    whole.parse::<u64>().ok()?.checked_mul(unit)?.checked_add(u64::try_from(part).ok()?)
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(share) => {
                let (whole, rest) = (share / 1000, share % 1000);
                match rest {
                    0 => write!(f, "{whole}%"),
                    rest => write!(f, "{whole}.{}%", format!("{rest:03}").trim_end_matches('0')),
                }
            }
            Self::Bytes(bytes) => write!(f, "{bytes}B"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sample_text_is_parsed() {
        let read = |text: &str| text.parse::<Sample>().unwrap();
        assert_eq!(read("100%"), Sample::ALL);
        assert_eq!((read("5%").of(1000), read("2.5%").to_string(), read("0.5%").of(1000)), (50, "2.5%".into(), 5));
        assert_eq!((read("10GB"), read("10gb")), (Sample::Bytes(10_000_000_000), Sample::Bytes(10_000_000_000)));
        assert_eq!((read("1.5 GiB"), read("7B")), (Sample::Bytes(3 << 29), Sample::Bytes(7)));
        assert_eq!(Sample::ALL.of(u64::MAX), u64::MAX);
        let wrong = ["", "%", "0%", "101%", "-5%", "5", "GB", "0GB", "1e3GB", "5 per cent", "1.GB%", "99999999TB"];
        for wrong in wrong {
            assert!(wrong.parse::<Sample>().is_err(), "{wrong}");
        }
    }
}
