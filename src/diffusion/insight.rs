//! What happens inside a step.

use crate::latent::Latent;
use crate::request::{PromptTokens, Watch};

/// Maps of a sampling step, recorded at its first evaluation of the network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Insight {
    /// How strongly guidance pulls at each latent pixel, `[1, H, W]`: the magnitude of the difference between the
    /// predictions for the prompt and for the negative prompt, mean over the channels. `None` without guidance.
    pub guidance: Option<Latent>,
    /// Where the tokens of the prompt act. `None` in networks without attention to them.
    pub words: Option<TokenActivity>,
}

/// Where the tokens of a prompt act.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenActivity {
    /// The tokens.
    pub tokens: PromptTokens,
    /// The share of attention that each of the first T tokens has at each latent pixel, mean over heads and layers, `[T,
    /// H, W]`.
    pub maps: Latent,
    /// The embeddings of the first T tokens as the network takes them, `[1, T, C]`.
    pub embeddings: Latent,
}

impl TokenActivity {
    /// The share of attention that some tokens have together, by their places, `[1, H, W]`.
    pub fn of(&self, tokens: &[usize]) -> Latent {
        let shape = self.maps.shape();
        let mut sum = vec![0.0; shape.plane_len()];
        for token in tokens.iter().filter(|token| **token < shape.channels) {
            sum.iter_mut().zip(self.maps.channel(*token)).for_each(|(sum, value)| *sum += value);
        }
        Latent::zeros(crate::latent::LatentShape { channels: 1, ..shape }).with_values(sum)
    }
}

/// Looks into the steps of a run.
pub struct Watcher<'a> {
    /// What is watched.
    pub watch: &'a Watch,
    /// Takes the maps of a step with its number, from 1, before the step is finished.
    pub tell: &'a mut dyn FnMut(usize, Insight),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latent::LatentShape;

    #[test]
    fn tokens_of_a_word_act_together_and_unknown_ones_do_not() {
        let maps = Latent::new(LatentShape::new(3, 1, 2), vec![0.1, 0.2, 0.3, 0.4, 0.5, 0.6]).unwrap();
        let activity = TokenActivity { tokens: PromptTokens::default(), embeddings: maps.clone(), maps };
        assert_eq!(activity.of(&[0, 2, 9]).values(), [0.1 + 0.5, 0.2 + 0.6]);
    }
}
