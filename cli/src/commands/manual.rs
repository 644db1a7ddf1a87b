//! `odoo-backup manual`

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use engine::error::Error;
use serde::Serialize;
use utoipa::ToSchema;

use super::failure::Failure;
use crate::arguments::Arguments;
use crate::exit::Exit;
use crate::output::Output;
use crate::table::plural;

/// What `manual` prints.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Manual)]
pub(super) struct ManualDocument {
    /// The folder.
    #[schema(value_type = String)]
    folder: PathBuf,
    /// The names of the pages in it.
    pages: Vec<String>,
}

/// Writes a manual page for the program and each command into a folder, which is created if needed.
pub(super) fn manual(folder: &Path, output: Output) -> Result<Exit, Failure> {
    let write = || -> io::Result<Vec<String>> {
        fs::create_dir_all(folder).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
                io::Error::new(error.kind(), "the path leads to a file, not to a folder")
            }
            _ => error,
        })?;
        let program = Arguments::definition();
        clap_mangen::generate_to(program, folder)?;
        let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
        let mut pages: Vec<_> = entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        pages.sort_unstable();
        Ok(pages)
    };
    let failed = |source| Error::Io { action: format!("write the manual pages into {}", folder.display()), source };
    let pages = write().map_err(failed)?;
    let document = ManualDocument { folder: folder.to_owned(), pages };
    let text = || format!("wrote {} into {}\n", plural(document.pages.len() as u64, "manual page"), folder.display());
    Ok(output.result(&document, text, Exit::Success))
}
