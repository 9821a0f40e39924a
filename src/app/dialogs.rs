//! File dialogs, each on a thread of its own: the window never waits for one.

use std::path::{Path, PathBuf};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::waker::Waker;
use crate::session::{Export, ExportKind};

/// What a dialog was opened for.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    /// All unsaved documents, into a folder.
    SaveAll,
    /// Something of a document.
    Export(Box<Export>),
    Open,
    OpenSource,
    OpenModel,
    /// The folder in which pictures are saved as they are drawn.
    AutosaveFolder,
}

/// What a person chose; no path is a cancelled dialog, or none that could be shown.
pub(super) struct Answer {
    pub(super) purpose: Purpose,
    pub(super) paths: Vec<PathBuf>,
    /// The file's name that was proposed; empty for opening.
    pub(super) name: String,
    /// How long the dialog was there, seconds: one that could not be shown ends at once.
    pub(super) shown_secs: f64,
}

/// Dialogs that are open.
pub(super) struct Dialogs {
    answers: Receiver<Answer>,
    answered: Sender<Answer>,
    open: usize,
    waker: Waker,
}

impl Dialogs {
    pub(super) fn new(waker: &Waker) -> Self {
        let (answered, answers) = bounded(8);
        Self { answers, answered, open: 0, waker: waker.clone() }
    }

    /// Shows a dialog, one at a time.
    pub(super) fn ask(&mut self, purpose: Purpose, folder: Option<&Path>, name: &str) {
        if self.open > 0 {
            return;
        }
        let mut dialog = rfd::FileDialog::new().set_file_name(name);
        if let Some(folder) = folder.filter(|folder| folder.is_dir()) {
            dialog = dialog.set_directory(folder);
        }
        let (answered, waker, name) = (self.answered.clone(), self.waker.clone(), name.to_owned());
        let show = move || {
            let clock = std::time::Instant::now();
            let paths = chosen(dialog, &purpose);
            let _ = answered.send(Answer { purpose, paths, name, shown_secs: clock.elapsed().as_secs_f64() });
            waker.wake();
        };
        if std::thread::Builder::new().name("safelight-dialog".to_owned()).spawn(show).is_ok() {
            self.open += 1;
        }
    }

    /// The next answer, if there is one.
    pub(super) fn answer(&mut self) -> Option<Answer> {
        let answer = self.answers.try_recv().ok()?;
        self.open = self.open.saturating_sub(1);
        Some(answer)
    }
}

fn chosen(dialog: rfd::FileDialog, purpose: &Purpose) -> Vec<PathBuf> {
    let pictures = |dialog: rfd::FileDialog| {
        dialog.add_filter("PNG", &["png"]).add_filter("JPEG", &["jpg", "jpeg"]).add_filter("WebP", &["webp"])
    };
    let saved = match purpose {
        Purpose::Open => return dialog.pick_files().unwrap_or_default(),
        Purpose::OpenSource => dialog.pick_file(),
        Purpose::OpenModel | Purpose::SaveAll | Purpose::AutosaveFolder => dialog.pick_folder(),
        Purpose::Export(export) => match export.kind {
            ExportKind::Picture => pictures(dialog).save_file(),
            ExportKind::Latent => dialog.add_filter("Latent", &["latent"]).save_file(),
            ExportKind::Sheet | ExportKind::ChannelPngs => dialog.add_filter("PNG", &["png"]).save_file(),
            ExportKind::Channel(_) => {
                dialog.add_filter("PNG", &["png"]).add_filter("NumPy", &["npy"]).save_file()
            }
            ExportKind::Npy => dialog.add_filter("NumPy", &["npy"]).save_file(),
        },
    };
    saved.into_iter().collect()
}
