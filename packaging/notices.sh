#!/usr/bin/env bash
# `notices.sh FILE TARGET...`: writes the licences of everything that is in the program for these targets: crates of
# Cargo.lock, fonts and data. Fails on a crate whose licence is not among those of .deny.toml.
set -euo pipefail
cd "$(dirname "$0")/.."
file=${1:?usage: notices.sh FILE TARGET...}
shift
[ $# -gt 0 ] || { echo "usage: notices.sh FILE TARGET..." >&2; exit 2; }
targets=("${@/#/--target=}")

configuration=$(mktemp)
trap 'rm -f "$configuration"' EXIT
# One list of licences: the one that `cargo deny` and the tests read too.
{
    echo 'accepted = ['
    sed -n '/^allow = \[/,/^\]/p' .deny.toml | tail -n +2
    cat packaging/about.toml
} >"$configuration"

# Once the crates are here, their own files alone say how they are licensed: no service is asked. The list of crates is read
# for all systems before those of others are left out.
cargo fetch --locked
cargo about generate --frozen --fail "${targets[@]}" --config "$configuration" packaging/about.hbs --output-file "$file"
{
    for part in assets/fonts/*-LICENSE.txt assets/*/LICENSE; do
        printf '\n%s\n%s\n\n' "$(printf '=%.0s' {1..80})" "$part"
        cat "$part"
    done
} >>"$file"
