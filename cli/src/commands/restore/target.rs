//! Where a restore leads, and whether production is meant.

use config::{Config, UnknownName};
use engine::restore::{Identity, Target};

use super::super::failure::Failure;
use crate::exit::Exit;

/// What was typed out is not the name of what would be replaced.
#[derive(Debug, thiserror::Error)]
#[error("--force-production {typed:?}: the database of {target} is {database:?}")]
pub(super) struct WrongName {
    typed: String,
    target: String,
    database: String,
}

impl From<WrongName> for Failure {
    fn from(error: WrongName) -> Self {
        Self { error: Box::new(error), exit: Exit::Usage, hint: None }
    }
}

/// The target, and whether production is meant: by its name, so that it cannot be a slip of the hand. Who types it out may name the
/// instance itself: on the worst day nobody should have to write a section first.
pub(super) fn find_target(config: &Config, name: &str, typed: Option<&str>) -> Result<(Target, Identity), Failure> {
    let Some(typed) = typed else {
        let unknown = |error: UnknownName| {
            let mut failure = Failure::from(error);
            if config.instances.contains_key(name) {
                failure.hint = Some(format!(
                    "`{name}` is an instance: name a target, or, to put the backup in the place of production itself, add `--force-production` and the name of its database"
                ));
            }
            failure
        };
        return Ok((config.target(name).map_err(unknown)?.clone(), Identity::Copy));
    };
    let target = match config.instances.get(name) {
        Some(instance) if !config.targets.contains_key(name) => Target::of(&instance.instance),
        _ => config.target(name)?.clone(),
    };
    let database = &target.database.name;
    if typed != database {
        let wrong = WrongName { typed: typed.to_owned(), target: target.name.clone(), database: database.clone() };
        return Err(wrong.into());
    }
    Ok((target, Identity::Production))
}
