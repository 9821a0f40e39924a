//! How the one-pass attention kernel of `shaders/cuda/attention.cu` is launched, which needs no GPU to be tested.

use candle_core::DType;

/// The widths of heads that kernels are compiled for; narrower ones are filled up with zeros in the kernel.
pub(super) const WIDTHS: [usize; 5] = [48, 64, 80, 96, 128];
/// Threads of a block.
pub(super) const THREADS: u32 = 128;
/// Queries of a block: the 16 rows of a product for each of its warps.
const QUERIES: usize = THREADS as usize / 32 * 16;
/// Most blocks along the second axis of a launch.
const MAX_HEADS: usize = 65_535;

/// The sizes of an attention.
#[derive(Clone, Copy)]
pub(super) struct AttentionShape {
    pub(super) batch: usize,
    pub(super) queries: usize,
    pub(super) keys: usize,
    pub(super) heads: usize,
    /// Of a head.
    pub(super) width: usize,
}

impl AttentionShape {
    /// The name of the kernel for these, if there is one.
    pub(super) fn kernel(self, dtype: DType) -> Option<String> {
        let format = match dtype {
            DType::F16 => "f16",
            DType::BF16 => "bf16",
            _ => return None,
        };
        let width = WIDTHS.into_iter().find(|width| self.width <= *width)?;
        let fits = self.width.is_multiple_of(8)
            && self.batch * self.heads <= MAX_HEADS
            && self.queries > 0
            && self.keys > 0
            && [self.queries, self.keys].into_iter().all(|count| i32::try_from(count).is_ok());
        fits.then(|| format!("attention_{format}_{width}"))
    }

    /// The blocks of a launch along each axis.
    pub(super) fn blocks(self) -> (u32, u32, u32) {
        (self.queries.div_ceil(QUERIES) as u32, (self.batch * self.heads) as u32, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/cuda/attention.cu"));

    fn of(width: usize) -> AttentionShape {
        AttentionShape { batch: 2, queries: 65, keys: 7, heads: 4, width }
    }

    #[test]
    fn heads_get_the_narrowest_kernel_that_holds_them() {
        let name = |width: usize| of(width).kernel(DType::F16);
        assert_eq!(name(40).as_deref(), Some("attention_f16_48"));
        assert_eq!(of(128).kernel(DType::BF16).as_deref(), Some("attention_bf16_128"));
        assert_eq!([name(160), name(44), of(64).kernel(DType::F32)], [None, None, None]);
        assert_eq!(AttentionShape { keys: 0, ..of(64) }.kernel(DType::F16), None);
        assert_eq!(AttentionShape { batch: 20_000, ..of(64) }.kernel(DType::F16), None);
    }

    #[test]
    fn a_launch_is_of_the_kernels_own_sizes() {
        assert_eq!(of(64).blocks(), (2, 8, 1));
        assert!(SOURCE.contains(&format!("constexpr int THREADS = {THREADS};")));
        assert!(SOURCE.contains("constexpr int QUERIES = THREADS / 32 * 16;"));
        let compiled: Vec<usize> = SOURCE
            .lines()
            .filter_map(|line| line.strip_prefix("ATTENTION_OF_WIDTH(")?.strip_suffix(')')?.parse().ok())
            .collect();
        assert_eq!(compiled, WIDTHS);
    }
}
