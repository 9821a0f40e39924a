//! The pictures in `tests/fixtures/clip` and `tests/fixtures/blip`.

use safelight::request::Picture;

use super::fixtures::fixture;

/// The pictures of the recorded figures of a folder of `tests/fixtures`.
pub(crate) fn recorded_pictures(folder: &str) -> Vec<Picture> {
    let bytes = std::fs::read(fixture(folder).join("expected.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let picture = |i: usize| {
        let view = file.tensor(&format!("picture.{i}")).ok()?;
        let [height, width, _] = view.shape()[..] else { panic!("{:?}", view.shape()) };
        Some(Picture::new(width, height, view.data().to_vec()).unwrap())
    };
    (0..).map_while(picture).collect()
}
