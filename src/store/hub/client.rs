//! Requests to the hub and to other servers.
//!
//! Redirects are followed here and not by the HTTP client, since a token must not travel with them.

use std::collections::HashSet;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ureq::http::{HeaderMap, header};
use ureq::tls::{RootCerts, TlsConfig};

use super::HubError;
use super::address::RepositoryId;
use super::environment::HubEnvironment;
use super::listing::Listing;
use super::retry::{Retries, RetrySettings};
use super::token::Token;
use super::web_address::{Scheme, WebAddress};
use crate::request::CancelToken;

/// Upper limit of the number of redirects.
const MAX_REDIRECTS: usize = 10;
/// Upper limit of a listing, bytes.
const MAX_LISTING: u64 = 32 << 20;

/// How long to wait, and how often to try.
#[derive(Clone, Copy, Debug)]
pub struct ClientSettings {
    /// For a connection.
    pub connect: Duration,
    /// For the next byte.
    pub stall: Duration,
    /// Between attempts.
    pub retries: RetrySettings,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            stall: Duration::from_secs(30),
            retries: RetrySettings::default(),
        }
    }
}

/// What is known of the token.
#[derive(Default)]
enum KnownToken {
    #[default]
    NotLookedFor,
    Found(Token),
    None,
}

/// A client of one hub.
pub struct Client {
    agent: ureq::Agent,
    environment: HubEnvironment,
    /// Looked for with the first request: the system's keyring may ask for its password.
    token: Mutex<KnownToken>,
    settings: ClientSettings,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("endpoint", &self.environment.endpoint).finish_non_exhaustive()
    }
}

/// The part of a file that is asked for: from a byte on, if the file is still the same.
#[derive(Clone, Debug)]
pub(super) struct Rest {
    /// The first byte.
    pub(super) from: u64,
    /// The validator of the answer that gave the bytes before, if it had one.
    pub(super) validator: Option<String>,
}

/// The beginning of an answer; its content is still to be read.
pub(super) struct Answer {
    /// 200 or 206.
    pub(super) status: u16,
    headers: HeaderMap,
    body: ureq::BodyReader<'static>,
    /// The address that answered, after redirects.
    pub(super) address: WebAddress,
    stall: Duration,
}

impl Client {
    /// A client for the hub of an environment. Opens no connection.
    pub fn new(environment: HubEnvironment, settings: ClientSettings) -> Self {
        let tls = TlsConfig::builder()
            // The system's certificates: a company's own are among them.
            .root_certs(RootCerts::PlatformVerifier)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("safelight/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .timeout_resolve(Some(settings.connect))
            .timeout_connect(Some(settings.connect))
            .timeout_per_read(Some(settings.stall))
            .timeout_per_write(Some(settings.stall))
            // Larger reads: a download is gigabytes.
            .input_buffer_size(256 << 10);
        if !environment.uses_proxies {
            config = config.proxy(None);
        }
        Self { agent: config.build().new_agent(), environment, token: Mutex::default(), settings }
    }

    /// The environment.
    pub fn environment(&self) -> &HubEnvironment {
        &self.environment
    }

    /// The token, if there is one.
    fn token(&self) -> Option<Token> {
        let mut known = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        if let KnownToken::NotLookedFor = *known {
            let found = self.environment.tokens.find();
            *known = found.map_or(KnownToken::None, |(token, _)| KnownToken::Found(token));
        }
        if let KnownToken::Found(token) = &*known { Some(token.clone()) } else { None }
    }

    /// Looks for the token again with the next request, as after another one was stored.
    pub fn token_changed(&self) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = KnownToken::NotLookedFor;
    }

    pub(super) fn retries(&self) -> Retries {
        Retries::new(self.settings.retries)
    }

    /// Asks the hub for the files of a repository. `None` if it was stopped.
    ///
    /// # Errors
    /// [`HubError`]: offline, no connection, no such repository or revision, a gate.
    pub fn listing(
        &self,
        repository: &RepositoryId,
        revision: &str,
        cancel: &CancelToken,
    ) -> Result<Option<Listing>, HubError> {
        let address = self.environment.endpoint.with_path(&Listing::request(repository, revision));
        let mut retries = self.retries();
        loop {
            let answer =
                self.get(&address, None, Some(repository)).and_then(|answer| answer.read_all(MAX_LISTING));
            match answer {
                Ok(bytes) => return Listing::parse(repository, revision, &bytes).map(Some),
                Err(error) => {
                    if !retries.wait_after(error, cancel)? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Sends one request, redirects followed. `repository`: the one it is about, for messages.
    pub(super) fn get(
        &self,
        address: &WebAddress,
        rest: Option<&Rest>,
        repository: Option<&RepositoryId>,
    ) -> Result<Answer, HubError> {
        if self.environment.is_offline {
            return Err(HubError::Offline);
        }
        let mut address = address.clone();
        let mut seen = HashSet::new();
        let mut circle = Vec::new();
        let mut may_have_token = true;
        loop {
            may_have_token &= address.has_origin_of(&self.environment.endpoint);
            let token = if may_have_token { self.token() } else { None };
            let response = self.send(&address, rest, token.as_ref())?;
            let status = response.status().as_u16();
            circle.push(address.to_string());
            if !matches!(status, 301 | 302 | 303 | 307 | 308) {
                let (parts, body) = response.into_parts();
                let answer = Answer {
                    status,
                    headers: parts.headers,
                    body: body.into_reader(),
                    address,
                    stall: self.settings.stall,
                };
                return self.checked(answer, rest, repository, token.is_some());
            }
            seen.insert(address.whole());
            let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
            let bad =
                |reason: &str| HubError::BadRedirect { from: address.to_string(), reason: reason.to_owned() };
            let next = address.join(location.ok_or_else(|| bad("it names none"))?).map_err(bad)?;
            if next.scheme() == Scheme::Http && address.scheme() == Scheme::Https {
                return Err(bad("it is without encryption"));
            }
            if seen.contains(&next.whole()) || circle.len() > MAX_REDIRECTS {
                circle.push(next.to_string());
                return Err(HubError::RedirectCircle(circle));
            }
            address = next;
        }
    }

    fn send(
        &self,
        address: &WebAddress,
        rest: Option<&Rest>,
        token: Option<&Token>,
    ) -> Result<ureq::http::Response<ureq::Body>, HubError> {
        // Compressed content would have another length and other ranges.
        let mut request = self.agent.get(address.whole()).header(header::ACCEPT_ENCODING, "identity");
        if let Some(rest) = rest {
            request = request.header(header::RANGE, format!("bytes={}-", rest.from));
            if let Some(validator) = &rest.validator {
                request = request.header(header::IF_RANGE, validator);
            }
        }
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, token.authorization());
        }
        request.call().map_err(|error| failure(error, address.host(), self.settings.stall))
    }

    /// An answer that has content.
    fn checked(
        &self,
        answer: Answer,
        rest: Option<&Rest>,
        repository: Option<&RepositoryId>,
        sent_token: bool,
    ) -> Result<Answer, HubError> {
        let address = answer.address.to_string();
        match answer.status {
            200 => {}
            206 if rest.is_some() => {}
            status @ (401 | 403) => {
                let Some(repository) = repository else { return Err(HubError::Status { status, address }) };
                let page = repository.page(&self.environment.endpoint).to_string();
                let repository = repository.to_string();
                // The hub names its reason in a header of its own.
                return Err(match answer.header("x-error-code") {
                    Some("RepoNotFound") => HubError::Hidden { repository, page, sent_token },
                    // A wrong token is refused even where none is needed.
                    None if status == 401 && sent_token => HubError::BadToken,
                    None if status == 401 => HubError::Hidden { repository, page, sent_token },
                    _ => HubError::Gated { repository, page, sent_token },
                });
            }
            404 | 410 => return Err(HubError::NotFound { address }),
            status @ (408 | 425 | 429 | 500..=599) => {
                let wait = answer.header("retry-after").and_then(super::retry::retry_after);
                return Err(HubError::Busy { host: answer.address.host().to_owned(), status, wait });
            }
            status => return Err(HubError::Status { status, address }),
        }
        let content_type = answer.header("content-type").unwrap_or_default().to_ascii_lowercase();
        if content_type.starts_with("text/html") || content_type.starts_with("application/xhtml") {
            return Err(HubError::NotAFile { address });
        }
        if answer.header("content-encoding").is_some_and(|encoding| encoding != "identity") {
            let reason = "the server compresses the file, though it was asked not to".to_owned();
            return Err(HubError::BadAnswer { reason, address });
        }
        Ok(answer)
    }
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// What identifies this state of the file: a strong ETag, or the time of its last change.
    pub(super) fn validator(&self) -> Option<String> {
        let strong = self.header("etag").filter(|tag| !tag.starts_with("W/"));
        strong.or_else(|| self.header("last-modified")).map(str::to_owned)
    }

    /// The length of the content that comes, bytes.
    pub(super) fn content_length(&self) -> Option<u64> {
        self.header("content-length")?.trim().parse().ok()
    }

    /// First byte and whole length of a partial answer: `bytes 5-9/10`.
    pub(super) fn content_range(&self) -> Option<(u64, Option<u64>)> {
        let (range, whole) = self.header("content-range")?.trim().strip_prefix("bytes ")?.split_once('/')?;
        Some((range.split_once('-')?.0.trim().parse().ok()?, whole.trim().parse().ok()))
    }

    /// Reads content; 0 at its end.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, HubError> {
        loop {
            match self.body.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result.map_err(|error| self.broken(error)),
            }
        }
    }

    fn broken(&self, error: io::Error) -> HubError {
        let host = self.address.host();
        match error.downcast::<ureq::Error>() {
            Ok(inner) => failure(inner, host, self.stall),
            Err(error) => failure(ureq::Error::Io(error), host, self.stall),
        }
    }

    /// The whole content of a small answer.
    fn read_all(mut self, limit: u64) -> Result<Vec<u8>, HubError> {
        let mut bytes = Vec::new();
        let mut buffer = vec![0; 64 << 10];
        loop {
            match self.read(&mut buffer)? {
                0 => return Ok(bytes),
                count => bytes.extend_from_slice(&buffer[..count]),
            }
            if bytes.len() as u64 > limit {
                let reason = format!("it is longer than {}", super::in_words(limit));
                return Err(HubError::BadAnswer { reason, address: self.address.to_string() });
            }
        }
    }
}

/// An error of the HTTP client in our terms.
fn failure(error: ureq::Error, host: &str, stall: Duration) -> HubError {
    use io::ErrorKind as Kind;
    let host = host.to_owned();
    let unreachable = |reason: String| HubError::Unreachable { host: host.clone(), reason };
    match error {
        ureq::Error::Timeout(ureq::Timeout::PerRead | ureq::Timeout::PerWrite) => {
            HubError::Stalled { host, after: stall }
        }
        ureq::Error::Timeout(_) => unreachable("it did not answer in time".to_owned()),
        ureq::Error::HostNotFound => unreachable("its name is not known".to_owned()),
        ureq::Error::ConnectionFailed => unreachable("no connection was possible".to_owned()),
        ureq::Error::ConnectProxyFailed(reason) => unreachable(format!("the proxy refused ({reason})")),
        ureq::Error::InvalidProxyUrl => unreachable("the proxy's address is wrong".to_owned()),
        ureq::Error::Rustls(error) => HubError::Insecure { host, reason: error.to_string() },
        ureq::Error::Tls(reason) => HubError::Insecure { host, reason: reason.to_owned() },
        ureq::Error::Io(error) => match error.kind() {
            Kind::ConnectionRefused
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
            | Kind::NetworkDown
            | Kind::AddrNotAvailable
            | Kind::NotFound => unreachable(error.to_string()),
            Kind::TimedOut | Kind::WouldBlock => HubError::Stalled { host, after: stall },
            // rustls wraps its errors, such as an unknown certificate.
            Kind::InvalidData => HubError::Insecure { host, reason: error.to_string() },
            _ => HubError::Broken { host, reason: error.to_string() },
        },
        other => HubError::Broken { host, reason: other.to_string() },
    }
}
