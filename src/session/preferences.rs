//! Actions of the settings page: how the engine runs, and what the program forgets.

use super::{Effect, Message, Session};
use crate::catalog::ModelSource;
use crate::engine::{Command, EngineSettings};

/// What a folder is chosen for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderFor {
    /// Autosaved pictures.
    Autosave,
    /// File dialogs, which start there.
    Dialogs,
    /// The library of models, which searches it.
    Library,
}

impl Session {
    /// How the engine was started.
    pub fn engine_settings(&self) -> EngineSettings {
        self.engine
    }

    /// Tells how the engine was started.
    pub fn engine_runs_with(&mut self, settings: EngineSettings) {
        self.engine = settings;
    }

    /// Changes how the engine runs, and loads the model again. A running job is finished first.
    pub(super) fn set_engine(&mut self, settings: EngineSettings) {
        if settings == self.engine {
            return;
        }
        self.engine = settings;
        self.outbox.effects.push(Effect::Send(Command::Configure(settings)));
        // A model that crashed the program is loaded on request only.
        if !self.model.is_held_back {
            self.load_model(self.recipe.draft.model.clone());
        }
    }

    /// Empties the list of recent models, except for the one in use.
    pub(super) fn forget_models(&mut self) {
        let used = &self.recipe.draft.model;
        self.model.recent.retain(|known| ModelSource::Folder(known.folder.clone()) == *used);
        self.notify(Message::ModelsForgotten);
    }

    /// Empties the prompts and their history.
    pub(super) fn forget_prompts(&mut self) {
        self.recipe.forget_prompts();
        self.notify(Message::PromptsForgotten);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Job, JobKind};
    use crate::request::DeviceChoice;
    use crate::session::tests::ready;
    use crate::session::{Action, ModelState};

    #[test]
    fn a_change_reaches_the_engine_before_the_model_is_loaded_again() {
        let mut session = ready();
        session.take_effects();
        let settings = EngineSettings {
            device: DeviceChoice::Cpu,
            threads: Some(1),
            memory: Some(1 << 30),
            ..EngineSettings::default()
        };
        session.apply(Action::SetEngine(settings));
        let effects = session.take_effects();
        let [Effect::Send(Command::Configure(sent)), Effect::Send(Command::Run(Job { kind, .. }))] =
            &effects[..]
        else {
            panic!("{effects:?}")
        };
        assert_eq!(*sent, settings);
        assert!(matches!(kind, JobKind::LoadModel { model: ModelSource::Builtin }));
        assert!(matches!(session.model_state(), ModelState::Loading(..)));
        session.apply(Action::SetEngine(settings));
        assert!(session.take_effects().is_empty(), "nothing has changed");
    }

    #[test]
    fn a_model_that_is_held_back_stays_so() {
        let mut session = Session::held_back(ModelSource::Folder("/models/a".into()), Vec::new());
        let settings = EngineSettings { threads: Some(1), ..EngineSettings::default() };
        session.apply(Action::SetEngine(settings));
        let effects = session.take_effects();
        assert!(matches!(effects[..], [Effect::Send(Command::Configure(_))]), "{effects:?}");
        assert!(session.is_held_back());
    }

    #[test]
    fn models_and_prompts_are_forgotten() {
        let used = ModelSource::Folder("/models/a".into());
        let mut session = Session::new(used, vec!["/models/b".into(), "/models/a".into()]);
        session.apply(Action::ForgetModels);
        let left: Vec<_> = session.recent_models().iter().map(|known| known.folder.clone()).collect();
        assert_eq!(left, [std::path::PathBuf::from("/models/a")]);

        let mut session = ready();
        for prompt in ["one", "two"] {
            session.draft_mut().prompt = prompt.into();
            session.draft_mut().negative_prompt = "blurry".into();
            session.apply(Action::Generate);
        }
        session.apply(Action::ForgetPrompts);
        let saved = session.saved_recipe();
        assert_eq!((saved.prompt.as_str(), saved.negative_prompt.as_str()), ("", ""));
        session.apply(Action::TurnPrompt { earlier: true });
        assert_eq!(session.draft().prompt, "");
    }
}
