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
    open_hint: "Open a picture, a latent or a model", "그림, 잠재, 모델 열기";
    export_hint: "Save or copy what is on the easel", "이젤에 있는 것을 저장하거나 복사";
    try_again_hint: "Load this model again", "이 모델을 다시 불러오기";
    example_hint: "Drawn by the built-in model; click to draw your own", "내장 모델이 그린 그림. 누르면 같은 프롬프트로 새로 그리기";
    generate_hint: "Draw what the recipe says", "레시피대로 그리기";
    prompt_tip: "What is in the picture\nCtrl+↑ Ctrl+↓: weight of a word · Alt+↑ Alt+↓: earlier prompts", "그림에 담을 내용\nCtrl+↑ Ctrl+↓: 단어의 가중치 · Alt+↑ Alt+↓: 이전 프롬프트";
    tokens_hint: "Tokens of the prompt, and how many the model reads", "프롬프트의 토큰 수와 모델이 읽는 수";
    tokens_in_chunks: "Tokens of the prompt: the model reads it in {chunks} chunks of up to {room}", "프롬프트의 토큰 수. 모델은 최대 {room}개씩 {chunks}번에 나누어 읽습니다";
    tokens_cut: "The model reads {room} tokens; the rest is cut off", "모델은 토큰 {room}개까지 읽고, 나머지는 쓰지 않습니다";
    sampler_hint: "How a step takes noise away", "한 단계에서 노이즈를 덜어 내는 방법";
    schedule_hint: "How the noise levels are spread over the steps", "노이즈 수준을 단계에 나누는 방법";
    more_hint: "Sampler, schedule and further options", "샘플러, 스케줄과 그 밖의 설정";
    automatic: "Auto", "자동";
    off: "Off", "끄기";
    back_to_own: "Back to the model's own", "모델의 기본값으로";
    eta: "Eta", "에타";
    eta_hint: "Share of the noise that each step draws anew, from 0 to 1", "단계마다 새로 뽑는 노이즈의 비율. 0부터 1까지";
    shift: "Shift", "시프트";
    shift_hint: "Moves the steps towards high noise; larger pictures take a larger one", "단계를 노이즈가 많은 쪽으로 옮김. 그림이 클수록 큰 값";
    rescale: "Rescale", "가이던스 보정";
    rescale_hint: "Scales guidance back to the prediction's own spread, against harsh contrast: 1 is all the way", "가이던스로 강해진 대비를 예측 본래의 분산으로 되돌림. 1은 전부";
    true_guidance: "True guidance", "실제 가이던스";
    true_guidance_hint: "A second pass leads away from the negative prompt, which takes twice the time; up to 1 is off", "네거티브 프롬프트에서 멀어지도록 한 번 더 계산. 시간은 두 배, 1 이하는 끄기";
    clip_skip: "CLIP skip", "CLIP 스킵";
    clip_skip_hint: "The text encoder's layer that is used, counted from the last, which is 1", "사용할 텍스트 인코더의 층. 마지막 층이 1";
    max_tokens: "Max tokens", "최대 토큰";
    max_tokens_hint: "Tokens of the prompt that the model reads at most", "모델이 읽는 프롬프트 토큰의 최대 수";
    advanced: "Advanced", "고급";
    advanced_hint: "What few pictures need", "드물게 필요한 설정";
    levels: "Noise levels", "노이즈 수준";
    levels_hint: "Spread by the schedule, or a list of your own", "스케줄에 따르거나 직접 적은 목록";
    levels_schedule: "By the schedule", "스케줄에 따라";
    levels_sigmas: "Sigmas", "시그마";
    levels_timesteps: "Timesteps", "타임스텝";
    levels_list_hint: "One number for each step, each smaller than the one before", "단계마다 숫자 하나씩, 점점 작아지게";
    levels_wrong: "Not used: {}", "쓰지 않음: {}";
    levels_steps: "One step for each of the noise levels listed below", "아래에 적은 노이즈 수준마다 한 단계";
    levels_instead: "The noise levels listed below are used instead", "대신 아래에 적은 노이즈 수준을 씁니다";
    original_size: "Original size", "원본 크기";
    original_size_hint: "The size of the imagined original picture, which the model is told", "모델에 알려 주는 가상의 원본 그림 크기";
    cut_off: "Cut off", "잘린 픽셀";
    cut_off_hint: "Pixels cut off the imagined original at this edge, which the model is told", "모델에 알려 주는, 가상의 원본에서 이 가장자리가 잘린 픽셀 수";
    left_edge: "Left", "왼쪽";
    top_edge: "Top", "위쪽";
    skip_layers: "Skip layers", "층 건너뛰기";
    skip_layers_hint: "Leads away from what the network predicts without these layers (skip-layer guidance), which takes a third pass; it needs guidance above 1", "이 층들 없이 예측한 것에서 멀어지게 함(층 건너뛰기 가이던스). 계산이 한 번 늘고, 가이던스가 1보다 커야 합니다";
    skip_scale: "Skip scale", "건너뛰기 세기";
    skip_scale_hint: "How far away it leads", "얼마나 멀어지게 할지";
    skip_range: "Skip range", "건너뛰기 구간";
    skip_range_hint: "The part of the run in which layers are skipped, from 0 to 1", "층을 건너뛰는 진행 구간. 0부터 1까지";
    skip_start: "Start", "시작";
    skip_end: "End", "끝";
    prediction: "Prediction", "예측 방식";
    prediction_hint: "What the network predicts, which this file does not say: grey or burnt pictures ask for another one. The model is loaded again", "파일에 적혀 있지 않은 신경망의 예측 방식. 그림이 회색이거나 타 버리면 바꿔 보세요. 모델을 다시 불러옵니다";
    prediction_epsilon: "Noise (epsilon)", "노이즈(epsilon)";
    prediction_v: "Velocity (v)", "속도(v)";
    prediction_flow: "Flow", "플로우";
    choose_part: "Choose its file…", "파일 고르기…";
    choose_part_hint: "A file that has this part; it is remembered for the model", "이 부분이 든 파일. 모델에 대해 기억해 둡니다";
    target_size: "Target size", "목표 크기";
    target_size_hint: "The size of the imagined result, which the model is told", "모델에 알려 주는 가상의 결과 크기";
    gallery: "Gallery: the contact sheet in large frames", "갤러리: 밀착지 크게 보기";
    recipe_hint: "Show or hide the recipe", "레시피 패널 보이기/숨기기";
    recipe_width: "Width of the recipe", "레시피 패널 너비";
    enlarger_width: "Width of the latent's panel", "잠재 패널 너비";
    recipe_tab_hint: "Prompt and settings of the next picture", "다음 그림의 프롬프트와 설정";
    picture_hint: "The decoded picture; until then, its preview", "디코딩한 그림. 그 전에는 미리보기";
    end_comparison: "End the comparison", "비교 끝내기";
    wipe_line_hint: "Moves the line; the original is on its left", "선 옮기기. 왼쪽이 원본";
    stop_work_hint: "Stop this; the document stays", "이 작업을 중지. 문서는 남습니다";
    gallery_close_hint: "Back to the easel", "이젤로 돌아가기";
    frame_hint: "Click: show · Ctrl+click: compare · 1–5: stars · Delete: remove", "클릭: 보기 · Ctrl+클릭: 비교 · 1–5: 별점 · Delete: 제거";
    waiting_hint: "Drag: change the order · Delete: remove", "끌기: 순서 바꾸기 · Delete: 제거";
    dismiss_all_hint: "Close all errors", "오류를 모두 닫기";
    take_back_hint: "Bring it back", "되돌리기";
    reuse_hint: "Put it into the recipe", "레시피에 넣기";
    seen_hint: "How channels are coloured", "채널의 색 표시 방법";
    mute_hint: "leaves this channel out", "이 채널을 뺍니다";
    solo_hint: "uses this channel alone", "이 채널만 씁니다";
    gain_hint: "The channel is multiplied by it; 1 leaves it as it is", "채널에 곱하는 값. 1은 그대로";
    offset_hint: "Added to the channel; 0 leaves it as it is", "채널에 더하는 값. 0은 그대로";
    blend_choice_hint: "A second latent that is mixed in", "섞을 두 번째 잠재";
    lerp_hint: "The weighted mean of both", "두 잠재의 가중 평균";
    slerp_hint: "Along a great circle: the mixture keeps the norm of a latent", "대원을 따라: 섞어도 잠재의 크기가 유지됩니다";
    edits: "Edits", "편집 기록";
    edits_hint: "All edits of this latent; a click goes back or forward to one", "이 잠재의 모든 편집. 클릭하면 그 시점으로 이동";
    edits_start: "Before all edits", "편집 전";
    edit_blend: "Blend", "섞기";
    reset_hint: "Takes all edits away; can be undone", "모든 편집을 지움. 실행 취소 가능";
    decode_hint: "Decode this latent again", "이 잠재를 다시 디코딩";
    framing_crop_hint: "Cut the edges to whole latent pixels", "잠재 픽셀 단위로 가장자리를 자르기";
    framing_pad_hint: "Fill the edges up to whole latent pixels", "잠재 픽셀 단위로 가장자리를 채우기";
    background_hint: "The colour behind transparent pixels", "투명한 픽셀 뒤의 색";
    autosave_folder_hint: "Choose where pictures are saved", "저장할 폴더 선택";
    metadata_hint: "Saved pictures contain prompt, seed and settings, and can be opened with them again", "저장한 그림에 프롬프트, 시드, 설정을 넣어 다시 불러올 수 있게 합니다";
    settings: "Settings…", "설정…";
    settings_general: "General", "일반";
    settings_general_hint: "Language, theme, motion and notifications", "언어, 테마, 움직임, 알림";
    settings_saving: "Saving", "저장";
    settings_saving_hint: "Pictures that are saved as they are drawn, and what they contain", "그리는 대로 저장하기, 그림에 넣을 정보";
    settings_folders: "Folders", "폴더";
    settings_folders_hint: "Where file dialogs open, and where the program keeps its files", "파일 대화상자가 열리는 곳, 프로그램 파일의 위치";
    settings_drawing: "Drawing", "그리기";
    settings_drawing_hint: "Device, threads, memory and previews", "장치, 스레드, 메모리, 미리보기";
    settings_privacy: "Privacy", "개인정보";
    settings_privacy_hint: "What the program writes, and what it can forget", "프로그램이 저장하는 것, 지울 수 있는 것";
    language_hint: "The language of the window", "창에 쓰는 언어";
    theme_hint: "Dark or light colours", "어둡거나 밝은 색";
    motion: "Motion", "움직임";
    reduced_motion: "Less motion", "움직임 줄이기";
    reduced_motion_hint: "Pictures appear at once instead of fading in, and lists jump instead of gliding", "그림이 서서히 나타나지 않고 바로 보이며, 목록이 미끄러지지 않고 바로 이동합니다";
    notifications: "Notifications", "알림";
    notify: "When a long job ends", "긴 작업이 끝날 때";
    notify_hint: "After 10 seconds or more, while another window is in use; one for a whole queue", "10초 넘게 걸린 작업이 다른 창을 쓰는 동안 끝나면 알립니다. 대기열 전체에 한 번";
    autosave_what: "What", "대상";
    autosave_folder: "Folder", "폴더";
    pattern_hint: "Words in braces are replaced by what they name", "중괄호 안의 말은 해당하는 값으로 바뀝니다";
    metadata_what: "Contents", "내용";
    show_in_folder_hint: "Show it in the file manager", "파일 관리자에서 보기";
    dialogs: "File dialogs", "파일 대화상자";
    dialogs_hint: "The folder in which file dialogs open", "파일 대화상자가 열리는 폴더";
    dialogs_last: "Where the last one was", "마지막에 쓴 폴더에서";
    dialogs_fixed: "Always in this folder", "항상 이 폴더에서";
    kept_files: "Kept by the program", "프로그램이 보관하는 파일";
    kept_settings: "Settings", "설정";
    kept_unsaved: "Unsaved pictures", "저장 안 한 그림";
    kept_fits: "Fitted previews", "맞춘 미리보기";
    kept_nowhere: "Not kept: the system names no folder for it", "보관하지 않음: 시스템에 정해진 폴더가 없습니다";
    device: "Device", "장치";
    device_hint: "Where the networks run", "네트워크를 계산하는 장치";
    device_in_use: "In use: {}", "사용 중: {}";
    device_only: "This build has no GPU support. One that is built with CUDA or Metal lists its GPU here.", "이 빌드는 GPU를 지원하지 않습니다. CUDA나 Metal을 넣어 빌드하면 여기에 GPU가 나타납니다.";
    threads: "Threads", "스레드";
    threads_hint: "Threads of the processor that the networks use", "네트워크가 쓰는 프로세서 스레드의 수";
    threads_all: "All {}", "전체 {}개";
    at_most: "At most", "최대";
    memory: "Memory", "메모리";
    memory_free: "What is free", "남은 만큼";
    memory_hint: "Main memory that models and pictures may use. What needs more is refused before it begins.", "모델과 그림이 쓸 수 있는 메모리. 더 필요한 작업은 시작하기 전에 거절합니다.";
    engine_note: "A change of these loads the model again; a running picture is finished first.", "위 설정을 바꾸면 모델을 다시 불러옵니다. 그리는 중인 그림은 먼저 끝냅니다.";
    previews: "Previews", "미리보기";
    previews_fine: "Fine (patch)", "정밀 (패치)";
    previews_linear: "Linear", "선형";
    previews_hint: "How a latent is shown before it is decoded; fine is used where it agrees better with the decode", "디코딩하기 전에 잠재를 보여 주는 방법. 정밀은 디코딩과 더 잘 맞을 때 쓰입니다";
    privacy_network: "Connections", "연결";
    privacy_network_words: "The window opens no network connection; only fetching a model on the command line does. Notifications and progress go to this computer's own desktop, without prompts.", "이 창은 네트워크에 연결하지 않습니다. 명령줄에서 모델을 받을 때만 연결합니다. 알림과 진행률은 이 컴퓨터의 데스크톱에만, 프롬프트 없이 전달됩니다.";
    privacy_written: "Files", "파일";
    privacy_written_words: "It writes its settings, with the prompt and the places of recent models; latents of pictures that are not saved yet, with their prompts, until they are saved or given up; fitted previews; and what you save. Saved pictures contain their prompts unless that is switched off under Saving.", "설정(프롬프트와 최근 모델의 위치 포함), 저장하지 않은 그림의 잠재와 프롬프트(저장하거나 버릴 때까지), 맞춘 미리보기, 그리고 직접 저장한 것을 파일로 씁니다. 저장한 그림에는 ‘저장’에서 끄지 않는 한 프롬프트가 들어갑니다.";
    privacy_forget: "Forget", "지우기";
    forget_models_name: "Models", "모델";
    forget_models: "Forget recent models", "최근 모델 지우기";
    forget_models_hint: "All but the one in use", "사용 중인 모델은 남습니다";
    forget_prompts_name: "Prompts", "프롬프트";
    forget_prompts: "Forget prompts", "프롬프트 지우기";
    forget_prompts_hint: "The prompt, the negative prompt and the earlier prompts of this window", "프롬프트, 네거티브 프롬프트와 이 창의 이전 프롬프트";
    autosave: "Save pictures as they are drawn", "그리는 대로 저장";
    autosave_hint: "Never over an existing file", "이미 있는 파일은 바꾸지 않습니다";
    autosave_off: "Off", "끄기";
    autosave_pictures: "Pictures", "그림";
    autosave_both: "Pictures and latents", "그림과 잠재";
    pattern: "Names", "이름";
    pattern_example: "a red fox at dusk", "해 질 녘의 붉은 여우";
    metadata_title: "In saved pictures", "저장한 그림 안에";
    waits_for: "Waits for", "기다리는 중:";
    search: "Search titles", "제목 검색";
    close: "Close", "닫기";
    easel: "Easel", "이젤";
    kept_title: "kept", "보관";
    recipe: "Recipe", "레시피";
    enlarger: "Latent", "잠재";
    enlarger_hint: "The latent's channels, beside the picture", "그림 옆에 잠재 채널 보기";
    document: "Document", "문서";
    export: "Export", "내보내기";
    window_menu: "Language, theme, keys", "언어, 테마, 단축키";
    language_name: "Language", "언어";
    theme: "Theme", "테마";
    theme_system: "As the system", "시스템 설정";
    theme_light: "Light", "밝게";
    theme_dark: "Dark", "어둡게";
    messages: "Messages…", "메시지…";
    messages_hint: "All past messages", "지난 메시지 모두 보기";
    no_messages: "There are no messages yet", "아직 메시지가 없습니다";
    copy_messages: "Copy all", "모두 복사";
    copy_messages_hint: "Copy all messages as text", "모든 메시지를 텍스트로 복사";
    just_now: "just now", "방금";
    minutes_ago: "{} min ago", "{}분 전";
    hours_ago: "{} h ago", "{}시간 전";
    shortcuts: "Keys…", "단축키…";
    about: "About Safelight…", "Safelight 정보…";
    about_words: "A native studio for latent diffusion. Its window opens no network connection. MIT or Apache-2.0.", "잠재 확산을 위한 네이티브 스튜디오. 창은 네트워크에 연결하지 않습니다. MIT 또는 Apache-2.0.";
    unsaved_dot: "not saved", "저장 안 됨";
    processor: "Processor", "프로세서";
    bf16_matrices: "bf16 matrices", "bf16 행렬";
    progress: "Progress", "진행";
    sampling: "Sampling", "샘플링";
    all: "all", "전체";
    stop_hint: "What is drawn so far stays on the contact sheet", "지금까지 그린 것은 밀착지에 남습니다";
    finish_hint: "Decode the present estimate", "현재 추정으로 디코딩하고 끝냅니다";
    generate_another: "Generate another", "하나 더 생성";
    no_model: "No model is loaded", "불러온 모델이 없습니다";
    stop_question: "Pictures still waiting:", "아직 대기 중인 그림:";
    stop_question_hint: "What is drawn so far stays on the contact sheet.", "지금까지 그린 것은 밀착지에 남습니다.";
    stop_this: "Stop this one", "이것만 중지";
    stop_all: "Stop all", "모두 중지";
    go_on: "Go on", "계속 그리기";
    dismiss_all: "Dismiss all", "모두 닫기";
    show_in_folder: "Show in folder", "폴더에서 보기";
    empty_sheet: "Pictures, opened files and kept latents lie here", "그림, 연 파일, 보관한 잠재가 여기에 놓입니다";
    compare: "Compare with the shown one", "보이는 것과 비교";
    stars: "Stars", "별점";
    remove_all_waiting: "Remove all waiting", "대기 중인 것 모두 제거";
    use_all: "Use all", "모두 사용";
    use_prompt: "Use prompt", "프롬프트 사용";
    use_seed: "Use seed", "시드 사용";
    wipe_view: "Wipe", "와이프";
    wipe_hint: "Original and picture on both sides of a line; Ctrl+click a frame to compare with it", "선 양쪽에 원본과 그림. 프레임을 Ctrl+클릭하면 그것과 비교";
    error_hint: "What the VAE lost of an opened picture", "연 그림에서 VAE가 잃은 것";
    error_choice: "Which error", "오차 종류";
    components_view: "Components", "성분";
    components_hint: "The latent along its principal components, or one channel", "주성분 또는 한 채널로 본 잠재";
    components_short: "Principal", "주성분";
    component_choice: "Which component", "성분 선택";
    preview_hint: "The latent through a fast projection, as while it is drawn", "그리는 동안처럼 빠른 투영으로 본 잠재";
    fit_hint: "The whole picture", "전체 보기";
    live: "Live", "실시간";
    live_hint: "Back to what is being drawn", "그리는 중인 그림으로";
    no_steps: "No steps", "단계 없음";
    stopped: "stopped", "중지됨";
    seen: "View", "보기";
    facts: "Facts", "정보";
    framing: "Framing", "틀 맞춤";
    time: "Time", "시간";
    kept: "Kept", "보존";
    kept_hint: "How close the decode is to the original", "디코딩이 원본에 얼마나 가까운지";
    worst: "Worst", "최대 손실";
    compression: "Size", "압축";
    welcome_examples: "Type a prompt and press Ctrl+Enter, or start with one of these", "프롬프트를 입력하고 Ctrl+Enter를 누르거나, 아래 예시로 시작하세요";
    welcome_hint: "Type a prompt and press Ctrl+Enter, or open a picture", "프롬프트를 입력하고 Ctrl+Enter를 누르거나 그림을 여세요";
    welcome_failed: "Try again or choose another model at the top.", "위에서 다시 시도하거나 다른 모델을 고르세요.";
    dice_hint: "Another prompt; the present one comes back with Alt+↑", "다른 프롬프트. 지금 것은 Alt+↑로 돌아옵니다";
    steps_hint: "How often noise is taken away", "노이즈를 덜어 내는 횟수";
    guidance_hint: "How closely the prompt is followed", "프롬프트를 따르는 정도";
    seed_hint: "The next picture's seed; −1 is a random one", "다음 그림의 시드. −1은 임의";
    batch_hint: "Pictures of consecutive seeds", "이어지는 시드로 그릴 장수";
    multiples: "multiples of", "배수:";
    swap: "Swap width and height", "너비와 높이 바꾸기";
    source_hint: "A picture to start from", "시작할 그림";
    drop_source: "Drop it to start from this picture", "놓으면 원본 그림으로 사용";
    crop_hint: "The framed part is used", "테두리 안이 쓰입니다";
    strength_hint: "0 keeps the source, 1 forgets it", "0은 원본 유지, 1은 무시";
    model: "Model", "모델";
    builtin_model: "Built-in", "내장 모델";
    open_model: "Open model folder…", "모델 폴더 열기…";
    loading: "Loading", "불러오는 중";
    load_failed: "Could not be loaded", "불러오지 못했습니다";
    held_back: "Not loaded", "불러오지 않았습니다";
    prompt: "Prompt", "프롬프트";
    prompt_hint: "Describe a picture", "그림을 묘사해 보세요";
    negative_prompt: "Negative prompt", "네거티브 프롬프트";
    negative_hint: "What to avoid", "피하고 싶은 것";
    negative_off: "This model takes no negative prompt", "이 모델은 네거티브 프롬프트를 쓰지 않습니다";
    negative_off_guided: "Used once true guidance is above 1, in the further settings", "‘더 많은 설정’의 실제 가이던스가 1보다 크면 쓰입니다";
    dice: "Surprise me", "아무거나";
    size: "Size", "크기";
    width: "Width", "너비";
    height: "Height", "높이";
    aspect: "Aspect ratio", "비율";
    steps: "Steps", "단계";
    guidance: "Guidance", "가이던스";
    guidance_off: "This model was distilled and takes no guidance", "이 모델은 증류되어 가이던스를 쓰지 않습니다";
    seed: "Seed", "시드";
    new_seed: "New seed", "새 시드";
    lock_seed: "Keep the seed", "시드 고정";
    sampler: "Sampler", "샘플러";
    schedule: "Schedule", "스케줄";
    batch: "Pictures", "장수";
    source: "Source", "원본 그림";
    source_choose: "Choose…", "선택…";
    source_clear: "Remove", "제거";
    strength: "Strength", "강도";
    more: "More settings", "더 많은 설정";
    generate: "Generate", "생성";
    draws_when_loaded: "Draws once the model is loaded…", "모델을 불러오면 그립니다…";
    stop: "Stop", "중지";
    finish: "Finish", "마무리";
    queue: "Waiting", "대기 중";
    remove: "Remove", "제거";
    earlier: "Earlier", "앞으로";
    picture: "Picture", "그림";
    latent: "Latent", "잠재 공간";
    fit: "Fit", "맞춤";
    one_to_one: "One to one", "1:1로 보기";
    save: "Picture…", "그림…";
    save_latent: "Latent…", "잠재…";
    copy: "Copy picture", "그림 복사";
    open: "Open…", "열기…";
    use_as_source: "Use as source", "원본으로 사용";
    welcome: "A latent develops here", "여기서 잠상이 현상됩니다";
    preparing: "Preparing", "준비 중";
    encoding_prompt: "Reading the prompt", "프롬프트 읽는 중";
    encoding_picture: "Encoding the picture", "그림 인코딩 중";
    decoding: "Decoding", "디코딩 중";
    step: "step", "단계";
    left: "left", "남음";
    timeline: "Timeline", "타임라인";
    final_picture: "Final picture", "최종 그림";
    restore: "Use these settings", "이 설정 사용";
    decode_failed: "Not decoded; the latent is kept", "디코딩 실패, 잠재는 보존됨";
    dismiss: "Dismiss", "닫기";
    latent_empty: "Open a picture or a latent, or generate one", "그림이나 잠재를 열거나, 그림을 생성하세요";
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
    decode_again: "As usual", "기본 방식";
    decode_in_tiles: "In tiles", "타일로";
    decode_whole: "Whole", "한 번에";
    decode_in_f32: "In f32", "f32로";
    limits: "Limits", "범위 기준";
    limits_shared: "Shared", "공통";
    limits_own: "Each its own", "채널별";
    limits_fixed: "±3", "±3";
    smooth: "Smooth", "부드럽게";
    grey: "Grey", "회색조";
    preview: "Preview", "미리보기";
    decoded: "Decoded", "디코딩 결과";
    original: "Original", "원본";
    denoised: "Denoised estimate (x̂₀)", "노이즈 제거 추정 (x̂₀)";
    noisy: "Noisy latent (xₜ)", "노이즈 잠재 (xₜ)";
    preview_menu: "How previews are made", "미리보기 방식";
    linear: "linear", "선형";
    patch: "patch", "패치";
    linear_table: "Linear, from a table; a fit to this VAE follows in a quiet moment", "표에 따른 선형. 한가할 때 이 VAE에 맞춥니다";
    patch_worse: "It agrees less with this VAE than the linear map", "이 VAE에서는 선형보다 덜 맞습니다";
    held_out_hint: "Agreement with the true decode, on latents the fit never saw", "보지 않은 잠재에서 실제 디코딩과의 일치도";
    fitting: "Fitting the preview", "미리보기 맞추는 중";
    divergence: "Information (KL)", "정보량 (KL)";
    divergence_hint: "How far the encoder's posterior is from N(0, 1) at each latent pixel: where it had most to say", "잠재 픽셀마다 인코더의 사후분포가 N(0, 1)에서 떨어진 정도";
    bytes_hint: "Values of picture and latent; bytes at 8 bits a pixel value and 16 bits a latent value", "그림과 잠재의 값 수, 픽셀 값 8비트와 잠재 값 16비트일 때의 바이트";
    metadata: "Save settings in pictures", "그림에 설정 저장";
    error_map: "Error", "오차";
    heat: "heat", "열지도";
    worst_patch: "Most is lost at latent pixel", "손실이 가장 큰 잠재 픽셀";
    jpeg_hint: "A JPEG in the bytes of the 16-bit latent: quality, scale", "16비트 잠재와 같은 바이트의 JPEG: 품질, 배율";
    wipe: "Wipe between original and decode", "원본과 디코딩 비교";
    latent_pixel: "Latent pixel", "잠재 픽셀";
    beyond: "beyond 3σ", "3σ 밖";
    non_finite: "NaN or infinite", "개 값이 NaN 또는 무한대";
    posterior: "posterior", "사후";
    swatch_hint: "What +1 σ of this channel adds to grey", "이 채널의 +1 σ가 회색에 더하는 색";
    blend: "Blend with", "섞기";
    blend_none: "Nothing", "없음";
    blend_hint: "Keep a latent of this size, or generate a picture of this size", "같은 크기의 잠재를 보관하거나 생성하세요";
    blend_amount: "Share of the second", "두 번째의 비율";
    lerp: "Straight", "직선";
    slerp: "Spherical", "구면";
    hold: "Keep this latent", "이 잠재 보관";
    hold_hint: "To blend it into others", "다른 잠재에 섞기 위해";
    held: "Kept", "보관한";
    save_sheet: "Channel sheet…", "채널 시트…";
    save_npy: "All channels as .npy…", "모든 채널 .npy…";
    save_channels: "Channels as 16-bit PNG…", "채널별 16비트 PNG…";
    save_channel: "Save this channel…", "이 채널 저장…";
    crop: "Crop", "자르기";
    pad: "Pad", "여백 채우기";
    background: "Behind transparency", "투명 배경";
    white: "White", "흰색";
    middle_grey: "Grey", "회색";
    black: "Black", "검정";
    latent_question: "About this latent", "이 잠재에 대해";
    space_question: "Its file does not say what its numbers are.", "파일에 수치의 종류가 적혀 있지 않습니다.";
    space_vae: "VAE space, as ComfyUI and diffusers' encode give", "VAE 공간 (ComfyUI, diffusers encode)";
    space_model: "Model space: scaled, as samplers see it", "모델 공간 (샘플러가 보는 배율)";
    family_question: "Scaled for", "배율 기준";
    loaded_model: "The loaded model", "현재 모델";
    open_this: "Open", "열기";
    other_channels: "Its channels do not fit the loaded model's VAE:", "채널 수가 현재 VAE와 다릅니다:";
    no_fitting_model: "None of the models used before fits.", "이전에 쓴 모델 중 맞는 것이 없습니다.";
    part_text_encoder: "text encoder", "텍스트 인코더";
    part_unet: "denoiser (UNet)", "디노이저 (UNet)";
    part_vae: "autoencoder (VAE)", "오토인코더 (VAE)";
    path_question: "No file dialog could be shown. Type a path:", "파일 대화상자를 열 수 없습니다. 경로를 입력하세요:";
    pasted: "Pasted picture", "붙여넣은 그림";
    confirm: "OK", "확인";
    unsaved: "Pictures not saved:", "저장하지 않은 그림:";
    unfinished: "Still being drawn or waiting:", "그리는 중이거나 대기 중:";
    unsaved_hint: "They are lost when the window closes.", "창을 닫으면 사라집니다.";
    save_all: "Save all…", "모두 저장…";
    close_unsaved: "Close without saving", "저장하지 않고 닫기";
    stay: "Stay", "취소";
    try_again: "Try again", "다시 시도";
    cancel: "Cancel", "취소";
    exists: "This file exists already", "이미 있는 파일입니다";
    exists_hint: "It would be replaced.", "계속하면 이 파일이 바뀝니다.";
    replace: "Replace", "바꾸기";
    other_name: "Choose another name…", "다른 이름 선택…";
    abandoned: "Pictures not saved when Safelight ended:", "Safelight가 끝날 때 저장하지 못한 그림:";
    abandoned_hint: "Their latents were kept. Restored, they are decoded again and can be saved.", "잠재가 남아 있습니다. 복원하면 다시 디코딩하여 저장할 수 있습니다.";
    abandoned_restore: "Restore", "복원";
    abandoned_later: "Ask again later", "나중에 다시 묻기";
    abandoned_discard: "Discard", "버리기";
    stop_this_hint: "The waiting ones are drawn", "대기 중인 그림은 이어서 그립니다";
    stop_all_hint: "The waiting ones are removed; this can be undone", "대기 중인 그림도 제거. 되돌릴 수 있습니다";
    go_on_hint: "Nothing is stopped", "아무것도 중지하지 않습니다";
    space_vae_hint: "The values as the autoencoder writes them", "오토인코더가 쓴 그대로의 값";
    space_model_hint: "The values scaled to about unit variance", "분산이 1에 가깝도록 조정한 값";
    family_hint: "The scale of this family is taken out", "이 계열의 배율을 되돌립니다";
    open_this_hint: "Open the latent as chosen above", "위에서 고른 대로 잠재를 엽니다";
    fitting_model_hint: "Load this model, and open the latent with it", "이 모델을 불러와 잠재를 엽니다";
    other_model_hint: "Choose the folder of a model that fits", "맞는 모델의 폴더를 고릅니다";
    path_hint: "A whole path, or one from the folder where the program was started", "전체 경로, 또는 프로그램을 시작한 폴더부터의 경로";
    path_confirm_hint: "Use this path", "이 경로 사용";
    other_name_hint: "Nothing is written yet", "아직 아무것도 쓰지 않습니다";
    replace_hint: "Writes over what is there", "있는 파일을 덮어씁니다";
    cancel_hint: "Writes nothing", "아무것도 쓰지 않습니다";
    restore_hint: "Decodes the latents again", "잠재를 다시 디코딩합니다";
    later_hint: "They stay on the disk until the next start", "다음에 시작할 때까지 디스크에 남습니다";
    discard_hint: "Deletes the latents for good", "잠재를 완전히 지웁니다";
    save_all_hint: "Asks for a folder, saves into it and closes", "폴더를 골라 모두 저장하고 닫습니다";
    close_unsaved_hint: "What is not saved is lost", "저장하지 않은 것은 사라집니다";
    stay_hint: "The window stays open", "창을 닫지 않습니다";
    open_title: "Open pictures and latents", "그림과 잠재 열기";
    source_title: "Choose the source picture", "원본 그림 선택";
    part_title: "Choose the file of the missing part", "없는 부분의 파일 선택";
    model_title: "Choose a model's folder", "모델 폴더 선택";
    save_all_title: "Choose a folder for all unsaved pictures", "저장하지 않은 그림을 모두 저장할 폴더 선택";
    dialogs_title: "Choose the folder in which dialogs start", "대화 상자가 열릴 폴더 선택";
    autosave_title: "Choose the folder of pictures saved as they are drawn", "그리는 대로 저장할 폴더 선택";
    save_picture_title: "Save the picture", "그림 저장";
    save_latent_title: "Save the latent", "잠재 저장";
    save_sheet_title: "Save the sheet of channels", "채널 시트 저장";
    save_channels_title: "Save every channel as a picture", "모든 채널을 그림으로 저장";
    save_channel_title: "Save channel {}", "채널 {} 저장";
    save_npy_title: "Save the latent for NumPy", "NumPy용 잠재 저장";
    path_title: "File", "파일";
    language: "한국어", "English";
    no_gpu: "No graphics adapter: previews are off", "그래픽 어댑터 없음: 미리보기 꺼짐";
}

impl Text {
    /// The name of a part of a model; a name that is not known stays as it is.
    pub(super) fn part<'a>(&self, part: &'a str) -> &'a str
    where
        'static: 'a,
    {
        match part {
            "text_encoder" => self.part_text_encoder,
            "unet" => self.part_unet,
            "vae" => self.part_vae,
            other => other,
        }
    }

    /// The words of a language.
    pub fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &ENGLISH,
            Language::Korean => &KOREAN,
        }
    }
}
