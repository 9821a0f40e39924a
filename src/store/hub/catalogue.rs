//! Models that run well here, as data: `assets/models.json`.

use std::sync::LazyLock;

use super::HubError;
use super::address::{RepositoryId, RepositoryPath};
use super::choices::{ChoiceKind, choices};
use super::environment::PUBLIC_HUB;
use super::listing::{Listing, RemoteFile};
use crate::store::layout::{PartNeed, PartOffer};

/// The catalogue inside the program.
static CATALOGUE: LazyLock<Result<Catalogue, String>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../assets/models.json")).map_err(|error| error.to_string())
});

/// The part of a machine's memory that a model may take: the system and other programs need the rest.
const SHARE_OF_MEMORY: f64 = 0.75;
/// What lies beside the weights of a network in transformers' layout and belongs to it.
const BESIDE_NETWORK: [&str; 3] = ["config.json", "preprocessor_config.json", "tokenizer.json"];
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
    /// Models that find and describe pictures.
    pub picture_models: Vec<PictureModel>,
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
    /// What it is to a model that lacks it.
    pub offers: Option<PartOffer>,
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
    /// A network as transformers saves it: a file of weights with its configuration and its tokenizer beside it.
    Network,
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

/// A model that finds or describes pictures.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PictureModel {
    /// Its name on the command line.
    pub id: String,
    /// The name shown.
    pub name: String,
    /// The name of the file in the catalogue.
    pub file: String,
    /// What it is good for.
    pub about: Sentences,
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
        self.files_of(model).map(CatalogueFile::bytes).sum()
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
        let of_pictures =
            self.picture_models.iter().map(|model| (&model.id, &model.name, &model.about, &model.file));
        let decoders = self.tiny_decoders.iter();
        let mut others =
            of_pictures.chain(decoders.map(|tiny| (&tiny.id, &tiny.name, &tiny.about, &tiny.file)));
        let (_, name, about, file) = others.find(|(id, name, ..)| is_name(id, name))?;
        let file = self.file(file)?;
        Some(CatalogueEntry { name, about, licence: &file.licence, files: vec![file] })
    }

    /// The models that suit a machine best, one of each family: the preferred of those that fit into its memory.
    /// `memory`: the machine's main memory, bytes.
    pub fn offers(&self, memory: u64) -> Vec<&CatalogueModel> {
        let mut offered: Vec<&CatalogueModel> = Vec::new();
        for model in &self.models {
            if model.fits(memory) && offered.iter().all(|other| other.family != model.family) {
                offered.push(model);
            }
        }
        offered.truncate(OFFERED);
        offered
    }
}

impl Catalogue {
    /// The file that completes a model of this family, of those that have the part the smallest which is not below the
    /// first choice for this memory: the first that takes no more than a third of it, or the smallest.
    pub fn completing(&self, family: &str, need: &PartNeed, memory: u64) -> Option<&CatalogueFile> {
        let of_family = self.models.iter().filter(|model| model.family.starts_with(family));
        let used: Vec<&str> =
            of_family.flat_map(|model| &model.files).map(|used| used.file.as_str()).collect();
        let is_it = |file: &&CatalogueFile| {
            used.contains(&file.id.as_str()) && file.offers.is_some_and(|offer| need.fits(&offer))
        };
        let mut files: Vec<&CatalogueFile> = self.files.iter().filter(is_it).collect();
        files.sort_by_key(|file| std::cmp::Reverse(file.megabytes));
        let small = |file: &&&CatalogueFile| file.bytes().saturating_mul(3) <= memory;
        files.iter().find(small).or(files.last()).copied()
    }

    /// The file that lies in this repository or, without one, has this name.
    pub fn file_named(&self, repository: Option<&str>, file_name: &str) -> Option<&CatalogueFile> {
        let is_it = |file: &&CatalogueFile| match repository {
            Some(repository) => {
                file.repository.to_string() == repository
                    && (file.part == PartKind::Folder || file.path.file_name() == file_name)
            }
            None => file.part != PartKind::Folder && file.path.file_name() == file_name,
        };
        // A name that several have says nothing.
        let mut found = self.files.iter().filter(is_it);
        found.next().filter(|_| found.next().is_none())
    }
}

impl CatalogueModel {
    /// Whether it runs in this much main memory, bytes.
    pub fn fits(&self, memory: u64) -> bool {
        self.memory_gigabytes as f64 * 1e9 <= memory as f64 * SHARE_OF_MEMORY
    }
}

impl CatalogueFile {
    /// Its approximate size, bytes.
    pub fn bytes(&self) -> u64 {
        self.megabytes * 1_000_000
    }

    /// Its page.
    pub fn page(&self) -> String {
        format!("{PUBLIC_HUB}/{}", self.repository)
    }

    /// The files that the hub lists for it: one, or those of a folder.
    ///
    /// # Errors
    /// [`HubError::NotFound`] if the repository has them no longer.
    pub fn listed(&self, listing: &Listing) -> Result<Vec<RemoteFile>, HubError> {
        let found = if self.part == PartKind::Folder {
            let kind = ChoiceKind::Folder(self.variant.clone());
            choices(listing).into_iter().find(|choice| choice.kind == kind).map(|choice| choice.files)
        } else {
            listing.file(&self.path).map(|file| {
                // First what says what the weights are: a library that sees them knows them at once.
                let beside = listing.files.iter().filter(|other| {
                    self.part == PartKind::Network && BESIDE_NETWORK.contains(&other.path.as_str())
                });
                beside.chain([file]).cloned().collect()
            })
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
        let others = catalogue.picture_models.iter().map(|model| &model.id);
        let others = others.chain(catalogue.tiny_decoders.iter().map(|tiny| &tiny.id));
        let names: Vec<&String> = models.chain(others).collect();
        let unique: BTreeSet<_> = names.iter().map(|name| name.to_lowercase()).collect();
        assert_eq!(unique.len(), names.len());
        let used: BTreeSet<&str> = (catalogue.models.iter().flat_map(|model| &model.files))
            .map(|used| used.file.as_str())
            .chain(catalogue.picture_models.iter().map(|model| model.file.as_str()))
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
    fn a_part_that_a_model_lacks_is_known_by_its_family_kind_and_size() {
        use crate::catalog::PartRole;
        use crate::store::PartKind as Kind;
        let file = |family, role, kind, size, gigabytes: u64| {
            let need = PartNeed::of_size(role, "a part", kind, size);
            catalogue().completing(family, &need, gigabytes * 1_000_000_000).map(|file| file.id.as_str())
        };
        let [first, second] = [PartRole::TextEncoder(0), PartRole::TextEncoder(1)];
        assert_eq!(file("FLUX.1", second, Kind::T5, 4096, 32), Some("t5-xxl-q8"));
        assert_eq!(file("FLUX.1", second, Kind::T5, 4096, 8), Some("t5-xxl-q5"));
        assert_eq!(file("Chroma", first, Kind::T5, 4096, 64), Some("t5-xxl-q5"));
        assert_eq!(file("FLUX.1", first, Kind::Clip, 768, 8), Some("clip-l"));
        assert_eq!(file("Z-Image", PartRole::Vae, Kind::Vae, 16, 8), Some("flux1-vae"));
        assert_eq!(file("FLUX.2", PartRole::Vae, Kind::PatchVae, 32, 8), Some("flux2-vae"));
        assert_eq!(file("FLUX.2", first, Kind::Qwen3, 2560, 8), Some("qwen3-4b-q4"));
        assert_eq!(file("FLUX.2", first, Kind::Qwen3, 4096, 8), None, "klein 9B takes a larger one");
        assert_eq!(file("Stable Diffusion 3", PartRole::Vae, Kind::Vae, 16, 8), None, "its VAE is another");
    }

    #[test]
    fn a_file_on_the_disk_is_known_by_its_repository_or_its_name() {
        let id = |repository, name| catalogue().file_named(repository, name).map(|file| file.id.as_str());
        assert_eq!(id(Some("stabilityai/sd-turbo"), "anything"), Some("sd-turbo"));
        assert_eq!(
            id(Some("city96/FLUX.1-schnell-gguf"), "flux1-schnell-Q8_0.gguf"),
            Some("flux1-schnell-q8")
        );
        assert_eq!(id(Some("someone/else"), "flux1-schnell-Q8_0.gguf"), None);
        assert_eq!(id(None, "flux1-schnell-Q8_0.gguf"), Some("flux1-schnell-q8"));
        assert_eq!(id(None, "diffusion_pytorch_model.safetensors"), None, "several have this name");
    }

    #[test]
    fn a_model_is_found_by_its_name() {
        let entry = catalogue().find("SD15").unwrap();
        assert_eq!((entry.name, entry.files.len()), ("Stable Diffusion 1.5", 1));
        assert_eq!(catalogue().find("z-image turbo (4 bits)").unwrap().files.len(), 3);
        assert_eq!(catalogue().find("taesd").unwrap().files[0].part, PartKind::TinyDecoder);
        let search = catalogue().find("clip-search").unwrap();
        assert_eq!((search.name, search.files[0].part), ("CLIP ViT-L/14", PartKind::Network));
        let siglip = catalogue().find("siglip-search").unwrap();
        assert_eq!((siglip.files[0].part, siglip.files.len()), (PartKind::Network, 1));
        assert!(catalogue().find("stabilityai/sd-turbo").is_none());
    }
}
