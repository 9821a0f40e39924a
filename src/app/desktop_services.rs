//! What the desktop shows outside the window: a notification, and the progress on the program's entry in the task bar.
//!
//! On Linux both go over the session bus, on a thread of their own, so that a desktop that does not answer holds up
//! nothing. Without such a desktop nothing is shown. Elsewhere the window asks for attention instead of a notification.

#[cfg(target_os = "linux")]
use super::session_bus::{Request, SessionBus};

/// The desktop's services. The default shows nothing.
#[derive(Default)]
pub(super) struct DesktopServices {
    is_on: bool,
    /// The progress that was shown last, percent.
    progress: Option<u8>,
    #[cfg(target_os = "linux")]
    bus: SessionBus,
}

impl DesktopServices {
    /// Services that are used; the bus is connected with the first use.
    pub(super) fn started() -> Self {
        Self { is_on: true, ..Self::default() }
    }

    /// Shows a notification in place of the one before.
    pub(super) fn notify(&mut self, ctx: &egui::Context, title: String, body: String) {
        if !self.is_on {
            return;
        }
        #[cfg(target_os = "linux")]
        {
            let _ = ctx;
            self.bus.send(Request::Notify { title, body });
        }
        #[cfg(not(target_os = "linux"))]
        {
            log::debug!("{title}: {body}");
            let attention = egui::UserAttentionType::Informational;
            ctx.send_viewport_cmd(egui::ViewportCommand::RequestUserAttention(attention));
        }
    }

    /// Shows the progress, 0..=1, or none.
    pub(super) fn show_progress(&mut self, progress: Option<f64>) {
        let percent = progress.map(|share| (share.clamp(0.0, 1.0) * 100.0) as u8);
        if self.is_on && percent != self.progress {
            self.progress = percent;
            #[cfg(target_os = "linux")]
            self.bus.send(Request::Progress(percent));
        }
    }
}
