#!/usr/bin/env bash
# Makes what people download, for the machine it runs on, in target/packages. The same commit on the same system gives the
# same program: times come from the commit, and paths of this machine are left out.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'dist: %s\n' "$*" >&2; }

packages=target/packages
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
cargo_home=${CARGO_HOME:-$HOME/.cargo}
export SOURCE_DATE_EPOCH
export RUSTFLAGS="${RUSTFLAGS:-} --remap-path-prefix=$cargo_home=/cargo --remap-path-prefix=$PWD=/safelight"
case "$(uname -s)" in
Linux | Darwin) export CFLAGS="${CFLAGS:-} -ffile-prefix-map=$cargo_home=/cargo -ffile-prefix-map=$PWD=/safelight" ;;
esac

rm -rf "$packages"
mkdir -p "$packages"
case "$(uname -s)" in
Linux) system=linux ;;
Darwin) system=macos ;;
MINGW* | MSYS*) system=windows ;;
*) say "there is no package for $(uname -s): build the program with cargo build --profile dist --locked"; exit 1 ;;
esac
"packaging/$system/package.sh" "$version" "$packages"
say "made $(cd "$packages" && printf '%s ' *)"
