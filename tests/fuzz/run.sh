#!/usr/bin/env bash
# Coverage-guided fuzzing of every parser. usage: tests/fuzz/run.sh [SECONDS-PER-TARGET] [TARGET…]
#
# Seeds are the fixtures; what is found on the way stays, reduced, in target/fuzz/corpus. An input that panics, takes
# longer than a second, or needs more memory than twice its size and 64 MiB is kept in target/fuzz/found and ends the run
# with exit code 1.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-30}
shift || true

triple=$(rustc -vV | sed -n 's/^host: //p')
RUSTC_WRAPPER="$PWD/tests/fuzz/coverage.sh" cargo build --locked --profile fuzz --features fuzzing --bin fuzz \
    --target "$triple" --target-dir target/fuzz
program=target/fuzz/$triple/fuzz/fuzz

mapfile -t targets < <(if [ $# -gt 0 ]; then printf '%s\n' "$@"; else FUZZ_TARGET=list "$program" 2>/dev/null; fi)
mkdir -p target/fuzz/found
failed=()
total=0
for target in "${targets[@]}"; do
    corpus=target/fuzz/corpus/$target
    mkdir -p "$corpus"
    FUZZ_TARGET=seeds FUZZ_SEEDS_OF=$target "$program" "$corpus" 2>/dev/null
    log=target/fuzz/$target.log
    if FUZZ_TARGET=$target "$program" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=4096 -print_final_stats=1 \
        -max_len=65536 -artifact_prefix="target/fuzz/found/$target-" "$corpus" >"$log" 2>&1; then
        result=ok
    else
        result=FAILED
        failed+=("$target")
    fi
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)
    total=$((total + ${executions:-0}))
    printf '%-24s %-7s %10s executions\n' "$target" "$result" "${executions:-0}"
    # The corpus is kept small: only inputs that add coverage stay.
    if [ "$result" = ok ]; then
        mkdir -p "$corpus.reduced"
        FUZZ_TARGET=$target "$program" -merge=1 "$corpus.reduced" "$corpus" >/dev/null 2>&1 || true
        rm -rf "$corpus" && mv "$corpus.reduced" "$corpus"
    fi
done
echo "$total executions in ${#targets[@]} targets"
if [ ${#failed[@]} -gt 0 ]; then
    echo "failed: ${failed[*]}; inputs in target/fuzz/found, logs in target/fuzz" >&2
    exit 1
fi
