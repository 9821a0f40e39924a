//! The parser: Python's grammar.

use std::borrow::Cow;
use std::collections::HashMap;

use super::error::JsonError;
use super::value::Json;

/// Depth of nested lists and objects, as in `serde_json`.
const MAX_DEPTH: usize = 128;
/// Number of keys up to which duplicates are found by linear search.
const FEW_KEYS: usize = 16;

/// Parses a whole document.
pub(super) fn document(bytes: &[u8]) -> Result<Json, JsonError> {
    let text = text_of(bytes)?;
    let mut parser = Parser { text: &text, at: 0, depth: 0 };
    parser.skip_white_space();
    if parser.at == text.len() {
        return Err(JsonError::Empty);
    }
    let document = parser.value("a list")?;
    parser.skip_white_space();
    if parser.at < text.len() {
        return Err(parser.syntax("nothing more was expected"));
    }
    Ok(document)
}

/// The text without its byte order mark, decoded from UTF-16 if the mark says so.
fn text_of(bytes: &[u8]) -> Result<Cow<'_, str>, JsonError> {
    let utf16 = |of: fn([u8; 2]) -> u16| {
        let units = bytes[2..].chunks_exact(2).map(|pair| of([pair[0], pair[1]]));
        Cow::Owned(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
    };
    match bytes {
        [0xff, 0xfe, ..] => Ok(utf16(u16::from_le_bytes)),
        [0xfe, 0xff, ..] => Ok(utf16(u16::from_be_bytes)),
        _ => {
            let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            match std::str::from_utf8(bytes) {
                Ok(text) => Ok(Cow::Borrowed(text)),
                Err(error) => Err(JsonError::NotText(error.valid_up_to())),
            }
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    /// Byte of the next character.
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn skip_white_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn syntax(&self, expected: &'static str) -> JsonError {
        let before = &self.text[..self.at];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        JsonError::Syntax { line, column: before[line_start..].chars().count() + 1, expected }
    }

    /// Parses a value. `place`: where the text ends, for the error, if it ends here.
    fn value(&mut self, place: &'static str) -> Result<Json, JsonError> {
        self.skip_white_space();
        match self.peek() {
            None => Err(JsonError::Truncated(place)),
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::list),
            Some(b'"') => Ok(Json::Text(self.string()?)),
            Some(_) => {
                let words = [
                    ("null", Json::Null),
                    ("true", Json::Bool(true)),
                    ("false", Json::Bool(false)),
                    ("NaN", Json::Float(f64::NAN)),
                    ("Infinity", Json::Float(f64::INFINITY)),
                    ("-Infinity", Json::Float(f64::NEG_INFINITY)),
                ];
                for (word, value) in words {
                    if self.take(word) {
                        return Ok(value);
                    }
                    if word.starts_with(self.rest()) {
                        return Err(JsonError::Truncated(place));
                    }
                }
                self.number()
            }
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Json, JsonError>) -> Result<Json, JsonError> {
        if self.depth == MAX_DEPTH {
            return Err(self.syntax("it is nested too deeply here"));
        }
        self.depth += 1;
        self.at += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn list(&mut self) -> Result<Json, JsonError> {
        let mut items = Vec::new();
        self.skip_white_space();
        if self.take("]") {
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value("a list")?);
            self.skip_white_space();
            if self.take("]") {
                return Ok(Json::List(items));
            }
            if self.peek().is_none() {
                return Err(JsonError::Truncated("a list"));
            }
            if !self.take(",") {
                return Err(self.syntax("a comma or the end of the list was expected"));
            }
        }
    }

    fn object(&mut self) -> Result<Json, JsonError> {
        let mut entries: Vec<(String, Json)> = Vec::new();
        // Index of the keys, once there are many.
        let mut places: HashMap<String, usize> = HashMap::new();
        self.skip_white_space();
        if self.take("}") {
            return Ok(Json::Object(entries));
        }
        loop {
            self.skip_white_space();
            match self.peek() {
                None => return Err(JsonError::Truncated("an object")),
                Some(b'"') => {}
                Some(_) => return Err(self.syntax("a key in double quotes was expected")),
            }
            let key = self.string()?;
            self.skip_white_space();
            if self.peek().is_none() {
                return Err(JsonError::Truncated("an object"));
            }
            if !self.take(":") {
                return Err(self.syntax("a colon was expected"));
            }
            let value = self.value("an object")?;
            if entries.len() == FEW_KEYS {
                places = entries.iter().enumerate().map(|(at, (key, _))| (key.clone(), at)).collect();
            }
            let place = if entries.len() < FEW_KEYS {
                entries.iter().position(|(other, _)| *other == key)
            } else {
                places.get(&key).copied()
            };
            if let Some(place) = place {
                entries[place].1 = value;
            } else {
                if entries.len() >= FEW_KEYS {
                    places.insert(key.clone(), entries.len());
                }
                entries.push((key, value));
            }
            self.skip_white_space();
            if self.take("}") {
                return Ok(Json::Object(entries));
            }
            if self.peek().is_none() {
                return Err(JsonError::Truncated("an object"));
            }
            if !self.take(",") {
                return Err(self.syntax("a comma or the end of the object was expected"));
            }
        }
    }

    fn string(&mut self) -> Result<String, JsonError> {
        self.at += 1;
        let mut string = String::new();
        loop {
            let plain = self.rest().find(|c: char| matches!(c, '"' | '\\') || c < ' ');
            let Some(plain) = plain else { return Err(JsonError::Truncated("a text")) };
            string.push_str(&self.text[self.at..self.at + plain]);
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(string);
                }
                Some(b'\\') => string.push(self.escaped()?),
                _ => return Err(self.syntax("there is a control character in a string")),
            }
        }
    }

    /// The character of an escape, from its backslash on.
    fn escaped(&mut self) -> Result<char, JsonError> {
        let Some(&sign) = self.text.as_bytes().get(self.at + 1) else {
            return Err(JsonError::Truncated("a text"));
        };
        let character = match sign {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.code_unit(),
            _ => return Err(self.syntax("‘\\’ cannot be followed by this character")),
        };
        self.at += 2;
        Ok(character)
    }

    /// The four digits of the `\u` at some byte.
    fn digits(&self, at: usize) -> Option<u16> {
        let escape = self.text.get(at..at + 6)?;
        let digits = escape.strip_prefix("\\u")?;
        digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
    }

    /// The character of one or two `\u` escapes; a lone surrogate is replaced.
    fn code_unit(&mut self) -> Result<char, JsonError> {
        let Some(first) = self.digits(self.at) else {
            return Err(self.syntax("four hexadecimal digits were expected after ‘\\u’"));
        };
        let second = self.digits(self.at + 6).filter(|_| (0xd800..0xdc00).contains(&first));
        let pair = second.and_then(|second| char::decode_utf16([first, second]).next()?.ok());
        self.at += if pair.is_some() { 12 } else { 6 };
        Ok(pair.unwrap_or_else(|| char::from_u32(first.into()).unwrap_or(char::REPLACEMENT_CHARACTER)))
    }

    /// How many of the next bytes from `at` are digits.
    fn digits_from(&self, at: usize) -> usize {
        self.text.as_bytes()[at..].iter().take_while(|b| b.is_ascii_digit()).count()
    }

    fn number(&mut self) -> Result<Json, JsonError> {
        let start = self.at;
        let mut end = start + usize::from(self.peek() == Some(b'-'));
        let bytes = self.text.as_bytes();
        let whole = match self.digits_from(end) {
            0 => return Err(self.syntax("a value was expected")),
            // A number has no leading zero.
            _ if bytes[end] == b'0' => 1,
            digits => digits,
        };
        end += whole;
        let mut is_whole = true;
        if bytes.get(end) == Some(&b'.') && self.digits_from(end + 1) > 0 {
            end += 1 + self.digits_from(end + 1);
            is_whole = false;
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let digits = self.digits_from((end + 1 + sign).min(bytes.len()));
            if digits > 0 {
                end += 1 + sign + digits;
                is_whole = false;
            }
        }
        let number = &self.text[start..end];
        let value = match (number.parse::<u64>(), number.parse::<i64>()) {
            (Ok(value), _) if is_whole => Json::Unsigned(value),
            (_, Ok(value)) if is_whole => Json::Signed(value),
            _ => Json::Float(number.parse().map_err(|_| self.syntax("a value was expected"))?),
        };
        self.at = end;
        Ok(value)
    }
}
