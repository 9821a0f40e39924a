#!/usr/bin/env bash
# Checks that the program compiles for GPUs, on a machine that has none: `check.sh cuda` on Linux, `check.sh metal` on
# Linux or macOS, and without a word all that this system can check.
set -euo pipefail
cd "$(dirname "$0")/../.."

check_cuda() {
    eval "$(packaging/gpu/cuda-toolchain.sh target/cuda)"
    cargo check --locked --features cudnn --target-dir target/check-cuda
}

# From elsewhere than macOS the crates with C in them get no compiler: a check reads nothing of what it would write.
check_metal() {
    if [ "$(uname -s)" = Darwin ]; then
        cargo check --locked --features metal
        return
    fi
    [ -d "$(rustc --print target-libdir --target aarch64-apple-darwin)" ] || rustup target add aarch64-apple-darwin
    local none=$PWD/packaging/gpu/no-compiler.sh
    CC_aarch64_apple_darwin=$none CXX_aarch64_apple_darwin=$none AR_aarch64_apple_darwin=$none \
        cargo check --locked --features metal --target aarch64-apple-darwin --target-dir target/check-metal
}

if [ "$(uname -s)" = Darwin ]; then own=(metal); else own=(cuda metal); fi
for device in "${@:-${own[@]}}"; do "check_$device"; done
