//! The files and the drawing of a command that makes one picture of a kept run.

use std::path::PathBuf;

use clap::Args;

use super::super::drawing::{Drawing, Drawn, Paths};
use super::super::output::Output;
use super::super::outputs::Files;
use super::model::LoadedModel;
use crate::catalog::ModelSource;
use crate::engine::JobId;
use crate::store::history::History;

#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct OnePictureArguments {
    /// Save the final latent too, in ComfyUI's format.
    #[arg(long, value_name = "FILE.latent")]
    save_latent: Option<PathBuf>,
    /// Do not embed the settings in the picture.
    #[arg(long)]
    no_metadata: bool,
    /// Print JSON on standard output.
    #[arg(long)]
    json: bool,
    /// The picture to write: .png, .jpg or .webp.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

impl OnePictureArguments {
    /// The files that are written.
    ///
    /// # Errors
    /// If one cannot be written, or is one of the model's.
    pub(super) fn paths(&self, model: &ModelSource) -> anyhow::Result<Paths> {
        let mut files = Files::of_model(model);
        let picture = files.picture(&self.output, 0, 1)?;
        let latent = self.save_latent.as_deref().map(|path| files.latent(path, 0, 1)).transpose()?;
        files.check()?;
        Ok(Paths { picture, latent })
    }

    /// Draws the picture and writes it. What fails of it is reported as a failure.
    ///
    /// # Errors
    /// If the engine does not answer.
    pub(super) fn draw(
        &self,
        loaded: LoadedModel,
        drawn: Drawn,
        paths: &Paths,
        history: Option<History>,
        output: &mut Output,
    ) -> anyhow::Result<()> {
        let of_model = (loaded.profile, loaded.device, loaded.load_secs);
        let drawing = Drawing::new(loaded.engine, of_model, !self.no_metadata, self.json, history)?;
        for error in drawing.draw(JobId(1), drawn, paths, output) {
            output.failure(&error);
        }
        Ok(())
    }
}
