//! Numbers in JSON that come back bit for bit, for `#[serde(with = …)]`.
//!
//! The reader of JSON may be off by the last bit where a number has 17 digits, as an f32 that became an f64 often has. A
//! number that does not come back is written as text, which the standard library reads exactly.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Number(f64),
    Text(String),
}

#[allow(clippy::ref_option, reason = "the signature that serde calls")]
pub(super) fn serialize<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    let written = value.map(|value| {
        let comes_back = |back: f64| back.to_bits() == value.to_bits();
        let text = serde_json::to_string(&value).unwrap_or_default();
        if serde_json::from_str(&text).is_ok_and(comes_back) {
            Written::Number(value)
        } else {
            Written::Text(value.to_string())
        }
    });
    written.serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    Ok(match Option::<Written>::deserialize(deserializer)? {
        None => None,
        Some(Written::Number(value)) => Some(value),
        Some(Written::Text(text)) => Some(text.parse().map_err(serde::de::Error::custom)?),
    })
}

#[cfg(test)]
mod tests {
    use crate::formats::metadata::GenerationFacts;

    #[test]
    fn every_number_comes_back_bit_for_bit() {
        let mut numbers =
            vec![7.5, 0.0, -0.0, 1.0, 7.1, f64::from(7.1f32), f64::MIN_POSITIVE, f64::INFINITY, 1e300];
        numbers.extend((1..20_000u32).map(|n| f64::from(n as f32 * 0.0137)));
        numbers.extend((1..20_000u64).map(|n| f64::from_bits(n.wrapping_mul(0x9e37_79b9_7f4a_7c15))));
        let mut texts = 0;
        // The text of NaN does not have its payload.
        for number in numbers.into_iter().filter(|number| !number.is_nan()) {
            let facts = GenerationFacts { guidance_scale: Some(number), ..GenerationFacts::default() };
            let json = serde_json::to_string(&facts).unwrap();
            texts += usize::from(json.contains("\"guidance_scale\":\""));
            let back: GenerationFacts = serde_json::from_str(&json).unwrap();
            assert_eq!(back.guidance_scale.map(f64::to_bits), Some(number.to_bits()), "{json}");
            let back: GenerationFacts =
                serde_json::from_value(serde_json::to_value(&facts).unwrap()).unwrap();
            assert_eq!(back.guidance_scale.map(f64::to_bits), Some(number.to_bits()), "{json}");
        }
        assert!(texts > 0, "some numbers need it");
        let facts: GenerationFacts = serde_json::from_str(r#"{"guidance_scale": 7}"#).unwrap();
        assert_eq!((facts.guidance_scale, facts.denoising_strength), (Some(7.0), None));
    }
}
