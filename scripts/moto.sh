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

# `ensurepip` is what Debian takes out of Python and puts into python3-venv.
python3 -c 'import ensurepip, venv' 2>/dev/null || scripts/packages.sh python3 python3-venv

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
