//! What there is to choose from: the catalogue, and the files of a repository.

use anyhow::bail;
use serde_json::{Value, json};

use super::plan::{self, licence_line, listing, revision};
use super::{GATED, GetArguments};
use crate::cli::output::Output;
use crate::store::hub::{
    Catalogue, CatalogueFile, Choice, ChoiceKind, Client, Listing, RemoteFile, Wanted, choices, in_words,
    matching,
};

/// `--list`: what there is to choose from.
pub(super) fn list(
    what: &str,
    arguments: &GetArguments,
    client: &Client,
    output: &mut Output,
) -> anyhow::Result<()> {
    if Catalogue::of_program().find(what).is_some() {
        let plan = plan::plan(what, arguments, client, None)?;
        for set in &plan.sets {
            for file in &set.files {
                let size = file.size().unwrap_or_default();
                if arguments.json {
                    output.json(&json!({ "name": file.name(), "size": size, "licence": plan.licence.name }));
                } else {
                    output.line(&format!("{:>10}  {}", in_words(size), file.name()));
                }
            }
        }
        return Ok(());
    }
    let (repository, named) = match Wanted::parse(what, &client.environment().endpoint)? {
        Wanted::Repository { repository, revision, .. } | Wanted::File { repository, revision, .. } => {
            (repository, revision)
        }
        Wanted::Direct { .. } => bail!("this is the address of one file, so there is nothing to choose from"),
    };
    let listing = listing(client, &repository, &revision(arguments, named)?)?;
    let shown: Vec<Choice> = if arguments.files.is_empty() {
        choices(&listing)
    } else {
        let one = |file: &RemoteFile| Choice {
            kind: ChoiceKind::File,
            name: file.path.to_string(),
            files: vec![file.clone()],
        };
        matching(&listing.files, &arguments.files).into_iter().map(one).collect()
    };
    if arguments.json {
        output.json(&listing_json(&listing, &shown));
        return Ok(());
    }
    for choice in &shown {
        let files =
            if choice.files.len() > 1 { format!(" ({} files)", choice.files.len()) } else { String::new() };
        output.line(&format!("{:>10}  {}{files}", in_words(choice.size()), choice.name));
    }
    if let Some(licence) = licence_line(&listing.licence) {
        output.line(&licence);
    }
    if listing.is_gated {
        output.line(GATED);
    }
    Ok(())
}

fn listing_json(listing: &Listing, shown: &[Choice]) -> Value {
    let file = |file: &RemoteFile| json!({ "path": file.path.as_str(), "size": file.size, "hash": file.hash.name() });
    let choice = |choice: &Choice| {
        let files: Vec<Value> = choice.files.iter().map(file).collect();
        json!({ "name": choice.name, "size": choice.size(), "files": files })
    };
    json!({
        "repository": listing.repository.to_string(),
        "revision": listing.revision,
        "commit": listing.commit,
        "gated": listing.is_gated,
        "licence": { "name": listing.licence.name, "link": listing.licence.link },
        "choices": shown.iter().map(choice).collect::<Vec<_>>(),
    })
}

/// The catalogue; asks nobody.
pub(super) fn show_catalogue(as_json: bool, output: &mut Output) {
    let catalogue = Catalogue::of_program();
    for model in &catalogue.models {
        let size = catalogue.size_of(model);
        if as_json {
            output.json(&json!({
                "id": model.id, "name": model.name, "family": model.family, "size": size,
                "memory": model.memory_gigabytes * 1_000_000_000, "about": model.about.en,
                "licence": { "name": model.licence.name, "link": model.licence.link },
            }));
        } else {
            output.line(&format!(
                "{:<20} {:>8}  {:>2} GB memory  {}",
                model.id,
                in_words(size),
                model.memory_gigabytes,
                model.about.en
            ));
        }
    }
    for model in &catalogue.picture_models {
        let size = catalogue.file(&model.file).map_or(0, CatalogueFile::bytes);
        if as_json {
            output
                .json(&json!({ "id": model.id, "name": model.name, "size": size, "about": model.about.en }));
        } else {
            output.line(&format!("{:<20} {:>8}                {}", model.id, in_words(size), model.about.en));
        }
    }
    for decoder in &catalogue.tiny_decoders {
        let size = catalogue.file(&decoder.file).map_or(0, |file| file.megabytes * 1_000_000);
        if as_json {
            output.json(&json!({
                "id": decoder.id, "name": decoder.name, "families": decoder.families, "size": size,
                "about": decoder.about.en,
            }));
        } else {
            output.line(&format!(
                "{:<20} {:>8}                {}",
                decoder.id,
                in_words(size),
                decoder.about.en
            ));
        }
    }
    if !as_json {
        output.line("Sizes are approximate. `safelight models get NAME` shows files, sizes and licence, and asks before it fetches.");
    }
}
