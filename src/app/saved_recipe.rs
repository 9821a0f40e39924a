//! The recipe in the settings file.

use serde_json::{Value, json};

use crate::catalog::{ImageSize, SamplerKind, ScheduleKind};
use crate::request::{NoiseLevels, PromptOptions, SamplingOptions, Seed};
use crate::session::{ModelSettings, SavedRecipe};

pub(super) fn recipe_to_json(recipe: &SavedRecipe) -> Value {
    let settings = recipe.settings.as_ref().map(|settings| {
        json!({
            "width": settings.size.width,
            "height": settings.size.height,
            "steps": settings.steps,
            "guidance_scale": settings.guidance_scale,
            "sampler": settings.sampler.name(),
            "schedule": settings.schedule.name(),
            "options": options_to_json(&settings.options, &settings.prompt_options),
        })
    });
    json!({
        "prompt": recipe.prompt,
        "negative_prompt": recipe.negative_prompt,
        "seed": recipe.seed.0,
        "seed_locked": recipe.seed_locked,
        "batch": recipe.batch,
        "settings": settings,
    })
}

pub(super) fn recipe_from_json(value: &Value) -> Option<SavedRecipe> {
    let text = |name: &str| Some(value.get(name)?.as_str()?.to_owned());
    let settings = value.get("settings").filter(|settings| !settings.is_null());
    Some(SavedRecipe {
        prompt: text("prompt")?,
        negative_prompt: text("negative_prompt")?,
        seed: Seed(value.get("seed")?.as_u64()?),
        seed_locked: value.get("seed_locked")?.as_bool()?,
        batch: value.get("batch")?.as_u64()?,
        settings: match settings {
            Some(settings) => Some(model_settings_from_json(settings)?),
            None => None,
        },
    })
}

fn model_settings_from_json(value: &Value) -> Option<ModelSettings> {
    let number = |name: &str| usize::try_from(value.get(name)?.as_u64()?).ok();
    let (sampler, schedule) = (value.get("sampler")?.as_str()?, value.get("schedule")?.as_str()?);
    // Earlier versions did not write them.
    let (options, prompt_options) = match value.get("options") {
        Some(options) => options_from_json(options)?,
        None => (SamplingOptions::default(), PromptOptions::default()),
    };
    Some(ModelSettings {
        size: ImageSize::new(number("width")?, number("height")?),
        steps: number("steps")?,
        guidance_scale: value.get("guidance_scale")?.as_f64()?,
        sampler: SamplerKind::ALL.into_iter().find(|kind| kind.name() == sampler)?,
        schedule: ScheduleKind::ALL.into_iter().find(|kind| kind.name() == schedule)?,
        options,
        prompt_options,
    })
}

fn options_to_json(options: &SamplingOptions, prompt: &PromptOptions) -> Value {
    let edges = |size: ImageSize| [size.width, size.height];
    let levels = options.levels.as_ref();
    let sigmas = levels.filter(|levels| matches!(levels, NoiseLevels::Sigmas(_)));
    let timesteps = levels.filter(|levels| matches!(levels, NoiseLevels::Timesteps(_)));
    json!({
        "eta": options.eta,
        "guidance_rescale": options.guidance_rescale,
        "shift": options.shift,
        // As they are typed, so that reading them checks their order.
        "sigmas": sigmas.map(|levels| levels.joined(" ")),
        "timesteps": timesteps.map(|levels| levels.joined(" ")),
        "clip_skip": prompt.clip_skip,
        "max_tokens": prompt.max_tokens,
        "true_guidance_scale": prompt.true_guidance_scale,
        "original_size": prompt.original_size.map(edges),
        "crop": prompt.crop,
        "target_size": prompt.target_size.map(edges),
        "skip_layers": prompt.skip_layers.map(|skip| skip.to_string()),
    })
}

fn options_from_json(value: &Value) -> Option<(SamplingOptions, PromptOptions)> {
    let size = |name: &str| {
        let edges: Option<[usize; 2]> = entry(value, name).ok()?;
        Some(edges.map(|[width, height]| ImageSize::new(width, height)))
    };
    let sigmas: Option<String> = entry(value, "sigmas").ok()?;
    let timesteps: Option<String> = entry(value, "timesteps").ok()?;
    let options = SamplingOptions {
        eta: entry(value, "eta").ok()?,
        guidance_rescale: entry(value, "guidance_rescale").ok()?.unwrap_or_default(),
        shift: entry(value, "shift").ok()?,
        levels: match (sigmas, timesteps) {
            (Some(sigmas), _) => Some(NoiseLevels::of_sigmas(&sigmas).ok()?),
            (None, Some(timesteps)) => Some(NoiseLevels::of_timesteps(&timesteps).ok()?),
            (None, None) => None,
        },
    };
    let prompt = PromptOptions {
        clip_skip: entry(value, "clip_skip").ok()?,
        max_tokens: entry(value, "max_tokens").ok()?,
        true_guidance_scale: entry(value, "true_guidance_scale").ok()?,
        original_size: size("original_size")?,
        crop: entry(value, "crop").ok()?.unwrap_or_default(),
        target_size: size("target_size")?,
        skip_layers: match entry::<String>(value, "skip_layers").ok()? {
            Some(text) => Some(text.parse().ok()?),
            None => None,
        },
    };
    Some((options, prompt))
}

/// An entry that may be missing or null.
fn entry<T: serde::de::DeserializeOwned>(value: &Value, name: &str) -> serde_json::Result<Option<T>> {
    value.get(name).map_or(Ok(None), |value| serde_json::from_value(value.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn come_back(options: SamplingOptions, prompt: PromptOptions) {
        let text = options_to_json(&options, &prompt).to_string();
        let read = options_from_json(&serde_json::from_str(&text).unwrap());
        assert_eq!(read, Some((options, prompt)), "{text}");
    }

    #[test]
    fn options_come_back() {
        come_back(SamplingOptions::default(), PromptOptions::default());
        come_back(
            SamplingOptions {
                eta: Some(0.3),
                guidance_rescale: 0.7,
                shift: Some(3.1),
                levels: Some(NoiseLevels::Sigmas(vec![14.6, 1.5, 0.4])),
            },
            PromptOptions {
                clip_skip: Some(2),
                max_tokens: Some(128),
                true_guidance_scale: Some(4.5),
                original_size: Some(ImageSize::new(640, 480)),
                crop: [8, 16],
                target_size: Some(ImageSize::new(1024, 768)),
                skip_layers: Some("7 8 x 2.8 0.01-0.2".parse().unwrap()),
            },
        );
        let levels = Some(NoiseLevels::Timesteps(vec![999.0, 12.5, 0.0]));
        come_back(SamplingOptions { levels, ..SamplingOptions::default() }, PromptOptions::default());
    }

    #[test]
    fn missing_options_are_the_model_s_and_wrong_ones_are_damage() {
        let none = (SamplingOptions::default(), PromptOptions::default());
        assert_eq!(options_from_json(&json!({})), Some(none));
        for wrong in [json!({ "eta": "x" }), json!({ "sigmas": "1 2" }), json!({ "crop": [1] })] {
            assert_eq!(options_from_json(&wrong), None, "{wrong}");
        }
        let recipe = SavedRecipe {
            prompt: "a fox".into(),
            negative_prompt: String::new(),
            seed: Seed(1),
            seed_locked: false,
            batch: 1,
            settings: Some(ModelSettings {
                size: ImageSize::new(64, 64),
                steps: 4,
                guidance_scale: 3.0,
                sampler: SamplerKind::ALL[0],
                schedule: ScheduleKind::ALL[0],
                options: SamplingOptions::default(),
                prompt_options: PromptOptions::default(),
            }),
        };
        // As an earlier version wrote it.
        let mut json = recipe_to_json(&recipe);
        json["settings"].as_object_mut().unwrap().remove("options");
        assert_eq!(recipe_from_json(&json), Some(recipe));
    }
}
