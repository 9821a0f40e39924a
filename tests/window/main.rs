//! The window without a display: the real panels, the real engine and the built-in model.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../common/mod.rs"]
mod common;

mod access;
mod closing;
mod comparing;
mod controls;
mod documents;
mod downloads;
mod downloads_page;
mod drawing;
mod grids;
mod history;
mod inside;
mod library;
mod looks;
mod options;
mod previews;
mod reels;
mod settings;

use std::time::{Duration, Instant};

use egui::accesskit::Role;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use egui_kittest::{Harness, SnapshotResults};
use safelight::app::{Settings, ThemeChoice, Window};
use safelight::catalog::{ModelProfile, ModelSource};
use safelight::engine::{Command, Event, Job, Stage};
use safelight::latent::{Latent, LatentFormat, LatentShape, LatentSpace, TrajectoryStep};
use safelight::panels::Language;
use safelight::request::{InitImage, Picture, Seed};
use safelight::session::{Action, Document, Effect, FileContent, ResultItem};

/// Languages, themes and sizes in which nothing of a page may be cut off: a small window and a usual one.
pub(crate) const LOOKS: [(Language, ThemeChoice, egui::Vec2); 4] = [
    (Language::English, ThemeChoice::Dark, egui::vec2(1280.0, 800.0)),
    (Language::Korean, ThemeChoice::Light, egui::vec2(1024.0, 640.0)),
    (Language::English, ThemeChoice::Light, egui::vec2(1024.0, 640.0)),
    (Language::Korean, ThemeChoice::Dark, egui::vec2(1280.0, 800.0)),
];

pub(crate) fn harness<'a>(change: impl FnOnce(&mut Settings)) -> Harness<'a, Window> {
    harness_of(egui::vec2(1280.0, 800.0), 1.0, change)
}

/// A window of this size in points, each of `scale` pixels.
pub(crate) fn harness_of<'a>(
    size: egui::Vec2,
    scale: f32,
    change: impl FnOnce(&mut Settings),
) -> Harness<'a, Window> {
    let mut settings =
        Settings { language: Language::English, theme: ThemeChoice::Dark, ..Settings::default() };
    change(&mut settings);
    let mut harness = Harness::builder()
        .with_size(size)
        .with_pixels_per_point(scale)
        .with_theme(if settings.theme == ThemeChoice::Light { egui::Theme::Light } else { egui::Theme::Dark })
        .wgpu()
        .build_eframe(|context| Window::new(context, settings, None).unwrap());
    wait(&mut harness, "the model", |window| window.session.is_ready());
    // The longest there is, and the same in every picture.
    harness.state_mut().session.draft_mut().seed = Seed(4_294_967_295);
    harness.run_ok();
    harness
}

/// The drawn pictures, newest first.
pub(crate) fn results(window: &Window) -> Vec<&ResultItem> {
    window.session.documents().filter_map(Document::result).collect()
}

/// Whether a picture was drawn and decoded.
pub(crate) fn is_drawn(window: &Window) -> bool {
    results(window).iter().any(|item| item.picture().is_some())
}

pub(crate) fn shown<'a>(harness: &'a Harness<'_, Window>) -> &'a Document {
    harness.state().session.on_easel().unwrap()
}

/// Lays a latent open that a file might have held.
pub(crate) fn open_latent(harness: &mut Harness<'_, Window>, name: &str, content: FileContent) {
    let session = &mut harness.state_mut().session;
    session.apply(Action::OpenPaths(vec![name.into()]));
    session.take_effects();
    let id = session.on_easel().unwrap().id();
    session.apply(Action::FileRead(id, Box::new(content)));
}

/// Steps until `done`; the engine works on its own thread meanwhile.
pub(crate) fn wait(harness: &mut Harness<'_, Window>, what: &str, done: impl Fn(&Window) -> bool) {
    let start = Instant::now();
    while !done(harness.state()) {
        assert!(start.elapsed() < Duration::from_mins(2), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
        harness.step();
    }
}

/// The name of what has the focus.
pub(crate) fn focused(harness: &Harness<'_, Window>) -> String {
    let all = harness.root().children_recursive();
    let node = all.into_iter().find(|node| node.accesskit_node().is_focused());
    node.and_then(|node| node.accesskit_node().label()).unwrap_or_default()
}

/// Presses Tab until this has the focus. Two frames each: a page that moves all the time never comes to rest.
pub(crate) fn tab_to(harness: &mut Harness<'_, Window>, name: &str) {
    let mut passed = Vec::new();
    while focused(harness) != name {
        assert!(passed.len() < 80, "{name} is not reached: {passed:?}");
        passed.push(focused(harness));
        harness.key_press(egui::Key::Tab);
        harness.step();
        harness.step();
    }
}

/// Asserts that nothing on a page reaches beyond its sides.
pub(crate) fn assert_fits_sides(page: &egui_kittest::Node<'_>, name: &str) {
    let rect = page.rect();
    for node in page.children_recursive() {
        let node = node.accesskit_node();
        let Some(place) = node.bounding_box() else { continue };
        assert!(
            place.x0 as f32 >= rect.left() - 0.5 && place.x1 as f32 <= rect.right() + 0.5,
            "{name}: {place:?} {:?}",
            node.label()
        );
    }
}

/// Waits for the number of the prompt's tokens, which comes when the engine has nothing else to do.
pub(crate) fn wait_for_count(harness: &mut Harness<'_, Window>) {
    wait(harness, "the count", |window| window.session.prompt_length().is_some());
    harness.run_ok();
}

/// Waits for the pictures on the empty easel.
pub(crate) fn wait_for_examples(harness: &mut Harness<'_, Window>) {
    let drawn = |window: &Window| window.session.examples().all(|(_, picture)| picture.is_some());
    wait(harness, "the examples", drawn);
    harness.run_ok();
}

pub(crate) fn type_prompt(harness: &mut Harness<'_, Window>, text: &str) {
    harness.get_by_role_and_label(Role::MultilineTextInput, "Prompt").focus();
    harness.run_ok();
    harness.get_by_role_and_label(Role::MultilineTextInput, "Prompt").type_text(text);
    harness.run_ok();
}

/// Draws one picture in two steps.
pub(crate) fn draw(harness: &mut Harness<'_, Window>) {
    harness.state_mut().session.draft_mut().steps = 2;
    harness.state_mut().session.apply(Action::Generate);
    wait(harness, "a picture", |window| is_drawn(window) && window.session.running().is_none());
    harness.run_ok();
}

/// A picture with smooth and sharp parts, as a file.
pub(crate) fn picture_file(folder: &std::path::Path, width: u32, height: u32) -> std::path::PathBuf {
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

pub(crate) fn open_picture(harness: &mut Harness<'_, Window>, width: u32, height: u32) {
    let folder = tempfile::tempdir().unwrap();
    let file = picture_file(folder.path(), width, height);
    harness.state_mut().session.apply(Action::OpenPaths(vec![file]));
    let compared = |window: &Window| {
        window.session.on_easel().and_then(Document::file).is_some_and(|file| file.comparison.is_some())
    };
    wait(harness, "the comparison", compared);
    harness.run_ok();
}

/// Tells the window that another model was loaded, which the test does not have.
pub(crate) fn tell_loaded(harness: &mut Harness<'_, Window>, change: impl FnOnce(&mut ModelProfile)) {
    let session = &mut harness.state_mut().session;
    let mut profile = (**session.profile().unwrap()).clone();
    change(&mut profile);
    session.apply(Action::SetModel(ModelSource::Builtin));
    let job = session.take_effects().into_iter().find_map(|effect| match effect {
        Effect::Send(Command::Run(Job { id, .. })) => Some(id),
        _ => None,
    });
    session.apply_event(Event::ModelLoaded {
        job: job.unwrap(),
        profile: profile.into(),
        device: "Processor, f32".into(),
        in_halves: false,
        elapsed_secs: 0.1,
    });
}

/// Lays a latent open as with a model of FLUX's family, which the test does not have.
pub(crate) fn open_flux(harness: &mut Harness<'_, Window>, latent: Latent) {
    tell_loaded(harness, |profile| profile.format = LatentFormat::FLUX);
    open_latent(harness, "flux.latent", FileContent::Latent { latent, space: Some(LatentSpace::Model) });
    let session = &mut harness.state_mut().session;
    session.take_effects();
    let document = session.on_easel().unwrap();
    let (id, work) = (document.id(), document.work().map(|work| work.job));
    session.apply(Action::StopWork(id));
    session.apply_event(Event::Cancelled { job: work.unwrap() });
}

/// A running job as the engine would report it, so that every start draws the same.
pub(crate) fn tell_sampling(harness: &mut Harness<'_, Window>) {
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
    let outputs = vec![denoised.clone()];
    let step =
        TrajectoryStep { step: 7, steps: 12, sigma: 2.34, noisy, denoised, outputs, elapsed_secs: 0.1 };
    session.apply_event(Event::StepFinished { job, step: step.into() });
    harness.run_ok();
}

/// Types into a field, which is left with Enter.
fn type_into(harness: &mut Harness<'_, Window>, role: Role, name: &str, text: &str) {
    harness.get_by_role_and_label(role, name).focus();
    harness.run_ok();
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::A);
    harness.run_ok();
    harness.event(egui::Event::Text(text.to_owned()));
    harness.run_ok();
    harness.key_press(egui::Key::Enter);
    harness.run_ok();
}

/// A picture of a page, compared with its snapshot in one theme of each language, and kept whole for looking at.
fn keep_page(
    harness: &mut Harness<'_, Window>,
    page: egui::Rect,
    name: &str,
    (language, theme): (Language, ThemeChoice),
    all: &mut SnapshotResults,
) {
    let file = format!("{name}_{language:?}_{theme:?}").to_lowercase();
    let picture = harness.render().unwrap();
    if let Some(folder) = std::env::var_os("SAFELIGHT_SCREENSHOTS") {
        picture.save(std::path::Path::new(&folder).join(&file).with_extension("png")).unwrap();
    }
    let is_compared = matches!(
        (language, theme),
        (Language::English, ThemeChoice::Dark) | (Language::Korean, ThemeChoice::Light)
    );
    let [x, y] = [page.left(), page.top()].map(|edge| edge.floor() as u32);
    let [width, height] = [page.width(), page.height()].map(|length| length.ceil() as u32);
    let cut = image::imageops::crop_imm(&picture, x, y, width, height).to_image();
    if is_compared {
        all.add(egui_kittest::try_image_snapshot(&cut, &file));
    }
}
