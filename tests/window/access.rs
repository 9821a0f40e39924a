//! What screen readers hear, the order of the focus, and where it is seen; how much of the window shows the picture.

use egui::accesskit::{Role, Toggled};
use egui::{Pos2, Rect, Vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use safelight::app::Window;
use safelight::latent::{Latent, LatentShape};
use safelight::panels::View;
use safelight::session::{Action, FileContent};

use super::{draw, harness, open_latent, open_picture, tell_sampling, wait_for_examples};

/// What is missing of a control for a screen reader: its name, its role or its state.
fn lacks(node: &egui_kittest::kittest::AccessKitNode<'_>) -> Option<&'static str> {
    // The name of a text field is not what is typed into it.
    if node.label().unwrap_or_default().trim().is_empty() {
        return Some("a name");
    }
    let data = node.data();
    match node.role() {
        Role::Unknown | Role::GenericContainer => Some("a role"),
        Role::CheckBox | Role::RadioButton if node.toggled().is_none_or(|on| on == Toggled::Mixed) => {
            Some("whether it is checked")
        }
        Role::Slider | Role::SpinButton if node.numeric_value().is_none() && node.value().is_none() => {
            Some("a value")
        }
        Role::TextInput | Role::MultilineTextInput if node.value().is_none() => Some("its text"),
        Role::ComboBox if node.value().is_none() => Some("what is chosen"),
        Role::ComboBox if data.is_expanded().is_none() => Some("whether it is open"),
        _ if node.label().is_some_and(|name| name.ends_with('▾')) && data.is_expanded().is_none() => {
            Some("whether it is open")
        }
        _ => None,
    }
}

/// Fails for every control that lacks something; returns how many there are.
fn assert_is_heard(harness: &Harness<'_, Window>, state: &str) -> usize {
    let focusable = |node: &egui_kittest::kittest::AccessKitNode<'_>| {
        node.data().supports_action(egui::accesskit::Action::Focus) && !node.is_disabled()
    };
    let mut count = 0;
    let mut wrong = Vec::new();
    for node in harness.root().children_recursive() {
        let node = node.accesskit_node();
        // The window itself, and the handles of panels, which are dragged.
        if focusable(&node) && !matches!(node.role(), Role::Window | Role::Splitter) {
            count += 1;
            if let Some(what) = lacks(&node) {
                wrong.push(format!("{what}: {:?} {:?} {:?}", node.role(), node.label(), node.value()));
            }
        }
    }
    assert!(wrong.is_empty(), "{state}: a control lacks {wrong:#?}");
    count
}

#[test]
fn every_control_says_its_name_role_and_state() {
    let mut harness = harness(|_| {});
    wait_for_examples(&mut harness);
    assert!(assert_is_heard(&harness, "the first start") > 20);
    harness.get_by_label("More settings").click();
    harness.run_ok();
    assert!(assert_is_heard(&harness, "all settings") > 25);
    harness.get_by_label("More settings").click();
    harness.run_ok();

    // Menus say whether they are open.
    let is_open = |harness: &Harness<'_, Window>, name: &str| {
        harness.get_by_role_and_label(Role::Button, name).accesskit_node().data().is_expanded()
    };
    open_picture(&mut harness, 128, 128);
    for menu in ["Export ▾", "Language, theme, keys", "View ▾", "How previews are made", "Decode ▾"] {
        assert_eq!(is_open(&harness, menu), Some(false), "{menu}");
        harness.get_by_role_and_label(Role::Button, menu).click();
        harness.run_ok();
        assert_eq!(is_open(&harness, menu), Some(true), "{menu}");
        assert!(assert_is_heard(&harness, menu) > 30);
        harness.key_press(egui::Key::Escape);
        harness.run_ok();
    }
    for view in [View::Picture, View::Preview, View::Wipe, View::Error, View::Components, View::Inside] {
        harness.state_mut().desk.view = view;
        harness.run_ok();
        assert!(assert_is_heard(&harness, &format!("{view:?}")) > 30);
    }
    draw(&mut harness);
    assert!(assert_is_heard(&harness, "a result") > 30);
    let latent = Latent::zeros(LatentShape::new(4, 16, 16));
    open_latent(&mut harness, "a.npy", FileContent::Latent { latent, space: None });
    harness.run_ok();
    assert!(assert_is_heard(&harness, "a question") > 30);
    harness.state_mut().session.apply(Action::DropQuestion);
    harness.ctx.memory_mut(egui::Memory::stop_text_input);
    harness.run_ok();
    for key in [egui::Key::G, egui::Key::M, egui::Key::F1] {
        harness.key_press(key);
        harness.run_ok();
        assert!(assert_is_heard(&harness, &format!("{key:?}")) > 20);
        harness.key_press(egui::Key::Escape);
        harness.run_ok();
    }
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::M);
    harness.run_ok();
    for mode in ["Get a model", "On this computer"] {
        harness.get_by_role_and_label(Role::Button, mode).click();
        harness.run_ok();
        assert!(assert_is_heard(&harness, mode) > 30);
    }
    harness.key_press(egui::Key::Escape);
    harness.run_ok();
    tell_sampling(&mut harness);
    assert!(assert_is_heard(&harness, "sampling") > 30);
}

/// A stop of the focus.
struct Stop {
    id: egui::Id,
    rect: Rect,
    /// Where the stop before it lies at the same moment: a panel may have scrolled.
    before: Option<Rect>,
}

/// Goes through the window with Tab, once around.
fn stops(
    harness: &mut Harness<'_, Window>,
    mut at: impl FnMut(&mut Harness<'_, Window>, &Stop),
) -> Vec<Stop> {
    let mut stops: Vec<Stop> = Vec::new();
    for _ in 0..140 {
        harness.key_press(egui::Key::Tab);
        harness.run_ok();
        let Some(id) = harness.ctx.memory(egui::Memory::focused) else { continue };
        if stops.iter().any(|stop| stop.id == id) {
            return stops;
        }
        let response = harness.ctx.read_response(id).expect("the focus is somewhere");
        assert!(response.interact_rect.is_positive(), "a focus that cannot be seen: {response:?}");
        let before = stops.last().and_then(|stop| harness.ctx.read_response(stop.id));
        let stop = Stop { id, rect: response.rect, before: before.map(|response| response.rect) };
        at(harness, &stop);
        stops.push(stop);
    }
    panic!("the focus does not come around");
}

/// The regions of a window of 1280×800 points, in the order of the focus.
fn region(rect: Rect) -> usize {
    let Pos2 { x, y } = rect.center();
    match () {
        () if y < 44.0 => 0,
        () if y > 800.0 - 104.0 => 4,
        // With the handles of their widths.
        () if x < 300.0 => 1,
        () if x > 996.0 => 2,
        () => 3,
    }
}

#[test]
fn the_order_of_the_focus_follows_the_eye() {
    let mut harness = harness(|_| {});
    open_picture(&mut harness, 128, 128);
    draw(&mut harness);
    harness.get_by_label("More settings").click();
    harness.run_ok();
    harness.ctx.memory_mut(egui::Memory::stop_text_input);
    harness.run_ok();
    let stops = stops(&mut harness, |_, _| {});
    assert!(stops.len() > 50, "{}", stops.len());
    // It began anywhere: once around, each region is left once.
    let regions: Vec<usize> = stops.iter().map(|stop| region(stop.rect)).collect();
    let changes = regions.windows(2).filter(|pair| pair[0] != pair[1]);
    let descents = changes.clone().filter(|pair| pair[1] < pair[0]).count();
    assert!(changes.count() <= 5 && descents <= 1, "{regions:?}");
    for pair in stops.windows(2) {
        let (Some(from), to) = (pair[1].before, pair[1].rect) else { continue };
        let handle = |rect: Rect| rect.height() > 300.0;
        if region(pair[0].rect) != region(to) || handle(from) || handle(to) {
            continue;
        }
        let overlap = from.bottom().min(to.bottom()) - from.top().max(to.top());
        let same_row = overlap > 0.5 * from.height().min(to.height());
        let follows = if same_row { to.left() >= from.left() } else { to.top() > from.top() };
        let next_column = to.left() >= from.right() - 1.0;
        assert!(follows || next_column, "the focus goes from {from:?} to {to:?}");
    }
}

/// Where the pixels around a control differ clearly between two pictures of the window.
fn changed_around(rect: Rect, a: &image::RgbaImage, b: &image::RgbaImage) -> usize {
    let around = rect.expand(6.0);
    let (left, top) = (around.left().max(0.0) as u32, around.top().max(0.0) as u32);
    let right = (around.right() as u32).min(a.width());
    let bottom = (around.bottom() as u32).min(a.height());
    let mut changed = 0;
    for y in top..bottom {
        for x in left..right {
            let pixels = [a, b].map(|picture| picture.get_pixel(x, y).0);
            changed += usize::from(pixels[0].iter().zip(pixels[1]).any(|(a, b)| a.abs_diff(b) > 24));
        }
    }
    changed
}

/// B13: at some stops of the focus not one pixel changed.
#[test]
fn the_focus_is_seen_at_every_stop() {
    let mut harness = harness(|_| {});
    open_picture(&mut harness, 128, 128);
    harness.ctx.memory_mut(egui::Memory::stop_text_input);
    harness.run_ok();
    let mut unseen = Vec::new();
    let stops = stops(&mut harness, |harness, stop| {
        let with = harness.render().unwrap();
        harness.ctx.memory_mut(|memory| memory.surrender_focus(stop.id));
        harness.run_ok();
        let without = harness.render().unwrap();
        harness.ctx.memory_mut(|memory| memory.request_focus(stop.id));
        harness.run_ok();
        let changed = changed_around(stop.rect, &with, &without);
        if changed < 30 {
            unseen.push((stop.rect, changed));
        }
    });
    eprintln!("{} stops of the focus, {} unseen", stops.len(), unseen.len());
    assert!(stops.len() > 40 && unseen.is_empty(), "{}: {unseen:?}", stops.len());
}

/// How much of a rectangle is not the ground of the easel, whose colour its corner has.
fn covered(picture: &image::RgbaImage, easel: Rect) -> f32 {
    let corner = easel.min + Vec2::splat(3.0);
    let ground = *picture.get_pixel(corner.x as u32, corner.y as u32);
    let mut count = 0;
    for y in easel.top() as u32..easel.bottom() as u32 {
        for x in easel.left() as u32..easel.right() as u32 {
            count += u32::from(*picture.get_pixel(x, y) != ground);
        }
    }
    count as f32
}

/// The share of the window that is the easel's, and that shows the picture or the latent.
#[test]
fn the_picture_has_most_of_the_window() {
    const WINDOW: f32 = 1280.0 * 800.0;
    let mut harness = harness(|_| {});
    for (name, width, height) in [("square", 128, 128), ("3:2", 192, 128)] {
        open_picture(&mut harness, width, height);
        for panels in [true, false] {
            (harness.state_mut().desk.recipe, harness.state_mut().desk.enlarger) = (panels, panels);
            for view in
                [View::Picture, View::Preview, View::Wipe, View::Error, View::Components, View::Inside]
            {
                harness.state_mut().desk.view = view;
                harness.run_ok();
                let easel = harness.get_by_role(Role::Image).rect();
                let shown = harness.render().unwrap();
                let (easel, shown) = (easel.area() / WINDOW, covered(&shown, easel) / WINDOW);
                eprintln!(
                    "{name}, panels {}: {view:?}: easel {:.1} %, picture {:.1} %",
                    if panels { "open" } else { "closed" },
                    easel * 100.0,
                    shown * 100.0
                );
                assert!(easel > if panels { 0.38 } else { 0.69 }, "{view:?}: {easel}");
                // A square is as high as the easel, but for its margin.
                let least = if panels || width == height { 0.27 } else { 0.41 };
                assert!(shown > least, "{name} {view:?}: {shown}");
            }
        }
        (harness.state_mut().desk.recipe, harness.state_mut().desk.enlarger) = (true, true);
    }
}
