//! Kept runs without a window: `generate --keep` and `runs`.

use std::path::Path;

use safelight::catalog::SamplerKind;
use serde_json::Value;

use crate::common::program::{safelight, text};
use crate::kept_runs::{Kept, answer, id_of, pixels};
use crate::small_model::{SMALL, error_of};

#[test]
fn a_run_is_kept_where_it_is_asked_for_and_listed_shown_and_exported() {
    let kept = Kept::new();
    let plain = kept.file("plain.png");
    let told = answer(&[
        "generate",
        "--model",
        SMALL,
        "--prompt",
        "",
        "--steps",
        "1",
        "--output",
        text(&plain),
        "--json",
    ]);
    assert!(told["run"].is_null() && !kept.root().exists(), "nothing is kept without being asked");

    let first = kept.generate(&["--steps", "4", "--sampler", "dpmpp-2m"]);
    let picture = pixels(&kept.file("generated.png"));
    let second = kept.generate(&["--steps", "2", "--prompt", "green hills", "--seed", "77"]);
    let root = kept.root();
    let list = |more: &[&str]| -> Vec<Value> {
        let output = safelight(&[&["runs", "list", "--json", "--runs", text(&root)], more].concat());
        assert!(output.status.success(), "{}", error_of(&output));
        let lines = String::from_utf8(output.stdout).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let ids = |runs: &[Value]| runs.iter().map(id_of).collect::<Vec<_>>();
    assert_eq!(ids(&list(&[])), [second.clone(), first.clone()]);
    assert_eq!(ids(&list(&["--limit", "1"])), std::slice::from_ref(&second));
    assert_eq!(ids(&list(&["--search", "FOX a"])), std::slice::from_ref(&first));
    assert_eq!(ids(&list(&["--search", "77 hills"])), std::slice::from_ref(&second));
    assert_eq!(list(&["--search", "nothing"]).len(), 0);
    let run = &list(&["--search", "fox"])[0];
    assert_eq!(
        (&run["state"], &run["steps_kept"], &run["width"]),
        (&"finished".into(), &4.into(), &32.into())
    );

    let shown = kept.run(&["runs", "show", first.as_str()]);
    let hashes: Vec<&str> =
        shown["steps"].as_array().unwrap().iter().map(|step| step["hash"].as_str().unwrap()).collect();
    assert_eq!(hashes, kept.hashes(&first));
    let sigmas: Vec<f64> =
        shown["steps"].as_array().unwrap().iter().map(|step| step["sigma"].as_f64().unwrap()).collect();
    assert!(sigmas.is_sorted_by(|a, b| a > b), "{sigmas:?}");
    assert_eq!(shown["parts"][0]["settings"]["prompt"], "a fox");
    assert_eq!(shown["parts"][0]["settings"]["sampler"], SamplerKind::Dpmpp2m.name());
    assert!(shown["damaged_step"].is_null());
    let printed = safelight(&["runs", "show", first.as_str(), "--runs", text(&root)]);
    let printed = String::from_utf8(printed.stdout).unwrap();
    for wanted in ["prompt: a fox", "steps: 4 of 4 taken, 4 kept", hashes[3], "final.safetensors"] {
        assert!(printed.contains(wanted), "{wanted}: {printed}");
    }

    let (file, latent) = (kept.file("e.png"), kept.file("e.latent"));
    let both = ["--output", text(&file), "--latent", text(&latent)];
    kept.run(&[&["runs", "export", first.as_str()], &both[..]].concat());
    assert_eq!(pixels(&file), picture);
    let read = safelight::formats::latent_file::read_latent(&latent).unwrap();
    let format = kept.history().read(&first).unwrap().format;
    assert_eq!(read.latent, format.vae_from_model(&kept.history().final_latent(&first).unwrap().unwrap()));
    // The estimate of a step, which is decoded as the file of its latent is.
    kept.run(&[&["runs", "export", first.as_str(), "--step", "2"], &both[..]].concat());
    let read = safelight::formats::latent_file::read_latent(&latent).unwrap();
    let estimate = &kept.history().steps(&first).unwrap()[1].step.denoised;
    assert_eq!((read.facts.step, read.latent), (Some(2), format.vae_from_model(estimate)));
    let again = kept.file("again.png");
    assert!(
        safelight(&["decode", text(&latent), "--model", SMALL, "--output", text(&again)]).status.success()
    );
    assert_eq!(pixels(&file), pixels(&again));
    assert_ne!(pixels(&file), picture);
}

#[test]
fn a_run_is_named_by_the_beginning_of_its_id_or_as_the_last() {
    let kept = Kept::new();
    assert!(kept.refused(&["runs", "show", "last"]).contains("no run is kept in this folder"));
    let first = kept.generate(&["--steps", "1"]);
    assert_eq!(id_of(&kept.run(&["runs", "show", &first.as_str()[..17]])), first);
    let second = kept.generate(&["--steps", "1"]);
    assert_eq!(id_of(&kept.run(&["runs", "show", "last"])), second);
    let error = kept.refused(&["runs", "show", &first.as_str()[..6]]);
    assert!(error.contains("the ids of 2 runs begin with") && error.contains(second.as_str()), "{error}");
    let error = kept.refused(&["runs", "show", "1999"]);
    assert!(error.contains("no kept run has an id that begins with ‘1999’"), "{error}");
    let error = kept.refused(&["runs", "replay", "19991231-235959-0a1b2c3d"]);
    assert!(error.contains("the run 19991231-235959-0a1b2c3d is not kept"), "{error}");
}

#[test]
fn a_replay_names_the_first_step_that_is_not_what_was_kept() {
    let kept = Kept::new();
    let picture = kept.file("source.png");
    image::RgbImage::from_fn(48, 40, |x, y| image::Rgb([x as u8 * 5, y as u8 * 6, 90]))
        .save(&picture)
        .unwrap();
    let run = kept.generate(&[
        "--steps",
        "5",
        "--sampler",
        "dpmpp-2m",
        "--init-image",
        text(&picture),
        "--strength",
        "0.9",
    ]);
    let total = kept.hashes(&run).len();
    let told = kept.run(&["runs", "replay", run.as_str()]);
    assert_eq!((&told["same"], &told["steps"]), (&true.into(), &total.into()), "{told}");

    let path = kept.history().folder(&run).join("steps.bin");
    let whole = std::fs::read(&path).unwrap();
    let starts = starts_of_steps(&whole);
    // The first byte and the last of the third step's values, under a check that fits: the disk is whole, the step is
    // not.
    let (start, end) = (starts[2] + 16, starts[3]);
    let header = u64::from_le_bytes(whole[start..start + 8].try_into().unwrap()) as usize;
    for at in [start + 8 + header, end - 1] {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        write_with_check(&path, &mut changed, starts[2], end);
        let error = kept.refused(&["runs", "replay", run.as_str()]);
        assert!(error.contains("what is kept of step 3 is damaged: its hash is that"), "{error}");
    }
    // A byte that the disk changed.
    let mut damaged = whole.clone();
    damaged[starts[3] + 500] ^= 1;
    std::fs::write(&path, &damaged).unwrap();
    let error = kept.refused(&["runs", "replay", run.as_str()]);
    assert!(error.contains("what is kept of step 4 is damaged"), "{error}");
    let file = kept.file("f.png");
    let error = kept.refused(&["fork", run.as_str(), "--step", "4", "--output", text(&file)]);
    assert!(error.contains("its step 4 is damaged") && error.contains(text(&path)), "{error}");
    // The hash of another run.
    std::fs::write(&path, &whole).unwrap();
    let hash = kept.hashes(&run)[1].clone();
    let at = whole.windows(hash.len()).position(|bytes| bytes == hash.as_bytes()).unwrap();
    let mut other = whole.clone();
    other[at] = if other[at] == b'0' { b'1' } else { b'0' };
    write_with_check(&path, &mut other, starts[1], starts[2]);
    let root = kept.root();
    let output = safelight(&["runs", "replay", run.as_str(), "--runs", text(&root), "--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &told["first_different_step"]), (Some(1), &2.into()), "{told}");
    assert!(error_of(&output).contains("step 2 is the first that is not the same"));
}

/// Writes a file of steps, one of which was changed, with the check that fits it.
fn write_with_check(path: &Path, bytes: &mut [u8], start: usize, end: usize) {
    let check = blake3::hash(&bytes[start + 16..end]);
    bytes[start + 8..start + 16].copy_from_slice(&check.as_bytes()[..8]);
    std::fs::write(path, bytes).unwrap();
}

/// Where the steps of a file begin, and its end.
fn starts_of_steps(bytes: &[u8]) -> Vec<usize> {
    let mut starts = vec![b"safelight steps 1\n".len()];
    while let Some(len) = bytes.get(starts[starts.len() - 1]..).filter(|rest| rest.len() >= 8) {
        let len = u64::from_le_bytes(len[..8].try_into().unwrap());
        starts.push(starts[starts.len() - 1] + 16 + len as usize);
    }
    starts
}

#[test]
fn what_stands_in_the_way_of_a_kept_run_is_said() {
    let kept = Kept::new();
    let file = kept.file("o.png");
    let run = kept.generate(&["--steps", "3"]);
    let go_on = ["runs", "go-on", run.as_str(), "--output", text(&file)];
    assert!(kept.refused(&go_on).contains("the run has come to its end"));
    let folder = kept.history().folder(&run);
    let record = std::fs::read_to_string(folder.join("run.json")).unwrap();
    let change = |from: &str, to: &str| {
        assert!(record.contains(from), "{record}");
        std::fs::write(folder.join("run.json"), record.replacen(from, to, 1)).unwrap();
    };
    change("\"format\": 1", "\"format\": 7");
    assert!(kept.refused(&["runs", "show", run.as_str()]).contains("a newer version of this program"));
    let root = kept.root();
    let listed = safelight(&["runs", "list", "--runs", text(&root)]);
    assert!(listed.status.success() && error_of(&listed).contains("a newer version of this program"));
    change("\"parts\"", "\"pieces\"");
    assert!(kept.refused(&["runs", "replay", run.as_str()]).contains("the kept run cannot be used"));
    change(SMALL, "/nowhere/model");
    let error = kept.refused(&["runs", "replay", run.as_str()]);
    assert!(error.contains("is not where it was") && error.contains("/nowhere/model"), "{error}");
    // It is found again where it is said to be.
    let told = kept.run(&["runs", "replay", run.as_str(), "--model", SMALL]);
    assert_eq!(told["same"], true);
    let vae = kept.history().read(&run).unwrap().vae_hash;
    change(&vae, "00");
    let output = safelight(&["runs", "replay", run.as_str(), "--runs", text(&root)]);
    assert!(output.status.success() && error_of(&output).contains("the model has changed since"));
    change(SMALL, concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/flux"));
    assert!(kept.refused(&["runs", "replay", run.as_str()]).contains("a model of another family"));
    std::fs::write(folder.join("run.json"), &record).unwrap();

    // Steps that were removed to save space.
    kept.history().thin(0).unwrap();
    let fork = ["fork", run.as_str(), "--step", "1", "--output", text(&file)];
    assert!(kept.refused(&fork).contains("were removed to save space"));
    let output = safelight(&["runs", "replay", run.as_str(), "--runs", text(&root)]);
    assert!(output.status.success() && error_of(&output).contains("only its final latent is compared"));
    std::fs::remove_file(folder.join("final.safetensors")).unwrap();
    assert!(kept.refused(&["runs", "replay", run.as_str()]).contains("nothing is kept of this run"));
    assert!(!file.exists());
}

#[test]
fn interrupted_runs_go_on_as_themselves_and_stopped_ones_as_new_ones() {
    let kept = Kept::new();
    let run = kept.generate(&["--steps", "6", "--sampler", "dpmpp-2m"]);
    let (picture, bits) = (pixels(&kept.file("generated.png")), kept.final_bits(&run));
    let folder = kept.history().folder(&run);
    let record = std::fs::read_to_string(folder.join("run.json")).unwrap();
    let steps = std::fs::read(folder.join("steps.bin")).unwrap();
    let file = kept.file("again.png");
    let go_on = |from: &[u8], status: &str, has_final: bool| {
        std::fs::write(folder.join("steps.bin"), from).unwrap();
        let changed = record.replacen("\"status\": \"finished\"", &format!("\"status\": \"{status}\""), 1);
        assert_ne!(changed, record);
        let counts = [
            ("steps_done", starts_of_steps(from).len() - 1),
            ("steps_kept", starts_of_steps(from).len() - 1),
        ];
        let changed = counts.iter().fold(changed, |text, (key, count)| {
            text.replacen(&format!("\"{key}\": 6"), &format!("\"{key}\": {count}"), 1)
        });
        std::fs::write(folder.join("run.json"), changed).unwrap();
        for name in
            ["picture.png", "thumbnail.png"].into_iter().chain((!has_final).then_some("final.safetensors"))
        {
            let _ = std::fs::remove_file(folder.join(name));
        }
        let told = kept.run(&["runs", "go-on", run.as_str(), "--output", text(&file)]);
        let goes_on = id_of(&told);
        assert!(pixels(&file) == picture && kept.final_bits(&goes_on) == bits, "{status}");
        assert_eq!(kept.run(&["runs", "show", goes_on.as_str()])["state"], "finished");
        goes_on
    };
    let starts = starts_of_steps(&steps);
    // Killed while it wrote its fourth step, and while it was decoded.
    assert_eq!(go_on(&steps[..starts[3] + 100], "running", false), run);
    assert_eq!(go_on(&steps, "sampled", true), run);
    let stopped = go_on(&steps[..starts[2]], "stopped", false);
    assert_ne!(stopped, run);
    let record = kept.history().read(&stopped).unwrap();
    assert_eq!(
        (record.parts.len(), record.origin.map(|origin| (origin.run, origin.step))),
        (1, Some((run, 2)))
    );
}

#[cfg(target_os = "linux")]
#[test]
fn deleted_runs_are_in_the_trash() {
    let kept = Kept::new();
    let runs = [kept.generate(&["--steps", "1"]), kept.generate(&["--steps", "1"])];
    let root = kept.root();
    let data = kept.file("data");
    std::fs::create_dir(&data).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_safelight"))
        .args(["runs", "delete", runs[0].as_str(), runs[1].as_str(), "--runs", text(&root)])
        .env("XDG_DATA_HOME", &data)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", error_of(&output));
    let trashed = data.join("Trash").join("files");
    for run in &runs {
        assert!(!kept.history().folder(run).exists() && trashed.join(run.as_str()).join("run.json").exists());
    }
    assert!(kept.refused(&["runs", "delete", runs[0].as_str()]).contains("is not kept"));
}
