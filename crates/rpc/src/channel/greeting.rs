//! The begin of a connection on the side that calls: what proves that an HTTP/2 server is there.
//!
//! What it leaves to others: HTTP/2 itself. The first frame of a server is its SETTINGS (RFC 9113, section 3.4), and
//! gRPC has a channel be READY only when that is there.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::oneshot,
};

/// The bytes before each frame.
const HEAD: usize = 9;

/// The type of the SETTINGS frame.
const SETTINGS: u8 = 4;

/// A connection that tells once the server's first frame has come, and it is SETTINGS.
pub(super) struct Greeted<T> {
    io: T,
    tell: Option<oneshot::Sender<()>>,
    begin: Begin,
}

/// How much has been read.
#[derive(Default)]
struct Begin {
    head: [u8; HEAD],
    filled: usize,
    /// How much of the frame was read behind its head.
    body: usize,
}

/// What the bytes so far say.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    More,
    Settings,
    Other,
}

impl<T> Greeted<T> {
    /// Tells `tell`, or drops it where something else comes.
    pub(super) fn new(io: T, tell: oneshot::Sender<()>) -> Self {
        Self {
            io,
            tell: Some(tell),
            begin: Begin::default(),
        }
    }

    fn see(&mut self, bytes: &[u8]) {
        match self.begin.follow(bytes) {
            Seen::More => {}
            Seen::Other => self.tell = None,
            Seen::Settings => {
                let told = self.tell.take().map(|tell| tell.send(()));
                if told.is_some_and(|told| told.is_err()) {
                    tracing::debug!("nobody waits for this connection any more");
                }
            }
        }
    }
}

impl Begin {
    fn follow(&mut self, bytes: &[u8]) -> Seen {
        let take = (HEAD - self.filled).min(bytes.len());
        let (head, rest) = bytes.split_at(take);
        self.head[self.filled..self.filled + take].copy_from_slice(head);
        self.filled += take;
        if self.filled < HEAD {
            return Seen::More;
        }
        let [a, b, c, kind, ..] = self.head;
        if kind != SETTINGS {
            return Seen::Other;
        }
        self.body += rest.len();
        let length = u32::from_be_bytes([0, a, b, c]);
        if usize::try_from(length).is_ok_and(|length| self.body >= length) {
            Seen::Settings
        } else {
            Seen::More
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Greeted<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        if self.tell.is_some() {
            self.see(&buf.filled()[before..]);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Greeted<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::{Begin, Seen};

    #[test]
    fn settings_are_seen_however_they_are_cut_and_nothing_else_is() {
        let frame = |kind: u8| [&[0, 0, 6, kind, 0, 0, 0, 0, 0][..], &[7; 6]].concat();
        for cut in 1..=15 {
            let mut begin = Begin::default();
            let mut seen = Seen::More;
            for (at, bytes) in frame(4).chunks(cut).enumerate() {
                assert_eq!(seen, Seen::More, "cut at {cut}, piece {at}");
                seen = begin.follow(bytes);
            }
            assert_eq!(seen, Seen::Settings, "cut at {cut}");
        }
        assert_eq!(Begin::default().follow(&frame(7)), Seen::Other);
        assert_eq!(
            Begin::default().follow(b"HTTP/1.1 400 Bad Request\r\n"),
            Seen::Other
        );
        assert_eq!(
            Begin::default().follow(&[0, 0, 0, 4, 0, 0, 0, 0, 0]),
            Seen::Settings
        );
    }
}
