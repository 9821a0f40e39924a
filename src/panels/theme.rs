//! All colours, fonts and distances of the window.

use std::sync::Arc;

use egui::{
    Color32, Context, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Stroke, TextStyle, Theme,
};

/// The accent, the red of a safelight: what runs or is selected. Used sparingly.
pub fn accent(dark: bool) -> Color32 {
    if dark { rgb(0xd9, 0x4a, 0x38) } else { rgb(0xb8, 0x36, 0x26) }
}

/// The accent as the ground of a button with text: Generate and Stop.
pub fn lamp(dark: bool) -> Color32 {
    if dark { rgb(0xb8, 0x37, 0x28) } else { rgb(0xb2, 0x33, 0x24) }
}

/// Unsaved work, warnings and failures.
pub fn warning(dark: bool) -> Color32 {
    if dark { rgb(0xe0, 0xa2, 0x4a) } else { rgb(0x8a, 0x5a, 0x0c) }
}

/// The ring around the control that has the keyboard focus.
pub fn focus(dark: bool) -> Color32 {
    if dark { rgb(0xff, 0xd9, 0xa8) } else { rgb(0x4a, 0x2a, 0x10) }
}

/// The outline of controls.
pub fn outline(dark: bool) -> Color32 {
    if dark { rgb(0x74, 0x6b, 0x68) } else { rgb(0x8a, 0x81, 0x7c) }
}

/// The line between two regions.
pub fn seam(dark: bool) -> Color32 {
    if dark { rgb(0x3a, 0x32, 0x30) } else { rgb(0xd3, 0xcb, 0xc6) }
}

/// A ground one step lighter than a panel.
pub fn raised(dark: bool) -> Color32 {
    if dark { rgb(0x36, 0x2f, 0x2d) } else { rgb(0xe2, 0xdb, 0xd6) }
}

/// A ground one step darker than a panel.
pub fn sunken(dark: bool) -> Color32 {
    if dark { rgb(0x0d, 0x0a, 0x0a) } else { rgb(0xdd, 0xd6, 0xd1) }
}

/// The ground of the tag at the pointer.
pub fn tag() -> Color32 {
    Color32::from_black_alpha(225)
}

/// Text on [`lamp`].
pub fn on_accent() -> Color32 {
    rgb(0xff, 0xf6, 0xf2)
}

/// Secondary text.
pub fn quiet(dark: bool) -> Color32 {
    if dark { rgb(0x9a, 0x90, 0x8c) } else { rgb(0x5f, 0x56, 0x52) }
}

/// The ground behind a picture.
pub fn easel(dark: bool) -> Color32 {
    if dark { rgb(0x10, 0x0d, 0x0d) } else { rgb(0xdd, 0xd8, 0xd4) }
}

/// Text on a colour of a picture: dark on light, light on dark (Rec. 709 luma).
pub fn ink_on([r, g, b]: [u8; 3]) -> Color32 {
    let luma = 0.2126 * f32::from(r) + 0.7152 * f32::from(g) + 0.0722 * f32::from(b);
    if luma > 128.0 { rgb(0x1a, 0x14, 0x12) } else { rgb(0xff, 0xf6, 0xf2) }
}

/// The ground of a chip over a picture.
pub fn chip() -> Color32 {
    Color32::from_black_alpha(170)
}

/// Text on [`chip`].
pub fn on_chip() -> Color32 {
    rgb(0xf2, 0xe9, 0xe4)
}

/// The line under a word that the built-in model does not know.
pub fn unknown_word(dark: bool) -> Color32 {
    if dark { rgb(0xb0, 0x8a, 0x4a) } else { rgb(0x94, 0x6a, 0x1e) }
}

#[expect(clippy::disallowed_methods, reason = "colours live here")]
const fn rgb(r: u8, g: u8, b: u8) -> Color32 {
    Color32::from_rgb(r, g, b)
}

/// A colour from sRGB bytes.
pub fn of_bytes([r, g, b]: [u8; 3]) -> Color32 {
    rgb(r, g, b)
}

/// Sets fonts, sizes and both themes.
pub fn install(ctx: &Context) {
    ctx.set_fonts(fonts());
    ctx.all_styles_mut(|style| {
        style.text_styles = [
            (TextStyle::Small, 12.0),
            (TextStyle::Body, 14.0),
            (TextStyle::Button, 14.0),
            (TextStyle::Monospace, 13.0),
        ]
        .into_iter()
        .map(|(name, size)| (name, FontId::proportional(size)))
        .chain([(TextStyle::Heading, FontId::new(17.0, strong()))])
        .collect();
        style.spacing.item_spacing = egui::vec2(8.0, 8.0);
        style.spacing.button_padding = egui::vec2(10.0, 5.0);
        style.spacing.interact_size.y = 28.0;
        style.spacing.combo_width = 120.0;
        // A blinking cursor would redraw the window all the time.
        style.visuals.text_cursor.blink = false;
    });
    ctx.style_mut_of(Theme::Dark, |style| paint(&mut style.visuals, true));
    ctx.style_mut_of(Theme::Light, |style| paint(&mut style.visuals, false));
}

/// Sets whether menus fade and lists glide.
pub fn set_motion(ctx: &Context, reduced: bool) {
    let usual = egui::Style::default();
    ctx.all_styles_mut(|style| {
        style.animation_time = if reduced { 0.0 } else { usual.animation_time };
        style.scroll_animation =
            if reduced { egui::style::ScrollAnimation::none() } else { usual.scroll_animation };
    });
}

/// The semi-bold font.
pub fn strong() -> FontFamily {
    FontFamily::Name("strong".into())
}

fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    let mut add = |name: &str, bytes: &'static [u8]| {
        fonts.font_data.insert(name.to_owned(), Arc::new(FontData::from_static(bytes)));
    };
    add("Pretendard", include_bytes!("../../assets/fonts/Pretendard-Regular.otf"));
    add("Pretendard SemiBold", include_bytes!("../../assets/fonts/Pretendard-SemiBold.otf"));
    let fallback = fonts.families.get(&FontFamily::Proportional).cloned().unwrap_or_default();
    // The last font has the small triangles of menus.
    let last = fonts.font_data.contains_key("Hack").then(|| "Hack".to_owned());
    let family = |first: &str| {
        let first = std::iter::once(first.to_owned());
        first.chain(fallback.clone()).chain(last.clone()).collect::<Vec<_>>()
    };
    let [plain, heavy] = [family("Pretendard"), family("Pretendard SemiBold")];
    fonts.families.insert(FontFamily::Proportional, plain);
    fonts.families.insert(strong(), heavy);
    fonts
}

fn paint(visuals: &mut egui::Visuals, dark: bool) {
    *visuals = if dark { egui::Visuals::dark() } else { egui::Visuals::light() };
    visuals.text_cursor.blink = false;
    let shade =
        |dark_value: [u8; 3], light_value: [u8; 3]| of_bytes(if dark { dark_value } else { light_value });
    let ground = shade([0x19, 0x15, 0x15], [0xf5, 0xf1, 0xee]);
    visuals.panel_fill = ground;
    visuals.window_fill = shade([0x22, 0x1d, 0x1c], [0xfb, 0xf8, 0xf6]);
    visuals.extreme_bg_color = shade([0x11, 0x0e, 0x0e], [0xff, 0xff, 0xff]);
    visuals.faint_bg_color = shade([0x1f, 0x1a, 0x19], [0xee, 0xe9, 0xe5]);
    visuals.selection.bg_fill = accent(dark).gamma_multiply(if dark { 0.55 } else { 0.28 });
    visuals.selection.stroke = Stroke::new(1.0, shade([0xff, 0xe6, 0xde], [0x5a, 0x16, 0x0c]));
    visuals.hyperlink_color = accent(dark);
    let corner = CornerRadius::same(6);
    let line = seam(dark);
    let ink = shade([0xe6, 0xdc, 0xd7], [0x2b, 0x24, 0x22]);
    let widgets = &mut visuals.widgets;
    for (widget, fill) in [
        (&mut widgets.noninteractive, ground),
        (&mut widgets.inactive, shade([0x2c, 0x26, 0x24], [0xe7, 0xe1, 0xdc])),
        (&mut widgets.hovered, shade([0x38, 0x30, 0x2e], [0xdd, 0xd5, 0xcf])),
        (&mut widgets.active, shade([0x45, 0x3a, 0x37], [0xd1, 0xc7, 0xc0])),
        (&mut widgets.open, shade([0x32, 0x2b, 0x29], [0xe2, 0xdb, 0xd6])),
    ] {
        widget.corner_radius = corner;
        widget.bg_fill = fill;
        widget.weak_bg_fill = fill;
        widget.bg_stroke = Stroke::NONE;
        widget.fg_stroke = Stroke::new(1.0, ink);
        widget.expansion = 0.0;
    }
    widgets.noninteractive.bg_stroke = Stroke::new(1.0, line);
    widgets.inactive.bg_stroke = Stroke::new(1.0, outline(dark));
    widgets.hovered.bg_stroke = Stroke::new(1.0, ink);
    widgets.active.bg_stroke = Stroke::new(1.0, ink);
    widgets.open.bg_stroke = Stroke::new(1.0, outline(dark));
    // Rails of sliders have no outline.
    widgets.inactive.bg_fill = shade([0x2c, 0x26, 0x24], [0xe7, 0xe1, 0xdc]);
    visuals.window_corner_radius = CornerRadius::same(10);
    visuals.window_stroke = Stroke::new(1.0, line);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Contrast ratio as WCAG 2.1 defines it.
    fn contrast(a: Color32, b: Color32) -> f32 {
        let luminance = |colour: Color32| {
            let linear = |v: u8| {
                let v = f32::from(v) / 255.0;
                if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * linear(colour.r()) + 0.7152 * linear(colour.g()) + 0.0722 * linear(colour.b())
        };
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn less_motion_is_none_in_either_theme_until_it_is_switched_off() {
        let ctx = Context::default();
        let times = |ctx: &Context| [Theme::Dark, Theme::Light].map(|t| ctx.style_of(t).animation_time);
        let usual = times(&ctx);
        assert!(usual[0] > 0.0);
        set_motion(&ctx, true);
        assert_eq!(times(&ctx), [0.0; 2]);
        assert_eq!(ctx.style_of(Theme::Light).scroll_animation, egui::style::ScrollAnimation::none());
        set_motion(&ctx, false);
        assert_eq!(times(&ctx), usual);
    }

    #[test]
    fn words_and_outlines_stand_out_from_their_grounds_in_both_themes() {
        for dark in [true, false] {
            let mut visuals = egui::Visuals::dark();
            paint(&mut visuals, dark);
            let (panel, popup, ink) =
                (visuals.panel_fill, visuals.window_fill, visuals.widgets.inactive.fg_stroke.color);
            let button = visuals.widgets.inactive.weak_bg_fill;
            for (name, words, ground) in [
                ("words on a panel", ink, panel),
                ("words on a popup", ink, popup),
                ("words on a button", ink, button),
                ("words on what is chosen", ink, raised(dark)),
                ("quiet words", quiet(dark), panel),
                ("quiet words on a popup", quiet(dark), popup),
                ("quiet words on the easel", quiet(dark), easel(dark)),
                ("a warning", warning(dark), panel),
                ("words on the lamp", on_accent(), lamp(dark)),
                ("a tag", on_chip(), Color32::BLACK),
            ] {
                let ratio = contrast(words, ground);
                eprintln!("{} {name}: {ratio:.2}", if dark { "dark" } else { "light" });
                assert!(ratio >= 4.5, "{name}, dark {dark}: {ratio}");
            }
            for (name, line, ground) in [
                ("an outline", outline(dark), panel),
                ("an outline on a popup", outline(dark), popup),
                ("the lamp", accent(dark), panel),
                ("the lamp on the easel", accent(dark), easel(dark)),
                ("the focus", focus(dark), panel),
                ("a warning on a popup", warning(dark), popup),
            ] {
                let ratio = contrast(line, ground);
                eprintln!("{} {name}: {ratio:.2}", if dark { "dark" } else { "light" });
                assert!(ratio >= 3.0, "{name}, dark {dark}: {ratio}");
            }
        }
    }
}
