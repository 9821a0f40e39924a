//! The catalogue beside what the program knows.

use std::collections::BTreeSet;
use std::path::Path;

use safelight::catalog::ModelSource;
use safelight::models;
use safelight::store::hub::Catalogue;

/// The names of families as the profiles of the small models in the fixtures give them.
fn families() -> BTreeSet<&'static str> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    ["sd1", "sd2", "sdxl", "sd3", "flux", "flux2", "flux3", "chroma", "z_image"]
        .into_iter()
        .map(|name| models::profile(&ModelSource::Folder(fixtures.join(name))).unwrap().family)
        .collect()
}

#[test]
fn every_family_of_the_catalogue_is_one_that_opens() {
    let (catalogue, families) = (Catalogue::of_program(), families());
    let of_models = catalogue.models.iter().map(|model| &model.family);
    for family in of_models.chain(catalogue.tiny_decoders.iter().flat_map(|decoder| &decoder.families)) {
        assert!(families.contains(family.as_str()), "{family} is none of {families:?}");
    }
}
