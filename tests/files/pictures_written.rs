//! Pictures as this program writes them, and what is left when writing fails.

use std::path::Path;

use safelight::formats::metadata::{GenerationFacts, embedded_texts};
use safelight::formats::metrics::psnr;
use safelight::formats::picture::{
    PictureFormat, ReadOptions, WriteOptions, WritePictureError, encode_picture, read_picture, write_picture,
};
use safelight::request::Picture;

use crate::common::pictures::facts;
use crate::ramp;

/// Chunk names of a PNG with the start of their content.
fn png_chunks(png: &[u8]) -> Vec<(String, String)> {
    let mut chunks = Vec::new();
    let mut at = 8;
    while at + 8 <= png.len() {
        let len = u32::from_be_bytes(png[at..at + 4].try_into().unwrap()) as usize;
        let name = String::from_utf8_lossy(&png[at + 4..at + 8]).into_owned();
        let start = &png[at + 8..at + 8 + len.min(17)];
        let keyword = start.split(|&b| b == 0).next().unwrap();
        chunks.push((name, String::from_utf8_lossy(keyword).into_owned()));
        at += len + 12;
    }
    chunks
}

#[test]
fn pixels_and_settings_come_back_from_every_format_written() {
    let folder = tempfile::tempdir().unwrap();
    for (name, exact) in [("a.png", true), ("b.webp", true), ("c.jpg", false), ("d.JPEG", false)] {
        let path = folder.path().join(name);
        write_picture(&path, &ramp(), Some(&facts()), &WriteOptions::default()).unwrap();
        let read = read_picture(&path, &ReadOptions::default()).unwrap();
        assert_eq!(read.facts, Some(facts()), "{name}");
        if exact {
            assert_eq!(read.picture, ramp(), "{name}");
        } else {
            assert!(psnr(&read.picture, &ramp()).unwrap() > 25.0, "{name}");
        }
    }
}

#[test]
fn text_stands_before_the_pixels_in_the_chunk_its_letters_ask_for() {
    let names = |facts: &GenerationFacts| {
        let png = encode_picture(&ramp(), PictureFormat::Png, Some(facts), &WriteOptions::default()).unwrap();
        png_chunks(&png)
    };
    let latin = GenerationFacts { prompt: Some("café".into()), ..facts() };
    let chunks = names(&latin);
    let position = |name: &str, keyword: &str| {
        chunks.iter().position(|(n, k)| n == name && k == keyword).unwrap_or_else(|| panic!("{chunks:?}"))
    };
    let pixels = chunks.iter().position(|(name, _)| name == "IDAT").unwrap();
    assert!(position("tEXt", "parameters") < pixels);
    assert!(position("iTXt", "XML:com.adobe.xmp") < pixels);
    let korean = GenerationFacts { prompt: Some("여우".into()), ..facts() };
    let chunks = names(&korean);
    assert!(chunks.contains(&("iTXt".into(), "parameters".into())), "{chunks:?}");
}

#[test]
fn the_source_type_says_whether_there_was_a_picture_before() {
    for (strength, expected) in
        [(None, "/trainedAlgorithmicMedia\""), (Some(0.5), "/compositeWithTrainedAlgorithmicMedia\"")]
    {
        let facts = GenerationFacts { denoising_strength: strength, ..facts() };
        for format in PictureFormat::ALL {
            let file = encode_picture(&ramp(), format, Some(&facts), &WriteOptions::default()).unwrap();
            let text = String::from_utf8_lossy(&file);
            assert!(text.contains(expected), "{format:?}");
            assert!(text.contains("xmp:CreatorTool=\"Safelight "), "{format:?}");
        }
    }
}

#[test]
fn without_metadata_a_file_holds_nothing_but_the_picture() {
    let options = WriteOptions { metadata: false, ..WriteOptions::default() };
    for format in PictureFormat::ALL {
        let bare = encode_picture(&ramp(), format, Some(&facts()), &options).unwrap();
        assert!(embedded_texts(&bare).is_empty(), "{format:?}");
        let text = String::from_utf8_lossy(&bare);
        assert!(!text.contains("fox") && !text.contains("Safelight") && !text.contains("xmp"), "{format:?}");
        assert_eq!(bare, encode_picture(&ramp(), format, None, &WriteOptions::default()).unwrap());
    }
}

#[test]
fn the_extension_chooses_the_format_and_a_missing_one_is_png() {
    let folder = tempfile::tempdir().unwrap();
    let write =
        |name: &str| write_picture(&folder.path().join(name), &ramp(), None, &WriteOptions::default());
    assert_eq!(write("눈 fox").unwrap(), folder.path().join("눈 fox.png"));
    assert!(std::fs::read(folder.path().join("눈 fox.png")).unwrap().starts_with(b"\x89PNG"));
    let error = write("a.xyz").unwrap_err();
    assert!(matches!(&error, WritePictureError::UnknownExtension { extension, .. } if extension == "xyz"));
    assert!(error.to_string().contains("use .png, .jpg or .webp"));
    assert!(!folder.path().join("a.xyz").exists());
}

#[test]
fn a_picture_without_pixels_or_too_large_for_its_format_is_an_error() {
    let nothing = Picture::new(0, 0, Vec::new()).unwrap();
    let wide = Picture::new(70_000, 1, vec![0; 210_000]).unwrap();
    for format in PictureFormat::ALL {
        let encode = |picture| encode_picture(picture, format, Some(&facts()), &WriteOptions::default());
        assert!(encode(&nothing).is_err(), "{format:?}");
        assert_eq!(encode(&wide).is_ok(), format == PictureFormat::Png, "{format:?}");
    }
}

/// Runs this test again in a process whose files are limited to 4 KiB.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_the_old_file() {
    const FLAG: &str = "SAFELIGHT_TEST_FULL_DISK";
    if let Some(path) = std::env::var_os(FLAG) {
        // A linear congruential generator's high bits: nothing to compress.
        let noise = (0..128 * 128 * 3).scan(1u32, |state, _| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Some((*state >> 24) as u8)
        });
        let noise: Vec<u8> = noise.collect();
        let picture = Picture::new(128, 128, noise).unwrap();
        let error = write_picture(Path::new(&path), &picture, None, &WriteOptions::default()).unwrap_err();
        assert!(error.to_string().contains("free some space"), "{error}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kept.png");
    write_picture(&path, &ramp(), None, &WriteOptions::default()).unwrap();
    let before = std::fs::read(&path).unwrap();
    // SIGXFSZ is ignored, so that the write fails as on a full disk.
    let this_test = "pictures_written::a_full_disk_leaves_the_old_file";
    let output = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" --exact \"$1\""])
        .arg(std::env::current_exe().unwrap())
        .arg(this_test)
        .env(FLAG, &path)
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_nobody_may_write_to_is_an_error_that_says_so() {
    let error = write_picture(Path::new("/proc/a.png"), &ramp(), None, &WriteOptions::default()).unwrap_err();
    assert!(error.to_string().contains("choose a folder"), "{error}");
}
