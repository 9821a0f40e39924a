//! Spectra: how much of the picture is in which frequency at this step, and when each frequency settled.

use egui::{Align2, Color32, Mesh, Pos2, Rect, Stroke, Ui, Vec2};

use super::axis_words;
use crate::latent::Spectrum;
use crate::panels::desk::Desk;
use crate::panels::theme;
use crate::projection::ColourMap;
use crate::session::{Document, Session};

/// Room beside and below the charts for the words of their axes, points.
const LEFT: f32 = 58.0;
const BELOW: f32 = 22.0;
/// Room for the title above a chart, points.
const ABOVE: f32 = 20.0;
/// The change from step to step below which a frequency counts as settled.
const SETTLED: f32 = 0.05;
/// The change that has the brightest colour.
const BRIGHTEST: f32 = 1.0;

pub(super) fn spectrum_ui(ui: &mut Ui, session: &Session, desk: &Desk, document: &Document) {
    let text = desk.text;
    let spectra = session.inside_spectra();
    let Some(step) = document.step().or_else(|| document.steps().last()) else { return };
    let Some(index) = document.steps().iter().position(|other| other.step == step.step) else { return };
    let room = ui.max_rect().shrink2(Vec2::new(20.0, 14.0));
    let half = (room.height() - 2.0 * BELOW - 2.0 * ABOVE) / 2.0;
    let area = |top: f32| {
        Rect::from_min_max(Pos2::new(room.left() + LEFT, top), Pos2::new(room.right(), top + half))
    };
    let (upper, lower) = (area(room.top() + ABOVE), area(room.top() + 2.0 * ABOVE + half + BELOW));
    let now = spectra.get(index).and_then(Option::as_ref);
    axis_words(ui, upper.left_top() - Vec2::new(0.0, 4.0), Align2::LEFT_BOTTOM, text.spectrum_power);
    power_ui(ui, upper, session.inside_noisy_spectrum(), now);
    let known: Vec<&Spectrum> = spectra.iter().filter_map(Option::as_ref).collect();
    let settled = now.and_then(|now| now.change.as_ref()).map(|change| {
        let count = change.iter().filter(|change| **change < SETTLED).count();
        text.spectrum_settled.replace("{}", &format!("{count}/{}", change.len()))
    });
    let title = match settled {
        Some(settled) => format!("{} · {settled}", text.spectrum_change),
        None => text.spectrum_change.to_owned(),
    };
    axis_words(ui, lower.left_top() - Vec2::new(0.0, 4.0), Align2::LEFT_BOTTOM, &title);
    changes_ui(ui, lower, &known, index, text.step);
    axis_words(ui, upper.left_bottom() + Vec2::new(0.0, 4.0), Align2::LEFT_TOP, text.spectrum_coarse);
    axis_words(ui, lower.left_bottom() + Vec2::new(0.0, 4.0), Align2::LEFT_TOP, "1");
    axis_words(ui, upper.right_bottom() + Vec2::new(0.0, 4.0), Align2::RIGHT_TOP, text.spectrum_fine);
}

/// Place of a band along an axis of frequencies, which is logarithmic, 0 to 1.
fn share_of(band: f32, bands: usize) -> f32 {
    (band + 1.0).ln() / (bands.max(1) as f32 + 1.0).ln()
}

/// The power of x_t and of x̂₀ over the frequency, both logarithmic.
fn power_ui(ui: &Ui, area: Rect, noisy: Option<&Spectrum>, denoised: Option<&Spectrum>) {
    let dark = ui.visuals().dark_mode;
    let painter = ui.painter();
    painter.rect_filled(area, 0.0, theme::sunken(dark));
    let powers = || noisy.iter().chain(denoised.iter()).flat_map(|spectrum| spectrum.power.iter().copied());
    let positive = || powers().filter(|power| *power > 0.0);
    let [low, high] = [positive().fold(f32::INFINITY, f32::min), positive().fold(0.0, f32::max)];
    if high <= 0.0 {
        return;
    }
    let [low, high] = [low.log10().floor(), high.log10().ceil().max(low.log10().floor() + 1.0)];
    let y = |exponent: f32| area.bottom() - area.height() * (exponent - low) / (high - low);
    let stride = ((high - low) / 4.0).ceil().max(1.0) as i32;
    let mut exponent = low as i32;
    while exponent <= high as i32 {
        let at = y(exponent as f32);
        painter.hline(area.x_range(), at, Stroke::new(1.0, theme::seam(dark)));
        axis_words(ui, Pos2::new(area.left() - 6.0, at), Align2::RIGHT_CENTER, &power_of_ten(exponent));
        exponent += stride;
    }
    for (spectrum, name, colour) in [(noisy, "xₜ", theme::quiet(dark)), (denoised, "x̂₀", theme::accent(dark))]
    {
        let Some(spectrum) = spectrum else { continue };
        let bands = spectrum.power.len();
        let point = |(band, power): (usize, &f32)| {
            let x = area.left() + area.width() * share_of(band as f32 + 0.5, bands);
            Pos2::new(x, y(power.max(f32::MIN_POSITIVE).log10()).clamp(area.top(), area.bottom()))
        };
        let points: Vec<Pos2> = spectrum.power.iter().enumerate().map(point).collect();
        if let Some(last) = points.last() {
            let font = egui::FontId::proportional(13.0);
            painter.text(*last - Vec2::new(4.0, 3.0), Align2::RIGHT_BOTTOM, name, font, colour);
        }
        painter.line(points, Stroke::new(1.5, colour));
    }
}

/// 10 to a power, with raised digits.
fn power_of_ten(exponent: i32) -> String {
    let raised = |c: char| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        digit => char::from_u32(0x2070 + digit.to_digit(10).unwrap_or_default()).unwrap_or(digit),
    };
    format!("10{}", exponent.to_string().chars().map(raised).collect::<String>())
}

/// The change of each frequency at each step: steps from left to right, coarse frequencies at the bottom.
fn changes_ui(ui: &Ui, area: Rect, spectra: &[&Spectrum], shown: usize, step: &str) {
    let dark = ui.visuals().dark_mode;
    ui.painter().rect_filled(area, 0.0, theme::sunken(dark));
    let count = spectra.len();
    if count == 0 {
        return;
    }
    let width = area.width() / count as f32;
    let mut mesh = Mesh::default();
    for (index, spectrum) in spectra.iter().enumerate() {
        let Some(changes) = &spectrum.change else { continue };
        let columns = area.left() + index as f32 * width..=area.left() + (index as f32 + 1.0) * width;
        for (band, change) in changes.iter().enumerate() {
            let edge = |band: usize| area.bottom() - area.height() * share_of(band as f32, changes.len());
            let colour = theme::of_bytes(ColourMap::Heat.bytes(change.sqrt(), [0.0, BRIGHTEST]));
            let cell = Rect::from_x_y_ranges(columns.clone(), edge(band + 1)..=edge(band));
            mesh.add_colored_rect(cell, colour);
        }
    }
    ui.painter().add(mesh);
    let column = Rect::from_x_y_ranges(
        area.left() + shown as f32 * width..=area.left() + (shown as f32 + 1.0) * width,
        area.y_range(),
    );
    let stroke = Stroke::new(1.5, theme::accent(dark));
    ui.painter().rect_stroke(column, 0.0, stroke, egui::StrokeKind::Middle);
    axis_words(ui, area.right_bottom() + Vec2::new(0.0, 4.0), Align2::RIGHT_TOP, &format!("{step} {count}"));
    legend_ui(ui, area);
}

/// The colours of the changes, beside the chart.
fn legend_ui(ui: &Ui, area: Rect) {
    let bar = Rect::from_min_size(Pos2::new(area.left() - 16.0, area.top()), Vec2::new(8.0, area.height()));
    let parts = 24;
    for part in 0..parts {
        let share = (part as f32 + 0.5) / parts as f32;
        let colour: Color32 = theme::of_bytes(ColourMap::Heat.bytes(share, [0.0, 1.0]));
        let rows = bar.bottom() - bar.height() * (part as f32 + 1.0) / parts as f32
            ..=bar.bottom() - bar.height() * part as f32 / parts as f32;
        ui.painter().rect_filled(Rect::from_x_y_ranges(bar.x_range(), rows), 0.0, colour);
    }
    for (share, words) in [(0.0, "0 %"), (0.5, "25 %"), (1.0, "100 %")] {
        let y = bar.bottom() - bar.height() * share;
        axis_words(ui, Pos2::new(bar.left() - 4.0, y), Align2::RIGHT_CENTER, words);
    }
}

#[cfg(test)]
mod tests {
    use super::power_of_ten;

    #[test]
    fn powers_of_ten_have_raised_digits() {
        assert_eq!([0, 1, -2, 13, -45].map(power_of_ten), ["10⁰", "10¹", "10⁻²", "10¹³", "10⁻⁴⁵"]);
    }
}
