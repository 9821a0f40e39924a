//! What is typed and set for the next pictures.

use crate::catalog::{ImageSize, ModelSource, SamplerKind, ScheduleKind};
use crate::request::{GenerationDraft, Seed};

/// Most pictures of a batch.
const MAX_BATCH: u64 = 1000;

/// What the next pictures are to be.
pub(super) struct Recipe {
    pub(super) draft: GenerationDraft,
    /// Pictures of the next batch.
    pub(super) batch: u64,
    /// Whether the seed stays after a batch.
    pub(super) seed_locked: bool,
}

impl Recipe {
    /// Nothing typed yet, for a model that is not known yet.
    pub(super) fn new(model: ModelSource) -> Self {
        let draft = GenerationDraft {
            model,
            prompt: String::new(),
            negative_prompt: String::new(),
            size: ImageSize::new(128, 128),
            steps: 20,
            guidance_scale: 4.0,
            seed: Seed::random(),
            sampler: SamplerKind::default(),
            schedule: ScheduleKind::default(),
            init_image: None,
        };
        Self { draft, batch: 1, seed_locked: false }
    }

    pub(super) fn set_batch(&mut self, batch: u64, seed_locked: bool) {
        (self.batch, self.seed_locked) = (batch.clamp(1, MAX_BATCH), seed_locked);
    }

    /// A batch was taken: the next one has other seeds, unless the person holds the seed.
    pub(super) fn batch_taken(&mut self) {
        if !self.seed_locked {
            self.draft.seed = self.draft.seed.nth(self.batch);
        }
    }
}
