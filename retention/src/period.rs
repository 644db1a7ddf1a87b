//! Hours, days, weeks, months and years of the calendar, in a time zone.

use std::fmt;

use jiff::{
    Timestamp,
    civil::Date,
    tz::{Offset, TimeZone},
};

/// The generations of grandfather-father-son, from the shortest period to the longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tier {
    /// One for each hour.
    Hourly,
    /// One for each day.
    Daily,
    /// One for each week of ISO 8601.
    Weekly,
    /// One for each month.
    Monthly,
    /// One for each year.
    Yearly,
}

impl Tier {
    /// All of them, from the shortest period to the longest.
    pub const ALL: [Tier; 5] = [Tier::Hourly, Tier::Daily, Tier::Weekly, Tier::Monthly, Tier::Yearly];

    /// Returns the period of this tier into which `moment` falls in `zone`.
    pub fn period(self, moment: Timestamp, zone: &TimeZone) -> Period {
        let offset = zone.to_offset(moment);
        let local = offset.to_datetime(moment);
        let date = local.date();
        match self {
            Tier::Hourly => Period::Hour { date, hour: local.hour(), offset },
            Tier::Daily => Period::Day(date),
            Tier::Weekly => {
                let week = date.iso_week_date();
                Period::Week { year: week.year(), week: week.week() }
            }
            Tier::Monthly => Period::Month { year: date.year(), month: date.month() },
            Tier::Yearly => Period::Year(date.year()),
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Tier::Hourly => "hourly",
            Tier::Daily => "daily",
            Tier::Weekly => "weekly",
            Tier::Monthly => "monthly",
            Tier::Yearly => "yearly",
        })
    }
}

/// One hour, day, week, month or year of the calendar of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Period {
    /// An hour of the local clock. The offset from UTC belongs to it: the hour that comes twice in
    /// autumn is two hours, each with its own backup. (restic sees one.) Where the clock shifts
    /// within an hour, its two parts are two hours as well.
    Hour {
        /// The local date.
        date: Date,
        /// 0 to 23.
        hour: i8,
        /// What the local clock is ahead of UTC.
        offset: Offset,
    },
    /// A day of the local calendar, of 23, 24 or 25 hours.
    Day(Date),
    /// A week of ISO 8601, Monday to Sunday. Its year is that of its Thursday, so 1 January may be
    /// in week 53 of the year before.
    Week {
        /// The year that the week is counted in.
        year: i16,
        /// 1 to 53.
        week: i8,
    },
    /// A month.
    Month {
        /// The year.
        year: i16,
        /// 1 to 12.
        month: i8,
    },
    /// A year.
    Year(i16),
}

impl Period {
    /// Returns the tier whose period it is.
    pub fn tier(&self) -> Tier {
        match self {
            Period::Hour { .. } => Tier::Hourly,
            Period::Day(_) => Tier::Daily,
            Period::Week { .. } => Tier::Weekly,
            Period::Month { .. } => Tier::Monthly,
            Period::Year(_) => Tier::Yearly,
        }
    }
}

/// As in `2026-10-25 02h+02`, `2026-11-21`, `2026-W53`, `2026-11`, `2026`.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Period::Hour { date, hour, offset } => write!(f, "{date} {hour:02}h{offset}"),
            Period::Day(date) => write!(f, "{date}"),
            Period::Week { year, week } => write!(f, "{year}-W{week:02}"),
            Period::Month { year, month } => write!(f, "{year}-{month:02}"),
            Period::Year(year) => write!(f, "{year}"),
        }
    }
}

#[cfg(test)]
mod tests;
