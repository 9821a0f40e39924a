//! Remarks on prompts in families without weight syntax, which encode a prompt as it is written.

/// The parts of a prompt that have no effect, one sentence each. The prompt has `tokens` tokens; the model reads at
/// most `room`.
pub(super) fn remarks_on(prompt: &str, family: &str, tokens: usize, room: usize) -> Vec<String> {
    let mut remarks = Vec::new();
    if has_weights(prompt) {
        remarks
            .push(format!("{family} reads a prompt as it is written: weights in brackets have no effect."));
    }
    if tokens > room {
        remarks.push(format!(
            "The prompt has {tokens} tokens, and this model reads {room}: the rest is cut off."
        ));
    }
    remarks
}

/// Whether a prompt has weights in AUTOMATIC1111's syntax, `(words:1.3)`.
fn has_weights(prompt: &str) -> bool {
    let mut before_brackets = prompt.split(')').rev().skip(1);
    let is_weight = |text: &str| text.trim().parse::<f32>().is_ok();
    before_brackets.any(|text| text.rsplit_once(':').is_some_and(|(_, weight)| is_weight(weight)))
}

#[cfg(test)]
mod tests {
    use super::has_weights;

    #[test]
    fn weights_are_distinguished_from_other_brackets() {
        assert!(has_weights("a (red: 1.3) fox"));
        for plain in ["a (red) fox", "at 10:30", "(two: three) foxes", ")", ""] {
            assert!(!has_weights(plain), "{plain}");
        }
    }
}
