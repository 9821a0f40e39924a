//! `safelight fork`.

use anyhow::bail;
use clap::Args;

use super::super::drawing::Drawn;
use super::super::numbers;
use super::super::output::{self, Output};
use super::super::sampling_arguments::SamplingArguments;
use super::model::{self, RunModelArguments};
use super::named::{RunsFolder, check_step, find};
use super::one_picture::OnePictureArguments;
use crate::catalog::ModelProfile;
use crate::engine::KeepRun;
use crate::request::{DraftError, GenerationDraft, GenerationRequest, Seed};
use crate::store::history::RunOrigin;

#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct ForkArguments {
    /// The run: its id, the beginning of its id, or ‘last’.
    run: String,
    /// The step to go on from: it and those before it are the run's.
    #[arg(long, value_name = "K", allow_hyphen_values = true, value_parser = numbers::positive)]
    step: usize,
    /// What to draw from there on [default: what the run draws].
    #[arg(long, allow_hyphen_values = true)]
    prompt: Option<String>,
    /// What to avoid from there on [default: what the run avoids].
    #[arg(long, allow_hyphen_values = true)]
    negative_prompt: Option<String>,
    #[command(flatten)]
    sampling: SamplingArguments,
    /// The seed of the noise that samplers add from there on, -1 for a random one [default: the run's noise goes on].
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    noise_seed: Option<Seed>,
    /// Keep the fork in the history, with every step.
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    folder: RunsFolder,
    #[command(flatten)]
    model: RunModelArguments,
    #[command(flatten)]
    picture: OnePictureArguments,
}

/// Goes on from a step of a run. What is not given stays as it was at that step.
pub(in crate::cli) fn run(arguments: &ForkArguments, output: &mut Output) -> anyhow::Result<()> {
    let history = arguments.folder.history()?;
    let (id, step) = (find(&history, &arguments.run)?, arguments.step);
    let mut opened = history.open_run(&id)?;
    check_step(&history, &opened, step)?;
    if opened.trajectory.steps[step - 1].steps <= step {
        bail!(
            "step {step} is the last of the run, and nothing goes on from it; name an earlier one: {}",
            output::text(&history.folder(&id))
        );
    }
    model::name_model(&mut opened, &arguments.model)?;
    let paths = arguments.picture.paths(&opened.record.model)?;

    let loaded = model::load(&opened, &arguments.model, output)?;
    let (mut continues, as_before) = opened.continuation_from(step);
    let request = arguments.request(&as_before, &loaded.profile)?;
    if arguments.noise_seed.is_some() && !adds_noise(&request) {
        output.notice("this sampler adds no noise after the beginning, so that --noise-seed changes nothing");
    }
    continues.noise_seed = arguments.noise_seed.or(continues.noise_seed);
    let (keep, history) = if arguments.keep {
        (KeepRun::Fork(RunOrigin { run: id, step }), Some(history))
    } else {
        (KeepRun::No, None)
    };
    let drawn = Drawn { request, continues: Some(continues), keep };
    arguments.picture.draw(loaded, drawn, &paths, history, output)
}

/// Whether a run draws noise after its beginning.
fn adds_noise(request: &GenerationRequest) -> bool {
    request.sampler.is_stochastic() || request.options.eta.is_some_and(|eta| eta > 0.0)
}

impl ForkArguments {
    /// The settings that take over. Options of the run that another sampler does not have are left out, and given ones
    /// that it does not have are refused.
    fn request(
        &self,
        as_before: &GenerationRequest,
        profile: &ModelProfile,
    ) -> Result<GenerationRequest, DraftError> {
        let mut draft = GenerationDraft::clone(as_before);
        draft.sampler = self.sampling.sampler().unwrap_or(draft.sampler);
        let mut draft = draft.for_run(profile);
        if let Some(prompt) = &self.prompt {
            draft.prompt.clone_from(prompt);
        }
        if let Some(negative) = &self.negative_prompt {
            draft.negative_prompt.clone_from(negative);
        }
        self.sampling.apply_to(&mut draft);
        draft.validate(profile)
    }
}
