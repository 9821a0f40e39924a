//! The gallery of kept runs, with a history in a folder of its own.

use std::path::Path;

use egui::Key;
use egui::accesskit::Role;
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use safelight::app::Window;
use safelight::session::history::RunStatus;
use safelight::session::{Action, Document, Like, MeaningAction};
use safelight::store::library::{Environment, LibraryPaths};

use crate::common::fixtures::fixture;
use crate::common::model_folders::copy_folder;
use crate::{draw, harness, is_drawn, results, shown, type_prompt, wait};

/// A trash that is a folder beside the runs.
fn to_trash(path: &Path) -> Result<(), String> {
    std::fs::remove_dir_all(path).map_err(|error| error.to_string())
}

fn keeping<'a>(root: &Path) -> Harness<'a, Window> {
    let mut harness = harness(|_| {});
    harness.state_mut().use_history(root.to_owned(), to_trash);
    harness
}

fn listed(harness: &mut Harness<'_, Window>, count: usize) {
    wait(harness, "the list", |window| window.session.history().runs().len() == count);
    let has_all = |window: &Window| {
        let history = window.session.history();
        history.runs().iter().all(|run| history.thumbnail(&run.id).is_some())
    };
    wait(harness, "the thumbnails", has_all);
    harness.run_ok();
}

#[test]
fn pictures_of_an_earlier_session_are_found_shown_starred_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = keeping(folder.path());
    type_prompt(&mut first, "green hills at noon");
    draw(&mut first);
    assert!(first.state().session.unsaved().next().is_none(), "it is kept");
    let latent = results(first.state())[0].latent.clone();
    drop(first);

    let mut harness = keeping(folder.path());
    type_prompt(&mut harness, "a lighthouse at night");
    draw(&mut harness);
    harness.get_by_role_and_label(Role::Button, "Generate").focus();
    harness.run_ok();
    harness.key_press(Key::G);
    harness.step();
    listed(&mut harness, 2);
    harness.snapshot("gallery");
    // The arrow keys choose, and Enter shows.
    for key in [Key::Home, Key::ArrowRight, Key::Num4, Key::Enter] {
        harness.key_press(key);
        harness.run_ok();
    }
    let is_shown = |window: &Window| {
        window
            .session
            .on_easel()
            .and_then(Document::request)
            .is_some_and(|r| r.prompt == "green hills at noon")
    };
    wait(&mut harness, "the run of the earlier session", is_shown);
    harness.run_ok();
    let document = shown(&harness);
    assert_eq!((document.steps().len(), document.stars(), document.picture().is_some()), (2, 4, true));
    assert_eq!(document.final_latent().unwrap(), &latent, "to the bit");
    // It goes on from a step as any other.
    harness.state_mut().session.apply(Action::Scrub(Some(0)));
    harness.run_ok();
    assert_eq!(harness.state().session.fork_obstacle(), None);
    harness.state_mut().session.apply(Action::Fork);
    wait(&mut harness, "the fork", |window| window.session.running().is_none() && results(window).len() == 3);

    harness.key_press(Key::G);
    harness.step();
    listed(&mut harness, 3);
    harness.get_by_role_and_label(Role::TextInput, "Search prompts").focus();
    harness.run_ok();
    harness.get_by_role_and_label(Role::TextInput, "Search prompts").type_text("HILLS green");
    harness.run_ok();
    harness.get_by_label("1 / 3");
    harness.get_by_role_and_label(Role::Button, "Show all").click();
    harness.run_ok();
    harness.get_by_label("3 pictures");
    harness.get_by_role_and_label(Role::Button, "green hills at noon").click();
    harness.run_ok();
    harness.get_by_label("Chosen: 1");
    harness.get_by_role_and_label(Role::Button, "Delete").click();
    harness.step();
    wait(&mut harness, "the deletion", |window| window.session.history().runs().len() == 2);
    assert!(
        harness.state().session.documents().all(|document| document.stars() != 4),
        "its document left, too"
    );
}

#[test]
fn an_interrupted_run_goes_on_to_the_picture_it_would_have_become() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = keeping(folder.path());
    type_prompt(&mut first, "green hills at noon");
    first.state_mut().session.draft_mut().steps = 6;
    first.state_mut().session.apply(Action::Generate);
    wait(&mut first, "a picture", |window| is_drawn(window) && window.session.running().is_none());
    let latent = results(first.state())[0].latent.clone();
    drop(first);
    // What a process that was killed after the fourth step leaves.
    let history = safelight::store::history::History::open(folder.path().to_owned());
    let run = history.runs().unwrap().runs.remove(0);
    assert_eq!((run.status, run.steps_kept), (RunStatus::Finished, 6));
    let run_folder = history.folder(&run.id);
    for file in ["picture.png", "thumbnail.png", "final.safetensors", "final.latent"] {
        std::fs::remove_file(run_folder.join(file)).unwrap();
    }
    let record = run_folder.join("run.json");
    let text = std::fs::read_to_string(&record).unwrap().replace("\"finished\"", "\"running\"");
    std::fs::write(&record, text).unwrap();
    let steps = run_folder.join("steps.bin");
    let bytes = std::fs::read(&steps).unwrap();
    std::fs::write(&steps, &bytes[..bytes.len() * 3 / 4]).unwrap();

    let mut harness = keeping(folder.path());
    harness.step();
    wait(&mut harness, "the offer", |window| window.session.history().interrupted().len() == 1);
    harness.run_ok();
    harness.get_by_label("Go on").click();
    harness.step();
    wait(&mut harness, "the picture", |window| is_drawn(window) && window.session.running().is_none());
    assert_eq!(results(harness.state())[0].latent, latent, "to the bit");
    drop(harness);
    let runs = safelight::store::history::History::open(folder.path().to_owned()).runs().unwrap().runs;
    assert_eq!((runs.len(), &runs[0].status, runs[0].steps_kept), (1, &RunStatus::Finished, 6));
}

/// The library of a folder that the test made.
fn use_models(harness: &mut Harness<'_, Window>, folder: &Path) {
    let paths = LibraryPaths {
        models: folder.join("models"),
        config: folder.join("config/library.json"),
        cache: folder.join("cache/library.json"),
    };
    harness.state_mut().use_library(paths, Environment::default(), to_trash);
}

#[test]
fn pictures_are_found_by_their_meaning_and_described() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = keeping(&folder.path().join("runs"));
    for prompt in ["green hills at noon", "a lighthouse at night"] {
        type_prompt(&mut harness, prompt);
        draw(&mut harness);
    }
    harness.get_by_role_and_label(Role::Button, "Generate").focus();
    harness.run_ok();
    harness.key_press(Key::G);
    harness.step();
    listed(&mut harness, 2);
    // Without a model one line says what to get.
    harness.get_by_label("By meaning").click();
    harness.run_ok();
    harness.get_by_label("A CLIP or SigLIP model finds pictures by their meaning: openai/clip-vit-large-patch14 or google/siglip-base-patch16-224");
    harness.get_by_role_and_label(Role::Button, "Get…");
    harness.snapshot("gallery_without_a_model");
    for name in ["clip", "blip"] {
        copy_folder(&fixture(name), &folder.path().join("models").join(name));
    }
    use_models(&mut harness, folder.path());
    wait(&mut harness, "the models", |window| {
        window.session.search_weights().is_some() && window.session.description_weights().is_some()
    });
    let history = safelight::store::history::History::open(folder.path().join("runs"));
    let runs: Vec<_> = history.runs().unwrap().runs.into_iter().map(|run| run.id).collect();
    wait(&mut harness, "the places", |_| runs.iter().all(|run| history.meaning(run).is_some()));
    harness.run_ok();
    harness.get_by_role_and_label(Role::TextInput, "What is in the picture").focus();
    harness.run_ok();
    harness.get_by_role_and_label(Role::TextInput, "What is in the picture").type_text("hills");
    harness.run_ok();
    harness.key_press(Key::Enter);
    harness.step();
    wait(&mut harness, "what is found", |window| window.session.meaning().found().is_some());
    harness.run_ok();
    harness.get_by_label("found: 2");
    harness.snapshot("gallery_by_meaning");
    // More like the first.
    harness.get_by_role_and_label(Role::Button, "green hills at noon").click();
    harness.run_ok();
    harness.get_by_role_and_label(Role::Button, "More like this").click();
    harness.step();
    wait(
        &mut harness,
        "what is like it",
        |window| matches!(window.session.meaning().found(), Some(found) if matches!(found.like, Like::Run(_))),
    );
    harness.run_ok();
    harness.get_by_label("Like a picture · found: 1");
    // A description becomes the prompt, and is taken back.
    let before = harness.state().session.draft().prompt.clone();
    let picture = history.picture(&runs[0]).unwrap().unwrap();
    harness.state_mut().session.apply(Action::Meaning(MeaningAction::Describe(picture)));
    wait(&mut harness, "the description", |window| window.session.draft().prompt != before);
    harness.run_ok();
    harness.get_by_label("The picture in words");
    let notice = harness.state().session.last_taken_away().unwrap();
    harness.state_mut().session.apply(Action::TakeBack(notice));
    assert_eq!(harness.state().session.draft().prompt, before);
}
