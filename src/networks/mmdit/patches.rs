//! Patchification of latents: a token is a patch of 2×2 latent pixels.

/// The order of the values in a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchOrder {
    /// Channel, row, column (FLUX).
    ChannelsFirst,
    /// Row, column, channel (Stable Diffusion 3's output, Z-Image).
    ChannelsLast,
}

/// Edge of a patch, latent pixels.
const EDGE: usize = 2;

/// For each value of the patches in row-major order, its index in the latent `[C, H, W]`.
fn indices([channels, height, width]: [usize; 3], order: PatchOrder) -> impl Iterator<Item = usize> {
    let len = EDGE * EDGE * channels;
    let patches = (0..height / EDGE).flat_map(move |row| (0..width / EDGE).map(move |column| (row, column)));
    patches.flat_map(move |(row, column)| {
        (0..len).map(move |i| {
            let (channel, pixel) = match order {
                PatchOrder::ChannelsFirst => (i / (EDGE * EDGE), i % (EDGE * EDGE)),
                PatchOrder::ChannelsLast => (i % channels, i / channels),
            };
            (channel * height + EDGE * row + pixel / EDGE) * width + EDGE * column + pixel % EDGE
        })
    })
}

/// Patchifies a latent `[C, H, W]` with even height and width, in row-major order: `[H/2 · W/2, 4 · C]`.
///
/// # Panics
/// If the number of values is not that of the shape.
pub fn patches(values: &[f32], shape: [usize; 3], order: PatchOrder) -> Vec<f32> {
    assert_eq!(values.len(), shape.iter().product::<usize>(), "values fill the latent");
    indices(shape, order).map(|index| values[index]).collect()
}

/// The latent `[C, H, W]` from its patches, the inverse of [`patches`].
///
/// # Panics
/// If the number of values is not that of the shape.
pub fn latent_from_patches(patches: &[f32], shape: [usize; 3], order: PatchOrder) -> Vec<f32> {
    let mut values = vec![0.0; shape.iter().product()];
    assert_eq!(values.len(), patches.len(), "patches fill the latent");
    for (index, value) in indices(shape, order).zip(patches) {
        values[index] = *value;
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_are_whole_squares_of_a_latent() {
        // Two channels of 2×4: 0..8 and 8..16.
        let (values, shape) = ((0..16_u8).map(f32::from).collect::<Vec<_>>(), [2, 2, 4]);
        let first = [0.0, 1.0, 4.0, 5.0, 8.0, 9.0, 12.0, 13.0, 2.0, 3.0, 6.0, 7.0, 10.0, 11.0, 14.0, 15.0];
        assert_eq!(patches(&values, shape, PatchOrder::ChannelsFirst), first);
        let last = [0.0, 8.0, 1.0, 9.0, 4.0, 12.0, 5.0, 13.0, 2.0, 10.0, 3.0, 11.0, 6.0, 14.0, 7.0, 15.0];
        assert_eq!(patches(&values, shape, PatchOrder::ChannelsLast), last);
        for order in [PatchOrder::ChannelsFirst, PatchOrder::ChannelsLast] {
            assert_eq!(latent_from_patches(&patches(&values, shape, order), shape, order), values);
        }
    }
}
