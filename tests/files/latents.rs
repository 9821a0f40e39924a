//! Latent files of other programs and of this one.

use safelight::content::Content;
use safelight::formats::latent_file::{
    LatentFacts, LatentFileError, LatentQuantity, latent_from_bytes, read_latent, write_channel_npy,
    write_latent, write_npy,
};
use safelight::formats::picture::write_channel_png16;
use safelight::latent::{LatentShape, LatentSpace};
use safelight::request::Seed;

use crate::common::fixtures::{file, file_bytes};
use crate::common::pictures::facts;
use crate::latent;

#[test]
fn latents_of_other_programs_are_read() {
    let comfy = read_latent(&file("comfy.latent")).unwrap();
    assert_eq!((&comfy.latent, comfy.space), (&latent(), Some(LatentSpace::Vae)));
    assert_eq!(comfy.facts.generation.and_then(|facts| facts.seed), Some(Seed(31)));
    let old = read_latent(&file("comfy_old.latent")).unwrap();
    assert_eq!(old.space, Some(LatentSpace::Vae));
    // Two roundings of f32 at values below 4.
    assert!(old.latent.values().iter().zip(latent().values()).all(|(a, b)| (a - b).abs() < 1e-6));
    let batch = read_latent(&file("batch_f16.safetensors")).unwrap();
    assert_eq!((&batch.latent, batch.space, batch.count()), (&latent(), None, 2));
    assert_eq!(batch.latents().nth(1), Some(&latent().map(|_, v| -v)));
    for name in ["single_bf16.safetensors", "latent_f16.npy", "latent_f32.npy", "latent_f64.npy"] {
        let read = read_latent(&file(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!((&read.latent, read.space, read.count()), (&latent(), None, 1), "{name}");
    }
}

#[test]
fn a_file_without_a_latent_says_what_it_holds() {
    let reason = |name: &str| read_latent(&file(name)).unwrap_err().to_string();
    assert!(reason("two_tensors.safetensors").contains("a [4, 4, 8], b [4, 4, 8]"));
    assert!(reason("fortran.npy").contains("ascontiguousarray"));
    assert!(reason("integers.npy").contains("<i4"));
    assert!(reason("pickled.npy").contains("|O") || reason("pickled.npy").contains("dimensions"));
    assert!(reason("latin1.png").contains("a PNG picture"));
    let reason = |bytes: &[u8]| latent_from_bytes(bytes).unwrap_err().to_string();
    assert!(reason(b"version https://git-lfs.github.com/spec/v1\n").contains("git lfs pull"));
    let npy = file_bytes("latent_f32.npy");
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
    // The same bytes as numpy's, except for the leading dimension.
    let (ours, numpys) = (std::fs::read(&path).unwrap(), file_bytes("latent_f32.npy"));
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
