//! From a latent to colours without a VAE: the mathematics of previews, their fit, and the CPU reference of the
//! shaders.
//!
//! All projections act on model-space latents and give RGB in `−1..=1` (display-encoded sRGB).

mod colour_map;
mod fit;
mod linear;
mod patch;
mod preview_image;
mod reference;
mod regression;
mod tables;
mod tiny;

pub use colour_map::{ColourMap, ERROR_COLOUR};
pub use fit::{PreviewFit, PreviewFitData, ProjectionQuality};
pub use linear::RgbProjection;
pub use patch::PatchProjection;
pub use preview_image::{PreviewImage, Projection};
pub use reference::{render_channel_reference, render_linear_reference};
pub use regression::RidgeRegression;
pub use tiny::{TinyConvolution, TinyNetwork};
