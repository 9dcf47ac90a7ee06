//! Outgoing connections: where to, whom to trust there, and how they are opened.
//!
//! What it leaves to others: when they are opened and what goes over them (`channel`).

use std::{
    fmt, io,
    net::{Ipv6Addr, SocketAddr},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt as _, stream::FuturesUnordered};
use http::{
    Uri,
    uri::{self, Authority, PathAndQuery, Scheme},
};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::{
    Channel, ChannelArgs, ChannelCredentials, Error, SecurityLevel, Trust, error::shortened, link::Holder,
};

/// The longest time that a connection may take to stand, TLS included.
const CONNECT: Duration = Duration::from_secs(10);

/// How often a server of the house is asked whether it lives while calls run.
const PING: Duration = Duration::from_secs(30);

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
        let name = match name.parse::<Ipv6Addr>() {
            Ok(address) => authority(&format!("[{address}]:{port}"))?,
            Err(_other) => authority(&format!("{name}:{port}"))?,
        };
        Ok(Self { name, ..self })
    }

    /// Where the connection goes, as host and port.
    pub(crate) fn address(&self) -> &str {
        self.address.as_str()
    }

    /// How requests name the server.
    pub(crate) fn origin(&self, tls: bool) -> Origin {
        Origin {
            scheme: if tls { Scheme::HTTPS } else { Scheme::HTTP },
            authority: self.name.clone(),
        }
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

/// How the requests of a channel name the server.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    scheme: Scheme,
    authority: Authority,
}

impl Origin {
    /// Puts scheme and authority before the path, as HTTP/2 wants it.
    pub(crate) fn complete(&self, uri: &mut Uri) {
        let mut parts = uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        let path = uri.path_and_query().cloned();
        parts.path_and_query = Some(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
        *uri = Uri::from_parts(parts).expect("scheme, authority and path make an address");
    }
}

/// How the channels of the house behave: quick to try again, because most of them lead to this machine or the next,
/// and bounded in their messages by the generated clients.
pub(crate) fn house() -> ChannelArgs {
    ChannelArgs {
        keepalive_time: Some(PING),
        first_wait: Duration::from_millis(100),
        longest_wait: Duration::from_secs(2),
        connect: CONNECT,
        most_received: u32::MAX,
        ..ChannelArgs::default()
    }
}

/// Connects, and returns when the connection stands.
///
/// # Errors
/// Invalid when the trust or the server name cannot be used; unavailable, with the step that failed as its
/// source, when there is no connection within ten seconds or the server does not prove who it is.
pub async fn connect(target: &Target, trust: &Trust) -> Result<Channel, Error> {
    established(target, connect_lazy(target, trust)?).await
}

/// Makes a channel that connects at its first call.
///
/// # Errors
/// Invalid when the trust or the server name cannot be used.
pub fn connect_lazy(target: &Target, trust: &Trust) -> Result<Channel, Error> {
    let credentials = match trust {
        Trust::Plaintext => ChannelCredentials::insecure(),
        Trust::Authority { .. } | Trust::Fingerprint(_) => ChannelCredentials::tls(trust.clone()),
    };
    Channel::new(target, &credentials, house())
}

/// Connects as [`connect`] does, and shows this certificate where the server asks for one.
///
/// # Errors
/// As [`connect`]; invalid without encryption.
pub async fn connect_as(target: &Target, trust: &Trust, holder: &Holder) -> Result<Channel, Error> {
    let credentials = ChannelCredentials::mutual_tls(trust.clone(), holder.clone());
    established(target, Channel::new(target, &credentials, house())?).await
}

async fn established(target: &Target, channel: Channel) -> Result<Channel, Error> {
    channel.connected().await.map_err(|failure| Error::Connect {
        target: target.to_string(),
        source: Box::new(failure),
    })
}

/// Opens the transport of a channel, again at each reconnect.
#[derive(Clone)]
pub(crate) struct Dialer {
    address: Authority,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    protocol: &'static [u8],
    /// Whether only an address of this machine will do.
    local: bool,
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
            local: false,
        }
    }

    /// Dials without TLS; `local` allows addresses of this machine only.
    pub(crate) fn plain(target: &Target, local: bool) -> Self {
        Self {
            address: target.address.clone(),
            tls: None,
            protocol: b"h2",
            local,
        }
    }

    /// How well what goes over its connections is kept from others.
    pub(crate) const fn security(&self) -> SecurityLevel {
        match (&self.tls, self.local) {
            (Some(_), _) => SecurityLevel::Private,
            (None, true) => SecurityLevel::Local,
            (None, false) => SecurityLevel::None,
        }
    }

    pub(crate) async fn dial(&self) -> io::Result<Box<dyn Transport>> {
        let addresses = tokio::net::lookup_host(self.address.as_str()).await?;
        let allowed: Vec<_> = addresses
            .filter(|address| !self.local || address.ip().to_canonical().is_loopback())
            .collect();
        if allowed.is_empty() {
            return Err(io::Error::other("the host has no address that may be used"));
        }
        let tcp = first_of(&allowed).await?;
        tcp.set_nodelay(true)?;
        let Some((config, name)) = &self.tls else {
            return Ok(Box::new(tcp));
        };
        let connector = TlsConnector::from(Arc::clone(config));
        let tls = connector.connect(name.clone(), tcp).await?;
        if tls.get_ref().1.alpn_protocol() != Some(self.protocol) {
            return Err(io::Error::other("the server does not speak HTTP/2"));
        }
        Ok(Box::new(tls))
    }
}

/// How long one address of a host has before the next one is tried beside it: as RFC 8305, section 5, recommends.
const APART: Duration = Duration::from_millis(250);

/// Connects to the first of these addresses that answers. They are tried in their order, and none that stays silent
/// keeps the others from being tried.
pub(crate) async fn first_of(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut tries = FuturesUnordered::new();
    let mut rest = addresses.iter();
    let mut failure = io::Error::other("the host has no address");
    loop {
        let next = rest.next();
        match next {
            Some(address) => tries.push(TcpStream::connect(*address)),
            None if tries.is_empty() => return Err(failure),
            None => {}
        }
        tokio::select! {
            biased;
            Some(tried) = tries.next() => match tried {
                Ok(tcp) => return Ok(tcp),
                Err(error) => failure = error,
            },
            () = tokio::time::sleep(APART), if next.is_some() => {}
        }
    }
}

#[cfg(test)]
mod tests;
