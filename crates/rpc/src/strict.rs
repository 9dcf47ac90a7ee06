//! One reading of HTTP/1.1: follows the bytes of a connection and lets through only what cannot be read in two ways.
//!
//! What it is for: listeners that hand requests on to other programs. The parser behind them is lenient where the
//! standard lets it be, and drops what it has resolved, a length beside chunks for one; the program that the request
//! goes to, or one in front of us, may resolve it otherwise, and then takes the body of one request for the head of
//! the next. So a head is held back until it is whole and has one reading. What it leaves to others: the parse
//! itself, limits of size and time, and what a request means (hyper, `connection`, the service).
//!
//! Refused with 400 and the end of the connection: two lengths, even equal ones; a length that is not digits; a
//! length and chunks; any transfer coding but `chunked`; chunks in HTTP/1.0; a line that ends in LF alone; a bare CR or
//! NUL; a folded line; white space before a colon; a target with a fragment, a space or a byte beyond ASCII; another
//! version. In a body: chunk extensions, and chunks that are no chunks.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use bytes::{Buf as _, BytesMut};

/// The most digits of a length; more cannot be meant.
const LENGTH_DIGITS: usize = 18;
/// The most digits of a chunk's size.
const CHUNK_DIGITS: usize = 15;
/// The most bytes of trailers.
const TRAILER_BYTES: usize = 16 * 1024;

/// What the parser behind gets for a refused head: no parser takes it for one, so it answers 400 and closes.
const NO_HEAD: &[u8] = b"\0\r\n\r\n";

/// Turns a connection into bytes that nobody follows, once its request to do so is granted. Found among the
/// extensions of every request to a strict listener.
#[derive(Debug, Clone)]
pub struct Upgrading {
    switch: Arc<Switch>,
    /// The number of the request on its connection, from 1.
    request: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Switch {
    opaque: AtomicBool,
    /// How many heads were let through.
    heads: AtomicU64,
    /// Whether a part of a further one is there.
    early: AtomicBool,
    /// How many requests have come out of the parser.
    requests: AtomicU64,
}

impl Upgrading {
    /// For the next request of the connection with this switch.
    pub(crate) fn next(switch: &Arc<Switch>) -> Self {
        Self {
            request: switch.requests.fetch_add(1, Ordering::AcqRel) + 1,
            switch: Arc::clone(switch),
        }
    }

    /// Grants the upgrade, unless the client has already sent bytes after its request: those were meant for whoever
    /// answers it, and nobody has.
    #[must_use]
    pub fn grant(&self) -> bool {
        let last = self.switch.heads.load(Ordering::Acquire) == self.request;
        let granted = last && !self.switch.early.load(Ordering::Acquire);
        self.switch.opaque.store(granted, Ordering::Release);
        granted
    }
}

/// Follows one connection's bytes.
#[derive(Debug)]
pub(crate) struct Follower {
    state: State,
    held: BytesMut,
    most_head: usize,
    switch: Arc<Switch>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A head is coming.
    Head,
    /// A body of so many more bytes.
    Fixed(u64),
    /// The digits of a chunk's size, how many of them there are, and whether the CR was seen.
    Size(u64, usize, bool),
    /// So many more bytes of a chunk.
    Chunk(u64),
    /// The CR, then the LF behind a chunk.
    ChunkEnd(bool),
    /// Trailers: bytes so far, bytes of this line, whether the CR was seen.
    Trailers(usize, usize, bool),
    /// Bytes that nobody follows.
    Opaque,
    /// A head was refused: nothing more is read.
    Refused,
    /// A body was refused: reading it fails.
    Torn,
}

/// How the body behind a head is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    None,
    Fixed(u64),
    Chunked,
}

impl Follower {
    /// Begins before the first head; heads have at most so many bytes.
    pub(crate) fn new(most_head: usize, switch: Arc<Switch>) -> Self {
        Self {
            state: State::Head,
            held: BytesMut::new(),
            most_head,
            switch,
        }
    }

    /// Whether nothing more comes.
    pub(crate) fn is_refused(&self) -> bool {
        self.state == State::Refused
    }

    /// Whether the body that is being read cannot be read on.
    pub(crate) fn is_torn(&self) -> bool {
        self.state == State::Torn
    }

    /// Whether bytes pass as they come; what was held back goes to `out`.
    pub(crate) fn is_opaque(&mut self, out: &mut BytesMut) -> bool {
        if self.state == State::Head && self.switch.opaque.load(Ordering::Acquire) {
            self.state = State::Opaque;
            out.extend_from_slice(&self.held);
            self.held = BytesMut::new();
        }
        self.state == State::Opaque
    }

    /// Takes bytes as they came and gives those that may be read to `out`.
    pub(crate) fn follow(&mut self, mut bytes: &[u8], out: &mut BytesMut) {
        while !bytes.is_empty() {
            let taken = match self.state {
                State::Head => self.head(bytes, out),
                State::Fixed(left) | State::Chunk(left) => self.body(left, bytes, out),
                State::Opaque => {
                    out.extend_from_slice(bytes);
                    bytes.len()
                }
                State::Refused | State::Torn => return,
                State::Size(..) | State::ChunkEnd(_) | State::Trailers(..) => {
                    self.state = self.state.step(bytes[0]);
                    if self.state != State::Torn {
                        out.extend_from_slice(&bytes[..1]);
                    }
                    1
                }
            };
            bytes = &bytes[taken..];
        }
    }

    /// Passes bytes of a body; gives how many.
    fn body(&mut self, left: u64, bytes: &[u8], out: &mut BytesMut) -> usize {
        let step = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        out.extend_from_slice(&bytes[..step]);
        let left = left - u64::try_from(step).unwrap_or(left);
        self.state = match (matches!(self.state, State::Fixed(_)), left) {
            (true, 0) => State::Head,
            (true, _) => State::Fixed(left),
            (false, 0) => State::ChunkEnd(false),
            (false, _) => State::Chunk(left),
        };
        step
    }

    /// Holds bytes of a head back until it is whole; gives how many were taken.
    fn head(&mut self, bytes: &[u8], out: &mut BytesMut) -> usize {
        self.switch.early.store(true, Ordering::Release);
        let mut before = self.held.len();
        self.held.extend_from_slice(bytes);
        while self.held.starts_with(b"\r\n") {
            // An empty line before a request is skipped, as RFC 9112, section 2.2, asks.
            self.held.advance(2);
            before = 0;
        }
        let from = before.saturating_sub(3).min(self.held.len());
        let end = self.held[from..].windows(4).position(|four| four == b"\r\n\r\n");
        let Some(end) = end.map(|at| from + at + 4) else {
            if bare_line_end(&self.held, before) {
                self.refuse(out);
            } else if self.held.len() > self.most_head {
                // The parser behind says that it is too long.
                out.extend_from_slice(&self.held);
                self.state = State::Refused;
            }
            return bytes.len();
        };
        let rest = self.held.len() - end;
        match judge(&self.held[..end]) {
            Some(framing) => {
                out.extend_from_slice(&self.held[..end]);
                self.held.clear();
                self.switch.early.store(false, Ordering::Release);
                self.switch.heads.fetch_add(1, Ordering::AcqRel);
                self.state = match framing {
                    Framing::None | Framing::Fixed(0) => State::Head,
                    Framing::Fixed(length) => State::Fixed(length),
                    Framing::Chunked => State::Size(0, 0, false),
                };
            }
            None => self.refuse(out),
        }
        bytes.len() - rest
    }

    fn refuse(&mut self, out: &mut BytesMut) {
        tracing::debug!("a request head with more than one reading was refused");
        out.extend_from_slice(NO_HEAD);
        self.held = BytesMut::new();
        self.state = State::Refused;
    }
}

impl State {
    /// The state after one byte of what frames a chunked body.
    fn step(self, byte: u8) -> Self {
        match (self, byte) {
            (State::Size(size, digits, false), _) if byte.is_ascii_hexdigit() && digits < CHUNK_DIGITS => {
                let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                State::Size(size * 16 + digit, digits + 1, false)
            }
            (State::Size(size, 1.., false), b'\r') => State::Size(size, 1, true),
            (State::Size(0, _, true), b'\n') => State::Trailers(0, 0, false),
            (State::Size(size, _, true), b'\n') => State::Chunk(size),
            (State::ChunkEnd(false), b'\r') => State::ChunkEnd(true),
            (State::ChunkEnd(true), b'\n') => State::Size(0, 0, false),
            (State::Trailers(all, line, false), b'\r') => State::Trailers(all, line, true),
            (State::Trailers(_, 0, true), b'\n') => State::Head,
            (State::Trailers(all, _, true), b'\n') => State::Trailers(all, 0, false),
            (State::Trailers(all, 0, false), b' ' | b'\t') if all > 0 => State::Torn,
            (State::Trailers(all, line, false), byte)
                if byte != 0 && byte != b'\n' && all < TRAILER_BYTES =>
            {
                State::Trailers(all + 1, line + 1, false)
            }
            _ => State::Torn,
        }
    }
}

/// Whether a line of this ends in LF alone, behind the first so many bytes. Those are not looked at again: a head that
/// comes byte by byte would cost the square of its length.
fn bare_line_end(head: &[u8], before: usize) -> bool {
    let bare = |at: usize| head[at] == b'\n' && (at == 0 || head[at - 1] != b'\r');
    (before..head.len()).any(bare)
}

/// How the body behind this whole head is framed; nothing where it has more than one reading.
fn judge(head: &[u8]) -> Option<Framing> {
    let text = head.strip_suffix(b"\r\n\r\n")?;
    let mut lines = text.split(|byte| *byte == b'\n').collect::<Vec<_>>();
    let last = lines.len() - 1;
    for (at, line) in lines.iter_mut().enumerate() {
        if at < last {
            *line = line.strip_suffix(b"\r")?;
        }
        if line.iter().any(|byte| matches!(byte, b'\r' | 0)) {
            return None;
        }
    }
    let (request, fields) = lines.split_first()?;
    let is_one_one = request_line(request)?;
    let (mut lengths, mut codings) = (Vec::new(), Vec::new());
    for field in fields {
        let colon = field.iter().position(|byte| *byte == b':')?;
        let (name, value) = (&field[..colon], field[colon + 1..].trim_ascii());
        if name.is_empty() || !name.iter().all(|byte| is_token_byte(*byte)) {
            return None;
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            lengths.push(value);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            codings.push(value);
        }
    }
    match (lengths.as_slice(), codings.as_slice()) {
        ([], []) => Some(Framing::None),
        ([length], []) => digits(length).map(Framing::Fixed),
        ([], [coding]) if is_one_one && coding.eq_ignore_ascii_case(b"chunked") => Some(Framing::Chunked),
        _ => None,
    }
}

/// Whether the request line is of HTTP/1.1 (or else of 1.0); nothing where it is none.
fn request_line(line: &[u8]) -> Option<bool> {
    let mut words = line.split(|byte| *byte == b' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let sound = !method.is_empty()
        && method.iter().all(|byte| is_token_byte(*byte))
        && !target.is_empty()
        && target.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'#')
        && words.next().is_none();
    match version {
        b"HTTP/1.1" if sound => Some(true),
        b"HTTP/1.0" if sound => Some(false),
        _ => None,
    }
}

fn digits(text: &[u8]) -> Option<u64> {
    let sound = (1..=LENGTH_DIGITS).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    let text = sound.then(|| std::str::from_utf8(text).ok())?;
    text?.parse().ok()
}

/// The letters of RFC 9110, section 5.6.2.
const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

#[cfg(test)]
mod tests;
