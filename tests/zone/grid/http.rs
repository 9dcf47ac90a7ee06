//! Plain HTTP/1.1 as bytes: one request to the door, and a server that stands for a deployed service.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::harness::LONG;

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Answer {
    /// The values of a header, in order.
    pub(super) fn header(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .filter(|(found, _value)| found.eq_ignore_ascii_case(name))
            .map(|(_name, value)| value)
            .collect()
    }

    /// The first cookie that was set, as a client sends it back.
    pub(super) fn cookie(&self) -> String {
        let set = self.header("set-cookie");
        let set = set.first().unwrap_or_else(|| panic!("no cookie: {self:?}"));
        set.split(';').next().unwrap_or_default().to_owned()
    }
}

/// Sends bytes as they are and reads the answer until the other side closes.
pub(super) fn exchange(address: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).expect("the door is open");
    stream.set_read_timeout(Some(LONG)).expect("a bound");
    stream.write_all(request).expect("sent");
    let mut whole = Vec::new();
    stream.read_to_end(&mut whole).expect("an answer");
    answer_of(&String::from_utf8_lossy(&whole))
}

/// An answer from its bytes.
pub(super) fn answer_of(whole: &str) -> Answer {
    let (head, body) = whole
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no answer: {whole:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Answer {
        status: status.expect("a status"),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

/// One request with these further lines of its head, each with its line end.
pub(super) fn ask(address: SocketAddr, method: &str, target: &str, lines: &str, body: &str) -> Answer {
    let length = if body.is_empty() {
        String::new()
    } else {
        format!("content-length: {}\r\n", body.len())
    };
    let request = format!(
        "{method} {target} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{length}{lines}\r\n{body}"
    );
    exchange(address, request.as_bytes())
}

/// One step of the handshake.
pub(super) fn greet(address: SocketAddr, query: &str, cookie: &str) -> Answer {
    let lines = if cookie.is_empty() {
        String::new()
    } else {
        format!("cookie: {cookie}\r\n")
    };
    ask(address, "GET", &format!("/greet?{query}"), &lines, "")
}

/// The seconds of the machine's clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the server of this test runs on the machine's clock"
)]
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("after 1970").as_secs()
}

/// A server of the test: it keeps what it gets.
pub(super) struct Upstream {
    pub(super) address: SocketAddr,
    got: Arc<Mutex<Vec<String>>>,
}

/// A connection, with TLS or without.
trait Stream: std::io::Read + std::io::Write {}

impl<T: std::io::Read + std::io::Write> Stream for T {}

impl Upstream {
    /// Answers each request, head and body, with a text.
    pub(super) fn start(say: impl Fn(&str) -> String + Send + 'static) -> Self {
        Self::on(|stream| Box::new(stream), say)
    }

    /// The same over TLS.
    pub(super) fn with_tls(tls: Arc<ServerConfig>, say: impl Fn(&str) -> String + Send + 'static) -> Self {
        let wrap = move |stream| {
            let session = ServerConnection::new(Arc::clone(&tls)).expect("good settings");
            Box::new(StreamOwned::new(session, stream)) as Box<dyn Stream>
        };
        Self::on(wrap, say)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a server of the test itself: it ends with the test's process"
    )]
    fn on(
        wrap: impl Fn(TcpStream) -> Box<dyn Stream> + Send + 'static,
        say: impl Fn(&str) -> String + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let got = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&got);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut reader = BufReader::new(wrap(stream.expect("a connection")));
                // A client that goes away is no fault of the server's. Kept first: whoever has the answer may look.
                if let Some(request) = read(&mut reader) {
                    kept.lock().expect("not poisoned").push(request.clone());
                    answer(reader.get_mut(), &request, &say(&request));
                }
            }
        });
        Self { address, got }
    }

    /// The requests so far, head and body.
    pub(super) fn got(&self) -> Vec<String> {
        self.got.lock().expect("not poisoned").clone()
    }
}

fn read(reader: &mut BufReader<Box<dyn Stream>>) -> Option<String> {
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        if reader.read_line(&mut request).ok()? == 0 {
            return None;
        }
    }
    let length = |line: &str| {
        let line = line.to_ascii_lowercase();
        line.strip_prefix("content-length: ")?.parse().ok()
    };
    let mut body = vec![0; request.lines().find_map(length).unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    request.push_str(&String::from_utf8_lossy(&body));
    Some(request)
}

fn answer(stream: &mut dyn Stream, request: &str, text: &str) {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\ncontent-type: text/plain\r\nset-cookie: theirs=1\r\n\
         set-cookie: cpuser_test=planted\r\nconnection: close\r\n\r\n",
        text.len()
    );
    let body = if request.starts_with("HEAD ") { "" } else { text };
    match stream.write_all(format!("{head}{body}").as_bytes()) {
        Ok(()) | Err(_) => {}
    }
}
