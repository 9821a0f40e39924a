//! The model of a kept run, loaded again.

use anyhow::bail;
use clap::Args;

use super::super::engine_arguments::ComputeArguments;
use super::super::output::{self, Output};
use super::super::{library, run};
use crate::catalog::ModelProfile;
use crate::engine::Engine;
use crate::store::history::OpenedRun;

#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct RunModelArguments {
    /// Use this model instead of the run's, whose files may have been moved: `builtin`, a path, or a name in the library.
    #[arg(long, value_name = "builtin|PATH|NAME")]
    model: Option<String>,
    #[command(flatten)]
    compute: ComputeArguments,
}

/// An engine with the model of a run.
pub(super) struct LoadedModel {
    pub(super) engine: Engine,
    pub(super) profile: ModelProfile,
    pub(super) device: String,
    pub(super) load_secs: f64,
}

/// Puts the model that the arguments name into the record of a run.
///
/// # Errors
/// If the library does not have it.
pub(super) fn name_model(run: &mut OpenedRun, arguments: &RunModelArguments) -> anyhow::Result<()> {
    if let Some(named) = &arguments.model {
        run.record.model = library::model(named)?.absolute();
    }
    Ok(())
}

/// Loads the model of a run.
///
/// # Errors
/// If the model's files are missing, or the model belongs to another family than the run's.
pub(super) fn load(
    run: &OpenedRun,
    arguments: &RunModelArguments,
    output: &mut Output,
) -> anyhow::Result<LoadedModel> {
    let record = &run.record;
    if let Some(path) = record.model.path().filter(|path| !path.exists()) {
        bail!(
            "the model of this run, ‘{}’, is not where it was; say with --model where it is now: {}",
            record.model_name,
            output::text(path)
        );
    }
    let engine = run::start_with(arguments.compute.settings())?;
    let (profile, device, load_secs) = run::load_source(&engine, record.model.clone())?;
    let place = record.model.path().map_or_else(|| "the built-in one".to_owned(), output::text);
    if profile.format != record.format || profile.family != record.family {
        bail!(
            "the run was drawn by a model of another family, ‘{}’ ({}); name that one with --model: {place}",
            record.model_name,
            record.family
        );
    }
    if !record.vae_hash.is_empty() && record.vae_hash != profile.vae_hash {
        output.notice(&format!(
            "the model has changed since the run was drawn (its VAE is another one), so that its steps and pictures may \
             differ: {place}"
        ));
    }
    profile.remarks.iter().for_each(|remark| output.notice(remark));
    Ok(LoadedModel { engine, profile, device, load_secs })
}
