//! Keys of the whole window, and the list of all keys.

use egui::{Key, Modifiers, Ui};

use super::Language;
use super::desk::{Desk, Overlay, View};
use super::film_strip::toggle_play;
use super::grid;
use super::reel;
use crate::session::history::HistoryAction;
use crate::session::{Action, CompareAction, ExportKind, Lens, Session, Touch};

/// Handles the keys of the whole window.
pub(super) fn keys(ui: &Ui, session: &Session, desk: &mut Desk, actions: &mut Vec<Action>) {
    use egui::text_selection::LabelSelectionState;
    let ctx = ui.ctx();
    let typing = ctx.text_edit_focused();
    let focused = ctx.memory(egui::Memory::focused);
    let popup = egui::Popup::is_any_open(ctx);
    let selected = ctx.with_plugin(|labels: &mut LabelSelectionState| labels.has_selection()) == Some(true);
    // Escape first closes a list or ends the editing of a number.
    let editing = typing && focused.is_some() && focused != desk.prompt_field;
    let asked = session.question().is_some();
    let points = ctx.pixels_per_point();
    let document = session.on_easel();
    ctx.input_mut(|input| {
        let command = Modifiers::COMMAND;
        if input.consume_key(command, Key::Comma) {
            desk.toggle(Overlay::Settings);
        }
        if input.consume_key(command, Key::M) {
            desk.toggle(Overlay::Models);
        }
        if input.consume_key(command, Key::G) {
            grid::toggle(desk);
        }
        if input.consume_key(command, Key::E) {
            reel::open_shown(session, desk);
        }
        // A slow frame may hold several presses.
        for _ in 0..input.count_and_consume_key(command, Key::Enter) {
            actions.push(Action::Generate);
        }
        let mut press = |modifiers, key, action: Action| {
            if input.consume_key(modifiers, key) {
                actions.push(action);
            }
        };
        press(command | Modifiers::SHIFT, Key::S, Action::Export(ExportKind::Latent));
        press(command, Key::S, Action::Export(ExportKind::Picture));
        press(command, Key::O, Action::Open);
        let compares = session.first_compared().is_some();
        let open = desk.overlay.is_some() || desk.grid.is_open || desk.gallery || compares;
        if session.unfinished() > 0 && !popup && !editing && !open && !asked {
            press(Modifiers::NONE, Key::Escape, Action::Stop);
        } else if open && !popup && !asked && input.consume_key(Modifiers::NONE, Key::Escape) {
            if desk.overlay.take().is_some() {
                // What is below it stays open.
            } else if desk.grid.is_open {
                desk.grid.is_open = false;
            } else if desk.gallery && session.history().family_view().is_some() {
                actions.push(Action::History(HistoryAction::CloseFamily));
            } else if desk.gallery {
                desk.gallery = false;
            } else {
                actions.push(Action::Compare(CompareAction::End));
            }
        }
        // On the page of models, what is typed is searched.
        let searches = desk.overlay == Some(Overlay::Models);
        if typing || popup || asked || searches {
            return;
        }
        // Before the arrows: with Shift they move the line of a wipe.
        if !desk.grid.is_open {
            super::compare::keys(input, session, desk, actions);
        }
        let mut press = |modifiers, key, action: Action| {
            if input.consume_key(modifiers, key) {
                actions.push(action);
            }
        };
        press(command | Modifiers::SHIFT, Key::Z, Action::Touch(Touch::Redo));
        let can_undo = document.is_some_and(|document| document.inspector().can_undo_redo()[0]);
        match session.last_taken_away() {
            Some(notice) if !can_undo => press(command, Key::Z, Action::TakeBack(notice)),
            _ => press(command, Key::Z, Action::Touch(Touch::Undo)),
        }
        // The gallery of kept runs and the grid have keys of their own.
        let has_own = (desk.gallery && session.history().is_kept()) || desk.grid.is_open;
        if focused.is_none() && !has_own {
            press(Modifiers::NONE, Key::ArrowRight, Action::ShowNeighbour(1));
            press(Modifiers::NONE, Key::ArrowLeft, Action::ShowNeighbour(-1));
            press(Modifiers::NONE, Key::Num0, Action::SetLens(Lens::default()));
            press(Modifiers::NONE, Key::Num1, Action::SetLens(Lens::at_scale(1.0 / points)));
            if let Some(document) = document {
                press(Modifiers::NONE, Key::Delete, Action::Remove(document.id()));
            }
        }
        if session.fork_obstacle().is_none() {
            press(Modifiers::NONE, Key::B, Action::Fork);
        }
        if document.is_some_and(|document| document.steps().len() > 1)
            && input.consume_key(Modifiers::NONE, Key::P)
        {
            toggle_play(desk, input.time);
        }
        if input.consume_key(Modifiers::NONE, Key::I) {
            desk.view = if desk.view == View::Inside { View::Picture } else { View::Inside };
        }
        if input.consume_key(Modifiers::NONE, Key::R) {
            desk.recipe = !desk.recipe;
        }
        if input.consume_key(Modifiers::NONE, Key::L) {
            desk.enlarger = !desk.enlarger;
        }
        if input.consume_key(Modifiers::NONE, Key::G) {
            desk.gallery = !desk.gallery;
            desk.grid.is_open = false;
        }
        if input.consume_key(Modifiers::NONE, Key::F1)
            || input.consume_key(Modifiers::SHIFT, Key::Slash)
            || input.consume_key(Modifiers::NONE, Key::Questionmark)
        {
            desk.toggle(Overlay::Shortcuts);
        }
        if input.consume_key(Modifiers::NONE, Key::M) {
            desk.toggle(Overlay::Messages);
        }
        // The windowing system reports the keys for copying as an event.
        if !selected && input.events.contains(&egui::Event::Copy) {
            actions.push(Action::Copy);
        }
    });
    let searches = desk.overlay == Some(Overlay::Models);
    if !typing
        && !popup
        && !asked
        && !searches
        && ctx.input_mut(|input| input.consume_key(Modifiers::NONE, Key::F))
    {
        let full = ctx.input(|input| input.viewport().fullscreen.unwrap_or_default());
        ctx.send_viewport_cmd(egui::ViewportCommand::Fullscreen(!full));
    }
}

/// Every key and what it does, in English and Korean.
const ALL: [(&str, &str, &str); 35] = [
    ("Ctrl+Enter", "Generate; while a picture is drawn, one more", "생성 (그리는 중에는 한 장 더)"),
    ("Esc", "Close what is open, then stop", "열린 것을 닫고, 없으면 중지"),
    ("Alt+↑  Alt+↓", "Earlier and later prompts", "이전/다음 프롬프트"),
    ("Ctrl+↑  Ctrl+↓", "The word, or what is chosen, weighs more or less", "단어 또는 선택한 부분의 가중치"),
    ("Ctrl+Space", "Take the first suggested word", "첫 번째 추천 단어 사용"),
    (
        "Ctrl+O",
        "Open a picture, a latent, or a model (a folder or a file)",
        "그림, 잠재, 모델(폴더 또는 파일) 열기",
    ),
    ("Ctrl+M", "All models on this computer", "이 컴퓨터의 모든 모델"),
    ("Ctrl+V", "Paste a picture", "그림 붙여넣기"),
    ("Ctrl+S", "Save the picture", "그림 저장"),
    ("Ctrl+Shift+S", "Save the latent", "잠재 저장"),
    ("Ctrl+E", "Save how the picture developed as an animation", "그려진 과정을 애니메이션으로 저장"),
    ("Ctrl+C", "Copy the picture", "그림 복사"),
    (
        "Ctrl+Z  Ctrl+Shift+Z",
        "Undo and redo; bring back what was removed",
        "실행 취소/다시 실행, 제거한 것 되돌리기",
    ),
    ("← →", "The neighbour on the contact sheet", "밀착지의 이웃"),
    ("Delete", "Remove the document", "문서 제거"),
    ("1 … 5", "Stars, on a frame of the contact sheet", "밀착지 프레임에서 별점"),
    ("0  1", "The whole picture; one to one", "전체 보기, 1:1"),
    ("Space", "Held: drag the picture, as with the middle button", "누른 채 그림 끌기 (가운데 버튼과 같음)"),
    ("V", "Hold: the original", "누르는 동안 원본"),
    ("Ctrl", "With a click on a frame: compare with it", "프레임을 클릭하면 그것과 비교"),
    ("C", "Compare what is shown with what is shown next", "보이는 것을 다음에 보는 것과 비교"),
    (
        "S  W  K  D",
        "Compared: side by side, wipe, blink, difference",
        "비교: 나란히, 와이프, 번갈아 보기, 차이",
    ),
    ("T  X", "Compared: picture or latent; swap both", "비교: 그림/잠재, 서로 바꾸기"),
    ("P", "Play the steps, or pause", "단계 재생/일시 정지"),
    ("I", "Look inside the shown step", "보이는 단계의 내부 보기"),
    ("B", "Go on from the shown step with the recipe", "보이는 단계부터 레시피로 이어 그리기"),
    ("G", "The contact sheet in large frames", "밀착지 크게 보기"),
    ("Ctrl+G", "A grid of pictures that differ in a few settings", "설정 몇 가지만 다른 그림의 그리드"),
    (
        "PgUp  PgDn",
        "Grid: other pages; arrows walk, Enter shows",
        "그리드: 다른 쪽 (화살표로 이동, Enter로 보기)",
    ),
    ("R", "Show or hide the recipe", "레시피 패널 보이기/숨기기"),
    ("L", "Show or hide the latent's channels", "잠재 채널 패널 보이기/숨기기"),
    ("M", "Past messages", "지난 메시지"),
    ("F", "Full screen", "전체 화면"),
    ("Ctrl+,", "Settings", "설정"),
    ("?  F1", "These keys", "이 단축키 목록"),
];

/// The keys and what they do, in a language.
pub(super) fn all(language: Language) -> impl Iterator<Item = (&'static str, &'static str)> {
    ALL.into_iter().map(move |(keys, english, korean)| match language {
        Language::English => (keys, english),
        Language::Korean => (keys, korean),
    })
}
