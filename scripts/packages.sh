#!/usr/bin/env bash
# Installs packages of the system (Debian and its kin); elsewhere it says which and ends with 3.
set -euo pipefail
say() { echo "scripts/packages.sh: $*" >&2; }

if ! command -v apt-get >/dev/null; then
    say "please install $*, then run this again"
    exit 3
fi
say "installing $*"
root=()
[ "$(id -u)" = 0 ] || root=(sudo)
"${root[@]}" apt-get update -qq
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
