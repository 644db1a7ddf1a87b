//! The problems of a configuration, and their texts.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

/// Why there is no [`Config`](super::Config). `Display` prints every problem of the file, one a
/// line.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No file was named, and none is in the usual places.
    #[error("no configuration file found; looked for {}{}", paths(.looked_for), not_entered(.denied))]
    NotFound {
        /// The places, in the order of the search.
        looked_for: Vec<PathBuf>,
        /// Those of them in folders that this user may not enter.
        denied: Vec<PathBuf>,
    },
    /// A file was found by searching, and may be another user's.
    #[error("the configuration file {} is not used: {reason}", path.display())]
    Untrusted {
        /// The file.
        path: PathBuf,
        /// Which other user can change it.
        reason: String,
    },
    /// A file was named, but it is not there.
    #[error("the configuration file {}, named by {named_by}, does not exist", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// `--config`, or the environment variable.
        named_by: &'static str,
    },
    /// The file cannot be read.
    #[error("unable to read the configuration file {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system answered.
        source: io::Error,
    },
    /// The file was read and has problems.
    #[error("{}", .problems.iter().map(ConfigProblem::to_string).collect::<Vec<_>>().join("\n"))]
    Invalid {
        /// Everything that is wrong with it, by line.
        problems: Vec<ConfigProblem>,
    },
}

impl ConfigError {
    /// Returns the problems of a file that was read; empty if no file was read.
    pub fn problems(&self) -> &[ConfigProblem] {
        match self {
            Self::Invalid { problems } => problems,
            _ => &[],
        }
    }

    /// Returns what the operator can do about it, if the message does not say so itself.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotFound { .. } => {
                Some("run `odoo-backup init` to write one, or name a file by `--config FILE`".into())
            }
            Self::Untrusted { path, .. } => Some(format!(
                "run the command as its owner, or in another folder, because a configuration says which programs \
                 run; if you trust the file, name it by `--config {}`",
                path.display()
            )),
            Self::Missing { .. } => Some("run `odoo-backup init` to write a new one".into()),
            Self::Unreadable { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some("run as the user who owns the file, often root".into())
            }
            Self::Unreadable { .. } | Self::Invalid { .. } => None,
        }
    }
}

fn paths(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn not_entered(denied: &[PathBuf]) -> String {
    if denied.is_empty() { String::new() } else { format!(" (no permission to look for {})", paths(denied)) }
}

/// One thing that is wrong with a configuration file. Never holds the value of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigProblem {
    /// The file, as it was named.
    #[serde(serialize_with = "as_text")]
    pub file: PathBuf,
    /// The line, from 1; `None` where it is the file as a whole.
    pub line: Option<usize>,
    /// The section without its brackets: `instance.production`.
    pub section: Option<String>,
    /// The key, where it is about one.
    pub key: Option<String>,
    /// What is wrong.
    pub message: String,
    /// The nearest known word to one that is unknown: a key, a section in brackets, or a value.
    pub suggestion: Option<String>,
}

/// Serializes a path as text. Serde refuses one that is not UTF-8, and an error message must not
/// fail.
fn as_text<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        if let Some(section) = &self.section {
            write!(f, " [{section}]")?;
        }
        write!(f, " {}", self.message)?;
        match &self.suggestion {
            Some(section) if section.starts_with('[') => write!(f, "; did you mean {section}?"),
            Some(word) => write!(f, "; did you mean `{word}`?"),
            None => Ok(()),
        }
    }
}

/// A name that no section of the configuration has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no {kind} {name:?} in {}{}", file.display(), .suggestion.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default())]
pub struct UnknownName {
    /// `instance`, `target`, `repository` or `notifier`.
    pub kind: &'static str,
    /// The name that was asked for.
    pub name: String,
    /// The names that there are.
    pub known: Vec<String>,
    /// The nearest of them, where one is near.
    pub suggestion: Option<String>,
    /// The configuration file.
    pub file: PathBuf,
}

impl UnknownName {
    /// Returns the names there are, or how to add one.
    pub fn hint(&self) -> Option<String> {
        let Self { kind, known, .. } = self;
        Some(match known.as_slice() {
            [] if *kind == "notifier" => "add a section [[notify]] to the configuration, which has none yet".into(),
            [] => format!("add a section [{kind}.NAME] to the configuration, which has no {kind} yet"),
            [only] => format!("the only {kind} is `{only}`"),
            several if *kind == "repository" => format!("the repositories are {}", quoted(several)),
            several => format!("the {kind}s are {}", quoted(several)),
        })
    }
}

/// Joins words, as in `` `a`, `b` and `c` ``.
pub(super) fn quoted<T: fmt::Display>(words: &[T]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.as_slice() {
        [rest @ .., last] if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
