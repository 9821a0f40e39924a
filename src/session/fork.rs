//! Going on from a step of a run with other settings.

use super::queue::Queued;
use super::{Document, DocumentId, Message, Session};
use crate::engine::KeepRun;
use crate::formats::metadata::GenerationFacts;
use crate::latent::{Latent, Trajectory};
use crate::request::{Continuation, FinishedPart, GenerationDraft, GenerationRequest, Seed};
use crate::store::history::RunOrigin;

/// A run that goes on from another.
#[derive(Clone, Debug)]
pub struct Forked {
    /// The document of the other, and the number of its steps that both share.
    pub from: (DocumentId, usize),
    /// Its finished steps.
    pub continues: Continuation,
    /// As what the history keeps the new run.
    pub keep: KeepRun,
}

/// What a run was made from.
#[derive(Clone, Debug, Default)]
pub struct Lineage {
    /// Its parts; those before the last are shared with the runs it goes on from.
    pub parts: Vec<FinishedPart>,
    /// The document it goes on from, and the number of steps that both share.
    pub from: Option<(DocumentId, usize)>,
}

impl Lineage {
    /// The lineage of a job with this request.
    pub(super) fn of_job(request: &GenerationRequest, fork: Option<Forked>) -> Self {
        match fork {
            Some(Forked { from, continues, .. }) => {
                Self { parts: continues.parts_with(request), from: Some(from) }
            }
            None => Self { parts: vec![FinishedPart::whole(request.clone())], from: None },
        }
    }

    /// The settings for a file of the run, whose last part has this request.
    pub(super) fn facts(&self, request: &GenerationRequest, model_name: &str) -> GenerationFacts {
        GenerationFacts::of_parts(request, &self.parts, model_name)
    }
}

/// Why nothing can go on from what is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForkObstacle {
    /// No step is selected, or nothing on the easel was generated.
    NoStep,
    /// The run is still being generated.
    StillDrawing,
    /// Steps before the selected one are not known.
    StepsMissing,
    /// It is the last step.
    LastStep,
    /// Another model generated it.
    OtherModel,
    /// No model is ready.
    NoModel,
}

impl Session {
    /// Why the run on the easel cannot go on from the selected step; `None` if it can.
    pub fn fork_obstacle(&self) -> Option<ForkObstacle> {
        let Some(document) = self.on_easel() else { return Some(ForkObstacle::NoStep) };
        let (Some(place), Some(request)) = (document.place(), document.request()) else {
            return Some(ForkObstacle::NoStep);
        };
        let steps = document.steps();
        let is_known =
            |(i, step): (usize, &std::sync::Arc<crate::latent::TrajectoryStep>)| step.step == i + 1;
        if document.is_drawing() {
            Some(ForkObstacle::StillDrawing)
        } else if !steps.iter().enumerate().take(place + 1).all(is_known) {
            Some(ForkObstacle::StepsMissing)
        } else if steps.get(place).is_none_or(|step| step.step >= step.steps) {
            Some(ForkObstacle::LastStep)
        } else if !self.is_ready() {
            Some(ForkObstacle::NoModel)
        } else if request.model != self.recipe.draft.model {
            Some(ForkObstacle::OtherModel)
        } else {
            None
        }
    }

    /// Queues pictures that go on from the selected step of the run on the easel, with the words and the sampling of the
    /// recipe and the changes made to the step's estimate.
    ///
    /// A locked seed that is not the run's is that of the later noise. Without noise there is one picture.
    pub(super) fn fork(&mut self) {
        if self.fork_obstacle().is_some() {
            return;
        }
        let (Some(document), Some(profile)) = (self.on_easel(), self.model.profile.clone()) else { return };
        let (Some(place), Some(request), Some(item)) =
            (document.place(), document.request(), document.result())
        else {
            return;
        };
        let recipe = &self.recipe.draft;
        let draft = GenerationDraft {
            size: request.size,
            seed: request.seed,
            init_image: request.init_image.clone(),
            ..recipe.clone()
        };
        let own_seed = (self.recipe.seed_locked && recipe.seed != request.seed).then_some(recipe.seed);
        let count = if draft.sampler.is_stochastic() { self.recipe.batch } else { 1 };
        let finished = Trajectory {
            source: item.trajectory.source.clone(),
            steps: item.trajectory.steps[..=place].to_vec(),
        };
        let parts = parts_until(&item.lineage.parts, place + 1);
        let keep = match &document.run {
            Some(run) => KeepRun::Fork(RunOrigin { run: run.clone(), step: place + 1 }),
            None => KeepRun::New,
        };
        let (from, retouched) = ((document.id(), place + 1), self.retouched_estimate(document));
        match draft.for_run(&profile).validate(&profile) {
            Ok(request) => {
                for index in 0..count {
                    let noise_seed = noise_seed(own_seed, request.seed, index);
                    let continues = Continuation {
                        parts: parts.clone(),
                        finished: finished.clone(),
                        retouched: retouched.clone(),
                        noise_seed,
                    };
                    let id = self.new_job();
                    self.queue.series_grows(1);
                    let fork = Some(Forked { from, continues, keep: keep.clone() });
                    self.queue.waiting.push(Queued { id, request: request.clone(), fork, grid: None });
                }
            }
            Err(error) => {
                self.notify(Message::NotDrawable(error));
                return;
            }
        }
        self.start_next();
        self.go_live();
    }

    /// The estimate on the easel with its edits, if it has any.
    fn retouched_estimate(&self, document: &Document) -> Option<Latent> {
        let inspector = document.inspector();
        let is_edited = !inspector.adjustments.is_none() && !self.shows_noisy();
        if is_edited { inspector.adjusted() } else { None }
    }
}

/// The seed of the later noise of a picture of a batch; `None` goes on with the run's.
fn noise_seed(own: Option<Seed>, run: Seed, index: u64) -> Option<Seed> {
    match own {
        Some(seed) => Some(seed.nth(index)),
        None => (index > 0).then(|| run.nth(index)),
    }
}

/// The parts of a run that begin before this step is taken.
pub(super) fn parts_until(parts: &[FinishedPart], taken: usize) -> Vec<FinishedPart> {
    let begun = |part: &&FinishedPart| part.after < taken || part.after == 0;
    parts.iter().filter(begun).cloned().collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::tests::{ready, sent_job};
    use super::super::{Action, Document, Effect, Touch};
    use super::*;
    use crate::catalog::SamplerKind;
    use crate::engine::{Command, Event, Job, JobId, JobKind};
    use crate::latent::{ChannelAdjustment, LatentShape, TrajectoryStep};
    use crate::request::Picture;

    fn latent(value: f32) -> Latent {
        Latent::zeros(LatentShape::new(4, 8, 8)).map(|_, _| value)
    }

    fn steps(count: usize) -> Vec<Arc<TrajectoryStep>> {
        let step = |i: usize| TrajectoryStep {
            step: i,
            steps: count,
            sigma: 1.0,
            noisy: latent(0.5),
            denoised: latent(i as f32),
            outputs: vec![latent(i as f32)],
            elapsed_secs: 0.1,
        };
        (1..=count).map(|i| Arc::new(step(i))).collect()
    }

    /// Finishes a job with `count` steps and a picture.
    fn draw(session: &mut Session, job: JobId, count: usize) {
        let trajectory = Arc::new(Trajectory { source: None, steps: steps(count) });
        session.apply_event(Event::Sampled { job, latent: latent(9.0), trajectory, finished_early: false });
        let picture = Picture::new(64, 64, vec![0; 64 * 64 * 3]).unwrap();
        session.apply_event(Event::Decoded { job, picture, notice: None, elapsed_secs: 1.0 });
    }

    fn drawn(sampler: SamplerKind) -> (Session, JobId) {
        let mut session = ready();
        session.recipe.draft.sampler = sampler;
        session.recipe.draft.prompt = "a fox".into();
        session.apply(Action::Generate);
        let job = sent_job(&mut session).unwrap();
        draw(&mut session, job, 6);
        session.apply(Action::Show(DocumentId::of_job(job)));
        session.take_effects();
        (session, job)
    }

    /// The jobs sent to the engine, each with what it goes on from.
    fn sent(session: &mut Session) -> Vec<(JobId, GenerationRequest, Continuation)> {
        let effects = session.take_effects().into_iter();
        effects
            .filter_map(|effect| match effect {
                Effect::Send(Command::Run(Job {
                    id,
                    kind: JobKind::Generate { request, continues: Some(continues), .. },
                    ..
                })) => Some((id, *request, *continues)),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn a_fork_takes_the_words_of_the_recipe_and_the_size_and_seed_of_the_run() {
        let (mut session, job) = drawn(SamplerKind::Dpmpp2m);
        assert_eq!(session.fork_obstacle(), Some(ForkObstacle::NoStep));
        session.apply(Action::Scrub(Some(5)));
        assert_eq!(session.fork_obstacle(), Some(ForkObstacle::LastStep));
        session.apply(Action::Scrub(Some(2)));
        assert_eq!(session.fork_obstacle(), None);
        let first = session.on_easel().and_then(Document::request).unwrap().clone();
        session.recipe.draft.prompt = "an owl".into();
        session.recipe.draft.seed = Seed(77);
        session.apply(Action::Fork);
        let [(fork, request, continues)] = &sent(&mut session)[..] else { panic!("one job") };
        assert_eq!((request.prompt.as_str(), request.seed, request.size), ("an owl", first.seed, first.size));
        assert_eq!(continues.finished.steps, steps(6)[..3]);
        assert_eq!(continues.parts, [FinishedPart::whole(first.clone())]);
        assert_eq!((&continues.retouched, continues.noise_seed), (&None, None), "the seed is not locked");
        draw(&mut session, *fork, 6);
        let item = session.result(*fork).unwrap();
        assert_eq!(item.lineage.from, Some((DocumentId::of_job(job), 3)));
        assert_eq!(item.lineage.parts.iter().map(|part| part.after).collect::<Vec<_>>(), [0, 3]);
        assert!(item.facts().other.contains(&("Forked after step".to_owned(), "3".to_owned())));
        // A fork of the fork before its own part shares the first run only.
        session.apply(Action::Show(DocumentId::of_job(*fork)));
        session.apply(Action::Scrub(Some(1)));
        session.apply(Action::Fork);
        let [(_, _, continues)] = &sent(&mut session)[..] else { panic!("one job") };
        assert_eq!(continues.parts, [FinishedPart::whole(first)]);
    }

    #[test]
    fn an_edited_estimate_and_a_locked_seed_go_along() {
        let (mut session, _) = drawn(SamplerKind::EulerAncestral);
        session.apply(Action::Scrub(Some(2)));
        let adjustment = ChannelAdjustment { gain: 2.0, ..ChannelAdjustment::default() };
        session.apply(Action::Touch(Touch::Channel { index: 0, adjustment, begins: true }));
        session.recipe.set_batch(2, true);
        session.recipe.draft.seed = Seed(50);
        session.apply(Action::Fork);
        let [(first, _, continues)] = &sent(&mut session)[..] else { panic!("one runs") };
        assert_eq!(continues.noise_seed, Some(Seed(50)));
        let retouched = continues.retouched.as_ref().unwrap();
        assert_eq!((retouched.channel(0)[0], retouched.channel(1)[0]), (6.0, 3.0));
        draw(&mut session, *first, 6);
        let [(_, _, continues)] = &sent(&mut session)[..] else { panic!("the second runs") };
        assert_eq!(continues.noise_seed, Some(Seed(51)));
    }

    #[test]
    fn what_stands_in_the_way_is_named() {
        let (mut session, _) = drawn(SamplerKind::Dpmpp2m);
        session.apply(Action::Scrub(Some(1)));
        let gap = session.documents.easel.unwrap();
        let item = session.documents.get_mut(gap).and_then(Document::result_mut).unwrap();
        let mut trajectory = (*item.trajectory).clone();
        trajectory.steps.remove(0);
        item.trajectory = trajectory.into();
        assert_eq!(session.fork_obstacle(), Some(ForkObstacle::StepsMissing));
        session.apply(Action::Fork);
        assert!(sent(&mut session).is_empty());
        session.recipe.draft.model = crate::catalog::ModelSource::Folder("/other".into());
        let (mut session, _) = drawn(SamplerKind::Dpmpp2m);
        session.apply(Action::Scrub(Some(1)));
        session.recipe.draft.model = crate::catalog::ModelSource::Folder("/other".into());
        assert_eq!(session.fork_obstacle(), Some(ForkObstacle::OtherModel));
    }
}
