#!/usr/bin/env bash
# Writes the libraries of the page into daemon/assets/vendor/, from the npm registry, each compared with its digest. They are
# checked in, so that a build needs neither this script nor npm. docs/decisions/0016-dashboard.md says why they are used.
set -euo pipefail

into=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/assets/vendor
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

package() { # a name, its version, its SHA-512
    (cd "$work" && npm pack --silent "$1@$2" >/dev/null)
    [ "$(openssl dgst -sha512 -binary "$work/$1-$2.tgz" | base64 -w 0)" = "$3" ] || { echo "$1: another digest" >&2; exit 1; }
    mkdir "$work/$1"
    tar -xzf "$work/$1-$2.tgz" -C "$work/$1" --strip-components=1
    { echo "$1 $2"; echo; cat "$work/$1/LICENSE"; } >"$into/LICENSE-$1"
}

package preact 11.2.0 /HfHI/7N84e6GrWBJ3J280z3mLaRJiDcSvj/A+y/4AbLnND/1UlGHe1sR6oYuTGwId0nP7dqDU9OnLxMPZ7xBg==
package htm 3.1.1 983Vyg8NwUE7JkZ6NmOqpCZ+sh1bKv2iYTlUkzlWmA5JD2acKoxd4KVxbMmxX/85mtfdnDmTFoNKcg5DGAvxNQ==

# Without a bundler, a browser finds a module only by its address; source maps are not served.
served() { sed -e 's|from"preact"|from"./preact.js"|' -e '/^\/\/# sourceMappingURL=/d' "$1"; }
served "$work/preact/dist/preact.mjs" >"$into/preact.js"
served "$work/preact/hooks/dist/hooks.mjs" >"$into/hooks.js"
served "$work/htm/dist/htm.mjs" >"$into/htm.js"
