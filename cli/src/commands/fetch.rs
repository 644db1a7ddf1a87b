//! `odoo-backup fetch`

use std::io;
use std::path::Path;

use engine::error::Error;
use serde_json::json;

use super::{Failure, load, only_instance, open};
use crate::exit::Exit;
use crate::output::Output;
use crate::table::bytes;

/// Brings one file back. It appears under its name only once its digest was right; on stdout the exit code tells.
pub(super) async fn fetch(
    config: Option<&Path>,
    selector: &str,
    what: &str,
    to: &Path,
    output: Output,
) -> Result<Exit, Failure> {
    let config = load(config, output)?;
    let repository = open(&config).await?;
    let manifest = repository.find(selector, only_instance(&config)).await?;
    let path = engine::fetch::resolve(&repository, &manifest, what).await?;
    if to == Path::new("-") {
        engine::fetch::fetch(&repository, &manifest, &path, io::stdout()).await?;
        return Ok(Exit::Success);
    }
    let failed = |source| Error::Io { action: format!("write {}", to.display()), source };
    let to = std::path::absolute(to).map_err(failed)?;
    if to.symlink_metadata().is_ok() {
        return Err(Error::Exists { what: to.display().to_string() }.into());
    }
    let folder = to.parent().unwrap_or(Path::new("/"));
    let file = tempfile::Builder::new().prefix(".odoo-backup-").tempfile_in(folder).map_err(failed)?;
    let sink = file.reopen().map_err(failed)?;
    let size = engine::fetch::fetch(&repository, &manifest, &path, sink).await?;
    file.persist_noclobber(&to).map_err(|error| failed(error.error))?;
    let document = json!({ "backup": manifest.id, "path": path, "file": to, "bytes": size });
    Ok(output.result(&document, || format!("{}: {} of {path}", to.display(), bytes(size)), Exit::Success))
}
