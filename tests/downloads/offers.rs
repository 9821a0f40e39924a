//! What an address has to choose from, and what the window and the command line ask for alike.

use safelight::request::CancelToken;
use safelight::store::hub::{
    Client, Destination, DownloadSet, HubError, Offer, Token, Wanted, catalogue_sets,
};

use crate::common::hub::{COMMIT, Desk, REPOSITORY, WEIGHTS, file_reply, start, start_with};
use crate::common::server::{Reply, Server};

fn offer(client: &Client, typed: &str) -> Result<Option<Offer>, HubError> {
    let wanted = Wanted::parse(typed, &client.environment().endpoint)?;
    Offer::of(&wanted, client, &CancelToken::new())
}

#[test]
fn an_address_has_the_choices_of_its_repository_folder_or_file() {
    let server = start();
    let desk = Desk::new(&server);
    let client = desk.client();
    let names = |typed: &str| -> Vec<String> {
        let offer = offer(&client, typed).unwrap().unwrap();
        offer.choices.into_iter().map(|choice| choice.name).collect()
    };
    assert_eq!(names(REPOSITORY), ["folder, fp16"]);
    assert_eq!(names(&format!("{}/{REPOSITORY}/tree/main/unet", server.address)), [WEIGHTS]);
    assert_eq!(names(&format!("{}/{REPOSITORY}/blob/main/{WEIGHTS}", server.address)), [WEIGHTS]);
    let all = offer(&client, REPOSITORY).unwrap().unwrap();
    assert_eq!((all.choices[0].size(), all.listing.licence.name.as_deref()), (340_046, Some("mit")));
    let set = DownloadSet::of_repository("a name", &all.listing, &all.choices[0].files, &Destination::Cache);
    assert_eq!((set.name.as_str(), set.files.len()), ("a name", 5));
    assert_eq!(set.revision.unwrap().commit, COMMIT);
    for (typed, said) in [
        (format!("{}/{REPOSITORY}/blob/main/gone.gguf", server.address), "has no file or folder gone.gguf"),
        (format!("{}/{REPOSITORY}/tree/main/scheduler", server.address), "has neither safetensors nor GGUF"),
    ] {
        let error = offer(&client, &typed).unwrap_err().to_string();
        assert!(error.contains(said) && error.contains(REPOSITORY), "{error}");
    }
    assert!(offer(&client, "https://files.example/a.gguf").unwrap().is_none(), "nobody is asked");
}

#[test]
fn files_of_the_catalogue_that_are_gone_are_said() {
    let server = Server::start(|_| Reply::new(404, "{}"));
    let desk = Desk::new(&server);
    let catalogue = safelight::store::hub::Catalogue::of_program();
    let files = [catalogue.file("clip-l").unwrap()];
    let asked = catalogue_sets("clip", &files, &desk.client(), &Destination::Cache, &CancelToken::new());
    assert!(matches!(asked, Err(HubError::NotFound { .. })), "{asked:?}");
}

#[test]
fn a_token_that_was_stored_meanwhile_is_used_once_the_client_knows() {
    let server = start_with(|seen, content| {
        if seen.header("authorization") == Some("Bearer later") {
            file_reply(seen, WEIGHTS, content)
        } else {
            Reply::new(403, "").header("x-error-code", "GatedRepo")
        }
    });
    let mut desk = Desk::new(&server);
    desk.environment.tokens.own_file = Some(desk.folder.path().join("config/hub-token"));
    let client = desk.client();
    let fetch = || {
        let (cache, cancel) = (desk.cache(), CancelToken::new());
        safelight::store::hub::Transfer { client: &client, cache: &cache, disk: &*desk.disk }.fetch(
            &crate::common::hub::weights_source(),
            &Destination::Cache,
            &cancel,
            &mut |_| (),
        )
    };
    assert!(matches!(fetch(), Err(HubError::Gated { sent_token: false, .. })));
    desk.environment.tokens.keep(&Token::new("later").unwrap()).unwrap();
    assert!(matches!(fetch(), Err(HubError::Gated { .. })), "it is looked for once");
    client.token_changed();
    assert!(fetch().unwrap().is_some());
}
