//! AUTOMATIC1111's text: prompt, `Negative prompt:`, and one last line of `Key: value` pairs.
//!
//! Written as that program writes it, so that it and the sites that read it understand our pictures.
//! Read tolerantly: its own dialects, stable-diffusion.cpp's and what sites add.

use super::{GenerationFacts, MAX_TEXT_LEN};
use crate::request::{ImageSize, Seed};

/// Pairs a last line must have to be settings: AUTOMATIC1111's own rule.
const MIN_PAIRS: usize = 3;
/// More pairs than any program writes.
const MAX_PAIRS: usize = 256;
/// A last line with none of these is the end of a prompt that has colons in it.
const KNOWN_KEYS: [&str; 8] =
    ["Steps", "Sampler", "Seed", "CFG scale", "Guidance", "Size", "Model", "Version"];

/// The text for a picture.
pub fn write(facts: &GenerationFacts) -> String {
    let mut pairs: Vec<(&str, String)> = Vec::new();
    let mut pair = |key: &'static str, value: Option<String>| {
        if let Some(value) = value {
            pairs.push((key, value));
        }
    };
    pair("Steps", facts.steps.map(|v| v.to_string()));
    pair("Sampler", facts.sampler.clone());
    pair("Schedule type", facts.schedule.clone());
    pair("CFG scale", facts.guidance_scale.map(|v| v.to_string()));
    pair("Seed", facts.seed.map(|v| v.to_string()));
    pair("Size", facts.size.map(|s| format!("{}x{}", s.width, s.height)));
    pair("Model", facts.model.as_deref().map(without_folders).filter(|name| !name.is_empty()));
    pair("Denoising strength", facts.denoising_strength.map(|v| v.to_string()));
    pair("Clip skip", facts.clip_skip.map(|v| v.to_string()));
    for (key, value) in &facts.other {
        pairs.push((key, value.clone()));
    }
    if let Some(version) = &facts.version {
        pairs.push(("Version", version.clone()));
    }

    let mut text = with_plain_newlines(facts.prompt.as_deref().unwrap_or_default());
    if let Some(negative) = facts.negative_prompt.as_deref().filter(|n| !n.trim().is_empty()) {
        text.push_str("\nNegative prompt: ");
        text.push_str(&with_plain_newlines(negative));
    }
    let line: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}: {}", quoted(value))).collect();
    if !line.is_empty() {
        text.push('\n');
        text.push_str(&line.join(", "));
    }
    text
}

/// The last part of a path or hub name: no folder and no user name leaves in a picture.
fn without_folders(name: &str) -> String {
    name.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or_default().to_owned()
}

fn with_plain_newlines(text: &str) -> String {
    text.trim().replace("\r\n", "\n").replace('\r', "\n")
}

/// A value as a JSON string where a comma, colon, quote or line break would end it.
fn quoted(value: &str) -> String {
    if value.contains([',', ':', '\n', '\r', '"']) || value.trim() != value {
        serde_json::Value::from(value).to_string()
    } else {
        value.to_owned()
    }
}

/// Reads the text. Whatever cannot be understood is left out; a text without settings is a prompt.
pub fn parse(text: &str) -> GenerationFacts {
    let text = clipped(text);
    // stable-diffusion.cpp ends with its own JSON, unquoted; all we restore stands before it.
    let text = text.find(", SDCPP: {").map_or(text, |at| &text[..at]);
    let text = with_plain_newlines(text);
    let (body, last) = text.rsplit_once('\n').unwrap_or(("", &text));
    let pairs = pairs_of(last);
    let is_settings =
        pairs.len() >= MIN_PAIRS && pairs.iter().any(|(key, _)| KNOWN_KEYS.contains(&key.as_str()));
    let body = if is_settings { body } else { &text };

    let mut facts = GenerationFacts::default();
    let (prompt, negative) = split_prompts(body);
    facts.prompt = Some(prompt);
    facts.negative_prompt = negative;
    if is_settings {
        for (key, value) in pairs {
            set(&mut facts, key, value);
        }
        // With a second, larger pass this is that pass's strength, and the picture started from noise.
        if facts.other.iter().any(|(key, _)| key.starts_with("Hires"))
            && let Some(strength) = facts.denoising_strength.take()
        {
            facts.other.push(("Denoising strength".to_owned(), strength.to_string()));
        }
    }
    facts
}

fn clipped(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT_LEN)]
}

/// The lines before and from `Negative prompt:`.
fn split_prompts(body: &str) -> (String, Option<String>) {
    const MARK: &str = "Negative prompt:";
    let mut prompt: Vec<&str> = Vec::new();
    let mut negative: Option<Vec<&str>> = None;
    for line in body.lines() {
        match (line.trim_start().strip_prefix(MARK), &mut negative) {
            (Some(rest), None) => negative = Some(vec![rest]),
            (_, Some(lines)) => lines.push(line),
            (None, None) => prompt.push(line),
        }
    }
    let joined = |lines: Vec<&str>| lines.join("\n").trim().to_owned();
    (joined(prompt), negative.map(joined).filter(|n| !n.is_empty()))
}

/// One pair into its field, or among the others.
fn set(facts: &mut GenerationFacts, key: String, value: String) {
    if value.is_empty() {
        return;
    }
    let number = || value.parse::<f64>().ok().filter(|v| v.is_finite());
    let understood = match key.as_str() {
        "Steps" => fill(&mut facts.steps, value.parse().ok()),
        "Sampler" => fill(&mut facts.sampler, Some(value.clone())),
        "Schedule type" => fill(&mut facts.schedule, Some(value.clone())),
        "CFG scale" => fill(&mut facts.guidance_scale, number()),
        "Seed" => fill(&mut facts.seed, value.parse().ok().map(Seed)),
        "Size" => fill(&mut facts.size, size(&value)),
        "Model" => fill(&mut facts.model, Some(without_folders(&value))),
        "Denoising strength" => fill(&mut facts.denoising_strength, number()),
        "Clip skip" => fill(&mut facts.clip_skip, value.parse().ok()),
        "Version" => fill(&mut facts.version, Some(value.clone())),
        _ => false,
    };
    if !understood {
        facts.other.push((key, value));
    }
}

/// The first of several equal keys counts.
fn fill<T>(field: &mut Option<T>, value: Option<T>) -> bool {
    if field.is_none() && value.is_some() {
        *field = value;
        true
    } else {
        false
    }
}

fn size(value: &str) -> Option<ImageSize> {
    let (width, height) = value.split_once(['x', '×'])?;
    Some(ImageSize::new(width.trim().parse().ok()?, height.trim().parse().ok()?))
}

/// The pairs of a line; what is no pair is skipped up to the next comma.
fn pairs_of(line: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut rest = line;
    while !rest.is_empty() && pairs.len() < MAX_PAIRS {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let Some((key, after)) = key_of(rest) else {
            rest = rest.find(',').map_or("", |comma| &rest[comma..]);
            continue;
        };
        let (value, after) = value_of(after.trim_start());
        pairs.push((key.to_owned(), value));
        rest = after;
    }
    pairs
}

/// A key and what follows its colon: letters, digits, spaces, `_`, `-` and `/`, at least two.
fn key_of(text: &str) -> Option<(&str, &str)> {
    let (key, after) = text.split_once(':')?;
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let fits = key.chars().next().is_some_and(is_word)
        && key.chars().nth(1).is_some()
        && key.chars().all(|c| is_word(c) || matches!(c, ' ' | '-' | '/'));
    fits.then_some((key, after))
}

/// A value, unquoted, and what follows it.
fn value_of(text: &str) -> (String, &str) {
    if text.starts_with('"') {
        let mut escaped = false;
        let end = text.char_indices().skip(1).find(|&(_, c)| {
            let closes = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            closes
        });
        if let Some((end, _)) = end {
            let (literal, after) = text.split_at(end + 1);
            let is_whole = after.is_empty() || after.trim_start().starts_with(',');
            if is_whole && let Ok(value) = serde_json::from_str::<String>(literal) {
                return (value, after);
            }
        }
    }
    let (value, after) = text.find(',').map_or((text, ""), |comma| text.split_at(comma));
    (value.trim().to_owned(), after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{SamplerKind, ScheduleKind};

    #[test]
    fn automatic1111_text_is_read() {
        let facts = parse(concat!(
            "a red fox in fresh snow, (golden hour:1.2), 35mm photo\n",
            "Negative prompt: lowres, blurry\n",
            "Steps: 28, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, Seed: 1234567890, ",
            "Size: 1024x768, Model hash: 31e35c80fc, Model: sd_xl_base_1.0, VAE hash: 235745af8d, ",
            "VAE: sdxl_vae.safetensors, Denoising strength: 0.7, Clip skip: 2, RNG: CPU, ",
            "Lora hashes: \"snow_style: 0a1b2c3d4e5f, other: 1\", Version: v1.10.1"
        ));
        assert_eq!(facts.prompt.as_deref(), Some("a red fox in fresh snow, (golden hour:1.2), 35mm photo"));
        assert_eq!(facts.negative_prompt.as_deref(), Some("lowres, blurry"));
        assert_eq!((facts.steps, facts.guidance_scale), (Some(28), Some(6.5)));
        assert_eq!(
            (facts.sampler_kind(), facts.schedule_kind()),
            (Some(SamplerKind::Dpmpp2m), Some(ScheduleKind::Karras))
        );
        assert_eq!((facts.seed, facts.size), (Some(Seed(1234567890)), Some(ImageSize::new(1024, 768))));
        assert_eq!(facts.model.as_deref(), Some("sd_xl_base_1.0"));
        assert_eq!((facts.denoising_strength, facts.clip_skip), (Some(0.7), Some(2)));
        assert_eq!(facts.version.as_deref(), Some("v1.10.1"));
        assert!(facts.other.contains(&("Lora hashes".into(), "snow_style: 0a1b2c3d4e5f, other: 1".into())));
        assert_eq!(facts.other.len(), 5, "{:?}", facts.other);
    }

    #[test]
    fn stable_diffusion_cpp_text_is_read() {
        let facts = parse(concat!(
            "a lovely cat\nNegative prompt: dog\n",
            "Steps: 20, CFG scale: 7.000000, SLG scale: 2.500000, Skip layers: [7, 8, 9, ], Guidance: 3.500000, ",
            "Eta: 0.000000, Seed: 42, Size: 512x512, Model: , RNG: cuda, Sampler: euler karras, ",
            "Unet: z.gguf, Hires upscale: Latent, Hires scale: 2.000000, Denoising strength: 0.700000, ",
            "Version: stable-diffusion.cpp, SDCPP: {\"schema\":\"sdcpp.image.params/v1\",\"seed\":7,",
            "\"prompt\":{\"positive\":\"Steps: 1, Seed: 2, Size: 3x3\\n\"}}"
        ));
        assert_eq!((facts.steps, facts.seed, facts.guidance_scale), (Some(20), Some(Seed(42)), Some(7.0)));
        assert_eq!(
            (facts.sampler_kind(), facts.schedule_kind()),
            (Some(SamplerKind::Euler), Some(ScheduleKind::Karras))
        );
        assert_eq!(facts.version.as_deref(), Some("stable-diffusion.cpp"));
        assert_eq!(facts.negative_prompt.as_deref(), Some("dog"));
        assert_eq!((facts.model, facts.denoising_strength), (None, None));
    }

    #[test]
    fn automatic_means_what_the_writing_program_means_by_it() {
        let line = "x\nSteps: 20, Sampler: DPM++ 2M, Schedule type: Automatic, Seed: 1, Version: ";
        assert_eq!(parse(&format!("{line}v1.9.4")).schedule_kind(), Some(ScheduleKind::Karras));
        assert_eq!(parse(&format!("{line}Safelight 0.1.0")).schedule_kind(), Some(ScheduleKind::Model));
    }

    #[test]
    fn prompts_of_several_lines_and_with_colons_stay_whole() {
        let facts = parse("first\n\nsecond: line\nNegative prompt: one\ntwo\nSteps: 1, Seed: 2, Size: 8x8");
        assert_eq!(facts.prompt.as_deref(), Some("first\n\nsecond: line"));
        assert_eq!(facts.negative_prompt.as_deref(), Some("one\ntwo"));
        // Two pairs are no settings, and three of the prompt's own words neither.
        for prompt in
            ["a cat\nSteps: 20, Seed: 1", "subject: cat, style: oil, mood: dark", "(a:1), (b:2), (c:3)"]
        {
            let facts = parse(prompt);
            assert_eq!(facts.prompt.as_deref(), Some(prompt));
            assert!(!facts.has_settings());
        }
    }

    #[test]
    fn what_sites_add_and_break_does_no_harm() {
        let facts = parse(concat!(
            "x\r\nSteps: many, Sampler: , Seed: -1, CFG scale: NaN, Size: 5by5, Quoted: \"open, ",
            "Civitai resources: [{\"type\":\"lora\",\"weight\":0.6}], Model: C:\\Users\\me\\models\\m.ckpt, :, ::"
        ));
        assert_eq!(facts.prompt.as_deref(), Some("x"));
        assert_eq!((facts.steps, facts.seed, facts.size, facts.guidance_scale), (None, None, None, None));
        assert_eq!(facts.model.as_deref(), Some("m.ckpt"));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let facts = GenerationFacts {
            prompt: Some("눈 속의 여우, “fox”\nsecond line".into()),
            negative_prompt: Some("blur: 1, x".into()),
            steps: Some(20),
            sampler: Some("Euler a".into()),
            schedule: Some("Trailing".into()),
            guidance_scale: Some(7.25),
            seed: Some(Seed(u64::MAX)),
            size: Some(ImageSize::new(640, 384)),
            model: Some("a, \"b\": c".into()),
            denoising_strength: Some(0.55),
            clip_skip: Some(2),
            version: Some("Safelight 0.1.0".into()),
            other: vec![("RNG".into(), "CPU".into())],
        };
        assert_eq!(parse(&write(&facts)), facts);
    }

    #[test]
    fn no_folder_or_user_name_is_written() {
        let facts = GenerationFacts {
            model: Some("/home/someone/models/dream/".into()),
            ..GenerationFacts::default()
        };
        assert_eq!(write(&facts), "\nModel: dream");
    }
}
