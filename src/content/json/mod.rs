//! JSON as Python writes and reads it.
//!
//! The configurations, indices and graphs of diffusion models are written by Python's `json`, which extends RFC 8259:
//! `NaN`, `Infinity` and `-Infinity` are numbers, a file may begin with a byte order mark, the last of two equal keys
//! counts, and a lone surrogate is a character. A key whose value is `null` is treated as missing, at any level:
//! diffusers writes `null` for a default.
//! Source: <https://docs.python.org/3/library/json.html>.

mod deserialize;
mod error;
mod parse;
mod value;

use serde::de::DeserializeOwned;

pub use error::JsonError;
pub use value::Json;

impl Json {
    /// Parses a document.
    ///
    /// # Errors
    /// [`JsonError::Syntax`] with the place where the bytes cease to be JSON.
    pub fn parse(bytes: &[u8]) -> Result<Self, JsonError> {
        parse::document(bytes)
    }
}

/// Reads a value from a document's bytes.
///
/// # Errors
/// If the bytes are not JSON, or a key does not have the kind of value that `T` expects; the error names the key.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    from_json(Json::parse(bytes)?)
}

/// Reads a value from a document.
///
/// # Errors
/// If a key does not have the kind of value that `T` expects; the error names the key.
pub fn from_json<T: DeserializeOwned>(document: Json) -> Result<T, JsonError> {
    T::deserialize(document)
}

/// Reads a document of any shape; see [`Json::into_value`] for the numbers that are not finite.
///
/// # Errors
/// [`JsonError::Syntax`] with the place where the bytes cease to be JSON.
pub fn value_from_slice(bytes: &[u8]) -> Result<serde_json::Value, JsonError> {
    Ok(Json::parse(bytes)?.into_value())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(default)]
    struct Config {
        size: usize,
        scale: f64,
        name: Option<String>,
        flag: bool,
        levels: Vec<usize>,
        inner: BTreeMap<String, f64>,
    }

    impl Default for Config {
        fn default() -> Self {
            Self {
                size: 64,
                scale: 0.5,
                name: Some("x".into()),
                flag: true,
                levels: vec![1],
                inner: BTreeMap::new(),
            }
        }
    }

    fn config(text: &str) -> Result<Config, String> {
        from_slice(text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn pythons_numbers_that_are_not_finite_are_read() {
        let read =
            config(r#"{"scale": -Infinity, "inner": {"a": NaN, "b": Infinity, "c": 1e999}, "x": [NaN]}"#);
        let read = read.unwrap();
        assert_eq!(read.scale, f64::NEG_INFINITY);
        assert!(
            read.inner["a"].is_nan() && read.inner["b"] == f64::INFINITY && read.inner["c"] == f64::INFINITY
        );
        let graph =
            value_from_slice(br#"{"1": {"is_changed": [NaN], "seed": 18446744073709551615}}"#).unwrap();
        assert_eq!(graph, serde_json::json!({"1": {"is_changed": [null], "seed": u64::MAX}}));
    }

    #[test]
    fn null_is_a_key_left_out_at_any_level() {
        let text = r#"{"size": null, "scale": null, "name": null, "flag": null, "levels": null, "inner": {"a": null}}"#;
        assert_eq!(config(text).unwrap(), Config::default());
        assert_eq!(config(r#"{"name": "y", "name": null}"#).unwrap(), Config::default());
    }

    #[test]
    fn byte_order_marks_and_python_strings_are_read() {
        for start in ["\u{feff}", " \t\r\n", ""] {
            assert_eq!(config(&format!("{start}{{\"size\": 7}}\n")).unwrap().size, 7);
        }
        let utf16: Vec<u8> = "\u{feff}{\"size\": 9}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(from_slice::<Config>(&utf16).unwrap().size, 9);
        let read = config(r#"{"name": "\ud83e\udd8a \udce9 \u00e9 \/ \"", "flag": false}"#).unwrap();
        assert_eq!((read.name.unwrap().as_str(), read.flag), ("🦊 \u{fffd} é / \"", false));
    }

    #[test]
    fn whole_numbers_may_be_written_as_floats_and_the_last_of_two_keys_counts() {
        let read = config(r#"{"size": 7, "scale": 3, "size": 8.0, "levels": [1.0, 2]}"#).unwrap();
        assert_eq!((read.size, read.scale, read.levels), (8, 3.0, vec![1, 2]));
    }

    #[test]
    fn a_wrong_value_is_named_by_its_key_without_a_types_name() {
        for (text, expected) in [
            (r#"{"size": "x"}"#, "‘size’ should be a whole number and is the text ‘x’"),
            (r#"{"size": -1}"#, "‘size’ should be a whole number from 0 up and is -1"),
            (r#"{"size": 1.5}"#, "‘size’ should be a whole number and is 1.5"),
            (r#"{"size": NaN}"#, "‘size’ should be a whole number and is NaN"),
            (r#"{"flag": 1}"#, "‘flag’ should be true or false and is 1"),
            (r#"{"scale": {}}"#, "‘scale’ should be a number and is an object"),
            (r#"{"levels": [1, "a"]}"#, "‘levels[1]’ should be a whole number and is the text ‘a’"),
            (r#"{"inner": {"a": []}}"#, "‘inner.a’ should be a number and is a list"),
            ("[]", "the document should be an object and is a list"),
            ("null", "the document should be an object and is null"),
        ] {
            assert_eq!(config(text).unwrap_err(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_json_says_where() {
        for (text, expected) in [
            ("", "it is empty"),
            ("\u{feff} \n", "it is empty"),
            ("{\"a\": 1,\n  }", "it is not JSON at line 2, column 3: a key in double quotes was expected"),
            ("{'a': 1}", "it is not JSON at line 1, column 2: a key in double quotes was expected"),
            ("{\"a\": nul}", "it is not JSON at line 1, column 7: a value was expected"),
            ("{\"a\": 1", "it ends too early, in an object"),
            ("[1 2]", "it is not JSON at line 1, column 4: a comma or the end of the list was expected"),
            ("[1] 2", "it is not JSON at line 1, column 5: nothing more was expected"),
            ("[\"a", "it ends too early, in a text"),
            ("[\"\\x\"]", "it is not JSON at line 1, column 3: ‘\\’ cannot be followed by this character"),
            ("[01]", "it is not JSON at line 1, column 3: a comma or the end of the list was expected"),
            ("[-]", "it is not JSON at line 1, column 2: a value was expected"),
        ] {
            assert_eq!(Json::parse(text.as_bytes()).unwrap_err().to_string(), expected, "{text}");
        }
        let deep = "[".repeat(100_000);
        assert!(Json::parse(deep.as_bytes()).unwrap_err().to_string().contains("nested"));
        assert!(Json::parse(b"{\"a\": \"\xff\"}").unwrap_err().to_string().contains("UTF-8"));
    }
}
