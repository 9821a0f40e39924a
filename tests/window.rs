//! The window without a display: the real panels, the real engine and the built-in model.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::{Duration, Instant};

use egui::accesskit::Role;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use egui_kittest::{Harness, SnapshotOptions};
use safelight::app::{Settings, ThemeChoice, Window};
use safelight::catalog::ModelSource;
use safelight::engine::{Event, Stage};
use safelight::latent::{Latent, LatentFormat, LatentShape, TrajectoryStep};
use safelight::panels::{Language, Tab};
use safelight::request::{InitImage, Picture, Seed};
use safelight::session::{Action, Shown};

fn harness<'a>(change: impl FnOnce(&mut Settings)) -> Harness<'a, Window> {
    let mut settings =
        Settings { language: Language::English, theme: ThemeChoice::Dark, ..Settings::default() };
    change(&mut settings);
    let mut harness = Harness::builder()
        .with_size([1280.0, 800.0])
        .with_theme(if settings.theme == ThemeChoice::Light { egui::Theme::Light } else { egui::Theme::Dark })
        .wgpu()
        .build_eframe(|context| Window::new(context, settings, None).unwrap());
    wait(&mut harness, "the model", |window| window.session.is_ready());
    // The longest there is, and the same in every picture.
    harness.state_mut().session.draft_mut().seed = Seed(4_294_967_295);
    harness.run_ok();
    harness
}

/// Steps until `done`; the engine works on its own thread meanwhile.
fn wait(harness: &mut Harness<'_, Window>, what: &str, done: impl Fn(&Window) -> bool) {
    let start = Instant::now();
    while !done(harness.state()) {
        assert!(start.elapsed() < Duration::from_mins(2), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
        harness.step();
    }
}

fn type_prompt(harness: &mut Harness<'_, Window>, text: &str) {
    harness.get_by_role_and_label(Role::MultilineTextInput, "Prompt").focus();
    harness.run_ok();
    harness.get_by_role_and_label(Role::MultilineTextInput, "Prompt").type_text(text);
    harness.run_ok();
}

#[test]
fn a_typed_prompt_becomes_a_picture_with_a_timeline() {
    let mut harness = harness(|_| {});
    type_prompt(&mut harness, "green hills at noon");
    assert_eq!(harness.state().session.draft().prompt, "green hills at noon");
    harness.get_by_label("Generate").click();
    harness.run_ok();
    assert!(harness.state().session.running().is_some());
    wait(&mut harness, "a picture", |window| {
        window.session.results().iter().any(|item| item.picture().is_some())
    });
    let steps = harness.state().session.results()[0].trajectory.steps.len();
    assert_eq!((steps, harness.state().session.shown()), (20, Shown::Result(0)));
    harness.run_ok();
    assert!(!harness.get_by_label("Save…").accesskit_node().is_disabled());
    harness.state_mut().session.apply(Action::Scrub(Some(3)));
    harness.run_ok();
    harness.get_by_label("4/20");
}

#[test]
fn a_window_with_unsaved_pictures_asks_before_it_closes() {
    let mut harness = harness(|_| {});
    let close = |harness: &mut Harness<'_, Window>| {
        let viewport = harness.input_mut().viewports.entry(egui::ViewportId::ROOT).or_default();
        viewport.events.push(egui::ViewportEvent::Close);
        harness.step();
        let commands = &harness.output().viewport_output[&egui::ViewportId::ROOT].commands;
        let held = commands.contains(&egui::ViewportCommand::CancelClose);
        harness.input_mut().viewports.entry(egui::ViewportId::ROOT).or_default().events.clear();
        harness.run_ok();
        held
    };
    assert!(!close(&mut harness), "there is nothing to lose");
    type_prompt(&mut harness, "green hills at noon");
    harness.get_by_label("Generate").click();
    wait(&mut harness, "a picture", |window| window.session.results().len() == 1);
    assert!(close(&mut harness));
    harness.get_by_label_contains("Pictures not saved: 1");
    harness.get_by_label("Stay").click();
    harness.run_ok();
    assert!(harness.query_by_label("Save all…").is_none());
    assert!(close(&mut harness));
    harness.get_by_label("Close without saving").click();
    harness.step();
    harness.step();
    let commands = &harness.output().viewport_output[&egui::ViewportId::ROOT].commands;
    assert!(commands.contains(&egui::ViewportCommand::Close));
}

#[test]
fn a_window_that_is_drawing_asks_before_it_closes() {
    let mut harness = harness(|_| {});
    harness.state_mut().session.draft_mut().steps = 900;
    harness.state_mut().session.apply(Action::SetBatch(2, false));
    harness.state_mut().session.apply(Action::Generate);
    harness.step();
    let viewport = harness.input_mut().viewports.entry(egui::ViewportId::ROOT).or_default();
    viewport.events.push(egui::ViewportEvent::Close);
    harness.step();
    let commands = &harness.output().viewport_output[&egui::ViewportId::ROOT].commands;
    assert!(commands.contains(&egui::ViewportCommand::CancelClose));
    harness.input_mut().viewports.entry(egui::ViewportId::ROOT).or_default().events.clear();
    harness.step();
    harness.get_by_label_contains("Still being drawn or waiting: 2");
    assert!(harness.query_by_label("Save all…").is_none(), "there is nothing to save yet");
    // The safe answer has the focus.
    harness.key_press(egui::Key::Enter);
    harness.step();
    harness.step();
    assert!(harness.query_by_label_contains("Still being drawn").is_none());
    assert!(harness.state().session.running().is_some());
    harness.state_mut().session.apply(Action::StopNow);
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
    assert!(harness.state().session.results().is_empty());
}

#[test]
fn a_result_s_latent_is_laid_open_and_touched() {
    let mut harness = harness(|_| {});
    harness.state_mut().session.draft_mut().steps = 2;
    harness.state_mut().session.apply(Action::Generate);
    wait(&mut harness, "a picture", |window| {
        window.session.results().iter().any(|item| item.picture().is_some())
    });
    harness.get_by_label("Latent").click();
    harness.run_ok();
    assert_eq!(harness.state().desk.tab, Tab::Latent);
    for channel in ["Channel 0", "Channel 3"] {
        harness.get_by_label(channel);
    }
    harness.get_all_by_label("Mute").next().unwrap().click_accesskit();
    harness.run_ok();
    assert!(harness.state().session.inspector().adjustments.channels[0].muted);
    wait(&mut harness, "the decode", |window| window.session.inspector().pending.is_none());
    harness.get_by_label("Undo").click_accesskit();
    harness.run_ok();
    assert!(!harness.state().session.inspector().adjustments.channels[0].muted);

    wait(&mut harness, "the decode", |window| window.session.inspector().pending.is_none());
    harness.get_by_label("Decode again").click_accesskit();
    harness.run_ok();
    assert!(harness.query_by_label("In f32").is_none(), "it is in f32 already");
    harness.get_by_label("In tiles").click_accesskit();
    harness.step();
    assert!(harness.state().session.inspector().pending.is_some());
    wait(&mut harness, "the decode in tiles", |window| window.session.inspector().pending.is_none());
}

#[test]
fn a_removed_result_comes_back() {
    let mut harness = harness(|_| {});
    harness.state_mut().session.draft_mut().steps = 2;
    harness.state_mut().session.apply(Action::Generate);
    wait(&mut harness, "a picture", |window| {
        window.session.results().iter().any(|item| item.picture().is_some())
    });
    harness.state_mut().session.apply(Action::RemoveResult(0));
    harness.run_ok();
    harness.get_by_label("Removed");
    assert!(harness.state().session.results().is_empty());
    harness.get_by_label("Undo").click();
    harness.run_ok();
    assert_eq!(harness.state().session.results().len(), 1);
    assert!(harness.query_by_label("Removed").is_none());
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
        harness.get_by_role_and_label(Role::SpinButton, "Seed").focus();
        harness.run_ok();
        harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::A);
        harness.run_ok();
        harness.event(egui::Event::Text(text.to_owned()));
        harness.run_ok();
        harness.key_press(egui::Key::Enter);
        harness.run_ok();
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
    harness.get_by_label("Not loaded");
    assert!(harness.state().session.loading().is_none());
    harness.get_by_label("Try again").click();
    wait(&mut harness, "the failure", |window| window.session.notices().len() == 2);
    harness.run_ok();
    harness.get_by_label("Could not be loaded");
}

#[test]
fn an_opened_file_that_is_nothing_known_says_so() {
    let mut harness = harness(|_| {});
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broken.png");
    std::fs::write(&file, b"\x89PNG\r\n\x1a\nnot really").unwrap();
    harness.state_mut().session.apply(Action::OpenPaths(vec![file]));
    wait(&mut harness, "the notice", |window| !window.session.notices().is_empty());
    harness.run_ok();
    harness.get_by_label("This could not be opened");
}

#[test]
fn the_first_start_looks_as_designed() {
    let mut harness = harness(|_| {});
    harness.run_ok();
    harness.snapshot("first_start");
}

#[test]
fn the_first_start_in_korean_and_light_looks_as_designed() {
    let mut harness = harness(|settings| {
        settings.language = Language::Korean;
        settings.theme = ThemeChoice::Light;
    });
    harness.run_ok();
    harness.get_by_label("생성");
    harness.snapshot("first_start_korean_light");
}

/// A picture with smooth and sharp parts, as a file.
fn picture_file(folder: &std::path::Path, width: u32, height: u32) -> std::path::PathBuf {
    let path = folder.join("hills.png");
    image::RgbImage::from_fn(width, height, |x, y| {
        let (u, v) = (x as f32 / width as f32, y as f32 / height as f32);
        if (u - 0.3).hypot(v - 0.3) < 0.15 {
            image::Rgb([230, 60, 40])
        } else if v > 0.6 + 0.1 * (u * 7.0).sin() {
            image::Rgb([(60.0 + 60.0 * u) as u8, 140, 60])
        } else {
            image::Rgb([(120.0 * v) as u8 + 90, (150.0 * v) as u8 + 90, 220])
        }
    })
    .save(&path)
    .unwrap();
    path
}

fn open_picture(harness: &mut Harness<'_, Window>, width: u32, height: u32) {
    let folder = tempfile::tempdir().unwrap();
    let file = picture_file(folder.path(), width, height);
    harness.state_mut().session.apply(Action::OpenPaths(vec![file]));
    wait(harness, "the comparison", |window| window.session.inspector().comparison.is_some());
    harness.run_ok();
}

#[test]
fn an_opened_picture_shows_what_the_vae_kept_and_can_be_padded() {
    let mut harness = harness(|_| {});
    open_picture(&mut harness, 130, 130);
    let comparison = harness.state().session.inspector().comparison.as_ref().unwrap();
    assert!(comparison.psnr > 15.0, "{}", comparison.psnr);
    assert!(comparison.jpeg.is_some());
    harness.get_by_label("hills.png");
    harness.get_by_label("130×130 → 128×128");
    harness.get_by_label("Pad").click();
    harness.run_ok();
    wait(&mut harness, "the padded picture", |window| {
        window.session.inspector().original.as_ref().is_some_and(|picture| picture.width() == 136)
            && window.session.inspector().comparison.is_some()
    });
}

#[test]
fn an_opened_picture_looks_as_designed() {
    let mut harness = harness(|_| {});
    open_picture(&mut harness, 128, 128);
    harness.hover_at(egui::pos2(420.0, 330.0));
    harness.run_ok();
    harness.run_ok();
    // Instruction sets differ in the last bits of a latent, which the colour maps round.
    let few_pixels = SnapshotOptions::new().max_failed_pixels(64_usize);
    harness.snapshot_options("latent_of_a_picture", &few_pixels);
}

/// A latent of 16 channels needs another model: only the view is drawn.
#[test]
fn sixteen_channels_lay_out_well() {
    let mut harness = harness(|settings| settings.theme = ThemeChoice::Light);
    let shape = LatentShape::new(16, 16, 24);
    let values: Vec<f32> = (0..shape.len())
        .map(|i| {
            let (c, y, x) = (i / 384, i % 384 / 24, i % 24);
            ((x as f32 * 0.3 + c as f32).sin() + (y as f32 * 0.4 - c as f32 * 0.7).cos())
                * (1.0 + c as f32 * 0.1)
        })
        .collect();
    let latent = Latent::new(shape, values).unwrap();
    harness.state_mut().session.inspector_mut().open(latent, LatentFormat::FLUX);
    harness.state_mut().desk.tab = Tab::Latent;
    harness.run_ok();
    harness.get_by_label("Channel 15");
    harness.snapshot("latent_of_16_channels_light");
}

#[test]
fn a_latent_that_does_not_say_its_space_is_asked_about() {
    let mut harness = harness(|_| {});
    let latent = Latent::zeros(LatentShape::new(4, 16, 16));
    harness.state_mut().session.apply(Action::InspectLatent {
        latent,
        space: None,
        name: "from numpy.npy".into(),
    });
    harness.run_ok();
    harness.get_by_label("About this latent");
    harness.get_by_label("Open").click();
    harness.run_ok();
    assert!(harness.state().session.question().is_none());
    assert_eq!(harness.state().session.inspector().name, "from numpy.npy");
}

#[test]
fn a_failed_load_says_what_why_and_what_to_try_in_korean() {
    let mut harness = harness(|settings| settings.language = Language::Korean);
    harness.state_mut().session.apply(Action::SetModel(ModelSource::Folder("/nowhere/a model".into())));
    wait(&mut harness, "the failure", |window| !window.session.notices().is_empty());
    harness.run_ok();
    harness.get_by_label("모델을 불러오지 못했습니다");
    harness.snapshot("failed_load_korean");
}

/// A running job as the engine would report it, so that every start draws the same.
#[test]
fn sampling_looks_as_designed() {
    let mut harness = harness(|_| {});
    let session = &mut harness.state_mut().session;
    session.draft_mut().prompt = "snowy mountains over a lake at night, two moons, and a very long prompt that goes on \
        about clouds, boats, lighthouses, islands and the light on the water until nobody can see its end any more, \
        because a field for prompts has to hold what people type into it"
        .into();
    session.draft_mut().init_image = Some(InitImage {
        picture: Picture::new(160, 90, [90, 120, 160].repeat(160 * 90)).unwrap(),
        strength: 0.6,
    });
    session.apply(Action::SetBatch(3, false));
    session.apply(Action::Generate);
    session.take_effects();
    let job = session.running().unwrap().id;
    let shape = LatentShape::new(4, 16, 16);
    let denoised: Vec<f32> =
        (0..shape.len()).map(|i| ((i % 16) as f32 * 0.2 - (i / 16 % 16) as f32 * 0.1).sin()).collect();
    let denoised = Latent::new(shape, denoised).unwrap();
    session.apply_event(Event::StageChanged { job, stage: Stage::Sampling });
    let noisy = denoised.clone();
    let step = TrajectoryStep { step: 7, steps: 12, sigma: 2.34, noisy, denoised, elapsed_secs: 0.1 };
    session.apply_event(Event::StepFinished { job, step: step.into() });
    harness.run_ok();
    harness.get_by_label("patch x̂₀ · step 7/12 · σ 2.34");
    harness.snapshot("sampling");
}

#[test]
fn the_smallest_window_holds_everything() {
    let mut harness = harness(|_| {});
    harness.set_size(egui::vec2(840.0, 540.0));
    harness.run_ok();
    harness.snapshot("smallest");
}

/// Also remakes README's pictures where `SAFELIGHT_SCREENSHOTS` names a folder.
#[test]
fn pictures_of_the_readme() {
    let mut harness = harness(|_| {});
    harness.state_mut().session.draft_mut().prompt =
        "a shiny blue cone and a red ball, rainbow, sand, rolling hills, at sunrise".into();
    harness.state_mut().session.draft_mut().seed = Seed(2);
    harness.state_mut().session.apply(Action::SetBatch(6, false));
    harness.state_mut().session.apply(Action::Generate);
    wait(&mut harness, "pictures", |window| {
        window.session.results().len() == 6 && window.session.running().is_none()
    });
    harness.run_ok();
    let shoot = |harness: &mut Harness<'_, Window>, name: &str| {
        let picture = harness.render().unwrap();
        let colours: std::collections::HashSet<_> = picture.pixels().map(|pixel| pixel.0).collect();
        assert!(colours.len() > 500, "{name}: only {} colours", colours.len());
        if let Some(folder) = std::env::var_os("SAFELIGHT_SCREENSHOTS") {
            picture.save(std::path::Path::new(&folder).join(name)).unwrap();
        }
    };
    shoot(&mut harness, "window.png");
    harness.get_by_label("Latent").click();
    harness.run_ok();
    shoot(&mut harness, "latent.png");
}
