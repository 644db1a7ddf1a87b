#!/bin/sh
# Upgrades an Odoo database, and restores the backup that it made before if the upgrade fails.
#
#     upgrade-with-rollback.sh [OPTION…] INSTANCE -- COMMAND…
#
# INSTANCE is an instance of odoo-backup's configuration, COMMAND upgrades it:
#
#     upgrade-with-rollback.sh production -- \
#         sudo -u odoo odoo -c /etc/odoo/odoo.conf -d production -u all --stop-after-init --no-http
#
# The script stops Odoo, backs up, and asks whether the backup could be restored over production.
# Only then it runs COMMAND. If that fails, is stopped, or does not pass the check, the script
# restores the backup and starts Odoo. It keeps what the failed upgrade made, to be looked into.
#
#     --stop COMMAND     stops Odoo          [systemctl stop odoo]
#     --start COMMAND    starts it again     [systemctl start odoo]
#     --check COMMAND    ends in 0 if the upgrade succeeded. Odoo may end in 0 although a module
#                        could not be upgraded, which this finds: psql -d production -Atc
#                        "SELECT 1/(count(*)=0)::int FROM ir_module_module WHERE state LIKE 'to %'"
#     --program PATH     odoo-backup         [odoo-backup]
#     --config FILE      its configuration   [where odoo-backup finds one; as root, required for a
#                        file of another user]
#
# Run it as the user that odoo-backup runs as, or as root. The role must be one that may restore.
# Exit codes:
#     0   the upgrade is done, Odoo runs
#     1   nothing was upgraded: Odoo could not be stopped or backed up, or the backup could not be
#         restored here
#     2   wrong usage
#     10  the upgrade failed, and everything is as before
#     11  a person is needed; the last message says for what
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
[ $# -ge 3 ] && [ "$2" = -- ] || usage 'name an instance, then --, then the command that upgrades it'
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

# Stops the upgrade itself at once; other steps end first.
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
    # 3: the backup was made, with a warning that does not come from the upgrade.
    0 | 3) ;;
    *)
        printf '%s\n' "$made" >&2
        unchanged 'the backup failed'
        ;;
esac
# A machine that runs Odoo has Python. The id, not `latest`: the daemon may make another backup.
field() { printf '%s' "$made" | python3 -c "import json, sys; print(json.load(sys.stdin)['backups'][0]$1)"; }
backup=$instance/$(field '["id"]') && database=$(field '["database"]["name"]') || unchanged 'the backup has no id'
say "backed up: $backup"

# 3: done, with a warning.
restore() {
    odoo_backup restore "$backup" --to "$instance" --force-production "$database" "$@" >&2 || [ $? = 3 ]
}
restore --dry-run || unchanged 'the backup could not be restored here, so there would be no way back'
odoo_backup pin "$backup" --note 'before an upgrade' >&2 || unchanged 'the backup could not be pinned'
by_hand="$program${config:+ --config $config} restore $backup --to $instance --force-production $database"
say "if this script is killed, restore by hand: $by_hand"

[ -z "$interrupted" ] || unchanged 'it was stopped'
"$@" &
upgrade=$!
[ -z "$interrupted" ] || interrupt
# A signal ends `wait`, not the command.
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
    why="the check failed: $check"
fi
if [ -z "$why" ]; then
    say 'the upgrade is done'
    started
    say "the backup before it is pinned; release it with: $program${config:+ --config $config} unpin $backup"
    exit 0
fi

say "the upgrade failed: $why; restoring $backup"
if restore; then
    started
    say 'everything is as it was before the upgrade'
    exit 10
fi
say "the backup could not be restored, and Odoo is stopped. Fix the error above, then run: $by_hand"
exit 11
