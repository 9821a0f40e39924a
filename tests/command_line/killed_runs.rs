//! Runs whose process is killed go on to the bits of runs whose process is not.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use safelight::catalog::SamplerKind;
use safelight::store::history::{RunId, RunStatus};

use crate::common::program::{safelight, text};
use crate::kept_runs::Kept;
use crate::small_model::error_of;

/// Processes that are killed.
const KILLS: usize = 100;
/// Of which this many run at a time.
const AT_ONCE: usize = 2;

/// Samplers of one evaluation and of two, multistep ones, and ones with noise.
const SAMPLERS: [SamplerKind; 5] = [
    SamplerKind::EulerAncestral,
    SamplerKind::Heun,
    SamplerKind::Dpmpp2m,
    SamplerKind::Dpmpp3mSde,
    SamplerKind::UniPc,
];

/// Options of a run of the built-in model.
fn options(sampler: SamplerKind) -> Vec<&'static str> {
    let mut options = vec!["--model", "builtin", "--width", "64", "--height", "64", "--threads", "1"];
    options.extend(["--steps", "20", "--guidance-scale", "1", "--sampler", sampler.id()]);
    options
}

/// Where the sampler of a run is in the list.
fn sampler_of(kept: &Kept, run: &RunId) -> usize {
    let sampler = kept.history().read(run).unwrap().facts().sampler_kind();
    SAMPLERS.iter().position(|kind| Some(*kind) == sampler).unwrap()
}

/// Starts a run, and kills it after a part of the time that a whole one takes.
fn kill_after(kept: &Kept, number: usize, time: Duration) {
    let (root, picture) = (kept.root(), kept.file(&format!("{number}.png")));
    let mut child = Command::new(env!("CARGO_BIN_EXE_safelight"))
        .args([
            "generate",
            "--prompt",
            "a fox",
            "--seed",
            "3",
            "--keep-in",
            text(&root),
            "--output",
            text(&picture),
        ])
        .args(options(SAMPLERS[number % SAMPLERS.len()]))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(time);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn runs_that_are_killed_at_a_hundred_moments_go_on_to_the_same_bits() {
    let whole = Kept::new();
    let clock = Instant::now();
    let references = SAMPLERS.map(|sampler| whole.generate(&options(sampler)));
    let usual = clock.elapsed() / SAMPLERS.len() as u32;
    let history = whole.history();
    let finals = references.each_ref().map(|run| whole.final_bits(run));
    let hashes = references.each_ref().map(|run| history.step_hashes(run).unwrap());

    let kept = Kept::new();
    let next = AtomicUsize::new(0);
    let in_turns = |work: &(dyn Fn(usize) + Sync), count: usize| {
        next.store(0, Ordering::Relaxed);
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| {
                    while let Some(number) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|n| *n < count)
                    {
                        work(number);
                    }
                });
            }
        });
    };
    // Moments all over the run, in an order without a pattern.
    in_turns(&|number| kill_after(&kept, number, usual * (number as u32 * 37 % 100) / 100), KILLS);

    let root = kept.root();
    let listed = safelight(&["runs", "list", "--runs", text(&root)]);
    assert!(listed.status.success() && error_of(&listed).is_empty(), "{}", error_of(&listed));
    let history = kept.history();
    let list = history.runs().unwrap();
    assert!(list.unreadable.is_empty(), "{:?}", list.unreadable);
    let mut middle = 0;
    let mut unfinished = Vec::new();
    for run in list.runs {
        let steps = history.step_hashes(&run.id).unwrap();
        assert!(hashes[sampler_of(&kept, &run.id)].starts_with(&steps), "{}", run.id);
        middle += usize::from((1..20).contains(&steps.len()));
        if run.status != RunStatus::Finished {
            unfinished.push(run.id);
        }
    }
    assert!(middle >= KILLS / 10, "only {middle} were killed between two steps");
    in_turns(
        &|number| {
            let (run, file) = (&unfinished[number], kept.file(&format!("again-{number}.png")));
            let told = kept.run(&["runs", "go-on", run.as_str(), "--threads", "1", "--output", text(&file)]);
            assert_eq!(told["run"], run.as_str(), "it goes on in its own folder");
        },
        unfinished.len(),
    );
    for run in &unfinished {
        let sampler = sampler_of(&kept, run);
        assert!(kept.final_bits(run) == finals[sampler], "{:?}", SAMPLERS[sampler]);
        assert_eq!(history.step_hashes(run).unwrap(), hashes[sampler]);
        let record = history.read(run).unwrap();
        assert_eq!((record.status, record.steps_kept), (RunStatus::Finished, hashes[sampler].len()));
    }
    eprintln!("{} of {KILLS} killed runs went on, {middle} of them between two steps", unfinished.len());
}
