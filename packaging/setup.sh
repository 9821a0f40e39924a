#!/usr/bin/env bash
# Installs what Safelight needs beside Rust: `setup.sh run` for the program, `setup.sh test` for its tests, `setup.sh dist`
# for packages of it.
# Says what it installs; installs nothing that is there already.
set -euo pipefail

purpose=${1:?usage: setup.sh run|test|dist}

say() { printf 'setup: %s\n' "$*" >&2; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else say "need root to run: $*"; exit 1
    fi
}

# A package is there when dpkg says it is installed.
missing_debian_packages() {
    local package
    for package in "$@"; do
        dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || printf '%s\n' "$package"
    done
}

install_debian() {
    local missing
    mapfile -t missing < <(missing_debian_packages "$@")
    [ "${#missing[@]}" -eq 0 ] && return
    say "installing ${missing[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

# A C compiler for the crates that hold C; what the window loads at run time; a file dialog.
debian_run=(build-essential libvulkan1 mesa-vulkan-drivers libegl1 libgl1 libgl1-mesa-dri
    libx11-6 libx11-xcb1 libxcb1 libxcursor1 libxi6 libxrandr2 libxkbcommon0 libxkbcommon-x11-0
    libwayland-client0 libfontconfig1 libdbus-1-3 zenity)
# A display without a screen, hands to drive it, and a session bus.
debian_test=(xvfb xdotool imagemagick openbox xclip x11-utils dbus python3)

# A C compiler, what finds a program's dependencies, and git for the time of the commit.
debian_dist=(build-essential dpkg-dev git)

# Packagers of this version or of one that is there already: NAME VERSION [OPTION...].
need_packager() {
    cargo "${1#cargo-}" --version >/dev/null 2>&1 && return
    say "installing $1 $2"
    cargo install --locked "$1@$2" "${@:3}"
}

need_rust() {
    command -v cargo >/dev/null || { say "Rust is missing: install it with rustup first"; exit 1; }
    local component
    for component in rustfmt clippy; do
        cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1 && continue
        command -v rustup >/dev/null || { say "cargo's $component is missing"; exit 1; }
        say "adding Rust's $component"
        rustup component add "$component"
    done
}

need_rust
case "$(uname -s)" in
Linux)
    if command -v apt-get >/dev/null; then
        case "$purpose" in
        run) packages=("${debian_run[@]}") ;;
        test) packages=("${debian_run[@]}" "${debian_test[@]}") ;;
        dist) packages=("${debian_dist[@]}") ;;
        *) say "unknown purpose: $purpose"; exit 1 ;;
        esac
        install_debian "${packages[@]}"
    else
        say "no apt-get here: install a C compiler, Vulkan (or OpenGL) drivers and zenity yourself"
    fi
    ;;
Darwin)
    # The compiler comes with Apple's command line tools; windows and dialogs are the system's.
    xcode-select -p >/dev/null 2>&1 || { say "installing Apple's command line tools"; xcode-select --install; }
    if [ "$purpose" = test ] && command -v brew >/dev/null && ! command -v magick >/dev/null; then
        say "installing imagemagick"
        brew install --quiet imagemagick
    fi
    ;;
*) say "nothing to install on $(uname -s)" ;;
esac

if [ "$purpose" = dist ]; then
    need_packager cargo-about 0.9.3 --features cli
    case "$(uname -s)" in
    Linux) need_packager cargo-deb 3.8.0 ;;
    *) need_packager cargo-packager 0.11.8 ;;
    esac
fi
