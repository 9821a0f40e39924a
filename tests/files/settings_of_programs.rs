//! The settings in pictures of other programs.

use safelight::catalog::{ImageSize, SamplerKind, ScheduleKind};
use safelight::formats::metadata::read_facts;
use safelight::request::Seed;

use crate::common::fixtures::file;

#[test]
fn settings_are_found_in_png_jpeg_and_webp_of_other_programs() {
    let names = [
        "latin1.png",
        "ztxt.png",
        "itxt_zipped.png",
        "comment_be.jpg",
        "comment_le.jpg",
        "comment_be.webp",
        "comment_le.webp",
    ];
    for name in names {
        let facts = read_facts(&file(name)).unwrap_or_else(|| panic!("{name} has settings"));
        assert_eq!(
            facts.prompt.as_deref(),
            Some("a red fox in fresh snow, (golden hour:1.2)\nsecond line"),
            "{name}"
        );
        assert_eq!(facts.negative_prompt.as_deref(), Some("lowres, blurry"));
        assert_eq!(
            (facts.steps, facts.seed, facts.guidance_scale),
            (Some(28), Some(Seed(1234567890)), Some(6.5))
        );
        assert_eq!(
            (facts.sampler_kind(), facts.schedule_kind()),
            (Some(SamplerKind::Dpmpp2m), Some(ScheduleKind::Karras))
        );
        assert_eq!((facts.size, facts.model.as_deref()), (Some(ImageSize::new(16, 8)), Some("dreamy_1.0")));
    }
    let korean = read_facts(&file("utf8.png")).unwrap().prompt.unwrap();
    assert!(korean.starts_with("붉은 여우"), "{korean}");
    assert!(read_facts(&file("camera.jpg")).is_none(), "a camera's comment is no prompt");
    assert!(read_facts(&file("plain.bmp")).is_none());
}

#[test]
fn comfyui_graphs_are_followed_in_png_and_webp() {
    for name in ["comfy.png", "comfy.webp"] {
        let facts = read_facts(&file(name)).unwrap_or_else(|| panic!("{name} has a graph"));
        assert_eq!(facts.prompt.as_deref(), Some("눈 속의 여우"), "{name}");
        assert_eq!((facts.seed, facts.steps, facts.guidance_scale), (Some(Seed(31)), Some(9), Some(4.5)));
        assert_eq!(
            (facts.sampler_kind(), facts.schedule_kind()),
            (Some(SamplerKind::Euler), Some(ScheduleKind::Karras))
        );
    }
}
