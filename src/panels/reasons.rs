//! Why something failed, in the language of the window.

use super::Language;
use crate::reason::{Reason, ReasonKind};

/// The sentence of a reason, with what stands in the way in parentheses and the path after a colon.
pub(super) fn reason_words(reason: &Reason, language: Language) -> String {
    if language == Language::English {
        return reason.english().to_owned();
    }
    let mut words = filled(korean(reason.kind()), reason.details());
    if let Some(cause) = reason.cause() {
        words = format!("{words} ({})", reason_words(cause, language));
    }
    match reason.path() {
        Some(path) => format!("{words}: {}", path.display()),
        None => words,
    }
}

/// A sentence with its details in their places, `{0}` for the first.
fn filled(sentence: &str, details: &[String]) -> String {
    // In one pass, since a detail may hold braces itself.
    let mut parts = sentence.split('{');
    let mut words = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (place, rest) = part.split_once('}').unwrap_or(("", part));
        let detail = place.parse().ok().and_then(|place: usize| details.get(place));
        words.push_str(detail.map_or("", String::as_str));
        words.push_str(rest);
    }
    words
}

fn korean(kind: ReasonKind) -> &'static str {
    use ReasonKind as Kind;
    match kind {
        Kind::Foreign => "{0}",
        Kind::NoSuchFile => "파일이나 폴더가 없습니다",
        Kind::FileUnread => "파일을 읽지 못했습니다 (‘{0}’)",
        Kind::IsFolder => "파일이 아니라 폴더입니다",
        Kind::NotAFile => "보통 파일이 아닙니다. 내용을 파일로 복사한 뒤 여세요",
        Kind::FileTooLong => "파일이 그림과 잠재의 한도인 {0} MiB보다 큽니다. 모델의 가중치인지 확인하세요",
        Kind::NothingKnown => "그림도, 잠재도, 모델 폴더도 아닙니다",
        Kind::NotAPicture => "그림 파일이 아닙니다. 원본으로는 그림을 고르세요",

        Kind::NoModelInFolder => "diffusers 형식의 모델이 없습니다. ‘{0}’ 파일이 있어야 합니다",
        Kind::NotAModelFile => "모델은 폴더, safetensors 파일, GGUF 파일에서 엽니다. 이것은 모델이 아닙니다",
        Kind::Pickled => {
            "가중치가 pickle 파일입니다. pickle을 열면 어떤 코드든 실행될 수 있어 열지 않습니다. \
             diffusers의 pipe.save_pretrained(folder, safe_serialization=True)로 변환하세요"
        }
        Kind::MissingPart => "모델에 있어야 할 부분이 없고 그 파일도 지정되지 않았습니다 (‘{0}’, {1})",
        Kind::WrongPart => "지정한 파일이 이 모델의 부분으로 맞지 않습니다 (‘{0}’)",
        Kind::NotATinyDecoder => "소형 디코더가 아닙니다",
        Kind::TinyEncoderAlone => "소형 인코더뿐이고 디코더가 없습니다",
        Kind::NotAWholeModel => "이 파일로는 모델을 열 수 없습니다",
        Kind::UnsupportedFamily => "아직 지원하지 않는 모델입니다 (‘{0}’)",
        Kind::ModelFileDamaged => "모델 파일의 내용이 올바르지 않습니다 (‘{0}’)",
        Kind::ModelFileUnexpected => "모델 파일 하나가 예상하지 못한 방식으로 손상되었습니다 (‘{0}’)",
        Kind::TokenizerDamaged => "토크나이저를 쓸 수 없습니다 (‘{0}’)",
        Kind::SchedulerUnsupported => "스케줄러 설정을 쓸 수 없습니다 (‘{0}’)",
        Kind::NetworkFailed => "신경망을 만들거나 실행하지 못했습니다 (‘{0}’: ‘{1}’)",
        Kind::WeightsDamaged => "가중치를 쓸 수 없습니다 (‘{0}’)",
        Kind::TensorMissing => "있어야 할 텐서가 없습니다 (‘{0}’, {1})",
        Kind::TensorShape => "텐서의 크기가 다릅니다 (‘{0}’: {1}이어야 하는데 {2})",
        Kind::TensorUnusable => "텐서를 쓸 수 없습니다 (‘{0}’: ‘{1}’)",
        Kind::TooLittleMemory => "메모리가 약 {0} 필요한데 남은 메모리는 {1}입니다",
        Kind::AboveMemoryLimit => "메모리가 약 {0} 필요한데, 프로그램이 쓸 수 있는 {2} 중 {1}만 남았습니다",
        Kind::DeviceUnusable => "장치를 쓸 수 없습니다 (‘{0}’)",
        Kind::DeviceWrong => "장치 ‘{0}’의 계산 결과가 틀립니다 (‘{1}’, {2})",
        Kind::DeviceOutOfMemory => "장치의 메모리가 부족합니다 (‘{0}’)",
        Kind::DeviceLost => "계산하던 장치가 멈췄습니다 (‘{0}’)",

        Kind::PromptTooLong => "프롬프트가 너무 깁니다. {1}토큰씩 {0}묶음까지 쓸 수 있습니다",
        Kind::TokenWithoutRow => "토큰 ‘{0}’의 번호는 {1}인데 텍스트 인코더에는 토큰 {2}개의 벡터만 있습니다",
        Kind::DoesNotFit => "모델과 맞지 않습니다 (‘{0}’)",
        Kind::StepNonFinite => "{1}단계 중 {0}단계에서 숫자가 아닌 값이 나왔습니다",
        Kind::StepsImpossible => "{0}단계로는 그릴 수 없습니다. 1부터 {1}까지 고르세요",
        Kind::PartNonFinite => "모델의 한 부분에서 숫자가 아닌 값이 나왔습니다 (‘{0}’)",
        Kind::WeightsNonFinite => "가중치에 숫자가 아닌 값이 있습니다 (‘{0}’의 텐서 ‘{1}’)",
        Kind::DecodedNonFinite => {
            "디코더가 f32에서도 숫자가 아닌 값을 냈습니다. 잠재나 VAE의 가중치가 손상되었습니다"
        }
        Kind::LatentNonFinite => {
            "잠재의 값 {1}개 중 {0}개가 숫자가 아닙니다. 잠재를 만든 작업이 실패했으니 다시 만드세요"
        }
        Kind::ComputationFailed => "계산에 실패했습니다 (‘{0}’)",
        Kind::Bug => "프로그램의 오류입니다 (‘{0}’)",

        Kind::PictureEmpty => "그림 파일이 비어 있습니다. 복사나 내려받기가 끝나지 않았을 수 있습니다",
        Kind::PictureUnknown => {
            "아는 형식의 그림이 아닙니다. PNG, JPEG, WebP, BMP, TIFF, GIF를 쓸 수 있습니다"
        }
        Kind::PictureTruncated => "{0} 파일이 중간에 끊겼습니다. 다시 복사하거나 내려받으세요",
        Kind::PictureTooManyBytes => "파일이 {0}바이트로 한도인 {1}바이트보다 큽니다. 먼저 줄이세요",
        Kind::PictureTooManyPixels => "그림이 {0}×{1} 픽셀로 한도인 {2}픽셀보다 큽니다. 먼저 줄이세요",
        Kind::PictureDamaged => {
            "{0} 파일이 손상되었거나 지원하지 않는 종류입니다 (‘{1}’). 그림 편집기에서 열어 다시 저장해 보세요"
        }
        Kind::NotALatent => "잠재는 safetensors 파일(.latent)이나 numpy 배열(.npy)입니다",
        Kind::LatentDamaged => "{0} 파일이 손상되었습니다 (‘{1}’). 다시 복사하거나 저장하세요",
        Kind::NoLatentTensor => "파일에 잠재인 텐서가 없습니다 (‘{0}’). 모델의 가중치라면 모델 전체를 여세요",
        Kind::LatentShape => {
            "텐서의 크기가 잠재로 맞지 않습니다 ({0}). 잠재는 채널, 높이, 너비의 3차원입니다"
        }
        Kind::LatentDtype => "잠재의 값은 f16, bf16, f32, f64여야 합니다 ({0}). 먼저 변환하세요",

        Kind::UnknownExtension => {
            "‘.{0}’ 형식으로는 그림을 저장할 수 없습니다. .png, .jpg, .webp 중에서 고르세요"
        }
        Kind::UnknownAnimation => {
            "‘.{0}’ 형식으로는 애니메이션을 저장할 수 없습니다. .webp, .gif, .png, .mp4 중에서 고르거나, 확장자 없이 폴더 이름을 적으세요"
        }
        Kind::EncodeFailed => "그림을 {0} 형식으로 만들지 못했습니다 (‘{1}’). PNG로 저장해 보세요",
        Kind::FramesNotEncoded => "프레임을 {0} 형식으로 만들지 못했습니다 (‘{1}’). 더 작은 크기를 고르세요",
        Kind::NoFfmpeg => {
            "MP4는 ffmpeg 프로그램이 만드는데, 설치되어 있지 않거나 PATH에 없습니다. 설치하거나 WebP, GIF, PNG를 고르세요"
        }
        Kind::FfmpegFailed => {
            "ffmpeg가 동영상을 만들지 못했습니다 (‘{0}’). WebP, GIF, PNG를 고르거나 다른 ffmpeg를 쓰세요"
        }
        Kind::FolderNotEmpty => "그림을 넣을 폴더가 비어 있지 않습니다. 새 폴더를 고르세요",
        Kind::NameIsFile => "같은 이름의 파일이 있습니다. 다른 이름을 고르세요",
        Kind::WriteDenied => "쓸 권한이 없습니다. 쓸 수 있는 폴더를 고르세요",
        Kind::DiskFull => "디스크에 공간이 없습니다. 공간을 비우거나 다른 디스크를 고르세요",
        Kind::NoFolderToWrite => "저장할 폴더가 없습니다. 있는 폴더를 고르세요",
        Kind::NameIsFolder => "같은 이름의 폴더가 있습니다. 다른 이름을 고르세요",
        Kind::NameTooLong => "파일 이름이 너무 깁니다. 더 짧은 이름을 고르세요",
        Kind::NameInvalid => "파일 이름으로 쓸 수 없습니다. 다른 이름을 고르세요",
        Kind::IsStream => "파이프나 장치에는 저장하지 않습니다. 파일 이름을 고르세요",
        Kind::WriteFailed => "파일을 쓰지 못했습니다 (‘{0}’)",
        Kind::NoNameFree => "비어 있는 이름이 없습니다. 다른 폴더를 고르세요",
        Kind::NothingToWrite => "저장할 것이 아직 없습니다",
        Kind::NoSteps => "보관된 단계가 없어 보여 줄 것이 없습니다. 같은 설정으로 다시 그리세요",
        Kind::OtherModelLoaded => "이 그림을 그린 모델이 아닙니다. 먼저 ‘{0}’ 모델을 고르세요",
        Kind::SheetEmpty => "잠재에 값이 없습니다",
        Kind::SheetTooLarge => "채널 시트가 {0}×{1} 픽셀로 너무 커집니다. 더 작은 잠재를 고르세요",

        Kind::RunInUse => "다른 창이나 명령이 이 작업을 쓰고 있습니다. 끝날 때까지 기다리세요",
        Kind::RunIsNewer => "더 새로운 버전의 프로그램이 보관한 작업입니다. 프로그램을 업데이트하세요",
        Kind::RunDamaged => "보관된 작업을 쓸 수 없습니다 (‘{0}’)",
        Kind::StepNotKept => "{0}단계는 보관되어 있지 않습니다. 보관된 단계는 {1}개입니다",
        Kind::TrashFailed => "휴지통으로 옮기지 못했습니다 (‘{0}’). 파일 관리자에서 지우세요",

        Kind::EngineFull => "이미 대기 중인 작업이 너무 많습니다",
        Kind::EngineGone => "엔진이 끝났습니다. 프로그램을 다시 시작하세요",

        Kind::ContentEmpty => "빈 파일입니다. 다시 복사하거나 내려받으세요",
        Kind::ContentPointer => "파일 자체가 아니라 포인터입니다. 그 폴더에서 ‘{0}’ 명령으로 파일을 받으세요",
        Kind::ContentLink => "링크의 글자만 복사된 파일입니다. 링크를 따라가며 폴더를 다시 복사하세요",
        Kind::ContentPage => "웹 페이지입니다. 로그인이 필요하다면 로그인한 뒤 다시 내려받으세요",
        Kind::ContentText => "텍스트 파일입니다 (‘{0}’)",
        Kind::ContentPickle => {
            "pickle 파일입니다. 열면 어떤 코드든 실행될 수 있으니 safetensors로 저장하세요"
        }
        Kind::ContentArchive => "{0} 압축 파일입니다. 먼저 푸세요",
        Kind::ContentForeignPicture => "지원하지 않는 그림 형식 {0}입니다. 먼저 PNG로 변환하세요",
        Kind::ContentNamed => "{0} 파일입니다",
        Kind::ContentUnknown => "알 수 없는 파일입니다",

        Kind::WeightsLora => "다른 모델을 바꾸는 LoRA이며 혼자서는 그리지 못합니다",
        Kind::WeightsControlNet => "다른 모델을 이끄는 ControlNet이며 혼자서는 그리지 못합니다",
        Kind::WeightsVae => "모델의 일부인 VAE뿐입니다",
        Kind::WeightsTextEncoder => "모델의 일부인 텍스트 인코더뿐입니다",
        Kind::WeightsLanguageModel => "언어 모델이며 그림을 그리지 못합니다",
        Kind::WeightsEmbedding => "단어의 벡터입니다. 모델 폴더의 ‘embeddings’ 폴더에 넣으세요",
        Kind::WeightsUpscaler => "그림을 키우는 신경망이며 그림을 그리지 못합니다",
        Kind::RunWithoutPicture => "그 실행에는 그림이 없습니다. 아직 디코딩하지 않았습니다",
        Kind::WeightsPictureSearch => "단어로 그림을 찾는 모델(CLIP, SigLIP)이며 그림을 그리지 못합니다",
        Kind::WeightsSigLipOther => {
            "지원하지 않는 SigLIP 2(NaFlex, giant)입니다. google/siglip2-base-patch16-224처럼 그림 크기가 하나인 것을 받으세요"
        }
        Kind::WeightsPictureDescription => "그림을 설명하는 모델(BLIP)이며 그림을 그리지 못합니다",
        Kind::WeightsVideo => "영상을 만드는 모델입니다",
        Kind::WeightsRefiner => "다른 모델의 잠재를 다듬는 리파이너입니다. 기본 모델을 여세요",
        Kind::WeightsDenoiser => "{0}의 디노이저이며 이대로는 열 수 없습니다",
        Kind::WeightsUnknown => "알 수 없는 가중치 파일입니다",

        Kind::ReadDenied => "읽을 권한이 없습니다",
        Kind::PrecisionUnsupported => "지원하지 않는 숫자 형식입니다 ({0})",
        Kind::SeveralFiles => {
            "여러 파일로 나뉘어 있습니다. 이런 파일은 diffusers 형식의 모델 폴더 안에서만 열립니다"
        }
        Kind::PartUnusable => "모델의 한 부분을 쓸 수 없습니다 (‘{0}’)",
        Kind::NoModelItself => "혼자서는 그릴 수 없는 종류의 파일입니다 ({0})",
        Kind::PartsLacking => "모델에 없는 부분의 파일을 찾지 못했습니다 (‘{0}’)",
        Kind::LibraryChoices => "추가한 폴더의 목록을 읽지 못했습니다 (‘{0}’). 파일을 고치거나 지우세요",
        Kind::LibraryNowhere => "시스템에 모델 목록을 둘 폴더가 없습니다",
        Kind::LibraryName => "이 이름의 모델이 없거나 여럿입니다 (‘{0}’)",
        Kind::Stopped => "중지했습니다",
        Kind::LinkLeadsOut => "링크가 목록의 폴더 밖을 가리킵니다. 그곳에서 지우세요",
        Kind::LinkToNothing => "링크가 가리키는 것이 없습니다",
        Kind::FolderGone => "폴더가 없습니다. 드라이브를 연결하거나 목록에서 빼세요",
        Kind::FolderForbidden => "이 사용자는 폴더를 읽을 수 없습니다",
        Kind::FolderUnread => "폴더를 읽지 못했습니다 (‘{0}’)",
        Kind::FolderIsFile => "파일입니다. 목록에는 폴더가 필요합니다",
        Kind::TooManyFiles => "파일이 {0}개가 넘어 나머지는 뺐습니다. 모델이 있는 폴더를 추가하세요",
        Kind::ComfyFolderGone => "ComfyUI의 목록에 있는 폴더인데 없습니다",
        Kind::ComfyLeftOut => "ComfyUI의 목록에서 이 줄은 뺐습니다 (‘{0}’)",
        Kind::ComfyFoldersUnknown => "ComfyUI가 함께 찾는 폴더를 알 수 없습니다 (‘{0}’)",

        Kind::HubAddress => {
            "받을 수 있는 것이 아닙니다. OWNER/NAME, 허브의 페이지 주소, 또는 가중치 파일의 https 주소를 적으세요 (‘{0}’)"
        }
        Kind::HubVariable => "환경 변수 {0}의 값을 쓸 수 없습니다 (‘{1}’)",
        Kind::HubOffline => "HF_HUB_OFFLINE이 설정되어 있어 아무것도 받지 않습니다. 받으려면 설정을 지우세요",
        Kind::HubUnreachable => {
            "{0}에 연결하지 못했습니다 (‘{1}’). 인터넷 연결을 확인하고, 프록시를 쓴다면 HTTPS_PROXY를 확인하세요"
        }
        Kind::HubInsecure => {
            "{0}에 안전하게 연결할 수 없습니다 (‘{1}’). 회사의 인증서는 시스템의 인증서 저장소에 넣으세요"
        }
        Kind::HubBroken => "{0}와의 연결이 끊겼습니다 (‘{1}’). 받은 것은 남아 있으니 나중에 이어서 받으세요",
        Kind::HubStalled => {
            "{0}에서 {1}초 동안 아무것도 오지 않았습니다. 받은 것은 남아 있으니 나중에 이어서 받으세요"
        }
        Kind::HubBusy => {
            "{0}에서 지금은 받을 수 없습니다 ({1}). 받은 것은 남아 있으니 나중에 이어서 받으세요"
        }
        Kind::HubStatus => "서버가 {0}(으)로 답했습니다 ({1})",
        Kind::HubNotFound => "이 주소에는 아무것도 없습니다. 이름을 확인하세요 ({0})",
        Kind::HubGated => {
            "{0}의 약관에 동의한 계정만 받을 수 있습니다. 페이지에서 약관에 동의하고, 그 계정의 토큰을 아래에 넣으세요"
        }
        Kind::HubHidden => {
            "{0}: 없는 저장소이거나 일부 계정만 볼 수 있습니다. 이름을 확인하거나, 볼 수 있는 계정의 토큰을 넣으세요"
        }
        Kind::HubBadToken => "허브가 토큰을 받아들이지 않습니다. 새 토큰을 넣으세요",
        Kind::HubRedirect => "서버가 따라갈 수 없는 곳으로 넘깁니다 ({0})",
        Kind::HubPage => {
            "파일 대신 웹 페이지가 왔습니다. 로그인이 필요한 망일 수 있으니 브라우저에서 열어 본 뒤 다시 시도하세요 ({0})"
        }
        Kind::HubBadAnswer => "서버의 답을 쓸 수 없습니다 (‘{0}’: {1})",
        Kind::HubWrongLength => {
            "서버가 보내는 크기({1})가 목록의 크기({2})와 달라 받지 않았습니다. 나중에 다시 시도하세요 (‘{0}’)"
        }
        Kind::HubWrongHash => "받은 파일이 목록의 파일과 달라 지웠습니다. 다시 시도하세요 (‘{0}’)",
        Kind::HubChanging => {
            "받는 동안 서버의 파일이 거듭 바뀌어 아무것도 남기지 않았습니다. 나중에 다시 시도하세요 (‘{0}’)"
        }
        Kind::HubSpace => "디스크에 {0} 더 필요한데 남은 공간은 {1}입니다. 공간을 비우세요",
        Kind::HubOccupied => "같은 이름의 다른 파일이 있어 바꾸지 않았습니다. 그 파일을 옮기세요",
        Kind::HubDisk => "받은 파일을 쓸 수 없습니다 (‘{0}’)",
        Kind::HubToken => "토큰을 저장하지 못했습니다 (‘{0}’)",
        Kind::HubNoWeights => {
            "{0}에는 코드를 실행하지 않고 여는 두 형식인 safetensors와 GGUF 파일이 없습니다"
        }
        Kind::HubNoSuchFile => "{0}에 이런 파일이나 폴더가 없습니다 ({1})",
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Names that are the same in every language.
    const NAMES: [&str; 56] = [
        "OWNER",
        "NAME",
        "https",
        "HF",
        "HUB",
        "OFFLINE",
        "HTTPS",
        "PROXY",
        "MiB",
        "diffusers",
        "safetensors",
        "CLIP",
        "BLIP",
        "GGUF",
        "pickle",
        "pipe",
        "save",
        "pretrained",
        "folder",
        "safe",
        "serialization",
        "True",
        "VAE",
        "f",
        "bf",
        "PNG",
        "JPEG",
        "WebP",
        "BMP",
        "TIFF",
        "GIF",
        "latent",
        "numpy",
        "npy",
        "gif",
        "mp",
        "MP",
        "ffmpeg",
        "PATH",
        "png",
        "jpg",
        "webp",
        "LoRA",
        "ControlNet",
        "SigLIP",
        "NaFlex",
        "giant",
        "google",
        "siglip",
        "base",
        "patch",
        "ComfyUI",
        "embeddings",
        "A",
        "B",
        "C",
    ];

    #[test]
    fn every_kind_has_its_korean_sentence() {
        let details = ["A", "B", "C"].map(str::to_owned);
        for kind in ReasonKind::ALL.iter().filter(|kind| **kind != ReasonKind::Foreign) {
            let words = filled(korean(*kind), &details);
            assert!(words.chars().any(|c| ('가'..='힣').contains(&c)), "{kind:?}: {words}");
            assert!(!words.contains(['{', '}']), "{kind:?}: {words}");
            for word in words.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty()) {
                assert!(NAMES.contains(&word), "{kind:?}: {word:?} in {words}");
            }
        }
    }

    #[test]
    fn details_causes_and_paths_have_their_places() {
        let pointer = Reason::new(ReasonKind::ContentPointer, "a pointer").with([&"git lfs pull" as _]);
        let reason =
            Reason::new(ReasonKind::NotAModelFile, "no model").because(pointer).at(Path::new("/a{0}"));
        let said = reason_words(&reason, Language::Korean);
        assert!(said.starts_with("모델은 폴더") && said.contains("(파일 자체가"), "{said}");
        assert!(said.contains("‘git lfs pull’") && said.ends_with("): /a{0}"), "{said}");
        assert_eq!(reason_words(&reason, Language::English), "no model");
        let shape = Reason::new(ReasonKind::TensorShape, "").with([&"w{1}" as _, &"[1]" as _, &"[2]" as _]);
        assert_eq!(
            reason_words(&shape, Language::Korean),
            "텐서의 크기가 다릅니다 (‘w{1}’: [1]이어야 하는데 [2])"
        );
    }
}
