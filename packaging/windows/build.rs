//! Puts the icon and the manifest into the program's file on Windows; nothing elsewhere.

fn main() {
    println!("cargo:rerun-if-changed=packaging/windows/build.rs");
    #[cfg(windows)]
    resources().expect("the program's resources cannot be compiled");
}

#[cfg(windows)]
fn resources() -> std::io::Result<()> {
    const ICON: &str = "assets/icon/safelight.ico";
    const MANIFEST: &str = "packaging/windows/safelight.manifest";
    println!("cargo:rerun-if-changed={ICON}");
    println!("cargo:rerun-if-changed={MANIFEST}");
    let mut resources = winresource::WindowsResource::new();
    resources.set_icon(ICON).set_manifest_file(MANIFEST);
    resources.compile()
}
