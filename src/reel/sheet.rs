//! All steps of a run on one picture.

use super::development::{Development, PreviewProjection, Still};
use super::options::Shown;
use crate::formats::metadata::GenerationFacts;
use crate::formats::{SheetError, SheetStep, step_sheet};
use crate::request::Picture;

/// Draws every step with its number and noise level, and at the end the picture. `watch` is called after each, and ends it
/// with an error.
pub(super) fn sheet<E: From<SheetError>>(
    development: &Development,
    shown: Shown,
    size: [usize; 2],
    projection: &PreviewProjection,
    mut watch: impl FnMut() -> Result<(), E>,
) -> Result<Picture, E> {
    let mut cells = Vec::new();
    for (at, still) in development.stills(shown).iter().enumerate() {
        let bytes = still.seen(projection, size).bytes();
        let picture = Picture::new(size[0], size[1], bytes).unwrap_or_else(|error| unreachable!("{error}"));
        let (name, detail) = match (development.steps.get(at), still) {
            (Some(step), _) => (format!("{} / {}", step.step, step.steps), format!("σ {:.3}", step.sigma)),
            (None, Still::Picture(_)) => ("picture".to_owned(), String::new()),
            (None, Still::Latent(_)) => ("final latent".to_owned(), String::new()),
        };
        cells.push(SheetStep { picture, name, detail });
        watch()?;
    }
    let facts = development.facts.as_ref();
    let title = facts.and_then(|facts| facts.prompt.clone()).unwrap_or_default().replace('\n', " ");
    Ok(step_sheet(&cells, &title, &facts.map(GenerationFacts::in_one_line).unwrap_or_default())?)
}
