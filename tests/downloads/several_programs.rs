//! The program as a process: killed and started again, two at once, refused without a confirmation.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::common::hub::{
    Desk, REPOSITORY, WEIGHTS, address_of, answer, file_reply, files, sha256, start, start_with, weights,
};
use crate::common::server::{Reply, Sending, Server};

/// `safelight models get` with an environment of its own.
pub(crate) fn command(server: &Server, folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_safelight"));
    command.args(["models", "get"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in [
        "HF_TOKEN",
        "HF_TOKEN_PATH",
        "HF_HUB_OFFLINE",
        "HF_HUB_CACHE",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command.env("HF_ENDPOINT", &server.address).env("HF_HOME", folder).env("HOME", folder);
    command.env("XDG_CONFIG_HOME", folder.join("config")).env("XDG_DATA_HOME", folder.join("data"));
    command
}

fn run(server: &Server, folder: &Path, arguments: &[&str]) -> Output {
    command(server, folder).args(arguments).output().unwrap()
}

pub(crate) fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The cache of a process is the `hub` of its HF_HOME, as the desk has it.
fn start_fetching(server: &Server, desk: &Desk) -> Child {
    command(server, desk.folder.path()).args([REPOSITORY, "--yes"]).spawn().unwrap()
}

fn slow_hub() -> Server {
    start_with(|seen, content| {
        file_reply(seen, WEIGHTS, content).sent(Sending::Slowly(5_000, Duration::from_millis(30)))
    })
}

/// Ends the program with a signal while it fetches, and starts it again.
#[cfg(unix)]
fn end_and_go_on(signal: &str) {
    let server = slow_hub();
    let desk = Desk::new(&server);
    let mut child = start_fetching(&server, &desk);
    let length = || std::fs::metadata(desk.part()).map_or(0, |data| data.len());
    let begun = Instant::now();
    while length() < 100_000 {
        assert!(begun.elapsed() < Duration::from_mins(1) && child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(2));
    }
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success() && !child.wait().unwrap().success());
    let kept = length() as usize;
    assert!((100_000..300_000).contains(&kept));
    let output = start_fetching(&server, &desk).wait_with_output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    let requests = server.requests_for(&address_of(WEIGHTS));
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[1].range_start(), Some(kept));
    assert!(desk.blob_names().contains(&sha256(&weights())) && !desk.part().exists());
    let snapshot = format!("models--someone--small-model/snapshots/{}/{WEIGHTS}", crate::common::hub::COMMIT);
    assert_eq!(std::fs::read(desk.environment.cache.join(snapshot)).unwrap(), weights());
}

#[cfg(unix)]
#[test]
fn a_killed_program_goes_on_where_it_was() {
    end_and_go_on("-KILL");
}

/// Whether this process ignores interrupts, and so do the programs that it starts: a shell without job control starts
/// background commands so.
#[cfg(unix)]
fn ignores_interrupts() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 0b10 != 0)
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_a_part_that_resumes() {
    // A request to end takes the same way.
    end_and_go_on(if ignores_interrupts() { "-TERM" } else { "-INT" });
}

/// Where other systems keep settings depends on more than an environment variable.
#[cfg(target_os = "linux")]
#[test]
fn what_was_fetched_is_in_the_library() {
    let server = start();
    let desk = Desk::new(&server);
    let folder = desk.folder.path();
    // Fetched again, it is searched already.
    for _ in 0..2 {
        let output = run(&server, folder, &[REPOSITORY, "--yes"]);
        assert!(output.status.success(), "{}", errors(&output));
    }
    let config = std::fs::read(folder.join("config/safelight/library.json")).unwrap();
    let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
    assert_eq!(config["folders"], serde_json::json!([desk.environment.cache]));
}

#[test]
fn two_programs_fetch_a_file_once() {
    let server = slow_hub();
    let desk = Desk::new(&server);
    let children = [start_fetching(&server, &desk), start_fetching(&server, &desk)];
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", errors(&output));
    }
    assert_eq!(server.requests_for(&address_of(WEIGHTS)).len(), 1);
    assert!(desk.blob_names().contains(&sha256(&weights())));
    assert!(desk.blob_names().iter().all(|name| !name.ends_with(".incomplete")));
}

#[test]
fn nothing_is_fetched_without_a_confirmation() {
    let server = start();
    let desk = Desk::new(&server);
    let output = run(&server, desk.folder.path(), &[REPOSITORY]);
    assert_eq!(output.status.code(), Some(1));
    let error = errors(&output);
    assert!(error.contains("nobody can be asked whether to fetch 340.0 kB; confirm with --yes"), "{error}");
    assert_eq!(server.requests().len(), 1, "only the listing");
    assert!(!desk.environment.cache.exists());
}

#[test]
fn a_list_shows_choices_sizes_and_licence() {
    let server = start();
    let desk = Desk::new(&server);
    let output = run(&server, desk.folder.path(), &[REPOSITORY, "--list"]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(shown, "  340.0 kB  folder, fp16 (5 files)\nlicence: mit\n");
    let output =
        run(&server, desk.folder.path(), &[REPOSITORY, "--list", "--json", "--file", "*.safetensors"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["choices"].as_array().unwrap().len(), 2);
    assert_eq!(json["choices"][0]["files"][0]["hash"], sha256(&weights()));
    assert_eq!(
        (&json["licence"]["name"], &json["commit"]),
        (&"mit".into(), &crate::common::hub::COMMIT.into())
    );
}

#[test]
fn files_can_be_chosen_and_put_into_a_folder() {
    let server = start();
    let desk = Desk::new(&server);
    let into = desk.folder.path().join("mine");
    let arguments =
        [REPOSITORY, "--yes", "--json", "--file", "*.fp16.safetensors", "--file", "scheduler/*", "--into"];
    let output = command(&server, desk.folder.path()).args(arguments).arg(&into).output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["files"].as_array().unwrap().len(), 3);
    assert_eq!(std::fs::read(into.join(WEIGHTS)).unwrap(), weights());
    assert!(!desk.environment.cache.exists());
    // Once more, it is all here.
    let before = server.requests().len();
    let output = command(&server, desk.folder.path()).args(arguments).arg(&into).output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(server.requests().len(), before + 1, "only the listing");
}

#[test]
fn a_direct_address_goes_to_the_models_folder() {
    let server = Server::start(|seen| file_reply(seen, WEIGHTS, &weights()));
    let elsewhere =
        format!("{}/files/some%20model.safetensors", server.address.replace("127.0.0.1", "localhost"));
    let desk = Desk::new(&server);
    let output = run(&server, desk.folder.path(), &[&elsewhere, "--yes"]);
    assert!(output.status.success(), "{}", errors(&output));
    let file = desk.folder.path().join("data/safelight/models/some model.safetensors");
    assert_eq!(std::fs::read(file).unwrap(), weights());
    // It is never replaced.
    let output = run(&server, desk.folder.path(), &[&elsewhere, "--yes"]);
    assert!(errors(&output).contains("is not replaced"), "{}", errors(&output));
}

#[test]
fn a_token_is_in_no_log() {
    let server = start();
    let desk = Desk::new(&server);
    let mut command = command(&server, desk.folder.path());
    command.args([REPOSITORY, "--yes"]).env("HF_TOKEN", "hf_very_secret").env("RUST_LOG", "trace");
    let output = command.output().unwrap();
    assert!(output.status.success());
    assert!(
        server.requests().iter().all(|seen| seen.header("authorization") == Some("Bearer hf_very_secret"))
    );
    assert!(errors(&output).contains("GET"), "the log is there");
    assert!(!errors(&output).contains("hf_very_secret"));
}

#[test]
fn mistakes_get_one_sentence_and_no_request() {
    let server = start();
    let desk = Desk::new(&server);
    for (arguments, expected) in [
        (&["nonsense"][..], "`safelight models get` shows the models of the catalogue"),
        (&["https://huggingface.co/datasets/a/b"], "not one of a model"),
        (&["a/b@v1", "--revision", "v2"], "leave one out"),
        (&["sd15", "--file", "x"], "a model of the catalogue"),
        (&["https://files.example/a.ckpt"], "any code"),
    ] {
        let output = run(&server, desk.folder.path(), arguments);
        let error = errors(&output);
        assert_eq!(output.status.code(), Some(1));
        assert!(error.contains(expected) && error.lines().count() == 1, "{error}");
    }
    let mut offline = command(&server, desk.folder.path());
    let output = offline.args([REPOSITORY, "--yes"]).env("HF_HUB_OFFLINE", "1").output().unwrap();
    assert!(errors(&output).contains("HF_HUB_OFFLINE"), "{}", errors(&output));
    assert!(server.requests().is_empty());
}

#[test]
fn a_repository_with_several_models_asks_for_a_choice() {
    let files: Vec<(&str, Vec<u8>)> = vec![("m-Q4_0.gguf", vec![1]), ("m-Q8_0.gguf", vec![2, 2])];
    let served = files.clone();
    let server = Server::start(move |seen| answer(seen, &served));
    let desk = Desk::new(&server);
    let output = run(&server, desk.folder.path(), &[REPOSITORY, "--yes"]);
    let error = errors(&output);
    assert!(
        error.contains("choose with --file NAME: m-Q4_0.gguf (1 bytes), m-Q8_0.gguf (2 bytes)"),
        "{error}"
    );
    let output = run(&server, desk.folder.path(), &[REPOSITORY, "--yes", "--file", "*q8*"]);
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(desk.blob_names().len(), 1);
}

#[test]
fn a_failure_names_the_file_and_the_exit_code_is_1() {
    let served = files();
    let server =
        Server::start(
            move |seen| {
                if seen.path.ends_with(WEIGHTS) { Reply::new(403, "") } else { answer(seen, &served) }
            },
        );
    let desk = Desk::new(&server);
    let output = run(&server, desk.folder.path(), &[REPOSITORY, "--yes"]);
    assert_eq!(output.status.code(), Some(1));
    let error = errors(&output);
    assert!(error.contains(WEIGHTS) && error.contains("HF_TOKEN"), "{error}");
    assert_eq!(desk.blob_names().len(), 4, "the other files are here");
}

#[test]
fn a_model_of_the_catalogue_is_fetched_from_its_repositories() {
    let server = Server::start(|seen| {
        let path = "taef2.safetensors";
        if seen.path == "/api/models/madebyollin/taef2/revision/main?blobs=true" {
            return Reply::new(200, crate::common::hub::listing_of(&[(path, weights())]));
        }
        if seen.path.ends_with(path) { file_reply(seen, path, &weights()) } else { Reply::new(404, "") }
    });
    let desk = Desk::new(&server);
    let output = run(&server, desk.folder.path(), &["TAEF2", "--yes", "--json"]);
    assert!(output.status.success(), "{}", errors(&output));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let path = json["files"][0]["path"].as_str().unwrap();
    assert!(path.contains("models--madebyollin--taef2/snapshots"), "{path}");
    assert_eq!(std::fs::read(path).unwrap(), weights());
}
