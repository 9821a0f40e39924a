#!/usr/bin/env bash
# `package.sh VERSION FOLDER`, called by dist.sh in Git's bash: an installer (.msi) and a portable .zip.
set -euo pipefail
version=${1:?} packages=${2:?}

# The C runtime goes into the program, so that nothing else has to be installed.
export RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+crt-static"
cargo build --profile dist --locked
packaging/notices.sh target/dist/THIRD-PARTY-NOTICES.txt x86_64-pc-windows-msvc

cargo packager --config "$(sed -e "s|@VERSION@|$version|" -e "s|@OUT@|$packages|" packaging/windows/packager.json)"
name=safelight-$version-windows-x86_64
mv "$packages"/*.msi "$packages/$name.msi"
mkdir -p "$packages/$name"
cp target/dist/safelight.exe target/dist/THIRD-PARTY-NOTICES.txt LICENSE-MIT LICENSE-APACHE "$packages/$name"
(cd "$packages" && 7z a -tzip -mtc=off "$name.zip" "$name" >/dev/null)
rm -r "${packages:?}/$name"
