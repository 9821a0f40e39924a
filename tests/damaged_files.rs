//! Files that lie or were damaged: an error or a value, never a panic, never half of a picture for a whole one, and
//! never memory they do not fill.

#![expect(clippy::unwrap_used, reason = "what a test needs and does not find fails it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use safelight::catalog::ImageSize;
use safelight::formats::ReadFileError;
use safelight::formats::latent_file::latent_from_bytes;
use safelight::formats::metadata::{GenerationFacts, a1111, comfyui, facts_from_bytes};
use safelight::formats::picture::{
    PictureError, PictureRemark, ReadOptions, picture_from_bytes, read_picture,
};
use safelight::request::Seed;

/// Remembers of each thread the largest single allocation and the most that was held at a time, so that tests can
/// say "no huge allocation" and "in proportion to the file".
struct Watched;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// Counts bytes that come to the thread, or go.
fn count(change: isize) {
    let _ = HELD.try_with(|held| {
        held.set(held.get() + change);
        PEAK.try_with(|peak| peak.set(peak.get().max(held.get())))
    });
}

fn count_new(size: usize) {
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(size)));
    count(size.cast_signed());
}

/// The most bytes that `work` held at a time.
fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    PEAK.set(before);
    let result = work();
    (result, (PEAK.get() - before).cast_unsigned())
}

#[expect(unsafe_code, reason = "an allocator is an unsafe trait; this one only counts")]
// SAFETY: every call is passed on unchanged to the system's allocator.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_new(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count_new(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count_new(size);
        count(-layout.size().cast_signed());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/files").join(name)
}

fn fixture_bytes(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).unwrap()
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

/// A PNG of 4×4 pixels of one colour with an ICC profile.
fn png_with_profile(profile: Vec<u8>) -> Vec<u8> {
    let mut png = Vec::new();
    let mut encoder = image::codecs::png::PngEncoder::new(&mut png);
    image::ImageEncoder::set_icc_profile(&mut encoder, profile).unwrap();
    let pixels = [200, 100, 50].repeat(16);
    image::ImageEncoder::write_image(encoder, &pixels, 4, 4, image::ExtendedColorType::Rgb8).unwrap();
    png
}

#[test]
fn a_damaged_picture_is_told_without_a_decoders_own_names() {
    let mut png = Vec::new();
    let encoder = image::codecs::png::PngEncoder::new(&mut png);
    let pixels: Vec<u8> = (0..3 * 64).map(|i| (i * 37) as u8).collect();
    image::ImageEncoder::write_image(encoder, &pixels, 8, 8, image::ExtendedColorType::Rgb8).unwrap();
    let at = png.windows(4).position(|name| name == b"IDAT").unwrap();
    png[at + 20] ^= 0xff;
    let error = picture_from_bytes(&png, &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.starts_with("the PNG file is damaged"), "{error}");
    assert!(error.contains("checksum") && !error.contains(['{', '}']) && !error.contains("::"), "{error}");
}

#[test]
fn a_decompression_bomb_is_refused_before_memory_is_taken() {
    // A header that claims 60 000 × 60 000 pixels, with a right checksum, and almost no data.
    let mut png = Vec::new();
    let encoder = png::Encoder::new(&mut png, 60_000, 60_000);
    drop(encoder.write_header().unwrap());
    // The writer ends the file itself; the pixels' chunk is added.
    png.truncate(33);
    png.extend(*b"\0\0\0\x04IDAT\x78\x9c\x03\0\0\0\0\0");
    LARGEST.set(0);
    let error = picture_from_bytes(&png, &ReadOptions::default()).unwrap_err();
    assert!(matches!(error, PictureError::TooManyPixels { width: 60_000, height: 60_000, .. }), "{error}");
    assert!(LARGEST.get() < 1 << 20, "{}", LARGEST.get());
    let options = ReadOptions { max_file_bytes: 100, ..ReadOptions::default() };
    let error = read_picture(&fixture("latin1.png"), &options).unwrap_err();
    assert!(matches!(error, PictureError::File(ReadFileError::TooManyBytes { limit: 100, .. })));
}

#[test]
fn a_webp_frame_larger_than_its_picture_is_refused_before_memory_is_taken() {
    // The lossy file is `RIFF`, length, `WEBP` and one chunk, whose frame's size stands 6 bytes in.
    let mut frame = fixture_bytes("lossy.webp").split_off(12);
    frame[14..18].copy_from_slice(&[0xff, 0x3f, 0xff, 0x3f]);
    let mut webp = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x0f\0\0\x07\0\0".to_vec();
    webp.extend(frame);
    let len = (webp.len() - 8) as u32;
    webp[4..8].copy_from_slice(&len.to_le_bytes());
    LARGEST.set(0);
    let error = picture_from_bytes(&webp, &ReadOptions::default()).unwrap_err();
    assert!(matches!(error, PictureError::TooManyPixels { width: 16_383, height: 16_383, .. }), "{error}");
    assert!(LARGEST.get() < 1 << 20, "{}", LARGEST.get());
}

#[test]
fn a_text_that_inflates_without_end_is_left_out() {
    let bytes = fixture_bytes("text_bomb.png");
    LARGEST.set(0);
    assert_eq!(facts_from_bytes(&bytes), None);
    // The limit of a text is 1 MiB; the inflater doubles its buffer up to it.
    assert!(LARGEST.get() <= 4 << 20, "{}", LARGEST.get());
    let read = picture_from_bytes(&bytes, &ReadOptions::default()).unwrap();
    assert_eq!((read.picture.width(), read.facts), (16, None));
}

/// What a file may cost beside its pixels, bytes.
const EXTRA: usize = 64 << 20;

#[test]
fn profiles_and_texts_that_inflate_cost_no_more_than_they_may() {
    // 100 MB of zeros in a profile of some 100 KB.
    let profile = png_with_profile(vec![0; 100_000_000]);
    assert!(profile.len() < 1 << 20);
    let (read, peak) = peak_of(|| picture_from_bytes(&profile, &ReadOptions::default()).unwrap());
    assert_eq!((read.picture.width(), read.remarks), (4, vec![PictureRemark::ProfileIgnored]));
    assert!(peak < 2 * profile.len() + EXTRA, "{peak}");

    // Three thousand texts of a MiB each.
    let mut one = Vec::new();
    let mut encoder = png::Encoder::new(&mut one, 4, 4);
    encoder.add_ztxt_chunk("parameters".to_owned(), " ".repeat(1 << 20)).unwrap();
    encoder.write_header().unwrap().write_image_data(&[7; 16]).unwrap();
    let name = one.windows(4).position(|name| name == b"zTXt").unwrap();
    let len = u32::from_be_bytes(one[name - 4..name].try_into().unwrap()) as usize;
    let chunk = &one[name - 4..name + 4 + len + 4];
    let png = [&one[..name - 4], &chunk.repeat(3000), &one[name + 8 + len..]].concat();
    let started = std::time::Instant::now();
    let (read, peak) = peak_of(|| picture_from_bytes(&png, &ReadOptions::default()).unwrap());
    assert_eq!((read.picture.width(), read.facts), (4, None));
    assert!(peak < 2 * png.len() + EXTRA, "{peak}");
    assert!(started.elapsed().as_secs_f64() < 1.0, "{:?}", started.elapsed());
}

#[test]
fn parts_that_claim_more_than_the_file_has_are_refused_before_memory_is_taken() {
    // A canvas of 16×8 and a frame of 16 384 × 8192 pixels, which stay under the limit, of which 60 bytes are there.
    let mut webp =
        b"RIFF\x84\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0\x0f\0\0\x07\0\0ANIM\x06\0\0\0\0\0\0\0\0\0".to_vec();
    webp.extend(b"ANMF\xff\xff\x10\0\0\0\0\0\0\0\xff\x1f\0\xff\x1f\0\0\0\0\0VP8 \xff\xff\0\0\x30\x01\0\x9d\x01\x2a\xff\x1f\xff\x1f");
    webp.extend([0x55; 60]);
    // A GIF whose frame is larger than its screen.
    let gif = b"GIF89a\x01\0\x01\0\0\0\0\x2c\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x44\x01\0\x3b".to_vec();
    // A bitmap and a PNG of 8000 × 8000 pixels with some bytes of them.
    let mut bmp = fixture_bytes("plain.bmp");
    bmp[18..26].copy_from_slice(&[0x40, 0x1f, 0, 0, 0x40, 0x1f, 0, 0]);
    let mut png = Vec::new();
    drop(png::Encoder::new(&mut png, 8000, 8000).write_header().unwrap());
    png.truncate(33);
    png.extend(*b"\0\0\0\x04IDAT\x78\x9c\x03\0\0\0\0\0");
    // A JPEG that says it is 8000 × 8000; its start of frame is behind its tables.
    let mut jpeg = fixture_bytes("camera.jpg");
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0x1f, 0x40, 0x1f, 0x40]);
    for (name, file) in [("webp", webp), ("gif", gif), ("bmp", bmp), ("png", png), ("jpeg", jpeg)] {
        let (read, peak) = peak_of(|| picture_from_bytes(&file, &ReadOptions::default()));
        let error = read.unwrap_err();
        assert!(
            matches!(error, PictureError::Truncated { .. } | PictureError::TooManyPixels { .. }),
            "{name}: {error}"
        );
        assert!(peak < 1 << 20, "{name}: {peak}");
    }
}

#[test]
fn whole_pictures_take_memory_in_proportion_to_their_pixels() {
    use safelight::formats::picture::{PictureFormat, WriteOptions, encode_picture};
    let rgb = (0..2048u32 * 1024 * 3).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8);
    let picture = safelight::request::Picture::new(2048, 1024, rgb.collect::<Vec<_>>()).unwrap();
    for format in PictureFormat::ALL {
        let file = encode_picture(&picture, format, Some(&facts()), &WriteOptions::default()).unwrap();
        let (read, peak) = peak_of(|| picture_from_bytes(&file, &ReadOptions::default()).unwrap());
        assert_eq!(read.picture.width(), 2048);
        assert!(peak < 2 * (file.len() + picture.rgb().len()) + EXTRA, "{format:?}: {peak}");
    }
}

#[test]
fn latents_take_memory_in_proportion_to_their_values() {
    use safelight::formats::latent_file::{LatentFacts, read_latent, write_latent};
    use safelight::latent::{Latent, LatentShape};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.latent");
    let latent = Latent::zeros(LatentShape::new(16, 512, 512));
    write_latent(&path, &latent, &LatentFacts::default()).unwrap();
    let (read, peak) = peak_of(|| read_latent(&path).unwrap());
    assert_eq!(read.latent.shape(), latent.shape());
    // The file's bytes and the values.
    assert!(peak < 2 * latent.byte_len() + (1 << 20), "{peak}");
    // A batch of a number that the file has no values for.
    let mut lie = b"\x93NUMPY\x01\0\x76\0".to_vec();
    let header =
        "{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551615, 16, 4096, 4096), }";
    lie.extend(format!("{header:<117}\n").bytes());
    let (error, peak) = peak_of(|| latent_from_bytes(&lie).unwrap_err().to_string());
    assert!(error.contains("0 of") && peak < 1 << 16, "{error} {peak}");
}

/// Cut anywhere, a picture is an error or all of it: never grey where pixels should be.
#[test]
fn half_a_picture_is_never_taken_for_a_whole_one() {
    for name in [
        "latin1.png",
        "grey16.png",
        "palette.png",
        "comment_be.jpg",
        "progressive.jpg",
        "camera.jpg",
        "lossy.webp",
        "comment_le.webp",
        "plain.bmp",
        "plain.tiff",
        "two_frames.gif",
    ] {
        let file = fixture_bytes(name);
        let whole = picture_from_bytes(&file, &ReadOptions::default()).unwrap();
        let mut cut_off = 0;
        for len in 1..file.len() {
            match picture_from_bytes(&file[..len], &ReadOptions::default()) {
                Ok(read) => assert_eq!(read.picture, whole.picture, "{name} of {len} bytes"),
                Err(PictureError::Truncated { .. }) => cut_off += 1,
                Err(_) => {}
            }
        }
        assert!(cut_off > 0, "{name} is never called cut off");
    }
    // As a broken-off download leaves a file for which room was made.
    for name in ["latin1.png", "comment_be.jpg", "progressive.jpg"] {
        let mut file = fixture_bytes(name);
        let half = file.len() * 3 / 4;
        file[half..].fill(0);
        assert!(picture_from_bytes(&file, &ReadOptions::default()).is_err(), "{name}");
    }
}

#[test]
fn frames_that_are_not_read_are_counted() {
    let read = read_picture(&fixture("two_frames.gif"), &ReadOptions::default()).unwrap();
    assert_eq!(read.remarks, [PictureRemark::FirstOfFrames(2)]);
    let read = read_picture(&fixture("plain.tiff"), &ReadOptions::default()).unwrap();
    assert_eq!(read.remarks, []);
}

/// A file with some bytes changed, a part cut out, or its end lost.
fn damaged(names: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let damage = (
        prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        any::<prop::sample::Index>(),
        prop::option::of(0..400usize),
    );
    (prop::sample::select(names), damage).prop_map(|(name, (changes, at, cut))| {
        let mut bytes = fixture_bytes(name);
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

/// Far below what a lying header could ask for. WebP's lossy format counts a part's bytes in 24 bits, and its
/// decoder makes room for what they say: 16 MiB.
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
        // With few pixels allowed, memory shows whether the limit is looked at first.
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
        // Reading what was written of it is stable: nothing grows or moves from one field to another.
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
