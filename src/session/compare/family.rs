//! Walking through the family of a run: each member beside the one it went on from, at the step it did so.

use super::Side;
use crate::session::history::{Family, HistoryCommand, MomentFor, RunId, RunMoment};
use crate::session::{Lens, Session};

/// A family that is walked through.
#[derive(Clone, Debug)]
pub struct FamilyView {
    /// All runs of it.
    pub family: Family,
    /// The index of the selected one.
    pub selected: usize,
    /// Whether the step at which it left the other one is no longer kept.
    pub lacks_step: bool,
    /// What the selected one ends with.
    end: Option<Side>,
    /// The step that it went on from, as one of the run it left.
    step: Option<Side>,
    /// Moments that were asked for and have not come yet.
    asked: usize,
    /// The run they were asked for.
    asked_for: Option<RunId>,
}

impl FamilyView {
    fn new(family: Family, selected: usize) -> Self {
        Self { family, selected, lacks_step: false, end: None, step: None, asked: 0, asked_for: None }
    }

    /// The run that the selected one left at a step, and it.
    pub(super) fn pair(&self) -> Option<[Side; 2]> {
        Some([self.step.clone()?, self.end.clone()?])
    }

    /// The end of the selected run, also of one that left no other.
    pub fn end(&self) -> Option<&Side> {
        self.end.as_ref()
    }

    fn id(&self) -> &RunId {
        &self.family.members[self.selected].id
    }
}

impl Session {
    /// Shows the family of a run, with the run selected.
    pub(in crate::session) fn show_family(&mut self, run: &RunId) {
        let known = self.history.family.as_ref().and_then(|view| view.family.position(run));
        if let (Some(view), Some(selected)) = (&mut self.history.family, known) {
            view.selected = selected
        } else {
            let Some(family) = Family::of(self.history.runs(), run) else { return };
            let selected = family.position(run).unwrap_or_default();
            // What was asked for another family is still to come.
            let (asked, asked_for) =
                self.history.family.take().map_or((0, None), |view| (view.asked, view.asked_for));
            self.history.family = Some(FamilyView { asked, asked_for, ..FamilyView::new(family, selected) });
        }
        self.comparing.lens = Lens::default();
        self.ask_for_selected();
    }

    pub(in crate::session) fn close_family(&mut self) {
        self.history.family = None;
    }

    /// The list of all runs has changed.
    pub(in crate::session) fn family_may_have_changed(&mut self) {
        let Some(view) = &self.history.family else { return };
        let id = view.id().clone();
        match Family::of(self.history.runs(), &id) {
            Some(family) => {
                let selected = family.position(&id).unwrap_or_default();
                if let Some(view) = &mut self.history.family {
                    (view.family, view.selected) = (family, selected);
                }
            }
            None => self.history.family = None,
        }
    }

    /// Asks for what the selected run shows, once what was asked for before has come: who walks fast asks for little.
    fn ask_for_selected(&mut self) {
        let Some(view) = &mut self.history.family else { return };
        let id = view.id().clone();
        if view.asked > 0 || view.asked_for.as_ref() == Some(&id) {
            return;
        }
        let member = &view.family.members[view.selected];
        let step = member.from.map(|(_, step)| step).filter(|step| *step > 0);
        if member.run.is_none() {
            (view.end, view.step, view.asked_for, view.lacks_step) = (None, None, Some(id), false);
            return;
        }
        view.asked = 1 + usize::from(step.is_some());
        view.asked_for = Some(id.clone());
        view.lacks_step = false;
        self.tell_history(HistoryCommand::Moment(id.clone(), None, MomentFor::FamilyEnd));
        if step.is_some() {
            // It holds a copy of the steps that both share, also when the other is deleted.
            self.tell_history(HistoryCommand::Moment(id, step, MomentFor::FamilyStep));
        }
    }

    /// A moment of a run of a family was read; `None` if it is not kept.
    pub(in crate::session) fn family_moment(
        &mut self,
        run: &RunId,
        moment: Option<&RunMoment>,
        purpose: MomentFor,
    ) {
        let Some(view) = &mut self.history.family else { return };
        view.asked = view.asked.saturating_sub(1);
        if view.asked_for.as_ref() == Some(run) && view.id() == run {
            let side = moment.map(Side::of_moment);
            let from = view.family.members[view.selected].from;
            if purpose == MomentFor::FamilyEnd {
                view.end = side;
                if from.is_none() {
                    view.step = None;
                }
            } else {
                let parent = from.map(|(from, _)| &view.family.members[from]);
                view.lacks_step = side.is_none();
                view.step =
                    side.zip(parent).map(|(side, parent)| side.in_parent(&parent.id, parent.run.as_ref()));
            }
        }
        self.ask_for_selected();
    }
}
