//! Which window system there is, and what is said where none can be used.

use eframe::UserEvent;
use winit::error::EventLoopError;
use winit::event_loop::EventLoopBuilder;

use crate::panels::Language;

/// The window system that is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WindowSystem {
    /// The one that the system offers first.
    Offered,
    /// X11, although a Wayland display is named: nobody answers there.
    #[cfg(target_os = "linux")]
    X11,
}

impl WindowSystem {
    /// Tells the event loop, which would choose another one.
    pub(super) fn tell(self, builder: &mut EventLoopBuilder<UserEvent>) {
        #[cfg(target_os = "linux")]
        if self == Self::X11 {
            winit::platform::x11::EventLoopBuilderExtX11::with_x11(builder);
        }
        #[cfg(not(target_os = "linux"))]
        let _ = builder;
    }
}

/// Why there is no window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoWindow {
    /// No display is named.
    NoDisplay,
    /// Nobody answers at the Wayland display of this name, and no X11 display is named.
    NoWayland(String),
    /// The X11 display of this name cannot be opened.
    NoX11(String),
    /// Nothing paints: neither Vulkan (or the system's own way) nor OpenGL.
    NoGraphics,
    /// Devices are lost one after another.
    DeviceKeepsFailing,
    /// Something else, in the system's words.
    Other(String),
}

/// Looks for a display before one is opened: afterwards it is too late to choose another.
pub(super) fn choose() -> Result<WindowSystem, NoWindow> {
    #[cfg(target_os = "linux")]
    return linux::choose(&|name| std::env::var_os(name), &|socket| {
        std::os::unix::net::UnixStream::connect(socket).is_ok()
    });
    #[cfg(not(target_os = "linux"))]
    Ok(WindowSystem::Offered)
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
            return if is_named { Ok(WindowSystem::Offered) } else { Err(NoWindow::NoDisplay) };
        };
        // An absolute path stands for itself.
        let socket = PathBuf::from(variable("XDG_RUNTIME_DIR").unwrap_or_default()).join(&name);
        if variable("WAYLAND_SOCKET").is_some() || (socket.is_absolute() && answers(&socket)) {
            Ok(WindowSystem::Offered)
        } else if has_x11 {
            Ok(WindowSystem::X11)
        } else {
            Err(NoWindow::NoWayland(name.to_string_lossy().into_owned()))
        }
    }
}

impl NoWindow {
    /// Why the event loop did not start.
    pub(super) fn of_event_loop(error: &EventLoopError, window_system: WindowSystem) -> Self {
        // Its own words name source files of libraries.
        log::debug!("the event loop says: {error}");
        let variable = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
        let wayland = variable("WAYLAND_DISPLAY").filter(|_| window_system == WindowSystem::Offered);
        match (wayland, variable("DISPLAY")) {
            _ if !cfg!(target_os = "linux") => Self::Other("the system gives none".to_owned()),
            (Some(name), _) => Self::NoWayland(name),
            (None, Some(name)) => Self::NoX11(name),
            (None, None) => Self::NoDisplay,
        }
    }

    /// Whether another program may be able to show a dialog.
    pub(super) fn leaves_dialogs(&self) -> bool {
        !matches!(self, Self::NoDisplay | Self::NoWayland(_) | Self::NoX11(_))
    }

    /// What is said: what is missing, and what to do.
    pub(super) fn words(&self, language: Language) -> String {
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
                GRAPHICS[0]
            ),
            (Self::NoGraphics, Language::Korean) => format!(
                "창을 그릴 수 있는 그래픽 드라이버가 없습니다({} 필요). 드라이버를 설치하거나 업데이트하세요. {command_line}",
                GRAPHICS[1]
            ),
            (Self::DeviceKeepsFailing, Language::English) => "The graphics device was lost again and again. Pictures that were not saved are kept, and Safelight offers them at its next start. Update the graphics driver or restart the computer.".to_owned(),
            (Self::DeviceKeepsFailing, Language::Korean) => "그래픽 장치와의 연결이 거듭 끊겼습니다. 저장하지 않은 그림은 남아 있으며, 다음에 시작할 때 복원할 수 있습니다. 그래픽 드라이버를 업데이트하거나 컴퓨터를 다시 시작하세요.".to_owned(),
            (Self::Other(why), Language::English) => format!("The window could not be opened: {why}."),
            (Self::Other(why), Language::Korean) => format!("창을 열 수 없습니다: {why}."),
        }
    }
}

/// What the window is drawn with on this system.
const GRAPHICS: [&str; 2] = if cfg!(target_os = "macos") {
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
    fn a_display_that_answers_is_found() {
        let runtime = ("XDG_RUNTIME_DIR", "/run/user/7");
        let wayland = ("WAYLAND_DISPLAY", "wayland-0");
        let x11 = ("DISPLAY", ":0");
        let alive = "/run/user/7/wayland-0";
        assert_eq!(chosen(&[runtime, wayland], alive), Ok(WindowSystem::Offered));
        assert_eq!(chosen(&[runtime, wayland, x11], alive), Ok(WindowSystem::Offered));
        assert_eq!(chosen(&[("WAYLAND_DISPLAY", alive)], alive), Ok(WindowSystem::Offered));
        assert_eq!(chosen(&[runtime, wayland, x11], ""), Ok(WindowSystem::X11), "nobody answers");
        assert_eq!(chosen(&[wayland, x11], ""), Ok(WindowSystem::X11), "no folder for the socket");
        assert_eq!(chosen(&[x11], ""), Ok(WindowSystem::Offered));
        assert_eq!(chosen(&[("WAYLAND_DISPLAY", ""), x11], ""), Ok(WindowSystem::Offered));
        assert_eq!(chosen(&[runtime, wayland], ""), Err(NoWindow::NoWayland("wayland-0".into())));
        assert_eq!(chosen(&[runtime], ""), Err(NoWindow::NoDisplay));
        assert_eq!(chosen(&[("DISPLAY", "")], ""), Err(NoWindow::NoDisplay));
        assert_eq!(chosen(&[("WAYLAND_SOCKET", "5")], ""), Ok(WindowSystem::Offered));
    }

    #[test]
    fn the_words_fit_the_cause() {
        for language in [Language::English, Language::Korean] {
            let words = |why: NoWindow| why.words(language);
            assert!(!words(NoWindow::NoDisplay).contains("river"));
            assert!(words(NoWindow::NoX11(":9".into())).contains("‘:9’"));
            assert!(words(NoWindow::NoGraphics).contains("Vulkan"));
            assert!(!words(NoWindow::NoDisplay).contains(".."));
        }
    }
}
