#!/usr/bin/env bash
# Remakes the pictures of the window in assets/screenshots.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p assets/screenshots
SAFELIGHT_SCREENSHOTS="$PWD/assets/screenshots" cargo test --locked --test window pictures_of_the_readme
