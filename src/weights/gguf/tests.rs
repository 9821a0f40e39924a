use std::path::Path;

use proptest::prelude::*;

use super::*;

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/quantised");
    std::fs::read(folder.join(name)).unwrap()
}

fn open(bytes: Vec<u8>) -> Result<GgufFile, WeightError> {
    GgufFile::open(WeightFile::embedded("made.gguf".into(), bytes.leak()))
}

/// A header as files have it.
struct Header(Vec<u8>);

impl Header {
    const TEXT: u32 = 8;
    const ARRAY: u32 = 9;

    fn new(version: u32, tensors: u64, keys: u64) -> Self {
        Self([b"GGUF", &version.to_le_bytes()[..], &tensors.to_le_bytes(), &keys.to_le_bytes()].concat())
    }

    fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn text(mut self, text: &str) -> Self {
        self = self.u64(text.len() as u64);
        self.0.extend(text.as_bytes());
        self
    }

    /// A key with a number of 32 bits.
    fn key(self, key: &str, value: u32) -> Self {
        self.text(key).u32(4).u32(value)
    }

    /// A tensor, its dimensions in the order of the file.
    fn tensor(self, name: &str, dimensions: &[u64], kind: u32, offset: u64) -> Self {
        let named = self.text(name).u32(dimensions.len() as u32);
        dimensions.iter().fold(named, |header, edge| header.u64(*edge)).u32(kind).u64(offset)
    }

    /// The whole file, with `values` bytes of tensor data.
    fn bytes(self, values: usize) -> Vec<u8> {
        let mut bytes = self.0;
        bytes.resize(bytes.len().next_multiple_of(32) + values, 7);
        bytes
    }
}

/// As `serde_json` holds what the fixture's script wrote.
fn json(value: &GgufValue) -> serde_json::Value {
    let number = |number: GgufNumber| match number {
        GgufNumber::Unsigned(number) => number.into(),
        GgufNumber::Signed(number) => number.into(),
        GgufNumber::Float(number) => number.into(),
    };
    match value {
        GgufValue::Number(value) => number(*value),
        GgufValue::Bool(value) => (*value).into(),
        GgufValue::Text(_) => value.as_str().into(),
        GgufValue::Numbers(values) => values.iter().map(number).collect(),
        GgufValue::Texts(values) => values.iter().map(|text| String::from_utf8_lossy(text)).collect(),
        GgufValue::Arrays(values) => values.iter().map(json).collect(),
    }
}

#[test]
fn a_file_of_the_reference_package_is_read_as_it_was_written() {
    let file = open(fixture("model.gguf")).unwrap();
    let written: serde_json::Value = serde_json::from_slice(&fixture("model.json")).unwrap();
    let wanted = written["metadata"].as_object().unwrap();
    for (key, value) in file.metadata().iter() {
        let wanted = match &wanted[key] {
            // A list of truth values is one of numbers here.
            serde_json::Value::Array(list) if list.iter().all(serde_json::Value::is_boolean) => {
                list.iter().map(|value| u64::from(value.as_bool() == Some(true))).collect()
            }
            other => other.clone(),
        };
        assert_eq!(json(value), wanted, "{key}");
    }
    assert_eq!(file.metadata().iter().count(), wanted.len());
    assert_eq!(file.metadata().get("general.architecture").and_then(GgufValue::as_str), Some("flux"));
    assert_eq!(file.metadata().get("test.uint64").and_then(GgufValue::as_u64), Some(u64::MAX));

    let bytes = fixture("model.safetensors");
    let bytes = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let shapes = written["shapes"].as_object().unwrap();
    assert_eq!(file.names().len(), shapes.len());
    for (name, known) in shapes {
        let shape: Vec<usize> = serde_json::from_value(known[1].clone()).unwrap();
        let info = file.info(name).unwrap();
        assert_eq!(info.shape, shape, "{name}");
        if name == "integers" {
            let error = file.read(name).unwrap_err().to_string();
            assert_eq!(error, "the tensor ‘integers’: its number format I32 is not supported: made.gguf");
            continue;
        }
        assert_eq!(info.dtype.name().to_uppercase(), known[0].as_str().unwrap());
        let stored = file.read(name).unwrap();
        assert_eq!((stored.dtype(), stored.shape()), (info.dtype, &*shape));
        let wanted = bytes.tensor(name).unwrap();
        assert_eq!(stored.view().bytes, wanted.data(), "{name}");
        if shape.len() == 2 {
            let row = wanted.data().len() / shape[0];
            let rows = file.read_rows(name, 1..shape[0]).unwrap();
            assert_eq!(
                (rows.shape(), rows.view().bytes),
                (&[shape[0] - 1, shape[1]][..], &wanted.data()[row..])
            );
        }
    }
    // Its blocks go from one row to the next.
    let error = file.read_rows("conv.weight", 0..1).unwrap_err().to_string();
    assert_eq!(error, "the tensor ‘conv.weight’: a row of 64 values is not whole blocks of Q4_K: made.gguf");
    assert!(matches!(file.read("none"), Err(WeightError::Missing { .. })));
}

#[test]
fn version_2_and_other_alignments_are_read() {
    let file = Header::new(2, 1, 1).key("general.alignment", 8).tensor("x", &[2], 0, 8);
    let mut bytes = file.0;
    bytes.resize(bytes.len().next_multiple_of(8) + 8, 0);
    bytes.extend([1.5_f32, -2.0].map(f32::to_le_bytes).as_flattened());
    let file = open(bytes).unwrap();
    assert_eq!(bytemuck::cast_slice::<u8, f32>(file.read("x").unwrap().view().bytes), [1.5, -2.0]);
}

#[test]
fn what_is_wrong_is_said_in_one_sentence() {
    let one = |header: Header| header.tensor("x", &[32], 8, 0);
    let f32 = 0;
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("this is an empty file (copy or download it again), where a GGUF file should be", vec![]),
        ("this is a numpy array, where a GGUF file should be", b"\x93NUMPY\x01\0".to_vec()),
        ("its header claims 4 bytes from byte 4 on, and the file ends at 6", b"GGUF\x03\0".to_vec()),
        ("it is of GGUF's version 1, and the versions 2 and 3 are read", Header::new(1, 0, 0).bytes(0)),
        ("it is of GGUF's version 4,", Header::new(4, 0, 0).bytes(0)),
        ("its numbers are big-endian", Header::new(3_u32.swap_bytes(), 0, 0).bytes(0)),
        ("claims 18446744073709551615 tensors, more than any model", Header::new(3, u64::MAX, 0).bytes(0)),
        ("claims 18446744073709551615 keys, more than any file", Header::new(3, 0, u64::MAX).bytes(0)),
        ("its header claims 8 bytes from byte 24 on, and the file ends at 24", Header::new(3, 1, 0).0),
        ("a name of 9223372036854775808 bytes at byte 24", Header::new(3, 1, 0).u64(1 << 63).bytes(64)),
        ("a name that is no text at byte 24", {
            let mut header = Header::new(3, 1, 0).u64(2);
            header.0.extend([0xff, 0xfe]);
            header.bytes(64)
        }),
        ("the key ‘a’ twice", Header::new(3, 0, 2).key("a", 1).key("a", 1).bytes(0)),
        ("its key ‘a’: its kind 13 is not known", Header::new(3, 0, 1).text("a").u32(13).bytes(99)),
        (
            "its key ‘a’: its header claims 9223372036854775807 bytes from",
            Header::new(3, 0, 1).text("a").u32(Header::TEXT).u64(u64::MAX / 2).bytes(99),
        ),
        (
            "its key ‘a’: its header claims 18446744073709551615 bytes from",
            Header::new(3, 0, 1).text("a").u32(Header::ARRAY).u32(Header::TEXT).u64(1 << 62).bytes(99),
        ),
        (
            "its key ‘a’: its header claims 18446744073709551615 bytes from",
            Header::new(3, 0, 1).text("a").u32(Header::ARRAY).u32(12).u64(u64::MAX / 2).bytes(99),
        ),
        (
            "its key ‘a’: the kind 77 of its elements is not known",
            Header::new(3, 0, 1).text("a").u32(Header::ARRAY).u32(77).u64(1).bytes(99),
        ),
        ("its key ‘a’: there are more arrays of arrays than in any file", {
            let header = Header::new(3, 0, 1).text("a").u32(Header::ARRAY);
            (0..99).fold(header, |header, _| header.u32(Header::ARRAY).u64(1)).bytes(99)
        }),
        ("its key ‘a’: a truth value is neither 0 nor 1", {
            let mut header = Header::new(3, 0, 1).text("a").u32(7);
            header.0.push(2);
            header.bytes(0)
        }),
        (
            "it is one of 4 parts of a model; join them",
            one(Header::new(3, 1, 1).key("split.count", 4)).bytes(34),
        ),
        (
            "its general.alignment is no power of two",
            one(Header::new(3, 1, 1).key("general.alignment", 24)).bytes(34),
        ),
        (
            "its general.alignment is no power of two",
            one(Header::new(3, 1, 1).key("general.alignment", 0)).bytes(34),
        ),
        ("the tensor ‘x’ twice", one(one(Header::new(3, 2, 0))).bytes(34)),
        (
            "‘x’ has 4294967295 dimensions, more than any tensor has",
            Header::new(3, 1, 0).text("x").u32(u32::MAX).bytes(99),
        ),
        (
            "‘x’ lies at 33, which is no multiple of 32",
            Header::new(3, 1, 0).tensor("x", &[1], f32, 33).bytes(99),
        ),
        (
            "‘x’ has rows of 100 values, which are no whole blocks of 256 (Q4_K)",
            Header::new(3, 1, 0).tensor("x", &[100, 256], 12, 0).bytes(99),
        ),
        (
            "‘x’ [9223372036854775808, 2] is too large",
            Header::new(3, 1, 0).tensor("x", &[2, 1 << 63], f32, 0).bytes(99),
        ),
        (
            "‘x’ [4611686018427387904] is too large",
            Header::new(3, 1, 0).tensor("x", &[1 << 62], f32, 0).bytes(99),
        ),
        (
            "the file ends too early: it has 97 bytes and should have 98; download or copy it again",
            one(Header::new(3, 1, 0)).bytes(1 + 32),
        ),
        ("the file ends too early", Header::new(3, 1, 0).tensor("x", &[1], f32, u64::MAX - 31).bytes(99)),
        ("the file ends too early", Header::new(3, 1, 0).tensor("x", &[1], 9999, u64::MAX - 31).bytes(99)),
        (
            "the tensors ‘x’ and ‘y’ lie over each other",
            one(Header::new(3, 2, 0)).tensor("y", &[1], f32, 32).bytes(99),
        ),
        ("‘x’ has another number of values than its true shape", {
            let header = Header::new(3, 1, 1).text("comfy.gguf.orig_shape.x").u32(Header::ARRAY);
            one(header.u32(5).u64(2).u32(4).u32(9)).bytes(34)
        }),
    ];
    for (reason, bytes) in cases {
        let error = open(bytes).map(|_| ()).expect_err(reason);
        assert!(matches!(error, WeightError::Damaged { .. }));
        let error = error.to_string();
        assert!(error.contains(reason), "‘{error}’ for ‘{reason}’");
        assert!(
            error.starts_with("the weights cannot be used: ") && error.ends_with(": made.gguf"),
            "{error}"
        );
        assert!(!error.contains('\n'));
    }
}

/// Opens a file and reads whatever it has.
fn read_all(bytes: Vec<u8>) {
    let len = bytes.len();
    let Ok(file) = open(bytes) else { return };
    let mut total = 0;
    for name in file.names() {
        let shape = file.info(name).unwrap().shape;
        if let Ok(stored) = file.read(name) {
            assert_eq!(stored.shape(), shape);
            total += stored.view().bytes.len();
        }
        if let Some(rows) = shape.first() {
            let _ = file.read_rows(name, rows / 2..*rows);
        }
    }
    assert!(total <= len, "{total} bytes of values in {len}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn changed_and_shortened_files_are_read_or_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 1_usize..9), 0..4),
        value in prop::sample::select(&[0, 1, 0xff, 0x7f, 0x80][..]),
        shortened in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = fixture("model.gguf");
        for (at, byte, run) in changes {
            // Most of the file is values, which can be anything.
            let at = at.index(2000);
            bytes[at] = byte;
            bytes[at + 1..at + run].fill(value);
        }
        if let Some(len) = shortened {
            bytes.truncate(len.index(bytes.len()));
        }
        read_all(bytes);
    }

    #[test]
    fn anything_after_the_first_bytes_is_read_or_refused(tail in prop::collection::vec(any::<u8>(), 0..200)) {
        read_all([Header::new(3, 1, 1).0, tail].concat());
    }
}
