//! Persistent state: settings, written when they change, and unsaved results, written when they are sampled.

use std::path::PathBuf;
use std::time::Duration;

use super::background::{Background, Finished};
use super::reasons::reason_of;
use super::recovery::{self, Abandoned, Recovery};
use super::settings::Settings;
use super::settings_file::{self, SettingsFile};
use crate::catalog::ModelSource;
use crate::engine::{Command, Job, JobId, JobKind};
use crate::session::{Message, ResultItem};

/// Debounce delay before changed settings are written, so that resizing the window does not write on every frame.
const SETTINGS_DEBOUNCE: Duration = Duration::from_secs(1);

/// The settings file and the recovery folder, each if available.
#[derive(Default)]
pub(super) struct Persistence {
    settings: Option<SettingsFile>,
    /// Changed settings that are being debounced.
    debouncing: Option<Settings>,
    /// Whether a write failed. Then settings are only written once more, on exit.
    write_failed: bool,
    /// Settings that are being written.
    writing: Option<Settings>,
    recovery: Option<Recovery>,
    /// The model that is marked on disk as being loaded.
    marked_loading: Option<ModelSource>,
}

/// The state found on disk at startup.
pub(super) struct StartupState {
    pub(super) persistence: Persistence,
    pub(super) settings: Settings,
    pub(super) messages: Vec<Message>,
    /// Unsaved results of windows that crashed or were killed.
    pub(super) abandoned: Vec<Abandoned>,
    /// What the program was asked to open, as absolute paths.
    pub(super) files: Vec<PathBuf>,
}

/// Reads the settings and looks for results that crashed windows left.
pub(super) fn load() -> StartupState {
    let (mut settings, file, message) = settings_file::load();
    let mut messages: Vec<Message> = message.into_iter().collect();
    let mut persistence = Persistence { settings: file, ..Persistence::default() };
    let mut abandoned = Vec::new();
    match recovery::folder().map(|folder| recovery::begin(&folder)) {
        None => {}
        Some(Ok((recovery, found))) => {
            persistence.recovery = Some(recovery);
            settings.model_crashed |= found.iter().any(|left| left.loading.as_ref() == Some(&settings.model));
            let (with_results, without): (Vec<_>, Vec<_>) =
                found.into_iter().partition(|left| left.count() > 0);
            Recovery::discard(without);
            abandoned = with_results;
        }
        Some(Err(error)) => messages.push(Message::NothingKept(reason_of(&error))),
    }
    StartupState { persistence, settings, messages, abandoned, files: Vec::new() }
}

impl Persistence {
    /// Writes an unsaved result to the recovery folder.
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

    /// Takes over the results of crashed windows. Returns their files, without extension.
    pub(super) fn adopt(&mut self, found: Vec<Abandoned>) -> Vec<PathBuf> {
        self.recovery.as_mut().map(|recovery| recovery.adopt(found)).unwrap_or_default()
    }

    /// Marks a model on disk before it is loaded, so that a model that crashes the program is not loaded at the next
    /// start.
    pub(super) fn before_send(&mut self, command: &Command) {
        if let Command::Run(Job { kind: JobKind::LoadModel { model, .. }, .. }) = command {
            self.mark_loading(Some(model));
        }
    }

    fn mark_loading(&mut self, loading: Option<&ModelSource>) {
        let loading = loading.filter(|model| **model != ModelSource::Builtin);
        if loading != self.marked_loading.as_ref() {
            self.marked_loading = loading.cloned();
            if let Some(recovery) = &self.recovery {
                recovery.loading(loading);
            }
        }
    }

    /// Handles the result of a settings write. Returns the message for a failed one, which is shown once.
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
                self.write_failed = true;
                Some(Message::SettingsUnwritten(format!("{error:#}")))
            }
        }
    }

    /// Starts the debounce delay if the settings changed. `loading`: the model that is being loaded.
    pub(super) fn keep_settings(
        &mut self,
        now: Settings,
        loading: Option<&ModelSource>,
        background: &mut Background,
    ) {
        self.mark_loading(loading);
        let waits = self.debouncing.is_some() || self.writing.is_some();
        if waits || self.write_failed || !self.settings.as_ref().is_some_and(|file| file.differs_from(&now)) {
            return;
        }
        self.debouncing = Some(now);
        // A thread that wakes the window, because a delayed repaint requested in this frame may be dropped.
        background.begin(|| {
            std::thread::sleep(SETTINGS_DEBOUNCE);
            Finished::SettingsDebounced
        });
    }

    /// Writes the settings if they did not change during the debounce delay.
    pub(super) fn debounce_elapsed(&mut self, now: Settings, background: &mut Background) {
        if self.debouncing.take().is_some_and(|earlier| earlier == now)
            && let Some(file) = self.settings.clone()
        {
            self.writing = Some(now.clone());
            background.begin_writing(move || Finished::SettingsWritten(file.write(&now)));
        }
    }

    /// Writes the settings and closes the recovery folder. `give_up`: whether the user chose to discard unsaved
    /// results.
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
