//! The text of a prompt, found along the nodes of its conditioning.

use serde_json::Value;

use super::graph::{Graph, MAX_LINKS, class, linked_name, value};

/// The largest number of nodes visited for one prompt, since nested joins multiply them.
const MAX_NODES: usize = 512;
/// The longest name of a node or class that is reported, characters.
const MAX_NAME_LEN: usize = 80;
/// Inputs with text, in order of precedence; of several in a node, each is for another text encoder.
const TEXTS: [&str; 12] = [
    "populated_text",
    "text",
    "text_g",
    "t5xxl",
    "text_l",
    "clip_l",
    "clip_g",
    "prompt",
    "value",
    "string",
    "text_0",
    "wildcard_text",
];
/// Inputs along which a conditioning or a text is followed.
const PASSED_ON: [&str; 11] = [
    "text",
    "text_g",
    "t5xxl",
    "conditioning",
    "conditioning_to",
    "conditioning_1",
    "value",
    "string",
    "prompt",
    "source",
    "input",
];
/// Inputs of nodes that join texts.
const JOINED: [&[&str]; 5] = [
    &["string_a", "string_b", "string_c", "string_d"],
    &["text_a", "text_b", "text_c", "text_d"],
    &["string1", "string2", "string3", "string4"],
    &["text1", "text2", "text3", "text4"],
    &["string_1", "string_2", "string_3", "string_4"],
];

/// A prompt found in a graph.
#[derive(Debug, Default)]
pub(super) struct GraphPrompt {
    /// Its text: empty for an empty conditioning, `None` if there is none or it was not found.
    pub(super) text: Option<String>,
    /// Classes of the nodes whose effect the text does not show.
    pub(super) left_out: Vec<String>,
}

/// A traversal of a graph for one prompt.
struct Search<'a> {
    graph: &'a Graph,
    /// Names of the sampler's inputs for this prompt, which other nodes use too.
    roles: &'a [&'a str],
    nodes_left: usize,
    left_out: Vec<String>,
}

/// Finds the prompt that is linked to a sampler's inputs of these names.
pub(super) fn find(graph: &Graph, sampler: &Value, roles: &[&str]) -> GraphPrompt {
    let guider = graph.linked(sampler, "guider");
    let start =
        roles.iter().find_map(|input| graph.linked(sampler, input).or_else(|| graph.linked(guider?, input)));
    let Some(start) = start else {
        // A link to a missing node: the text is unknown, not empty.
        let missing = [Some(sampler), guider].into_iter().flatten().find_map(|node| {
            let inputs = node.get("inputs")?;
            roles.iter().find_map(|role| linked_name(inputs.get(*role)?))
        });
        let left_out = missing.map(|name| name.chars().take(MAX_NAME_LEN).collect()).into_iter().collect();
        return GraphPrompt { text: None, left_out };
    };
    let mut search = Search { graph, roles, nodes_left: MAX_NODES, left_out: Vec::new() };
    let text = search.text_of(start, MAX_LINKS).map(|text| text.trim().to_owned());
    if text.is_none() && search.left_out.is_empty() {
        search.leave_out(start);
    }
    GraphPrompt { text, left_out: search.left_out }
}

impl<'a> Search<'a> {
    fn leave_out(&mut self, node: &Value) {
        let class: String = class(node).chars().take(MAX_NAME_LEN).collect();
        if !self.left_out.contains(&class) {
            self.left_out.push(class);
        }
    }

    /// The text of a node; `None` if it is not found.
    fn text_of(&mut self, node: &'a Value, links: usize) -> Option<String> {
        self.nodes_left = self.nodes_left.checked_sub(1)?;
        let links = links.checked_sub(1)?;
        match class(node) {
            // An empty conditioning, whatever the input.
            "ConditioningZeroOut" => return Some(String::new()),
            // AUTOMATIC1111's syntax for the same: consecutive chunks, and combined predictions.
            "ConditioningConcat" => {
                return self.joined(node, &["conditioning_to", "conditioning_from"], " BREAK ", links);
            }
            "ConditioningCombine" => {
                return self.joined(node, &["conditioning_1", "conditioning_2"], " AND ", links);
            }
            "StringReplace" => {
                let word = |input| value(node, input).and_then(Value::as_str);
                if let (Some(find), Some(replace)) = (word("find").filter(|f| !f.is_empty()), word("replace"))
                {
                    return Some(self.input_text(node, "string", links)?.replace(find, replace));
                }
            }
            name if changes_words(name) => self.leave_out(node),
            _ => {}
        }
        if let Some(inputs) =
            JOINED.iter().find(|inputs| node.get("inputs").and_then(|i| i.get(inputs[0])).is_some())
        {
            let delimiter = ["delimiter", "separator"].iter().find_map(|name| value(node, name)?.as_str());
            let default = if class(node).starts_with("StringConcatenate") { "" } else { ", " };
            return self.joined(node, inputs, delimiter.unwrap_or(default), links);
        }
        let roles = self.roles;
        // Style nodes have both prompts.
        let styled = roles.iter().find_map(|role| value(node, &format!("text_{role}"))?.as_str());
        if let Some(text) = styled {
            self.leave_out(node);
            return Some(text.to_owned());
        }
        let texts = roles.iter().chain(&TEXTS);
        let mut texts =
            texts.filter_map(|name| value(node, name)?.as_str()).filter(|text| !text.trim().is_empty());
        if let Some(text) = texts.next() {
            if class(node).starts_with("CLIPTextEncode") && texts.any(|other| other.trim() != text.trim()) {
                self.leave_out(node);
            }
            return Some(text.to_owned());
        }
        // Continues through nodes that change a conditioning or pass a text on.
        if let Some(next) = roles.iter().chain(&PASSED_ON).find_map(|name| self.graph.linked(node, name)) {
            return self.text_of(next, links);
        }
        // An empty text is a valid prompt.
        TEXTS.iter().find_map(|name| value(node, name)?.as_str()).map(str::to_owned)
    }

    /// The text that a node's input holds or is linked to.
    fn input_text(&mut self, node: &'a Value, input: &str, links: usize) -> Option<String> {
        match self.graph.linked(node, input) {
            Some(source) => self.text_of(source, links),
            None => value(node, input).and_then(Value::as_str).map(str::to_owned),
        }
    }

    /// The joined texts of several inputs. Inputs that are not found are reported; `None` if none is found.
    fn joined(&mut self, node: &'a Value, inputs: &[&str], between: &str, links: usize) -> Option<String> {
        let mut found = Vec::new();
        for input in inputs {
            match (self.input_text(node, input, links), self.graph.linked(node, input)) {
                (Some(text), _) => found.push(text),
                (None, Some(source)) => self.leave_out(source),
                (None, None) => {}
            }
        }
        if found.is_empty() {
            return None;
        }
        found.retain(|text| !text.is_empty());
        Some(found.join(between))
    }
}

/// Whether nodes of this class change a text or its effect.
fn changes_words(class: &str) -> bool {
    const CLASSES: [&str; 8] = [
        "ConditioningAverage",
        "ConditioningSetArea",
        "ConditioningSetMask",
        "ConditioningSetTimestepRange",
        "ConditioningMultiply",
        "RegexReplace",
        "CaseConverter",
        "StringSubstring",
    ];
    CLASSES.iter().any(|known| class.starts_with(known))
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    /// A graph of a sampler whose prompts are the nodes 2 and 3, and these further nodes.
    fn facts(nodes: &str) -> crate::formats::metadata::GenerationFacts {
        let sampler = r#""1": {"class_type": "KSampler", "inputs": {"seed": 1, "steps": 4, "positive": ["2", 0], "negative": ["3", 0]}}"#;
        parse(&format!("{{{sampler}, {nodes}}}")).unwrap()
    }

    /// The words and the classes left out.
    fn prompts(nodes: &str) -> (Option<String>, Option<String>, Vec<String>) {
        let facts = facts(nodes);
        (facts.prompt.clone(), facts.negative_prompt.clone(), facts.left_out_nodes().collect())
    }

    fn encode(name: &str, text: &str) -> String {
        format!(
            r#""{name}": {{"class_type": "CLIPTextEncode", "inputs": {{"text": "{text}", "is_changed": [NaN]}}}}"#
        )
    }

    #[test]
    fn a_zeroed_conditioning_is_an_empty_prompt() {
        let zero = r#""3": {"class_type": "ConditioningZeroOut", "inputs": {"conditioning": ["2", 0]}}"#;
        let found = prompts(&format!("{}, {zero}", encode("2", "a fox")));
        assert_eq!(found, (Some("a fox".into()), None, vec![]));
        // As in SD 3.5's template: zero for most of the steps, words for the first.
        let zero = concat!(
            r#""3": {"class_type": "ConditioningCombine", "inputs": {"conditioning_1": ["5", 0], "conditioning_2": ["6", 0]}},"#,
            r#""5": {"class_type": "ConditioningSetTimestepRange", "inputs": {"conditioning": ["7", 0], "start": 0.1}},"#,
            r#""6": {"class_type": "ConditioningSetTimestepRange", "inputs": {"conditioning": ["8", 0], "end": 0.1}},"#,
            r#""7": {"class_type": "ConditioningZeroOut", "inputs": {"conditioning": ["8", 0]}}"#
        );
        let found = prompts(&format!("{}, {}, {zero}", encode("2", "a fox"), encode("8", "blur")));
        assert_eq!(found.1.as_deref(), Some("blur"));
        assert_eq!(found.2, ["ConditioningSetTimestepRange"]);
    }

    #[test]
    fn prompts_that_nodes_join_are_whole() {
        for (class, between, inputs) in [
            ("ConditioningCombine", " AND ", ["conditioning_1", "conditioning_2"]),
            ("ConditioningConcat", " BREAK ", ["conditioning_to", "conditioning_from"]),
        ] {
            let join = format!(
                r#""2": {{"class_type": "{class}", "inputs": {{"{}": ["5", 0], "{}": ["6", 0]}}}}"#,
                inputs[0], inputs[1]
            );
            let found =
                prompts(&[join, encode("3", ""), encode("5", "a fox"), encode("6", "snow")].join(", "));
            assert_eq!(found, (Some(format!("a fox{between}snow")), None, vec![]));
        }
        let nodes = concat!(
            r#""2": {"class_type": "CLIPTextEncode", "inputs": {"text": ["5", 0]}},"#,
            r#""3": {"class_type": "CLIPTextEncode", "inputs": {"text": ["7", 0]}},"#,
            r#""5": {"class_type": "StringConcatenate", "inputs": {"string_a": ["6", 0], "string_b": "in snow", "delimiter": " "}},"#,
            r#""6": {"class_type": "StringReplace", "inputs": {"string": "a COLOUR fox", "find": "COLOUR", "replace": "red"}},"#,
            r#""7": {"class_type": "Text Concatenate", "inputs": {"text_a": "blur", "text_b": ["8", 0]}},"#,
            r#""8": {"class_type": "PrimitiveStringMultiline", "inputs": {"value": "text"}}"#
        );
        assert_eq!(prompts(nodes), (Some("a red fox in snow".into()), Some("blur, text".into()), vec![]));
    }

    #[test]
    fn what_words_do_not_show_is_named_and_what_was_typed_stays() {
        let nodes = concat!(
            r#""2": {"class_type": "ConditioningAverage", "inputs": {"conditioning_to": ["5", 0], "conditioning_from": ["6", 0]}},"#,
            r#""3": {"class_type": "SomethingNew", "inputs": {"words": ["6", 0]}}"#
        );
        let nodes = format!("{nodes}, {}, {}", encode("5", "a fox"), encode("6", "a dog"));
        assert_eq!(prompts(&nodes).0.as_deref(), Some("a fox"));
        assert_eq!(prompts(&nodes).2, ["ConditioningAverage", "SomethingNew"]);
        let facts = facts(&nodes);
        let mut draft = crate::request::GenerationDraft::new(&crate::catalog::ModelProfile::made_up());
        draft.negative_prompt = "typed".into();
        let unrestored = facts.apply_to(&mut draft);
        assert_eq!((draft.prompt.as_str(), draft.negative_prompt.as_str()), ("a fox", "typed"));
        assert_eq!(unrestored.len(), 2);
    }

    #[test]
    fn a_node_that_fits_words_into_a_style_is_named_and_each_prompt_is_its_own() {
        let nodes = concat!(
            r#""2": {"class_type": "CLIPTextEncode", "inputs": {"text": ["4", 0]}},"#,
            r#""3": {"class_type": "CLIPTextEncode", "inputs": {"text": ["4", 1]}},"#,
            r#""4": {"class_type": "SDXLPromptStyler", "inputs": {"text_positive": "a fox", "text_negative": "blur"}}"#
        );
        let styled = vec!["SDXLPromptStyler".to_owned()];
        assert_eq!(prompts(nodes), (Some("a fox".into()), Some("blur".into()), styled));
    }

    #[test]
    fn nodes_that_hold_both_prompts_and_several_encoders_are_read() {
        let nodes = concat!(
            r#""2": {"class_type": "Efficient Loader", "inputs": {"positive": "a fox", "negative": "blur", "ckpt_name": "m"}},"#,
            r#""3": {"class_type": "ControlNetApplyAdvanced", "inputs": {"positive": ["2", 1], "negative": ["2", 2]}}"#
        );
        assert_eq!(prompts(nodes), (Some("a fox".into()), Some("blur".into()), vec![]));
        let sdxl = |large: &str, small: &str| {
            let text = format!(
                r#""2": {{"class_type": "CLIPTextEncodeSDXL", "inputs": {{"text_g": "{large}", "text_l": "{small}"}}}}"#
            );
            prompts(&format!("{text}, {}", encode("3", "")))
        };
        assert_eq!(sdxl("a fox", "a fox"), (Some("a fox".into()), None, vec![]));
        assert_eq!(sdxl("a fox", "snow").2, ["CLIPTextEncodeSDXL"]);
    }
}
