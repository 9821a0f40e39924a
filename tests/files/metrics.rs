//! Picture metrics compared with scikit-image.

use safelight::formats::metrics::{error_map, jpeg_of_size, psnr, ssim};
use safelight::formats::picture::{PictureFormat, WriteOptions, encode_picture};

use crate::{figures, ramp, read};

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
