//! Settings one by one, with their names, and those in which two differ.

use std::fmt;

use super::GenerationFacts;

/// The name of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingName {
    /// The prompt.
    Prompt,
    /// The negative prompt.
    NegativePrompt,
    /// Sampling steps.
    Steps,
    /// The sampler.
    Sampler,
    /// The schedule.
    Schedule,
    /// Classifier-free guidance scale.
    GuidanceScale,
    /// The seed.
    Seed,
    /// Picture size.
    Size,
    /// The model.
    Model,
    /// Strength of an image-to-image run.
    Strength,
    /// CLIP skip.
    ClipSkip,
    /// A further setting, under the name that files give it.
    Other(String),
}

/// In English.
impl fmt::Display for SettingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prompt => "prompt",
            Self::NegativePrompt => "negative prompt",
            Self::Steps => "steps of the schedule",
            Self::Sampler => "sampler",
            Self::Schedule => "schedule",
            Self::GuidanceScale => "guidance scale",
            Self::Seed => "seed",
            Self::Size => "size",
            Self::Model => "model",
            Self::Strength => "strength",
            Self::ClipSkip => "CLIP skip",
            Self::Other(name) => name,
        })
    }
}

/// A setting in which two differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingDifference {
    /// Its name.
    pub name: SettingName,
    /// Its value in the first and in the second; `None` where it is not known or not set.
    pub values: [Option<String>; 2],
}

impl GenerationFacts {
    /// The settings that are known, in order. The program and its version are none.
    pub fn settings(&self) -> Vec<(SettingName, String)> {
        use SettingName as N;
        let text = |value: Option<f64>| value.map(|value| value.to_string());
        let named = [
            (N::Prompt, self.prompt.clone()),
            (N::NegativePrompt, self.negative_prompt.clone()),
            (N::Steps, self.steps.map(|steps| steps.to_string())),
            (N::Sampler, self.sampler.clone()),
            (N::Schedule, self.schedule.clone()),
            (N::GuidanceScale, text(self.guidance_scale)),
            (N::Seed, self.seed.map(|seed| seed.to_string())),
            (N::Size, self.size.map(|size| size.to_string())),
            (N::Model, self.model.clone()),
            (N::Strength, text(self.denoising_strength)),
            (N::ClipSkip, self.clip_skip.map(|skip| skip.to_string())),
        ];
        let named = named.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let others = self.other.iter().map(|(key, value)| (N::Other(key.clone()), value.clone()));
        named.chain(others).collect()
    }

    /// The usual settings besides the words in one line, such as for the head of a sheet.
    pub fn in_one_line(&self) -> String {
        let all = [
            self.model.clone(),
            self.steps.map(|steps| format!("{steps} steps")),
            self.sampler.clone(),
            self.guidance_scale.map(|scale| format!("guidance {scale}")),
            self.seed.map(|seed| format!("seed {seed}")),
            self.size.map(|size| size.to_string()),
        ];
        all.into_iter().flatten().collect::<Vec<_>>().join(" · ")
    }

    /// The settings in which `self`, the first, and `second` differ, in order. A sampler or a schedule under two names,
    /// as programs call it, is the same; an empty prompt is as none.
    pub fn differences(&self, second: &Self) -> Vec<SettingDifference> {
        let sides = [self, second].map(Self::merged_settings);
        let mut names: Vec<&SettingName> = Vec::new();
        for (name, _) in sides.iter().flatten() {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let differs = |name: &&SettingName| {
            let values = sides.each_ref().map(|side| value_of(side, name));
            let is_same_kind = match name {
                SettingName::Sampler => is_same(self.sampler_kind(), second.sampler_kind()),
                SettingName::Schedule => is_same(self.schedule_kind(), second.schedule_kind()),
                _ => false,
            };
            values[0] != values[1] && !is_same_kind
        };
        let names = names.into_iter().filter(differs);
        let with_values = |name: &SettingName| SettingDifference {
            name: name.clone(),
            values: sides.each_ref().map(|side| value_of(side, name).map(str::to_owned)),
        };
        names.map(with_values).collect()
    }

    /// The settings, of which those with one name are one.
    fn merged_settings(&self) -> Vec<(SettingName, String)> {
        let mut merged: Vec<(SettingName, String)> = Vec::new();
        for (name, value) in self.settings().into_iter().filter(|(_, value)| !value.is_empty()) {
            match merged.iter_mut().find(|(known, _)| *known == name) {
                Some((_, values)) => *values = format!("{values}, {value}"),
                None => merged.push((name, value)),
            }
        }
        merged
    }
}

fn is_same<T: PartialEq + Copy>(first: Option<T>, second: Option<T>) -> bool {
    first.is_some() && first == second
}

fn value_of<'a>(settings: &'a [(SettingName, String)], name: &SettingName) -> Option<&'a str> {
    settings.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Seed;

    fn facts(prompt: &str, sampler: &str) -> GenerationFacts {
        GenerationFacts {
            prompt: Some(prompt.into()),
            sampler: Some(sampler.into()),
            steps: Some(20),
            guidance_scale: Some(7.5),
            seed: Some(Seed(3)),
            version: Some("Safelight 0.1.0".into()),
            ..GenerationFacts::default()
        }
    }

    #[test]
    fn only_what_differs_is_listed_in_order() {
        let mut first = facts("a fox", "Euler a");
        let mut second = facts("an owl", "k_euler_ancestral");
        second.version = Some("ComfyUI".into());
        second.negative_prompt = Some(String::new());
        second.guidance_scale = Some(7.0);
        first.other = vec![("Eta".into(), "0.3".into()), ("Forked after step".into(), "3".into())];
        second.other =
            vec![("Forked after step".into(), "3".into()), ("Forked after step".into(), "5".into())];
        let text = |text: &str| Some(text.to_owned());
        let other = |name: &str| SettingName::Other(name.to_owned());
        assert_eq!(
            first.differences(&second),
            [
                (SettingName::Prompt, [text("a fox"), text("an owl")]),
                (SettingName::GuidanceScale, [text("7.5"), text("7")]),
                (other("Eta"), [text("0.3"), None]),
                (other("Forked after step"), [text("3"), text("3, 5")]),
            ]
            .map(|(name, values)| SettingDifference { name, values })
        );
        assert_eq!(first.differences(&first.clone()), []);
    }

    #[test]
    fn another_sampler_is_a_difference_also_where_it_is_not_supported() {
        let first = facts("a fox", "Euler");
        for sampler in ["Heun", "DPM++ 2S a"] {
            let found = first.differences(&facts("a fox", sampler));
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].values, [Some("Euler".to_owned()), Some(sampler.to_owned())]);
        }
    }
}
