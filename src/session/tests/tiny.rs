//! The tiny decoder of the loaded model, and quick decodes.

use std::path::PathBuf;

use super::*;
use crate::projection::{
    PatchProjection, PreviewFit, ProjectionQuality, RgbProjection, TinyConvolution, TinyNetwork,
};
use crate::session::library::{Entry, EntryKind, Facts, Family, FileFormat, LibraryReport, LibrarySnapshot};

fn entry(name: &str) -> Entry {
    let path = PathBuf::from(format!("/models/{name}.safetensors"));
    Entry {
        name: name.to_owned(),
        repository: None,
        files: vec![path.clone()],
        path,
        bytes: 1,
        facts: Facts {
            kind: EntryKind::TinyDecoder,
            families: vec![Family::StableDiffusion1, Family::StableDiffusionXl],
            format: FileFormat::Safetensors,
            precision: "f16".into(),
            parameters: 1,
            weight_bytes: 1,
            needs: Vec::new(),
            offer: None,
            absent: Vec::new(),
            problem: None,
            title: None,
        },
        missing: Vec::new(),
        bytes_with_parts: 1,
        sha256: None,
    }
}

fn listed(session: &mut Session, names: &[&str]) {
    let entries: Vec<Entry> = names.iter().map(|name| entry(name)).collect();
    let snapshot =
        LibrarySnapshot { entries: entries.into(), is_complete: true, ..LibrarySnapshot::default() };
    session.apply(Action::LibrarySays(LibraryReport::Listed(snapshot)));
}

/// A session with a model of Stable Diffusion's latents, whose previews are not cached.
fn with_model() -> Session {
    let mut session = ready();
    session.take_effects();
    let source = ModelSource::Folder("/models/dream".into());
    session.apply(Action::SetModel(source.clone()));
    let job = session.take_effects().into_iter().find_map(|effect| match effect {
        Effect::Send(Command::Run(Job { id, kind: JobKind::LoadModel { .. }, .. })) => Some(id),
        _ => None,
    });
    let format = LatentFormat::STABLE_DIFFUSION;
    let profile = Arc::new(ModelProfile { source, format, ..ModelProfile::made_up() });
    session.apply_event(loaded(job.unwrap(), profile));
    let fit = session.take_effects().into_iter().find_map(|effect| match effect {
        Effect::Send(Command::Run(Job { id, kind: JobKind::FitPreview { .. }, .. })) => Some(id),
        _ => None,
    });
    session.apply_event(Event::Cancelled { job: fit.unwrap() });
    session
}

/// The decoder that the engine is asked to open, and the job.
fn asked(session: &mut Session) -> Option<(JobId, String)> {
    session.open_tiny_decoder();
    session.take_effects().into_iter().find_map(|effect| match effect {
        Effect::Send(Command::Run(Job { id, kind: JobKind::OpenTinyDecoder { decoder, .. }, .. })) => {
            Some((id, decoder.file_stem().unwrap().to_str().unwrap().to_owned()))
        }
        _ => None,
    })
}

fn network() -> Arc<TinyNetwork> {
    let convolution = |inputs: usize, outputs: usize| TinyConvolution {
        inputs,
        outputs,
        weight: vec![0.0; 9 * inputs * outputs],
        bias: Vec::new(),
    };
    let mut all = vec![convolution(4, 4)];
    all.resize(TinyNetwork::CONVOLUTIONS - 1, convolution(4, 4));
    all.push(convolution(4, 3));
    Arc::new(TinyNetwork::new(all).unwrap())
}

fn measured(session: &mut Session, job: JobId, psnr: Option<f64>) {
    session.apply_event(Event::TinyDecoderOpened { job, network: Some(network()) });
    let quality = psnr.map(|psnr| ProjectionQuality { psnr, ssim: 0.5 });
    session.apply_event(Event::TinyDecoderMeasured { job, quality });
}

/// Previews are fitted, the linear map with 20 dB.
fn fitted(session: &mut Session) {
    let quality = ProjectionQuality { psnr: 20.0, ssim: 0.5 };
    let patch = PatchProjection { channels: 4, downscale: 8, weight: vec![0.0; 37 * 192] };
    let fit = PreviewFit {
        linear: RgbProjection::stable_diffusion().into(),
        linear_quality: quality,
        patch: patch.into(),
        patch_quality: quality,
    };
    let model = ModelSource::Folder("/models/dream".into());
    session.apply_event(Event::PreviewFitted { job: JobId(999), model, fit: fit.into() });
}

/// The fit fails, and is not tried again: a stopped one would be.
fn not_fitted(session: &mut Session, job: JobId) {
    let failure = Failure { task: Task::FitPreview, why: "NaN".into(), advice: None };
    session.apply_event(Event::Failed { job, failure });
}

#[test]
fn the_decoder_of_the_models_latents_is_opened_while_the_engine_is_idle_and_measured_once_it_can_be() {
    let mut session = with_model();
    assert_eq!(asked(&mut session), None);
    let TinyState::Missing(published) = session.tiny_state() else { panic!() };
    assert_eq!(published.name, "TAESD");
    listed(&mut session, &["taesdxl_decoder", "taesd_decoder"]);
    session.apply(Action::Generate);
    let drawing = sent_job(&mut session).unwrap();
    assert_eq!(asked(&mut session), None, "a picture is drawn");
    finish(&mut session, drawing);
    let Some(fit) = session.take_effects().into_iter().find_map(|effect| match effect {
        Effect::Send(Command::Run(Job { id, kind: JobKind::FitPreview { .. }, .. })) => Some(id),
        _ => None,
    }) else {
        panic!("previews are fitted after the first picture")
    };
    not_fitted(&mut session, fit);
    let (job, name) = asked(&mut session).unwrap();
    assert_eq!((name.as_str(), asked(&mut session)), ("taesd_decoder", None), "once");
    assert!(matches!(session.tiny_state(), TinyState::Opening));
    measured(&mut session, job, None);
    assert!(matches!(session.tiny_state(), TinyState::Open(opened) if opened.quality.is_none()));
    let weights = Arc::as_ptr(session.tiny_decoder().unwrap().network.as_ref().unwrap());
    session.take_effects();
    assert_eq!(asked(&mut session), None, "there is nothing to measure it against");
    fitted(&mut session);
    let (job, _) = asked(&mut session).unwrap();
    // A job of the user comes first.
    session.apply(Action::Generate);
    session.apply_event(Event::Cancelled { job });
    let drawing = sent_job(&mut session).unwrap();
    finish(&mut session, drawing);
    let (job, _) = asked(&mut session).unwrap();
    measured(&mut session, job, Some(28.0));
    let opened = session.tiny_decoder().unwrap();
    assert_eq!(opened.quality.unwrap().psnr, 28.0);
    assert_eq!(Arc::as_ptr(opened.network.as_ref().unwrap()), weights, "textures are kept by their address");
    assert_eq!(asked(&mut session), None);
}

#[test]
fn a_decoder_of_another_vae_is_told_by_its_pictures() {
    let mut session = with_model();
    fitted(&mut session);
    listed(&mut session, &["taesd_decoder", "mine"]);
    let (job, name) = asked(&mut session).unwrap();
    assert_eq!(name, "taesd_decoder");
    measured(&mut session, job, Some(12.0));
    assert!(session.tiny_decoder().is_none(), "its name lies");
    let (job, name) = asked(&mut session).unwrap();
    assert_eq!(name, "mine");
    session.apply_event(Event::TinyDecoderOpened { job, network: None });
    assert!(session.tiny_decoder().is_none(), "its name says nothing, and it is not measured");
    session.apply_event(Event::TinyDecoderMeasured {
        job,
        quality: Some(ProjectionQuality { psnr: 25.0, ssim: 0.9 }),
    });
    assert!(session.tiny_decoder().is_some_and(|opened| opened.network.is_none()));

    // One that cannot be opened is said once.
    let mut session = with_model();
    listed(&mut session, &["taesd"]);
    let (job, _) = asked(&mut session).unwrap();
    let failure = Failure { task: Task::OpenTinyDecoder, why: "damaged".into(), advice: None };
    session.apply_event(Event::Failed { job, failure });
    assert_eq!((asked(&mut session), session.notices().len()), (None, 1));
    assert!(matches!(session.tiny_state(), TinyState::Unfit("taesd")));
}

#[test]
fn a_quick_decode_is_shown_and_never_stands_for_the_vaes() {
    let mut session = with_model();
    listed(&mut session, &["taesd"]);
    session.apply(Action::Generate);
    let job = sent_job(&mut session).unwrap();
    for at in 1..=2 {
        session.apply_event(Event::StepFinished { job, step: step(at, latent().map(|_, _| at as f32)) });
    }
    finish(&mut session, job);
    for effect in session.take_effects() {
        if let Effect::Send(Command::Run(Job { id, kind: JobKind::FitPreview { .. }, .. })) = effect {
            not_fitted(&mut session, id);
        }
    }
    assert!(!session.can_decode_quickly(), "no decoder is open");
    let (job, _) = asked(&mut session).unwrap();
    measured(&mut session, job, None);
    let id = session.on_easel().unwrap().id();
    session.apply(Action::Touch(Touch::Channel {
        index: 0,
        adjustment: ChannelAdjustment { gain: 2.0, ..ChannelAdjustment::default() },
        begins: true,
    }));
    assert!(session.can_decode_quickly() && session.on_easel().unwrap().picture().is_none());
    session.apply(Action::DecodeQuickly);
    let (job, file) = session
        .take_effects()
        .into_iter()
        .find_map(|effect| match effect {
            Effect::Send(Command::Run(Job { id, kind: JobKind::DecodeQuickly { decoder, .. }, .. })) => {
                Some((id, decoder))
            }
            _ => None,
        })
        .unwrap();
    assert_eq!(file, PathBuf::from("/models/taesd.safetensors"));
    assert_eq!(session.on_easel().unwrap().work().unwrap().kind, WorkKind::DecodingQuickly);
    session.apply_event(decoded(job));
    let document = session.document(id).unwrap();
    assert!(document.is_quick() && document.picture().is_some());
    assert!(!session.can_export(ExportKind::Picture), "it is no picture to keep");
    session.apply(Action::Decode(DecodeChoice::default()));
    let (job, _) = decode_job(&mut session).unwrap();
    session.apply_event(decoded(job));
    let document = session.document(id).unwrap();
    assert!(!document.is_quick() && document.picture().is_some());
    assert!(session.can_export(ExportKind::Picture));
}
