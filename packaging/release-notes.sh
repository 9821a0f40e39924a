#!/usr/bin/env bash
# `release-notes.sh TAG`: prints what CHANGELOG.md says of a version. Fails if the tag is not `v` and Cargo.toml's version,
# or if the changes have no section of that version.
set -euo pipefail
cd "$(dirname "$0")/.."
tag=${1:?usage: release-notes.sh TAG}

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
[ "$tag" = "v$version" ] || { echo "the tag $tag is not of Cargo.toml's version, v$version" >&2; exit 1; }
notes=$(awk -v version="$version" '
    /^## / { ours = index($0, version) > 0; next }
    ours { print }' CHANGELOG.md)
[ -n "${notes//[[:space:]]/}" ] || { echo "CHANGELOG.md has no section \"## $version\"" >&2; exit 1; }
printf '%s\n' "$notes"
