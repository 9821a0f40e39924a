//! The list of values of an axis as text: commas between values, and quotes around those that have commas.

use super::error::GridError;
use super::setting::GridSetting;

/// A value as it was typed.
#[derive(Debug, PartialEq)]
pub(super) struct Word {
    pub(super) text: String,
    /// Whether it was in quotes, so that it is a text and no range.
    pub(super) is_quoted: bool,
}

/// The values of a list.
pub(super) fn split(setting: GridSetting, list: &str) -> Result<Vec<Word>, GridError> {
    if list.trim().is_empty() {
        return Err(GridError::NoValues(setting));
    }
    let (mut words, mut rest) = (Vec::new(), list);
    loop {
        let start = rest.trim_start();
        let after = if let Some(quoted) = start.strip_prefix('"') {
            let (text, after) = unquoted(quoted).ok_or_else(|| GridError::OpenQuote(start.to_owned()))?;
            words.push(Word { text, is_quoted: true });
            let after = after.trim_start();
            if !after.is_empty() && !after.starts_with(',') {
                let between = after.split(',').next().unwrap_or_default().trim_end();
                return Err(GridError::AfterQuote(between.to_owned()));
            }
            after
        } else {
            let (word, after) = start.split_at(start.find(',').unwrap_or(start.len()));
            let text = word.trim().to_owned();
            if text.is_empty() {
                return Err(GridError::EmptyValue(setting));
            }
            words.push(Word { text, is_quoted: false });
            after
        };
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => return Ok(words),
        }
    }
}

/// The text up to the closing quote, and what follows that; a quote written twice is one of the text.
fn unquoted(quoted: &str) -> Option<(String, &str)> {
    let (mut text, mut rest) = (String::new(), quoted);
    loop {
        let (before, after) = rest.split_once('"')?;
        text.push_str(before);
        match after.strip_prefix('"') {
            Some(next) => {
                text.push('"');
                rest = next;
            }
            None => return Some((text, after)),
        }
    }
}

/// A text as a value of a list: in quotes where it would be read as something else.
pub(super) fn quoted(text: &str) -> String {
    if text.is_empty() || text.contains([',', '"']) || text.trim() != text {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(list: &str) -> Result<Vec<String>, GridError> {
        Ok(split(GridSetting::Words, list)?.into_iter().map(|word| word.text).collect())
    }

    #[test]
    fn values_are_split_at_commas_outside_quotes_and_written_back() {
        assert_eq!(texts(" a fox ,an owl").unwrap(), ["a fox", "an owl"]);
        assert_eq!(texts(r#"red,"a, b" , "", "say ""hi""""#).unwrap(), ["red", "a, b", "", "say \"hi\""]);
        for list in [r#"red,"a, b","","say ""hi""""#, "여우,올빼미", "5\" disk,\" a\""] {
            let again = texts(list).map(|texts| texts.iter().map(|text| quoted(text)).collect::<Vec<_>>());
            let again = again.unwrap().join(",");
            assert_eq!(texts(&again), texts(list), "{again}");
        }
    }

    #[test]
    fn what_is_no_list_says_what_is_wrong() {
        let error = |list| texts(list).unwrap_err();
        assert_eq!(error(" "), GridError::NoValues(GridSetting::Words));
        assert_eq!(error("a,,b"), GridError::EmptyValue(GridSetting::Words));
        assert_eq!(error("a,"), GridError::EmptyValue(GridSetting::Words));
        assert_eq!(error("a, \"b"), GridError::OpenQuote("\"b".into()));
        assert_eq!(error("\"a\" b, c"), GridError::AfterQuote("b".into()));
    }
}
