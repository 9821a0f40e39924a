//! A document: a picture or latent with its own view, edits, undo stack, metadata and exports.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::{Inspector, Lens, Lineage, Outcome, ResultItem};
use crate::engine::JobId;
use crate::formats::Comparison;
use crate::formats::metadata::GenerationFacts;
use crate::latent::{ChannelAdjustments, Latent, LatentFormat, TrajectoryStep};
use crate::request::{CancelToken, GenerationRequest, Picture, Seed};
use crate::store::history::RunId;

/// The id of a document within the session. A generated picture has the id of its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentId(pub u64);

impl DocumentId {
    /// The id of the document that this job generates.
    pub fn of_job(job: JobId) -> Self {
        Self(job.0)
    }
}

/// Where a document comes from.
pub enum Origin {
    /// A picture that is being generated.
    Drawing(Box<Drawing>),
    /// A generated picture.
    Drawn(Box<ResultItem>),
    /// An opened picture or latent.
    Opened(Box<OpenedFile>),
    /// A copy of an edited latent.
    Kept(Box<KeptLatent>),
}

/// A picture that is being generated.
pub struct Drawing {
    /// The request.
    pub request: GenerationRequest,
    /// What it is made from.
    pub lineage: Lineage,
    /// The model's name.
    pub model_name: String,
    /// The latents' format.
    pub format: LatentFormat,
    /// The steps received so far. A slow window does not receive all.
    pub steps: Vec<Arc<TrajectoryStep>>,
    /// When it started.
    pub since: Instant,
}

/// An opened picture or latent. Both are `None` until the file is read.
#[derive(Default)]
pub struct OpenedFile {
    /// The file name.
    pub name: String,
    /// The path; `None` for pasted pictures.
    pub path: Option<PathBuf>,
    /// Whether reading was started.
    pub is_read: bool,
    /// The picture in the file.
    pub source: Option<Picture>,
    /// Whether it had transparent pixels.
    pub transparent: bool,
    /// The generation settings in the file's metadata.
    pub facts: Option<Box<GenerationFacts>>,
    /// The picture that was encoded: the source, cropped or padded to whole latent pixels.
    pub original: Option<Picture>,
    /// The latent, model space.
    pub latent: Option<Latent>,
    /// Its format.
    pub format: Option<LatentFormat>,
    /// The VAE's decode of the unedited latent.
    pub decoded: Option<Picture>,
    /// The comparison of the decode with the original.
    pub comparison: Option<Box<Comparison>>,
    /// The job of the decode that is compared.
    pub compared: Option<JobId>,
    /// The posterior's standard deviation, mean over each channel, VAE space.
    pub posterior_sigma: Vec<f64>,
    /// The encoder's Kullback–Leibler divergence from N(0, 1) at each latent pixel, nats.
    pub divergence: Option<Latent>,
}

/// A copy of an edited latent.
pub struct KeptLatent {
    /// The title of the document it was copied from.
    pub from: Title,
    /// The latent, model space.
    pub latent: Latent,
    /// Its format.
    pub format: LatentFormat,
    /// The VAE's decode.
    pub decoded: Option<Picture>,
}

/// A document's title.
#[derive(Clone, Debug, PartialEq)]
pub enum Title {
    /// A picture that was or is being generated.
    Picture {
        /// Its seed.
        seed: Seed,
        /// Its prompt.
        prompt: String,
    },
    /// A file.
    File(String),
    /// A copy of an edited latent of the document with this title.
    Kept(Box<Title>),
}

impl Title {
    /// A proposed file name, without extension.
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

/// The engine job of a document.
pub struct Work {
    /// The job.
    pub job: JobId,
    /// Its cancel token.
    pub cancel: CancelToken,
    /// The kind of job.
    pub kind: WorkKind,
    /// When it was requested.
    pub since: Instant,
    /// The unedited latent that is decoded, and the edits.
    pub(super) decoded: Option<(Latent, ChannelAdjustments)>,
}

/// The kind of a document's engine job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkKind {
    /// Picture to latent.
    Encoding,
    /// Latent to picture.
    Decoding,
    /// Latent to picture by a tiny decoder.
    DecodingQuickly,
}

/// The decode of an edited latent or of a step, or a quick one of any latent.
struct Edited {
    latent: Latent,
    adjustments: ChannelAdjustments,
    picture: Picture,
    /// Whether a tiny decoder made it.
    is_quick: bool,
}

/// A picture or latent with its own view and edits.
pub struct Document {
    id: DocumentId,
    origin: Origin,
    /// Its latent with statistics and edits.
    pub(super) inspector: Inspector,
    /// How far each step after the first changed the estimate.
    pub(super) changes: Vec<f32>,
    /// The selected step, an index into its steps; `None` for the live or final latent.
    pub(super) place: Option<usize>,
    pub(super) lens: Lens,
    pub(super) stars: u8,
    pub(super) is_saved: bool,
    /// The run of the history that keeps it.
    pub(super) run: Option<RunId>,
    /// When it was last shown, counted over all documents.
    pub(super) shown_at: u64,
    /// A small picture of it, while only the history has its steps and its picture.
    pub(super) thumbnail: Option<Picture>,
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
            changes: Vec::new(),
            place: None,
            lens: Lens::default(),
            stars: 0,
            is_saved,
            run: None,
            shown_at: 0,
            thumbnail: None,
            work: None,
            edited: None,
        }
    }

    /// The document's id.
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

    /// The document's title.
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

    /// The generated picture, if this document is one.
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

    /// The opened file, if this document is one.
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

    /// Whether it is being generated.
    pub fn is_drawing(&self) -> bool {
        matches!(self.origin, Origin::Drawing(_))
    }

    /// The request, if it is or was generated.
    pub fn request(&self) -> Option<&GenerationRequest> {
        match &self.origin {
            Origin::Drawing(drawing) => Some(&drawing.request),
            Origin::Drawn(item) => Some(&item.request),
            Origin::Opened(_) | Origin::Kept(_) => None,
        }
    }

    /// The generation settings, if known.
    pub fn facts(&self) -> Option<GenerationFacts> {
        match &self.origin {
            Origin::Drawing(drawing) => Some(drawing.lineage.facts(&drawing.request, &drawing.model_name)),
            Origin::Drawn(item) => Some(item.facts()),
            Origin::Opened(file) => file.facts.as_deref().cloned(),
            Origin::Kept(_) => None,
        }
    }

    /// The settings with which a step, from 1, was taken.
    pub fn facts_at(&self, step: usize) -> Option<GenerationFacts> {
        let (lineage, model_name) = match &self.origin {
            Origin::Drawing(drawing) => (&drawing.lineage, &drawing.model_name),
            Origin::Drawn(item) => (&item.lineage, &item.model_name),
            Origin::Opened(_) | Origin::Kept(_) => return self.facts(),
        };
        let part = lineage.parts.iter().rev().find(|part| part.after < step)?;
        Some(GenerationFacts::of_request(&part.request, model_name))
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

    /// How far a step changed the estimate: the relative norm of its difference from that of the step before.
    pub fn change(&self, index: usize) -> Option<f32> {
        self.changes.get(index.checked_sub(1)?).copied()
    }

    /// Computes the changes of the steps that have none yet.
    pub(super) fn measure_changes(&mut self) {
        for index in self.changes.len() + 1..self.steps().len() {
            let [before, after] = [index - 1, index].map(|index| &self.steps()[index].denoised);
            let change = after.relative_change(before);
            self.changes.push(change);
        }
    }

    /// The selected step, an index into [`steps`](Self::steps); `None` for the live or final latent.
    pub fn place(&self) -> Option<usize> {
        self.place
    }

    /// The displayed step: the selected one, or the newest while it is being generated.
    pub fn step(&self) -> Option<&Arc<TrajectoryStep>> {
        match self.place {
            Some(place) => self.steps().get(place),
            None if self.is_drawing() => self.steps().last(),
            None => None,
        }
    }

    /// The displayed latent without edits: that of the selected step, the newest or the final one. `noisy`: x_t instead
    /// of x̂₀ for steps.
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

    /// Its latent with statistics and edits.
    pub fn inspector(&self) -> &Inspector {
        &self.inspector
    }

    /// Zoom and pan.
    pub fn lens(&self) -> Lens {
        self.lens
    }

    /// Rating, 0..=5 stars.
    pub fn stars(&self) -> u8 {
        self.stars
    }

    /// Whether it contains work that is not saved to a file.
    pub fn is_unsaved(&self) -> bool {
        !self.is_saved
    }

    /// The run of the history that keeps it.
    pub fn run(&self) -> Option<&RunId> {
        self.run.as_ref()
    }

    /// A small picture of it, while only the history has its steps and its picture.
    pub fn thumbnail(&self) -> Option<&Picture> {
        self.thumbnail.as_ref()
    }

    /// Its engine job, if one is running.
    pub fn work(&self) -> Option<&Work> {
        self.work.as_ref()
    }

    /// The decode of the selected step or the edited latent, if that is what is displayed.
    fn shown_edited(&self) -> Option<&Edited> {
        let latent = self.inspector.latent.as_ref()?;
        let same = |a: &Latent, b: &Latent| a.values().as_ptr() == b.values().as_ptr();
        self.edited
            .as_ref()
            .filter(|edited| same(&edited.latent, latent) && edited.adjustments == self.inspector.adjustments)
    }

    /// Whether the picture that is displayed is a quick decode, by a tiny decoder.
    pub fn is_quick(&self) -> bool {
        self.shown_edited().is_some_and(|edited| edited.is_quick)
    }

    /// The decode of what is displayed, selected step and edits included, by the VAE or quickly; `None` if it is not
    /// decoded.
    pub fn picture(&self) -> Option<&Picture> {
        self.inspector.latent.as_ref()?;
        if let Some(edited) = self.shown_edited() {
            return Some(&edited.picture);
        }
        if self.place.is_some() || !self.inspector.adjustments.is_none() {
            return None;
        }
        self.plain_picture()
    }

    /// The VAE's decode of the final latent without edits.
    pub fn plain_picture(&self) -> Option<&Picture> {
        match &self.origin {
            Origin::Drawing(_) => None,
            Origin::Drawn(item) => item.picture(),
            Origin::Opened(file) => file.decoded.as_ref(),
            Origin::Kept(kept) => kept.decoded.as_ref(),
        }
    }

    /// The picture to compare with: the original of an opened picture, or the decode without edits.
    pub fn original(&self) -> Option<&Picture> {
        match self.file().and_then(|file| file.original.as_ref()) {
            Some(original) => Some(original),
            None if self.picture().is_some() && !self.inspector.adjustments.is_none() => self.plain_picture(),
            None => None,
        }
    }

    /// Stores a decode; `of` is the unedited latent it was made from, with the edits.
    pub(super) fn set_decoded(&mut self, of: Option<(Latent, ChannelAdjustments)>, picture: Picture) {
        let Some((latent, adjustments)) = of else { return };
        let is_final =
            self.final_latent().is_some_and(|own| own.values().as_ptr() == latent.values().as_ptr());
        if !is_final || !adjustments.is_none() {
            self.edited = Some(Edited { latent, adjustments, picture, is_quick: false });
            return;
        }
        // A quick decode of it gives way.
        self.edited = None;
        match &mut self.origin {
            Origin::Drawing(_) => {}
            Origin::Drawn(item) => item.outcome = Outcome::Decoded(picture),
            Origin::Opened(file) => file.decoded = Some(picture),
            Origin::Kept(kept) => kept.decoded = Some(picture),
        }
    }

    /// Stores a quick decode; `of` as in [`Self::set_decoded`]. It never stands for the VAE's.
    pub(super) fn set_quickly_decoded(&mut self, of: Option<(Latent, ChannelAdjustments)>, picture: Picture) {
        let Some((latent, adjustments)) = of else { return };
        self.edited = Some(Edited { latent, adjustments, picture, is_quick: true });
    }

    /// The final latent without edits.
    pub fn final_latent(&self) -> Option<&Latent> {
        match &self.origin {
            Origin::Drawing(_) => None,
            Origin::Drawn(item) => Some(&item.latent),
            Origin::Opened(file) => file.latent.as_ref(),
            Origin::Kept(kept) => Some(&kept.latent),
        }
    }
}
