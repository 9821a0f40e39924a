//! A small HTTP server whose answers a test decides.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Starts a thread that ends with the test.
pub(crate) fn thread(name: &str, run: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().name(name.to_owned()).spawn(run).unwrap();
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: HashMap<String, String>,
    /// How many requests for this path came before.
    pub(crate) before: usize,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The first byte of the range that is asked for.
    pub(crate) fn range_start(&self) -> Option<usize> {
        self.header("range")?.strip_prefix("bytes=")?.split('-').next()?.parse().ok()
    }
}

/// How the content is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sending {
    Whole,
    /// So many bytes, then the connection is closed.
    Cut(usize),
    /// So many bytes, then nothing.
    Stall(usize),
    /// So many bytes, then a pause, again and again.
    Slowly(usize, Duration),
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) content: Arc<Vec<u8>>,
    /// The first byte of the content that is sent.
    pub(crate) from: usize,
    /// The length that is told, if it is a lie.
    pub(crate) length: Option<usize>,
    pub(crate) sending: Sending,
}

impl Reply {
    pub(crate) fn new(status: u16, content: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content: Arc::new(content.into()),
            from: 0,
            length: None,
            sending: Sending::Whole,
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn sent(mut self, sending: Sending) -> Self {
        self.sending = sending;
        self
    }

    pub(crate) fn redirect(location: &str) -> Self {
        Self::new(302, "").header("location", location)
    }
}

type Answering = dyn Fn(&Seen) -> Reply + Send + Sync;

/// A running server. Dropped, it takes no further connections.
pub(crate) struct Server {
    pub(crate) address: String,
    requests: Arc<Mutex<Vec<Seen>>>,
    is_over: Arc<AtomicBool>,
}

impl Server {
    pub(crate) fn start(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let is_over: Arc<AtomicBool> = Arc::default();
        let answer: Arc<Answering> = Arc::new(answer);
        let (log, over) = (requests.clone(), is_over.clone());
        thread("server", move || {
            for stream in listener.incoming() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let (log, over, answer) = (log.clone(), over.clone(), answer.clone());
                thread("connection", move || drop(serve(stream.unwrap(), &log, &over, &*answer)));
            }
        });
        Self { address, requests, is_over }
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<Seen> {
        self.requests.lock().unwrap().clone()
    }

    /// The requests for a path.
    pub(crate) fn requests_for(&self, path: &str) -> Vec<Seen> {
        self.requests().into_iter().filter(|seen| seen.path == path).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // The listener waits for one more.
        drop(TcpStream::connect(self.address.trim_start_matches("http://")));
    }
}

/// Answers the requests of one connection, of which there is one.
fn serve(
    stream: TcpStream,
    log: &Mutex<Vec<Seen>>,
    is_over: &AtomicBool,
    answer: &Answering,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(()) };
    let (method, path) = (method.to_owned(), path.to_owned());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let seen = {
        let mut log = log.lock().unwrap();
        let before = log.iter().filter(|other| other.path == path && other.method == method).count();
        let seen = Seen { method, path, headers, before };
        log.push(seen.clone());
        seen
    };
    let reply = answer(&seen);
    let stream = reader.get_mut();
    let content = &reply.content[reply.from.min(reply.content.len())..];
    let mut head = format!("HTTP/1.1 {} X\r\nconnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    write!(head, "content-length: {}\r\n\r\n", reply.length.unwrap_or(content.len())).unwrap();
    stream.write_all(head.as_bytes())?;
    if seen.method == "HEAD" {
        return Ok(());
    }
    match reply.sending {
        Sending::Whole => stream.write_all(content)?,
        Sending::Cut(count) => stream.write_all(&content[..count.min(content.len())])?,
        Sending::Stall(count) => {
            stream.write_all(&content[..count.min(content.len())])?;
            // Until the client gives up, or the test ends.
            stream.set_read_timeout(Some(Duration::from_millis(50)))?;
            while !is_over.load(Ordering::Relaxed) && !matches!(stream.read(&mut [0]), Ok(0)) {}
        }
        Sending::Slowly(count, pause) => {
            for piece in content.chunks(count) {
                stream.write_all(piece)?;
                std::thread::sleep(pause);
            }
        }
    }
    stream.flush()
}
