#!/bin/sh
# Upgrades an Odoo database, and takes all of it back by itself where that fails.
#
#     upgrade-with-rollback.sh [OPTION…] INSTANCE -- COMMAND…
#
# INSTANCE is one of odoo-backup's configuration, COMMAND what upgrades it:
#
#     upgrade-with-rollback.sh production -- \
#         sudo -u odoo odoo -c /etc/odoo/odoo.conf -d production -u all --stop-after-init --no-http
#
# Odoo is stopped and backed up. Before anything is upgraded it is found out whether the backup could be restored in production's place.
# If COMMAND then fails, or is stopped, or the check behind it fails, the backup is restored and Odoo started again. What the failed
# upgrade had made of the database is kept beside it, to be looked into.
#
#     --stop COMMAND     stops Odoo          [systemctl stop odoo]
#     --start COMMAND    starts it again     [systemctl start odoo]
#     --check COMMAND    says by its status whether the upgrade succeeded. Odoo may end in 0 though a module could not be upgraded:
#                        psql -d production -Atc "SELECT 1/(count(*)=0)::int FROM ir_module_module WHERE state LIKE 'to %'"
#     --program PATH     odoo-backup         [odoo-backup]
#     --config FILE      its configuration   [where it finds one; root has to name one that is not root's own]
#
# Run it as the user that odoo-backup runs as (root will do); its role must be one that may restore. Ends in
#     0   the upgrade is done, Odoo runs
#     1   nothing was upgraded: Odoo could not be stopped or backed up, or the backup could not be restored here
#     2   wrong usage
#     10  the upgrade failed, and all is as it was before
#     11  a person is needed: what was printed last says for what
set -u

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
usage() {
    say "$1"
    sed -n 's/^#     \(upgrade-with-rollback.sh \[.*\)/usage: \1/p' "$0" >&2
    exit 2
}

stop='systemctl stop odoo' start='systemctl start odoo' check='' program=odoo-backup config=''
while [ $# -gt 0 ]; do
    case $1 in
        --stop | --start | --check | --program | --config)
            [ $# -ge 2 ] || usage "$1 needs a value"
            case $1 in
                --stop) stop=$2 ;;
                --start) start=$2 ;;
                --check) check=$2 ;;
                --program) program=$2 ;;
                --config) config=$2 ;;
            esac
            shift 2
            ;;
        -*) usage "there is no option $1" ;;
        *) break ;;
    esac
done
[ $# -ge 3 ] && [ "$2" = -- ] || usage 'an instance, -- and the command that upgrades it are needed'
instance=$1
shift 2

odoo_backup() { "$program" ${config:+--config "$config"} "$@"; }

started() {
    say "starting Odoo: $start"
    sh -c "$start" || {
        say "Odoo did not start: $start"
        exit 11
    }
}
unchanged() {
    say "$1; nothing was upgraded"
    started
    exit 1
}

# A signal is heeded between two steps; it stops the upgrade itself at once.
upgrade='' interrupted=''
# shellcheck disable=SC2329 # a trap calls it
interrupt() {
    interrupted=yes
    [ -z "$upgrade" ] || kill -TERM "$upgrade" 2>/dev/null
}
trap interrupt HUP INT TERM

say "stopping Odoo: $stop"
sh -c "$stop" || {
    say 'Odoo could not be stopped; nothing was upgraded'
    exit 1
}

made=$(odoo_backup now "$instance" --json)
case $? in
    # 3: there is a backup, and a warning in it that was there before the upgrade, too.
    0 | 3) ;;
    *)
        printf '%s\n' "$made" >&2
        unchanged 'the backup failed'
        ;;
esac
# Whatever runs Odoo has Python. The id, not `latest`: the daemon may make another backup meanwhile.
field() { printf '%s' "$made" | python3 -c "import json, sys; print(json.load(sys.stdin)['backups'][0]$1)"; }
backup=$instance/$(field '["id"]') && database=$(field '["database"]["name"]') || unchanged 'the backup has no id'
say "backed up: $backup"

# 3: done, and something that a person should know.
restore() {
    odoo_backup restore "$backup" --to "$instance" --force-production "$database" "$@" >&2 || [ $? = 3 ]
}
restore --dry-run || unchanged 'the backup could not be restored here, so that there would be no way back'
odoo_backup pin "$backup" --note 'before an upgrade' >&2 || unchanged 'the backup could not be pinned'
by_hand="$program${config:+ --config $config} restore $backup --to $instance --force-production $database"
say "should this be cut off: $by_hand"

[ -z "$interrupted" ] || unchanged 'it was stopped'
"$@" &
upgrade=$!
[ -z "$interrupted" ] || interrupt
# A signal ends the wait, not the command.
while :; do
    wait "$upgrade"
    status=$?
    kill -0 "$upgrade" 2>/dev/null || break
done
trap '' HUP INT TERM

why=
if [ -n "$interrupted" ]; then
    why='it was stopped'
elif [ "$status" != 0 ]; then
    why="it ended in $status"
elif [ -n "$check" ] && ! sh -c "$check" >&2; then
    why="not so, says: $check"
fi
if [ -z "$why" ]; then
    say 'the upgrade is done'
    started
    say "the backup before it stays until: $program${config:+ --config $config} unpin $backup"
    exit 0
fi

say "the upgrade failed: $why; restoring $backup"
if restore; then
    started
    say 'all is as it was before the upgrade'
    exit 10
fi
say "the backup could not be restored. Odoo is stopped. Once what is said above is mended: $by_hand"
exit 11
