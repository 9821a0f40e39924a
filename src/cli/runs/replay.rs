//! `safelight runs replay`.

use std::time::Instant;

use anyhow::{anyhow, bail};
use serde_json::json;

use super::super::output::{self, Output};
use super::super::run;
use super::model::{self, LoadedModel, RunModelArguments};
use super::named::find;
use crate::engine::{Event, JobId, JobKind, KeepRun};
use crate::latent::{Latent, Trajectory, TrajectoryStep};
use crate::request::{CancelToken, Continuation, FinishedPart};
use crate::store::history::{History, OpenedRun, is_kept_as, step_hash};

/// Draws a run again and compares every step with what is kept.
///
/// # Errors
/// If a step or the final latent is not the same to the bit, or the run cannot be drawn again.
pub(super) fn replay(
    history: &History,
    name: &str,
    arguments: &RunModelArguments,
    as_json: bool,
    output: &mut Output,
) -> anyhow::Result<()> {
    let id = find(history, name)?;
    let mut opened = history.open_run(&id)?;
    model::name_model(&mut opened, arguments)?;
    let kept = Kept { hashes: history.step_hashes(&id)?, opened: &opened };
    let folder = output::text(&history.folder(&id));
    if kept.hashes.is_empty() && opened.latent.is_none() {
        bail!("nothing is kept of this run that it could be compared with: {folder}");
    }
    if kept.hashes.is_empty() && opened.damaged_step().is_none() {
        output.notice("the steps of this run were removed to save space: only its final latent is compared");
    }
    let clock = Instant::now();
    let loaded = model::load(&opened, arguments, output)?;
    // A running or interrupted run does not count its steps.
    let total = kept.hashes.len().max(opened.record.steps_done);
    let mut replayed = take_again(&kept, &loaded, total, output)?;
    let difference =
        replayed.difference.take().or_else(|| damage(&opened)).or_else(|| replayed.final_difference(&opened));
    if as_json {
        output.json(&json!({
            "run": id.as_str(),
            "same": difference.is_none(),
            "steps": replayed.same,
            "steps_kept": kept.hashes.len(),
            "first_different_step": difference.as_ref().and_then(|difference| difference.step),
            "difference": difference.as_ref().map(|difference| &difference.what),
            "final_latent_compared": opened.latent.is_some() && replayed.latent.is_some(),
            "device": loaded.device,
            "secs": clock.elapsed().as_secs_f64(),
        }));
    } else if difference.is_none() {
        let compared = match (kept.hashes.len(), opened.latent.is_some()) {
            (0, _) => "the final latent is".to_owned(),
            (steps, true) => format!("all {steps} steps and the final latent are"),
            (steps, false) => format!("all {steps} steps are"),
        };
        output.line(&format!("{compared} the same to the bit: {folder}"));
    }
    match difference {
        Some(difference) => Err(anyhow!("{}: {folder}", difference.what)),
        None => Ok(()),
    }
}

/// What a step is compared with.
struct Kept<'a> {
    hashes: Vec<String>,
    opened: &'a OpenedRun,
}

/// Where a replay is not what is kept.
struct Difference {
    /// The first step that differs; `None` for the final latent.
    step: Option<usize>,
    /// A sentence without its end.
    what: String,
}

/// The first step of a run whose file is damaged from there on.
fn damage(opened: &OpenedRun) -> Option<Difference> {
    let step = opened.damaged_step()?;
    Some(Difference { step: Some(step), what: format!("what is kept of step {step} is damaged") })
}

/// A run that was drawn again.
struct Replayed {
    /// The steps of the parts that were taken again.
    taken: Trajectory,
    /// Steps that were taken again before the first difference.
    same: usize,
    /// The final latent, model space, if it came so far.
    latent: Option<Latent>,
    difference: Option<Difference>,
}

impl Kept<'_> {
    /// How a step that was taken again differs from what is kept of it.
    fn difference(&self, step: &TrajectoryStep) -> Option<Difference> {
        let number = step.step;
        let (hash, kept) = (self.hashes.get(number - 1)?, self.opened.trajectory.steps.get(number - 1)?);
        let what = if step_hash(step) != *hash {
            let most = kept.denoised.values().iter().zip(step.denoised.values());
            let most = most.map(|(kept, again)| (kept - again).abs()).fold(0.0, f32::max);
            format!(
                "step {number} is the first that is not the same: its hash differs, and its estimate by {most} at most. \
                 Another device, number format, processor or version of the program, and a changed model, give other bits"
            )
        } else if !is_kept_as(step, kept) {
            format!(
                "what is kept of step {number} is damaged: its hash is that of the step, and its values are not"
            )
        } else {
            return None;
        };
        Some(Difference { step: Some(number), what })
    }
}

impl Replayed {
    /// How the final latent differs from the kept one.
    fn final_difference(&self, opened: &OpenedRun) -> Option<Difference> {
        let (again, kept) = (self.latent.as_ref()?, opened.latent.as_ref()?);
        let what = "every step is the same, and the final latent is not: its file was changed".to_owned();
        (!same_bits(again, kept)).then_some(Difference { step: None, what })
    }
}

fn same_bits(a: &Latent, b: &Latent) -> bool {
    a.shape() == b.shape() && a.values().iter().zip(b.values()).all(|(a, b)| a.to_bits() == b.to_bits())
}

/// Takes the first `total` steps of a run again, part by part, until one differs.
fn take_again(
    kept: &Kept<'_>,
    loaded: &LoadedModel,
    total: usize,
    output: &mut Output,
) -> anyhow::Result<Replayed> {
    let parts = kept.opened.parts();
    let mut replayed = Replayed { taken: Trajectory::default(), same: 0, latent: None, difference: None };
    for (index, part) in parts.iter().enumerate() {
        let until = parts.get(index + 1).map_or(total, |next| next.after.min(total));
        if until <= replayed.taken.steps.len() && index > 0 {
            continue;
        }
        let continues = (index > 0).then(|| Continuation {
            parts: parts[..index].to_vec(),
            finished: replayed.taken.clone(),
            retouched: part.retouched.clone(),
            noise_seed: part.noise_seed,
        });
        take_part(&mut replayed, kept, loaded, Job { index, part, continues, until }, output)?;
        if replayed.difference.is_some() {
            break;
        }
    }
    if kept.opened.record.finished_early && replayed.difference.is_none() {
        replayed.latent = replayed.taken.steps.last().map(|step| step.denoised.clone());
    }
    Ok(replayed)
}

/// A part that is drawn again.
struct Job<'a> {
    index: usize,
    part: &'a FinishedPart,
    continues: Option<Continuation>,
    /// The step that the part ends with.
    until: usize,
}

fn take_part(
    replayed: &mut Replayed,
    kept: &Kept<'_>,
    loaded: &LoadedModel,
    Job { index, part, continues, until }: Job<'_>,
    output: &mut Output,
) -> anyhow::Result<()> {
    let request = Box::new(part.request.clone());
    let kind = JobKind::Generate { request, continues: continues.map(Box::new), keep: KeepRun::No };
    let cancel = CancelToken::new();
    let (before, mut seen) = (replayed.taken.steps.len(), replayed.taken.steps.len());
    let (mut sampled, mut difference, mut notices) = (None, None, Vec::new());
    let end =
        run::run_stoppable(&loaded.engine, JobId(index as u64 + 1), kind, &cancel, |event| match event {
            Event::StepFinished { step, .. } => {
                // A step may be left out when this side is slow; what follows is then compared in the end.
                if step.step == seen + 1 && step.step <= until && difference.is_none() {
                    seen += 1;
                    difference = kept.difference(step);
                }
                if difference.is_some() {
                    cancel.stop();
                } else if step.step >= until {
                    cancel.finish();
                }
            }
            Event::Sampled { latent, trajectory, .. } => {
                sampled = Some((latent.clone(), (**trajectory).clone()));
                // The picture follows from the latent.
                cancel.stop();
            }
            Event::Remarks { remarks, .. } => notices.extend(remarks.iter().cloned()),
            _ => {}
        });
    for notice in &notices {
        output.notice(notice);
    }
    if difference.is_some() {
        replayed.same = seen - 1;
        replayed.difference = difference;
        return Ok(());
    }
    let Some((latent, trajectory)) = sampled else {
        end?;
        bail!("stopped");
    };
    let is_whole = trajectory.steps.len() == until;
    replayed.taken = trajectory;
    replayed.taken.steps.truncate(until);
    replayed.difference = replayed.taken.steps[before..].iter().find_map(|step| kept.difference(step));
    let first = replayed.difference.as_ref().and_then(|difference| difference.step);
    replayed.same = first.map_or(replayed.taken.steps.len(), |step| step - 1);
    replayed.latent = is_whole.then_some(latent);
    Ok(())
}
