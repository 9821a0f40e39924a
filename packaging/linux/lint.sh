#!/usr/bin/env bash
# `lint.sh`: checks what `make dist` made for Linux with the tools of those who wrote the rules. Needs Debian's
# desktop-file-utils, appstream and lintian.
set -euo pipefail
cd "$(dirname "$0")/../.."
share=target/packages/safelight/share

desktop-file-validate "$share/applications/safelight.desktop"
appstreamcli validate --no-net "$share"/metainfo/*.metainfo.xml
lintian --fail-on error --tag-display-limit 0 target/packages/*.deb
