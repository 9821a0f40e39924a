//! What a person answered about a model's file: which files have its other parts, and what its network predicts.

use std::path::Path;

use super::library::LibraryCommand;
use super::{Effect, Recovered, Session};
use crate::catalog::{ModelParts, ModelSource, PartRole, PredictionType};

/// Capacity of the list.
const MOST: usize = 64;

/// The answers for each model file, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers(Vec<ModelParts>);

impl Answers {
    /// Answers as they were saved.
    pub fn new(saved: Vec<ModelParts>) -> Self {
        Self(saved)
    }

    /// The answers, to be saved.
    pub fn all(&self) -> &[ModelParts] {
        &self.0
    }

    fn of(&self, model: &Path) -> Option<&ModelParts> {
        self.0.iter().find(|parts| parts.model == model)
    }

    /// Keeps the answers of a model that opened with them. Files that were named earlier and were not needed now stay.
    pub(super) fn keep(&mut self, parts: &ModelParts) {
        let before = self.of(&parts.model).cloned();
        let merged = before.map_or_else(|| parts.clone(), |before| parts.clone().completed_by(&before));
        self.put(merged);
    }

    fn put(&mut self, parts: ModelParts) {
        self.0.retain(|known| known.model != parts.model);
        if !parts.has_no_others() {
            self.0.insert(0, parts);
            self.0.truncate(MOST);
        }
    }

    fn set_prediction(&mut self, model: &Path, prediction: Option<PredictionType>) {
        let named = self.of(model).cloned();
        let named = named.unwrap_or_else(|| ModelParts { model: model.to_owned(), ..ModelParts::default() });
        self.put(ModelParts { prediction, ..named });
    }

    /// The model as it was opened last: with the prediction that was chosen for it.
    fn with_prediction(&self, model: ModelSource) -> ModelSource {
        match &model {
            ModelSource::Folder(path) => match self.of(path).and_then(|parts| parts.prediction) {
                Some(prediction) => model.with_prediction(Some(prediction)),
                None => model,
            },
            _ => model,
        }
    }

    /// A model that lacks a part, with the files that were named for it before. Names of files that are gone are dropped.
    fn completed(&mut self, lacking: &ModelParts, role: PartRole) -> Option<ModelParts> {
        let mut named = self.of(&lacking.model)?.clone();
        if named.drop_missing_files() {
            self.put(named.clone());
        }
        let is_new = lacking.file(role).is_none() && named.file(role).is_some();
        is_new.then(|| lacking.clone().completed_by(&named))
    }
}

impl Session {
    /// What was answered about model files, to be saved.
    pub fn answers(&self) -> &Answers {
        &self.model.answers
    }

    /// Restores saved answers.
    pub fn restore_answers(&mut self, answers: Answers) {
        self.model.answers = answers;
    }

    /// Opens a model that was chosen, with what was answered about it before.
    pub(super) fn open_model(&mut self, model: ModelSource) {
        let model = self.model.answers.with_prediction(model);
        self.load_model(model);
    }

    /// Opens the model again with another prediction; `None` is what its files say. Its settings are kept.
    pub(super) fn set_prediction(&mut self, prediction: Option<PredictionType>) {
        let model = self.recipe.draft.model.with_prediction(prediction);
        if model == self.recipe.draft.model {
            return;
        }
        if let Some(path) = model.path() {
            self.model.answers.set_prediction(path, prediction);
        }
        self.recipe.share_settings(&model);
        self.load_model(model);
    }

    /// Handles a model that cannot be opened because it lacks a part: opens it with the file that was named for the part
    /// before, or keeps it until one is named. Returns whether it is being opened.
    pub(super) fn complete(&mut self, role: PartRole) -> bool {
        // What is being restored was drawn by the model as it was, not by one with other parts.
        let is_restored = |recovered: &Recovered| recovered.model == self.recipe.draft.model;
        if self.recovering.waiting.iter().any(is_restored) {
            return false;
        }
        let lacking = match &self.recipe.draft.model {
            ModelSource::Folder(path) => ModelParts { model: path.clone(), ..ModelParts::default() },
            ModelSource::Parts(parts) => (**parts).clone(),
            ModelSource::Builtin => return false,
        };
        if let Some(whole) = self.model.answers.completed(&lacking, role) {
            self.load_model(ModelSource::Parts(Box::new(whole)));
            return true;
        }
        self.outbox.effects.push(Effect::Library(LibraryCommand::Survey(lacking.model.clone())));
        self.model.lacking = Some((lacking, role));
        false
    }

    /// The part that the last model lacked which could not be opened.
    pub fn lacking_part(&self) -> Option<PartRole> {
        self.model.lacking.as_ref().map(|(_, role)| *role)
    }

    /// Opens the model that lacked a part, with this file for it.
    pub(super) fn name_part(&mut self, file: std::path::PathBuf) {
        if let Some((mut parts, role)) = self.model.lacking.take() {
            parts.set_file(role, file);
            self.load_model(ModelSource::Parts(Box::new(parts)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Action;
    use super::super::tests::{profile, ready};
    use super::*;
    use crate::catalog::ModelProfile;
    use crate::engine::{Advice, Command, Event, Failure, Job, JobId, JobKind, Task};

    fn parts(model: &Path) -> ModelParts {
        ModelParts { model: model.to_owned(), ..ModelParts::default() }
    }

    #[test]
    fn files_are_offered_where_they_are_lacking_and_dropped_when_they_are_gone() {
        let folder = tempfile::tempdir().unwrap();
        let [model, clip, vae] = ["flux.gguf", "clip.gguf", "vae.gguf"].map(|name| folder.path().join(name));
        for file in [&clip, &vae] {
            std::fs::write(file, "x").unwrap();
        }
        let mut named = parts(&model);
        named.set_file(PartRole::TextEncoder(0), clip.clone());
        let mut answers = Answers::default();
        answers.keep(&named);
        let with_vae = ModelParts { vae: Some(vae.clone()), ..parts(&model) };
        answers.keep(&with_vae);
        assert_eq!(answers.all().len(), 1, "both belong to one model");

        let bare = parts(&model);
        let whole = answers.completed(&bare, PartRole::TextEncoder(0)).unwrap();
        assert_eq!((whole.file(PartRole::TextEncoder(0)), whole.vae.as_ref()), (Some(&clip), Some(&vae)));
        assert_eq!(answers.completed(&whole, PartRole::TextEncoder(0)), None, "it was tried already");
        assert_eq!(answers.completed(&bare, PartRole::TextEncoder(2)), None, "none was named");
        std::fs::remove_file(&clip).unwrap();
        assert_eq!(answers.completed(&bare, PartRole::TextEncoder(0)), None);
        assert_eq!(answers.all(), [with_vae], "what is gone is dropped, and the rest stays");
    }

    /// The model that the session asks the engine to load.
    fn loads(session: &mut Session) -> Option<(JobId, ModelSource)> {
        session.take_effects().into_iter().rev().find_map(|effect| match effect {
            Effect::Send(Command::Run(Job { id, kind: JobKind::LoadModel { model }, .. })) => {
                Some((id, model))
            }
            _ => None,
        })
    }

    fn loaded(session: &mut Session, (job, source): (JobId, ModelSource)) {
        let profile = ModelProfile { source, ..(*profile()).clone() };
        let (device, elapsed_secs) = ("CPU".into(), 0.1);
        let event =
            Event::ModelLoaded { job, profile: profile.into(), device, in_halves: false, elapsed_secs };
        session.apply_event(event);
    }

    fn lacks(session: &mut Session, job: JobId, role: PartRole) {
        let advice = Some(Advice::NamePart(role));
        let failure = Failure { task: Task::LoadModel, why: "the model has no VAE".into(), advice };
        session.apply_event(Event::Failed { job, failure });
    }

    #[test]
    fn a_part_is_named_once_and_offered_the_next_time() {
        let folder = tempfile::tempdir().unwrap();
        let [model, vae] = ["flux.gguf", "vae.gguf"].map(|name| folder.path().join(name));
        std::fs::write(&vae, "x").unwrap();
        let bare = ModelSource::Folder(model.clone());
        let whole = ModelSource::Parts(Box::new(ModelParts { vae: Some(vae.clone()), ..parts(&model) }));

        let mut session = ready();
        session.apply(Action::SetModel(bare.clone()));
        let (job, _) = loads(&mut session).unwrap();
        lacks(&mut session, job, PartRole::Vae);
        assert_eq!((loads(&mut session), session.lacking_part()), (None, Some(PartRole::Vae)));
        session.apply(Action::NamePart(vae.clone()));
        let load = loads(&mut session).unwrap();
        assert_eq!(load.1, whole);
        loaded(&mut session, load);
        assert_eq!((session.lacking_part(), session.answers().all().len()), (None, 1));
        assert_eq!(session.recent_models()[0].folder, model);

        session.apply(Action::SetModel(ModelSource::Builtin));
        let load = loads(&mut session).unwrap();
        loaded(&mut session, load);
        session.apply(Action::SetModel(bare.clone()));
        let (job, _) = loads(&mut session).unwrap();
        let notices = session.past_messages().count();
        lacks(&mut session, job, PartRole::Vae);
        assert_eq!(loads(&mut session).unwrap().1, whole, "by itself");
        assert_eq!(session.past_messages().count(), notices, "and without a message");

        std::fs::remove_file(&vae).unwrap();
        session.apply(Action::SetModel(bare));
        let (job, _) = loads(&mut session).unwrap();
        lacks(&mut session, job, PartRole::Vae);
        assert_eq!((loads(&mut session), session.answers().all()), (None, &[][..]), "it is gone");
        assert_eq!(session.lacking_part(), Some(PartRole::Vae), "and is asked for again");
    }

    #[test]
    fn another_prediction_loads_the_model_again_with_its_settings() {
        let mut session = ready();
        let file = ModelSource::Folder("/models/a.safetensors".into());
        session.apply(Action::SetModel(file.clone()));
        let load = loads(&mut session).unwrap();
        loaded(&mut session, load);
        session.recipe.draft.steps = 17;
        session.apply(Action::SetPrediction(Some(PredictionType::V)));
        let load = loads(&mut session).unwrap();
        assert_eq!(load.1, file.with_prediction(Some(PredictionType::V)));
        loaded(&mut session, load);
        assert_eq!(session.draft().steps, 17);
        session.apply(Action::SetPrediction(Some(PredictionType::V)));
        assert_eq!(loads(&mut session), None, "it predicts that already");

        session.apply(Action::SetModel(ModelSource::Builtin));
        let load = loads(&mut session).unwrap();
        loaded(&mut session, load);
        session.apply(Action::SetModel(file.clone()));
        let load = loads(&mut session).unwrap();
        assert_eq!(load.1.prediction(), Some(PredictionType::V), "it is kept for the model");
        loaded(&mut session, load);
        assert_eq!(session.draft().steps, 17);
        session.apply(Action::SetPrediction(None));
        assert_eq!(loads(&mut session).unwrap().1, file);
        assert_eq!(session.answers().all(), []);
    }

    #[test]
    fn a_prediction_is_kept_for_its_model_and_taken_back() {
        let mut answers = Answers::default();
        let file = ModelSource::Folder("/models/a.safetensors".into());
        let path = Path::new("/models/a.safetensors");
        answers.set_prediction(path, Some(PredictionType::V));
        let opened = answers.with_prediction(file.clone());
        assert_eq!((opened.prediction(), opened.path()), (Some(PredictionType::V), Some(path)));
        let other = ModelSource::Folder("/models/b.safetensors".into());
        assert_eq!(answers.with_prediction(other.clone()), other);
        answers.set_prediction(path, None);
        assert_eq!(answers.with_prediction(file.clone()), file);
        assert_eq!(answers.all(), []);
        assert_eq!(opened.with_prediction(None), file);
    }
}
