//! Scans of made-up folders of all programs, on good days and bad ones.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Seek as _, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::*;
use crate::catalog::ModelSource;
use crate::store::layout::PartRole;

/// A made-up machine: a home folder with this program's places in it.
struct Machine {
    root: tempfile::TempDir,
}

/// Tensors by name and shape.
type Tensors<'a> = &'a [(&'a str, &'a [usize])];

const LORA_XL: Tensors<'_> =
    &[("lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight", &[4, 2048])];
const TINY: Tensors<'_> = &[("1.weight", &[64, 4, 3, 3]), ("3.conv.0.weight", &[64, 64, 3, 3])];
const UPSCALER: Tensors<'_> =
    &[("conv_first.weight", &[64, 3, 3, 3]), ("body.0.rdb1.conv1.weight", &[32, 64, 3, 3])];
const CONTROL: Tensors<'_> =
    &[("control_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight", &[320, 768])];
const EMBEDDING: Tensors<'_> = &[("emb_params", &[3, 768])];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// The header of a safetensors file of f16 values, and the bytes of the values.
fn header(tensors: Tensors<'_>) -> (Vec<u8>, u64) {
    let (mut json, mut at) = (String::from("{"), 0);
    for (name, shape) in tensors {
        let to = at + 2 * shape.iter().product::<usize>();
        let comma = if at == 0 { "" } else { "," };
        write!(
            json,
            "{comma}\"{name}\":{{\"dtype\":\"F16\",\"shape\":{shape:?},\"data_offsets\":[{at},{to}]}}"
        )
        .unwrap();
        at = to;
    }
    json.push('}');
    ([&(json.len() as u64).to_le_bytes()[..], json.as_bytes()].concat(), at as u64)
}

/// Writes a safetensors file of zeros, which take no room on the disk.
fn write_weights(path: &Path, tensors: Tensors<'_>) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let (header, bytes) = header(tensors);
    let mut file = std::fs::File::create(path).unwrap();
    file.write_all(&header).unwrap();
    let len = file.stream_position().unwrap() + bytes;
    file.set_len(len).unwrap();
}

fn copy(from: &str, to: &Path) {
    let from = fixture(from);
    if from.is_dir() {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(&from).unwrap().map(|entry| entry.unwrap().file_name()) {
            let name = entry.to_str().unwrap();
            copy(from.join(name).to_str().unwrap(), &to.join(name));
        }
    } else {
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(&from, to).unwrap();
    }
}

impl Machine {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn library(&self) -> Library {
        let paths = LibraryPaths {
            models: self.path("data/models"),
            config: self.path("config/library.json"),
            cache: self.path("cache/library.json"),
        };
        let environment = Environment { home: Some(self.path("home")), ..Environment::default() };
        Library::new(paths, environment)
    }

    fn add(&self, folder: &str) {
        let folder = self.path(folder);
        LibraryConfig::edit(&self.path("config/library.json"), |config| {
            config.folders.push(folder);
            true
        })
        .unwrap();
    }

    fn scanned(&self) -> Library {
        let mut library = self.library();
        library.scan(false, &CancelToken::new(), &|_| {});
        assert!(library.is_complete);
        library
    }

    /// FLUX.1's parts as ComfyUI keeps them.
    fn write_flux(&self, models: &str) {
        let models = self.path(models);
        copy("single/flux_transformer.gguf", &models.join("unet/flux1-small.gguf"));
        copy("flux/text_encoder/model.safetensors", &models.join("clip/clip_l.safetensors"));
        copy("flux/text_encoder_2/model.safetensors", &models.join("text_encoders/a_t5.safetensors"));
        copy("single/t5.gguf", &models.join("text_encoders/t5xxl.gguf"));
        copy("flux/vae/diffusion_pytorch_model.safetensors", &models.join("vae/ae.safetensors"));
    }
}

/// Names with kinds and the first family.
fn listed(library: &Library) -> Vec<(&str, &str, &str)> {
    library
        .entries
        .iter()
        .map(|entry| {
            let family = entry.facts.families.first().map_or("", |family| family.id());
            (entry.name.as_str(), entry.facts.kind.id(), family)
        })
        .collect()
}

#[test]
fn the_folders_of_all_programs_are_read() {
    let machine = Machine::new();
    // ComfyUI, with a folder elsewhere.
    machine.write_flux("home/ComfyUI/models");
    copy("single/sd1.safetensors", &machine.path("home/ComfyUI/models/checkpoints/anime/dream.safetensors"));
    write_weights(&machine.path("home/ComfyUI/models/loras/detail.safetensors"), LORA_XL);
    write_weights(&machine.path("home/ComfyUI/models/vae_approx/taesd_decoder.safetensors"), TINY);
    write_weights(
        &machine.path("home/ComfyUI/output/latent.safetensors"),
        &[("latent_tensor", &[1, 4, 8, 8])],
    );
    write_weights(&machine.path("other/upscalers/esrgan.safetensors"), UPSCALER);
    std::fs::write(
        machine.path("home/ComfyUI/extra_model_paths.yaml"),
        format!("more:\n  base_path: {}\n  upscale_models: upscalers\n", machine.path("other").display()),
    )
    .unwrap();
    // AUTOMATIC1111.
    copy("single/sdxl.safetensors", &machine.path("home/webui/models/Stable-diffusion/xl.safetensors"));
    write_weights(&machine.path("home/webui/models/ControlNet/canny.safetensors"), CONTROL);
    write_weights(&machine.path("home/webui/embeddings/bad-hands.safetensors"), EMBEDDING);
    std::fs::write(machine.path("home/webui/embeddings/old.pt"), b"\x80\x02}q\x00.").unwrap();
    // InvokeAI.
    std::fs::create_dir_all(machine.path("home/invokeai")).unwrap();
    std::fs::write(machine.path("home/invokeai/invokeai.yaml"), b"").unwrap();
    let id = "7c1a9a1e-5d3b-4c11-9f0a-0123456789ab";
    copy("single/sd2.safetensors", &machine.path(&format!("home/invokeai/models/{id}/depth.safetensors")));
    copy("z_image", &machine.path(&format!("home/invokeai/models/{}", id.replace('7', "8"))));
    // The Hugging Face cache: a folder in two snapshots, and a repository of files.
    let hub = "home/.cache/huggingface/hub";
    for commit in ["a1", "b2"] {
        copy("sd1", &machine.path(&format!("{hub}/models--stabilityai--sd-turbo/snapshots/{commit}")));
    }
    std::fs::create_dir_all(machine.path(&format!("{hub}/models--stabilityai--sd-turbo/refs"))).unwrap();
    std::fs::write(machine.path(&format!("{hub}/models--stabilityai--sd-turbo/refs/main")), "a1").unwrap();
    let files = machine.path(&format!("{hub}/models--someone--flux2-vae/snapshots/c3"));
    copy(
        "flux2/vae/diffusion_pytorch_model.safetensors",
        &files.join("vae/diffusion_pytorch_model.safetensors"),
    );
    write_weights(&machine.path(&format!("{hub}/datasets--a--b/snapshots/c/x.safetensors")), LORA_XL);
    // This program's own.
    for (part, number) in [("a", 1), ("b", 2)] {
        let name = format!("data/models/qwen/model-0000{number}-of-00002.safetensors");
        let tensor = format!("model.layers.0.self_attn.{part}q_proj.weight").replace("aq_", "q_");
        write_weights(&machine.path(&name), &[(&tensor, &[8, 8])]);
    }

    let library = machine.library();
    let offered: Vec<&str> = library.offered().iter().map(|folder| folder.owner.id()).collect();
    assert_eq!(offered, ["comfyui", "automatic1111", "invokeai", "hugging-face"]);
    assert!(
        listed(&machine.scanned()).iter().all(|(name, ..)| *name == "qwen"),
        "nothing is searched unasked"
    );
    for folder in library.offered() {
        machine.add(folder.path.strip_prefix(machine.root.path()).unwrap().to_str().unwrap());
    }
    let library = machine.scanned();
    assert_eq!(library.offered(), []);
    let of_invoke = id.replace('7', "8");
    assert_eq!(
        listed(&library),
        [
            (of_invoke.as_str(), "folder", "z-image"),
            ("a_t5", "text-encoder", ""),
            ("ae", "vae", "sd3"),
            ("bad-hands", "embedding", "sd1"),
            ("canny", "controlnet", "sd1"),
            ("clip_l", "text-encoder", ""),
            ("depth", "checkpoint", "sd2"),
            ("detail", "lora", "sdxl"),
            ("dream", "checkpoint", "sd1"),
            ("esrgan", "upscaler", ""),
            ("flux1-small", "diffusion-model", "flux1"),
            ("flux2-vae/vae", "vae", "flux2"),
            ("old", "unknown", ""),
            ("qwen", "unknown", ""),
            ("sd-turbo", "folder", "sd1"),
            ("t5xxl", "text-encoder", ""),
            ("taesd_decoder", "tiny-decoder", "sd1"),
            ("xl", "checkpoint", "sdxl"),
        ]
    );
    let entry = |name: &str| library.find(name).unwrap();
    assert_eq!(entry("sd-turbo").repository.as_deref(), Some("stabilityai/sd-turbo"));
    assert!(entry("sd-turbo").path.ends_with("snapshots/a1"));
    assert_eq!(entry("stabilityai/SD-turbo").name, "sd-turbo");
    assert_eq!(entry("qwen").files.len(), 2);
    assert!(entry("qwen").facts.problem.as_ref().unwrap().contains("it is a language model"));
    assert!(entry("old").facts.problem.as_ref().unwrap().contains("pickle"));
    assert_eq!(entry("detail").facts.precision, "f16");
    assert_eq!(entry("detail").bytes, std::fs::metadata(&entry("detail").path).unwrap().len());
    assert_eq!(library.notes, []);
}

#[test]
fn a_transformer_is_completed_by_the_library() {
    let machine = Machine::new();
    machine.write_flux("data/models");
    let library = machine.scanned();
    let entry = library.find("flux1-small").unwrap();
    let completed: Vec<_> = entry
        .missing
        .iter()
        .map(|part| {
            let names = part.completed_by.iter().map(|path| path.file_name().unwrap().to_str().unwrap());
            (part.role.unwrap(), names.collect::<Vec<_>>())
        })
        .collect();
    assert_eq!(
        completed,
        [
            (PartRole::TextEncoder(0), vec!["clip_l.safetensors"]),
            // With its tokenizer first.
            (PartRole::TextEncoder(1), vec!["t5xxl.gguf", "a_t5.safetensors"]),
            (PartRole::Vae, vec!["ae.safetensors"]),
        ]
    );
    let parts = ["clip_l", "t5xxl", "ae"].map(|name| library.find(name).unwrap().facts.weight_bytes);
    assert_eq!(entry.bytes_with_parts, entry.facts.weight_bytes + parts.iter().sum::<u64>());
    assert!(entry.is_ready());
    let Ok(ModelSource::Parts(source)) = library.model("FLUX1") else { panic!("a model of several files") };
    assert!(source.vae.unwrap().ends_with("vae/ae.safetensors"));
    assert!(source.text_encoders[1].as_ref().unwrap().ends_with("text_encoders/t5xxl.gguf"));
    assert!(crate::store::ModelFiles::open(&library.model("flux1").unwrap()).is_ok());
    // Without the VAE it does not open, and without the tokenizer that is said.
    std::fs::remove_file(machine.path("data/models/vae/ae.safetensors")).unwrap();
    std::fs::remove_file(machine.path("data/models/text_encoders/t5xxl.gguf")).unwrap();
    let library = machine.scanned();
    let entry = library.find("flux1-small").unwrap();
    assert!(!entry.is_ready() && entry.missing[1].lacks_tokenizer);
    let said = library.model("flux1").unwrap_err().to_string();
    assert!(said.contains("no file for what it lacks: VAE (ae.safetensors) (--vae FILE): "), "{said}");
}

#[test]
fn names_are_exact_or_unique_beginnings() {
    let machine = Machine::new();
    copy("single/sd1.safetensors", &machine.path("data/models/a/Dream.safetensors"));
    copy("single/sd2.safetensors", &machine.path("data/models/dreamer.safetensors"));
    copy("single/sdxl.safetensors", &machine.path("data/models/b/xl.safetensors"));
    copy("single/sdxl.safetensors", &machine.path("data/models/c/xl.safetensors"));
    write_weights(&machine.path("data/models/xl-lora.safetensors"), LORA_XL);
    let library = machine.scanned();
    let name =
        |text: &str| library.find(text).map(|entry| entry.name.clone()).map_err(|error| error.to_string());
    assert_eq!(name("Dream").unwrap(), "Dream");
    assert_eq!(name("dream").unwrap(), "Dream");
    assert_eq!(name("dreame").unwrap(), "dreamer");
    assert_eq!(
        name("DR").unwrap_err(),
        "‘DR’ is the name of several models; name one of them: Dream, dreamer"
    );
    let same = name("xl").unwrap_err();
    assert!(same.contains("b/xl.safetensors") && same.contains("c/xl.safetensors"), "{same}");
    assert!(name(&machine.path("data/models/b/xl.safetensors").display().to_string()).is_ok());
    assert!(name("ream").unwrap_err().contains("did you mean Dream or dreamer?"));
    assert!(name("").is_err() && name("zzz").is_err());
    // A LoRA is no model: its name counts only where no model has it.
    let said = library.model("xl-lora").unwrap_err().to_string();
    assert!(said.starts_with("‘xl-lora’ cannot be opened: it is no model but of the kind lora: "), "{said}");
    assert!(
        matches!(library.model("dreamer"), Ok(ModelSource::Folder(path)) if path.ends_with("dreamer.safetensors"))
    );
}

#[test]
fn only_what_changed_is_read_again() {
    let machine = Machine::new();
    let path = |name: &str| machine.path("data/models").join(name);
    write_weights(&path("a.safetensors"), LORA_XL);
    write_weights(&path("b.safetensors"), TINY);
    copy("sd1", &path("folder"));
    assert_eq!(machine.scanned().headers_read, 3);
    assert_eq!(machine.scanned().headers_read, 0);
    write_weights(&path("a.safetensors"), UPSCALER);
    let library = machine.scanned();
    assert_eq!((library.headers_read, library.find("a").unwrap().facts.kind), (1, EntryKind::Upscaler));
    // Of a folder, any of its files.
    let weights = path("folder/unet/diffusion_pytorch_model.safetensors");
    std::fs::rename(&weights, path("folder/unet/away.txt")).unwrap();
    let library = machine.scanned();
    let folder = library.find("folder").unwrap();
    assert_eq!(
        (library.headers_read, folder.missing[0].what.as_str(), folder.is_ready()),
        (1, "unet", false)
    );
    std::fs::remove_file(path("b.safetensors")).unwrap();
    write_weights(&path("c.safetensors"), CONTROL);
    assert_eq!(
        listed(&machine.scanned()).into_iter().map(|row| row.0).collect::<Vec<_>>(),
        ["a", "c", "folder"]
    );
    let mut library = machine.library();
    library.scan(true, &CancelToken::new(), &|_| {});
    assert_eq!(library.headers_read, 3);
    // A damaged cache costs time and nothing else.
    std::fs::write(machine.path("cache/library.json"), b"{\"version\": 7").unwrap();
    assert_eq!(machine.scanned().headers_read, 3);
    assert_eq!(machine.scanned().headers_read, 0);
}

#[test]
fn one_folder_is_searched_again_and_the_others_stay() {
    let machine = Machine::new();
    write_weights(&machine.path("data/models/own.safetensors"), TINY);
    write_weights(&machine.path("added/a.safetensors"), LORA_XL);
    machine.add("added");
    let mut library = machine.scanned();
    write_weights(&machine.path("data/models/own2.safetensors"), TINY);
    write_weights(&machine.path("added/b.safetensors"), UPSCALER);
    library.rescan_folder(&machine.path("added"), &CancelToken::new(), &|_| {});
    let names =
        |library: &Library| listed(library).into_iter().map(|row| row.0.to_owned()).collect::<Vec<_>>();
    assert_eq!((names(&library), library.headers_read), (vec!["a".into(), "b".into(), "own".into()], 1));
    library.rescan_folder(&machine.path("data/models"), &CancelToken::new(), &|_| {});
    assert_eq!(names(&library), ["a", "b", "own", "own2"]);
}

#[test]
fn an_entry_taken_off_the_list_stays_on_the_disk() {
    let machine = Machine::new();
    machine.write_flux("data/models");
    let vae = machine.path("data/models/vae/ae.safetensors");
    LibraryConfig::edit(&machine.path("config/library.json"), |config| {
        config.removed.push(vae.clone());
        true
    })
    .unwrap();
    let library = machine.scanned();
    assert!(library.find("ae").is_err() && vae.exists());
    assert_eq!(library.removed.len(), 1);
    assert!(!library.find("flux1-small").unwrap().is_ready(), "it is not used either");
}

#[test]
fn a_hash_is_computed_once_and_dropped_with_the_file() {
    let machine = Machine::new();
    let path = machine.path("data/models/a.safetensors");
    write_weights(&path, TINY);
    copy("sd1", &machine.path("data/models/folder"));
    let library = machine.scanned();
    let entry = library.find("a").unwrap();
    assert_eq!(entry.sha256, None);
    let hash = library.hash(entry, &CancelToken::new(), &|_| {}).unwrap();
    let library = machine.scanned();
    let entry = library.find("a").unwrap();
    assert_eq!((entry.sha256.as_ref(), entry.auto_v2()), (Some(&hash), hash.get(..10)));
    let calls = AtomicUsize::new(0);
    library
        .hash(entry, &CancelToken::new(), &|_| {
            calls.fetch_add(1, Ordering::Relaxed);
        })
        .unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    write_weights(&path, UPSCALER);
    let library = machine.scanned();
    assert_eq!(library.find("a").unwrap().sha256, None);
    let folder = library.find("folder").unwrap();
    assert!(matches!(library.hash(folder, &CancelToken::new(), &|_| {}), Err(LibraryError::SeveralFiles(_))));
}

#[test]
fn what_is_wrong_with_files_is_said_and_the_others_are_found() {
    let machine = Machine::new();
    let path = |name: &str| machine.path("data/models").join(name);
    write_weights(&path("good.safetensors"), LORA_XL);
    std::fs::write(path("page.safetensors"), b"<!DOCTYPE html><html>").unwrap();
    std::fs::write(path("empty.gguf"), b"").unwrap();
    write_weights(&path("cut.safetensors"), TINY);
    let cut = std::fs::File::options().write(true).open(path("cut.safetensors")).unwrap();
    cut.set_len(cut.metadata().unwrap().len() - 1).unwrap();
    std::fs::write(path("notes.txt"), b"a text").unwrap();
    std::fs::create_dir_all(path("half")).unwrap();
    std::fs::write(
        path("half/model_index.json"),
        b"{\"_class_name\": \"AuraFlowPipeline\", \"transformer\": [\"a\", \"b\"]}",
    )
    .unwrap();
    let library = machine.scanned();
    let problem = |name: &str| library.find(name).unwrap().facts.problem.clone().unwrap_or_default();
    assert_eq!(library.entries.len(), 5);
    assert!(problem("page").contains("a web page"));
    assert!(problem("empty").contains("an empty file"));
    assert!(problem("cut").contains("the file ends too early"));
    assert_eq!(library.find("half").unwrap().missing[0].what, "transformer");
    assert_eq!(problem("good"), "");
}

#[cfg(unix)]
#[test]
fn links_lead_nowhere_twice_and_pipes_are_passed_by() {
    use std::os::unix::fs::symlink;
    let machine = Machine::new();
    let path = |name: &str| machine.path("data/models").join(name);
    write_weights(&path("sub/a.safetensors"), LORA_XL);
    symlink(path(""), path("sub/loop")).unwrap();
    symlink(path("sub"), path("again")).unwrap();
    symlink(path("sub/a.safetensors"), path("z.safetensors")).unwrap();
    symlink(path("nowhere.gguf"), path("broken.gguf")).unwrap();
    symlink(path("self"), path("self")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(path("pipe.gguf")).status().unwrap().success());
    machine.add("gone");
    std::fs::write(machine.path("file"), b"x").unwrap();
    machine.add("file");
    let library = machine.scanned();
    // The first of several ways to a file.
    assert_eq!(listed(&library).len(), 1, "{:?}", listed(&library));
    let notes: Vec<String> = library
        .notes
        .iter()
        .map(|note| note.to_string().replace(machine.root.path().to_str().unwrap(), "…"))
        .collect();
    assert!(
        notes.iter().any(|note| note == "the link leads to nothing: …/data/models/broken.gguf"),
        "{notes:?}"
    );
    assert!(
        notes.iter().any(|note| note.starts_with("the file cannot be read: ") && note.ends_with("/self")),
        "{notes:?}"
    );
    assert!(
        notes.iter().any(|note| note.starts_with("the folder is not there; ") && note.ends_with("…/gone"))
    );
    assert!(notes.iter().any(|note| note == "this is a file, and a library has folders: …/file"));
    assert_eq!(notes.len(), 4, "{notes:?}");
}

#[cfg(unix)]
#[test]
fn what_may_not_be_read_is_named_and_read_once_it_may() {
    use std::os::unix::fs::PermissionsExt as _;
    let machine = Machine::new();
    let (folder, file) = (machine.path("data/models/closed"), machine.path("data/models/a.safetensors"));
    write_weights(&folder.join("b.safetensors"), TINY);
    write_weights(&file, LORA_XL);
    let mode =
        |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(&folder, 0);
    mode(&file, 0);
    let may_all_the_same = std::fs::read_dir(&folder).is_ok();
    let library = machine.scanned();
    mode(&folder, 0o755);
    mode(&file, 0o644);
    // The administrator may read everything.
    if !may_all_the_same {
        let note = library.notes.first().unwrap().to_string();
        assert!(
            note.starts_with("this user may not read the folder: ") && note.ends_with("closed"),
            "{note}"
        );
        let problem = library.find("a").unwrap().facts.problem.clone();
        assert_eq!(problem.as_deref(), Some("this user may not read it"));
    }
    let library = machine.scanned();
    assert_eq!(library.find("a").unwrap().facts.problem, None);
    assert_eq!((library.entries.len(), library.notes.len()), (2, 0));
}

#[test]
fn a_scan_is_stopped_and_files_that_vanish_are_left_out() {
    let machine = Machine::new();
    let path = |number: usize| machine.path(&format!("data/models/{number:03}.safetensors"));
    for number in 0..200 {
        write_weights(&path(number), TINY);
    }
    let cancel = CancelToken::new();
    let mut library = machine.library();
    library.scan(false, &cancel, &|progress| {
        assert_eq!(progress.total, 200);
        if progress.read == 20 {
            cancel.stop();
        }
    });
    assert!(!library.is_complete);
    assert!((20..60).contains(&library.entries.len()), "{}", library.entries.len());
    let before = library.headers_read;
    // What was read is kept, and the rest is found the next time, less what vanishes meanwhile.
    let mut library = machine.library();
    library.scan(false, &CancelToken::new(), &|progress| {
        if progress.read == 1 {
            for number in 190..200 {
                std::fs::remove_file(path(number)).unwrap();
            }
        }
    });
    assert!(library.is_complete && library.headers_read <= 200 - before);
    let left = library.entries.iter().filter(|entry| entry.path.exists()).count();
    assert_eq!(left, 190);
    assert!(library.entries.iter().all(|entry| entry.facts.kind == EntryKind::TinyDecoder));
    assert_eq!(machine.scanned().entries.len(), 190);
}

#[test]
fn a_damaged_list_of_folders_is_a_note() {
    let machine = Machine::new();
    write_weights(&machine.path("data/models/a.safetensors"), TINY);
    std::fs::create_dir_all(machine.path("config")).unwrap();
    std::fs::write(machine.path("config/library.json"), b"{").unwrap();
    let library = machine.scanned();
    assert_eq!(library.entries.len(), 1);
    let note = library.notes[0].to_string();
    assert!(
        note.starts_with("the folders that were added are not known: ") && note.ends_with("library.json"),
        "{note}"
    );
}

#[test]
fn a_folder_is_searched_to_its_depth() {
    let machine = Machine::new();
    write_weights(&machine.path("data/models/1/2/3/4/5/6/deep.safetensors"), TINY);
    write_weights(&machine.path("data/models/1/2/3/4/5/6/7/deeper.safetensors"), TINY);
    write_weights(&machine.path("data/models/.trash/hidden.safetensors"), TINY);
    assert_eq!(listed(&machine.scanned()), [("deep", "tiny-decoder", "sd1")]);
}

/// A header like that of a released Stable Diffusion 1 with its 1131 tensors: the fixture has a third of them.
fn released_header() -> (Vec<u8>, u64) {
    let shapes = std::fs::read(fixture("single/shapes.json")).unwrap();
    let mut all: BTreeMap<String, BTreeMap<String, Vec<usize>>> = serde_json::from_slice(&shapes).unwrap();
    let third = all.remove("sd1").unwrap();
    let starts = ["", "model_ema.", "model_ema.more."];
    let tensors: Vec<(String, &[usize])> = starts
        .iter()
        .flat_map(|start| third.iter().map(move |(name, shape)| (format!("{start}{name}"), &shape[..])))
        .collect();
    let borrowed: Vec<(&str, &[usize])> =
        tensors.iter().map(|(name, shape)| (name.as_str(), *shape)).collect();
    assert!(borrowed.len() > 1100);
    header(&borrowed)
}

#[test]
fn thousands_of_headers_are_read_in_seconds_and_the_cache_answers_at_once() {
    let machine = Machine::new();
    let (header, bytes) = released_header();
    let write = |path: PathBuf| {
        let mut file = std::fs::File::create(path).unwrap();
        file.write_all(&header).unwrap();
        file.set_len(header.len() as u64 + bytes).unwrap();
    };
    for folder in 0..20 {
        let folder = machine.path(&format!("data/models/{folder}"));
        std::fs::create_dir_all(&folder).unwrap();
        write(folder.join("0.safetensors"));
        // Names of the same file take no room, and are read like files of their own.
        for number in 1..100 {
            std::fs::hard_link(folder.join("0.safetensors"), folder.join(format!("{number}.safetensors")))
                .unwrap();
        }
    }
    let timed = |machine: &Machine| {
        let start = Instant::now();
        let library = machine.scanned();
        (library, start.elapsed())
    };
    let (library, first) = timed(&machine);
    assert_eq!((library.headers_read, library.entries.len()), (2000, 2000));
    let (library, second) = timed(&machine);
    assert_eq!((library.headers_read, library.entries.len()), (0, 2000));
    println!("2000 headers of {} KiB: {first:.2?}; from the cache: {second:.2?}", header.len() >> 10);
    assert!(first < Duration::from_mins(2) && second < Duration::from_secs(30), "{first:?}, {second:?}");
}

#[test]
fn twenty_thousand_files_are_found() {
    let machine = Machine::new();
    let folder = machine.path("data/models");
    write_weights(&folder.join("0.safetensors"), EMBEDDING);
    for number in 1..20_000 {
        std::fs::hard_link(folder.join("0.safetensors"), folder.join(format!("{number}.safetensors")))
            .unwrap();
    }
    let start = Instant::now();
    let library = machine.scanned();
    assert_eq!(library.entries.len(), 20_000);
    println!("20000 files: {:.2?}", start.elapsed());
}
