//! Settings in pictures: as other programs write them, byte by byte, and our own after a round trip.

use std::path::Path;

use proptest::prelude::*;
use safelight::catalog::{ImageSize, SamplerKind, ScheduleKind};
use safelight::formats::latent_file::{LatentFacts, read_latent, write_latent};
use safelight::formats::metadata::{GenerationFacts, a1111, facts_from_bytes};
use safelight::formats::picture::{
    PictureFormat, ReadOptions, WriteOptions, encode_picture, picture_from_bytes,
};
use safelight::latent::{Latent, LatentShape};
use safelight::request::{Picture, Seed};

fn pixels() -> Picture {
    Picture::new(8, 8, (0..192u8).collect::<Vec<_>>()).unwrap()
}

/// A PNG with a chunk of any bytes after its header.
fn png_with(name: [u8; 4], content: &[u8]) -> Vec<u8> {
    let mut png = encode_picture(&pixels(), PictureFormat::Png, None, &WriteOptions::default()).unwrap();
    let mut chunk = (content.len() as u32).to_be_bytes().to_vec();
    chunk.extend(name);
    chunk.extend(content);
    let crc = chunk[4..].iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    });
    chunk.extend((!crc).to_be_bytes());
    png.splice(33..33, chunk);
    png
}

/// A PNG with Latin-1 text chunks, whose bytes need not be Latin-1.
fn png_with_texts(texts: &[(&str, &[u8])]) -> Vec<u8> {
    let chunk =
        |(keyword, text): &(&str, &[u8])| png_with(*b"tEXt", &[keyword.as_bytes(), b"\0", text].concat());
    let plain = png_with(*b"tEXt", b"Title\0x");
    // The chunk of each picture is between its header and the rest, which are equal in all of them.
    let tail = plain.len() - (33 + 12 + 7);
    let mut file = plain[..33].to_vec();
    for text in texts {
        let one = chunk(text);
        file.extend(&one[33..one.len() - tail]);
    }
    file.extend(&plain[plain.len() - tail..]);
    file
}

/// A JPEG with a segment of any bytes after its first marker.
fn jpeg_with(marker: u8, content: &[u8]) -> Vec<u8> {
    let mut jpeg = encode_picture(&pixels(), PictureFormat::Jpeg, None, &WriteOptions::default()).unwrap();
    let mut segment = vec![0xff, marker];
    segment.extend((content.len() as u16 + 2).to_be_bytes());
    segment.extend(content);
    jpeg.splice(2..2, segment);
    jpeg
}

/// An EXIF block with this user comment, in one byte order or the other.
fn exif_with(comment: &[u8], big_endian: bool) -> Vec<u8> {
    let short = |v: u16| if big_endian { v.to_be_bytes() } else { v.to_le_bytes() };
    let long = |v: u32| if big_endian { v.to_be_bytes() } else { v.to_le_bytes() };
    let mut exif = b"Exif\0\0".to_vec();
    exif.extend(if big_endian { b"MM" } else { b"II" });
    exif.extend(short(42));
    exif.extend(long(8));
    for (tag, kind, count, value) in [(0x8769, 4, 1, 26), (0x9286, 7, comment.len() as u32, 44)] {
        exif.extend(short(1));
        exif.extend(short(tag));
        exif.extend(short(kind));
        exif.extend(long(count));
        exif.extend(long(value));
        exif.extend(long(0));
    }
    exif.extend(comment);
    exif
}

const LINE: &str = "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 42, Size: 512x768, Model: dream";

fn expect(name: &str, file: &[u8], prompt: &str, negative: Option<&str>) {
    let facts = facts_from_bytes(file).unwrap_or_else(|| panic!("{name} has settings"));
    assert_eq!(facts.prompt.as_deref(), Some(prompt), "{name}");
    assert_eq!(facts.negative_prompt.as_deref(), negative, "{name}");
    assert_eq!((facts.steps, facts.seed), (Some(20), Some(Seed(42))), "{name}");
    assert_eq!(facts.sampler_kind(), Some(SamplerKind::EulerAncestral), "{name}");
    assert!(picture_from_bytes(file, &ReadOptions::default()).is_ok(), "{name}");
}

#[test]
fn prompts_in_braces_and_brackets_keep_their_settings() {
    for prompt in ["{red|blue} fox", "{{masterpiece}}, 1 fox", "[a|b], [[snow]]", "{", "{\"a\": 1} fox"] {
        let text = format!("{prompt}\nNegative prompt: blur\n{LINE}");
        expect(prompt, &png_with_texts(&[("parameters", text.as_bytes())]), prompt, Some("blur"));
    }
    // JSON of an unknown structure is not a prompt.
    assert_eq!(facts_from_bytes(&png_with_texts(&[("parameters", b"{\"a\": [NaN]}")])), None);
}

#[test]
fn utf8_where_latin1_is_expected_is_read_and_latin1_stays_what_it_is() {
    for prompt in ["눈 속의 여우", "狐、雪", "Füchse – “35°”"] {
        let text = format!("{prompt}\nNegative prompt: 흐림\n{LINE}");
        expect(prompt, &png_with_texts(&[("parameters", text.as_bytes())]), prompt, Some("흐림"));
    }
    let latin1 = [b"F\xfcchse, 35\xb0 caf\xe9\n", LINE.as_bytes()].concat();
    expect("Latin-1", &png_with_texts(&[("parameters", &latin1)]), "Füchse, 35° café", None);
}

#[test]
fn comments_of_jpegs_are_read_in_their_encodings() {
    let text = format!("눈 속의 여우\nNegative prompt: 흐림\n{LINE}");
    let com = [b"parameters\0", text.as_bytes(), b"\0"].concat();
    expect("stable-diffusion.cpp", &jpeg_with(0xfe, &com), "눈 속의 여우", Some("흐림"));
    expect("a plain comment", &jpeg_with(0xfe, text.as_bytes()), "눈 속의 여우", Some("흐림"));
    let utf16 = |big: bool| {
        text.encode_utf16()
            .flat_map(|u| if big { u.to_be_bytes() } else { u.to_le_bytes() })
            .collect::<Vec<u8>>()
    };
    for big_endian in [true, false] {
        for (name, comment) in [
            ("UTF-16, big-endian", [b"UNICODE\0", &utf16(true)[..]].concat()),
            ("UTF-16, little-endian", [b"UNICODE\0", &utf16(false)[..]].concat()),
            ("UTF-16 with a mark", [b"UNICODE\0\xff\xfe", &utf16(false)[..]].concat()),
            ("UTF-8 said to be undefined", [&[0; 8], text.as_bytes()].concat()),
            ("UTF-8 said to be ASCII", [b"ASCII\0\0\0", text.as_bytes()].concat()),
            ("UTF-8 said to be Unicode", [b"UNICODE\0", text.as_bytes()].concat()),
            ("UTF-8 without a code", text.as_bytes().to_vec()),
        ] {
            expect(name, &jpeg_with(0xe1, &exif_with(&comment, big_endian)), "눈 속의 여우", Some("흐림"));
        }
    }
    assert_eq!(facts_from_bytes(&jpeg_with(0xfe, b"CREATOR: gd-jpeg v1.0, quality = 90")), None);
}

#[test]
fn settings_are_found_under_the_names_that_editors_and_servers_give_them() {
    let text = format!("a fox\nNegative prompt: blur\n{LINE}");
    let graph = r#"{"1": {"class_type": "KSampler", "inputs": {"seed": 42, "steps": 20, "sampler_name": "euler_ancestral",
        "positive": ["2", 0], "negative": ["3", 0]}}, "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "a fox"}},
        "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "blur"}}}"#;
    let request = format!("{{\"prompt\": {graph}, \"workflow\": {{}}}}");
    let xmp = format!(
        "<dc:description><rdf:Alt><rdf:li xml:lang=\"x-default\">{text}</rdf:li></rdf:Alt></dc:description>"
    );
    let packet = [b"http://ns.adobe.com/xap/1.0/\0", xmp.as_bytes()].concat();
    // A first directory of one entry: ImageDescription, ASCII.
    let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x0e\0\x02".to_vec();
    exif.extend((text.len() as u32 + 1).to_be_bytes());
    exif.extend(26u32.to_be_bytes());
    exif.extend([0; 4]);
    exif.extend(text.as_bytes());
    exif.push(0);
    for (name, file) in [
        ("other capitals", png_with_texts(&[("Parameters", text.as_bytes())])),
        ("a description", png_with_texts(&[("Description", text.as_bytes())])),
        ("a description in EXIF", jpeg_with(0xe1, &exif)),
        ("a description in XMP", jpeg_with(0xe1, &packet)),
        ("a graph as the settings", png_with_texts(&[("parameters", graph.as_bytes())])),
        ("a request as the comment", jpeg_with(0xfe, request.as_bytes())),
    ] {
        expect(name, &file, "a fox", Some("blur"));
    }
    assert_eq!(facts_from_bytes(&png_with_texts(&[("Description", b"a fox, painted in oil")])), None);
}

#[test]
fn objects_of_settings_are_found_where_programs_keep_them() {
    let novel = r#"{"prompt": "a fox", "uc": "blur", "steps": 20, "seed": 42, "scale": 7, "sampler": "k_euler_ancestral"}"#;
    let invoke = r#"{"positive_prompt": "a fox", "negative_prompt": "blur", "steps": 20, "seed": 42, "cfg_scale": 7, "scheduler": "euler_a"}"#;
    let swarm = r#"{"sui_image_params": {"prompt": "a fox", "negativeprompt": "blur", "steps": 20, "seed": 42, "sampler": "euler_ancestral"}}"#;
    let draw_things =
        r#"{"c": "a fox", "uc": "blur", "steps": 20, "seed": 42, "sampler": "Euler A", "scale": 7}"#;
    let easy: [(&str, &[u8]); 6] = [
        ("prompt", b"a fox"),
        ("negative_prompt", b"blur"),
        ("num_inference_steps", b"20"),
        ("seed", b"42"),
        ("sampler_name", b"euler_a"),
        ("guidance_scale", b"7"),
    ];
    let xmp = format!(
        "<exif:UserComment><rdf:Alt><rdf:li xml:lang=\"x-default\">{}</rdf:li></rdf:Alt></exif:UserComment>",
        draw_things.replace('"', "&quot;")
    );
    for (name, file) in [
        (
            "NovelAI",
            png_with_texts(&[
                ("Description", b"a fox"),
                ("Software", b"NovelAI"),
                ("Comment", novel.as_bytes()),
            ]),
        ),
        ("InvokeAI", png_with_texts(&[("invokeai_metadata", invoke.as_bytes())])),
        ("SwarmUI", png_with_texts(&[("parameters", swarm.as_bytes())])),
        ("Easy Diffusion", png_with_texts(&easy)),
        (
            "Draw Things, JPEG",
            jpeg_with(0xe1, &exif_with(&[b"ASCII\0\0\0", draw_things.as_bytes()].concat(), true)),
        ),
        ("Draw Things, PNG", png_with(*b"iTXt", &[b"XML:com.adobe.xmp\0\0\0\0\0", xmp.as_bytes()].concat())),
    ] {
        expect(name, &file, "a fox", Some("blur"));
    }
}

fn facts(prompt: String, negative: Option<String>) -> GenerationFacts {
    GenerationFacts {
        prompt: Some(prompt),
        negative_prompt: negative,
        steps: Some(20),
        sampler: Some(SamplerKind::Heun.name().into()),
        schedule: Some(ScheduleKind::Leading.name().into()),
        guidance_scale: Some(6.5),
        seed: Some(Seed(1 << 40)),
        size: Some(ImageSize::new(8, 8)),
        model: Some("Built-in".into()),
        denoising_strength: None,
        clip_skip: None,
        version: Some("Safelight 0.1.0".into()),
        other: vec![("RNG".into(), "CPU".into())],
    }
}

/// The settings after a round trip through the text, each picture format and a latent.
fn roads(facts: &GenerationFacts, folder: &Path) -> Vec<(String, Option<GenerationFacts>)> {
    let mut found = vec![("text".to_owned(), Some(a1111::parse(&a1111::write(facts))))];
    for format in PictureFormat::ALL {
        let file = encode_picture(&pixels(), format, Some(facts), &WriteOptions::default()).unwrap();
        found.push((format.name().to_owned(), facts_from_bytes(&file)));
    }
    let path = folder.join("a.latent");
    let latent_facts = LatentFacts { generation: Some(facts.clone()), ..LatentFacts::default() };
    write_latent(&path, &Latent::zeros(LatentShape::new(4, 1, 1)), &latent_facts).unwrap();
    found.push(("latent".to_owned(), read_latent(&path).unwrap().facts.generation));
    found
}

#[test]
fn a_prompt_of_any_length_comes_back_from_a_jpeg() {
    // Up to a segment in UTF-16, in UTF-8, and beyond both.
    for (letter, count) in
        [("long ", 6_000), ("long ", 12_000), ("long ", 20_000), ("눈 <&> ", 5_000), ("눈 <&> ", 30_000)]
    {
        let facts = facts(letter.repeat(count).trim().to_owned(), Some("blur".into()));
        let file =
            encode_picture(&pixels(), PictureFormat::Jpeg, Some(&facts), &WriteOptions::default()).unwrap();
        assert_eq!(facts_from_bytes(&file), Some(facts), "{letter} {count}");
        assert!(picture_from_bytes(&file, &ReadOptions::default()).is_ok());
        // Other readers see a well-formed file: every segment says its length.
        assert_eq!(image::load_from_memory(&file).unwrap().width(), 8);
    }
}

#[test]
fn latin1_that_looks_like_utf8_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let facts = facts("Ã© is not é, Â°".into(), None);
    for (road, found) in roads(&facts, folder.path()) {
        assert_eq!(found.as_ref(), Some(&facts), "{road}");
    }
}

/// What a prompt is when it is written: one kind of line break, without what no container can hold.
fn as_written(text: &str) -> String {
    let mut text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.retain(|c| !c.is_control() || c == '\n' || c == '\t');
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}').to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_prompt_comes_back_from_every_file(
        parts in prop::collection::vec(
            prop_oneof![
                prop::sample::select(vec![
                    "{", "}", "[", "\"", "\\", "\0", "\n", "\r\n", "\u{7}", "<", "&amp;", "]]>", "Negative prompt:", "Negative prompt: ",
                    "Steps: 20, Sampler: Euler, Seed: 1, Size: 8x8", "Prompt lines: 1", "Template: x", ", SDCPP: {", "눈 속의 여우", "é",
                    "Ã©", "\u{feff}", "🦊", ": ", ", ", "\u{85}", "{\"prompt\": \"x\", \"seed\": 1, \"steps\": 2}",
                ]).prop_map(str::to_owned),
                "[a-z ]{1,8}",
                any::<String>(),
            ],
            0..8,
        ),
        split in any::<prop::sample::Index>(),
        has_negative in any::<bool>(),
    ) {
        let split = if has_negative { split.index(parts.len() + 1) } else { parts.len() };
        let (prompt, negative) = (as_written(&parts[..split].concat()), as_written(&parts[split..].concat()));
        let expected = facts(prompt, Some(negative).filter(|n| !n.is_empty()));
        let given = facts(parts[..split].concat(), Some(parts[split..].concat()).filter(|n| !n.is_empty()));
        let folder = tempfile::tempdir().unwrap();
        for (road, found) in roads(&given, folder.path()) {
            prop_assert_eq!(found.as_ref(), Some(&expected), "{}", road);
        }
    }
}
