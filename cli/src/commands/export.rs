//! `odoo-backup export`

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use daemon::sources::tools;
use engine::error::Error;
use engine::filestore::Unpacked;
use engine::manifest::Manifest;
use engine::repository::{BackupId, Repository};
use engine::run::Run;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::chosen::{Chosen, load, open};
use super::failure::Failure;
use super::latest::find;
use crate::arguments::ExportFormat;
use crate::exit::Exit;
use crate::new_file::NewFile;
use crate::output::Output;
use crate::table::{bytes, plural, time};

/// Arguments that contradict each other.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExportError {
    #[error("unable to write to stdout: `--format dump` writes two files")]
    TwoToStdout,
    #[error("unable to write a zip to stdout: it is a terminal")]
    Terminal,
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        let hint = Some("name a file with --output".to_owned());
        Self { error: Box::new(error), exit: Exit::Usage, hint }
    }
}

/// Writes a backup in a format of other programs.
///
/// Files appear under their names only after everything was verified. On stdout, only the exit code
/// shows that the output is complete.
pub(super) async fn export(
    config: Chosen<'_>,
    selector: &str,
    to: &Path,
    format: ExportFormat,
    run: &Run,
    output: Output,
) -> Result<Exit, Failure> {
    let to_stdout = to == Path::new("-");
    match format {
        ExportFormat::Dump if to_stdout => return Err(ExportError::TwoToStdout.into()),
        ExportFormat::Zip if to_stdout && io::stdout().is_terminal() => return Err(ExportError::Terminal.into()),
        _ => {}
    }
    let config = load(config, output)?;
    let repository = open(&config).await?;
    let manifest = find(&repository, selector, &config, output).await?;
    let tools = tools(&config);
    if to_stdout {
        engine::export::zip(&repository, &manifest, &tools, io::stdout(), run).await?;
        return Ok(Exit::Success);
    }
    let (files, filestore) = match format {
        ExportFormat::Zip => {
            let file = NewFile::create(to)?;
            let path = file.path().to_owned();
            let content = engine::export::zip(&repository, &manifest, &tools, file.sink()?, run).await?;
            (vec![(path, file.keep()?)], content)
        }
        ExportFormat::Dump => dump_and_tar(&repository, &manifest, to, run).await?,
    };
    let document = ExportDocument {
        backup: manifest.id.clone(),
        instance: manifest.instance.clone(),
        created_at: manifest.created_at,
        files: files.into_iter().map(|(path, bytes)| Written { path, bytes }).collect(),
        filestore,
    };
    let text = || {
        let files = document.files.iter().map(|file| format!("{}: {}\n", file.path.display(), bytes(file.bytes)));
        format!(
            "{}exported {}/{} of {} with {} ({}) of the filestore; all digests match the manifest",
            files.collect::<String>(),
            manifest.instance,
            manifest.id,
            time(manifest.created_at),
            plural(filestore.files, "file"),
            bytes(filestore.bytes),
        )
    };
    Ok(output.result(&document, text, Exit::Success))
}

/// What `export` prints.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Export)]
pub(super) struct ExportDocument {
    /// The backup's id.
    backup: BackupId,
    /// The instance.
    instance: String,
    /// The moment that the backup shows.
    created_at: Timestamp,
    /// The files that were written.
    files: Vec<Written>,
    /// What they hold of the filestore.
    filestore: Unpacked,
}

/// A file that was written.
#[derive(Debug, Serialize, ToSchema)]
struct Written {
    /// Where it is.
    #[schema(value_type = String)]
    path: PathBuf,
    /// Its length.
    bytes: u64,
}

/// Writes `TO.dump` and `TO.tar`, both or neither.
async fn dump_and_tar(
    repository: &Repository,
    manifest: &Manifest,
    to: &Path,
    run: &Run,
) -> Result<(Vec<(PathBuf, u64)>, Unpacked), Error> {
    let dump = NewFile::create(&with_ending(to, ".dump"))?;
    let tar = NewFile::create(&with_ending(to, ".tar"))?;
    engine::export::dump(repository, manifest, dump.sink()?, run).await?;
    let content = engine::export::filestore(repository, manifest, tar.sink()?, run).await?;
    let paths = [dump.path().to_owned(), tar.path().to_owned()];
    let dumped = dump.keep()?;
    let archived = tar.keep().inspect_err(|_| drop(std::fs::remove_file(&paths[0])))?;
    Ok((paths.into_iter().zip([dumped, archived]).collect(), content))
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}
