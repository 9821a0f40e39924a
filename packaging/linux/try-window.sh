#!/usr/bin/env bash
# `try-window.sh SCREENSHOT COMMAND...`: like try-start.sh, on a display without a screen, with a picture of what it shows.
# Fails if the picture is empty. Needs Xvfb and ImageMagick.
set -euo pipefail
screenshot=${1:?usage: try-window.sh SCREENSHOT COMMAND...}
shift

number=$(mktemp)
Xvfb -noreset -displayfd 3 -nolisten tcp -screen 0 1280x800x24 3>"$number" 2>/dev/null &
server=$!
trap 'kill "$server" 2>/dev/null || true; rm -f "$number"' EXIT
until [ -s "$number" ]; do
    kill -0 "$server" || { echo "Xvfb does not start" >&2; exit 1; }
    sleep 0.1
done
DISPLAY=:$(cat "$number")
export DISPLAY
WHEN_SHOWN="sleep 5; import -window root '$screenshot'" "$(dirname "$0")/../try-start.sh" "$@"
colours=$(identify -format %k "$screenshot")
[ "$colours" -gt 50 ] || { echo "nothing is drawn: $screenshot has $colours colours" >&2; exit 1; }
