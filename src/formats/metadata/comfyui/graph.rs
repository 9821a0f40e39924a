//! The nodes of a graph and the links between them.

use serde_json::{Map, Value};

/// Nodes followed from one to the next: longer chains are not prompts, or go in a circle.
pub(super) const MAX_LINKS: usize = 32;

/// The class of a node.
pub(super) fn class(node: &Value) -> &str {
    node.get("class_type").and_then(Value::as_str).unwrap_or_default()
}

/// The value of a node's input.
pub(super) fn value<'a>(node: &'a Value, input: &str) -> Option<&'a Value> {
    node.get("inputs")?.get(input).filter(|v| !v.is_array())
}

/// The node's name in a link.
pub(super) fn linked_name(link: &Value) -> Option<String> {
    match link.get(0)? {
        Value::String(name) => Some(name.clone()),
        // Scripts write a node's name as the number it is.
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The nodes by their names.
pub(super) struct Graph(Map<String, Value>);

impl Graph {
    pub(super) fn new(nodes: Map<String, Value>) -> Self {
        Self(nodes)
    }

    /// The node that samples: the one that starts from an empty latent, else the first.
    pub(super) fn first_sampler(&self) -> Option<&Value> {
        let is_sampler = |node: &&Value| {
            let class = class(node);
            (class.starts_with("KSampler") && class != "KSamplerSelect") || class.starts_with("SamplerCustom")
        };
        let starts_empty =
            |node: &&Value| self.linked(node, "latent_image").is_some_and(|l| class(l).starts_with("Empty"));
        let mut samplers = self.0.values().filter(is_sampler);
        samplers.clone().find(starts_empty).or_else(|| samplers.next())
    }

    /// The node a node's input is linked to, behind those that only lead a link around others.
    pub(super) fn linked(&self, node: &Value, input: &str) -> Option<&Value> {
        let mut found = self.0.get(&linked_name(node.get("inputs")?.get(input)?)?)?;
        for _ in 0..MAX_LINKS {
            if !class(found).starts_with("Reroute") {
                break;
            }
            let next = found.get("inputs")?.as_object()?.values().find_map(linked_name)?;
            found = self.0.get(&next)?;
        }
        Some(found)
    }

    /// A value of the node itself or of one that is linked to an input which only passes such values on:
    /// custom samplers get seed, schedule and guidance from nodes of their own.
    pub(super) fn find<'a>(&'a self, node: &'a Value, input: &str) -> Option<&'a Value> {
        if let Some(value) = value(node, input) {
            return Some(value);
        }
        // A value linked to a node of its own, such as a seed's.
        if let Some(source) = self.linked(node, input) {
            return ["value", "int", "float", input].iter().find_map(|name| value(source, name));
        }
        ["noise", "sampler", "sigmas", "guider"].iter().find_map(|part| {
            let mut source = self.linked(node, part)?;
            // A schedule may be cut or changed on its way.
            for _ in 0..MAX_LINKS {
                if let Some(value) = value(source, input) {
                    return Some(value);
                }
                source = self.linked(source, part)?;
            }
            None
        })
    }

    /// A name given by one of the nodes that the sampler's model comes through.
    pub(super) fn along_models(&self, sampler: &Value, name: &str) -> Option<&str> {
        let guider = self.linked(sampler, "guider");
        let mut node = self.linked(sampler, "model").or_else(|| self.linked(guider?, "model"))?;
        for _ in 0..MAX_LINKS {
            if let Some(name) = value(node, name).and_then(Value::as_str) {
                return Some(name);
            }
            node = self.linked(node, "model")?;
        }
        None
    }
}
