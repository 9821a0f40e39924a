//! The real program in a real window: Xvfb, software Vulkan, real keys, a real drop, a real dialog.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../common/mod.rs"]
mod common;

mod connections;
mod display;
mod drag_and_drop;
mod endings;
mod session_bus;
mod walk;

use common::model_folders::builtin_size;
use display::{Desktop, Program, wait_for};

fn start(desktop: &Desktop) -> (Program, String) {
    start_command(desktop, desktop.command(env!("CARGO_BIN_EXE_safelight")))
}

fn start_command(desktop: &Desktop, mut command: std::process::Command) -> (Program, String) {
    let mut program = Program::start(desktop, &mut command);
    let window = wait_for("the program's window", || {
        program.must_run();
        desktop.window("Safelight")
    });
    desktop.focus(&window);
    (program, window)
}

/// How many pixels differ clearly between two pictures of the same window.
fn changed_pixels(a: &image::RgbImage, b: &image::RgbImage) -> usize {
    a.pixels().zip(b.pixels()).filter(|(a, b)| a.0.iter().zip(b.0).any(|(a, b)| a.abs_diff(b) > 24)).count()
}

/// What the window shows once it is drawn and nothing in it moves.
fn at_rest(desktop: &Desktop, window: &str) -> image::RgbImage {
    wait_for("the window to rest", || {
        let now = desktop.screenshot(window);
        std::thread::sleep(std::time::Duration::from_secs(2));
        let drawn = now.pixels().any(|pixel| pixel != now.get_pixel(0, 0));
        (drawn && changed_pixels(&now, &desktop.screenshot(window)) < 500).then_some(now)
    })
}

#[test]
fn a_typed_prompt_becomes_a_saved_picture() {
    let desktop = Desktop::start(1280, 800);
    let (_program, window) = start(&desktop);
    desktop.type_text("snowy mountains over a lake at night, two moons");
    desktop.press("ctrl+Return");

    // The latent develops: the window shows clearly different pictures one after another.
    let mut last = desktop.screenshot(&window);
    let mut changes = 0;
    wait_for("the preview to change three times", || {
        let now = desktop.screenshot(&window);
        if changed_pixels(&last, &now) > 2_000 {
            changes += 1;
        }
        last = now;
        (changes >= 3).then_some(())
    });

    // The dialog opens once there is a picture to save.
    let dialog = wait_for("the save dialog", || {
        desktop.press("ctrl+s");
        std::thread::sleep(std::time::Duration::from_millis(800));
        desktop.xdotool(&["search", "--onlyvisible", "--class", "zenity"])?.lines().next().map(str::to_owned)
    });
    desktop.focus(&dialog);
    let file = desktop.home().join("saved picture");
    desktop.press("ctrl+a");
    desktop.type_text(file.to_str().expect("an ASCII path"));
    desktop.press("Return");

    let saved = file.with_extension("png");
    let picture = wait_for("the saved file", || image::open(&saved).ok());
    assert_eq!((picture.width(), picture.height()), builtin_size());
    let facts = safelight::formats::metadata::read_facts(&saved).expect("facts are embedded");
    assert_eq!(facts.prompt.as_deref(), Some("snowy mountains over a lake at night, two moons"));
    assert!(facts.seed.is_some() && facts.steps.is_some(), "{facts:?}");
}

#[test]
fn without_a_dialog_paths_are_typed_every_format_holds_the_settings_and_closing_saves_the_rest() {
    let desktop = Desktop::start(1280, 800);
    desktop.keep_no_runs();
    let mut command = desktop.command(env!("CARGO_BIN_EXE_safelight"));
    // No program that could show a dialog, and no bus to ask for one.
    command.env("PATH", desktop.home()).env_remove("DBUS_SESSION_BUS_ADDRESS");
    let (mut program, window) = start_command(&desktop, command);
    let before = at_rest(&desktop, &window);
    desktop.type_text("green hills at noon");
    desktop.press("ctrl+Return");
    // What is typed next must not reach the prompt before the job has begun.
    wait_for("the first preview", || {
        (changed_pixels(&before, &desktop.screenshot(&window)) > 20_000).then_some(())
    });
    // A second picture, on which the window goes on; the first stays unsaved.
    desktop.press("ctrl+Return");
    at_rest(&desktop, &window);
    for extension in ["jpg", "webp"] {
        let file = desktop.home().join("typed").with_extension(extension);
        let picture = wait_for("the file of the typed path", || {
            desktop.press("ctrl+s");
            std::thread::sleep(std::time::Duration::from_secs(1));
            desktop.press("ctrl+a");
            desktop.type_text(file.to_str().expect("an ASCII path"));
            desktop.press("Return");
            std::thread::sleep(std::time::Duration::from_millis(500));
            image::open(&file).ok()
        });
        assert_eq!((picture.width(), picture.height()), builtin_size());
        let facts = safelight::formats::metadata::read_facts(&file).expect("facts are embedded");
        assert_eq!(facts.prompt.as_deref(), Some("green hills at noon"));
        let bytes = std::fs::read(&file).expect("a file");
        let mark = b"trainedAlgorithmicMedia";
        assert!(bytes.windows(mark.len()).any(|part| part == mark), "{extension} says how it was made");
    }

    let before = at_rest(&desktop, &window);
    desktop.close(&window);
    wait_for("the question before closing", || {
        program.must_run();
        (changed_pixels(&before, &desktop.screenshot(&window)) > 20_000).then_some(())
    });
    let folder = desktop.home().join("kept");
    std::fs::create_dir(&folder).expect("a folder");
    // Saving all is what Return chooses; then the folder is typed.
    desktop.press("Return");
    std::thread::sleep(std::time::Duration::from_secs(1));
    desktop.press("ctrl+a");
    desktop.type_text(folder.to_str().expect("an ASCII path"));
    desktop.press("Return");
    wait_for("the program to end", || program.child.try_wait().ok().flatten());
    let kept: Vec<_> = std::fs::read_dir(&folder).expect("the folder").map(|f| f.unwrap().path()).collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert!(image::open(&kept[0]).is_ok());
}

#[test]
fn text_and_pictures_go_through_the_clipboard_both_ways() {
    let desktop = Desktop::start(1280, 800);
    let (_program, window) = start(&desktop);
    at_rest(&desktop, &window);
    desktop.copy_text("green hills, 푸른 언덕");
    desktop.press("ctrl+v");
    desktop.type_text(" at noon");
    wait_for("the prompt in the clipboard", || {
        desktop.press("ctrl+a");
        desktop.press("ctrl+c");
        (desktop.clipboard("UTF8_STRING")? == "green hills, 푸른 언덕 at noon".as_bytes()).then_some(())
    });

    desktop.press("ctrl+Return");
    // No text is being edited once the canvas was clicked.
    desktop.xdotool(&["mousemove", "--window", &window, "800", "400", "click", "1"]).expect("a click");
    let picture = wait_for("the picture in the clipboard", || {
        desktop.press("ctrl+c");
        std::thread::sleep(std::time::Duration::from_millis(500));
        image::load_from_memory(&desktop.clipboard("image/png")?).ok()
    });
    assert_eq!((picture.width(), picture.height()), builtin_size());

    let before = at_rest(&desktop, &window);
    desktop.press("ctrl+v");
    // It looks as the picture that was copied; its frame on the contact sheet and its facts are new.
    wait_for("the pasted picture's frame", || {
        (changed_pixels(&before, &desktop.screenshot(&window)) > 5_000).then_some(())
    });
}

#[test]
fn a_dropped_picture_with_an_awkward_name_opens() {
    let desktop = Desktop::start(1280, 800);
    let (_program, window) = start(&desktop);
    let file = desktop.home().join("my picture é.png");
    image::RgbImage::from_fn(160, 128, |x, y| image::Rgb([x as u8, y as u8, 200]))
        .save(&file)
        .expect("a file");
    let before = at_rest(&desktop, &window);
    drag_and_drop::drop_files(desktop.name(), window.parse().expect("a number"), &[&file]);
    wait_for("the window to show the picture", || {
        (changed_pixels(&before, &desktop.screenshot(&window)) > 3_000).then_some(())
    });
}

/// As a desktop starts the program for a file, by the desktop entry's `Exec`.
#[test]
fn a_picture_named_on_the_command_line_opens() {
    let desktop = Desktop::start(1280, 800);
    let file = desktop.home().join("my picture é.png");
    let colour = image::Rgb([30, 200, 60]);
    image::RgbImage::from_pixel(160, 128, colour).save(&file).expect("a file");
    let entry = include_str!("../../packaging/linux/safelight.desktop");
    let exec = entry.lines().find_map(|line| line.strip_prefix("Exec=safelight ")).expect("an Exec line");
    let arguments = exec.split(' ').map(|word| if word == "%F" { file.clone() } else { word.into() });
    let mut command = desktop.command(env!("CARGO_BIN_EXE_safelight"));
    command.args(arguments);
    let (_program, window) = start_command(&desktop, command);
    wait_for("the window to show the picture", || {
        let is_near = |pixel: &&image::Rgb<u8>| pixel.0.iter().zip(colour.0).all(|(a, b)| a.abs_diff(b) < 40);
        let green = desktop.screenshot(&window).pixels().filter(is_near).count();
        (green > 50_000).then_some(())
    });
}

/// Where the pointer is known, a picture that is dropped on the row of the source becomes the source.
#[test]
fn a_picture_dropped_on_the_source_s_row_is_no_document() {
    let desktop = Desktop::start(1280, 800);
    let (_program, window) = start(&desktop);
    let file = desktop.home().join("source.png");
    image::RgbImage::from_fn(160, 128, |x, y| image::Rgb([x as u8, y as u8, 200]))
        .save(&file)
        .expect("a file");
    desktop.xdotool(&["mousemove", "--window", &window, "150", "519"]).expect("a pointer");
    let before = at_rest(&desktop, &window);
    drag_and_drop::drop_files(desktop.name(), window.parse().expect("a number"), &[&file]);
    let part = |picture: &image::RgbImage, y: u32, width: u32, height: u32| {
        image::imageops::crop_imm(picture, 0, y, width, height).to_image()
    };
    let after = wait_for("the source's thumbnail", || {
        let now = desktop.screenshot(&window);
        (changed_pixels(&part(&before, 500, 290, 60), &part(&now, 500, 290, 60)) > 1_500).then_some(now)
    });
    let sheet = changed_pixels(&part(&before, 700, 1280, 100), &part(&after, 700, 1280, 100));
    assert_eq!(sheet, 0, "nothing lies on the contact sheet");
}
