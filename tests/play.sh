#!/usr/bin/env bash
# Leaves the demo's Odoo running with the daemon, its dashboard at a printed address with a printed
# token, until Ctrl-C or `play.sh stop`. All of it is in one temporary folder.
set -euo pipefail

# shellcheck source=tests/demo/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/demo/common.sh"

# Prints the process and the address of the running instance, if there is one.
running() {
    [ -s "$noted" ] || return 1
    local process
    process=$(head -1 "$noted")
    grep -qz 'play\.sh' "/proc/$process/cmdline" 2>/dev/null
}

if [ "${1:-}" = stop ]; then
    running || { echo "nothing to stop: no instance is running"; exit 0; }
    process=$(head -1 "$noted")
    kill -TERM "$process"
    while kill -0 "$process" 2>/dev/null; do sleep 0.1; done
    echo "stopped, and removed its folder"
    exit 0
fi
if [ -z "${ODOO_BACKUP_DEMO:-}" ] && running; then
    echo "it is running already: $(sed -n 2p "$noted")"
    echo "make play-stop stops it"
    exit 1
fi
isolate "${BASH_SOURCE[0]}"

clean_up() {
    status=$?
    trap - EXIT INT TERM
    rm -f "$noted"
    remove_instance
    exit "$status"
}
trap clean_up EXIT
trap 'echo; exit 0' INT TERM

echo "Making an Odoo with 30 MB, two backups, a staging copy and a drill"
make_instance 30MB
quietly() { # command, its output only if it fails
    (unset PGHOST PGPORT PGUSER PGPASSWORD && "$@") >last.log 2>&1 || { cat last.log; exit 1; }
}
quietly odoo-backup init --yes --odoo-conf production.conf --repository "file://$demo/repository"
quietly odoo-backup now
odoo-shape day --database production --data-dir "$demo/data" --size 30MB
quietly odoo-backup now
quietly odoo-backup restore --to staging
quietly odoo-backup drill
start_daemon
mkdir -p "$(dirname "$noted")"
(umask 077 && printf '%s\n%s\n' "$$" "$url" >"$noted")
cat <<END

  ${bold}dashboard   $url${plain}
  ${bold}token       $token${plain}

  in another terminal:
    cd $demo && source ./env
    odoo-backup status
    odoo-backup now
    psql -d staging

  to stop it and remove all of it: Ctrl-C here, or make play-stop
END
while kill -0 "$daemon" 2>/dev/null; do
    # A trap runs as soon as `wait` returns.
    wait "$daemon" || true
done
echo "the daemon ended:"
tail daemon.log
exit 1
