//! What is wrong with a grid or one of its cells, in words.

use super::setting_name;
use crate::panels::reasons::reason_words;
use crate::panels::words::draft_words;
use crate::panels::{Language, Text};
use crate::request::grid::{Grid, GridError};
use crate::session::CellFailure;

/// Why a cell has no picture.
pub(super) fn failure_words(failure: &CellFailure, language: Language) -> String {
    match failure {
        CellFailure::Refused(error) => grid_error_words(error, language),
        CellFailure::Failed(why) => reason_words(why, language),
    }
}

/// What is wrong with a grid.
pub(super) fn grid_error_words(error: &GridError, language: Language) -> String {
    if language == Language::English {
        return error.to_string();
    }
    let name = |setting| setting_name(setting, Text::of(Language::Korean));
    match error {
        GridError::NoSetting(text) | GridError::UnknownSetting(text) => {
            format!("‘{text}’: 그리드에서 바꿀 수 있는 설정이 아닙니다.")
        }
        GridError::NoValues(setting) => {
            format!("{} 값을 적으세요. 예: {}", name(*setting), setting.example())
        }
        GridError::EmptyValue(_) => "쉼표 사이에 값이 없습니다. 빈 글은 \"\"로 적으세요.".to_owned(),
        GridError::OpenQuote(text) => {
            format!("‘{text}’: 따옴표를 닫으세요. 따옴표 안의 따옴표는 두 번 적습니다.")
        }
        GridError::AfterQuote(text) => {
            format!("닫는 따옴표 다음에 ‘{text}’: 값 사이에는 쉼표를 적으세요.")
        }
        GridError::Value { setting, text } => {
            format!("‘{text}’: {} 값이 아닙니다. 예: {}", name(*setting), setting.example())
        }
        GridError::Range(text) => {
            format!("‘{text}’: 작은 값을 먼저, 간격은 0보다 크게 적으세요. 예: 1..7:2")
        }
        GridError::RangeWithoutDistance(text) => {
            format!("‘{text}’: 값의 간격도 적으세요. 예: {text}:0.1")
        }
        GridError::Twice { setting, value } => {
            format!("{}에 {value} 값이 두 번 있습니다. 하나를 지우세요.", name(*setting))
        }
        GridError::NothingInstead(words) => {
            format!(
                "‘{words}’ 대신 넣을 단어가 없습니다. 프롬프트의 단어를 먼저, 이어서 다른 단어를 적으세요."
            )
        }
        GridError::NoWords => "첫 단어는 바꿀 단어이므로 비울 수 없습니다.".to_owned(),
        GridError::Axes(count) => format!("축은 하나에서 셋까지입니다({count}개)."),
        GridError::SameSetting(setting) => {
            format!("두 축이 모두 {} 설정을 바꿉니다. 값을 한 축에 모으세요.", name(*setting))
        }
        GridError::SameWords(words) => format!("두 축이 모두 ‘{words}’를 바꿉니다. 단어를 한 축에 모으세요."),
        GridError::TooManyCells { cells } => {
            format!("그림이 {cells}장입니다. {}장 이하가 되도록 값을 줄이세요.", Grid::MOST_CELLS)
        }
        GridError::NotInPrompt(words) => {
            format!("‘{words}’: 프롬프트에도 네거티브 프롬프트에도 없어서 바꿀 수 없습니다.")
        }
        GridError::NoSource => "강도를 바꾸려면 원본 그림이 있어야 합니다.".to_owned(),
        GridError::NoGuidance => "이 모델에는 가이던스가 없습니다. 그 축을 빼세요.".to_owned(),
        GridError::Cell { cell, error } => {
            format!("그릴 수 없는 그림({cell}): {}", draft_words(error, Language::Korean))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::grid::{GridAxis, GridSetting};

    #[test]
    fn errors_are_said_in_both_languages() {
        let error = GridAxis::new(GridSetting::Steps, "10,x").unwrap_err();
        assert!(grid_error_words(&error, Language::English).contains("‘x’ is no value of steps"));
        let korean = grid_error_words(&error, Language::Korean);
        assert!(korean.contains("‘x’: 단계 값이 아닙니다"), "{korean}");
    }
}
