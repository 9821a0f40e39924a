//! Memory in proportion to the file: the sizes it claims are checked before anything is allocated.

use safelight::formats::ReadFileError;
use safelight::formats::latent_file::latent_from_bytes;
use safelight::formats::metadata::facts_from_bytes;
use safelight::formats::picture::{
    PictureError, PictureRemark, ReadOptions, picture_from_bytes, read_picture,
};

use crate::allocation::{LARGEST, peak_of};
use crate::common::fixtures::{file, file_bytes};
use crate::common::pictures::{facts, png_with_profile};

#[test]
fn a_decompression_bomb_is_refused_before_memory_is_taken() {
    // A header that claims 60 000 × 60 000 pixels, with a valid checksum, and almost no data.
    let mut png = Vec::new();
    let encoder = png::Encoder::new(&mut png, 60_000, 60_000);
    drop(encoder.write_header().unwrap());
    // The writer has added the end chunk; it is replaced with one of pixels.
    png.truncate(33);
    png.extend(*b"\0\0\0\x04IDAT\x78\x9c\x03\0\0\0\0\0");
    LARGEST.set(0);
    let error = picture_from_bytes(&png, &ReadOptions::default()).unwrap_err();
    assert!(matches!(error, PictureError::TooManyPixels { width: 60_000, height: 60_000, .. }), "{error}");
    assert!(LARGEST.get() < 1 << 20, "{}", LARGEST.get());
    let options = ReadOptions { max_file_bytes: 100, ..ReadOptions::default() };
    let error = read_picture(&file("latin1.png"), &options).unwrap_err();
    assert!(matches!(error, PictureError::File(ReadFileError::TooManyBytes { limit: 100, .. })));
}

#[test]
fn a_webp_frame_larger_than_its_picture_is_refused_before_memory_is_taken() {
    // The lossy file is `RIFF`, length, `WEBP` and one chunk, whose frame has its size at byte 6.
    let mut frame = file_bytes("lossy.webp").split_off(12);
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
    let bytes = file_bytes("text_bomb.png");
    LARGEST.set(0);
    assert_eq!(facts_from_bytes(&bytes), None);
    // The limit of a text is 1 MiB; the inflater doubles its buffer up to it.
    assert!(LARGEST.get() <= 4 << 20, "{}", LARGEST.get());
    let read = picture_from_bytes(&bytes, &ReadOptions::default()).unwrap();
    assert_eq!((read.picture.width(), read.facts), (16, None));
}

/// Memory that a file may take in addition to its pixels, bytes.
const EXTRA: usize = 64 << 20;

#[test]
fn profiles_and_texts_that_inflate_cost_no_more_than_they_may() {
    // 100 MB of zeros, compressed to a profile of about 100 KB.
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
    // A canvas of 16×8 and a frame of 16 384 × 8192 pixels, below the limit, with only 60 bytes of data.
    let mut webp =
        b"RIFF\x84\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0\x0f\0\0\x07\0\0ANIM\x06\0\0\0\0\0\0\0\0\0".to_vec();
    webp.extend(b"ANMF\xff\xff\x10\0\0\0\0\0\0\0\xff\x1f\0\xff\x1f\0\0\0\0\0VP8 \xff\xff\0\0\x30\x01\0\x9d\x01\x2a\xff\x1f\xff\x1f");
    webp.extend([0x55; 60]);
    // A GIF whose frame is larger than its screen.
    let gif = b"GIF89a\x01\0\x01\0\0\0\0\x2c\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x44\x01\0\x3b".to_vec();
    // A bitmap and a PNG of 8000 × 8000 pixels with only some bytes of data.
    let mut bmp = file_bytes("plain.bmp");
    bmp[18..26].copy_from_slice(&[0x40, 0x1f, 0, 0, 0x40, 0x1f, 0, 0]);
    let mut png = Vec::new();
    drop(png::Encoder::new(&mut png, 8000, 8000).write_header().unwrap());
    png.truncate(33);
    png.extend(*b"\0\0\0\x04IDAT\x78\x9c\x03\0\0\0\0\0");
    // A JPEG that claims 8000 × 8000 pixels; its start of frame follows its tables.
    let mut jpeg = file_bytes("camera.jpg");
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
    // The bytes of the file and the values.
    assert!(peak < 2 * latent.byte_len() + (1 << 20), "{peak}");
    // A batch size that is much larger than the file.
    let mut lie = b"\x93NUMPY\x01\0\x76\0".to_vec();
    let header =
        "{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551615, 16, 4096, 4096), }";
    lie.extend(format!("{header:<117}\n").bytes());
    let (error, peak) = peak_of(|| latent_from_bytes(&lie).unwrap_err().to_string());
    assert!(error.contains("0 of") && peak < 1 << 16, "{error} {peak}");
}
