//! What can be typed behind `odoo-backup`.

use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use engine::check::Sample;
use engine::verify::Depth;

const EXAMPLES: &str = "\
Examples:
  odoo-backup init --odoo-conf /etc/odoo/odoo.conf   write a configuration, make the repository
  odoo-backup doctor                                 try everything it names
  odoo-backup now                                    back up
  odoo-backup list                                   what there is
  odoo-backup restore --to staging                   the latest backup under another name
  odoo-backup check --read-data                      read every byte back

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration,
3 done with warnings, 13 damage found, 130 interrupted.";

/// Backup and disaster recovery for Odoo: the database and its filestore, to a folder or an S3 bucket, and back.
#[derive(Debug, Parser)]
#[command(name = "odoo-backup", version, after_help = EXAMPLES, arg_required_else_help = true, max_term_width = 110)]
pub(crate) struct Arguments {
    /// Configuration [default: $ODOO_BACKUP_CONFIG, ./odoo-backup.toml, /etc/odoo-backup/config.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Repository to work with: `main`, or NAME of a [repository.NAME] [default: main; for a restore or a drill the first that has an intact copy of the backup]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) repository: Option<String>,

    /// Print one JSON document on stdout, errors included
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Log what is being done to stderr; twice for more ($RUST_LOG for full control)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,

    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Arguments {
    /// What is logged where `$RUST_LOG` does not say. Warnings are printed as such, whatever is logged.
    pub(crate) fn log_level(&self) -> &'static str {
        match self.verbose {
            // A daemon has no other way to say what it does.
            0 if !matches!(self.command, Command::Daemon { .. }) => "off",
            0 | 1 => "engine=info,daemon=info,odoo_backup=info",
            _ => "engine=debug,daemon=debug,odoo_backup=debug,warn",
        }
    }

    /// How the log is written.
    pub(crate) fn log_format(&self) -> LogFormat {
        match self.command {
            Command::Daemon { log_format } => log_format,
            _ => LogFormat::Human,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a commented configuration and make the repository
    #[command(after_help = "Examples:
  odoo-backup init                                                      what is found in the usual places
  odoo-backup init --odoo-conf /etc/odoo/odoo.conf --repository file:///mnt/backup/odoo
  odoo-backup init --repository s3://bucket/odoo --config /etc/odoo-backup/config.toml

Where the configuration exists already it is left as it is, and only the repository is made.")]
    Init {
        /// Odoo's configuration, to fill in databases and data_dir from [default: the usual places]
        #[arg(long, value_name = "FILE")]
        odoo_conf: Option<PathBuf>,
        /// Where backups are to be kept: file:///FOLDER or s3://BUCKET/PREFIX
        #[arg(long, value_name = "URL")]
        repository: Option<String>,
    },
    /// Back up instances: database and filestore
    #[command(after_help = "Examples:
  odoo-backup now                  every instance of the configuration
  odoo-backup now production
  odoo-backup now --reread         read also the files that earlier backups hold
  odoo-backup now --prune          from cron or a timer: remove what the retention policy no longer keeps
  odoo-backup now production --accept-new-identity   another database takes the place of production's
  odoo-backup now --json | jq -r '.backups[].id'")]
    Now {
        /// Names of instances [default: all]
        #[arg(value_name = "INSTANCE")]
        instances: Vec<String>,
        /// Back up all instances, as without a name
        #[arg(long, conflicts_with = "instances", hide = true)]
        all: bool,
        /// Read every file, also those that earlier backups hold: finds decay on the source's disk
        #[arg(long)]
        reread: bool,
        /// After each good backup, prune its instance by its retention policy, unless the instance says `prune = false`
        #[arg(long)]
        prune: bool,
        /// Back up although more than half of the files that the attachments name are lost
        #[arg(long)]
        accept_missing: bool,
        /// Go on though the database is another one than that of the latest backup; names of instances must be given
        #[arg(long, requires = "instances")]
        accept_new_identity: bool,
    },
    /// List the backups
    List {
        /// Names of instances [default: all]
        #[arg(value_name = "INSTANCE")]
        instances: Vec<String>,
    },
    /// Show what a backup holds
    #[command(after_help = "Examples:
  odoo-backup show latest
  odoo-backup show production/latest
  odoo-backup show 20261121T02     the beginning of an id, if only one begins so")]
    Show {
        /// An id, a unique beginning of one, `latest`, or INSTANCE/ and one of these
        backup: String,
    },
    /// Restore a backup into a target's database and filestore, in the place of what they are
    #[command(after_help = "Examples:
  odoo-backup restore --to staging                        the latest
  odoo-backup restore production/latest --to staging
  odoo-backup restore 20261121T020003Z-3f9c --to staging --jobs 4
  odoo-backup restore --to staging --dry-run              what is in the way
  odoo-backup restore --undo --to staging                 what it was before
  odoo-backup restore --to production --force-production production
                                                          disaster recovery: nothing is neutralized")]
    Restore {
        /// An id, a unique beginning of one, `latest`, or INSTANCE/ and one of these [default: latest]
        backup: Option<String>,
        /// The [target.NAME] of the configuration to restore to; with --force-production also an [instance.NAME]
        #[arg(long, value_name = "TARGET")]
        to: String,
        /// Sessions that load the database, and volumes that are unpacked at once [default: processors, at most 8]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
        jobs: Option<u32>,
        /// How much is read to verify the copy before the target gets it
        #[arg(long, value_name = "DEPTH", value_enum, default_value_t = Verify::Quick)]
        verify: Verify,
        /// Remove what the target was once it is replaced, rather than keep it for --undo
        #[arg(long)]
        drop_previous: bool,
        /// Write a report of what was done and verified: Markdown, or JSON where the name ends in `.json`
        #[arg(long, value_name = "FILE")]
        report: Option<PathBuf>,
        /// Give the target back what it was before the last restore; undone again, what it is now
        #[arg(long, conflicts_with_all = ["backup", "jobs", "verify", "drop_previous", "report", "dry_run", "trusted", "skip_failed_post_data"])]
        undo: bool,
        /// Leave out indexes, constraints and triggers that cannot be made, and list them, rather than fail
        #[arg(long)]
        skip_failed_post_data: bool,
        /// Replace production itself, and neutralize nothing: the name of its database, typed out
        #[arg(long, value_name = "DATABASE")]
        force_production: Option<String>,
        /// Wait up to SECONDS, before the swap, for the end of sessions on the target that the role may not end
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
        wait: Option<u64>,
        /// Restore also by a role that may run programs on its server, as a superuser may, and run also what pg_dump does not write
        #[arg(long)]
        trusted: bool,
        /// Say what is in the way of the restore, and touch nothing
        #[arg(long, conflicts_with = "report")]
        dry_run: bool,
    },
    /// Prove a backup: restore it to a scratch database and folder, verify the copy, and drop it
    #[command(after_help = "Examples:
  odoo-backup drill                               the latest, on the instance's own server
  odoo-backup drill production/latest --to staging    on the server of a target, which stays as it is
  odoo-backup drill --verify full --report drill.md

Exit codes: 0 the backup is proven, 1 it could not be tried, 3 with warnings, 13 the copy is not what was backed up.")]
    Drill {
        /// An id, a unique beginning of one, `latest`, or INSTANCE/ and one of these [default: latest]
        backup: Option<String>,
        /// A [target.NAME] on whose server and beside whose filestore the copy is made [default: as [instance.NAME.drill] says]
        #[arg(long, value_name = "TARGET")]
        to: Option<String>,
        /// Sessions that load the database, and volumes that are unpacked at once [default: processors, at most 8]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
        jobs: Option<u32>,
        /// Restore also by a role that may run programs on its server, as a superuser may, and run also what pg_dump does not write
        #[arg(long)]
        trusted: bool,
        /// How much is read to verify the copy [default: as [instance.NAME.drill] says]
        #[arg(long, value_name = "DEPTH", value_enum)]
        verify: Option<Verify>,
        /// Write a report of what was done and verified: Markdown, or JSON where the name ends in `.json`
        #[arg(long, value_name = "FILE")]
        report: Option<PathBuf>,
    },
    /// List the attachments of a backup, by their names in Odoo
    #[command(after_help = "Examples:
  odoo-backup files latest --like invoice
  odoo-backup files production/latest --json | jq -r '.attachments[] | select(.model == \"sale.order\") | .path'")]
    Files {
        /// An id, a unique beginning of one, `latest`, or INSTANCE/ and one of these
        backup: String,
        /// Only those whose name, model or path holds this text, in any case
        #[arg(long, value_name = "TEXT")]
        like: Option<String>,
    },
    /// Bring one file of a backup back, without restoring anything
    #[command(after_help = "Examples:
  odoo-backup fetch latest 4711 -o invoice.pdf                    by the attachment's id
  odoo-backup fetch latest 3d/3d38e8fbd8b13307546e5db771b6b1db50caa74b -o - | file -")]
    Fetch {
        /// An id, a unique beginning of one, `latest`, or INSTANCE/ and one of these
        backup: String,
        /// An attachment's id, or a path within the filestore; `odoo-backup files` lists both
        #[arg(value_name = "ATTACHMENT-OR-PATH")]
        what: String,
        /// A file that does not exist yet, or `-` for stdout
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Write a backup as a file that other programs read: Odoo's own zip, or an archive of pg_dump and a tar
    #[command(after_help = "Examples:
  odoo-backup export latest -o production.zip             for Odoo's database manager, `odoo-bin db load`, Odoo.sh
  odoo-backup export latest -o - | ssh elsewhere 'cat > production.zip'
  odoo-backup export latest --format dump -o production   production.dump for pg_restore, production.tar for tar")]
    Export {
        /// An id, a unique beginning of one, `latest`, or INSTANCE/ and one of these
        backup: String,
        /// A file that does not exist yet, or `-` for stdout; with `--format dump` the two files' name without `.dump` and `.tar`
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// What is written
        #[arg(long, value_enum, default_value_t = ExportFormat::Zip)]
        format: ExportFormat,
    },
    /// Copy backups to another repository of the configuration
    #[command(after_help = "Examples:
  odoo-backup copy --to offsite                      what is newer than the newest there
  odoo-backup copy production/latest --to offsite
  odoo-backup copy --all --repository offsite --to main   all back, as onto a new disk

Only what is missing there is copied, and each object's digest is compared on its way.")]
    Copy {
        /// Ids, unique beginnings of them, `latest`, or INSTANCE/ and one of these [default: all that are newer than the newest there]
        #[arg(value_name = "BACKUP")]
        backups: Vec<String>,
        /// The repository to copy to: `main`, or NAME of a [repository.NAME]
        #[arg(long, value_name = "NAME")]
        to: String,
        /// All that are not there, also those that are older than the newest there
        #[arg(long, conflicts_with = "backups")]
        all: bool,
    },
    /// Make a backup of a file that Odoo or pg_dump wrote, so that it can be restored like any other
    #[command(after_help = "Examples:
  odoo-backup import production.zip --as production              a zip of Odoo's database manager, `odoo-bin db dump`, Odoo.sh
  odoo-backup import old.dump --filestore old.tar --as archive --on staging

The database is loaded into a scratch database on the server of a target, and what the file says is run there with
its role's rights.")]
    Import {
        /// Odoo's own zip, or an archive of pg_dump in its custom format
        file: PathBuf,
        /// The filestore of an archive: a tar or a folder [default: FILE with `.tar` in the place of its ending, if it is there]
        #[arg(long, value_name = "PATH")]
        filestore: Option<PathBuf>,
        /// The instance whose backup it becomes; it need not be in the configuration
        #[arg(long = "as", value_name = "INSTANCE")]
        instance: String,
        /// The target, or the instance, on whose server it is loaded for a while [default: the only target]
        #[arg(long, value_name = "NAME")]
        on: Option<String>,
        /// Load it also by a role that may run programs on its server, as a superuser may, and run also what pg_dump does not write
        #[arg(long)]
        trusted: bool,
        /// Import it although more than half of the files that the attachments name are not in its filestore
        #[arg(long)]
        accept_missing: bool,
        /// Go on though the file is of another database than the latest backup of the instance
        #[arg(long)]
        accept_new_identity: bool,
    },
    /// Check that every object of a backup is there, and, if asked, every byte of it
    #[command(after_help = "Examples:
  odoo-backup check                          every backup: objects, sizes, checksums' list
  odoo-backup check latest --read-data       read all of it back, compare every digest
  odoo-backup check --read-data=5%           read a twentieth, the next time the next: all of it in twenty runs
  odoo-backup check --read-data=10GB")]
    Check {
        /// Ids, unique beginnings of them, `latest`, or INSTANCE/ and one of these [default: all]
        #[arg(value_name = "BACKUP")]
        backups: Vec<String>,
        /// All backups of this instance; may be given several times
        #[arg(long = "instance", value_name = "INSTANCE")]
        instances: Vec<String>,
        /// Read every byte back, or so many, compare every digest, let pg_restore read the dump's table of contents
        #[arg(long, value_name = "SAMPLE", num_args = 0..=1, require_equals = true, default_missing_value = "100%")]
        read_data: Option<Sample>,
    },
    /// Make what is damaged anew where that is possible, and set aside the backups that cannot be trusted; nothing is deleted
    #[command(after_help = "Examples:
  odoo-backup repair --dry-run             what could be mended of what `check` has found
  odoo-backup repair
  odoo-backup repair production --read-data     read everything back before")]
    Repair {
        /// Names of instances [default: all that the repository has]
        #[arg(value_name = "INSTANCE")]
        instances: Vec<String>,
        /// Read every byte back, or so many, to find damage that no check has found yet
        #[arg(long, value_name = "SAMPLE", num_args = 0..=1, require_equals = true, default_missing_value = "100%")]
        read_data: Option<Sample>,
        /// Say what could be done and store nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Remove the backups that the retention policy no longer keeps, and what interrupted runs left
    #[command(after_help = "Examples:
  odoo-backup prune --dry-run              what would go, and why the rest stays
  odoo-backup prune
  odoo-backup prune production --accept-shrunk   the data was removed on purpose: go on pruning
  odoo-backup prune --repack --dry-run     what volumes hold that no backup needs any more")]
    Prune {
        /// Names of instances [default: all of the configuration]
        #[arg(value_name = "INSTANCE")]
        instances: Vec<String>,
        /// Print the plan and do nothing
        #[arg(long)]
        dry_run: bool,
        /// Accept that the newest backup holds much less than those before it; names of instances must be given
        #[arg(long, requires = "instances")]
        accept_shrunk: bool,
        /// Write volumes anew of which most is needed by no backup any more; `repack_below` says when
        #[arg(long)]
        repack: bool,
    },
    /// Keep a backup, whatever the policy says
    Pin {
        /// An id, a unique beginning of one, `latest`, or INSTANCE/ and one of these
        backup: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Leave a pinned backup to the policy again
    Unpin {
        /// An id, a unique beginning of one, `latest`, or INSTANCE/ and one of these
        backup: String,
    },
    /// Remove one backup, whatever the policy says
    #[command(after_help = "Examples:
  odoo-backup forget 20261121T020003Z-3f9c
  odoo-backup forget production/20261121T02 --yes

The newest proven backup of an instance, and its only one, goes only where its whole id is typed out.")]
    Forget {
        /// An id, a unique beginning of one, `latest`, or INSTANCE/ and one of these
        backup: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// List the locks, and remove those whose owners are gone
    #[command(after_help = "Examples:
  odoo-backup unlock --list
  odoo-backup unlock                       remove what no living process holds
  odoo-backup unlock production --force    remove a lock though its owner may be alive: it then stops")]
    Unlock {
        /// Names of instances [default: all]
        #[arg(value_name = "INSTANCE")]
        instances: Vec<String>,
        /// Only show them
        #[arg(long, conflicts_with = "force")]
        list: bool,
        /// Remove those of living owners, too
        #[arg(long)]
        force: bool,
    },
    /// Run the schedules of the instances until told to end
    #[command(
        after_help = "SIGTERM and SIGINT end it: nothing new begins, what runs may finish within `shutdown_grace` and is then
stopped cleanly; a second one ends it at once. SIGHUP lets it read the configuration anew.

Example:
  odoo-backup daemon --log-format json"
    )]
    Daemon {
        /// How the log on stderr is written
        #[arg(long, value_enum, value_name = "FORMAT", default_value_t = LogFormat::Human)]
        log_format: LogFormat,
    },
    /// Show when the daemon will do what
    #[command(after_help = "Examples:
  odoo-backup schedule                 the next three of everything
  odoo-backup schedule production --count 10")]
    Schedule {
        /// Names of instances [default: all]
        #[arg(value_name = "INSTANCE")]
        instances: Vec<String>,
        /// How many of each job
        #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 3)]
        count: usize,
    },
    /// Say what runs, what comes next, and what is wrong
    #[command(
        after_help = "Ends in 0 if all is well, in 3 if a person should look, in 1 if something is wrong. With --nagios as plugins
of Nagios and Icinga do: 0 OK, 1 WARNING, 2 CRITICAL.

Examples:
  odoo-backup status
  odoo-backup status --nagios          one line, for a plugin
  odoo-backup status --json | jq .problems"
    )]
    Status {
        /// A line and an exit code as Nagios and Icinga expect them of a plugin
        #[arg(long)]
        nagios: bool,
    },
    /// List what the daemon ran, the latest first
    Runs {
        /// Names of instances [default: all]
        #[arg(value_name = "INSTANCE")]
        instances: Vec<String>,
        /// How many
        #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20)]
        limit: usize,
    },
    /// Show what one of the daemon's runs said
    #[command(after_help = "Examples:
  odoo-backup logs latest
  odoo-backup logs 42")]
    Logs {
        /// The number of a run, as `runs` lists it, or `latest`
        run: String,
    },
    /// Try every connection, privilege, program and folder, and say what is missing
    Doctor,
    /// Tell those whom the configuration names
    Notify {
        #[command(subcommand)]
        command: NotifyCommand,
    },
    /// Print a completion script for a shell
    #[command(after_help = "Example:
  odoo-backup completions bash > /etc/bash_completion.d/odoo-backup")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the manual pages into a folder
    #[command(after_help = "Example:
  odoo-backup manual /usr/local/share/man/man1")]
    Manual {
        /// Made where it is missing
        folder: PathBuf,
    },
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people
    Human,
    /// A JSON object a line
    Json,
}

/// What there is to tell.
#[derive(Debug, Subcommand)]
pub(crate) enum NotifyCommand {
    /// Send one message of each kind, marked as a test, and say which were taken
    #[command(after_help = "Examples:
  odoo-backup notify test
  odoo-backup notify test admins           one of them")]
    Test {
        /// Names of notifiers, as the configuration has them [default: all]
        #[arg(value_name = "NOTIFIER")]
        notifiers: Vec<String>,
    },
}

/// What `export` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// Odoo's own: dump.sql, filestore/ and manifest.json
    Zip,
    /// FILE.dump, in pg_dump's custom format, and FILE.tar, the filestore
    Dump,
}

/// How much is read to verify a restored copy.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Verify {
    /// Every table's rows; of every file, whether it is there and how long it is
    Quick,
    /// Every file too is read back, and held against the SHA-1 of its name
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
    use clap::CommandFactory;

    #[test]
    fn is_consistent_in_itself() {
        super::Arguments::command().debug_assert();
    }
}
