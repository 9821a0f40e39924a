//! The number formats of GGML's tensors by their numbers in files.

use super::super::{BlockFormat, WeightDtype};

/// The format in this program's terms, or its name if it is not read.
///
/// Source: `ggml_type` in `ggml.h`, <https://github.com/ggml-org/ggml>.
pub(super) fn of(number: u32) -> Result<WeightDtype, String> {
    Ok(match number {
        0 => WeightDtype::F32,
        1 => WeightDtype::F16,
        2 => WeightDtype::Block(BlockFormat::Q4_0),
        3 => WeightDtype::Block(BlockFormat::Q4_1),
        6 => WeightDtype::Block(BlockFormat::Q5_0),
        7 => WeightDtype::Block(BlockFormat::Q5_1),
        8 => WeightDtype::Block(BlockFormat::Q8_0),
        10 => WeightDtype::Block(BlockFormat::Q2K),
        11 => WeightDtype::Block(BlockFormat::Q3K),
        12 => WeightDtype::Block(BlockFormat::Q4K),
        13 => WeightDtype::Block(BlockFormat::Q5K),
        14 => WeightDtype::Block(BlockFormat::Q6K),
        20 => WeightDtype::Block(BlockFormat::Iq4Nl),
        23 => WeightDtype::Block(BlockFormat::Iq4Xs),
        28 => WeightDtype::F64,
        30 => WeightDtype::Bf16,
        _ => return Err(name_of(number)),
    })
}

fn name_of(number: u32) -> String {
    let name = match number {
        4 => "Q4_2",
        5 => "Q4_3",
        9 => "Q8_1",
        15 => "Q8_K",
        16 => "IQ2_XXS",
        17 => "IQ2_XS",
        18 => "IQ3_XXS",
        19 => "IQ1_S",
        21 => "IQ3_S",
        22 => "IQ2_S",
        24 => "I8",
        25 => "I16",
        26 => "I32",
        27 => "I64",
        29 => "IQ1_M",
        31 => "Q4_0_4_4",
        32 => "Q4_0_4_8",
        33 => "Q4_0_8_8",
        34 => "TQ1_0",
        35 => "TQ2_0",
        36 => "IQ4_NL_4_4",
        37 => "IQ4_NL_4_8",
        38 => "IQ4_NL_8_8",
        39 => "MXFP4",
        40 => "NVFP4",
        41 => "Q1_0",
        _ => return format!("number {number}"),
    };
    name.to_owned()
}
