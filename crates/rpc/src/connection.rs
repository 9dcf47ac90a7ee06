//! One accepted connection, from its first byte to its end.
//!
//! What it leaves to others: accepting (`serve`), and every rule about requests (the service).

use std::{convert::Infallible, io, net::SocketAddr, pin::pin, sync::Arc};

use http::{Request, Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tasks::{Policy, Tasks};
use tokio::{io::AsyncWriteExt as _, net::TcpStream, time::timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tower::{Service, ServiceExt as _};

use crate::{
    Limits, PeerInfo, Security,
    seats::Seat,
    stream::{Io, Stream, Version},
};

/// The first byte of every TLS connection: a handshake record (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// What a peer reads that speaks plainly where it may not.
const SPEAK_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n\
    content-length: 46\r\nconnection: close\r\n\r\nThis address speaks TLS only: use https there.";

/// What all connections of a listener share.
pub(crate) struct Shared<S> {
    pub(crate) service: S,
    pub(crate) security: Security,
    pub(crate) limits: Limits,
    pub(crate) tasks: Tasks,
    pub(crate) cut: CancellationToken,
    pub(crate) one: Builder<Spawner>,
    pub(crate) two: Builder<Spawner>,
}

/// Starts the parts of an HTTP/2 connection as owned tasks.
#[derive(Clone)]
pub(crate) struct Spawner(pub(crate) Tasks);

impl<F> hyper::rt::Executor<F> for Spawner
where
    F: Future + Send + 'static,
{
    fn execute(&self, work: F) {
        self.0
            .spawn("call", Policy::MayEnd, async move { drop(work.await) });
    }
}

/// The HTTP/1.1 and the HTTP/2 side of a listener with these limits.
pub(crate) fn builders(limits: &Limits, tasks: &Tasks) -> (Builder<Spawner>, Builder<Spawner>) {
    let mut builder = Builder::new(Spawner(tasks.clone()));
    let head_bytes = usize::try_from(limits.header_bytes).unwrap_or(usize::MAX);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(head_bytes.max(8192))
        .max_headers(100);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(limits.header_bytes)
        .max_concurrent_streams(limits.streams)
        .max_pending_accept_reset_streams(limits.pending_resets)
        .initial_stream_window_size(1024 * 1024)
        .initial_connection_window_size(2 * 1024 * 1024)
        .keep_alive_interval(limits.ping_every)
        .keep_alive_timeout(limits.ping_wait);
    (builder.clone().http1_only(), builder.http2_only())
}

/// Serves one connection until it ends, its place is taken, or the listener stops.
pub(crate) async fn run<S>(tcp: TcpStream, address: SocketAddr, seat: Seat, shared: Arc<Shared<S>>)
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    let stopping = shared.tasks.token();
    let opened = tokio::select! {
        biased;
        () = stopping.cancelled() => return,
        () = seat.yielded() => return,
        opened = open(tcp, address, &shared.security, &shared.limits) => opened,
    };
    match opened {
        Ok(Some((stream, version, peer))) => talk(stream, version, peer, seat, &shared).await,
        Ok(None) => {}
        Err(error) => tracing::debug!(peer = %address, %error, "connection ended before its first request"),
    }
}

/// Brings a connection to where HTTP begins. `None` when there is nobody to serve.
async fn open(
    tcp: TcpStream,
    address: SocketAddr,
    security: &Security,
    limits: &Limits,
) -> io::Result<Option<(Stream, Version, PeerInfo)>> {
    tcp.set_nodelay(true)?;
    let mut peer = PeerInfo {
        address,
        local: tcp.local_addr()?,
        tls: false,
        server_name: None,
        certificates: Arc::default(),
    };
    let secured = timeout(limits.handshake, secure(tcp, &mut peer, security)).await??;
    let Some(io) = secured else {
        return Ok(None);
    };
    let wanted = wanted_version(&io);
    let Some((stream, version)) = timeout(limits.head, Stream::begin(io)).await?? else {
        return Ok(None);
    };
    if wanted.is_some_and(|wanted| wanted != version) {
        return Err(io::Error::other(
            "another HTTP version than was agreed on in the TLS hello",
        ));
    }
    Ok(Some((stream, version, peer)))
}

async fn secure(tcp: TcpStream, peer: &mut PeerInfo, security: &Security) -> io::Result<Option<Io>> {
    let source = match security {
        Security::Plain => return Ok(Some(Io::Plain(tcp))),
        Security::Tls(source) => source,
        Security::TlsOrLocalPlain(source) => {
            let mut first = [0; 1];
            match tcp.peek(&mut first).await? {
                0 => return Ok(None),
                _ if first[0] == TLS_HANDSHAKE => source,
                _ if peer.is_loopback() => return Ok(Some(Io::Plain(tcp))),
                _ => return refuse_plain(tcp).await,
            }
        }
    };
    let tls = TlsAcceptor::from(source.current()).accept(tcp).await?;
    let (_, session) = tls.get_ref();
    peer.tls = true;
    peer.server_name = session.server_name().map(|name| name.to_ascii_lowercase().into());
    if let Some(chain) = session.peer_certificates() {
        peer.certificates = chain.iter().map(|one| one.clone().into_owned()).collect();
    }
    Ok(Some(Io::Tls(Box::new(tls))))
}

async fn refuse_plain(mut tcp: TcpStream) -> io::Result<Option<Io>> {
    tcp.write_all(SPEAK_TLS).await?;
    tcp.shutdown().await?;
    Ok(None)
}

/// The version that the peer bound itself to in its hello.
fn wanted_version(io: &Io) -> Option<Version> {
    let Io::Tls(tls) = io else { return None };
    let agreed = |tls: &TlsStream<TcpStream>| tls.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
    match agreed(tls)?.as_slice() {
        b"h2" => Some(Version::Two),
        _ => Some(Version::One),
    }
}

async fn talk<S>(stream: Stream, version: Version, peer: PeerInfo, seat: Seat, shared: &Shared<S>)
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    let address = peer.address;
    let seat = Arc::new(seat);
    let answer = {
        let seat = Arc::clone(&seat);
        let service = shared.service.clone();
        service_fn(move |request: Request<Incoming>| {
            seat.keep();
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(peer.clone());
            service.clone().oneshot(request)
        })
    };
    let builder = match version {
        Version::One => &shared.one,
        Version::Two => &shared.two,
    };
    let mut connection = pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), answer));
    let stopping = shared.tasks.token();
    tokio::select! {
        biased;
        ended = connection.as_mut() => return log_end(address, ended),
        () = seat.yielded() => return,
        () = stopping.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        biased;
        ended = connection.as_mut() => log_end(address, ended),
        () = shared.cut.cancelled() => {}
        () = tokio::time::sleep(shared.limits.drain) => {}
    }
}

fn log_end(peer: SocketAddr, ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "connection ended");
    }
}
