//! Restores unsaved results of an earlier session: loads the models that generated them, and decodes their latents one
//! after another.

use std::collections::VecDeque;
use std::path::PathBuf;

use super::{Document, DocumentId, Effect, Lineage, Message, Origin, Outcome, ResultItem, Session};
use crate::catalog::{ModelProfile, ModelSource};
use crate::engine::{JobId, JobKind};
use crate::formats::metadata::GenerationFacts;
use crate::latent::Latent;
use crate::request::{DecodeChoice, GenerationDraft};

/// A result read from the recovery folder.
#[derive(Clone, Debug, PartialEq)]
pub struct Recovered {
    /// The path of its files, without extension.
    pub kept_as: PathBuf,
    /// The model that generated it.
    pub model: ModelSource,
    /// The settings of the run.
    pub facts: GenerationFacts,
    /// The final latent, VAE space.
    pub latent: Latent,
    /// Whether the run ended before its last step.
    pub finished_early: bool,
    /// Duration of the run, seconds.
    pub elapsed_secs: f64,
}

/// Results of an earlier session that are being restored.
#[derive(Default)]
pub(super) struct Recovering {
    /// Results whose model is not loaded yet.
    pub(super) waiting: Vec<Recovered>,
    /// Results that have to be decoded, and the one being decoded.
    pub(super) to_decode: VecDeque<JobId>,
    pub(super) decoding: Option<JobId>,
}

impl Recovered {
    /// Rebuilds the result; `None` if it does not fit the loaded model.
    fn into_result(self, job: JobId, profile: &ModelProfile) -> Option<ResultItem> {
        if self.latent.shape().channels != profile.format.channels {
            return None;
        }
        let mut draft = GenerationDraft { model: self.model, ..GenerationDraft::new(profile) };
        self.facts.apply_to(&mut draft);
        draft.take_unfit_options(profile);
        let request = draft.for_run(profile).validate(profile).ok()?;
        Some(ResultItem {
            job,
            lineage: Lineage::of_job(&request, None),
            request,
            model_name: profile.name.clone(),
            format: profile.format,
            latent: profile.format.model_from_vae(&self.latent),
            trajectory: std::sync::Arc::default(),
            outcome: Outcome::Decoding,
            finished_early: self.finished_early,
            elapsed_secs: self.elapsed_secs,
        })
    }
}

impl Session {
    /// Starts to restore results. Their models are loaded one after another.
    pub(super) fn recover(&mut self, recovered: Vec<Recovered>) {
        self.recovering.waiting.extend(recovered);
        self.recover_with_loaded_model();
    }

    /// Restores the results of the loaded model, then loads the next model that is needed.
    pub(super) fn recover_with_loaded_model(&mut self) {
        if self.model.load.is_some() || self.recovering.waiting.is_empty() {
            return;
        }
        if let (true, Some(profile)) = (self.is_ready(), self.model.profile.clone()) {
            let is_of_model = |recovered: &mut Recovered| recovered.model == profile.source;
            for recovered in self.recovering.waiting.extract_if(.., is_of_model).collect::<Vec<_>>() {
                let (job, kept_as) = (self.new_job(), recovered.kept_as.clone());
                match recovered.into_result(job, &profile) {
                    Some(item) => {
                        let document = Document::new(DocumentId::of_job(job), Origin::Drawn(Box::new(item)));
                        self.documents.list.push(document);
                        if self.documents.easel.is_none() {
                            self.put_on_easel(DocumentId::of_job(job));
                        }
                        self.outbox.effects.push(Effect::IsKeptAs(job, kept_as));
                        self.recovering.to_decode.push_back(job);
                    }
                    // The folder contains another model now.
                    None => {
                        self.notify(Message::NotRecovered(kept_as.with_extension("latent")));
                    }
                }
            }
            self.decode_next();
        }
        if let Some(next) = self.recovering.waiting.first() {
            let model = next.model.clone();
            self.load_model(model);
        }
    }

    /// Handles a model that cannot be loaded: its results stay in the recovery folder.
    pub(super) fn give_up_recovering(&mut self, model: &ModelSource) {
        let is_of_model = |recovered: &mut Recovered| recovered.model == *model;
        for recovered in self.recovering.waiting.extract_if(.., is_of_model).collect::<Vec<_>>() {
            self.notify(Message::NotRecovered(recovered.kept_as.with_extension("latent")));
        }
        self.recover_with_loaded_model();
    }

    /// Decodes the next result. One at a time, so that jobs of the user do not have to wait for all.
    pub(super) fn decode_next(&mut self) {
        if self.recovering.decoding.is_some() {
            return;
        }
        while let Some(job) = self.recovering.to_decode.pop_front() {
            // The document may have been removed meanwhile.
            let document = self.documents.get(DocumentId::of_job(job));
            let Some(item) = document.and_then(Document::result) else { continue };
            let (model, latent) = (item.request.model.clone(), item.latent.clone());
            self.recovering.decoding = Some(job);
            self.send(job, JobKind::Decode { model, latent, how: DecodeChoice::default() });
            return;
        }
    }

    /// Starts the next decode if the finished job was one of these.
    pub(super) fn decode_ended(&mut self, job: JobId) {
        if self.recovering.decoding == Some(job) {
            self.recovering.decoding = None;
            self.decode_next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{finish, latent, profile, ready, sent_job};
    use super::super::{Action, ModelState};
    use super::*;
    use crate::engine::{Command, Job};
    use crate::engine::{Event, Failure, Task};
    use crate::request::{Picture, Seed};

    fn recovered(model: &ModelSource, seed: u64) -> Recovered {
        let request = GenerationDraft { seed: Seed(seed), ..GenerationDraft::new(&profile()) };
        Recovered {
            kept_as: PathBuf::from(format!("/kept/{seed}")),
            model: model.clone(),
            facts: GenerationFacts::of_request(&request, "as it was"),
            latent: latent().map(|_, _| 1.0),
            finished_early: true,
            elapsed_secs: 7.0,
        }
    }

    /// Generated pictures, oldest first.
    fn results(session: &Session) -> Vec<&ResultItem> {
        session.documents.list.iter().filter_map(Document::result).collect()
    }

    fn decodes(session: &mut Session) -> Vec<JobId> {
        let effects = session.take_effects().into_iter();
        effects
            .filter_map(|effect| match effect {
                Effect::Send(Command::Run(Job { id: job, kind: JobKind::Decode { .. }, .. })) => Some(job),
                _ => None,
            })
            .collect()
    }

    fn decoded(job: JobId) -> Event {
        let picture = Picture::new(64, 64, vec![0; 64 * 64 * 3]).unwrap();
        Event::Decoded { job, picture, notice: None, elapsed_secs: 0.1 }
    }

    fn loads(session: &mut Session) -> Option<(JobId, ModelSource)> {
        session.take_effects().into_iter().find_map(|effect| match effect {
            Effect::Send(Command::Run(Job { id: job, kind: JobKind::LoadModel { model, .. }, .. })) => {
                Some((job, model))
            }
            _ => None,
        })
    }

    fn loaded(job: JobId, model: &ModelSource) -> Event {
        let profile = ModelProfile { source: model.clone(), ..(*profile()).clone() };
        let profile = std::sync::Arc::new(profile);
        Event::ModelLoaded { job, profile, device: "CPU".into(), in_halves: false, elapsed_secs: 0.1 }
    }

    #[test]
    fn recovered_results_are_unsaved_and_decoded_one_after_another() {
        let mut session = ready();
        let own = session.recipe.draft.model.clone();
        session.apply(Action::Recover(vec![recovered(&own, 5), recovered(&own, 6)]));
        assert_eq!(results(&session).iter().map(|r| r.request.seed.0).collect::<Vec<_>>(), [5, 6]);
        assert_eq!(session.unsaved().count(), 2);
        let item = results(&session)[0];
        assert_eq!((item.finished_early, item.elapsed_secs), (true, 7.0));
        let expected = profile().format.scale as f32;
        assert!((item.latent.values()[0] - expected).abs() < 1e-6, "model space");
        let [first] = decodes(&mut session)[..] else { panic!("one at a time") };
        session.apply_event(decoded(first));
        assert_eq!(results(&session)[0].elapsed_secs, 7.0, "of the run, not of the decoding");
        let [second] = decodes(&mut session)[..] else { panic!("then the next") };
        let failure = Failure { task: Task::Decode, why: "NaN".into(), advice: None };
        session.apply_event(Event::Failed { job: second, failure });
        assert!(results(&session)[0].picture().is_some());
        assert!(matches!(results(&session)[1].outcome, Outcome::Failed(_)));
    }

    #[test]
    fn models_of_recovered_results_are_loaded() {
        let mut session = ready();
        let (own, other) = (session.recipe.draft.model.clone(), ModelSource::Folder("/models/other".into()));
        session.apply(Action::Recover(vec![recovered(&other, 1), recovered(&own, 2)]));
        assert_eq!(results(&session).len(), 1, "what the loaded model drew is there at once");
        let (job, model) = loads(&mut session).unwrap();
        assert_eq!(model, other);
        session.apply_event(loaded(job, &other));
        assert_eq!(results(&session).iter().map(|r| r.request.seed.0).collect::<Vec<_>>(), [2, 1]);
    }

    #[test]
    fn results_of_a_missing_model_stay_in_the_recovery_folder() {
        let mut session = ready();
        let (gone, other) = (ModelSource::Folder("/gone".into()), ModelSource::Folder("/other".into()));
        session.apply(Action::Recover(vec![recovered(&gone, 1), recovered(&other, 2)]));
        let (job, _) = loads(&mut session).unwrap();
        let failure = Failure { task: Task::LoadModel, why: "it is gone".into(), advice: None };
        session.apply_event(Event::Failed { job, failure });
        assert!(
            session.notices.list.iter().any(|n| n.message == Message::NotRecovered("/kept/1.latent".into()))
        );
        let (job, model) = loads(&mut session).unwrap();
        assert_eq!(model, other, "the others do not wait for it");
        session.apply_event(loaded(job, &other));
        assert_eq!(results(&session).len(), 1);
    }

    #[test]
    fn a_latent_with_another_number_of_channels_is_not_recovered() {
        let mut session = ready();
        let own = session.recipe.draft.model.clone();
        let sixteen = Latent::zeros(crate::latent::LatentShape::new(16, 8, 8));
        session.apply(Action::Recover(vec![Recovered { latent: sixteen, ..recovered(&own, 1) }]));
        assert!(results(&session).is_empty());
        assert!(matches!(session.notices.list[0].message, Message::NotRecovered(_)));
    }

    #[test]
    fn a_result_is_in_the_recovery_folder_until_it_is_saved_or_removed() {
        let mut session = ready();
        session.recipe.batch = 2;
        session.apply(Action::Generate);
        let first = sent_job(&mut session).unwrap();
        finish(&mut session, first);
        let kept = |session: &mut Session| -> Vec<String> {
            let effects = session.take_effects().into_iter();
            effects
                .filter_map(|effect| match effect {
                    Effect::Keep(job) => Some(format!("keep {}", job.0)),
                    Effect::Forget(job) => Some(format!("forget {}", job.0)),
                    _ => None,
                })
                .collect()
        };
        assert_eq!(kept(&mut session), [format!("keep {}", first.0)]);
        let second = session.queue.running.as_ref().unwrap().id;
        finish(&mut session, second);
        assert_eq!(kept(&mut session), [format!("keep {}", second.0)]);
        session.mark_saved(DocumentId::of_job(first));
        assert_eq!(kept(&mut session), [format!("forget {}", first.0)]);

        session.apply(Action::Remove(DocumentId::of_job(second)));
        assert_eq!(kept(&mut session), [format!("forget {}", second.0)]);
        let notice = session.notices.list.last().unwrap().id;
        assert!(session.can_take_back(notice));
        session.apply(Action::TakeBack(notice));
        assert_eq!(kept(&mut session), [format!("keep {}", second.0)]);
        assert_eq!(results(&session).len(), 2);
        assert_eq!(session.on_easel().unwrap().id(), DocumentId::of_job(second));
        assert!(results(&session)[1].picture().is_some() && session.notices.list.is_empty());

        session.apply(Action::Remove(DocumentId::of_job(first)));
        let notice = session.notices.list.last().unwrap().id;
        session.apply(Action::Dismiss(notice));
        assert!(!session.can_take_back(notice));
        session.apply(Action::TakeBack(notice));
        assert_eq!(results(&session).len(), 1);
    }

    #[test]
    fn a_result_removed_while_it_was_decoded_is_decoded_when_it_is_restored() {
        let mut session = ready();
        session.apply(Action::Generate);
        let job = sent_job(&mut session).unwrap();
        let trajectory = std::sync::Arc::default();
        session.apply_event(Event::Sampled { job, latent: latent(), trajectory, finished_early: false });
        session.apply(Action::Remove(DocumentId::of_job(job)));
        session.apply_event(decoded(job));
        session.take_effects();
        session.apply(Action::TakeBack(session.notices.list.last().unwrap().id));
        assert_eq!(decodes(&mut session), [job]);
        session.apply_event(decoded(job));
        assert!(results(&session)[0].picture().is_some());
    }

    #[test]
    fn a_load_that_panics_is_a_failed_load_and_is_not_repeated() {
        let mut session = ready();
        session.apply(Action::SetModel(ModelSource::Folder("/panics".into())));
        let (job, _) = loads(&mut session).unwrap();
        let failure = Failure { task: Task::Run, why: "a panic".into(), advice: None };
        session.apply_event(Event::Failed { job, failure });
        session.apply_event(Event::Restarted { reason: "a panic".into() });
        let (_, model) = loads(&mut session).unwrap();
        assert_eq!(model, ModelSource::Builtin, "the one that worked");

        // After a panic while generating, the model, which had worked before, is loaded once more.
        let mut session = ready();
        session.apply(Action::Generate);
        let job = sent_job(&mut session).unwrap();
        let failure = Failure { task: Task::Run, why: "a panic".into(), advice: None };
        session.apply_event(Event::Failed { job, failure: failure.clone() });
        session.apply_event(Event::Restarted { reason: "a panic".into() });
        let (job, _) = loads(&mut session).unwrap();
        session.apply_event(Event::Failed { job, failure });
        session.apply_event(Event::Restarted { reason: "a panic".into() });
        assert!(loads(&mut session).is_none());
        assert!(matches!(session.model.state, ModelState::Failed(_)));
    }

    #[test]
    fn a_model_that_crashed_the_program_is_loaded_only_on_request() {
        let model = ModelSource::Folder("/models/deadly".into());
        let mut session = Session::held_back(model.clone(), vec!["/models/deadly".into()]);
        assert!(loads(&mut session).is_none() && session.model.is_held_back && !session.takes_jobs());
        assert!(matches!(session.model.state, ModelState::Failed(_)));
        assert_eq!(session.notices.list[0].message, Message::ModelHeldBack(model.clone()));
        session.apply(Action::SetModel(model.clone()));
        assert_eq!(loads(&mut session).unwrap().1, model);
        assert!(!session.model.is_held_back);
    }
}
