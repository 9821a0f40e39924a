//! What a GGUF file says about itself: values by keys.

use std::collections::BTreeMap;

use super::cursor::Cursor;

/// More keys than any file has.
const MAX_KEYS: u64 = 1 << 16;
/// How deep arrays of arrays may go, and how many there may be in a file.
const MAX_DEPTH: usize = 4;
const MAX_NESTED: usize = 1 << 16;

/// A number of a file's own kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GgufNumber {
    /// Of 8 to 64 bits; of a list of truth values 0 and 1.
    Unsigned(u64),
    /// Of 8 to 64 bits.
    Signed(i64),
    /// Of 32 or 64 bits.
    Float(f64),
}

impl GgufNumber {
    /// As a whole number that is not negative.
    pub fn as_u64(self) -> Option<u64> {
        match self {
            Self::Unsigned(number) => Some(number),
            Self::Signed(number) => u64::try_from(number).ok(),
            Self::Float(_) => None,
        }
    }

    /// As it is, or the nearest such number.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Unsigned(number) => number as f64,
            Self::Signed(number) => number as f64,
            Self::Float(number) => number,
        }
    }
}

/// The kinds of numbers, as files count them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    U64,
    I64,
    F64,
}

impl Kind {
    const TEXT: u32 = 8;
    const ARRAY: u32 = 9;

    fn of(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::U8,
            1 => Self::I8,
            2 => Self::U16,
            3 => Self::I16,
            4 => Self::U32,
            5 => Self::I32,
            6 => Self::F32,
            7 => Self::Bool,
            10 => Self::U64,
            11 => Self::I64,
            12 => Self::F64,
            _ => return None,
        })
    }

    fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// The number of these bytes, of which there are [`Self::bytes`].
    fn number(self, bytes: &[u8]) -> GgufNumber {
        let mut wide = [0; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        let bits = u64::from_le_bytes(wide);
        match self {
            Self::U8 | Self::U16 | Self::U32 | Self::U64 | Self::Bool => GgufNumber::Unsigned(bits),
            Self::I8 => GgufNumber::Signed(i64::from(bits as u8 as i8)),
            Self::I16 => GgufNumber::Signed(i64::from(bits as u16 as i16)),
            Self::I32 => GgufNumber::Signed(i64::from(bits as u32 as i32)),
            Self::I64 => GgufNumber::Signed(bits as i64),
            Self::F32 => GgufNumber::Float(f64::from(f32::from_bits(bits as u32))),
            Self::F64 => GgufNumber::Float(f64::from_bits(bits)),
        }
    }
}

/// Many numbers of one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct GgufNumbers {
    kind: Kind,
    bytes: Vec<u8>,
}

impl GgufNumbers {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.kind.bytes()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// In turn.
    pub fn iter(&self) -> impl Iterator<Item = GgufNumber> {
        self.bytes.chunks_exact(self.kind.bytes()).map(|bytes| self.kind.number(bytes))
    }
}

/// Many texts, such as a vocabulary.
#[derive(Clone, Debug, PartialEq)]
pub struct GgufTexts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl GgufTexts {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// In turn, as bytes: of UTF-8, unless the file is wrong.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[*start..*end])
    }
}

/// A value of a file's metadata.
#[derive(Clone, Debug, PartialEq)]
pub enum GgufValue {
    /// A number.
    Number(GgufNumber),
    /// True or false.
    Bool(bool),
    /// A text: UTF-8, unless the file is wrong.
    Text(Vec<u8>),
    /// Numbers, or truth values.
    Numbers(GgufNumbers),
    /// Texts.
    Texts(GgufTexts),
    /// Arrays of any kind.
    Arrays(Vec<GgufValue>),
}

impl GgufValue {
    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The number, if it is a whole one that is not negative.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Number(number) => number.as_u64(),
            _ => None,
        }
    }
}

/// A file's metadata.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GgufMetadata {
    values: BTreeMap<String, GgufValue>,
}

impl GgufMetadata {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&GgufValue> {
        self.values.get(key)
    }

    /// All keys and values, sorted by the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &GgufValue)> {
        self.values.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Reads `count` keys and values; what is wrong with them otherwise.
    pub(super) fn read(cursor: &mut Cursor<'_>, count: u64) -> Result<Self, String> {
        if count > MAX_KEYS {
            return Err(format!("its header claims {count} keys, more than any file has"));
        }
        let mut values = BTreeMap::new();
        let mut nested = 0;
        for _ in 0..count {
            let key = cursor.name()?;
            let kind = cursor.u32()?;
            let value = value(cursor, kind, 0, &mut nested)
                .map_err(|reason| format!("the value of its key ‘{key}’: {reason}"))?;
            if values.contains_key(&key) {
                return Err(format!("its header has the key ‘{key}’ twice"));
            }
            values.insert(key, value);
        }
        Ok(Self { values })
    }
}

fn value(cursor: &mut Cursor<'_>, kind: u32, depth: usize, nested: &mut usize) -> Result<GgufValue, String> {
    if let Some(kind) = Kind::of(kind) {
        let bytes = cursor.bytes(kind.bytes() as u64)?;
        return Ok(match (kind, kind.number(&bytes)) {
            (Kind::Bool, GgufNumber::Unsigned(number @ 0..=1)) => GgufValue::Bool(number == 1),
            (Kind::Bool, _) => return Err("a truth value is neither 0 nor 1".to_owned()),
            (_, number) => GgufValue::Number(number),
        });
    }
    match kind {
        Kind::TEXT => {
            let len = cursor.u64()?;
            cursor.bytes(len).map(GgufValue::Text)
        }
        Kind::ARRAY => array(cursor, depth, nested),
        _ => Err(format!("its kind {kind} is not known")),
    }
}

fn array(cursor: &mut Cursor<'_>, depth: usize, nested: &mut usize) -> Result<GgufValue, String> {
    /// Bytes before a text, and before an array's elements.
    const TEXT: u64 = 8;
    const ARRAY: u64 = 12;
    let (kind, count) = (cursor.u32()?, cursor.u64()?);
    if let Some(kind) = Kind::of(kind) {
        cursor.count(count, kind.bytes() as u64)?;
        let bytes = cursor.bytes(count * kind.bytes() as u64)?;
        if kind == Kind::Bool && bytes.iter().any(|byte| *byte > 1) {
            return Err("a truth value is neither 0 nor 1".to_owned());
        }
        return Ok(GgufValue::Numbers(GgufNumbers { kind, bytes }));
    }
    match kind {
        Kind::TEXT => {
            let count = cursor.count(count, TEXT)?;
            let mut texts = GgufTexts { bytes: Vec::new(), ends: Vec::with_capacity(count) };
            for _ in 0..count {
                let len = cursor.u64()?;
                cursor.append(len, &mut texts.bytes)?;
                texts.ends.push(texts.bytes.len());
            }
            Ok(GgufValue::Texts(texts))
        }
        Kind::ARRAY => {
            let count = cursor.count(count, ARRAY)?;
            *nested += count;
            if depth + 1 == MAX_DEPTH || *nested > MAX_NESTED {
                return Err("there are more arrays of arrays than in any file".to_owned());
            }
            let arrays = (0..count).map(|_| array(cursor, depth + 1, nested)).collect::<Result<_, _>>()?;
            Ok(GgufValue::Arrays(arrays))
        }
        _ => Err(format!("the kind {kind} of its elements is not known")),
    }
}
