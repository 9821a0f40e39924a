//! Looking into the steps of a picture.

use std::collections::HashSet;

use egui::accesskit::Role;
use egui_kittest::kittest::Queryable as _;
use egui_kittest::{Harness, SnapshotResults};
use safelight::app::Window;
use safelight::catalog::SamplerKind;
use safelight::engine::{Event, Insight, TokenActivity};
use safelight::latent::{Latent, LatentShape};
use safelight::panels::View;
use safelight::request::{PromptToken, PromptTokens};
use safelight::session::{Action, InsideObstacle, InsideView};

use super::{LOOKS, harness_of, is_drawn, keep_page, tell_sampling, wait};

const PROMPT: &str = "a (red:1.2) lighthouse on a rocky island at dusk, calm sea";

/// Draws a picture of a few steps with the built-in model.
fn drawn(harness: &mut Harness<'_, Window>, steps: usize) {
    let draft = harness.state_mut().session.draft_mut();
    draft.prompt = PROMPT.into();
    (draft.steps, draft.sampler) = (steps, SamplerKind::Dpmpp2m);
    harness.state_mut().session.apply(Action::Generate);
    wait(harness, "a picture", |window| is_drawn(window) && window.session.running().is_none());
    harness.run_ok();
}

/// Looks at a view, and waits until there is something to see.
fn look(harness: &mut Harness<'_, Window>, view: InsideView) {
    harness.state_mut().desk.view = View::Inside;
    harness.state_mut().desk.inside = view;
    wait(harness, "the inside", |window| {
        window.session.inside_view() == Some(view) && window.session.inside_obstacle().is_none()
    });
    harness.run_ok();
}

fn shoot(harness: &mut Harness<'_, Window>, name: &str) {
    let picture = harness.render().unwrap();
    if let Some(folder) = std::env::var_os("SAFELIGHT_SCREENSHOTS") {
        picture.save(std::path::Path::new(&folder).join(name)).unwrap();
    }
}

#[test]
fn every_view_of_a_finished_picture_shows_something() {
    for (language, theme, size) in LOOKS {
        let mut harness =
            harness_of(size, 1.0, |settings| (settings.language, settings.theme) = (language, theme));
        drawn(&mut harness, 8);
        let views = [
            InsideView::Words,
            InsideView::Embeddings,
            InsideView::Change,
            InsideView::Guidance,
            InsideView::Spectrum,
        ];
        let mut seen = HashSet::new();
        for view in views {
            look(&mut harness, view);
            shoot(&mut harness, &format!("inside-{view:?}-{language:?}-{theme:?}-{}.png", size.x));
            if view == InsideView::Spectrum {
                assert_eq!(harness.state().session.inside_spectra().len(), 8);
            } else {
                let map = harness.state().session.inside_map().unwrap();
                assert!(map.range[1] > map.range[0], "{view:?}");
                seen.insert(map.values.values().iter().map(|value| value.to_bits()).collect::<Vec<_>>());
            }
        }
        assert_eq!(seen.len(), 4, "each shows something else");
    }
}

/// A running picture whose inside the engine would have told, so that every machine draws the same.
fn told(harness: &mut Harness<'_, Window>) {
    tell_sampling(harness);
    look_at(harness, InsideView::Words);
    let job = harness.state().session.running().unwrap().id;
    let token = |text: &str, weight: f32| PromptToken {
        text: text.into(),
        weight,
        begins_word: text != "tops",
        is_of_prompt: true,
    };
    let mut first =
        vec![PromptToken::added(), token("snowy", 1.0), token("mountain", 1.3), token("tops", 1.3)];
    first.extend(["over", "a", "lake", "at", "night", ",", "two", "moons"].map(|word| token(word, 1.0)));
    first.push(PromptToken::added());
    let second =
        vec![PromptToken::added(), token("clouds", 1.0), token("and", 1.0), token("lighthouses", 0.8)];
    let tokens = PromptTokens { chunks: vec![first, second] };
    let (used, edge) = (tokens.used(), 16);
    let place = |i: usize| (i / (edge * edge), i / edge % edge, i % edge);
    let share = |i: usize| {
        let (token, y, x) = place(i);
        let [dy, dx] = [y as f32 - token as f32, x as f32 - 8.0];
        0.2 * (-(dy * dy + dx * dx) / 20.0).exp()
    };
    let maps = Latent::new(
        LatentShape::new(used, edge, edge),
        (0..used * edge * edge).map(share).collect::<Vec<_>>(),
    );
    let embeddings =
        (0..used * 64).map(|i| ((i * 37 % 101) as f32 / 50.0 - 1.0) * (1.0 + (i / 64 % 3) as f32));
    let embeddings = Latent::new(LatentShape::new(1, used, 64), embeddings.collect::<Vec<_>>()).unwrap();
    let words = Some(TokenActivity { tokens, maps: maps.unwrap(), embeddings });
    let insight = Insight { guidance: None, words };
    harness.state_mut().session.apply_event(Event::SeenInside { job, step: 7, insight: insight.into() });
    harness.run_ok();
}

fn look_at(harness: &mut Harness<'_, Window>, view: InsideView) {
    harness.state_mut().desk.view = View::Inside;
    harness.state_mut().desk.inside = view;
    harness.run_ok();
}

#[test]
fn the_inside_looks_right_in_every_language_theme_and_size() {
    let mut all = SnapshotResults::new();
    for (language, theme, size) in LOOKS {
        let mut harness =
            harness_of(size, 1.0, |settings| (settings.language, settings.theme) = (language, theme));
        told(&mut harness);
        let whole = egui::Rect::from_min_size(egui::Pos2::ZERO, size);
        for (view, name) in [
            (InsideView::Words, "inside_words"),
            (InsideView::Embeddings, "inside_embeddings"),
            (InsideView::Spectrum, "inside_spectrum"),
            (InsideView::Guidance, "inside_next_step"),
        ] {
            look_at(&mut harness, view);
            keep_page(&mut harness, whole, name, (language, theme), &mut all);
        }
    }
}

#[test]
fn a_word_is_chosen_by_a_click_and_stages_are_clicked_through() {
    let mut harness = harness_of(egui::vec2(1280.0, 800.0), 1.0, |_| {});
    drawn(&mut harness, 4);
    harness.ctx.memory_mut(egui::Memory::stop_text_input);
    harness.run_ok();
    harness.key_press(egui::Key::I);
    harness.run_ok();
    assert_eq!(harness.state().desk.view, View::Inside);
    look(&mut harness, InsideView::Words);
    let values = |harness: &Harness<'_, Window>| {
        harness.state().session.inside_map().unwrap().values.values().to_vec()
    };
    let longest = values(&harness);
    harness.get_by_role_and_label(Role::Button, "Words: red").click();
    harness.run_ok();
    let chosen = |harness: &Harness<'_, Window>| -> Vec<String> {
        let words = harness.state().session.inside_words();
        words.into_iter().filter(|shown| shown.is_chosen).map(|shown| shown.word.text).collect()
    };
    assert_eq!(chosen(&harness), ["red"]);
    assert_ne!(values(&harness), longest);
    harness.get_by_role_and_label(Role::Button, "Words: sea").click_modifiers(egui::Modifiers::SHIFT);
    harness.run_ok();
    assert_eq!(chosen(&harness), ["red", "sea"]);
    // A step is chosen: it is looked into as well.
    harness.state_mut().session.apply(Action::Scrub(Some(0)));
    look(&mut harness, InsideView::Words);
    // The strip leads on from the prompt to the picture.
    for (stage, view) in [("Embeddings: 1", InsideView::Embeddings), ("Latent: 4×", InsideView::Change)] {
        let button = harness.get_by_label_contains(stage);
        button.click();
        harness.run_ok();
        assert_eq!(harness.state().desk.inside, view);
    }
    assert_eq!(harness.state().session.inside_obstacle(), Some(InsideObstacle::FirstStep));
    harness.get_by_label_contains("Picture: 128×128").click();
    harness.run_ok();
    assert_eq!(harness.state().desk.view, View::Picture);
    assert_eq!(harness.state().session.inside_view(), None, "nothing is computed any more");
}
