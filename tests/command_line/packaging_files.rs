//! Manual pages and completions for packages.

use crate::common::program::{safelight, text};
use crate::small_model::{error_of, names_in};

#[test]
fn manual_pages_and_completions_are_those_of_the_arguments() {
    let folder = tempfile::tempdir().unwrap();
    let output = safelight(&["packaging-files", text(folder.path())]);
    assert_eq!((output.status.code(), error_of(&output).as_str()), (Some(0), ""));

    let help = String::from_utf8(safelight(&["--help"]).stdout).unwrap();
    assert!(!help.contains("packaging-files"), "{help}");
    let manual = names_in(&folder.path().join("man"));
    for command in ["generate", "encode", "decode", "channels", "inspect", "models", "reel", "bench", "open"]
    {
        assert!(help.contains(command) && manual.contains(&format!("safelight-{command}.1")), "{manual:?}");
    }
    let completions = names_in(&folder.path().join("completions"));
    assert_eq!(completions, ["_safelight", "_safelight.ps1", "safelight.bash", "safelight.fish"]);

    // Every option of the largest command is in its page and in each shell's completions.
    let read = |path: &str| std::fs::read_to_string(folder.path().join(path)).unwrap();
    let page = read("man/safelight-generate.1").replace('\\', "");
    let completions: Vec<String> =
        completions.iter().map(|name| read(&format!("completions/{name}"))).collect();
    let help = String::from_utf8(safelight(&["generate", "--help"]).stdout).unwrap();
    let options =
        help.lines().filter_map(|line| line.trim_start().split([' ', '=']).find(|w| w.starts_with("--")));
    let mut count = 0;
    for option in options.filter(|option| option.len() > 2) {
        assert!(page.contains(option), "{option}: {page}");
        for completion in &completions {
            assert!(completion.contains(option.trim_start_matches('-')), "{option}");
        }
        count += 1;
    }
    assert!(count > 30, "{help}");
    for page in &manual {
        assert!(!page.contains("packaging-files"), "{page}");
    }
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_is_told() {
    let output = safelight(&["packaging-files", "/dev/null/files"]);
    let error = error_of(&output);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("packaging files") && error.contains("/dev/null/files"), "{error}");
}
