//! Files changed at random, and random files.

use proptest::prelude::*;
use safelight::formats::latent_file::latent_from_bytes;
use safelight::formats::metadata::{GenerationFacts, a1111, comfyui, facts_from_bytes};
use safelight::formats::picture::{ReadOptions, picture_from_bytes};
use safelight::request::Seed;

use crate::allocation::LARGEST;
use crate::common::fixtures::file_bytes;
use crate::common::pictures::{facts, png_with_profile};

/// A file with some bytes changed and a part cut out.
fn damaged(names: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let damage = (
        prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        any::<prop::sample::Index>(),
        prop::option::of(0..400usize),
    );
    (prop::sample::select(names), damage).prop_map(|(name, (changes, at, cut))| {
        let mut bytes = file_bytes(name);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            let at = at.index(bytes.len());
            let end = (at + cut).min(bytes.len());
            bytes.drain(at..end);
        }
        bytes
    })
}

/// Limit of a single allocation, far below what a header could claim. A part of a lossy WebP has a 24-bit length, and
/// its decoder allocates up to 16 MiB for it.
const LARGE: usize = 20 << 20;

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_picture_is_an_error_or_a_picture(
        bytes in damaged(&[
            "latin1.png", "ztxt.png", "itxt_zipped.png", "comfy.png", "comfy.webp", "orientation_6.png", "grey16.png", "alpha.png", "palette.png",
            "comment_be.jpg", "comment_le.webp", "lossy.webp", "progressive.jpg", "orientation_8.webp",
            "plain.bmp", "plain.tiff", "two_frames.gif",
        ])
    ) {
        // With a low limit of pixels, an allocation shows whether the limit is checked first.
        let options = ReadOptions { max_pixels: 1 << 16, ..ReadOptions::default() };
        LARGEST.set(0);
        if let Ok(read) = picture_from_bytes(&bytes, &options) {
            prop_assert!(read.picture.width() * read.picture.height() <= 1 << 16);
        }
        let _ = facts_from_bytes(&bytes);
        prop_assert!(LARGEST.get() <= LARGE, "{} bytes at once", LARGEST.get());
    }

    #[test]
    fn a_damaged_profile_is_used_or_left_out(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        keep in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let mut profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
        for (at, value) in changes {
            let at = at.index(profile.len());
            profile[at] = value;
        }
        if cut {
            profile.truncate(keep.index(profile.len()));
        }
        LARGEST.set(0);
        let read = picture_from_bytes(&png_with_profile(profile), &ReadOptions::default()).unwrap();
        prop_assert_eq!(read.picture.width(), 4);
        prop_assert!(LARGEST.get() <= LARGE, "{} bytes at once", LARGEST.get());
    }

    #[test]
    fn a_damaged_latent_is_an_error_or_a_latent(
        bytes in damaged(&[
            "comfy.latent", "comfy_old.latent", "batch_f16.safetensors", "single_bf16.safetensors",
            "latent_f16.npy", "latent_f64.npy", "fortran.npy", "pickled.npy",
        ])
    ) {
        LARGEST.set(0);
        if let Ok(read) = latent_from_bytes(&bytes) {
            prop_assert!(read.latent.byte_len() <= 4 * bytes.len());
        }
        prop_assert!(LARGEST.get() <= LARGE, "{} bytes at once", LARGEST.get());
    }

    #[test]
    fn any_bytes_are_read_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..300), start in 0..8usize) {
        let starts: [&[u8]; 8] = [
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\xff\xd8\xff\xe1", b"RIFF\x40\0\0\0WEBPVP8X", b"BM", b"II\x2a\0",
            b"GIF89a", b"\x93NUMPY\x01\0", b"\x20\0\0\0\0\0\0\0{\"a\":",
        ];
        bytes.splice(0..0, starts[start].iter().copied());
        LARGEST.set(0);
        let options = ReadOptions { max_pixels: 1 << 16, ..ReadOptions::default() };
        let _ = (picture_from_bytes(&bytes, &options), facts_from_bytes(&bytes), latent_from_bytes(&bytes));
        prop_assert!(LARGEST.get() <= LARGE, "{} bytes at once", LARGEST.get());
    }

    #[test]
    fn any_text_is_read_as_settings_or_as_a_prompt(text in "(?s)(.{0,40}\n)?(Negative prompt:.{0,20}\n)?(\\PC{0,12}[:,\"\\\\{]){0,12}") {
        let facts = a1111::parse(&text);
        // Reading and writing again is stable: nothing grows or moves to another field.
        let again = a1111::parse(&a1111::write(&facts));
        prop_assert_eq!(again.seed, facts.seed);
    }

    #[test]
    fn any_graph_is_read_or_refused(text in r#"\{("[1-3]": \{"class_type": "(KSampler|X)", "inputs": \{("(positive|seed|model|text|width)": (\["[1-3]", 0\]|7|-1|"x")(, )?){0,3}\}\}(, )?){0,3}\}"#) {
        if let Some(facts) = comfyui::parse(&text) {
            prop_assert!(text.contains("KSampler"));
            prop_assert_eq!(facts.version.as_deref(), Some("ComfyUI"));
        }
    }

    #[test]
    fn settings_survive_being_written_and_read(
        prompt in "[a-zA-Z가-힣(),:. ]{0,60}",
        negative in prop::option::of("[a-z,: ]{1,30}"),
        steps in 1..1000usize,
        guidance_scale in 0.0..50.0f64,
        seed in any::<u64>(),
        model in "\\PC{1,30}",
    ) {
        let tidy = |text: String| text.trim().to_owned();
        let facts = GenerationFacts {
            prompt: Some(tidy(prompt)),
            negative_prompt: negative.map(tidy).filter(|n| !n.is_empty()),
            steps: Some(steps),
            guidance_scale: Some(guidance_scale),
            seed: Some(Seed(seed)),
            model: Some(model.replace(['/', '\\'], "")).filter(|name| !name.is_empty()),
            ..facts()
        };
        prop_assert_eq!(a1111::parse(&a1111::write(&facts)), facts);
    }
}
