#!/usr/bin/env bash
# Checks the licences and versions of all dependencies against deny.toml. Builds cargo-deny into .tools when it is
# not there.
set -euo pipefail
cd "$(dirname "$0")/.."
version=0.20.2
deny=$PWD/.tools/cargo-deny-$version/bin/cargo-deny
if [ ! -x "$deny" ]; then
    echo "scripts/deny.sh: building cargo-deny $version (some minutes, once)" >&2
    # Quick to build matters more here than quick to run.
    export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
    cargo install --quiet --locked --version "$version" --root "$PWD/.tools/cargo-deny-$version" cargo-deny
fi
exec "$deny" --workspace check --hide-inclusion-graph licenses bans
