//! What keeping costs: time of the caller, and bytes.

use std::time::Instant;

use super::*;

/// Bytes of all files of a run.
fn bytes(history: &History, id: &RunId) -> u64 {
    let entries = std::fs::read_dir(history.folder(id)).unwrap();
    entries.map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn a_step_costs_the_caller_far_less_than_a_step_of_the_smallest_model() {
    for (name, shape) in
        [("64×64×4", LatentShape::new(4, 64, 64)), ("128×128×16", LatentShape::new(16, 128, 128))]
    {
        let root = tempfile::tempdir().unwrap();
        let history = History::open(root.path().to_owned());
        let start = Instant::now();
        let writer = history.begin(new_run("x")).unwrap();
        let begin = start.elapsed().as_secs_f64();
        let once = latent(shape, 3);
        let mut times: Vec<f64> = (1..=20)
            .map(|step| {
                let (noisy, denoised, outputs) =
                    (latent(shape, step as u64), once.clone(), vec![once.clone()]);
                let step = TrajectoryStep {
                    step,
                    steps: 20,
                    sigma: 1.0,
                    noisy,
                    denoised,
                    outputs,
                    elapsed_secs: 0.1,
                };
                let step = Arc::new(step);
                let start = Instant::now();
                writer.step(step);
                start.elapsed().as_secs_f64()
            })
            .collect();
        writer.flush();
        writer.sampled(&once, false, 1.0);
        writer.ended(RunStatus::Finished, 1.0);
        writer.flush();
        assert!(writer.fault().is_none());
        times.sort_by(f64::total_cmp);
        eprintln!(
            "{name}: begin {:.3} ms, step {:.4} ms (median; most {:.4}), {} bytes in 20 steps without the picture",
            begin * 1e3,
            times[10] * 1e3,
            times[19] * 1e3,
            bytes(&history, writer.id())
        );
        assert!(times[10] < 0.1e-3, "{times:?}");
        let steps = std::fs::metadata(history.folder(writer.id()).join("steps.bin")).unwrap().len() as usize;
        // The output in f32 and the noisy latent in f16, and less than a kilobyte.
        assert!(steps > 20 * shape.len() * 6 && steps < 20 * (shape.len() * 6 + 1024), "{steps}");
    }
}
