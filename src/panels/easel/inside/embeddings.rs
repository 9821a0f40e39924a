//! The strength of the prompt's embeddings: a row for each token, a column for each group of channels.

use egui::{Align2, Color32, Pos2, Rect, Ui, Vec2};

use super::axis_words;
use crate::panels::desk::Desk;
use crate::panels::easel::WHOLE;
use crate::preview::Look;
use crate::projection::ColourMap;
use crate::request::PromptToken;
use crate::session::Session;

/// Width of the words beside the rows, points.
const WORDS: f32 = 96.0;
/// Height from which a row has its word, and the greatest height of one, points.
const LEAST: f32 = 12.0;
const MOST: f32 = 28.0;

pub(super) fn embeddings_ui(ui: &mut Ui, session: &Session, desk: &mut Desk) {
    let Some(map) = session.inside_map() else { return };
    let rows = map.values.shape().height.max(1) as f32;
    let room = ui.max_rect().shrink2(Vec2::new(20.0, 24.0));
    let height = (room.height() / rows).min(MOST) * rows;
    let middle = room.center().y;
    let area = room.with_min_x(room.left() + WORDS);
    let area = Rect::from_x_y_ranges(area.x_range(), middle - height / 2.0..=middle + height / 2.0);
    let [low, high] = map.range;
    let heat = Look::Channel { index: 0, map: ColourMap::Heat, low, high, smooth: false };
    if let Some(texture) = desk.texture(&map.values, &heat) {
        ui.painter().image(texture, area, WHOLE, Color32::WHITE);
    }
    if height / rows < LEAST {
        return;
    }
    let tokens = session.inside_tokens().into_iter().flat_map(|tokens| tokens.chunks.iter().flatten());
    for (row, token) in tokens.take(rows as usize).enumerate() {
        let y = area.top() + (row as f32 + 0.5) * height / rows;
        let words = token_words(token);
        axis_words(ui, Pos2::new(area.left() - 8.0, y), Align2::RIGHT_CENTER, words);
    }
}

fn token_words(token: &PromptToken) -> &str {
    if token.is_of_prompt { &token.text } else { "·" }
}
