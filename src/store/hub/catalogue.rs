//! Models that run well here, as data: `assets/models.json`.

use std::sync::LazyLock;

use super::HubError;
use super::address::{RepositoryId, RepositoryPath};
use super::choices::{ChoiceKind, choices};
use super::listing::{Listing, RemoteFile};

/// The catalogue inside the program.
static CATALOGUE: LazyLock<Result<Catalogue, String>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../assets/models.json")).map_err(|error| error.to_string())
});

/// The part of a machine's memory that a model may take: the system and other programs need the rest.
const SHARE_OF_MEMORY: f64 = 0.75;
/// Models that are offered to a newcomer.
const OFFERED: usize = 3;

/// Models and their files.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// The version of the format.
    pub version: u32,
    /// What the figures mean.
    pub about: String,
    /// Files, each once, though several models may use it.
    pub files: Vec<CatalogueFile>,
    /// Models, the preferred first.
    pub models: Vec<CatalogueModel>,
    /// Small decoders for previews.
    pub tiny_decoders: Vec<TinyDecoder>,
}

/// A file of the catalogue.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogueFile {
    /// Its name in the catalogue.
    pub id: String,
    /// The repository.
    pub repository: RepositoryId,
    /// Its path; of a folder, the list of its parts.
    pub path: RepositoryPath,
    /// What it is.
    pub part: PartKind,
    /// The format of a folder's weights.
    pub variant: Option<String>,
    /// Its approximate size, 10⁶ bytes.
    pub megabytes: u64,
    /// Its licence.
    pub licence: CatalogueLicence,
}

/// A licence and where it can be read.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogueLicence {
    /// Its name.
    pub name: String,
    /// Its address.
    pub link: String,
}

/// What a file of the catalogue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartKind {
    /// A whole model in one file.
    Model,
    /// A whole model in diffusers' layout.
    Folder,
    /// A UNet or transformer.
    DiffusionModel,
    /// The first text encoder.
    TextEncoder,
    /// The second text encoder.
    #[serde(rename = "text_encoder_2")]
    TextEncoder2,
    /// An autoencoder.
    Vae,
    /// A small decoder for previews.
    TinyDecoder,
}

/// A file of a model, perhaps as another part than the file is by itself.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileUse {
    /// The name of the file in the catalogue.
    pub file: String,
    /// The part, if the model uses the file as another.
    pub part: Option<PartKind>,
}

/// A model of the catalogue.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogueModel {
    /// Its name on the command line.
    pub id: String,
    /// The name shown.
    pub name: String,
    /// The family, as a model's profile names it.
    pub family: String,
    /// Its files.
    pub files: Vec<FileUse>,
    /// The licence of the model.
    pub licence: CatalogueLicence,
    /// A rough need of memory, 10⁹ bytes.
    pub memory_gigabytes: u64,
    /// Settings that suit it.
    pub defaults: CatalogueDefaults,
    /// What it is good for.
    pub about: Sentences,
}

/// Settings that suit a model.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogueDefaults {
    /// Pixels.
    pub width: usize,
    /// Pixels.
    pub height: usize,
    /// Sampling steps.
    pub steps: usize,
    /// The guidance scale; 1 is off.
    pub guidance_scale: f64,
}

/// A sentence in the languages of the window.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sentences {
    /// English.
    pub en: String,
    /// Korean.
    pub ko: String,
}

/// A small decoder for previews.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TinyDecoder {
    /// Its name on the command line.
    pub id: String,
    /// The name shown.
    pub name: String,
    /// The families whose latents it decodes.
    pub families: Vec<String>,
    /// The name of the file in the catalogue.
    pub file: String,
    /// What it is good for.
    pub about: Sentences,
}

/// What of the catalogue a name stands for.
#[derive(Clone, Debug)]
pub struct CatalogueEntry<'a> {
    /// The name shown.
    pub name: &'a str,
    /// What it is good for.
    pub about: &'a Sentences,
    /// Its licence.
    pub licence: &'a CatalogueLicence,
    /// Its files.
    pub files: Vec<&'a CatalogueFile>,
}

impl Catalogue {
    /// The catalogue inside the program.
    ///
    /// # Panics
    /// Never in a tested program: a test reads the file.
    pub fn of_program() -> &'static Self {
        match &*CATALOGUE {
            Ok(catalogue) => catalogue,
            Err(error) => panic!("the catalogue inside the program is damaged: {error}"),
        }
    }

    /// The file with this name.
    pub fn file(&self, id: &str) -> Option<&CatalogueFile> {
        self.files.iter().find(|file| file.id == id)
    }

    /// The files of a model.
    pub fn files_of<'a>(&'a self, model: &'a CatalogueModel) -> impl Iterator<Item = &'a CatalogueFile> {
        model.files.iter().filter_map(|used| self.file(&used.file))
    }

    /// The approximate size of a model's files, bytes.
    pub fn size_of(&self, model: &CatalogueModel) -> u64 {
        self.files_of(model).map(|file| file.megabytes * 1_000_000).sum()
    }

    /// The model or small decoder with this name, in capital letters or not, or its name as shown.
    pub fn find(&self, name: &str) -> Option<CatalogueEntry<'_>> {
        let is_name =
            |id: &str, shown: &str| id.eq_ignore_ascii_case(name) || shown.eq_ignore_ascii_case(name);
        if let Some(model) = self.models.iter().find(|model| is_name(&model.id, &model.name)) {
            return Some(CatalogueEntry {
                name: &model.name,
                about: &model.about,
                licence: &model.licence,
                files: self.files_of(model).collect(),
            });
        }
        let decoder = self.tiny_decoders.iter().find(|decoder| is_name(&decoder.id, &decoder.name))?;
        let file = self.file(&decoder.file)?;
        Some(CatalogueEntry {
            name: &decoder.name,
            about: &decoder.about,
            licence: &file.licence,
            files: vec![file],
        })
    }

    /// The models that suit a machine best, one of each family: the preferred of those that fit into its memory.
    /// `memory`: the machine's main memory, bytes.
    pub fn offers(&self, memory: u64) -> Vec<&CatalogueModel> {
        let usable = memory as f64 * SHARE_OF_MEMORY;
        let mut offered: Vec<&CatalogueModel> = Vec::new();
        for model in &self.models {
            let fits = model.memory_gigabytes as f64 * 1e9 <= usable;
            if fits && offered.iter().all(|other| other.family != model.family) {
                offered.push(model);
            }
        }
        offered.truncate(OFFERED);
        offered
    }
}

impl CatalogueFile {
    /// The files that the hub lists for it: one, or those of a folder.
    ///
    /// # Errors
    /// [`HubError::NotFound`] if the repository has them no longer.
    pub fn listed(&self, listing: &Listing) -> Result<Vec<RemoteFile>, HubError> {
        let found = if self.part == PartKind::Folder {
            let kind = ChoiceKind::Folder(self.variant.clone());
            choices(listing).into_iter().find(|choice| choice.kind == kind).map(|choice| choice.files)
        } else {
            listing.file(&self.path).map(|file| vec![file.clone()])
        };
        found.ok_or_else(|| HubError::NotFound { address: format!("{}/{}", self.repository, self.path) })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn catalogue() -> &'static Catalogue {
        Catalogue::of_program()
    }

    #[test]
    fn every_name_is_unique_and_every_file_is_used() {
        let catalogue = catalogue();
        assert_eq!(catalogue.version, 1);
        let models = catalogue.models.iter().map(|model| &model.id);
        let names: Vec<&String> = models.chain(catalogue.tiny_decoders.iter().map(|tiny| &tiny.id)).collect();
        let unique: BTreeSet<_> = names.iter().map(|name| name.to_lowercase()).collect();
        assert_eq!(unique.len(), names.len());
        let used: BTreeSet<&str> = (catalogue.models.iter().flat_map(|model| &model.files))
            .map(|used| used.file.as_str())
            .chain(catalogue.tiny_decoders.iter().map(|tiny| tiny.file.as_str()))
            .collect();
        let ids: BTreeSet<&str> = catalogue.files.iter().map(|file| file.id.as_str()).collect();
        assert_eq!(used, ids);
        assert_eq!(ids.len(), catalogue.files.len());
        let places: BTreeSet<_> = catalogue.files.iter().map(|file| (&file.repository, &file.path)).collect();
        assert_eq!(places.len(), catalogue.files.len(), "a file stands in the catalogue once");
    }

    #[test]
    fn every_model_is_whole_and_has_sensible_figures() {
        for model in &catalogue().models {
            let parts: Vec<PartKind> = (model.files.iter())
                .map(|used| used.part.unwrap_or(catalogue().file(&used.file).unwrap().part))
                .collect();
            let unique: BTreeSet<_> = parts.iter().map(|part| *part as u8).collect();
            assert_eq!(unique.len(), parts.len(), "{}", model.id);
            let is_whole = matches!(parts[..], [PartKind::Model | PartKind::Folder])
                || [PartKind::DiffusionModel, PartKind::TextEncoder, PartKind::Vae]
                    .iter()
                    .all(|needed| parts.contains(needed));
            assert!(is_whole, "{}: {parts:?}", model.id);
            let largest = catalogue().files_of(model).map(|file| file.megabytes).max().unwrap();
            assert!(model.memory_gigabytes * 1000 > largest, "{}", model.id);
            let defaults = &model.defaults;
            assert!(defaults.width % 64 == 0 && defaults.height % 64 == 0, "{}", model.id);
            assert!((1..=50).contains(&defaults.steps) && defaults.guidance_scale >= 1.0, "{}", model.id);
            for sentence in [&model.about.en, &model.about.ko] {
                assert!(sentence.ends_with('.') && sentence.chars().count() < 110, "{sentence}");
            }
        }
    }

    #[test]
    fn every_licence_can_be_read() {
        let of_models = catalogue().models.iter().map(|model| &model.licence);
        for licence in of_models.chain(catalogue().files.iter().map(|file| &file.licence)) {
            assert!(licence.link.starts_with("https://") && !licence.name.is_empty());
        }
    }

    #[test]
    fn the_offers_fit_the_machine() {
        let offers = |gigabytes: u64| -> Vec<&str> {
            catalogue().offers(gigabytes * 1_000_000_000).iter().map(|model| model.id.as_str()).collect()
        };
        assert_eq!(offers(8), ["flux2-klein-4b-q4", "sd-turbo", "sd15"]);
        assert_eq!(offers(16), ["z-image-turbo-q8", "flux2-klein-4b-q8", "sdxl-lightning"]);
        assert_eq!(offers(64), ["z-image-turbo-q8", "flux2-klein-4b-q8", "flux1-schnell-q8"]);
        assert!(offers(2).is_empty());
    }

    #[test]
    fn a_model_is_found_by_its_name() {
        let entry = catalogue().find("SD15").unwrap();
        assert_eq!((entry.name, entry.files.len()), ("Stable Diffusion 1.5", 1));
        assert_eq!(catalogue().find("z-image turbo (4 bits)").unwrap().files.len(), 3);
        assert_eq!(catalogue().find("taesd").unwrap().files[0].part, PartKind::TinyDecoder);
        assert!(catalogue().find("stabilityai/sd-turbo").is_none());
    }
}
