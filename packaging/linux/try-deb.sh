#!/usr/bin/env bash
# Tries a Debian package in a bare system, which is a folder: installs it, draws a picture, opens the window on Vulkan and on
# OpenGL (of software, if need be), removes it, and looks at what is left.
#
#   try-deb.sh DEB ROOT                           in a bare system that is there, such as what `docker export` gives
#   try-deb.sh DEB ROOT SUITE MIRROR [OPTION...]  in one that debootstrap makes there first, with these options
#
# Needs root; Xvfb and ImageMagick, which stay outside, so that the package's own dependencies must do. ROOT is changed.
set -euo pipefail
deb=$(realpath "${1:?usage: try-deb.sh DEB ROOT [SUITE MIRROR [OPTION...]]}")
root=${2:?usage: try-deb.sh DEB ROOT [SUITE MIRROR [OPTION...]]}
here=$(dirname "$(realpath "$0")")

if [ -z "${IN_MOUNT_NAMESPACE:-}" ]; then
    if [ $# -ge 4 ]; then
        debootstrap --variant=minbase "${@:5}" "$3" "$root" "$4"
    fi
    # The mounts below end with this script.
    exec env IN_MOUNT_NAMESPACE=1 unshare --mount --propagation private "$0" "$@"
fi

root=$(realpath "$root")
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mkdir -p "$root/tmp/.X11-unix" /tmp/.X11-unix
mount --bind /tmp/.X11-unix "$root/tmp/.X11-unix"
cp --remove-destination --dereference /etc/resolv.conf /etc/hosts "$root/etc/"
cp "$deb" "$root/tmp/safelight.deb"

# ID-VERSION of the system, such as debian-12.
name=$(sed -n 's/^ID=//p; s/^VERSION_ID="\(.*\)"/\1/p' "$root/etc/os-release" | sort -r | paste -sd -)
say() { printf '%s: %s\n' "$name" "$*"; }
# Runs a command in the system, in place of this shell.
inside() {
    exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        DISPLAY="${DISPLAY:-}" RUST_LOG="${RUST_LOG:-}" ${WGPU_BACKEND:+"WGPU_BACKEND=$WGPU_BACKEND"} "$@"
}
export root
export -f inside
apt() { (inside apt-get -qq -o Dpkg::Use-Pty=0 "$@"); }
window() { # BACKEND SCREENSHOT FILE...
    say "the window on $1"
    WGPU_BACKEND=$1 "$here/try-window.sh" "$2" bash -c 'inside safelight "$@"' - "${@:3}"
}
# Every file of the system but apt's and dpkg's own and caches of others.
files() {
    (cd "$root" && find etc home opt root srv usr var -xdev \
        \( -path var/lib/apt -o -path var/lib/dpkg -o -path var/cache -o -path var/log \) -prune -o -print | sort)
}
screenshots=$PWD

apt update
say "installing $(basename "$deb")"
# What it recommends may be missing: its dependencies alone must do.
apt install --no-install-recommends /tmp/safelight.deb >/dev/null
(inside safelight --version)
(inside safelight generate --prompt "snowy mountains over a lake at night" --seed 1 --output /tmp/picture.png)
window vulkan "$screenshots/$name-vulkan.png" /tmp/picture.png
apt install --no-install-recommends libgl1-mesa-dri >/dev/null
window gl "$screenshots/$name-gl.png" /tmp/picture.png

before=$(files)
apt remove safelight >/dev/null
gone=$(comm -23 <(printf '%s\n' "$before") <(files))
[ -n "$gone" ] || { say "the package held no files"; exit 1; }
left=$(files | grep -i safelight || true)
# Settings and what the window keeps for the next start, in the home folder, are the person's.
unexpected=$(printf '%s\n' "$left" | grep -vE '^root/\.(config|local/share|local/state|cache)/safelight(/|$)' | grep . || true)
[ -z "$unexpected" ] || { say "left behind: $unexpected"; exit 1; }
say "removed $(printf '%s\n' "$gone" | wc -l) files and folders; left: $(printf '%s\n' "$left" | tr '\n' ' ')"
