//! `odoo-backup import`

use config::{Config, is_instance_name};
use engine::import::{ImportOptions, Imported};
use engine::postgres::Database;
use engine::run::Run;
use serde::Serialize;
use utoipa::ToSchema;

use super::chosen::{Chosen, load, open};
use super::failure::Failure;
use super::show::{BackupDocument, covers, findings};
use crate::exit::Exit;
use crate::output::Output;
use crate::table::{bytes, plural, time};

/// Arguments that cannot be used.
#[derive(Debug, thiserror::Error)]
enum ImportUse {
    #[error("invalid name of an instance: {0:?}")]
    Name(String),
    #[error("unable to choose a server for the import: the configuration does not have exactly one target")]
    WhichServer,
}

impl From<ImportUse> for Failure {
    fn from(error: ImportUse) -> Self {
        let hint = match error {
            ImportUse::Name(_) => "use at most 100 letters, digits, `-`, `_` and `.`, and do not start with `-` or `.`",
            ImportUse::WhichServer => "name a target or an instance with --on",
        };
        Self { error: Box::new(error), exit: Exit::Usage, hint: Some(hint.to_owned()) }
    }
}

/// What `import` prints.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Import)]
pub(super) struct ImportDocument {
    #[serde(flatten)]
    backup: BackupDocument,
    /// What was removed of earlier imports that had been cut off.
    cleared: Vec<String>,
    /// What could not be removed.
    left: Vec<String>,
    /// How long it took.
    seconds: f64,
}

/// Turns a file into a backup.
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
    let document = ImportDocument {
        backup: BackupDocument::of(manifest, findings(&repository, manifest, output).await),
        cleared: cleared.clone(),
        left: left.clone(),
        seconds: duration.as_secs_f64(),
    };
    let text = || {
        format!(
            "{instance}: imported {file} as backup {id}{warned}
  created       {created}
  covers        {covers}
  database      {plain} dumped
  filestore     {size} in {files}
  stored        {stored} in {seconds:.1} s
",
            id = manifest.id,
            warned = if manifest.warnings.is_empty() { "" } else { ", with warnings" },
            file = options.file.display(),
            created = time(manifest.created_at),
            covers = covers(manifest),
            plain = bytes(manifest.database.dump.plain().size),
            size = bytes(manifest.filestore.bytes),
            files = plural(manifest.filestore.files, "file"),
            stored = bytes(manifest.stored_bytes()),
            seconds = duration.as_secs_f64(),
        )
    };
    Ok(output.result(&document, text, exit))
}

/// Returns the server that loads the file. An instance's server is used only if it is named: the
/// file can contain SQL that runs there.
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
