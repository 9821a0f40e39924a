//! Compiles the kernels of `shaders/cuda` for NVIDIA's GPUs, in builds with the feature `cuda`; other builds need none of it.
//!
//! The result is PTX, which a GPU's driver compiles for it, from compute capability 8.0 on. The compiler is the one that
//! candle's kernels are built with: `NVCC`, or that of `CUDA_HOME` or `CUDA_PATH`, or the first one in `PATH`.

use std::path::PathBuf;
use std::process::Command;

pub(crate) fn compile() {
    println!("cargo:rerun-if-changed=shaders/cuda");
    println!("cargo:rerun-if-changed=packaging/gpu/kernels.rs");
    if std::env::var_os("CARGO_FEATURE_CUDA").is_none() {
        return;
    }
    for name in ["NVCC", "CUDA_HOME", "CUDA_PATH"] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    let named = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let in_toolkit = || named("CUDA_HOME").or_else(|| named("CUDA_PATH")).map(|home| home.join("bin/nvcc"));
    let compiler = named("NVCC").or_else(in_toolkit).unwrap_or_else(|| "nvcc".into());
    let folder = named("OUT_DIR").expect("Cargo sets OUT_DIR");
    let status = Command::new(&compiler)
        .args([
            "-ptx",
            "-arch=compute_80",
            "-O3",
            "-std=c++17",
            "-Ishaders/cuda",
            "shaders/cuda/attention.cu",
            "-o",
        ])
        .arg(folder.join("attention.ptx"))
        // Those of the user are for kernels that are compiled to the end.
        .env_remove("NVCC_APPEND_FLAGS")
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("{} on shaders/cuda/attention.cu: {status}", compiler.display()),
        Err(error) => panic!(
            "CUDA's compiler cannot be run ({}): {error}; install the toolkit or set NVCC",
            compiler.display()
        ),
    }
}
