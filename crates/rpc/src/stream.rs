//! The bytes of one accepted connection, plain or encrypted, with what was read ahead put back in front.
//!
//! What it leaves to others: who may speak plainly (`connection`).

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use crate::strict::Follower;

/// What every HTTP/2 client sends first (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The version of HTTP that a peer began to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    One,
    Two,
}

/// The transport under a stream.
pub(crate) enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection that is ready for HTTP.
pub(crate) struct Stream {
    ahead: Bytes,
    io: Io,
    strict: Option<Strict>,
}

/// What a strict listener's connection has besides.
struct Strict {
    follower: Follower,
    /// What was read and may be read on.
    passed: BytesMut,
}

/// How much of a strict listener's connection is read at once.
const STEP: usize = 16 * 1024;

impl Stream {
    /// Reads as many bytes as it takes to know the version, and puts them back. `None` when the peer went.
    pub(crate) async fn begin(io: Io) -> io::Result<Option<(Self, Version)>> {
        let mut stream = Self {
            ahead: Bytes::new(),
            io,
            strict: None,
        };
        let mut first = [0; PREFACE.len()];
        let mut filled = 0;
        let version = loop {
            let read = stream.read(&mut first[filled..]).await?;
            if read == 0 {
                return Ok(None);
            }
            filled += read;
            if first[..filled] != PREFACE[..filled] {
                break Version::One;
            }
            if filled == PREFACE.len() {
                break Version::Two;
            }
        };
        stream.ahead = Bytes::copy_from_slice(&first[..filled]);
        Ok(Some((stream, version)))
    }

    /// Lets through only requests that have one reading.
    pub(crate) fn make_strict(&mut self, follower: Follower) {
        let passed = BytesMut::new();
        self.strict = Some(Strict { follower, passed });
    }

    /// Reads what comes, whatever it is.
    fn poll_any(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.ahead.has_remaining() {
            let take = self.ahead.len().min(buf.remaining());
            buf.put_slice(&self.ahead.split_to(take));
            return Poll::Ready(Ok(()));
        }
        match &mut self.io {
            Io::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Io::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }

    /// Reads what may be read.
    fn poll_strict(
        &mut self,
        strict: &mut Strict,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let opaque = strict.follower.is_opaque(&mut strict.passed);
            if strict.passed.has_remaining() {
                let take = strict.passed.len().min(buf.remaining());
                buf.put_slice(&strict.passed.split_to(take));
                return Poll::Ready(Ok(()));
            }
            if opaque {
                return self.poll_any(cx, buf);
            }
            if strict.follower.is_refused() {
                return Poll::Ready(Ok(()));
            }
            if strict.follower.is_torn() {
                let fault = "the body has more than one reading";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, fault)));
            }
            let mut step = [0; STEP];
            let mut read = ReadBuf::new(&mut step);
            ready!(self.poll_any(cx, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            strict.follower.follow(read.filled(), &mut strict.passed);
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(mut strict) = self.strict.take() else {
            return self.poll_any(cx, buf);
        };
        let polled = self.poll_strict(&mut strict, cx, buf);
        self.strict = Some(strict);
        polled
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Io::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, bufs),
            Io::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.io {
            Io::Plain(tcp) => tcp.is_write_vectored(),
            Io::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Io::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Io::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
