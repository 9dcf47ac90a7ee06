//! A dialect's own HTTP listener: the dialect looks at the head of a request and either answers it itself or says
//! where it goes; the bytes are carried by the proxy.
//!
//! What it is for: [`start`] opens such a listener around a [`Door`]. What it leaves to others: who the caller is
//! and what is theirs (the dialect behind the trait), carrying (`proxy`), transport and limits (`rpc`).
//!
//! Path of a request: `rpc`, with one strict reading of HTTP/1.1 -> host -> method -> origin -> [`Door::answer`] ->
//! its response, or the proxy.
//!
//! Invariants: no door sees a request whose host is not ours; no door sees CONNECT; what a door calls its own cookie
//! never reaches a service, and no service can set it.

mod serve;

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use http::{HeaderValue, Response, request};
use model::{NodeId, ServiceId, UserId};
use rpc::{Limits, ListenAddress, Listener, Security, Serving};
use tasks::{Stopped, Tasks};
use tonic::body::Body;

use crate::{Error, hosts::Hosts, proxy::Proxy};

/// A dialect that speaks HTTP on a listener of its own.
pub trait Door: Send + Sync + 'static {
    /// Answers a request by its head, or says where it goes. The peer is among the head's extensions
    /// ([`rpc::PeerInfo`]). The body is not read here: it goes along with a [`Forward`].
    fn answer<'a>(&'a self, head: &'a request::Parts) -> BoxFuture<'a, Answer>;

    /// How this dialect says that a request cannot be served. The texts of [`Trouble`] are safe to show.
    fn trouble(&self, trouble: Trouble) -> Response<Body>;

    /// Whether a cookie of this name is a credential of ours: it is taken out of what is forwarded, and out of
    /// what services set.
    fn owns_cookie(&self, name: &str) -> bool;
}

/// What a door says of a request.
pub enum Answer {
    /// This.
    Response(Response<Body>),
    /// It goes to a service.
    Forward(Forward),
}

/// Where a request goes and in whose name.
pub struct Forward {
    /// The service.
    pub endpoint: Endpoint,
    /// What the service is told for the host that was asked for; none: what the client asked for. Only for services
    /// that lie outside of the zone.
    pub host: Option<HeaderValue>,
    /// Who asks.
    pub identity: Identity,
    /// Resolves when the right ends by which this goes through; what is open is cut then. Usually
    /// `access.until_revoked(session)`.
    pub until: BoxFuture<'static, ()>,
}

impl fmt::Debug for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forward")
            .field("endpoint", &self.endpoint)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

/// A service as it can be reached: a loopback port of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// The node that runs it.
    pub node: NodeId,
    /// The service; the node refuses a port that is not this service's.
    pub service: ServiceId,
    /// The port on the node's loopback address.
    pub port: u16,
}

/// Who asks, as the service is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user's id, sent as `x-soke-user-id`.
    pub user: UserId,
    /// The user's name, sent as `x-soke-user`.
    pub name: String,
}

/// Why a request is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// It names no host, or no sound one.
    HostMalformed,
    /// It asks for a host that is not ours.
    HostNotOurs,
    /// CONNECT, which nobody may ask for here.
    MethodRefused,
    /// A page of another site makes the browser send it.
    ForeignPage,
    /// It has two readings, or one that cannot be passed on.
    Ambiguous,
    /// Too many requests are on their way at this moment.
    Busy,
    /// The service or its node cannot be reached.
    Unreachable,
    /// The service did not begin to answer in time.
    TimedOut,
    /// What the service answers is no sound HTTP.
    BadAnswer,
    /// The right by which it was forwarded has ended.
    Revoked,
}

impl Trouble {
    /// One sentence that says what is the matter, without anything of the request.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Trouble::HostMalformed => "the request names no host, or no sound one",
            Trouble::HostNotOurs => "this host is not served here",
            Trouble::MethodRefused => "CONNECT is not served here",
            Trouble::ForeignPage => "pages of other sites may not call this one",
            Trouble::Ambiguous => "the request can be read in two ways",
            Trouble::Busy => "too many requests are on their way: try again later",
            Trouble::Unreachable => "the service cannot be reached",
            Trouble::TimedOut => "the service did not answer in time",
            Trouble::BadAnswer => "the service answers with something that is no HTTP",
            Trouble::Revoked => "the session has ended",
        }
    }

    /// The HTTP status that says so, where a dialect has none of its own.
    #[must_use]
    pub const fn status(self) -> http::StatusCode {
        match self {
            Trouble::HostMalformed | Trouble::Ambiguous => http::StatusCode::BAD_REQUEST,
            Trouble::HostNotOurs => http::StatusCode::MISDIRECTED_REQUEST,
            Trouble::MethodRefused => http::StatusCode::METHOD_NOT_ALLOWED,
            Trouble::ForeignPage => http::StatusCode::FORBIDDEN,
            Trouble::Busy => http::StatusCode::SERVICE_UNAVAILABLE,
            Trouble::Unreachable | Trouble::BadAnswer => http::StatusCode::BAD_GATEWAY,
            Trouble::TimedOut => http::StatusCode::GATEWAY_TIMEOUT,
            Trouble::Revoked => http::StatusCode::UNAUTHORIZED,
        }
    }
}

/// What an HTTP listener of a dialect is made of.
pub struct Parts {
    /// The listener's name, as in the configuration.
    pub name: &'static str,
    /// Where it stands. An address that others can reach was checked before where `security` is plain.
    pub listen: ListenAddress,
    /// What is spoken on it.
    pub security: Security,
    /// The bounds of the listener and its connections.
    pub limits: Limits,
    /// The dialect.
    pub door: Arc<dyn Door>,
    /// What carries requests to services.
    pub proxy: Proxy,
    /// The host names under which it answers, the zone's own first; loopback names and the address that a
    /// connection came to are always among them.
    pub allowed_hosts: Vec<String>,
    /// The owner of the listener's tasks.
    pub tasks: Tasks,
}

/// An open HTTP listener of a dialect.
#[derive(Debug)]
pub struct Handle {
    name: &'static str,
    serving: Serving,
}

/// Opens the listener.
///
/// # Errors
/// Invalid when an allowed host is no host name; precondition when the address cannot be taken.
pub async fn start(parts: Parts) -> Result<Handle, Error> {
    let name = parts.name;
    let hosts = Hosts::new(&parts.allowed_hosts)?;
    let listener = Listener::bind(parts.listen, parts.security).await;
    let listener = listener
        .map_err(|source| Error::OpenDoor { name, source })?
        .strict();
    let service = serve::Front::new(parts.door, hosts, parts.proxy);
    let serving = rpc::serve(listener, service, &parts.tasks, parts.limits);
    Ok(Handle { name, serving })
}

impl Handle {
    /// The listener's name and its address with the real port.
    #[must_use]
    pub const fn bound(&self) -> (&'static str, SocketAddr) {
        (self.name, self.serving.address())
    }

    /// Closes the listener: no new connection and no new request; running ones have `grace` to end and are cut
    /// then.
    pub async fn stop(&self, grace: Duration) -> Stopped {
        self.serving.stop(grace).await
    }
}
