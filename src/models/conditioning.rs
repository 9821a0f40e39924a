//! What steers a run beside its noise.

use crate::catalog::ImageSize;
use crate::request::GenerationRequest;

/// Everything that steers a run beside its noise. What LoRA, ControlNet and inpainting need becomes a field here.
#[derive(Clone, Debug, PartialEq)]
pub struct Conditioning {
    /// What to draw.
    pub prompt: String,
    /// What to avoid.
    pub negative_prompt: String,
    /// The picture's size, which some families are told.
    pub size: ImageSize,
    /// Classifier-free guidance, or the scale that a guidance-distilled network is told; 1 is off.
    pub guidance_scale: f64,
}

impl Conditioning {
    /// What a request asks for.
    pub fn of_request(request: &GenerationRequest) -> Self {
        Self {
            prompt: request.prompt.clone(),
            negative_prompt: request.negative_prompt.clone(),
            size: request.size,
            guidance_scale: request.guidance_scale,
        }
    }
}
