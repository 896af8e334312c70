#!/bin/sh
# Put what a Space needs into a new folder, to be uploaded as it is: sh deploy/space/assemble.sh FOLDER
set -eu
[ $# = 1 ] || { echo "usage: sh deploy/space/assemble.sh FOLDER" >&2; exit 2; }
[ ! -e "$1" ] || { echo "$1: exists already" >&2; exit 1; }
root=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$1"
cp "$root/deploy/space/Dockerfile" "$root/deploy/space/README.md" "$1"
cp "$root/pyproject.toml" "$root/constraints.txt" "$root/LICENSE" "$1"
cp -R "$root/sapiens" "$1"
find "$1" -name __pycache__ -prune -exec rm -rf {} +
