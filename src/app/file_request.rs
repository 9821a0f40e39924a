//! What a file dialog asks for, and the platform's own dialog for it.

use std::path::{Path, PathBuf};

/// What can be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// One existing file.
    File,
    /// Existing files.
    Files,
    /// One folder.
    Folder,
    /// The name of a file to write.
    Save,
}

/// A file dialog before it is shown.
#[derive(Clone, Debug)]
pub(super) struct FileRequest {
    pub(super) choice: Choice,
    /// What the dialog is for, in the interface's language.
    pub(super) title: String,
    /// Where it opens; `None` where the system decides.
    pub(super) folder: Option<PathBuf>,
    /// The proposed file name, only of [`Choice::Save`].
    pub(super) name: String,
    /// Names of file types and their extensions.
    pub(super) filters: &'static [(&'static str, &'static [&'static str])],
}

impl FileRequest {
    /// Shows the platform's dialog and waits for the answer. No paths: it was cancelled or could not be shown.
    pub(super) fn show(&self) -> Vec<PathBuf> {
        let mut dialog = rfd::FileDialog::new().set_title(&self.title);
        if let Some(folder) = self.existing_folder() {
            dialog = dialog.set_directory(folder);
        }
        if self.choice == Choice::Save {
            dialog = dialog.set_file_name(&self.name);
        }
        for (name, extensions) in self.filters {
            dialog = dialog.add_filter(*name, extensions);
        }
        match self.choice {
            Choice::Files => dialog.pick_files().unwrap_or_default(),
            Choice::File => dialog.pick_file().into_iter().collect(),
            Choice::Folder => dialog.pick_folder().into_iter().collect(),
            Choice::Save => dialog.save_file().into_iter().collect(),
        }
    }

    /// Where the dialog opens, if that is still there.
    pub(super) fn existing_folder(&self) -> Option<&Path> {
        self.folder.as_deref().filter(|folder| folder.is_dir())
    }
}
