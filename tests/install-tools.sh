#!/bin/sh
# Installs what `make test` needs, or with `demo` what `make demo` needs. Installs only what is
# missing, and ends quickly if nothing is.
set -eu

here=$(dirname "$0")
for_demo=${1:-}

if ! command -v cargo >/dev/null; then
    echo "Rust is needed: https://rustup.rs" >&2
    exit 1
fi

missing=
need() { # a command, and Debian's package that has it
    command -v "$1" >/dev/null || missing="$missing $2"
}

have_postgres() {
    [ -x "${ODOO_BACKUP_TEST_PG_BIN:-/nowhere}/postgres" ] || command -v postgres >/dev/null ||
        ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1
}
have_postgres || missing="$missing postgresql"
need psql postgresql-client
need cc gcc
[ -e /usr/include/stdio.h ] || missing="$missing libc6-dev"
need curl curl
need tar tar
need zstd zstd
if [ "$for_demo" != demo ]; then
    need python3 python3
    need unzip unzip
    need faketime faketime
    need ssh-keygen openssh-client
    need age age
    # Not in the PATH of every user.
    [ -x /usr/sbin/pgbouncer ] || need pgbouncer pgbouncer
    python3 -m pip --version >/dev/null 2>&1 || python3 -c 'import ensurepip' 2>/dev/null || missing="$missing python3-venv"
fi

if [ -n "$missing" ]; then
    if ! command -v apt-get >/dev/null; then
        echo "please install, by the names that Debian gives them:$missing" >&2
        exit 1
    fi
    sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    echo "installing$missing"
    $sudo apt-get update -qq
    # shellcheck disable=SC2086 # one argument for each package
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
fi

if [ "$for_demo" != demo ]; then
    "$here/install-seaweedfs.sh"
    "$here/install-wheels.sh"
    # Without them the tests print what they skip.
    "$here/install-deploy-tools.sh" || echo "continuing without the programs that check deploy/" >&2
    # Without it the tests print that they skip its checks.
    "$here/install-axe.sh" || echo "continuing without axe-core" >&2
    # The oldest and the newest, in addition to Debian's. Without them the tests print what they
    # skip.
    "$here/install-postgres-majors.sh" 14 18 || echo "continuing without PostgreSQL 14 and 18" >&2
fi
