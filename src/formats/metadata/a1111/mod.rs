//! AUTOMATIC1111's text: prompt, `Negative prompt:`, and one last line of `Key: value` pairs.
//!
//! Written as AUTOMATIC1111 does, so that it and websites understand our pictures. Read tolerantly: its variants, those
//! of stable-diffusion.cpp, and the changes that extensions, exporters and websites make.

mod layout;
mod pairs;
mod values;

use super::container::MAX_TEXT_LEN;
use super::facts::GenerationFacts;
use crate::request::Seed;
use layout::{PROMPT_LINES, split};
use values::{size, whole};

/// The text for a picture with these settings.
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

    let prompt = plain(facts.prompt.as_deref().unwrap_or_default());
    let negative = plain(facts.negative_prompt.as_deref().unwrap_or_default());
    let with_line = |pairs: &[(&str, String)]| {
        let mut text = prompt.clone();
        if !negative.is_empty() {
            text.push_str("\nNegative prompt: ");
            text.push_str(&negative);
        }
        let line: Vec<String> =
            pairs.iter().map(|(key, value)| format!("{key}: {}", quoted(value))).collect();
        if !line.is_empty() {
            text.push('\n');
            text.push_str(&line.join(", "));
        }
        text
    };
    let text = with_line(&pairs);
    let read = split(text.trim());
    // Without settings a reader takes the whole text for a prompt.
    if read.pairs.is_empty() || read.prompt == prompt && read.negative.unwrap_or_default() == negative {
        return text;
    }
    // The prompt contains keywords of this format; this pair tells a reader that knows it where the prompt ends.
    let lines = if prompt.is_empty() { 0 } else { prompt.split('\n').count() };
    pairs.push((PROMPT_LINES, lines.to_string()));
    with_line(&pairs)
}

/// The last part of a path or hub name, so that pictures contain no folder or user names.
fn without_folders(name: &str) -> String {
    name.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or_default().to_owned()
}

/// A text with `\n` as line breaks, and without what containers and other programs do not support: control characters
/// and a byte order mark at its start.
fn plain(text: &str) -> String {
    let mut text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.retain(|c| !c.is_control() || matches!(c, '\n' | '\t'));
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}').to_owned()
}

/// A value as a JSON string where a comma, colon, quote or line break would end it.
fn quoted(value: &str) -> String {
    if value.contains([',', ':', '\n', '\r', '"']) || value.trim() != value {
        serde_json::Value::from(value).to_string()
    } else {
        value.to_owned()
    }
}

/// Parses the text. Parts that cannot be parsed are left out; a text without settings is a prompt.
pub fn parse(text: &str) -> GenerationFacts {
    let mut text = plain(clipped(text));
    // A text copied from a JSON file may have its line breaks escaped as two characters.
    if !text.contains('\n') && ["\\nNegative prompt:", "\\nSteps:"].iter().any(|line| text.contains(line)) {
        text = text.replace("\\n", "\n");
    }
    let layout = split(&text);
    let mut facts = GenerationFacts { negative_prompt: layout.negative, ..GenerationFacts::default() };
    for (key, value) in layout.pairs {
        set(&mut facts, key, value);
    }
    // A text of another program without a prompt may have it in a form that is not recognised here.
    facts.prompt = Some(layout.prompt).filter(|prompt| !prompt.is_empty() || facts.is_ours());
    // With "Hires. fix", this is the strength of the second pass, and the first one started from noise.
    if facts.other.iter().any(|(key, _)| key.starts_with("Hires"))
        && let Some(strength) = facts.denoising_strength.take()
    {
        facts.other.push(("Denoising strength".to_owned(), strength.to_string()));
    }
    facts
}

fn clipped(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT_LEN)]
}

/// Sets the field of a pair, or adds it to the others.
fn set(facts: &mut GenerationFacts, key: String, value: String) {
    if value.is_empty() {
        return;
    }
    let number = || value.parse::<f64>().ok().filter(|v| v.is_finite());
    let understood = match key.to_ascii_lowercase().as_str() {
        "steps" => fill(&mut facts.steps, whole(&value).and_then(|v| v.try_into().ok())),
        "sampler" => fill(&mut facts.sampler, Some(value.clone())),
        "schedule type" | "scheduler" => fill(&mut facts.schedule, Some(value.clone())),
        "cfg scale" | "guidance scale" => fill(&mut facts.guidance_scale, number()),
        "seed" => fill(&mut facts.seed, whole(&value).map(Seed)),
        "size" => fill(&mut facts.size, size(&value)),
        "model" => fill(&mut facts.model, Some(without_folders(&value))),
        "denoising strength" => fill(&mut facts.denoising_strength, number()),
        "clip skip" => fill(&mut facts.clip_skip, whole(&value).and_then(|v| v.try_into().ok())),
        "version" => fill(&mut facts.version, Some(value.clone())),
        // stable-diffusion.cpp's own format, which repeats the settings.
        "sdcpp" => true,
        _ => false,
    };
    if !understood {
        facts.other.push((key, value));
    }
}

/// Sets a field that is not set yet, so that the first of several equal keys counts.
fn fill<T>(field: &mut Option<T>, value: Option<T>) -> bool {
    if field.is_none() && value.is_some() {
        *field = value;
        true
    } else {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{ImageSize, SamplerKind, ScheduleKind};

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
    fn other_capitals_line_breaks_and_numbers_are_read() {
        for text in [
            "a fox\nnegative prompt: blur\nsteps: 20, sampler: Euler a, seed: 42, size: 512X768",
            "a fox\n Negative Prompt: blur\nSteps: 20.0, Sampler: Euler a, Seed: 42.0, Size: 512 × 768",
            "a fox\nNegative prompt: blur\nSteps: 20\nSampler: Euler a\nSeed: 42\nSize: 512*768\n",
            "a fox\nNegative prompt: blur\nSampler: Euler a\nSize: 512x768\nstrange: x\nSteps: 20\nSeed: 42",
            "a fox\\nNegative prompt: blur\\nSteps: 20, Sampler: Euler a, Seed: 42, Size: 512x768",
        ] {
            let facts = parse(text);
            assert_eq!(facts.prompt.as_deref(), Some("a fox"), "{text}");
            assert_eq!(facts.negative_prompt.as_deref(), Some("blur"), "{text}");
            assert_eq!((facts.steps, facts.seed), (Some(20), Some(Seed(42))), "{text}");
            assert_eq!(facts.size, Some(ImageSize::new(512, 768)), "{text}");
        }
        for prompt in ["steps: stone, seed: none", "fox\nstyle: oil\nmood: dark\nModel: none", "a\\n b"] {
            assert_eq!(parse(prompt).prompt.as_deref(), Some(prompt));
        }
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
    fn lines_below_the_settings_do_not_hide_them() {
        let facts = parse(concat!(
            "a red fox in snow\nNegative prompt: blurry, text\n",
            "Steps: 28, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 1234567890, Size: 512x768, Version: v1.10.1\n",
            "Template: a {red|blue} fox,\nin {snow|rain}, Steps: 3, Seed: 4, Size: 8x8\n",
            "Negative Template: blurry, text\n\nUsed embeddings: bad-hands [1a2b]"
        ));
        assert_eq!(facts.prompt.as_deref(), Some("a red fox in snow"));
        assert_eq!(facts.negative_prompt.as_deref(), Some("blurry, text"));
        assert_eq!((facts.steps, facts.seed), (Some(28), Some(Seed(1234567890))));
        assert_eq!(facts.size, Some(ImageSize::new(512, 768)));
        let other = |key: &str| facts.other.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str());
        assert_eq!(other("Negative Template"), Some("blurry, text\n"));
        assert_eq!(
            other("Template"),
            Some("a {red|blue} fox,\nin {snow|rain}, Steps: 3, Seed: 4, Size: 8x8")
        );
        assert_eq!(other("Used embeddings"), Some("bad-hands [1a2b]"));
    }

    #[test]
    fn settings_on_the_prompts_own_line_are_parted_from_it() {
        let tail = "Sampler: Euler a, CFG scale: 7, Seed: 42, Size: 512x512, Model: dream_8";
        for (front, negative) in [
            ("a red fox, snow,. Negative prompt: blurry, text. Steps: 28, ", Some("blurry, text")),
            ("a red fox, snow, Negative prompt: blurry, text, Steps: 28, ", Some("blurry, text")),
            ("a red fox, snow Negative prompt: blurry, text Steps: 28, ", Some("blurry, text")),
            ("a red fox, snow\nNegative prompt: blurry, text Steps: 28, ", Some("blurry, text")),
            ("a red fox, snow. Steps: 28, ", None),
        ] {
            let facts = parse(&format!("{front}{tail}"));
            assert_eq!(facts.prompt.as_deref(), Some("a red fox, snow"), "{front}");
            assert_eq!(facts.negative_prompt.as_deref(), negative, "{front}");
            assert_eq!(
                (facts.steps, facts.seed, facts.model.as_deref()),
                (Some(28), Some(Seed(42)), Some("dream_8"))
            );
        }
    }

    #[test]
    fn a_prompt_is_never_emptied_by_a_guess() {
        for prompt in [
            "subject: fox, style: oil, mood: dark, Model: none",
            "Style: oil, Version: second, Model: none",
            "Prompt: a fox, Steps to heaven: many, Mood: dark",
            "{\"a\": 1, \"b\"",
        ] {
            assert_eq!(parse(prompt).prompt.as_deref(), Some(prompt));
            assert!(!parse(prompt).has_settings(), "{prompt}");
        }
        // Nothing but settings: the prompt is unknown, not empty.
        let facts = parse("Steps: 20, Sampler: Euler, Seed: 3, Size: 8x8");
        assert_eq!((facts.prompt, facts.steps), (None, Some(20)));
    }

    #[test]
    fn prompts_with_words_of_the_format_come_back_whole() {
        let line = "Steps: 20, Sampler: Euler, CFG scale: 7, Seed: 1, Size: 8x8";
        let prompts = [
            line.to_owned(),
            format!("a fox\nNegative prompt: blur\n{line}"),
            format!("a fox. Negative prompt: blur. {line}"),
            "Negative prompt: blur".to_owned(),
            "a\nNegative prompt:\n\nb".to_owned(),
            ", SDCPP: {".to_owned(),
            "{red|blue} ball".to_owned(),
            String::new(),
        ];
        for prompt in &prompts {
            for negative in &prompts {
                let facts = GenerationFacts {
                    prompt: Some(prompt.clone()),
                    negative_prompt: Some(negative.clone()).filter(|n| !n.is_empty()),
                    steps: Some(9),
                    seed: Some(Seed(5)),
                    guidance_scale: Some(2.0),
                    version: Some("Safelight 0.1.0".into()),
                    ..GenerationFacts::default()
                };
                assert_eq!(parse(&write(&facts)), facts);
            }
        }
    }

    #[test]
    fn what_containers_cannot_hold_is_left_out() {
        let facts =
            GenerationFacts { prompt: Some("\u{feff}a\0b\r\nc\0".into()), ..GenerationFacts::default() };
        assert_eq!(write(&facts), "ab\nc");
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
