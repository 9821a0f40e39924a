//! The settings a picture was generated with: as a value, as text in files, and back in a draft.

pub mod a1111;
pub mod comfyui;

mod container;
mod exact_number;
mod exif;
mod facts;
mod grid;
mod names;
mod object;
mod options;
mod settings;
mod xmp;

use std::path::Path;

use crate::formats::input::{MAX_INPUT_BYTES, Sources, read_bytes};
use container::READ_KEYWORDS;

pub use container::{MAX_TEXT_LEN, embedded_texts};
pub(in crate::formats) use container::{is_unambiguous_latin1, webp_chunk};
pub(in crate::formats) use exif::{lists_fit, tiff_parts};
pub use facts::{GenerationFacts, Unrestored};
pub use settings::{SettingDifference, SettingName};
pub(in crate::formats) use xmp::{EXTENSION_SEGMENT, IDENTITY_LEN, XMP_SEGMENT, escaped};

/// The settings in a picture file; `None` if there are none or it cannot be read.
pub fn read_facts(path: &Path) -> Option<GenerationFacts> {
    facts_from_bytes(&read_bytes(path, MAX_INPUT_BYTES, Sources::Files).ok()?)
}

/// The settings in the bytes of a PNG, JPEG or WebP file.
pub fn facts_from_bytes(bytes: &[u8]) -> Option<GenerationFacts> {
    let texts = embedded_texts(bytes);
    let in_order = || {
        READ_KEYWORDS
            .iter()
            .flat_map(|wanted| texts.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(wanted)))
    };
    // Cameras and editors write comments too, so a comment without settings is not a prompt.
    if let Some(facts) = in_order().find_map(|(keyword, text)| settings(keyword, text)) {
        return Some(facts);
    }
    // Easy Diffusion writes each setting as a chunk of its own.
    let chunks = texts.iter().map(|(keyword, text)| (keyword.clone(), text.clone().into())).collect();
    object::facts_of(&chunks).or_else(|| {
        // A prompt without settings, unless it is JSON of another program.
        let (_, text) = texts
            .iter()
            .find(|(key, text)| key.eq_ignore_ascii_case("parameters") && !object::is_json(text.trim()))?;
        Some(a1111::parse(text)).filter(|facts| facts.prompt.is_some())
    })
}

/// The settings in a text, in any of the forms that programs use with its keyword.
fn settings(keyword: &str, text: &str) -> Option<GenerationFacts> {
    if ["prompt", "workflow"].iter().any(|graph| keyword.eq_ignore_ascii_case(graph)) {
        return comfyui::parse(text);
    }
    object::parse(text).or_else(|| comfyui::parse(text)).or_else(|| {
        let is_text =
            keyword != "invokeai_metadata" && keyword != "sd-metadata" && !object::is_json(text.trim());
        is_text.then(|| a1111::parse(text)).filter(GenerationFacts::has_settings)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{ImageSize, ModelSource, SamplerKind, ScheduleKind};
    use crate::request::{
        GenerationDraft, InitImage, NoiseLevels, Picture, PromptOptions, SamplingOptions, Seed,
    };

    fn draft() -> GenerationDraft {
        let picture = Picture::new(1, 1, vec![0; 3]).unwrap();
        GenerationDraft {
            model: ModelSource::Builtin,
            prompt: "a fox".into(),
            negative_prompt: "blur".into(),
            size: ImageSize::new(96, 64),
            steps: 7,
            guidance_scale: 3.5,
            seed: Seed(11),
            sampler: SamplerKind::Heun,
            schedule: ScheduleKind::Exponential,
            options: SamplingOptions::default(),
            prompt_options: PromptOptions::default(),
            init_image: Some(InitImage { picture, strength: 0.4 }),
        }
    }

    #[test]
    fn a_request_comes_back_through_the_text_of_its_picture() {
        let wanted = draft();
        let text = a1111::write(&GenerationFacts::of_request(&wanted, "Built-in"));
        let mut restored = GenerationDraft {
            prompt: String::new(),
            negative_prompt: "left over".into(),
            size: ImageSize::new(8, 8),
            steps: 1,
            guidance_scale: 1.0,
            seed: Seed(0),
            sampler: SamplerKind::Ddim,
            schedule: ScheduleKind::Model,
            options: SamplingOptions { eta: Some(0.3), ..SamplingOptions::default() },
            ..draft()
        };
        restored.init_image.as_mut().unwrap().strength = 1.0;
        assert_eq!(a1111::parse(&text).apply_to(&mut restored), []);
        assert_eq!(restored, wanted);
    }

    #[test]
    fn every_option_comes_back_through_the_text_of_its_picture() {
        let (none, plain) = (SamplingOptions::default, PromptOptions::default);
        let size = Some(ImageSize::new(640, 480));
        let sigmas = NoiseLevels::Sigmas(vec![14.6, 2.0, 0.029_167_5]);
        let timesteps = NoiseLevels::Timesteps(vec![999.0, 12.5, 0.0]);
        for (options, prompt_options) in [
            (SamplingOptions { eta: Some(0.0), ..none() }, plain()),
            (SamplingOptions { guidance_rescale: 0.7, ..none() }, plain()),
            (SamplingOptions { shift: Some(3.1), ..none() }, plain()),
            (SamplingOptions { levels: Some(sigmas), ..none() }, plain()),
            (SamplingOptions { levels: Some(timesteps), ..none() }, plain()),
            (none(), PromptOptions { clip_skip: Some(1), ..plain() }),
            (none(), PromptOptions { clip_skip: Some(3), ..plain() }),
            (none(), PromptOptions { max_tokens: Some(64), ..plain() }),
            (none(), PromptOptions { true_guidance_scale: Some(2.5), ..plain() }),
            (none(), PromptOptions { original_size: size, ..plain() }),
            (none(), PromptOptions { crop: [8, 16], ..plain() }),
            (none(), PromptOptions { target_size: size, ..plain() }),
        ] {
            let wanted = GenerationDraft { options, prompt_options, ..draft() };
            let text = a1111::write(&GenerationFacts::of_request(&wanted, "Built-in"));
            let mut restored = draft();
            assert_eq!(a1111::parse(&text).apply_to(&mut restored), [], "{text}");
            assert_eq!(restored, wanted, "{text}");
        }
    }

    #[test]
    fn an_option_that_cannot_be_read_is_named() {
        let text = "x\nSteps: 3, Eta: much, Shift: nan, Crop: 1, Version: Safelight 0.1.0";
        let mut restored = draft();
        assert_eq!(
            a1111::parse(text).apply_to(&mut restored),
            ["Eta much", "Shift nan", "Crop 1"].map(|option| Unrestored::Option(option.into()))
        );
        assert_eq!((restored.options, restored.prompt_options), Default::default());
    }

    #[test]
    fn the_clip_skip_of_other_programs_is_restored_where_it_skips() {
        let restored = |skip: usize| {
            let mut restored = draft();
            let facts = a1111::parse(&format!("x\nSteps: 3, Sampler: Euler, Clip skip: {skip}"));
            assert_eq!(facts.apply_to(&mut restored), []);
            restored.prompt_options.clip_skip
        };
        assert_eq!([restored(1), restored(2)], [None, Some(2)]);
    }

    #[test]
    fn what_cannot_be_restored_is_named_and_leaves_the_draft_as_it_was() {
        let text = "x\nSteps: 3, Sampler: DPM++ SDE, Schedule type: Turbo, Clip skip: 2, \
                    Denoising strength: 0.5, Size: 8x8";
        let mut restored = GenerationDraft { init_image: None, ..draft() };
        assert_eq!(
            a1111::parse(text).apply_to(&mut restored),
            [
                Unrestored::Sampler("DPM++ SDE".into()),
                Unrestored::Schedule("Turbo".into()),
                Unrestored::InitImage
            ]
        );
        assert_eq!((restored.sampler, restored.schedule), (SamplerKind::Heun, ScheduleKind::Exponential));
        assert_eq!((restored.steps, restored.negative_prompt.as_str()), (3, ""));
    }
}
