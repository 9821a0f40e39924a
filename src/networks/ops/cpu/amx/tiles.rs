//! The registers, and what goes in and out of them: their instructions have no stable intrinsics and are assembly.

use std::arch::asm;
use std::arch::x86_64::{
    __cpuid, __cpuid_count, _mm512_add_ps, _mm512_loadu_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps,
    _mm512_setzero_ps,
};
use std::cell::Cell;
use std::mem::MaybeUninit;

use super::super::kernel::{PANEL, Tile};
use super::super::prefetch::first_level;
use super::loops::{Ends, Place, Run, multiply};
use super::{EDGE, ROWS};

/// Bytes of a tile's row.
const ROW_BYTES: usize = 64;

/// Whether the processor has tiles of bf16 values, and the system lets this process use them.
pub(in super::super) fn is_available() -> bool {
    /// AMX-TILE and AMX-BF16.
    const FEATURES: u32 = 1 << 24 | 1 << 22;
    __cpuid(0).eax >= 7 && __cpuid_count(7, 0).edx & FEATURES == FEATURES && is_permitted()
}

/// Linux gives a process the registers when it asks.
#[cfg(target_os = "linux")]
fn is_permitted() -> bool {
    /// The request of `arch_prctl(2)`, and the number of the state it is for.
    const ARCH_REQ_XCOMP_PERM: libc::c_int = 0x1023;
    const XTILEDATA: libc::c_ulong = 18;
    #[expect(unsafe_code, reason = "a call of the system")]
    // SAFETY: it takes no pointers.
    let answer = unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XTILEDATA) };
    answer == 0
}

/// How other systems give them was not tried.
#[cfg(not(target_os = "linux"))]
fn is_permitted() -> bool {
    false
}

/// What `ldtilecfg` reads.
#[repr(C, align(64))]
#[derive(Default)]
struct Configuration {
    palette: u8,
    first_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

/// The tile registers in use by this thread; given back at the end, for they make a change of threads slow.
pub(in super::super) struct Tiles {
    /// Upper and lower left rows that the registers are configured for; none at first.
    rows: Cell<[usize; 2]>,
}

/// What a tile's sums are added to.
#[derive(Clone, Copy)]
struct Extra {
    /// What is in the result.
    accumulate: bool,
    bias: *const f32,
    residual: *const f32,
}

impl Extra {
    /// Where a tile's sums begin with a part of what it asks for, and what is left to be added: whole tiles of
    /// columns are loaded from where they lie, a bias as rows that are all the same.
    fn of(tile: &Tile) -> (Place, Self) {
        let mut extra = Self { accumulate: tile.accumulate, bias: tile.bias, residual: tile.residual };
        let stride = 4 * tile.out_stride;
        let begin = if !tile.columns.is_multiple_of(EDGE) {
            Place::NONE
        } else if extra.accumulate {
            extra.accumulate = false;
            Place::new(tile.out, stride, tile)
        } else if !extra.residual.is_null() {
            extra.residual = std::ptr::null();
            Place::new(tile.residual.cast_mut(), stride, tile)
        } else if !extra.bias.is_null() {
            extra.bias = std::ptr::null();
            Place::new(tile.bias.cast_mut(), 0, tile)
        } else {
            Place::NONE
        };
        (begin, extra)
    }

    fn is_nothing(&self) -> bool {
        !self.accumulate && self.bias.is_null() && self.residual.is_null()
    }
}

/// What is left of a depth after its whole steps, filled up with zeros: high parts, then low ones.
#[repr(C, align(64))]
struct Rest {
    lhs: [[[f32; EDGE]; ROWS]; 2],
    panel: [[[f32; PANEL]; EDGE]; 2],
}

#[repr(C, align(64))]
struct Sums(MaybeUninit<[[f32; PANEL]; ROWS]>);

impl Tiles {
    /// To be called only where [`is_available`].
    pub(in super::super) fn new() -> Self {
        Self { rows: Cell::new([0; 2]) }
    }

    /// Computes a tile of pairs, of up to [`ROWS`] rows.
    ///
    /// # Safety
    /// As for [`super::super::kernel::compute`]; where `lhs_low` and `panel_low` are not zero, as much must be
    /// readable from there.
    #[expect(unsafe_code, reason = "tiles are pointers")]
    pub(in super::super) unsafe fn compute(&self, tile: &Tile) {
        debug_assert!(tile.pairs && tile.rows <= ROWS && tile.columns <= tile.panel_width);
        self.configure([tile.upper, tile.rows - tile.upper]);
        // Stores, and sums to begin with, would wait for their lines one after another.
        for row in 0..tile.rows {
            for column in (0..tile.columns).step_by(EDGE) {
                first_level(tile.out.wrapping_add(row * tile.out_stride + column));
            }
        }
        let mut sums = Sums(MaybeUninit::uninit());
        let in_between = Place::new(sums.0.as_mut_ptr().cast(), 4 * PANEL, tile);
        let (whole, rest) = (tile.depth / EDGE, tile.depth % EDGE);
        let runs = tile.segments * (usize::from(whole > 0) + usize::from(rest > 0));
        let result = Place::new(tile.out, 4 * tile.out_stride, tile);
        let (begin, extra) = Extra::of(tile);
        let ends = tile.columns.is_multiple_of(EDGE) && extra.is_nothing();
        let mut done = 0;
        let mut next = || {
            let from = if done == 0 { &begin } else { &in_between };
            done += 1;
            Ends { from, to: if done == runs && ends { &result } else { &in_between } }
        };
        for segment in 0..tile.segments {
            // SAFETY: inside the tile.
            let (lhs, panel) = unsafe {
                let panel = tile.panel.add(segment * tile.depth * tile.panel_width);
                (tile.lhs.add(segment * tile.segment_stride), panel)
            };
            let run = Run {
                lhs,
                panel,
                lhs_low: lhs.wrapping_add(tile.lhs_low),
                panel_low: panel.wrapping_add(tile.panel_low),
                lhs_stride: 4 * tile.row_stride,
                lower: tile.lower.wrapping_mul(4),
                panel_stride: 4 * tile.panel_width,
                steps: whole,
            };
            if whole > 0 {
                // SAFETY: the run reads inside the tile, and the registers are configured for its rows; sums come from
                // where they were written before, or from a whole tile of the result, the residual or the bias.
                unsafe {
                    multiply(run, &next(), tile);
                }
            }
            if rest > 0 {
                // SAFETY: what follows the whole steps is inside the tile too; otherwise as above.
                unsafe {
                    let filled = Rest::new(run, rest, tile);
                    let run = Run {
                        lhs: filled.lhs[0].as_ptr().cast(),
                        lhs_low: filled.lhs[1].as_ptr().cast(),
                        panel: filled.panel[0].as_ptr().cast(),
                        panel_low: filled.panel[1].as_ptr().cast(),
                        lhs_stride: ROW_BYTES,
                        lower: ROW_BYTES * tile.upper,
                        panel_stride: 4 * PANEL,
                        steps: 1,
                    };
                    multiply(run, &next(), tile);
                }
            }
        }
        if !ends {
            // SAFETY: level `Amx` has AVX-512; the last run wrote the sums of the tile's rows and columns.
            unsafe {
                finish(&sums, tile, extra);
            }
        }
    }

    /// Registers 0 to 3 for results, 4 and 5 for left rows, 6 and 7 for right columns.
    fn configure(&self, rows: [usize; 2]) {
        if self.rows.replace(rows) == rows {
            return;
        }
        let [upper, lower] = rows.map(|rows| rows.max(1) as u8);
        let mut configuration = Configuration { palette: 1, ..Configuration::default() };
        configuration.row_bytes[..8].fill(ROW_BYTES as u16);
        configuration.rows[..8].copy_from_slice(&[upper, upper, lower, lower, upper, lower, 16, 16]);
        #[expect(unsafe_code, reason = "an instruction without an intrinsic")]
        // SAFETY: 64 bytes as the instruction wants them, on a processor that has it. Nothing else here uses the
        // registers, which it clears.
        unsafe {
            asm!(
                "ldtilecfg [{}]", in(reg) &raw const configuration, options(nostack, preserves_flags),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            );
        }
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        if self.rows.get() == [0; 2] {
            return;
        }
        #[expect(unsafe_code, reason = "an instruction without an intrinsic")]
        // SAFETY: the registers were configured, so the processor has them, and nothing else here uses them.
        unsafe {
            asm!(
                "tilerelease", options(nomem, nostack, preserves_flags),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            );
        }
    }
}

impl Rest {
    /// The last `pairs` of a tile's rows and columns, after a run's whole steps.
    ///
    /// # Safety
    /// They must be readable where the run begins.
    #[expect(unsafe_code, reason = "tiles are pointers")]
    unsafe fn new(run: Run, pairs: usize, tile: &Tile) -> Self {
        let mut rest = Self { lhs: [[[0.0; EDGE]; ROWS]; 2], panel: [[[0.0; PANEL]; EDGE]; 2] };
        let parts = [(run.lhs, run.panel), (run.lhs_low, run.panel_low)];
        for (part, (lhs, panel)) in parts.into_iter().enumerate() {
            let there = |low: usize| part == 0 || low > 0;
            // SAFETY: the caller's promise; of low parts only where there are any.
            unsafe {
                if there(tile.lhs_low) {
                    let lhs = lhs.add(run.steps * EDGE);
                    for (row, to) in rest.lhs[part].iter_mut().enumerate().take(tile.rows) {
                        let from = if row < tile.upper {
                            lhs.add(row * tile.row_stride)
                        } else {
                            lhs.wrapping_add(tile.lower).add((row - tile.upper) * tile.row_stride)
                        };
                        std::ptr::copy_nonoverlapping(from, to.as_mut_ptr(), pairs);
                    }
                }
                if there(tile.panel_low) {
                    let panel = panel.add(run.steps * EDGE * tile.panel_width);
                    for (row, to) in rest.panel[part].iter_mut().enumerate().take(pairs) {
                        let (from, width) = (panel.add(row * tile.panel_width), tile.panel_width);
                        std::ptr::copy_nonoverlapping(from, to.as_mut_ptr(), width);
                    }
                }
            }
        }
        rest
    }
}

/// The sums, and what is to be added to them, to the tile's place in the result.
///
/// # Safety
/// As for [`Tiles::compute`], with the sums of the tile's rows and columns written.
#[target_feature(enable = "avx512f")]
#[expect(unsafe_code, reason = "reads and writes through the tile's pointers")]
unsafe fn finish(sums: &Sums, tile: &Tile, extra: Extra) {
    let sums: *const f32 = sums.0.as_ptr().cast();
    for first in (0..tile.columns).step_by(EDGE) {
        let mask = u16::MAX >> (EDGE - (tile.columns - first).min(EDGE));
        // SAFETY: every access is at a row and column of the tile, those beyond its columns masked.
        unsafe {
            let bias = if extra.bias.is_null() {
                _mm512_setzero_ps()
            } else {
                _mm512_loadu_ps(extra.bias.add(first))
            };
            for row in 0..tile.rows {
                let at = row * tile.out_stride + first;
                let mut sum = _mm512_add_ps(_mm512_loadu_ps(sums.add(row * PANEL + first)), bias);
                if extra.accumulate {
                    sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, tile.out.add(at)));
                }
                if !extra.residual.is_null() {
                    sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, extra.residual.add(at)));
                }
                _mm512_mask_storeu_ps(tile.out.add(at), mask, sum);
            }
        }
    }
}
