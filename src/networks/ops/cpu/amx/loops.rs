//! The innermost loops over tile registers. The compiler has no stable intrinsics for them: they are assembly.

use std::arch::asm;

use super::super::kernel::Tile;
use super::EDGE;

/// One run of the loops: steps of 16 pairs along left rows and down a panel. Strides in bytes.
#[derive(Clone, Copy)]
pub(super) struct Run {
    pub(super) lhs: *const f32,
    pub(super) panel: *const f32,
    /// Their low parts, if there are any.
    pub(super) lhs_low: *const f32,
    pub(super) panel_low: *const f32,
    pub(super) lhs_stride: usize,
    /// From the first left row to the first lower one.
    pub(super) lower: usize,
    pub(super) panel_stride: usize,
    pub(super) steps: usize,
}

/// Where sums lie, and the bytes from row to row, and to the first of the lower rows.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Place {
    first: *mut f32,
    stride: usize,
    lower: usize,
}

impl Place {
    /// Of zeros.
    pub(super) const NONE: Self = Self { first: std::ptr::null_mut(), stride: 0, lower: 0 };

    /// Of a tile's rows, one after another.
    pub(super) fn new(first: *mut f32, stride: usize, tile: &Tile) -> Self {
        Self { first, stride, lower: stride * tile.upper }
    }
}

/// What the sums of a run begin with (at null: zeros), and where they go. Not the places themselves: copies of what was
/// just written would wait for it.
#[repr(C)]
pub(super) struct Ends<'a> {
    pub(super) from: &'a Place,
    pub(super) to: &'a Place,
}

/// Computes one run: high by high parts, low by high, high by low. Low by low, less than 2⁻¹⁶ of a product, is left out.
///
/// # Safety
/// The registers are configured for `tile.rows`; the run's left rows are readable for so many and its panel for
/// `panel_width`, low parts where the tile has them; so are the sums to begin with, and those to write writable. It has
/// a step.
#[expect(unsafe_code, reason = "instructions without intrinsics")]
#[inline]
pub(super) unsafe fn multiply(run: Run, ends: &Ends<'_>, tile: &Tile) {
    macro_rules! loops {
        ([$($step:literal)*], [$($clear:literal)*], [$($load:literal)*], [$($store:literal)*]) => {
            asm!(
                "mov {s1}, [{ends}]",
                "mov {s}, [{s1}]",
                "test {s}, {s}",
                "jz 2f",
                "mov {stride}, [{s1} + 8]",
                "mov {s1}, [{s1} + 16]",
                "add {s1}, {s}",
                $($load,)*
                "jmp 3f",
                "2:",
                $($clear,)*
                "3:",
                // From here on the lower left rows are there.
                "lea {s}, [{a} + {lower}]",
                "lea {s1}, [{c} + {lower}]",
                "4:",
                $($step,)*
                "add {a}, 64",
                "add {c}, 64",
                "add {s}, 64",
                "add {s1}, 64",
                "lea {b}, [{b} + {sb}*8]",
                "lea {b}, [{b} + {sb}*8]",
                "lea {d}, [{d} + {sb}*8]",
                "lea {d}, [{d} + {sb}*8]",
                "sub {n}, 1",
                "jnz 4b",
                "mov {s1}, [{ends} + 8]",
                "mov {s}, [{s1}]",
                "mov {stride}, [{s1} + 8]",
                "mov {s1}, [{s1} + 16]",
                "add {s1}, {s}",
                $($store,)*
                ends = in(reg) ends, s = out(reg) _, s1 = out(reg) _, stride = out(reg) _,
                a = inout(reg) run.lhs => _, b = inout(reg) run.panel => _,
                c = inout(reg) run.lhs_low => _, d = inout(reg) run.panel_low => _,
                lower = in(reg) run.lower,
                sa = in(reg) run.lhs_stride, sb = in(reg) run.panel_stride, n = inout(reg) run.steps => _,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            )
        };
    }
    /// The loops of one shape: steps of high by high parts, and where there are low parts, of low by high, and of high
    /// by low ones, between clearing or loading the sums and storing them.
    macro_rules! shape {
        ([$($high:literal)*], [$($low_high:literal)*], [$($high_low:literal)*],
         $clear:tt, $load:tt, $store:tt) => {
            match (tile.lhs_low > 0, tile.panel_low > 0) {
                (false, _) => loops!([$($high)*], $clear, $load, $store),
                (true, false) => loops!([$($high)* $($low_high)*], $clear, $load, $store),
                (true, true) => loops!([$($high)* $($low_high)* $($high_low)*], $clear, $load, $store),
            }
        };
    }
    const {
        assert!(
            std::mem::offset_of!(Ends<'_>, to) == 8 && std::mem::offset_of!(Place, lower) == 16,
            "as the loops have them"
        )
    };
    debug_assert!(run.steps > 0 && (tile.lhs_low > 0 || tile.panel_low == 0));
    // SAFETY: the caller's promise; a run has at least one step.
    unsafe {
        match (tile.columns > EDGE, tile.rows > tile.upper) {
            (true, true) => shape!(
                ["tileloadd tmm4, [{a} + {sa}*1]"
                 "tileloadd tmm6, [{b} + {sb}*1]"
                 "tdpbf16ps tmm0, tmm4, tmm6"
                 "tileloadd tmm7, [{b} + {sb}*1 + 64]"
                 "tdpbf16ps tmm1, tmm4, tmm7"
                 "tileloadd tmm5, [{s} + {sa}*1]"
                 "tdpbf16ps tmm2, tmm5, tmm6"
                 "tdpbf16ps tmm3, tmm5, tmm7"],
                ["tileloadd tmm4, [{c} + {sa}*1]"
                 "tdpbf16ps tmm0, tmm4, tmm6"
                 "tdpbf16ps tmm1, tmm4, tmm7"
                 "tileloadd tmm5, [{s1} + {sa}*1]"
                 "tdpbf16ps tmm2, tmm5, tmm6"
                 "tdpbf16ps tmm3, tmm5, tmm7"],
                ["tileloadd tmm4, [{a} + {sa}*1]"
                 "tileloadd tmm6, [{d} + {sb}*1]"
                 "tdpbf16ps tmm0, tmm4, tmm6"
                 "tileloadd tmm7, [{d} + {sb}*1 + 64]"
                 "tdpbf16ps tmm1, tmm4, tmm7"
                 "tileloadd tmm5, [{s} + {sa}*1]"
                 "tdpbf16ps tmm2, tmm5, tmm6"
                 "tdpbf16ps tmm3, tmm5, tmm7"],
                ["tilezero tmm0"
                 "tilezero tmm1"
                 "tilezero tmm2"
                 "tilezero tmm3"], ["tileloadd tmm0, [{s} + {stride}*1]"
                 "tileloadd tmm1, [{s} + {stride}*1 + 64]"
                 "tileloadd tmm2, [{s1} + {stride}*1]"
                 "tileloadd tmm3, [{s1} + {stride}*1 + 64]"], ["tilestored [{s} + {stride}*1], tmm0"
                 "tilestored [{s} + {stride}*1 + 64], tmm1"
                 "tilestored [{s1} + {stride}*1], tmm2"
                 "tilestored [{s1} + {stride}*1 + 64], tmm3"]
            ),
            (true, false) => shape!(
                ["tileloadd tmm4, [{a} + {sa}*1]"
                 "tileloadd tmm6, [{b} + {sb}*1]"
                 "tdpbf16ps tmm0, tmm4, tmm6"
                 "tileloadd tmm7, [{b} + {sb}*1 + 64]"
                 "tdpbf16ps tmm1, tmm4, tmm7"],
                ["tileloadd tmm4, [{c} + {sa}*1]"
                 "tdpbf16ps tmm0, tmm4, tmm6"
                 "tdpbf16ps tmm1, tmm4, tmm7"],
                ["tileloadd tmm4, [{a} + {sa}*1]"
                 "tileloadd tmm6, [{d} + {sb}*1]"
                 "tdpbf16ps tmm0, tmm4, tmm6"
                 "tileloadd tmm7, [{d} + {sb}*1 + 64]"
                 "tdpbf16ps tmm1, tmm4, tmm7"],
                ["tilezero tmm0"
                 "tilezero tmm1"], ["tileloadd tmm0, [{s} + {stride}*1]"
                 "tileloadd tmm1, [{s} + {stride}*1 + 64]"], ["tilestored [{s} + {stride}*1], tmm0"
                 "tilestored [{s} + {stride}*1 + 64], tmm1"]
            ),
            (false, true) => shape!(
                ["tileloadd tmm4, [{a} + {sa}*1]"
                 "tileloadd tmm6, [{b} + {sb}*1]"
                 "tdpbf16ps tmm0, tmm4, tmm6"
                 "tileloadd tmm5, [{s} + {sa}*1]"
                 "tdpbf16ps tmm2, tmm5, tmm6"],
                ["tileloadd tmm4, [{c} + {sa}*1]"
                 "tdpbf16ps tmm0, tmm4, tmm6"
                 "tileloadd tmm5, [{s1} + {sa}*1]"
                 "tdpbf16ps tmm2, tmm5, tmm6"],
                ["tileloadd tmm4, [{a} + {sa}*1]"
                 "tileloadd tmm6, [{d} + {sb}*1]"
                 "tdpbf16ps tmm0, tmm4, tmm6"
                 "tileloadd tmm5, [{s} + {sa}*1]"
                 "tdpbf16ps tmm2, tmm5, tmm6"],
                ["tilezero tmm0"
                 "tilezero tmm2"], ["tileloadd tmm0, [{s} + {stride}*1]"
                 "tileloadd tmm2, [{s1} + {stride}*1]"], ["tilestored [{s} + {stride}*1], tmm0"
                 "tilestored [{s1} + {stride}*1], tmm2"]
            ),
            (false, false) => shape!(
                ["tileloadd tmm4, [{a} + {sa}*1]"
                 "tileloadd tmm6, [{b} + {sb}*1]"
                 "tdpbf16ps tmm0, tmm4, tmm6"],
                ["tileloadd tmm4, [{c} + {sa}*1]"
                 "tdpbf16ps tmm0, tmm4, tmm6"],
                ["tileloadd tmm4, [{a} + {sa}*1]"
                 "tileloadd tmm6, [{d} + {sb}*1]"
                 "tdpbf16ps tmm0, tmm4, tmm6"],
                ["tilezero tmm0"], ["tileloadd tmm0, [{s} + {stride}*1]"], ["tilestored [{s} + {stride}*1], tmm0"]
            ),
        }
    }
}
