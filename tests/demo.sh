#!/usr/bin/env bash
# Shows the program in a dozen steps on a made-up Odoo, each with what it proves, and sums up. All of
# it is in one temporary folder, with a PostgreSQL server of its own. KEEP=1 keeps both.
set -euo pipefail

# shellcheck source=tests/demo/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/demo/common.sh"
isolate "${BASH_SOURCE[0]}"

clean_up() {
    status=$?
    trap - EXIT
    if [ "${KEEP:-}" = 1 ] && [ -n "${demo:-}" ]; then
        printf '\n%sKept: %s%s\n  to continue:    cd %s && source ./env\n  to remove it:   %s%s/odoo-shape cluster stop %s/cluster; rm -r %s\n' \
            "$bold" "$demo" "$plain" "$demo" "${daemon:+kill $daemon; }" "$BIN" "$demo" "$demo"
    else
        remove_instance
    fi
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

steps=12 step=0
# Begins a step: its title, and what it proves.
step() {
    step=$((step + 1))
    printf '\n%s[%d/%d] %s%s\n%s      Proves: %s%s\n' "$bold" "$step" "$steps" "$1" "$plain" "$dim" "$2" "$plain"
}
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
bytes() { du -sb "$1" | cut -f1; }
human() { numfmt --to=iec-i --suffix=B --format=%.1f "$1" | sed 's/[A-Z]/ &/'; }

SECONDS=0
step "A made-up Odoo" "the demo needs nothing of this machine: a server, a database and a filestore of its own"
make_instance 30MB
run "psql -At -d production -c 'SELECT count(*) FROM ir_attachment' -c \"SELECT pg_size_pretty(pg_database_size('production'))\""
database=$(psql -At -d production -c "SELECT pg_database_size('production')")
filestore=$(bytes data/filestore/production)
cat >counts.sql <<'SQL'
SELECT table_name, (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %I', table_name), false, true, '')))[1]
FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
    AND table_name NOT IN ('ir_mail_server', 'ir_config_parameter') ORDER BY 1
SQL

step "Set up" "init finds the databases and folders, and writes a configuration that needs no edit"
run "odoo-backup init --yes --odoo-conf production.conf --repository file://$demo/repository"

step "Test everything" "doctor tries the repository, the database, the programs and the folders, and gives a verdict"
run "odoo-backup doctor"

step "Back up" "the database and the files of one moment, compressed, in one command"
began=$SECONDS
run "odoo-backup now"
first_time=$((SECONDS - began)) first=$(bytes repository)

step "A day later, back up again" "of the dump and of the files, only what is new is stored"
odoo-shape day --database production --data-dir "$demo/data" --size 30MB
run "odoo-backup now"
second=$(($(bytes repository) - first))
run "odoo-backup list"

step "Restore to staging" "a copy is verified and neutralized before it gets its name"
began=$SECONDS
run "odoo-backup restore --to staging"
restore_time=$((SECONDS - began))
run "psql -At -d staging -c 'SELECT name, smtp_host FROM ir_mail_server WHERE active' -c 'SELECT cron_name FROM ir_cron WHERE active'"

step "Compare the copy with its original" "nothing is lost: the same rows in every table, the same bytes in every file"
run "diff <(psql -At -d production -f counts.sql) <(psql -At -d staging -f counts.sql) && echo 'the same number of rows in every table'"
run "diff -r --exclude checklist data/filestore/production data/filestore/staging && echo 'the same bytes in every file'"

step "Restore again, and undo" "a restore keeps what it replaces"
run "psql -d staging -c \"UPDATE res_partner SET name = 'Only in staging' WHERE id = 1\""
run "odoo-backup restore --to staging | head -1"
run "odoo-backup restore --undo --to staging"
run "psql -At -d staging -c 'SELECT name FROM res_partner WHERE id = 1'"

step "Restore over production" "a restore is refused if its target is production, also under another name"
run "cat >>odoo-backup.toml <<'END'

[target.oops]
odoo_conf = \"$demo/production.conf\"
database = \"production\"
host = \"localhost\"
END"
run "odoo-backup restore --to oops || echo \"exit code \$?\""

step "Drill" "the backup can be restored: a scratch copy was verified, neutralized and dropped, and a report says so"
run "odoo-backup drill --verify full --report drill.md"
run "tail -n +3 drill.md | head -15"

step "Damage a few bytes" "a check finds damage that a file system does not report"
object=$(find repository/production -name 'database-0001.zst' | head -1)
cp -p "$object" intact
run "printf damaged! | dd of=$object bs=1 seek=1000 conv=notrunc status=none"
run "odoo-backup check --read-data || echo \"exit code \$?\""
cat intact >"$object"
run "odoo-backup check --read-data"

step "The daemon" "schedules, a dashboard and an API: a backup by HTTP, as a program would start it"
start_daemon
run "curl -sS -X POST -H \"Authorization: Bearer \$(cat token)\" -H 'Content-Type: application/json' -d '{\"job\": \"backup\"}' -o run.json -w '%{http_code}\n' ${url}api/v1/instances/production/runs"
until odoo-backup runs --json 2>/dev/null | grep -q '"result": *"done"'; do
    kill -0 "$daemon" 2>/dev/null || { cat daemon.log; exit 1; }
    sleep 0.2
done
run "odoo-backup runs"
run "odoo-backup schedule"

all=$(bytes repository)
say "Summary"
cat <<END
  production              $(human "$database") database, $(human "$filestore") filestore
  first backup            $(human "$first") stored, $first_time s
  second backup           $(human "$second") stored, $((second * 100 / first)) % of the first: of dump and files only what is new
  all backups             $(human "$all") in $(find repository/production -name manifest.json | wc -l) backups
  restore                 $restore_time s, verified and neutralized
  the whole demo          $SECONDS s
  shown                   set up, test, back up, restore, undo, a refusal, a drill, damage, the daemon

  What to do next:
    make play             click through the dashboard of such an Odoo
    make build            then: sudo install -m 755 target/release/odoo-backup /usr/local/bin/
    docs/back-up-one-server.md   from the first backup to every night
END
[ "${KEEP:-}" = 1 ] || printf '\n%s is removed now. To keep it, with its server and daemon: KEEP=1 make demo\n' "$demo"
