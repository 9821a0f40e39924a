//! `safelight generate --grid`: grids of pictures.

use std::path::Path;

use safelight::formats::metadata::read_facts;
use safelight::request::Seed;
use serde_json::Value;

use crate::common::model_folders::copy_folder;
use crate::common::program::{safelight, text};
use crate::kept_runs::{Kept, pixels};
use crate::small_model::{SMALL, error_of, generate, names_in};

/// The lines that a command prints as JSON.
fn told(arguments: &[&str]) -> Vec<Value> {
    let output = safelight(arguments);
    assert_eq!((output.status.code(), error_of(&output).as_str()), (Some(0), ""), "{arguments:?}");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn small<'a>(output: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    generate(output, &[&["--width", "32", "--height", "32"], more].concat())
}

/// Whether a picture is somewhere in another one, pixel for pixel.
fn contains(sheet: &Path, picture: &Path) -> bool {
    let [sheet, picture] = [sheet, picture].map(|path| image::open(path).unwrap().into_rgb8());
    let row = |image: &image::RgbImage, x: u32, y: u32| {
        let from = ((y * image.width() + x) * 3) as usize;
        image.as_raw()[from..from + picture.width() as usize * 3].to_vec()
    };
    let first = row(&picture, 0, 0);
    let places = (0..=sheet.height() - picture.height())
        .flat_map(|y| (0..=sheet.width() - picture.width()).map(move |x| (x, y)));
    let mut starts = places.filter(|(x, y)| row(&sheet, *x, *y) == first);
    starts.any(|(x, y)| (0..picture.height()).all(|dy| row(&sheet, x, y + dy) == row(&picture, 0, dy)))
}

#[test]
fn every_picture_of_a_grid_is_that_of_a_single_run_and_its_file_names_the_axes() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let (grid, cells) = (file("grid.png"), file("cells"));
    let arguments = ["--grid", "steps=1,2", "--grid", "words=fox,\"red, blue\"", "--json"];
    let lines = told(&small(&grid, &[&arguments[..], &["--grid-folder", text(&cells)]].concat()));
    assert_eq!(lines.len(), 5);
    let names: Vec<_> = lines[..4].iter().map(|line| line["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["steps 1, fox", "steps 2, fox", "steps 1, red, blue", "steps 2, red, blue"]);
    assert_eq!(lines[4]["axes"], serde_json::json!(["steps=1,2", "words=fox,\"red, blue\""]));
    assert_eq!((&lines[4]["drawn"], &lines[4]["shape"]), (&4.into(), &serde_json::json!([2, 2, 1])));
    assert_eq!(
        names_in(&cells),
        ["01-steps-1-fox.png", "02-steps-2-fox.png", "03-steps-1-red-blue.png", "04-steps-2-red-blue.png"]
    );
    for (name, steps, prompt) in
        [("01-steps-1-fox.png", "1", "a fox"), ("04-steps-2-red-blue.png", "2", "a red, blue")]
    {
        let (cell, single) = (cells.join(name), file("single.png"));
        told(&small(&single, &["--steps", steps, "--prompt", prompt]));
        assert_eq!(pixels(&cell), pixels(&single), "{name}");
        assert_eq!(read_facts(&cell), read_facts(&single));
        assert!(contains(&grid, &cell), "{name}");
    }
    let facts = read_facts(&grid).unwrap();
    assert_eq!(facts.grid_axes(), ["steps=1,2", "words=fox,\"red, blue\""]);
    assert_eq!((facts.steps, facts.seed, facts.prompt.as_deref()), (Some(1), Some(Seed(3)), Some("a fox")));
    let inspected = &told(&["inspect", text(&grid), "--json"])[0]["settings"];
    assert!(inspected.to_string().contains("Grid columns"), "{inspected}");
}

#[test]
fn a_third_axis_models_and_kept_runs() {
    let kept = Kept::new();
    let (grid, root) = (kept.file("grid"), kept.root());
    let other = kept.file("other");
    copy_folder(Path::new(SMALL), &other);
    let model = format!("model={SMALL},{}", text(&other));
    let mut arguments = small(&grid, &["--grid", "seed=5,6", "--grid", "sampler=euler,heun"]);
    arguments.extend(["--grid", &model, "--json", "--no-metadata", "--keep-in", text(&root)]);
    let lines = told(&arguments);
    assert_eq!(lines.len(), 9);
    assert_eq!(lines[8]["output"], text(&kept.file("grid.png")));
    assert_eq!(lines[4]["cell"], serde_json::json!([0, 0, 1]), "the model changes last");
    assert!(read_facts(&kept.file("grid.png")).is_none());
    let runs = kept.history().runs().unwrap().runs;
    assert_eq!(runs.len(), 8);
    for line in &lines[..8] {
        let run = runs.iter().find(|run| line["run"] == run.id.as_str()).unwrap();
        let grid = run.grid.as_ref().unwrap();
        assert_eq!((&line["cell"], grid.axes.len()), (&serde_json::json!(grid.place), 3));
        assert_eq!(grid.id, runs[0].grid.as_ref().unwrap().id);
    }
}

#[test]
fn what_cannot_be_drawn_is_said_before_anything_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let grid = folder.path().join("grid.png");
    for (more, said) in [
        (&["--grid", "steps=1,2", "--grid", "steps=3"][..], "two axes vary steps"),
        (&["--grid", "words=owl,cat"], "‘owl’ is neither in the prompt nor in the negative prompt"),
        (&["--grid", "strength=0.5,0.7"], "strength needs a source picture"),
        (
            &["--grid", "steps=1,2000", "--grid", "seed=1,2"],
            "the picture with steps 2000, seed 1 cannot be drawn",
        ),
        (
            &["--grid", "seed=1..30", "--grid", "steps=1..20"],
            "the grid would have 600 pictures, more than 400",
        ),
        (&["--grid", "shift=1,2"], "shift 1 cannot be drawn: this model's noise has no shift"),
        (&["--grid", "model=builtin,/no/such/model"], "/no/such/model"),
        (&["--grid", "steps=1,2", "--grid-folder", SMALL], "is not empty"),
    ] {
        let output = safelight(&small(&grid, more));
        let error = error_of(&output);
        assert_eq!(output.status.code(), Some(1), "{more:?}: {error}");
        assert!(error.contains(said), "{more:?}: {error}");
    }
    for (more, said) in [
        (&["--grid", "steps"][..], "‘steps’ is no axis of a grid"),
        (&["--grid", "steps=x"], "‘x’ is no value of steps"),
        (&["--grid", "model=/no/such,/no/such/"], "/no/such/ is there twice in model"),
        (&["--grid", "steps=1,2", "--batch", "2"], "cannot be used with"),
        (&["--grid-folder", "x"], "--grid"),
    ] {
        let output = safelight(&small(&grid, more));
        let error = error_of(&output);
        assert_eq!(output.status.code(), Some(2), "{more:?}: {error}");
        assert!(error.contains(said), "{more:?}: {error}");
    }
    assert!(names_in(folder.path()).is_empty());
}

#[cfg(unix)]
#[test]
fn a_signal_keeps_what_is_drawn_of_a_grid() {
    use std::time::{Duration, Instant};
    let folder = tempfile::tempdir().unwrap();
    let (grid, cells) = (folder.path().join("grid.png"), folder.path().join("cells"));
    let mut command = crate::endings::program_with_default_signals();
    command.args(small(&grid, &["--steps", "4", "--grid", "seed=1..400", "--grid-folder", text(&cells)]));
    let mut program = command.spawn().unwrap();
    let since = Instant::now();
    while !cells.is_dir() || names_in(&cells).len() < 2 {
        assert!(since.elapsed() < Duration::from_mins(2), "no picture is drawn");
        assert_eq!(program.try_wait().unwrap(), None);
        std::thread::sleep(Duration::from_millis(2));
    }
    let pid = program.id().to_string();
    std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert_eq!(program.wait().unwrap().code(), Some(130));
    let drawn = names_in(&cells);
    assert!((2..400).contains(&drawn.len()), "{}", drawn.len());
    assert_eq!(names_in(folder.path()), ["cells", "grid.png"]);
    assert_eq!(read_facts(&grid).unwrap().grid_axes(), ["seed=1..400"]);
    assert!(contains(&grid, &cells.join(&drawn[0])));
}
