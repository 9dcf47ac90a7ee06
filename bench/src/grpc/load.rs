//! The load: calls made straight on HTTP/2 by one thread, as many at a time as a mode says, for as long as it says.
//!
//! No gRPC library stands between, so that the generator costs as little as it can and the same for every server. What
//! comes back is counted to the byte, and every call has to end with status 0.

use std::{
    cell::Cell,
    pin::pin,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use bytes::{BufMut as _, Bytes, BytesMut};
use futures::future::{Either, join_all, select, try_join_all};
use h2::{
    RecvStream, SendStream,
    client::{ResponseFuture, SendRequest},
};
use http::{Request, header};
use prost::Message as _;
use tasks::Clock;
use tokio::{net::TcpStream, sync::Barrier};
use wire::grpc::testing::{
    Payload, ResponseParameters, StreamingOutputCallRequest, StreamingOutputCallResponse,
};

use super::process::Server;

/// What is called, and by how many.
pub(crate) struct Mode {
    /// What the report calls it.
    pub(crate) name: &'static str,
    /// How many connections.
    pub(crate) connections: usize,
    /// How many calls at a time on each of them.
    pub(crate) streams: usize,
    /// What each call is.
    pub(crate) kind: Kind,
}

/// What a call is.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// An empty message each way.
    Unary,
    /// As many messages each way, each answered by one of the same size.
    Echo {
        /// The bytes of each message's payload.
        size: usize,
        /// How many go each way.
        messages: usize,
    },
}

/// What was done.
pub(crate) struct Done {
    /// Calls, or messages that came back.
    pub(crate) count: u64,
    /// From the first call to the last answer.
    pub(crate) took: Duration,
    /// The server's processor time meanwhile.
    pub(crate) cpu: Duration,
}

/// One call, ready to be made again and again.
struct Call {
    request: Request<()>,
    frame: Bytes,
    messages: usize,
    /// The bytes of the whole answer.
    answer: usize,
}

impl Kind {
    /// What the report counts.
    pub(crate) const fn counted(self) -> &'static str {
        match self {
            Kind::Unary => "call",
            Kind::Echo { .. } => "message",
        }
    }
}

/// One load on one server.
struct Run<'a> {
    server: &'a Server,
    call: Call,
    streams: usize,
    clock: Clock,
    /// Where all connections wait for each other.
    gate: Barrier,
    began: Cell<Instant>,
    cpu: Cell<Duration>,
}

/// Opens the connections, makes calls for a quarter of the time, then makes calls until the time is over, and waits for
/// those that run. Only the last part counts: not what a connection costs, and not what is slow at first.
pub(crate) async fn run(server: &Server, mode: &Mode, each: Duration) -> Result<Done> {
    let clock = Clock::system();
    let run = Run {
        server,
        call: Call::new(server, mode.kind)?,
        streams: mode.streams,
        gate: Barrier::new(mode.connections),
        began: Cell::new(clock.monotonic()),
        cpu: Cell::default(),
        clock,
    };
    let counts: Vec<u64> = try_join_all((0..mode.connections).map(|_| run.connection(each))).await?;
    Ok(Done {
        count: counts.iter().sum(),
        took: run.since(),
        cpu: server.cpu()?.saturating_sub(run.cpu.get()),
    })
}

impl Run<'_> {
    fn since(&self) -> Duration {
        self.clock.monotonic().duration_since(self.began.get())
    }

    /// Makes the calls of one connection; gives how many of them count.
    async fn connection(&self, each: Duration) -> Result<u64> {
        let tcp = TcpStream::connect(self.server.address()).await?;
        tcp.set_nodelay(true)?;
        let (send, connection) = h2::client::Builder::new()
            .initial_window_size(2 * 1024 * 1024)
            .initial_connection_window_size(8 * 1024 * 1024)
            .handshake::<_, Bytes>(tcp)
            .await?;
        let calls = async {
            self.part(&send, each / 4).await?;
            if self.gate.wait().await.is_leader() {
                self.cpu.set(self.server.cpu()?);
                self.began.set(self.clock.monotonic());
            }
            self.gate.wait().await;
            self.part(&send, each).await
        };
        match select(pin!(calls), pin!(connection)).await {
            Either::Left((count, _)) => count,
            Either::Right((ended, _)) => {
                ended?;
                anyhow::bail!("the server closed a connection")
            }
        }
    }

    /// Makes calls for so long.
    async fn part(&self, send: &SendRequest<Bytes>, length: Duration) -> Result<u64> {
        let goes_on = || self.since() < length;
        let workers = (0..self.streams).map(|_| work(send.clone(), &self.call, &goes_on));
        join_all(workers).await.into_iter().sum()
    }
}

async fn work(mut send: SendRequest<Bytes>, call: &Call, goes_on: &impl Fn() -> bool) -> Result<u64> {
    let mut count = 0;
    while goes_on() {
        std::future::poll_fn(|cx| send.poll_ready(cx)).await?;
        let (answer, requests) = send.send_request(call.request.clone(), false)?;
        if call.messages == 1 {
            give(call, requests).await?;
            take(call, answer).await?;
        } else {
            let (given, taken) = futures::join!(give(call, requests), take(call, answer));
            given?;
            taken?;
        }
        count += u64::try_from(call.messages)?;
    }
    Ok(count)
}

/// Sends the messages, each when there is room for it.
async fn give(call: &Call, mut stream: SendStream<Bytes>) -> Result<()> {
    for left in (0..call.messages).rev() {
        let mut message = call.frame.clone();
        // A small message of a short call always has room.
        while call.messages > 1 && stream.capacity() < message.len() {
            stream.reserve_capacity(message.len());
            let room = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await;
            let room = room.context("the call ended before it was made")??;
            if room < message.len() {
                stream.send_data(message.split_to(room), false)?;
            }
        }
        stream.send_data(message, left == 0)?;
    }
    Ok(())
}

/// Takes the answer and looks whether it is whole and good.
async fn take(call: &Call, answer: ResponseFuture) -> Result<()> {
    let answer = answer.await?;
    ensure!(answer.status() == 200, "HTTP status {}", answer.status());
    let (head, mut body) = answer.into_parts();
    let bytes = drain(&mut body).await?;
    let trailers = body.trailers().await?.unwrap_or(head.headers);
    let status = trailers.get("grpc-status").map(http::HeaderValue::as_bytes);
    ensure!(
        status == Some(b"0"),
        "a call ended with {:?}: {:?}",
        status.map(String::from_utf8_lossy),
        trailers.get("grpc-message")
    );
    ensure!(
        bytes == call.answer,
        "{bytes} bytes of answer instead of {}",
        call.answer
    );
    Ok(())
}

async fn drain(body: &mut RecvStream) -> Result<usize> {
    let mut bytes = 0;
    while let Some(data) = body.data().await {
        let length = data?.len();
        body.flow_control().release_capacity(length)?;
        bytes += length;
    }
    Ok(bytes)
}

impl Call {
    fn new(server: &Server, kind: Kind) -> Result<Self> {
        let (method, frame, messages, answer) = match kind {
            Kind::Unary => ("EmptyCall", framed(&[])?, 1, framed(&[])?.len()),
            Kind::Echo { size, messages } => {
                let payload = Some(Payload {
                    r#type: 0,
                    body: vec![0; size].into(),
                });
                let asked = StreamingOutputCallRequest {
                    response_parameters: vec![ResponseParameters {
                        size: i32::try_from(size)?,
                        ..ResponseParameters::default()
                    }],
                    payload: payload.clone(),
                    ..StreamingOutputCallRequest::default()
                };
                let answer = framed(&StreamingOutputCallResponse { payload }.encode_to_vec())?;
                let frame = framed(&asked.encode_to_vec())?;
                ("FullDuplexCall", frame, messages, answer.len() * messages)
            }
        };
        let request = Request::post(format!(
            "http://{}/grpc.testing.TestService/{method}",
            server.address()
        ))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .header(header::USER_AGENT, "soke-bench")
        .header("grpc-timeout", "60S")
        .header(header::AUTHORIZATION, format!("Bearer {}", server.token()));
        Ok(Self {
            request: request.body(())?,
            frame,
            messages,
            answer,
        })
    }
}

/// A message behind its head: no compression, and its length.
fn framed(message: &[u8]) -> Result<Bytes> {
    let mut frame = BytesMut::with_capacity(5 + message.len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len())?);
    frame.put_slice(message);
    Ok(frame.freeze())
}
