//! Records where the tokens of a prompt act during one call of a network.

use crate::diffusion::TokenActivity;
use crate::latent::{Latent, LatentShape};
use crate::networks::backend::{self, DType, Tensor};
use crate::networks::{JointTokens, Runtime};
use crate::request::PromptTokens;

/// What is recorded of a prompt's tokens.
pub(super) struct WordWatch {
    tokens: PromptTokens,
    is_asked: bool,
    seen: Option<TokenActivity>,
}

impl WordWatch {
    pub(super) fn new(tokens: PromptTokens) -> Self {
        Self { tokens, is_asked: false, seen: None }
    }

    /// Asks for a record of the next call.
    pub(super) fn ask(&mut self) {
        self.is_asked = true;
    }

    /// Whether the next call is to be recorded.
    pub(super) fn is_asked(&self) -> bool {
        self.is_asked
    }

    /// Begins to record, if that was asked for. `joint`: in networks with joint attention.
    pub(super) fn begin(
        &mut self,
        runtime: &Runtime,
        latent: LatentShape,
        joint: Option<JointTokens>,
    ) -> bool {
        let begins = std::mem::take(&mut self.is_asked) && self.tokens.used() > 0;
        if begins {
            runtime.token_maps().begin([latent.height, latent.width], self.tokens.used(), joint);
        }
        begins
    }

    /// Ends the record, also that of a call that failed. `embedded`: the tokens' embeddings `[B, M, C]`, the prompt's last.
    pub(super) fn finish(&mut self, runtime: &Runtime, latent: LatentShape, embedded: &Tensor) {
        let shape = LatentShape { channels: self.tokens.used(), ..latent };
        let maps = runtime.token_maps().finish().and_then(|maps| Latent::new(shape, maps).ok());
        let embeddings = self.embeddings(embedded).ok();
        self.seen = maps.zip(embeddings).map(|(maps, embeddings)| TokenActivity {
            tokens: self.tokens.clone(),
            maps,
            embeddings,
        });
    }

    /// The embeddings of the prompt's tokens, `[1, T, C]`.
    fn embeddings(&self, embedded: &Tensor) -> backend::Result<Latent> {
        let (prompts, tokens, width) = embedded.dims3()?;
        let used = self.tokens.used().min(tokens);
        let own = embedded.narrow(0, prompts - 1, 1)?.narrow(1, 0, used)?.to_dtype(DType::F32)?;
        let values: Vec<f32> = own.to_values()?;
        Ok(Latent::zeros(LatentShape::new(1, used, width)).with_values(values))
    }

    /// What was recorded.
    pub(super) fn take(&mut self) -> Option<TokenActivity> {
        self.seen.take()
    }
}
