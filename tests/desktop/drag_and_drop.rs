//! A source of drag and drop on X11: drops files onto a window as a file manager does.
//!
//! Source of the protocol: freedesktop.org, "Drag-and-Drop Protocol for the X Window System", version 5.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use x11rb::connection::Connection as _;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{
    Atom, AtomEnum, ClientMessageData, ClientMessageEvent, ConnectionExt as _, CreateWindowAux, EventMask,
    PropMode, SELECTION_NOTIFY_EVENT, SelectionNotifyEvent, SelectionRequestEvent, Window, WindowClass,
};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

/// The bytes of a path that a URI holds as they are (RFC 3986, unreserved and the slash).
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte)
}

fn file_uri(path: &Path) -> String {
    let mut uri = String::from("file://");
    for &byte in path.to_str().expect("a UTF-8 path").as_bytes() {
        if is_plain(byte) {
            uri.push(char::from(byte));
        } else {
            write!(uri, "%{byte:02X}").unwrap();
        }
    }
    uri
}

struct Source {
    connection: RustConnection,
    window: Window,
    target: Window,
}

impl Source {
    fn atom(&self, name: &str) -> Atom {
        self.connection.intern_atom(false, name.as_bytes()).unwrap().reply().unwrap().atom
    }

    fn send(&self, message: &str, rest: [u32; 4]) {
        let data = ClientMessageData::from([self.window, rest[0], rest[1], rest[2], rest[3]]);
        let event = ClientMessageEvent::new(32, self.target, self.atom(message), data);
        self.connection.send_event(false, self.target, EventMask::NO_EVENT, event).unwrap();
        self.connection.flush().unwrap();
    }

    fn serve(&self, request: &SelectionRequestEvent, list: &str) {
        self.connection
            .change_property8(
                PropMode::REPLACE,
                request.requestor,
                request.property,
                request.target,
                list.as_bytes(),
            )
            .unwrap();
        let answer = SelectionNotifyEvent {
            response_type: SELECTION_NOTIFY_EVENT,
            sequence: 0,
            time: request.time,
            requestor: request.requestor,
            selection: request.selection,
            target: request.target,
            property: request.property,
        };
        self.connection.send_event(false, request.requestor, EventMask::NO_EVENT, answer).unwrap();
        self.connection.flush().unwrap();
    }
}

/// Drops `files` in the middle of `window`; panics unless the window takes them.
pub(crate) fn drop_files(display: &str, window: u32, files: &[&Path]) {
    let (connection, screen) = x11rb::connect(Some(display)).expect("the display answers");
    let root = connection.setup().roots[screen].root;
    let own = connection.generate_id().unwrap();
    connection
        .create_window(0, own, root, 0, 0, 1, 1, 0, WindowClass::INPUT_ONLY, 0, &CreateWindowAux::new())
        .unwrap();
    let source = Source { connection, window: own, target: window };
    let list: String = files.iter().map(|file| file_uri(file) + "\r\n").collect();

    let selection = source.atom("XdndSelection");
    source.connection.set_selection_owner(own, selection, x11rb::CURRENT_TIME).unwrap();
    let geometry = source.connection.get_geometry(window).unwrap().reply().unwrap();
    let middle = source
        .connection
        .translate_coordinates(window, root, (geometry.width / 2) as i16, (geometry.height / 2) as i16)
        .unwrap()
        .reply()
        .unwrap();
    let uri_list = source.atom("text/uri-list");
    source.send("XdndEnter", [5 << 24, uri_list, AtomEnum::NONE.into(), 0]);
    let position = (u32::from(middle.dst_x as u16) << 16) | u32::from(middle.dst_y as u16);
    source.send("XdndPosition", [0, position, 0, source.atom("XdndActionCopy")]);

    let (status, finished) = (source.atom("XdndStatus"), source.atom("XdndFinished"));
    let (start, mut served, mut accepted, mut dropped) = (Instant::now(), false, false, false);
    loop {
        assert!(start.elapsed() < Duration::from_secs(30), "no answer: accepted {accepted}, served {served}");
        while let Some(event) = source.connection.poll_for_event().unwrap() {
            match event {
                Event::SelectionRequest(request) => {
                    source.serve(&request, &list);
                    served = true;
                }
                Event::ClientMessage(message) if message.type_ == status => {
                    accepted = message.data.as_data32()[1] & 1 == 1;
                    assert!(accepted, "the window refuses the files");
                }
                Event::ClientMessage(message) if message.type_ == finished => {
                    assert_eq!(message.data.as_data32()[1] & 1, 1, "the window did not take the files");
                    return;
                }
                _ => {}
            }
        }
        // winit asks for the list while the pointer hovers, and answers the drop only after it came.
        if accepted && served && !dropped {
            source.send("XdndDrop", [0, x11rb::CURRENT_TIME, 0, 0]);
            dropped = true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_path_with_spaces_and_letters_beyond_ascii_is_escaped() {
    assert_eq!(file_uri(Path::new("/a b/é.png")), "file:///a%20b/%C3%A9.png");
}
