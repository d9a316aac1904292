#!/usr/bin/env bash
# Puts a Python with the packages of examples/requirements.txt where the tests find it: $DORMOUSE_VENV, or target/venv in
# this checkout. Installs Python first when it is missing (Debian and its kin). Quick when all is there.
set -euo pipefail
cd "$(dirname "$0")/.."

requirements=examples/requirements.txt
venv=${DORMOUSE_VENV:-$PWD/target/venv}

say() { echo "scripts/python.sh: $*" >&2; }

# What was installed is as it is asked for, and still runs: a moved checkout or another Python breaks a venv.
present() { cmp -s "$requirements" "$venv/requirements.txt" && "$venv/bin/python" -c 'import confluent_kafka' 2>/dev/null; }

present && exit 0

# `ensurepip` is what Debian takes out of Python and puts into python3-venv.
python3 -c 'import ensurepip, venv' 2>/dev/null || scripts/packages.sh python3 python3-venv

mkdir -p "$(dirname "$venv")"
exec 9>"$venv.lock"
flock 9
present && exit 0
say "installing $(paste -sd ' ' "$requirements") into $venv"
rm -rf "$venv"
python3 -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements" >&2
cp "$requirements" "$venv/requirements.txt"
present || { say "the Python in $venv does not run with what was installed"; exit 3; }
