//! For processors without tile registers.

use super::super::kernel::Tile;

/// There are none.
pub(in super::super) enum Tiles {}

impl Tiles {
    pub(in super::super) fn new() -> Self {
        unreachable!("tile registers are of x86-64")
    }

    #[expect(unsafe_code, reason = "as where there are tiles")]
    // SAFETY: there is no value to call it with.
    pub(in super::super) unsafe fn compute(&self, _: &Tile) {
        match *self {}
    }
}
