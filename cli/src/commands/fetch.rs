//! `odoo-backup fetch`

use std::io;
use std::path::{Path, PathBuf};

use engine::repository::BackupId;
use engine::run::Run;
use serde::Serialize;
use utoipa::ToSchema;

use super::chosen::{Chosen, load, open};
use super::failure::Failure;
use super::latest::find;
use crate::exit::Exit;
use crate::new_file::NewFile;
use crate::output::Output;
use crate::table::bytes;

/// What `fetch` prints.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Fetch)]
pub(super) struct FetchDocument {
    /// The backup's id.
    backup: BackupId,
    /// The file's path within the filestore.
    path: String,
    /// The file that was written.
    #[schema(value_type = String)]
    file: PathBuf,
    /// Its length.
    bytes: u64,
}

/// Gets one file out of a backup.
///
/// The file appears under its name only after its digest was verified. On stdout, only the exit
/// code shows that the output is complete.
pub(super) async fn fetch(
    config: Chosen<'_>,
    selector: &str,
    what: &str,
    to: &Path,
    run: &Run,
    output: Output,
) -> Result<Exit, Failure> {
    let config = load(config, output)?;
    let repository = open(&config).await?;
    let manifest = find(&repository, selector, &config, output).await?;
    let path = engine::fetch::resolve(&repository, &manifest, what, run).await?;
    if to == Path::new("-") {
        engine::fetch::fetch(&repository, &manifest, &path, io::stdout(), run).await?;
        return Ok(Exit::Success);
    }
    let file = NewFile::create(to)?;
    let to = file.path().to_owned();
    let size = engine::fetch::fetch(&repository, &manifest, &path, file.sink()?, run).await?;
    file.keep()?;
    let document = FetchDocument { backup: manifest.id, path, file: to, bytes: size };
    let FetchDocument { path, file, .. } = &document;
    Ok(output.result(&document, || format!("{}: {} from {path}", file.display(), bytes(size)), Exit::Success))
}
