//! The commands with their arguments. What is written here is `--help`, and the manual pages.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::Shell;
use engine::check::Sample;
use engine::verify::Depth;
use jiff::Timestamp;

use super::examples;
use super::moment::moment;
use super::prom_file::prom_file;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a commented configuration and create the repository
    #[command(after_help = examples::INIT)]
    Init {
        /// Odoo's configuration file; nothing of another Odoo is looked at [default: that of a
        /// running Odoo or of a systemd unit, else in a usual place]
        #[arg(long, value_name = "FILE")]
        odoo_conf: Option<PathBuf>,
        /// Where to keep the backups: file:///FOLDER or s3://BUCKET/PREFIX [default:
        /// file:///var/lib/odoo-backup]
        #[arg(long, value_name = "URL")]
        repository: Option<String>,
        /// Accept every default instead of asking on a terminal
        #[arg(short, long)]
        yes: bool,
    },
    /// Back up instances: the database and the filestore
    #[command(after_help = examples::NOW)]
    Now {
        /// Instances to back up [default: all]
        #[arg(value_name = "INSTANCE")]
        instances: Vec<String>,
        /// Back up all instances, as without a name
        #[arg(long, conflicts_with = "instances", hide = true)]
        all: bool,
        /// Store the dump in full, although it could build upon an earlier one
        #[arg(long)]
        full: bool,
        /// Read every file, also those that earlier backups contain, to find decay on the source's
        /// disk
        #[arg(long)]
        reread: bool,
        /// After each good backup, prune its instance, unless its section sets `prune = false`
        #[arg(long)]
        prune: bool,
        /// Back up even if more than half of the files that attachments reference are missing
        #[arg(long)]
        accept_missing: bool,
        /// Back up even if the database is not the one of the latest backup; requires INSTANCE
        #[arg(long, requires = "instances")]
        accept_new_identity: bool,
        #[command(flatten)]
        events: EventOptions,
    },
    /// List the backups
    List {
        /// Instances to list [default: all]
        #[arg(value_name = "INSTANCE")]
        instances: Vec<String>,
        /// Show every column
        #[arg(short, long)]
        long: bool,
    },
    /// Show the details of one backup
    #[command(after_help = examples::SHOW)]
    Show {
        /// An id, a unique start of one, `latest` or `latest~N`; optionally after INSTANCE/
        backup: String,
    },
    /// Restore a backup, replacing a target's database and filestore
    #[command(after_help = examples::RESTORE)]
    Restore {
        /// An id, a unique start of one, `latest` or `latest~N`; optionally after INSTANCE/
        /// [default: latest]
        backup: Option<String>,
        /// Where to restore to: NAME of a [target.NAME]; with --force-production also of an
        /// [instance.NAME]
        #[arg(long, value_name = "TARGET")]
        to: String,
        /// Sessions that load the database, and volumes that are unpacked in parallel [default:
        /// number of processors, at most 8]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
        jobs: Option<u32>,
        /// How much to read to verify the copy before it replaces the target
        #[arg(long, value_name = "DEPTH", value_enum, default_value_t = Verify::Quick)]
        verify: Verify,
        /// Remove the target's previous database and filestore instead of keeping them for --undo
        #[arg(long)]
        drop_previous: bool,
        /// Write a report of what was restored and verified: JSON if FILE ends in `.json`,
        /// otherwise Markdown
        #[arg(long, value_name = "FILE")]
        report: Option<PathBuf>,
        /// Bring back the target's state from before the last restore; a second --undo reverts that
        #[arg(long, conflicts_with_all = ["backup", "jobs", "verify", "drop_previous", "report", "dry_run", "trusted", "skip_failed_post_data"])]
        undo: bool,
        /// Leave out indexes, constraints and triggers that cannot be created, and list them,
        /// instead of failing
        #[arg(long)]
        skip_failed_post_data: bool,
        /// Replace production itself without neutralizing it; requires the name of its database
        #[arg(long, value_name = "DATABASE")]
        force_production: Option<String>,
        /// Before the swap, wait up to SECONDS for sessions on the target that the role may not
        /// terminate
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
        wait: Option<u64>,
        /// Trust the backup: restore even as a role that may run programs on the server (such as a
        /// superuser), and run statements that pg_dump does not write
        #[arg(long)]
        trusted: bool,
        /// Check whether the restore would work, without changing anything
        #[arg(long, conflicts_with = "report")]
        dry_run: bool,
        #[command(flatten)]
        events: EventOptions,
    },
    /// Verify a backup: restore it to a scratch database, then drop it
    #[command(after_help = examples::DRILL)]
    Drill {
        /// An id, a unique start of one, `latest` or `latest~N`; optionally after INSTANCE/
        /// [default: latest]
        backup: Option<String>,
        /// Make the copy on the server and next to the filestore of [target.NAME] [default: see
        /// [instance.NAME.drill]]
        #[arg(long, value_name = "TARGET")]
        to: Option<String>,
        /// Sessions that load the database, and volumes that are unpacked in parallel [default:
        /// number of processors, at most 8]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
        jobs: Option<u32>,
        /// Trust the backup: restore even as a role that may run programs on the server (such as a
        /// superuser), and run statements that pg_dump does not write
        #[arg(long)]
        trusted: bool,
        /// How much to read to verify the copy [default: see [instance.NAME.drill]]
        #[arg(long, value_name = "DEPTH", value_enum)]
        verify: Option<Verify>,
        /// Write a report of what was restored and verified: JSON if FILE ends in `.json`,
        /// otherwise Markdown
        #[arg(long, value_name = "FILE")]
        report: Option<PathBuf>,
        #[command(flatten)]
        events: EventOptions,
    },
    /// List the attachments in a backup by their names in Odoo
    #[command(after_help = examples::FILES)]
    Files {
        /// An id, a unique start of one, `latest` or `latest~N`; optionally after INSTANCE/
        backup: String,
        /// Only attachments whose name, model or path contains TEXT, in upper or lower case
        #[arg(long, value_name = "TEXT")]
        like: Option<String>,
    },
    /// Get one file out of a backup without a restore
    #[command(after_help = examples::FETCH)]
    Fetch {
        /// An id, a unique start of one, `latest` or `latest~N`; optionally after INSTANCE/
        backup: String,
        /// An attachment's id, or a path in the filestore; `odoo-backup files` lists both
        #[arg(value_name = "ATTACHMENT-OR-PATH")]
        what: String,
        /// A file that does not exist yet, or `-` for stdout
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Write a backup as Odoo's own zip, or as a dump and a tar
    #[command(after_help = examples::EXPORT)]
    Export {
        /// An id, a unique start of one, `latest` or `latest~N`; optionally after INSTANCE/
        backup: String,
        /// A file that does not exist yet, or `-` for stdout; with `--format dump` the name of both
        /// files without `.dump` and `.tar`
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// What to write
        #[arg(long, value_enum, default_value_t = ExportFormat::Zip)]
        format: ExportFormat,
        #[command(flatten)]
        events: EventOptions,
    },
    /// Copy backups to another repository of the configuration
    #[command(after_help = examples::COPY)]
    Copy {
        /// Backups to copy: an id, a unique start of one, `latest` or `latest~N`; optionally after
        /// INSTANCE/ [default: all that are newer than the newest one there]
        #[arg(value_name = "BACKUP")]
        backups: Vec<String>,
        /// The repository to copy to: `main`, or NAME of a [repository.NAME]
        #[arg(long, value_name = "NAME")]
        to: String,
        /// Copy every backup that is missing there, also those older than the newest one there
        #[arg(long, conflicts_with = "backups")]
        all: bool,
        /// Print what would be copied, without changing anything
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        events: EventOptions,
    },
    /// Turn a file of Odoo or pg_dump into a backup
    #[command(after_help = examples::IMPORT)]
    Import {
        /// Odoo's own zip, or a pg_dump archive in the custom format
        file: PathBuf,
        /// The filestore of a pg_dump archive: a tar or a folder [default: FILE with the ending
        /// `.tar`, if it exists]
        #[arg(long, value_name = "PATH")]
        filestore: Option<PathBuf>,
        /// The instance that the backup belongs to; it need not be configured
        #[arg(long = "as", value_name = "INSTANCE")]
        instance: String,
        /// The target or instance whose server loads the file [default: the only target]
        #[arg(long, value_name = "NAME")]
        on: Option<String>,
        /// Trust the file: load it even as a role that may run programs on the server (such as a
        /// superuser), and run statements that pg_dump does not write
        #[arg(long)]
        trusted: bool,
        /// Import even if more than half of the files that attachments reference are missing
        #[arg(long)]
        accept_missing: bool,
        /// Import even if the file's database is not the one of the instance's latest backup
        #[arg(long)]
        accept_new_identity: bool,
        #[command(flatten)]
        events: EventOptions,
    },
    /// Check that all objects of the backups exist, or read them back
    #[command(after_help = examples::CHECK)]
    Check {
        /// Backups to check: an id, a unique start of one, `latest` or `latest~N`; optionally after
        /// INSTANCE/ [default: all]
        #[arg(value_name = "BACKUP")]
        backups: Vec<String>,
        /// Check all backups of INSTANCE; can be repeated
        #[arg(long = "instance", value_name = "INSTANCE")]
        instances: Vec<String>,
        /// Read all data, or a sample of it, compare every digest, and let pg_restore read the
        /// dump's table of contents
        #[arg(long, value_name = "SAMPLE", num_args = 0..=1, require_equals = true, default_missing_value = "100%")]
        read_data: Option<Sample>,
        #[command(flatten)]
        events: EventOptions,
    },
    /// Recreate damaged objects, quarantine backups that stay damaged
    #[command(after_help = examples::REPAIR)]
    Repair {
        /// Instances to repair [default: all in the repository]
        #[arg(value_name = "INSTANCE")]
        instances: Vec<String>,
        /// Read all data, or a sample of it, to find damage that no check has found yet
        #[arg(long, value_name = "SAMPLE", num_args = 0..=1, require_equals = true, default_missing_value = "100%")]
        read_data: Option<Sample>,
        /// Print what can be repaired, without changing anything
        #[arg(long)]
        dry_run: bool,
    },
    /// Remove backups that the retention policy does not keep
    #[command(after_help = examples::PRUNE)]
    Prune {
        /// Instances to prune [default: all of the configuration]
        #[arg(value_name = "INSTANCE")]
        instances: Vec<String>,
        /// Print the plan, without changing anything
        #[arg(long)]
        dry_run: bool,
        /// Plan for another moment: what the policy will do if the schedule makes its backups until
        /// then; DATE is a day, which means its end, or RFC 3339
        #[arg(long, value_name = "DATE", requires = "dry_run", conflicts_with = "repack", value_parser = moment)]
        as_of: Option<Timestamp>,
        /// Accept that the newest backup is much smaller than those before it; requires INSTANCE
        #[arg(long, requires = "instances")]
        accept_shrunk: bool,
        /// Rewrite volumes that mostly contain files no backup needs; see `repack_below`
        #[arg(long)]
        repack: bool,
        #[command(flatten)]
        events: EventOptions,
    },
    /// Keep a backup, whatever the retention policy says
    Pin {
        /// An id, a unique start of one, `latest` or `latest~N`; optionally after INSTANCE/
        backup: String,
        /// The reason
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Apply the retention policy to a pinned backup again
    Unpin {
        /// An id, a unique start of one, `latest` or `latest~N`; optionally after INSTANCE/
        backup: String,
    },
    /// Remove one backup, whatever the retention policy says
    #[command(after_help = examples::FORGET)]
    Forget {
        /// An id, a unique start of one, `latest` or `latest~N`; optionally after INSTANCE/
        backup: String,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
        /// Print what would be removed, without changing anything
        #[arg(long)]
        dry_run: bool,
    },
    /// List locks, and remove those whose owner is gone
    #[command(after_help = examples::UNLOCK)]
    Unlock {
        /// Instances whose locks to remove [default: all]
        #[arg(value_name = "INSTANCE")]
        instances: Vec<String>,
        /// Only list the locks
        #[arg(long, conflicts_with = "force")]
        list: bool,
        /// Remove also locks whose owner is running
        #[arg(long)]
        force: bool,
    },
    /// Upgrade the repositories to the latest format
    #[command(after_help = examples::UPGRADE)]
    Upgrade {
        /// Print the formats, without changing anything
        #[arg(long)]
        dry_run: bool,
    },
    /// Run the schedules of the instances until stopped
    #[command(after_help = examples::DAEMON)]
    Daemon {
        /// Format of the log on stderr
        #[arg(long, value_enum, value_name = "FORMAT", default_value_t = LogFormat::Human)]
        log_format: LogFormat,
    },
    /// Show the next runs of the daemon
    #[command(after_help = examples::SCHEDULE)]
    Schedule {
        /// Instances to show [default: all]
        #[arg(value_name = "INSTANCE")]
        instances: Vec<String>,
        /// Runs to show of each job
        #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 3)]
        count: usize,
    },
    /// Show what is running, what comes next, and any problems
    #[command(after_help = examples::STATUS)]
    Status {
        /// Print one line, and exit, as Nagios and Icinga expect of a plugin
        #[arg(long)]
        nagios: bool,
        /// Also write metrics to FILE for the textfile collector of node_exporter; its name ends in
        /// .prom
        #[arg(long, value_name = "FILE", value_parser = prom_file)]
        textfile: Option<PathBuf>,
    },
    /// List the runs of the daemon, newest first
    Runs {
        /// Instances to list [default: all]
        #[arg(value_name = "INSTANCE")]
        instances: Vec<String>,
        /// Runs to list
        #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20)]
        limit: usize,
    },
    /// Show the log of one run of the daemon
    #[command(after_help = examples::LOGS)]
    Logs {
        /// The number of a run as `odoo-backup runs` lists it, or `latest`
        run: String,
    },
    /// Test connections, privileges, programs and folders
    #[command(after_help = examples::DOCTOR)]
    Doctor {
        /// First fix what is safe to fix: permissions and owners of the configuration and of local
        /// repositories, and missing folders for restores
        #[arg(long)]
        fix: bool,
        /// With --fix: say what would be fixed, and change nothing
        #[arg(long, requires = "fix")]
        dry_run: bool,
    },
    /// Show the configuration that is in force
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Test the notifications of the configuration
    Notify {
        #[command(subcommand)]
        command: NotifyCommand,
    },
    /// Print a completion script for a shell
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the manual pages into a folder
    #[command(after_help = examples::MANUAL)]
    Manual {
        /// The folder; created if it does not exist
        folder: PathBuf,
    },
}

/// The option of commands that report their progress.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct EventOptions {
    /// Report progress as one JSON object per line on stderr; implies --json
    #[arg(long)]
    json_progress: bool,
}

impl Command {
    /// Returns the name of the command if it is to report its progress as JSON.
    pub(crate) fn reporting(&self) -> Option<&'static str> {
        let (name, events) = match self {
            Self::Now { events, .. } => ("now", events),
            Self::Restore { events, .. } => ("restore", events),
            Self::Drill { events, .. } => ("drill", events),
            Self::Export { events, .. } => ("export", events),
            Self::Copy { events, .. } => ("copy", events),
            Self::Import { events, .. } => ("import", events),
            Self::Check { events, .. } => ("check", events),
            Self::Prune { events, .. } => ("prune", events),
            _ => return None,
        };
        events.json_progress.then_some(name)
    }
}

/// The format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people
    Human,
    /// One JSON object per line
    Json,
}

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print each key with its value, and where it comes from; secrets are masked
    #[command(after_help = examples::CONFIG)]
    Show,
}

/// What to do with notifiers.
#[derive(Debug, Subcommand)]
pub(crate) enum NotifyCommand {
    /// Send a test message of each kind, and print which were accepted
    #[command(after_help = examples::TEST)]
    Test {
        /// Notifiers to test, by their names in the configuration [default: all]
        #[arg(value_name = "NOTIFIER")]
        notifiers: Vec<String>,
        /// Print what would be sent, without secrets, and send nothing
        #[arg(long)]
        dry_run: bool,
    },
}

/// What `export` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// Odoo's own format: dump.sql, filestore/ and manifest.json
    Zip,
    /// FILE.dump, in pg_dump's custom format, and FILE.tar, the filestore
    Dump,
}

/// How much is read to verify a restored copy.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Verify {
    /// The rows of every table; whether every file exists and has its length
    Quick,
    /// Also the content of every file, compared with the SHA-1 in its name
    Full,
}

impl From<Verify> for Depth {
    fn from(verify: Verify) -> Self {
        match verify {
            Verify::Quick => Self::Quick,
            Verify::Full => Self::Full,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Arguments;

    #[test]
    fn definition_passes_asserts_of_clap() {
        Arguments::definition().debug_assert();
    }
}
