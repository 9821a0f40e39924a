//! One step of a run as it is kept: a safetensors file of its own.

use std::collections::HashMap;

use half::f16;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::formats::latent_file::latent_from_tensor;
use crate::latent::{Latent, TrajectoryStep};

/// A step as it comes back.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptStep {
    /// The step. What the denoiser returned is exact; the noisy latent has the precision of f16, and so has the denoised
    /// estimate where it is not the first output.
    pub step: TrajectoryStep,
    /// The [`step_hash`] of the step as it was sampled.
    pub hash: String,
}

/// A hash of the exact values of a step: the noisy latent's and then those of the denoiser's outputs, f32 in
/// little-endian order (blake3, hex).
pub fn step_hash(step: &TrajectoryStep) -> String {
    let outputs: Vec<Vec<u8>> = step.outputs.iter().map(bytes_of).collect();
    hash_of(&bytes_of(&step.noisy), &outputs)
}

/// Whether `kept` is what is kept of a step: the same outputs to the bit, and the same latents in the precision in which
/// they are kept.
pub fn is_kept_as(sampled: &TrajectoryStep, kept: &TrajectoryStep) -> bool {
    let is_exact = |sampled: &Latent, kept: &Latent| {
        sampled.shape() == kept.shape() && bytes_of(sampled) == bytes_of(kept)
    };
    let is_close = |sampled: &Latent, kept: &Latent| {
        sampled.shape() == kept.shape() && half_bytes_of(sampled) == half_bytes_of(kept)
    };
    sampled.outputs.len() == kept.outputs.len()
        && sampled.outputs.iter().zip(&kept.outputs).all(|(sampled, kept)| is_exact(sampled, kept))
        && is_close(&sampled.noisy, &kept.noisy)
        && is_close(&sampled.denoised, &kept.denoised)
}

fn hash_of(noisy: &[u8], outputs: &[Vec<u8>]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(noisy);
    for output in outputs {
        hasher.update(output);
    }
    hasher.finalize().to_hex().to_string()
}

fn bytes_of(latent: &Latent) -> Vec<u8> {
    latent.values().iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// The values in half precision. A value that is too large becomes the largest, which looks the same.
fn half_bytes_of(latent: &Latent) -> Vec<u8> {
    let half = |value: &f32| f16::from_f32(value.clamp(f16::MIN.to_f32(), f16::MAX.to_f32()));
    latent.values().iter().flat_map(|value| half(value).to_le_bytes()).collect()
}

/// The bytes of a step's safetensors file.
pub(super) fn bytes_of_step(step: &TrajectoryStep) -> Vec<u8> {
    let outputs: Vec<Vec<u8>> = step.outputs.iter().map(bytes_of).collect();
    let hash = hash_of(&bytes_of(&step.noisy), &outputs);
    let mut tensors = vec![("noisy".to_owned(), Dtype::F16, &step.noisy, half_bytes_of(&step.noisy))];
    for (index, (latent, bytes)) in step.outputs.iter().zip(outputs).enumerate() {
        tensors.push((format!("output.{index}"), Dtype::F32, latent, bytes));
    }
    let same_bits = |first: &Latent| {
        first.values().iter().map(|v| v.to_bits()).eq(step.denoised.values().iter().map(|v| v.to_bits()))
    };
    if !step.outputs.first().is_some_and(same_bits) {
        tensors.push(("denoised".to_owned(), Dtype::F16, &step.denoised, half_bytes_of(&step.denoised)));
    }
    let views = tensors.iter().map(|(name, dtype, latent, bytes)| {
        let shape = latent.shape();
        let shape = vec![shape.channels, shape.height, shape.width];
        (name, TensorView::new(*dtype, shape, bytes).expect("the bytes fill the shape"))
    });
    let metadata = [
        ("step", step.step.to_string()),
        ("steps", step.steps.to_string()),
        ("sigma", step.sigma.to_string()),
        ("elapsed_secs", step.elapsed_secs.to_string()),
        ("hash", hash),
    ];
    let metadata: HashMap<String, String> =
        metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    safetensors::serialize(views, Some(metadata)).expect("named tensors can be laid out")
}

/// The step in the bytes of its file. The error is a part of a sentence.
pub(super) fn step_from_bytes(bytes: &[u8]) -> Result<KeptStep, String> {
    let metadata = metadata_of(bytes)?;
    let number = |key: &str| metadata.get(key).and_then(|value| value.parse::<f64>().ok());
    let count = |key: &str| metadata.get(key).and_then(|value| value.parse::<usize>().ok());
    let missing = |what: &str| format!("a step has no {what}");
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let latent = |name: &str| match tensors.tensor(name) {
        Ok(tensor) => latent_from_tensor(&tensor).map(Some).map_err(|error| error.to_string()),
        Err(_) => Ok(None),
    };
    let noisy = latent("noisy")?.ok_or_else(|| missing("noisy latent"))?;
    let mut outputs = Vec::new();
    while let Some(output) = latent(&format!("output.{}", outputs.len()))? {
        outputs.push(output);
    }
    let denoised =
        latent("denoised")?.or_else(|| outputs.first().cloned()).ok_or_else(|| missing("estimate"))?;
    if outputs.iter().chain([&denoised]).any(|latent| latent.shape() != noisy.shape()) {
        return Err("the latents of a step have different shapes".to_owned());
    }
    let step = TrajectoryStep {
        step: count("step").ok_or_else(|| missing("number"))?,
        steps: count("steps").ok_or_else(|| missing("number of steps"))?,
        sigma: number("sigma").ok_or_else(|| missing("sigma"))?,
        noisy,
        denoised,
        outputs,
        elapsed_secs: number("elapsed_secs").unwrap_or_default(),
    };
    Ok(KeptStep { step, hash: metadata.get("hash").cloned().unwrap_or_default() })
}

/// The hash in the bytes of a step's file, whose latents are not read. The error is a part of a sentence.
pub(super) fn hash_from_bytes(bytes: &[u8]) -> Result<String, String> {
    metadata_of(bytes)?.remove("hash").ok_or_else(|| "a step has no hash".to_owned())
}

fn metadata_of(bytes: &[u8]) -> Result<HashMap<String, String>, String> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
    Ok(header.metadata().clone().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latent::LatentShape;

    fn latent(first: f32) -> Latent {
        let shape = LatentShape::new(4, 3, 2);
        Latent::new(shape, (0..24u8).map(|n| first + f32::from(n) / 7.0).collect::<Vec<_>>()).unwrap()
    }

    fn step(denoised: Latent, outputs: Vec<Latent>) -> TrajectoryStep {
        let (sigma, elapsed_secs) = (f64::from(14.614_642f32) / 3.0, 0.1 + 0.2);
        TrajectoryStep { step: 3, steps: 20, sigma, noisy: latent(100.0), denoised, outputs, elapsed_secs }
    }

    #[test]
    fn outputs_come_back_bit_for_bit_and_the_rest_as_it_looks() {
        let mut odd = latent(0.1).values().to_vec();
        odd[..4].copy_from_slice(&[-0.0, f32::MIN_POSITIVE / 8.0, f32::MAX, f32::from_bits(0x7fc1_2345)]);
        let odd = latent(0.0).with_values(odd);
        let sampled = step(latent(0.7), vec![odd, latent(-3.0)]);
        let kept = step_from_bytes(&bytes_of_step(&sampled)).unwrap();
        let bits = |latents: &[Latent]| -> Vec<u32> {
            latents.iter().flat_map(|latent| latent.values().iter().map(|v| v.to_bits())).collect()
        };
        assert_eq!(bits(&kept.step.outputs), bits(&sampled.outputs));
        assert_eq!((kept.step.step, kept.step.steps, kept.step.sigma), (3, 20, sampled.sigma));
        assert_eq!((kept.step.elapsed_secs, &kept.hash), (sampled.elapsed_secs, &step_hash(&sampled)));
        assert!(is_kept_as(&sampled, &kept.step));
        for change in [
            |step: &mut TrajectoryStep| step.outputs[1] = latent(-3.000_000_3),
            |step: &mut TrajectoryStep| step.noisy = latent(100.1),
            |step: &mut TrajectoryStep| step.denoised = latent(0.71),
            |step: &mut TrajectoryStep| drop(step.outputs.pop()),
        ] {
            let mut other = kept.step.clone();
            change(&mut other);
            assert!(!is_kept_as(&sampled, &other));
        }
        for (back, was) in [(&kept.step.noisy, &sampled.noisy), (&kept.step.denoised, &sampled.denoised)] {
            let off =
                back.values().iter().zip(was.values()).map(|(a, b)| (a - b).abs() / b).fold(0.0, f32::max);
            assert!(off > 0.0 && off < 1.0 / 2048.0, "{off}");
        }
    }

    #[test]
    fn an_estimate_that_is_the_first_output_is_kept_once_and_exactly() {
        let sampled = step(latent(0.1), vec![latent(0.1), latent(9.0)]);
        let bytes = bytes_of_step(&sampled);
        assert!(SafeTensors::deserialize(&bytes).unwrap().tensor("denoised").is_err());
        assert_eq!(step_from_bytes(&bytes).unwrap().step.denoised, latent(0.1));
        // A zero of the other sign is another output.
        let zeros = |zero: f32| latent(0.0).with_values(vec![zero; 24]);
        let bytes = bytes_of_step(&step(zeros(0.0), vec![zeros(-0.0)]));
        assert!(SafeTensors::deserialize(&bytes).unwrap().tensor("denoised").is_ok());
    }

    #[test]
    fn values_too_large_for_half_precision_stay_finite() {
        let mut sampled = step(latent(0.1), vec![latent(0.1)]);
        sampled.noisy = latent(0.0).with_values([1e6f32, -1e6].repeat(12));
        let kept = step_from_bytes(&bytes_of_step(&sampled)).unwrap();
        assert_eq!(kept.step.noisy.values()[..2], [65504.0, -65504.0]);
    }

    #[test]
    fn a_hash_is_that_of_the_exact_values_in_order() {
        let sampled = step(latent(0.1), vec![latent(0.1), latent(9.0)]);
        let values = [&sampled.noisy, &sampled.outputs[0], &sampled.outputs[1]];
        let bytes: Vec<u8> =
            values.iter().flat_map(|latent| latent.values()).flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(step_hash(&sampled), blake3::hash(&bytes).to_hex().as_str());
        assert_eq!(hash_from_bytes(&bytes_of_step(&sampled)), Ok(step_hash(&sampled)));
    }

    #[test]
    fn other_files_are_no_steps() {
        assert!(step_from_bytes(b"").is_err());
        let shape = vec![1, 1, 1];
        let view = TensorView::new(Dtype::F32, shape, &[0; 4]).unwrap();
        let bytes = safetensors::serialize([("noisy", view)], None).unwrap();
        assert_eq!(step_from_bytes(&bytes).unwrap_err(), "a step has no estimate");
    }
}
