//! Puts the icon and the manifest into the program's file on Windows.

const ICON: &str = "assets/icon/safelight.ico";
const MANIFEST: &str = "packaging/windows/safelight.manifest";

pub(crate) fn compile() -> std::io::Result<()> {
    for file in ["packaging/windows/resources.rs", ICON, MANIFEST] {
        println!("cargo:rerun-if-changed={file}");
    }
    let mut resources = winresource::WindowsResource::new();
    resources.set_icon(ICON).set_manifest_file(MANIFEST);
    resources.compile()
}
