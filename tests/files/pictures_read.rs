//! Pictures as other programs write them.

use std::path::Path;

use safelight::formats::metrics::psnr;
use safelight::formats::picture::{ReadOptions, picture_from_bytes, read_picture};

use crate::common::fixtures::{file, file_bytes};
use crate::common::pictures::png_with_profile;
use crate::{figures, ramp, read};

#[test]
fn every_format_gives_the_same_picture() {
    for name in
        ["latin1.png", "plain.bmp", "plain.tiff", "comment_be.webp", "two_frames.gif", "orientation_1.png"]
    {
        assert_eq!(read(name), ramp(), "{name}");
    }
    // Lossy, with chroma at half the resolution, which blurs the steps of 15 and 30 between pixels.
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
    let read = read_picture(&file("alpha.png"), &options).unwrap();
    assert!(read.had_transparency);
    // Alpha is 17 times the column: nothing of the first column, all of the last, 51/255 of column 3.
    assert_eq!(read.picture.pixel(0, 4), [0, 100, 200]);
    assert_eq!(read.picture.pixel(15, 4), ramp().pixel(15, 4));
    let expected = |color: f64, background: f64| (color * 0.2 + background * 0.8).round() as u8;
    assert_eq!(
        read.picture.pixel(3, 4),
        [expected(45.0, 0.0), expected(120.0, 100.0), expected(40.0, 200.0)]
    );
    let grey = read_picture(&file("grey_alpha.png"), &options).unwrap().picture;
    assert_eq!(grey.pixel(0, 0), [0, 100, 200]);
    assert!(grey.pixel(15, 7).iter().all(|&v| v == grey.pixel(15, 7)[0]));
    let palette = read_picture(&file("palette.png"), &options).unwrap().picture;
    assert_eq!(palette.pixel(0, 0), [0, 100, 200]);
}

#[test]
fn sixteen_bits_and_grey_become_eight_and_rgb() {
    let read = read_picture(&file("grey16.png"), &ReadOptions::default()).unwrap();
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
        // Profiles store matrices in 16 bits and curves in tables: an error of about one level.
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
    assert!(read(&file_bytes("latin1.png")[..60]).contains("cut off"));
    assert!(read(&file_bytes("progressive.jpg")[..400]).contains("cut off"));
    let missing = read_picture(Path::new("/nowhere/a.png"), &ReadOptions::default()).unwrap_err();
    assert!(missing.to_string().ends_with("a.png"));
    assert!(read_picture(&file(""), &ReadOptions::default()).is_err(), "a folder");
}
