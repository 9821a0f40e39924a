//! Convolutions on candle's devices.

use candle_core::{Result, Tensor};

/// Most values of an unfolded input that are held at once.
///
/// candle multiplies the weights by the input unfolded: each value as often as the kernel reaches it. Of a VAE's map at
/// 1024² pixels that is more than 2³¹ values, and on Apple's GPUs the result was silently wrong from there on.
const MAX_UNFOLDED: usize = 1 << 28;

/// The convolution of `x` `[B, I, H, W]` with `weight` `[O, I, k, k]`: `[B, O, H', W']`; by cuDNN where it is found, and
/// otherwise in bands of rows where the unfolded input would be too large.
pub(in crate::networks::backend) fn conv2d(
    x: &Tensor,
    weight: &Tensor,
    padding: usize,
    stride: usize,
) -> Result<Tensor> {
    #[cfg(feature = "cudnn")]
    if let Some(out) = super::cuda::conv2d(x, weight, padding, stride)? {
        return Ok(out);
    }
    in_bands(x, weight, padding, stride, MAX_UNFOLDED)
}

fn in_bands(x: &Tensor, weight: &Tensor, padding: usize, stride: usize, most: usize) -> Result<Tensor> {
    let (batch, channels, height, width) = x.dims4()?;
    let kernel = weight.dim(2)?;
    let after = |edge: usize| (edge + 2 * padding).saturating_sub(kernel) / stride + 1;
    let (rows, columns) = (after(height), after(width));
    let of_row = batch * channels * kernel * kernel * columns;
    let band = (most / of_row.max(1)).max(1);
    if rows <= band {
        return x.conv2d(weight, padding, stride, 1, 1);
    }
    let part = |first: usize| {
        let last = (first + band).min(rows) - 1;
        // Rows of the padded input, which begins `padding` rows before the input.
        let (from, to) = (first * stride, last * stride + kernel);
        let inside = |row: usize| row.clamp(padding, padding + height);
        let (begin, end) = (inside(from), inside(to));
        let x = x.narrow(2, begin - padding, end - begin)?;
        let x = x.pad_with_zeros(2, begin - from, to - end)?.pad_with_zeros(3, padding, padding)?;
        x.contiguous()?.conv2d(weight, 0, stride, 1, 1)
    };
    Tensor::cat(&(0..rows).step_by(band).map(part).collect::<Result<Vec<_>>>()?, 2)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn bands_give_what_the_whole_map_gives() {
        let made_up = |shape: &[usize]| {
            let count: usize = shape.iter().product();
            let values: Vec<f32> = (0..count).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
            Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
        };
        let x = made_up(&[2, 3, 11, 6]);
        for (kernel, padding, stride) in [(3, 1, 1), (3, 1, 2), (3, 0, 2), (1, 0, 1), (5, 2, 1)] {
            let weight = made_up(&[4, 3, kernel, kernel]);
            let whole = x.conv2d(&weight, padding, stride, 1, 1).unwrap();
            for most in [1, 2 * 3 * kernel * kernel * whole.dim(3).unwrap() * 3] {
                let bands = in_bands(&x, &weight, padding, stride, most).unwrap();
                assert_eq!(bands.dims(), whole.dims());
                let error: f32 =
                    (&bands - &whole).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap();
                assert!(error < 1e-5, "{kernel} {padding} {stride}: {error}");
            }
        }
    }
}
