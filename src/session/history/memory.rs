//! What the documents of a session hold in memory: kept runs that have not been looked at for a while hold a thumbnail.

use std::sync::Arc;

use super::{HistoryCommand, OpenFor, RunId};
use crate::formats::picture::shrink_to_edge;
use crate::session::documents::Documents;
use crate::session::{Document, DocumentId, Outcome, Session};

/// Documents of kept runs that hold their steps and their pictures.
const MAX_LOADED: usize = 12;
/// The longer edge of the thumbnail of a document that holds nothing else, pixels: the largest frame of the contact
/// sheet on a fine screen.
const THUMBNAIL_EDGE: usize = 320;

impl Document {
    /// Drops the steps and the picture, which the history has.
    fn unload(&mut self) {
        let Some(picture) = self.result().and_then(|item| item.picture()) else { return };
        let thumbnail = shrink_to_edge(picture, THUMBNAIL_EDGE).unwrap_or_else(|| picture.clone());
        if let Some(item) = self.result_mut() {
            item.trajectory = Arc::default();
            item.outcome = Outcome::Stopped;
        }
        self.inspector = crate::session::Inspector::default();
        self.changes.clear();
        (self.place, self.thumbnail) = (None, Some(thumbnail));
    }
}

impl Documents {
    /// Documents whose runs are in the trash are ordinary ones.
    pub(in crate::session) fn forget_runs(&mut self, runs: &[RunId]) {
        let easel = self.easel;
        let gone = |document: &Document| document.run.as_ref().is_some_and(|run| runs.contains(run));
        let ids: Vec<DocumentId> =
            self.list.iter().filter(|document| gone(document)).map(Document::id).collect();
        for id in ids {
            self.take(id);
        }
        if self.easel != easel {
            self.refresh();
        }
    }
}

impl Session {
    /// Unloads the documents of kept runs that were shown least recently, beyond a number of them.
    pub(in crate::session) fn unload_old_documents(&mut self) {
        let easel = self.documents.easel;
        let is_loaded = |document: &&Document| document.run.is_some() && document.plain_picture().is_some();
        let mut loaded: Vec<(u64, DocumentId)> = self
            .documents
            .list
            .iter()
            .filter(is_loaded)
            .filter(|document| easel != Some(document.id()) && document.work.is_none())
            .filter(|document| document.inspector.adjustments.is_none())
            .map(|document| (document.shown_at, document.id()))
            .collect();
        loaded.sort_unstable();
        let surplus = loaded.len().saturating_sub(MAX_LOADED);
        for (_, id) in &loaded[..surplus] {
            if let Some(document) = self.documents.get_mut(*id) {
                document.unload();
            }
        }
    }

    /// Asks for what a document that is looked at has unloaded.
    pub(in crate::session) fn load_again(&mut self, id: DocumentId) {
        let run = self
            .documents
            .get(id)
            .filter(|document| document.thumbnail.is_some())
            .and_then(|d| d.run.clone());
        if let Some(run) = run {
            self.tell_history(HistoryCommand::Open(run, OpenFor::Show));
        }
    }
}
