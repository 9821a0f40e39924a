//! What must be made before the program is compiled.

#[path = "gpu/kernels.rs"]
mod kernels;
#[cfg(windows)]
#[path = "windows/resources.rs"]
mod resources;

fn main() {
    println!("cargo:rerun-if-changed=packaging/build.rs");
    kernels::compile();
    #[cfg(windows)]
    resources::compile().expect("the program's resources cannot be compiled");
}
