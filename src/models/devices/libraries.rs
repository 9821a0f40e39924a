//! The libraries of GPUs, looked for where the system's loader looks for them.
//!
//! They are found and not loaded: a look at the machine runs no foreign code.

use std::path::{Path, PathBuf};

/// A library that a GPU needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// What it is.
    pub name: &'static str,
    /// The file name that the loader is asked for.
    pub file: &'static str,
    /// Where it is; `None` if it is in none of the folders.
    pub found: Option<PathBuf>,
    /// Whether networks cannot run on the GPU without it, in a build with support for it.
    pub is_needed: bool,
    /// Where people get it.
    pub comes_with: &'static str,
}

/// What CUDA consists of: name, the file's beginning, whether it is needed, where it comes from.
type Wanted = (&'static str, &'static str, bool, &'static str);

#[cfg(not(windows))]
const WANTED: &[Wanted] = &[
    ("NVIDIA driver", "libcuda.so", true, "NVIDIA's driver"),
    ("cuBLAS", "libcublas.so", true, "the CUDA toolkit, or NVIDIA's Python packages"),
    ("cuRAND", "libcurand.so", true, "the CUDA toolkit, or NVIDIA's Python packages"),
    ("CUDA runtime", "libcudart.so", false, "the CUDA toolkit, but the program holds its own"),
    ("cuDNN", "libcudnn.so", false, "NVIDIA's cuDNN package, and makes convolutions faster"),
];

#[cfg(windows)]
const WANTED: &[Wanted] = &[
    ("NVIDIA driver", "nvcuda.dll", true, "NVIDIA's driver"),
    ("cuBLAS", "cublas64_", true, "the CUDA toolkit, or NVIDIA's Python packages"),
    ("cuRAND", "curand64_", true, "the CUDA toolkit, or NVIDIA's Python packages"),
    ("CUDA runtime", "cudart64_", false, "the CUDA toolkit, but the program holds its own"),
    ("cuDNN", "cudnn64_", false, "NVIDIA's cuDNN package, and makes convolutions faster"),
];

/// The libraries of NVIDIA's GPUs; none on macOS, whose Metal is a part of the system.
pub fn libraries() -> Vec<Library> {
    if cfg!(target_os = "macos") {
        return Vec::new();
    }
    let folders = folders();
    let look = |&(name, file, is_needed, comes_with): &Wanted| Library {
        name,
        file,
        found: find(file, &folders),
        is_needed,
        comes_with,
    };
    WANTED.iter().map(look).collect()
}

/// The first file in the folders whose name begins so.
fn find(beginning: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    let in_folder = |folder: &PathBuf| {
        let mut names: Vec<PathBuf> = std::fs::read_dir(folder)
            .ok()?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                name.to_lowercase().starts_with(beginning)
            })
            // A link to a file that is gone is no library.
            .filter(|path| path.is_file())
            .collect();
        names.sort();
        names.into_iter().next()
    };
    folders.iter().find_map(in_folder)
}

/// Where the loader looks, in its order.
#[cfg(not(windows))]
fn folders() -> Vec<PathBuf> {
    let named = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> =
        std::env::split_paths(&named).filter(|folder| folder.is_absolute()).collect();
    configured(Path::new("/etc/ld.so.conf"), &mut folders, 0);
    let machine = std::env::consts::ARCH;
    folders.extend(
        [
            format!("/lib/{machine}-linux-gnu"),
            format!("/usr/lib/{machine}-linux-gnu"),
            "/lib64".to_owned(),
            "/usr/lib64".to_owned(),
            "/lib".to_owned(),
            "/usr/lib".to_owned(),
        ]
        .map(PathBuf::from),
    );
    folders
}

#[cfg(windows)]
fn folders() -> Vec<PathBuf> {
    let system = std::env::var_os("SystemRoot").map(|root| Path::new(&root).join("System32"));
    let named = std::env::var_os("PATH").unwrap_or_default();
    system.into_iter().chain(std::env::split_paths(&named)).collect()
}

/// Levels of files that include others.
#[cfg(not(windows))]
const MOST_LEVELS: usize = 8;

/// Adds the folders of a file of ldconfig(8): a folder a line, and lines that include other files.
#[cfg(not(windows))]
fn configured(file: &Path, folders: &mut Vec<PathBuf>, level: usize) {
    let Ok(text) = std::fs::read_to_string(file) else { return };
    for line in text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
        if let Some(pattern) = line.strip_prefix("include").filter(|rest| rest.starts_with([' ', '\t'])) {
            if level < MOST_LEVELS {
                for file in matching(pattern.trim()) {
                    configured(&file, folders, level + 1);
                }
            }
        } else if line.starts_with('/') {
            folders.push(line.into());
        }
    }
}

/// The files of a pattern with one `*` in its last part, sorted.
#[cfg(not(windows))]
fn matching(pattern: &str) -> Vec<PathBuf> {
    let pattern = Path::new(pattern);
    let (Some(folder), Some(name)) = (pattern.parent(), pattern.file_name().and_then(|name| name.to_str()))
    else {
        return Vec::new();
    };
    let Some((before, after)) = name.split_once('*') else { return vec![pattern.to_owned()] };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let fits = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(fits).collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_found_under_every_version_of_their_name() {
        let root = tempfile::tempdir().unwrap();
        let [first, second] = ["a", "b"].map(|name| root.path().join(name));
        std::fs::create_dir(&first).unwrap();
        std::fs::create_dir(&second).unwrap();
        std::fs::write(second.join("libcublas.so.13"), "").unwrap();
        std::fs::write(second.join("libcublasLt.so.13"), "").unwrap();
        let folders = [root.path().join("none"), first.clone(), second.clone()];
        assert_eq!(find("libcublas.so", &folders), Some(second.join("libcublas.so.13")));
        assert_eq!(find("libcuda.so", &folders), None);
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("gone", first.join("libcublas.so")).unwrap();
            assert_eq!(find("libcublas.so", &folders), Some(second.join("libcublas.so.13")));
        }
    }

    #[cfg(not(windows))]
    #[test]
    fn folders_of_the_loader_are_read_from_its_files() {
        let root = tempfile::tempdir().unwrap();
        let more = root.path().join("more");
        std::fs::create_dir(&more).unwrap();
        std::fs::write(more.join("nvidia.conf"), "# NVIDIA\n/opt/nvidia/lib # its own\n").unwrap();
        std::fs::write(more.join("other.txt"), "/not/this\n").unwrap();
        let file = root.path().join("ld.so.conf");
        // It includes itself, which must not go on for ever.
        let lines = format!("include {}/*.conf\n/opt/lib\ninclude {}\n", more.display(), file.display());
        std::fs::write(&file, lines).unwrap();
        let mut folders = Vec::new();
        configured(&file, &mut folders, 0);
        assert_eq!(folders[..2], ["/opt/nvidia/lib", "/opt/lib"].map(PathBuf::from));
        assert!(!folders.contains(&PathBuf::from("/not/this")));
    }
}
