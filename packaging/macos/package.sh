#!/usr/bin/env bash
# `package.sh VERSION FOLDER`, called by dist.sh: the program for both processors in one file, as .app and .dmg.
#
# SIGNING_IDENTITY names the certificate to sign with, such as `Developer ID Application: NAME (TEAM)`; without one the
# signature is ad hoc, and macOS asks before the first start. The runtime is hardened either way: the program needs none of
# its exceptions. With APPLE_ID, APPLE_PASSWORD and APPLE_TEAM_ID the packager also has it notarised.
set -euo pipefail
version=${1:?} packages=${2:?}

binaries=$PWD/target/universal
mkdir -p "$binaries"
export MACOSX_DEPLOYMENT_TARGET=11.0
for target in aarch64-apple-darwin x86_64-apple-darwin; do
    rustup target add "$target"
    cargo build --profile dist --locked --target "$target" --features metal
done
lipo -create -output "$binaries/safelight" target/{aarch64,x86_64}-apple-darwin/dist/safelight
packaging/notices.sh "$binaries/THIRD-PARTY-NOTICES.txt" aarch64-apple-darwin x86_64-apple-darwin

configuration=$(sed -e "s|@VERSION@|$version|" -e "s|@BINARIES@|$binaries|" -e "s|@OUT@|$PWD/$packages|" \
    -e "s|@IDENTITY@|${SIGNING_IDENTITY:--}|" packaging/macos/packager.json)
cargo packager --config "$configuration"
mv "$packages"/*.dmg "$packages/safelight-$version-macos-universal.dmg"
codesign --verify --strict --verbose=2 "$packages/Safelight.app"
