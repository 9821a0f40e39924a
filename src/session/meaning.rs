//! Kept runs found by the meaning of their pictures, and pictures described in words.

use std::path::{Path, PathBuf};

use super::library::EntryKind;
use super::{Effect, Message, Session};
use crate::engine::{Command, FoundRuns, JobId, JobKind, Like};
use crate::request::{CancelToken, Picture};
use crate::store::library::weights_of_kind;

/// Something done with the models that find and describe pictures.
#[derive(Clone, Debug, PartialEq)]
pub enum MeaningAction {
    /// Finds kept runs.
    Find(Like),
    /// Stops a search. What was found before stays.
    StopSearch,
    /// Describes a picture: the words replace the prompt. Can be undone.
    Describe(Picture),
    /// Stops the description of a picture.
    StopDescribing,
}

/// Runs that were found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// What they were found by.
    pub like: Like,
    /// The runs.
    pub runs: FoundRuns,
}

/// What is known of the models that find and describe pictures.
#[derive(Debug, Default)]
pub struct Meaning {
    /// Whether pictures are placed in idle time.
    places: bool,
    /// The model with which the engine places pictures.
    told: Option<PathBuf>,
    searching: Option<(JobId, CancelToken, Like)>,
    found: Option<Found>,
    /// Counts the changes of what was found.
    revision: u64,
    describing: Option<(JobId, CancelToken)>,
    /// The notice of the last description, and the prompt that it replaced.
    replaced: Option<(u64, String)>,
}

impl Meaning {
    /// Whether a search goes on.
    pub fn is_searching(&self) -> bool {
        self.searching.is_some()
    }

    /// What the runs are being found by, or were.
    pub fn like(&self) -> Option<&Like> {
        let searching = self.searching.as_ref().map(|(.., like)| like);
        searching.or_else(|| self.found.as_ref().map(|found| &found.like))
    }

    /// The runs that were found last.
    pub fn found(&self) -> Option<&Found> {
        self.found.as_ref()
    }

    /// The number of changes of what was found.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether a picture is being described.
    pub fn is_describing(&self) -> bool {
        self.describing.is_some()
    }

    pub(super) fn replaced(&self) -> Option<u64> {
        self.replaced.as_ref().map(|(notice, _)| *notice)
    }

    pub(super) fn forget_replaced(&mut self, notice: u64) {
        self.replaced.take_if(|(known, _)| *known == notice);
    }
}

impl Session {
    /// The models that find and describe pictures.
    pub fn meaning(&self) -> &Meaning {
        &self.meaning
    }

    /// The weights of the model that finds pictures; `None` if the library has none.
    pub fn search_weights(&self) -> Option<&Path> {
        weights_of_kind(&self.library.snapshot().entries, EntryKind::PictureSearch)
    }

    /// The weights of the model that describes pictures; `None` if the library has none.
    pub fn description_weights(&self) -> Option<&Path> {
        weights_of_kind(&self.library.snapshot().entries, EntryKind::PictureDescription)
    }

    /// Says whether pictures of kept runs are placed in idle time.
    pub fn place_runs(&mut self, places: bool) {
        self.meaning.places = places;
        self.tell_what_places();
    }

    /// Tells the engine with which model it places pictures, if that has changed.
    pub(super) fn tell_what_places(&mut self) {
        let may = self.meaning.places && self.history.is_kept();
        let weights = self.search_weights().filter(|_| may).map(Path::to_owned);
        if weights != self.meaning.told {
            self.meaning.told.clone_from(&weights);
            self.outbox.effects.push(Effect::Send(Command::PlaceRuns(weights)));
        }
    }

    pub(super) fn use_meaning(&mut self, action: MeaningAction) {
        match action {
            MeaningAction::Find(like) => {
                let Some(weights) = self.search_weights().map(Path::to_owned) else {
                    self.notify(Message::NoPictureSearch);
                    return;
                };
                self.stop_search();
                let job = self.new_job();
                let cancel = self.send(job, JobKind::FindRuns { weights, like: Box::new(like.clone()) });
                self.meaning.searching = Some((job, cancel, like));
                self.meaning.revision += 1;
            }
            MeaningAction::StopSearch => {
                self.stop_search();
                self.meaning.revision += 1;
            }
            MeaningAction::Describe(picture) => {
                let Some(weights) = self.description_weights().map(Path::to_owned) else {
                    self.notify(Message::NoPictureDescription);
                    return;
                };
                self.stop_describing();
                let job = self.new_job();
                let cancel = self.send(job, JobKind::Describe { weights, picture });
                self.meaning.describing = Some((job, cancel));
            }
            MeaningAction::StopDescribing => self.stop_describing(),
        }
    }

    fn stop_search(&mut self) {
        if let Some((_, cancel, _)) = self.meaning.searching.take() {
            cancel.stop();
        }
    }

    fn stop_describing(&mut self) {
        if let Some((_, cancel)) = self.meaning.describing.take() {
            cancel.stop();
        }
    }

    /// Takes the runs that a search found. A search that was replaced by another says nothing.
    pub(super) fn runs_found(&mut self, job: JobId, runs: FoundRuns) {
        if let Some((_, _, like)) = self.meaning.searching.take_if(|(id, ..)| *id == job) {
            self.meaning.found = Some(Found { like, runs });
            self.meaning.revision += 1;
        }
    }

    /// Takes the words of a picture as the prompt. Words that are all of the prompt already change nothing.
    pub(super) fn described(&mut self, job: JobId, words: String) {
        if self.meaning.describing.take_if(|(id, _)| *id == job).is_none() {
            return;
        }
        if words.is_empty() {
            self.notify(Message::NothingDescribed);
            return;
        }
        let before = self.recipe.draft.prompt.clone();
        self.recipe.replace_prompt(words.clone());
        let notice = self.notify(Message::Described(words));
        self.meaning.replaced = Some((notice, before));
    }

    /// Brings back the prompt that a description replaced. The words of the description stay among the earlier prompts.
    pub(super) fn restore_replaced(&mut self, notice: u64) {
        if let Some((_, before)) = self.meaning.replaced.take_if(|(known, _)| *known == notice) {
            self.recipe.replace_prompt(before);
        }
    }

    /// A job ended without a result.
    pub(super) fn meaning_ended(&mut self, job: JobId) {
        if self.meaning.searching.take_if(|(id, ..)| *id == job).is_some() {
            self.meaning.revision += 1;
        }
        self.meaning.describing.take_if(|(id, _)| *id == job);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Event, Failure, Job, Task};
    use crate::session::library::{Entry, Facts, FileFormat, LibraryReport, LibrarySnapshot};
    use crate::session::tests::ready;
    use crate::session::{Action, Message};

    fn entry(name: &str, kind: EntryKind) -> Entry {
        let path = Path::new("/models").join(name);
        Entry {
            name: name.to_owned(),
            repository: None,
            files: vec![path.clone()],
            path,
            bytes: 1,
            facts: Facts {
                kind,
                families: Vec::new(),
                format: FileFormat::Safetensors,
                precision: "f32".to_owned(),
                parameters: 1,
                weight_bytes: 4,
                needs: Vec::new(),
                offer: None,
                absent: Vec::new(),
                problem: None,
                title: None,
            },
            missing: Vec::new(),
            bytes_with_parts: 4,
            sha256: None,
        }
    }

    fn lists(session: &mut Session, entries: Vec<Entry>) {
        let snapshot = LibrarySnapshot { entries: entries.into(), ..LibrarySnapshot::default() };
        session.apply(Action::LibrarySays(LibraryReport::Listed(snapshot)));
    }

    fn with_models() -> Session {
        let mut session = ready();
        let entries =
            vec![entry("blip", EntryKind::PictureDescription), entry("clip", EntryKind::PictureSearch)];
        lists(&mut session, entries);
        session.take_effects();
        session
    }

    fn sent(session: &mut Session) -> Option<Job> {
        session.take_effects().into_iter().find_map(|effect| match effect {
            Effect::Send(Command::Run(job)) => Some(job),
            _ => None,
        })
    }

    fn placed_with(session: &mut Session) -> Vec<Option<PathBuf>> {
        let effects = session.take_effects().into_iter();
        effects
            .filter_map(|effect| match effect {
                Effect::Send(Command::PlaceRuns(weights)) => Some(weights),
                _ => None,
            })
            .collect()
    }

    fn picture() -> Picture {
        Picture::new(2, 1, vec![9; 6]).unwrap()
    }

    fn use_it(session: &mut Session, action: MeaningAction) {
        session.apply(Action::Meaning(action));
    }

    #[test]
    fn the_engine_places_pictures_only_where_runs_are_kept_a_model_is_there_and_the_user_wants_it() {
        let mut session = with_models();
        session.place_runs(true);
        assert!(placed_with(&mut session).is_empty(), "nothing is kept");
        session.runs_are_kept(true);
        assert_eq!(placed_with(&mut session), [Some("/models/clip".into())]);
        session.place_runs(true);
        assert!(placed_with(&mut session).is_empty(), "it knows that");
        session.place_runs(false);
        assert_eq!(placed_with(&mut session), [None]);
        session.place_runs(true);
        lists(&mut session, Vec::new());
        assert_eq!(placed_with(&mut session), [Some("/models/clip".into()), None]);
    }

    #[test]
    fn the_last_search_is_the_one_that_is_shown() {
        let mut session = with_models();
        let words = |words: &str| Like::Words(words.to_owned());
        use_it(&mut session, MeaningAction::Find(words("a fox")));
        let first = sent(&mut session).unwrap();
        use_it(&mut session, MeaningAction::Find(words("a boat")));
        let second = sent(&mut session).unwrap();
        assert!(first.cancel.is_stopped() && !second.cancel.is_stopped());
        let JobKind::FindRuns { weights, like } = second.kind else { panic!() };
        assert_eq!((weights.as_path(), *like), (Path::new("/models/clip"), words("a boat")));
        let runs = FoundRuns { runs: Vec::new(), without_place: 3 };
        session.apply_event(Event::RunsFound { job: first.id, found: runs.clone() });
        assert!(session.meaning().is_searching() && session.meaning().found().is_none());
        let before = session.meaning().revision();
        session.apply_event(Event::RunsFound { job: second.id, found: runs.clone() });
        let meaning = session.meaning();
        assert!(!meaning.is_searching() && meaning.revision() > before);
        assert_eq!(meaning.found(), Some(&Found { like: words("a boat"), runs }));
        // A search that fails or is stopped leaves what was found before.
        use_it(&mut session, MeaningAction::Find(words("a tree")));
        let third = sent(&mut session).unwrap();
        let failure = Failure { task: Task::FindRuns, why: "it is damaged".into(), advice: None };
        session.apply_event(Event::Failed { job: third.id, failure: failure.clone() });
        assert!(!session.meaning().is_searching() && session.meaning().found().is_some());
        assert!(session.notices().iter().any(|notice| notice.message == Message::Failed(failure.clone())));
    }

    #[test]
    fn a_description_replaces_the_prompt_and_is_taken_back() {
        let mut session = with_models();
        session.draft_mut().prompt = "my long prompt".into();
        use_it(&mut session, MeaningAction::Describe(picture()));
        let job = sent(&mut session).unwrap();
        assert!(
            matches!(&job.kind, JobKind::Describe { weights, .. } if weights == Path::new("/models/blip"))
        );
        assert!(session.meaning().is_describing());
        session.apply_event(Event::Described { job: job.id, words: "a cat on a hill".into() });
        assert_eq!(session.draft().prompt, "a cat on a hill");
        assert!(!session.meaning().is_describing());
        let notice = session.last_taken_away().unwrap();
        assert!(session.can_take_back(notice));
        session.apply(Action::TakeBack(notice));
        assert_eq!(session.draft().prompt, "my long prompt");
        assert!(!session.can_take_back(notice) && session.notices().is_empty());
        // Once its message has left, the prompt before is among the earlier ones.
        use_it(&mut session, MeaningAction::Describe(picture()));
        let job = sent(&mut session).unwrap();
        session.apply_event(Event::Described { job: job.id, words: "a boat".into() });
        session.apply(Action::Dismiss(session.notices().last().unwrap().id));
        assert_eq!(session.last_taken_away(), None);
        session.apply(Action::TurnPrompt { earlier: true });
        assert_eq!(session.draft().prompt, "my long prompt");
    }

    #[test]
    fn a_description_that_is_stopped_or_empty_leaves_the_prompt() {
        let mut session = with_models();
        session.draft_mut().prompt = "mine".into();
        use_it(&mut session, MeaningAction::Describe(picture()));
        let job = sent(&mut session).unwrap();
        use_it(&mut session, MeaningAction::StopDescribing);
        assert!(job.cancel.is_stopped() && !session.meaning().is_describing());
        session.apply_event(Event::Described { job: job.id, words: "too late".into() });
        use_it(&mut session, MeaningAction::Describe(picture()));
        let job = sent(&mut session).unwrap();
        session.apply_event(Event::Described { job: job.id, words: String::new() });
        assert_eq!(session.draft().prompt, "mine");
        assert!(session.notices().iter().any(|notice| notice.message == Message::NothingDescribed));
    }

    #[test]
    fn without_a_model_a_message_says_what_to_get() {
        let mut session = ready();
        session.take_effects();
        use_it(&mut session, MeaningAction::Describe(picture()));
        use_it(&mut session, MeaningAction::Find(Like::Words("a fox".into())));
        assert!(sent(&mut session).is_none());
        let messages: Vec<&Message> = session.notices().iter().map(|notice| &notice.message).collect();
        assert_eq!(messages, [&Message::NoPictureDescription, &Message::NoPictureSearch]);
    }
}
