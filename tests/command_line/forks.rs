//! `safelight fork`: going on from a step of a kept run.

use safelight::catalog::SamplerKind;
use safelight::store::history::RunId;

use crate::common::program::text;
use crate::kept_runs::{Kept, id_of, pixels};

#[test]
fn a_fork_without_a_change_ends_in_the_same_bits_with_every_sampler() {
    let kept = Kept::new();
    let forks = |samplers: &[SamplerKind]| {
        for sampler in samplers {
            let run = kept.generate_as(sampler.id(), &["--steps", "6", "--sampler", sampler.id()]);
            let file = kept.file(&format!("{}-fork.png", sampler.id()));
            let fork = kept.run(&["fork", run.as_str(), "--step", "3", "--keep", "--output", text(&file)]);
            let fork = id_of(&fork);
            assert!(kept.final_bits(&fork) == kept.final_bits(&run), "{}", sampler.id());
            assert_eq!(kept.hashes(&fork), kept.hashes(&run), "{}", sampler.id());
            assert_eq!(pixels(&file), pixels(&kept.file(&format!("{}.png", sampler.id()))));
            let origin = kept.history().read(&fork).unwrap().origin.unwrap();
            assert_eq!((origin.run, origin.step), (run, 3));
        }
    };
    let (first, second) = SamplerKind::ALL.split_at(SamplerKind::ALL.len() / 2);
    std::thread::scope(|scope| {
        scope.spawn(|| forks(first));
        forks(second);
    });
}

#[test]
fn a_fork_takes_other_settings_from_its_step_on_and_is_replayed_part_by_part() {
    let kept = Kept::new();
    let run = kept.generate(&["--steps", "6", "--sampler", SamplerKind::EulerAncestral.id()]);
    let file = kept.file("fork.png");
    let fork = |run: &RunId, step: &str, options: &[&str]| {
        let fork = ["fork", run.as_str(), "--step", step, "--keep", "--output", text(&file)];
        id_of(&kept.run(&[&fork[..], options].concat()))
    };
    let shared = |a: &RunId, b: &RunId| {
        let (a, b) = (kept.hashes(a), kept.hashes(b));
        a.iter().zip(&b).take_while(|(a, b)| a == b).count()
    };
    let words = fork(&run, "2", &["--prompt", "a blue sphere", "--guidance-scale", "3"]);
    let noise = fork(&run, "2", &["--noise-seed", "99"]);
    let sampler = fork(&words, "4", &["--sampler", "dpmpp-2m", "--steps", "9", "--negative-prompt", "fog"]);
    // Noise is drawn at the end of a step: the third is the last that begins alike.
    assert_eq!((shared(&run, &words), shared(&words, &sampler)), (2, 4));
    assert!((2..=3).contains(&shared(&run, &noise)));
    let record = kept.history().read(&sampler).unwrap();
    assert_eq!(record.parts.iter().map(|part| part.after).collect::<Vec<_>>(), [0, 2, 4]);
    assert_eq!(record.facts().prompt.as_deref(), Some("a blue sphere"));
    assert_eq!(record.facts().negative_prompt.as_deref(), Some("fog"));
    assert_eq!(safelight::formats::metadata::read_facts(&file).unwrap().steps, Some(9));
    for run in [&run, &words, &noise, &sampler] {
        let told = kept.run(&["runs", "replay", run.as_str()]);
        let steps = kept.hashes(run).len();
        assert_eq!((&told["same"], &told["steps"]), (&true.into(), &steps.into()), "{told}");
        assert_eq!(told["final_latent_compared"], true);
    }
    // Without a change from the very step where a part begins, and from one in it.
    for step in ["2", "3"] {
        let again = fork(&words, step, &[]);
        assert!(kept.final_bits(&again) == kept.final_bits(&words), "{step}");
    }
    let again = fork(&noise, "2", &[]);
    assert!(kept.final_bits(&again) == kept.final_bits(&noise));

    let fork = |step, options: &[&str]| {
        kept.refused(&[&["fork", run.as_str(), "--step", step, "--output", text(&file)], options].concat())
    };
    assert!(fork("6", &[]).contains("step 6 is the last of the run"));
    assert!(fork("7", &[]).contains("the run has 6 steps, and no step 7"));
    assert!(fork("2", &["--sampler", "dpmpp-2m", "--eta", "1"]).contains("eta"));
}
