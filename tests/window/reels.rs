//! The page for saving the development of a run.

use std::path::Path;

use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use egui_kittest::{Harness, SnapshotResults};
use safelight::app::{Settings, Window};
use safelight::panels::Text;
use safelight::reel::{AnimationFormat, PreviewProjection, ReelKind, ReelOptions, ReelSize, Shown};
use safelight::session::{Action, Effect, Message, ReelAction, ReelOf, ReelOrder};

use crate::{draw, harness, keep_page, shown, type_prompt, wait};

/// A window with a picture of two steps on the easel, and the page open.
fn opened<'a>(change: impl FnOnce(&mut Settings)) -> Harness<'a, Window> {
    let mut harness = harness(change);
    harness.state_mut().desk.surroundings.has_ffmpeg = true;
    type_prompt(&mut harness, "green hills at noon");
    draw(&mut harness);
    harness.ctx.memory_mut(egui::Memory::stop_text_input);
    harness.run_ok();
    harness.key_press_modifiers(Modifiers::COMMAND, Key::E);
    harness.run_ok();
    harness
}

/// Nothing is cut off, in both languages and themes, in a small window and in a usual one.
#[test]
fn the_page_shows_all_of_it() {
    let mut harness = opened(|_| {});
    let mut all = SnapshotResults::new();
    for (language, theme, size) in crate::LOOKS {
        for (name, kind, has_ffmpeg) in [
            ("reel", ReelKind::Webp, true),
            ("reel_video", ReelKind::Gif, false),
            ("reel_sheet", ReelKind::Sheet, true),
        ] {
            let desk = &mut harness.state_mut().desk;
            desk.speak(language);
            (desk.theme, desk.reel_options.kind) = (theme, kind);
            desk.surroundings.has_ffmpeg = has_ffmpeg;
            harness.set_size(size);
            harness.hover_at(egui::pos2(2.0, 2.0));
            harness.run_ok();
            let title = Text::of(language).save_reel.trim_end_matches('…');
            let rect = harness.get_by_role_and_label(Role::Window, title).rect();
            keep_page(&mut harness, rect, name, (language, theme), &mut all);
            let save = harness.get_by_role_and_label(Role::Button, Text::of(language).reel_save).rect();
            assert!(rect.contains_rect(save) && rect.max.y <= size.y, "{name}: {rect:?}");
        }
    }
}

#[test]
fn the_page_is_used_by_keys_and_what_is_chosen_stays() {
    let mut harness = opened(|settings| settings.reel.size = ReelSize::Edge(256));
    let save = harness.get_by_role_and_label(Role::Button, "Save…");
    assert!(save.accesskit_node().is_focused(), "the keys begin at what most people want");
    harness.get_by_label_contains("Steps 2 · 5.5 s");
    harness.get_by_role_and_label(Role::RadioButton, "File: GIF").focus();
    harness.run_ok();
    harness.key_press(Key::Space);
    harness.run_ok();
    for name in ["Between steps: Nothing", "Pace: Even steps", "Repeats: Shown once", "Shows: xₜ preview"] {
        harness.get_by_role_and_label(Role::RadioButton, name).focus();
        harness.run_ok();
        harness.key_press(Key::Space);
        harness.run_ok();
    }
    let options = harness.state().settings_now().reel;
    assert_eq!((options.kind, options.shown, options.plays), (ReelKind::Gif, Shown::Noisy, 1));
    assert_eq!((options.easing, options.pace), (safelight::reel::Easing::None, safelight::reel::Pace::Even));
    assert_eq!(options.size, ReelSize::Edge(256));
    harness.key_press(Key::Escape);
    harness.run_ok();
    assert!(harness.query_by_role_and_label(Role::Button, "Save…").is_none());
    // The menu opens it, too.
    harness.get_by_label("Export ▾").click();
    harness.run_ok();
    harness.get_by_label_contains("Animation of the steps").click();
    harness.run_ok();
    harness.get_by_role_and_label(Role::Button, "Save…");
}

/// Makes a reel of the document on the easel at this path, as after the dialog.
fn make(harness: &mut Harness<'_, Window>, options: ReelOptions, path: &Path) {
    let of = ReelOf::Document(shown(harness).id());
    let format = shown(harness).format().unwrap();
    let projection = PreviewProjection::for_format(&format);
    let session = &mut harness.state_mut().session;
    session.apply(Action::Reel(ReelAction::Save(Box::new(ReelOrder { of, options, projection }))));
    let work = session.take_effects().into_iter().find_map(|effect| match effect {
        Effect::AskReel(work) => Some(work),
        _ => None,
    });
    session.apply(Action::Reel(ReelAction::Make(work.unwrap(), path.to_owned())));
}

#[test]
fn an_animation_of_true_decodes_is_made_while_the_window_goes_on() {
    let mut harness = opened(|_| {});
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.webp");
    let options = ReelOptions { shown: Shown::Decoded, seconds: 0.5, ..ReelOptions::default() };
    make(&mut harness, options, &file);
    harness.step();
    assert!(harness.query_by_role_and_label(Role::Button, "Save…").is_none(), "one at a time");
    harness.get_by_role_and_label(Role::Button, "Stop");
    wait(&mut harness, "the animation", |window| window.session.reel_progress().is_none());
    harness.run_ok();
    let message = &harness.state().session.notices().last().unwrap().message;
    assert_eq!(message, &Message::Saved(file.clone()));
    harness.get_by_label("Show in folder");
    assert_eq!(AnimationFormat::of_path(&file).unwrap(), AnimationFormat::Webp);
    let picture = shown(&harness).picture().unwrap().clone();
    let decoder =
        image::codecs::webp::WebPDecoder::new(std::io::BufReader::new(std::fs::File::open(&file).unwrap()));
    let frames = image::AnimationDecoder::into_frames(decoder.unwrap()).collect_frames().unwrap();
    assert_eq!(frames.len(), 11);
    let last = image::DynamicImage::ImageRgba8(frames[10].buffer().clone()).into_rgb8().into_raw();
    assert_eq!(last, picture.rgb(), "the kept picture, to the byte");
}

#[test]
fn a_reel_that_is_stopped_leaves_no_file() {
    let mut harness = opened(|_| {});
    let folder = tempfile::tempdir().unwrap();
    let options = ReelOptions { seconds: 600.0, frames_per_second: 50, ..ReelOptions::default() };
    make(&mut harness, options, &folder.path().join("a.webp"));
    harness.step();
    let count = || std::fs::read_dir(folder.path()).unwrap().count();
    wait(&mut harness, "the first frame", |window| {
        window.session.reel_progress().is_some_and(|[done, _]| done > 0)
    });
    assert_eq!(count(), 1, "the temporary file");
    harness.step();
    harness.get_by_role_and_label(Role::Button, "Stop").click();
    harness.step();
    wait(&mut harness, "the end", |window| window.session.reel_progress().is_none());
    assert_eq!(count(), 0);
    assert!(harness.state().session.notices().is_empty(), "who stopped it knows");
}
