//! Tokens of a prompt, counted by the loaded model.

use safelight::catalog::ModelSource;
use safelight::engine::{Engine, EngineSettings, Event, JobKind};
use safelight::request::PromptLength;

use crate::fake::run;

fn measure(engine: &Engine, prompt: &str) -> Option<PromptLength> {
    run(engine, 7, JobKind::MeasurePrompt { model: ModelSource::Builtin, prompt: prompt.into() });
    match engine.next_event().expect("the engine lives") {
        Event::PromptMeasured { length, .. } => length,
        other => panic!("{other:?}"),
    }
}

/// The built-in model reads 48 tokens at once, of which 46 are the prompt's.
#[test]
fn a_prompt_is_measured_in_chunks_and_no_model_is_loaded_for_it() {
    let engine = Engine::start(EngineSettings::default(), || {}).unwrap();
    assert_eq!(measure(&engine, "hills"), None);
    run(&engine, 1, JobKind::LoadModel { model: ModelSource::Builtin });
    while !matches!(engine.next_event().expect("the engine lives"), Event::ModelLoaded { .. }) {}
    let chunks = |prompt: &str| {
        let length = measure(&engine, prompt).unwrap();
        assert_eq!((length.room, length.is_cut()), (46, false));
        length.chunks
    };
    assert_eq!(chunks(""), [0]);
    assert_eq!(chunks(&"hills ".repeat(46)), [46]);
    assert_eq!(chunks(&"hills ".repeat(47)), [46, 1]);
    assert_eq!(chunks("hills and trees BREAK hills"), [3, 1], "BREAK begins a chunk");
    assert_eq!(chunks("(hills:1.3)"), [1], "weights are no tokens");
    // More than a run takes is an error of the run, and no length.
    assert_eq!(measure(&engine, &"hills ".repeat(46 * 40)), None);
}
