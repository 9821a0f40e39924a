//! The part of a frame that is not as in the frame before: what is around it is not stored again.

use crate::request::Picture;

/// A rectangle of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rectangle {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) width: usize,
    pub(super) height: usize,
}

impl Rectangle {
    /// A whole picture.
    pub(super) fn whole(picture: &Picture) -> Self {
        Self { left: 0, top: 0, width: picture.width(), height: picture.height() }
    }

    /// What differs between two pictures of one size; one pixel if nothing does.
    pub(super) fn changed(before: &Picture, after: &Picture) -> Self {
        let (width, height) = (after.width(), after.height());
        let row = |picture: &Picture, y: usize| picture.rgb()[y * width * 3..][..width * 3].to_vec();
        let differs = |y: &usize| row(before, *y) != row(after, *y);
        let Some(top) = (0..height).find(differs) else {
            return Self { left: 0, top: 0, width: 1, height: 1 };
        };
        let bottom = (top..height).rev().find(differs).unwrap_or(top);
        let (mut left, mut right) = (width, 0);
        for y in top..=bottom {
            let (a, b) = (row(before, y), row(after, y));
            let differs = |x: &usize| a[x * 3..][..3] != b[x * 3..][..3];
            left = (0..left).find(differs).unwrap_or(left);
            right = (right..width).rev().find(differs).unwrap_or(right);
        }
        Self { left, top, width: right - left + 1, height: bottom - top + 1 }
    }

    /// The rectangle with its upper left corner at even places, as WebP stores them.
    pub(super) fn at_even_places(self) -> Self {
        let (x, y) = (self.left % 2, self.top % 2);
        Self { left: self.left - x, top: self.top - y, width: self.width + x, height: self.height + y }
    }

    /// The bytes of this part of a picture, `[height, width, 3]`.
    pub(super) fn cut(&self, picture: &Picture) -> Vec<u8> {
        let rows = self.top..self.top + self.height;
        let row = |y: usize| &picture.rgb()[(y * picture.width() + self.left) * 3..][..self.width * 3];
        rows.flat_map(|y| row(y).iter().copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A black picture of 9×7 pixels with white ones at these places.
    fn picture(white: &[[usize; 2]]) -> Picture {
        let mut rgb = vec![0; 9 * 7 * 3];
        for [x, y] in white {
            rgb[(y * 9 + x) * 3 + 1] = 255;
        }
        Picture::new(9, 7, rgb).unwrap()
    }

    #[test]
    fn only_what_changed_is_in_the_rectangle() {
        let changed = |white: &[[usize; 2]]| Rectangle::changed(&picture(&[[4, 3]]), &picture(white));
        let of = |left, top, width, height| Rectangle { left, top, width, height };
        assert_eq!(changed(&[[4, 3]]), of(0, 0, 1, 1), "nothing");
        assert_eq!(changed(&[]), of(4, 3, 1, 1));
        assert_eq!(changed(&[[4, 3], [8, 6], [0, 5]]), of(0, 5, 9, 2));
        assert_eq!(changed(&[[3, 2], [5, 4]]), of(3, 2, 3, 3));
        assert_eq!(of(3, 2, 3, 3).at_even_places(), of(2, 2, 4, 3));
        assert_eq!(of(8, 6, 1, 1).at_even_places(), of(8, 6, 1, 1));
        let cut = of(3, 2, 2, 2).cut(&picture(&[[4, 3]]));
        assert_eq!(cut, [[0; 3], [0; 3], [0; 3], [0, 255, 0]].concat());
        assert_eq!(Rectangle::whole(&picture(&[])).cut(&picture(&[[8, 6]])), picture(&[[8, 6]]).rgb());
    }
}
