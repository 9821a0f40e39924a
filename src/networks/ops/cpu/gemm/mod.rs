//! Matrix products with a packed right side.
//!
//! Why not the `gemm` crate: it packs both sides at every call, and its result needs another pass for
//! bias and residual. The loops are Goto & van de Geijn's (2008): a block of left rows stays in the
//! second-level cache, a panel of the right matrix in the first, the sums in registers. Large products of f32 values are
//! Strassen's.

mod strassen;

use std::mem::MaybeUninit;
use std::ops::Range;

use super::super::threads;
use super::amx::{self, Tiles};
use super::cache;
use super::kernel::{self, HALF_PANEL, PANEL, Tile};
use super::pack::{Form, Panels, packed_columns};
use super::scratch::Scratch;
use super::shared::Shared;
use super::strips::Cut;

/// Depth of one pass. A panel of it is 64 KiB and comes from the second-level cache, one row after another; shorter
/// passes, whose panels the first-level cache would hold, read and write the result more often and are slower.
const DEPTH: usize = 512;
/// Left rows of one block: with [`DEPTH`] 512 KiB of the second-level cache, if that is large, which it is where there are
/// tile registers.
const BLOCK_ROWS: usize = 256;
/// The same for a smaller cache: 384 KiB.
const DEPTH_IN_SMALL: usize = 256;
const BLOCK_ROWS_IN_SMALL: usize = 384;
const BLOCK_ROWS_WITH_AMX: usize = 512;
/// Panels of one group: their results of a block, 128 KiB, stay in the second-level cache from pass
/// to pass.
const GROUP_PANELS: usize = 4;
/// Products of fewer multiplications than this stay on one thread.
const PARALLEL_MULTIPLICATIONS: usize = 1 << 20;

/// A right matrix `[depth, columns]` in panels.
#[derive(Clone, Copy)]
pub(super) struct Packed<'a> {
    /// Pairs of bf16 values only for left rows of pairs.
    pub(super) panels: Panels<'a>,
    /// If the left rows are pairs or split, half of it.
    pub(super) depth: usize,
    pub(super) columns: usize,
}

/// Left rows where they lie: `pictures × lines × length` rows, each of `segments` runs of values.
#[derive(Clone, Copy)]
pub(in super::super) struct Rows<'a> {
    pub(in super::super) values: &'a [f32],
    pub(in super::super) pictures: usize,
    pub(in super::super) picture_stride: usize,
    pub(in super::super) lines: usize,
    pub(in super::super) line_stride: usize,
    pub(in super::super) length: usize,
    pub(in super::super) row_stride: usize,
    pub(in super::super) segments: usize,
    pub(in super::super) segment_stride: usize,
    /// How `values` are to be read; strides and lengths are of f32 values or of pairs.
    pub(super) form: Form,
}

impl<'a> Rows<'a> {
    /// `count` rows, `stride` apart.
    pub(in super::super) fn plain(values: &'a [f32], count: usize, stride: usize) -> Self {
        Self {
            values,
            pictures: 1,
            picture_stride: 0,
            lines: 1,
            line_stride: 0,
            length: count,
            row_stride: stride,
            segments: 1,
            segment_stride: 0,
            form: Form::F32,
        }
    }

    /// Whether every place of these rows of `depth` values that is begun at has an even number.
    pub(super) fn are_even(&self, depth: usize) -> bool {
        let segment = depth / self.segments;
        let strides = [self.picture_stride, self.line_stride, self.row_stride, self.segment_stride, segment];
        self.values.len().is_multiple_of(2) && strides.iter().all(|stride| stride.is_multiple_of(2))
    }

    /// Whether all are the same distance apart, and in one piece each.
    fn are_evenly_spaced(&self) -> bool {
        // Not as arrays: they would be written to memory for it, which takes longer than the rest of a small product's checks.
        self.pictures == 1 && self.lines == 1 && self.segments == 1
    }

    /// Whether they are f32 values as [`Self::plain`] takes them.
    fn are_plain(&self) -> bool {
        self.form == Form::F32 && self.are_evenly_spaced()
    }

    /// Whether they are one after another, without gaps.
    pub(super) fn are_in_a_row(&self, depth: usize) -> bool {
        self.are_evenly_spaced() && self.row_stride == depth
    }

    /// The same rows as pairs of bf16 values, which are half as many.
    pub(super) fn halved(self, values: &[f32], form: Form) -> Rows<'_> {
        Rows {
            values,
            form,
            picture_stride: self.picture_stride / 2,
            line_stride: self.line_stride / 2,
            row_stride: self.row_stride / 2,
            segment_stride: self.segment_stride / 2,
            ..self
        }
    }

    pub(super) fn count(&self) -> usize {
        self.pictures * self.lines * self.length
    }

    /// One more than the last index read, for rows of `depth` values in all.
    fn end(&self, depth: usize) -> usize {
        (self.pictures - 1) * self.picture_stride
            + (self.lines - 1) * self.line_stride
            + (self.length - 1) * self.row_stride
            + (self.segments - 1) * self.segment_stride
            + depth / self.segments
    }
}

/// What is added to a product.
#[derive(Clone, Copy, Default)]
pub(super) struct Extra<'a> {
    /// What is in the result already.
    pub(super) accumulate: bool,
    /// Empty, or a value for each packed column.
    pub(super) bias: &'a [f32],
    /// `[rows, columns]` with the result's stride.
    pub(super) residual: Option<&'a [f32]>,
}

/// Who computes a product.
#[derive(Clone, Copy)]
pub(super) enum Workers<'a> {
    /// The pool, if it is worth it.
    Pool,
    /// This thread, with tile registers that are in use already, if there are any.
    One(Option<&'a Tiles>),
}

/// `out = rows · rhs` plus `extra`; rows of `out` are `out_stride` apart.
pub(super) fn product(
    rows: Rows<'_>,
    rhs: Packed<'_>,
    extra: Extra<'_>,
    out: &mut [f32],
    out_stride: usize,
    workers: Workers<'_>,
) {
    #[expect(unsafe_code, reason = "a product writes values, and only values")]
    // SAFETY: `MaybeUninit<f32>` lies in memory as `f32`, and `product_into` writes no value back to
    // being uninitialised.
    let out = unsafe { &mut *(std::ptr::from_mut(out) as *mut [MaybeUninit<f32>]) };
    product_into(rows, rhs, extra, out, out_stride, workers);
}

/// [`product`] into memory that, without `extra.accumulate`, need not hold values yet.
pub(super) fn product_into(
    rows: Rows<'_>,
    rhs: Packed<'_>,
    extra: Extra<'_>,
    out: &mut [MaybeUninit<f32>],
    out_stride: usize,
    workers: Workers<'_>,
) {
    let count = rows.count();
    if count == 0 || rhs.columns == 0 {
        return;
    }
    assert!(rhs.depth > 0 && rhs.depth.is_multiple_of(rows.segments), "segments of equal depth");
    assert!(
        rows.end(rhs.depth) + rows.form.low() <= rows.values.len(),
        "a matrix product reads outside its rows"
    );
    let of_pairs = matches!(rhs.panels, Panels::Pairs(_));
    assert!(of_pairs == (rows.form == Form::Pairs), "pairs go with pairs");
    let numbers = rows.form.halves() * rhs.depth * packed_columns(rhs.columns);
    assert!(rhs.panels.len() >= numbers, "a packed matrix is too short");
    assert!((count - 1) * out_stride + rhs.columns <= out.len(), "a matrix product's result is too short");
    assert!(out_stride >= rhs.columns || count == 1, "a matrix product's rows overlap");
    assert!(
        extra.bias.is_empty() || extra.bias.len() == packed_columns(rhs.columns),
        "a bias for each column"
    );
    assert!(
        extra.residual.is_none_or(|r| r.len() >= (count - 1) * out_stride + rhs.columns),
        "residual too short"
    );

    let with_tiles = matches!(rows.form, Form::Split(_)) || of_pairs && amx::is_in_use();
    let cut = Cut::new(rows, with_tiles);
    let tiles = cut.count();
    let panels = rhs.columns.div_ceil(PANEL);
    let threads = if let Workers::Pool = workers { threads::count() } else { 1 };
    let share = threads > 1 && count * rhs.columns * rhs.depth >= PARALLEL_MULTIPLICATIONS;
    let block_rows = match with_tiles {
        true => BLOCK_ROWS_WITH_AMX,
        false if cache::is_large() => BLOCK_ROWS,
        false => BLOCK_ROWS_IN_SMALL,
    };
    let blocks = count.div_ceil(block_rows).min(tiles);
    // Several pieces for each thread, so that a thread that is late does not hold up the rest.
    let (by_sevens, unit) = match strassen::panels_for(rows, rhs) {
        count if count > 0 && !with_tiles => (count, strassen::PAIR),
        _ => (0, 1),
    };
    let (blocks, groups) = if !share || blocks >= 3 * threads {
        (blocks, 1)
    } else {
        let groups = panels.div_ceil(unit).min((3 * threads).div_ceil(blocks));
        (blocks.max((3 * threads).div_ceil(groups)).min(tiles), groups)
    };
    let out = Shared::new(out);
    let piece = |index: usize, registers: Option<&Tiles>| {
        let (block, group) = (index / groups, index % groups);
        let tiles = block * tiles / blocks..(block + 1) * tiles / blocks;
        let bound = |group: usize| panels.min(group * panels.div_ceil(unit) / groups * unit);
        let (first, end) = (bound(group), bound(group + 1));
        let work = Work { rows, rhs, extra, out: &out, out_stride, cut, tiles: registers };
        let paired = by_sevens.clamp(first, end);
        if first < paired {
            work.run_by_sevens(tiles.clone(), first..paired);
        }
        if paired < end {
            work.run(tiles, paired..end);
        }
    };
    let pieces = 0..blocks * groups;
    match workers {
        Workers::One(Some(registers)) if with_tiles => pieces.for_each(|index| piece(index, Some(registers))),
        _ => {
            let registers = || with_tiles.then(Tiles::new);
            threads::for_each_with(share, pieces, registers, |tiles, index| piece(index, tiles.as_ref()));
        }
    }
}

/// A right matrix of one panel: `[depth, width]`.
#[derive(Clone, Copy)]
pub(super) struct Panel<'a> {
    pub(super) values: &'a [f32],
    /// [`PANEL`] or [`HALF_PANEL`].
    pub(super) width: usize,
    /// Those that are part of the result.
    pub(super) columns: usize,
}

/// `out = rows · panel` for f32 rows, in one pass on this thread: what [`product`] does before it multiplies takes a tenth
/// of a small product's time.
pub(super) fn multiply_panel(
    rows: Rows<'_>,
    panel: Panel<'_>,
    accumulate: bool,
    out: &mut [f32],
    out_stride: usize,
) {
    let Panel { values, width, columns } = panel;
    let (count, depth) = (rows.length, values.len() / width);
    assert!(rows.are_plain(), "plain rows");
    assert!(width == PANEL || width == HALF_PANEL, "a panel");
    assert!(columns <= width && columns <= out_stride, "a panel's columns");
    if count == 0 {
        return;
    }
    assert!((count - 1) * rows.row_stride + depth <= rows.values.len(), "a product reads outside its rows");
    assert!((count - 1) * out_stride + columns <= out.len(), "a product's result is too short");
    let tile = Tile {
        lhs: rows.values.as_ptr(),
        row_stride: rows.row_stride,
        segments: 1,
        segment_stride: 0,
        depth,
        panel: values.as_ptr(),
        panel_width: width,
        out: out.as_mut_ptr(),
        out_stride,
        rows: count,
        upper: 0,
        lower: 0,
        columns,
        accumulate,
        bias: std::ptr::null(),
        residual: std::ptr::null(),
        pairs: false,
        lhs_low: 0,
        panel_low: 0,
    };
    #[expect(unsafe_code, reason = "tiles are pointers into slices")]
    // SAFETY: the last row, the panel and the last result lie inside their slices, as asserted.
    unsafe {
        kernel::compute(&tile);
    }
}

struct Work<'a> {
    rows: Rows<'a>,
    rhs: Packed<'a>,
    extra: Extra<'a>,
    out: &'a Shared<'a>,
    out_stride: usize,
    cut: Cut<'a>,
    /// The tile registers, if it is for them.
    tiles: Option<&'a Tiles>,
}

impl Work<'_> {
    /// Computes some tiles of rows for some panels.
    fn run(&self, tiles: Range<usize>, panels: Range<usize>) {
        let (rows, rhs) = (self.rows, self.rhs);
        let segment_depth = rhs.depth / rows.segments;
        let pass_depth = match self.tiles {
            Some(_) if rows.form.low() > 0 => amx::SPLIT_DEPTH,
            Some(_) => amx::PASS_DEPTH,
            None if cache::is_large() => DEPTH,
            None => DEPTH_IN_SMALL,
        };
        let whole = rhs.depth <= pass_depth + pass_depth / 2;
        let chunks = segment_depth.div_ceil(pass_depth);
        let passes = if whole { 1 } else { rows.segments * chunks };
        // Passes of whole steps of the tile registers leave a rest only at the end.
        let multiple = if self.tiles.is_some() { amx::DEPTH / 2 } else { 1 };
        let strips = self.cut.strips(tiles);
        let most = if whole { rhs.depth } else { segment_depth.div_ceil(chunks).next_multiple_of(multiple) };
        let mut room = Scratch::new(rhs.panels.room(most * PANEL, rows.form));
        let converts = !room.is_empty();
        let groups = panels.clone().step_by(GROUP_PANELS);
        for (group, pass) in groups.flat_map(|group| (0..passes).map(move |pass| (group, pass))) {
            // A pass is the whole depth, or a part of one segment.
            let (segment, chunk) = (pass / chunks, pass % chunks);
            let step = segment_depth.div_ceil(chunks).next_multiple_of(multiple);
            let from = if whole { 0 } else { segment_depth.min(chunk * step) };
            let to = if whole { segment_depth } else { segment_depth.min((chunk + 1) * step) };
            let segments = if whole { rows.segments } else { 1 };
            let segment = if whole { 0 } else { segment };
            let lhs_offset = segment * rows.segment_stride + from;
            let rhs_row = segment * segment_depth + from;
            // Tile registers are loaded with what is added, others add it in the end.
            let adds = if self.tiles.is_some() { pass == 0 } else { pass + 1 == passes };
            let end = panels.end.min(group + GROUP_PANELS);
            for panel in group..end {
                let place = |panel: usize| {
                    let width = PANEL.min(packed_columns(rhs.columns) - panel * PANEL);
                    let first = panel * PANEL * rhs.depth + rhs_row * width;
                    (first..first + segments * (to - from) * width, width)
                };
                let (range, width) = place(panel);
                let column = panel * PANEL;
                let part = rhs.panels.part(range, width, rows.form, &mut room);
                // Panels that are widened or split are read at once: the next one is fetched meanwhile.
                let next = panel + 1;
                let next = (converts && next < end).then(|| rhs.panels.ahead(place(next).0, rows.form));
                let bias = if adds && !self.extra.bias.is_empty() {
                    self.extra.bias[column..].as_ptr()
                } else {
                    std::ptr::null()
                };
                let residual = self.extra.residual.filter(|_| adds);
                // What differs from strip to strip follows.
                let mut tile = Tile {
                    lhs: rows.values.as_ptr(),
                    row_stride: rows.row_stride,
                    segments,
                    segment_stride: rows.segment_stride,
                    depth: to - from,
                    panel: part.values.as_ptr(),
                    panel_width: width,
                    out: self.out.at(0),
                    out_stride: self.out_stride,
                    rows: 0,
                    upper: 0,
                    lower: 0,
                    columns: width.min(rhs.columns - column),
                    accumulate: self.extra.accumulate || pass > 0,
                    bias,
                    residual: std::ptr::null(),
                    pairs: rows.form != Form::F32,
                    lhs_low: rows.form.low(),
                    panel_low: part.low,
                };
                for (number, strip) in strips.iter().enumerate() {
                    if let Some(next) = next {
                        next.fetch(number, strips.len());
                    }
                    let at = strip.first * self.out_stride + column;
                    if let Some(residual) = residual {
                        tile.residual = residual[at..].as_ptr();
                    }
                    (tile.rows, tile.upper, tile.lower) = (strip.rows, strip.upper, strip.lower);
                    #[expect(
                        unsafe_code,
                        reason = "tiles are pointers into slices checked by `product_into`"
                    )]
                    // SAFETY: `product_into` asserted that the last row, panel and result lie inside their
                    // slices; this tile's rows and columns of the result belong to this call alone.
                    unsafe {
                        tile.lhs = rows.values.as_ptr().add(strip.lhs + lhs_offset);
                        tile.out = self.out.at(at);
                        match self.tiles {
                            Some(tiles) => tiles.compute(&tile),
                            None => kernel::compute(&tile),
                        }
                    }
                }
            }
        }
    }
}
