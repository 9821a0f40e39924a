//! The menu of previews.

use std::path::PathBuf;

use egui::accesskit::Role;
use egui_kittest::kittest::Queryable as _;
use egui_kittest::{Harness, SnapshotResults};
use safelight::app::Window;
use safelight::catalog::ModelSource;
use safelight::engine::{Command, Event, Job, JobKind};
use safelight::latent::LatentFormat;
use safelight::panels::Text;
use safelight::projection::{
    PatchProjection, PreviewFit, ProjectionQuality, RgbProjection, TinyConvolution, TinyNetwork,
};
use safelight::session::library::{
    Entry, EntryKind, Facts, Family, FileFormat, LibraryReport, LibrarySnapshot,
};
use safelight::session::{Action, Effect};

use super::{LOOKS, harness_of, keep_page, tell_sampling};

fn jobs(harness: &mut Harness<'_, Window>) -> Vec<Job> {
    let effects = harness.state_mut().session.take_effects().into_iter();
    effects
        .filter_map(|effect| match effect {
            Effect::Send(Command::Run(job)) => Some(job),
            _ => None,
        })
        .collect()
}

/// A model of Stable Diffusion's latents with fitted previews, as the engine would tell it.
fn tell_model(harness: &mut Harness<'_, Window>) {
    let model = ModelSource::Folder("/models/dream".into());
    let mut profile = (**harness.state().session.profile().unwrap()).clone();
    (profile.source, profile.format) = (model.clone(), LatentFormat::STABLE_DIFFUSION);
    harness.state_mut().session.apply(Action::SetModel(model.clone()));
    let job = jobs(harness).pop().unwrap().id;
    let loaded = Event::ModelLoaded {
        job,
        profile: profile.into(),
        device: "Processor, f32".into(),
        in_halves: false,
        elapsed_secs: 0.1,
    };
    harness.state_mut().session.apply_event(loaded);
    let fitting = jobs(harness).into_iter().find(|job| matches!(job.kind, JobKind::FitPreview { .. }));
    let patch = PatchProjection { channels: 4, downscale: 8, weight: vec![0.01; 37 * 192] };
    let fit = PreviewFit {
        linear: RgbProjection::stable_diffusion().into(),
        linear_quality: ProjectionQuality { psnr: 19.4, ssim: 0.41 },
        patch: patch.into(),
        patch_quality: ProjectionQuality { psnr: 22.1, ssim: 0.6 },
    };
    let event = Event::PreviewFitted { job: fitting.unwrap().id, model, fit: fit.into() };
    harness.state_mut().session.apply_event(event);
}

/// A tiny decoder in the library, opened and measured.
fn tell_tiny_decoder(harness: &mut Harness<'_, Window>) {
    let path = PathBuf::from("/models/taesd_decoder.safetensors");
    let entry = Entry {
        name: "taesd_decoder".into(),
        repository: None,
        files: vec![path.clone()],
        path,
        bytes: 4_900_000,
        facts: Facts {
            kind: EntryKind::TinyDecoder,
            families: vec![Family::StableDiffusion1],
            format: FileFormat::Safetensors,
            precision: "f16".into(),
            parameters: 1_222_531,
            weight_bytes: 2_445_062,
            needs: Vec::new(),
            offer: None,
            absent: Vec::new(),
            problem: None,
            title: None,
        },
        missing: Vec::new(),
        bytes_with_parts: 4_900_000,
        sha256: None,
    };
    let snapshot =
        LibrarySnapshot { entries: vec![entry].into(), is_complete: true, ..LibrarySnapshot::default() };
    let session = &mut harness.state_mut().session;
    session.apply(Action::LibrarySays(LibraryReport::Listed(snapshot)));
    session.open_tiny_decoder();
    let job = jobs(harness).pop().unwrap();
    assert!(matches!(job.kind, JobKind::OpenTinyDecoder { .. }));
    let convolution = |inputs: usize, outputs: usize| TinyConvolution {
        inputs,
        outputs,
        weight: vec![0.0; 9 * inputs * outputs],
        bias: Vec::new(),
    };
    let mut all = vec![convolution(4, 4)];
    all.resize(TinyNetwork::CONVOLUTIONS - 1, convolution(4, 4));
    all.push(convolution(4, 3));
    let network = TinyNetwork::new(all).map(Into::into);
    let session = &mut harness.state_mut().session;
    session.apply_event(Event::TinyDecoderOpened { job: job.id, network });
    let quality = Some(ProjectionQuality { psnr: 29.8, ssim: 0.91 });
    session.apply_event(Event::TinyDecoderMeasured { job: job.id, quality });
}

/// Opens the menu of previews.
fn open_menu(harness: &mut Harness<'_, Window>, text: &Text) {
    harness.get_by_role_and_label(Role::Button, text.preview_menu).click();
    harness.run_ok();
}

#[test]
fn the_menu_of_previews_says_how_each_agrees_and_what_to_get() {
    let mut all = SnapshotResults::new();
    for (language, theme, size) in LOOKS {
        let text = Text::of(language);
        let mut harness = harness_of(size, 1.0, |settings| {
            (settings.language, settings.theme) = (language, theme);
        });
        tell_model(&mut harness);
        harness.run_ok();
        open_menu(&mut harness, text);
        let missing = text.tiny_missing.replace("{}", "TAESD");
        let button = harness.get_by_label(&missing).rect();
        assert!(button.right() <= size.x && button.bottom() <= size.y, "{button:?}");
        let page = egui::Rect::from_min_max(egui::pos2(size.x - 760.0, size.y - 330.0), size.to_pos2());
        keep_page(&mut harness, page, "preview_menu_missing", (language, theme), &mut all);
        // The menu leads to the page from which it can be fetched.
        harness.get_by_label(&missing).click();
        harness.run_ok();
        harness.get_by_label("TAESD");
        harness.key_press(egui::Key::Escape);
        harness.run_ok();
        tell_tiny_decoder(&mut harness);
        tell_sampling(&mut harness);
        open_menu(&mut harness, text);
        // The tests have a software adapter, which draws no tiny decoder.
        harness.get_by_label_contains(&format!("{} · 29.8 dB", text.tiny));
        harness.get_by_label(text.tiny_unable);
        keep_page(&mut harness, page, "preview_menu", (language, theme), &mut all);
    }
}
