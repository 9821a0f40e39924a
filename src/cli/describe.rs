//! `safelight describe`.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use serde_json::json;

use super::output::{self, Output};
use super::picture_models::PictureModel;
use crate::formats::picture::{ReadOptions, read_picture};
use crate::models::meaning::PictureDescriber;
use crate::request::CancelToken;
use crate::store::library::EntryKind;

#[derive(Debug, Args)]
pub(super) struct DescribeArguments {
    /// Pictures.
    #[arg(required = true, value_name = "PICTURE")]
    pictures: Vec<PathBuf>,
    #[command(flatten)]
    model: PictureModel,
    /// Print JSON on standard output, one line for each picture.
    #[arg(long)]
    json: bool,
}

/// Prints what is in pictures. One that cannot be read keeps none of the others.
pub(super) fn run(arguments: &DescribeArguments, output: &mut Output) -> anyhow::Result<()> {
    let weights = arguments.model.weights(EntryKind::PictureDescription)?;
    let bar = output::progress();
    bar.set_message("loading picture description");
    let mut describer = PictureDescriber::open(&weights, arguments.model.threads)?;
    bar.finish_and_clear();
    let several = arguments.pictures.len() > 1;
    let mut failed = 0;
    for path in &arguments.pictures {
        if output.is_closed() {
            break;
        }
        match describe(&mut describer, path) {
            Ok(words) if arguments.json => {
                output.json(&json!({ "picture": output::text(path), "words": words }));
            }
            Ok(words) if several => output.line(&format!("{}: {words}", output::text(path))),
            Ok(words) => output.line(&words),
            Err(error) => {
                failed += 1;
                output.failure(&error);
            }
        }
    }
    match failed {
        0 => Ok(()),
        _ if several => bail!("{failed} of {} pictures could not be described", arguments.pictures.len()),
        _ => bail!("the picture could not be described"),
    }
}

fn describe(describer: &mut PictureDescriber, path: &Path) -> anyhow::Result<String> {
    let read = read_picture(path, &ReadOptions::default()).map_err(|error| output::named(path, error))?;
    Ok(describer.describe(&read.picture, &CancelToken::new())?)
}
