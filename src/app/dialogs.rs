//! Native file dialogs, each on its own thread so that the window is never blocked.

use std::path::PathBuf;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::file_request::{Choice, FileRequest};
use super::waker::Waker;
#[cfg(target_os = "linux")]
use super::zenity;
use crate::panels::Text;
use crate::reel::ReelKind;
use crate::session::{Export, ExportKind, FolderFor, GridExport, ReelWork};

/// What a dialog was opened for.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    /// All unsaved documents, into a folder.
    SaveAll,
    /// An export of one document.
    Export(Box<Export>),
    /// An animation of a run's development.
    Reel(Box<ReelWork>),
    /// A grid.
    Grid(Box<GridExport>),
    /// Files to open as documents.
    Open,
    /// The source picture of an image-to-image run.
    OpenSource,
    /// A model's folder.
    OpenModel,
    /// A file with a part that a model lacks.
    Part,
    /// A folder of the settings.
    Folder(FolderFor),
}

impl Purpose {
    /// Whether files are written where the dialog leads.
    pub(super) fn saves(&self) -> bool {
        matches!(
            self,
            Self::SaveAll
                | Self::Export(_)
                | Self::Reel(_)
                | Self::Grid(_)
                | Self::Folder(FolderFor::Autosave)
        )
    }
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

    /// Opens a dialog in `folder`. Ignored while another one is open.
    pub(super) fn ask(&mut self, purpose: Purpose, folder: Option<PathBuf>, name: &str, text: &Text) {
        if self.open > 0 {
            return;
        }
        let request = request(&purpose, folder, name, text);
        let (answered, waker, name) = (self.answered.clone(), self.waker.clone(), name.to_owned());
        let show = move || {
            let clock = std::time::Instant::now();
            let paths = chosen(&request);
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

fn chosen(request: &FileRequest) -> Vec<PathBuf> {
    #[cfg(target_os = "linux")]
    if !zenity::has_portal(|name| std::env::var_os(name))
        && let Ok(paths) = zenity::show(request)
    {
        return paths;
    }
    request.show()
}

/// The dialog for a purpose.
fn request(purpose: &Purpose, folder: Option<PathBuf>, name: &str, text: &Text) -> FileRequest {
    type Filters = &'static [(&'static str, &'static [&'static str])];
    const PNG: Filters = &[("PNG", &["png"])];
    const NPY: Filters = &[("NumPy", &["npy"])];
    const LATENT: Filters = &[("Latent", &["latent"])];
    const WEBP: Filters = &[("WebP", &["webp"])];
    const GIF: Filters = &[("GIF", &["gif"])];
    const APNG: Filters = &[("PNG", &["png", "apng"])];
    const MP4: Filters = &[("MP4", &["mp4"])];
    const CHANNEL: Filters = &[("PNG", &["png"]), ("NumPy", &["npy"])];
    const PICTURE: Filters = &[("PNG", &["png"]), ("JPEG", &["jpg", "jpeg"]), ("WebP", &["webp"])];
    let (choice, title, filters) = match purpose {
        Purpose::Open => (Choice::Files, text.open_title, [].as_slice()),
        Purpose::OpenSource => (Choice::File, text.source_title, [].as_slice()),
        Purpose::Part => (Choice::File, text.part_title, [].as_slice()),
        Purpose::OpenModel => (Choice::Folder, text.model_title, [].as_slice()),
        Purpose::SaveAll => (Choice::Folder, text.save_all_title, [].as_slice()),
        Purpose::Folder(FolderFor::Autosave) => (Choice::Folder, text.autosave_title, [].as_slice()),
        Purpose::Folder(FolderFor::Dialogs) => (Choice::Folder, text.dialogs_title, [].as_slice()),
        Purpose::Folder(FolderFor::Library) => (Choice::Folder, text.library_title, [].as_slice()),
        Purpose::Grid(export) if export.as_folder => (Choice::Save, text.save_cells_title, [].as_slice()),
        Purpose::Grid(_) => (Choice::Save, text.save_grid_title, PICTURE),
        Purpose::Reel(work) => match work.options.kind {
            ReelKind::Webp => (Choice::Save, text.save_reel_title, WEBP),
            ReelKind::Gif => (Choice::Save, text.save_reel_title, GIF),
            ReelKind::Apng => (Choice::Save, text.save_reel_title, APNG),
            ReelKind::Mp4 => (Choice::Save, text.save_reel_title, MP4),
            ReelKind::Frames => (Choice::Save, text.save_frames_title, [].as_slice()),
            ReelKind::Sheet => (Choice::Save, text.save_steps_title, PNG),
        },
        Purpose::Export(export) => match export.kind {
            ExportKind::Picture => (Choice::Save, text.save_picture_title, PICTURE),
            ExportKind::Latent => (Choice::Save, text.save_latent_title, LATENT),
            ExportKind::Sheet => (Choice::Save, text.save_sheet_title, PNG),
            ExportKind::ChannelPngs => (Choice::Save, text.save_channels_title, PNG),
            ExportKind::Channel(_) => (Choice::Save, text.save_channel_title, CHANNEL),
            ExportKind::Npy => (Choice::Save, text.save_npy_title, NPY),
        },
    };
    let mut title = title.to_owned();
    if let Purpose::Export(export) = purpose
        && let ExportKind::Channel(index) = export.kind
    {
        title = title.replace("{}", &index.to_string());
    }
    FileRequest { choice, title, folder, name: name.to_owned(), filters }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latent::LatentFormat;
    use crate::panels::Language;
    use crate::session::DocumentId;

    #[test]
    fn every_dialog_says_what_it_is_for_and_opens_in_its_folder() {
        let export = |kind| {
            let export = Export {
                of: DocumentId(1),
                kind,
                stem: "a".to_owned(),
                latent: None,
                format: LatentFormat::STABLE_DIFFUSION,
                picture: None,
                facts: None,
                profile: None,
                saves: true,
            };
            Purpose::Export(Box::new(export))
        };
        let purposes = || {
            let kinds = [
                ExportKind::Picture,
                ExportKind::Latent,
                ExportKind::Sheet,
                ExportKind::ChannelPngs,
                ExportKind::Channel(3),
                ExportKind::Npy,
            ];
            let rest = [
                Purpose::Open,
                Purpose::OpenSource,
                Purpose::Part,
                Purpose::OpenModel,
                Purpose::SaveAll,
                Purpose::Folder(FolderFor::Autosave),
                Purpose::Folder(FolderFor::Dialogs),
                Purpose::Folder(FolderFor::Library),
            ];
            kinds.map(export).into_iter().chain(rest)
        };
        let of = |purpose: Purpose, language| {
            request(&purpose, Some("/pictures".into()), "a.png", Text::of(language))
        };
        let mut titles = std::collections::HashSet::new();
        for language in [Language::English, Language::Korean] {
            for purpose in purposes() {
                let saves = matches!(purpose, Purpose::Export(_));
                let request = of(purpose, language);
                assert_eq!(request.folder.as_deref(), Some(std::path::Path::new("/pictures")));
                assert_eq!((request.choice == Choice::Save, request.filters.is_empty()), (saves, !saves));
                titles.insert(request.title);
            }
        }
        assert_eq!(titles.len(), 28, "one for each purpose and language: {titles:?}");
        assert_eq!(of(export(ExportKind::Channel(3)), Language::English).title, "Save channel 3");
        assert_eq!(of(export(ExportKind::Channel(3)), Language::Korean).title, "채널 3 저장");
    }
}
