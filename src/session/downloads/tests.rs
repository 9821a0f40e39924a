//! Tests of the downloads in the window.

use super::*;
use crate::reason::ReasonKind;
use crate::session::library::{LibraryCommand, LibraryReport, LibrarySnapshot};
use crate::session::tests::ready;
use crate::session::{Action, Effect, Message, Question};
use crate::store::hub::{RepositoryPath, WebAddress};

fn download(id: u64, set: &str, state: DownloadState, received: u64, size: Option<u64>) -> Download {
    let bytes_per_sec = if state == DownloadState::Running { 1e6 } else { 0.0 };
    let source = Source::Direct {
        address: WebAddress::parse(&format!("https://files.example/{id}.gguf")).unwrap(),
        file_name: RepositoryPath::parse(&format!("{id}.gguf")).unwrap(),
    };
    Download { id: DownloadId(id), set: set.to_owned(), source, state, received, size, bytes_per_sec }
}

fn gated() -> Reason {
    Reason::new(ReasonKind::HubGated, "gated").with([&"a/b" as _, &"https://huggingface.co/a/b" as _])
}

fn session() -> Session {
    let mut session = ready();
    session.take_effects();
    session
}

fn say(session: &mut Session, report: DownloadsReport) {
    session.apply(Action::DownloadsSay(report));
}

fn act(session: &mut Session, action: DownloadAction) {
    session.apply(Action::Downloads(action));
}

/// The commands since the last call.
fn commands(session: &mut Session) -> Vec<DownloadsCommand> {
    let effects = session.take_effects().into_iter();
    effects
        .filter_map(|effect| match effect {
            Effect::Downloads(command) => Some(command),
            _ => None,
        })
        .collect()
}

fn wish(name: &str) -> Wish {
    Wish::Direct { typed: format!("https://files.example/{name}"), file_name: name.to_owned() }
}

#[test]
fn the_files_of_a_model_stand_together() {
    use DownloadState as State;
    let mut session = session();
    let all = vec![
        download(1, "a", State::Running, 30, Some(100)),
        download(2, "b", State::Paused, 5, Some(50)),
        download(3, "a", State::Waiting, 0, Some(100)),
        download(4, "b", State::Failed(gated()), 0, Some(50)),
        download(5, "c", State::Running, 7, None),
    ];
    say(&mut session, DownloadsReport::Listed(all));
    let downloads = session.downloads();
    let seen: Vec<_> = downloads
        .groups()
        .iter()
        .map(|group| (group.name.as_str(), group.state, group.received, group.size, group.ids.len()))
        .collect();
    assert_eq!(
        seen,
        [
            ("a", GroupState::Running, 30, Some(200), 2),
            ("b", GroupState::Failed, 5, Some(100), 2),
            ("c", GroupState::Running, 7, None, 1),
        ]
    );
    let a = downloads.group("a").unwrap();
    assert_eq!((a.share(), a.time_left().map(|left| left.as_micros())), (Some(0.15), Some(170)));
    assert!(downloads.group("b").unwrap().wants_account() && downloads.has_failures());
    assert!(downloads.is_active());
    // Of those whose size is known.
    assert!((downloads.share().unwrap() - 35.0 / 300.0).abs() < 1e-6);
    assert_eq!(downloads.forecast(6_000_000), (3.0, 2e6), "at the speed of both that run");
}

#[test]
fn a_wish_is_asked_for_shown_and_becomes_a_download_or_a_failure() {
    let mut session = session();
    act(&mut session, DownloadAction::Get(wish("a.gguf")));
    assert_eq!(commands(&mut session), [DownloadsCommand::Get(wish("a.gguf"))]);
    assert!(session.downloads().knows("a.gguf") && session.downloads().is_active());
    say(&mut session, DownloadsReport::Refused("a.gguf".into(), gated()));
    assert!(!session.downloads().is_active() && session.downloads().has_failures());
    act(&mut session, DownloadAction::Resume("a.gguf".into()));
    assert_eq!(commands(&mut session), [DownloadsCommand::Get(wish("a.gguf"))], "it is asked for again");
    assert!(!session.downloads().has_failures());
    say(&mut session, DownloadsReport::Started("a.gguf".into()));
    assert!(session.downloads().is_empty());
    act(&mut session, DownloadAction::Get(wish("b.gguf")));
    act(&mut session, DownloadAction::Cancel("b.gguf".into()));
    assert_eq!(commands(&mut session)[1], DownloadsCommand::StopAsking("b.gguf".into()));
    assert!(session.downloads().is_empty());
}

#[test]
fn giving_up_asks_where_something_would_be_removed() {
    let mut session = session();
    let all = vec![
        download(1, "a", DownloadState::Running, 30, Some(100)),
        download(2, "b", DownloadState::Waiting, 0, Some(100)),
    ];
    say(&mut session, DownloadsReport::Listed(all));
    act(&mut session, DownloadAction::AskCancel("b".into()));
    assert_eq!(commands(&mut session), [DownloadsCommand::Remove(vec![DownloadId(2)])]);
    act(&mut session, DownloadAction::AskCancel("a".into()));
    assert_eq!(commands(&mut session), []);
    assert!(matches!(session.question(), Some(Question::CancelDownload { received: 30, .. })));
    session.apply(Action::DropQuestion);
    assert_eq!(session.question(), None);
    assert_eq!(commands(&mut session), []);
    act(&mut session, DownloadAction::AskCancel("a".into()));
    act(&mut session, DownloadAction::Cancel("a".into()));
    assert_eq!(commands(&mut session), [DownloadsCommand::Remove(vec![DownloadId(1)])]);
    assert_eq!(session.question(), None);
}

#[test]
fn a_token_tries_again_what_was_refused_for_want_of_one_and_nothing_else() {
    let mut session = session();
    let all = vec![
        download(1, "gated", DownloadState::Failed(gated()), 0, Some(100)),
        download(2, "broken", DownloadState::Failed("the disk is full".into()), 0, Some(100)),
    ];
    say(&mut session, DownloadsReport::Listed(all));
    act(&mut session, DownloadAction::Get(wish("asked")));
    say(&mut session, DownloadsReport::Refused("asked".into(), gated()));
    act(&mut session, DownloadAction::Look("a/b".into()));
    say(&mut session, DownloadsReport::Looked(Err(gated())));
    commands(&mut session);
    let token = Token::new("hf_secret").unwrap();
    act(&mut session, DownloadAction::UseToken(token.clone()));
    let sent = commands(&mut session);
    assert_eq!(
        sent,
        [
            DownloadsCommand::KeepToken(token),
            DownloadsCommand::Resume(vec![DownloadId(1)]),
            DownloadsCommand::Get(wish("asked")),
            DownloadsCommand::Look("a/b".into()),
        ]
    );
    assert!(!format!("{sent:?} {:?}", session.downloads()).contains("secret"));
    say(&mut session, DownloadsReport::HasToken(true));
    act(&mut session, DownloadAction::ForgetToken);
    say(&mut session, DownloadsReport::HasToken(false));
    assert_eq!(session.notices().last().unwrap().message, Message::TokenForgotten);
}

#[test]
fn an_answer_for_another_address_is_not_taken() {
    let mut session = session();
    let found = Found::File { file_name: "a.gguf".into(), host: "files.example".into() };
    say(&mut session, DownloadsReport::Looked(Ok(found.clone())));
    assert_eq!(*session.downloads().look(), Look::Nothing);
    act(&mut session, DownloadAction::Look(" a/b ".into()));
    assert_eq!(*session.downloads().look(), Look::Asking("a/b".into()));
    say(&mut session, DownloadsReport::Looked(Ok(found.clone())));
    assert_eq!(*session.downloads().look(), Look::Found("a/b".into(), found));
    act(&mut session, DownloadAction::Look("  ".into()));
    assert!(matches!(session.downloads().look(), Look::Found(..)), "nothing was typed");
}

#[test]
fn what_is_complete_is_searched_for_and_offered_to_be_opened() {
    let mut session = session();
    let fetched =
        FetchedModel { name: "a".into(), folder: "/cache".into(), files: vec!["/cache/a.gguf".into()] };
    say(&mut session, DownloadsReport::Finished(fetched.clone()));
    let effects = session.take_effects();
    assert!(
        matches!(&effects[..], [Effect::Library(LibraryCommand::Fetched(sent))] if *sent == fetched),
        "{effects:?}"
    );
    // Not one that the library does not have.
    session.apply(Action::LibrarySays(LibraryReport::Fetched("a".into(), Some("/cache/a.gguf".into()))));
    assert_eq!(session.notices().last().unwrap().message, Message::Downloaded("a".into(), None));
}

#[test]
fn models_are_offered_until_there_is_one_or_nobody_wants_them() {
    let mut session = session();
    assert!(session.offers(Some(16_000_000_000)).is_empty(), "the library was not searched yet");
    let searched =
        || LibraryReport::Listed(LibrarySnapshot { is_complete: true, ..LibrarySnapshot::default() });
    session.apply(Action::LibrarySays(searched()));
    let ids = |session: &Session, memory| -> Vec<&str> {
        session.offers(memory).iter().map(|model| model.id.as_str()).collect()
    };
    assert_eq!(ids(&session, Some(16_000_000_000)).len(), 3);
    assert_eq!(ids(&session, None), ids(&session, Some(8_000_000_000)));
    act(&mut session, DownloadAction::HideOffers);
    assert!(ids(&session, None).is_empty() && session.offers_are_hidden());
    let mut used = Session::new(crate::catalog::ModelSource::Builtin, vec!["/models/a".into()]);
    used.apply(Action::LibrarySays(searched()));
    assert!(ids(&used, None).is_empty());
}
