//! `safelight models`, and `--model` by a name in the library, in a home folder made up for each test.
//!
//! Windows takes the home folder from no variable, so these run elsewhere.

#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::common::fixtures::fixture;
use crate::common::flux_files::write_flux;
use crate::common::model_folders::copy_folder;
use crate::common::program::text;

/// A home folder.
pub(crate) struct Home(tempfile::TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn safelight(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_safelight"));
        for name in ["HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "COMFYUI_PATH", "INVOKEAI_ROOT"] {
            command.env_remove(name);
        }
        for (name, folder) in [
            ("XDG_DATA_HOME", "data"),
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_CACHE_HOME", "cache"),
            ("HOME", ""),
        ] {
            command.env(name, self.path(folder));
        }
        command.args(arguments).current_dir(self.0.path()).output().unwrap()
    }

    /// What a command that succeeds prints.
    #[track_caller]
    pub(crate) fn prints(&self, arguments: &[&str]) -> String {
        let output = self.safelight(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let printed = self.prints(&[arguments, &["--json"]].concat());
        printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The one sentence of a command that fails.
    #[track_caller]
    pub(crate) fn refuses(&self, arguments: &[&str]) -> String {
        let output = self.safelight(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}: {said}");
        assert!(!said.contains("panicked") && said.trim_end().lines().count() == 1, "{said}");
        said
    }

    fn copy(&self, from: &str, to: &str) {
        let (from, to) = (fixture(from), self.path(to));
        if from.is_dir() {
            copy_folder(&from, &to);
        } else {
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(from, to).unwrap();
        }
    }

    /// A home with ComfyUI in it, and a folder of models elsewhere.
    fn with_models() -> Self {
        let home = Self::new();
        write_flux(&home.path("ComfyUI/models"));
        home.copy("single/sd1.safetensors", "ComfyUI/models/checkpoints/dream.safetensors");
        home.copy("single/sd1.safetensors", "more/dreamer.safetensors");
        home.copy("sd1", "more/small");
        home
    }
}

fn names(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["name"].as_str().unwrap()).collect()
}

#[test]
fn folders_are_offered_added_and_dropped() {
    let home = Home::with_models();
    let empty = home.safelight(&["models", "list"]);
    assert!(empty.status.success() && empty.stdout.is_empty());
    assert!(String::from_utf8_lossy(&empty.stderr).contains("the library has no models yet"));
    let folders = home.json(&["models", "where"]);
    let states: Vec<_> = folders
        .iter()
        .map(|folder| (folder["owner"].as_str().unwrap(), folder["used"].as_bool().unwrap()))
        .collect();
    assert_eq!(states, [("safelight", true), ("comfyui", false)]);
    assert!(home.prints(&["models", "where"]).contains("offered       ComfyUI    "), "columns");
    let added = home.prints(&["models", "add-folder", "ComfyUI/"]);
    assert_eq!(added, format!("5 entries found (ComfyUI): {}\n", home.path("ComfyUI").display()));
    assert!(home.prints(&["models", "add-folder", "ComfyUI"]).starts_with("it is searched already: "));
    home.prints(&["models", "add-folder", text(&home.path("more"))]);
    assert_eq!(
        names(&home.json(&["models", "list"])),
        ["ae", "clip_l", "dream", "dreamer", "flux1-small", "small", "t5xxl"]
    );
    assert!(home.refuses(&["models", "add-folder", "nowhere"]).contains("there is no folder nowhere"));
    assert!(home.refuses(&["models", "add-folder", "more/dreamer.safetensors"]).contains("this is a file"));
    assert!(home.refuses(&["models", "drop-folder", "elsewhere"]).contains("it is not searched"));
    let own = home.json(&["models", "where"])[0]["path"].as_str().unwrap().to_owned();
    assert!(home.refuses(&["models", "drop-folder", &own]).contains("always searched"));
    home.prints(&["models", "drop-folder", "ComfyUI"]);
    assert_eq!(names(&home.json(&["models", "list"])), ["dreamer", "small"]);
    assert!(home.path("ComfyUI/models/vae/ae.safetensors").exists());
}

#[test]
fn entries_are_listed_filtered_and_described() {
    let home = Home::with_models();
    home.prints(&["models", "add-folder", "ComfyUI"]);
    std::fs::write(home.path("ComfyUI/models/vae/page.safetensors"), "<html>").unwrap();
    let table = home.prints(&["models", "list"]);
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("NAME         KIND             FAMILY"), "{table}");
    let row = lines.iter().find(|line| line.starts_with("dream ")).unwrap();
    let cells: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(cells[..4], ["dream", "checkpoint", "sd1", "f32"], "{row}");
    assert!(lines.iter().any(|line| line.starts_with("page ") && line.contains("a web page")), "{table}");
    let listed = |more: &[&str]| {
        let entries = home.json(&[&["models", "list"], more].concat());
        names(&entries).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(listed(&["--kind", "text-encoder"]), ["clip_l", "t5xxl"]);
    assert_eq!(listed(&["--family", "flux1"]), ["ae", "flux1-small"]);
    assert_eq!(listed(&["CHECKPOINTS", "dre"]), ["dream"]);
    assert_eq!(listed(&["dream", "--kind", "vae"]), [""; 0]);
    let mistyped = home.safelight(&["models", "list", "--kind", "model"]);
    assert_eq!(mistyped.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&mistyped.stderr).contains("checkpoint, folder, diffusion-model"));

    let info = home.prints(&["models", "info", "flux1"]);
    for line in [
        "kind: diffusion-model\n",
        "family: FLUX.1\n",
        "precision: f32\n",
        "part: CLIP-L text encoder from ",
        "part: T5 text encoder (t5xxl) from ",
        "part: VAE (ae.safetensors) from ",
    ] {
        assert!(info.contains(line), "‘{line}’ in {info}");
    }
    assert!(!info.contains("sha256"));
    let hashed = &home.json(&["models", "info", "ae", "--hash"])[0];
    let hash = hashed["sha256"].as_str().unwrap();
    assert_eq!((hash.len(), hashed["AutoV2"].as_str().unwrap()), (64, &hash[..10]));
    assert!(home.prints(&["models", "info", "ae"]).contains(&format!("sha256: {hash}\n")), "it is kept");
    assert!(home.refuses(&["models", "info", "nothing"]).contains("the library has no model ‘nothing’"));
}

#[test]
fn an_entry_goes_off_the_list_and_comes_back() {
    let home = Home::with_models();
    home.prints(&["models", "add-folder", "more"]);
    let said = home.prints(&["models", "remove", "dreamer"]);
    assert!(said.contains("its files stay where they are"), "{said}");
    assert_eq!(names(&home.json(&["models", "list"])), ["small"]);
    assert_eq!(names(&home.json(&["models", "list", "--removed"])), ["dreamer"]);
    assert!(home.path("more/dreamer.safetensors").exists());
    assert!(home.refuses(&["models", "restore", "small"]).contains("nothing of this name was taken off"));
    home.prints(&["models", "restore", "Dreamer"]);
    assert_eq!(names(&home.json(&["models", "list"])), ["dreamer", "small"]);
}

#[test]
fn a_scan_says_what_it_read_and_passed_by() {
    let home = Home::with_models();
    home.prints(&["models", "add-folder", "more"]);
    std::os::unix::fs::symlink(Path::new("nowhere"), home.path("more/link.gguf")).unwrap();
    let scan = &home.json(&["models", "scan"])[0];
    assert_eq!((scan["entries"].as_u64(), scan["ready"].as_u64()), (Some(2), Some(2)));
    assert_eq!(scan["headers read"], 2);
    let note = scan["notes"][0].as_str().unwrap();
    assert!(note.starts_with("the link leads to nothing: ") && note.ends_with("link.gguf"), "{note}");
    let printed = home.safelight(&["models", "scan"]);
    assert!(
        String::from_utf8_lossy(&printed.stdout)
            .starts_with("2 entries, 2 of them models that open; 2 headers")
    );
    assert!(String::from_utf8_lossy(&printed.stderr).contains("the link leads to nothing"));
}

#[test]
fn a_model_is_drawn_by_its_name() {
    let home = Home::with_models();
    for folder in ["more", "ComfyUI"] {
        home.prints(&["models", "add-folder", folder]);
    }
    let generate = |model: &str, output: &str| -> Vec<String> {
        let start =
            ["generate", "--prompt", "x", "--steps", "1", "--width", "16", "--height", "16", "--seed", "3"];
        let end = ["--device", "cpu", "--model", model, "--output", output];
        start.iter().chain(&end).map(|argument| (*argument).to_owned()).collect()
    };
    let run = |arguments: &[String]| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        home.safelight(&arguments)
    };
    for (model, output) in [("SMALL", "name.png"), ("more/small", "path.png"), ("flux1-small", "flux.png")] {
        let drawn = run(&generate(model, output));
        assert!(drawn.status.success(), "{model}: {}", String::from_utf8_lossy(&drawn.stderr));
    }
    let pixels = |name: &str| image::open(home.path(name)).unwrap().into_rgb8();
    assert_eq!(pixels("name.png"), pixels("path.png"));
    for (model, wanted) in [
        ("dr", "‘dr’ is the name of several models; name one of them: dream, dreamer"),
        ("nothing", "the library has no model ‘nothing’; ‘safelight models list’ shows those it has"),
        ("./nothing", "there is no folder or file ./nothing"),
        ("some/thing", "there is no folder or file some/thing"),
        ("ae", "‘ae’ cannot be opened: it is no model but of the kind vae"),
    ] {
        let refused = run(&generate(model, "refused.png"));
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && said.contains(wanted), "‘{wanted}’ in {said}");
    }
    // A file given for a part counts before the library's.
    let mut arguments = generate("flux1-small", "vae.png");
    arguments.extend(["--vae".to_owned(), "more/dreamer.safetensors".to_owned()]);
    let said = run(&arguments);
    assert!(!said.status.success());
    let inspected = home.prints(&["inspect", "flux1-small"]);
    assert!(inspected.contains("kind: model") && inspected.contains("family: FLUX.1"), "{inspected}");
    assert!(home.prints(&["inspect", "t5xxl"]).contains("holds: a T5 text encoder alone"));
}
