//! Texts that people and programs write: prompts, settings, numbers.

use safelight::app::Settings;
use safelight::catalog::{ImageSize, ModelSource, SamplerKind, ScheduleKind};
use safelight::formats::metadata::{GenerationFacts, a1111, comfyui, facts_from_bytes};
use safelight::formats::picture::{PictureFormat, WriteOptions, encode_picture};
use safelight::models::{parse_prompt, parse_weights};
use safelight::request::{GenerationDraft, Picture, PromptOptions, SamplingOptions, Seed};

use super::Target;

pub(crate) const TARGETS: &[Target] = &[
    Target { name: "a1111", run: infotext, seeds: &[] },
    Target { name: "comfyui", run: graph, seeds: &[] },
    Target { name: "prompt", run: prompt, seeds: &[] },
    Target { name: "settings", run: settings, seeds: &[] },
    Target { name: "facts", run: facts, seeds: &[("sd1/expected.json", "")] },
    Target { name: "numbers", run: numbers, seeds: &[] },
    Target { name: "round-trip-text", run: |data| round_trip(data, None), seeds: &[] },
    Target { name: "round-trip-png", run: |data| round_trip(data, Some(PictureFormat::Png)), seeds: &[] },
    Target { name: "round-trip-jpeg", run: |data| round_trip(data, Some(PictureFormat::Jpeg)), seeds: &[] },
    Target { name: "round-trip-webp", run: |data| round_trip(data, Some(PictureFormat::Webp)), seeds: &[] },
];

fn draft(prompt: &str, negative_prompt: &str) -> GenerationDraft {
    GenerationDraft {
        model: ModelSource::Builtin,
        prompt: prompt.to_owned(),
        negative_prompt: negative_prompt.to_owned(),
        size: ImageSize::new(64, 64),
        steps: 20,
        guidance_scale: 7.5,
        seed: Seed(7),
        sampler: SamplerKind::Dpmpp2m,
        schedule: ScheduleKind::Karras,
        options: SamplingOptions::default(),
        prompt_options: PromptOptions::default(),
        init_image: None,
    }
}

fn infotext(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let facts = a1111::parse(text);
    let _ = facts.apply_to(&mut draft("typed", ""));
    // What was understood once is understood again.
    let again = a1111::parse(&a1111::write(&facts));
    assert_eq!((again.seed, again.steps), (facts.seed, facts.steps), "{text:?}");
}

fn graph(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(facts) = comfyui::parse(text) {
        let _ = facts.apply_to(&mut draft("typed", ""));
        let _ = a1111::parse(&a1111::write(&facts));
    }
}

fn prompt(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let length =
        |parts: &[safelight::models::WeightedText]| -> usize { parts.iter().map(|p| p.text.len()).sum() };
    assert!(length(&parse_weights(text)) <= text.len());
    let parsed = parse_prompt(text);
    assert!(parsed.sections.iter().map(|section| length(section)).sum::<usize>() <= text.len());
}

fn settings(data: &[u8]) {
    if let Ok(serde_json::Value::Object(object)) = serde_json::from_slice(data) {
        let (settings, _) = Settings::from_json(&object);
        let (again, wrong) = Settings::from_json(&settings.to_json());
        assert_eq!((again, wrong), (settings, Vec::new()));
    }
}

fn facts(data: &[u8]) {
    let _ = serde_json::from_slice::<GenerationFacts>(data);
}

fn numbers(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = text.parse::<Seed>();
    let _ = text.parse::<SamplerKind>();
    let _ = text.parse::<ScheduleKind>();
}

/// A prompt as it comes back: without control characters, with one kind of line end, trimmed.
fn tidy(text: &str) -> String {
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    lines
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .collect::<String>()
        .trim()
        .to_owned()
}

/// Settings that are written into a file, or as text, come back.
fn round_trip(data: &[u8], file: Option<PictureFormat>) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (prompt, negative_prompt) = text.split_once('\u{1}').unwrap_or((text, ""));
    if text.len() > 4000 {
        return;
    }
    let wanted = GenerationFacts::of_request(&draft(prompt, negative_prompt), "model");
    let read = match file {
        None => a1111::parse(&a1111::write(&wanted)),
        Some(format) => {
            let picture = Picture::new(1, 1, vec![0; 3]).unwrap();
            let bytes = encode_picture(&picture, format, Some(&wanted), &WriteOptions::default()).unwrap();
            facts_from_bytes(&bytes).unwrap_or_else(|| panic!("no settings in {format:?}: {wanted:?}"))
        }
    };
    assert_eq!(read.prompt.as_deref().unwrap_or_default(), tidy(prompt));
    assert_eq!(read.negative_prompt.as_deref().unwrap_or_default(), tidy(negative_prompt));
    assert_eq!(
        (read.seed, read.steps, read.guidance_scale),
        (wanted.seed, wanted.steps, wanted.guidance_scale)
    );
}
