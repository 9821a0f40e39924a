//! Comparisons of two, and the tree of forks, by keys and by the pointer.

use std::path::Path;

use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use egui_kittest::{Harness, SnapshotOptions, SnapshotResults};
use safelight::app::{ThemeChoice, Window};
use safelight::request::Seed;
use safelight::session::{Action, CompareAction, Document, DocumentId, PairDecode};

use crate::{
    LOOKS, draw, harness, harness_of, keep_page, open_picture, results, shown, wait, wait_for_count,
};

fn press(harness: &mut Harness<'_, Window>, key: Key) {
    harness.key_press(key);
    harness.run_ok();
}

fn leave_fields(harness: &mut Harness<'_, Window>) {
    harness.ctx.memory_mut(egui::Memory::stop_text_input);
    harness.run_ok();
}

/// Draws a picture of these words, and returns its document.
fn draw_as(harness: &mut Harness<'_, Window>, prompt: &str) -> DocumentId {
    harness.state_mut().session.draft_mut().prompt = prompt.into();
    let before = results(harness.state()).len();
    harness.state_mut().session.draft_mut().steps = 4;
    harness.state_mut().session.apply(Action::Generate);
    wait(harness, "a picture", |window| {
        results(window).len() > before
            && window.session.running().is_none()
            && results(window).iter().all(|item| item.picture().is_some())
    });
    harness.run_ok();
    shown(harness).id()
}

fn is_measured(window: &Window) -> bool {
    window.session.pair_figures().is_some()
}

fn measured(harness: &mut Harness<'_, Window>) {
    wait(harness, "the figures", is_measured);
    wait_for_count(harness);
}

/// Whether a button is that of the chosen one of several.
fn is_chosen(harness: &Harness<'_, Window>, name: &str) -> bool {
    harness.get_by_role_and_label(Role::Button, name).accesskit_node().toggled()
        == Some(egui::accesskit::Toggled::True)
}

fn few_pixels() -> SnapshotOptions {
    SnapshotOptions::new().max_failed_pixels(256_usize)
}

#[test]
fn two_results_are_compared_in_every_way_by_keys() {
    let mut harness = harness(|_| {});
    let hills = draw_as(&mut harness, "green hills at noon");
    let forest = draw_as(&mut harness, "a pine forest at dawn, fog, the sun");
    leave_fields(&mut harness);
    press(&mut harness, Key::C);
    harness.get_by_label_contains("is compared with what you show next");
    press(&mut harness, Key::ArrowRight);
    assert_eq!(shown(&harness).id(), hills);
    measured(&mut harness);
    harness.get_by_label_contains("Comparison: a pine forest at dawn, fog, the sun");
    harness.get_by_label("Settings that differ");
    assert!(harness.query_all_by_label("Sampler").next().is_none(), "it is the same");
    let session = &harness.state().session;
    let figures = session.pair_figures().unwrap();
    let (psnr, ssim) = {
        let difference = figures.pictures.as_ref().unwrap();
        (difference.psnr, difference.ssim.unwrap())
    };
    let item = |id| session.document(id).unwrap().result().unwrap();
    let pictures = [forest, hills].map(|id| item(id).picture().unwrap().clone());
    assert_eq!(safelight::formats::metrics::psnr(&pictures[0], &pictures[1]), Some(psnr));
    let said = format!("PSNR {psnr:.1} dB · SSIM {ssim:.3}");
    assert!(harness.query_all_by_label(&said).count() >= 2, "beside the film strip and among the figures");
    harness.snapshot_options("compared_side_by_side", &few_pixels());

    for (key, name) in [(Key::W, "Wipe"), (Key::D, "Difference"), (Key::K, "Blink"), (Key::S, "Side by side")]
    {
        press(&mut harness, key);
        assert!(is_chosen(&harness, name), "{name}");
    }
    press(&mut harness, Key::T);
    assert!(harness.query_by_label("Which component").is_some(), "the channels can be chosen");
    let relative = harness.state().session.pair_figures().unwrap().latents.as_ref().unwrap().relative_l2;
    assert!(harness.query_all_by_label_contains(&format!("L2 {:.3}", relative.unwrap())).count() >= 2);
    press(&mut harness, Key::D);
    harness.snapshot_options("compared_latent_difference", &few_pixels());
    press(&mut harness, Key::X);
    assert_eq!(shown(&harness).id(), forest);
    // Escape leaves, and what was shown stays.
    press(&mut harness, Key::Escape);
    assert!(harness.state().session.first_compared().is_none());
    harness.get_by_label_contains("Easel: a pine forest");
}

#[test]
fn the_line_is_dragged_and_moved_by_keys_and_zoom_is_linked() {
    let mut harness = harness(|_| {});
    let first = draw_as(&mut harness, "green hills at noon");
    draw_as(&mut harness, "a pine forest at dawn, fog, the sun");
    harness.state_mut().session.apply(Action::Compare(CompareAction::With(first)));
    measured(&mut harness);
    leave_fields(&mut harness);
    // Scrolling over the second zooms both.
    let area = harness.get_by_label_contains("Comparison: ").rect();
    harness.hover_at(area.center() + egui::vec2(area.width() / 4.0, 40.0));
    harness.run_ok();
    harness.event(egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: egui::vec2(0.0, 160.0),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Wheel,
        modifiers: Modifiers::NONE,
    });
    harness.run_ok();
    harness.run_ok();
    assert!(harness.state().session.lens().zoom.is_some());
    assert_eq!(shown(&harness).lens().zoom, None, "that of the document stays");
    press(&mut harness, Key::Num0);
    assert_eq!(harness.state().session.lens().zoom, None);
    harness.get_by_role_and_label(Role::Button, "Wipe").click();
    harness.run_ok();
    harness.snapshot_options("compared_wipe", &few_pixels());
    let line = |harness: &Harness<'_, Window>| {
        let slider = harness.get_by_label("Moves the line; the first is on its left");
        slider.accesskit_node().numeric_value().unwrap()
    };
    assert!((line(&harness) - 0.5).abs() < 1e-6);
    harness.drag_at(area.center());
    harness.run_ok();
    harness.drop_at(area.center() + egui::vec2(-60.0, 0.0));
    harness.run_ok();
    let dragged = line(&harness);
    assert!(dragged < 0.45, "{dragged}");
    harness.key_press_modifiers(Modifiers::SHIFT, Key::ArrowRight);
    harness.run_ok();
    assert!((line(&harness) - dragged - 0.05).abs() < 1e-6);
    // A click on its frame with Ctrl ends it.
    harness.get_by_label("End the comparison").click();
    harness.run_ok();
    assert!(harness.state().session.first_compared().is_none());
}

#[test]
fn a_step_is_compared_with_the_final_picture_and_decoded() {
    let mut harness = harness(|_| {});
    draw_as(&mut harness, "green hills at noon");
    leave_fields(&mut harness);
    harness.state_mut().session.apply(Action::Scrub(Some(1)));
    harness.run_ok();
    harness.get_by_label("Compare with the final picture").click();
    harness.run_ok();
    measured(&mut harness);
    assert_eq!(
        harness.query_all_by_label_contains("step 2/4 · green hills at noon").count(),
        2,
        "title and picture"
    );
    assert!(harness.query_by_label("Not decoded: previews are shown").is_some());
    let decode = harness.get_all_by_role_and_label(Role::Button, "Decode").last().unwrap();
    decode.click();
    harness.run_ok();
    wait(&mut harness, "the decode", |window| {
        window.session.pair_decode() == PairDecode::NotNeeded && is_measured(window)
    });
    harness.run_ok();
    assert!(harness.state().session.pair_figures().unwrap().pictures.is_some());
    // The film strip changes the second.
    harness.state_mut().session.apply(Action::Scrub(Some(0)));
    harness.run_ok();
    measured(&mut harness);
    assert_eq!(harness.query_all_by_label_contains("step 1/4 · green hills at noon").count(), 2);
}

#[test]
fn pictures_of_other_sizes_say_so_and_stand_side_by_side() {
    let mut harness = harness(|settings| settings.theme = ThemeChoice::Light);
    open_picture(&mut harness, 96, 160);
    let tall = shown(&harness).id();
    harness.state_mut().session.draft_mut().prompt = "green hills at noon".into();
    draw(&mut harness);
    leave_fields(&mut harness);
    harness.set_size(egui::vec2(1024.0, 640.0));
    harness.state_mut().session.apply(Action::Compare(CompareAction::With(tall)));
    measured(&mut harness);
    harness.get_by_label("Different sizes: no figures");
    for name in ["Wipe", "Blink", "Difference"] {
        let button = harness.get_by_role_and_label(Role::Button, name);
        assert!(button.accesskit_node().is_disabled(), "{name}");
    }
    press(&mut harness, Key::D);
    assert!(is_chosen(&harness, "Side by side"), "it is the only way");
    harness.get_by_label("The settings of one are not known");
    harness.snapshot_options("compared_other_sizes_light", &few_pixels());
}

/// A trash that deletes.
fn to_trash(path: &Path) -> Result<(), String> {
    std::fs::remove_dir_all(path).map_err(|error| error.to_string())
}

/// A run with two forks, one of which has a fork of its own. The last is on the easel.
fn draw_family(harness: &mut Harness<'_, Window>) {
    let root = draw_as(harness, "green hills at noon");
    let fork = |harness: &mut Harness<'_, Window>, of: DocumentId, place: usize, prompt: &str| {
        let before = results(harness.state()).len();
        harness.state_mut().session.apply(Action::Show(of));
        harness.state_mut().session.apply(Action::Scrub(Some(place)));
        harness.state_mut().session.draft_mut().prompt = prompt.into();
        harness.state_mut().session.apply(Action::Fork);
        wait(harness, "the fork", |window| {
            results(window).len() > before
                && window.session.running().is_none()
                && results(window).iter().all(|item| item.picture().is_some())
        });
        harness.run_ok();
        harness.state().session.documents().next().unwrap().id()
    };
    let night = fork(harness, root, 1, "green hills at night");
    fork(harness, root, 2, "green hills in snow");
    fork(harness, night, 2, "a lighthouse at night");
}

#[test]
fn a_family_is_walked_by_keys_and_two_kept_runs_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = harness(|_| {});
    harness.state_mut().use_history(folder.path().to_owned(), to_trash);
    draw_family(&mut harness);
    leave_fields(&mut harness);
    press(&mut harness, Key::G);
    let are_listed = |window: &Window| {
        let history = window.session.history();
        history.runs().len() == 4 && history.runs().iter().all(|run| history.thumbnail(&run.id).is_some())
    };
    wait(&mut harness, "the list", are_listed);
    harness.run_ok();
    harness.get_by_role_and_label(Role::Button, "green hills in snow").click();
    harness.run_ok();
    harness.get_by_role_and_label(Role::Button, "Family tree").click();
    harness.run_ok();
    let selected = |window: &Window| {
        let view = window.session.history().family_view().unwrap();
        view.family.members[view.selected].run.as_ref().unwrap().prompt.clone()
    };
    assert_eq!(selected(harness.state()), "green hills in snow");
    let pair_is = |first: &'static str, second: &'static str| {
        move |window: &Window| {
            window
                .session
                .pair()
                .is_some_and(|pair| pair.map(|side| side.facts.unwrap().prompt.unwrap()) == [first, second])
        }
    };
    wait(&mut harness, "both", pair_is("green hills at noon", "green hills in snow"));
    let step = harness.state().session.pair().unwrap()[0].step.unwrap();
    assert_eq!((step.step, step.steps), (3, 4));
    harness.get_by_label("From step 3 · green hills in snow");
    // Up to the other fork, right to its own, left and left to the first.
    press(&mut harness, Key::ArrowUp);
    assert_eq!(selected(harness.state()), "green hills at night");
    press(&mut harness, Key::ArrowRight);
    assert_eq!(selected(harness.state()), "a lighthouse at night");
    wait(&mut harness, "both", pair_is("green hills at night", "a lighthouse at night"));
    measured(&mut harness);
    harness.snapshot_options("family", &few_pixels());
    press(&mut harness, Key::ArrowLeft);
    press(&mut harness, Key::ArrowLeft);
    assert_eq!(selected(harness.state()), "green hills at noon");
    let is_alone = |window: &Window| {
        let end = window.session.history().family_view().unwrap().end();
        end.and_then(|side| side.facts.as_ref()?.prompt.as_deref()) == Some("green hills at noon")
    };
    wait(&mut harness, "the first", is_alone);
    harness.run_ok();
    assert!(harness.query_by_label("Settings that differ").is_none(), "it left no other");
    // Escape leads back to the gallery, where two are chosen and compared.
    press(&mut harness, Key::Escape);
    assert!(harness.state().session.history().family_view().is_none());
    harness.get_by_role_and_label(Role::TextInput, "Search prompts");
    for key in [Key::Home, Key::ArrowRight] {
        press(&mut harness, key);
    }
    harness.key_press_modifiers(Modifiers::SHIFT, Key::ArrowRight);
    harness.run_ok();
    harness.get_by_label("Chosen: 2");
    harness.get_by_role_and_label(Role::Button, "Compare");
    press(&mut harness, Key::C);
    wait(&mut harness, "both", |window| window.session.pair().is_some());
    // The second shows its latent until its picture is read.
    let has_pictures =
        |window: &Window| window.session.pair_figures().is_some_and(|pair| pair.pictures.is_some());
    wait(&mut harness, "the figures of both pictures", has_pictures);
    harness.run_ok();
    harness.get_by_label_contains("Comparison: ");
    let [first, second] = harness.state().session.pair().unwrap();
    assert!(first.run < second.run, "the older one is the first");
}

/// Nothing is cut off in a small window or a usual one, in both languages and themes.
#[test]
fn comparisons_and_families_fit_their_windows() {
    let mut all = SnapshotResults::new();
    for (language, theme, size) in LOOKS {
        let folder = tempfile::tempdir().unwrap();
        let mut harness = harness_of(size, 1.0, |settings| {
            (settings.language, settings.theme) = (language, theme);
        });
        harness.state_mut().session.draft_mut().seed = Seed(7);
        harness.state_mut().use_history(folder.path().to_owned(), to_trash);
        draw_family(&mut harness);
        leave_fields(&mut harness);
        let first = harness.state().session.documents().last().map(Document::id).unwrap();
        harness.state_mut().session.apply(Action::Compare(CompareAction::With(first)));
        measured(&mut harness);
        press(&mut harness, Key::D);
        let area = harness.get_by_role(Role::Image).rect();
        assert!(area.width() > 200.0 && area.height() > 150.0, "{area:?}");
        let window = egui::Rect::from_min_size(egui::Pos2::ZERO, size);
        keep_page(&mut harness, window, "compared", (language, theme), &mut all);
        press(&mut harness, Key::Escape);

        harness.state_mut().session.apply(Action::History(safelight::session::history::HistoryAction::List));
        press(&mut harness, Key::G);
        wait(&mut harness, "the list", |window| window.session.history().runs().len() == 4);
        let run = harness.state().session.history().runs()[0].id.clone();
        let show = safelight::session::history::HistoryAction::ShowFamily(run);
        harness.state_mut().session.apply(Action::History(show));
        wait(&mut harness, "both", |window| window.session.pair().is_some());
        measured(&mut harness);
        let has_all = |window: &Window| {
            let history = window.session.history();
            history.runs().iter().all(|run| history.thumbnail(&run.id).is_some())
        };
        wait(&mut harness, "the thumbnails", has_all);
        press(&mut harness, Key::S);
        keep_page(&mut harness, window, "family", (language, theme), &mut all);
    }
}
