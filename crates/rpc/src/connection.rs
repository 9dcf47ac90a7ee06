//! One accepted connection, from its first byte to its end.
//!
//! What it leaves to others: accepting (`serve`), and every rule about requests (the service).

use std::{convert::Infallible, future::pending, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use futures::{
    FutureExt as _, StreamExt as _, TryFutureExt as _, future::BoxFuture, stream::FuturesUnordered,
};
use http::{Request, Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use rustls::server::Acceptor;
use tasks::{Crew, Tasks};
use tokio::{
    io::AsyncWriteExt as _,
    net::TcpStream,
    task::coop::unconstrained,
    time::{sleep, timeout},
};
use tokio_rustls::{LazyConfigAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tower::{Service, ServiceExt as _};
use uuid::Uuid;

use crate::{
    Limits, PeerInfo, Security, TlsSource,
    arrivals::{Driver, Reading},
    intake,
    link::{self, Admission, Door, Entrance, Links, Way},
    overdue,
    seats::Seat,
    stream::{Io, Stream, Version},
    strict::{Follower, Switch, Upgrading},
};

/// The first byte of every TLS connection: a handshake record (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// What a peer reads that speaks plainly where it may not.
const SPEAK_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n\
    content-length: 46\r\nconnection: close\r\n\r\nThis address speaks TLS only: use https there.";

/// How long a connection that was given up is kept once all is said. A system that closes one while its peer still sends
/// takes back what the peer has not read (RFC 9112, section 9.6, has the same of HTTP/1.1): the word by which it knows
/// that its newest calls reached no handler, and may be made again.
const LINGER: Duration = Duration::from_secs(1);

/// What all connections of a listener share.
pub(crate) struct Shared<S> {
    pub(crate) service: S,
    pub(crate) security: Security,
    pub(crate) links: Option<Door>,
    pub(crate) strict: bool,
    pub(crate) limits: Limits,
    pub(crate) tasks: Tasks,
    pub(crate) cut: CancellationToken,
    pub(crate) driver: Driver,
    pub(crate) one: Builder<Driver>,
    pub(crate) two: Builder<Driver>,
}

/// Starts the parts of an HTTP/2 connection that calls as owned tasks.
#[derive(Clone)]
pub(crate) struct Spawner(Crew);

impl Spawner {
    pub(crate) fn new(tasks: &Tasks) -> Self {
        Self(tasks.crew("call"))
    }
}

impl<F> hyper::rt::Executor<F> for Spawner
where
    F: Future + Send + 'static,
{
    fn execute(&self, work: F) {
        self.0.spawn(work.map(drop));
    }
}

/// The HTTP/1.1 and the HTTP/2 side of a listener with these limits.
pub(crate) fn builders(limits: &Limits, driver: &Driver) -> (Builder<Driver>, Builder<Driver>) {
    let mut builder = Builder::new(driver.clone());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(head_bytes(limits))
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

/// The most bytes of the head of an HTTP/1.1 request.
fn head_bytes(limits: &Limits) -> usize {
    let most = usize::try_from(limits.header_bytes).unwrap_or(usize::MAX);
    most.max(8192)
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
        opened = open(tcp, address, &shared) => opened,
    };
    match opened {
        Ok(Opened::Http(stream, version, peer)) => {
            let ends = Ends {
                until: Box::pin(pending()),
                age: shared.limits.age.map(spread),
            };
            talk(*stream, version, peer, seat, &shared, ends).await;
        }
        Ok(Opened::Forward(stream, peer, admission)) => {
            // A link keeps its place, whether calls run over it or not.
            let _standing = seat.visit();
            let ends = Ends {
                until: admission.until,
                age: None,
            };
            talk(*stream, Version::Two, peer, seat, &shared, ends).await;
        }
        Ok(Opened::Reversed(tls, admission, links)) => {
            // A link keeps its place, whether calls run over it or not.
            let _standing = seat.visit();
            let (tasks, cut, limits) = (&shared.tasks, &shared.cut, &shared.limits);
            let ends = link::Ends { tasks, cut, limits };
            log_end(address, link::hold(*tls, admission, &links, ends).await);
        }
        Ok(Opened::Nobody) => {}
        Err(error) => tracing::debug!(peer = %address, %error, "connection ended before its first request"),
    }
}

/// A connection that is ready for what comes next.
enum Opened {
    /// The peer's requests, of this version.
    Http(Box<Stream>, Version, PeerInfo),
    /// The peer's requests over a link.
    Forward(Box<Stream>, PeerInfo, Admission),
    /// Our requests over a link.
    Reversed(Box<TlsStream<TcpStream>>, Admission, Links),
    /// There is nobody to serve.
    Nobody,
}

/// Brings a connection to where HTTP begins.
async fn open<S>(tcp: TcpStream, address: SocketAddr, shared: &Shared<S>) -> io::Result<Opened> {
    tcp.set_nodelay(true)?;
    let limits = &shared.limits;
    let mut peer = PeerInfo {
        address,
        local: tcp.local_addr()?,
        tls: false,
        server_name: None,
        certificates: Arc::default(),
    };
    let securing = secure(tcp, &mut peer, &shared.security, shared.links.as_ref());
    let Some((io, entrance)) = timeout(limits.handshake, securing).await?? else {
        return Ok(Opened::Nobody);
    };
    let (io, admission) = match (io, entrance) {
        (Io::Tls(tls), Some(entrance)) if entrance.way == Way::Reversed => {
            return Ok(Opened::Reversed(tls, entrance.admission, entrance.links));
        }
        (io, entrance) => (io, entrance.map(|entrance| entrance.admission)),
    };
    let wanted = wanted_version(&io);
    let Some((stream, version)) = timeout(limits.head, Stream::begin(io)).await?? else {
        return Ok(Opened::Nobody);
    };
    if wanted.is_some_and(|wanted| wanted != version) {
        return Err(io::Error::other(
            "another HTTP version than was agreed on in the TLS hello",
        ));
    }
    let stream = Box::new(stream);
    Ok(match admission {
        Some(admission) => Opened::Forward(stream, peer, admission),
        None => Opened::Http(stream, version, peer),
    })
}

/// A connection that is as secure as its listener wants, and what it was let in for where it is a link.
type Secured = Option<(Io, Option<Entrance>)>;

async fn secure(
    tcp: TcpStream,
    peer: &mut PeerInfo,
    security: &Security,
    links: Option<&Door>,
) -> io::Result<Secured> {
    let source = match security {
        Security::Plain => return Ok(Some((Io::Plain(tcp), None))),
        Security::Tls(source) => source,
        Security::TlsOrLocalPlain(source) => {
            let mut first = [0; 1];
            match tcp.peek(&mut first).await? {
                0 => return Ok(None),
                _ if first[0] == TLS_HANDSHAKE => source,
                _ if peer.is_loopback() => return Ok(Some((Io::Plain(tcp), None))),
                _ => return refuse_plain(tcp).await,
            }
        }
    };
    let (tls, run) = shake_hands(tcp, source, links).await?;
    let (_, session) = tls.get_ref();
    peer.tls = true;
    peer.server_name = session.server_name().map(|name| name.to_ascii_lowercase().into());
    if let Some(chain) = session.peer_certificates() {
        peer.certificates = chain.iter().map(|one| one.clone().into_owned()).collect();
    }
    let entrance = match links {
        Some(door) => door.enter(&tls, peer, run).await?,
        None => None,
    };
    Ok(Some((Io::Tls(Box::new(tls)), entrance)))
}

/// Chooses the settings by the peer's hello: only who asks for a link is asked for a certificate. Gives the number of
/// the program that asks for one.
async fn shake_hands(
    tcp: TcpStream,
    source: &TlsSource,
    links: Option<&Door>,
) -> io::Result<(TlsStream<TcpStream>, String)> {
    let start = LazyConfigAcceptor::new(Acceptor::default(), tcp).await?;
    let current = source.current();
    let for_a_link = match links {
        Some(door) => door.settings(&start.client_hello(), &current)?,
        None => None,
    };
    let run = link::run_of(&start.client_hello());
    let tls = start.into_stream(for_a_link.unwrap_or(current)).await?;
    Ok((tls, run))
}

async fn refuse_plain(mut tcp: TcpStream) -> io::Result<Secured> {
    tcp.write_all(SPEAK_TLS).await?;
    tcp.shutdown().await?;
    Ok(None)
}

/// The version that the peer bound itself to in its hello.
fn wanted_version(io: &Io) -> Option<Version> {
    let Io::Tls(tls) = io else { return None };
    let agreed = |tls: &TlsStream<TcpStream>| tls.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
    match agreed(tls)?.as_slice() {
        b"h2" | link::FORWARD => Some(Version::Two),
        _ => Some(Version::One),
    }
}

/// What ends a connection besides its peer and its listener.
struct Ends {
    /// The end of what it was let in for.
    until: BoxFuture<'static, ()>,
    /// How old it may become.
    age: Option<Duration>,
}

/// An age within a tenth of this one, so that connections which came together do not all go together.
fn spread(age: Duration) -> Duration {
    let [byte, ..] = *Uuid::new_v4().as_bytes();
    age.mul_f64(0.9 + 0.2 * f64::from(byte) / 255.0)
}

async fn talk<S>(
    mut stream: Stream,
    version: Version,
    peer: PeerInfo,
    seat: Seat,
    shared: &Shared<S>,
    Ends { until, age }: Ends,
) where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    let address = peer.address;
    let seat = Arc::new(seat);
    let switch = shared.strict.then(Arc::<Switch>::default);
    if let Some(switch) = &switch {
        stream.make_strict(Follower::new(head_bytes(&shared.limits), Arc::clone(switch)));
    }
    let answer = {
        let seat = Arc::clone(&seat);
        let service = shared.service.clone();
        service_fn(move |request: Request<Incoming>| {
            let visit = seat.visit();
            let mut request = intake::take(request);
            request.extensions_mut().insert(peer.clone());
            if let Some(switch) = &switch {
                request.extensions_mut().insert(Upgrading::next(switch));
            }
            let answer = service.clone().oneshot(request);
            answer.map_ok(|answer| answer.map(|body| visit.until_sent(body)))
        })
    };
    let builder = match version {
        Version::One => &shared.one,
        // What a strict connection lets through of HTTP/2 is answered as bad HTTP/1.1.
        Version::Two if shared.strict => &shared.one,
        Version::Two => &shared.two,
    };
    let connection = pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), answer));
    let stopping = shared.tasks.token();
    let limits = &shared.limits;
    // Each is looked at when it happens, and not with every step of the connection. Nothing is what cuts it at once.
    let mut ends = FuturesUnordered::<BoxFuture<'_, Option<Duration>>>::new();
    ends.push(Box::pin(seat.yielded().map(|()| None)));
    ends.push(Box::pin(until.map(|()| None)));
    ends.push(Box::pin(stopping.cancelled().map(|()| Some(limits.drain))));
    if let Some(age) = age {
        ends.push(Box::pin(
            unconstrained(sleep(age)).map(|()| Some(limits.age_grace)),
        ));
    }
    let reading = Reading::new(connection, &shared.driver);
    let mut driven = overdue::drive(reading, limits.drain);
    let grace = tokio::select! {
        biased;
        ended = &mut driven => return log_end(address, ended.unwrap_or(Ok(()))),
        Some(end) = ends.next() => end,
    };
    let Some(grace) = grace else { return };
    // What it has brought and what goes out stays with it.
    driven.work().connection().as_mut().graceful_shutdown();
    let stopped = async {
        stopping.cancelled().await;
        unconstrained(sleep(limits.drain)).await;
    };
    let cut = async { while ends.next().await.flatten().is_some() {} };
    tokio::select! {
        biased;
        ended = &mut driven => {
            log_end(address, ended.unwrap_or(Ok(())));
            linger(&seat, &stopping).await;
        }
        () = shared.cut.cancelled() => {}
        () = cut => {}
        () = stopped => {}
        () = unconstrained(sleep(grace)) => {}
    }
}

/// Keeps a connection whose last words are said for a moment.
async fn linger(seat: &Seat, stopping: &CancellationToken) {
    tokio::select! {
        biased;
        () = stopping.cancelled() => {}
        () = seat.yielded() => {}
        () = sleep(LINGER) => {}
    }
}

fn log_end<E: std::fmt::Display>(peer: SocketAddr, ended: Result<(), E>) {
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "connection ended");
    }
}
