//! Skip-layer guidance (Stability AI 2024, with Stable Diffusion 3.5): a prediction without some layers, from which the
//! guided one is led away.

use std::fmt;
use std::str::FromStr;

/// Indices of layers, from 0 to 63.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LayerSet(u64);

impl LayerSet {
    /// One more than the largest index.
    pub const CAPACITY: usize = 64;

    /// Whether this layer is in the set.
    pub fn contains(self, layer: usize) -> bool {
        layer < Self::CAPACITY && self.0 >> layer & 1 == 1
    }

    /// Whether there is no layer in the set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The layers, from the first.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..Self::CAPACITY).filter(move |layer| self.contains(*layer))
    }

    /// Layers as they are typed: numbers between commas or spaces.
    ///
    /// # Errors
    /// A sentence for a text that is not a list of layers.
    pub fn of_typed(typed: &str) -> Result<Self, String> {
        let words = typed.split([',', ' ', ';']).filter(|word| !word.is_empty());
        let mut set = Self::default();
        for word in words {
            let layer = word.parse::<usize>().ok().filter(|layer| *layer < Self::CAPACITY);
            let layer = layer.ok_or_else(|| format!("‘{word}’ is not a layer: use numbers such as 7,8,9"))?;
            set.0 |= 1 << layer;
        }
        if set.is_empty() { Err("use numbers of layers such as 7,8,9".to_owned()) } else { Ok(set) }
    }
}

/// Skip-layer guidance of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SkipLayers {
    /// The layers that the further prediction skips.
    pub layers: LayerSet,
    /// How far the guided prediction is led away from it.
    pub scale: f64,
    /// Where in the run it begins, 0..=1: after this fraction of the steps.
    pub start: f64,
    /// Where it ends.
    pub end: f64,
}

impl SkipLayers {
    /// These layers with the values of diffusers' pipeline.
    pub const fn new(layers: LayerSet) -> Self {
        Self { layers, scale: 2.8, start: 0.01, end: 0.2 }
    }

    /// Whether it applies at step `index`, counted from 0, of a run of `steps` steps.
    pub fn is_on(&self, index: usize, steps: usize) -> bool {
        let (index, steps) = (index as f64, steps as f64);
        index > steps * self.start && index < steps * self.end
    }
}

impl fmt::Display for SkipLayers {
    /// Layers, scale, beginning and end: `7 8 9 x 2.8 0.01-0.2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for layer in self.layers.iter() {
            write!(f, "{layer} ")?;
        }
        write!(f, "x {} {}-{}", self.scale, self.start, self.end)
    }
}

impl FromStr for SkipLayers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = || {
            let (layers, rest) = text.split_once('x')?;
            let (scale, range) = rest.trim().split_once(' ')?;
            let (start, end) = range.split_once('-')?;
            let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
            let layers = LayerSet::of_typed(layers).ok()?;
            Some(Self { layers, scale: number(scale)?, start: number(start)?, end: number(end)? })
        };
        parsed().ok_or_else(|| format!("‘{text}’ is not like ‘7 8 9 x 2.8 0.01-0.2’"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_parsed_or_refused() {
        let set = LayerSet::of_typed("7, 8 9").unwrap();
        assert_eq!(set.iter().collect::<Vec<_>>(), [7, 8, 9]);
        assert!(!set.contains(6) && !set.contains(64 + 7));
        for wrong in ["", ",", "x", "64", "-1"] {
            assert!(LayerSet::of_typed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn it_is_on_for_a_part_of_the_run() {
        let skip = SkipLayers::new(LayerSet(1));
        let on: Vec<usize> = (0..28).filter(|index| skip.is_on(*index, 28)).collect();
        assert_eq!(on, [1, 2, 3, 4, 5]);
    }

    #[test]
    fn it_comes_back_from_its_text() {
        let skip = SkipLayers { scale: 1.7, ..SkipLayers::new(LayerSet::of_typed("7,8,9").unwrap()) };
        assert_eq!(skip.to_string(), "7 8 9 x 1.7 0.01-0.2");
        assert_eq!(skip.to_string().parse(), Ok(skip));
        for wrong in ["", "7", "7 x 2", "7 x nan 0-1", "x 1 0-1"] {
            assert!(wrong.parse::<SkipLayers>().is_err(), "{wrong}");
        }
    }
}
