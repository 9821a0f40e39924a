//! What a guidance scale means to a model.

/// How a model is steered by a guidance scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GuidanceKind {
    /// Classifier-free guidance (Ho & Salimans 2022): a second pass with the negative prompt, from which the scale
    /// leads away.
    #[default]
    ClassifierFree,
    /// The network is told the scale and was trained to answer as if guided (Meng et al. 2023): one pass, and no
    /// negative prompt.
    Embedded,
    /// Guidance was distilled into the network: neither a scale nor a negative prompt does anything.
    None,
}

impl GuidanceKind {
    /// Whether a guidance scale changes the picture.
    pub fn takes_scale(self) -> bool {
        self != Self::None
    }

    /// Whether a negative prompt changes the picture.
    pub fn takes_negative_prompt(self) -> bool {
        self == Self::ClassifierFree
    }
}
