//! What is written of a document: always what is seen of it.

use std::sync::Arc;

use super::{Document, DocumentId, Effect, Origin, Session};
use crate::catalog::ModelProfile;
use crate::formats::metadata::GenerationFacts;
use crate::latent::{Latent, LatentFormat};
use crate::request::Picture;

/// What can be saved of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportKind {
    /// The true decode.
    Picture,
    /// The latent, as `.latent`.
    Latent,
    /// All channels, labelled, as one PNG.
    Sheet,
    /// Every channel as a 16-bit PNG of its own.
    ChannelPngs,
    /// One channel as a 16-bit PNG or `.npy`.
    Channel(usize),
    /// The whole latent as `.npy`.
    Npy,
}

/// What is to be written: a document as it was when that was asked for.
#[derive(Clone, Debug)]
pub struct Export {
    /// The document.
    pub of: DocumentId,
    /// What of it.
    pub kind: ExportKind,
    /// A file's name for it, without extension.
    pub stem: String,
    /// The latent as it is edited, model space.
    pub latent: Option<Latent>,
    /// Its format.
    pub format: LatentFormat,
    /// The true decode of that.
    pub picture: Option<Picture>,
    /// The settings that give exactly this; none for what was edited or is a step.
    pub facts: Option<GenerationFacts>,
    /// What is known of the loaded model, if the latent fits it.
    pub profile: Option<Arc<ModelProfile>>,
    /// Whether the document is saved once this is written.
    pub saves: bool,
}

impl Session {
    /// Something of a document, ready to be written; `None` where there is no such thing.
    pub(super) fn export(&self, document: &Document, kind: ExportKind) -> Option<Export> {
        let format = document.format()?;
        let as_it_came = document.place.is_none() && document.inspector.adjustments.is_none();
        // A document that never lay on the easel is written as it came.
        let latent = document.inspector.adjusted().or_else(|| document.final_latent().cloned());
        let picture =
            document.picture().or_else(|| as_it_came.then(|| document.plain_picture()).flatten()).cloned();
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

    /// Whether this can be saved of the document on the easel.
    pub fn can_export(&self, kind: ExportKind) -> bool {
        self.on_easel().is_some_and(|document| self.export(document, kind).is_some())
    }

    pub(super) fn ask_export(&mut self, kind: ExportKind) {
        let export = self.on_easel().and_then(|document| self.export(document, kind));
        self.outbox.effects.extend(export.map(|export| Effect::AskExport(Box::new(export))));
    }

    /// Documents that are in no file.
    pub fn unsaved(&self) -> impl Iterator<Item = &Document> {
        self.documents.list.iter().filter(|document| document.is_unsaved())
    }

    /// The same, ready to be written: the picture, or the latent where there is none.
    pub fn exports_of_unsaved(&self) -> Vec<Export> {
        let kind = |document: &Document| {
            let has_picture = document.result().is_some_and(|item| item.picture().is_some());
            if has_picture { ExportKind::Picture } else { ExportKind::Latent }
        };
        self.unsaved().filter_map(|document| self.export_as_it_came(document.id(), kind(document))).collect()
    }

    /// A document without its edits, ready to be written.
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

    /// Something of a document was written.
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
