//! Ends that nobody asked for, and what is still there afterwards.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::common::model_folders::builtin_size;
use super::display::{Desktop, Program, wait_for};
use super::{at_rest, changed_pixels, start, start_command};

/// The final latents on the disk: of kept runs, or of unsaved results where runs are not kept.
fn kept(desktop: &Desktop) -> Vec<PathBuf> {
    let root = desktop.home().join(".local/share/safelight");
    let mut found = Vec::new();
    collect(&root, "latent", &mut found);
    found
}

/// Adds the files below a folder that have this extension.
fn collect(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, extension, found);
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
}

/// Temporary files anywhere in the home folder.
fn strays(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(folder, "tmp", &mut found);
    found
}

/// Changes a setting: the menu in the window's corner chooses the other language.
fn choose_korean(desktop: &Desktop, window: &str) {
    at_rest(desktop, window);
    desktop.xdotool(&["mousemove", "--window", window, "1252", "22", "click", "1"]).expect("a click");
    at_rest(desktop, window);
    desktop.xdotool(&["mousemove", "--window", window, "1186", "115", "click", "1"]).expect("a click");
    std::thread::sleep(Duration::from_millis(500));
}

/// Whether that was written.
fn is_korean_kept(desktop: &Desktop) -> bool {
    let settings = std::fs::read_to_string(desktop.home().join(".config/safelight/settings.json"));
    settings.is_ok_and(|text| text.contains("\"korean\""))
}

/// Draws a picture that stays unsaved, and waits until it is kept on the disk.
fn draw(desktop: &Desktop, prompt: &str) {
    let before = kept(desktop).len();
    desktop.type_text(prompt);
    desktop.press("ctrl+Return");
    wait_for("the kept latent", || (kept(desktop).len() > before).then_some(()));
}

fn signal(program: &Program, name: &str) {
    let id = program.child.id().to_string();
    assert!(Command::new("kill").args(["-s", name, &id]).status().expect("kill runs").success());
}

/// Waits until the picture that is shown is decoded: only then it can be copied.
fn until_decoded(desktop: &Desktop, window: &str) {
    // No text is being edited once the canvas was clicked.
    desktop.xdotool(&["mousemove", "--window", window, "800", "400", "click", "1"]).expect("a click");
    wait_for("the decoded picture", || {
        desktop.press("ctrl+c");
        std::thread::sleep(Duration::from_millis(500));
        image::load_from_memory(&desktop.clipboard("image/png")?).ok()
    });
    // The message about that leaves by itself.
    std::thread::sleep(Duration::from_secs(6));
}

/// Saves the shown picture through the typed path of a window that can show no dialog.
fn save_typed(desktop: &Desktop, window: &str, file: &Path) {
    let before = desktop.screenshot(window);
    desktop.press("ctrl+s");
    let start = Instant::now();
    // What is typed too early would go into the prompt.
    while changed_pixels(&before, &desktop.screenshot(window)) < 3_000
        && start.elapsed() < Duration::from_secs(10)
    {
        std::thread::sleep(Duration::from_millis(200));
    }
    desktop.press("ctrl+a");
    desktop.type_text(file.to_str().expect("an ASCII path"));
    desktop.press("Return");
    std::thread::sleep(Duration::from_millis(500));
}

/// What is drawn before the program ends.
const PROMPT: &str = "green hills at noon";

/// Draws a picture in a window that is killed as soon as the picture is on the disk.
fn draw_and_kill(desktop: &Desktop) {
    let (mut program, _) = start(desktop);
    draw(desktop, PROMPT);
    let runs = desktop.home().join(".local/share/safelight/runs");
    let mut thumbnails = Vec::new();
    if runs.is_dir() {
        wait_for("the kept picture", || {
            thumbnails.clear();
            collect(&runs, "png", &mut thumbnails);
            (thumbnails.len() >= 2).then_some(())
        });
    }
    program.child.kill().expect("it runs");
    program.child.wait().expect("it ends");
}

/// Saves the shown picture; the prompt that its file holds.
fn saved_prompt(desktop: &Desktop, program: &mut Program, window: &str) -> String {
    let file = desktop.home().join("again.png");
    wait_for("the saved file", || {
        program.must_run();
        save_typed(desktop, window, &file);
        image::open(&file).ok()
    });
    let facts = safelight::formats::metadata::read_facts(&file).expect("facts are embedded");
    facts.prompt.expect("a prompt")
}

/// A start that can show no dialog of the system.
fn without_dialogs(desktop: &Desktop) -> Command {
    let mut command = desktop.command(env!("CARGO_BIN_EXE_safelight"));
    command.env("PATH", desktop.home()).env_remove("DBUS_SESSION_BUS_ADDRESS");
    command
}

/// Every picture is kept with its steps; the gallery has it after the process was killed.
#[test]
fn a_killed_window_s_picture_is_in_the_gallery() {
    let desktop = Desktop::start(1280, 800);
    draw_and_kill(&desktop);
    assert_eq!(kept(&desktop).len(), 1);

    let (mut program, window) = start_command(&desktop, without_dialogs(&desktop));
    let empty = at_rest(&desktop, &window);
    // The key of the gallery, once the prompt has lost the focus, and its first frame.
    desktop.xdotool(&["mousemove", "--window", &window, "640", "130", "click", "1"]).expect("a click");
    desktop.press("g");
    wait_for("the gallery", || (changed_pixels(&empty, &desktop.screenshot(&window)) > 20_000).then_some(()));
    let gallery = at_rest(&desktop, &window);
    desktop.keep_picture(&gallery, "gallery");
    desktop.xdotool(&["mousemove", "--window", &window, "380", "250", "click", "1"]).expect("a click");
    let chosen = at_rest(&desktop, &window);
    desktop.keep_picture(&chosen, "gallery_chosen");
    desktop.press("Return");
    wait_for("the picture", || {
        (changed_pixels(&gallery, &desktop.screenshot(&window)) > 20_000).then_some(())
    });
    at_rest(&desktop, &window);
    assert_eq!(saved_prompt(&desktop, &mut program, &window), PROMPT);
    // What is kept asks nothing when the window closes.
    desktop.close(&window);
    wait_for("the program to end", || program.child.try_wait().ok().flatten());
}

#[test]
fn without_a_gallery_a_killed_window_s_picture_is_offered_restored_and_saved() {
    let desktop = Desktop::start(1280, 800);
    desktop.keep_no_runs();
    draw_and_kill(&desktop);
    assert_eq!(kept(&desktop).len(), 1);

    let (mut program, window) = start_command(&desktop, without_dialogs(&desktop));
    let asked = at_rest(&desktop, &window);
    desktop.keep_picture(&asked, "restore");
    // Restoring is what Return chooses.
    desktop.press("Return");
    wait_for("the restored picture", || {
        (changed_pixels(&asked, &desktop.screenshot(&window)) > 20_000).then_some(())
    });
    at_rest(&desktop, &window);
    // A restored picture is shown once its thumbnail is clicked.
    desktop.xdotool(&["mousemove", "--window", &window, "52", "748", "click", "1"]).expect("a click");
    assert_eq!(saved_prompt(&desktop, &mut program, &window), PROMPT);
    wait_for("the kept latent to go", || kept(&desktop).is_empty().then_some(()));
}

#[test]
fn signals_keep_settings_and_pictures_and_leave_no_temporary_file() {
    for name in ["TERM", "HUP", "INT"] {
        let desktop = Desktop::start(1280, 800);
        // Whoever runs the tests may ignore some of them.
        let mut command = desktop.command("env");
        command.args(["--default-signal", env!("CARGO_BIN_EXE_safelight")]);
        let (mut program, window) = start_command(&desktop, command);
        draw(&desktop, "red ball");
        choose_korean(&desktop, &window);
        signal(&program, name);
        let status = wait_for("the program to end", || program.child.try_wait().ok().flatten());
        assert!(status.success(), "{name}: {status}: {}", program.complaints());
        assert_eq!(kept(&desktop).len(), 1, "{name}");
        assert!(is_korean_kept(&desktop), "{name}");
        let strays = strays(desktop.home());
        assert!(strays.is_empty(), "{name}: {strays:?}");
    }
}

#[test]
fn what_the_parent_had_ignored_stays_ignored() {
    let desktop = Desktop::start(1280, 800);
    let mut command = desktop.command("nohup");
    command.arg(env!("CARGO_BIN_EXE_safelight"));
    let (mut program, _) = start_command(&desktop, command);
    signal(&program, "HUP");
    std::thread::sleep(Duration::from_secs(3));
    program.must_run();
}

#[test]
fn a_display_that_goes_away_takes_no_picture_with_it() {
    let mut desktop = Desktop::start(1280, 800);
    let (mut program, window) = start(&desktop);
    draw(&desktop, "red ball");
    // Settings are written as they change, not at the end alone.
    choose_korean(&desktop, &window);
    wait_for("the settings", || is_korean_kept(&desktop).then_some(()));
    desktop.end_server();
    wait_for("the program to end", || program.child.try_wait().ok().flatten());
    assert_eq!(kept(&desktop).len(), 1);
}

/// A start with the layer that loses devices, which is built into the home folder.
fn with_lost_device_layer(desktop: &Desktop) -> Command {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/lost_device");
    let folder = desktop.home().join("layer");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::copy(source.join("layer.json"), folder.join("layer.json")).expect("the layer's description");
    let library = folder.join("liblost_device.so");
    let mut build = Command::new("cc");
    build.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source.join("lost_device.c"));
    assert!(build.status().expect("cc runs: packaging/setup.sh test").success());
    let mut command = without_dialogs(desktop);
    command.env("VK_LAYER_PATH", &folder).env("VK_INSTANCE_LAYERS", "VK_LAYER_SAFELIGHT_lost_device");
    command
}

/// Draws, takes the device away until the painter has started anew so often, and saves what was drawn.
fn survives(losses: usize) {
    let desktop = Desktop::start(1280, 800);
    let mut command = with_lost_device_layer(&desktop);
    let switch = desktop.home().join("taken away");
    command.env("LOST_DEVICE_FILE", &switch);
    let (mut program, window) = start_command(&desktop, command);
    draw(&desktop, "green hills at noon");
    at_rest(&desktop, &window);
    std::fs::write(&switch, b"").expect("a file");
    wait_for("the loss", || {
        program.must_run();
        // Something to paint.
        let _ = desktop.xdotool(&["mousemove", "700", "300"]);
        let _ = desktop.xdotool(&["mousemove", "500", "400"]);
        (program.complaints().matches("the graphics device was lost").count() >= losses).then_some(())
    });
    std::fs::remove_file(&switch).expect("the device is back");
    let window = wait_for("the window to come back", || {
        program.must_run();
        desktop.window("Safelight")
    });
    desktop.focus(&window);
    wait_for("the window to be drawn", || {
        let now = desktop.screenshot(&window);
        now.pixels().any(|pixel| pixel != now.get_pixel(0, 0)).then_some(())
    });
    desktop.keep_picture(&desktop.screenshot(&window), "repainted");
    let file = desktop.home().join("after.png");
    let picture = wait_for("the saved file", || {
        program.must_run();
        save_typed(&desktop, &window, &file);
        image::open(&file).ok()
    });
    assert_eq!((picture.width(), picture.height()), builtin_size());
    assert!(!program.complaints().contains("panicked"), "{}", program.complaints());
}

#[test]
fn a_lost_graphics_device_ends_nothing() {
    survives(1);
}

#[test]
fn a_graphics_device_that_stays_lost_is_left_for_another() {
    survives(2);
}

#[test]
fn a_graphics_device_without_memory_is_left_for_another() {
    let desktop = Desktop::start(1280, 800);
    let mut command = with_lost_device_layer(&desktop);
    command.env("REFUSED_MEMORY_FILE", "/dev/null");
    let (mut program, window) = start_command(&desktop, command);
    at_rest(&desktop, &window);
    program.must_run();
    assert!(!program.complaints().contains("panicked"), "{}", program.complaints());
}

/// Runs the program until it ends; what it said and its exit code.
fn ends_with(mut command: Command) -> (Option<i32>, String) {
    let output = command.stderr(Stdio::piped()).output().expect("it runs");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn without_a_display_or_a_driver_the_sentence_fits_the_cause() {
    let desktop = Desktop::start(1280, 800);
    let program = || without_dialogs(&desktop);
    let mut none = program();
    none.env_remove("DISPLAY");
    let mut absent = program();
    absent.env("DISPLAY", ":4711");
    let mut dead = program();
    dead.env_remove("DISPLAY").env("WAYLAND_DISPLAY", "wayland-7");
    let mut driverless = program();
    driverless
        .env("VK_DRIVER_FILES", "/nonexistent.json")
        .env("VK_ICD_FILENAMES", "/nonexistent.json")
        .env("__EGL_VENDOR_LIBRARY_FILENAMES", "/nonexistent.json")
        .env("WGPU_BACKEND", "vulkan");
    for (command, wanted) in [
        (none, "neither WAYLAND_DISPLAY nor DISPLAY is set"),
        (absent, "The X11 display ‘:4711’ could not be opened"),
        (dead, "The Wayland display ‘wayland-7’ does not answer"),
        (driverless, "No graphics driver was found"),
    ] {
        let (code, said) = ends_with(command);
        assert!(code == Some(1) && said.contains(wanted), "{code:?}: {said}");
        assert!(!said.contains("registry") && !said.contains(".rs:") && !said.contains(".."), "{said}");
    }
}

#[test]
fn a_dead_wayland_display_falls_back_and_a_plain_locale_is_no_warning() {
    let desktop = Desktop::start(1280, 800);
    let mut command = desktop.command(env!("CARGO_BIN_EXE_safelight"));
    command.env("WAYLAND_DISPLAY", "wayland-7").env("LANG", "C").env_remove("LC_ALL");
    let (mut program, _) = start_command(&desktop, command);
    program.must_run();
    assert!(!program.complaints().contains("locale"), "{}", program.complaints());
}

#[test]
fn a_start_that_no_terminal_sees_says_in_a_dialog_why_there_is_no_window() {
    let desktop = Desktop::start(1280, 800);
    let mut command = desktop.command(env!("CARGO_BIN_EXE_safelight"));
    command
        .env("VK_DRIVER_FILES", "/nonexistent.json")
        .env("VK_ICD_FILENAMES", "/nonexistent.json")
        .env("WGPU_BACKEND", "vulkan");
    let mut program = Program::start(&desktop, &mut command);
    let dialog = wait_for("the dialog", || {
        program.must_run();
        desktop.xdotool(&["search", "--onlyvisible", "--class", "zenity"])?.lines().next().map(str::to_owned)
    });
    desktop.keep_picture(&desktop.screenshot(&dialog), "no_driver");
    desktop.focus(&dialog);
    desktop.press("Return");
    wait_for("the program to end", || program.child.try_wait().ok().flatten());
}

#[test]
fn an_opened_pipe_does_not_hold_the_window_open() {
    let desktop = Desktop::start(1280, 800);
    let (mut program, window) = start_command(&desktop, without_dialogs(&desktop));
    let pipe = desktop.home().join("pipe.png");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let before = at_rest(&desktop, &window);
    super::drag_and_drop::drop_files(desktop.name(), window.parse().expect("a number"), &[&pipe]);
    wait_for("the refusal", || (changed_pixels(&before, &desktop.screenshot(&window)) > 3_000).then_some(()));
    desktop.close(&window);
    let start = Instant::now();
    wait_for("the program to end", || program.child.try_wait().ok().flatten());
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_typed_name_that_exists_is_asked_about() {
    let desktop = Desktop::start(1280, 800);
    let (mut program, window) = start_command(&desktop, without_dialogs(&desktop));
    draw(&desktop, "red ball");
    until_decoded(&desktop, &window);
    let precious = desktop.home().join("precious.png");
    std::fs::write(&precious, b"older").expect("a file");
    let before = at_rest(&desktop, &window);
    // Without its extension, which is added.
    save_typed(&desktop, &window, &precious.with_extension(""));
    wait_for("the question", || {
        program.must_run();
        (changed_pixels(&before, &desktop.screenshot(&window)) > 3_000).then_some(())
    });
    at_rest(&desktop, &window);
    desktop.keep_picture(&desktop.screenshot(&window), "replace");
    assert_eq!(std::fs::read(&precious).expect("it is there"), b"older");
    // Escape replaces nothing.
    desktop.press("Escape");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(std::fs::read(&precious).expect("it is there"), b"older");
    // Tab goes from the other name to replacing.
    save_typed(&desktop, &window, &precious.with_extension(""));
    at_rest(&desktop, &window);
    desktop.press("Tab");
    desktop.press("Return");
    wait_for("the new picture", || image::open(&precious).ok());
}
