//! A document: whatever can be looked at, with its own lens, edits, undo, facts and exports.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::{Inspector, Lens, Outcome, ResultItem};
use crate::engine::JobId;
use crate::formats::Comparison;
use crate::formats::metadata::GenerationFacts;
use crate::latent::{ChannelAdjustments, Latent, LatentFormat, TrajectoryStep};
use crate::request::{CancelToken, GenerationRequest, Picture, Seed};

/// A document's name within the session. A drawn picture's is its job's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentId(pub u64);

impl DocumentId {
    /// The document that this job draws.
    pub fn of_job(job: JobId) -> Self {
        Self(job.0)
    }
}

/// Where a document comes from.
pub enum Origin {
    /// A picture that is being drawn.
    Drawing(Box<Drawing>),
    /// A picture that was drawn.
    Drawn(Box<ResultItem>),
    /// A picture or latent that was opened.
    Opened(Box<OpenedFile>),
    /// A latent that was kept as it was edited.
    Kept(Box<KeptLatent>),
}

/// A picture that is being drawn.
pub struct Drawing {
    /// What it is to be.
    pub request: GenerationRequest,
    /// The model's name.
    pub model_name: String,
    /// The latents' format.
    pub format: LatentFormat,
    /// Steps that were seen so far; a slow window misses some.
    pub steps: Vec<Arc<TrajectoryStep>>,
    /// When it began.
    pub since: Instant,
}

/// A picture or latent that was opened. Until it is read, neither is there.
#[derive(Default)]
pub struct OpenedFile {
    /// Its file's name.
    pub name: String,
    /// Where it is; pasted pictures are nowhere.
    pub path: Option<PathBuf>,
    /// Whether it is being read or was.
    pub is_read: bool,
    /// The picture as its file holds it.
    pub source: Option<Picture>,
    /// Whether that had transparent pixels.
    pub transparent: bool,
    /// The settings that its file holds.
    pub facts: Option<Box<GenerationFacts>>,
    /// The picture that was encoded: the source in whole latent pixels.
    pub original: Option<Picture>,
    /// The latent, model space.
    pub latent: Option<Latent>,
    /// Its format.
    pub format: Option<LatentFormat>,
    /// The true decode of the latent as it came.
    pub decoded: Option<Picture>,
    /// What the VAE kept of the original.
    pub comparison: Option<Box<Comparison>>,
    /// The decode that is, or is to be, compared.
    pub compared: Option<JobId>,
    /// The posterior's standard deviation, mean over each channel, VAE space.
    pub posterior_sigma: Vec<f64>,
    /// The encoder's divergence from N(0, 1) at each latent pixel, nats.
    pub divergence: Option<Latent>,
}

/// A latent that was kept as it was edited.
pub struct KeptLatent {
    /// The title of the document it was kept from.
    pub from: Title,
    /// The latent, model space.
    pub latent: Latent,
    /// Its format.
    pub format: LatentFormat,
    /// Its true decode.
    pub decoded: Option<Picture>,
}

/// What a document is called.
#[derive(Clone, Debug, PartialEq)]
pub enum Title {
    /// A picture that was or is being drawn.
    Picture {
        /// Its seed.
        seed: Seed,
        /// Its prompt.
        prompt: String,
    },
    /// A file.
    File(String),
    /// Kept from a document of this title.
    Kept(Box<Title>),
}

impl Title {
    /// A file's name for it, without extension.
    pub fn file_stem(&self) -> String {
        match self {
            Self::Picture { seed, .. } => format!("safelight-{seed}"),
            Self::File(name) => {
                let stem = std::path::Path::new(name).file_stem();
                stem.map_or_else(|| name.clone(), |stem| stem.to_string_lossy().into_owned())
            }
            Self::Kept(from) => format!("{}-kept", from.file_stem()),
        }
    }
}

/// What the engine does for a document.
pub struct Work {
    /// Its job.
    pub job: JobId,
    /// Its stop switch.
    pub cancel: CancelToken,
    /// What it is.
    pub kind: WorkKind,
    /// When it was asked for.
    pub since: Instant,
    /// What is decoded, and what was done to it.
    pub(super) decoded: Option<(Latent, ChannelAdjustments)>,
}

/// What the engine does for a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkKind {
    /// Picture to latent.
    Encoding,
    /// Latent to picture.
    Decoding,
}

/// A true decode of a latent that was edited, or of a step.
struct Edited {
    latent: Latent,
    adjustments: ChannelAdjustments,
    picture: Picture,
}

/// Whatever can be looked at.
pub struct Document {
    id: DocumentId,
    origin: Origin,
    /// Its latent as it is seen and edited.
    pub(super) inspector: Inspector,
    /// The step that is looked at, an index into its steps; `None` is the live or the final latent.
    pub(super) place: Option<usize>,
    pub(super) lens: Lens,
    pub(super) stars: u8,
    pub(super) is_saved: bool,
    pub(super) work: Option<Work>,
    edited: Option<Edited>,
}

impl Document {
    pub(super) fn new(id: DocumentId, origin: Origin) -> Self {
        let is_saved = matches!(origin, Origin::Opened(_) | Origin::Drawing(_));
        Self {
            id,
            origin,
            inspector: Inspector::default(),
            place: None,
            lens: Lens::default(),
            stars: 0,
            is_saved,
            work: None,
            edited: None,
        }
    }

    /// Its name within the session.
    pub fn id(&self) -> DocumentId {
        self.id
    }

    /// Where it comes from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(super) fn origin_mut(&mut self) -> &mut Origin {
        &mut self.origin
    }

    /// What it is called.
    pub fn title(&self) -> Title {
        match &self.origin {
            Origin::Drawing(drawing) => {
                Title::Picture { seed: drawing.request.seed, prompt: drawing.request.prompt.clone() }
            }
            Origin::Drawn(item) => {
                Title::Picture { seed: item.request.seed, prompt: item.request.prompt.clone() }
            }
            Origin::Opened(file) => Title::File(file.name.clone()),
            Origin::Kept(kept) => Title::Kept(Box::new(kept.from.clone())),
        }
    }

    /// The drawn picture it is.
    pub fn result(&self) -> Option<&ResultItem> {
        match &self.origin {
            Origin::Drawn(item) => Some(item),
            _ => None,
        }
    }

    pub(super) fn result_mut(&mut self) -> Option<&mut ResultItem> {
        match &mut self.origin {
            Origin::Drawn(item) => Some(item),
            _ => None,
        }
    }

    /// The opened file it is.
    pub fn file(&self) -> Option<&OpenedFile> {
        match &self.origin {
            Origin::Opened(file) => Some(file),
            _ => None,
        }
    }

    pub(super) fn file_mut(&mut self) -> Option<&mut OpenedFile> {
        match &mut self.origin {
            Origin::Opened(file) => Some(file),
            _ => None,
        }
    }

    /// Whether it is being drawn.
    pub fn is_drawing(&self) -> bool {
        matches!(self.origin, Origin::Drawing(_))
    }

    /// What was asked for, if it is or was drawn.
    pub fn request(&self) -> Option<&GenerationRequest> {
        match &self.origin {
            Origin::Drawing(drawing) => Some(&drawing.request),
            Origin::Drawn(item) => Some(&item.request),
            Origin::Opened(_) | Origin::Kept(_) => None,
        }
    }

    /// The settings it was drawn with, if they are known.
    pub fn facts(&self) -> Option<GenerationFacts> {
        match &self.origin {
            Origin::Drawing(drawing) => {
                Some(GenerationFacts::of_request(&drawing.request, &drawing.model_name))
            }
            Origin::Drawn(item) => Some(item.facts()),
            Origin::Opened(file) => file.facts.as_deref().cloned(),
            Origin::Kept(_) => None,
        }
    }

    /// The format of its latent.
    pub fn format(&self) -> Option<LatentFormat> {
        match &self.origin {
            Origin::Drawing(drawing) => Some(drawing.format),
            Origin::Drawn(item) => Some(item.format),
            Origin::Opened(file) => file.format,
            Origin::Kept(kept) => Some(kept.format),
        }
    }

    /// Its steps, oldest first.
    pub fn steps(&self) -> &[Arc<TrajectoryStep>] {
        match &self.origin {
            Origin::Drawing(drawing) => &drawing.steps,
            Origin::Drawn(item) => &item.trajectory.steps,
            Origin::Opened(_) | Origin::Kept(_) => &[],
        }
    }

    /// The step that is looked at, an index into its steps; `None` is the live or the final latent.
    pub fn place(&self) -> Option<usize> {
        self.place
    }

    /// The step that is seen: the chosen one, or the newest while it is being drawn.
    pub fn step(&self) -> Option<&Arc<TrajectoryStep>> {
        match self.place {
            Some(place) => self.steps().get(place),
            None if self.is_drawing() => self.steps().last(),
            None => None,
        }
    }

    /// Its latent as it came: the chosen step's, the newest or the final one.
    pub(super) fn present_latent(&self, noisy: bool) -> Option<Latent> {
        if let Some(step) = self.step() {
            return Some(if noisy { step.noisy.clone() } else { step.denoised.clone() });
        }
        match &self.origin {
            Origin::Drawing(_) => None,
            Origin::Drawn(item) => Some(item.latent.clone()),
            Origin::Opened(file) => file.latent.clone(),
            Origin::Kept(kept) => Some(kept.latent.clone()),
        }
    }

    /// Its latent as it is seen and edited.
    pub fn inspector(&self) -> &Inspector {
        &self.inspector
    }

    /// The part of it that is looked at.
    pub fn lens(&self) -> Lens {
        self.lens
    }

    /// How many stars it has, 0..=5.
    pub fn stars(&self) -> u8 {
        self.stars
    }

    /// Whether it holds work that is in no file.
    pub fn is_unsaved(&self) -> bool {
        !self.is_saved
    }

    /// What the engine does for it.
    pub fn work(&self) -> Option<&Work> {
        self.work.as_ref()
    }

    /// The true decode of what is seen: of the chosen step, and with the edits.
    pub fn picture(&self) -> Option<&Picture> {
        let latent = self.inspector.latent.as_ref()?;
        let same = |a: &Latent, b: &Latent| a.values().as_ptr() == b.values().as_ptr();
        if let Some(edited) = &self.edited
            && same(&edited.latent, latent)
            && edited.adjustments == self.inspector.adjustments
        {
            return Some(&edited.picture);
        }
        if self.place.is_some() || !self.inspector.adjustments.is_none() {
            return None;
        }
        self.plain_picture()
    }

    /// The true decode of the final latent without edits.
    pub fn plain_picture(&self) -> Option<&Picture> {
        match &self.origin {
            Origin::Drawing(_) => None,
            Origin::Drawn(item) => item.picture(),
            Origin::Opened(file) => file.decoded.as_ref(),
            Origin::Kept(kept) => kept.decoded.as_ref(),
        }
    }

    /// What the picture is held against: the original of an opened one, or the decode without edits.
    pub fn original(&self) -> Option<&Picture> {
        match self.file().and_then(|file| file.original.as_ref()) {
            Some(original) => Some(original),
            None if self.picture().is_some() && !self.inspector.adjustments.is_none() => self.plain_picture(),
            None => None,
        }
    }

    /// Takes a decode: of the latent as it came, or of what was done to it.
    pub(super) fn set_decoded(&mut self, of: Option<(Latent, ChannelAdjustments)>, picture: Picture) {
        let Some((latent, adjustments)) = of else { return };
        let is_final =
            self.final_latent().is_some_and(|own| own.values().as_ptr() == latent.values().as_ptr());
        if !is_final || !adjustments.is_none() {
            self.edited = Some(Edited { latent, adjustments, picture });
            return;
        }
        match &mut self.origin {
            Origin::Drawing(_) => {}
            Origin::Drawn(item) => item.outcome = Outcome::Decoded(picture),
            Origin::Opened(file) => file.decoded = Some(picture),
            Origin::Kept(kept) => kept.decoded = Some(picture),
        }
    }

    /// The latent that a saved file holds when nothing was edited.
    pub fn final_latent(&self) -> Option<&Latent> {
        match &self.origin {
            Origin::Drawing(_) => None,
            Origin::Drawn(item) => Some(&item.latent),
            Origin::Opened(file) => file.latent.as_ref(),
            Origin::Kept(kept) => Some(&kept.latent),
        }
    }
}
