//! Opened pictures and latents.

use super::*;

#[test]
fn an_opened_picture_is_encoded_decoded_and_measured() {
    let mut session = ready();
    let id = open_file(&mut session, "a.png", picture_content(70, 66));
    let (job, picture) = encode_job(&mut session).unwrap();
    assert_eq!((picture.width(), picture.height()), (64, 64));
    assert_eq!(session.on_easel().unwrap().work().unwrap().kind, WorkKind::Encoding);
    session.apply_event(Event::Encoded { job, mean: latent(), log_variance: latent(), elapsed_secs: 0.1 });
    let (job, _) = decode_job(&mut session).unwrap();
    session.apply_event(decoded(job));
    let document = session.document(id).unwrap();
    assert!(document.original().is_some() && document.picture().is_some() && document.work().is_none());
    assert_eq!(document.title(), Title::File("a.png".into()));
    let file = document.file().unwrap();
    assert_eq!(file.posterior_sigma, [1.0; 4], "a log-variance of 0");
    assert!(!document.is_unsaved(), "it is a file already");
    let compares =
        |effect: &Effect| matches!(effect, Effect::Compare { downscale: 8, latent_bytes: 512, .. });
    assert!(session.take_effects().iter().any(compares));

    let wanted = DecodeChoice { tiles: Some(TileChoice::Always), in_f32: false };
    session.apply(Action::Decode(wanted));
    assert_eq!(decode_job(&mut session).unwrap().1, wanted);
}

/// Regression test: an encode job could not be stopped.
#[test]
fn encoding_can_be_stopped() {
    let mut session = ready();
    let id = open_file(&mut session, "a.png", picture_content(64, 64));
    let cancel = session.on_easel().unwrap().work().unwrap().cancel.clone();
    session.apply(Action::StopWork(id));
    assert!(cancel.is_stopped());
    let (job, _) = encode_job(&mut session).unwrap();
    session.apply_event(Event::Cancelled { job });
    assert!(session.on_easel().unwrap().work().is_none(), "the picture stays");
}

#[test]
fn a_picture_that_is_no_multiple_can_be_padded_instead() {
    let mut session = ready();
    open_file(&mut session, "a.png", picture_content(70, 66));
    session.take_effects();
    let padded = OpenOptions { framing: Framing::Pad, ..OpenOptions::default() };
    session.apply(Action::SetOpenOptions(padded));
    let (_, picture) = encode_job(&mut session).unwrap();
    assert_eq!((picture.width(), picture.height()), (72, 72));
}

#[test]
fn files_opened_together_are_documents_that_are_read_when_they_are_looked_at() {
    let mut session = ready();
    session.apply(Action::OpenPaths(vec!["a".into(), "b".into()]));
    let reads = |session: &mut Session| {
        let effects = session.take_effects().into_iter();
        let path = |effect| if let Effect::Read(_, path) = effect { Some(path) } else { None };
        effects.filter_map(path).map(|path| path.display().to_string()).collect::<Vec<_>>()
    };
    assert_eq!((reads(&mut session), session.documents().count()), (vec!["a".to_owned()], 2));
    session.apply(Action::ShowNeighbour(-1));
    assert_eq!(reads(&mut session), ["b"]);
    // An open file is not opened again.
    session.apply(Action::OpenPaths(vec!["a".into()]));
    assert_eq!((reads(&mut session).len(), session.documents().count()), (0, 2));
    let first = session.on_easel().unwrap().id();
    session.apply(Action::FileRead(first, Box::new(FileContent::Unreadable("it is damaged".into()))));
    assert_eq!(session.documents().count(), 1);
    assert_eq!(session.notices()[0].message, Message::NotOpened("it is damaged".into()));
}

#[test]
fn a_latent_that_does_not_say_its_space_is_asked_about() {
    let mut session = ready();
    let content = || FileContent::Latent { latent: latent().map(|_, _| 1.0), space: None };
    open_file(&mut session, "a.npy", content());
    assert!(matches!(session.question(), Some(Question::LatentKind { .. })));
    assert!(session.on_easel().unwrap().inspector().latent.is_none());
    // In SDXL's model space: 1 / 0.13025 in VAE space, times 0.18215 in this model's.
    session.apply(Action::AnswerKind(LatentSpace::Model, LatentFormat::SDXL));
    assert!((seen(&session) - 0.18215 / 0.13025).abs() < 1e-6);
    assert!(session.question().is_none());
    open_file(&mut session, "b.npy", content());
    session.apply(Action::DropQuestion);
    assert_eq!(session.documents().count(), 1, "it is nothing without an answer");
}

#[test]
fn a_latent_of_other_channels_waits_for_a_model_that_fits() {
    let mut session = ready();
    let sixteen = Latent::zeros(LatentShape::new(16, 8, 8));
    let content = FileContent::Latent { latent: sixteen.clone(), space: Some(LatentSpace::Vae) };
    open_file(&mut session, "f", content);
    assert!(matches!(session.take_effects()[..], [Effect::FindModels(16)]));
    let flux = ModelSource::Folder("/models/flux".into());
    session.apply(Action::ModelsFound(vec![flux.clone()]));
    session.apply(Action::AnswerModel(flux.clone()));
    let job = load_job(&mut session);
    let other = ModelProfile { source: flux, format: LatentFormat::FLUX, ..(*profile()).clone() };
    session.apply_event(loaded(job, Arc::new(other)));
    let shown = session.on_easel().unwrap();
    assert_eq!(shown.inspector().latent.as_ref().unwrap().shape(), sixteen.shape());
}

/// The program may be started on files, which are read before the model is loaded.
#[test]
fn files_that_are_read_while_the_first_model_loads_wait_for_it() {
    let mut session = Session::new(ModelSource::Builtin, Vec::new());
    let job = load_job(&mut session);
    open_file(&mut session, "latent", latent_content(2.0));
    open_file(&mut session, "picture", picture_content(64, 64));
    assert!(session.take_effects().is_empty(), "nothing is encoded without a model");
    assert!(session.notices().is_empty(), "{:?}", session.notices());
    session.apply_event(loaded(job, profile()));
    let encodes = |effect: &Effect| {
        matches!(effect, Effect::Send(Command::Run(Job { kind: JobKind::Encode { .. }, .. })))
    };
    assert_eq!(session.take_effects().iter().filter(|effect| encodes(effect)).count(), 1);
    let latents = session.documents().filter(|document| document.final_latent().is_some()).count();
    assert_eq!((session.documents().count(), latents), (2, 1));
    assert!(session.notices().is_empty(), "{:?}", session.notices());
}
