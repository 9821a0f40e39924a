//! Files of weights on their own, and the decoding of their blocks.

use std::path::PathBuf;
use std::sync::OnceLock;

use safelight::kernels::dequantise::decode_blocks;
use safelight::weights::{BlockFormat, GgufFile, TensorSource, WeightFile};

use super::Target;

const QUANTISED: &str = "quantised";

pub(crate) const TARGETS: &[Target] = &[
    Target { name: "gguf", run: gguf, seeds: &[(QUANTISED, "gguf")] },
    Target { name: "blocks", run: blocks, seeds: &[] },
];

/// Where an input lies: files of weights are read from disks only.
fn place() -> &'static PathBuf {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    PLACE.get_or_init(|| std::env::temp_dir().join(format!("safelight-fuzz-{}.gguf", std::process::id())))
}

fn gguf(data: &[u8]) {
    std::fs::write(place(), data).unwrap();
    let Ok(file) = GgufFile::open(WeightFile::open(place()).unwrap()) else { return };
    let mut total = 0;
    for name in file.names() {
        let info = file.info(name).unwrap();
        if let Ok(stored) = file.read(name) {
            assert_eq!((stored.dtype(), stored.shape()), (info.dtype, &*info.shape));
            total += stored.view().bytes.len();
        }
        if let Some(rows) = info.shape.first() {
            let _ = file.read_rows(name, rows / 2..*rows);
        }
    }
    assert!(total <= data.len(), "{total} bytes of values from {}", data.len());
}

/// The first byte chooses the format.
fn blocks(data: &[u8]) {
    let Some((choice, bytes)) = data.split_first() else { return };
    let format = BlockFormat::ALL[usize::from(*choice) % BlockFormat::ALL.len()];
    let count = bytes.len() / format.bytes();
    let mut values = vec![0.0; count * format.values()];
    decode_blocks(format, &bytes[..count * format.bytes()], &mut values);
}
