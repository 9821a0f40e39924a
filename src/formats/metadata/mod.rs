//! The settings a picture was generated with: as a value, as text in files, and back in a draft.

pub mod a1111;
pub mod comfyui;

mod container;
mod exif;
mod facts;
mod names;
mod object;
mod options;
mod xmp;

use std::path::Path;

use crate::formats::input::{MAX_INPUT_BYTES, Sources, read_bytes};
use container::READ_KEYWORDS;

pub use container::{MAX_TEXT_LEN, embedded_texts};
pub(in crate::formats) use container::{is_unambiguous_latin1, webp_chunk};
pub(in crate::formats) use exif::{lists_fit, tiff_parts};
pub use facts::{GenerationFacts, Unrestored};
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
    use crate::request::{GenerationDraft, InitImage, Picture, PromptOptions, SamplingOptions, Seed};

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
    fn options_of_sampling_are_in_the_text_and_named_where_they_are_not_restored() {
        let asked = SamplingOptions { guidance_rescale: 0.7, ..SamplingOptions::default() };
        let wanted = GenerationDraft { options: asked, ..draft() };
        let text = a1111::write(&GenerationFacts::of_request(&wanted, "Built-in"));
        let mut restored = draft();
        assert_eq!(
            a1111::parse(&text).apply_to(&mut restored),
            [Unrestored::Option("CFG rescale 0.7".into())]
        );
        assert_eq!(restored, draft());
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
                Unrestored::InitImage,
                Unrestored::ClipSkip(2)
            ]
        );
        assert_eq!((restored.sampler, restored.schedule), (SamplerKind::Heun, ScheduleKind::Exponential));
        assert_eq!((restored.steps, restored.negative_prompt.as_str()), (3, ""));
    }
}
