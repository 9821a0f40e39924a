//! The noise of PyTorch's CPU generator, so that a seed gives the same picture as in other programs.
//!
//! Source: Matsumoto & Nishimura 1998 for MT19937; PyTorch's `at::mt19937` and
//! `normal_fill` (`aten/src/ATen/native/cpu/DistributionTemplates.h`) for the order of draws.

use crate::latent::{Latent, LatentShape};
use crate::request::Seed;

const STATE_LEN: usize = 624;
const SHIFT: usize = 397;

/// The Mersenne twister, 32-bit.
struct MersenneTwister {
    state: [u32; STATE_LEN],
    next: usize,
}

impl MersenneTwister {
    fn new(seed: u32) -> Self {
        let mut state = [seed; STATE_LEN];
        for i in 1..STATE_LEN {
            let last = state[i - 1];
            state[i] = 1_812_433_253_u32.wrapping_mul(last ^ (last >> 30)).wrapping_add(i as u32);
        }
        Self { state, next: STATE_LEN }
    }

    fn twist(&mut self) {
        for i in 0..STATE_LEN {
            let mixed = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % STATE_LEN] & 0x7fff_ffff);
            let odd = if mixed & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[i] = self.state[(i + SHIFT) % STATE_LEN] ^ (mixed >> 1) ^ odd;
        }
        self.next = 0;
    }

    fn next_u32(&mut self) -> u32 {
        if self.next == STATE_LEN {
            self.twist();
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }
}

/// A stream of normal values: `torch.Generator().manual_seed(seed)` on the CPU.
pub struct NoiseSource {
    twister: MersenneTwister,
    /// The second value of a pair, kept when fewer than 16 values are drawn.
    spare: Option<f64>,
    /// Whether the values of a patch of a latent are drawn as channels.
    in_patches: bool,
}

/// Values that PyTorch transforms together.
const BLOCK: usize = 16;

impl NoiseSource {
    /// A source at the start of a seed's stream. As in PyTorch's twister only the low 32 bits count.
    pub fn new(seed: Seed) -> Self {
        Self { twister: MersenneTwister::new(seed.0 as u32), spare: None, in_patches: false }
    }

    /// The same stream, whose latents are drawn with the four values of a 2×2 patch as channels (FLUX.2).
    #[must_use]
    pub fn in_patches(self, in_patches: bool) -> Self {
        Self { in_patches, ..self }
    }

    /// Uniform in `0..1` with f32's 24 bits.
    fn uniform_f32(&mut self) -> f32 {
        (self.twister.next_u32() & 0x00ff_ffff) as f32 * (1.0 / 16_777_216.0)
    }

    /// Uniform in `0..1` with f64's 53 bits.
    fn uniform_f64(&mut self) -> f64 {
        let high = u64::from(self.twister.next_u32());
        let bits = (high << 32) | u64::from(self.twister.next_u32());
        (bits & ((1 << 53) - 1)) as f64 / (1_u64 << 53) as f64
    }

    /// The next `torch.randn(len)` of the stream.
    pub fn normal(&mut self, len: usize) -> Vec<f32> {
        if len < BLOCK {
            return (0..len).map(|_| self.normal_f64() as f32).collect();
        }
        let mut values: Vec<f32> = (0..len).map(|_| self.uniform_f32()).collect();
        for block in values.chunks_exact_mut(BLOCK) {
            box_muller(block);
        }
        if !len.is_multiple_of(BLOCK) {
            // PyTorch draws the last 16 values anew rather than transform a short block.
            let tail = &mut values[len - BLOCK..];
            for value in tail.iter_mut() {
                *value = self.uniform_f32();
            }
            box_muller(tail);
        }
        values
    }

    /// One value of the double-precision path.
    fn normal_f64(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let (u1, u2) = (self.uniform_f64(), self.uniform_f64());
        let radius = (-2.0 * (-u2).ln_1p()).sqrt();
        let theta = std::f64::consts::TAU * u1;
        self.spare = Some(radius * theta.sin());
        radius * theta.cos()
    }

    /// A latent of noise, drawn as `torch.randn` of its shape `[C, H, W]`, or of `[4·C, H/2, W/2]` where it is drawn in
    /// patches: channel `4·c + 2·y + x` of a patch is channel `c` at its row `y` and column `x`.
    pub fn latent(&mut self, shape: LatentShape) -> Latent {
        let LatentShape { channels, height, width } = shape;
        let drawn = self.normal(shape.len());
        if !self.in_patches || height % 2 != 0 || width % 2 != 0 {
            return Latent::zeros(shape).with_values(drawn);
        }
        let (rows, columns) = (height / 2, width / 2);
        let mut values = Vec::with_capacity(drawn.len());
        for channel in 0..channels {
            for row in 0..height {
                for column in 0..width {
                    let plane = 4 * channel + 2 * (row % 2) + column % 2;
                    values.push(drawn[(plane * rows + row / 2) * columns + column / 2]);
                }
            }
        }
        Latent::zeros(shape).with_values(values)
    }
}

/// Eight pairs of uniforms to eight pairs of normals (Box & Muller 1958), halves side by side.
fn box_muller(block: &mut [f32]) {
    let (firsts, seconds) = block.split_at_mut(BLOCK / 2);
    for (first, second) in firsts.iter_mut().zip(seconds) {
        let radius = (-2.0 * (1.0 - *first).ln()).sqrt();
        let theta = std::f32::consts::TAU * *second;
        *first = radius * theta.cos();
        *second = radius * theta.sin();
    }
}
