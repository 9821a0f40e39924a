//! What a person chooses from in a repository: the diffusers folder in a number format, single files, shards together,
//! quantisations.

use std::collections::BTreeMap;

use super::listing::{Listing, RemoteFile};

/// Files that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What they are.
    pub kind: ChoiceKind,
    /// The name shown: the file's path, the shards' path without numbers, or the format of the folder.
    pub name: String,
    /// The files, by path.
    pub files: Vec<RemoteFile>,
}

/// What the files of a choice are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChoiceKind {
    /// A model in diffusers' layout; its weights are of this variant (`fp16`, `bf16`), or of none.
    Folder(Option<String>),
    /// One file of weights.
    File,
    /// A file of weights in several parts.
    Shards,
    /// A GGUF file, whole or in parts, with the name of its quantisation if its name has one.
    Gguf(Option<String>),
}

impl Choice {
    /// The size of all files, bytes.
    pub fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }
}

/// Folders of a diffusers model whose weights this program does not use.
const UNUSED_FOLDERS: [&str; 3] = ["safety_checker", "image_encoder", "prior"];
/// Formats of weights, in the order in which they are proposed: half the size, the same pictures.
const VARIANTS: [&str; 2] = ["bf16", "fp16"];

/// The choices of a repository, the folder first, then by name.
pub fn choices(listing: &Listing) -> Vec<Choice> {
    let is_folder = listing.files.iter().any(|file| file.path.as_str() == "model_index.json");
    let mut found = if is_folder { folder_choices(listing) } else { Vec::new() };
    // Of a diffusers model only the files at the top are models of their own.
    let own = |file: &&RemoteFile| !is_folder || file.path.folder().is_empty();
    let weights = listing.files.iter().filter(own).filter(|file| is_weights(file));
    let mut groups: BTreeMap<String, Vec<RemoteFile>> = BTreeMap::new();
    for file in weights {
        let path = file.path.as_str();
        groups.entry(shard_of(path).unwrap_or_else(|| path.to_owned())).or_default().push(file.clone());
    }
    found.extend(groups.into_iter().map(|(name, files)| {
        let kind = match extension(&name) {
            "gguf" => ChoiceKind::Gguf(quantisation(&name)),
            _ if files.len() > 1 => ChoiceKind::Shards,
            _ => ChoiceKind::File,
        };
        Choice { kind, name, files }
    }));
    found
}

/// The choice that is meant when none is named: the only one, or the folder in the smaller format.
pub fn default_choice(choices: &[Choice]) -> Option<&Choice> {
    let folders: Vec<&Choice> =
        choices.iter().filter(|choice| matches!(choice.kind, ChoiceKind::Folder(_))).collect();
    match (folders.first(), choices) {
        (Some(folder), _) => Some(folder),
        (None, [only]) => Some(only),
        _ => None,
    }
}

/// The files whose path or name is of one of the patterns, in which `*` is any text and `?` any letter.
pub fn matching<'a>(files: &'a [RemoteFile], patterns: &[String]) -> Vec<&'a RemoteFile> {
    let is_meant = |file: &&RemoteFile| {
        patterns.iter().any(|pattern| {
            let tried = if pattern.contains('/') { file.path.as_str() } else { file.path.file_name() };
            is_match(&pattern.to_lowercase(), &tried.to_lowercase())
        })
    };
    files.iter().filter(is_meant).collect()
}

/// Whether a text is of a pattern of `*` and `?`.
fn is_match(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut in_text) = (0, 0);
    // Where to go on after the last star: it takes one letter more.
    let mut star: Option<(usize, usize)> = None;
    while in_text < text.len() {
        if at < pattern.len() && pattern[at] == '*' {
            star = Some((at + 1, in_text));
            at += 1;
        } else if at < pattern.len() && (pattern[at] == '?' || pattern[at] == text[in_text]) {
            (at, in_text) = (at + 1, in_text + 1);
        } else if let Some((after, taken)) = star {
            star = Some((after, taken + 1));
            (at, in_text) = (after, taken + 1);
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|letter| *letter == '*')
}

fn extension(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(_, extension)| extension)
}

fn is_weights(file: &RemoteFile) -> bool {
    matches!(extension(file.path.as_str()), "safetensors" | "sft" | "gguf")
}

/// The name of a sharded file without the number of its part: `a-00001-of-00003.gguf` is a part of `a.gguf`.
fn shard_of(path: &str) -> Option<String> {
    let (stem, extension) = path.rsplit_once('.')?;
    let (stem, of) = stem.rsplit_once("-of-")?;
    let (stem, number) = stem.rsplit_once('-')?;
    let is_number = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(of) && is_number(number)).then(|| format!("{stem}.{extension}"))
}

/// The quantisation in a GGUF file's name, such as `Q4_K_M`.
fn quantisation(path: &str) -> Option<String> {
    let stem = path.rsplit('/').next()?.rsplit_once('.')?.0;
    let begins = |word: &str| {
        let word = word.to_ascii_uppercase();
        let digits =
            word.strip_prefix("IQ").or_else(|| word.strip_prefix('Q')).or_else(|| word.strip_prefix("TQ"));
        digits.is_some_and(|rest| {
            rest.bytes().next().is_some_and(|digit| digit.is_ascii_digit())
                && rest[1..].bytes().next().is_none_or(|next| next == b'_')
        }) || matches!(word.as_str(), "F16" | "BF16" | "F32" | "FP16")
    };
    let word = stem.rsplit(['-', '.']).find(|word| begins(word)).or_else(|| {
        // `model_q8_0`: the name's own words are joined by underscores too.
        let at = stem.match_indices('_').map(|(at, _)| at + 1).find(|at| begins(&stem[*at..]))?;
        Some(&stem[at..])
    })?;
    Some(word.to_ascii_uppercase())
}

/// The variant in a file's name: `model.fp16.safetensors`, `model.fp16-00001-of-00002.safetensors`.
fn variant(name: &str) -> Option<&str> {
    let stem = name.rsplit_once('.')?.0.trim_end_matches(".safetensors.index");
    let last = stem.split('.').next_back()?.split('-').next()?;
    VARIANTS.into_iter().find(|known| *known == last).or_else(|| (last == "non_ema").then_some(last))
}

/// A model in diffusers' layout, in each format that its weights have.
fn folder_choices(listing: &Listing) -> Vec<Choice> {
    let parts: Vec<&RemoteFile> = listing
        .files
        .iter()
        .filter(|file| !file.path.folder().is_empty() && !UNUSED_FOLDERS.contains(&file.path.folder()))
        .filter(|file| matches!(extension(file.path.as_str()), "safetensors"))
        .filter(|file| file.path.folder().split('/').count() == 1)
        .collect();
    let of = |file: &RemoteFile| variant(file.path.file_name()).map(str::to_owned);
    let mut variants: Vec<Option<String>> =
        VARIANTS.iter().map(|name| Some((*name).to_owned())).chain([None]).collect();
    variants.retain(|wanted| parts.iter().any(|file| of(file) == *wanted));
    let small: Vec<RemoteFile> = listing.files.iter().filter(|file| is_small_file(file)).cloned().collect();
    let choice = |wanted: Option<String>| {
        // A folder without weights of the variant has them in another: the text encoder may be in one format only.
        let mut folders: BTreeMap<&str, Vec<&RemoteFile>> = BTreeMap::new();
        for file in &parts {
            folders.entry(file.path.folder()).or_default().push(file);
        }
        let weights = folders.into_values().flat_map(|files| {
            let tried = [wanted.clone(), None].into_iter().chain(VARIANTS.map(|name| Some(name.to_owned())));
            let found = tried.map(|tried| files.iter().filter(|f| of(f) == tried).collect::<Vec<_>>());
            let chosen = found.into_iter().find(|chosen| !chosen.is_empty()).unwrap_or_default();
            // Both forms may lie there: one file, and the same in shards.
            let whole: Vec<_> = chosen.iter().filter(|f| shard_of(f.path.as_str()).is_none()).collect();
            let chosen = if whole.is_empty() { chosen.iter().collect() } else { whole };
            chosen.into_iter().map(|file| (***file).clone()).collect::<Vec<_>>()
        });
        let weights: Vec<RemoteFile> = weights.collect();
        let is_needed = |index: &RemoteFile| {
            let name = index.path.as_str();
            !name.contains(".safetensors.index.")
                || weights.iter().any(|file| {
                    file.path.folder() == index.path.folder()
                        && shard_of(file.path.as_str()).is_some()
                        && variant(file.path.file_name()) == variant(index.path.file_name())
                })
        };
        let mut files: Vec<RemoteFile> =
            small.iter().filter(|file| is_needed(file)).cloned().chain(weights.iter().cloned()).collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let name = wanted.as_deref().map_or("folder".to_owned(), |variant| format!("folder, {variant}"));
        Choice { kind: ChoiceKind::Folder(wanted.clone()), name, files }
    };
    variants.into_iter().map(choice).collect()
}

/// Configurations, tokenizers and the list of parts of a diffusers model.
fn is_small_file(file: &RemoteFile) -> bool {
    let folder = file.path.folder();
    if folder.is_empty() {
        return file.path.as_str() == "model_index.json";
    }
    folder.split('/').count() == 1
        && !UNUSED_FOLDERS.contains(&folder)
        && !file.path.file_name().starts_with("openvino")
        && !matches!(
            file.path.file_name(),
            "pytorch_model.bin.index.json" | "diffusion_pytorch_model.bin.index.json"
        )
        && matches!(extension(file.path.as_str()), "json" | "txt" | "model" | "jinja")
}

#[cfg(test)]
mod tests {
    use super::super::address::{RepositoryId, RepositoryPath};
    use super::super::hash::ContentHash;
    use super::super::listing::Licence;
    use super::*;

    fn listing(files: &[(&str, u64)]) -> Listing {
        let mut files: Vec<RemoteFile> = files
            .iter()
            .map(|(path, size)| RemoteFile {
                path: RepositoryPath::parse(path).unwrap(),
                size: *size,
                hash: ContentHash::git_blob(&"a".repeat(40)).unwrap(),
            })
            .collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Listing {
            repository: RepositoryId::parse("a/b").unwrap(),
            revision: "main".into(),
            commit: "a".repeat(40),
            licence: Licence::default(),
            is_gated: false,
            files,
            left_out: Vec::new(),
        }
    }

    fn paths(choice: &Choice) -> Vec<&str> {
        choice.files.iter().map(|file| file.path.as_str()).collect()
    }

    #[test]
    fn a_diffusers_model_is_one_choice_for_each_format_and_its_pickles_are_none() {
        let listing = listing(&[
            ("model_index.json", 1),
            ("README.md", 1),
            ("sd.safetensors", 400),
            ("unet/config.json", 1),
            ("unet/diffusion_pytorch_model.safetensors", 200),
            ("unet/diffusion_pytorch_model.fp16.safetensors", 100),
            ("unet/diffusion_pytorch_model.non_ema.safetensors", 200),
            ("unet/diffusion_pytorch_model.bin", 200),
            ("text_encoder/config.json", 1),
            ("text_encoder/model.safetensors", 20),
            ("text_encoder/openvino_model.xml", 20),
            ("tokenizer/merges.txt", 1),
            ("safety_checker/model.safetensors", 90),
        ]);
        let found = choices(&listing);
        let names: Vec<&str> = found.iter().map(|choice| choice.name.as_str()).collect();
        assert_eq!(names, ["folder, fp16", "folder", "sd.safetensors"]);
        assert_eq!(
            paths(&found[0]),
            [
                "model_index.json",
                "text_encoder/config.json",
                "text_encoder/model.safetensors",
                "tokenizer/merges.txt",
                "unet/config.json",
                "unet/diffusion_pytorch_model.fp16.safetensors",
            ]
        );
        assert_eq!((found[0].size(), found[1].size()), (124, 224));
        assert_eq!(default_choice(&found), Some(&found[0]));
    }

    #[test]
    fn shards_and_their_index_go_together() {
        let listing = listing(&[
            ("model_index.json", 1),
            ("transformer/diffusion_pytorch_model-00001-of-00002.safetensors", 10),
            ("transformer/diffusion_pytorch_model-00002-of-00002.safetensors", 10),
            ("transformer/diffusion_pytorch_model.safetensors.index.json", 1),
            ("vae/diffusion_pytorch_model.safetensors", 5),
            ("vae/diffusion_pytorch_model.safetensors.index.fp16.json", 5),
        ]);
        let found = choices(&listing);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].files.len(), 5);
        assert!(!paths(&found[0]).contains(&"vae/diffusion_pytorch_model.safetensors.index.fp16.json"));
    }

    #[test]
    fn files_and_quantisations_are_choices_of_their_own() {
        let listing = listing(&[
            ("README.md", 1),
            ("flux1-schnell-Q4_K_S.gguf", 4),
            ("flux1-schnell-Q8_0.gguf", 8),
            ("split/a-00001-of-00002.gguf", 3),
            ("split/a-00002-of-00002.gguf", 3),
            ("split_files/vae/ae.safetensors", 1),
            ("old.ckpt", 9),
        ]);
        let found = choices(&listing);
        let seen: Vec<_> = found.iter().map(|c| (c.name.as_str(), c.kind.clone(), c.size())).collect();
        let gguf = |name: &str| ChoiceKind::Gguf(Some(name.to_owned()));
        assert_eq!(
            seen,
            [
                ("flux1-schnell-Q4_K_S.gguf", gguf("Q4_K_S"), 4),
                ("flux1-schnell-Q8_0.gguf", gguf("Q8_0"), 8),
                ("split/a.gguf", ChoiceKind::Gguf(None), 6),
                ("split_files/vae/ae.safetensors", ChoiceKind::File, 1),
            ]
        );
        assert_eq!(default_choice(&found), None);
        assert_eq!(default_choice(&found[..1]), Some(&found[0]));
    }

    #[test]
    fn a_quantisation_is_read_from_the_name() {
        for (name, expected) in [
            ("z_image_turbo-Q4_K.gguf", Some("Q4_K")),
            ("model_q8_0.gguf", Some("Q8_0")),
            ("Qwen3-4B-UD-Q4_K_XL.gguf", Some("Q4_K_XL")),
            ("a.IQ4_NL.gguf", Some("IQ4_NL")),
            ("a-BF16.gguf", Some("BF16")),
            ("Qwen3-4B.gguf", None),
        ] {
            assert_eq!(quantisation(name).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn patterns_have_stars_and_question_marks() {
        for (pattern, text, is) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abb", false),
            ("*q4*.gguf", "x-q4_k.gguf", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*a*", "aa", true),
            ("abc", "abcd", false),
        ] {
            assert_eq!(is_match(pattern, text), is, "{pattern} {text}");
        }
        let listing = listing(&[("vae/Model.safetensors", 1), ("unet/model.safetensors", 1)]);
        let found = |pattern: &str| matching(&listing.files, &[pattern.to_owned()]).len();
        assert_eq!((found("model.*"), found("vae/*"), found("x")), (2, 1, 0));
    }
}
