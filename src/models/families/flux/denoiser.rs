//! The transformer with a prompt's embeddings.

use candle_core::{DType, Device, Tensor};

use super::profile::TRANSFORMER;
use crate::diffusion::{Branch, DenoisingNetwork, DiffusionError, Prediction};
use crate::latent::{Latent, LatentShape};
use crate::models::ModelError;
use crate::networks::Runtime;
use crate::networks::mmdit::flux::{FluxContext, FluxTransformer};
use crate::networks::mmdit::{PatchOrder, latent_from_patches, patches};
use crate::networks::ops::RotaryEmbedding;
use crate::request::CancelToken;

/// The network with a prompt.
pub(super) struct Conditioned<'a> {
    pub(super) runtime: &'a Runtime,
    pub(super) transformer: &'a FluxTransformer,
    pub(super) context: FluxContext,
    /// Tokens of the prompt.
    pub(super) words: usize,
    /// Timesteps of training.
    pub(super) train: f64,
    /// Where the tokens are, for a latent of this shape; made at the first step.
    pub(super) positions: Option<(LatentShape, RotaryEmbedding)>,
    pub(super) cancel: &'a CancelToken,
}

impl Conditioned<'_> {
    fn flow(&mut self, noisy: &Latent, timestep: f64) -> Result<Latent, ModelError> {
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
            _ => self.transformer.positions(self.words, grid).map_err(&of)?,
        };
        let (_, positions) = self.positions.insert((shape, positions));
        let tokens = patches(noisy.values(), sizes, PatchOrder::ChannelsFirst);
        let tokens = Tensor::from_vec(tokens, (1, grid[0] * grid[1], 4 * shape.channels), &Device::Cpu)?;
        let tokens = tokens.to_device(self.runtime.device())?.to_dtype(self.runtime.dtype())?;
        let (transformer, context, cancel) = (self.transformer, &self.context, self.cancel);
        let time = timestep / self.train;
        let run = || transformer.forward(&tokens, time, context, positions, cancel);
        let flow = self.runtime.run(run).map_err(&of)?;
        let flow: Vec<f32> = flow.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        Ok(noisy.with_values(latent_from_patches(&flow, sizes, PatchOrder::ChannelsFirst)))
    }
}

impl DenoisingNetwork for Conditioned<'_> {
    /// The network is told its guidance: there is no other prompt.
    fn predict(&mut self, noisy: &Latent, timestep: f64, _: Branch) -> Result<Prediction, DiffusionError> {
        Ok(Prediction { conditional: self.flow(noisy, timestep)?, negative: None })
    }
}
