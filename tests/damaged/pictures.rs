//! Pictures that are damaged, cut off, or only read in part.

use safelight::formats::picture::{
    PictureError, PictureRemark, ReadOptions, picture_from_bytes, read_picture,
};

use crate::common::fixtures::{file, file_bytes};

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

/// A picture truncated anywhere is an error or complete, never partly grey.
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
        let file = file_bytes(name);
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
    // As an interrupted download leaves a preallocated file.
    for name in ["latin1.png", "comment_be.jpg", "progressive.jpg"] {
        let mut file = file_bytes(name);
        let half = file.len() * 3 / 4;
        file[half..].fill(0);
        assert!(picture_from_bytes(&file, &ReadOptions::default()).is_err(), "{name}");
    }
}

#[test]
fn frames_that_are_not_read_are_counted() {
    let read = read_picture(&file("two_frames.gif"), &ReadOptions::default()).unwrap();
    assert_eq!(read.remarks, [PictureRemark::FirstOfFrames(2)]);
    let read = read_picture(&file("plain.tiff"), &ReadOptions::default()).unwrap();
    assert_eq!(read.remarks, []);
}
