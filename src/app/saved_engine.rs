//! How the engine runs, in the settings file.

use serde_json::{Value, json};

use crate::engine::EngineSettings;

/// Greatest number of threads that is taken for one.
const MOST_THREADS: u64 = 4096;

/// The device as its name on the command line, the number of threads, and the limit on memory in bytes.
pub(super) fn engine_to_json(engine: &EngineSettings) -> Value {
    json!({
        "device": engine.device.to_string(),
        "threads": engine.threads,
        "memory": engine.memory,
    })
}

/// `None` if a value is invalid.
pub(super) fn engine_from_json(value: &Value) -> Option<EngineSettings> {
    let figure = |name: &str| match value.get(name) {
        None | Some(Value::Null) => Some(None),
        Some(figure) => figure.as_u64().filter(|figure| *figure > 0).map(Some),
    };
    let threads = figure("threads")?;
    Some(EngineSettings {
        device: value.get("device")?.as_str()?.parse().ok()?,
        threads: match threads {
            Some(threads) if threads > MOST_THREADS => return None,
            threads => threads.map(|threads| threads as usize),
        },
        memory: figure("memory")?,
        ..EngineSettings::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::DeviceChoice;

    #[test]
    fn engine_settings_come_back_and_invalid_ones_do_not() {
        let engine = EngineSettings {
            device: DeviceChoice::Cuda(1),
            threads: Some(3),
            memory: Some(12 << 30),
            ..EngineSettings::default()
        };
        for engine in [engine, EngineSettings::default()] {
            assert_eq!(engine_from_json(&engine_to_json(&engine)), Some(engine));
        }
        for wrong in [
            json!({ "device": "toaster" }),
            json!({ "device": "cpu", "threads": 0 }),
            json!({ "device": "cpu", "threads": 1_000_000 }),
            json!({ "device": "cpu", "memory": -1 }),
            json!({ "device": "cpu", "memory": "8 GB" }),
            json!({ "threads": 2 }),
        ] {
            assert_eq!(engine_from_json(&wrong), None, "{wrong}");
        }
    }
}
