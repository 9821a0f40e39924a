#!/usr/bin/env bash
# `check-program.sh PROGRAM GLIBC MEGABYTES`: fails if a program for Linux needs a newer glibc than this version, links to
# a library that is not on every system, or is larger than this.
set -euo pipefail
program=${1:?usage: check-program.sh PROGRAM GLIBC MEGABYTES} glibc=${2:?} megabytes=${3:?}

fail() { printf '%s: %s\n' "$program" "$*" >&2; exit 1; }

needed=$(objdump -T "$program" | grep -o 'GLIBC_[0-9.]*' | sed 's/GLIBC_//' | sort -Vu | tail -1)
[ -n "$needed" ] || fail "no glibc symbols: not a dynamically linked program"
[ "$(printf '%s\n' "$needed" "$glibc" | sort -V | tail -1)" = "$glibc" ] ||
    fail "needs glibc $needed, newer than $glibc: build it on an older system, such as Debian 12"
while read -r library; do
    case "$library" in
    libc.so.6 | libm.so.6 | libgcc_s.so.1 | ld-linux-*) ;;
    *) fail "links to $library, which a system may lack" ;;
    esac
done < <(objdump -p "$program" | awk '$1 == "NEEDED" { print $2 }')
size=$(stat -c %s "$program")
[ "$size" -le $((megabytes * 1000000)) ] || fail "has $size bytes, more than $megabytes MB"
printf '%s: glibc %s, %s bytes\n' "$program" "$needed" "$size" >&2
