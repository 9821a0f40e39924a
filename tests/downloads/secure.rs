//! TLS with the system's certificates, and proxies.
//!
//! `tests/fixtures/tls/make.sh` made the certificates.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use safelight::store::hub::{HubError, WebAddress};

use crate::common::hub::{Desk, WEIGHTS, file_reply, start, weights};
use crate::common::server::{Reply, Server, thread};
use crate::several_programs::{command, errors};

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls").join(name)).unwrap()
}

/// Passes what comes on to another address, in both directions.
fn join(client: TcpStream, server: TcpStream) {
    let (mut from_client, mut from_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let (mut client, mut server) = (client, server);
    thread("server", move || {
        let _ = std::io::copy(&mut from_client, &mut server);
        let _ = server.shutdown(std::net::Shutdown::Write);
    });
    let _ = std::io::copy(&mut from_server, &mut client);
    let _ = client.shutdown(std::net::Shutdown::Write);
}

/// A server with TLS that serves [`WEIGHTS`] to everyone.
fn secure_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let key = PrivateKeyDer::try_from(fixture("server_key.der")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(fixture("server.der"))], key)
        .unwrap();
    let config = Arc::new(config);
    thread("server", move || {
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream.unwrap());
            let mut head = [0; 4096];
            // A client that does not trust the certificate ends here.
            if stream.read(&mut head).is_err() {
                continue;
            }
            let content = weights();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                content.len()
            );
            let _ = stream.write_all(&content);
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    address
}

#[cfg(target_os = "linux")]
#[test]
fn a_company_s_certificate_in_the_system_s_store_is_trusted_and_others_are_not() {
    let address = format!("{}/files/model.safetensors", secure_server());
    let server = start();
    let desk = Desk::new(&server);
    let mut distrusting = command(&server, desk.folder.path());
    let output = distrusting.args([&address, "--yes"]).output().unwrap();
    let error = errors(&output);
    assert!(error.contains("no secure connection to localhost is possible"), "{error}");
    assert!(error.contains("belongs into the system's store"), "{error}");
    // On Linux the variable of OpenSSL names the system's store.
    let authority = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls/authority.pem");
    let mut trusting = command(&server, desk.folder.path());
    let output = trusting.args([&address, "--yes"]).env("SSL_CERT_FILE", authority).output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    let file = desk.folder.path().join("data/safelight/models/model.safetensors");
    assert_eq!(std::fs::read(file).unwrap(), weights());
}

#[test]
fn a_server_without_tls_is_no_secure_one() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    thread("server", move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.write_all(b"HTTP/1.1 400 This is not HTTPS\r\nconnection: close\r\n\r\n");
            // Until the client is gone, so that its greeting is read.
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
    });
    let mut desk = Desk::new(&start());
    desk.environment.endpoint = WebAddress::parse(&address).unwrap();
    let error = desk.fetch_weights().unwrap_err();
    assert!(matches!(error, HubError::Insecure { .. }), "{error}");
}

/// A proxy that connects everything to one server, and what it was asked for.
fn proxy(target: &Server) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let (log, target) = (asked.clone(), target.address.trim_start_matches("http://").to_owned());
    thread("server", move || {
        for stream in listener.incoming() {
            let (stream, target, log) = (stream.unwrap(), target.clone(), log.clone());
            thread("server", move || {
                let mut reader = BufReader::new(stream);
                let mut first = String::new();
                reader.read_line(&mut first).unwrap();
                let mut line = first.clone();
                while !line.trim().is_empty() {
                    line.clear();
                    reader.read_line(&mut line).unwrap();
                }
                log.lock().unwrap().push(first.trim().to_owned());
                let mut stream = reader.into_inner();
                stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").unwrap();
                join(stream, TcpStream::connect(target).unwrap());
            });
        }
    });
    (address, asked)
}

#[test]
fn the_proxy_of_the_environment_is_used_and_exceptions_are_not() {
    let server = Server::start(|seen| {
        if seen.path.ends_with("taef2.safetensors") {
            file_reply(seen, WEIGHTS, &weights())
        } else if seen.path.starts_with("/api/") {
            Reply::new(200, crate::common::hub::listing_of(&[("taef2.safetensors", weights())]))
        } else {
            Reply::new(404, "")
        }
    });
    let desk = Desk::new(&server);
    let (address, asked) = proxy(&server);
    let mut through = command(&server, desk.folder.path());
    // A name that only the proxy knows.
    through.args(["taef2", "--yes"]).env("HF_ENDPOINT", "http://hub.invalid").env("HTTP_PROXY", &address);
    let output = through.output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    let seen = asked.lock().unwrap().clone();
    assert!(
        !seen.is_empty() && seen.iter().all(|line| line.starts_with("CONNECT hub.invalid:80 ")),
        "{seen:?}"
    );
    let mut beside = command(&server, &desk.folder.path().join("second"));
    beside.args(["taef2", "--yes"]).env("HTTP_PROXY", &address).env("NO_PROXY", "127.0.0.1");
    let output = beside.output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(asked.lock().unwrap().len(), seen.len());
}
