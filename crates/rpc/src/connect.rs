//! Outgoing connections: where to, whom to trust, and the channel that comes of it.
//!
//! What it leaves to others: what is called over the channel.

use std::{
    error::Error as _,
    fmt, io,
    pin::Pin,
    str::FromStr,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Request, Response, Uri, uri::Authority};
use hyper_util::rt::TokioIo;
use model::ErrorKind;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tasks::Clock;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{Sleep, timeout},
};
use tokio_rustls::TlsConnector;
use tonic::{body::Body, transport::Endpoint};
use tower::Service;

use crate::{
    Deadline, Error, Trust,
    body::{Outgoing, expired},
    error::shortened,
    link::Holder,
};

/// The longest time that a connection may take to stand, TLS included.
const CONNECT: Duration = Duration::from_secs(10);
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_WAIT: Duration = Duration::from_secs(20);

/// A host and port to connect to, and the name that the server there must answer to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    address: Authority,
    name: Authority,
}

impl Target {
    /// Asks for the server by this name instead of the host that is connected to, in TLS and in each call.
    ///
    /// # Errors
    /// Invalid when the text is no host name and no IP address.
    pub fn with_server_name(self, name: &str) -> Result<Self, Error> {
        let port = self.address.port_u16().unwrap_or_default();
        let name = authority(&format!("{name}:{port}"))?;
        Ok(Self { name, ..self })
    }

    /// Where the connection goes, as host and port.
    pub(crate) fn address(&self) -> &str {
        self.address.as_str()
    }

    pub(crate) fn server_name(&self) -> Result<ServerName<'static>, Error> {
        let host = self.name.host().trim_matches(['[', ']']);
        ServerName::try_from(host.to_owned()).map_err(|_not_a_name| Error::Target {
            text: shortened(host),
            fault: "is no host name and no IP address",
        })
    }
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let address = authority(text)?;
        Ok(Self {
            name: address.clone(),
            address,
        })
    }
}

impl From<std::net::SocketAddr> for Target {
    fn from(address: std::net::SocketAddr) -> Self {
        let address: Authority = address
            .to_string()
            .parse()
            .expect("an IP address with a port is an authority");
        Self {
            name: address.clone(),
            address,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

fn authority(text: &str) -> Result<Authority, Error> {
    let refuse = |fault| Error::Target {
        text: shortened(text),
        fault,
    };
    let authority: Authority = text
        .parse()
        .map_err(|_not_one| refuse("is no host with a port"))?;
    if authority.as_str().contains('@') || authority.host().is_empty() {
        return Err(refuse("is no host with a port"));
    }
    match authority.port_u16() {
        Some(1..) => Ok(authority),
        Some(0) | None => Err(refuse("has no port from 1 to 65535")),
    }
}

/// A connection for calls; give clones of it to generated clients. It connects again by itself when the
/// connection is lost. A call past the deadline that its metadata carries ends with DEADLINE_EXCEEDED, its
/// stream too.
#[derive(Debug, Clone)]
pub struct Channel {
    transport: tonic::transport::Channel,
    clock: Clock,
}

impl Channel {
    pub(crate) fn over(transport: tonic::transport::Channel) -> Self {
        Self {
            transport,
            clock: Clock::system(),
        }
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = tonic::transport::Error;
    type Future = Answer;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.transport.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Answer {
        let deadline = Deadline::of_outgoing(request.headers_mut(), &self.clock);
        Answer {
            until: deadline.map(|deadline| {
                let until = tokio::time::Instant::from_std(deadline.at());
                (Box::pin(tokio::time::sleep_until(until)), deadline)
            }),
            transport: self.transport.call(request),
        }
    }
}

/// The answer of a [`Channel`] on its way.
#[derive(Debug)]
pub struct Answer {
    until: Option<(Pin<Box<Sleep>>, Deadline)>,
    transport: tonic::transport::channel::ResponseFuture,
}

impl Future for Answer {
    type Output = Result<Response<Body>, tonic::transport::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = &mut *self;
        // Asked first: the library's own timer of the same call would say CANCELLED.
        if let Some((until, _)) = &mut answer.until
            && until.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Ok(expired().into_http()));
        }
        let response = match ready!(Pin::new(&mut answer.transport).poll(cx)) {
            Ok(response) => response,
            Err(error) if broke_off(&error) => {
                tracing::debug!(%error, "a call's connection broke off");
                let status = wire::status(ErrorKind::Unavailable, "the connection broke off");
                return Poll::Ready(Ok(status.into_http()));
            }
            Err(error) => return Poll::Ready(Err(error)),
        };
        Poll::Ready(Ok(match &answer.until {
            Some((_, deadline)) => response.map(|body| Body::new(Outgoing::new(body, deadline))),
            None => response,
        }))
    }
}

/// Tells whether a connection that stood was lost: the library underneath says UNKNOWN for that.
fn broke_off(error: &tonic::transport::Error) -> bool {
    let mut http = false;
    let mut cause = error.source();
    while let Some(error) = cause {
        http |= error.is::<hyper::Error>();
        if http && error.is::<io::Error>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Connects, and returns when the connection stands.
///
/// # Errors
/// Invalid when the trust or the server name cannot be used; unavailable, with the step that failed as its
/// source, when there is no connection within ten seconds or the server does not prove who it is.
pub async fn connect(target: &Target, trust: &Trust) -> Result<Channel, Error> {
    let (endpoint, dialer) = prepare(target, trust)?;
    let connected = endpoint.connect_with_connector(dialer).await;
    connected.map(Channel::over).map_err(|source| Error::Connect {
        target: target.to_string(),
        source: source.into(),
    })
}

/// Makes a channel that connects at its first call.
///
/// # Errors
/// Invalid when the trust or the server name cannot be used.
pub fn connect_lazy(target: &Target, trust: &Trust) -> Result<Channel, Error> {
    let (endpoint, dialer) = prepare(target, trust)?;
    Ok(Channel::over(endpoint.connect_with_connector_lazy(dialer)))
}

/// Connects as [`connect`] does, and shows this certificate where the server asks for one.
///
/// # Errors
/// As [`connect`]; invalid without encryption.
pub async fn connect_as(target: &Target, trust: &Trust, holder: &Holder) -> Result<Channel, Error> {
    let config = trust.config_with(b"h2", Some(Arc::new(holder.clone())))?;
    let (endpoint, dialer) = prepare_with(target, Some(Arc::new(config)))?;
    let connected = endpoint.connect_with_connector(dialer).await;
    connected.map(Channel::over).map_err(|source| Error::Connect {
        target: target.to_string(),
        source: source.into(),
    })
}

fn prepare(target: &Target, trust: &Trust) -> Result<(Endpoint, Dialer), Error> {
    prepare_with(target, trust.client_config()?)
}

fn prepare_with(target: &Target, config: Option<Arc<ClientConfig>>) -> Result<(Endpoint, Dialer), Error> {
    let scheme = if config.is_some() { "https" } else { "http" };
    let endpoint = endpoint(target, scheme)?
        .http2_keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_WAIT);
    let tls = match config {
        Some(config) => Some((config, target.server_name()?)),
        None => None,
    };
    let address = target.address.clone();
    let protocol = b"h2";
    Ok((
        endpoint,
        Dialer {
            address,
            tls,
            protocol,
        },
    ))
}

/// An endpoint whose requests name the target.
pub(crate) fn endpoint(target: &Target, scheme: &str) -> Result<Endpoint, Error> {
    let origin = Uri::builder()
        .scheme(scheme)
        .authority(target.name.clone())
        .path_and_query("/")
        .build()
        .map_err(|source| Error::Connect {
            target: target.to_string(),
            source: source.into(),
        })?;
    Ok(Endpoint::from(origin).http2_max_header_list_size(64 * 1024))
}

/// Opens the transport of a channel, again at each reconnect.
#[derive(Clone)]
pub(crate) struct Dialer {
    address: Authority,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    protocol: &'static [u8],
}

/// A transport of either kind.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

impl Dialer {
    /// Dials with TLS and speaks this protocol.
    pub(crate) fn new(
        target: &Target,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
        protocol: &'static [u8],
    ) -> Self {
        Self {
            address: target.address.clone(),
            tls: Some((config, name)),
            protocol,
        }
    }

    async fn dial(self) -> io::Result<TokioIo<Box<dyn Transport>>> {
        let tcp = TcpStream::connect(self.address.as_str()).await?;
        tcp.set_nodelay(true)?;
        let Some((config, name)) = self.tls else {
            return Ok(TokioIo::new(Box::new(tcp)));
        };
        let tls = TlsConnector::from(config).connect(name, tcp).await?;
        if tls.get_ref().1.alpn_protocol() != Some(self.protocol) {
            return Err(io::Error::other("the server does not speak HTTP/2"));
        }
        Ok(TokioIo::new(Box::new(tls)))
    }
}

impl Service<Uri> for Dialer {
    type Response = TokioIo<Box<dyn Transport>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _origin: Uri) -> Self::Future {
        let dialer = self.clone();
        Box::pin(async move { timeout(CONNECT, dialer.dial()).await? })
    }
}
