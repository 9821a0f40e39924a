//! The settings that an axis of a grid can vary.

use std::fmt;

/// What an axis of a grid varies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GridSetting {
    /// Words of the prompt and the negative prompt, which are replaced by others.
    Words,
    /// The seed.
    Seed,
    /// Sampling steps.
    Steps,
    /// Guidance scale.
    Guidance,
    /// The sampler.
    Sampler,
    /// The schedule.
    Schedule,
    /// The model.
    Model,
    /// Picture size.
    Size,
    /// Strength of an image-to-image run.
    Strength,
    /// Share of the noise that is drawn anew.
    Eta,
    /// Shift of a flow's times.
    Shift,
}

impl GridSetting {
    /// Every setting, in the order a chooser shows them.
    pub const ALL: [Self; 11] = [
        Self::Words,
        Self::Seed,
        Self::Steps,
        Self::Guidance,
        Self::Sampler,
        Self::Schedule,
        Self::Model,
        Self::Size,
        Self::Strength,
        Self::Eta,
        Self::Shift,
    ];

    /// The name in the text of an axis.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Words => "words",
            Self::Seed => "seed",
            Self::Steps => "steps",
            Self::Guidance => "guidance",
            Self::Sampler => "sampler",
            Self::Schedule => "schedule",
            Self::Model => "model",
            Self::Size => "size",
            Self::Strength => "strength",
            Self::Eta => "eta",
            Self::Shift => "shift",
        }
    }

    /// The name in front of a value, where the value alone does not say what it is.
    pub const fn prefix(self) -> Option<&'static str> {
        match self {
            Self::Words | Self::Sampler | Self::Schedule | Self::Model | Self::Size => None,
            Self::Seed => Some("seed"),
            Self::Steps => Some("steps"),
            Self::Guidance => Some("guidance"),
            Self::Strength => Some("strength"),
            Self::Eta => Some("eta"),
            Self::Shift => Some("shift"),
        }
    }

    /// The values of an axis, as an example.
    pub const fn example(self) -> &'static str {
        match self {
            Self::Words => "red,blue,green",
            Self::Seed => "1..4",
            Self::Steps => "10,20,30",
            Self::Guidance => "1..7:2",
            Self::Sampler => "euler,dpmpp-2m",
            Self::Schedule => "karras,simple",
            Self::Model => "builtin,sd15",
            Self::Size => "512x512,768x512",
            Self::Strength => "0.4..0.8:0.2",
            Self::Eta => "0,0.5,1",
            Self::Shift => "1..3",
        }
    }

    /// The setting with this name: its id, in the plural too.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        let name = name.trim().to_lowercase();
        let is_named = |setting: &Self| {
            let id = setting.id();
            name == id || name.strip_suffix('s') == Some(id) || id.strip_suffix('s') == Some(name.as_str())
        };
        Self::ALL.into_iter().find(is_named)
    }
}

impl fmt::Display for GridSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}
