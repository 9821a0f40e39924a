//! The models that an autoencoder alone may belong to, by its shapes.

use super::TensorSource;

/// Prefixes of an autoencoder's tensors.
const PREFIXES: [&str; 3] = ["", "first_stage_model.", "vae."];

/// The models whose autoencoders have this one's shapes; `None` for an autoencoder of no known model.
///
/// Those of Stable Diffusion 1, 2 and XL have the same shapes, and so have those of Stable Diffusion 3 and FLUX.1. They
/// differ in the scale and the shift of their latents, which no tensor holds: the denoiser decides them.
pub fn models_of_vae(source: &dyn TensorSource) -> Option<&'static str> {
    let shape = |name: &str| {
        let named = |prefix| source.info(&format!("{prefix}{name}"));
        PREFIXES.iter().find_map(named).map(|info| info.shape)
    };
    let first = shape("decoder.conv_in.weight")?;
    let has_batch_norm = shape("bn.running_mean").is_some();
    match (&first[..], has_batch_norm) {
        ([_, 4, _, _], false) => Some(
            "Stable Diffusion 1 and 2 (scale 0.18215), XL (0.13025) or Playground v2.5; the shapes are the same, and the \
             model that it is used with decides",
        ),
        ([_, 16, _, _], false) => Some(
            "FLUX.1, Chroma and Z-Image (scale 0.3611, shift 0.1159) or Stable Diffusion 3 (scale 1.5305, shift 0.0609); \
             the shapes are the same, and the transformer that it is used with decides",
        ),
        ([_, 32, _, _], true) => Some("FLUX.2 and FLUX.3"),
        _ => None,
    }
}

/// The models whose latents a tiny decoder may decode, by the channels of its first convolution; `None` for an encoder
/// and for latents of no known model.
pub fn models_of_tiny_decoder(source: &dyn TensorSource) -> Option<&'static str> {
    let first = ["decoder.layers.0.weight", "decoder.1.weight", "1.weight"];
    let shape = first.iter().find_map(|name| source.info(name)).map(|info| info.shape)?;
    match shape[..] {
        [_, 4, 3, 3] => Some(
            "Stable Diffusion 1 and 2 (TAESD) or XL (TAESDXL); the shapes are the same, and the name of the file or its \
             repository says which",
        ),
        [_, 16, 3, 3] => Some(
            "FLUX.1, Chroma and Z-Image (TAEF1) or Stable Diffusion 3 (TAESD3); the shapes are the same, and the name of \
             the file or its repository says which",
        ),
        [_, 32, 3, 3] => Some("FLUX.2 and FLUX.3 (TAEF2)"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{StoredTensor, TensorMap};
    use super::*;

    #[test]
    fn tiny_decoders_are_told_by_the_channels_of_their_latents() {
        let of = |name: &str, channels: usize| {
            let mut source = TensorMap::default();
            source.insert(name, StoredTensor::from_f32(&[1, channels, 3, 3], &vec![0.0; 9 * channels]));
            models_of_tiny_decoder(&source)
        };
        assert!(of("1.weight", 4).unwrap().starts_with("Stable Diffusion 1 and 2 (TAESD)"));
        assert!(of("decoder.layers.0.weight", 16).unwrap().contains("TAEF1"));
        assert!(of("decoder.1.weight", 32).unwrap().contains("TAEF2"));
        assert_eq!((of("1.weight", 8), of("encoder.layers.0.weight", 3)), (None, None));
    }

    #[test]
    fn autoencoders_are_told_by_the_channels_of_their_latents() {
        let of = |prefix: &str, channels: usize, batch_norm: bool| {
            let mut source = TensorMap::default();
            let name = format!("{prefix}decoder.conv_in.weight");
            source.insert(name, StoredTensor::from_f32(&[1, channels, 1, 1], &vec![0.0; channels]));
            if batch_norm {
                source.insert(format!("{prefix}bn.running_mean"), StoredTensor::from_f32(&[1], &[0.0]));
            }
            models_of_vae(&source)
        };
        for (prefix, channels, batch_norm, says) in [
            ("", 4, false, "Stable Diffusion 1 and 2"),
            ("first_stage_model.", 16, false, "FLUX.1, Chroma and Z-Image"),
            ("vae.", 16, false, "Stable Diffusion 3 (scale 1.5305"),
            ("", 32, true, "FLUX.2"),
        ] {
            let found = of(prefix, channels, batch_norm).unwrap();
            assert!(found.contains(says), "{found}");
        }
        assert_eq!(
            (of("", 8, false), of("", 32, false), models_of_vae(&TensorMap::default())),
            (None, None, None)
        );
    }
}
