//! `odoo-backup completions`

use std::io::{ErrorKind, Write};

use clap_complete::Shell;
use engine::error::Error;

use super::failure::Failure;
use crate::arguments::Arguments;
use crate::exit::Exit;

/// Prints the completion script of a shell.
pub(super) fn completions(shell: Shell) -> Result<Exit, Failure> {
    // clap panics on an error of stdout, so the script is written separately.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::for_completion(), "odoo-backup", &mut script);
    match std::io::stdout().lock().write_all(&script) {
        Err(source) if source.kind() != ErrorKind::BrokenPipe => {
            Err(Error::Io { action: "write the completion script to stdout".into(), source }.into())
        }
        _ => Ok(Exit::Success),
    }
}
