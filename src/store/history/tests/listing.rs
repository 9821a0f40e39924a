//! Lists of runs, stars, deletion and the limit of space.

use std::time::{Duration, Instant, SystemTime};

use super::*;

/// Makes runs that never were, one after the other in time, whose records are a minute old.
fn made_up(history: &History, count: usize) {
    let id = finished(history, "model");
    let record = history.read(&id).unwrap();
    std::fs::remove_dir_all(history.folder(&id)).unwrap();
    let minute_ago = SystemTime::now() - Duration::from_mins(1);
    for number in 0..count {
        let secs = 1_700_000_000 + number as u64 * 3600;
        let id = RunId::new(Duration::from_secs(secs), number as u32);
        let folder = history.run(&id);
        folder.make().unwrap();
        let mut record = RunRecord { id, created_ms: secs * 1000, ..record.clone() };
        record.parts[0].facts = facts(&format!("prompt {number} of a fox that sits on a hill at dusk, 여우"));
        let mut text = serde_json::json!({ "format": 1 });
        text.as_object_mut()
            .unwrap()
            .extend(serde_json::to_value(&record).unwrap().as_object().unwrap().clone());
        std::fs::write(folder.record_path(), text.to_string()).unwrap();
        let file = std::fs::File::options().write(true).open(folder.record_path()).unwrap();
        file.set_modified(minute_ago).unwrap();
    }
}

/// Everything of a list that can be compared.
fn listed(history: &History) -> (Vec<RunSummary>, usize) {
    let list = history.runs().unwrap();
    (list.runs, list.unreadable.len())
}

#[test]
fn ten_thousand_runs_are_listed_within_a_second() {
    let root = tempfile::tempdir().unwrap();
    let history = History::open(root.path().to_owned());
    made_up(&history, 10_000);
    let timed = |history: &History| {
        let start = Instant::now();
        let list = listed(history);
        (list, start.elapsed().as_secs_f64())
    };
    let (all, rebuilt) = timed(&history);
    assert_eq!((all.0.len(), all.1), (10_000, 0));
    assert!(all.0[0].prompt.starts_with("prompt 9999 of"), "the newest is first");
    assert!(all.0.is_sorted_by(|a, b| a.created_ms > b.created_ms));
    let index = root.path().join("index.jsonl");
    let (bytes, at_start) =
        (std::fs::metadata(&index).unwrap().len(), timed(&History::open(root.path().to_owned())));
    assert_eq!(at_start.0, all);
    let (again, later) = timed(&history);
    assert_eq!(again, all);
    eprintln!(
        "10,000 runs: {rebuilt:.3} s without the index, {:.3} s at a start, {later:.3} s later; index {bytes} bytes",
        at_start.1
    );
    assert!(at_start.1 <= 1.0 && later <= 1.0);
}

#[test]
fn a_damaged_index_is_rebuilt_and_never_believed_over_a_record() {
    let root = tempfile::tempdir().unwrap();
    let open = || History::open(root.path().to_owned());
    made_up(&open(), 40);
    let all = listed(&open());
    let index = root.path().join("index.jsonl");
    let whole = std::fs::read(&index).unwrap();
    let text = String::from_utf8(whole.clone()).unwrap();
    let damaged = [
        Vec::new(),
        whole[..whole.len() / 2].to_vec(),
        text.replace("prompt 7 of", "prompt 8 of").into_bytes(),
        text.replace("\"format\":2", "\"format\":1").into_bytes(),
        b"{}\n".to_vec(),
        vec![0xff; 100],
    ];
    for bytes in damaged {
        assert_ne!(bytes, whole);
        std::fs::write(&index, bytes).unwrap();
        assert_eq!(listed(&open()), all);
        assert_eq!(std::fs::read(&index).unwrap().len(), whole.len(), "it is written again");
    }
    // A record that changes counts, and so does a new one.
    let id = all.0[3].id.clone();
    open().set_stars(&id, 5).unwrap();
    let new = finished(&open(), "new");
    let list = listed(&open()).0;
    assert_eq!((&list[0].id, &list[4].id, list[4].stars, list.len()), (&new, &id, 5, 41));
    // An index that cannot be written costs time only.
    std::fs::remove_file(&index).unwrap();
    std::fs::create_dir(&index).unwrap();
    assert_eq!(listed(&open()).0, list);
}

#[test]
fn what_is_no_run_is_passed_by() {
    let root = tempfile::tempdir().unwrap();
    let history = History::open(root.path().to_owned());
    let id = finished(&history, "x");
    let month = history.folder(&id).parent().unwrap().to_owned();
    for folder in ["2020-01/20200101-000000-00000000", "2020-01/20210101-000000-00000000", "notes/a"] {
        std::fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    std::fs::create_dir(month.join("copy of a run")).unwrap();
    std::fs::write(month.join("20200101-000000-00000000"), b"a file").unwrap();
    // The folder of a run in that of another month is no run.
    let record = history.folder(&id).join("run.json");
    std::fs::copy(record, root.path().join("2020-01/20210101-000000-00000000/run.json")).unwrap();
    let (runs, unreadable) = listed(&history);
    assert_eq!((runs.len(), unreadable), (1, 0));
}

#[test]
fn runs_that_are_deleted_while_they_are_listed_are_gone() {
    let root = tempfile::tempdir().unwrap();
    let history = History::open(root.path().to_owned());
    made_up(&history, 300);
    let ids: Vec<RunId> = listed(&history).0.into_iter().map(|run| run.id).collect();
    std::thread::scope(|scope| {
        let deleting = scope.spawn(|| {
            let to_trash = |path: &Path| std::fs::remove_dir_all(path).map_err(|error| error.to_string());
            assert!(history.delete(&ids, &to_trash).is_empty());
        });
        while !deleting.is_finished() {
            let list = History::open(root.path().to_owned()).runs().unwrap();
            assert!(list.unreadable.is_empty(), "{:?}", list.unreadable);
        }
    });
    assert_eq!(listed(&history), (Vec::new(), 0));
}

#[test]
fn a_run_goes_to_the_trash_unless_it_is_written() {
    let root = tempfile::tempdir().unwrap();
    let trash = tempfile::tempdir().unwrap();
    let history = History::open(root.path().to_owned());
    let (first, second) = (finished(&history, "first"), finished(&history, "second"));
    let writer = history.begin(new_run("running")).unwrap();
    writer.flush();
    let to_trash = |path: &Path| {
        let to = trash.path().join(path.file_name().unwrap());
        std::fs::rename(path, to).map_err(|error| error.to_string())
    };
    let failed = history.delete(&[first.clone(), writer.id().clone()], &to_trash);
    assert_eq!((failed.len(), &failed[0].0), (1, writer.id()));
    assert!(matches!(failed[0].1, HistoryError::InUse(_)), "{}", failed[0].1);
    assert!(trash.path().join(first.as_str()).join("steps.bin").exists());
    assert_eq!(listed(&history).0.len(), 2);
    let failed = history.delete(&[second.clone(), first], &|_| Err("no trash here".to_owned()));
    assert_eq!(failed.len(), 2);
    let says = failed[0].1.to_string();
    assert!(says.starts_with("it cannot be moved to the trash: no trash here; delete it"), "{says}");
    assert!(matches!(failed[1].1, HistoryError::NoRun { .. }));
    assert!(history.read(&second).is_ok());
}

#[test]
fn the_steps_of_the_oldest_runs_without_stars_go_first() {
    let root = tempfile::tempdir().unwrap();
    let history = History::open(root.path().to_owned());
    let ids: Vec<RunId> = (0..5).map(|number| finished(&history, &format!("{number}"))).collect();
    for (id, age) in ids.iter().zip([3, 0, 1, 4, 2]) {
        history.run(id).change_record(|record| record.created_ms -= age * 1_000_000).unwrap();
    }
    // From the oldest: 3, 0 (starred), 4, 2, 1 (interrupted).
    history.set_stars(&ids[0], 1).unwrap();
    history.run(&ids[1]).change_record(|record| record.status = RunStatus::Running).unwrap();
    let has_steps = || ids.iter().map(|id| !history.steps(id).unwrap().is_empty()).collect::<Vec<_>>();
    let all = history.thin(u64::MAX).unwrap();
    assert_eq!((all.before, all.thinned.len(), all.is_above_limit()), (all.after, 0, false));
    let steps = std::fs::metadata(history.folder(&ids[0]).join("steps.bin")).unwrap().len();

    let report = history.thin(all.before - 1).unwrap();
    assert_eq!((&report.thinned[..], report.after), (&ids[3..4], all.before - steps));
    assert_eq!(has_steps(), [true, true, true, false, true]);
    let record = history.read(&ids[3]).unwrap();
    assert_eq!((record.steps_kept, record.steps_done), (0, 5));
    assert!(history.picture(&ids[3]).unwrap().is_some() && history.final_latent(&ids[3]).unwrap().is_some());

    let report = history.thin(0).unwrap();
    assert_eq!(report.thinned, [ids[4].clone(), ids[2].clone()]);
    assert!(report.is_above_limit() && report.failed.is_empty());
    assert_eq!(has_steps(), [true, true, false, false, false]);
    assert_eq!(listed(&history).0.len(), 5, "no run is deleted");
    assert!(history.thin(0).unwrap().thinned.is_empty());
}

#[test]
fn a_run_that_is_being_written_keeps_its_steps() {
    let root = tempfile::tempdir().unwrap();
    let history = History::open(root.path().to_owned());
    let writer = history.begin(new_run("x")).unwrap();
    writer.step(step(1));
    writer.sampled(&latent(SHAPE, 7), false, 0.1);
    writer.flush();
    assert!(history.thin(0).unwrap().thinned.is_empty());
    assert_eq!(history.steps(writer.id()).unwrap().len(), 1);
}
