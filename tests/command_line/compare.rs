//! `safelight compare` and `safelight runs tree`.

use safelight::formats::metrics::{psnr, ssim};
use safelight::formats::picture::{ReadOptions, read_picture};
use safelight::latent::LatentDifference;
use serde_json::Value;

use crate::common::program::{safelight, text};
use crate::kept_runs::{Kept, answer, id_of};
use crate::small_model::error_of;

#[test]
fn runs_steps_pictures_and_latents_are_compared() {
    let kept = Kept::new();
    let run = kept.generate_as("fox", &["--steps", "4", "--sampler", "dpmpp-2m"]);
    let other = kept.generate_as("owl", &["--steps", "4", "--sampler", "dpmpp-2m", "--prompt", "an owl"]);
    let (fox, owl) = (kept.file("fox.png"), kept.file("owl.png"));
    let read = |path| read_picture(path, &ReadOptions::default()).unwrap().picture;
    let pictures = [read(&fox), read(&owl)];
    let same = |figure: &Value, wanted: f64| (figure.as_f64().unwrap() - wanted).abs() < 1e-12;

    // Two pictures, with the settings in their files.
    let told = answer(&["compare", text(&fox), text(&owl), "--json"]);
    assert!(same(&told["picture"]["psnr"], psnr(&pictures[0], &pictures[1]).unwrap()), "{told}");
    assert!(same(&told["picture"]["ssim"], ssim(&pictures[0], &pictures[1]).unwrap()), "{told}");
    assert!(told["latent"].is_null());
    let prompt = serde_json::json!([{ "name": "prompt", "first": "a fox", "second": "an owl" }]);
    assert_eq!(told["settings"], prompt);

    // Two runs have latents, too; a run and the file of its latent are the same.
    let told = kept.run(&["compare", run.as_str(), other.as_str()]);
    let latents = [&run, &other].map(|id| kept.history().final_latent(id).unwrap().unwrap());
    let difference = LatentDifference::of(&latents[0], &latents[1]).unwrap();
    assert!(same(&told["latent"]["relative_l2"], difference.relative_l2.unwrap()), "{told}");
    assert!(same(&told["latent"]["psnr"], difference.psnr.unwrap()), "{told}");
    assert_eq!(told["latent"]["channel_rms"].as_array().unwrap().len(), 4);
    assert_eq!((&told["settings"], told["picture"]["same"].as_bool()), (&prompt, Some(false)));
    let latent = kept.history().folder(&run).join("final.latent");
    let told = kept.run(&["compare", run.as_str(), text(&latent)]);
    assert!(told["latent"]["relative_l2"].as_f64().unwrap() < 1e-6, "{told}");
    assert_eq!(told["not_compared"], serde_json::json!(["one of the two has no picture"]));

    // A step with the end, and a heat map of their latents.
    let heat = kept.file("heat.png");
    let step = format!("{run}:2");
    let told = kept.run(&["compare", &step, "last", "--output", text(&heat)]);
    assert_eq!((&told["first"]["step"], &told["second"]["step"]), (&2.into(), &Value::Null));
    let estimate = &kept.history().moment(&run, Some(2)).unwrap().latent().cloned().unwrap();
    let difference = LatentDifference::of(estimate, &latents[1]).unwrap();
    assert!(same(&told["latent"]["relative_l2"], difference.relative_l2.unwrap()), "{told}");
    let shape = estimate.shape();
    let map = read(&heat);
    assert_eq!((map.width(), map.height()), (shape.width * 8, shape.height * 8));
    assert!((told["heat_scale"].as_f64().unwrap() - f64::from(difference.limit(None))).abs() < 1e-6);
    // Of pictures it has their size.
    let told = answer(&["compare", text(&fox), text(&owl), "--output", text(&heat), "--json"]);
    assert_eq!((read(&heat).width(), told["output"].as_str()), (32, heat.to_str()));

    let printed = safelight(&["compare", text(&fox), text(&owl)]);
    let printed = String::from_utf8(printed.stdout).unwrap();
    for wanted in
        ["picture PSNR: ", " dB", "picture SSIM: 0.", "settings that differ:", "  prompt  a fox  an owl"]
    {
        assert!(printed.contains(wanted), "{wanted}: {printed}");
    }
    let printed = String::from_utf8(safelight(&["compare", text(&fox), text(&fox)]).stdout).unwrap();
    assert!(
        printed.contains("infinite: no value differs") && printed.contains("settings: the same"),
        "{printed}"
    );
}

#[test]
fn what_cannot_be_compared_is_said() {
    let kept = Kept::new();
    let run = kept.generate(&["--steps", "2"]);
    let picture = kept.file("generated.png");
    let small = kept.file("small.png");
    image::RgbImage::new(16, 8).save(&small).unwrap();
    let notes = kept.file("notes.txt");
    std::fs::write(&notes, "nothing of the kind").unwrap();
    let refused = |first: &str, second: &str| kept.refused(&["compare", first, second]);

    let error = refused(text(&small), text(&picture));
    assert!(error.contains("different sizes, 16×8 and 32×32"), "{error}");
    let error = refused(text(&notes), text(&picture));
    assert!(error.contains("neither a picture nor a latent") && error.contains("notes.txt"), "{error}");
    let gone = kept.file("gone.png");
    let error = refused(text(&picture), text(&gone));
    assert!(error.contains("No such file") && error.contains("gone.png"), "{error}");
    let error = refused(&format!("{run}:9"), text(&picture));
    assert!(error.contains("step 9 is not kept: 2 steps of the run are"), "{error}");
    let error = refused(&format!("{run}:x"), text(&picture));
    assert!(error.contains("‘x’ is no step of a run"), "{error}");
    let error = refused("19991231-235959-0a1b2c3d", text(&picture));
    assert!(error.contains("is not kept"), "{error}");
    let error = kept.refused(&["compare", text(&picture), text(&picture), "--output", text(&picture)]);
    assert!(error.contains("is an input"), "{error}");
}

#[test]
fn the_tree_shows_which_run_came_from_which_step() {
    let kept = Kept::new();
    let none = safelight(&["runs", "tree", "--runs", text(&kept.root())]);
    assert!(none.status.success() && error_of(&none).contains("no kept run went on from a step"));
    let root = kept.generate(&["--steps", "5"]);
    let lone = kept.generate(&["--steps", "1", "--prompt", "alone"]);
    let file = kept.file("fork.png");
    let fork = |run: &str, step: &str, prompt: &str| {
        let fork = ["fork", run, "--step", step, "--prompt", prompt, "--keep", "--output", text(&file)];
        id_of(&kept.run(&fork))
    };
    let late = fork(root.as_str(), "3", "late");
    let early = fork(root.as_str(), "1", "early");
    let second = fork(early.as_str(), "2", "second");
    for named in [&root, &second] {
        let told = kept.run(&["runs", "tree", named.as_str()]);
        assert_eq!((id_of(&told), told["forks"].as_array().unwrap().len()), (root.clone(), 2));
        let [first, last] = [&told["forks"][0], &told["forks"][1]];
        assert_eq!(
            (id_of(first), &first["step"], id_of(last), &last["step"]),
            (early.clone(), &1.into(), late.clone(), &3.into())
        );
        assert_eq!(id_of(&first["forks"][0]), second);
    }
    assert_eq!(id_of(&kept.run(&["runs", "tree"])), root, "the lone run is in no tree");
    assert_eq!(id_of(&kept.run(&["runs", "tree", lone.as_str()])), lone);
    let root_path = kept.root();
    let printed = safelight(&["runs", "tree", "--runs", text(&root_path)]);
    let printed = String::from_utf8(printed.stdout).unwrap();
    let expected = format!(
        "{root}  finished  5/5  a fox\n├─ step 1: {early}  finished  5/5  early\n│  └─ step 2: {second}  finished  5/5  \
         second\n└─ step 3: {late}  finished  5/5  late\n"
    );
    assert_eq!(printed, expected);
    // A run that was deleted keeps its place.
    std::fs::remove_dir_all(kept.history().folder(&early)).unwrap();
    let told = kept.run(&["runs", "tree", second.as_str()]);
    assert_eq!((id_of(&told), told["state"].as_str()), (early, Some("deleted")));
    assert!(kept.refused(&["runs", "tree", "19991231-235959-0a1b2c3d"]).contains("is not kept"));
}
