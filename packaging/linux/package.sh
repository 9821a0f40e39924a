#!/usr/bin/env bash
# `package.sh VERSION FOLDER`, called by dist.sh: the program and its files as a folder like /usr, as .tar.gz and as .deb.
set -euo pipefail
version=${1:?} packages=${2:?}
here=packaging/linux
program=target/dist/safelight
machine=$(uname -m)
# What the program may need and weigh, and the .deb: megabytes.
glibc=2.35 program_megabytes=75 deb_megabytes=60

cargo build --profile dist --locked
"$here/check-program.sh" "$program" "$glibc" "$program_megabytes"

tree=$packages/safelight
share=$tree/share
generated=$(mktemp -d)
trap 'rm -rf "$generated"' EXIT
"$program" packaging-files "$generated"

put() { install -D -m 644 "$1" "$2"; }
install -D -m 755 "$program" "$tree/bin/safelight"
for page in "$generated"/man/*.1; do put "$page" "$share/man/man1/${page##*/}"; done
put "$generated/completions/safelight.bash" "$share/bash-completion/completions/safelight"
put "$generated/completions/safelight.fish" "$share/fish/vendor_completions.d/safelight.fish"
put "$generated/completions/_safelight" "$share/zsh/vendor-completions/_safelight"
put "$here/safelight.desktop" "$share/applications/safelight.desktop"
put "$here/safelight-mime.xml" "$share/mime/packages/safelight.xml"
icons=$share/icons/hicolor
for size in 16 32 48 64 128 256 512; do
    put "assets/icon/safelight-$size.png" "$icons/${size}x$size/apps/safelight.png"
done
put assets/icon/safelight.svg "$icons/scalable/apps/safelight.svg"
put assets/icon/latent-file.svg "$icons/scalable/mimetypes/application-x-latent.svg"
id=studio.safelight.Safelight
sed "s/@VERSION@/$version/; s/@DATE@/$(date -u -d "@$SOURCE_DATE_EPOCH" +%F)/" "$here/$id.metainfo.xml" >"$generated/$id"
put "$generated/$id" "$share/metainfo/$id.metainfo.xml"
for licence in LICENSE-MIT LICENSE-APACHE; do put "$licence" "$share/doc/safelight/$licence"; done
packaging/notices.sh "$share/doc/safelight/THIRD-PARTY-NOTICES.txt" "$(rustc -vV | sed -n 's/^host: //p')"

name=safelight-$version-linux-$machine
tar --create --directory "$packages" --transform "s,^safelight,$name," --sort=name --mtime="@$SOURCE_DATE_EPOCH" \
    --owner=0 --group=0 --numeric-owner safelight | gzip -9 --no-name >"$packages/$name.tar.gz"

# The .deb takes its files from that folder; its own licence file stands for the two.
mkdir -p target/deb
{
    printf 'safelight (%s-1) unstable; urgency=medium\n\n  * See CHANGELOG.md of the sources.\n\n' "$version"
    printf ' -- The Safelight developers <developers@safelight.invalid>  %s\n' "$(date -u -R -d "@$SOURCE_DATE_EPOCH")"
} >target/deb/changelog
cargo deb --no-build --no-strip --locked --profile dist --output "$packages"
deb=$(ls "$packages"/*.deb)
size=$(stat -c %s "$deb")
[ "$size" -le $((deb_megabytes * 1000000)) ] || { echo "$deb has $size bytes, more than $deb_megabytes MB" >&2; exit 1; }
