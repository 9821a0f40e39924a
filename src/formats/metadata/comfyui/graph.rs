//! The nodes of a graph and the links between them.

use serde_json::{Map, Value};

/// The longest chain of nodes that is followed, since a graph may be circular.
pub(super) const MAX_LINKS: usize = 32;

/// The class of a node.
pub(super) fn class(node: &Value) -> &str {
    node.get("class_type").and_then(Value::as_str).unwrap_or_default()
}

/// The value of a node's input.
pub(super) fn value<'a>(node: &'a Value, input: &str) -> Option<&'a Value> {
    node.get("inputs")?.get(input).filter(|v| !v.is_array())
}

/// The name of the node that a link refers to.
pub(super) fn linked_name(link: &Value) -> Option<String> {
    match link.get(0)? {
        Value::String(name) => Some(name.clone()),
        // Scripts write the name of a node as a number.
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

    /// The sampler node: the one that starts from an empty latent, otherwise the first.
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

    /// The node that an input is linked to, behind reroute nodes.
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

    /// A value of the node, or of a node linked to one of its inputs: custom samplers get seed, schedule and guidance from
    /// separate nodes.
    pub(super) fn find<'a>(&'a self, node: &'a Value, input: &str) -> Option<&'a Value> {
        if let Some(value) = value(node, input) {
            return Some(value);
        }
        // The value comes from a separate node, such as one for the seed.
        if let Some(source) = self.linked(node, input) {
            return ["value", "int", "float", input].iter().find_map(|name| value(source, name));
        }
        ["noise", "sampler", "sigmas", "guider"].iter().find_map(|part| {
            let mut source = self.linked(node, part)?;
            // Nodes in between may split or change a schedule.
            for _ in 0..MAX_LINKS {
                if let Some(value) = value(source, input) {
                    return Some(value);
                }
                source = self.linked(source, part)?;
            }
            None
        })
    }

    /// A value of one of the nodes on the way from the sampler to its model.
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
