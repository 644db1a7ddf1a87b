//! `[repository.NAME]`: further repositories, which hold copies of what the main one has.

use std::collections::BTreeMap;

use engine::instance::{Instance, Retention};
use engine::store::{S3Config, StoreConfig, is_segment};

use super::place::LONGEST_NAME;
use super::section::{Reported, Section};
use super::value::{Raw, Refusal, Value};
use super::{InstanceConfig, keys, repository, retention};

/// What the repository of `[repository]` is called where one is named.
pub const MAIN: &str = "main";

/// `[repository.NAME]`: a place for copies of backups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyRepository {
    /// Its name in the configuration.
    pub name: String,
    /// Where it is.
    pub place: StoreConfig,
    /// Whether each backup is copied there once it was made.
    pub after_backup: bool,
    /// `[repository.NAME.retention]`: which backups stay there, of every instance; `None`: the
    /// instance's own holds there, too.
    pub retention: Option<Retention>,
    /// Whether what was copied there is pruned after it; `None`: where there is a `retention`, or
    /// else as the instance says.
    pub prune: Option<bool>,
}

impl CopyRepository {
    /// Returns an instance as its backups are pruned there.
    pub fn instance(&self, config: &InstanceConfig) -> InstanceConfig {
        let retention = self.retention.as_ref().unwrap_or(&config.instance.retention).clone();
        let prune = self.prune.unwrap_or(self.retention.is_some() || config.prune);
        let instance = Instance { retention, ..config.instance.clone() };
        InstanceConfig { instance, prune, ..config.clone() }
    }
}

/// Reads `[repository]` and the sections inside it. All are read before the first `?`: each notes
/// what is wrong with it.
pub(super) fn read(section: &Section<'_>) -> Result<(StoreConfig, BTreeMap<String, CopyRepository>), Reported> {
    let main = repository::read(section);
    let sections = section.named(&keys::COPIES);
    let copies: Vec<_> = sections.iter().map(|(name, section)| read_copy(name, section)).collect();
    let main = main?;
    let copies = copies.into_iter().collect::<Result<Vec<_>, _>>()?;
    let mut places = vec![(MAIN, &main)];
    for (copy, (_, section)) in copies.iter().zip(&sections) {
        if let Some((name, _)) = places.iter().find(|(_, place)| is_same_place(place, &copy.place)) {
            return Err(section
                .refuse("url", format!("the repository {name} has the same place; set another one for the copies")));
        }
        places.push((&copy.name, &copy.place));
    }
    let copies = copies.iter().map(|copy| (copy.name.clone(), copy.clone())).collect();
    Ok((main, copies))
}

fn read_copy(name: &str, section: &Section<'_>) -> Result<CopyRepository, Reported> {
    let valid_name = check_name(name, section);
    let when = section.optional::<When>("copy");
    let retention = retention::read_for_copies(section);
    let prune = section.optional::<bool>("prune");
    let place = repository::read(section);
    valid_name?;
    let after_backup = matches!(when?, Some(When::AfterBackup));
    Ok(CopyRepository { name: name.into(), place: place?, after_backup, retention: retention?, prune: prune? })
}

fn check_name(name: &str, section: &Section<'_>) -> Result<(), Reported> {
    if name == MAIN {
        return Err(section.refuse_all(format!("the name {name:?} is reserved for [repository] itself")));
    }
    if !is_segment(name) || name.starts_with('-') || name.len() > LONGEST_NAME {
        return Err(section.refuse_all(format!(
            "{name:?} is not a valid name: use at most {LONGEST_NAME} letters, digits, `-`, `_` and `.`, and start with neither `-` nor `.`"
        )));
    }
    Ok(())
}

/// Returns whether both are the same place, in which each would write among the objects of the
/// other.
fn is_same_place(one: &StoreConfig, other: &StoreConfig) -> bool {
    match (one, other) {
        (StoreConfig::Local { path: one }, StoreConfig::Local { path: other }) => one == other,
        (StoreConfig::S3(one), StoreConfig::S3(other)) => {
            let place = |s3: &S3Config| (s3.endpoint.clone(), s3.bucket.clone(), s3.prefix.clone());
            place(one) == place(other)
        }
        _ => false,
    }
}

/// `copy`
#[derive(Debug, Clone, Copy)]
enum When {
    AfterBackup,
    OnRequest,
}

impl Value for When {
    const EXPECTED: &'static str = "a string";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        let word = |when| match when {
            Self::AfterBackup => "after_backup",
            Self::OnRequest => "on_request",
        };
        super::value::one_of(&String::read(raw)?, &[Self::AfterBackup, Self::OnRequest], word)
    }
}
