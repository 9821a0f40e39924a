//! What a network predicts.

/// What the network's output means: diffusers' `prediction_type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum PredictionType {
    /// The noise (Ho et al. 2020).
    #[default]
    #[serde(rename = "epsilon")]
    Epsilon,
    /// The velocity `α·ε − σ·x₀` (Salimans & Ho 2022).
    #[serde(rename = "v_prediction")]
    V,
    /// The clean latent itself.
    #[serde(rename = "sample")]
    Sample,
    /// The flow `ε − x₀` (Lipman et al. 2022; SD3, FLUX).
    #[serde(rename = "flow_prediction")]
    Flow,
}
