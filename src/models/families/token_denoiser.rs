//! Transformers over latent patches as the [`DenoisingNetwork`] of a sampler.

use super::word_watch::WordWatch;
use crate::diffusion::{Branch, DenoisingNetwork, DiffusionError, Prediction, TokenActivity};
use crate::latent::{Latent, LatentShape};
use crate::models::ModelError;
use crate::networks::backend::{DType, Device, Tensor};
use crate::networks::mmdit::{PatchOrder, latent_from_patches, patches};
use crate::networks::{JointTokens, NetworkError, Runtime};
use crate::request::{CancelToken, LayerSet, PromptTokens};

/// The transformer's name in diffusers' layout.
pub(super) const TRANSFORMER: &str = "transformer";

/// Inputs of a prediction besides latent and prompt. Times are from 0 (data) to 1 (noise).
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    /// The time of the noisy latent.
    pub(super) time: f64,
    /// The time that the step leads to.
    pub(super) target: f64,
    /// Layers that are skipped.
    pub(super) skipped: LayerSet,
}

/// A transformer that predicts the flow for the patches of a noisy latent.
pub(super) trait TokenDenoiser: Send + Sync {
    /// The conditioning from a prompt, the same at every step.
    type Context: Send + Sync;
    /// The position embeddings of text and image tokens, the same at every step.
    type Positions: Send + Sync;
    /// The order of a patch's values, of the input and of the output.
    const ORDERS: [PatchOrder; 2];

    /// The position embeddings for an image of `grid` tokens, rows and columns.
    fn positions(&self, context: &Self::Context, grid: [usize; 2]) -> Result<Self::Positions, NetworkError>;

    /// The text tokens as the network takes them, `[1, M, C]`.
    fn text_tokens(context: &Self::Context) -> &Tensor;

    /// Where text and image tokens stand in joint attention to an image of `grid` tokens.
    fn joint_tokens(context: &Self::Context, grid: [usize; 2]) -> Result<JointTokens, NetworkError> {
        let text = Self::text_tokens(context).dim(1)?;
        Ok(JointTokens { all: text + grid[0] * grid[1], text: 0, image: text })
    }

    /// The flow, noise − data, for the image tokens `[1, L, 4·C]`: `[1, L, 4·C]`.
    fn flow(
        &self,
        tokens: &Tensor,
        at: At,
        context: &Self::Context,
        positions: &Self::Positions,
        cancel: &CancelToken,
    ) -> Result<Tensor, NetworkError>;
}

/// A prompt's conditioning, with the position embeddings for the latent.
pub(super) struct Prompted<D: TokenDenoiser> {
    context: D::Context,
    /// For latents of this shape; computed at the first step.
    positions: Option<(LatentShape, D::Positions)>,
}

/// A transformer with the conditioning of its prompts.
pub(super) struct Conditioned<'a, D: TokenDenoiser> {
    runtime: &'a Runtime,
    denoiser: &'a D,
    prompt: Prompted<D>,
    /// With classifier-free guidance only.
    negative: Option<Prompted<D>>,
    /// Number of training timesteps.
    train: f64,
    /// The timestep that the current step leads to.
    target: f64,
    /// Layers that skip-layer guidance skips.
    skipped: LayerSet,
    words: WordWatch,
    cancel: &'a CancelToken,
}

impl<D: TokenDenoiser> Prompted<D> {
    fn flow(
        &mut self,
        runtime: &Runtime,
        denoiser: &D,
        noisy: &Latent,
        at: At,
        cancel: &CancelToken,
    ) -> Result<Latent, ModelError> {
        let shape = noisy.shape();
        let sizes = [shape.channels, shape.height, shape.width];
        if !(shape.height.is_multiple_of(2) && shape.width.is_multiple_of(2)) {
            return Err(ModelError::Mismatch(format!(
                "a latent of {shape} cannot be denoised: its height and width must be even"
            )));
        }
        let of = ModelError::in_part(TRANSFORMER);
        let grid = [shape.height / 2, shape.width / 2];
        let positions = match self.positions.take() {
            Some((of_shape, positions)) if of_shape == shape => positions,
            _ => denoiser.positions(&self.context, grid).map_err(&of)?,
        };
        let (_, positions) = self.positions.insert((shape, positions));
        let tokens = patches(noisy.values(), sizes, D::ORDERS[0]);
        let tokens = Tensor::from_vec(tokens, (1, grid[0] * grid[1], 4 * shape.channels), &Device::Cpu)?;
        let tokens = tokens.to_device(runtime.device())?.to_dtype(runtime.dtype())?;
        let context = &self.context;
        let flow = runtime.run(|| denoiser.flow(&tokens, at, context, positions, cancel)).map_err(&of)?;
        let flow: Vec<f32> = flow.to_dtype(DType::F32)?.to_values()?;
        Ok(noisy.with_values(latent_from_patches(&flow, sizes, D::ORDERS[1])))
    }
}

impl<'a, D: TokenDenoiser> Conditioned<'a, D> {
    /// `negative`: with classifier-free guidance only. `tokens`: the prompt's. `train`: number of training timesteps.
    pub(super) fn new(
        runtime: &'a Runtime,
        denoiser: &'a D,
        (prompt, negative): (D::Context, Option<D::Context>),
        tokens: PromptTokens,
        train: usize,
        skipped: LayerSet,
        cancel: &'a CancelToken,
    ) -> Self {
        let prompted = |context| Prompted { context, positions: None };
        let (prompt, negative) = (prompted(prompt), negative.map(prompted));
        let (words, train) = (WordWatch::new(tokens), train as f64);
        Self { runtime, denoiser, prompt, negative, train, target: 0.0, skipped, words, cancel }
    }
}

impl<D: TokenDenoiser> Conditioned<'_, D> {
    fn at(&self, timestep: f64, skipped: LayerSet) -> At {
        At { time: timestep / self.train, target: self.target / self.train, skipped }
    }
}

impl<D: TokenDenoiser> DenoisingNetwork for Conditioned<'_, D> {
    fn watch_words(&mut self) {
        self.words.ask();
    }

    fn take_words(&mut self) -> Option<TokenActivity> {
        self.words.take()
    }

    fn predict_skipping(&mut self, noisy: &Latent, timestep: f64) -> Result<Latent, DiffusionError> {
        let at = self.at(timestep, self.skipped);
        Ok(self.prompt.flow(self.runtime, self.denoiser, noisy, at, self.cancel)?)
    }

    fn set_target(&mut self, timestep: f64) {
        self.target = timestep;
    }

    fn predict(
        &mut self,
        noisy: &Latent,
        timestep: f64,
        branch: Branch,
    ) -> Result<Prediction, DiffusionError> {
        let (runtime, denoiser, cancel) = (self.runtime, self.denoiser, self.cancel);
        let at = self.at(timestep, LayerSet::default());
        let flow = |of: &mut Prompted<D>| of.flow(runtime, denoiser, noisy, at, cancel);
        let watched = self.words.is_asked() && {
            let grid = [noisy.shape().height / 2, noisy.shape().width / 2];
            let joint =
                D::joint_tokens(&self.prompt.context, grid).map_err(ModelError::in_part(TRANSFORMER))?;
            self.words.begin(runtime, noisy.shape(), Some(joint))
        };
        let conditional = flow(&mut self.prompt);
        if watched {
            self.words.finish(runtime, noisy.shape(), D::text_tokens(&self.prompt.context));
        }
        let conditional = conditional?;
        let negative = match (branch, &mut self.negative) {
            (Branch::Both, Some(negative)) => Some(flow(negative)?),
            _ => None,
        };
        Ok(Prediction { conditional, negative })
    }
}
