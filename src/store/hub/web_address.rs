//! Addresses of the web: what a download needs of RFC 3986, and nothing that could send a request elsewhere.

use std::fmt;

/// How a connection is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Without encryption.
    Http,
    /// With TLS.
    Https,
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// An `http` or `https` address. [`Display`](fmt::Display) leaves the query out, where signatures and keys stand.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebAddress {
    scheme: Scheme,
    /// In lower case; an IPv6 address keeps its brackets.
    host: String,
    port: u16,
    /// Percent-encoded, begins with `/`.
    path: String,
    /// Percent-encoded, with its `?`; may be empty.
    query: String,
}

impl WebAddress {
    /// Parses an address.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (Scheme::Https, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Scheme::Http, rest),
            _ => return Err("it does not begin with https://"),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, port) = authority(&rest[..end], scheme)?;
        let (path, query) = match rest[end..].split_once('?') {
            Some((path, query)) => (path, format!("?{}", encoded(query, is_in_query))),
            None => (&rest[end..], String::new()),
        };
        let path = if path.is_empty() { "/".to_owned() } else { encoded(path, is_in_path) };
        Ok(Self { scheme, host, port, path, query })
    }

    /// The address that a `Location` header of this address' answer leads to.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn join(&self, location: &str) -> Result<Self, &'static str> {
        let scheme = self.scheme.name();
        let location = location.trim();
        if location.contains("://") {
            return Self::parse(location);
        }
        if let Some(rest) = location.strip_prefix("//") {
            return Self::parse(&format!("{scheme}://{rest}"));
        }
        let folder = self.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let path = match location.chars().next() {
            Some('/') => location.to_owned(),
            Some('?') => format!("{}{location}", self.path),
            _ => format!("{folder}/{location}"),
        };
        Self::parse(&format!("{scheme}://{}{path}", self.authority()))
    }

    /// This address with another path, percent-encoded, with a leading `/`, perhaps with a query.
    pub(super) fn with_path(&self, path: &str) -> Self {
        let (path, query) = path.split_once('?').map_or((path, String::new()), |(p, q)| (p, format!("?{q}")));
        let base = self.path.trim_end_matches('/');
        Self { path: format!("{base}{path}"), query, ..self.clone() }
    }

    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host's name or number, without port.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The path, percent-encoded.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The whole address with its query, for the request.
    pub fn whole(&self) -> String {
        format!("{self}{}", self.query)
    }

    /// Whether both addresses have scheme, host and port in common, so that a token for one may be sent to the other.
    pub fn has_origin_of(&self, other: &Self) -> bool {
        (self.scheme, &self.host, self.port) == (other.scheme, &other.host, other.port)
    }

    /// Whether the host is this machine.
    pub fn is_loopback(&self) -> bool {
        let number = self.host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        self.host == "localhost" || number.is_ok_and(|number| number.is_loopback())
    }

    fn authority(&self) -> String {
        if self.port == self.scheme.default_port() {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl TryFrom<String> for WebAddress {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        Self::parse(&text)
    }
}

impl From<WebAddress> for String {
    fn from(address: WebAddress) -> Self {
        address.whole()
    }
}

impl fmt::Display for WebAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.name(), self.authority(), self.path)
    }
}

/// Host in lower case and port.
fn authority(text: &str, scheme: Scheme) -> Result<(String, u16), &'static str> {
    if text.contains('@') {
        return Err("it contains a user's name or password");
    }
    let host_end = if text.starts_with('[') {
        text.find(']').map(|at| at + 1).ok_or("its host's name is not closed by a bracket")?
    } else {
        text.find(':').unwrap_or(text.len())
    };
    let (host, port) = text.split_at(host_end);
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => scheme.default_port(),
        Some("") => scheme.default_port(),
        Some(digits) => digits.parse().map_err(|_| "its port is not a number below 65536")?,
        None => return Err("its host's name is followed by something else"),
    };
    let in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let plain = if let Some(number) = host.strip_prefix('[') {
        number.trim_end_matches(']').parse::<std::net::Ipv6Addr>().is_ok()
    } else {
        !host.is_empty() && host.chars().all(in_name)
    };
    if plain { Ok((host.to_ascii_lowercase(), port)) } else { Err("it does not name a host") }
}

fn is_in_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%".contains(&byte)
}

fn is_in_query(byte: u8) -> bool {
    is_in_path(byte) || byte == b'?'
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Percent-encodes the bytes for which `stays` is false.
fn encoded(text: &str, stays: fn(u8) -> bool) -> String {
    use fmt::Write as _;
    let mut done = String::with_capacity(text.len());
    for byte in text.bytes() {
        if stays(byte) {
            done.push(char::from(byte));
        } else {
            let _ = write!(done, "%{byte:02X}");
        }
    }
    done
}

/// One component of a path, percent-encoded, `/` included.
pub(super) fn encoded_component(text: &str) -> String {
    encoded(text, is_unreserved)
}

/// Percent-decodes a component; `None` for bytes that are not UTF-8 or a broken `%`.
pub(super) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            // `from_str_radix` would take a sign.
            if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return None;
            }
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> WebAddress {
        WebAddress::parse(text).unwrap()
    }

    #[test]
    fn an_address_is_taken_apart_and_put_together() {
        let address = parsed("HTTPS://Hub.Example:8443/a b/c?x=1&y=%20#there");
        assert_eq!(address.whole(), "https://hub.example:8443/a%20b/c?x=1&y=%20");
        assert_eq!(address.to_string(), "https://hub.example:8443/a%20b/c");
        assert_eq!(parsed("http://[::1]:80").whole(), "http://[::1]/");
        for wrong in [
            "ftp://a/b",
            "a/b",
            "https://",
            "https://u:p@a/",
            "https://a:99999/",
            "https://a b/",
            "https://[x]/",
        ] {
            assert!(WebAddress::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_redirect_is_relative_to_the_address() {
        let address = parsed("https://hub.example/a/b?q");
        for (location, whole) in [
            ("https://cdn.example/x?s=1", "https://cdn.example/x?s=1"),
            ("//cdn.example/x", "https://cdn.example/x"),
            ("/x", "https://hub.example/x"),
            ("c", "https://hub.example/a/c"),
            ("?r", "https://hub.example/a/b?r"),
        ] {
            assert_eq!(address.join(location).unwrap().whole(), whole);
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let address = parsed("https://hub.example/a");
        assert!(parsed("https://HUB.example:443/b").has_origin_of(&address));
        for other in ["http://hub.example/a", "https://hub.example:444/a", "https://hub.example.evil/a"] {
            assert!(!parsed(other).has_origin_of(&address), "{other}");
        }
        assert!(parsed("http://127.0.0.2:1/").is_loopback() && parsed("http://[::1]/").is_loopback());
        assert!(!parsed("http://127.0.0.1.example/").is_loopback());
    }

    #[test]
    fn components_survive_encoding() {
        assert_eq!(encoded_component("refs/pr/1 ä"), "refs%2Fpr%2F1%20%C3%A4");
        assert_eq!(decoded("refs%2Fpr%2F1%20%C3%A4").as_deref(), Some("refs/pr/1 ä"));
        assert_eq!((decoded("%"), decoded("%+1"), decoded("%ff")), (None, None, None));
    }
}
