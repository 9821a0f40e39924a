#!/usr/bin/env bash
# Remakes the icon's bitmaps in assets/icon from its drawings: PNG for Linux and the window, .ico for Windows, .icns for macOS.
# Needs rsvg-convert, icotool and png2icns (Debian: librsvg2-bin, icoutils, icnsutils).
set -euo pipefail
cd "$(dirname "$0")/../assets/icon"

for size in 16 32 48 64 128 256 512; do
    # Small sizes have a drawing of their own, with fewer and larger shapes.
    drawing=safelight.svg
    [ "$size" -gt 32 ] || drawing=safelight-small.svg
    rsvg-convert --width "$size" --height "$size" "$drawing" --output "safelight-$size.png"
done
icotool --create --output safelight.ico safelight-{16,32,48}.png --raw safelight-256.png
png2icns safelight.icns safelight-{16,32,48,128,256,512}.png >/dev/null
