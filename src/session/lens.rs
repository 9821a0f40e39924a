//! Zoom and pan of a picture; every document has its own.

/// Maximum zoom, screen points per picture pixel.
const MAX_ZOOM: f32 = 64.0;
/// Share of the easel that a fitted picture fills.
const MARGIN: f32 = 0.96;

/// Zoom and pan. Sizes and distances are pairs of width and height.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lens {
    /// Screen points per picture pixel; `None` fits the whole picture.
    pub zoom: Option<f32>,
    /// The point at the centre of the easel, as fractions of the picture's size, 0..=1.
    pub centre: [f32; 2],
}

impl Default for Lens {
    fn default() -> Self {
        Self { zoom: None, centre: [0.5; 2] }
    }
}

impl Lens {
    /// Centred, with `scale` screen points per picture pixel.
    pub fn at_scale(scale: f32) -> Self {
        Self { zoom: Some(scale), ..Self::default() }
    }

    /// Screen points per pixel, for a picture of `size` pixels on an easel of `easel` points.
    pub fn scale(&self, size: [f32; 2], easel: [f32; 2]) -> f32 {
        self.zoom.unwrap_or_else(|| fit_scale(size, easel))
    }

    /// The picture's upper left corner, points from the easel's centre.
    pub fn corner(&self, size: [f32; 2], easel: [f32; 2]) -> [f32; 2] {
        let scale = self.scale(size, easel);
        [0, 1].map(|axis| -self.centre[axis] * size[axis] * scale)
    }

    /// Zooms by a factor. The point `from_middle` points from the easel's centre stays in place. Zooming out to the
    /// fitted scale (or to 1, if that is less) fits the picture.
    #[must_use]
    pub fn zoomed(&self, factor: f32, from_middle: [f32; 2], size: [f32; 2], easel: [f32; 2]) -> Self {
        let before = self.scale(size, easel);
        let after = (before * factor).min(MAX_ZOOM);
        if after <= fit_scale(size, easel).min(1.0) {
            return Self::default();
        }
        let centre = [0, 1].map(|axis| {
            let share = self.centre[axis] + from_middle[axis] / (size[axis] * before);
            (share - from_middle[axis] / (size[axis] * after)).clamp(0.0, 1.0)
        });
        Self { zoom: Some(after), centre }
    }

    /// The lens that shows the same part of another picture, of `other` pixels, on an easel of the same size.
    #[must_use]
    pub fn carried(&self, size: [f32; 2], other: [f32; 2], easel: [f32; 2]) -> Self {
        let ratio = fit_scale(other, easel) / fit_scale(size, easel);
        Self { zoom: self.zoom.map(|zoom| zoom * ratio), ..*self }
    }

    /// Pans by a distance in points. A fitted picture does not move.
    #[must_use]
    pub fn moved(&self, by: [f32; 2], size: [f32; 2]) -> Self {
        let Some(zoom) = self.zoom else { return *self };
        let centre = [0, 1].map(|axis| (self.centre[axis] - by[axis] / (size[axis] * zoom)).clamp(0.0, 1.0));
        Self { centre, ..*self }
    }
}

/// Screen points per pixel at which the whole picture fits.
fn fit_scale(size: [f32; 2], easel: [f32; 2]) -> f32 {
    (easel[0] / size[0].max(1.0)).min(easel[1] / size[1].max(1.0)) * MARGIN
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: [f32; 2] = [100.0, 50.0];
    const EASEL: [f32; 2] = [400.0, 400.0];

    #[test]
    fn zooming_keeps_the_point_under_the_pointer() {
        let lens = Lens::default().zoomed(4.0, [60.0, -20.0], SIZE, EASEL);
        let share_at = |lens: &Lens| {
            let (corner, scale) = (lens.corner(SIZE, EASEL), lens.scale(SIZE, EASEL));
            [(60.0 - corner[0]) / (SIZE[0] * scale), (-20.0 - corner[1]) / (SIZE[1] * scale)]
        };
        let (before, after) = (share_at(&Lens::default()), share_at(&lens));
        assert!((before[0] - after[0]).abs() < 1e-5 && (before[1] - after[1]).abs() < 1e-5);
        assert!((lens.zoom.unwrap() - 4.0 * 4.0 * MARGIN).abs() < 1e-4);
    }

    #[test]
    fn a_whole_picture_neither_moves_nor_shrinks() {
        assert_eq!(Lens::default().moved([50.0, 50.0], SIZE), Lens::default());
        assert_eq!(Lens::at_scale(2.0).zoomed(0.01, [0.0; 2], SIZE, EASEL), Lens::default());
        assert_eq!(Lens::at_scale(2.0).moved([-1e6, 0.0], SIZE).centre, [1.0, 0.5]);
    }
    #[test]
    fn two_pictures_of_one_shape_show_the_same_part() {
        let (small, large) = (Lens { zoom: Some(8.0), centre: [0.25, 0.5] }, [400.0, 200.0]);
        let carried = small.carried(SIZE, large, EASEL);
        assert_eq!(carried.corner(large, EASEL), small.corner(SIZE, EASEL));
        assert!((carried.zoom.unwrap() - 2.0).abs() < 1e-5);
        assert_eq!(Lens::default().carried(SIZE, large, EASEL), Lens::default());
    }
}
