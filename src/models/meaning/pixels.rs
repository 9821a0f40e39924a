//! Pictures as such networks take them: transformers' `CLIPImageProcessor`, `BlipImageProcessor` and
//! `SiglipImageProcessor` with Pillow.

use super::scaling::{ScalingFilter, scaled};
use crate::content::json::Json;
use crate::models::ModelError;
use crate::networks::NetworkError;
use crate::request::Picture;
use crate::store::ModelFiles;

/// The file of the rules; a model without it has the usual ones.
const FILE: &str = "preprocessor_config.json";
/// The means and deviations of CLIP's training pictures.
const MEAN: [f32; 3] = [0.48145466, 0.4578275, 0.40821073];
const DEVIATION: [f32; 3] = [0.26862954, 0.261_302_6, 0.275_777_1];
/// Those of SigLIP's.
const HALF: [f32; 3] = [0.5; 3];
/// The longest edge of a scaled picture before it is cropped, in edges of the crop: a picture of one row of pixels
/// would become as long as it is high.
const MAX_ASPECT: usize = 64;

/// How a picture is scaled, cropped and normalised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PixelRules {
    /// The edge of the result, pixels.
    pub edge: usize,
    /// The edge to which the shorter one is scaled before the middle is cropped; `None` scales to the result's size.
    pub shortest: Option<usize>,
    /// How it is scaled.
    pub filter: ScalingFilter,
    /// The mean of each colour, 0..=1.
    pub mean: [f32; 3],
    /// The deviation of each colour.
    pub deviation: [f32; 3],
}

impl PixelRules {
    /// The usual rules of CLIP for pictures of this edge.
    pub const fn of_clip(edge: usize) -> Self {
        let filter = ScalingFilter::Bicubic;
        Self { edge, shortest: Some(edge), filter, mean: MEAN, deviation: DEVIATION }
    }

    /// Those of BLIP, which scales without regard to the picture's shape.
    pub const fn of_blip(edge: usize) -> Self {
        Self { shortest: None, ..Self::of_clip(edge) }
    }

    /// Those of SigLIP, which does so, too.
    pub const fn of_siglip(edge: usize) -> Self {
        Self { mean: HALF, deviation: HALF, ..Self::of_blip(edge) }
    }

    /// The rules of a model, which are these where its files say nothing else.
    ///
    /// # Errors
    /// For a damaged file, and for rules of another kind.
    pub fn read(self, files: &ModelFiles) -> Result<Self, ModelError> {
        let (usual, edge) = (self, self.edge);
        if !files.contains(FILE) {
            return Ok(usual);
        }
        let document = files.document(FILE)?;
        let refuse = |key: &'static str, value: String, supported: &'static str| {
            Err(ModelError::Part {
                part: "picture preparation",
                cause: NetworkError::Unsupported { key, value, supported },
            })
        };
        let filter = match document.get("resample").and_then(number) {
            None => usual.filter,
            Some(2.0) => ScalingFilter::Bilinear,
            Some(3.0) => ScalingFilter::Bicubic,
            Some(other) => return refuse("resample", other.to_string(), "2 (bilinear) and 3 (bicubic)"),
        };
        let shortest = match document.get("size") {
            Some(size @ Json::Object(_)) => {
                let [width, height] = ["width", "height"].map(|side| size.get(side).and_then(edge_of));
                if let Some((width, height)) = width.zip(height)
                    && (width, height) != (edge, edge)
                {
                    return refuse("size", format!("{width} × {height}"), "the model's image_size for both");
                }
                size.get("shortest_edge").and_then(edge_of)
            }
            Some(size) => edge_of(size),
            None => usual.shortest,
        };
        if let Some(shortest) = shortest
            && (shortest < edge || shortest > edge * 4)
        {
            return refuse("size", shortest.to_string(), "the model's image_size or up to four times that");
        }
        let mean = colours(document.get("image_mean")).unwrap_or(usual.mean);
        let deviation = colours(document.get("image_std")).unwrap_or(usual.deviation);
        if deviation.iter().any(|deviation| !deviation.is_normal()) {
            return refuse("image_std", format!("{deviation:?}"), "numbers other than 0");
        }
        Ok(Self { edge, shortest, filter, mean, deviation })
    }

    /// The picture as the network takes it, `[3, S, S]`.
    pub fn prepare(&self, picture: &Picture) -> Vec<f32> {
        let edge = self.edge;
        let (picture, left, top) = match self.shortest {
            None => (scaled(picture, edge, edge, self.filter), 0, 0),
            Some(shortest) => {
                let part = bounded(picture);
                let (width, height) = (part.width(), part.height());
                let longer = |long: usize, short: usize| shortest * long / short;
                let (width, height) = if width <= height {
                    (shortest, longer(height, width))
                } else {
                    (longer(width, height), shortest)
                };
                (scaled(&part, width, height, self.filter), (width - edge) / 2, (height - edge) / 2)
            }
        };
        let mut values = vec![0.0; 3 * edge * edge];
        for (channel, plane) in values.chunks_exact_mut(edge * edge).enumerate() {
            for (y, row) in plane.chunks_exact_mut(edge).enumerate() {
                for (x, value) in row.iter_mut().enumerate() {
                    let byte = picture.pixel(left + x, top + y)[channel];
                    *value = (f32::from(byte) / 255.0 - self.mean[channel]) / self.deviation[channel];
                }
            }
        }
        values
    }
}

/// The middle of a picture that is much longer than wide: the rest is cropped away.
fn bounded(picture: &Picture) -> Picture {
    let (width, height) = (picture.width(), picture.height());
    let longest = width.min(height) * MAX_ASPECT;
    if width.max(height) <= longest {
        return picture.clone();
    }
    let (to_width, to_height) = (width.min(longest), height.min(longest));
    let (left, top) = ((width - to_width) / 2, (height - to_height) / 2);
    let rows = (top..top + to_height)
        .flat_map(|y| picture.rgb()[(y * width + left) * 3..][..to_width * 3].iter().copied());
    Picture::new(to_width, to_height, rows.collect::<Vec<u8>>()).expect("every pixel was filled")
}

fn number(value: &Json) -> Option<f64> {
    match value {
        Json::Unsigned(number) => Some(*number as f64),
        Json::Signed(number) => Some(*number as f64),
        Json::Float(number) => Some(*number),
        _ => None,
    }
}

fn edge_of(value: &Json) -> Option<usize> {
    number(value).filter(|edge| (1.0..=1e6).contains(edge)).map(|edge| edge as usize)
}

fn colours(value: Option<&Json>) -> Option<[f32; 3]> {
    let Json::List(values) = value? else { return None };
    let numbers: Vec<f32> = values.iter().filter_map(number).map(|number| number as f32).collect();
    numbers.try_into().ok()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::models::meaning::scaling::tests::grey;

    #[test]
    fn a_picture_of_one_row_is_cropped_before_it_is_scaled() {
        let rules = PixelRules { mean: [0.0; 3], deviation: [1.0; 3], ..PixelRules::of_clip(32) };
        let line = grey(20_000, 1, |x, _| if (9_900..10_100).contains(&x) { 255 } else { 0 });
        let values = rules.prepare(&line);
        assert!(values.iter().all(|value| *value == 1.0), "the middle is white");
    }

    #[test]
    fn rules_are_read_and_other_ones_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let read = |text: &str| {
            std::fs::write(folder.path().join(FILE), text).unwrap();
            PixelRules::of_clip(32)
                .read(&ModelFiles::of_network(folder.path()))
                .map_err(|error| error.to_string())
        };
        let older = read(r#"{"size": 40, "crop_size": 32, "image_mean": [0.5, 0.5, 0.5]}"#).unwrap();
        assert_eq!((older.shortest, older.mean, older.deviation), (Some(40), [0.5; 3], DEVIATION));
        assert_eq!(read(r#"{"size": {"height": 32, "width": 32}}"#).unwrap().shortest, None);
        assert_eq!(read(r#"{"resample": 2}"#).unwrap().filter, ScalingFilter::Bilinear);
        assert!(read(r#"{"resample": 0}"#).unwrap_err().contains("‘resample’ is 0"));
        let other = read(r#"{"size": {"height": 32, "width": 48}}"#).unwrap_err();
        assert!(other.contains("‘size’ is 48 × 32"), "{other}");
        assert!(read(r#"{"image_std": [0, 1, 1]}"#).unwrap_err().contains("‘image_std’"));
        assert!(read(r#"{"size": 8}"#).unwrap_err().contains("‘size’ is 8"));
        assert!(read("<html>").unwrap_err().contains("a web page"));
        let none = ModelFiles::of_network(Path::new("/there/is/none"));
        let siglip = PixelRules::of_siglip(32).read(&none).unwrap();
        assert_eq!((siglip.shortest, siglip.mean, siglip.deviation), (None, [0.5; 3], [0.5; 3]));
    }
}
