#!/usr/bin/env bash
# A CUDA 13.0 toolchain to build with, from NVIDIA's Python packages, for a machine that has neither a GPU nor CUDA.
#
#   eval "$(packaging/gpu/cuda-toolchain.sh FOLDER)"
#
# Prints the variables to set on standard output and everything else on standard error. A second run on the same folder
# downloads nothing. 1.2 GB. Needs python3 with pip and gcc, on Linux x86-64.
set -euo pipefail

# The compiler and its parts, headers, and the libraries to link with: the set of the cuda-toolkit package 13.0.2.
packages=(nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-cuda-cccl==13.0.85
    nvidia-cuda-runtime==13.0.96 nvidia-cublas==13.1.0.3 nvidia-curand==10.4.0.35 nvidia-cuda-nvrtc==13.0.88)

say() { printf 'cuda-toolchain: %s\n' "$*" >&2; }

folder=${1:?usage: cuda-toolchain.sh FOLDER}
[ "$(uname -sm)" = "Linux x86_64" ] || { say "this is for Linux x86-64, and this is $(uname -sm)"; exit 1; }
for tool in python3 gcc; do
    command -v "$tool" >/dev/null || { say "$tool is missing"; exit 1; }
done
mkdir -p "$folder"
folder=$(cd "$folder" && pwd -P)
home=$folder/packages/nvidia/cu13

# All packages in one run: a second one with --target replaces the folder that they share.
wanted=$(printf '%s\n' "${packages[@]}")
if [ "$(cat "$folder/installed" 2>/dev/null)" != "$wanted" ]; then
    say "installing ${packages[*]}"
    rm -rf "$folder/installed" "$folder/packages"
    python3 -m pip install --quiet --disable-pip-version-check --no-deps --no-compile --only-binary=:all: \
        --target "$folder/packages" "${packages[@]}" >&2
    printf '%s' "$wanted" >"$folder/installed"
fi

# What a linker looks for and the packages lack: lib64, names without versions, and the driver's library.
ln -sfn lib "$home/lib64"
for library in "$home"/lib/lib*.so.*; do
    case $library in *.alt.so.* | */libcudart.so.*) continue ;; esac
    name=${library##*/}
    ln -sf "$name" "$home/lib/${name%%.so.*}.so"
done
# Without a libcudart.so to find, the linker takes the archive: the program needs no CUDA runtime to start.
mkdir -p "$folder/cudart"
ln -sf "$home/lib/libcudart_static.a" "$folder/cudart/libcudart.a"
ln -sf libcudart_static.a "$home/lib/libcudart.a"

# A program that loads cuDNN when it runs takes nothing of it when it is linked, but the linker is asked for it.
[ -e "$folder/cudart/libcudnn.so" ] || gcc -shared -o "$folder/cudart/libcudnn.so" -xc /dev/null

# The driver's library is on machines with its GPU only. This one has its name and its functions, for the linker.
stub=$home/lib/stubs/libcuda.so
if [ ! -e "$stub" ]; then
    mkdir -p "${stub%/*}"
    {
        gcc -E -P -D__CUDA_API_VERSION_INTERNAL -I"$home/include" -include cuda.h -xc /dev/null | tr '\n;' ' \n' |
            sed -nE 's/.*CUresult +(cu[A-Z][A-Za-z0-9_]*) *\(.*/\1/p'
        printf '%s\n' cuProfilerStart cuProfilerStop
    } | sort -u | sed 's/.*/int &(void) { return 34; }/' >"$folder/libcuda.c"
    gcc -w -shared -fPIC -Wl,-soname,libcuda.so.1 -o "$stub" "$folder/libcuda.c"
fi
"$home/bin/nvcc" --version | grep -q 'release 13\.0' || { say "its nvcc does not run"; exit 1; }

print() { printf 'export %s=%q\n' "$1" "$2"; }
print CUDA_HOME "$home"
print CUDA_PATH "$home"
print NVCC "$home/bin/nvcc"
print CUDARC_CUDA_VERSION 13000
print SAFELIGHT_CUDART "$folder/cudart"
# PTX for every GPU from Ampere on, which the driver compiles for the one it has; and PTX of the kernels that come
# compiled, which would run on cards of 8.x only; compressed, which makes them a third as large.
print CUDA_COMPUTE_CAP "${CUDA_COMPUTE_CAP:-80}"
print NVCC_APPEND_FLAGS "${NVCC_APPEND_FLAGS:--gencode=arch=compute_80,code=compute_80 --compress-mode=size}"
printf 'export PATH=%q:"$PATH"\n' "$home/bin"
