//! From a prompt to a picture.

use egui::accesskit::Role;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use egui_kittest::{Harness, SnapshotOptions};
use safelight::app::{Settings, Window};
use safelight::catalog::{ImageSize, ModelSource};
use safelight::panels::Language;
use safelight::request::Seed;
use safelight::session::{Action, Autosave, AutosaveKind};

use super::{
    common, draw, harness, is_drawn, results, shown, type_into, type_prompt, wait, wait_for_examples,
};

#[test]
fn a_typed_prompt_becomes_a_picture_with_a_timeline() {
    let mut harness = harness(|_| {});
    type_prompt(&mut harness, "green hills at noon");
    assert_eq!(harness.state().session.draft().prompt, "green hills at noon");
    harness.get_by_label("Generate").click();
    harness.run_ok();
    assert!(harness.state().session.running().is_some());
    wait(&mut harness, "a picture", is_drawn);
    harness.run_ok();
    assert_eq!((shown(&harness).steps().len(), shown(&harness).picture().is_some()), (20, true));
    harness.get_by_label("Final picture");
    // The timeline is a slider for the keyboard.
    harness.get_by_role_and_label(Role::Slider, "Film strip").focus();
    harness.run_ok();
    harness.key_press(egui::Key::ArrowLeft);
    harness.run_ok();
    assert_eq!(shown(&harness).place(), Some(19));
    harness.get_by_label_contains("step 20/20 · σ");
    harness.get_by_label("Export ▾").click();
    harness.run_ok();
    assert!(
        harness.get_by_label_contains("Picture…").accesskit_node().is_disabled(),
        "a step is not decoded"
    );
}

/// What the empty easel shows is what the model draws, and a key press draws one's own.
#[test]
fn an_example_on_the_empty_easel_is_drawn_by_the_model_and_starts_a_run() {
    let mut harness = harness(|_| {});
    wait_for_examples(&mut harness);
    let (prompt, picture) = harness.state().session.examples().nth(1).unwrap();
    let picture = picture.unwrap().clone();
    let others =
        harness.state().session.examples().filter(|(_, other)| other.unwrap().rgb() != picture.rgb());
    assert_eq!(others.count(), 3);
    assert_eq!(harness.state().session.documents().count(), 0);
    harness.state_mut().session.draft_mut().seed = Seed(1);
    harness.get_by_role_and_label(Role::Button, prompt).focus();
    harness.run_ok();
    harness.key_press(egui::Key::Enter);
    harness.step();
    wait(&mut harness, "a picture", is_drawn);
    let item = results(harness.state())[0];
    assert_eq!(item.request.prompt, prompt);
    assert!(item.picture().unwrap().rgb() == picture.rgb(), "the same prompt and seed give the same picture");
}

#[test]
fn the_shortcut_generates_and_escape_stops() {
    let mut harness = harness(|_| {});
    harness.state_mut().session.draft_mut().steps = 900;
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Enter);
    harness.step();
    wait(&mut harness, "a step", |window| {
        window.session.running().is_some_and(|running| running.newest.is_some())
    });
    harness.key_press(egui::Key::Escape);
    harness.step();
    wait(&mut harness, "the stop", |window| window.session.running().is_none());
    let item = results(harness.state())[0];
    assert!(item.finished_early && !item.trajectory.steps.is_empty(), "what was drawn is a document");
}

#[test]
fn a_seed_of_minus_one_is_random_and_a_long_one_stays_as_it_is() {
    let mut harness = harness(|_| {});
    // More than 32 bits, and more than an f64 holds: ComfyUI's seeds are so long.
    let long = Seed(18_446_744_073_709_551_615);
    harness.state_mut().session.draft_mut().seed = long;
    harness.run_ok();
    assert_eq!(harness.state().session.draft().seed, long);
    harness.get_by_value("18446744073709551615");

    let mut type_seed = |text: &str| {
        type_into(&mut harness, Role::SpinButton, "Seed", text);
        harness.state().session.draft().seed
    };
    assert_eq!(type_seed("1234567890123456789"), Seed(1_234_567_890_123_456_789));
    let drawn: Vec<Seed> = (0..4).map(|_| type_seed("-1")).collect();
    assert!(drawn.iter().any(|seed| *seed != drawn[0]), "{drawn:?}");
    assert!(drawn.iter().all(|seed| u32::try_from(seed.0).is_ok()), "{drawn:?}");
}

#[test]
fn a_model_that_ended_the_program_is_loaded_on_demand_only() {
    let mut harness = Harness::builder().with_size([1280.0, 800.0]).wgpu().build_eframe(|context| {
        let model = ModelSource::Folder("/nowhere/deadly".into());
        let settings =
            Settings { language: Language::English, model, model_crashed: true, ..Settings::default() };
        Window::new(context, settings, None).unwrap()
    });
    harness.run_ok();
    harness.get_by_label("The last model was not loaded");
    harness.get_by_label_contains("Not loaded");
    assert!(harness.state().session.loading().is_none());
    harness.get_by_label("Try again").click();
    wait(&mut harness, "the failure", |window| window.session.notices().len() == 2);
    harness.run_ok();
    harness.get_by_label_contains("Could not be loaded");
}

/// B2: Escape that was meant for a list ended the run and all that waited.
#[test]
fn escape_closes_a_list_before_it_stops_anything() {
    let mut harness = harness(|_| {});
    harness.state_mut().session.draft_mut().steps = 900;
    harness.state_mut().session.apply(Action::SetBatch(3, false));
    harness.state_mut().session.apply(Action::Generate);
    harness.step();
    harness.get_by_label("Language, theme, keys").click();
    harness.step();
    harness.step();
    harness.get_by_label("About Safelight…");
    harness.key_press(egui::Key::Escape);
    harness.step();
    harness.step();
    assert!(harness.query_by_label("About Safelight…").is_none());
    let session = &harness.state().session;
    assert!(!session.running().unwrap().cancel.is_stopped() && session.question().is_none());
    // The next one asks, since pictures wait.
    harness.key_press(egui::Key::Escape);
    harness.step();
    harness.step();
    harness.get_by_label("Pictures still waiting: 2");
    harness.get_by_label("Stop all").click();
    harness.step();
    wait(&mut harness, "the stop", |window| window.session.running().is_none());
    assert_eq!(harness.state().session.waiting().len(), 0);
    harness.step();
    harness.get_by_label("2 waiting pictures removed");
}

/// B3: suggested words moved everything below them, and the click that took the focus missed.
#[test]
fn suggested_words_move_nothing_and_end_the_word_at_the_cursor() {
    let mut harness = harness(|_| {});
    let before = harness.get_by_role_and_label(Role::Button, "Source").rect();
    type_prompt(&mut harness, "green mou");
    harness.get_by_label_contains("mountains");
    assert_eq!(harness.get_by_role_and_label(Role::Button, "Source").rect(), before);
    harness.key_press_modifiers(egui::Modifiers::CTRL, egui::Key::Space);
    harness.run_ok();
    let prompt = &harness.state().session.draft().prompt;
    assert!(prompt.starts_with("green mou") && prompt.ends_with(' ') && prompt.len() > 10, "{prompt:?}");
    // The first of "sk" is on one line beside its key; a whole word has no list, which would lie over the picture.
    type_prompt(&mut harness, "stormy sk");
    let suggested = harness
        .query_all_by_role(Role::Button)
        .filter(|button| button.accesskit_node().label().is_some_and(|label| label.starts_with("sky")));
    let heights: Vec<f32> = suggested.map(|button| button.rect().height()).collect();
    assert!(heights.len() > 1 && heights.iter().all(|height| *height == heights[0]), "{heights:?}");
    type_prompt(&mut harness, "y");
    assert!(harness.query_by_label_contains("skyline").is_none());
}

/// A drawn picture is written at once where that is wished, and nothing is asked at the end.
#[test]
fn pictures_are_saved_as_they_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_owned();
    let mut harness = harness(move |settings| {
        settings.autosave = Autosave {
            kind: AutosaveKind::PicturesAndLatents,
            folder: Some(place),
            pattern: "{seed}".to_owned(),
        };
    });
    draw(&mut harness);
    wait(&mut harness, "the files", |window| window.session.unsaved().count() == 0);
    let file = folder.path().join("4294967295.png");
    let facts = safelight::formats::metadata::read_facts(&file).unwrap();
    assert_eq!(facts.seed, Some(Seed(4_294_967_295)));
    assert!(file.with_extension("latent").is_file());
    // The same seed again: another name.
    harness.state_mut().session.draft_mut().seed = Seed(4_294_967_295);
    harness.state_mut().session.apply(Action::Generate);
    wait(&mut harness, "the second file", |_| folder.path().join("4294967295-2.png").is_file());
}

/// The built-in model's CLIP reads a prompt in chunks of 46 tokens.
#[test]
fn the_tokens_of_the_prompt_are_counted() {
    let mut harness = harness(|_| {});
    type_prompt(&mut harness, "green hills at noon");
    let measured = |tokens: usize| {
        move |window: &Window| window.session.prompt_length().is_some_and(|length| length.tokens() == tokens)
    };
    wait(&mut harness, "the count", measured(4));
    harness.run_ok();
    harness.get_by_label("4 / 46");
    harness.state_mut().session.draft_mut().prompt = "hills, ".repeat(50);
    wait(&mut harness, "the count", measured(100));
    harness.run_ok();
    harness.get_by_label("100 / 138");
    wait_for_examples(&mut harness);
    let few_pixels = SnapshotOptions::new().max_failed_pixels(64_usize);
    harness.snapshot_options("chunks", &few_pixels);
    // Nothing is asked of an engine that draws.
    harness.state_mut().session.draft_mut().steps = 900;
    harness.state_mut().session.apply(Action::Generate);
    harness.step();
    harness.state_mut().session.draft_mut().prompt = "hills".into();
    harness.step();
    harness.step();
    assert!(harness.state().session.prompt_length().is_none());
    harness.state_mut().session.apply(Action::StopAll);
    wait(&mut harness, "the count", measured(1));
}

/// A transformer in a file, completed by what lies beside it, is chosen where files are opened, and draws.
#[test]
fn flux_in_files_is_opened_and_draws() {
    let folder = tempfile::tempdir().unwrap();
    let transformer = common::flux_files::write_flux(folder.path());
    let mut harness = harness(|_| {});
    harness.state_mut().session.apply(Action::OpenPaths(vec![transformer]));
    let is_flux = |window: &Window| {
        window.session.is_ready()
            && window.session.profile().is_some_and(|profile| profile.family == "FLUX.1")
    };
    wait(&mut harness, "the model", is_flux);
    type_prompt(&mut harness, "a red fox in the snow");
    harness.state_mut().session.draft_mut().size = ImageSize::new(32, 32);
    let counted = |window: &Window| window.session.prompt_length().is_some_and(|length| length.tokens() >= 6);
    wait(&mut harness, "the count", counted);
    let length = harness.state().session.prompt_length().unwrap();
    // T5 reads one chunk of a prompt, and ends it.
    assert_eq!((length.chunks.len(), length.room), (1, 255));
    draw(&mut harness);
    let profile = harness.state().session.profile().unwrap();
    assert_eq!((profile.name.as_str(), profile.format.channels), ("flux1-small", 16));
    let picture = results(harness.state())[0].picture().unwrap();
    assert_eq!((picture.width(), picture.height()), (32, 32));
}

#[test]
fn the_steps_are_played_and_a_picture_goes_on_from_one_with_other_words() {
    let mut harness = harness(|_| {});
    type_prompt(&mut harness, "green hills at noon");
    harness.state_mut().session.draft_mut().steps = 6;
    harness.get_by_label("Generate").click();
    wait(&mut harness, "a picture", is_drawn);
    harness.run_ok();
    assert!(harness.query_by_label("Go on from here ▸").is_none(), "no step is chosen");
    harness.get_by_role_and_label(Role::Button, "Play the steps").click();
    harness.step();
    let first = shown(&harness).place();
    assert_eq!(first, Some(0), "from the first");
    wait(&mut harness, "the second step", |window| window.session.on_easel().unwrap().place() == Some(1));
    wait(&mut harness, "the end", |window| window.session.on_easel().unwrap().place().is_none());
    harness.run_ok();
    harness.get_by_role_and_label(Role::Button, "Play the steps");
    harness.get_by_role_and_label(Role::Slider, "Film strip").focus();
    for key in [egui::Key::Home, egui::Key::ArrowRight, egui::Key::ArrowRight] {
        harness.run_ok();
        harness.key_press(key);
    }
    harness.run_ok();
    assert_eq!(shown(&harness).place(), Some(2));
    harness.state_mut().session.draft_mut().prompt = "a lighthouse at night".into();
    harness.key_press(egui::Key::B);
    harness.step();
    wait(&mut harness, "the fork", |window| results(window).len() == 2 && window.session.running().is_none());
    let [fork, run] = results(harness.state())[..] else { panic!("two results") };
    assert_eq!(fork.request.prompt, "a lighthouse at night");
    assert_eq!(fork.trajectory.steps[..3], run.trajectory.steps[..3], "the steps before it are shared");
    assert_eq!(fork.trajectory.steps[3].noisy, run.trajectory.steps[3].noisy);
    assert_ne!(fork.latent, run.latent);
    assert_eq!(fork.lineage.from.map(|(_, step)| step), Some(3));
}
