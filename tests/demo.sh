#!/usr/bin/env bash
# Shows the program: backs up a made-up Odoo instance to a local folder, restores it to staging,
# undoes that, tries to restore over production, verifies and checks the backup, and runs a daemon.
# Everything is in one temporary folder, with a PostgreSQL server of its own. KEEP=1 keeps both.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}/demo

# Bold only on a terminal.
bold='' plain=''
[ ! -t 1 ] || { bold=$'\033[1m' plain=$'\033[0m'; }

say() { printf '\n%s# %s%s\n' "$bold" "$*" "$plain"; }

# Prints a command as one would type it, and runs it.
run() {
    printf '\n%s$ %s%s\n' "$bold" "$1" "$plain"
    case $1 in
        # The program reads odoo.conf. The environment is for psql.
        odoo-backup*) (unset PGHOST PGPORT PGUSER PGPASSWORD && eval "$1") ;;
        *) eval "$1" ;;
    esac
}

say "Building odoo-backup and the generator of demo data"
cargo build --manifest-path "$root/Cargo.toml" --locked --profile demo -p odoo-backup -p odoo-backup-harness

demo=$(mktemp -d "${TMPDIR:-/tmp}/odoo-backup-demo.XXXXXX")
# PostgreSQL does not run as root: its user must be able to enter this folder.
chmod 711 "$demo"

clean_up() {
    status=$?
    if [ "${KEEP:-}" = 1 ]; then
        say "Kept: $demo
#   to continue:  cd $demo && source ./env
#   to stop it:   ${daemon:+kill $daemon; }$target/odoo-shape cluster stop $demo/cluster && rm -r $demo"
    else
        [ -z "${daemon:-}" ] || kill "$daemon" 2>/dev/null || true
        [ ! -e "$demo/cluster/data/postmaster.pid" ] || "$target/odoo-shape" cluster stop "$demo/cluster" || true
        rm -rf "$demo"
    fi
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

cd "$demo"

say "Start a PostgreSQL server, and fill a database and a filestore like Odoo's"
"$target/odoo-shape" cluster start cluster >env
printf 'export PATH=%q:"$PATH"\n' "$target" >>env
# Do not use a configuration that is installed on this machine.
printf 'export ODOO_BACKUP_CONFIG=%q\n' "$demo/odoo-backup.toml" >>env
# shellcheck source=/dev/null
source ./env
odoo-shape fill --database production --data-dir "$demo/data" --size 30MB

# The configuration files of the two Odoo servers.
umask 077
for name in production staging; do
    cat >"$name.conf" <<CONF
[options]
db_host = $PGHOST
db_port = $PGPORT
db_user = $PGUSER
db_password = $PGPASSWORD
db_name = $name
data_dir = $demo/data
list_db = False
CONF
done
cat >counts.sql <<'SQL'
SELECT table_name, (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %I', table_name), false, true, '')))[1]
FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
    AND table_name NOT IN ('ir_mail_server', 'ir_config_parameter') ORDER BY 1
SQL

say "Set up: odoo.conf says where the database and the filestore are"
run "odoo-backup init --odoo-conf production.conf --repository file://$demo/repository"

say "Add a target to restore to"
run "cat >>odoo-backup.toml <<'END'

[target.staging]
odoo_conf = \"$demo/staging.conf\"
database = \"staging\"
END"
run "odoo-backup doctor"

say "Back up"
run "odoo-backup now"
run "odoo-backup list"
run "odoo-backup show latest"

say "Restore to staging"
run "odoo-backup restore --to staging"

say "The copy is neutralized: only a dummy mail server, no scheduled actions, its own identity"
run "psql -At -d staging -c 'SELECT name, smtp_host FROM ir_mail_server WHERE active' -c 'SELECT cron_name FROM ir_cron WHERE active'"

say "The copy has the rows and the files of its original"
run "psql -At -d staging -f counts.sql"
run "diff <(psql -At -d production -f counts.sql) <(psql -At -d staging -f counts.sql) && echo 'the same number of rows in every table'"
run "find data/filestore/staging -type f | wc -l"
run "diff -r --exclude checklist data/filestore/production data/filestore/staging && echo 'the same bytes in every file'"

say "Change something in the copy, and restore again: the previous state is kept"
run "psql -q -d staging -c \"UPDATE res_partner SET name = 'Only in staging' WHERE id = 1\""
run "odoo-backup restore --to staging"
run "psql -At -d staging -c 'SELECT name FROM res_partner WHERE id = 1'"

say "Undo: bring back the previous state"
run "odoo-backup restore --undo --to staging"
run "psql -At -d staging -c 'SELECT name FROM res_partner WHERE id = 1'"

say "A restore is refused if the target is production under another name"
run "cat >>odoo-backup.toml <<'END'

[target.oops]
odoo_conf = \"$demo/production.conf\"
database = \"production\"
host = \"localhost\"
END"
run "odoo-backup restore --to oops || echo \"exit code \$?\""

say "Verify the backup: restore it to a scratch database, read every file, drop it, and write a report"
run "odoo-backup drill --verify full --report drill.md"
run "cat drill.md"
run "odoo-backup list"

say "Check the backup: read all of it, and compare every digest"
run "odoo-backup check --read-data"

say "Let the daemon do it: every minute, for this demo"
run "sed -i 's|^\[instance.production\]|&\nschedule = \"* * * * *\"|' odoo-backup.toml"
run "cat >>odoo-backup.toml <<'END'

[daemon]
listen = \"127.0.0.1:0\"
state_dir = \"$demo/state\"
END"
run "odoo-backup schedule"
# With KEEP=1, the daemon keeps running after this script.
(unset PGHOST PGPORT PGUSER PGPASSWORD && exec setsid odoo-backup daemon) >daemon.log 2>&1 &
daemon=$!
# The first run starts within a minute.
ended() { odoo-backup runs --json 2>/dev/null | grep -q '"result": *"done"'; }
until ended; do
    kill -0 "$daemon" 2>/dev/null || { cat daemon.log; exit 1; }
    sleep 1
done
run "odoo-backup runs"
run "odoo-backup status || echo \"exit code \$?\""
say "The dashboard: http://$(cat state/address)/"
[ "${KEEP:-}" = 1 ] || { kill -TERM "$daemon" && wait "$daemon"; }
say "Done"
