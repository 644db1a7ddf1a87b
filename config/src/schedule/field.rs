//! One field of a schedule: what crontab(5) lets stand in it, in the words of the `cron` crate.

use std::collections::BTreeSet;
use std::fmt;

/// The five fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// 0 to 59.
    Minute,
    /// 0 to 23.
    Hour,
    /// 1 to 31.
    DayOfMonth,
    /// 1 to 12, or the first three letters of its English name.
    Month,
    /// 0 to 7, or the first three letters of its English name. 0 and 7 are Sunday.
    DayOfWeek,
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const SUNDAY: u8 = 0;
const ALSO_SUNDAY: u8 = 7;

/// What is wrong with a part of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldProblem {
    /// Neither a number nor one of the field's names, or nothing at all.
    NotAValue,
    /// A number outside the field.
    OutOfRange,
    /// A range whose end is before its begin.
    Backwards,
    /// A step after a single value.
    StepOfOne,
    /// A step of 0, longer than the field, or no number.
    BadStep,
}

impl fmt::Display for FieldProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FieldProblem::NotAValue => "is not a valid value",
            FieldProblem::OutOfRange => "is out of range",
            FieldProblem::Backwards => "is a range that runs backwards",
            FieldProblem::StepOfOne => "has a step, but is a single value: write a range",
            FieldProblem::BadStep => "has a step that is not a number from 1 to the length of the field",
        })
    }
}

impl Field {
    /// Returns the values that the field can have, in words.
    pub fn allowed(self) -> &'static str {
        match self {
            Field::Minute => "a minute is 0 to 59, as in 30, 0,30, 10-20 or */15",
            Field::Hour => "an hour is 0 to 23, as in 2, 8,20, 8-18 or */6",
            Field::DayOfMonth => "a day of the month is 1 to 31, as in 1, 1,15, 1-7 or */2",
            Field::Month => "a month is 1 to 12 or jan to dec, as in 1, jan,jul, apr-sep or */3",
            Field::DayOfWeek => {
                "a day of the week is 0 to 7 or sun to sat, where 0 and 7 are Sunday, as in sun, 1-5 or sat,sun"
            }
        }
    }

    fn bounds(self) -> (u8, u8) {
        match self {
            Field::Minute => (0, 59),
            Field::Hour => (0, 23),
            Field::DayOfMonth => (1, 31),
            Field::Month => (1, 12),
            Field::DayOfWeek => (SUNDAY, ALSO_SUNDAY),
        }
    }

    fn names(self) -> &'static [&'static str] {
        match self {
            Field::Minute | Field::Hour | Field::DayOfMonth => &[],
            Field::Month => &MONTHS,
            Field::DayOfWeek => &DAYS,
        }
    }

    /// Returns the field as the `cron` crate writes it: `*`, or a list of values, of which Sunday
    /// is 1.
    ///
    /// # Errors
    /// The part of the list that is wrong, and what is wrong with it.
    pub(super) fn translate(self, text: &str) -> Result<String, (String, FieldProblem)> {
        if text == "*" {
            return Ok(text.to_owned());
        }
        let mut values = BTreeSet::new();
        for part in text.split(',') {
            values.extend(self.read_part(part).map_err(|problem| (part.to_owned(), problem))?);
        }
        let number = |value: u8| if self == Self::DayOfWeek { value % ALSO_SUNDAY + 1 } else { value };
        Ok(values.into_iter().map(|value| number(value).to_string()).collect::<Vec<_>>().join(","))
    }

    /// Returns the values of one part, on which `cron` would not always agree: it takes `5/15` for
    /// a range to the end, and knows no Sunday but 1.
    fn read_part(self, part: &str) -> Result<impl Iterator<Item = u8>, FieldProblem> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (part, None),
        };
        let (low, high) = self.bounds();
        let (first, last) = if range == "*" {
            (low, high)
        } else if let Some((first, last)) = range.split_once('-') {
            let first = self.read_value(first)?;
            (first, self.read_end(last, first)?)
        } else if step.is_some() {
            return Err(FieldProblem::StepOfOne);
        } else {
            let value = self.read_value(range)?;
            (value, value)
        };
        if last < first {
            return Err(FieldProblem::Backwards);
        }
        let step = step.map_or(Ok(1), |step| self.read_step(step))?;
        Ok((first..=last).step_by(step))
    }

    fn read_value(self, text: &str) -> Result<u8, FieldProblem> {
        let (low, high) = self.bounds();
        if let Some(index) = self.names().iter().position(|name| name.eq_ignore_ascii_case(text)) {
            return Ok(low + index as u8);
        }
        let value = number(text).ok_or(FieldProblem::NotAValue)?;
        u8::try_from(value).ok().filter(|value| (low..=high).contains(value)).ok_or(FieldProblem::OutOfRange)
    }

    /// Returns the end of a range that begins with `first`. There `sun` is the Sunday that ends the
    /// week, so that `fri-sun` is what it says; `sun-sun` is Sunday alone, as in cron.
    fn read_end(self, text: &str, first: u8) -> Result<u8, FieldProblem> {
        let value = self.read_value(text)?;
        let sunday_by_name = self == Field::DayOfWeek && value == SUNDAY && number(text).is_none();
        Ok(if sunday_by_name && first != SUNDAY { ALSO_SUNDAY } else { value })
    }

    fn read_step(self, text: &str) -> Result<usize, FieldProblem> {
        let (low, high) = self.bounds();
        let length = u64::from(high - low) + 1;
        let step = number(text).filter(|step| (1..=length).contains(step)).ok_or(FieldProblem::BadStep)?;
        usize::try_from(step).map_err(|_| FieldProblem::BadStep)
    }
}

/// Digits alone: no sign, no spaces. What is too large for any field counts as out of range and not
/// as something else.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Field::Minute => "minute",
            Field::Hour => "hour",
            Field::DayOfMonth => "day of the month",
            Field::Month => "month",
            Field::DayOfWeek => "day of the week",
        })
    }
}
