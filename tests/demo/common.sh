# What demo.sh and play.sh share: build the programs, and make an Odoo of their own in one temporary
# folder. Sourced, not run.
#
# Nothing of this machine is used: the script starts itself again with an empty environment and a
# home of its own, each command names its configuration, and all ports are free ones. So neither an
# installed odoo-backup or Odoo nor their settings can be touched.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# Where to note that an instance is running, for `make play-stop`.
noted=$root/target/play

# Bold only on a terminal.
bold='' dim='' plain=''
[ ! -t 1 ] || { bold=$'\033[1m' dim=$'\033[2m' plain=$'\033[0m'; }

# Builds both programs, then starts the calling script again with nothing but what it needs.
# BIN names a folder with programs that are built already.
isolate() { # script
    if [ -z "${ODOO_BACKUP_DEMO:-}" ]; then
        local bin=${BIN:-}
        if [ -z "$bin" ]; then
            printf '%sBuilding odoo-backup and the generator of demo data%s\n' "$bold" "$plain"
            cargo build --manifest-path "$root/Cargo.toml" --locked --profile demo -p odoo-backup -p odoo-backup-harness
            bin=${CARGO_TARGET_DIR:-$root/target}/demo
        fi
        bin=$(cd "$bin" && pwd)
        exec env -i ODOO_BACKUP_DEMO=1 BIN="$bin" PATH="$bin:$PATH" TERM="${TERM:-dumb}" LANG=C.UTF-8 PAGER=cat \
            TMPDIR="${TMPDIR:-/tmp}" KEEP="${KEEP:-}" ${ODOO_BACKUP_TEST_PG_BIN:+ODOO_BACKUP_TEST_PG_BIN="$ODOO_BACKUP_TEST_PG_BIN"} \
            bash "$1"
    fi
}

# Prints a command as one would type it, and runs it.
run() {
    printf '\n%s$ %s%s\n' "$bold" "$1" "$plain"
    case $1 in
        # The program reads odoo.conf. The variables are for psql.
        odoo-backup*) (unset PGHOST PGPORT PGUSER PGPASSWORD && eval "$1") ;;
        *) eval "$1" ;;
    esac
}

# Starts a PostgreSQL server, and fills a database and a filestore like Odoo's. Changes to the folder.
make_instance() { # size
    demo=$(mktemp -d "$TMPDIR/odoo-backup-demo.XXXXXX")
    # PostgreSQL does not run as root: its user must be able to enter this folder.
    chmod 711 "$demo"
    cd "$demo"
    odoo-shape cluster start cluster >env
    {
        printf 'export PATH=%q:"$PATH"\n' "$BIN"
        printf 'export HOME=%q\n' "$demo/home"
        printf 'export ODOO_BACKUP_CONFIG=%q\n' "$demo/odoo-backup.toml"
        echo 'unset ODOO_BACKUP_DEMO'
    } >>env
    # shellcheck source=/dev/null
    source ./env
    mkdir -m 700 home
    odoo-shape fill --database production --data-dir "$demo/data" --size "$1"
    # The configuration files of two Odoo servers.
    local name
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
}

# Lets the daemon serve on a free port, with a token, and starts it. Sets `daemon`, `url`, `token`.
start_daemon() {
    token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    echo "$token" >token
    cat >>odoo-backup.toml <<TOML

[daemon]
listen = "127.0.0.1:0"
token_file = "$demo/token"
state_dir = "$demo/state"
TOML
    # In a session of its own, a Ctrl-C reaches it only through `clean_up`.
    (unset PGHOST PGPORT PGUSER PGPASSWORD && exec setsid odoo-backup daemon) >daemon.log 2>&1 &
    daemon=$!
    local tries
    for tries in $(seq 150); do
        kill -0 "$daemon" 2>/dev/null || { cat daemon.log; return 1; }
        if [ -s state/address ] && curl -fsS -o live.json -H "Authorization: Bearer $token" "http://$(cat state/address)/readyz" 2>/dev/null; then
            url=http://$(cat state/address)/
            return
        fi
        sleep 0.2
    done
    cat daemon.log
    return 1
}

# Stops what runs in the folder, and removes the folder.
remove_instance() {
    [ -n "${demo:-}" ] || return 0
    if [ -n "${daemon:-}" ]; then
        kill "$daemon" 2>/dev/null || true
        wait "$daemon" 2>/dev/null || true
    fi
    [ ! -e "$demo/cluster/data/postmaster.pid" ] || odoo-shape cluster stop "$demo/cluster" || true
    cd /
    rm -rf "$demo"
}
