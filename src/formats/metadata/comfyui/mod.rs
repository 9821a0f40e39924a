//! ComfyUI's `prompt`: the graph of nodes that made the picture, as JSON.
//!
//! `{"3": {"class_type": "KSampler", "inputs": {"seed": 1, "positive": ["6", 0], …}}, …}`: an input is a
//! value or a link to the output of another node. Only nodes that lead to the sampler count. The graph may also be
//! under `prompt`, as in a request to ComfyUI's server, or in the format of its editor.

use serde_json::{Map, Value};

use super::container::MAX_TEXT_LEN;
use super::facts::{GenerationFacts, LEFT_OUT_NODE, negative_seed};
use crate::catalog::ImageSize;
use crate::content::json;
use crate::request::Seed;
use graph::{Graph, class};

mod graph;
mod prompt;
mod workflow;

/// The settings in a graph; `None` if the text is not a graph or has no sampler.
pub fn parse(text: &str) -> Option<GenerationFacts> {
    if text.len() > MAX_TEXT_LEN {
        return None;
    }
    // Python writes NaN into graphs, as the value of a node that is always executed again.
    let Ok(Value::Object(nodes)) = json::value_from_slice(text.as_bytes()) else { return None };
    let graph = Graph::new(graph_in(nodes)?);
    let sampler = graph.first_sampler()?;
    let number = |input: &str| graph.find(sampler, input).and_then(number);
    let whole = |input: &str| graph.find(sampler, input).and_then(whole_number);
    let word = |input: &str| graph.find(sampler, input).and_then(Value::as_str).map(str::to_owned);
    let latent = graph.linked(sampler, "latent_image");
    let edge = |input: &str| graph.find(latent?, input).and_then(whole_number).map(|v| v as usize);
    let model = ["ckpt_name", "unet_name"].into_iter().find_map(|name| graph.along_models(sampler, name));
    let [positive, negative] = [&["positive", "conditioning"][..], &["negative"]]
        .map(|inputs| prompt::find(&graph, sampler, inputs));
    let mut left_out = [positive.left_out, negative.left_out].concat();
    left_out.dedup();
    let seed = graph.find(sampler, "seed").or_else(|| graph.find(sampler, "noise_seed"));
    let left_out = left_out.into_iter().map(|class| (LEFT_OUT_NODE.to_owned(), class));
    Some(GenerationFacts {
        prompt: positive.text.filter(|text| !text.is_empty()),
        negative_prompt: negative.text.filter(|text| !text.is_empty()),
        steps: whole("steps").and_then(|v| usize::try_from(v).ok()),
        sampler: word("sampler_name"),
        schedule: word("scheduler"),
        guidance_scale: number("cfg").filter(|v| v.is_finite()),
        seed: seed.and_then(whole_number).map(Seed),
        size: edge("width").zip(edge("height")).map(|(width, height)| ImageSize::new(width, height)),
        model: model.map(|name| {
            let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
            file.strip_suffix(".safetensors").unwrap_or(file).to_owned()
        }),
        // 1 is a run from pure noise.
        denoising_strength: number("denoise").filter(|&strength| strength < 1.0),
        clip_skip: None,
        version: Some("ComfyUI".to_owned()),
        other: left_out.chain(negative_seed(seed)).collect(),
    })
}

/// The nodes of a graph: the object itself, its value under `prompt` or `workflow`, or the nodes of the editor's
/// format.
fn graph_in(mut object: Map<String, Value>) -> Option<Map<String, Value>> {
    if object.values().any(|node| !class(node).is_empty()) {
        return Some(object);
    }
    if object.get("nodes").is_some_and(Value::is_array) {
        return Some(workflow::nodes_of(&object));
    }
    match ["prompt", "workflow"].iter().find_map(|name| object.remove(*name)) {
        Some(Value::Object(inner)) if inner.contains_key("nodes") => Some(workflow::nodes_of(&inner)),
        Some(Value::Object(inner)) => Some(inner),
        _ => None,
    }
}

/// A number, which some nodes write as a string.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// A whole number, which may be written as `20.0` or as a string.
fn whole_number(value: &Value) -> Option<u64> {
    value
        .as_u64()
        .or_else(|| value.as_str()?.trim().parse().ok())
        .or_else(|| number(value).filter(|v| v.fract() == 0.0 && (0.0..1e15).contains(v)).map(|v| v as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{SamplerKind, ScheduleKind};

    #[test]
    fn a_plain_graph_is_followed_from_its_sampler() {
        let facts = parse(
            r#"{
            "3": {"class_type": "KSampler", "inputs": {"seed": 8566257, "steps": 20, "cfg": 8.0,
                "sampler_name": "dpmpp_2m", "scheduler": "karras", "denoise": 1.0, "model": ["10", 0],
                "positive": ["6", 0], "negative": [7, 0], "latent_image": ["5", 0]}},
            "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd/dream.safetensors"}},
            "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 768, "batch_size": 1}},
            "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a glass bottle ", "clip": ["4", 1]}},
            "7": {"class_type": "CLIPTextEncode", "inputs": {"text": ["8", 0], "clip": ["4", 1]}},
            "8": {"class_type": "PrimitiveString", "inputs": {"value": "watermark"}},
            "10": {"class_type": "LoraLoader", "inputs": {"lora_name": "x", "model": ["4", 0]}}
            }"#,
        )
        .unwrap();
        assert_eq!(facts.prompt.as_deref(), Some("a glass bottle"));
        assert_eq!(facts.negative_prompt.as_deref(), Some("watermark"));
        assert_eq!(
            (facts.steps, facts.seed, facts.guidance_scale),
            (Some(20), Some(Seed(8566257)), Some(8.0))
        );
        assert_eq!(
            (facts.sampler_kind(), facts.schedule_kind()),
            (Some(SamplerKind::Dpmpp2m), Some(ScheduleKind::Karras))
        );
        assert_eq!((facts.size, facts.denoising_strength), (Some(ImageSize::new(512, 768)), None));
        assert_eq!(facts.model.as_deref(), Some("dream"));
    }

    #[test]
    fn a_custom_sampler_gets_its_settings_from_nodes_around_it() {
        let facts = parse(
            r#"{
            "1": {"class_type": "SamplerCustomAdvanced", "inputs": {"noise": ["2", 0], "guider": ["3", 0],
                "sampler": ["4", 0], "sigmas": ["5", 0], "latent_image": ["9", 0]}},
            "2": {"class_type": "RandomNoise", "inputs": {"noise_seed": 7}},
            "3": {"class_type": "BasicGuider", "inputs": {"model": ["6", 0], "conditioning": ["7", 0]}},
            "4": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler"}},
            "5": {"class_type": "BasicScheduler", "inputs": {"scheduler": "simple", "steps": 4, "denoise": 0.6}},
            "6": {"class_type": "UNETLoader", "inputs": {"unet_name": "flux"}},
            "7": {"class_type": "FluxGuidance", "inputs": {"guidance": 3.5, "conditioning": ["8", 0]}},
            "8": {"class_type": "CLIPTextEncode", "inputs": {"text": "fox"}}
            }"#,
        )
        .unwrap();
        assert_eq!((facts.prompt.as_deref(), facts.model.as_deref()), (Some("fox"), Some("flux")));
        assert_eq!((facts.steps, facts.seed, facts.denoising_strength), (Some(4), Some(Seed(7)), Some(0.6)));
        assert_eq!(
            (facts.sampler_kind(), facts.schedule_kind()),
            (Some(SamplerKind::Euler), Some(ScheduleKind::Simple))
        );
    }

    #[test]
    fn reroutes_texts_for_numbers_and_requests_are_followed() {
        let facts = parse(
            r#"{"prompt": {
            "1": {"class_type": "SamplerCustomAdvanced", "inputs": {"noise": ["2", 0], "guider": ["3", 0],
                "sampler": ["4", 0], "sigmas": ["5", 0], "latent_image": ["9", 0]}},
            "2": {"class_type": "RandomNoise", "inputs": {"noise_seed": -1}},
            "3": {"class_type": "CFGGuider", "inputs": {"model": ["10", 0], "positive": ["11", 0], "negative": ["99", 0], "cfg": "6.5"}},
            "4": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler"}},
            "5": {"class_type": "SplitSigmas", "inputs": {"sigmas": ["6", 0], "step": 3}},
            "6": {"class_type": "BasicScheduler", "inputs": {"scheduler": "karras", "steps": "20", "denoise": 1}},
            "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "a fox"}},
            "8": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 768}},
            "9": {"class_type": "Reroute", "inputs": {"": ["8", 0]}},
            "10": {"class_type": "Reroute", "inputs": {"": ["13", 0]}},
            "11": {"class_type": "Reroute", "inputs": {"": ["12", 0]}},
            "12": {"class_type": "Reroute", "inputs": {"": ["7", 0]}},
            "13": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "dream.safetensors"}}
            }, "client_id": "x"}"#,
        )
        .unwrap();
        assert_eq!((facts.prompt.as_deref(), facts.model.as_deref()), (Some("a fox"), Some("dream")));
        assert_eq!(facts.size, Some(ImageSize::new(512, 768)));
        assert_eq!((facts.steps, facts.guidance_scale, facts.seed), (Some(20), Some(6.5), None));
        assert_eq!(facts.schedule_kind(), Some(ScheduleKind::Karras));
        // The negative prompt's node is missing: what was typed stays, and the seed is another one each time.
        assert!(facts.left_out_nodes().eq(["99".to_owned()]));
        assert!(facts.other.contains(&("Seed".into(), "-1".into())));
    }

    #[test]
    fn a_circle_and_other_json_end_without_facts_or_text() {
        let circle = r#"{"1": {"class_type": "KSampler", "inputs": {"positive": ["2", 0], "model": ["2", 0]}},
            "2": {"class_type": "X", "inputs": {"conditioning": ["2", 0], "model": ["2", 0]}}}"#;
        let facts = parse(circle).unwrap();
        assert_eq!((facts.prompt, facts.model), (None, None));
        let doubling: Vec<String> = (1..60)
            .map(|i| {
                format!(r#""{i}": {{"class_type": "ConditioningCombine", "inputs": {{"conditioning_1": ["{0}", 0], "conditioning_2": ["{0}", 0]}}}}"#, i + 1)
            })
            .collect();
        let doubling = format!(
            r#"{{"0": {{"class_type": "KSampler", "inputs": {{"positive": ["1", 0]}}}}, {}}}"#,
            doubling.join(", ")
        );
        assert_eq!(parse(&doubling).unwrap().prompt, None);
        for text in ["", "[]", "{}", "null", r#"{"1": 3}"#, r#"{"1": {"class_type": "SaveImage"}}"#] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse(&"[".repeat(100_000)), None);
    }
}
