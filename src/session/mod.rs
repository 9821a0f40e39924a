//! What the window knows: draft, queue, timeline, results; pure updates, no egui.
