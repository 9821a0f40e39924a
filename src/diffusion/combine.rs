//! Arithmetic on latents: every sampler is a linear combination.

use crate::latent::Latent;

/// `Σ factor · latent`, in f32 from left to right. At least one term; all latents have one shape.
pub(super) fn combine(terms: &[(f64, &Latent)]) -> Latent {
    let Some(((factor, first), rest)) = terms.split_first() else {
        unreachable!("a sum of no latents has no shape");
    };
    let factor = *factor as f32;
    let mut sum: Vec<f32> = first.values().iter().map(|value| value * factor).collect();
    for (factor, latent) in rest {
        assert_eq!(latent.shape(), first.shape(), "latents of one sum have one shape");
        let factor = *factor as f32;
        sum.iter_mut().zip(latent.values()).for_each(|(sum, value)| *sum += value * factor);
    }
    first.with_values(sum)
}
