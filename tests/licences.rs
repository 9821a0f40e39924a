//! Everything in the program may be shipped: the licences of crates, fonts and data.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use spdx::{Expression, ParseMode};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What a command of cargo prints, from what is on this machine alone.
fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The licences that `cargo deny` allows, as SPDX names them.
fn allowed() -> BTreeSet<String> {
    let file = std::fs::read_to_string(root().join(".deny.toml")).unwrap();
    let list = file.split_once("\nallow = [").unwrap().1.split_once("\n]").unwrap().0;
    let of_line = |line: &str| Some(line.trim().strip_prefix('"')?.split_once('"')?.0.to_owned());
    list.lines().filter_map(of_line).collect()
}

/// Whether a licence expression, such as `MIT OR GPL-3.0-only`, can be met with the allowed licences alone.
fn may_ship(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let expression = Expression::parse_mode(expression, ParseMode::LAX);
    expression.is_ok_and(|expression| expression.evaluate(|licence| allowed.contains(&licence.to_string())))
}

/// The crates in the program built for this machine, without those of its build and its tests: name and licence.
fn crates() -> BTreeMap<String, Option<String>> {
    let version = cargo(&["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let metadata = ["metadata", "--locked", "--offline", "--format-version", "1", "--filter-platform", host];
    let metadata: Value = serde_json::from_str(&cargo(&metadata)).unwrap();
    let list = |value: &Value| value.as_array().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let nodes: BTreeMap<String, Value> =
        list(&metadata["resolve"]["nodes"]).into_iter().map(|node| (text(&node["id"]), node)).collect();
    let packages: BTreeMap<String, Value> =
        list(&metadata["packages"]).into_iter().map(|package| (text(&package["id"]), package)).collect();
    let mut next = vec![text(&metadata["resolve"]["root"])];
    let mut found = BTreeMap::new();
    while let Some(id) = next.pop() {
        let package = &packages[&id];
        let name = format!("{} {}", text(&package["name"]), text(&package["version"]));
        if found.insert(name, package["license"].as_str().map(str::to_owned)).is_some() {
            continue;
        }
        // A dependency of no kind is one of the program itself.
        let linked = list(&nodes[&id]["deps"])
            .into_iter()
            .filter(|dependency| list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null()));
        next.extend(linked.map(|dependency| text(&dependency["pkg"])));
    }
    found
}

#[test]
fn every_crate_of_the_program_may_be_shipped() {
    let (allowed, crates) = (allowed(), crates());
    assert!(crates.len() > 300, "{}", crates.len());
    let refused: Vec<_> = crates
        .iter()
        .filter(|(_, licence)| !licence.as_ref().is_some_and(|licence| may_ship(licence, &allowed)))
        .collect();
    assert!(refused.is_empty(), "no licence of .deny.toml's list: {refused:?}");
}

#[test]
fn a_licence_that_is_not_on_the_list_is_refused() {
    let allowed = allowed();
    for licence in ["MIT", "MIT/Apache-2.0", "GPL-3.0-only OR MIT", "Apache-2.0 WITH LLVM-exception AND ISC"]
    {
        assert!(may_ship(licence, &allowed), "{licence}");
    }
    for licence in ["GPL-3.0-only", "MIT AND AGPL-3.0-only", "LicenseRef-none", "", "all rights reserved"] {
        assert!(!may_ship(licence, &allowed), "{licence}");
    }
}

#[test]
fn fonts_and_data_of_others_have_their_licences_beside_them() {
    let files = std::fs::read_dir(root().join("assets/fonts")).unwrap().map(|file| file.unwrap().path());
    let fonts: Vec<_> = files.filter(|file| file.extension().is_some_and(|kind| kind == "otf")).collect();
    assert!(!fonts.is_empty());
    for font in fonts {
        let name = font.file_stem().unwrap().to_str().unwrap();
        let licence = font.with_file_name(format!("{}-LICENSE.txt", name.split('-').next().unwrap()));
        let text = std::fs::read_to_string(&licence).unwrap();
        assert!(text.contains("SIL OPEN FONT LICENSE Version 1.1"), "{}", licence.display());
    }
    let clip = std::fs::read_to_string(root().join("assets/clip-tokenizer/LICENSE")).unwrap();
    assert!(clip.starts_with("MIT License") && clip.contains("OpenAI"));
}
