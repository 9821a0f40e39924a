//! `safelight runs find` and `safelight describe`, with small networks.

use std::path::Path;

use safelight::request::Picture;
use serde_json::Value;

use crate::common::fixtures::{fixture, json};
use crate::common::program::{safelight, text};
use crate::common::recorded_pictures::recorded_pictures;
use crate::kept_runs::{Kept, id_of};
use crate::small_model::error_of;

fn write(picture: &Picture, path: &Path) {
    let (width, height) = (picture.width() as u32, picture.height() as u32);
    image::save_buffer(path, picture.rgb(), width, height, image::ColorType::Rgb8).unwrap();
}

fn lines(arguments: &[&str]) -> Vec<Value> {
    let output = safelight(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", error_of(&output));
    let printed = String::from_utf8(output.stdout).unwrap();
    printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn kept_runs_are_found_by_words_by_a_picture_and_by_a_run() {
    let kept = Kept::new();
    let ids: Vec<_> = ["1", "2", "3"].map(|seed| kept.generate(&["--steps", "2", "--seed", seed])).into();
    let (root, clip) = (kept.root(), fixture("clip"));
    let find = |arguments: &[&str]| {
        lines(
            &[&["runs", "find", "--runs", text(&root), "--model", text(&clip), "--json"], arguments].concat(),
        )
    };
    let found = find(&["a red fox in the snow"]);
    assert_eq!(found.len(), 3);
    let similar: Vec<f64> = found.iter().map(|run| run["similarity"].as_f64().unwrap()).collect();
    assert!(similar.is_sorted_by(|a, b| a >= b), "{similar:?}");
    let files: Vec<_> = ids.iter().map(|id| kept.history().folder(id).join("meaning.safetensors")).collect();
    let written = |path: &std::path::PathBuf| std::fs::metadata(path).unwrap().modified().unwrap();
    let before: Vec<_> = files.iter().map(written).collect();
    // The picture of a run is most like itself, and is left out where the run is named.
    let picture = kept.history().picture_path(&ids[1]);
    let like = find(&["--like", text(&picture), "--limit", "1"]);
    assert_eq!((like.len(), id_of(&like[0])), (1, ids[1].clone()));
    assert!(like[0]["similarity"].as_f64().unwrap() > 0.9999);
    let others = find(&["--like", ids[1].as_str()]);
    assert_eq!(others.len(), 2);
    assert!(others.iter().all(|run| id_of(run) != ids[1]));
    assert_eq!(files.iter().map(written).collect::<Vec<_>>(), before, "each picture is read once");
    // A damaged place is made again.
    std::fs::write(&files[0], b"damaged").unwrap();
    assert_eq!(find(&["a red fox in the snow"]), found);

    let model = text(&clip);
    assert!(kept.refused(&["runs", "find", " ", "--model", model]).contains("say in words"));
    let none = kept.refused(&["runs", "find", "--like", "not/there.png", "--model", model]);
    assert!(none.contains("there is no such picture: not/there.png"), "{none}");
    let both = safelight(&["runs", "find", "fox", "--like", "last"]);
    assert_eq!(both.status.code(), Some(2));
    let wrong = kept.refused(&["runs", "find", "fox", "--model", text(&fixture("blip"))]);
    assert!(wrong.contains("‘model_type’ is blip"), "{wrong}");
}

#[test]
fn pictures_are_described_and_one_that_cannot_be_read_keeps_none_of_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let expected = json(&fixture("blip/expected.json"));
    let paths: Vec<_> = recorded_pictures("blip")
        .iter()
        .enumerate()
        .map(|(i, picture)| {
            let path = folder.path().join(format!("{i}.png"));
            write(picture, &path);
            path
        })
        .collect();
    let blip = fixture("blip");
    let model = ["describe", "--model", text(&blip)];
    let one = safelight(&[&model[..], &[text(&paths[3])]].concat());
    let words = expected["texts"][3].as_str().unwrap();
    assert_eq!(String::from_utf8(one.stdout).unwrap().trim_end(), words);
    let several: Vec<&str> = paths.iter().map(|path| text(path)).collect();
    let told = lines(&[&model[..], &several, &["--json"]].concat());
    let found: Vec<&Value> = told.iter().map(|line| &line["words"]).collect();
    assert_eq!(found, expected["texts"].as_array().unwrap().iter().collect::<Vec<_>>());
    let damaged = folder.path().join("damaged.png");
    std::fs::write(&damaged, b"\x89PNG\r\n\x1a\nnothing").unwrap();
    let output = safelight(&[&model[..], &[text(&damaged), text(&paths[3])]].concat());
    let error = error_of(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains("damaged.png") && error.contains("1 of 2 pictures"), "{error}");
    assert!(String::from_utf8(output.stdout).unwrap().trim_end().ends_with(words));
}

#[test]
fn a_folder_of_such_a_model_is_named_by_inspect() {
    for (folder, words) in [
        ("clip", "picture search (CLIP)"),
        ("siglip", "picture search (SigLIP)"),
        ("blip", "picture description (BLIP)"),
    ] {
        let folder = fixture(folder);
        let facts = lines(&["inspect", "--json", text(&folder)]).remove(0);
        assert!(facts["holds"].as_str().unwrap().starts_with(words), "{facts}");
        let of_file = lines(&["inspect", "--json", text(&folder.join("model.safetensors"))]).remove(0);
        assert_eq!(of_file, facts);
    }
}

/// Windows takes the home folder from no variable.
#[cfg(unix)]
#[test]
fn without_a_model_the_one_sentence_says_what_to_get_and_a_library_is_used() {
    use crate::common::model_folders::copy_folder;
    use crate::models::Home;
    let (home, kept) = (Home::new(), Kept::new());
    kept.generate(&["--steps", "1"]);
    let root = kept.root();
    let picture = kept.file("generated.png");
    let find = ["runs", "find", "a fox", "--runs", text(&root)];
    let refused = home.refuses(&find);
    assert!(refused.contains("‘safelight models get clip-search’"), "{refused}");
    assert!(refused.contains("‘safelight models get siglip-search’"), "{refused}");
    let refused = home.refuses(&["describe", text(&picture)]);
    assert!(refused.contains("‘safelight models get blip-description’"), "{refused}");
    for (fixture_name, name) in [("clip", "openai-clip"), ("blip", "blip")] {
        copy_folder(&fixture(fixture_name), &home.path("data/safelight/models").join(name));
    }
    let listed = home.json(&["models", "list"]);
    let kinds: Vec<&str> = listed.iter().filter_map(|entry| entry["kind"].as_str()).collect();
    assert!(kinds.contains(&"picture-search") && kinds.contains(&"picture-description"), "{kinds:?}");
    assert_eq!(home.prints(&find).lines().count(), 2);
    home.prints(&["describe", text(&picture), "--model", "blip"]);
    let wrong = home.refuses(&["describe", text(&picture), "--model", "openai-clip"]);
    assert!(wrong.contains("‘openai-clip’ is no model that describes pictures"), "{wrong}");
    // A SigLIP is named as a CLIP is, and what another model has compared is compared again.
    copy_folder(&fixture("siglip"), &home.path("data/safelight/models/google-siglip"));
    let by = |model: &str| home.prints(&[&find[..], &["--model", model]].concat());
    let by_clip = by("openai-clip");
    assert_ne!(by("google-siglip"), by_clip);
    assert_eq!(by("openai-clip"), by_clip);
    // Without its configuration its text encoder is still one that a model may have.
    std::fs::remove_file(home.path("data/safelight/models/openai-clip/config.json")).unwrap();
    let listed = home.json(&["models", "list"]);
    let kinds: Vec<&str> = listed.iter().filter_map(|entry| entry["kind"].as_str()).collect();
    let searches = kinds.iter().filter(|kind| **kind == "picture-search").count();
    assert!(kinds.contains(&"text-encoder") && searches == 1, "{kinds:?}");
}
