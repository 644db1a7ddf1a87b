//! `odoo-backup manual`

use std::fs;
use std::io;
use std::path::Path;

use clap::CommandFactory;
use engine::error::Error;
use serde_json::json;

use super::failure::Failure;
use crate::arguments::Arguments;
use crate::exit::Exit;
use crate::output::Output;
use crate::table::plural;

/// Writes a manual page for the program and for each of its commands into a folder, which is made where it is missing.
pub(super) fn manual(folder: &Path, output: Output) -> Result<Exit, Failure> {
    let write = || -> io::Result<Vec<String>> {
        fs::create_dir_all(folder)?;
        let program = Arguments::command();
        // Built, so that the options of all commands stand on each page. What is only for completions has no page.
        clap_mangen::generate_to(program, folder)?;
        let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
        let mut pages: Vec<_> = entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        pages.sort_unstable();
        Ok(pages)
    };
    let failed = |source| Error::Io { action: format!("write the manual pages into {}", folder.display()), source };
    let pages = write().map_err(failed)?;
    let text = || format!("wrote {} into {}\n", plural(pages.len() as u64, "page"), folder.display());
    Ok(output.result(&json!({ "folder": folder, "pages": pages }), text, Exit::Success))
}
