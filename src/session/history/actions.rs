//! What the user does with kept runs, and what their thread says.

use super::{HistoryCommand, HistoryReport, MAX_THUMBNAILS, MomentFor, OpenFor, RunId};
use crate::engine::JobId;
use crate::reason::Reason;
use crate::session::{Document, DocumentId, Effect, Message, Session};

/// Something done with kept runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryAction {
    /// List all runs anew.
    List,
    /// Show a run on the easel.
    Show(RunId),
    /// Go on with a run from its last step.
    GoOn(RunId),
    /// Go on with all runs that an earlier session did not finish.
    GoOnWithInterrupted,
    /// Copy the settings of a run into the draft.
    UseSettings(RunId),
    /// Compare two runs; the second is shown on the easel.
    Compare(RunId, RunId),
    /// Walk through the family of a run, with this run selected.
    ShowFamily(RunId),
    /// Walk through it no longer.
    CloseFamily,
    /// Show a run's folder in the system's file manager.
    ShowInFolder(RunId),
    /// Read these thumbnails, which are in sight.
    WantThumbnails(Vec<RunId>),
    /// Give a run stars, 0..=5.
    SetStars(RunId, u8),
    /// Move runs to the trash.
    Delete(Vec<RunId>),
}

impl Session {
    pub(in crate::session) fn tell_history(&mut self, command: HistoryCommand) {
        self.outbox.effects.push(Effect::History(command));
    }

    pub(in crate::session) fn use_history(&mut self, action: HistoryAction) {
        match action {
            HistoryAction::List => self.tell_history(HistoryCommand::List),
            HistoryAction::Show(run) => match self.document_of_run(&run).map(Document::id) {
                Some(id) => self.show(id),
                None => self.tell_history(HistoryCommand::Open(run, OpenFor::Show)),
            },
            HistoryAction::GoOn(run) => self.tell_history(HistoryCommand::Open(run, OpenFor::GoOn)),
            HistoryAction::GoOnWithInterrupted => {
                let interrupted = std::mem::take(&mut self.history.interrupted);
                self.notices.list.retain(|notice| !matches!(notice.message, Message::Interrupted(_)));
                for run in interrupted {
                    self.tell_history(HistoryCommand::Open(run.id, OpenFor::GoOn));
                }
            }
            HistoryAction::UseSettings(run) => {
                self.tell_history(HistoryCommand::Open(run, OpenFor::Settings));
            }
            HistoryAction::Compare(first, second) => self.compare_runs(first, second),
            HistoryAction::ShowFamily(run) => self.show_family(&run),
            HistoryAction::CloseFamily => self.close_family(),
            HistoryAction::ShowInFolder(run) => self.tell_history(HistoryCommand::ShowInFolder(run)),
            HistoryAction::WantThumbnails(runs) => self.want_thumbnails(runs),
            HistoryAction::SetStars(run, stars) => {
                let stars = stars.min(5);
                if let Some(summary) = self.history.runs.iter_mut().find(|summary| summary.id == run) {
                    summary.stars = stars;
                    self.history.revision += 1;
                }
                if let Some(id) = self.document_of_run(&run).map(Document::id)
                    && let Some(document) = self.documents.get_mut(id)
                {
                    document.stars = stars;
                }
                self.tell_history(HistoryCommand::SetStars(run, stars));
            }
            HistoryAction::Delete(runs) => {
                if !runs.is_empty() {
                    self.tell_history(HistoryCommand::Delete(runs));
                }
            }
        }
    }

    fn want_thumbnails(&mut self, mut runs: Vec<RunId>) {
        let history = &mut self.history;
        runs.retain(|run| !history.has_asked(run));
        if runs.is_empty() {
            return;
        }
        if history.thumbnails.len() + runs.len() > MAX_THUMBNAILS {
            // Those in sight are asked for again in the next frame.
            history.thumbnails.clear();
        }
        history.wanted.extend(runs.iter().cloned());
        self.tell_history(HistoryCommand::Thumbnails(runs));
    }

    pub(in crate::session) fn history_says(&mut self, report: HistoryReport) {
        match report {
            HistoryReport::Listed(runs) => {
                self.history.forget_missing_thumbnails();
                (self.history.runs, self.history.is_listed) = (runs, true);
                self.history.revision += 1;
                self.family_may_have_changed();
            }
            HistoryReport::Interrupted(runs) => {
                if !runs.is_empty() {
                    self.notify(Message::Interrupted(runs.len()));
                    self.history.interrupted = runs;
                }
            }
            HistoryReport::Opened(run, OpenFor::Show) => self.show_run(*run),
            HistoryReport::Opened(run, OpenFor::GoOn) => self.go_on_with(*run),
            HistoryReport::Opened(run, OpenFor::Settings) => self.use_settings_of(&run),
            HistoryReport::Opened(run, OpenFor::Reel) => self.reel_run_opened(*run),
            HistoryReport::Moment(moment, MomentFor::First) => self.moment_is_first(&moment),
            HistoryReport::Moment(moment, purpose) => {
                self.family_moment(&moment.record.id, Some(&*moment), purpose);
            }
            HistoryReport::NoMoment(_, MomentFor::First, why) => self.notify_failure(why),
            HistoryReport::NoMoment(run, purpose, why) => {
                if purpose == MomentFor::FamilyEnd {
                    self.notify_failure(why);
                }
                self.family_moment(&run, None, purpose);
            }
            HistoryReport::Thumbnail(run, picture) => {
                self.grid_thumbnail(&run, picture.as_ref());
                self.history.wanted.remove(&run);
                self.history.thumbnails.insert(run, picture);
            }
            HistoryReport::Deleted(runs) => {
                self.history.runs.retain(|summary| !runs.contains(&summary.id));
                self.history.revision += 1;
                self.documents.forget_runs(&runs);
                self.family_may_have_changed();
                self.notify(Message::RunsDeleted(runs.len()));
            }
            HistoryReport::Failed(why) => {
                self.history.wanted.clear();
                self.notify_failure(why);
            }
        }
    }

    fn notify_failure(&mut self, why: Reason) {
        self.notify(Message::HistoryFailed(why));
    }

    /// Handles a run that the history could not keep: its result is kept as without a history.
    pub(in crate::session) fn run_not_kept(&mut self, job: JobId, why: Reason) {
        if let Some(document) = self.documents.get_mut(DocumentId::of_job(job)) {
            document.run = None;
            if document.result().is_some() {
                document.is_saved = false;
                self.outbox.effects.push(Effect::Keep(job));
            }
        }
        self.notify_once(Message::RunNotKept(why));
    }

    /// The document of a run that is open.
    pub(in crate::session) fn document_of_run(&self, run: &RunId) -> Option<&Document> {
        self.documents.list.iter().find(|document| document.run.as_ref() == Some(run))
    }
}
