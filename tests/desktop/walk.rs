//! One long walk through the program, as a person takes it: with keys, the pointer and the system's dialogs.

use std::path::Path;

use image::RgbImage;

use super::display::{Desktop, Program, wait_for};
use super::{changed_pixels, start};

/// The easel of a window of 1280×800, without its lower edge, where messages lie.
const EASEL: [u32; 4] = [296, 44, 704, 480];

/// The button that mutes the first channel, frames of the contact sheet, and the first step on the timeline.
const MUTE: [u32; 2] = [1228, 95];
const SECOND_FRAME: [u32; 2] = [140, 748];
const THIRD_FRAME: [u32; 2] = [228, 748];
const FIRST_STEP: [u32; 2] = [362, 626];
/// The end of the timeline.
const LAST_STEP: [u32; 2] = [763, 626];

/// Edge of a picture, pixels; with it and the steps below sampling takes seconds, whatever the model's own size.
const EDGE: u32 = 128;
/// Steps of a picture.
const STEPS: u32 = 200;

/// What the easel shows.
fn easel(desktop: &Desktop, window: &str) -> RgbImage {
    let [x, y, width, height] = EASEL;
    image::imageops::crop_imm(&desktop.screenshot(window), x, y, width, height).to_image()
}

fn is_same(a: &RgbImage, b: &RgbImage) -> bool {
    changed_pixels(a, b) < 300
}

/// The mean colour of a part left or right of the middle. A comparison is shown a little smaller than a picture alone.
fn colour_beside_the_middle(picture: &RgbImage, left: bool) -> [f64; 3] {
    let [_, _, width, height] = EASEL;
    let x = if left { width * 3 / 8 } else { width * 17 / 32 };
    let part = image::imageops::crop_imm(picture, x, height * 3 / 8, width * 3 / 32, height / 4).to_image();
    let sums = part
        .pixels()
        .fold([0.0; 3], |sums: [f64; 3], pixel| std::array::from_fn(|k| sums[k] + f64::from(pixel.0[k])));
    sums.map(|sum| sum / part.pixels().len() as f64)
}

/// The window's title, which says what runs.
fn title(desktop: &Desktop, window: &str) -> String {
    desktop.xdotool(&["getwindowname", window]).unwrap_or_default()
}

/// The progress in the title, per cent.
fn progress(title: &str) -> Option<u32> {
    title.split(" · ").find_map(|part| part.strip_suffix(" %")?.parse().ok())
}

/// The easel once nothing runs and three pictures of it in a row are the same.
fn settled(desktop: &Desktop, window: &str) -> RgbImage {
    wait_for("the easel to rest", || {
        let first = easel(desktop, window);
        let rests = (0..2).all(|_| changed_pixels(&first, &easel(desktop, window)) < 30);
        (rests && title(desktop, window) == "Safelight").then_some(first)
    })
}

/// Waits until the easel rests and shows something else than `before`.
fn changed(desktop: &Desktop, window: &str, what: &str, before: &RgbImage) -> RgbImage {
    wait_for(what, || (!is_same(before, &easel(desktop, window))).then_some(()));
    settled(desktop, window)
}

/// Waits until the easel shows this again.
fn again(desktop: &Desktop, window: &str, what: &str, wanted: &RgbImage) {
    wait_for(what, || is_same(wanted, &easel(desktop, window)).then_some(()));
}

fn click(desktop: &Desktop, window: &str, x: u32, y: u32) {
    let [x, y] = [x, y].map(|place| place.to_string());
    desktop.xdotool(&["mousemove", "--window", window, &x, &y, "click", "1"]).expect("a click");
    away(desktop, window);
}

/// Moves the pointer to where nothing says anything about what is below it.
fn away(desktop: &Desktop, window: &str) {
    desktop.xdotool(&["mousemove", "--window", window, "150", "600"]).expect("a pointer");
}

/// Types a path into the dialog of this title, which is gone afterwards.
fn answer(desktop: &Desktop, window: &str, name: &str, keys: &str, path: &str) {
    let dialog = wait_for(name, || desktop.window(&format!("^{name}$")));
    desktop.focus(&dialog);
    desktop.press(keys);
    desktop.type_text(path);
    desktop.press("Return");
    wait_for("the dialog to close", || desktop.window(&format!("^{name}$")).is_none().then_some(()));
    desktop.focus(window);
}

/// Draws three pictures, each of which is seen to develop.
fn draw_a_batch(desktop: &Desktop, program: &mut Program, window: &str) {
    for _ in 0..3 {
        desktop.press("ctrl+Return");
    }
    for number in 1..=3 {
        let begins = format!("{number}/3 · ");
        wait_for("the picture's turn", || {
            program.must_run();
            title(desktop, window).starts_with(&begins).then_some(())
        });
        let mut last = easel(desktop, window);
        let mut changes = 0;
        while changes < 2 {
            let now = easel(desktop, window);
            assert!(title(desktop, window).starts_with(&begins), "picture {number} developed unseen");
            if changed_pixels(&last, &now) > 1_000 {
                changes += 1;
                last = now;
            }
        }
    }
    wait_for("the batch to end", || (title(desktop, window) == "Safelight").then_some(()));
}

/// Writes settings with many steps, so that sampling takes seconds.
fn slow_recipe(desktop: &Desktop) {
    let settings = serde_json::json!({ "recipe": {
        "prompt": "", "negative_prompt": "", "seed": 1, "seed_locked": false, "batch": 1,
        "settings": {
            "width": EDGE, "height": EDGE, "steps": STEPS, "guidance_scale": 3.0, "sampler": "DDIM", "schedule": "Automatic",
        },
    } });
    let folder = desktop.home().join(".config/safelight");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("settings.json"), settings.to_string()).expect("a file");
}

fn photo(path: &Path) {
    RgbImage::from_fn(128, 128, |x, y| {
        let far = (x as f32 - 40.0).hypot(y as f32 - 40.0);
        if far < 22.0 {
            image::Rgb([225, 60, 40])
        } else {
            image::Rgb([90, 120 + y as u8 / 2, 220 - x as u8])
        }
    })
    .save(path)
    .expect("a file");
}

#[test]
fn a_walk_through_everything() {
    const PROMPT: &str = "green hills at noon";
    // Larger than the window, so that it has its 1280×800 points beside its frame.
    let desktop = Desktop::start(1400, 900);
    slow_recipe(&desktop);
    let (mut program, window) = start(&desktop);
    let out = desktop.home().join("out");
    std::fs::create_dir(&out).expect("a folder");
    let photo_file = desktop.home().join("photo.png");
    photo(&photo_file);
    settled(&desktop, &window);
    away(&desktop, &window);

    desktop.type_text(PROMPT);
    draw_a_batch(&desktop, &mut program, &window);
    let drawn = settled(&desktop, &window);

    // A photo is opened; nothing is lost by looking away from it and back.
    desktop.press("ctrl+o");
    answer(&desktop, &window, "Open pictures and latents", "ctrl+l", photo_file.to_str().expect("ASCII"));
    let opened = changed(&desktop, &window, "the photo", &drawn);
    desktop.keep_picture(&opened, "walk_opened");
    // No text is being edited once the easel was clicked.
    click(&desktop, &window, 640, 300);
    let mut shown = vec![opened.clone()];
    for _ in 0..3 {
        desktop.press("Right");
        let before = shown.last().expect("one").clone();
        shown.push(changed(&desktop, &window, "the neighbour", &before));
    }
    assert!((0..4).all(|a| (0..a).all(|b| !is_same(&shown[a], &shown[b]))), "four documents");
    for before in shown.iter().rev().skip(1) {
        desktop.press("Left");
        again(&desktop, &window, "the document as it was", before);
    }

    // A channel is left out, and that is taken back.
    let [x, y] = MUTE;
    click(&desktop, &window, x, y);
    let muted = changed(&desktop, &window, "the edited photo", &opened);
    desktop.press("ctrl+z");
    again(&desktop, &window, "the photo before its edit", &opened);
    desktop.press("ctrl+shift+z");
    again(&desktop, &window, "the edit again", &muted);
    desktop.press("ctrl+z");
    again(&desktop, &window, "the photo before its edit", &opened);

    // Beside the newest result: that on one side of the line, the photo on the other.
    let [x, y] = SECOND_FRAME.map(|place| place.to_string());
    desktop
        .xdotool(&[
            "mousemove",
            "--window",
            &window,
            &x,
            &y,
            "keydown",
            "ctrl",
            "click",
            "1",
            "keyup",
            "ctrl",
        ])
        .expect("a click");
    let beside = changed(&desktop, &window, "the comparison", &opened);
    desktop.press("w");
    let compared = changed(&desktop, &window, "the wipe", &beside);
    desktop.keep_picture(&compared, "walk_compared");
    desktop.keep_picture(&shown[1], "walk_first");
    for (left, wanted, other) in [(true, &shown[1], &opened), (false, &opened, &shown[1])] {
        let [found, wanted, other] =
            [&compared, wanted, other].map(|picture| colour_beside_the_middle(picture, left));
        let far = |from: [f64; 3]| from.iter().zip(found).map(|(a, b)| (a - b).abs()).sum::<f64>();
        assert!(far(wanted) < far(other), "the result is on the left, the photo on the right: {left}");
    }
    desktop.press("Escape");
    again(&desktop, &window, "the photo alone", &opened);

    // A run is stopped: its finished steps are a document, on whose timeline one goes back.
    desktop.press("ctrl+Return");
    wait_for("a third of the steps", || (progress(&title(&desktop, &window))? >= 33).then_some(()));
    desktop.press("Escape");
    let stopped = changed(&desktop, &window, "the stopped run", &opened);
    let [x, y] = FIRST_STEP;
    click(&desktop, &window, x, y);
    let early = changed(&desktop, &window, "an early step", &stopped);
    assert!(!is_same(&early, &opened));
    let [x, y] = LAST_STEP;
    click(&desktop, &window, x, y);
    again(&desktop, &window, "the last step", &stopped);

    // It is removed and brought back.
    click(&desktop, &window, 640, 300);
    desktop.press("Delete");
    changed(&desktop, &window, "the next document", &stopped);
    desktop.press("ctrl+z");
    again(&desktop, &window, "the removed document", &stopped);

    // Its latent is exported through the dialog, then a result's picture, by a name alone, into the same folder.
    desktop.press("ctrl+shift+s");
    let file = out.join("stopped.latent");
    answer(&desktop, &window, "Save the latent", "ctrl+a", file.to_str().expect("ASCII"));
    wait_for("the latent's file", || safelight::formats::latent_file::read_latent(&file).ok());
    let [x, y] = THIRD_FRAME;
    click(&desktop, &window, x, y);
    again(&desktop, &window, "a result", &shown[1]);
    desktop.press("ctrl+s");
    answer(&desktop, &window, "Save the picture", "ctrl+a", "hills");
    let saved = out.join("hills.png");
    let picture = wait_for("the picture's file", || image::open(&saved).ok());
    assert_eq!((picture.width(), picture.height()), (EDGE, EDGE));
    let facts = safelight::formats::metadata::read_facts(&saved).expect("facts are embedded");
    assert_eq!(facts.prompt.as_deref(), Some(PROMPT));

    // The recipe is there again after a restart.
    desktop.close(&window);
    wait_for("the program to end", || program.child.try_wait().ok().flatten());
    drop(program);
    let (_program, window) = start(&desktop);
    settled(&desktop, &window);
    wait_for("the prompt in the clipboard", || {
        desktop.press("ctrl+a");
        desktop.press("ctrl+c");
        (desktop.clipboard("UTF8_STRING")? == PROMPT.as_bytes()).then_some(())
    });
}
