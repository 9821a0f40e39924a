//! The part of a picture that is looked at: every document has its own.

/// How far it magnifies at most, screen points for each picture pixel.
const MOST: f32 = 64.0;
/// A whole picture leaves this share of the easel free.
const MARGIN: f32 = 0.96;

/// Zoom and place. Sizes and distances are pairs of width and height.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lens {
    /// Screen points for each picture pixel; `None` shows the whole picture.
    pub zoom: Option<f32>,
    /// What lies in the middle of the easel, shares of the picture.
    pub centre: [f32; 2],
}

impl Default for Lens {
    fn default() -> Self {
        Self { zoom: None, centre: [0.5; 2] }
    }
}

impl Lens {
    /// One picture pixel on `scale` screen points, the middle in the middle.
    pub fn at_scale(scale: f32) -> Self {
        Self { zoom: Some(scale), ..Self::default() }
    }

    /// Screen points for each pixel of a picture of `size` pixels on an easel of `easel` points.
    pub fn scale(&self, size: [f32; 2], easel: [f32; 2]) -> f32 {
        self.zoom.unwrap_or_else(|| fitting(size, easel))
    }

    /// The picture's upper left corner, points from the easel's middle.
    pub fn corner(&self, size: [f32; 2], easel: [f32; 2]) -> [f32; 2] {
        let scale = self.scale(size, easel);
        [0, 1].map(|axis| -self.centre[axis] * size[axis] * scale)
    }

    /// Magnifies by a factor; what lies `from_middle` points from the easel's middle stays there. Smaller than the
    /// whole picture is the whole picture.
    #[must_use]
    pub fn zoomed(&self, factor: f32, from_middle: [f32; 2], size: [f32; 2], easel: [f32; 2]) -> Self {
        let before = self.scale(size, easel);
        let after = (before * factor).min(MOST);
        if after <= fitting(size, easel).min(1.0) {
            return Self::default();
        }
        let centre = [0, 1].map(|axis| {
            let share = self.centre[axis] + from_middle[axis] / (size[axis] * before);
            (share - from_middle[axis] / (size[axis] * after)).clamp(0.0, 1.0)
        });
        Self { zoom: Some(after), centre }
    }

    /// Moves the picture by a distance in points. A whole picture stays where it is.
    #[must_use]
    pub fn moved(&self, by: [f32; 2], size: [f32; 2]) -> Self {
        let Some(zoom) = self.zoom else { return *self };
        let centre = [0, 1].map(|axis| (self.centre[axis] - by[axis] / (size[axis] * zoom)).clamp(0.0, 1.0));
        Self { centre, ..*self }
    }
}

/// Screen points for each pixel with which the whole picture fits.
fn fitting(size: [f32; 2], easel: [f32; 2]) -> f32 {
    (easel[0] / size[0].max(1.0)).min(easel[1] / size[1].max(1.0)) * MARGIN
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: [f32; 2] = [100.0, 50.0];
    const EASEL: [f32; 2] = [400.0, 400.0];

    #[test]
    fn what_is_under_the_pointer_stays_there() {
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
}
