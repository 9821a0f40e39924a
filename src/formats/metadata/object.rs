//! Settings that other programs write as a JSON object: InvokeAI, SwarmUI, Fooocus, NovelAI, Draw Things, and programs
//! that write their arguments. Their keys differ, but have the same meaning.

use serde_json::{Map, Value};

use super::container::MAX_TEXT_LEN;
use super::facts::{GenerationFacts, negative_seed};
use crate::catalog::ImageSize;
use crate::content::json;
use crate::request::Seed;

/// Whether a whole text is a JSON object or list. A prompt may begin with a brace or a bracket, but is not valid JSON.
pub(super) fn is_json(text: &str) -> bool {
    text.starts_with(['{', '['])
        && text.len() <= MAX_TEXT_LEN
        && json::value_from_slice(text.as_bytes()).is_ok()
}

/// The settings in a JSON object; `None` for any other text and for JSON of another structure.
pub(super) fn parse(text: &str) -> Option<GenerationFacts> {
    let text = text.trim();
    if !text.starts_with('{') || text.len() > MAX_TEXT_LEN {
        return None;
    }
    match json::value_from_slice(text.as_bytes()) {
        Ok(Value::Object(object)) => facts_of(&object),
        _ => None,
    }
}

/// The settings in an object with keys of known programs: it must have a prompt, and two of steps, seed, sampler and
/// guidance scale.
pub(super) fn facts_of(object: &Map<String, Value>) -> Option<GenerationFacts> {
    // SwarmUI keeps its settings one level down, and InvokeAI did before version 3.
    let object =
        ["sui_image_params", "image"].iter().find_map(|key| object.get(*key)?.as_object()).unwrap_or(object);
    let word = |keys: &[&str]| keys.iter().find_map(|key| object.get(*key).and_then(text_of));
    let number = |keys: &[&str]| keys.iter().find_map(|key| object.get(*key).and_then(number_of));
    let whole = |keys: &[&str]| number(keys).filter(|v| v.fract() == 0.0 && *v >= 0.0).map(|v| v as usize);

    let prompt = word(&["positive_prompt", "prompt", "c"])?;
    // In InvokeAI, one name stands for sampler and schedule; others have two.
    let sampler = word(&["sampler", "sampler_name", "scheduler"]);
    let has_sampler = object.contains_key("sampler") || object.contains_key("sampler_name");
    let facts = GenerationFacts {
        prompt: Some(prompt.trim().to_owned()).filter(|p| !p.is_empty()),
        negative_prompt: word(&["negative_prompt", "negativeprompt", "uc"])
            .map(|n| n.trim().to_owned())
            .filter(|n| !n.is_empty()),
        steps: whole(&["steps", "num_inference_steps"]),
        sampler,
        schedule: if has_sampler { word(&["scheduler", "noise_schedule"]) } else { None },
        guidance_scale: number(&["cfg_scale", "cfgscale", "guidance_scale", "scale", "guidance"]),
        seed: object.get("seed").and_then(seed_of),
        size: whole(&["width"])
            .zip(whole(&["height"]))
            .map(|(width, height)| ImageSize::new(width, height))
            .or_else(|| size_of(&word(&["size", "resolution"])?)),
        model: word(&["model", "base_model", "use_stable_diffusion_model", "model_weights"]).map(|name| {
            let file = name.rsplit(['/', '\\']).next().unwrap_or(&name);
            file.strip_suffix(".safetensors").unwrap_or(file).to_owned()
        }),
        // 1 is a run from pure noise.
        denoising_strength: number(&["strength", "denoising_strength", "initimagecreativity"])
            .filter(|&strength| strength < 1.0 && !object.contains_key("noise_schedule")),
        // InvokeAI counts the skipped layers.
        clip_skip: whole(&["clip_skip"])
            .filter(|_| object.contains_key("positive_prompt"))
            .map(|n| n as u32 + 1),
        version: version(object),
        other: negative_seed(object.get("seed")).into_iter().collect(),
    };
    let known = [
        facts.steps.is_some(),
        object.contains_key("seed"),
        facts.sampler.is_some(),
        facts.guidance_scale.is_some(),
    ];
    (known.into_iter().filter(|&is_known| is_known).count() >= 2).then_some(facts)
}

/// The program, recognised by keys that only it writes.
fn version(object: &Map<String, Value>) -> Option<String> {
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    if let Some(version) = text("app_version") {
        Some(format!("InvokeAI {version}"))
    } else if let Some(version) = text("swarm_version") {
        Some(format!("SwarmUI {version}"))
    } else if object.contains_key("c") && object.contains_key("uc") {
        Some("Draw Things".to_owned())
    } else if object.contains_key("uc") {
        Some("NovelAI".to_owned())
    } else {
        text("version").map(str::to_owned)
    }
}

/// A string, the name in an object (InvokeAI's model), or the first prompt of a list (InvokeAI before version 3).
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Object(object) => {
            ["name", "model_name", "prompt"].iter().find_map(|k| object.get(*k)?.as_str()).map(str::to_owned)
        }
        Value::Array(items) => items.first().filter(|item| item.is_object()).and_then(text_of),
        _ => None,
    }
}

/// A number, or a string with a number.
fn number_of(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|v| v.is_finite())
}

fn seed_of(value: &Value) -> Option<Seed> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok()).map(Seed)
}

/// `512x768` or `(512, 768)`.
fn size_of(text: &str) -> Option<ImageSize> {
    let (width, height) = text.trim_matches(['(', ')']).split_once(['x', 'X', '×', ','])?;
    Some(ImageSize::new(width.trim().parse().ok()?, height.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{SamplerKind as S, ScheduleKind as K};

    #[test]
    fn the_objects_of_known_programs_are_read() {
        let invoke = r#"{"generation_mode": "txt2img", "positive_prompt": "a fox", "negative_prompt": "blur", "width": 512,
            "height": 768, "seed": 42, "cfg_scale": 7.5, "steps": 30, "scheduler": "dpmpp_2m_k", "clip_skip": 1,
            "model": {"key": "x", "hash": "blake3:0", "name": "dream", "base": "sd-1"}, "app_version": "5.6.0"}"#;
        let old_invoke = r#"{"model": "stable diffusion", "model_weights": "dream", "app_version": "2.3.0", "image": {"prompt":
            [{"prompt": "a fox", "weight": 1}], "steps": 30, "cfg_scale": 7.5, "sampler": "k_dpmpp_2m", "seed": 42, "width": 512, "height": 768}}"#;
        let swarm = r#"{"sui_image_params": {"prompt": "a fox", "negativeprompt": "blur", "model": "OfficialStableDiffusion/dream.safetensors",
            "seed": 42, "steps": 30, "cfgscale": 7.5, "width": 512, "height": 768, "sampler": "dpmpp_2m", "scheduler": "karras", "swarm_version": "0.9.3.1"}}"#;
        let fooocus = r#"{"base_model": "dream", "full_prompt": ["a fox", "x"], "guidance_scale": 7.5, "negative_prompt": "blur", "prompt": "a fox",
            "resolution": "(512, 768)", "sampler": "dpmpp_2m", "scheduler": "karras", "seed": "42", "steps": 30, "version": "Fooocus v2.5"}"#;
        let novel = r#"{"prompt": "a fox", "steps": 30, "height": 768, "width": 512, "scale": 7.5, "seed": 42, "n_samples": 1, "strength": 0.7,
            "sampler": "k_dpmpp_2m", "noise_schedule": "karras", "uc": "blur"}"#;
        let draw_things = r#"{"c": "a fox", "uc": "blur", "sampler": "DPM++ 2M Karras", "scale": 7.5, "seed": 42, "size": "512x768", "steps": 30,
            "strength": 1, "model": "dream", "v2": {}}"#;
        for (name, text) in [
            ("InvokeAI 5.6.0", invoke),
            ("SwarmUI 0.9.3.1", swarm),
            ("Fooocus v2.5", fooocus),
            ("NovelAI", novel),
            ("Draw Things", draw_things),
            ("", old_invoke),
        ] {
            let facts = parse(text).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(facts.prompt.as_deref(), Some("a fox"), "{name}");
            assert_eq!(facts.negative_prompt.as_deref(), (!name.is_empty()).then_some("blur"), "{name}");
            assert_eq!(
                (facts.steps, facts.seed, facts.guidance_scale),
                (Some(30), Some(Seed(42)), Some(7.5))
            );
            assert_eq!(facts.size, Some(ImageSize::new(512, 768)), "{name}");
            let schedule = (!name.is_empty()).then_some(K::Karras);
            assert_eq!((facts.sampler_kind(), facts.schedule_kind()), (Some(S::Dpmpp2m), schedule), "{name}");
            assert_eq!(facts.denoising_strength, None, "{name}");
            assert_eq!(facts.version.as_deref(), (!name.is_empty()).then_some(name));
        }
    }

    #[test]
    fn other_objects_and_prompts_in_braces_are_not_settings() {
        for text in [
            "{red|blue} fox",
            "{{masterpiece}}, 1 fox",
            "{}",
            r#"{"prompt": "x"}"#,
            r#"{"prompt": "x", "seed": 1}"#,
            "[]",
            "7",
            "{",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert!(
            is_json("{}")
                && is_json("[NaN]")
                && !is_json("{a|b}")
                && !is_json("[fox], [snow]")
                && !is_json("fox")
        );
    }
}
