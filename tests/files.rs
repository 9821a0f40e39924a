//! Files as other programs write them, as we write them, and as accidents leave them.
//!
//! The fixtures and figures are made by `tests/fixtures/make_files.py`.

#![expect(clippy::unwrap_used, reason = "what a test needs and does not find fails it")]

use std::path::{Path, PathBuf};

use safelight::catalog::{ImageSize, SamplerKind, ScheduleKind};
use safelight::content::Content;
use safelight::formats::latent_file::{
    LatentFacts, LatentFileError, LatentQuantity, latent_from_bytes, read_latent, write_channel_npy,
    write_latent, write_npy,
};
use safelight::formats::metadata::{GenerationFacts, embedded_texts, read_facts};
use safelight::formats::metrics::{error_map, jpeg_of_size, psnr, ssim};
use safelight::formats::picture::{
    PictureFormat, ReadOptions, WriteOptions, WritePictureError, encode_picture, picture_from_bytes,
    read_picture, write_channel_png16, write_picture,
};
use safelight::latent::{Latent, LatentShape, LatentSpace};
use safelight::request::{Picture, Seed};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/files").join(name)
}

fn fixture_bytes(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).unwrap()
}

fn figures() -> serde_json::Value {
    serde_json::from_slice(&fixture_bytes("figures.json")).unwrap()
}

/// The fixtures' picture: red is 15 times the column, green 30 times the row, blue 40.
fn ramp() -> Picture {
    let rgb = (0..8u8).flat_map(|y| (0..16u8).flat_map(move |x| [x * 15, y * 30, 40]));
    Picture::new(16, 8, rgb.collect::<Vec<_>>()).unwrap()
}

/// The fixtures' latent: channel + row / 8 + column / 64.
fn latent() -> Latent {
    let shape = LatentShape::new(4, 4, 8);
    let value = |i: usize| (i / 32) as f32 + (i / 8 % 4) as f32 / 8.0 + (i % 8) as f32 / 64.0;
    Latent::new(shape, (0..shape.len()).map(value).collect::<Vec<_>>()).unwrap()
}

fn facts() -> GenerationFacts {
    GenerationFacts {
        prompt: Some("a red fox, “golden hour”\nin fresh snow".into()),
        negative_prompt: Some("blurry".into()),
        steps: Some(20),
        sampler: Some("DPM++ 2M".into()),
        schedule: Some("Trailing".into()),
        guidance_scale: Some(6.5),
        seed: Some(Seed(1234)),
        size: Some(ImageSize::new(16, 8)),
        model: Some("Built-in".into()),
        denoising_strength: None,
        clip_skip: None,
        version: Some("Safelight 0.1.0".into()),
        other: vec![("RNG".into(), "CPU".into())],
    }
}

fn read(name: &str) -> Picture {
    read_picture(&fixture(name), &ReadOptions::default()).unwrap_or_else(|e| panic!("{name}: {e}")).picture
}

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

/// A PNG of 4×4 pixels of one colour with an ICC profile.
fn png_with_profile(profile: Vec<u8>) -> Vec<u8> {
    let mut png = Vec::new();
    let mut encoder = image::codecs::png::PngEncoder::new(&mut png);
    image::ImageEncoder::set_icc_profile(&mut encoder, profile).unwrap();
    let pixels = [200, 100, 50].repeat(16);
    image::ImageEncoder::write_image(encoder, &pixels, 4, 4, image::ExtendedColorType::Rgb8).unwrap();
    png
}

// Reading pictures

#[test]
fn every_format_gives_the_same_picture() {
    for name in
        ["latin1.png", "plain.bmp", "plain.tiff", "comment_be.webp", "two_frames.gif", "orientation_1.png"]
    {
        assert_eq!(read(name), ramp(), "{name}");
    }
    // Lossy, with colour at half the resolution: the steps of 15 and 30 between pixels smear.
    let quality = psnr(&read("comment_be.jpg"), &ramp()).unwrap();
    assert!(quality > 25.0, "{quality}");
}

#[test]
fn a_picture_is_upright_whatever_its_orientation() {
    for orientation in 1..=8 {
        assert_eq!(read(&format!("orientation_{orientation}.png")), ramp(), "{orientation}");
    }
    assert_eq!(read("orientation_8.webp"), ramp());
    let jpeg = read("orientation_6.jpg");
    assert_eq!((jpeg.width(), jpeg.height()), (16, 8));
    assert!(psnr(&jpeg, &ramp()).unwrap() > 25.0);
}

#[test]
fn transparency_shows_the_chosen_background() {
    let options = ReadOptions { background: [0, 100, 200], ..ReadOptions::default() };
    let read = read_picture(&fixture("alpha.png"), &options).unwrap();
    assert!(read.had_transparency);
    // Alpha is 17 times the column: nothing of the first column, all of the last, 51/255 of column 3.
    assert_eq!(read.picture.pixel(0, 4), [0, 100, 200]);
    assert_eq!(read.picture.pixel(15, 4), ramp().pixel(15, 4));
    let expected = |color: f64, background: f64| (color * 0.2 + background * 0.8).round() as u8;
    assert_eq!(
        read.picture.pixel(3, 4),
        [expected(45.0, 0.0), expected(120.0, 100.0), expected(40.0, 200.0)]
    );
    let grey = read_picture(&fixture("grey_alpha.png"), &options).unwrap().picture;
    assert_eq!(grey.pixel(0, 0), [0, 100, 200]);
    assert!(grey.pixel(15, 7).iter().all(|&v| v == grey.pixel(15, 7)[0]));
    let palette = read_picture(&fixture("palette.png"), &options).unwrap().picture;
    assert_eq!(palette.pixel(0, 0), [0, 100, 200]);
}

#[test]
fn sixteen_bits_and_grey_become_eight_and_rgb() {
    let read = read_picture(&fixture("grey16.png"), &ReadOptions::default()).unwrap();
    assert_eq!((read.bits_per_channel, read.format), (16, "PNG"));
    // Grey is 4096 times the column of 65535.
    let expected = (9.0f64 * 4096.0 / 65535.0 * 255.0).round() as u8;
    assert_eq!(read.picture.pixel(9, 3), [expected; 3]);
}

#[test]
fn an_embedded_profile_is_converted_to_srgb() {
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let read = picture_from_bytes(&png_with_profile(profile), &ReadOptions::default()).unwrap();
    assert!(read.converted_profile);
    let expected = figures()["p3_200_100_50_as_srgb"].clone();
    for (i, value) in read.picture.pixel(2, 2).into_iter().enumerate() {
        // Profiles keep their matrices in 16 bits and curves in tables: a level or so.
        assert!((f64::from(value) - expected[i].as_f64().unwrap()).abs() <= 1.5, "{i}: {value}");
    }
}

#[test]
fn what_is_no_picture_is_refused_with_a_reason() {
    let read = |bytes: &[u8]| picture_from_bytes(bytes, &ReadOptions::default()).unwrap_err().to_string();
    assert!(read(b"").contains("empty"));
    let text = read(b"hello");
    assert!(text.contains("but a text") && text.ends_with("use PNG, JPEG, WebP, BMP, TIFF or GIF"), "{text}");
    assert!(read(b"\0\0\0\x20ftypavif\0\0").contains("AVIF"));
    assert!(read(b"<!DOCTYPE html><html>log in</html>").contains("a web page"));
    assert!(read(b"version https://git-lfs.github.com/spec/v1\n").contains("git lfs pull"));
    assert!(read(b"%PDF-1.7").contains("PDF"));
    assert!(read(b"\xff\x0a\xfa\x1f").contains("JPEG XL"));
    assert!(read(&fixture_bytes("latin1.png")[..60]).contains("cut off"));
    assert!(read(&fixture_bytes("progressive.jpg")[..400]).contains("cut off"));
    let missing = read_picture(Path::new("/nowhere/a.png"), &ReadOptions::default()).unwrap_err();
    assert!(missing.to_string().ends_with("a.png"));
    assert!(read_picture(&fixture(""), &ReadOptions::default()).is_err(), "a folder");
}

// Settings in pictures

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
        let facts = read_facts(&fixture(name)).unwrap_or_else(|| panic!("{name} has settings"));
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
    let korean = read_facts(&fixture("utf8.png")).unwrap().prompt.unwrap();
    assert!(korean.starts_with("붉은 여우"), "{korean}");
    assert!(read_facts(&fixture("camera.jpg")).is_none(), "a camera's comment is no prompt");
    assert!(read_facts(&fixture("plain.bmp")).is_none());
}

#[test]
fn comfyui_graphs_are_followed_in_png_and_webp() {
    for name in ["comfy.png", "comfy.webp"] {
        let facts = read_facts(&fixture(name)).unwrap_or_else(|| panic!("{name} has a graph"));
        assert_eq!(facts.prompt.as_deref(), Some("눈 속의 여우"), "{name}");
        assert_eq!((facts.seed, facts.steps, facts.guidance_scale), (Some(Seed(31)), Some(9), Some(4.5)));
        assert_eq!(
            (facts.sampler_kind(), facts.schedule_kind()),
            (Some(SamplerKind::Euler), Some(ScheduleKind::Karras))
        );
    }
}

// Writing pictures

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

/// Runs one test of this file again in a process whose files can have 4 KiB.
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
    // The signal that a full file sends is ignored, so that the write fails as on a full disk.
    let status = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" --exact a_full_disk_leaves_the_old_file"])
        .arg(std::env::current_exe().unwrap())
        .env(FLAG, &path)
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_nobody_may_write_to_is_an_error_that_says_so() {
    let error = write_picture(Path::new("/proc/a.png"), &ramp(), None, &WriteOptions::default()).unwrap_err();
    assert!(error.to_string().contains("choose a folder"), "{error}");
}

// Latents

#[test]
fn latents_of_other_programs_are_read() {
    let comfy = read_latent(&fixture("comfy.latent")).unwrap();
    assert_eq!((&comfy.latent, comfy.space), (&latent(), Some(LatentSpace::Vae)));
    assert_eq!(comfy.facts.generation.and_then(|facts| facts.seed), Some(Seed(31)));
    let old = read_latent(&fixture("comfy_old.latent")).unwrap();
    assert_eq!(old.space, Some(LatentSpace::Vae));
    // Two roundings of f32 at values below 4.
    assert!(old.latent.values().iter().zip(latent().values()).all(|(a, b)| (a - b).abs() < 1e-6));
    let batch = read_latent(&fixture("batch_f16.safetensors")).unwrap();
    assert_eq!((&batch.latent, batch.space, batch.count()), (&latent(), None, 2));
    assert_eq!(batch.latents().nth(1), Some(&latent().map(|_, v| -v)));
    for name in ["single_bf16.safetensors", "latent_f16.npy", "latent_f32.npy", "latent_f64.npy"] {
        let read = read_latent(&fixture(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!((&read.latent, read.space, read.count()), (&latent(), None, 1), "{name}");
    }
}

#[test]
fn a_file_without_a_latent_says_what_it_holds() {
    let reason = |name: &str| read_latent(&fixture(name)).unwrap_err().to_string();
    assert!(reason("two_tensors.safetensors").contains("a [4, 4, 8], b [4, 4, 8]"));
    assert!(reason("fortran.npy").contains("ascontiguousarray"));
    assert!(reason("integers.npy").contains("<i4"));
    assert!(reason("pickled.npy").contains("|O") || reason("pickled.npy").contains("dimensions"));
    assert!(reason("latin1.png").contains("a PNG picture"));
    let reason = |bytes: &[u8]| latent_from_bytes(bytes).unwrap_err().to_string();
    assert!(reason(b"version https://git-lfs.github.com/spec/v1\n").contains("git lfs pull"));
    let npy = fixture_bytes("latent_f32.npy");
    assert!(reason(&npy[..npy.len() - 33]).contains("14 of 16 rows"), "{}", reason(&npy[..npy.len() - 33]));
    assert!(reason(&[&npy[..], b"more"].concat()).contains("4 bytes follow its values"));
    for pickle in [&b"\x80\x02}q\0."[..], b"\x80\x04\x95"] {
        assert!(matches!(latent_from_bytes(pickle), Err(LatentFileError::NotALatent(Content::Pickle))));
    }
    assert!(matches!(
        latent_from_bytes(b"PK\x03\x04...."),
        Err(LatentFileError::NotALatent(Content::Archive(_)))
    ));
}

#[test]
fn every_latent_of_a_batch_is_read_and_what_is_beside_them_is_named() {
    use safetensors::Dtype;
    use safetensors::tensor::TensorView;
    let numbers: Vec<f32> = (0..3 * 4 * 2 * 2).map(|v| v as f32).collect();
    let bytes: Vec<u8> = numbers.iter().flat_map(|v| v.to_le_bytes()).collect();
    let view = |shape: &[usize]| TensorView::new(Dtype::F32, shape.to_vec(), &bytes).unwrap();
    let marker = TensorView::new(Dtype::F32, vec![0], &[]).unwrap();
    let mask = TensorView::new(Dtype::F32, vec![4, 4], &bytes[..64]).unwrap();
    for (tensors, not_read) in [
        (vec![("latent_tensor", view(&[3, 4, 2, 2])), ("latent_format_version_0", marker.clone())], vec![]),
        (vec![("latents", view(&[3, 4, 1, 2, 2])), ("mask", mask)], vec!["mask [4, 4]".to_owned()]),
    ] {
        let read = latent_from_bytes(&safetensors::serialize(tensors, None).unwrap()).unwrap();
        assert_eq!((read.count(), read.not_read.clone()), (3, not_read));
        for (latent, expected) in read.latents().zip(numbers.chunks(16)) {
            assert_eq!((latent.shape(), latent.values()), (LatentShape::new(4, 2, 2), expected));
        }
    }
    let mut npy = b"\x93NUMPY\x01\0\x46\0".to_vec();
    npy.extend(
        format!("{:<69}\n", "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4, 2, 2), }").bytes(),
    );
    npy.extend(&bytes);
    let read = latent_from_bytes(&npy).unwrap();
    assert_eq!((read.count(), read.others[1].values()), (3, &numbers[32..]));
}

#[test]
fn our_latent_has_the_layout_comfyui_reads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.latent");
    let written = LatentFacts {
        family: Some("Stable Diffusion 1".into()),
        scaling: Some(0.18215),
        shift: Some(0.0),
        step: Some(7),
        sigma: Some(4.125),
        quantity: Some(LatentQuantity::Noisy),
        vae_hash: Some("ab12".into()),
        generation: Some(facts()),
    };
    write_latent(&path, &latent(), &written).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(tensors.len(), 2);
    let values = tensors.tensor("latent_tensor").unwrap();
    assert_eq!((values.dtype(), values.shape()), (safetensors::Dtype::F32, &[1, 4, 4, 8][..]));
    assert_eq!(tensors.tensor("latent_format_version_0").unwrap().shape(), [0]);
    let read = read_latent(&path).unwrap();
    assert_eq!((read.latent, read.space, read.facts), (latent(), Some(LatentSpace::Vae), written));
}

#[test]
fn arrays_and_grey_pictures_of_channels_hold_their_values() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    write_npy(&path, &latent()).unwrap();
    assert_eq!(read_latent(&path).unwrap().latent, latent());
    // The same bytes as numpy's own but for the leading dimension.
    let (ours, numpys) = (std::fs::read(&path).unwrap(), fixture_bytes("latent_f32.npy"));
    assert_eq!(ours.len(), numpys.len());
    assert_eq!(ours[128..], numpys[128..]);
    write_channel_npy(&path, &latent(), 2).unwrap();
    let values = std::fs::read(&path).unwrap();
    assert!(String::from_utf8_lossy(&values[..128]).contains("'shape': (4, 8)"));
    assert_eq!(values[128..132], 2.0f32.to_le_bytes());

    let path = folder.path().join("a.png");
    write_channel_png16(&path, &latent(), 2, 2.0, 2.5).unwrap();
    let grey = image::open(&path).unwrap();
    assert_eq!(grey.color(), image::ColorType::L16);
    let grey = grey.into_luma16();
    // Row 1, column 2: 2 + 1/8 + 2/64; row 3 is 2.375 and more.
    assert_eq!(grey.get_pixel(2, 1).0, [((0.125f64 + 0.03125) / 0.5 * 65535.0).round() as u16]);
    assert_eq!((grey.get_pixel(0, 0).0, grey.get_pixel(7, 3).0), ([0], [63_487]));
}

// Measures

#[test]
fn psnr_ssim_and_error_are_scikit_images() {
    let figures = figures();
    let expected = |name: &str| figures[name].as_f64().unwrap();
    let (a, b) = (read("metrics_a.png"), read("metrics_b.png"));
    // Both compute in f64; only the order of additions differs.
    assert!((psnr(&a, &b).unwrap() - expected("psnr")).abs() < 1e-9);
    assert!((ssim(&a, &b).unwrap() - expected("ssim")).abs() < 1e-9, "{:?}", ssim(&a, &b));
    let map = error_map(&a, &b).unwrap();
    let mean = map.iter().map(|&v| f64::from(v)).sum::<f64>() / map.len() as f64;
    // The map is f32.
    assert!((mean - expected("error_mean")).abs() < 1e-6);
    assert!((f64::from(map[3 * a.width() + 5]) - expected("error_at_5_3")).abs() < 1e-6);
}

#[test]
fn equal_pictures_are_as_near_as_can_be_and_others_cannot_be_compared() {
    let a = read("metrics_a.png");
    assert_eq!(psnr(&a, &a), Some(f64::INFINITY));
    assert!((ssim(&a, &a).unwrap() - 1.0).abs() < 1e-12);
    assert_eq!(psnr(&a, &ramp()), None);
    assert_eq!(ssim(&ramp(), &ramp()), None, "smaller than the window");
}

#[test]
fn a_jpeg_is_the_best_that_fits_its_budget() {
    let picture = read("metrics_a.png");
    let roomy = jpeg_of_size(&picture, 1 << 20).unwrap();
    assert_eq!((roomy.quality, roomy.scale), (100, 1.0));
    let some = jpeg_of_size(&picture, 1200).unwrap();
    assert!(some.bytes <= 1200 && some.scale == 1.0 && some.quality > 1, "{some:?}");
    let next = WriteOptions { jpeg_quality: some.quality + 1, metadata: false };
    let next = encode_picture(&picture, PictureFormat::Jpeg, None, &next).unwrap();
    assert!(next.len() > 1200, "a better one fits too");
    let lowest = WriteOptions { jpeg_quality: 1, metadata: false };
    let lowest = encode_picture(&picture, PictureFormat::Jpeg, None, &lowest).unwrap().len();
    let tight = jpeg_of_size(&picture, lowest - 20).unwrap();
    assert!(tight.bytes <= lowest - 20 && tight.scale < 1.0, "{tight:?}");
    assert_eq!((tight.picture.width(), tight.picture.height()), (picture.width(), picture.height()));
    assert!(jpeg_of_size(&picture, 10).is_none());
    assert!(psnr(&some.picture, &picture) > psnr(&tight.picture, &picture));
}
