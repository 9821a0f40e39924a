//! The names of the operations.

/// An operation that a backend computes where the kernels do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// [`Conv2d`](super::Conv2d).
    Convolution,
    /// [`attention`](super::attention).
    Attention,
    /// [`attention_with_relative_bias`](super::attention_with_relative_bias).
    RelativeAttention,
    /// [`Linear`](super::Linear).
    Linear,
    /// [`GroupNorm`](super::GroupNorm).
    GroupNorm,
    /// [`LayerNorm`](super::LayerNorm).
    LayerNorm,
    /// [`RmsNorm`](super::RmsNorm).
    RmsNorm,
    /// [`RotaryEmbedding`](super::RotaryEmbedding).
    Rotation,
    /// [`silu`](super::silu) and the others, gated ones too.
    Activation,
    /// [`add_scaled`](super::add_scaled).
    ScaledSum,
    /// Joining, cutting, repeating and reordering of feature maps and tokens.
    Layout,
    /// [`Embedding`](super::Embedding).
    Lookup,
}

impl Operation {
    /// Its name, English, in messages and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Convolution => "convolution",
            Self::Attention => "attention",
            Self::RelativeAttention => "attention with position biases",
            Self::Linear => "linear layer",
            Self::GroupNorm => "group norm",
            Self::LayerNorm => "layer norm",
            Self::RmsNorm => "RMS norm",
            Self::Rotation => "rotary embedding",
            Self::Activation => "activation",
            Self::ScaledSum => "scaled sum",
            Self::Layout => "layout of tensors",
            Self::Lookup => "embedding table",
        }
    }
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
