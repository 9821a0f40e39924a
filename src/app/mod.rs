//! eframe glue: dialogs, dropped files, saving, settings.

/// Opens the window.
pub fn run() -> anyhow::Result<()> {
    anyhow::bail!("no window yet")
}
