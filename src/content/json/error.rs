//! Errors of JSON documents, in the terms of JSON and not of Rust.

use std::fmt;

use serde::de::{Error, Expected, Unexpected};

/// Why a JSON document could not be read.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum JsonError {
    /// It contains only white space.
    #[error("it is empty")]
    Empty,
    /// It is not UTF-8.
    #[error("it is not UTF-8 text from byte {0}")]
    NotText(usize),
    /// It ends too early.
    #[error("it ends too early, in {0}")]
    Truncated(&'static str),
    /// It is not JSON.
    #[error("it is not JSON at line {line}, column {column}: {expected}")]
    Syntax {
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        /// What was expected, a sentence.
        expected: &'static str,
    },
    /// A value is of the wrong kind.
    #[error("{}", sentence(path, wrong))]
    Value {
        /// Keys and indices to the value, such as `unet.sizes[1]`; empty for the document itself.
        path: String,
        /// What is wrong, as a predicate without its subject.
        wrong: String,
    },
}

fn sentence(path: &str, wrong: &str) -> String {
    if path.is_empty() { format!("the document {wrong}") } else { format!("‘{path}’ {wrong}") }
}

impl JsonError {
    /// An error with the message of a library, which is a whole sentence.
    fn of_library(words: &str) -> Self {
        Self::Value {
            path: String::new(),
            wrong: format!("is wrong: {}", words.trim().trim_end_matches(':')),
        }
    }

    fn wrong(wrong: String) -> Self {
        Self::Value { path: String::new(), wrong }
    }

    /// The same error, seen from one level further out, where the value is under `key`.
    pub(super) fn under(self, key: &str) -> Self {
        match self {
            Self::Value { path, wrong } => {
                let joint = if path.is_empty() || path.starts_with('[') { "" } else { "." };
                Self::Value { path: format!("{key}{joint}{path}"), wrong }
            }
            other => other,
        }
    }
}

/// What serde or a visitor expected, in plain words instead of the names of Rust types.
fn in_words(expected: &dyn Expected) -> String {
    let expected = expected.to_string();
    match expected.as_str() {
        "f32" | "f64" => "a number".to_owned(),
        "u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64" | "isize" => {
            "a whole number".to_owned()
        }
        "a boolean" => "true or false".to_owned(),
        "a string" | "string" | "a borrowed string" => "a text".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "an object".to_owned(),
        other if other.starts_with("struct ") || other.starts_with("internally tagged enum") => {
            "an object".to_owned()
        }
        other if other.starts_with("tuple ") || other.starts_with("a tuple") => "a list".to_owned(),
        other if other.starts_with("enum ") || other.contains(" enum ") => {
            "one of the known names".to_owned()
        }
        _ => expected,
    }
}

/// The longest text that an error quotes, characters.
const QUOTED: usize = 60;

/// A text in quotation marks, cut if it is long.
fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("‘{}…’", &text[..end]),
        None => format!("‘{text}’"),
    }
}

fn found(unexpected: &Unexpected<'_>) -> String {
    match unexpected {
        Unexpected::Bool(value) => value.to_string(),
        Unexpected::Unsigned(value) => value.to_string(),
        Unexpected::Signed(value) => value.to_string(),
        Unexpected::Float(value) if value.is_infinite() && *value > 0.0 => "Infinity".to_owned(),
        Unexpected::Float(value) if value.is_infinite() => "-Infinity".to_owned(),
        Unexpected::Float(value) => value.to_string(),
        Unexpected::Str(text) => format!("the text {}", quoted(text)),
        Unexpected::Unit | Unexpected::Option => "null".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "an object".to_owned(),
        _ => "something else".to_owned(),
    }
}

impl Error for JsonError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        let message = message.to_string();
        // serde's own message for untagged enums ends with the name of a type.
        if message.starts_with("data did not match any variant") {
            return Self::wrong("has none of the shapes that are known".to_owned());
        }
        let has_no_subject = ["should ", "is ", "has "].iter().any(|verb| message.starts_with(verb));
        if has_no_subject { Self::wrong(message) } else { Self::of_library(&message) }
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::wrong(format!("should be {} and is {}", in_words(expected), found(&unexpected)))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let mut words = in_words(expected);
        if words == "a whole number" {
            words = match unexpected {
                Unexpected::Signed(_) => "a whole number from 0 up".to_owned(),
                _ => "a smaller whole number".to_owned(),
            };
        }
        Self::wrong(format!("should be {words} and is {}", found(&unexpected)))
    }

    fn invalid_length(len: usize, expected: &dyn Expected) -> Self {
        Self::wrong(format!("should be {} and has the length {len}", in_words(expected)))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::wrong(format!("is {}, which is not supported: {}", quoted(variant), expected.join(", ")))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::wrong(format!("has the key {}, and may have {}", quoted(field), expected.join(", ")))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::wrong(format!("has no key ‘{field}’"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::wrong(format!("has the key ‘{field}’ twice"))
    }
}
