//! Opening pictures and latents: one document per file, cropped or padded, with questions for missing metadata.

use std::path::PathBuf;

use super::{Document, DocumentId, Effect, Message, OpenedFile, Origin, Session};
use crate::catalog::ModelSource;
use crate::formats::metadata::GenerationFacts;
use crate::formats::picture::{crop_to_multiple, pad_to_multiple};
use crate::latent::{Latent, LatentFormat, LatentSpace};
use crate::reason::Reason;
use crate::request::{DecodeChoice, Picture};

/// How a picture is fitted to whole latent pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// Cropped around the centre.
    #[default]
    Crop,
    /// Padded by repeating the edges.
    Pad,
}

/// How files are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOptions {
    /// How pictures are fitted to whole latent pixels.
    pub framing: Framing,
    /// The colour behind transparent pixels, sRGB bytes.
    pub background: [u8; 3],
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { framing: Framing::Crop, background: [255; 3] }
    }
}

/// The content of a file.
#[derive(Debug)]
pub enum FileContent {
    /// A picture.
    Picture {
        /// The picture.
        picture: Picture,
        /// Whether it had transparent pixels, which were blended onto the background.
        transparent: bool,
        /// The generation settings in its metadata.
        facts: Option<Box<GenerationFacts>>,
    },
    /// A latent.
    Latent {
        /// The latent.
        latent: Latent,
        /// The space of its values, if the file states it.
        space: Option<LatentSpace>,
    },
    /// A model's folder.
    Model(ModelSource),
    /// It could not be read: the reason.
    Unreadable(Reason),
}

/// A question to the user.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// Which space and format a latent has, whose file does not state it.
    LatentKind {
        /// The document.
        document: DocumentId,
        /// The latent.
        latent: Latent,
        /// Its file's name.
        name: String,
    },
    /// Which model to load for a latent whose number of channels differs from the loaded VAE's.
    OtherModel {
        /// The document.
        document: DocumentId,
        /// The latent.
        latent: Latent,
        /// Its file's name.
        name: String,
        /// The space of its values.
        space: Option<LatentSpace>,
        /// Known models that fit; `None` until the search has finished.
        fitting: Option<Vec<ModelSource>>,
    },
    /// Whether a download is given up, of which something is here.
    CancelDownload {
        /// Its name.
        name: String,
        /// Bytes that are here.
        received: u64,
    },
    /// Whether the files of a model of the library go to the trash.
    DeleteModel {
        /// The path of its entry.
        path: PathBuf,
        /// Its name.
        name: String,
        /// Bytes on the disk.
        bytes: u64,
    },
    /// Whether to stop the running job only, or to clear the queue as well.
    StopAll {
        /// Number of queued pictures.
        waiting: u64,
    },
}

/// Options and the open question.
#[derive(Default)]
pub(super) struct Opening {
    pub(super) options: OpenOptions,
    pub(super) question: Option<Question>,
    /// Latents that will be opened once a model is loaded.
    awaited: Vec<(DocumentId, Latent, Option<LatentSpace>)>,
    /// Pictures that will be encoded once a model is loaded.
    unencoded: Vec<DocumentId>,
}

impl Session {
    /// Opens files, one document each. The first is read now, the others when they are shown.
    pub(super) fn open_paths(&mut self, paths: Vec<PathBuf>) {
        let mut first = None;
        for path in paths {
            let is_it = |document: &&Document| {
                document.file().is_some_and(|file| file.path.as_deref() == Some(path.as_path()))
            };
            // A file that is already open keeps its document and edits.
            let known = self.documents.list.iter().find(is_it).map(Document::id);
            let id = known.unwrap_or_else(|| {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                self.add_file(OpenedFile { name, path: Some(path.clone()), ..OpenedFile::default() })
            });
            first = first.or(Some(id));
        }
        if let Some(first) = first {
            self.show(first);
        }
    }

    fn add_file(&mut self, file: OpenedFile) -> DocumentId {
        let id = DocumentId(self.new_job().0);
        self.documents.list.push(Document::new(id, Origin::Opened(Box::new(file))));
        id
    }

    /// Opens a picture without a file, such as a pasted one.
    pub(super) fn open_picture(&mut self, picture: Picture, name: String) {
        let id = self.add_file(OpenedFile { name, is_read: true, ..OpenedFile::default() });
        self.show(id);
        self.file_read(id, FileContent::Picture { picture, transparent: false, facts: None });
    }

    /// Handles the content of a document's file.
    pub(super) fn file_read(&mut self, id: DocumentId, content: FileContent) {
        let Some(file) = self.documents.get_mut(id).and_then(Document::file_mut) else { return };
        match content {
            FileContent::Picture { picture, transparent, facts } => {
                let is_new = file.source.is_none();
                (file.source, file.transparent, file.facts) = (Some(picture), transparent, facts);
                if is_new && file.facts.is_some() {
                    self.notify(Message::HoldsSettings(id));
                }
                self.encode(id);
            }
            FileContent::Latent { latent, space } => self.open_latent(id, latent, space),
            FileContent::Model(model) => {
                self.forget(id);
                self.open_model(model);
            }
            FileContent::Unreadable(why) => {
                self.forget(id);
                self.notify(Message::NotOpened(why));
            }
        }
    }

    /// Removes a document that could not be opened.
    fn forget(&mut self, id: DocumentId) {
        self.documents.take(id);
        self.documents.refresh();
    }

    /// Changes how files are opened, and reopens the file on the easel.
    pub(super) fn set_open_options(&mut self, options: OpenOptions) {
        let before = std::mem::replace(&mut self.opening.options, options);
        let Some(id) = self.documents.easel else { return };
        let Some(file) = self.documents.get(id).and_then(Document::file) else { return };
        if before.background != options.background {
            self.outbox.effects.extend(file.path.clone().map(|path| Effect::Read(id, path)));
        } else if before.framing != options.framing {
            self.encode(id);
        }
    }

    /// Encodes a document's picture, cropped or padded to whole latent pixels.
    fn encode(&mut self, id: DocumentId) {
        let framing = self.opening.options.framing;
        let Some(source) = self.documents.get(id).and_then(Document::file).and_then(|f| f.source.clone())
        else {
            return;
        };
        let Some(profile) = self.model.profile.clone() else {
            if self.model.load.is_none() {
                self.notify(Message::NoModel);
            } else if !self.opening.unencoded.contains(&id) {
                self.opening.unencoded.push(id);
            }
            return;
        };
        let multiple = profile.format.downscale;
        let framed = match framing {
            Framing::Pad => pad_to_multiple(&source, multiple).0,
            Framing::Crop => {
                let Some((cropped, _)) = crop_to_multiple(&source, multiple) else {
                    self.notify(Message::TooSmall(multiple));
                    return;
                };
                cropped
            }
        };
        if let Some(file) = self.documents.get_mut(id).and_then(Document::file_mut) {
            file.original = Some(framed.clone());
            (file.latent, file.decoded, file.comparison) = (None, None, None);
            (file.divergence, file.posterior_sigma) = (None, Vec::new());
        }
        self.encode_picture(id, framed);
    }

    /// Opens a latent, or asks the user for missing information.
    fn open_latent(&mut self, id: DocumentId, latent: Latent, space: Option<LatentSpace>) {
        let Some(name) = self.documents.get(id).and_then(Document::file).map(|file| file.name.clone()) else {
            return;
        };
        let Some(profile) = self.model.profile.clone() else {
            if self.model.load.is_some() {
                self.opening.awaited.push((id, latent, space));
            } else {
                self.notify(Message::NoModel);
                self.forget(id);
            }
            return;
        };
        let channels = latent.shape().channels;
        if channels != profile.format.channels {
            let fitting = None;
            self.opening.question = Some(Question::OtherModel { document: id, latent, name, space, fitting });
            self.outbox.effects.push(Effect::FindModels(channels));
            return;
        }
        match space {
            None => self.opening.question = Some(Question::LatentKind { document: id, latent, name }),
            Some(LatentSpace::Vae) => self.set_latent(id, profile.format.model_from_vae(&latent)),
            Some(LatentSpace::Model) => self.set_latent(id, latent),
        }
    }

    /// Handles the answer about a latent: the space of its values, and their format.
    pub(super) fn answer_kind(&mut self, space: LatentSpace, format: LatentFormat) {
        let Some(profile) = self.model.profile.clone() else { return };
        let Some(Question::LatentKind { document, latent, .. }) = self.opening.question.take() else {
            return;
        };
        let vae = match space {
            LatentSpace::Vae => latent,
            LatentSpace::Model => format.vae_from_model(&latent),
        };
        self.set_latent(document, profile.format.model_from_vae(&vae));
    }

    /// Handles the result of the search for models that fit a latent.
    pub(super) fn models_found(&mut self, found: Vec<ModelSource>) {
        if let Some(Question::OtherModel { fitting, .. }) = &mut self.opening.question {
            *fitting = Some(found);
        }
    }

    /// Loads the chosen model; the latent is opened afterwards.
    pub(super) fn answer_model(&mut self, model: ModelSource) {
        if let Some(Question::OtherModel { document, latent, space, .. }) = self.opening.question.take() {
            self.opening.awaited.push((document, latent, space));
            self.open_model(model);
        }
    }

    /// Dismisses the question, and removes the document that cannot be opened without an answer.
    pub(super) fn drop_question(&mut self) {
        match self.opening.question.take() {
            Some(Question::LatentKind { document, .. } | Question::OtherModel { document, .. }) => {
                self.forget(document);
            }
            Some(
                Question::StopAll { .. } | Question::DeleteModel { .. } | Question::CancelDownload { .. },
            )
            | None => {}
        }
    }

    /// Opens the latents and encodes the pictures that were waiting for a model.
    pub(super) fn open_awaited(&mut self) {
        for (id, latent, space) in std::mem::take(&mut self.opening.awaited) {
            self.open_latent(id, latent, space);
        }
        for id in std::mem::take(&mut self.opening.unencoded) {
            self.encode(id);
        }
    }

    fn set_latent(&mut self, id: DocumentId, latent: Latent) {
        let Some(profile) = self.model.profile.clone() else { return };
        let Some(file) = self.documents.get_mut(id).and_then(Document::file_mut) else { return };
        (file.latent, file.format) = (Some(latent), Some(profile.format));
        if self.documents.easel == Some(id) {
            self.documents.refresh();
            self.decode_shown(DecodeChoice::default());
        }
    }
}
