//! Several processes on the same runs, and processes that are killed.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use super::*;

/// The root that a child process writes into.
const ROOT: &str = "SAFELIGHT_TEST_HISTORY";
/// Processes that are killed.
const KILLS: usize = 100;
/// Of which this many run at a time.
const AT_ONCE: usize = 10;

/// This test program as a child that runs one of the tests below, and what it says from its first own line on.
fn child(test: &str, root: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([&format!("store::history::tests::processes::{test}"), "--exact", "--ignored", "--nocapture"])
        .env(ROOT, root)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stdout.take().unwrap());
    (child, said)
}

/// The words after this one in what a child says next.
fn after(word: &str, said: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    while said.read_line(&mut line).unwrap() > 0 {
        // The first line may follow what the test program itself says.
        if let Some((_, rest)) = line.split_once(&format!("{word} ")) {
            return rest.trim_end().to_owned();
        }
        line.clear();
    }
    panic!("the child ended before it said {word}");
}

#[test]
#[ignore = "a child of another test"]
#[allow(clippy::print_stdout, reason = "it speaks to its parent")]
fn writes_steps_until_it_is_killed() {
    let history = History::open(std::env::var_os(ROOT).unwrap().into());
    let writer = history.begin(new_run("killed")).unwrap();
    writer.flush();
    println!("run {}", writer.id());
    for number in 1.. {
        writer.step(step(number));
        writer.flush();
        println!("step {number}");
    }
}

#[test]
#[ignore = "a child of another test"]
#[allow(clippy::print_stdout, reason = "it speaks to its parent")]
fn writes_twenty_runs() {
    let history = History::open(std::env::var_os(ROOT).unwrap().into());
    for number in 0..20 {
        println!("run {}", finished(&history, &format!("run {number}")));
    }
}

#[test]
fn no_step_that_was_written_is_lost_by_a_kill() {
    let root = tempfile::tempdir().unwrap();
    let mut killed = Vec::new();
    for round in 0..KILLS / AT_ONCE {
        let mut children: Vec<_> =
            (0..AT_ONCE).map(|_| child("writes_steps_until_it_is_killed", root.path())).collect();
        for (index, (child, said)) in children.iter_mut().enumerate() {
            let id: RunId = after("run", said).parse().unwrap();
            // A moment that differs from kill to kill.
            std::thread::sleep(Duration::from_micros((round * AT_ONCE + index) as u64 * 7919 % 9973));
            child.kill().unwrap();
            child.wait().unwrap();
            let mut rest = String::new();
            said.read_to_string(&mut rest).unwrap();
            let whole = rest.rsplit_once('\n').map_or("", |(whole, _)| whole);
            let announced = whole.lines().filter(|line| line.starts_with("step ")).count();
            killed.push((id, announced));
        }
    }
    let history = History::open(root.path().to_owned());
    let list = history.runs().unwrap();
    assert_eq!((list.runs.len(), list.unreadable.len()), (KILLS, 0));
    assert_eq!(history.interrupted().unwrap().len(), KILLS);
    let mut steps = 0;
    for (id, announced) in &killed {
        let kept = history.steps(id).unwrap();
        assert!(kept.len() >= *announced, "{} of {announced} steps are kept", kept.len());
        assert!(are_first(&kept, kept.len()));
        steps += announced;
        let writer = history.reopen(id).unwrap();
        assert_eq!(writer.steps_kept(), kept.len());
        writer.step(step(kept.len() + 1));
        writer.ended(RunStatus::Stopped, 1.0);
        writer.flush();
        assert!(writer.fault().is_none());
        assert!(are_first(&history.steps(id).unwrap(), kept.len() + 1));
    }
    eprintln!("{KILLS} kills after {steps} steps");
    assert!(steps > KILLS, "most were killed while they wrote");
    assert!(history.interrupted().unwrap().is_empty());
}

#[test]
fn processes_do_not_undo_what_others_change() {
    let root = tempfile::tempdir().unwrap();
    let mut children: Vec<_> = (0..2).map(|_| child("writes_twenty_runs", root.path())).collect();
    let history = History::open(root.path().to_owned());
    // Stars are given to every run as soon as it is seen, most while it is written.
    let mut starred = std::collections::BTreeSet::new();
    while children.iter_mut().any(|(child, _)| child.try_wait().unwrap().is_none()) {
        let list = history.runs().unwrap();
        assert!(list.unreadable.is_empty(), "{:?}", list.unreadable);
        for run in list.runs {
            if starred.insert(run.id.clone()) {
                history.set_stars(&run.id, 3).unwrap();
            }
        }
    }
    for (child, _) in &mut children {
        assert!(child.wait().unwrap().success());
    }
    let runs = history.runs().unwrap().runs;
    assert_eq!(runs.len(), 40);
    assert!(starred.len() > 20, "{}", starred.len());
    for run in runs {
        assert_eq!((&run.status, run.steps_kept), (&RunStatus::Finished, 5));
        assert_eq!(run.stars, if starred.contains(&run.id) { 3 } else { 0 });
    }
}
