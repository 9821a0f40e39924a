//! A JSON document as a value.

/// A JSON document as it was written.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number from 0 to 2⁶⁴ − 1.
    Unsigned(u64),
    /// A negative whole number from −2⁶³.
    Signed(i64),
    /// Any other number, NaN and the infinities among them.
    Float(f64),
    /// A string.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// Keys and values in their order; no key twice.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// The value of an object's key.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Object(entries) = self else { return None };
        entries.iter().find_map(|(name, value)| (name == key).then_some(value))
    }

    /// The document as a `serde_json` value. A number that is not finite becomes `null`, since RFC 8259 has no such
    /// numbers.
    pub fn into_value(self) -> serde_json::Value {
        use serde_json::Value;
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => value.into(),
            Self::Unsigned(value) => value.into(),
            Self::Signed(value) => value.into(),
            Self::Float(value) => value.into(),
            Self::Text(text) => text.into(),
            Self::List(items) => items.into_iter().map(Self::into_value).collect(),
            Self::Object(entries) => {
                Value::Object(entries.into_iter().map(|(key, value)| (key, value.into_value())).collect())
            }
        }
    }
}
