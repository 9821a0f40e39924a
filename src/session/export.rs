//! Exports of documents: what is written is what is displayed.

use std::sync::Arc;

use super::{Document, DocumentId, Effect, Origin, Session};
use crate::catalog::ModelProfile;
use crate::formats::metadata::GenerationFacts;
use crate::latent::{Latent, LatentFormat};
use crate::request::Picture;

/// What can be exported from a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportKind {
    /// The VAE's decode.
    Picture,
    /// The latent, as `.latent`.
    Latent,
    /// All channels, labelled, as one PNG.
    Sheet,
    /// Every channel as a separate 16-bit PNG.
    ChannelPngs,
    /// One channel as a 16-bit PNG or `.npy`.
    Channel(usize),
    /// The whole latent as `.npy`.
    Npy,
}

/// A snapshot of a document for writing.
#[derive(Clone, Debug)]
pub struct Export {
    /// The document.
    pub of: DocumentId,
    /// What is written.
    pub kind: ExportKind,
    /// The proposed file name, without extension.
    pub stem: String,
    /// The latent with edits, model space.
    pub latent: Option<Latent>,
    /// Its format.
    pub format: LatentFormat,
    /// The VAE's decode of it.
    pub picture: Option<Picture>,
    /// The settings that reproduce exactly this; `None` for edited latents and steps.
    pub facts: Option<GenerationFacts>,
    /// The loaded model's profile, if the latent has its format.
    pub profile: Option<Arc<ModelProfile>>,
    /// Whether the document counts as saved once this is written.
    pub saves: bool,
}

impl Session {
    /// An export of a document; `None` if it has no such content.
    pub(super) fn export(&self, document: &Document, kind: ExportKind) -> Option<Export> {
        let format = document.format()?;
        let as_it_came = document.place.is_none() && document.inspector.adjustments.is_none();
        // The inspector of a document that was never on the easel is empty.
        let latent = document.inspector.adjusted().or_else(|| document.final_latent().cloned());
        // A quick decode is a preview, and not the picture.
        let shown = document.picture().filter(|_| !document.is_quick());
        let picture = shown.or_else(|| as_it_came.then(|| document.plain_picture()).flatten()).cloned();
        let has_it = if kind == ExportKind::Picture { picture.is_some() } else { latent.is_some() };
        let facts = document.result().filter(|_| as_it_came).map(super::ResultItem::facts);
        let profile = self.model.profile.clone().filter(|profile| profile.format == format);
        let of_a_picture = matches!(document.origin(), Origin::Drawn(_));
        has_it.then(|| Export {
            of: document.id(),
            kind,
            stem: document.title().file_stem(),
            latent,
            format,
            picture,
            facts,
            profile,
            saves: as_it_came
                && match kind {
                    ExportKind::Picture => of_a_picture,
                    ExportKind::Latent => !of_a_picture || document.plain_picture().is_none(),
                    _ => false,
                },
        })
    }

    /// Whether the document on the easel has this content.
    pub fn can_export(&self, kind: ExportKind) -> bool {
        self.on_easel().is_some_and(|document| self.export(document, kind).is_some())
    }

    pub(super) fn ask_export(&mut self, kind: ExportKind) {
        let export = self.on_easel().and_then(|document| self.export(document, kind));
        self.outbox.effects.extend(export.map(|export| Effect::AskExport(Box::new(export))));
    }

    /// The documents that are not saved.
    pub fn unsaved(&self) -> impl Iterator<Item = &Document> {
        self.documents.list.iter().filter(|document| document.is_unsaved())
    }

    /// Exports of all unsaved documents: the picture, or the latent if there is no picture.
    pub fn exports_of_unsaved(&self) -> Vec<Export> {
        let kind = |document: &Document| {
            let has_picture = document.result().is_some_and(|item| item.picture().is_some());
            if has_picture { ExportKind::Picture } else { ExportKind::Latent }
        };
        self.unsaved().filter_map(|document| self.export_as_it_came(document.id(), kind(document))).collect()
    }

    /// An export of a document without its edits; `None` if it has no final latent.
    pub fn export_as_it_came(&self, id: DocumentId, kind: ExportKind) -> Option<Export> {
        let document = self.documents.get(id)?;
        let format = document.format()?;
        Some(Export {
            of: id,
            kind,
            stem: document.title().file_stem(),
            latent: Some(document.final_latent()?.clone()),
            format,
            picture: document.plain_picture().cloned(),
            facts: document.result().map(super::ResultItem::facts),
            profile: self.model.profile.clone().filter(|profile| profile.format == format),
            saves: true,
        })
    }

    /// Marks a document as saved, also a removed one.
    pub fn mark_saved(&mut self, id: DocumentId) {
        let removed = self.documents.removed.iter_mut().map(|(_, _, document)| document);
        let mut all = self.documents.list.iter_mut().chain(removed);
        if let Some(document) = all.find(|document| document.id() == id) {
            document.is_saved = true;
            let job = document.result().map(|item| item.job);
            self.outbox.effects.extend(job.map(Effect::Forget));
        }
    }
}
