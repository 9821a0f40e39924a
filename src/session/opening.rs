//! Pictures and latents that are opened: one after another, framed, and asked about where they do not say.

use std::path::PathBuf;

use super::{Effect, Inspector, Message, Session};
use crate::catalog::ModelSource;
use crate::engine::JobKind;
use crate::formats::picture::{crop_to_multiple, pad_to_multiple};
use crate::latent::{Latent, LatentFormat, LatentSpace};
use crate::request::{DecodeChoice, Picture};

/// How a picture is brought to whole latent pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// Its middle.
    #[default]
    Crop,
    /// All of it, the edges repeated.
    Pad,
}

/// How files are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOptions {
    /// How pictures are framed.
    pub framing: Framing,
    /// What lies behind transparent pixels, sRGB.
    pub background: [u8; 3],
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { framing: Framing::Crop, background: [255; 3] }
    }
}

/// Something only the person knows.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// A latent whose file does not say what its numbers are.
    LatentKind {
        /// The latent.
        latent: Latent,
        /// Its file's name.
        name: String,
    },
    /// A latent with other channels than the loaded VAE's.
    OtherModel {
        /// The latent.
        latent: Latent,
        /// Its file's name.
        name: String,
        /// The space of its values.
        space: Option<LatentSpace>,
        /// Models that fit; `None` until they were looked for.
        fitting: Option<Vec<ModelSource>>,
    },
}

/// Files that are opened, and what is asked about them.
#[derive(Default)]
pub(super) struct Opening {
    pub(super) options: OpenOptions,
    /// Files that were opened together.
    pub(super) roll: Vec<PathBuf>,
    /// Which of them is open.
    pub(super) roll_at: usize,
    pub(super) question: Option<Question>,
    pub(super) awaited: Option<Awaited>,
}

/// A latent that waits for its model.
#[derive(Clone, Debug)]
pub(super) struct Awaited {
    latent: Latent,
    name: String,
    space: Option<LatentSpace>,
}

impl Session {
    /// Opens files one at a time, the first now.
    pub(super) fn open_paths(&mut self, paths: Vec<PathBuf>) {
        if let Some(first) = paths.first().cloned() {
            (self.opening.roll, self.opening.roll_at) = (paths, 0);
            self.outbox.effects.push(Effect::Read(first));
        }
    }

    /// Goes to the next or the previous of the files that were opened together.
    pub(super) fn turn_roll(&mut self, by: isize) {
        let Some(at) = self.opening.roll_at.checked_add_signed(by).filter(|at| *at < self.opening.roll.len())
        else {
            return;
        };
        self.opening.roll_at = at;
        self.outbox.effects.push(Effect::Read(self.opening.roll[at].clone()));
    }

    /// Changes how files are opened; what is open is opened again.
    pub(super) fn set_open_options(&mut self, options: OpenOptions) {
        let before = std::mem::replace(&mut self.opening.options, options);
        if before.background != options.background {
            self.outbox
                .effects
                .extend(self.opening.roll.get(self.opening.roll_at).cloned().map(Effect::Read));
        } else if before.framing != options.framing
            && let Some(source) = self.inspector.source.clone()
        {
            let (name, transparent) = (self.inspector.name.clone(), self.inspector.transparent);
            self.inspect_picture(source, name, transparent);
        }
    }

    /// Encodes a picture, framed to whole latent pixels.
    pub(super) fn inspect_picture(&mut self, picture: Picture, name: String, transparent: bool) {
        let Some(profile) = self.model.profile.clone() else {
            self.notify(Message::NoModel);
            return;
        };
        let multiple = profile.format.downscale;
        let framed = match self.opening.options.framing {
            Framing::Pad => pad_to_multiple(&picture, multiple).0,
            Framing::Crop => {
                let Some((cropped, _)) = crop_to_multiple(&picture, multiple) else {
                    self.notify(Message::TooSmall(multiple));
                    return;
                };
                cropped
            }
        };
        let job = self.new_job();
        self.inspector = Inspector::awaiting(framed.clone(), job, &self.inspector);
        self.inspector.source = Some(picture);
        (self.inspector.name, self.inspector.transparent) = (name, transparent);
        let model = self.recipe.draft.model.clone();
        self.send(job, JobKind::Encode { model, picture: framed });
    }

    /// Opens a latent, or asks what must be known first.
    pub(super) fn inspect_latent(&mut self, latent: Latent, space: Option<LatentSpace>, name: String) {
        let Some(profile) = self.model.profile.clone() else {
            self.notify(Message::NoModel);
            return;
        };
        let channels = latent.shape().channels;
        if channels != profile.format.channels {
            self.opening.question = Some(Question::OtherModel { latent, name, space, fitting: None });
            self.outbox.effects.push(Effect::FindModels(channels));
            return;
        }
        match space {
            None => self.opening.question = Some(Question::LatentKind { latent, name }),
            Some(LatentSpace::Vae) => self.lay_open(profile.format.model_from_vae(&latent), name),
            Some(LatentSpace::Model) => self.lay_open(latent, name),
        }
    }

    /// What the person says of a latent: the space of its values and the format they are in.
    pub(super) fn answer_kind(&mut self, space: LatentSpace, format: LatentFormat) {
        let Some(profile) = self.model.profile.clone() else { return };
        let Some(Question::LatentKind { latent, name }) = self.opening.question.take() else { return };
        let vae = match space {
            LatentSpace::Vae => latent,
            LatentSpace::Model => format.vae_from_model(&latent),
        };
        self.lay_open(profile.format.model_from_vae(&vae), name);
    }

    /// Models that fit a latent were looked for.
    pub(super) fn models_found(&mut self, found: Vec<ModelSource>) {
        if let Some(Question::OtherModel { fitting, .. }) = &mut self.opening.question {
            *fitting = Some(found);
        }
    }

    /// Loads the model a latent needs, and opens the latent once it is there.
    pub(super) fn answer_model(&mut self, model: ModelSource) {
        if let Some(Question::OtherModel { latent, name, space, .. }) = self.opening.question.take() {
            self.opening.awaited = Some(Awaited { latent, name, space });
            self.load_model(model);
        }
    }

    /// Opens the latent that waited for the model that is now loaded.
    pub(super) fn open_awaited(&mut self) {
        if let Some(Awaited { latent, name, space }) = self.opening.awaited.take() {
            self.inspect_latent(latent, space, name);
        }
    }

    fn lay_open(&mut self, latent: Latent, name: String) {
        let Some(profile) = self.model.profile.clone() else { return };
        self.inspector.follows_canvas = false;
        self.inspector.open(latent, profile.format);
        self.inspector.name = name;
        self.decode_inspected(DecodeChoice::default());
    }
}
