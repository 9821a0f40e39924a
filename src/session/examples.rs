//! Pictures of the built-in model's example prompts. The engine draws them for the empty easel while it is idle; they
//! are no documents.

use super::{Effect, Session};
use crate::engine::{Command, Event, Job, JobId, JobKind, KeepRun};
use crate::request::{CancelToken, GenerationDraft, Picture, Seed};
use crate::store::builtin_vocabulary;

/// The number of examples.
const COUNT: usize = 4;
/// The seed of all their pictures.
const SEED: Seed = Seed(1);

/// What was drawn of the examples.
#[derive(Default)]
pub(super) struct Examples {
    pictures: [Option<Picture>; COUNT],
    drawing: Option<Drawing>,
    /// Whether one could not be drawn. The rest is not tried then.
    has_failed: bool,
}

/// The example that the engine draws.
struct Drawing {
    job: JobId,
    cancel: CancelToken,
    index: usize,
}

impl Examples {
    /// Whether the engine draws one.
    pub(super) fn is_drawing(&self) -> bool {
        self.drawing.is_some()
    }

    /// Stops the one that is being drawn, in favour of a job of the user. It is drawn again later.
    pub(super) fn interrupt(&self) {
        if let Some(drawing) = &self.drawing {
            drawing.cancel.stop();
        }
    }

    /// Takes an event of an example's job; returns any other one.
    pub(super) fn take_event(&mut self, event: Event) -> Option<Event> {
        let Some(Drawing { job: own, index, .. }) = &self.drawing else { return Some(event) };
        let (own, index) = (*own, *index);
        match event {
            Event::Decoded { job, picture, .. } if job == own => self.pictures[index] = Some(picture),
            Event::Failed { job, .. } if job == own => self.has_failed = true,
            Event::Cancelled { job } if job == own => {}
            // What the user would be told about a picture of theirs.
            Event::Remarks { job, .. } if job == own => return None,
            other => return Some(other),
        }
        self.drawing = None;
        None
    }
}

impl Session {
    /// Draws the next example if the built-in model is loaded, there is no document yet and the engine is idle.
    pub fn draw_example(&mut self) {
        let is_wanted = self.is_builtin() && self.documents.list.is_empty() && !self.examples.has_failed;
        if !is_wanted || !self.is_ready() || !self.engine_is_free() {
            return;
        }
        let Some(index) = self.examples.pictures.iter().position(Option::is_none) else { return };
        let (Some(profile), Some(prompt)) = (&self.model.profile, builtin_vocabulary().examples.get(index))
        else {
            return;
        };
        // As the model draws it by itself: the recipe may hold other settings.
        let draft = GenerationDraft { prompt: prompt.clone(), seed: SEED, ..GenerationDraft::new(profile) };
        let Ok(request) = draft.validate(profile) else { return };
        let id = self.new_job();
        let cancel = CancelToken::new();
        self.examples.drawing = Some(Drawing { job: id, cancel: cancel.clone(), index });
        // Not by `send`, which interrupts it.
        let kind = JobKind::Generate { request: Box::new(request), continues: None, keep: KeepRun::No };
        self.outbox.effects.push(Effect::Send(Command::Run(Job { id, cancel, kind })));
    }

    /// The example prompts, each with its picture by the built-in model once that is drawn.
    pub fn examples(&self) -> impl Iterator<Item = (&'static str, Option<&Picture>)> {
        let prompts = builtin_vocabulary().examples.iter().map(String::as_str);
        prompts.zip(self.examples.pictures.iter().map(Option::as_ref))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Failure, Task};
    use crate::session::Action;
    use crate::session::tests::{finish, ready, sent_job};

    /// The example being generated, and its cancel token.
    fn asked(session: &mut Session) -> Option<(JobId, String, CancelToken)> {
        session.draw_example();
        session.take_effects().into_iter().find_map(|effect| match effect {
            Effect::Send(Command::Run(Job { id, cancel, kind: JobKind::Generate { request, .. } })) => {
                assert_eq!(request.seed, SEED);
                Some((id, request.prompt.clone(), cancel))
            }
            _ => None,
        })
    }

    fn drawn(job: JobId) -> Event {
        let picture = Picture::new(8, 8, vec![7; 8 * 8 * 3]).unwrap();
        Event::Decoded { job, picture, notice: None, elapsed_secs: 0.1 }
    }

    #[test]
    fn the_examples_are_drawn_one_after_another_and_are_no_documents() {
        let mut session = ready();
        // They do not depend on what the recipe says.
        session.draft_mut().prompt = "a fox".into();
        session.draft_mut().steps = 900;
        session.take_effects();
        let prompts: Vec<_> = session.examples().map(|(prompt, _)| prompt).collect();
        assert_eq!(prompts.len(), COUNT);
        for (index, expected) in prompts.iter().enumerate() {
            let (job, prompt, _) = asked(&mut session).unwrap();
            assert_eq!(prompt, *expected);
            assert!(asked(&mut session).is_none(), "one at a time");
            session.apply_event(drawn(job));
            assert_eq!(session.examples().filter(|(_, picture)| picture.is_some()).count(), index + 1);
        }
        assert!(asked(&mut session).is_none(), "all are drawn");
        assert_eq!((session.documents().count(), session.notices().len()), (0, 0));
        assert!(session.running().is_none());
    }

    #[test]
    fn a_job_of_the_user_goes_first() {
        let mut session = ready();
        session.take_effects();
        let (job, _, cancel) = asked(&mut session).unwrap();
        session.apply(Action::Generate);
        assert!(cancel.is_stopped());
        let own = sent_job(&mut session).unwrap();
        session.apply_event(Event::Cancelled { job });
        assert!(asked(&mut session).is_none(), "the engine draws for the user");
        finish(&mut session, own);
        assert!(asked(&mut session).is_none(), "the easel is not empty");
        let id = session.on_easel().unwrap().id();
        session.apply(Action::Remove(id));
        assert!(asked(&mut session).is_some(), "it is empty again");
    }

    #[test]
    fn a_failure_is_not_tried_again_and_nobody_is_told() {
        let mut session = ready();
        session.take_effects();
        let (job, ..) = asked(&mut session).unwrap();
        let failure = Failure { task: Task::Sample, why: "no memory".into(), advice: None };
        session.apply_event(Event::Failed { job, failure });
        assert!(asked(&mut session).is_none());
        assert!(session.notices().is_empty());
    }
}
