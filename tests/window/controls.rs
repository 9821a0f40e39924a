//! Controls: focus, names, tooltips, languages, messages and panels.

use egui::accesskit::Role;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use egui_kittest::{Harness, SnapshotOptions};
use safelight::app::Window;
use safelight::latent::{Latent, LatentShape};
use safelight::panels::{Language, View};
use safelight::request::{InitImage, Picture};
use safelight::session::{Action, FileContent, Message};

use super::{draw, harness, open_latent, open_picture, shown, wait, wait_for_examples};

/// B7: messages never left. B4: what is copied is said.
#[test]
fn good_news_leaves_by_itself_and_an_error_stays() {
    let mut harness = harness(|_| {});
    draw(&mut harness);
    harness.state_mut().session.apply(Action::Copy);
    harness.state_mut().session.notify(Message::NotSaved("the disk is full".into()));
    harness.run_ok();
    harness.get_by_label("Picture copied");
    for _ in 0..20 {
        harness.step();
    }
    assert!(harness.query_by_label("Picture copied").is_none());
    harness.get_by_label("Not saved");
    harness.get_by_label("Dismiss").click();
    harness.run_ok();
    assert!(harness.query_by_label("Not saved").is_none());
}

/// B8: a channel's controls jumped away when they were used. B19: so did the buttons below the recipe.
#[test]
fn nothing_moves_under_the_hand() {
    let mut harness = harness(|_| {});
    let generate = harness.get_by_label("Generate").rect();
    open_picture(&mut harness, 128, 128);
    let before = harness.get_by_label("Mute 2").rect();
    harness.get_by_label("Mute 2").click();
    harness.run_ok();
    assert_eq!(harness.get_by_label("Mute 2").rect(), before);
    wait(&mut harness, "the decode", |window| window.session.on_easel().unwrap().work().is_none());
    harness.run_ok();
    assert_eq!(harness.get_by_label("Mute 2").rect(), before);
    assert!(shown(&harness).file().unwrap().comparison.is_some(), "its figures stay");
    harness.state_mut().session.draft_mut().steps = 900;
    harness.get_by_label("Generate").click();
    harness.step();
    harness.step();
    let stop = harness.get_by_label("Stop").rect();
    assert_eq!((stop.left(), stop.y_range()), (generate.left(), generate.y_range()));
    harness.state_mut().session.apply(Action::StopAll);
}

/// B13: what has the focus could not be seen, and the order ran backwards.
#[test]
fn the_focus_goes_through_the_window_as_the_eye_does() {
    let mut harness = harness(|_| {});
    open_picture(&mut harness, 128, 128);
    let mut visited = Vec::new();
    for _ in 0..90 {
        harness.key_press(egui::Key::Tab);
        harness.run_ok();
        let Some(id) = harness.ctx.memory(egui::Memory::focused) else { continue };
        let Some(response) = harness.ctx.read_response(id) else { panic!("a focus nowhere: {visited:?}") };
        assert!(response.interact_rect.is_positive(), "a focus that cannot be seen: {response:?}");
        if visited.iter().any(|(known, _)| *known == id) {
            break;
        }
        visited.push((id, response.rect));
    }
    assert!(visited.len() > 40, "{}", visited.len());
    // The bar at the top goes from left to right.
    let top: Vec<f32> =
        visited.iter().filter(|(_, rect)| rect.bottom() < 44.0).map(|(_, r)| r.left()).collect();
    assert!(top.len() >= 5 && top.is_sorted(), "{top:?}");
}

/// Words in the interface's language only. What is a name, a unit or a key is the same in both.
#[test]
fn korean_is_not_mixed_with_english() {
    let mut harness = harness(|settings| settings.language = Language::Korean);
    open_picture(&mut harness, 130, 130);
    draw(&mut harness);
    let mut seen = Vec::new();
    let mut look = |harness: &Harness<'_, Window>| {
        let root = harness.root();
        for node in root.children_recursive() {
            let node = node.accesskit_node();
            seen.extend(node.label());
            seen.extend(node.value());
        }
    };
    look(&harness);
    for menu in ["언어, 테마, 단축키", "내보내기 ▾", "보기 ▾", "디코딩 ▾", "미리보기 방식"]
    {
        harness.get_by_label(menu).click();
        harness.run_ok();
        look(&harness);
        harness.key_press(egui::Key::Escape);
        harness.run_ok();
    }
    for overlay in ["설정…", "메시지…", "단축키…", "Safelight 정보…"] {
        harness.get_by_label("언어, 테마, 단축키").click();
        harness.run_ok();
        harness.get_by_label_contains(overlay).click();
        harness.run_ok();
        look(&harness);
        if overlay == "설정…" {
            for section in ["저장", "폴더", "그리기", "개인정보"] {
                harness.get_by_role_and_label(Role::Button, section).click();
                harness.run_ok();
                look(&harness);
            }
        }
        harness.key_press(egui::Key::Escape);
        harness.run_ok();
    }
    let same = [
        "Ctrl",
        "Enter",
        "Esc",
        "Alt",
        "Shift",
        "Space",
        "Delete",
        "F",
        "L",
        "V",
        "S",
        "M",
        "R",
        "O",
        "C",
        "Z",
        "F1",
        "Safelight",
        "Stable",
        "Diffusion",
        "English",
        "VAE",
        "SSIM",
        "JPEG",
        "KL",
        "DDIM",
        "dB",
        "nats",
        "B",
        "s",
        "f32",
        "png",
        "hills",
        "date",
        "time",
        "seed",
        "model",
        "prompt",
        "n",
        "sd15",
        "MIT",
        "Apache",
        "x",
        "t",
        "G",
        "P",
        "Hugging",
        "Face",
        "B",
        "PgUp",
        "PgDn",
        "I",
        "E",
        "C",
        "S",
        "W",
        "K",
        "D",
        "T",
        "X",
        "PNG",
        "npy",
        "GPU",
        "CUDA",
        "Metal",
        "GiB",
        "Hugging",
        "Face",
        // The toolkit's own button of a window.
        "Close",
        "window",
    ];
    // A folder's name is the person's own.
    for text in seen.iter().filter(|text| !text.contains(std::path::MAIN_SEPARATOR)) {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| {
            word.chars().any(|c| c.is_ascii_alphabetic()) && !word.chars().any(|c| c.is_ascii_digit())
        });
        for word in words {
            assert!(same.contains(&word), "{word:?} in {text:?}");
        }
    }
    assert!(seen.len() > 150, "{}", seen.len());
}

/// Every control that can be seen has a name and says what it does where the pointer rests on it. Menus are closed:
/// their entries say it themselves.
pub(crate) fn assert_controls_are_described(harness: &Harness<'_, Window>, state: &str) {
    let roles = [
        Role::Button,
        Role::CheckBox,
        Role::ComboBox,
        Role::MultilineTextInput,
        Role::RadioButton,
        Role::Slider,
        Role::SpinButton,
        Role::TextInput,
    ];
    let (mut count, mut missing) = (0, Vec::new());
    // The number in a slider belongs to it.
    let sliders: Vec<_> =
        harness.query_all_by_role(Role::Slider).filter_map(|node| node.accesskit_node().label()).collect();
    for node in harness.root().children_recursive() {
        let node = node.accesskit_node();
        if !roles.contains(&node.role()) {
            continue;
        }
        let name = node.label().unwrap_or_default();
        if node.role() == Role::SpinButton && sliders.contains(&name) {
            continue;
        }
        let tip = node.description().unwrap_or_default();
        count += 1;
        // The toolkit's own button of a window says it in its name.
        if name.trim().is_empty() || (tip.trim().is_empty() && name != "Close window") {
            missing.push((name, node.role(), node.value(), node.bounding_box()));
        }
    }
    assert!(missing.is_empty(), "{state}: no name or no tooltip: {missing:#?}");
    assert!(count > 10, "{state}: {count} controls");
}

/// A question before a queue is dropped, one about a latent, and one about a model that fits it.
#[test]
fn every_control_of_a_question_has_a_tooltip_with_its_key() {
    for language in [Language::English, Language::Korean] {
        let text = safelight::panels::Text::of(language);
        let mut harness = harness(|settings| settings.language = language);
        let tip = |harness: &Harness<'_, Window>, name: &str| {
            harness.get_by_role_and_label(Role::Button, name).accesskit_node().description().unwrap()
        };
        let session = &mut harness.state_mut().session;
        session.draft_mut().steps = 900;
        session.apply(Action::SetBatch(3, false));
        session.apply(Action::Generate);
        session.apply(Action::Stop);
        for _ in 0..4 {
            harness.step();
        }
        assert_controls_are_described(&harness, &format!("{language:?}, stopping"));
        assert!(tip(&harness, text.stop_this).ends_with("·  Enter"));
        assert!(tip(&harness, text.go_on).ends_with("·  Esc"));
        harness.state_mut().session.apply(Action::StopAll);
        wait(&mut harness, "the stop", |window| window.session.running().is_none());

        let latent = |channels| FileContent::Latent {
            latent: Latent::zeros(LatentShape::new(channels, 16, 16)),
            space: None,
        };
        open_latent(&mut harness, "a.npy", latent(4));
        harness.run_ok();
        harness.get_by_label(text.space_question);
        assert_controls_are_described(&harness, &format!("{language:?}, a latent's kind"));
        harness.state_mut().session.apply(Action::DropQuestion);
        open_latent(&mut harness, "b.npy", latent(16));
        harness.run_ok();
        harness.get_by_label_contains("16 ≠ 4");
        assert_controls_are_described(&harness, &format!("{language:?}, another model"));
    }
}

#[test]
fn every_control_has_a_name_and_a_tooltip() {
    for language in [Language::English, Language::Korean] {
        let mut harness = harness(|settings| settings.language = language);
        let look = |harness: &mut Harness<'_, Window>, state: &str| {
            harness.run_ok();
            assert_controls_are_described(harness, &format!("{language:?}, {state}"));
        };
        look(&mut harness, "first start");
        open_picture(&mut harness, 130, 130);
        for view in [View::Picture, View::Wipe, View::Error, View::Components] {
            harness.state_mut().desk.view = view;
            look(&mut harness, "an opened picture");
        }
        let session = &mut harness.state_mut().session;
        session.apply(Action::KeepLatent);
        session.notify(Message::NotSaved("the disk is full".into()));
        session.notify(Message::NotOpened("no such file".into()));
        session.notify(Message::Saved("/pictures/a.png".into()));
        session.draft_mut().init_image = Some(InitImage {
            picture: Picture::new(16, 9, [90, 120, 160].repeat(16 * 9)).unwrap(),
            strength: 0.6,
        });
        look(&mut harness, "messages and a source");
        let session = &mut harness.state_mut().session;
        session.draft_mut().steps = 900;
        session.draft_mut().init_image = None;
        session.apply(Action::SetBatch(3, false));
        session.apply(Action::Generate);
        harness.step();
        harness.step();
        assert_controls_are_described(&harness, &format!("{language:?}, drawing"));
        harness.state_mut().session.apply(Action::StopAll);
        wait(&mut harness, "the stop", |window| window.session.running().is_none());
        harness.ctx.memory_mut(egui::Memory::stop_text_input);
        harness.run_ok();
        harness.key_press(egui::Key::G);
        look(&mut harness, "the gallery");
        harness.set_size(egui::vec2(1024.0, 640.0));
        look(&mut harness, "a narrow window");
    }
}

/// The tooltip of a control says its key.
#[test]
fn a_tooltip_says_the_key() {
    let mut harness = harness(|_| {});
    for (name, key) in [("Open…", "Ctrl+O"), ("Latent", "L"), ("Fit", "0"), ("Generate", "Ctrl+Enter")] {
        let tip = harness.get_by_role_and_label(Role::Button, name).accesskit_node().description().unwrap();
        assert!(tip.ends_with(&format!("·  {key}")), "{name}: {tip:?}");
    }
    // It is drawn where the pointer rests.
    harness.get_by_label("Swap width and height").hover();
    harness.run_ok();
    assert_eq!(harness.query_all_by_label("Swap width and height").count(), 2);
}

#[test]
fn the_window_of_keys_is_called_as_a_window_is() {
    let mut harness = harness(|_| {});
    harness.ctx.memory_mut(egui::Memory::stop_text_input);
    harness.run_ok();
    harness.key_press(egui::Key::F1);
    harness.run_ok();
    harness.get_by_role_and_label(Role::Window, "Keys");
    assert!(harness.query_by_label_contains("Keys…").is_none());
    harness.get_by_label("Open a picture, a latent, or a model (a folder or a file)");
    let last = harness.get_by_label("These keys").rect();
    assert!(last.bottom() < 790.0, "the whole list is in sight: {last:?}");
    wait_for_examples(&mut harness);
    let few_pixels = SnapshotOptions::new().max_failed_pixels(64_usize);
    harness.snapshot_options("keys", &few_pixels);
}

/// Panels are dragged wider and narrower within limits, and keep their widths.
#[test]
fn panels_are_dragged_and_hidden() {
    let mut harness = harness(|settings| settings.panel_widths = [330.0, 5000.0]);
    let easel = |harness: &Harness<'_, Window>| harness.get_by_role(Role::Image).rect();
    for handle in ["Width of the recipe", "Width of the latent's panel"] {
        harness.get_by_role_and_label(Role::Splitter, handle);
    }
    // A width from the settings, and one that no window has room for.
    assert_eq!((easel(&harness).left(), easel(&harness).right()), (330.0, 1280.0 - 520.0));
    let drag = |harness: &mut Harness<'_, Window>, from: f32, to: f32| {
        harness.drag_at(egui::pos2(from, 300.0));
        harness.run_ok();
        harness.hover_at(egui::pos2(to, 300.0));
        harness.run_ok();
        harness.drop_at(egui::pos2(to, 300.0));
        harness.run_ok();
    };
    drag(&mut harness, 762.0, 960.0);
    assert_eq!(easel(&harness).right(), 960.0);
    drag(&mut harness, 328.0, 100.0);
    assert_eq!(easel(&harness).left(), 296.0, "its controls have room");
    drag(&mut harness, 294.0, 900.0);
    assert_eq!(easel(&harness).left(), 520.0);
    assert_eq!((harness.state().desk.recipe_width, harness.state().desk.enlarger_width), (520.0, 320.0));

    // The key hides the recipe, and so does its button.
    harness.ctx.memory_mut(egui::Memory::stop_text_input);
    harness.run_ok();
    harness.key_press(egui::Key::R);
    harness.run_ok();
    assert_eq!(easel(&harness).left(), 0.0);
    assert!(harness.query_by_label("Generate").is_none());
    // Without its foot there is still a way to stop.
    harness.state_mut().session.draft_mut().steps = 900;
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Enter);
    harness.step();
    harness.step();
    harness.get_by_label("Stop").click();
    wait(&mut harness, "the stop", |window| window.session.running().is_none());
    harness.run_ok();
    harness.get_by_label("Recipe").click();
    harness.run_ok();
    assert_eq!(easel(&harness).left(), 520.0, "as wide as before");
    harness.get_by_label("Generate");
}

#[test]
fn messages_that_have_left_are_read_again() {
    let mut harness = harness(|_| {});
    harness.ctx.memory_mut(egui::Memory::stop_text_input);
    harness.run_ok();
    harness.key_press(egui::Key::M);
    harness.run_ok();
    harness.get_by_label("There are no messages yet");
    harness.key_press(egui::Key::M);
    let session = &mut harness.state_mut().session;
    session.notify(Message::Saved("/pictures/a.png".into()));
    session.notify(Message::NotSaved("the disk is full".into()));
    for _ in 0..40 {
        harness.step();
    }
    assert!(harness.query_by_label("Saved").is_none());
    harness.get_by_label("Dismiss").click();
    harness.run_ok();
    harness.get_by_label("Language, theme, keys").click();
    harness.run_ok();
    harness.get_by_label_contains("Messages…").click();
    harness.run_ok();
    for said in ["Not saved", "the disk is full", "Saved", "/pictures/a.png"] {
        harness.get_by_label(said);
    }
    let places = ["Not saved", "Saved"].map(|said| harness.get_by_label(said).rect().top());
    assert!(places[0] < places[1], "the newest comes first");
    wait_for_examples(&mut harness);
    let few_pixels = SnapshotOptions::new().max_failed_pixels(64_usize);
    harness.snapshot_options("messages", &few_pixels);
    harness.get_by_label("Copy all").click();
    harness.step();
    let copied = harness.output().platform_output.commands.iter().find_map(|command| match command {
        egui::OutputCommand::CopyText(text) => Some(text.clone()),
        _ => None,
    });
    let wanted = "Not saved (just now)\nthe disk is full\n\nSaved (just now)\n/pictures/a.png";
    assert_eq!(copied.as_deref(), Some(wanted));
}
