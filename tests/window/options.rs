//! Options of sampling and prompts.

use egui::accesskit::Role;
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use safelight::app::{ThemeChoice, Window};
use safelight::catalog::{
    GuidanceKind, ImageSize, ModelProfile, PredictionType, PromptFeatures, SamplerKind,
};
use safelight::panels::Language;
use safelight::request::{NoiseLevels, SkipLayers};
use safelight::session::Action;

use super::controls::assert_controls_are_described;
use super::{draw, harness_of, is_drawn, results, tell_loaded, type_into, wait};

/// The fields of numbers below the usual settings.
fn has_option(harness: &Harness<'_, Window>, name: &str) -> bool {
    harness.query_by_role_and_label(Role::SpinButton, name).is_some()
}

fn is_off(harness: &Harness<'_, Window>, role: Role, name: &str) -> bool {
    harness.get_by_role_and_label(role, name).accesskit_node().is_disabled()
}

/// The window has the options of the command line, where the model has them.
#[test]
fn options_of_the_model_are_set_and_go_back_to_its_own() {
    let mut harness = harness_of(egui::vec2(1280.0, 1200.0), 1.0, |_| {});
    harness.get_by_label("More settings").click();
    harness.run_ok();
    let options = ["Eta", "Rescale", "CLIP skip", "Shift", "True guidance", "Max tokens"];
    let shown = |harness: &Harness<'_, Window>| options.map(|name| has_option(harness, name));
    assert_eq!(shown(&harness), [true, true, true, false, false, false]);
    assert_eq!(harness.query_all_by_value("Auto").count(), 2, "eta and CLIP skip");

    type_into(&mut harness, Role::SpinButton, "Eta", "0.4");
    type_into(&mut harness, Role::SpinButton, "Rescale", "7");
    type_into(&mut harness, Role::SpinButton, "CLIP skip", "1");
    let draft = harness.state().session.draft();
    assert_eq!(
        (draft.options.eta, draft.options.guidance_rescale),
        (Some(0.4), 1.0),
        "7 is beyond its bounds"
    );
    assert_eq!(
        draft.prompt_options.clip_skip,
        Some(1),
        "what is typed is set, though it is where a drag starts"
    );
    harness.get_by_label("More settings · 3");
    harness.get_by_label("CLIP skip: Back to the model's own").click();
    harness.run_ok();
    harness.get_by_label("Rescale: Back to the model's own").click();
    harness.run_ok();
    let draft = harness.state().session.draft();
    assert_eq!((draft.options.guidance_rescale, draft.prompt_options.clip_skip), (0.0, None));

    // Another sampler has no eta, and draws without it.
    harness.state_mut().session.draft_mut().sampler = SamplerKind::Heun;
    harness.run_ok();
    assert!(!has_option(&harness, "Eta"));
    draw(&mut harness);
    assert_eq!(results(harness.state())[0].request.options.eta, None);
    harness.state_mut().session.draft_mut().sampler = SamplerKind::Ddim;
    harness.run_ok();
    harness.get_by_value("0.4");
}

#[test]
fn noise_levels_are_typed_in_place_of_a_schedule() {
    let mut harness = harness_of(egui::vec2(1280.0, 1200.0), 1.0, |_| {});
    harness.get_by_label("More settings").click();
    harness.run_ok();
    harness.get_by_label("Advanced").click();
    harness.run_ok();
    harness.get_by_role_and_label(Role::ComboBox, "Noise levels").click();
    harness.run_ok();
    harness.get_by_label("Sigmas").click();
    harness.run_ok();
    assert!(!is_off(&harness, Role::Slider, "Steps"), "nothing is listed yet");
    type_into(&mut harness, Role::TextInput, "Sigmas", "5, 2, 0.5");
    let draft = harness.state().session.draft();
    assert_eq!(draft.options.levels, Some(NoiseLevels::Sigmas(vec![5.0, 2.0, 0.5])));
    assert!(is_off(&harness, Role::Slider, "Steps") && is_off(&harness, Role::ComboBox, "Schedule"));
    harness.state_mut().session.apply(Action::Generate);
    wait(&mut harness, "a picture", is_drawn);
    harness.run_ok();
    assert_eq!(results(harness.state())[0].request.steps, 3);

    for (wrong, why) in [
        ("5, x", "Not used: ‘x’ is not a number"),
        ("5, 7", "Not used: use falling numbers: 5 is followed by 7"),
        ("9999", "Not used: 9999 is not a sigma of this model: choose from 0.000001 to 4096"),
    ] {
        type_into(&mut harness, Role::TextInput, "Sigmas", wrong);
        harness.get_by_label(why);
        assert_eq!(harness.state().session.draft().options.levels, None);
    }
    // The recipe's own steps are back.
    let draft = harness.state().session.draft();
    assert_eq!((draft.steps, is_off(&harness, Role::Slider, "Steps")), (20, false));
}

/// As FLUX.1 and Stable Diffusion XL together, so that every option is there.
fn with_every_option(profile: &mut ModelProfile) {
    profile.prediction = PredictionType::Flow;
    profile.guidance = GuidanceKind::Embedded;
    profile.prompt_features = PromptFeatures {
        clip_layers: 12,
        max_tokens: Some(512),
        true_guidance: true,
        size_conditions: true,
        skip_layers: 0,
    };
    profile.defaults.size = ImageSize::new(1024, 1024);
}

#[test]
fn every_option_has_its_place_and_true_guidance_takes_a_negative_prompt() {
    let mut all = egui_kittest::SnapshotResults::new();
    for (name, language, theme, size) in [
        ("options", Language::English, ThemeChoice::Dark, egui::vec2(1280.0, 800.0)),
        ("options_korean_narrow", Language::Korean, ThemeChoice::Light, egui::vec2(1024.0, 640.0)),
    ] {
        let mut harness = harness_of(size, 1.0, |settings| {
            (settings.language, settings.theme) = (language, theme);
        });
        tell_loaded(&mut harness, with_every_option);
        harness.run_ok();
        let text = safelight::panels::Text::of(language);
        assert!(is_off(&harness, Role::MultilineTextInput, text.negative_prompt));
        for heading in [text.more, text.advanced] {
            harness.get_by_label(heading).click_accesskit();
            harness.run_ok();
        }
        for option in
            [text.eta, text.shift, text.true_guidance, text.rescale, text.clip_skip, text.max_tokens]
        {
            assert!(has_option(&harness, option), "{option}");
        }
        for pair in [
            [text.original_size, text.width, text.height],
            [text.cut_off, text.left_edge, text.top_edge],
            [text.target_size, text.width, text.height],
        ] {
            for part in &pair[1..] {
                assert!(has_option(&harness, &format!("{}: {part}", pair[0])), "{pair:?}");
            }
        }
        let draft = harness.state_mut().session.draft_mut();
        draft.prompt_options.true_guidance_scale = Some(1.0);
        harness.run_ok();
        assert!(is_off(&harness, Role::MultilineTextInput, text.negative_prompt), "1 is no guidance");
        let draft = harness.state_mut().session.draft_mut();
        draft.prompt_options.true_guidance_scale = Some(3.5);
        draft.prompt_options.original_size = Some(ImageSize::new(640, 480));
        draft.options.levels = Some(NoiseLevels::Sigmas(vec![1.0, 0.75, 0.5, 0.25]));
        harness.run_ok();
        assert!(!is_off(&harness, Role::MultilineTextInput, text.negative_prompt));
        assert_controls_are_described(&harness, name);
        // Down to the end of the recipe.
        harness.hover_at(egui::pos2(150.0, 300.0));
        harness.event(egui::Event::MouseWheel {
            source: egui::MouseWheelSource::Wheel,
            unit: egui::MouseWheelUnit::Point,
            delta: egui::vec2(0.0, -4000.0),
            phase: egui::TouchPhase::Move,
            modifiers: egui::Modifiers::NONE,
        });
        harness.run_ok();
        harness.event(egui::Event::PointerGone);
        harness.run_ok();
        harness.snapshot(name);
        all.extend(harness.take_snapshot_results());
    }
}

/// As Stable Diffusion 3.5 in a file that does not say what the network predicts.
fn with_skipped_layers(profile: &mut ModelProfile) {
    profile.prediction_is_open = true;
    profile.prompt_features = PromptFeatures { skip_layers: 24, ..PromptFeatures::default() };
}

#[test]
fn layers_are_skipped_and_a_prediction_is_chosen_where_the_model_has_the_choice() {
    let mut all = egui_kittest::SnapshotResults::new();
    for (name, language) in [("skip_layers", Language::English), ("skip_layers_korean", Language::Korean)] {
        let mut harness =
            harness_of(egui::vec2(1280.0, 1100.0), 1.0, |settings| settings.language = language);
        let text = safelight::panels::Text::of(language);
        for heading in [text.more, text.advanced] {
            harness.get_by_label(heading).click_accesskit();
            harness.run_ok();
        }
        let has =
            |harness: &Harness<'_, Window>, role, name| harness.query_by_role_and_label(role, name).is_some();
        for hidden in [(Role::TextInput, text.skip_layers), (Role::ComboBox, text.prediction)] {
            assert!(!has(&harness, hidden.0, hidden.1), "{}", hidden.1);
        }
        tell_loaded(&mut harness, with_skipped_layers);
        harness.run_ok();
        assert!(has(&harness, Role::ComboBox, text.prediction));
        assert!(!has_option(&harness, text.skip_scale), "no layer is skipped");
        type_into(&mut harness, Role::TextInput, text.skip_layers, "7, 8, 9");
        let skip = |harness: &Harness<'_, Window>| harness.state().session.draft().prompt_options.skip_layers;
        let own = SkipLayers::new(skip(&harness).unwrap().layers);
        assert_eq!((skip(&harness), own.layers.iter().collect::<Vec<_>>()), (Some(own), vec![7, 8, 9]));
        type_into(&mut harness, Role::SpinButton, text.skip_scale, "1.5");
        let until = format!("{}: {}", text.skip_range, text.skip_end);
        type_into(&mut harness, Role::SpinButton, &until, "0.4");
        assert_eq!(skip(&harness), Some(SkipLayers { scale: 1.5, end: 0.4, ..own }));
        assert_controls_are_described(&harness, name);
        harness.event(egui::Event::PointerGone);
        harness.run_ok();
        harness.snapshot(name);
        all.extend(harness.take_snapshot_results());

        type_into(&mut harness, Role::TextInput, text.skip_layers, "7, 24");
        assert_eq!(skip(&harness), None, "there are 24 layers");
        let restored: SkipLayers = "3 x 2 0-0.5".parse().unwrap();
        harness.state_mut().session.draft_mut().prompt_options.skip_layers = Some(restored);
        harness.run_ok();
        assert_eq!(harness.get_by_role_and_label(Role::TextInput, text.skip_layers).value().unwrap(), "3");
        assert_eq!(skip(&harness), Some(restored));
    }
}
