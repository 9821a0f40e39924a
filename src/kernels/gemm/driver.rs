//! The loops of a GEMM around its micro-kernel.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::super::KernelContext;
use super::super::disjoint_output::DisjointOutput;
use super::super::isa::has_large_l2;
use super::lhs::PackedLhs;
use super::micro_kernel::{MicroKernel, Tile};
use super::operand_format::PANEL;
use super::packed_rhs::{RhsView, packed_columns};

/// How a product is cut for the caches.
#[derive(Clone, Copy)]
struct Blocking {
    /// Slots of one pass along the depth. A panel of them comes from the second-level cache; passes so short that the
    /// first-level cache would hold one read and write the result more often and are slower.
    depth: usize,
    /// LHS rows of one block.
    rows: usize,
}

/// 512 KiB of a second-level cache of a MiB.
const LARGE_L2: Blocking = Blocking { depth: 512, rows: 256 };
/// 384 KiB of a smaller one.
const SMALL_L2: Blocking = Blocking { depth: 256, rows: 384 };
/// Passes along the depth begin at multiples of this number of slots.
const PASS_MULTIPLE: usize = 32;
/// Panels of one group: their results of a block, 128 KiB, stay in the second-level cache from pass to pass.
const GROUP_PANELS: usize = 4;
/// Products of fewer multiplications than this stay on one thread.
const PARALLEL_MULTIPLICATIONS: usize = 1 << 20;
/// Pieces for each thread, so that a late thread does not hold up the rest.
const PIECES: usize = 3;

/// What is added to a product on its way to memory.
#[derive(Clone, Copy, Default)]
pub(in super::super) struct Epilogue<'a> {
    /// The content of the result.
    pub(in super::super) accumulate: bool,
    /// Empty, or a value for each packed column.
    pub(in super::super) bias: &'a [f32],
    /// `[rows, columns]` with the result's stride.
    pub(in super::super) residual: Option<&'a [f32]>,
}

/// `out = lhs · rhs` plus the epilogue; rows of `out` are `out_stride` apart. Without `epilogue.accumulate`, `out` need not
/// be initialised.
///
/// # Panics
/// If sizes or formats do not fit.
pub(in super::super) fn gemm_into(
    ctx: &KernelContext,
    lhs: &PackedLhs<'_>,
    rhs: RhsView<'_>,
    epilogue: Epilogue<'_>,
    out: &mut [MaybeUninit<f32>],
    out_stride: usize,
) {
    let (rows, depth, columns) = (lhs.layout.count(), rhs.depth_slots(), rhs.columns());
    if rows == 0 || columns == 0 {
        return;
    }
    assert!(lhs.format == rhs.operand_format(), "operands of one format");
    assert!(depth > 0 && depth.is_multiple_of(lhs.layout.segments), "segments of equal depth");
    assert!(lhs.layout.end(depth) <= lhs.slots().len(), "a GEMM reads outside its LHS");
    assert!((rows - 1) * out_stride + columns <= out.len(), "a GEMM's result is too short");
    assert!(out_stride >= columns || rows == 1, "a GEMM's rows overlap");
    let Epilogue { bias, residual, .. } = epilogue;
    assert!(bias.is_empty() || bias.len() == packed_columns(columns), "a bias for each column");
    assert!(residual.is_none_or(|r| r.len() >= (rows - 1) * out_stride + columns), "residual too short");

    let blocking = if has_large_l2() { LARGE_L2 } else { SMALL_L2 };
    let (strips, panels, threads) = (lhs.layout.strips(), columns.div_ceil(PANEL), ctx.threads().count());
    let share = threads > 1 && rows * columns * depth >= PARALLEL_MULTIPLICATIONS;
    let blocks = rows.div_ceil(blocking.rows).min(strips);
    let (blocks, groups) = if !share || blocks >= PIECES * threads {
        (blocks, 1)
    } else {
        let groups = panels.min((PIECES * threads).div_ceil(blocks));
        (blocks.max((PIECES * threads).div_ceil(groups)).min(strips), groups)
    };
    let kernel = MicroKernel::new(ctx.isa(), lhs.format);
    let out = DisjointOutput::new(out);
    let gemm = Gemm { ctx, lhs, rhs, epilogue, out: &out, out_stride, kernel, pass_depth: blocking.depth };
    let part = |index: usize, parts: usize, of: usize| index * of / parts..(index + 1) * of / parts;
    ctx.threads().for_each(share, 0..blocks * groups, |index| {
        gemm.block(part(index / groups, blocks, strips), part(index % groups, groups, panels));
    });
}

/// [`gemm_into`] into values.
///
/// # Panics
/// As [`gemm_into`].
pub(in super::super) fn gemm(
    ctx: &KernelContext,
    lhs: &PackedLhs<'_>,
    rhs: RhsView<'_>,
    epilogue: Epilogue<'_>,
    out: &mut [f32],
    out_stride: usize,
) {
    // SAFETY: `MaybeUninit<f32>` has the layout of `f32`, and `gemm_into` writes no uninitialised value.
    let out = unsafe { &mut *(std::ptr::from_mut(out) as *mut [MaybeUninit<f32>]) };
    gemm_into(ctx, lhs, rhs, epilogue, out, out_stride);
}

/// One product, its sizes checked.
struct Gemm<'a> {
    ctx: &'a KernelContext,
    lhs: &'a PackedLhs<'a>,
    rhs: RhsView<'a>,
    epilogue: Epilogue<'a>,
    out: &'a DisjointOutput<'a>,
    out_stride: usize,
    kernel: MicroKernel,
    pass_depth: usize,
}

/// Part of the depth.
#[derive(Clone, Copy)]
struct Pass {
    /// Where it begins in an LHS row.
    lhs_offset: usize,
    /// The first row of the RHS.
    rhs_row: usize,
    segments: usize,
    /// Of each segment.
    depth: usize,
    is_first: bool,
    is_last: bool,
}

impl Gemm<'_> {
    /// The passes along the depth: all of it, or parts of one segment after another.
    fn passes(&self) -> Vec<Pass> {
        let (depth, layout) = (self.rhs.depth_slots(), self.lhs.layout);
        let segment_depth = depth / layout.segments;
        if depth <= self.pass_depth + self.pass_depth / 2 {
            let segments = layout.segments;
            let whole = Pass {
                lhs_offset: 0,
                rhs_row: 0,
                segments,
                depth: segment_depth,
                is_first: true,
                is_last: true,
            };
            return vec![whole];
        }
        // Blocks are decoded as a whole.
        let together = PASS_MULTIPLE.next_multiple_of(self.rhs.slots_together());
        let step = segment_depth.div_ceil(segment_depth.div_ceil(self.pass_depth)).next_multiple_of(together);
        let starts = || (0..segment_depth).step_by(step);
        (0..layout.segments)
            .flat_map(|segment| starts().map(move |from| (segment, from)))
            .map(|(segment, from)| {
                let to = segment_depth.min(from + step);
                Pass {
                    lhs_offset: segment * layout.segment_stride + from,
                    rhs_row: segment * segment_depth + from,
                    segments: 1,
                    depth: to - from,
                    is_first: segment == 0 && from == 0,
                    is_last: segment + 1 == layout.segments && to == segment_depth,
                }
            })
            .collect()
    }

    /// Computes some strips of rows for some panels.
    fn block(&self, strips: Range<usize>, panels: Range<usize>) {
        let passes = self.passes();
        let strips: Vec<_> = strips.map(|strip| self.lhs.layout.strip(strip)).collect();
        let longest = passes.iter().map(|pass| pass.segments * pass.depth).max().unwrap_or_default();
        let mut buffer = self.ctx.scratch(self.rhs.decode_buffer(longest));
        let decodes = !buffer.is_empty();
        for group in panels.clone().step_by(GROUP_PANELS) {
            let end = panels.end.min(group + GROUP_PANELS);
            for (pass, panel) in passes.iter().flat_map(|pass| (group..end).map(move |panel| (*pass, panel)))
            {
                let rows = pass.rhs_row..pass.rhs_row + pass.segments * pass.depth;
                // Panels that are decoded are read at once: the next one is fetched meanwhile.
                let next = (decodes && panel + 1 < end).then(|| self.rhs.prefetch(panel + 1, rows.clone()));
                let slots = self.rhs.rows(self.ctx.isa(), panel, rows, &mut buffer);
                let (width, column) = (self.rhs.width(panel), panel * PANEL);
                let bias = self.epilogue.bias.get(column..).filter(|bias| pass.is_last && !bias.is_empty());
                let residual = self.epilogue.residual.filter(|_| pass.is_last);
                // What differs from strip to strip follows.
                let mut tile = Tile {
                    lhs: std::ptr::null(),
                    row_stride: self.lhs.layout.row_stride,
                    segments: pass.segments,
                    segment_stride: self.lhs.layout.segment_stride,
                    depth: pass.depth,
                    panel: slots.as_ptr(),
                    panel_width: width,
                    out: std::ptr::null_mut(),
                    out_stride: self.out_stride,
                    rows: 0,
                    columns: width.min(self.rhs.columns() - column),
                    accumulate: self.epilogue.accumulate || !pass.is_first,
                    bias: bias.map_or(std::ptr::null(), <[f32]>::as_ptr),
                    residual: std::ptr::null(),
                };
                for (number, strip) in strips.iter().enumerate() {
                    if let Some(next) = next {
                        next.part(number, strips.len());
                    }
                    let at = strip.first * self.out_stride + column;
                    tile.lhs = self.lhs.slots()[strip.offset + pass.lhs_offset..].as_ptr();
                    tile.out = self.out.at(at);
                    tile.residual = residual.map_or(std::ptr::null(), |residual| residual[at..].as_ptr());
                    tile.rows = strip.rows;
                    // SAFETY: `gemm_into` asserted that the last row, bias, result and residual lie inside their slices
                    // (those of other strips and passes lie before), and `slots` are the panel's rows of this pass. No
                    // other piece has this strip's rows and this panel's columns of the result.
                    unsafe { self.kernel.compute(&tile) }
                }
            }
        }
    }
}
