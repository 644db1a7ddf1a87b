//! The values that a policy is written with. Each is checked when it is read, so that a policy in
//! memory has only valid ones.

use std::{fmt, str::FromStr};

use jiff::{
    SignedDuration, Span, SpanRound, Timestamp, Unit,
    fmt::friendly::{Designator, Spacing, SpanPrinter},
    tz::{TimeZone, TimeZoneDatabase},
};
use serde::{Deserialize, Deserializer, Serialize, de};

/// A value of a policy that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// Not a length of time.
    #[error("unable to read {text:?} as a length of time: {reason}")]
    Age {
        /// What was written.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Not a percentage.
    #[error("unable to read {text:?} as a percentage: it must be a whole number from 0 to 100")]
    Percent {
        /// What was written.
        text: String,
    },
    /// Not a name of the IANA time zone database.
    #[error("unknown time zone {name:?}")]
    Zone {
        /// What was written.
        name: String,
    },
}

impl SettingError {
    /// Returns how to fix it.
    pub fn hint(&self) -> &'static str {
        match self {
            SettingError::Age { .. } => "write a length of time as in \"36 hours\", \"14 days\" or \"1 year 6 months\"",
            SettingError::Percent { .. } => "write a percentage as in 30 or \"30%\"; 100 turns the check off",
            SettingError::Zone { .. } => {
                "write a name of the IANA time zone database, as in \"Europe/Brussels\" or \"UTC\""
            }
        }
    }
}

/// A length of time as a person writes it: `36 hours`, `14 days`, `1 year 6 months`, `P14D`. Always
/// positive.
///
/// Days and longer units are those of the calendar: `1 day` before a noon is the noon before, be it
/// 23, 24 or 25 hours ago.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Age(Span);

impl Age {
    /// Returns a number of months, at least one.
    pub fn months(months: u8) -> Self {
        Self(Span::new().months(months.max(1)))
    }

    /// Returns the moment that lies this long before `moment`; `None` if it is before year -9999,
    /// which cannot be represented.
    pub fn before(&self, moment: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let earlier = moment.to_zoned(zone.clone()).checked_sub(self.0).ok()?;
        Some(earlier.timestamp())
    }

    /// Returns the moment this long after `moment`; `None` if it is after year 9999, which cannot
    /// be represented.
    pub fn after(&self, moment: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let later = moment.to_zoned(zone.clone()).checked_add(self.0).ok()?;
        Some(later.timestamp())
    }
}

impl PartialEq for Age {
    /// Compares ages as written: `24 hours` and `1 day` differ, as they do twice a year.
    fn eq(&self, other: &Self) -> bool {
        self.0.fieldwise() == other.0.fieldwise()
    }
}

impl Eq for Age {}

impl FromStr for Age {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = |reason: String| SettingError::Age { text: text.to_owned(), reason };
        let span: Span = text.parse().map_err(|error: jiff::Error| refuse(error.to_string()))?;
        if !span.is_positive() {
            return Err(refuse("it must be longer than zero".to_owned()));
        }
        Ok(Age(span))
    }
}

impl TryFrom<String> for Age {
    type Error = SettingError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Age> for String {
    fn from(age: Age) -> Self {
        age.to_string()
    }
}

impl TryFrom<SignedDuration> for Age {
    type Error = SettingError;

    /// Converts exact time, for computed ages. Refuses what is not positive.
    fn try_from(duration: SignedDuration) -> Result<Self, Self::Error> {
        let refuse = |reason: String| SettingError::Age { text: format!("{duration:#}"), reason };
        let hours = SpanRound::new().largest(Unit::Hour);
        let span =
            Span::try_from(duration).and_then(|span| span.round(hours)).map_err(|error| refuse(error.to_string()))?;
        if !span.is_positive() {
            return Err(refuse("it must be longer than zero".to_owned()));
        }
        Ok(Age(span))
    }
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const PRINTER: SpanPrinter =
            SpanPrinter::new().designator(Designator::Verbose).spacing(Spacing::BetweenUnitsAndDesignators);
        f.write_str(&PRINTER.span_to_string(&self.0))
    }
}

/// A whole percentage, 0 to 100. Written `30` or `"30%"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Percent(u8);

impl Percent {
    /// 50 %
    pub const HALF: Self = Self(50);

    /// Returns a percentage; `value` must be at most 100.
    pub(crate) const fn of(value: u8) -> Self {
        assert!(value <= 100);
        Percent(value)
    }

    /// Returns whether `after` is less than `before` by more than this. Exact, for all values.
    pub fn exceeded_by_fall(self, before: u64, after: u64) -> bool {
        u128::from(after) * 100 < u128::from(before) * u128::from(100 - self.0)
    }

    /// Returns whether `part` is less than this part of `whole`. Exact, for all values.
    pub fn is_undercut(self, part: u64, whole: u64) -> bool {
        u128::from(part) * 100 < u128::from(whole) * u128::from(self.0)
    }
}

impl TryFrom<u64> for Percent {
    type Error = SettingError;

    fn try_from(value: u64) -> Result<Self, Self::Error> {
        match u8::try_from(value) {
            Ok(small) if small <= 100 => Ok(Percent(small)),
            _ => Err(SettingError::Percent { text: value.to_string() }),
        }
    }
}

impl FromStr for Percent {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.strip_suffix('%').unwrap_or(text).trim();
        let value: u64 = number.parse().map_err(|_| SettingError::Percent { text: text.to_owned() })?;
        value.try_into().map_err(|_| SettingError::Percent { text: text.to_owned() })
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Percent;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a percentage, as in 30 or \"30%\"")
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Percent, E> {
                value.try_into().map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Percent, E> {
                let text = || SettingError::Percent { text: value.to_string() };
                u64::try_from(value).map_err(|_| text()).and_then(Percent::try_from).map_err(E::custom)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Percent, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0)
    }
}

/// A time zone by its IANA name.
///
/// Taken from the system's database where it has the zone, because the distribution keeps that one
/// up to date; from the copy in the binary where it does not, as in a container without `tzdata`,
/// or for names that Debian moved to `tzdata-legacy`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(TimeZone);

impl Zone {
    /// Returns coordinated universal time.
    pub const fn utc() -> Self {
        Zone(TimeZone::UTC)
    }

    /// Returns the rules of the zone.
    pub fn rules(&self) -> &TimeZone {
        &self.0
    }
}

impl FromStr for Zone {
    type Err = SettingError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        TimeZone::get(name)
            .or_else(|_| TimeZoneDatabase::bundled().get(name))
            .map(Zone)
            .map_err(|_| SettingError::Zone { name: name.to_owned() })
    }
}

impl TryFrom<String> for Zone {
    type Error = SettingError;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.to_string()
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.iana_name().unwrap_or("unknown"))
    }
}

#[cfg(test)]
mod tests;
