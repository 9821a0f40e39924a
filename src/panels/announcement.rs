//! The words of the notification that long work has ended.

use super::words::failure_words;
use super::{Language, Text};
use crate::session::EndedWork;

/// The title and the text of the notification. Neither says what is in the picture: others may see the screen.
pub fn announcement(ended: &EndedWork, language: Language) -> [String; 2] {
    let pick = |english: &str, korean: &str| match language {
        Language::English => english.to_owned(),
        Language::Korean => korean.to_owned(),
    };
    let drawn = match (ended.drawn, language) {
        (1, Language::English) => "1 picture drawn".to_owned(),
        (drawn, Language::English) => format!("{drawn} pictures drawn"),
        (drawn, Language::Korean) => format!("그림 {drawn}장을 그렸습니다"),
    };
    let failed = match language {
        Language::English => format!("{} failed", ended.failed),
        Language::Korean => format!("{}개 실패", ended.failed),
    };
    let title = match (ended.drawn, ended.failed) {
        (0, 0) if ended.coded > 0 => pick("Encoding and decoding have ended", "인코딩과 디코딩을 마쳤습니다"),
        (0, 0) => pick("The model is loaded", "모델을 불러왔습니다"),
        (0, 1) => pick("A job failed", "작업이 실패했습니다"),
        (0, _) => match language {
            Language::English => format!("{} jobs failed", ended.failed),
            Language::Korean => format!("작업 {}개가 실패했습니다", ended.failed),
        },
        (_, 0) => drawn,
        _ => format!("{drawn}, {failed}"),
    };
    let secs = ended.took.as_secs();
    let took = match (secs / 60, language) {
        (0, Language::English) => format!("{secs} s"),
        (0, Language::Korean) => format!("{secs}초"),
        (minutes, Language::English) => format!("{minutes} min {} s", secs % 60),
        (minutes, Language::Korean) => format!("{minutes}분 {}초", secs % 60),
    };
    let body = match &ended.why {
        Some(failure) => {
            let [what, _] = failure_words(failure, language);
            what
        }
        None => format!("{}: {took}", Text::of(language).time),
    };
    [title, body]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::{Failure, Task};

    #[test]
    fn an_announcement_says_what_ended_and_how_long_it_took() {
        let ended = |drawn, coded, failed| EndedWork {
            took: Duration::from_secs(if drawn == 1 { 12 } else { 130 }),
            drawn,
            coded,
            loaded: true,
            failed,
            why: (failed > 0).then(|| Failure { task: Task::Sample, why: "NaN".into(), advice: None }),
        };
        let english = |drawn, coded, failed| announcement(&ended(drawn, coded, failed), Language::English);
        assert_eq!(english(1, 0, 0), ["1 picture drawn", "Time: 12 s"]);
        assert_eq!(english(3, 1, 0), ["3 pictures drawn", "Time: 2 min 10 s"]);
        assert_eq!(english(3, 0, 1), ["3 pictures drawn, 1 failed", "Sampling failed"]);
        assert_eq!(english(0, 0, 1), ["A job failed", "Sampling failed"]);
        assert_eq!(english(0, 2, 0), ["Encoding and decoding have ended", "Time: 2 min 10 s"]);
        assert_eq!(english(0, 0, 0), ["The model is loaded", "Time: 2 min 10 s"]);
        let korean = announcement(&ended(2, 0, 0), Language::Korean);
        assert_eq!(korean, ["그림 2장을 그렸습니다", "시간: 2분 10초"]);
    }
}
