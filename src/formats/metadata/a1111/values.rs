//! The numbers and sizes in a line of settings.

use crate::catalog::ImageSize;

/// A whole number, which scripts write as `20.0` too.
pub(super) fn whole(value: &str) -> Option<u64> {
    value
        .parse()
        .ok()
        .or_else(|| value.split_once('.').filter(|(_, f)| f.bytes().all(|c| c == b'0'))?.0.parse().ok())
}

/// A size as `512x768`, pixels.
pub(super) fn size(value: &str) -> Option<ImageSize> {
    let (width, height) = value.split_once(['x', 'X', '×', '*'])?;
    Some(ImageSize::new(width.trim().parse().ok()?, height.trim().parse().ok()?))
}
