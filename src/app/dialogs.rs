//! Native file dialogs, each on its own thread so that the window is never blocked.

use std::path::{Path, PathBuf};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::waker::Waker;
use crate::session::{Export, ExportKind, FolderFor};

/// What a dialog was opened for.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    /// All unsaved documents, into a folder.
    SaveAll,
    /// An export of one document.
    Export(Box<Export>),
    /// Files to open as documents.
    Open,
    /// The source picture of an image-to-image run.
    OpenSource,
    /// A model's folder.
    OpenModel,
    /// A folder of the settings.
    Folder(FolderFor),
}

/// The outcome of a dialog. No paths: it was cancelled or could not be shown.
pub(super) struct Answer {
    pub(super) purpose: Purpose,
    pub(super) paths: Vec<PathBuf>,
    /// The proposed file name; empty for an open dialog.
    pub(super) name: String,
    /// How long the dialog was open, seconds. One that could not be shown returns at once.
    pub(super) shown_secs: f64,
}

/// The open dialog, if any, and the channel of its answer.
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

    /// Opens a dialog. Ignored while another one is open.
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

    /// The next answer, without waiting.
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
        Purpose::OpenModel | Purpose::SaveAll | Purpose::Folder(_) => dialog.pick_folder(),
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
