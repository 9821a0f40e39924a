//! How much of a latent is in which spatial frequency, and how far each frequency has settled from step to step.

use rustfft::{Fft, FftPlanner, num_complex::Complex32};

use super::{Latent, LatentShape};

/// The power of a latent in bands of spatial frequency, mean over channels and directions.
#[derive(Clone, Debug, PartialEq)]
pub struct Spectrum {
    /// The power of each band. White noise of variance 1 has a power of 1 in all of them.
    pub power: Vec<f32>,
    /// The power of the difference from another latent relative to this one's, of which the root is taken: 0 where both are
    /// equal. `None` without another one.
    pub change: Option<Vec<f32>>,
}

/// The number of bands of latents of this shape: as many as the shorter edge has frequencies up to Nyquist's. Band `k`, from
/// 0, is about `k + 1` periods on that edge; the mean is in none.
pub fn spectrum_bands(shape: LatentShape) -> usize {
    shape.height.min(shape.width) / 2
}

impl Spectrum {
    /// The spectrum of a latent, and its change from `before`, of the same shape. `None` for a latent without bands, with
    /// values that are not finite, or another shape.
    pub fn of(latent: &Latent, before: Option<&Latent>) -> Option<Self> {
        let shape = latent.shape();
        let bands = spectrum_bands(shape);
        let is_finite = |latent: &Latent| latent.values().iter().all(|value| value.is_finite());
        if bands == 0 || !is_finite(latent) || before.is_some_and(|b| b.shape() != shape || !is_finite(b)) {
            return None;
        }
        let power = band_power(latent);
        let change = before.map(|before| {
            let pairs = latent.values().iter().zip(before.values());
            let difference = latent.with_values(pairs.map(|(a, b)| a - b).collect::<Vec<_>>());
            let root = |(change, own): (f32, &f32)| if *own > 0.0 { (change / own).sqrt() } else { 0.0 };
            band_power(&difference).into_iter().zip(&power).map(root).collect()
        });
        Some(Self { power, change })
    }
}

/// The mean power in each band.
fn band_power(latent: &Latent) -> Vec<f32> {
    let shape = latent.shape();
    let LatentShape { channels, height, width } = shape;
    let bands = spectrum_bands(shape);
    let mut planner = FftPlanner::new();
    let [rows, columns] = [planner.plan_fft_forward(width), planner.plan_fft_forward(height)];
    let mut sums = vec![0.0_f64; bands];
    let mut counts = vec![0_u32; bands];
    for channel in 0..channels {
        let frequencies = transformed(latent.channel(channel), [height, width], [&*rows, &*columns]);
        for (at, value) in frequencies.iter().enumerate() {
            if let Some(band) =
                band_of([at / width, at % width], [height, width]).filter(|band| *band < bands)
            {
                sums[band] += f64::from(value.norm_sqr());
                counts[band] += 1;
            }
        }
    }
    let plane = shape.plane_len() as f64;
    let mean = |(sum, count): (f64, u32)| (sum / plane / f64::from(count.max(1))) as f32;
    sums.into_iter().zip(counts).map(mean).collect()
}

/// The two-dimensional discrete Fourier transform of a plane `[H, W]`.
fn transformed(
    plane: &[f32],
    [height, width]: [usize; 2],
    [rows, columns]: [&dyn Fft<f32>; 2],
) -> Vec<Complex32> {
    let mut values: Vec<Complex32> = plane.iter().map(|value| Complex32::new(*value, 0.0)).collect();
    rows.process(&mut values);
    let mut column = vec![Complex32::default(); height];
    for x in 0..width {
        for (y, value) in column.iter_mut().enumerate() {
            *value = values[y * width + x];
        }
        columns.process(&mut column);
        for (y, value) in column.iter().enumerate() {
            values[y * width + x] = *value;
        }
    }
    values
}

/// The band of a frequency by its row and column in the transform; `None` for the mean.
fn band_of(at: [usize; 2], size: [usize; 2]) -> Option<usize> {
    let share = |axis: usize| {
        let (at, size) = (at[axis], size[axis]);
        at.min(size - at) as f64 / size as f64
    };
    let radius = share(0).hypot(share(1)) * size[0].min(size[1]) as f64;
    (radius.round() as usize).checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latent(channels: usize, height: usize, width: usize, value: impl Fn(usize, usize) -> f32) -> Latent {
        let at = |i: usize| value(i / width % height, i % width);
        let values: Vec<f32> = (0..channels * height * width).map(at).collect();
        Latent::new(LatentShape::new(channels, height, width), values).unwrap()
    }

    #[test]
    fn a_wave_is_in_its_band_alone() {
        let wave =
            |y: usize, x: usize| (x as f32 / 8.0 * 3.0 * std::f32::consts::TAU).cos() + 5.0 + 0.0 * y as f32;
        let Spectrum { power, change } = Spectrum::of(&latent(2, 8, 8, wave), None).unwrap();
        assert_eq!((power.len(), change), (4, None));
        assert!(power[2] > 1.0 && [0, 1, 3].iter().all(|band| power[*band] < 1e-6), "{power:?}");
    }

    /// numpy, for `x = (np.arange(48) * 37 % 101 / 50 - 1).reshape(1, 6, 8)` and `y = x[:, ::-1]`:
    /// `f = abs(np.fft.fft2(x)) ** 2 / 48` and, with `r = np.hypot(np.fft.fftfreq(6)[:, None], np.fft.fftfreq(8)) * 6`,
    /// the means of `f` where `np.round(r) == k`; likewise of `x − y`, and the roots of the ratios.
    #[test]
    fn figures_are_numpys() {
        let x = latent(1, 6, 8, |y, x| ((y * 8 + x) * 37 % 101) as f32 / 50.0 - 1.0);
        let y = latent(1, 6, 8, |y, x| (((5 - y) * 8 + x) * 37 % 101) as f32 / 50.0 - 1.0);
        let found = Spectrum::of(&x, Some(&y)).unwrap();
        let near = |found: &[f32], wanted: [f32; 3]| {
            found.iter().zip(wanted).all(|(found, wanted)| (found - wanted).abs() < 2e-5)
        };
        assert!(near(&found.power, [0.168797, 0.677542, 0.140268]), "{:?}", found.power);
        assert!(near(found.change.as_ref().unwrap(), [1.197343, 1.367191, 1.840424]), "{:?}", found.change);
    }

    #[test]
    fn latents_without_frequencies_have_none() {
        let one = latent(4, 1, 8, |_, _| 1.0);
        assert_eq!(Spectrum::of(&one, None), None);
        let broken = latent(1, 4, 4, |_, _| f32::NAN);
        assert_eq!(Spectrum::of(&broken, None), None);
        let even = latent(1, 4, 4, |_, _| 1.0);
        assert_eq!(Spectrum::of(&even, Some(&one)), None);
        assert_eq!(
            Spectrum::of(&even, Some(&even)).unwrap().change,
            Some(vec![0.0; 2]),
            "nothing is in any band"
        );
    }
}
