//! Two results, files or steps that are compared: a first one that was chosen, and what the easel shows; or the runs of a
//! family as it is walked through.

mod decodes;
mod family;
mod figures;
mod side;
#[cfg(test)]
mod tests;

use super::history::{HistoryAction, HistoryCommand, MomentFor, RunId, RunMoment};
use super::{Action, Document, DocumentId, Effect, Lens, Session};

use decodes::Decodes;
pub(super) use family::FamilyView;
use figures::Measuring;

pub use decodes::PairDecode;
pub use figures::{PairContent, PairFigures};
pub use side::{Side, StepMark};

/// What is compared.
#[derive(Default)]
pub(super) struct Comparing {
    /// The first, as it was when it was chosen. The second is what the easel shows.
    first: Option<Side>,
    /// Zoom and pan of both.
    lens: Lens,
    measuring: Measuring,
    decodes: Decodes,
}

/// Something done with what is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompareAction {
    /// What the easel shows is the first; the second is what it shows next.
    ChooseShown,
    /// The final picture of the document on the easel is the first.
    ChooseFinal,
    /// A document is the first, and the second is what the easel shows.
    With(DocumentId),
    /// The first is shown on the easel, and what that shows is the first.
    Swap,
    /// Decode those of both that have no picture.
    Decode,
    /// Compare no longer.
    End,
}

impl Session {
    /// The first of two that are compared.
    pub fn first_compared(&self) -> Option<&Side> {
        self.comparing.first.as_ref()
    }

    /// What the easel shows, as a side of a comparison.
    fn shown_side(&self) -> Option<Side> {
        Some(Side::of_shown(self.on_easel()?, self.shows_noisy()))
    }

    /// The two that are compared; `None` while a second is still to be chosen.
    pub fn pair(&self) -> Option<[Side; 2]> {
        let pair = if let Some(view) = self.history().family_view() {
            view.pair()?
        } else {
            let (first, second) = (self.comparing.first.clone()?, self.shown_side()?);
            if first.is_same(&second) {
                return None;
            }
            [first, second]
        };
        Some(pair.map(|side| self.with_picture(side)))
    }

    /// A side with its picture, if that was decoded since it was chosen.
    fn with_picture(&self, mut side: Side) -> Side {
        if side.picture.is_none()
            && let Some(latent) = &side.latent
        {
            let of_document = side.document.and_then(|id| self.documents.get(id));
            let same = |own: &&crate::latent::Latent| own.values().as_ptr() == latent.values().as_ptr();
            let own = of_document
                .filter(|document| document.final_latent().as_ref().is_some_and(same))
                .and_then(Document::plain_picture);
            side.picture = own.or_else(|| self.comparing.decodes.picture(latent)).cloned();
        }
        side
    }

    /// Zoom and pan of what is shown: of the two that are compared, or of the document on the easel.
    pub fn lens(&self) -> Lens {
        if self.is_pair_shown() {
            self.comparing.lens
        } else {
            self.on_easel().map(Document::lens).unwrap_or_default()
        }
    }

    /// Whether two are compared, or a family is walked through.
    fn is_pair_shown(&self) -> bool {
        self.history().family_view().is_some() || self.pair().is_some()
    }

    pub(super) fn set_lens(&mut self, lens: Lens) {
        if self.is_pair_shown() {
            self.comparing.lens = lens;
        } else if let Some(document) = self.documents.easel.and_then(|id| self.documents.get_mut(id)) {
            document.lens = lens;
        }
    }

    pub(super) fn use_comparison(&mut self, action: &CompareAction) {
        match action {
            CompareAction::ChooseShown => {
                let shown = self.shown_side();
                self.choose_first(shown);
            }
            CompareAction::ChooseFinal => {
                let last = self.on_easel().and_then(Side::of_final);
                self.choose_first(last);
            }
            CompareAction::With(id) => self.compare_with(*id),
            CompareAction::Swap => self.swap_pair(),
            CompareAction::Decode => self.decode_pair(),
            CompareAction::End => self.end_comparison(),
        }
    }

    fn choose_first(&mut self, first: Option<Side>) {
        if first.is_some() {
            self.comparing.first = first;
            self.comparing.lens = Lens::default();
        }
    }

    pub(super) fn end_comparison(&mut self) {
        self.comparing.first = None;
        self.comparing.measuring.forget();
        self.comparing.decodes.forget();
    }

    /// Compares what the easel shows with a document.
    fn compare_with(&mut self, id: DocumentId) {
        let Some(document) = self.documents.get(id).filter(|_| self.documents.easel != Some(id)) else {
            return;
        };
        if let Some(run) = document.run().filter(|_| document.thumbnail().is_some()).cloned() {
            // Only the history has its picture.
            self.tell_history(HistoryCommand::Moment(run, None, MomentFor::First));
        } else {
            let first = Side::of_unedited(document);
            self.choose_first(Some(first));
        }
    }

    /// Compares two kept runs: the first, and the second, which is shown on the easel.
    pub(super) fn compare_runs(&mut self, first: RunId, second: RunId) {
        match self.document_of_run(&first).filter(|document| document.thumbnail().is_none()) {
            Some(document) => {
                let side = Side::of_final(document);
                self.choose_first(side);
            }
            None => self.tell_history(HistoryCommand::Moment(first, None, MomentFor::First)),
        }
        self.use_history(HistoryAction::Show(second));
    }

    /// A moment of a run was read that is the first of a comparison.
    pub(super) fn moment_is_first(&mut self, moment: &RunMoment) {
        let mut side = Side::of_moment(moment);
        side.document = self.document_of_run(&moment.record.id).map(Document::id);
        self.choose_first(Some(side));
    }

    /// Whether both can change places: the first can be shown on the easel.
    pub fn can_swap_pair(&self) -> bool {
        let is_shown = |first: &Side| {
            first.document.is_some_and(|id| self.documents.get(id).is_some())
                || (first.run.is_some() && first.step.is_none())
        };
        self.history().family_view().is_none() && self.comparing.first.as_ref().is_some_and(is_shown)
    }

    fn swap_pair(&mut self) {
        if !self.can_swap_pair() {
            return;
        }
        let (Some(first), shown) = (self.comparing.first.take(), self.shown_side()) else { return };
        self.comparing.first = shown;
        match (first.document.filter(|id| self.documents.get(*id).is_some()), first.run) {
            (Some(id), _) => {
                self.show(id);
                let number = first.step.map(|step| step.step);
                let place = self
                    .on_easel()
                    .and_then(|document| document.steps().iter().position(|step| Some(step.step) == number));
                self.apply(Action::Scrub(place));
            }
            (None, Some(run)) => self.use_history(HistoryAction::Show(run)),
            (None, None) => {}
        }
    }

    /// Asks for the figures of the two that are compared, if they are not known and none are being computed.
    pub fn measure_pair(&mut self) {
        let Some(pair) = self.pair() else { return };
        if let Some(content) = self.comparing.measuring.begin(PairContent::of(&pair)) {
            self.outbox.effects.push(Effect::MeasurePair(Box::new(content)));
        }
    }

    /// The figures of the two that are compared; `None` while they are computed.
    pub fn pair_figures(&self) -> Option<&PairFigures> {
        self.comparing.measuring.figures(&PairContent::of(&self.pair()?))
    }

    pub(super) fn pair_measured(&mut self, content: PairContent, figures: PairFigures) {
        self.comparing.measuring.end(content, figures);
    }
}
