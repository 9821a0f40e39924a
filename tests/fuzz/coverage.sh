#!/usr/bin/env bash
# RUSTC_WRAPPER of the fuzz build: counts covered edges, on a stable compiler, in the crates that read files.
# The others stay as they are, so that the counters of readers are not drowned.
rustc=$1; shift
crate=""; previous=""; for_target=no
for argument in "$@"; do
    [ "$previous" = --crate-name ] && crate=$argument
    [ "$argument" = --target ] && for_target=yes
    previous=$argument
done
case $crate in
safelight | fuzz | image | png | zune_jpeg | zune_core | image_webp | tiff | gif | weezl | moxcms | safetensors | \
    serde_json | tokenizers | fdeflate | miniz_oxide | flate2 | color_quant | half | byteorder_lite | candle_core | candle_nn)
    if [ "$for_target" = yes ]; then # build scripts and macros run on the host and are left alone
        set -- "$@" -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
            -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
            -Cllvm-args=-sanitizer-coverage-trace-compares
    fi
    ;;
esac
exec "$rustc" "$@"
