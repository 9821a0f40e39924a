//! Pictures of steps that are compared: they are decoded when the user asks for it.

use super::Side;
use crate::engine::{JobId, JobKind};
use crate::latent::Latent;
use crate::request::{CancelToken, DecodeChoice, Picture};
use crate::session::Session;

/// Pictures that are held.
const MOST: usize = 8;

/// Decodes for a comparison.
#[derive(Default)]
pub(super) struct Decodes {
    running: Vec<(JobId, CancelToken, Latent)>,
    /// The oldest first.
    done: Vec<(Latent, Picture)>,
}

impl Decodes {
    /// The picture of a latent.
    pub(super) fn picture(&self, latent: &Latent) -> Option<&Picture> {
        self.done.iter().find(|(of, _)| is_same(of, latent)).map(|(_, picture)| picture)
    }

    /// Stops what is running and drops all pictures.
    pub(super) fn forget(&mut self) {
        for (_, cancel, _) in &self.running {
            cancel.stop();
        }
        self.done.clear();
    }
}

fn is_same(a: &Latent, b: &Latent) -> bool {
    a.values().as_ptr() == b.values().as_ptr()
}

/// Whether pictures of two that are compared can be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairDecode {
    /// Both have pictures, or no latents to be decoded.
    NotNeeded,
    /// They can.
    Possible,
    /// They are being decoded.
    Running,
    /// The loaded model decodes other latents, or none is loaded.
    OtherModel,
}

impl Session {
    /// Whether pictures of the two that are compared can be decoded.
    pub fn pair_decode(&self) -> PairDecode {
        let lacking = self.lacking_pictures();
        let format = self.profile().filter(|_| self.is_ready()).map(|profile| profile.format);
        if lacking.is_empty() {
            PairDecode::NotNeeded
        } else if lacking.iter().any(|side| self.is_pair_decoding(side)) {
            PairDecode::Running
        } else if lacking.iter().any(|side| side.format != format) {
            PairDecode::OtherModel
        } else {
            PairDecode::Possible
        }
    }

    fn lacking_pictures(&self) -> Vec<Side> {
        let pair = self.pair().into_iter().flatten();
        pair.filter(|side| side.picture.is_none() && side.latent.is_some()).collect()
    }

    fn is_pair_decoding(&self, side: &Side) -> bool {
        let mut running = self.comparing.decodes.running.iter();
        side.latent.as_ref().is_some_and(|latent| running.any(|(.., of)| is_same(of, latent)))
    }

    pub(super) fn decode_pair(&mut self) {
        if self.pair_decode() != PairDecode::Possible {
            return;
        }
        for latent in self.lacking_pictures().into_iter().filter_map(|side| side.latent) {
            let job = self.new_job();
            let model = self.recipe.draft.model.clone();
            let kind = JobKind::Decode { model, latent: latent.clone(), how: DecodeChoice::default() };
            let cancel = self.send(job, kind);
            self.comparing.decodes.running.push((job, cancel, latent));
        }
    }

    /// Handles a decoded latent. Returns whether the job was for a comparison.
    pub(in crate::session) fn pair_decoded(&mut self, job: JobId, picture: &Picture) -> bool {
        let decodes = &mut self.comparing.decodes;
        let Some(at) = decodes.running.iter().position(|(running, ..)| *running == job) else { return false };
        let (.., latent) = decodes.running.remove(at);
        decodes.done.push((latent, picture.clone()));
        if decodes.done.len() > MOST {
            decodes.done.remove(0);
        }
        true
    }

    /// Handles a decode for a comparison that ended without a picture.
    pub(in crate::session) fn pair_decode_ended(&mut self, job: JobId) {
        self.comparing.decodes.running.retain(|(running, ..)| *running != job);
    }
}
