//! Snapshots of every region and state.

use egui_kittest::kittest::{NodeT as _, Queryable as _};
use egui_kittest::{Harness, SnapshotOptions};
use safelight::app::{ThemeChoice, Window};
use safelight::catalog::ModelSource;
use safelight::latent::{Latent, LatentShape, LatentSpace};
use safelight::panels::{Language, View};
use safelight::request::Seed;
use safelight::session::{Action, FileContent, Message};

use super::{
    harness, harness_of, open_flux, open_latent, open_picture, results, tell_sampling, wait,
    wait_for_examples,
};

#[test]
fn messages_and_the_narrow_window_look_as_designed() {
    let mut harness = harness(|settings| settings.theme = ThemeChoice::Light);
    harness.set_size(egui::vec2(1024.0, 640.0));
    harness.run_ok();
    open_picture(&mut harness, 96, 160);
    // The tab, not the switch in the bar at the top.
    harness.get_all_by_label("Latent").find(|node| node.rect().right() < 296.0).unwrap().click();
    harness.run_ok();
    let session = &mut harness.state_mut().session;
    session
        .notify(Message::NotOpened("notes.txt is neither a picture, a latent nor a model's folder".into()));
    session.apply(Action::KeepLatent);
    harness.run_ok();
    let few_pixels = SnapshotOptions::new().max_failed_pixels(64_usize);
    harness.snapshot_options("narrow_light", &few_pixels);
}

#[test]
fn a_large_and_a_fine_screen_look_as_designed() {
    let mut all = egui_kittest::SnapshotResults::new();
    for (name, size, scale) in
        [("large", egui::vec2(1920.0, 1080.0), 1.0), ("fine", egui::vec2(1280.0, 800.0), 2.0)]
    {
        let mut harness = harness_of(size, scale, |_| {});
        open_picture(&mut harness, 160, 96);
        let few_pixels = SnapshotOptions::new().max_failed_pixels(256_usize);
        harness.snapshot_options(name, &few_pixels);
        all.extend(harness.take_snapshot_results());
    }
}

#[test]
fn the_first_start_looks_as_designed() {
    let mut harness = harness(|_| {});
    harness.run_ok();
    wait_for_examples(&mut harness);
    let few_pixels = SnapshotOptions::new().max_failed_pixels(64_usize);
    harness.snapshot_options("first_start", &few_pixels);
}

#[test]
fn the_first_start_in_korean_and_light_looks_as_designed() {
    let mut harness = harness(|settings| {
        settings.language = Language::Korean;
        settings.theme = ThemeChoice::Light;
    });
    harness.run_ok();
    harness.get_by_label("생성");
    wait_for_examples(&mut harness);
    let few_pixels = SnapshotOptions::new().max_failed_pixels(64_usize);
    harness.snapshot_options("first_start_korean_light", &few_pixels);
}

#[test]
fn an_opened_picture_looks_as_designed() {
    let mut harness = harness(|_| {});
    open_picture(&mut harness, 128, 128);
    harness.hover_at(egui::pos2(560.0, 330.0));
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
    open_flux(&mut harness, latent);
    harness.run_ok();
    harness.get_by_label("Channel 15");
    harness.snapshot("latent_of_16_channels_light");
}

#[test]
fn a_failed_load_says_what_why_and_what_to_try_in_korean() {
    let mut harness = harness(|settings| settings.language = Language::Korean);
    harness.state_mut().session.apply(Action::SetModel(ModelSource::Folder("/nowhere/a model".into())));
    wait(&mut harness, "the failure", |window| !window.session.notices().is_empty());
    harness.run_ok();
    harness.get_by_label("모델을 불러오지 못했습니다");
    wait_for_examples(&mut harness);
    let few_pixels = SnapshotOptions::new().max_failed_pixels(64_usize);
    harness.snapshot_options("failed_load_korean", &few_pixels);
    // What it says is Korean, down to the path.
    let said: Vec<_> = harness.query_all_by_label_contains("/nowhere/a model").collect();
    assert!(!said.is_empty());
    for label in said {
        let label = label.accesskit_node().label().or(label.accesskit_node().value()).unwrap();
        assert!(label.contains("파일이나 폴더가 없습니다: /nowhere/a model"), "{label}");
    }
}

/// The time that is left is said without the recipe too.
#[test]
fn sampling_without_the_recipe_looks_as_designed() {
    let mut harness = harness(|settings| settings.recipe_panel = false);
    tell_sampling(&mut harness);
    harness.get_by_label("1/3 · step 7/12 · 1 s · all 5 s");
    // The step is said once.
    assert_eq!(harness.query_all_by_label_contains("step 7/12").count(), 1);
    harness.get_by_label("patch x̂₀ · σ 2.34");
    harness.snapshot("sampling_without_recipe");
    // Also while another document is looked at.
    open_latent(
        &mut harness,
        "a.latent",
        FileContent::Latent {
            latent: Latent::zeros(LatentShape::new(4, 16, 16)),
            space: Some(LatentSpace::Model),
        },
    );
    harness.run_ok();
    harness.get_by_label("1/3 · step 7/12 · 1 s · all 5 s");
    let live = harness.get_by_label_contains("Live").rect();
    assert!(live.right() < 1000.0, "{live:?}");
}

#[test]
fn sampling_looks_as_designed() {
    let mut harness = harness(|_| {});
    tell_sampling(&mut harness);
    harness.get_by_label("patch x̂₀ · step 7/12 · σ 2.34");
    harness.snapshot("sampling");
}

#[test]
fn the_smallest_window_holds_everything() {
    let mut harness = harness(|_| {});
    harness.set_size(egui::vec2(840.0, 540.0));
    harness.run_ok();
    wait_for_examples(&mut harness);
    let few_pixels = SnapshotOptions::new().max_failed_pixels(64_usize);
    harness.snapshot_options("smallest", &few_pixels);
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
    wait(&mut harness, "pictures", |window| results(window).len() == 6 && window.session.running().is_none());
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
    let first = results(harness.state()).last().unwrap().job;
    harness.state_mut().session.apply(Action::Show(safelight::session::DocumentId::of_job(first)));
    harness.state_mut().desk.view = View::Components;
    harness.run_ok();
    shoot(&mut harness, "latent.png");
}
