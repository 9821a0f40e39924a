//! Which work of the engine is announced when it ends: what took long. One announcement covers all jobs from the first
//! one until the engine has nothing more to do for the user.

use std::time::{Duration, Instant};

use super::{Document, Effect, Session};
use crate::engine::{Event, Failure, JobId, JobKind};

/// Work that takes less time is not announced.
const LONG: Duration = Duration::from_secs(10);

/// Long work that ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EndedWork {
    /// How long all of it took.
    pub took: Duration,
    /// The number of generated pictures.
    pub drawn: u64,
    /// The number of pictures that were encoded and of latents that were decoded, apart from generated ones.
    pub coded: u64,
    /// Whether a model was loaded.
    pub loaded: bool,
    /// The number of failed jobs, and why the last one of them failed.
    pub failed: u64,
    /// See [`EndedWork::failed`].
    pub why: Option<Failure>,
}

/// How a job ended.
#[derive(Debug)]
enum Ended {
    Drawn,
    Coded,
    Loaded,
    Failed(Failure),
}

/// The work since the engine was last idle.
#[derive(Default)]
pub(super) struct WorkSpan {
    since: Option<Instant>,
    ended: EndedWork,
}

impl WorkSpan {
    /// A job was sent.
    fn begin(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    fn add(&mut self, ended: Ended) {
        match ended {
            Ended::Drawn => self.ended.drawn += 1,
            Ended::Coded => self.ended.coded += 1,
            Ended::Loaded => self.ended.loaded = true,
            Ended::Failed(failure) => {
                self.ended.failed += 1;
                self.ended.why = Some(failure);
            }
        }
    }

    /// The engine has nothing more to do. Gives what is worth an announcement: work that was only stopped is not.
    fn end(&mut self, now: Instant) -> Option<EndedWork> {
        let Self { since, ended } = std::mem::take(self);
        let took = now.saturating_duration_since(since?);
        let EndedWork { drawn, coded, loaded, failed, .. } = ended;
        let is_any = drawn + coded + failed > 0 || loaded;
        (is_any && took >= LONG).then_some(EndedWork { took, ..ended })
    }
}

impl Session {
    /// Begins a span of work if the user waits for jobs of this kind.
    pub(super) fn work_begins(&mut self, kind: &JobKind) {
        let is_short = matches!(
            kind,
            JobKind::MeasurePrompt { .. }
                | JobKind::FitPreview { .. }
                | JobKind::FindRuns { .. }
                | JobKind::Describe { .. }
        );
        if !is_short {
            self.work_span.begin(Instant::now());
        }
    }

    /// Applies an event, and announces the work that it ends.
    pub fn apply_event(&mut self, event: Event) {
        let Some(event) = self.examples.take_event(event) else { return };
        if let Some(event) = self.take_reel_event(event) {
            let ended = self.ended_by(&event);
            self.take_event(event);
            if let Some(ended) = ended {
                self.work_span.add(ended);
            }
        }
        if !self.is_busy()
            && let Some(ended) = self.work_span.end(Instant::now())
        {
            self.outbox.effects.push(Effect::Announce(Box::new(ended)));
        }
    }

    /// How an event ends a job that the user waits for; `None` if it does not.
    fn ended_by(&self, event: &Event) -> Option<Ended> {
        let loads = |job: JobId| self.model.load.as_ref().is_some_and(|load| load.job == job);
        match event {
            Event::ModelLoaded { job, .. } if loads(*job) => Some(Ended::Loaded),
            Event::Decoded { job, .. } if self.queue.runs(*job) => Some(Ended::Drawn),
            Event::Decoded { job, .. } | Event::Encoded { job, .. } if self.codes(*job) => Some(Ended::Coded),
            Event::Failed { job, failure } if loads(*job) || self.queue.runs(*job) || self.codes(*job) => {
                Some(Ended::Failed(failure.clone()))
            }
            _ => None,
        }
    }

    /// Whether this job encodes or decodes for a document.
    fn codes(&self, job: JobId) -> bool {
        let works = |document: &Document| document.work().is_some_and(|work| work.job == job);
        self.recovering.decoding == Some(job) || self.documents.list.iter().any(works)
    }

    /// Whether the engine has something to do for the user.
    fn is_busy(&self) -> bool {
        self.queue.running.is_some()
            || !self.queue.waiting.is_empty()
            || self.model.load.is_some()
            || self.recovering.decoding.is_some()
            || self.reels.is_decoding()
            || self.documents.list.iter().any(|document| document.work().is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Task;
    use crate::request::{DecodeChoice, Picture};
    use crate::session::tests::{finish, ready, sent_job};
    use crate::session::{Action, DocumentId};

    fn failure() -> Failure {
        Failure { task: Task::Sample, why: "no memory".into(), advice: None }
    }

    #[test]
    fn only_long_work_that_came_to_an_end_is_announced() {
        let start = Instant::now();
        let after = |secs: f64| start + Duration::from_secs_f64(secs);
        let span = |begun: bool, ended: Option<Ended>| {
            let mut span = WorkSpan::default();
            if begun {
                span.begin(start);
                span.begin(after(9.0));
            }
            if let Some(ended) = ended {
                span.add(ended);
            }
            span
        };
        assert_eq!(span(true, Some(Ended::Drawn)).end(after(9.9)), None, "it was short");
        let long = span(true, Some(Ended::Drawn)).end(after(12.0)).unwrap();
        assert_eq!((long.took, long.drawn, long.failed), (Duration::from_secs(12), 1, 0));
        assert_eq!(span(true, None).end(after(60.0)), None, "it was stopped");
        assert_eq!(span(false, Some(Ended::Drawn)).end(after(60.0)), None, "it was not the user's");
        let failed = span(true, Some(Ended::Failed(failure()))).end(after(10.0)).unwrap();
        assert_eq!((failed.failed, failed.why), (1, Some(failure())));
        assert!(span(true, Some(Ended::Loaded)).end(after(10.0)).unwrap().loaded);
    }

    /// The announcements since the last call; the span is made to look long.
    fn announced(session: &mut Session, event: impl FnOnce(&mut Session)) -> Vec<EndedWork> {
        if let Some(since) = &mut session.work_span.since {
            *since -= LONG;
        }
        event(session);
        let effects = session.take_effects().into_iter();
        effects
            .filter_map(|effect| if let Effect::Announce(ended) = effect { Some(*ended) } else { None })
            .collect()
    }

    #[test]
    fn a_queue_is_announced_once_when_all_of_it_has_ended() {
        let mut session = ready();
        session.take_effects();
        assert!(session.work_span.since.is_none(), "loading the model has ended");
        session.apply(Action::SetBatch(3, false));
        session.apply(Action::Generate);
        let first = sent_job(&mut session).unwrap();
        finish(&mut session, first);
        let second = sent_job(&mut session).unwrap();
        let none = announced(&mut session, |session| {
            session.apply_event(Event::Failed { job: second, failure: failure() });
            assert!(session.running().is_some(), "the third has begun");
        });
        assert!(none.is_empty());
        let third = session.running().unwrap().id;
        let [ended] = &announced(&mut session, |session| finish(session, third))[..] else { panic!() };
        assert_eq!((ended.drawn, ended.failed, ended.loaded), (2, 1, false));
        assert!(session.work_span.since.is_none());
    }

    #[test]
    fn a_stopped_picture_is_not_announced_and_a_decode_is() {
        let mut session = ready();
        session.take_effects();
        session.apply(Action::Generate);
        let job = sent_job(&mut session).unwrap();
        let cancelled = |session: &mut Session| session.apply_event(Event::Cancelled { job });
        assert!(announced(&mut session, cancelled).is_empty());

        session.apply(Action::Generate);
        let job = sent_job(&mut session).unwrap();
        finish(&mut session, job);
        session.take_effects();
        session.apply(Action::Show(DocumentId::of_job(job)));
        session.apply(Action::Decode(DecodeChoice::default()));
        let work = session.on_easel().unwrap().work().unwrap().job;
        let picture = Picture::new(64, 64, vec![0; 64 * 64 * 3]).unwrap();
        let decoded = Event::Decoded { job: work, picture, notice: None, elapsed_secs: 12.0 };
        let [ended] = &announced(&mut session, |session| session.apply_event(decoded))[..] else { panic!() };
        assert_eq!((ended.coded, ended.drawn), (1, 0));
    }
}
