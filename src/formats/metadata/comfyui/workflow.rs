//! The format of ComfyUI's editor for a graph: a list of nodes, a list of links, and the values of each node without
//! their names.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

/// The mode of a muted node.
const MUTED: u64 = 2;
/// The editor's own value after a seed: whether the next run gets another one.
const AFTER_SEED: &str = "control_after_generate";
/// The names of the values of ComfyUI's own nodes, in their order.
const VALUES: [(&str, &[&str]); 15] = [
    ("KSampler", &["seed", AFTER_SEED, "steps", "cfg", "sampler_name", "scheduler", "denoise"]),
    (
        "KSamplerAdvanced",
        &["add_noise", "noise_seed", AFTER_SEED, "steps", "cfg", "sampler_name", "scheduler"],
    ),
    ("SamplerCustom", &["add_noise", "noise_seed", AFTER_SEED, "cfg"]),
    ("RandomNoise", &["noise_seed", AFTER_SEED]),
    ("KSamplerSelect", &["sampler_name"]),
    ("BasicScheduler", &["scheduler", "steps", "denoise"]),
    ("CFGGuider", &["cfg"]),
    ("CLIPTextEncode", &["text"]),
    ("EmptyLatentImage", &["width", "height"]),
    ("EmptySD3LatentImage", &["width", "height"]),
    ("CheckpointLoaderSimple", &["ckpt_name"]),
    ("UNETLoader", &["unet_name"]),
    ("PrimitiveNode", &["value"]),
    ("PrimitiveInt", &["value"]),
    ("PrimitiveString", &["value"]),
];

/// The nodes in the format of the server: by name, with named inputs.
pub(super) fn nodes_of(workflow: &Map<String, Value>) -> Map<String, Value> {
    let list = |name: &str| workflow.get(name).and_then(Value::as_array).into_iter().flatten();
    let links: HashMap<u64, Value> = list("links").filter_map(link).collect();
    list("nodes").filter_map(|node| node_of(node, &links)).collect()
}

/// The id of a link and the output it begins at.
fn link(link: &Value) -> Option<(u64, Value)> {
    // A list of id, node, output and target; an object in newer files.
    let part = |at: usize, name: &str| link.get(at).or_else(|| link.get(name));
    Some((part(0, "id")?.as_u64()?, json!([name_of(part(1, "origin_id")?)?, part(2, "origin_slot")?])))
}

/// The name of a node, usually a number.
fn name_of(id: &Value) -> Option<String> {
    id.as_str().map(str::to_owned).or_else(|| Some(id.as_i64()?.to_string()))
}

fn node_of(node: &Value, links: &HashMap<u64, Value>) -> Option<(String, Value)> {
    let (name, class) = (name_of(node.get("id")?)?, node.get("type")?.as_str()?);
    if node.get("mode").and_then(Value::as_u64) == Some(MUTED) {
        return None;
    }
    let slots = || node.get("inputs").and_then(Value::as_array).into_iter().flatten();
    let mut inputs = match node.get("widgets_values") {
        Some(Value::Array(values)) => {
            let named: Vec<&str> =
                slots().filter_map(|slot| slot.get("widget")?.get("name")?.as_str()).collect();
            let known = VALUES.iter().find(|(known, _)| *known == class);
            let names = known.map_or_else(|| with_controls(&named), |(_, names)| names.to_vec());
            // Older editors name only the values that are links, so the order of the others is unknown.
            let fits = known.is_some() || names.len() == values.len();
            let pairs = names.iter().zip(values).filter(|_| fits);
            pairs.map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
        }
        Some(Value::Object(values)) => values.clone(),
        _ => Map::new(),
    };
    for slot in slots() {
        if let Some(name) = slot.get("name").and_then(Value::as_str)
            && let Some(link) = slot.get("link").and_then(Value::as_u64)
        {
            // A link that is not in the list refers to a missing node.
            let origin = links.get(&link).cloned().unwrap_or_else(|| json!([format!("link {link}"), 0]));
            inputs.insert(name.to_owned(), origin);
        }
    }
    Some((name, json!({"class_type": class, "inputs": inputs})))
}

/// The names of a node's values, with the editor's own value after each seed.
fn with_controls<'a>(names: &[&'a str]) -> Vec<&'a str> {
    let seeds = ["seed", "noise_seed"];
    names
        .iter()
        .flat_map(|&name| std::iter::once(name).chain(seeds.contains(&name).then_some(AFTER_SEED)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use crate::catalog::ImageSize;
    use crate::request::Seed;

    #[test]
    fn the_editors_form_gives_the_same_settings() {
        let workflow = r#"{"last_node_id": 9, "nodes": [
            {"id": 3, "type": "KSampler", "inputs": [{"name": "model", "link": 1}, {"name": "positive", "link": 4},
                {"name": "negative", "link": 6}, {"name": "latent_image", "link": 2}],
                "widgets_values": [42, "fixed", 20, 7.5, "euler", "karras", 1]},
            {"id": 4, "type": "CheckpointLoaderSimple", "widgets_values": ["dream.safetensors"]},
            {"id": 5, "type": "EmptyLatentImage", "widgets_values": [512, 768, 1]},
            {"id": 6, "type": "CLIPTextEncode", "inputs": [{"name": "text", "link": 7, "widget": {"name": "text"}}],
                "widgets_values": ["old words"]},
            {"id": 7, "type": "CLIPTextEncode", "widgets_values": ["blur"]},
            {"id": 8, "type": "Text", "inputs": [{"name": "text", "widget": {"name": "text"}}], "widgets_values": ["a fox"]},
            {"id": 9, "type": "KSampler", "mode": 2, "widgets_values": [1, "fixed", 1, 1, "heun", "normal", 1]}],
            "links": [[1, 4, 0, 3, 0, "MODEL"], [4, 6, 0, 3, 1, "CONDITIONING"], [6, 7, 0, 3, 2, "CONDITIONING"],
                {"id": 2, "origin_id": 5, "origin_slot": 0}, [7, 8, 0, 6, 0, "STRING"]], "version": 0.4}"#;
        for text in [workflow.to_owned(), format!("{{\"workflow\": {workflow}}}")] {
            let facts = parse(&text).unwrap();
            assert_eq!(facts.prompt.as_deref(), Some("a fox"));
            assert_eq!(facts.negative_prompt.as_deref(), Some("blur"));
            assert_eq!(
                (facts.steps, facts.seed, facts.guidance_scale),
                (Some(20), Some(Seed(42)), Some(7.5))
            );
            assert_eq!(facts.size, Some(ImageSize::new(512, 768)));
            assert_eq!(facts.model.as_deref(), Some("dream"));
        }
        for text in
            [r#"{"nodes": []}"#, r#"{"nodes": [1, {"id": 1}, {"id": 1, "type": "KSampler"}], "links": [[]]}"#]
        {
            assert!(parse(text).is_none_or(|facts| facts.prompt.is_none()), "{text}");
        }
    }
}
