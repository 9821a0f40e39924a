//! The interface's words, English and Korean.

/// A language of the interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    #[default]
    English,
    /// 한국어.
    Korean,
}

impl Language {
    /// The language a locale such as `ko-KR` asks for.
    pub fn of_locale(locale: &str) -> Self {
        if locale.to_lowercase().starts_with("ko") { Self::Korean } else { Self::English }
    }
}

macro_rules! texts {
    ($($(#[$meta:meta])* $name:ident: $english:literal, $korean:literal;)*) => {
        /// Every word the window shows that is not data.
        #[derive(Debug)]
        pub struct Text {
            $($(#[$meta])* #[doc = $english] pub $name: &'static str,)*
        }

        static ENGLISH: Text = Text { $($name: $english,)* };
        static KOREAN: Text = Text { $($name: $korean,)* };
    };
}

texts! {
    model: "Model", "모델";
    builtin_model: "Built-in", "내장 모델";
    open_model: "Open model folder…", "모델 폴더 열기…";
    loading: "Loading", "불러오는 중";
    ready_on: "Ready", "준비됨";
    load_failed: "Could not be loaded", "불러오지 못했습니다";
    prompt: "Prompt", "프롬프트";
    prompt_hint: "Describe a picture", "그림을 묘사해 보세요";
    negative_prompt: "Negative prompt", "네거티브 프롬프트";
    negative_hint: "What to avoid", "피하고 싶은 것";
    dice: "Surprise me", "아무거나";
    size: "Size", "크기";
    width: "Width", "너비";
    height: "Height", "높이";
    aspect: "Aspect ratio", "비율";
    steps: "Steps", "단계";
    guidance: "Guidance scale", "가이던스";
    guidance_off: "This model was distilled and takes no guidance", "이 모델은 증류되어 가이던스를 쓰지 않습니다";
    seed: "Seed", "시드";
    new_seed: "New", "새로";
    lock_seed: "Keep", "고정";
    sampler: "Sampler", "샘플러";
    schedule: "Schedule", "스케줄";
    batch: "Pictures", "장수";
    source: "Source picture", "원본 그림";
    source_choose: "Choose…", "선택…";
    source_clear: "Remove", "제거";
    strength: "Strength", "강도";
    more: "More settings", "더 많은 설정";
    generate: "Generate", "생성";
    stop: "Stop", "중지";
    finish: "Finish now", "지금 마무리";
    stop_after: "Stop after this", "이 그림까지만";
    queue: "Waiting", "대기 중";
    remove: "Remove", "제거";
    earlier: "Earlier", "앞으로";
    picture: "Picture", "그림";
    latent: "Latent", "잠재 공간";
    fit: "Fit", "맞춤";
    one_to_one: "1:1", "1:1";
    save: "Save…", "저장…";
    save_latent: "Save latent…", "잠재 저장…";
    copy: "Copy", "복사";
    open: "Open…", "열기…";
    use_as_source: "Use as source", "원본으로 사용";
    welcome: "A latent develops here", "여기서 잠상이 현상됩니다";
    welcome_hint: "Type a prompt and press Ctrl+Enter, or start with one of these", "프롬프트를 입력하고 Ctrl+Enter를 누르거나, 아래 예시로 시작하세요";
    preparing: "Preparing", "준비 중";
    encoding_prompt: "Reading the prompt", "프롬프트 읽는 중";
    encoding_picture: "Encoding the picture", "그림 인코딩 중";
    decoding: "Decoding", "디코딩 중";
    step: "step", "단계";
    left: "left", "남음";
    noisy: "Show x_t", "x_t 보기";
    patch_preview: "Fine preview", "정밀 미리보기";
    timeline: "Steps", "단계";
    final_picture: "Final picture", "최종 그림";
    restore: "Use these settings", "이 설정 사용";
    decode_failed: "Not decoded; the latent is kept", "디코딩 실패, 잠재는 보존됨";
    dismiss: "Dismiss", "닫기";
    latent_empty: "Drop a picture or a latent here, or generate one", "그림이나 잠재 파일을 여기에 놓거나, 그림을 생성하세요";
    inspect_source: "Open a picture…", "그림 열기…";
    channel: "Channel", "채널";
    mean: "mean", "평균";
    deviation: "σ", "σ";
    range: "range", "범위";
    gain: "Gain", "게인";
    offset: "Offset", "오프셋";
    mute: "Mute", "음소거";
    solo: "Solo", "솔로";
    undo: "Undo", "실행 취소";
    redo: "Redo", "다시 실행";
    reset: "Reset", "초기화";
    decode: "Decode", "디코딩";
    limits: "Limits", "범위 기준";
    limits_shared: "Shared", "공통";
    limits_own: "Each its own", "채널별";
    limits_fixed: "±3", "±3";
    smooth: "Smooth", "부드럽게";
    grey: "Grey", "회색조";
    components: "Strongest components", "주성분";
    preview: "Preview", "미리보기";
    decoded: "Decoded", "디코딩 결과";
    original: "Original", "원본";
    divergence: "What the encoder had to say (KL)", "인코더의 정보량 (KL)";
    metadata: "Save settings in pictures", "그림에 설정 저장";
    compression: "smaller", "배 작음";
    settings_restored: "Settings restored", "설정을 복원했습니다";
    language: "한국어", "English";
    theme_toggle: "Light or dark", "밝게/어둡게";
    no_gpu: "No graphics adapter: previews are off", "그래픽 어댑터 없음: 미리보기 꺼짐";
}

impl Text {
    /// The words of a language.
    pub fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &ENGLISH,
            Language::Korean => &KOREAN,
        }
    }
}
