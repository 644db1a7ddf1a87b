//! `odoo-backup import`

use config::{Config, is_instance_name};
use engine::import::{ImportOptions, Imported};
use engine::postgres::Database;
use engine::run::Run;
use serde_json::json;

use super::chosen::{Chosen, load, open};
use super::failure::Failure;
use super::show::{covers, document};
use crate::exit::Exit;
use crate::output::Output;
use crate::table::{bytes, plural, time};

/// A use of the command that cannot be meant.
#[derive(Debug, thiserror::Error)]
enum ImportUse {
    #[error("{0:?} cannot be the name of an instance")]
    Name(String),
    #[error("the configuration does not have exactly one target on whose server it could be loaded")]
    WhichServer,
}

impl From<ImportUse> for Failure {
    fn from(error: ImportUse) -> Self {
        let hint = match error {
            ImportUse::Name(_) => {
                "a name has at most 100 letters, digits, `-`, `_` and `.`, and begins with neither `-` nor `.`"
            }
            ImportUse::WhichServer => "name a target, or an instance, by --on",
        };
        Self { error: Box::new(error), exit: Exit::Usage, hint: Some(hint.to_owned()) }
    }
}

/// Makes a backup of a file.
pub(super) async fn import(
    config: Chosen<'_>,
    options: &ImportOptions,
    instance: &str,
    on: Option<&str>,
    run: &Run,
    output: Output,
) -> Result<Exit, Failure> {
    let config = load(config, output)?;
    if !is_instance_name(instance) {
        return Err(ImportUse::Name(instance.to_owned()).into());
    }
    let server = server(&config, on)?;
    let repository = open(&config).await?;
    let import = async |run: &Run| engine::import::import(&repository, instance, server, options, run).await;
    let imported = run.unless_stalled(config.stall_timeout(Some(instance)), import).await?;
    let Imported { manifest, cleared, left, duration } = &imported;
    manifest.warnings.iter().for_each(|warning| output.warning(warning));
    let exit = if manifest.warnings.is_empty() && left.is_empty() { Exit::Success } else { Exit::Warnings };
    let mut document = document(manifest);
    document["cleared"] = json!(cleared);
    document["left"] = json!(left);
    document["seconds"] = json!(duration.as_secs_f64());
    let text = || {
        format!(
            "{instance}: backup {id}{warned}, of {file}
  created    {created}
  covers     {covers}
  database   {plain} dumped
  filestore  {size} in {files}
  stored     {stored} in {seconds:.1} s
",
            id = manifest.id,
            warned = if manifest.warnings.is_empty() { "" } else { ", with warnings" },
            file = options.file.display(),
            created = time(manifest.created_at),
            covers = covers(manifest),
            plain = bytes(manifest.database.object.plain.size),
            size = bytes(manifest.filestore.bytes),
            files = plural(manifest.filestore.files, "file"),
            stored = bytes(manifest.stored_bytes()),
            seconds = duration.as_secs_f64(),
        )
    };
    Ok(output.result(&document, text, exit))
}

/// On whose server it is loaded: what is run there is never run on an instance's by default.
fn server<'a>(config: &'a Config, on: Option<&str>) -> Result<&'a Database, Failure> {
    match on {
        Some(name) if config.instances.contains_key(name) => Ok(&config.instance(name)?.instance.database),
        Some(name) => Ok(&config.target(name)?.database),
        None => {
            let mut targets = config.targets.values();
            let only = targets.next().filter(|_| targets.next().is_none());
            Ok(only.map(|target| &target.database).ok_or(ImportUse::WhichServer)?)
        }
    }
}
