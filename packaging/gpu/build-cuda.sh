#!/usr/bin/env bash
# Builds the program for NVIDIA GPUs so that it starts on machines without any of NVIDIA's files: what it needs of them
# is loaded when a GPU is opened. The program is then in target/cuda-build/x86_64-unknown-linux-gnu/PROFILE/safelight.
#
#   packaging/gpu/build-cuda.sh [PROFILE]
set -euo pipefail

# What the program may have in size, MB: NVIDIA's libraries are not in it. 74 of them are the program without CUDA; candle's
# kernels take 12 as text and 12 compiled and compressed.
most=105

cd "$(dirname "$0")/../.."
profile=${1:-dist}
target=x86_64-unknown-linux-gnu
eval "$(packaging/gpu/cuda-toolchain.sh target/cuda)"
# candle asks its bindings (cudarc) to link NVIDIA's libraries. Their source decides by this feature alone, and their
# build script refuses it beside the other: flags for a named target reach the sources and not the build scripts.
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS="--cfg feature=\"dynamic-loading\" -L native=$SAFELIGHT_CUDART \
-C link-arg=-lrt -C link-arg=-ldl -C link-arg=-lpthread ${RUSTFLAGS:-}"
unset RUSTFLAGS
cargo build --locked --profile "$profile" --features cudnn --target "$target" --target-dir target/cuda-build
program=target/cuda-build/$target/$profile/safelight
if needed=$(objdump -p "$program" | grep -E 'NEEDED +lib(cuda|cublas|curand|cudnn|nvrtc)'); then
    printf 'build-cuda: the program would not start without these:\n%s\n' "$needed" >&2
    exit 1
fi
size=$(($(stat -c %s "$program") / 1000000))
printf 'build-cuda: %s has %d MB\n' "$program" "$size"
if [ "$profile" = dist ] && [ "$size" -gt "$most" ]; then
    printf 'build-cuda: that is more than %d MB\n' "$most" >&2
    exit 1
fi
"$program" doctor --quick
