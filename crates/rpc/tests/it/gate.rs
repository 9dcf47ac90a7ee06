//! A place that a channel connects to, where the test says what becomes of each connection.

use tasks::{Policy, Tasks};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    raw::{PREFACE, frame},
    support::SOON,
};

/// A listener whose connections wait to be taken.
pub(crate) struct Gate {
    listener: TcpListener,
    tasks: Tasks,
}

impl Gate {
    pub(crate) async fn new() -> Self {
        Self {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            tasks: Tasks::new(),
        }
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.listener.local_addr().unwrap()
    }

    pub(crate) fn target(&self) -> rpc::Target {
        self.address().into()
    }

    /// The next connection. Nobody has spoken on it; dropped, it is closed.
    pub(crate) async fn next(&self) -> TcpStream {
        let accepted = timeout(SOON, self.listener.accept()).await;
        accepted.expect("somebody connects").unwrap().0
    }

    /// Tells whether a connection waits.
    pub(crate) async fn has_next(&self) -> bool {
        timeout(std::time::Duration::ZERO, self.listener.accept())
            .await
            .is_ok()
    }

    /// Leads a connection on to a server, until what it gives is dropped.
    pub(crate) fn onward(&self, mut near: TcpStream, server: std::net::SocketAddr) -> DropGuard {
        let cut = CancellationToken::new();
        let way = cut.clone();
        self.tasks.spawn("way to a server", Policy::MayEnd, async move {
            let mut far = TcpStream::connect(server).await.unwrap();
            tokio::select! {
                () = way.cancelled() => {}
                ended = copy_bidirectional(&mut near, &mut far) => drop(ended),
            }
        });
        cut.drop_guard()
    }
}

/// A server's side of a connection, spoken frame by frame.
pub(crate) struct Spoken<S = TcpStream>(S);

impl<S: AsyncRead + AsyncWrite + Unpin> Spoken<S> {
    /// Takes what the client sends first, and sends SETTINGS.
    pub(crate) async fn begin(mut stream: S) -> Self {
        let mut preface = [0; PREFACE.len()];
        stream.read_exact(&mut preface).await.unwrap();
        assert_eq!(preface, PREFACE);
        let mut spoken = Self(stream);
        spoken.say(4, 0, 0, &[]).await;
        spoken
    }

    pub(crate) async fn say(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let frame = frame(kind, flags, stream, payload);
        self.0.write_all(&frame).await.unwrap();
    }

    /// The type and the stream of the next frame that the client sends; nothing once it has closed the connection.
    pub(crate) async fn next(&mut self) -> Option<(u8, u32)> {
        let heard = async {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await.ok()?;
            let [a, b, c, kind, _, stream @ ..] = head;
            let length = u32::from_be_bytes([0, a, b, c]);
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            self.0.read_exact(&mut payload).await.ok()?;
            Some((kind, u32::from_be_bytes(stream)))
        };
        timeout(SOON, heard).await.expect("a frame comes")
    }

    /// Reads on to the next call, and gives the number of its stream.
    pub(crate) async fn call(&mut self) -> u32 {
        let heard = async {
            loop {
                if let (1, stream) = self.next().await.expect("the connection stands") {
                    return stream;
                }
            }
        };
        timeout(SOON, heard).await.expect("a call comes")
    }
}
