//! A tiny decoder in diffusers' layout (`decoder.layers.N`), or in the original one: a list of layers that begins with
//! the clamp, so that its numbers are greater by one.

use super::{Names, Origin};
use crate::weights::TensorSource;

/// The beginnings of the layers' names, and the number of the first convolution.
const LAYOUTS: [(&str, usize); 3] = [("decoder.layers.", 0), ("decoder.", 1), ("", 1)];

/// The tensors of the decoder by diffusers' names; `None` if the file holds none.
pub(in super::super) fn tiny_decoder_names(source: &dyn TensorSource) -> Option<Names> {
    let is = |name: String| source.info(&name).is_some();
    let (prefix, first) = LAYOUTS.iter().find(|(prefix, first)| {
        is(format!("{prefix}{first}.weight")) && is(format!("{prefix}{}.conv.0.weight", first + 2))
    })?;
    let name = |original: &str| {
        let (number, rest) = original.strip_prefix(prefix)?.split_once('.')?;
        let number = number.parse::<usize>().ok()?.checked_sub(*first)?;
        Some((format!("decoder.layers.{number}.{rest}"), Origin::whole(original)))
    };
    Some(source.names().into_iter().filter_map(name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::{StoredTensor, TensorMap};

    #[test]
    fn both_layouts_have_one_name() {
        for (names, wanted) in [
            (["decoder.layers.0.weight", "decoder.layers.2.conv.0.weight"], true),
            (["decoder.1.weight", "decoder.3.conv.0.weight"], true),
            (["1.weight", "3.conv.0.weight"], true),
            (["0.weight", "1.conv.0.weight"], false),
            (["encoder.layers.0.weight", "encoder.layers.1.conv.0.weight"], false),
        ] {
            let mut source = TensorMap::default();
            for name in names {
                source.insert(name, StoredTensor::from_f32(&[1], &[0.0]));
            }
            let found = tiny_decoder_names(&source);
            let found = found.map(|found| found.into_keys().collect::<Vec<_>>());
            let all = ["decoder.layers.0.weight", "decoder.layers.2.conv.0.weight"].map(str::to_owned);
            assert_eq!(found, wanted.then(|| all.to_vec()), "{names:?}");
        }
    }
}
