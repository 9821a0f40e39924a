//! Detection of the window system, and the error messages when no window can be opened.

use eframe::UserEvent;
use winit::error::EventLoopError;
use winit::event_loop::EventLoopBuilder;

use crate::panels::Language;

/// The window system to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WindowSystem {
    /// winit's default choice.
    Default,
    /// X11, although `WAYLAND_DISPLAY` is set, because no compositor answers there.
    #[cfg(target_os = "linux")]
    X11,
}

impl WindowSystem {
    /// Configures the event loop, which would otherwise prefer Wayland.
    pub(super) fn configure(self, builder: &mut EventLoopBuilder<UserEvent>) {
        #[cfg(target_os = "linux")]
        if self == Self::X11 {
            winit::platform::x11::EventLoopBuilderExtX11::with_x11(builder);
        }
        #[cfg(not(target_os = "linux"))]
        let _ = builder;
    }
}

/// Why no window can be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoWindow {
    /// Neither `WAYLAND_DISPLAY` nor `DISPLAY` is set.
    NoDisplay,
    /// No compositor answers at this Wayland display, and `DISPLAY` is not set.
    NoWayland(String),
    /// This X11 display cannot be opened.
    NoX11(String),
    /// No graphics device, neither through the platform's default backends nor through OpenGL.
    NoGraphics,
    /// The graphics device was lost too many times in a row.
    DeviceKeepsFailing,
    /// Another error, as the system reports it.
    Other(String),
}

/// Chooses the window system before the event loop is built, since it cannot be changed afterwards.
pub(super) fn choose() -> Result<WindowSystem, NoWindow> {
    #[cfg(target_os = "linux")]
    return linux::choose(&|name| std::env::var_os(name), &|socket| {
        std::os::unix::net::UnixStream::connect(socket).is_ok()
    });
    #[cfg(not(target_os = "linux"))]
    Ok(WindowSystem::Default)
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::OsString;
    use std::path::{Path, PathBuf};

    use super::{NoWindow, WindowSystem};

    pub(super) fn choose(
        variable: &dyn Fn(&str) -> Option<OsString>,
        answers: &dyn Fn(&Path) -> bool,
    ) -> Result<WindowSystem, NoWindow> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let has_x11 = variable("DISPLAY").is_some();
        let Some(name) = variable("WAYLAND_DISPLAY") else {
            let is_named = has_x11 || variable("WAYLAND_SOCKET").is_some();
            return if is_named { Ok(WindowSystem::Default) } else { Err(NoWindow::NoDisplay) };
        };
        // `join` replaces the runtime folder if the name is an absolute path.
        let socket = PathBuf::from(variable("XDG_RUNTIME_DIR").unwrap_or_default()).join(&name);
        if variable("WAYLAND_SOCKET").is_some() || (socket.is_absolute() && answers(&socket)) {
            Ok(WindowSystem::Default)
        } else if has_x11 {
            Ok(WindowSystem::X11)
        } else {
            Err(NoWindow::NoWayland(name.to_string_lossy().into_owned()))
        }
    }
}

impl NoWindow {
    /// Maps an event loop error to its most likely cause.
    pub(super) fn of_event_loop(error: &EventLoopError, window_system: WindowSystem) -> Self {
        // Logged only: the error's text names source files of libraries.
        log::debug!("the event loop failed: {error}");
        let variable = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
        let wayland = variable("WAYLAND_DISPLAY").filter(|_| window_system == WindowSystem::Default);
        match (wayland, variable("DISPLAY")) {
            _ if !cfg!(target_os = "linux") => Self::Other("the system gives none".to_owned()),
            (Some(name), _) => Self::NoWayland(name),
            (None, Some(name)) => Self::NoX11(name),
            (None, None) => Self::NoDisplay,
        }
    }

    /// Whether a native message dialog can still be shown.
    pub(super) fn can_show_dialogs(&self) -> bool {
        !matches!(self, Self::NoDisplay | Self::NoWayland(_) | Self::NoX11(_))
    }

    /// The error message: what is missing and what to do.
    pub(super) fn message(&self, language: Language) -> String {
        let command_line = match language {
            Language::English => "The command line needs none: safelight generate --help",
            Language::Korean => "명령줄에서는 화면 없이도 쓸 수 있습니다: safelight generate --help",
        };
        match (self, language) {
            (Self::NoDisplay, Language::English) => format!(
                "There is no display to open a window on: neither WAYLAND_DISPLAY nor DISPLAY is set. Start Safelight from a desktop session. {command_line}"
            ),
            (Self::NoDisplay, Language::Korean) => format!(
                "창을 열 화면이 없습니다. WAYLAND_DISPLAY와 DISPLAY가 모두 설정되어 있지 않습니다. 데스크톱 세션에서 시작하세요. {command_line}"
            ),
            (Self::NoWayland(name), Language::English) => format!(
                "The Wayland display ‘{name}’ does not answer. Check WAYLAND_DISPLAY and XDG_RUNTIME_DIR, or set DISPLAY to an X11 display. {command_line}"
            ),
            (Self::NoWayland(name), Language::Korean) => format!(
                "Wayland 화면 ‘{name}’이(가) 응답하지 않습니다. WAYLAND_DISPLAY와 XDG_RUNTIME_DIR을 확인하거나 DISPLAY에 X11 화면을 지정하세요. {command_line}"
            ),
            (Self::NoX11(name), Language::English) => format!(
                "The X11 display ‘{name}’ could not be opened. Check that DISPLAY names one that runs and that you may use it (xauth). {command_line}"
            ),
            (Self::NoX11(name), Language::Korean) => format!(
                "X11 화면 ‘{name}’을(를) 열 수 없습니다. DISPLAY가 실행 중인 화면을 가리키는지, 사용 권한이 있는지(xauth) 확인하세요. {command_line}"
            ),
            (Self::NoGraphics, Language::English) => format!(
                "No graphics driver was found that can draw the window: it needs {}. Install or update the driver. {command_line}",
                GRAPHICS_APIS[0]
            ),
            (Self::NoGraphics, Language::Korean) => format!(
                "창을 그릴 수 있는 그래픽 드라이버가 없습니다({} 필요). 드라이버를 설치하거나 업데이트하세요. {command_line}",
                GRAPHICS_APIS[1]
            ),
            (Self::DeviceKeepsFailing, Language::English) => "The graphics device was lost again and again. Pictures that were not saved are kept, and Safelight offers them at its next start. Update the graphics driver or restart the computer.".to_owned(),
            (Self::DeviceKeepsFailing, Language::Korean) => "그래픽 장치와의 연결이 거듭 끊겼습니다. 저장하지 않은 그림은 남아 있으며, 다음에 시작할 때 복원할 수 있습니다. 그래픽 드라이버를 업데이트하거나 컴퓨터를 다시 시작하세요.".to_owned(),
            (Self::Other(why), Language::English) => format!("The window could not be opened: {why}."),
            (Self::Other(why), Language::Korean) => format!("창을 열 수 없습니다: {why}."),
        }
    }
}

/// The graphics APIs supported on this platform, in English and Korean.
const GRAPHICS_APIS: [&str; 2] = if cfg!(target_os = "macos") {
    ["Metal", "Metal"]
} else if cfg!(windows) {
    ["Direct3D 12, Vulkan or OpenGL", "Direct3D 12, Vulkan 또는 OpenGL"]
} else {
    ["Vulkan or OpenGL", "Vulkan 또는 OpenGL"]
};

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn chosen(variables: &[(&str, &str)], answering: &str) -> Result<WindowSystem, NoWindow> {
        let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, v)| v.into());
        linux::choose(&variable, &|socket| socket == std::path::Path::new(answering))
    }

    #[test]
    fn the_window_system_follows_the_environment() {
        let runtime = ("XDG_RUNTIME_DIR", "/run/user/7");
        let wayland = ("WAYLAND_DISPLAY", "wayland-0");
        let x11 = ("DISPLAY", ":0");
        let alive = "/run/user/7/wayland-0";
        assert_eq!(chosen(&[runtime, wayland], alive), Ok(WindowSystem::Default));
        assert_eq!(chosen(&[runtime, wayland, x11], alive), Ok(WindowSystem::Default));
        assert_eq!(chosen(&[("WAYLAND_DISPLAY", alive)], alive), Ok(WindowSystem::Default));
        assert_eq!(chosen(&[runtime, wayland, x11], ""), Ok(WindowSystem::X11), "nobody answers");
        assert_eq!(chosen(&[wayland, x11], ""), Ok(WindowSystem::X11), "no folder for the socket");
        assert_eq!(chosen(&[x11], ""), Ok(WindowSystem::Default));
        assert_eq!(chosen(&[("WAYLAND_DISPLAY", ""), x11], ""), Ok(WindowSystem::Default));
        assert_eq!(chosen(&[runtime, wayland], ""), Err(NoWindow::NoWayland("wayland-0".into())));
        assert_eq!(chosen(&[runtime], ""), Err(NoWindow::NoDisplay));
        assert_eq!(chosen(&[("DISPLAY", "")], ""), Err(NoWindow::NoDisplay));
        assert_eq!(chosen(&[("WAYLAND_SOCKET", "5")], ""), Ok(WindowSystem::Default));
    }

    #[test]
    fn messages_match_their_cause() {
        for language in [Language::English, Language::Korean] {
            let message = |why: NoWindow| why.message(language);
            assert!(!message(NoWindow::NoDisplay).contains("river"));
            assert!(message(NoWindow::NoX11(":9".into())).contains("‘:9’"));
            assert!(message(NoWindow::NoGraphics).contains("Vulkan"));
            assert!(!message(NoWindow::NoDisplay).contains(".."));
        }
    }
}
