//! Interrupted runs, full disks, damaged files and files of later versions.

use std::io::Write;

use super::*;
use crate::reason::{Reason, ReasonKind};
use crate::store::history::step_file::StepSink;

/// A run that was interrupted after three steps.
fn interrupted(history: &History) -> RunId {
    let writer = history.begin(new_run("interrupted")).unwrap();
    write_steps(&writer, 1..=3);
    let id = writer.id().clone();
    drop(writer);
    history.finish();
    wait_until_free(history, &id);
    id
}

#[test]
fn an_interrupted_run_goes_on_after_its_last_whole_step() {
    let root = tempfile::tempdir().unwrap();
    let history = History::open(root.path().to_owned());
    finished(&history, "not this one");
    let id = interrupted(&history);
    let found = history.interrupted().unwrap();
    assert_eq!((found.len(), &found[0].id, found[0].steps_kept), (1, &id, 3));

    let path = history.folder(&id).join("steps.bin");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let writer = history.reopen(&id).unwrap();
    assert_eq!(writer.steps_kept(), 2);
    let error = History::open(root.path().to_owned()).reopen(&id).err().unwrap();
    assert!(matches!(error, HistoryError::InUse(_)), "{error}");
    assert!(history.interrupted().unwrap().is_empty(), "it is running");
    write_steps(&writer, 1..=5);
    writer.sampled(&latent(SHAPE, 7), false, 0.5);
    writer.ended(RunStatus::Finished, 1.0);
    drop(writer);
    history.finish();
    assert!(are_first(&history.steps(&id).unwrap(), 5));
    let mut kept = Steps::open(&path).unwrap().unwrap();
    while kept.next().unwrap().is_some() {}
    assert_eq!(kept.unread_len(), 0, "what was torn is gone");
    let record = history.read(&id).unwrap();
    assert_eq!((record.status, record.steps_done, record.steps_kept), (RunStatus::Finished, 5, 5));
    assert!(history.interrupted().unwrap().is_empty());
}

#[cfg(unix)]
#[test]
fn the_folder_of_a_run_that_never_began_is_removed_once_it_is_old() {
    let root = tempfile::tempdir().unwrap();
    let history = History::open(root.path().to_owned());
    let [killed, new, locked, lost_record] = [0; 4].map(|_| history.make_folder().unwrap().2);
    let whole = history.run(&finished(&history, "a lake"));
    std::fs::write(killed.steps_path(), []).unwrap();
    std::fs::write(lost_record.final_path(), [1]).unwrap();
    let _lock = locked.lock().unwrap();
    let hours_ago = SystemTime::now() - std::time::Duration::from_hours(2);
    for folder in [&killed, &locked, &lost_record, &whole] {
        std::fs::File::open(folder.path()).unwrap().set_modified(hours_ago).unwrap();
    }
    assert!(history.interrupted().unwrap().is_empty());
    assert_eq!(
        [&killed, &new, &locked, &lost_record, &whole].map(|folder| folder.path().exists()),
        [false, true, true, true, true]
    );
}

#[test]
fn steps_before_a_changed_byte_are_read() {
    let root = tempfile::tempdir().unwrap();
    let history = History::open(root.path().to_owned());
    let id = finished(&history, "x");
    let path = history.folder(&id).join("steps.bin");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(&path, &bytes).unwrap();
    assert!(are_first(&history.steps(&id).unwrap(), 2));
    assert_eq!((history.step_hashes(&id).unwrap().len(), history.read(&id).unwrap().steps_kept), (2, 5));
}

/// A file on a disk with little space.
struct SmallDisk {
    file: std::fs::File,
    left: usize,
}

impl Write for SmallDisk {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let fits = bytes.len().min(self.left);
        if fits == 0 && !bytes.is_empty() {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        self.left -= fits;
        self.file.write(&bytes[..fits])
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl StepSink for SmallDisk {
    fn sync(&mut self) -> std::io::Result<()> {
        self.file.sync_data()
    }
}

#[test]
fn a_full_disk_ends_no_run_and_keeps_what_fits() {
    let root = tempfile::tempdir().unwrap();
    let history = History::open(root.path().to_owned());
    let id = interrupted(&history);
    let folder = history.run(&id);
    let (file, kept) = step_file::reopen(&folder.steps_path()).unwrap();
    let disk = SmallDisk { file, left: kept_len(&folder) / 3 + 100 };
    let lock = Some(folder.lock().unwrap());
    let writer = history.start(&id, folder.clone(), lock, kept, Beginning::Again(Box::new(disk))).unwrap();
    assert!(writer.fault().is_none());
    write_steps(&writer, 4..=6);
    writer.sampled(&latent(SHAPE, 7), false, 0.5);
    writer.picture(&picture(40, 48));
    writer.ended(RunStatus::Finished, 1.0);
    writer.flush();
    let fault = writer.fault().unwrap();
    assert!(fault.to_string().contains("free some space"), "{fault}");
    assert!(fault.to_string().ends_with("steps.bin"), "{fault}");
    assert_eq!(Reason::from(&*fault).kind(), ReasonKind::DiskFull);
    // The fourth step fitted, the fifth is torn, and the sixth was not tried.
    assert!(are_first(&history.steps(&id).unwrap(), 4));
    let record = history.read(&id).unwrap();
    assert_eq!((record.status, record.steps_done, record.steps_kept), (RunStatus::Finished, 6, 4));
    assert!(history.final_latent(&id).unwrap().is_some() && history.picture(&id).unwrap().is_some());
}

fn kept_len(folder: &RunFolder) -> usize {
    std::fs::metadata(folder.steps_path()).unwrap().len() as usize
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("runs");
    std::fs::write(&file, b"not a folder").unwrap();
    let history = History::open(file.clone());
    let error = history.begin(new_run("x")).err().unwrap();
    assert!(error.to_string().contains("could not write the file"), "{error}");
    assert!(history.runs().is_err());
}

#[test]
fn a_run_that_is_deleted_while_it_is_written_is_a_fault_and_no_more() {
    let root = tempfile::tempdir().unwrap();
    let history = History::open(root.path().to_owned());
    let writer = history.begin(new_run("x")).unwrap();
    writer.step(step(1));
    writer.flush();
    std::fs::remove_dir_all(history.folder(writer.id())).unwrap();
    writer.step(step(2));
    writer.sampled(&latent(SHAPE, 7), false, 0.5);
    writer.ended(RunStatus::Finished, 1.0);
    writer.flush();
    assert!(writer.fault().is_some());
    assert!(!history.folder(writer.id()).exists());
}

#[test]
fn steps_that_do_not_follow_each_other_are_a_fault() {
    let root = tempfile::tempdir().unwrap();
    let history = History::open(root.path().to_owned());
    let writer = history.begin(new_run("x")).unwrap();
    write_steps(&writer, [1, 2, 4, 3]);
    writer.flush();
    let fault = writer.fault().unwrap().to_string();
    assert!(fault.contains("step 4 does not follow step 2"), "{fault}");
    assert!(are_first(&history.steps(writer.id()).unwrap(), 2));
}

#[test]
fn damaged_records_and_those_of_later_versions_are_named_and_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let history = History::open(root.path().to_owned());
    let good = finished(&history, "good");
    let whole = std::fs::read_to_string(history.folder(&good).join("run.json")).unwrap();
    let part = whole.find("\"parts\"").unwrap();
    let cases = [
        (whole.replace("\"format\": 1", "\"format\": 2"), "in format 2; update the program"),
        (whole.replace("\"format\": 1", "\"format\": \"x\""), "does not say which format"),
        (whole[..part].to_owned(), "EOF"),
        (String::new(), "EOF"),
        ("[]".to_owned(), "invalid type"),
        (whole.replace("\"finished\"", "\"dreaming\""), "unknown variant"),
        (whole.clone(), "it is that of the run"),
    ];
    for (content, says) in cases {
        let id = finished(&history, "bad");
        let path = history.folder(&id).join("run.json");
        std::fs::write(&path, &content).unwrap();
        let error = history.read(&id).unwrap_err().to_string();
        assert!(error.contains(says) && error.ends_with("run.json"), "{error}");
        let list = history.runs().unwrap();
        assert_eq!((list.runs.len(), list.unreadable.len()), (1, 1), "{says}");
        assert_eq!(list.unreadable[0].to_string(), error);
        assert!(history.set_stars(&id, 1).is_err() && history.reopen(&id).is_err());
        history.thin(0).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
        assert!(history.folder(&id).join("steps.bin").exists());
        std::fs::remove_dir_all(history.folder(&id)).unwrap();
    }
}

#[test]
fn a_damaged_latent_or_picture_is_named() {
    let root = tempfile::tempdir().unwrap();
    let history = History::open(root.path().to_owned());
    let id = finished(&history, "x");
    for file in ["final.safetensors", "picture.png", "thumbnail.png"] {
        let path = history.folder(&id).join(file);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    }
    let error = history.final_latent(&id).unwrap_err();
    assert!(error.to_string().ends_with("final.safetensors"), "{error}");
    assert_eq!(Reason::from(&error).kind(), ReasonKind::LatentDamaged);
    let error = history.picture(&id).unwrap_err();
    assert!(error.to_string().ends_with("picture.png"), "{error}");
    assert_eq!(error.to_string().matches("picture.png").count(), 1);
    assert!(history.thumbnail(&id).is_err());
}
