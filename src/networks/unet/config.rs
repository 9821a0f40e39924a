//! The configuration of a UNet.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer};

use crate::networks::NetworkError;

/// One number for all levels, or one for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PerLevel {
    /// For all.
    One(usize),
    /// For each, from the largest feature map to the smallest.
    Each(Vec<usize>),
}

impl<'de> Deserialize<'de> for PerLevel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let values = all(&value, whole_number);
        match (values, value.is_array()) {
            (Some(values), true) => Ok(Self::Each(values)),
            (Some(values), false) => Ok(Self::One(values[0])),
            (None, _) => Err(wrong("a whole number or a list of them", &value)),
        }
    }
}

impl fmt::Display for PerLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(value) => value.fmt(f),
            Self::Each(values) => write!(f, "{values:?}"),
        }
    }
}

impl PerLevel {
    pub(super) fn at(&self, level: usize) -> Option<usize> {
        match self {
            Self::One(value) => Some(*value),
            Self::Each(values) => values.get(level).copied(),
        }
    }
}

/// The keys of `unet/config.json` that this network uses. Missing keys have diffusers' defaults.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(default)]
pub struct UNetConfig {
    /// Input channels: those of the latent, or 9 for inpainting.
    pub in_channels: usize,
    /// Output channels.
    pub out_channels: usize,
    /// Edge of the latents it was trained on, or their height and width, latent pixels.
    pub sample_size: PerLevel,
    /// The network's class in diffusers.
    #[serde(rename = "_class_name")]
    pub class_name: Option<String>,
    /// The version of diffusers that wrote the file.
    #[serde(rename = "_diffusers_version")]
    pub diffusers_version: Option<String>,
    /// Channels of each level.
    pub block_out_channels: Vec<usize>,
    /// ResNet blocks of each level.
    pub layers_per_block: PerLevel,
    /// Block type of each level of the downsampling path.
    pub down_block_types: Vec<String>,
    /// Block type of each level of the upsampling path.
    pub up_block_types: Vec<String>,
    /// Type of the mid block; `None` in pruned networks without one (BK-SDM-Tiny).
    pub mid_block_type: Option<String>,
    /// Width of the prompt's hidden states, the same at every level.
    #[serde(deserialize_with = "same_everywhere")]
    pub cross_attention_dim: usize,
    /// The number of heads, despite its name (which diffusers keeps for compatibility).
    pub attention_head_dim: PerLevel,
    /// The number of heads, where given; takes precedence over `attention_head_dim`.
    pub num_attention_heads: Option<PerLevel>,
    /// Blocks of each spatial transformer.
    pub transformer_layers_per_block: PerLevel,
    /// Groups of the group norms.
    pub norm_num_groups: usize,
    /// Epsilon of the group norms.
    pub norm_eps: f64,
    /// Whether cosines come before sines in the time embedding.
    pub flip_sin_to_cos: bool,
    /// Shift of the time embedding's frequencies.
    pub freq_shift: f64,
    /// Padding of the downsampling convolutions.
    pub downsample_padding: usize,
    /// Activation.
    pub act_fn: String,
    /// SDXL's added conditioning: `text_time` is a pooled embedding and sizes.
    pub addition_embed_type: Option<String>,
    /// Width of the sinusoidal embedding of each size.
    pub addition_time_embed_dim: Option<usize>,
    /// Width of the pooled embedding and all size embeddings together.
    pub projection_class_embeddings_input_dim: Option<usize>,
    /// Class labels; not supported.
    pub class_embed_type: Option<String>,
    /// LCM's embedding of the guidance scale; not supported.
    pub time_cond_proj_dim: Option<usize>,
    /// How the time embedding enters ResNet blocks; only `default` is supported.
    pub resnet_time_scale_shift: String,
    /// Transformer blocks without self-attention, at any level; not supported.
    #[serde(deserialize_with = "anywhere")]
    pub only_cross_attention: bool,
    /// Two cross-attentions to two prompts; not supported.
    pub dual_cross_attention: bool,
    /// All other keys; those in `FIXED` must have the values given there.
    #[serde(flatten)]
    pub others: BTreeMap<String, serde_json::Value>,
}

impl Default for UNetConfig {
    fn default() -> Self {
        let kinds = |names: [&str; 4]| names.map(str::to_owned).to_vec();
        let [attention_down, plain_down] = ["CrossAttnDownBlock2D", "DownBlock2D"];
        let [attention_up, plain_up] = ["CrossAttnUpBlock2D", "UpBlock2D"];
        Self {
            in_channels: 4,
            out_channels: 4,
            sample_size: PerLevel::One(64),
            class_name: None,
            diffusers_version: None,
            block_out_channels: vec![320, 640, 1280, 1280],
            layers_per_block: PerLevel::One(2),
            down_block_types: kinds([attention_down, attention_down, attention_down, plain_down]),
            up_block_types: kinds([plain_up, attention_up, attention_up, attention_up]),
            mid_block_type: Some("UNetMidBlock2DCrossAttn".to_owned()),
            cross_attention_dim: 1280,
            attention_head_dim: PerLevel::One(8),
            num_attention_heads: None,
            transformer_layers_per_block: PerLevel::One(1),
            norm_num_groups: 32,
            norm_eps: 1e-5,
            flip_sin_to_cos: true,
            freq_shift: 0.0,
            downsample_padding: 1,
            act_fn: "silu".to_owned(),
            addition_embed_type: None,
            addition_time_embed_dim: None,
            projection_class_embeddings_input_dim: None,
            class_embed_type: None,
            time_cond_proj_dim: None,
            resnet_time_scale_shift: "default".to_owned(),
            only_cross_attention: false,
            dual_cross_attention: false,
            others: BTreeMap::new(),
        }
    }
}

impl UNetConfig {
    /// Checks that this network supports the configuration.
    ///
    /// # Errors
    /// [`NetworkError::Unsupported`] with key and value.
    pub fn check(&self) -> Result<(), NetworkError> {
        let refuse = |key, value: String, supported| Err(NetworkError::Unsupported { key, value, supported });
        // Derived classes have prefixes, such as `FlaxUNet2DConditionModel`.
        if let Some(class) = self.class_name.as_ref().filter(|class| !class.ends_with("UNet2DConditionModel"))
        {
            return refuse("_class_name", class.clone(), "UNet2DConditionModel");
        }
        let levels = self.block_out_channels.len();
        if levels == 0 || levels != self.down_block_types.len() || levels != self.up_block_types.len() {
            return refuse(
                "block_out_channels",
                format!("{:?}", self.block_out_channels),
                "one for each level",
            );
        }
        if let Some(kind) = self.down_block_types.iter().find(|k| !is_one_of(k, "Down")) {
            return refuse("down_block_types", kind.clone(), "CrossAttnDownBlock2D, DownBlock2D");
        }
        if let Some(kind) = self.up_block_types.iter().find(|k| !is_one_of(k, "Up")) {
            return refuse("up_block_types", kind.clone(), "CrossAttnUpBlock2D, UpBlock2D");
        }
        if let Some(kind) = self.mid_block_type.as_ref().filter(|k| *k != "UNetMidBlock2DCrossAttn") {
            return refuse("mid_block_type", kind.clone(), "UNetMidBlock2DCrossAttn");
        }
        if let Some(value) = self.addition_embed_type.as_ref().filter(|value| *value != "text_time") {
            return refuse("addition_embed_type", value.clone(), "null, text_time");
        }
        if self.addition_embed_type.is_some() {
            for (key, value) in [
                ("addition_time_embed_dim", self.addition_time_embed_dim),
                ("projection_class_embeddings_input_dim", self.projection_class_embeddings_input_dim),
            ] {
                if value.is_none_or(|value| !(2..=65_536).contains(&value)) {
                    let found = value.map_or_else(|| "null".to_owned(), |value| value.to_string());
                    return refuse(key, found, "2 to 65536 where addition_embed_type is text_time");
                }
            }
        }
        if let Some(value) = &self.class_embed_type {
            return refuse("class_embed_type", value.clone(), "null");
        }
        if let Some(width) = self.time_cond_proj_dim {
            let supported = "null: latent consistency models that take the guidance scale as an input are not supported yet";
            return refuse("time_cond_proj_dim", width.to_string(), supported);
        }
        if !(self.norm_eps.is_finite() && self.norm_eps >= 0.0) {
            return refuse("norm_eps", self.norm_eps.to_string(), "a number from 0 up");
        }
        let half = self.block_out_channels[0] as f64 / 2.0;
        if !self.freq_shift.is_finite() || self.freq_shift == half.floor() {
            let supported = "a number other than half of the first of block_out_channels";
            return refuse("freq_shift", self.freq_shift.to_string(), supported);
        }
        if self.downsample_padding > 1 {
            return refuse("downsample_padding", self.downsample_padding.to_string(), "0 or 1");
        }
        if self.act_fn != "silu" && self.act_fn != "swish" {
            return refuse("act_fn", self.act_fn.clone(), "silu");
        }
        if self.resnet_time_scale_shift != "default" {
            return refuse("resnet_time_scale_shift", self.resnet_time_scale_shift.clone(), "default");
        }
        for (key, value) in [
            ("only_cross_attention", self.only_cross_attention),
            ("dual_cross_attention", self.dual_cross_attention),
        ] {
            if value {
                return refuse(key, "true".to_owned(), "false");
            }
        }
        for (key, supported) in FIXED {
            if let Some(value) = self.others.get(key).filter(|value| !is_fixed(value, supported)) {
                return refuse(key, value.to_string(), supported);
            }
        }
        for level in 0..levels {
            let (layers, heads) = (self.layers_per_block.at(level), self.heads(level));
            let depth = self.transformer_layers_per_block.at(level);
            let channels = self.block_out_channels[level];
            let fits = heads.is_some_and(|h| h > 0 && channels.is_multiple_of(h));
            if !fits {
                let (key, heads) = match &self.num_attention_heads {
                    Some(heads) => ("num_attention_heads", heads),
                    None => ("attention_head_dim", &self.attention_head_dim),
                };
                return refuse(key, heads.to_string(), "numbers that divide block_out_channels");
            }
            if layers.is_none_or(|l| l == 0 || l > 16) {
                return refuse(
                    "layers_per_block",
                    self.layers_per_block.to_string(),
                    "1 to 16 at each level",
                );
            }
            if depth.is_none_or(|d| d > 64) {
                let depth = self.transformer_layers_per_block.to_string();
                return refuse("transformer_layers_per_block", depth, "up to 64 at each level");
            }
        }
        Ok(())
    }

    /// Widths of SDXL's added conditioning: of pooled embedding and all size embeddings together, and of one size
    /// embedding. `None` in networks without it.
    pub fn addition_widths(&self) -> Option<[usize; 2]> {
        self.addition_embed_type.as_ref()?;
        Some([self.projection_class_embeddings_input_dim?, self.addition_time_embed_dim?])
    }

    pub(super) fn heads(&self, level: usize) -> Option<usize> {
        self.num_attention_heads.as_ref().unwrap_or(&self.attention_head_dim).at(level)
    }

    /// Default height and width of the latents in diffusers' pipeline, latent pixels.
    ///
    /// Before diffusers 0.9.0 the files of Stable Diffusion 1.x said 32 though they had been trained on 64; the
    /// pipeline replaces any number below 64 in such a file by 64.
    pub fn default_latent_size(&self) -> [usize; 2] {
        match &self.sample_size {
            PerLevel::One(edge) if *edge < 64 && self.is_older_than_0_9() => [64, 64],
            PerLevel::One(edge) => [*edge, *edge],
            PerLevel::Each(edges) => match edges[..] {
                [height, width, ..] => [height, width],
                [edge] => [edge, edge],
                [] => [64, 64],
            },
        }
    }

    /// Whether the file was written by a version of diffusers before 0.9.0.
    fn is_older_than_0_9(&self) -> bool {
        let Some(version) = &self.diffusers_version else { return false };
        let mut numbers = version.split('.').map(|part| {
            let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<u32>().ok()
        });
        matches!((numbers.next().flatten(), numbers.next().flatten()), (Some(0), Some(0..9)))
    }
}

fn is_one_of(kind: &str, direction: &str) -> bool {
    kind == format!("{direction}Block2D") || kind == format!("CrossAttn{direction}Block2D")
}

/// Keys that change what the network computes, and the only supported value of each, in JSON, which is also its
/// default.
const FIXED: [(&str, &str); 16] = [
    ("attention_type", "\"default\""),
    ("center_input_sample", "false"),
    ("class_embeddings_concat", "false"),
    ("conv_in_kernel", "3"),
    ("conv_out_kernel", "3"),
    ("encoder_hid_dim", "null"),
    ("encoder_hid_dim_type", "null"),
    ("mid_block_only_cross_attention", "false"),
    ("mid_block_scale_factor", "1"),
    ("num_class_embeds", "null"),
    ("resnet_out_scale_factor", "1"),
    ("resnet_skip_time_act", "false"),
    ("reverse_transformer_layers_per_block", "null"),
    ("time_embedding_act_fn", "null"),
    ("time_embedding_type", "\"positional\""),
    ("timestep_post_act", "null"),
];

fn is_fixed(value: &serde_json::Value, supported: &str) -> bool {
    value.is_null()
        || serde_json::from_str::<serde_json::Value>(supported).is_ok_and(|supported| supported == *value)
        || value.as_f64().is_some_and(|value| supported.parse() == Ok(value))
}

/// A single value, or all values of a list, each converted by `one`.
fn all<T>(value: &serde_json::Value, one: fn(&serde_json::Value) -> Option<T>) -> Option<Vec<T>> {
    match value {
        serde_json::Value::Array(items) => items.iter().map(one).collect(),
        value => one(value).map(|value| vec![value]),
    }
}

fn whole_number(value: &serde_json::Value) -> Option<usize> {
    let as_float = || value.as_f64().filter(|v| v.fract() == 0.0 && (0.0..1e9).contains(v)).map(|v| v as u64);
    value.as_u64().or_else(as_float).and_then(|value| usize::try_from(value).ok())
}

fn wrong<E: serde::de::Error>(expected: &str, value: &serde_json::Value) -> E {
    E::custom(format!("should be {expected} and is {value}"))
}

/// A number that newer files may give for each level, which must all be the same.
fn same_everywhere<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    match all(&value, whole_number).as_deref() {
        Some([first, rest @ ..]) if rest.iter().all(|other| other == first) => Ok(*first),
        _ => Err(wrong("a whole number, the same for all levels", &value)),
    }
}

/// A flag that newer files may give for each level: whether it is set at any.
fn anywhere<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    let switches = all(&value, serde_json::Value::as_bool);
    switches
        .map(|switches| switches.contains(&true))
        .ok_or_else(|| wrong("true or false, or a list of them", &value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::json;

    fn config(text: &str) -> Result<UNetConfig, String> {
        let config: UNetConfig = json::from_slice(text.as_bytes()).map_err(|error| error.to_string())?;
        config.check().map_err(|error| error.to_string())?;
        Ok(config)
    }

    #[test]
    fn default_sizes_are_diffusers() {
        for (text, expected) in [
            ("{}", [64, 64]),
            (r#"{"sample_size": null}"#, [64, 64]),
            (r#"{"sample_size": 32}"#, [32, 32]),
            (r#"{"sample_size": 32, "_diffusers_version": "0.8.0"}"#, [64, 64]),
            (r#"{"sample_size": 32, "_diffusers_version": "0.2.2.dev0"}"#, [64, 64]),
            (r#"{"sample_size": 96, "_diffusers_version": "0.8.0"}"#, [96, 96]),
            (r#"{"sample_size": 32, "_diffusers_version": "0.9.0"}"#, [32, 32]),
            (r#"{"sample_size": 32, "_diffusers_version": "0.10.0.dev0"}"#, [32, 32]),
            (r#"{"sample_size": 32, "_diffusers_version": "1.0"}"#, [32, 32]),
            (r#"{"sample_size": [8, 16], "_diffusers_version": "0.8.0"}"#, [8, 16]),
            (r#"{"sample_size": 9.0}"#, [9, 9]),
        ] {
            assert_eq!(config(text).unwrap().default_latent_size(), expected, "{text}");
        }
    }

    #[test]
    fn lists_for_each_level_are_read() {
        let read = config(
            r#"{"cross_attention_dim": [768, 768, 768, 768], "only_cross_attention": [false, false, false, false],
                "attention_head_dim": [5, 10, 20, 20], "layers_per_block": [2, 2, 2, 2], "num_attention_heads": null}"#,
        )
        .unwrap();
        assert_eq!((read.cross_attention_dim, read.heads(1)), (768, Some(10)));
    }

    #[test]
    fn invalid_numbers_are_refused_before_the_network_is_built() {
        for (text, part) in [
            (r#"{"norm_eps": NaN}"#, "‘norm_eps’ is NaN"),
            (r#"{"norm_eps": -1}"#, "‘norm_eps’ is -1"),
            (r#"{"freq_shift": -Infinity}"#, "‘freq_shift’ is -inf"),
            (r#"{"freq_shift": 160}"#, "‘freq_shift’ is 160"),
            (r#"{"downsample_padding": 1000000000}"#, "‘downsample_padding’ is 1000000000"),
        ] {
            let error = config(text).unwrap_err();
            assert!(error.starts_with(part), "{error}");
        }
        assert!(config(r#"{"norm_eps": 1e-6, "freq_shift": 1, "downsample_padding": 0}"#).is_ok());
    }

    #[test]
    fn a_network_of_another_class_is_refused_by_its_name() {
        for class in ["UNet3DConditionModel", "UNetMotionModel", "ControlNetModel", "UNet2DModel"] {
            let error = config(&format!(r#"{{"_class_name": "{class}"}}"#)).unwrap_err();
            assert!(error.starts_with(&format!("‘_class_name’ is {class}")), "{error}");
        }
        for class in ["UNet2DConditionModel", "FlaxUNet2DConditionModel", "MyUNet2DConditionModel"] {
            assert!(config(&format!(r#"{{"_class_name": "{class}"}}"#)).is_ok(), "{class}");
        }
    }

    #[test]
    fn unsupported_keys_that_change_the_output_are_refused_by_name() {
        let usual = r#"{"attention_type": "default", "mid_block_scale_factor": 1, "resnet_out_scale_factor": 1.0,
            "conv_in_kernel": 3, "encoder_hid_dim": null, "upcast_attention": true, "dropout": 0.1}"#;
        assert!(config(usual).is_ok());
        for (text, part) in [
            (r#"{"attention_type": "gated"}"#, "‘attention_type’ is \"gated\""),
            (r#"{"encoder_hid_dim": 1024}"#, "‘encoder_hid_dim’ is 1024"),
            (r#"{"center_input_sample": true}"#, "‘center_input_sample’ is true"),
            (
                r#"{"class_embed_type": "timestep"}"#,
                "‘class_embed_type’ is timestep in the model's configuration, and this program supports only null",
            ),
            (
                r#"{"time_cond_proj_dim": 256}"#,
                "‘time_cond_proj_dim’ is 256 in the model's configuration, and this program supports only null: latent consistency models",
            ),
            (r#"{"num_class_embeds": 1000}"#, "‘num_class_embeds’ is 1000"),
            (r#"{"only_cross_attention": [true, true, true, false]}"#, "‘only_cross_attention’ is true"),
            (r#"{"dual_cross_attention": true}"#, "‘dual_cross_attention’ is true"),
            (
                r#"{"cross_attention_dim": [768, 1024]}"#,
                "‘cross_attention_dim’ should be a whole number, the same",
            ),
            (
                r#"{"sample_size": "64"}"#,
                "‘sample_size’ should be a whole number or a list of them and is \"64\"",
            ),
            (r#"{"num_attention_heads": 7}"#, "‘num_attention_heads’ is 7"),
            (r#"{"layers_per_block": [2, 2, 2]}"#, "‘layers_per_block’ is [2, 2, 2]"),
        ] {
            let error = config(text).unwrap_err();
            assert!(error.starts_with(part), "{error}");
        }
    }
}
