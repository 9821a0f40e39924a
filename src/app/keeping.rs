//! What outlives the window: settings, written as they change, and unsaved results, written as they are sampled.

use std::path::PathBuf;
use std::time::Duration;

use super::background::Finished;
use super::recovery::{self, Abandoned, Recovery};
use super::settings::Settings;
use super::settings_file::{self, SettingsFile};
use super::window::Window;
use crate::catalog::ModelSource;
use crate::engine::{Command, Job, JobId, JobKind};
use crate::session::{Message, ResultItem};

/// So long settings rest before they are written: a window that is being resized is not written at every size.
const REST: Duration = Duration::from_secs(1);

/// What is kept on the disk, where there is a place for it.
#[derive(Default)]
pub(super) struct Keeping {
    settings: Option<SettingsFile>,
    /// Changed settings that are given time to change further.
    resting: Option<Settings>,
    /// Whether they could not be written: then it is tried once more at the end.
    is_stuck: bool,
    /// Settings that are being written.
    writing: Option<Settings>,
    recovery: Option<Recovery>,
    /// The model whose loading is marked on the disk.
    marked: Option<ModelSource>,
}

/// What a start finds on the disk.
pub(super) struct Found {
    pub(super) keeping: Keeping,
    pub(super) settings: Settings,
    pub(super) messages: Vec<Message>,
    /// Unsaved results of windows that ended without a word.
    pub(super) abandoned: Vec<Abandoned>,
}

/// Reads settings and looks for what ended windows left.
pub(super) fn find() -> Found {
    let (mut settings, file, message) = settings_file::load();
    let mut messages: Vec<Message> = message.into_iter().collect();
    let mut keeping = Keeping { settings: file, ..Keeping::default() };
    let mut abandoned = Vec::new();
    match recovery::folder().map(|folder| recovery::begin(&folder)) {
        None => {}
        Some(Ok((recovery, found))) => {
            keeping.recovery = Some(recovery);
            settings.model_crashed |= found.iter().any(|left| left.loading.as_ref() == Some(&settings.model));
            let (with_results, without): (Vec<_>, Vec<_>) =
                found.into_iter().partition(|left| left.count() > 0);
            Recovery::discard(without);
            abandoned = with_results;
        }
        Some(Err(error)) => messages.push(Message::NothingKept(format!("{error:#}"))),
    }
    Found { keeping, settings, messages, abandoned }
}

impl Keeping {
    /// Keeps a result on the disk.
    pub(super) fn keep(&mut self, item: Option<&ResultItem>) {
        if let (Some(recovery), Some(item)) = (&mut self.recovery, item) {
            recovery.keep(item);
        }
    }

    pub(super) fn is_kept_as(&mut self, job: JobId, files: PathBuf) {
        if let Some(recovery) = &mut self.recovery {
            recovery.is_kept_as(job, files);
        }
    }

    pub(super) fn forget(&mut self, job: JobId) {
        if let Some(recovery) = &mut self.recovery {
            recovery.forget(job);
        }
    }

    /// Takes over what ended windows left; gives the files of all results.
    pub(super) fn adopt(&mut self, found: Vec<Abandoned>) -> Vec<PathBuf> {
        self.recovery.as_mut().map(|recovery| recovery.adopt(found)).unwrap_or_default()
    }

    /// Marks a model before it is loaded: files that end the program are not loaded again by the next one.
    pub(super) fn about_to(&mut self, command: &Command) {
        if let Command::Run(Job { kind: JobKind::LoadModel { model, .. }, .. }) = command {
            self.mark(Some(model));
        }
    }

    fn mark(&mut self, loading: Option<&ModelSource>) {
        let loading = loading.filter(|model| **model != ModelSource::Builtin);
        if loading != self.marked.as_ref() {
            self.marked = loading.cloned();
            if let Some(recovery) = &self.recovery {
                recovery.loading(loading);
            }
        }
    }

    /// Settings were written, or not: then the person is told, once.
    pub(super) fn settings_written(&mut self, written: anyhow::Result<()>) -> Option<Message> {
        let settings = self.writing.take()?;
        match written {
            Ok(()) => {
                if let Some(file) = &mut self.settings {
                    file.mark_written(&settings);
                }
                None
            }
            Err(error) => {
                self.is_stuck = true;
                Some(Message::SettingsUnwritten(format!("{error:#}")))
            }
        }
    }
}

impl Window {
    /// The settings as they are now.
    fn settings_now(&self) -> Settings {
        Settings {
            model: self.session.draft().model.clone(),
            model_crashed: self.session.is_held_back(),
            save_metadata: self.desk.save_metadata,
            recent_models: self
                .session
                .recent_models()
                .iter()
                .filter(|known| known.has_worked)
                .map(|known| known.folder.clone())
                .collect(),
            recipe: Some(self.session.saved_recipe()),
            enlarger: self.desk.enlarger,
            autosave: self.desk.autosave.clone(),
            ..self.settings.clone()
        }
    }

    /// Writes settings that have changed, once they rest.
    pub(super) fn keep_settings(&mut self) {
        self.keeping.mark(self.session.loading());
        let now = self.settings_now();
        let keeping = &mut self.keeping;
        let waits = keeping.resting.is_some() || keeping.writing.is_some();
        if waits || keeping.is_stuck || !keeping.settings.as_ref().is_some_and(|file| file.differs_from(&now))
        {
            return;
        }
        keeping.resting = Some(now);
        // A thread that wakes the window: a frame asked for in this one may be passed over.
        self.background.begin(|| {
            std::thread::sleep(REST);
            Finished::SettingsRested
        });
    }

    /// Writes settings if they are as they were a while ago.
    pub(super) fn settings_rested(&mut self) {
        let now = self.settings_now();
        if self.keeping.resting.take().is_some_and(|rested| rested == now)
            && let Some(file) = self.keeping.settings.clone()
        {
            self.keeping.writing = Some(now.clone());
            self.background.begin_writing(move || Finished::SettingsWritten(file.write(&now)));
        }
    }

    /// Writes what is to be kept; unsaved results go only if the person said so.
    pub(super) fn end_keeping(&mut self) {
        let now = self.settings_now();
        if let Some(file) = self.keeping.settings.take().filter(|file| file.differs_from(&now))
            && let Err(error) = file.write(&now)
        {
            log::error!("the settings could not be saved: {error:#}");
        }
        let give_up = self.questions.closing_is_agreed() && !self.termination.is_wanted();
        if let Some(mut recovery) = self.keeping.recovery.take() {
            recovery.end(give_up);
        }
    }
}
