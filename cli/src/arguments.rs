//! The command line: what follows `odoo-backup`.

mod command;
mod examples;
mod moment;
mod offered;
mod prom_file;

use std::path::PathBuf;

use clap::{ArgAction, CommandFactory, FromArgMatches, Parser};

pub(crate) use self::command::{Command, ConfigCommand, ExportFormat, LogFormat, NotifyCommand};
#[cfg(test)]
pub(crate) use self::offered::GROUPS;

const AFTER: &str = "\
Examples:
  odoo-backup init --odoo-conf /etc/odoo/odoo.conf --repository file:///backup
  odoo-backup doctor
  odoo-backup now
  odoo-backup restore --to staging
  odoo-backup check --read-data

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 done with
warnings, 10 no repository, 11 locked, 13 damage found, 130 interrupted.

`odoo-backup COMMAND --help` shows the options and examples of a command.";

/// Back up Odoo, database and filestore together, to a folder or an S3 bucket, and restore it
#[derive(Debug, Parser)]
#[command(
    name = "odoo-backup",
    version,
    after_help = AFTER,
    arg_required_else_help = true,
    max_term_width = 110,
    disable_help_subcommand = true
)]
pub(crate) struct Arguments {
    /// Configuration file [default: $ODOO_BACKUP_CONFIG, ./odoo-backup.toml,
    /// /etc/odoo-backup/config.toml]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub(crate) config: Option<PathBuf>,

    /// Repository to use: `main`, or NAME of a [repository.NAME] [default: main; restore and drill
    /// take the first one with an intact copy]
    #[arg(long, global = true, value_name = "NAME", help_heading = "Global options")]
    pub(crate) repository: Option<String>,

    /// Print one JSON document on stdout, also for errors
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) json: bool,

    /// Log progress to stderr; repeat for more detail ($RUST_LOG overrides)
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Global options")]
    verbose: u8,

    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Arguments {
    /// Returns the definition of the command line, with grouped commands.
    pub(crate) fn definition() -> clap::Command {
        offered::offer(Self::command())
    }

    /// Returns the definition of the command line for completion scripts.
    pub(crate) fn for_completion() -> clap::Command {
        offered::spread(Self::command())
    }

    /// Parses the arguments of this process.
    ///
    /// # Errors
    /// Wrong usage, and also `--help` and `--version`, which clap treats as errors.
    pub(crate) fn parse_all() -> Result<Self, clap::Error> {
        let matches = Self::definition().try_get_matches()?;
        offered::refuse_meaningless(&matches)?;
        Self::from_arg_matches(&matches)
    }

    /// Returns the filter of the log where `$RUST_LOG` sets none. Warnings are always printed.
    pub(crate) fn log_level(&self) -> &'static str {
        match self.verbose {
            // The log is the only output of a daemon.
            0 if !matches!(self.command, Command::Daemon { .. }) => "off",
            0 | 1 => "engine=info,daemon=info,odoo_backup=info",
            _ => "engine=debug,daemon=debug,odoo_backup=debug,warn",
        }
    }

    /// Returns the format of the log.
    pub(crate) fn log_format(&self) -> LogFormat {
        match self.command {
            Command::Daemon { log_format } => log_format,
            _ => LogFormat::Human,
        }
    }
}
