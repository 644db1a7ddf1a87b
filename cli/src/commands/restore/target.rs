//! Finds the target of a restore, and whether the restore replaces production.

use config::{Config, UnknownName};
use engine::restore::{Target, TargetIdentity};

use super::super::failure::Failure;
use crate::exit::Exit;

/// `--force-production` has another name than the database that would be replaced.
#[derive(Debug, thiserror::Error)]
#[error("unable to restore to {target}: its database is {database:?}, not {typed:?} as --force-production says")]
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

/// Returns the target, and whether the restore replaces production.
///
/// The name of the production database must be typed to rule out a mistake. With it, `name` can
/// also be an instance, so that disaster recovery needs no `[target.NAME]`.
pub(super) fn find_target(
    config: &Config,
    name: &str,
    typed: Option<&str>,
) -> Result<(Target, TargetIdentity), Failure> {
    let Some(typed) = typed else {
        let unknown = |error: UnknownName| {
            let mut failure = Failure::from(error);
            if config.instances.contains_key(name) {
                failure.hint = Some(format!(
                    "`{name}` is an instance: name a target, or add `--force-production` with the name of its database to replace production itself"
                ));
            }
            failure
        };
        return Ok((config.target(name).map_err(unknown)?.clone(), TargetIdentity::Copy));
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
    Ok((target, TargetIdentity::Production))
}
