//! The listening side as the client: calls to a holder over the connections that it dialled.
//!
//! What it leaves to others: who is behind a holder's name.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    fmt, io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use http::{Request, Response, Uri, uri};
use hyper::{body::Incoming, client::conn::http2::SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use model::ErrorKind;
use tasks::{Clock, Tasks};
use tokio::{net::TcpStream, sync::watch, time::timeout};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tonic::{Status, body::Body};
use tower::Service;

use super::{Admission, answer::Answer};
use crate::{
    CallOptions, Cancel, Deadline, Limits,
    body::expired,
    channel::{Kept, Sending, cancelled, is_unseen},
    connection::Spawner,
    deadline::Allowed,
    line::{Line, WINDOW},
};

/// How the other end of a link is named in requests; nobody there looks at it.
const AUTHORITY: &str = "link.invalid";

/// How many bytes of a call's request are kept for when it has to be made once more.
const MOST_KEPT: usize = 256 * 1024;

/// The reversed connections that stand, by the name of their holder. Clones share them.
#[derive(Clone, Default)]
pub struct Links(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    next: u64,
    holders: BTreeMap<String, Vec<Member>>,
}

/// One connection of a holder.
#[derive(Clone)]
struct Member {
    number: u64,
    sender: SendRequest<Body>,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            changed: watch::Sender::new(0),
        }
    }
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Links").finish_non_exhaustive()
    }
}

impl Links {
    /// Holds no connection yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A channel to the holder of this name; give clones of it to generated clients. It may be made long before
    /// the holder dials.
    #[must_use]
    pub fn reach(&self, holder: &str) -> Reach {
        Reach {
            links: self.clone(),
            holder: holder.into(),
            clock: Clock::system(),
        }
    }

    /// How many connections of this holder stand.
    #[must_use]
    pub fn live(&self, holder: &str) -> usize {
        let state = self.state();
        let members = state.holders.get(holder).map(Vec::as_slice).unwrap_or_default();
        members.iter().filter(|member| !member.sender.is_closed()).count()
    }

    /// Tells with each new value that a connection came or went.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn join(&self, holder: &str, sender: SendRequest<Body>) -> Membership {
        let mut state = self.state();
        state.next += 1;
        let number = state.next;
        let members = state.holders.entry(holder.to_owned()).or_default();
        members.push(Member { number, sender });
        drop(state);
        self.0.changed.send_modify(|count| *count += 1);
        Membership {
            links: self.clone(),
            holder: holder.to_owned(),
            number,
        }
    }

    /// The connection whose turn it is, other than those tried already. The one that is given goes to the end of
    /// its row, so calls spread over all.
    fn pick(&self, holder: &str, tried: &[u64]) -> Option<Member> {
        let mut state = self.state();
        let members = state.holders.get_mut(holder)?;
        let place = members
            .iter()
            .position(|member| !member.sender.is_closed() && !tried.contains(&member.number))?;
        let member = members.remove(place);
        members.push(member.clone());
        Some(member)
    }
}

/// A connection's place among its holder's; leaves it when dropped.
struct Membership {
    links: Links,
    holder: String,
    number: u64,
}

impl Drop for Membership {
    fn drop(&mut self) {
        let mut state = self.links.state();
        if let Some(members) = state.holders.get_mut(&self.holder) {
            members.retain(|member| member.number != self.number);
            if members.is_empty() {
                state.holders.remove(&self.holder);
            }
        }
        drop(state);
        self.links.0.changed.send_modify(|count| *count += 1);
    }
}

/// What ends a held connection from this side.
pub(crate) struct Ends<'a> {
    pub(crate) tasks: &'a Tasks,
    pub(crate) cut: &'a CancellationToken,
    pub(crate) limits: &'a Limits,
}

/// Keeps one reversed connection among the links until it ends, its admission ends, or the listener stops.
pub(crate) async fn hold(
    tls: TlsStream<TcpStream>,
    admission: Admission,
    links: &Links,
    ends: Ends<'_>,
) -> io::Result<()> {
    let Ends { tasks, cut, limits } = ends;
    // The connection's own task, which lives as long as a call does.
    let own = tasks.child();
    let severed = CancellationToken::new();
    let line = Line::new(tls, severed.clone());
    let _severed_at_the_end = severed.drop_guard();
    let mut builder = hyper::client::conn::http2::Builder::new(Spawner::new(&own));
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(1024 * 1024)
        .initial_connection_window_size(WINDOW)
        .max_header_list_size(limits.header_bytes)
        .keep_alive_interval(limits.ping_every)
        .keep_alive_timeout(limits.ping_wait)
        .keep_alive_while_idle(true);
    let greeted = timeout(limits.handshake, builder.handshake(TokioIo::new(line))).await?;
    let (sender, connection) = greeted.map_err(io::Error::other)?;
    let membership = links.join(&admission.holder, sender);
    let mut connection = Box::pin(connection);
    let stopping = tasks.token();
    tokio::select! {
        biased;
        ended = connection.as_mut() => return ended.map_err(io::Error::other),
        () = admission.until => return Err(io::Error::other("the holder's admission ended")),
        () = stopping.cancelled() => drop(membership),
    }
    // Without a member nobody begins a call; the connection's task ends with the last one that runs, once the
    // driver has heard of it and is gone.
    let drained = async {
        drop(connection.as_mut().await);
        drop(connection);
        own.stop(limits.drain).await
    };
    tokio::select! {
        biased;
        _drained = timeout(limits.drain, drained) => Ok(()),
        () = cut.cancelled() => Ok(()),
    }
}

/// A channel to one holder over whichever of its connections live. A call without any, or whose connection breaks,
/// ends with UNAVAILABLE; a call that was not sent yet is sent over another, and one that the other side says it has
/// not seen is made once more. A call ends as a whole and at its deadline as in [`crate::Channel`]. Of its
/// [`CallOptions`], `deadline`, `cancel` and what compresses its request are heeded: there is nothing to wait for, and who
/// calls over a link is proved.
#[derive(Debug, Clone)]
pub struct Reach {
    links: Links,
    holder: Arc<str>,
    clock: Clock,
}

impl Reach {
    /// Tells whether a connection to the holder stands.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.links.live(&self.holder) > 0
    }

    /// Makes the call, and once more where the other side says that it has not seen it.
    async fn send(&self, request: Request<Body>) -> Result<Response<Body>, Status> {
        let (head, body) = request.into_parts();
        let kept = Kept::new(body, MOST_KEPT);
        let mut again = true;
        loop {
            let request = Request::from_parts(head.clone(), Body::new(kept.turn()));
            match self.attempt(request).await {
                Err(Failed::Sent(error)) if again && is_unseen(&error) && kept.end_turn() => again = false,
                Err(failed) => {
                    kept.forget();
                    return Err(failed.into());
                }
                Ok(response) => {
                    kept.forget();
                    return Ok(response.map(Body::new));
                }
            }
        }
    }

    /// Makes the call once, over the first connection that takes it.
    async fn attempt(&self, mut request: Request<Body>) -> Result<Response<Incoming>, Failed> {
        let mut tried = Vec::new();
        while let Some(mut member) = self.links.pick(&self.holder, &tried) {
            tried.push(member.number);
            match member.sender.try_send_request(request).await {
                Ok(response) => return Ok(response),
                Err(mut failed) => match failed.take_message() {
                    Some(back) => request = back,
                    None => return Err(Failed::Sent(failed.into_error())),
                },
            }
        }
        Err(Failed::NoLink)
    }
}

/// Why a call has no answer.
enum Failed {
    NoLink,
    /// It was on its way.
    Sent(hyper::Error),
}

impl From<Failed> for Status {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::NoLink => wire::status(ErrorKind::Unavailable, "no link to this machine stands"),
            Failed::Sent(error) => {
                tracing::debug!(%error, "a call over a link broke off");
                broke()
            }
        }
    }
}

pub(super) fn broke() -> Status {
    wire::status(ErrorKind::Unavailable, "the link to this machine broke")
}

impl Service<Request<Body>> for Reach {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = absolute(path);
        let options: CallOptions = request.extensions_mut().remove().unwrap_or_default();
        let allowed = Allowed {
            until: options.deadline,
            ..Allowed::default()
        };
        let deadline = Deadline::of_outgoing(request.headers_mut(), &self.clock, allowed);
        let token = options
            .cancel
            .as_ref()
            .map_or_else(CancellationToken::new, Cancel::child);
        let (mut head, body) = request.into_parts();
        let body = Sending::new(body, false, &options, &token, &mut head.headers);
        let request = Request::from_parts(head, Body::new(body));
        let reach = self.clone();
        Box::pin(async move {
            // Whoever leaves the call, or its answer, ends what it still sends.
            let ending = token.clone().drop_guard();
            let passed = async {
                match &deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline.at().into()).await,
                    None => std::future::pending().await,
                }
            };
            let answered = tokio::select! {
                biased;
                () = token.cancelled() => Err(cancelled("the call was cancelled")),
                () = passed => Err(expired()),
                answered = reach.send(request) => answered,
            };
            Ok(match answered {
                Ok(response) => Answer::watch(response, (&token, ending), deadline.as_ref()),
                Err(status) => status.into_http(),
            })
        })
    }
}

/// The address of a call as HTTP/2 wants it: scheme and authority before the path.
fn absolute(path: Option<uri::PathAndQuery>) -> Uri {
    let mut parts = uri::Parts::default();
    parts.scheme = Some(uri::Scheme::HTTPS);
    parts.authority = Some(uri::Authority::from_static(AUTHORITY));
    parts.path_and_query = Some(path.unwrap_or_else(|| uri::PathAndQuery::from_static("/")));
    Uri::from_parts(parts).expect("scheme, authority and path make an address")
}
