//! What `--help` of each command ends with: notes, examples and exit codes. Lines have at most 80
//! columns.

pub(super) const INIT: &str = "\
It looks for Odoo on this machine, asks PostgreSQL which databases are Odoo's,
and says where each value comes from. On a terminal it asks at most five
questions. If the configuration exists, `init` leaves it as it is and only
creates the repository.

Examples:
  odoo-backup init                     look, ask, write
  odoo-backup init --yes               look and write
  odoo-backup init --odoo-conf /etc/odoo/odoo.conf --repository file:///backup
  odoo-backup init --repository s3://bucket/odoo";

pub(super) const DOCTOR: &str = "\
As root, where a service of odoo-backup is installed with this configuration,
all checks are made as the user of the service.

Examples:
  odoo-backup doctor
  odoo-backup doctor --fix --dry-run   what would be fixed
  odoo-backup doctor --fix";

pub(super) const NOW: &str = "\
Examples:
  odoo-backup now                  all instances of the configuration
  odoo-backup now production
  odoo-backup now --reread         also read files that earlier backups contain
  odoo-backup now --prune          for cron: then apply the retention policy
  odoo-backup now production --accept-new-identity
                                   production has a new database
  odoo-backup now --json | jq -r '.backups[].id'";

pub(super) const SHOW: &str = "\
Examples:
  odoo-backup show latest
  odoo-backup show production/latest
  odoo-backup show 20261121T02     the start of an id, if only one id starts so";

pub(super) const RESTORE: &str = "\
Examples:
  odoo-backup restore --to staging             the latest backup
  odoo-backup restore production/latest --to staging
  odoo-backup restore 20261121T020003Z-3f9c --to staging --jobs 4
  odoo-backup restore --to staging --dry-run   check first whether it would work
  odoo-backup restore --undo --to staging      go back to the previous state
  odoo-backup restore --to production --force-production production
                                               disaster recovery: production
                                               itself, not neutralized";

pub(super) const DRILL: &str = "\
Examples:
  odoo-backup drill                      the latest, on the instance's server
  odoo-backup drill production/latest --to staging
                                         on the server of a target, which does
                                         not change
  odoo-backup drill --verify full --report drill.md

Exit codes: 0 the backup is verified, 1 the drill could not run, 3 verified with
warnings, 13 the copy differs from what was backed up.";

pub(super) const FILES: &str = "\
Examples:
  odoo-backup files latest --like invoice
  odoo-backup files latest --json |
      jq -r '.attachments[] | select(.model == \"sale.order\") | .path'";

pub(super) const FETCH: &str = "\
Examples:
  odoo-backup fetch latest 4711 -o invoice.pdf     by the attachment's id
  odoo-backup fetch latest 3d/3d38e8fbd8b13307546e5db771b6b1db50caa74b -o x.pdf
  odoo-backup fetch latest 4711 -o - | file -";

pub(super) const EXPORT: &str = "\
Examples:
  odoo-backup export latest -o production.zip
      for Odoo's database manager, `odoo-bin db load` and Odoo.sh
  odoo-backup export latest -o - | ssh elsewhere 'cat > production.zip'
  odoo-backup export latest --format dump -o production
      production.dump for pg_restore, production.tar for tar";

pub(super) const CONFIG: &str = "\
Nothing is connected to; `odoo-backup doctor` tests whether the values work.

Examples:
  odoo-backup config show
  odoo-backup config show --json";

pub(super) const COPY: &str = "\
Only objects that are missing there are copied. Each digest is verified.

Examples:
  odoo-backup copy --to offsite       backups newer than the newest one there
  odoo-backup copy production/latest --to offsite
  odoo-backup copy --to offsite --dry-run
  odoo-backup copy --all --repository offsite --to main
                                      copy everything back, to a new disk";

pub(super) const IMPORT: &str = "\
The file is loaded into a scratch database on the server of a target. SQL in the
file runs there with the rights of the target's role.

Examples:
  odoo-backup import production.zip --as production
      a zip of Odoo's database manager, `odoo-bin db dump` or Odoo.sh
  odoo-backup import old.dump --filestore old.tar --as archive --on staging";

pub(super) const CHECK: &str = "\
Examples:
  odoo-backup check                      all backups: objects and their sizes
  odoo-backup check latest --read-data   read one backup, compare every digest
  odoo-backup check --read-data=5%       read a twentieth; twenty runs read
                                         everything
  odoo-backup check --read-data=10GB

Exit codes: 0 no problems, 1 failed or backups are missing, 13 damage found.";

pub(super) const REPAIR: &str = "\
Objects are recreated from the rest of the backup, from the instance's filestore
or from another repository. Nothing is deleted: quarantined backups stay in the
repository.

Examples:
  odoo-backup repair --dry-run               what can be repaired
  odoo-backup repair
  odoo-backup repair production --read-data  read all data first";

pub(super) const PRUNE: &str = "\
Files that interrupted runs left behind are removed, too.

Examples:
  odoo-backup prune --dry-run          what would be removed, and why
  odoo-backup prune --dry-run --as-of 2026-12-24
                                       what the policy will do on that day
  odoo-backup prune
  odoo-backup prune production --accept-shrunk
                                       data was deleted on purpose: continue
  odoo-backup prune --repack --dry-run how much space repacking would save";

pub(super) const FORGET: &str = "\
The newest verified backup of an instance, and its only backup, require the full
id.

Examples:
  odoo-backup forget 20261121T020003Z-3f9c
  odoo-backup forget production/20261121T02 --yes";

pub(super) const UNLOCK: &str = "\
Examples:
  odoo-backup unlock --list
  odoo-backup unlock                     remove locks that no process holds
  odoo-backup unlock production --force  remove a lock even if its owner runs;
                                         the owner then stops";

pub(super) const UPGRADE: &str = "\
Existing backups stay as they are. Earlier versions of odoo-backup refuse an
upgraded repository, so upgrade the program on every machine that uses it first.

Examples:
  odoo-backup upgrade --dry-run
  odoo-backup upgrade";

pub(super) const DAEMON: &str = "\
SIGTERM and SIGINT stop the daemon: it starts no new run, and gives running ones
`shutdown_grace` to finish before it cancels them. A second signal ends it at
once. SIGHUP reloads the configuration.

Example:
  odoo-backup daemon --log-format json";

pub(super) const SCHEDULE: &str = "\
Examples:
  odoo-backup schedule                 the next three runs of each job
  odoo-backup schedule production --count 10";

pub(super) const STATUS: &str = "\
Exit codes: 0 no problems, 3 warnings, 1 critical problems. With --nagios: 0 OK,
1 WARNING, 2 CRITICAL.

Examples:
  odoo-backup status
  odoo-backup status --nagios          one line, for a plugin
  odoo-backup status --json | jq .problems
  odoo-backup status --textfile /var/lib/node-exporter/odoo-backup.prom";

pub(super) const LOGS: &str = "\
Examples:
  odoo-backup logs latest
  odoo-backup logs 42";

pub(super) const COMPLETIONS: &str = "\
Example:
  odoo-backup completions bash > /etc/bash_completion.d/odoo-backup";

pub(super) const MANUAL: &str = "\
Example:
  odoo-backup manual /usr/local/share/man/man1";

pub(super) const TEST: &str = "\
Examples:
  odoo-backup notify test
  odoo-backup notify test admins           one notifier
  odoo-backup notify test --dry-run        print what would be sent";
