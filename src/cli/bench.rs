//! `safelight bench`: times every stage of a generation from the engine's events.

use std::time::Instant;

use anyhow::bail;
use serde_json::json;

use super::engine_arguments::EngineArguments;
use super::output::Output;
use super::run;
use crate::catalog::ImageSize;
use crate::engine::{Engine, EngineSettings, Event, JobId, JobKind, KeepRun, Stage};
use crate::models::{Instructions, available_threads};
use crate::request::{DecodeChoice, GenerationDraft, Picture, Seed};

/// Edges of the pictures for timing the VAE alone unless a size is given, pixels: a common size, and one that is tiled.
const VAE_EDGES: [usize; 2] = [512, 1024];

pub(super) fn run(
    arguments: &EngineArguments,
    steps: usize,
    given_size: Option<ImageSize>,
    instructions: Option<&str>,
    as_json: bool,
    output: &mut Output,
) -> anyhow::Result<()> {
    let instructions = instructions_named(instructions)?;
    let settings = EngineSettings { instructions: Some(instructions), ..arguments.settings() };
    let engine = run::start_with(settings)?;
    let (profile, device, load_secs) = run::load(&engine, arguments)?;
    let mut draft = GenerationDraft::new(&profile);
    draft.seed = Seed(0);
    draft.steps = steps;
    draft.size = given_size.unwrap_or(draft.size);
    let size = draft.size;
    // The first run is a warm-up, which includes the preparation of weights; the second is timed.
    let mut stages = Vec::new();
    let mut step_secs: Vec<f64> = Vec::new();
    let mut first_step = 0.0;
    // Two prompts, because some models keep the embedding of the last.
    for (round, prompt) in
        ["a lighthouse at dusk", "snowy mountains over a lake at night"].into_iter().enumerate()
    {
        draft.prompt = prompt.into();
        // In the second round: the first step of the warm-up.
        first_step = step_secs.first().copied().unwrap_or_default();
        stages.clear();
        step_secs.clear();
        let request = Box::new(draft.clone().validate(&profile)?);
        let kind = JobKind::Generate { request, continues: None, keep: KeepRun::No };
        let end = run::run_job(&engine, JobId(round as u64), kind, |event| match event {
            Event::StageChanged { stage, .. } => stages.push((stage.clone(), Instant::now())),
            Event::StepFinished { step, .. } => step_secs.push(step.elapsed_secs),
            _ => {}
        })?;
        if !matches!(end, Event::Decoded { .. }) {
            bail!("the engine answered unexpectedly: {end:?}");
        }
        stages.push((Stage::Decoding, Instant::now()));
    }
    let duration = |wanted: &Stage| {
        let begun = stages.iter().position(|(stage, _)| stage == wanted);
        begun.map_or(0.0, |i| (stages[i + 1].1 - stages[i].1).as_secs_f64())
    };
    let (prompt_secs, decode_secs) = (duration(&Stage::EncodingPrompt), duration(&Stage::Decoding));
    step_secs.sort_by(f64::total_cmp);
    let step = step_secs.get(step_secs.len() / 2).copied().unwrap_or_default();
    let peak_mib = peak_memory_mib();
    let encode_secs = time_vae(&engine, arguments, [size.width, size.height])?.encode.secs;
    let threads = arguments.compute.threads.unwrap_or_else(available_threads);
    let multiple = profile.format.downscale;
    // A given size is what is asked for.
    let edges = if given_size.is_some() { &[][..] } else { &VAE_EDGES };
    let vae = edges
        .iter()
        .map(|edge| time_vae(&engine, arguments, [edge / multiple * multiple; 2]))
        .collect::<anyhow::Result<Vec<_>>>()?;
    if as_json {
        let result = json!({
            "model": profile.name, "device": device, "instructions": instructions.name(), "size": size.to_string(),
            "threads": threads,
            "load_secs": load_secs, "prompt_secs": prompt_secs, "first_step_secs": first_step, "step_secs": step,
            "decode_secs": decode_secs, "encode_secs": encode_secs, "peak_mib": peak_mib,
            "vae": vae.iter().map(VaeTiming::as_json).collect::<Vec<_>>(),
        });
        output.json(&result);
        return Ok(());
    }
    output.line(&format!("{} at {size} on {device}, {threads} threads", profile.name));
    for (name, secs) in [
        ("load", load_secs),
        ("encode prompt", prompt_secs),
        ("one step", step),
        ("decode", decode_secs),
        ("encode picture", encode_secs),
    ] {
        output.line(&format!("  {name:16}{:9.1} ms", secs * 1e3));
    }
    if let Some(peak) = peak_mib {
        output.line(&format!("  {:16}{peak:9} MiB", "peak memory"));
    }
    for both in &vae {
        for (name, Measurement { secs, peak_mib }) in [("encode", &both.encode), ("decode", &both.decode)] {
            let name = format!("{name} {}×{}", both.width, both.height);
            let peak = peak_mib.map(|peak| format!("{peak:9} MiB")).unwrap_or_default();
            output.line(&format!("  {name:16}{:9.1} ms{peak}", secs * 1e3));
        }
    }
    Ok(())
}

/// The instruction set of this name; by default the widest available.
fn instructions_named(name: Option<&str>) -> anyhow::Result<Instructions> {
    let Some(name) = name else { return Ok(Instructions::widest()) };
    let Some(instructions) = Instructions::named(name) else {
        let names: Vec<_> = Instructions::available().iter().map(|known| known.name()).collect();
        bail!("this processor has no instruction set {name:?}: choose from {}", names.join(", "));
    };
    Ok(instructions)
}

/// Time and peak memory of a stage.
struct Measurement {
    secs: f64,
    /// Peak memory of the process during the stage, MiB, on systems that report it.
    peak_mib: Option<u64>,
}

/// Measurements of encoding and decoding one picture size.
struct VaeTiming {
    width: usize,
    height: usize,
    encode: Measurement,
    decode: Measurement,
}

impl VaeTiming {
    fn as_json(&self) -> serde_json::Value {
        json!({
            "width": self.width, "height": self.height,
            "encode_secs": self.encode.secs, "encode_peak_mib": self.encode.peak_mib,
            "decode_secs": self.decode.secs, "decode_peak_mib": self.decode.peak_mib,
        })
    }
}

/// Measures encoding a grey picture and decoding its latent.
fn time_vae(
    engine: &Engine,
    arguments: &EngineArguments,
    [width, height]: [usize; 2],
) -> anyhow::Result<VaeTiming> {
    let (job, model) = (JobId(2), arguments.source()?);
    let picture = Picture::new(width, height, vec![128; width * height * 3])?;
    reset_peak_memory();
    let end = run::run_job(engine, job, JobKind::Encode { model: model.clone(), picture }, |_| {})?;
    let Event::Encoded { elapsed_secs, mean, .. } = end else {
        bail!("the picture could not be encoded");
    };
    let encode = Measurement { secs: elapsed_secs, peak_mib: peak_memory_mib() };
    reset_peak_memory();
    let kind = JobKind::Decode { model, latent: mean, how: DecodeChoice::default() };
    let end = run::run_job(engine, job, kind, |_| {})?;
    let Event::Decoded { elapsed_secs, .. } = end else {
        bail!("the latent could not be decoded");
    };
    let decode = Measurement { secs: elapsed_secs, peak_mib: peak_memory_mib() };
    Ok(VaeTiming { width, height, encode, decode })
}

/// Resets the peak of [`peak_memory_mib`] on Linux (proc_pid_clear_refs(5)).
fn reset_peak_memory() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Peak memory of this process, MiB; `None` on systems without `/proc`.
fn peak_memory_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
}
