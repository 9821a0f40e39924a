//! Redirects, tokens and gates.

use safelight::store::hub::HubError;

use crate::common::hub::{
    Desk, REPOSITORY, WEIGHTS, address_of, answer, file_reply, files, sha256, start, start_with, weights,
};
use crate::common::server::{Reply, Server};

#[test]
fn a_token_goes_to_the_hub_and_not_to_where_it_redirects() {
    let storage = Server::start(|seen| file_reply(seen, WEIGHTS, &weights()));
    let elsewhere = format!("{}/signed?key=1", storage.address);
    let server = start_with(move |_, _| Reply::redirect(&elsewhere));
    let desk = Desk::new(&server).with_token();
    desk.listing().unwrap();
    desk.fetch_weights().unwrap();
    assert_eq!(desk.blob_names(), [sha256(&weights())]);
    assert!(server.requests().iter().all(|seen| seen.header("authorization") == Some("Bearer hf_secret")));
    let there = storage.requests();
    assert_eq!(there.len(), 1);
    assert_eq!(there[0].header("authorization"), None);
}

#[test]
fn a_token_that_was_dropped_does_not_come_back() {
    let files = files();
    let server = Server::start(move |seen| match seen.path.as_str() {
        path if path == address_of(WEIGHTS) => Reply::redirect("http://localhost:1/never"),
        _ => answer(seen, &files),
    });
    let back = format!("{}/back", server.address);
    let storage = Server::start(move |_| Reply::redirect(&back));
    let elsewhere = format!("{}/x", storage.address);
    let hub = start_with(move |_, _| Reply::redirect(&elsewhere));
    let mut desk = Desk::new(&server).with_token();
    // The hub in use redirects to the storage, and that one to a third server: neither sees the token.
    desk.environment.endpoint = safelight::store::hub::WebAddress::parse(&hub.address).unwrap();
    let error = desk.fetch_weights().unwrap_err();
    assert!(matches!(error, HubError::NotFound { .. }), "{error}");
    for seen in storage.requests().iter().chain(&server.requests()) {
        assert_eq!(seen.header("authorization"), None);
    }
    assert_eq!(hub.requests()[0].header("authorization"), Some("Bearer hf_secret"));
}

#[test]
fn redirects_within_the_hub_keep_the_token_and_relative_ones_work() {
    let server = start_with(|seen, content| {
        if seen.before == 0 && !seen.path.starts_with("/moved") {
            Reply::redirect(&format!("/moved/{WEIGHTS}"))
        } else {
            file_reply(seen, WEIGHTS, content)
        }
    });
    let desk = Desk::new(&server).with_token();
    desk.fetch_weights().unwrap();
    let requests = server.requests();
    assert_eq!(requests[1].path, format!("/moved/{WEIGHTS}"));
    assert_eq!(requests[1].header("authorization"), Some("Bearer hf_secret"));
}

#[test]
fn a_circle_of_redirects_is_told() {
    let server = start_with(|seen, _| {
        let next =
            if seen.path.starts_with("/there") { address_of(WEIGHTS) } else { format!("/there/{WEIGHTS}") };
        Reply::redirect(&next)
    });
    let error = Desk::new(&server).fetch_weights().unwrap_err();
    let HubError::RedirectCircle(addresses) = &error else { panic!("{error}") };
    assert_eq!(addresses.len(), 3);
    assert_eq!(addresses[0], addresses[2]);
    // Ever new addresses are a circle too.
    let server = start_with(|seen, _| {
        Reply::redirect(&format!("/{}x/{WEIGHTS}", seen.path.split('/').nth(1).unwrap()))
    });
    let error = Desk::new(&server).fetch_weights().unwrap_err();
    assert!(matches!(error, HubError::RedirectCircle(_)), "{error}");
    assert_eq!(server.requests().len(), 11);
}

#[test]
fn a_redirect_to_nowhere_is_refused() {
    for location in ["ftp://a/b", "http://user:password@a/b", ""] {
        let server =
            start_with(
                move |_, _| {
                    if location.is_empty() { Reply::new(302, "") } else { Reply::redirect(location) }
                },
            );
        let error = Desk::new(&server).fetch_weights().unwrap_err();
        assert!(matches!(error, HubError::BadRedirect { .. }), "{error}");
    }
}

#[test]
fn a_gate_says_which_page_to_accept_and_how_to_give_a_token() {
    for status in [401, 403] {
        let server = Server::start(move |_| Reply::new(status, "").header("x-error-code", "GatedRepo"));
        let desk = Desk::new(&server);
        let page = format!("{}/{REPOSITORY}", server.address);
        for error in [desk.listing().unwrap_err(), desk.fetch_weights().unwrap_err()] {
            let error = error.to_string();
            assert!(
                error.contains(&page) && error.contains("HF_TOKEN") && error.contains("accept"),
                "{error}"
            );
        }
        let error = Desk::new(&server).with_token().listing().unwrap_err();
        assert!(matches!(error, HubError::Gated { sent_token: true, .. }), "{error}");
        assert!(!error.to_string().contains("hf_secret"));
    }
}

#[test]
fn a_token_that_the_hub_refuses_is_told() {
    let server = Server::start(|_| Reply::new(401, "").header("x-error-message", "Invalid credentials"));
    let error = Desk::new(&server).with_token().listing().unwrap_err();
    assert!(matches!(error, HubError::BadToken), "{error}");
    assert!(matches!(Desk::new(&server).listing(), Err(HubError::Hidden { .. })));
}

#[test]
fn what_does_not_exist_or_is_hidden_is_told_apart_from_a_gate() {
    let server = Server::start(|_| Reply::new(401, "").header("x-error-code", "RepoNotFound"));
    let error = Desk::new(&server).listing().unwrap_err();
    assert!(matches!(error, HubError::Hidden { .. }), "{error}");
    assert!(error.to_string().contains("does not exist, or only some accounts"), "{error}");
    let server = Server::start(|_| Reply::new(404, ""));
    let error = Desk::new(&server).listing().unwrap_err();
    assert!(matches!(error, HubError::NotFound { .. }), "{error}");
}

#[test]
fn a_listing_that_is_a_page_or_nonsense_is_refused() {
    let server = Server::start(|_| Reply::new(200, "<html>").header("content-type", "text/html"));
    assert!(matches!(Desk::new(&server).listing(), Err(HubError::NotAFile { .. })));
    let server = Server::start(|_| Reply::new(200, "[]").header("content-type", "application/json"));
    assert!(matches!(Desk::new(&server).listing(), Err(HubError::BadAnswer { .. })));
    // Broken once, whole the second time.
    let files = files();
    let server = Server::start(move |seen| {
        let reply = answer(seen, &files);
        if seen.before == 0 { reply.sent(crate::common::server::Sending::Cut(20)) } else { reply }
    });
    assert_eq!(Desk::new(&server).listing().unwrap().files.len(), 6);
    drop(start());
}
