#!/usr/bin/env bash
# `try-start.sh COMMAND...`: opens the program's window, prints the graphics driver once its first frame was shown, runs the
# command line in $WHEN_SHOWN, if any, and ends the program. Fails if no frame is shown.
set -euo pipefail
[ $# -gt 0 ] || { echo "usage: try-start.sh COMMAND..." >&2; exit 2; }
patience=120 # seconds

log=$(mktemp)
program=
end() {
    [ -z "$program" ] || kill "$program" 2>/dev/null || true
    rm -f "$log"
}
trap end EXIT
fail() { printf 'no window: %s\n' "$1" >&2; cat "$log" >&2; exit 1; }

begin=$(date +%s)
RUST_LOG=safelight=info,egui_wgpu=debug,warn "$@" 2>"$log" &
program=$!
until grep -q 'shown its first frame' "$log"; do
    kill -0 "$program" 2>/dev/null || fail "the program ended"
    [ $(($(date +%s) - begin)) -lt "$patience" ] || fail "no frame in $patience seconds"
    sleep 0.1
done
grep -m 1 -o 'backend: [^{}]*driver_info: "[^"]*"' "$log" || true
if [ -n "${WHEN_SHOWN:-}" ]; then eval "$WHEN_SHOWN"; fi
kill "$program"
wait "$program" || true
program=
