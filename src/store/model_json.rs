//! Where a model is, as JSON. Paths that are no Unicode text are kept, and a value of the wrong kind in a model of several
//! files counts as none, so that the rest of the model is still known.

use std::path::{Path, PathBuf};

use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};
use serde_json::{Value, json};

use crate::catalog::{ModelParts, ModelSource, PredictionType};

/// A path as a string, or as its bytes if it is not valid Unicode.
pub fn path_to_json(path: &Path) -> Value {
    if let Some(text) = path.to_str() {
        return Value::from(text);
    }
    #[cfg(unix)]
    let bytes = std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str());
    #[cfg(not(unix))]
    let bytes = path.as_os_str().as_encoded_bytes();
    json!({ "bytes": bytes })
}

/// A path from what [`path_to_json`] gives; `None` for any other value.
pub fn path_from_json(value: &Value) -> Option<PathBuf> {
    if let Some(text) = value.as_str() {
        return Some(PathBuf::from(text));
    }
    let bytes: Vec<u8> = Vec::deserialize(value.get("bytes")?).ok()?;
    #[cfg(unix)]
    return Some(<std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes).into());
    #[cfg(not(unix))]
    return String::from_utf8(bytes).ok().map(PathBuf::from);
}

/// Where a model is.
pub fn model_to_json(model: &ModelSource) -> Value {
    match model {
        ModelSource::Builtin => json!("builtin"),
        ModelSource::Folder(folder) => json!({ "folder": path_to_json(folder) }),
        ModelSource::Parts(parts) => json!({ "parts": parts_to_json(parts) }),
    }
}

/// The files of a model.
pub fn parts_to_json(parts: &ModelParts) -> Value {
    let ModelParts { model, diffusion_model, text_encoders, vae, configuration, prediction } = parts;
    let path = |path: &Option<PathBuf>| path.as_deref().map_or(Value::Null, path_to_json);
    json!({
        "model": path_to_json(model),
        "diffusion_model": path(diffusion_model),
        "text_encoders": text_encoders.each_ref().map(path),
        "vae": path(vae),
        "configuration": path(configuration),
        "prediction": prediction,
    })
}

/// The files of a model; `None` if its own is not named.
pub fn parts_from_json(value: &Value) -> Option<ModelParts> {
    let path = |value: Option<&Value>| value.and_then(path_from_json);
    let encoder = |index: usize| path(value.get("text_encoders").and_then(|all| all.get(index)));
    Some(ModelParts {
        model: path(value.get("model"))?,
        diffusion_model: path(value.get("diffusion_model")),
        text_encoders: [encoder(0), encoder(1), encoder(2)],
        vae: path(value.get("vae")),
        configuration: path(value.get("configuration")),
        prediction: value.get("prediction").and_then(|kind| PredictionType::deserialize(kind).ok()),
    })
}

/// Where a model is; `None` if the value does not say.
pub fn model_from_json(value: &Value) -> Option<ModelSource> {
    if value == "builtin" {
        return Some(ModelSource::Builtin);
    }
    if let Some(parts) = value.get("parts") {
        return parts_from_json(parts).map(Box::new).map(ModelSource::Parts);
    }
    path_from_json(value.get("folder")?).map(ModelSource::Folder)
}

/// For `#[serde(with = …)]`.
pub(super) fn serialize<S: Serializer>(model: &ModelSource, serializer: S) -> Result<S::Ok, S::Error> {
    model_to_json(model).serialize(serializer)
}

/// For `#[serde(with = …)]`.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ModelSource, D::Error> {
    model_from_json(&Value::deserialize(deserializer)?)
        .ok_or_else(|| serde::de::Error::custom("it does not say where its model is"))
}
