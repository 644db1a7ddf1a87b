//! From a value of the TOML file to a Rust type, with a message where it is none.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use crate::schedule::{Schedule, ScheduleError};
use engine::odoo::HoldCollector;
use engine::postgres::SslMode;
use engine::secret::Secret;
use engine::stream::Level;
use engine::text::nearest;
use engine::verify::Depth;
use jiff::SignedDuration;
use retention::{Age, Percent, SettingError, Zone};
use toml::de::DeValue;
use url::Url;

use super::surroundings::{Surroundings, Variables};

/// Why a value is refused: a [`ConfigProblem`](super::Problem) without the place.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) message: String,
    pub(super) suggestion: Option<String>,
}

impl<T: Into<String>> From<T> for Refusal {
    fn from(message: T) -> Self {
        Self { message: message.into(), suggestion: None }
    }
}

/// A value as it stands in the file, and what is needed to understand it.
#[derive(Clone, Copy)]
pub(super) struct Raw<'a> {
    pub(super) value: &'a DeValue<'a>,
    pub(super) surroundings: &'a Surroundings,
    /// What relative paths are relative to: the configuration file's folder.
    pub(super) folder: &'a Path,
}

/// A type that a key can have. A new one implements this, and every section can read it.
pub(super) trait Value: Sized {
    /// What is expected, as it stands in a message: "a string".
    const EXPECTED: &'static str;
    /// Whether no output may contain the value.
    const SECRET: bool = false;

    /// Reads the value, without its key in the message where it is refused.
    fn read(raw: Raw<'_>) -> Result<Self, Refusal>;

    /// Returns the value as people read it, if that is not what the file says.
    fn shown(&self) -> Option<String> {
        None
    }
}

impl Raw<'_> {
    pub(super) fn refused<T: Value>(self) -> Refusal {
        let kind = match self.value {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a section",
        };
        format!("expected {}, found {kind}", T::EXPECTED).into()
    }

    /// Returns a string's text, with its `${VAR}` replaced.
    fn text<T: Value>(self) -> Result<String, Refusal> {
        let written = self.value.as_str().ok_or_else(|| self.refused::<T>())?;
        let text = substitute(written, &self.surroundings.variable)?;
        match text.as_str() {
            "" if written.is_empty() => Err("the value is empty; set one, or remove the key".into()),
            "" => Err(format!("{written} is empty in the environment").into()),
            text if text.contains('\0') => Err("the value contains a NUL character".into()),
            _ => Ok(text),
        }
    }

    /// Returns the text of a string that takes its value from the environment, for a type that is
    /// no string: `port = "${PGPORT}"`.
    fn environment_text<T: Value>(self) -> Option<Result<String, Refusal>> {
        self.value.as_str().filter(|written| written.contains("${")).map(|_| self.text::<T>())
    }
}

impl Value for String {
    const EXPECTED: &'static str = "a string";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        raw.text::<Self>()
    }
}

impl Value for Secret {
    const EXPECTED: &'static str = "a string";
    const SECRET: bool = true;

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        raw.text::<Self>().map(Secret::new)
    }
}

impl Value for bool {
    const EXPECTED: &'static str = "true or false, without quotes";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        if let Some(text) = raw.environment_text::<Self>() {
            return text?.parse().map_err(|_| "expected true or false in the environment".into());
        }
        raw.value.as_bool().ok_or_else(|| raw.refused::<Self>())
    }
}

/// A port.
impl Value for NonZeroU16 {
    const EXPECTED: &'static str = "an integer from 1 to 65535, without quotes";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        if let Some(text) = raw.environment_text::<Self>() {
            return text?.parse().map_err(|_| "expected an integer from 1 to 65535 in the environment".into());
        }
        let integer = raw.value.as_integer().ok_or_else(|| raw.refused::<Self>())?;
        u16::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .and_then(Self::new)
            .ok_or_else(|| format!("expected an integer from 1 to 65535, found {integer}").into())
    }
}

/// How many.
impl Value for u32 {
    const EXPECTED: &'static str = "an integer from 0 on, without quotes";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        if let Some(text) = raw.environment_text::<Self>() {
            return text?.parse().map_err(|_| "expected an integer from 0 on in the environment".into());
        }
        let integer = raw.value.as_integer().ok_or_else(|| raw.refused::<Self>())?;
        Self::from_str_radix(integer.as_str(), integer.radix())
            .map_err(|_| format!("expected an integer from 0 to {}, found {integer}", Self::MAX).into())
    }
}

impl Value for Level {
    const EXPECTED: &'static str = "an integer from 1 to 19, without quotes";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        let level = u32::read(raw)?;
        i32::try_from(level)
            .ok()
            .and_then(Self::new)
            .ok_or_else(|| format!("expected an integer from 1 to 19, found {level}").into())
    }
}

impl Value for Age {
    const EXPECTED: &'static str = "a length of time in quotes";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        setting(&raw.text::<Self>()?)
    }
}

impl Value for Zone {
    const EXPECTED: &'static str = "a time zone in quotes";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        setting(&raw.text::<Self>()?)
    }
}

/// A URL without a user, a query and a fragment, and without a slash at its end.
pub(super) struct PlainUrl(pub(super) String);

impl Value for PlainUrl {
    const EXPECTED: &'static str = "a URL in quotes";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        let text = raw.text::<Self>()?;
        let is_plain = |url: &Url| {
            let has_more = url.query().is_some() || url.fragment().is_some();
            ["http", "https"].contains(&url.scheme()) && url.has_host() && url.username().is_empty() && !has_more
        };
        match Url::parse(&text).ok().filter(is_plain) {
            Some(url) => Ok(Self(url.as_str().trim_end_matches('/').to_owned())),
            None => Err("expected a URL such as \"https://backup.example.com\", without `?` and `#`".into()),
        }
    }
}

impl Value for Percent {
    const EXPECTED: &'static str = "a percentage";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        match raw.value.as_integer() {
            Some(integer) => setting(integer.as_str()),
            None => setting(&raw.text::<Self>()?),
        }
    }
}

fn setting<T: FromStr<Err = SettingError>>(text: &str) -> Result<T, Refusal> {
    text.parse().map_err(|error: SettingError| format!("{error}; {}", error.hint()).into())
}

impl Value for Schedule {
    const EXPECTED: &'static str = "a schedule in quotes";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        let text = raw.text::<Self>()?;
        text.parse().map_err(|error: ScheduleError| format!("{error}; {}", error.hint()).into())
    }
}

/// Exact time, which has no days: one is 23 hours long in spring.
impl Value for Duration {
    const EXPECTED: &'static str = "a length of time in quotes";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        let text = raw.text::<Self>()?;
        let length = text.parse::<SignedDuration>().ok().and_then(|length| length.try_into().ok());
        length.ok_or_else(|| {
            format!("unable to read {text:?} as a length of time; write it as in \"90 seconds\" or \"1h 30m\"").into()
        })
    }
}

impl Value for SocketAddr {
    const EXPECTED: &'static str = "an address and a port in quotes";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        let text = raw.text::<Self>()?;
        let suggestion = || text.parse::<u16>().ok().map(|port| format!("127.0.0.1:{port}"));
        text.parse().map_err(|_| Refusal {
            message: format!(
                "expected an address and a port such as \"127.0.0.1:8479\" or \"[::1]:8479\", found {text:?}"
            ),
            suggestion: suggestion(),
        })
    }
}

impl Value for PathBuf {
    const EXPECTED: &'static str = "a path in quotes";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        let text = raw.text::<Self>()?;
        match text.strip_prefix('~') {
            Some(rest) => match (rest.strip_prefix('/'), &raw.surroundings.home) {
                (Some(rest), Some(home)) => Ok(home.join(rest)),
                (Some(_), None) => Err("the home folder for `~/` is unknown; write an absolute path".into()),
                (None, _) => Err("only `~/` is supported, not the home of another user; write an absolute path".into()),
            },
            None => Ok(raw.folder.join(relative(Path::new(&text)))),
        }
    }

    fn shown(&self) -> Option<String> {
        Some(self.display().to_string())
    }
}

/// Returns `path` without a leading `./`, which would end up in the middle of a joined path.
fn relative(path: &Path) -> &Path {
    match path.components().next() {
        Some(Component::CurDir) => path.strip_prefix(".").unwrap_or(path),
        _ => path,
    }
}

impl Value for SslMode {
    const EXPECTED: &'static str = "a string";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        one_of(&raw.text::<Self>()?, &Self::ALL, Self::as_str)
    }
}

impl Value for HoldCollector {
    const EXPECTED: &'static str = "a string";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        one_of(&raw.text::<Self>()?, &Self::ALL, Self::as_str)
    }
}

impl Value for Depth {
    const EXPECTED: &'static str = "a string";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        one_of(&raw.text::<Self>()?, &Self::ALL, Self::as_str)
    }
}

/// Returns the value that a word stands for.
pub(super) fn one_of<T: Copy>(text: &str, all: &[T], word: impl Fn(T) -> &'static str) -> Result<T, Refusal> {
    let words = all.iter().map(|value| word(*value));
    all.iter().copied().find(|value| word(*value) == text).ok_or_else(|| Refusal {
        message: format!("expected one of {}, found {text:?}", words.clone().collect::<Vec<_>>().join(", ")),
        suggestion: nearest(text, words.clone()).map(Into::into),
    })
}

impl<T: Value> Value for Vec<T> {
    const EXPECTED: &'static str = "an array";
    const SECRET: bool = T::SECRET;

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        let items = raw.value.as_array().ok_or_else(|| raw.refused::<Self>())?;
        items.iter().map(|item| T::read(Raw { value: item.get_ref(), ..raw })).collect()
    }

    fn shown(&self) -> Option<String> {
        let items: Option<Vec<String>> = self.iter().map(T::shown).collect();
        items.filter(|items| !items.is_empty()).map(|items| items.join(", "))
    }
}

/// Returns a valid text with its `${VAR}` replaced, and the names of the variables.
pub(super) fn substituted(written: &str, variable: &Variables) -> (String, Vec<String>) {
    let parts = written.replace("$${", "").split("${").skip(1).map(str::to_owned).collect::<Vec<_>>();
    let names = parts.iter().filter_map(|part| part.split_once('}')).map(|(name, _)| name.to_owned()).collect();
    (substitute(written, variable).unwrap_or_else(|_| written.to_owned()), names)
}

/// Replaces each `${VAR}`; `$${` stands for `${`, and any other `$` for itself. What is written
/// around a variable is never quoted, as it may be part of a secret.
fn substitute(written: &str, variable: &Variables) -> Result<String, Refusal> {
    let mut text = String::new();
    let mut rest = written;
    while let Some(at) = rest.find('$') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(behind) = rest.strip_prefix("$${") {
            text.push_str("${");
            rest = behind;
        } else if let Some(behind) = rest.strip_prefix("${") {
            let (name, behind) = behind
                .split_once('}')
                .filter(|(name, _)| is_variable(name))
                .ok_or("`${` is not followed by the name of a variable and `}`; write `$${` for a literal `${`")?;
            let value = variable(name).ok_or_else(|| format!("${{{name}}} is not set in the environment"))?;
            text.push_str(value.to_str().ok_or_else(|| format!("${{{name}}} is not UTF-8 text"))?);
            rest = behind;
        } else {
            text.push('$');
            rest = &rest[1..];
        }
    }
    text.push_str(rest);
    Ok(text)
}

fn is_variable(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Returns whether `written` is one `${VAR}` and nothing else, so that the file itself holds
/// nothing of the value.
pub(super) fn is_only_a_variable(written: &str) -> bool {
    written.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).is_some_and(is_variable)
}
