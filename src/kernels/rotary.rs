//! Rotary position embedding (Su et al. 2021, <https://arxiv.org/abs/2104.09864>).

use super::isa::multiversioned;
use super::{KernelContext, PARALLEL_VALUES};

/// Which two values of a head are turned together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotaryPairs {
    /// Each with the next one: (0, 1), (2, 3) and so on.
    Neighbours,
    /// Each of the first half with its counterpart in the second.
    Halves,
}

multiversioned! {
    /// Turns the heads of one token, `[H, D]`; `cos`, `sin`: `[D/2]`.
    fn rotate_token(isa: Isa, x: &[f32], cos: &[f32], sin: &[f32], pairs: RotaryPairs, out: &mut [f32]) {
        let half = cos.len();
        let heads = x.chunks_exact(2 * half).zip(out.chunks_exact_mut(2 * half));
        match pairs {
            RotaryPairs::Neighbours => for (x, out) in heads {
                let places = x.chunks_exact(2).zip(out.chunks_exact_mut(2));
                for ((x, out), (cos, sin)) in places.zip(cos.iter().zip(sin)) {
                    out[0] = x[0] * cos - x[1] * sin;
                    out[1] = x[1] * cos + x[0] * sin;
                }
            },
            RotaryPairs::Halves => for (x, out) in heads {
                let (x, out) = (x.split_at(half), out.split_at_mut(half));
                for i in 0..half {
                    out.0[i] = x.0[i] * cos[i] - x.1[i] * sin[i];
                    out.1[i] = x.1[i] * cos[i] + x.0[i] * sin[i];
                }
            },
        }
    }
}

/// Turns every pair of each token's heads by the token's angles. `x`: `[N, H, D]`, `cos`, `sin`: `[N, D/2]`.
///
/// # Panics
/// If sizes do not fit.
pub fn rotate(
    ctx: &KernelContext,
    x: &[f32],
    [cos, sin]: [&[f32]; 2],
    half: usize,
    pairs: RotaryPairs,
) -> Vec<f32> {
    let tokens = cos.len() / half.max(1);
    let width = x.len() / tokens.max(1);
    assert!(
        sin.len() == cos.len() && x.len() == tokens * width && width.is_multiple_of(2 * half.max(1)),
        "the rotation's sizes"
    );
    let mut out = vec![0.0; x.len()];
    if width == 0 {
        return out;
    }
    // Several tokens at once, so that the work for a thread is worth handing over.
    let at_once = PARALLEL_VALUES.div_ceil(width);
    let share = x.len() >= PARALLEL_VALUES;
    let chunks = out.chunks_mut(at_once * width).zip(x.chunks(at_once * width));
    let angles = cos.chunks(at_once * half).zip(sin.chunks(at_once * half));
    ctx.threads().for_each(share, chunks.zip(angles), |((out, x), (cos, sin))| {
        let angles = cos.chunks_exact(half).zip(sin.chunks_exact(half));
        for ((out, x), (cos, sin)) in out.chunks_exact_mut(width).zip(x.chunks_exact(width)).zip(angles) {
            rotate_token(ctx.isa(), x, cos, sin, pairs, out);
        }
    });
    out
}
