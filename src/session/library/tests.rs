//! Tests of the library in the window.

use std::path::{Path, PathBuf};

use super::*;
use crate::catalog::{ModelParts, ModelSource, PartRole};
use crate::engine::{Command, Job, JobKind};
use crate::session::tests::ready;
use crate::session::{Action, Effect, Message, Question};

fn entry(name: &str, kind: EntryKind, family: Family) -> Entry {
    let path = PathBuf::from("/models").join(name);
    Entry {
        name: name.to_owned(),
        repository: None,
        files: vec![path.clone()],
        path,
        bytes: 1 << 30,
        facts: Facts {
            kind,
            families: vec![family],
            format: FileFormat::Safetensors,
            precision: "f16".to_owned(),
            parameters: 1000,
            weight_bytes: 1 << 30,
            needs: Vec::new(),
            offer: None,
            absent: Vec::new(),
            problem: None,
            title: None,
        },
        missing: Vec::new(),
        bytes_with_parts: 1 << 30,
        sha256: None,
    }
}

fn lacking(mut entry: Entry, role: PartRole, completed_by: &[&str]) -> Entry {
    entry.missing.push(MissingPart {
        role: Some(role),
        what: "the part".to_owned(),
        is_optional: false,
        completed_by: completed_by.iter().map(PathBuf::from).collect(),
        lacks_tokenizer: false,
    });
    entry
}

fn session() -> Session {
    let entries = vec![
        entry("a", EntryKind::Checkpoint, Family::StableDiffusion1),
        entry("b", EntryKind::Checkpoint, Family::StableDiffusionXl),
        entry("c", EntryKind::Folder, Family::StableDiffusionXl),
        lacking(entry("d", EntryKind::DiffusionModel, Family::Flux1), PartRole::Vae, &[]),
        lacking(entry("e", EntryKind::DiffusionModel, Family::Flux1), PartRole::Vae, &["/models/ae"]),
        entry("f lora", EntryKind::Lora, Family::StableDiffusionXl),
    ];
    let mut session = ready();
    session.take_effects();
    let folders = vec![LibraryFolder { path: "/models".into(), owner: FolderOwner::Plain }];
    let snapshot =
        LibrarySnapshot { entries: entries.into(), folders, is_complete: true, ..LibrarySnapshot::default() };
    session.apply(Action::LibrarySays(LibraryReport::Listed(snapshot)));
    session
}

fn act(session: &mut Session, action: LibraryAction) {
    session.apply(Action::Library(action));
}

fn names(session: &Session) -> Vec<&str> {
    let library = session.library();
    (0..library.len()).filter_map(|place| library.at(place)).map(|entry| entry.name.as_str()).collect()
}

fn path(name: &str) -> PathBuf {
    Path::new("/models").join(name)
}

fn loaded_model(session: &mut Session) -> Option<ModelSource> {
    session.take_effects().into_iter().find_map(|effect| match effect {
        Effect::Send(Command::Run(Job { kind: JobKind::LoadModel { model }, .. })) => Some(model),
        _ => None,
    })
}

fn commands(session: &mut Session) -> Vec<LibraryCommand> {
    let effects = session.take_effects().into_iter();
    effects
        .filter_map(|effect| match effect {
            Effect::Library(command) => Some(command),
            _ => None,
        })
        .collect()
}

#[test]
fn models_are_listed_first_and_words_kinds_and_families_filter_them() {
    let mut session = session();
    assert_eq!(names(&session), ["a", "b", "c", "d", "e"]);
    assert_eq!(
        session.library().families(),
        [Family::StableDiffusion1, Family::StableDiffusionXl, Family::Flux1]
    );
    let filter = |words: &str, group, family| {
        LibraryAction::Filter(LibraryFilter { words: words.to_owned(), group, family })
    };
    for (action, wanted) in [
        (filter("", None, Some(Family::StableDiffusionXl)), &["b", "c", "f lora"][..]),
        (filter("", Some(EntryGroup::Adapters), None), &["f lora"]),
        (filter("LORA models", None, None), &["f lora"]),
        (filter("nothing", None, None), &[]),
        (filter("", Some(EntryGroup::Parts), None), &[]),
    ] {
        act(&mut session, action.clone());
        assert_eq!(names(&session), wanted, "{action:?}");
        assert_eq!(session.library().selected().map(|entry| entry.name.as_str()), wanted.first().copied());
    }
    assert_eq!([None, Some(EntryGroup::Models)].map(|group| session.library().count(group)), [6, 5]);
}

#[test]
fn stars_come_first_and_recent_models_after_them() {
    let mut session = session();
    act(&mut session, LibraryAction::Star(path("c")));
    act(&mut session, LibraryAction::Open(path("b")));
    let Some(model) = loaded_model(&mut session) else { panic!() };
    assert_eq!(model, ModelSource::Folder(path("b")));
    let job = session.model.load.as_ref().unwrap().job;
    let profile = crate::catalog::ModelProfile { source: model, ..(**session.profile().unwrap()).clone() };
    session.apply_event(crate::engine::Event::ModelLoaded {
        job,
        profile: profile.into(),
        device: "CPU".into(),
        in_halves: false,
        elapsed_secs: 0.1,
    });
    assert_eq!(names(&session), ["c", "b", "a", "d", "e"]);
    assert_eq!(session.library().stars(), [path("c")]);
    act(&mut session, LibraryAction::Star(path("c")));
    assert_eq!(names(&session), ["b", "a", "c", "d", "e"]);
}

#[test]
fn the_selection_moves_within_the_list_and_survives_a_search() {
    let mut session = session();
    let selected = |session: &Session| session.library().selected().map(|entry| entry.name.clone());
    assert_eq!(selected(&session).as_deref(), Some("a"));
    for (by, wanted) in [(1, "b"), (100, "e"), (-1, "d"), (-100, "a"), (2, "c")] {
        act(&mut session, LibraryAction::Move(by));
        assert_eq!(selected(&session).as_deref(), Some(wanted));
    }
    let mut snapshot = session.library().snapshot().clone();
    let more = entry("0", EntryKind::Checkpoint, Family::Flux1);
    snapshot.entries = std::iter::once(more).chain(snapshot.entries.iter().cloned()).collect();
    session.apply(Action::LibrarySays(LibraryReport::Listed(snapshot)));
    assert_eq!((selected(&session).as_deref(), session.library().place()), (Some("c"), Some(3)));
}

#[test]
fn a_model_opens_with_the_files_of_its_parts() {
    let mut session = session();
    act(&mut session, LibraryAction::Open(path("e")));
    let parts = ModelParts { model: path("e"), vae: Some("/models/ae".into()), ..ModelParts::default() };
    assert_eq!(loaded_model(&mut session), Some(ModelSource::Parts(Box::new(parts))));
    // One that lacks a part does not, and says why.
    act(&mut session, LibraryAction::Open(path("d")));
    assert_eq!(loaded_model(&mut session), None);
    let Some(Message::NotOpened(why)) = session.notices().last().map(|notice| &notice.message) else {
        panic!()
    };
    assert!(why.english().contains("the part"), "{}", why.english());
    // A file is found for it, and it opens.
    act(&mut session, LibraryAction::FindPart(path("d"), PartRole::Vae));
    assert!(matches!(session.take_effects()[..], [Effect::AskPart]));
    session.apply(Action::NamePart("/elsewhere/vae".into()));
    let parts = ModelParts { model: path("d"), vae: Some("/elsewhere/vae".into()), ..ModelParts::default() };
    let whole = ModelSource::Parts(Box::new(parts.clone()));
    assert_eq!(loaded_model(&mut session), Some(whole.clone()));
    // The next time it is known.
    session.restore_answers(crate::session::Answers::new(vec![parts]));
    act(&mut session, LibraryAction::Open(path("d")));
    assert_eq!(loaded_model(&mut session), Some(whole));
}

#[test]
fn what_is_taken_off_the_list_can_be_put_back() {
    let mut session = session();
    act(&mut session, LibraryAction::Select(path("b")));
    act(&mut session, LibraryAction::Remove(path("b")));
    assert_eq!(commands(&mut session), [LibraryCommand::Remove(path("b"))]);
    assert_eq!(session.library().selected().unwrap().name, "c", "its neighbour");
    let notice = session.last_taken_away().unwrap();
    assert!(session.can_take_back(notice));
    session.apply(Action::TakeBack(notice));
    assert_eq!(commands(&mut session), [LibraryCommand::Restore(path("b"))]);
    assert!(!session.can_take_back(notice));
    act(&mut session, LibraryAction::Remove(path("b")));
    session.apply(Action::Dismiss(session.last_taken_away().unwrap()));
    assert_eq!(session.last_taken_away(), None);
}

#[test]
fn only_files_in_plain_folders_are_deleted_and_only_after_a_question() {
    let mut session = session();
    act(&mut session, LibraryAction::AskDelete(path("a")));
    assert!(commands(&mut session).is_empty());
    assert!(matches!(session.question(), Some(Question::DeleteModel { name, .. }) if name == "a"));
    session.apply(Action::DropQuestion);
    assert_eq!(session.question(), None);
    act(&mut session, LibraryAction::Delete(path("a")));
    assert_eq!(commands(&mut session), [LibraryCommand::Delete(path("a"))]);

    let mut snapshot = session.library().snapshot().clone();
    let [mut shared, mut outside] = ["s", "o"].map(|name| entry(name, EntryKind::Checkpoint, Family::Flux1));
    shared.repository = Some("owner/s".to_owned());
    outside.path = "/elsewhere/o".into();
    let cached = Entry { path: "/hub/x".into(), ..entry("x", EntryKind::Checkpoint, Family::Flux1) };
    snapshot.folders.push(LibraryFolder { path: "/hub".into(), owner: FolderOwner::HuggingFace });
    snapshot.entries = [shared.clone(), outside.clone(), cached.clone()].into();
    session.apply(Action::LibrarySays(LibraryReport::Listed(snapshot)));
    let library = session.library();
    assert_eq!(
        [&shared, &outside, &cached].map(|entry| library.deletion(entry)),
        [Deletion::InSharedCache, Deletion::Outside, Deletion::InSharedCache]
    );
    act(&mut session, LibraryAction::AskDelete(shared.path));
    assert_eq!(session.question(), None);
}

#[test]
fn the_memory_of_a_model_is_asked_for_once_and_again_after_a_change() {
    use crate::engine::MemoryNeed;
    let mut session = session();
    let asked = |session: &mut Session| -> Vec<ModelSource> {
        let effects = session.take_effects().into_iter();
        effects
            .filter_map(|effect| match effect {
                Effect::Library(LibraryCommand::Forecast(model)) => Some(*model),
                _ => None,
            })
            .collect()
    };
    let whole = session.library().entry(&path("a")).unwrap().clone();
    let lacking = session.library().entry(&path("d")).unwrap().clone();
    assert_eq!(session.forecast(&whole), Forecast::Unknown);
    for _ in 0..2 {
        act(&mut session, LibraryAction::Forecast(path("a")));
        act(&mut session, LibraryAction::Forecast(path("d")));
    }
    let model = ModelSource::Folder(path("a"));
    assert_eq!(asked(&mut session), std::slice::from_ref(&model), "once, and not for one that lacks a part");
    assert_eq!((session.forecast(&whole), session.forecast(&lacking)), (Forecast::Asked, Forecast::Unknown));
    let need = MemoryNeed { together: 3 << 30, in_turn: None };
    session.apply(Action::LibrarySays(LibraryReport::Forecast(Box::new(model), Some(need))));
    assert_eq!(session.forecast(&whole), Forecast::Known(Some(need)));
    let snapshot = session.library().snapshot().clone();
    session.apply(Action::LibrarySays(LibraryReport::Listed(snapshot)));
    assert_eq!(session.forecast(&whole), Forecast::Unknown);
}

#[test]
fn the_thread_s_words_reach_the_user() {
    let mut session = session();
    let progress = HashProgress { path: path("a"), read: 1 << 29 };
    session.apply(Action::LibrarySays(LibraryReport::Hashing(Some(progress))));
    let hashed = session.library().entry(&path("a")).unwrap().clone();
    assert_eq!(session.hashing(&hashed), Some(0.5));
    session.apply(Action::LibrarySays(LibraryReport::Hashing(None)));
    assert_eq!(session.hashing(&hashed), None);
    session.apply(Action::LibrarySays(LibraryReport::Deleted("a".into())));
    session.apply(Action::LibrarySays(LibraryReport::Failed("no".into())));
    let messages: Vec<&Message> = session.notices().iter().map(|notice| &notice.message).collect();
    assert!(matches!(messages[..], [Message::EntryDeleted(_), Message::LibraryFailed(_)]), "{messages:?}");
}
