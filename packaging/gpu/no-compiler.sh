#!/bin/sh
# Stands in for a C compiler and an archiver of another system where a program is only checked, never linked: writes an
# empty file where theirs would be.
last=
for argument in "$@"; do
    case $last in -o) : >"$argument" ;; esac
    case $argument in *.a) : >"$argument" ;; esac
    last=$argument
done
