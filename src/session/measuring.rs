//! The length of the prompt in tokens, which only the engine's tokenizer knows.

use std::sync::Arc;

use super::{Effect, Session};
use crate::catalog::ModelSource;
use crate::engine::{Command, Job, JobId, JobKind};
use crate::request::{CancelToken, GenerationRequest, PromptLength, PromptTokens};

/// A prompt and the model that reads it.
type Subject = (ModelSource, String);

/// What the tokenizer says of a prompt.
#[derive(Default)]
struct Measured {
    length: Option<PromptLength>,
    tokens: Option<Arc<PromptTokens>>,
}

/// The last known prompt length, and the pending request for the current one.
#[derive(Default)]
pub(super) struct Measuring {
    asked: Option<(JobId, Subject)>,
    known: Option<(Subject, Measured)>,
}

impl Session {
    /// Asks for the length of the prompt if that changed. One question at a time, and only while the engine has nothing
    /// else to do: it answers within milliseconds then, and nothing waits for it.
    pub fn measure_prompt(&mut self) {
        let draft = &self.recipe.draft;
        let is_known = self
            .measuring
            .known
            .as_ref()
            .is_some_and(|((model, prompt), _)| (model, prompt) == (&draft.model, &draft.prompt));
        if is_known || self.measuring.asked.is_some() || !self.is_ready() || !self.engine_is_free() {
            return;
        }
        let (model, prompt) = (draft.model.clone(), draft.prompt.clone());
        let id = self.new_job();
        self.measuring.asked = Some((id, (model.clone(), prompt.clone())));
        // Not by `send`: a fit of previews need not make way.
        let job = Job { id, cancel: CancelToken::new(), kind: JobKind::MeasurePrompt { model, prompt } };
        self.outbox.effects.push(Effect::Send(Command::Run(job)));
    }

    /// The length of the prompt; while the answer is on its way, that of the prompt before.
    pub fn prompt_length(&self) -> Option<&PromptLength> {
        let ((model, prompt), Measured { length, .. }) = self.measuring.known.as_ref()?;
        let draft = &self.recipe.draft;
        let is_present = *prompt == draft.prompt || self.measuring.asked.is_some();
        length.as_ref().filter(|_| is_present && *model == draft.model)
    }

    /// The tokens of a request's prompt, if that was measured last.
    pub(super) fn measured_tokens(&self, request: &GenerationRequest) -> Option<&PromptTokens> {
        let ((model, prompt), measured) = self.measuring.known.as_ref()?;
        let is_it = (model, prompt) == (&request.model, &request.prompt);
        measured.tokens.as_deref().filter(|_| is_it)
    }

    /// The engine's answer.
    pub(super) fn prompt_measured(
        &mut self,
        job: JobId,
        length: Option<PromptLength>,
        tokens: Option<Arc<PromptTokens>>,
    ) {
        if let Some((_, subject)) = self.measuring.asked.take_if(|(id, _)| *id == job) {
            self.measuring.known = Some((subject, Measured { length, tokens }));
        }
    }
}
