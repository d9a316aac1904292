#!/usr/bin/env bash
# Puts moto, a server that speaks S3, where the tests find it: $DORMOUSE_MOTO, or .tools/moto/bin/moto_server in this
# checkout. Installs Python's venv first when it is missing (Debian and its kin). Quick when all is there.
set -euo pipefail
cd "$(dirname "$0")/.."

version=5.2.5
[ -z "${DORMOUSE_MOTO:-}" ] || exit 0
home=$PWD/.tools/moto
# Written last: what was cut off is made anew.
done=$home/$version.installed
[ ! -e "$done" ] || exit 0

say() { echo "scripts/moto.sh: $*" >&2; }

if ! python3 -c 'import ensurepip' 2>/dev/null; then
    if ! command -v apt-get >/dev/null; then
        say "please install Python 3 with venv and pip, then run this again"
        exit 3
    fi
    say "installing python3-venv"
    root=()
    [ "$(id -u)" = 0 ] || root=(sudo)
    "${root[@]}" apt-get update -qq
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >&2
fi

# Several checkouts' tests may come here at once.
mkdir -p .tools
exec 9>.tools/moto.lock
flock 9
[ ! -e "$done" ] || exit 0
say "installing moto $version into $home"
rm -rf "$home"
python3 -m venv "$home"
"$home/bin/pip" install --quiet --disable-pip-version-check "moto[server,s3]==$version"
[ -x "$home/bin/moto_server" ] || { say "moto $version did not arrive in $home"; exit 3; }
touch "$done"
