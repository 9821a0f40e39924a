//! The words of messages, in both languages.

use super::reasons::reason_words;
use super::{Language, Text};
use crate::catalog::ModelSource;
use crate::engine::{Advice, Failure, Task};
use crate::formats::metadata::Unrestored;
use crate::request::{DraftError, GenerationDraft, LevelsError, NoiseLevels};
use crate::session::{Edit, Message, Title};

/// The title of a message and the text under it.
pub(super) fn message_words(message: &Message, language: Language) -> [String; 2] {
    let pick = |english: &str, korean: &str| match language {
        Language::English => english.to_owned(),
        Language::Korean => korean.to_owned(),
    };
    match message {
        Message::Saved(path) => [pick("Saved", "저장했습니다"), path.display().to_string()],
        Message::NotSaved(why) => [pick("Not saved", "저장하지 못했습니다"), reason_words(why, language)],
        Message::NotOpened(why) => {
            [pick("This could not be opened", "열지 못했습니다"), reason_words(why, language)]
        }
        Message::NotTaken(why) => {
            let why = reason_words(why, language);
            [pick("The engine did not take the job", "엔진이 작업을 받지 못했습니다"), why]
        }
        Message::SettingsDamaged { why, kept_as } => [
            pick("The settings file was damaged", "설정 파일이 손상되었습니다"),
            match language {
                Language::English => {
                    format!("What is whole of it is used ({why}). A copy was kept: {}", kept_as.display())
                }
                Language::Korean => {
                    format!(
                        "온전한 부분만 사용합니다({why}). 원본은 여기에 보관했습니다: {}",
                        kept_as.display()
                    )
                }
            },
        ],
        Message::SettingsUnread(why) => [
            pick("The settings could not be read", "설정을 읽지 못했습니다"),
            match language {
                Language::English => format!("So they will not be written either: {why}"),
                Language::Korean => format!("그래서 저장하지도 않습니다: {why}"),
            },
        ],
        Message::SettingsUnwritten(why) => {
            [pick("The settings could not be saved", "설정을 저장하지 못했습니다"), why.clone()]
        }
        Message::ModelHeldBack(model) => [
            pick("The last model was not loaded", "마지막 모델을 불러오지 않았습니다"),
            held_back_words(model, language),
        ],
        Message::NothingKept(why) => [
            pick(
                "Unsaved pictures cannot be kept if Safelight ends unexpectedly",
                "예기치 않게 끝나면 저장하지 않은 그림을 지킬 수 없습니다",
            ),
            reason_words(why, language),
        ],
        Message::RunNotKept(why) => {
            [pick("The run is not kept", "실행을 보관하지 못합니다"), reason_words(why, language)]
        }
        Message::Interrupted(count) => [
            pick("Drawing was interrupted", "그리기가 중단되었습니다"),
            match language {
                Language::English => format!("Pictures that can go on from their last step: {count}"),
                Language::Korean => format!("마지막 단계부터 이어 그릴 수 있는 그림: {count}"),
            },
        ],
        Message::RunsDeleted(count) => [
            pick("Moved to the trash", "휴지통으로 옮겼습니다"),
            match language {
                Language::English => format!("Pictures: {count}"),
                Language::Korean => format!("그림: {count}"),
            },
        ],
        Message::RunIsEmpty => [
            pick("There is nothing to show", "보여 줄 것이 없습니다"),
            pick("It ended before its first step.", "첫 단계 전에 끝났습니다."),
        ],
        Message::RunIsThinned => [
            pick("It cannot go on", "이어 그릴 수 없습니다"),
            pick(
                "Its steps were removed to save space. Its settings can be used again.",
                "공간을 위해 단계를 지웠습니다. 설정은 다시 쓸 수 있습니다.",
            ),
        ],
        Message::Described(words) => [pick("The picture in words", "그림 설명"), words.clone()],
        Message::NothingDescribed => [
            pick("The picture in words", "그림 설명"),
            pick("The model found no words for it.", "모델이 알맞은 말을 찾지 못했습니다."),
        ],
        Message::NoPictureSearch => [
            pick("A model is needed", "모델이 필요합니다"),
            pick(
                "A CLIP or SigLIP model finds pictures by their meaning: get openai/clip-vit-large-patch14 or google/siglip-base-patch16-224.",
                "뜻으로 찾으려면 CLIP이나 SigLIP 모델이 필요합니다. openai/clip-vit-large-patch14나 google/siglip-base-patch16-224를 받으세요.",
            ),
        ],
        Message::NoPictureDescription => [
            pick("A model is needed", "모델이 필요합니다"),
            pick(
                "A BLIP model describes pictures: get Salesforce/blip-image-captioning-base.",
                "그림을 설명하려면 BLIP 모델이 필요합니다. Salesforce/blip-image-captioning-base를 받으세요.",
            ),
        ],
        Message::HistoryFailed(why) => [pick("Kept pictures", "보관된 그림"), reason_words(why, language)],
        Message::NotRecovered(latent) => [
            pick("A picture could not be restored", "그림을 복원하지 못했습니다"),
            match language {
                Language::English => format!(
                    "The model that drew it is not there. Its latent is kept and can be opened with another: {}",
                    latent.display()
                ),
                Language::Korean => format!(
                    "그림을 그린 모델이 없습니다. 잠재는 남아 있으니 다른 모델로 열 수 있습니다: {}",
                    latent.display()
                ),
            },
        ],
        Message::Removed(title) => [pick("Removed", "제거했습니다"), title_words(title, Text::of(language))],
        Message::Dropped(count) => [
            match language {
                Language::English if *count == 1 => "1 waiting picture removed".to_owned(),
                Language::English => format!("{count} waiting pictures removed"),
                Language::Korean => format!("대기 중이던 그림 {count}장을 제거했습니다"),
            },
            String::new(),
        ],
        Message::Kept(title) => [
            pick("Kept on the contact sheet", "밀착지에 보관했습니다"),
            title_words(title, Text::of(language)),
        ],
        Message::Copied => [pick("Picture copied", "그림을 복사했습니다"), String::new()],
        Message::ModelsForgotten => {
            [pick("Recent models forgotten", "최근 모델 목록을 비웠습니다"), String::new()]
        }
        Message::PromptsForgotten => [pick("Prompts forgotten", "프롬프트를 비웠습니다"), String::new()],
        Message::EntryRemoved(name) => [
            pick("Taken off the list; its files stay", "목록에서 뺐습니다. 파일은 남아 있습니다"),
            name.clone(),
        ],
        Message::EntryDeleted(name) => [pick("Moved to the trash", "휴지통으로 옮겼습니다"), name.clone()],
        Message::LibraryFailed(why) => {
            [pick("This did not work", "하지 못했습니다"), reason_words(why, language)]
        }
        Message::Downloaded(name, _) => [pick("Downloaded", "내려받았습니다"), name.clone()],
        Message::DownloadsFailed(why) => {
            [pick("Downloading did not work", "내려받기를 하지 못했습니다"), reason_words(why, language)]
        }
        Message::TokenForgotten => {
            [pick("The access token was forgotten", "액세스 토큰을 지웠습니다"), String::new()]
        }
        Message::HoldsSettings(_) => {
            [pick("This picture holds its settings", "이 그림에는 설정이 들어 있습니다"), String::new()]
        }
        Message::DeviceRefused(why) => [
            pick("The GPU is not used", "GPU를 쓰지 않습니다"),
            match language {
                Language::English => format!("The processor draws instead: {why}"),
                Language::Korean => format!("프로세서로 그립니다: {}", reason_words(why, language)),
            },
        ],
        Message::Repainted => [
            pick("The graphics device was lost", "그래픽 장치와의 연결이 끊겼습니다"),
            pick("The window is drawn anew; nothing was lost.", "창을 다시 그렸습니다. 잃은 것은 없습니다."),
        ],
        Message::NotDrawable(error) => {
            [pick("This cannot be drawn", "그릴 수 없습니다"), draft_words(error, language)]
        }
        Message::Restored(missing) => {
            let missing: Vec<String> = missing.iter().map(|what| unrestored_words(what, language)).collect();
            let why = if missing.is_empty() {
                String::new()
            } else {
                format!("{} {}", pick("Not restored:", "복원하지 못한 것:"), missing.join(", "))
            };
            [pick("Settings restored", "설정을 복원했습니다"), why]
        }
        Message::TooSmall(edge) => [
            pick("This picture cannot be encoded", "이 그림은 인코딩할 수 없습니다"),
            match language {
                Language::English => {
                    format!(
                        "It is smaller than one latent pixel ({edge}×{edge}). Choose to pad it, or a larger one."
                    )
                }
                Language::Korean => {
                    format!(
                        "잠재 픽셀 하나({edge}×{edge})보다 작습니다. 여백 채우기를 고르거나 더 큰 그림을 여세요."
                    )
                }
            },
        ],
        Message::ScaledDown(width, height) => [
            pick("The picture was large and was scaled down", "그림이 커서 축소했습니다"),
            match language {
                Language::English => format!("{width}×{height} pixels are used."),
                Language::Korean => format!("{width}×{height} 픽셀을 사용합니다."),
            },
        ],
        Message::NoModel => [
            pick("No model is loaded yet", "아직 모델이 없습니다"),
            pick(
                "Wait until it is loaded, or choose another one.",
                "불러올 때까지 기다리거나 다른 모델을 고르세요.",
            ),
        ],
        Message::Failed(failure) => failure_words(failure, language),
        Message::ModelRemarks(what) => [pick("About this model", "이 모델에 대하여"), what.join(" ")],
        Message::PromptRemarks(what) => [
            pick("Parts of the prompt are not followed", "프롬프트의 일부는 적용되지 않습니다"),
            what.join(" "),
        ],
        Message::Decoder(what) => [pick("Decoded again", "다시 디코딩했습니다"), what.clone()],
    }
}

fn held_back_words(model: &ModelSource, language: Language) -> String {
    let name = model.short_name();
    match language {
        Language::English => format!(
            "Safelight ended while it loaded {name}. Its files may be damaged. Try again, or choose another model."
        ),
        Language::Korean => format!(
            "{name} 모델을 불러오다가 Safelight가 끝났습니다. 파일이 손상되었을 수 있습니다. 다시 시도하거나 다른 모델을 고르세요."
        ),
    }
}

/// The title of a document.
pub(super) fn title_words(title: &Title, text: &Text) -> String {
    match title {
        Title::Picture { seed, prompt } if prompt.is_empty() => format!("{} {seed}", text.seed),
        Title::Picture { seed, prompt } => format!("{} · {seed}", shortened(prompt)),
        Title::File(name) => name.clone(),
        Title::Kept(from) => format!("{} · {}", title_words(from, text), text.kept_title),
    }
}

/// The name of an edit of a latent.
pub(super) fn edit_words(edit: Edit, text: &Text) -> String {
    let of_channel = |index: usize, what: &str| format!("{} {index} · {what}", text.channel);
    match edit {
        Edit::Gain(index) => of_channel(index, text.gain),
        Edit::Offset(index) => of_channel(index, text.offset),
        Edit::Mute(index) => of_channel(index, text.mute),
        Edit::Solo(index) => of_channel(index, text.solo),
        Edit::Blend => text.edit_blend.to_owned(),
        Edit::Reset => text.reset.to_owned(),
    }
}

/// The beginning of a prompt.
fn shortened(prompt: &str) -> String {
    const MOST: usize = 60;
    match prompt.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &prompt[..end]),
        None => prompt.to_owned(),
    }
}

/// What failed; why, and what to try.
pub(super) fn failure_words(failure: &Failure, language: Language) -> [String; 2] {
    let advice = failure.advice.map(|advice| match language {
        Language::English => advice.to_string(),
        Language::Korean => korean_advice(advice).to_owned(),
    });
    let title = match language {
        Language::English => failure.task.to_string(),
        Language::Korean => korean_task(failure.task).to_owned(),
    };
    let why = reason_words(&failure.why, language);
    [title, [why, advice.unwrap_or_default()].join("\n").trim().to_owned()]
}

fn korean_task(task: Task) -> &'static str {
    match task {
        Task::LoadModel => "모델을 불러오지 못했습니다",
        Task::EncodePrompt => "프롬프트를 읽지 못했습니다",
        Task::EncodePicture => "그림을 인코딩하지 못했습니다",
        Task::EncodeSource => "원본 그림을 인코딩하지 못했습니다",
        Task::Sample => "샘플링에 실패했습니다",
        Task::Decode => "잠재를 디코딩하지 못했습니다",
        Task::OpenTinyDecoder => "소형 디코더를 쓰지 못했습니다",
        Task::FitPreview => "미리보기를 맞추지 못했습니다",
        Task::FindRuns => "그림을 찾지 못했습니다",
        Task::Describe => "그림을 설명하지 못했습니다",
        Task::Run => "엔진이 예기치 않게 멈췄습니다",
    }
}

fn korean_advice(advice: Advice) -> &'static str {
    match advice {
        Advice::ChooseFolderAgain => "모델 폴더가 옮겨졌거나 지워졌습니다. 다시 고르세요.",
        Advice::ChooseModelFolder => "model_index.json이 든 폴더를 고르고, 내려받기가 끝났는지 확인하세요.",
        Advice::NamePart(_) => "그 부분이 든 파일을 고르거나, 모델 옆에 두세요.",
        Advice::CheckFile => "파일이 있는지, 읽을 권한이 있는지 확인하세요.",
        Advice::DownloadAgain => "모델을 다시 내려받거나 다른 모델을 고르세요.",
        Advice::OtherDevice => "설정에서 다른 장치를 고르세요.",
        Advice::OtherVae => "잠재는 남아 있습니다. 저장한 뒤 다른 VAE로 시도하세요.",
        Advice::ChooseFitting => "맞는 모델을 고르거나 크기를 바꾸세요.",
        Advice::GentlerSampling => "f32, 더 낮은 가이던스, 또는 다른 샘플러를 써 보세요.",
        Advice::WiderNumbers => "f32를 고르세요. 값이 다른 형식으로는 나타낼 수 없을 만큼 클 수 있습니다.",
        Advice::ChangeSampling => "샘플러, 스케줄, 단계 수를 바꾸세요.",
        Advice::SmallerPicture => "더 작은 그림으로 시도하세요. 또 실패하면 모델이 손상되었을 수 있습니다.",
        Advice::LessMemory => "다른 프로그램을 닫거나, 더 작은 크기나 모델을 고르세요.",
        Advice::MemoryLimit => "설정에서 메모리 한도를 올리거나, 더 작은 크기나 모델을 고르세요.",
        Advice::LessDeviceMemory => {
            "그린 데까지는 남아 있습니다. GPU를 쓰는 다른 프로그램을 닫거나 더 작은 크기를 고르세요. 설정에서 프로세서를 골라 이어 그릴 수도 있습니다."
        }
        Advice::GoOnOnProcessor => {
            "그린 데까지는 남아 있습니다. 설정에서 프로세서를 고르면 이어 그릴 수 있습니다."
        }
        Advice::Report => "다음 그림은 그대로 그릴 수 있습니다. 프로그램의 오류이니 알려 주세요.",
    }
}

pub(super) fn draft_words(error: &DraftError, language: Language) -> String {
    if language == Language::English {
        return error.to_string();
    }
    match error {
        DraftError::Size { size, multiple, max } => {
            format!("크기 {size}: 두 변은 {multiple}부터 {max}까지 {multiple}의 배수여야 합니다.")
        }
        DraftError::Steps { steps, max } => {
            format!("단계 {steps}: 이 모델과 샘플러에서는 1부터 {max}까지 고르세요.")
        }
        DraftError::GuidanceScale(scale) => {
            format!("가이던스 {scale}: 0부터 50까지 고르세요. 1 이하는 가이던스를 쓰지 않는다는 뜻입니다.")
        }
        DraftError::Prompt { bytes } => format!(
            "프롬프트가 너무 깁니다({bytes}바이트). {}바이트 이하로 줄이세요.",
            GenerationDraft::MAX_PROMPT_BYTES
        ),
        DraftError::Schedule(kind) => {
            format!("스케줄 {}: 플로우 모델에서는 쓸 수 없습니다. 다른 스케줄을 고르세요.", kind.name())
        }
        DraftError::Eta(eta) => format!("에타 {eta}: 0부터 1까지 고르세요."),
        DraftError::NoEta(sampler) => {
            format!("샘플러 {}에는 에타가 없습니다. 비우거나 다른 샘플러를 고르세요.", sampler.name())
        }
        DraftError::GuidanceRescale(share) => format!("가이던스 보정 {share}: 0부터 1까지 고르세요."),
        DraftError::Shift(shift) => format!(
            "시프트 {shift}: {}부터 {}까지 고르세요.",
            GenerationDraft::MIN_SHIFT,
            GenerationDraft::MAX_SHIFT
        ),
        DraftError::NoShift => "시프트는 플로우 모델에만 있습니다. 이 모델에서는 비우세요.".to_owned(),
        DraftError::Level { value, min, max, .. } => {
            format!("노이즈 수준 {value}: 이 모델에서는 {min}부터 {max}까지 쓸 수 있습니다.")
        }
        DraftError::ClipSkip { skip, layers } => {
            format!("CLIP skip {skip}: 마지막 층인 1부터 {layers}까지 고르세요.")
        }
        DraftError::MaxTokens { tokens, max } => {
            format!("프롬프트 토큰 {tokens}개: 1부터 {max}까지 고르세요.")
        }
        DraftError::TrueGuidance(scale) => {
            format!("실제 가이던스 {scale}: 0부터 {}까지 고르세요.", GenerationDraft::MAX_GUIDANCE_SCALE)
        }
        DraftError::SkippedLayer { layer, max } => {
            format!("건너뛸 수 없는 층 {layer}: 0부터 {max}까지 고르세요.")
        }
        DraftError::SkipScale(scale) => format!(
            "층 건너뛰기 가이던스 {scale}: 0부터 {}까지 고르세요.",
            GenerationDraft::MAX_GUIDANCE_SCALE
        ),
        DraftError::SkipRange(at) => format!("층 건너뛰기 구간 {at}: 0부터 1까지 고르세요."),
        DraftError::NoSuchOption(option) => format!("이 모델에는 없는 설정입니다({option}). 비우세요."),
        DraftError::Strength(strength) => format!("강도 {strength}: 0부터 1까지 고르세요."),
        DraftError::NothingToDo { strength, steps } => {
            format!("강도 {strength}에서는 {steps}단계 중 남는 단계가 없습니다. 강도나 단계를 올리세요.")
        }
    }
}

/// Why a typed list is not a list of layers.
pub(super) fn layers_words(why: String, language: Language) -> String {
    match language {
        Language::English => why,
        Language::Korean => "층의 번호를 7, 8, 9처럼 적으세요".to_owned(),
    }
}

/// Why a typed list is not a list of noise levels.
pub(super) fn levels_words(error: &LevelsError, language: Language) -> String {
    if language == Language::English {
        return error.to_string();
    }
    match error {
        LevelsError::NotANumber(word) => format!("‘{word}’: 숫자가 아닙니다"),
        LevelsError::Count => format!("숫자를 1개부터 {}개까지 쉼표로 구분해 적으세요", NoiseLevels::MOST),
        LevelsError::NotFalling(larger, next) => {
            format!("점점 작아지는 숫자를 적으세요: {larger} 다음에 {next}")
        }
        LevelsError::Sigma => "0보다 큰 시그마를 적으세요. 끝의 0은 적지 않아도 됩니다".to_owned(),
        LevelsError::Timestep => "0 이상의 타임스텝을 적으세요".to_owned(),
    }
}

fn unrestored_words(what: &Unrestored, language: Language) -> String {
    match (what, language) {
        (Unrestored::Sampler(name), Language::English) => format!("the sampler {name}"),
        (Unrestored::Sampler(name), Language::Korean) => format!("샘플러 {name}"),
        (Unrestored::Schedule(name), Language::English) => format!("the schedule {name}"),
        (Unrestored::Schedule(name), Language::Korean) => format!("스케줄 {name}"),
        (Unrestored::ClipSkip(n), _) => format!("CLIP skip {n}"),
        (Unrestored::Option(option), _) => option.clone(),
        (Unrestored::InitImage, Language::English) => "the source picture".to_owned(),
        (Unrestored::InitImage, Language::Korean) => "원본 그림".to_owned(),
        (Unrestored::PromptNode(class), Language::English) => {
            format!("what the node {class} does to a prompt")
        }
        (Unrestored::PromptNode(class), Language::Korean) => format!("노드 {class}가 프롬프트에 한 처리"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_why_and_what_to_try_in_both_languages() {
        let failure = Failure { task: Task::Decode, why: "NaN".into(), advice: Some(Advice::OtherVae) };
        let [title, text] = message_words(&Message::Failed(failure.clone()), Language::English);
        assert_eq!(title, "The latent could not be decoded");
        assert!(text.starts_with("NaN\n") && text.contains("another VAE"));
        let [title, text] = message_words(&Message::Failed(failure), Language::Korean);
        assert!(title.contains("디코딩") && text.contains("다른 VAE"));
    }
}
