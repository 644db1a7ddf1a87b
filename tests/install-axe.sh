#!/bin/sh
# Puts axe-core's script into .tools/ at the repository's root, from the npm registry: the tests look for violations of
# accessibility with it. Does nothing where the right version is there already.
set -eu

version=4.14.1
# The registry's SHA-512 of the package.
integrity=FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==
root=$(cd "$(dirname "$0")/.." && pwd)
tools="$root/.tools"

if [ -s "$tools/axe.min.js" ] && [ "$(cat "$tools/axe.version" 2>/dev/null)" = "$version" ]; then
    exit 0
fi

if ! command -v npm >/dev/null; then
    echo "npm is needed to install axe-core: apt-get install npm" >&2
    exit 1
fi

mkdir -p "$tools"
# In the folder of its destination, so that the last step is a rename: an interrupted run leaves no half of a script.
work=$(mktemp -d "$tools/.axe.XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM

(cd "$work" && npm pack --silent "axe-core@$version" >/dev/null)
package="$work/axe-core-$version.tgz"
if [ "$(openssl dgst -sha512 -binary "$package" | base64 -w 0)" != "$integrity" ]; then
    echo "axe-core $version: the registry has something else than expected" >&2
    exit 1
fi
tar -xzf "$package" -C "$work" package/axe.min.js
mv "$work/package/axe.min.js" "$tools/axe.min.js"
echo "$version" >"$tools/axe.version"
