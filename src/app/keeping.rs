//! What outlives the window: settings, written as they change, and unsaved results, written as they are sampled.

use std::path::PathBuf;
use std::time::Duration;

use super::background::{Background, Finished};
use super::recovery::{self, Abandoned, Recovery};
use super::settings::Settings;
use super::settings_file::{self, SettingsFile};
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

    /// Writes settings that have changed, once they rest. `loading`: the model that is being loaded.
    pub(super) fn keep_settings(
        &mut self,
        now: Settings,
        loading: Option<&ModelSource>,
        background: &mut Background,
    ) {
        self.mark(loading);
        let waits = self.resting.is_some() || self.writing.is_some();
        if waits || self.is_stuck || !self.settings.as_ref().is_some_and(|file| file.differs_from(&now)) {
            return;
        }
        self.resting = Some(now);
        // A thread that wakes the window: a frame asked for in this one may be passed over.
        background.begin(|| {
            std::thread::sleep(REST);
            Finished::SettingsRested
        });
    }

    /// Writes settings if they are as they were a while ago.
    pub(super) fn settings_rested(&mut self, now: Settings, background: &mut Background) {
        if self.resting.take().is_some_and(|rested| rested == now)
            && let Some(file) = self.settings.clone()
        {
            self.writing = Some(now.clone());
            background.begin_writing(move || Finished::SettingsWritten(file.write(&now)));
        }
    }

    /// Writes what is to be kept. `give_up`: whether the person said that unsaved results go.
    pub(super) fn end(&mut self, now: &Settings, give_up: bool) {
        if let Some(file) = self.settings.take().filter(|file| file.differs_from(now))
            && let Err(error) = file.write(now)
        {
            log::error!("the settings could not be saved: {error:#}");
        }
        if let Some(mut recovery) = self.recovery.take() {
            recovery.end(give_up);
        }
    }
}
