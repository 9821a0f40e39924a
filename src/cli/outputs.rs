//! The files that a command will write, checked before the work starts, so that an hour of sampling does not end with a
//! missing folder.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::bail;

use super::output::text;
use super::signals::uninterrupted;
use crate::catalog::ModelSource;
use crate::formats::atomic::write_atomically;
use crate::formats::metadata::GenerationFacts;
use crate::formats::picture::{PictureFormat, WriteOptions, WritePictureError, encode_picture};
use crate::formats::{DestinationKind, check_writable};
use crate::request::Picture;

/// Extensions of other formats, which are refused for latents (safetensors files).
const NOT_A_LATENT: [&str; 16] = [
    "png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff", "avif", "heic", "npy", "npz", "pt", "pth",
    "ckpt", "json",
];

/// Upper limit for following symbolic links, as on Linux.
const MAX_LINKS: usize = 40;

/// A picture to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PictureFile {
    pub(super) format: PictureFormat,
    /// The path: as typed, with `.png` added if it has no extension.
    pub(super) path: PathBuf,
}

impl PictureFile {
    /// Writes the picture atomically.
    pub(super) fn write(
        &self,
        picture: &Picture,
        facts: Option<&GenerationFacts>,
        options: WriteOptions,
    ) -> Result<(), WritePictureError> {
        let bytes = encode_picture(picture, self.format, facts, &options)?;
        uninterrupted(|| write_atomically(&self.path, |file| std::io::Write::write_all(file, &bytes)))?;
        Ok(())
    }
}

/// The input and output files of a command.
#[derive(Default)]
pub(super) struct Files {
    inputs: Vec<PathBuf>,
    /// The folder of the model, whose weights must not be overwritten.
    model: Option<PathBuf>,
    outputs: Vec<PathBuf>,
}

impl Files {
    /// No files yet; the model's folder is protected.
    pub(super) fn of_model(choice: &ModelSource) -> Self {
        let model = match choice {
            ModelSource::Folder(folder) => std::fs::canonicalize(folder).ok(),
            ModelSource::Parts(parts) => std::fs::canonicalize(&parts.model).ok(),
            ModelSource::Builtin => None,
        };
        Self { model, ..Self::default() }
    }

    /// Adds an input.
    pub(super) fn input(&mut self, path: &Path) {
        self.inputs.push(path.to_owned());
    }

    /// Adds a picture to write, which is numbered if `count` is not 1.
    ///
    /// # Errors
    /// If the path is not a file name or has an unsupported extension.
    pub(super) fn picture(
        &mut self,
        typed: &Path,
        index: usize,
        count: usize,
    ) -> anyhow::Result<PictureFile> {
        if typed.extension().is_none() && is_stream(typed) {
            return Ok(PictureFile { format: PictureFormat::Png, path: typed.to_owned() });
        }
        check_file_name(typed)?;
        let (format, path) = PictureFormat::of_path(&numbered(typed, index, count))?;
        if typed.extension().is_none() && (typed.exists() || path.exists()) {
            let there = if typed.exists() { typed } else { &path };
            bail!(
                "{} exists already: add .png, .jpg or .webp to the name of the new picture: {}",
                text(there),
                text(typed)
            );
        }
        self.outputs.push(path.clone());
        Ok(PictureFile { format, path })
    }

    /// Adds a latent to write, which is numbered if `count` is not 1.
    ///
    /// # Errors
    /// If the path is not a file name or has the extension of another format.
    pub(super) fn latent(&mut self, typed: &Path, index: usize, count: usize) -> anyhow::Result<PathBuf> {
        if is_stream(typed) {
            return Ok(typed.to_owned());
        }
        check_file_name(typed)?;
        let extension = extension(typed);
        if NOT_A_LATENT.contains(&extension.as_str()) {
            bail!("a latent is not a ‘.{extension}’ file: use the extension .latent: {}", text(typed));
        }
        let path = numbered(typed, index, count);
        self.outputs.push(path.clone());
        Ok(path)
    }

    /// Adds a file of another kind to write.
    ///
    /// # Errors
    /// If the path is not a file name.
    pub(super) fn other(&mut self, typed: &Path) -> anyhow::Result<()> {
        check_file_name(typed)?;
        self.outputs.push(typed.to_owned());
        Ok(())
    }

    /// Checks that every output can be written, and that none overwrites an input, another output or the model.
    ///
    /// # Errors
    /// If an output cannot be written, or would overwrite another file of the command or the model.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let mut taken: HashMap<Key, (&Path, Role)> = HashMap::new();
        for input in &self.inputs {
            for key in keys(input) {
                taken.insert(key, (input, Role::Input));
            }
        }
        for output in &self.outputs {
            if check_writable(output)? == DestinationKind::Stream {
                continue;
            }
            for key in keys(output) {
                let Some((other, role)) = taken.insert(key, (output, Role::Output)) else { continue };
                let (other, output) = (text(other), text(output));
                match role {
                    Role::Input => {
                        bail!(
                            "{other} is an input, and writing {output} would replace it: choose another name"
                        )
                    }
                    Role::Output if other == output => {
                        bail!("{output} would be written twice: choose another name for one of the files")
                    }
                    Role::Output => {
                        bail!("{other} and {output} are the same file: choose another name for one of them")
                    }
                }
            }
            self.check_model_weights(output)?;
        }
        Ok(())
    }

    /// Refuses to overwrite the model's weights, which have an extension that latents may have, too.
    fn check_model_weights(&self, output: &Path) -> anyhow::Result<()> {
        let Some(model) = &self.model else { return Ok(()) };
        let inside = std::fs::canonicalize(folder_of(output)).is_ok_and(|folder| folder.starts_with(model));
        if inside && extension(output) == "safetensors" && output.exists() {
            bail!("{} belongs to the model: choose another name", text(output));
        }
        Ok(())
    }
}

/// An unused path for a latent next to a picture that could not be written; `None` for pipes and devices.
pub(super) fn latent_path_beside(picture: &Path) -> Option<PathBuf> {
    if is_stream(picture) {
        return None;
    }
    let latent = picture.with_extension("latent");
    (1..=1000)
        .map(|number| if number == 1 { latent.clone() } else { numbered(&latent, number - 1, 2) })
        .find(|path| std::fs::symlink_metadata(path).is_err())
}

/// What a command does with a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Input,
    Output,
}

/// Identity of a file, to detect different paths to the same file.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    /// The canonical path in lower case, since some file systems ignore case.
    Name(String),
    /// Device and inode of an existing file, which detect hard links.
    #[cfg(unix)]
    Inode(u64, u64),
}

fn keys(path: &Path) -> Vec<Key> {
    let mut path = path.to_owned();
    // Resolved manually, because a link may point to a file that does not exist yet.
    for _ in 0..MAX_LINKS {
        let Ok(target) = std::fs::read_link(&path) else { break };
        path = folder_of(&path).join(target);
    }
    let name = std::fs::canonicalize(folder_of(&path)).map(|f| f.join(path.file_name().unwrap_or_default()));
    let name = name.as_ref().unwrap_or(&path);
    let name = match name.to_str() {
        Some(text) => text.to_lowercase(),
        None => name.as_os_str().as_encoded_bytes().escape_ascii().to_string(),
    };
    #[cfg(unix)]
    if let Ok(metadata) = std::fs::metadata(&path) {
        use std::os::unix::fs::MetadataExt;
        return vec![Key::Name(name), Key::Inode(metadata.dev(), metadata.ino())];
    }
    vec![Key::Name(name)]
}

/// Whether the path is a pipe or a device, which gets no number or extension.
fn is_stream(path: &Path) -> bool {
    check_writable(path).is_ok_and(|kind| kind == DestinationKind::Stream)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn extension(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_lowercase()
}

/// Refuses paths that are not file names: a folder, `-` for standard output, an extension alone.
fn check_file_name(typed: &Path) -> anyhow::Result<()> {
    let bytes = typed.as_os_str().as_encoded_bytes();
    let ends_as_folder = [&b"/"[..], b"/.", b"/.."].iter().any(|end| bytes.ends_with(end))
        || (cfg!(windows) && bytes.ends_with(b"\\"));
    if ends_as_folder || typed.file_name().is_none() || typed.is_dir() {
        bail!("choose a file name, not a folder: {}", text(typed));
    }
    if typed.as_os_str() == "-" {
        bail!("‘-’ is not a file name, and files are not written to standard output: give a file name");
    }
    let name = typed.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let only_extension = name.strip_prefix('.').is_some_and(|rest| {
        NOT_A_LATENT.contains(&rest) || ["latent", "safetensors", "apng", "mp4"].contains(&rest)
    });
    if only_extension {
        bail!("there is no name before the extension: {}", text(typed));
    }
    Ok(())
}

/// `name-2.png` for the second of several.
fn numbered(path: &Path, index: usize, count: usize) -> PathBuf {
    if count == 1 {
        return path.to_owned();
    }
    let mut name = OsString::from(path.file_stem().unwrap_or_default());
    name.push(format!("-{}", index + 1));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(check: impl FnOnce(&mut Files) -> anyhow::Result<()>) -> String {
        let mut files = Files::default();
        check(&mut files).and_then(|()| files.check()).unwrap_err().to_string()
    }

    fn taken(check: impl FnOnce(&mut Files) -> anyhow::Result<()>) {
        let mut files = Files::default();
        check(&mut files).unwrap();
        files.check().unwrap();
    }

    #[test]
    fn names_are_numbered_before_their_extension() {
        for (path, name) in [("a/b.png", "a/b-2.png"), ("a.b/c", "a.b/c-2"), ("b.tar.png", "b.tar-2.png")] {
            assert_eq!(numbered(Path::new(path), 1, 3), Path::new(name));
            assert_eq!(numbered(Path::new(path), 0, 1), Path::new(path));
        }
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStrExt;
            let path = Path::new(std::ffi::OsStr::from_bytes(b"\xff.png"));
            assert_eq!(numbered(path, 0, 2).as_os_str().as_bytes(), b"\xff-1.png");
        }
    }

    #[test]
    fn paths_without_a_file_name_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["", "/", "new/", "new/.", "new/.."] {
            let path = PathBuf::from(format!("{}{name}", folder.path().join("").display()));
            for error in
                [refused(|f| f.picture(&path, 0, 1).map(drop)), refused(|f| f.latent(&path, 0, 1).map(drop))]
            {
                assert!(error.contains("not a folder") && error.contains(&text(&path)), "{name}: {error}");
            }
        }
        assert!(refused(|f| f.picture(Path::new("-"), 0, 1).map(drop)).contains("not a file name"));
        for name in [".png", ".JPG", ".latent"] {
            let path = folder.path().join(name);
            assert!(refused(|f| f.picture(&path, 0, 1).map(drop)).contains("no name before"), "{name}");
        }
        assert!(refused(|f| f.picture(&folder.path().join("a.gif"), 0, 1).map(drop)).contains(".webp"));
        assert!(refused(|f| f.picture(&folder.path().join("no/a.png"), 0, 1).map(drop)).contains("no/a.png"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_latent_with_an_extension_of_another_format_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.png", "a.JPG", "a.npy", "a.ckpt"] {
            let error = refused(|f| f.latent(&folder.path().join(name), 0, 1).map(drop));
            assert!(error.contains("use the extension .latent") && error.contains(name), "{error}");
        }
        for name in ["a.latent", "a.safetensors", "a", "a.b"] {
            taken(|f| f.latent(&folder.path().join(name), 0, 1).map(drop));
        }
    }

    #[test]
    fn an_extension_that_is_added_overwrites_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("precious");
        taken(|f| f.picture(&path, 0, 1).map(drop));
        std::fs::write(folder.path().join("precious.png"), "old").unwrap();
        assert!(refused(|f| f.picture(&path, 0, 1).map(drop)).contains("exists already"));
        std::fs::remove_file(folder.path().join("precious.png")).unwrap();
        std::fs::write(&path, "old").unwrap();
        assert!(refused(|f| f.picture(&path, 0, 1).map(drop)).contains("exists already"));
        taken(|f| f.picture(&folder.path().join("precious.png"), 0, 1).map(drop));
    }

    #[test]
    fn two_outputs_with_the_same_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        let path = |name: &str| folder.path().join(name);
        let both = |picture: &str, latent: &str| {
            let (picture, latent) = (path(picture), path(latent));
            move |f: &mut Files| {
                f.outputs.push(picture);
                f.outputs.push(latent);
                Ok(())
            }
        };
        assert!(refused(both("a", "a")).contains("written twice"));
        assert!(refused(both("a", "./a")).contains("the same file"));
        assert!(refused(both("a", "sub/../a")).contains("the same file"));
        assert!(refused(both("a.x", "A.x")).contains("the same file"));
        taken(both("a", "b"));
        taken(both("a", "sub/a"));
        std::fs::write(path("there"), "").unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("there", path("link")).unwrap();
            std::os::unix::fs::symlink("sub", path("folder")).unwrap();
            std::os::unix::fs::symlink("not there yet", path("early")).unwrap();
            assert!(refused(both("early", "not there yet")).contains("the same file"));
            std::fs::hard_link(path("there"), path("hard")).unwrap();
            assert!(refused(both("there", "link")).contains("the same file"));
            assert!(refused(both("there", "hard")).contains("the same file"));
            assert!(refused(both("sub/new", "folder/new")).contains("the same file"));
        }
    }

    #[test]
    fn a_numbered_output_must_not_overwrite_an_input() {
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join("a-2.png");
        std::fs::write(&input, "x").unwrap();
        let error = refused(|f| {
            f.input(&input);
            (0..3).try_for_each(|index| f.picture(&folder.path().join("a.png"), index, 3).map(drop))
        });
        assert!(error.contains("is an input, and writing"), "{error}");
        taken(|f| {
            f.input(&input);
            f.picture(&folder.path().join("a.png"), 0, 1).map(drop)
        });
    }

    #[test]
    fn a_model_s_weights_are_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let weights = folder.path().join("vae.safetensors");
        std::fs::write(&weights, "x").unwrap();
        let mut files = Files::of_model(&ModelSource::Folder(folder.path().to_owned()));
        files.latent(&folder.path().join("new.safetensors"), 0, 1).unwrap();
        files.check().unwrap();
        files.latent(&weights, 0, 1).unwrap();
        assert!(files.check().unwrap_err().to_string().contains("belongs to the model"));
    }

    #[cfg(unix)]
    #[test]
    fn device_paths_are_not_changed() {
        let mut files = Files::default();
        let picture = files.picture(Path::new("/dev/null"), 0, 1).unwrap();
        assert_eq!(picture, PictureFile { format: PictureFormat::Png, path: "/dev/null".into() });
        files.latent(Path::new("/dev/null"), 0, 1).unwrap();
        files.check().unwrap();
    }

    #[test]
    fn a_latent_next_to_a_picture_gets_an_unused_name() {
        let folder = tempfile::tempdir().unwrap();
        let picture = folder.path().join("a.png");
        assert_eq!(latent_path_beside(&picture).unwrap(), folder.path().join("a.latent"));
        std::fs::write(folder.path().join("a.latent"), "").unwrap();
        assert_eq!(latent_path_beside(&picture).unwrap(), folder.path().join("a-2.latent"));
    }
}
