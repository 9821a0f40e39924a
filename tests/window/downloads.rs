//! Downloads on the page of models, against a hub on this machine.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use egui::accesskit::Role;
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use safelight::app::Window;
use safelight::session::Action;
use safelight::session::downloads::{DownloadAction, GroupState};
use safelight::store::library::{Environment, LibraryPaths};

use super::common::fixtures::fixture;
use super::common::hub::{self, Desk, REPOSITORY, WEIGHTS, address_of, answer, file_reply, files_in};
use super::common::server::{Reply, Sending, Server};
use super::{focused, harness, tab_to, wait};

/// Where a window keeps what it downloads.
struct Places {
    desk: Desk,
}

impl Places {
    fn new(server: &Server) -> Self {
        let mut desk = Desk::new(server);
        desk.environment.tokens.own_file = Some(desk.folder.path().join("config/hub-token"));
        Self { desk }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.desk.folder.path().join(name)
    }

    /// A window that downloads from the server of the test, with a library of its own.
    fn window<'a>(&self) -> Harness<'a, Window> {
        let mut harness = harness(|_| {});
        let paths = LibraryPaths {
            models: self.path("models"),
            config: self.path("library.json"),
            cache: self.path("cache.json"),
        };
        let cache = self.desk.environment.cache.to_str().unwrap().to_owned();
        let environment = Environment {
            home: Some(self.path("home")),
            variables: [("HF_HUB_CACHE".to_owned(), cache)].into(),
        };
        let window = harness.state_mut();
        window.desk.surroundings.total_memory = Some(16 << 30);
        window.use_library(paths, environment, |_| Ok(()));
        window.use_downloads(
            self.desk.environment.clone(),
            self.desk.settings,
            self.path("state/downloads.json"),
            self.path("models"),
        );
        harness.run_ok();
        harness
    }
}

/// A hub with a small model that opens.
fn small_hub() -> Server {
    let files = files_in(&fixture("sd1"));
    Server::start(move |seen| answer(seen, &files))
}

/// A hub that sends one large file slowly until it is told to hurry.
fn slow_hub() -> (Server, Arc<AtomicBool>) {
    let hurry: Arc<AtomicBool> = Arc::default();
    let is_fast = Arc::clone(&hurry);
    let server = hub::start_with(move |seen, content| {
        let reply = file_reply(seen, WEIGHTS, content);
        if is_fast.load(Ordering::Relaxed) {
            reply
        } else {
            reply.sent(Sending::Slowly(1_000, Duration::from_millis(50)))
        }
    });
    (server, hurry)
}

fn press(harness: &mut Harness<'_, Window>, key: egui::Key) {
    harness.key_press(key);
    harness.run_ok();
}

fn press_m(harness: &mut Harness<'_, Window>) {
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::M);
    harness.run_ok();
    harness.run_ok();
}

fn click(harness: &mut Harness<'_, Window>, name: &str) {
    harness.get_by_role_and_label(Role::Button, name).click();
    // A download repaints the window again and again; a question is laid out before it is seen.
    for _ in 0..5 {
        harness.step();
    }
}

fn click_start(harness: &mut Harness<'_, Window>, start: &str) {
    harness
        .get_by(|node| {
            node.role() == Role::Button && node.label().is_some_and(|label| label.starts_with(start))
        })
        .click();
    harness.step();
    harness.step();
}

/// Opens the page, and looks what the repository has.
fn look_up(harness: &mut Harness<'_, Window>, typed: &str) {
    press_m(harness);
    click(harness, "Get a model");
    harness.get_by_role_and_label(Role::TextInput, "Other model").focus();
    harness.run_ok();
    harness.event(egui::Event::Text(typed.to_owned()));
    harness.run_ok();
    press(harness, egui::Key::Enter);
}

fn state(harness: &Harness<'_, Window>, name: &str) -> Option<GroupState> {
    harness.state().session.downloads().group(name).map(|group| group.state)
}

/// From the address to the loaded model, with the keys alone.
#[test]
fn the_keys_alone_get_a_model_and_open_it() {
    let server = small_hub();
    let places = Places::new(&server);
    let mut harness = places.window();
    assert!(server.requests().is_empty(), "nobody asked for anything");
    press_m(&mut harness);
    // The page begins at the search; what it lists stands before it.
    harness.key_press_modifiers(egui::Modifiers::SHIFT, egui::Key::Tab);
    harness.run_ok();
    assert_eq!(focused(&harness), "Get a model");
    press(&mut harness, egui::Key::Space);
    tab_to(&mut harness, "Other model");
    harness.event(egui::Event::Text(REPOSITORY.to_owned()));
    harness.run_ok();
    press(&mut harness, egui::Key::Enter);
    wait(&mut harness, "the choices", |window| {
        matches!(
            window.session.downloads().look(),
            safelight::session::downloads::Look::Found(typed, _) if typed == REPOSITORY
        )
    });
    harness.run_ok();
    // Files, sizes and licence before anything is fetched.
    harness.get_by_label_contains("Model folder · ");
    harness.get_by_label_contains("unet/diffusion_pytorch_model.safetensors · ");
    harness.get_by_label("mit");
    assert_eq!(server.requests().len(), 1, "only the list was asked for");
    tab_to(&mut harness, "Get");
    press(&mut harness, egui::Key::Space);
    wait(&mut harness, "the message", |window| !window.session.notices().is_empty());
    harness.run_ok();
    harness.get_by_label("Downloaded");
    assert!(harness.state().session.downloads().is_empty());
    let snapshot = places.desk.environment.cache.join("models--someone--small-model/snapshots");
    assert!(snapshot.join(hub::COMMIT).join("model_index.json").exists());
    press(&mut harness, egui::Key::Escape);
    tab_to(&mut harness, "Open it");
    press(&mut harness, egui::Key::Space);
    let is_loaded = |window: &Window| {
        window.session.draft().model.path().is_some_and(|path| path.starts_with(&snapshot))
            && window.session.is_ready()
    };
    wait(&mut harness, "the model", is_loaded);
}

/// Looks the repository up and begins to download what is offered first.
fn begin_download(harness: &mut Harness<'_, Window>) {
    look_up(harness, REPOSITORY);
    wait(harness, "the choices", |window| {
        matches!(window.session.downloads().look(), safelight::session::downloads::Look::Found(..))
    });
    harness.run_ok();
    click(harness, "Get");
}

/// Pause, continue and give up with the pointer, and the sign at the top.
#[test]
fn a_download_is_paused_continued_and_given_up() {
    let (server, hurry) = slow_hub();
    let places = Places::new(&server);
    let mut harness = places.window();
    begin_download(&mut harness);
    let received = |window: &Window| window.session.downloads().group(REPOSITORY).map_or(0, |g| g.received);
    wait(&mut harness, "some bytes", |window| received(window) >= 60_000);
    click(&mut harness, "Pause: someone/small-model");
    wait(&mut harness, "the pause", |window| {
        window.session.downloads().group(REPOSITORY).is_some_and(|g| g.state == GroupState::Paused)
    });
    harness.run_ok();
    assert!(places.desk.part().exists());
    // The sign opens the list from anywhere.
    press(&mut harness, egui::Key::Escape);
    click_start(&mut harness, "Downloads ");
    harness.run_ok();
    harness.get_by_label_contains("paused");
    click(&mut harness, "Continue: someone/small-model");
    wait(&mut harness, "more bytes", |window| received(window) >= 100_000);
    let ranges: Vec<_> = server.requests_for(&address_of(WEIGHTS)).iter().map(hub_range).collect();
    assert!(ranges.len() == 2 && ranges[1] > Some(0), "it went on: {ranges:?}");
    // Something of it is here, so it is asked first.
    click(&mut harness, "Cancel: someone/small-model");
    harness.get_by_label("Give up this download?");
    harness.key_press(egui::Key::Escape);
    for _ in 0..5 {
        harness.step();
    }
    assert!(harness.query_by_label("Give up this download?").is_none());
    assert_eq!(state(&harness, REPOSITORY), Some(GroupState::Running));
    click(&mut harness, "Cancel: someone/small-model");
    click(&mut harness, "Give up");
    wait(&mut harness, "the end", |window| window.session.downloads().is_empty());
    harness.run_ok();
    harness.get_by_label("Nothing is being downloaded");
    wait(&mut harness, "the part to go", |_| !places.desk.part().exists());
    hurry.store(true, Ordering::Relaxed);
}

fn hub_range(seen: &super::common::server::Seen) -> Option<usize> {
    seen.range_start()
}

/// A gate names its page and takes a token, which is stored for its owner only, sent, shown nowhere and forgotten.
#[test]
fn a_gate_takes_a_token() {
    let server = hub::start_with(|seen, content| {
        if seen.header("authorization") == Some("Bearer hf_secret") {
            file_reply(seen, WEIGHTS, content)
        } else {
            Reply::new(403, "").header("x-error-code", "GatedRepo")
        }
    });
    let places = Places::new(&server);
    let mut harness = places.window();
    begin_download(&mut harness);
    wait(&mut harness, "the refusal", |window| window.session.downloads().has_failures());
    wait(&mut harness, "the others", |window| !window.session.downloads().is_active());
    harness.run_ok();
    harness.get_by_label_contains("is given only to accounts that accepted its terms");
    let page = harness.get_by_role_and_label(Role::Button, "Open its page");
    assert_eq!(
        page.accesskit_node().description().as_deref(),
        Some(format!("{}/{REPOSITORY}", server.address).as_str())
    );
    super::controls::assert_controls_are_described(&harness, "a gate");
    harness.get_by_label("Access token").focus();
    harness.run_ok();
    harness.event(egui::Event::Text("hf_secret".to_owned()));
    harness.run_ok();
    let shown = |harness: &Harness<'_, Window>| {
        harness.root().children_recursive().any(|node| {
            let node = node.accesskit_node();
            [node.label(), node.value()].into_iter().flatten().any(|text| text.contains("secret"))
        })
    };
    assert!(!shown(&harness), "a token is not read aloud");
    press(&mut harness, egui::Key::Enter);
    wait(&mut harness, "the model", |window| {
        window.session.notices().iter().any(|notice| {
            matches!(&notice.message, safelight::session::Message::Downloaded(name, _) if name == REPOSITORY)
        })
    });
    harness.run_ok();
    let file = places.path("config/hub-token");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "hf_secret");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert!(!shown(&harness));
    press(&mut harness, egui::Key::Escape);
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Comma);
    harness.run_ok();
    click(&mut harness, "Privacy");
    harness.get_by_role_and_label(Role::Button, "Forget the token").focus();
    harness.run_ok();
    press(&mut harness, egui::Key::Space);
    wait(&mut harness, "the token to go", |window| !window.session.downloads().has_token());
    assert!(!file.exists());
}

/// What an earlier session left is shown and asks nobody; a click goes on.
#[test]
fn downloads_of_an_earlier_session_wait_for_a_click() {
    let (server, hurry) = slow_hub();
    let places = Places::new(&server);
    {
        let mut harness = places.window();
        begin_download(&mut harness);
        wait(&mut harness, "some bytes", |window| {
            window.session.downloads().group(REPOSITORY).is_some_and(|group| group.received >= 60_000)
        });
    }
    let length = || std::fs::metadata(places.desk.part()).map_or(0, |data| data.len());
    let mut last = 0;
    while last != length() || last == 0 {
        last = length();
        std::thread::sleep(Duration::from_millis(300));
    }
    hurry.store(true, Ordering::Relaxed);
    let before = server.requests().len();
    let mut harness = places.window();
    wait(&mut harness, "what was left", |window| !window.session.downloads().is_empty());
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(20));
        harness.step();
    }
    assert_eq!(server.requests().len(), before, "it asks nobody by itself");
    assert_eq!(state(&harness, REPOSITORY), Some(GroupState::Paused));
    click_start(&mut harness, "Downloads ");
    harness.run_ok();
    click(&mut harness, "Continue: someone/small-model");
    wait(&mut harness, "the rest", |window| window.session.downloads().is_empty());
    assert_eq!(places.desk.blob_names().len(), 5);
    assert!(!places.path("state/downloads.json").exists());
}

/// What an address does not have, and a server that is not there, are said where they were asked for.
#[test]
fn an_address_without_a_model_is_said() {
    let server = small_hub();
    let places = Places::new(&server);
    let mut harness = places.window();
    look_up(&mut harness, "someone/else");
    let failed = |window: &Window| {
        matches!(window.session.downloads().look(), safelight::session::downloads::Look::Failed(..))
    };
    wait(&mut harness, "the answer", failed);
    harness.run_ok();
    harness.get_by_label_contains("check owner, name and revision");
    harness.state_mut().session.apply(Action::Downloads(DownloadAction::Look("no address".into())));
    wait(&mut harness, "the answer", |window| {
        matches!(
            window.session.downloads().look(),
            safelight::session::downloads::Look::Failed(typed, _) if typed == "no address"
        )
    });
    harness.run_ok();
    harness.get_by_label_contains("this is not the name of a repository");
    harness.get_by_role_and_label(Role::Button, "Try again");
}

/// The empty easel offers three models that fit, gets one with a click, and none after they were declined.
#[test]
fn the_first_start_offers_models_until_they_are_declined() {
    let server = small_hub();
    let places = Places::new(&server);
    let mut harness = places.window();
    super::wait_for_examples(&mut harness);
    wait(&mut harness, "the search", |window| window.session.library().snapshot().is_complete);
    harness.run_ok();
    for name in ["Z-Image Turbo (8 bits)", "FLUX.2 klein 4B (8 bits)", "SDXL Lightning (4 steps)"] {
        harness.get_by_label(&format!("Get: {name}"));
    }
    assert!(server.requests().is_empty());
    super::controls::assert_controls_are_described(&harness, "offers");
    click(&mut harness, "Get: SDXL Lightning (4 steps)");
    wait(&mut harness, "the answer", |window| window.session.downloads().has_failures());
    harness.run_ok();
    assert_eq!(server.requests().len(), 1, "the hub of the test does not have it");
    assert!(harness.query_by_label("Get: SDXL Lightning (4 steps)").is_none());
    click(&mut harness, "Offer no models here");
    harness.run_ok();
    assert!(harness.query_by_label_contains("Get: ").is_none());
    let settings = harness.state().settings_now();
    assert!(settings.offers_hidden);
    assert!(safelight::app::Settings::from_json(&settings.to_json()).0.offers_hidden);
}

/// A model on the disk whose VAE is known to the catalogue: the card gets it.
#[test]
fn a_part_that_a_model_lacks_can_be_fetched() {
    let server = small_hub();
    let places = Places::new(&server);
    std::fs::create_dir_all(places.path("models")).unwrap();
    std::fs::copy(fixture("single/flux_transformer.gguf"), places.path("models/flux.gguf")).unwrap();
    let mut harness = places.window();
    press_m(&mut harness);
    wait(&mut harness, "the search", |window| !window.session.library().is_empty());
    harness.run_ok();
    assert!(harness.query_by_label_contains("Get: ").is_none(), "there is a model, so none is offered");
    let button = harness.get_by_role_and_label(Role::Button, "VAE (ae.safetensors): Get…");
    assert!(button.accesskit_node().description().unwrap().contains("ae.safetensors, 335.0 MB"));
    button.click();
    wait(&mut harness, "the answer", |window| window.session.downloads().has_failures());
    let asked: Vec<String> = server.requests().into_iter().map(|seen| seen.path).collect();
    assert_eq!(asked, ["/api/models/Comfy-Org/Lumina_Image_2.0_Repackaged/revision/main?blobs=true"]);
}
