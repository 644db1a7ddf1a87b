//! Schedules of crontab(5): `30 2 * * 1-5`, `@daily`. Pure functions, without a clock.
//!
//! # What is written
//! Five fields: minute (0-59), hour (0-23), day of the month (1-31), month (1-12 or `jan`-`dec`),
//! day of the week (0-7 or `sun`-`sat`; 0 and 7 are both Sunday). Each is a list, by commas, of
//! `*`, single values and ranges; `*` and ranges may have a step, as in `*/15` and `8-18/2`. Or one
//! of `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly`, `@annually`.
//!
//! **Days:** if both day fields are restricted, a day that matches *either* is one; if one of them
//! begins with `*`, a day must match both, which is to say the other. So `0 2 1 * 0` is the first
//! of the month and every Sunday, as crontab(5) has it.
//!
//! Stricter than cron, where cron would silently do something unexpected: a step after a single
//! value (`5/15`), a range that runs backwards, a step longer than the field, and a date that never
//! comes (30 February) are refused.
//!
//! # When clocks change
//! As Vixie's cron (cron(8), Debian's too) does it, there are two kinds:
//! - **With hours given** (`30 2 * * *`, `0 8-18 * * *`): times that are skipped fire once, at the
//!   moment after the gap, however many there were. Times that come twice fire the first time
//!   alone.
//! - **With an hour that begins with `*`** (`*/15 * * * *`, `0 */2 * * *`, `@hourly`): as the clock
//!   on the wall shows it, so a skipped time does not fire, and one that comes twice fires twice.
//!   For what runs every hour this is what keeps the pace.
//!
//! cron counts a minute that begins with `*` among the second kind too. Here it does not:
//! `*/30 2 * * *` would run not at all in the night in which clocks go forward, and a backup must
//! not be missed for that.
//!
//! # What the `cron` crate does, and what it does not
//! `cron` holds the fields and finds the next date (`calendar`). It has another language: seconds,
//! Sunday as 1 and no 0, `5/15` for a range to the end, `?`, a year. So each field is read here
//! first, which also says what is wrong with it (`field`), and given to `cron` as a list of values.
//! It joins the two day fields by *and*, so where either is to fire there are two schedules. It
//! leaves out times that are skipped, so it is asked about the calendar, and jiff about the zone
//! (`next`). It ends with the year 2100.

mod calendar;
mod field;
mod next;

use std::{fmt, str::FromStr};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use calendar::Calendar;
pub use field::{Field, FieldProblem};

/// A schedule of crontab(5). See the [module](self) for its language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Schedule {
    source: String,
    calendar: Calendar,
    /// Whether the hour begins with `*`.
    follows_clock: bool,
}

impl PartialSchema for Schedule {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String).description(Some("A schedule of crontab(5)."));
        text.into()
    }
}

impl ToSchema for Schedule {}

impl Schedule {
    /// Returns the first firing after `after`, with the fields read in `zone`. Always a whole
    /// minute.
    ///
    /// `None` only after the year 2100.
    pub fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        if self.follows_clock { self.next_on_the_clock(after, zone) } else { self.next_of_the_day(after, zone) }
    }

    /// Returns all firings after `after`, in order.
    pub fn upcoming(&self, after: Timestamp, zone: &TimeZone) -> impl Iterator<Item = Timestamp> {
        std::iter::successors(self.next_after(after, zone), |&last| self.next_after(last, zone))
    }

    /// Returns the longest time between two firings, not counting changes of clocks: three days for
    /// `0 2 * * 1-5`. What is older than this by a good deal was missed.
    pub fn longest_interval(&self) -> SignedDuration {
        self.calendar.longest_gap()
    }
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(source: &str) -> Result<Self, Self::Err> {
        let written = source.trim();
        let fields = match written {
            "@reboot" => return Err(ScheduleError::AtStart { schedule: source.to_owned() }),
            name if name.starts_with('@') => {
                named(name).ok_or_else(|| ScheduleError::UnknownName { schedule: source.to_owned() })?
            }
            fields => fields,
        };
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        let [minute, hour, day_of_month, month, day_of_week] = fields[..] else {
            return Err(ScheduleError::FieldCount { schedule: source.to_owned(), count: fields.len() });
        };
        let read = |field: Field, text: &str| {
            field.translate(text).map_err(|(part, problem)| ScheduleError::Field {
                schedule: source.to_owned(),
                field,
                part,
                problem,
            })
        };
        let translated = [
            read(Field::Minute, minute)?,
            read(Field::Hour, hour)?,
            read(Field::DayOfMonth, day_of_month)?,
            read(Field::Month, month)?,
            read(Field::DayOfWeek, day_of_week)?,
        ];
        let both_days_restrict = ![day_of_month, day_of_week].iter().any(|field| field.starts_with('*'));
        let calendar = Calendar::new(translated.each_ref().map(String::as_str), both_days_restrict);
        let never = || ScheduleError::Never { schedule: source.to_owned() };
        Ok(Schedule {
            source: written.to_owned(),
            calendar: calendar.filter(Calendar::ever_fires).ok_or_else(never)?,
            follows_clock: hour.starts_with('*'),
        })
    }
}

/// Returns what crontab(5) lists as the meaning of these names.
fn named(name: &str) -> Option<&'static str> {
    Some(match name {
        "@hourly" => "0 * * * *",
        "@daily" | "@midnight" => "0 0 * * *",
        "@weekly" => "0 0 * * 0",
        "@monthly" => "0 0 1 * *",
        "@yearly" | "@annually" => "0 0 1 1 *",
        _ => return None,
    })
}

impl TryFrom<String> for Schedule {
    type Error = ScheduleError;

    fn try_from(source: String) -> Result<Self, Self::Error> {
        source.parse()
    }
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> Self {
        schedule.source
    }
}

/// As it was written.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

/// What is written is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Too few fields or too many.
    #[error("unable to read the schedule {schedule:?}: it has {count} fields, expected five")]
    FieldCount {
        /// What was written.
        schedule: String,
        /// How many fields it has.
        count: usize,
    },
    /// A field that cannot be read.
    #[error("unable to read the schedule {schedule:?}: {field}: {part:?} {problem}")]
    Field {
        /// What was written.
        schedule: String,
        /// Which field.
        field: Field,
        /// The part of the field.
        part: String,
        /// What is wrong with it.
        problem: FieldProblem,
    },
    /// Begins with `@` and is none of the names.
    #[error("unable to read the schedule {schedule:?}: unknown name")]
    UnknownName {
        /// What was written.
        schedule: String,
    },
    /// crontab(5)'s name for the start of the machine.
    #[error("unable to read the schedule {schedule:?}: the start of the machine is not a point in time")]
    AtStart {
        /// What was written.
        schedule: String,
    },
    /// Can be read, but there is no such date.
    #[error("the schedule {schedule:?} never fires: none of its months has such a day")]
    Never {
        /// What was written.
        schedule: String,
    },
}

impl ScheduleError {
    /// Returns how to fix it.
    pub fn hint(&self) -> &'static str {
        match self {
            ScheduleError::FieldCount { .. } => {
                "write minute, hour, day of the month, month and day of the week, as in \"30 2 * * *\""
            }
            ScheduleError::Field { field, .. } => field.allowed(),
            ScheduleError::UnknownName { .. } => {
                "the names are @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually"
            }
            ScheduleError::AtStart { .. } => {
                "write times, as in \"30 2 * * *\"; the daemon makes up for a missed time when it starts"
            }
            ScheduleError::Never { .. } => "check the day of the month and the month",
        }
    }
}

#[cfg(test)]
mod tests;
