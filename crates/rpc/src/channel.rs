//! A channel: where calls go out, over a connection that is made when it is needed and made again when it is lost.
//!
//! What it leaves to others: keeping the connection (`keep`), what goes along with a call (`credentials`, `arguments`,
//! `options`), sending it (`exchange`), its bodies (`bodies`). States and waits are those of gRPC's documents "Connectivity Semantics" and
//! "Connection Backoff".

mod arguments;
mod bodies;
mod exchange;
mod greeting;
mod keep;
mod kept;
mod opening;
mod options;
mod retry;
mod service_config;

use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use tasks::Clock;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tower::Service;

pub use arguments::{Argument, ChannelArgs};
pub(crate) use bodies::{Sending, give_up};
pub(crate) use exchange::{cancelled, is_unseen};
pub(crate) use keep::{Core, Failure};
pub(crate) use kept::Kept;
pub use options::{CallOptions, Cancel, Compression};

use bodies::Awaited;
use exchange::Going;

use crate::{
    CallCredentials, ChannelCredentials, Deadline, Error, SecurityLevel, Target,
    body::{ended_by, expired},
    connect::Dialer,
    deadline::Allowed,
};

/// The state of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelState {
    /// There is no connection, and no call wants one.
    Idle,
    /// A connection is being made.
    Connecting,
    /// There is a connection.
    Ready,
    /// Connecting failed; it is tried again after a wait.
    TransientFailure,
    /// The channel was closed.
    Shutdown,
}

/// Where calls go out; give clones of it to generated clients, all of which share one connection. A lost connection is
/// made again. A call past its deadline ends with DEADLINE_EXCEEDED, its stream too. When the last clone and the last
/// call are gone the connection is.
#[derive(Clone)]
pub struct Channel {
    handle: Arc<Handle>,
    clock: Clock,
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("state", &self.state(false))
            .finish_non_exhaustive()
    }
}

/// What ends the keeper of the connection when the last holder is gone.
struct Handle {
    core: Arc<Core>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.core.tasks.token().cancel();
    }
}

impl Channel {
    /// Makes a channel that connects at its first call.
    ///
    /// # Errors
    /// Invalid when the credentials or the target's name cannot be used.
    ///
    /// # Panics
    /// Outside of a runtime, as everything does that starts a task.
    pub fn new(target: &Target, credentials: &ChannelCredentials, args: ChannelArgs) -> Result<Self, Error> {
        let dialer = credentials.dialer(target)?;
        Ok(Self::over(dialer, target, credentials.calls().to_vec(), args))
    }

    pub(crate) fn over(
        dialer: Dialer,
        target: &Target,
        credentials: Vec<Arc<dyn CallCredentials>>,
        args: ChannelArgs,
    ) -> Self {
        let core = Core::start(dialer, target, credentials, args);
        Self {
            handle: Arc::new(Handle { core }),
            clock: Clock::system(),
        }
    }

    /// The state. `try_to_connect` makes an idle channel connect.
    #[must_use]
    pub fn state(&self, try_to_connect: bool) -> ChannelState {
        let state = self.handle.core.state();
        if try_to_connect && state == ChannelState::Idle {
            self.handle.core.want();
        }
        state
    }

    /// Waits until the state is another than `from`, and gives it. States that were passed meanwhile are not seen.
    pub async fn changed_from(&self, from: ChannelState) -> ChannelState {
        self.handle.core.changed_from(from).await
    }

    /// How well what goes over this channel is kept from others.
    #[must_use]
    pub fn security(&self) -> SecurityLevel {
        self.handle.core.security
    }

    /// Takes no more calls, lets those that run end within `grace`, and cuts the rest; with no grace, at once. What is
    /// refused or cut says CANCELLED.
    pub async fn close(&self, grace: Duration) {
        self.handle.core.close(grace).await;
    }

    /// Connects, and waits for the first outcome.
    pub(crate) async fn connected(self) -> Result<Self, Failure> {
        self.handle.core.connected().await?;
        Ok(self)
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let options: CallOptions = request.extensions_mut().remove().unwrap_or_default();
        let args = &self.handle.core.args;
        let config = args.service_config.as_ref();
        let method = config.and_then(|config| config.method(request.uri().path()).cloned());
        let allowed = Allowed {
            until: options.deadline,
            longest: method.as_ref().and_then(|method| method.timeout),
            usual: args.deadline,
        };
        let deadline = Deadline::of_outgoing(request.headers_mut(), &self.clock, allowed);
        let token = match &options.cancel {
            Some(cancel) => cancel.child(),
            None => CancellationToken::new(),
        };
        let active = keep::Active::new(Arc::clone(&self.handle));
        Box::pin(async move {
            let passed = async {
                match &deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline.at().into()).await,
                    None => std::future::pending().await,
                }
            };
            let ending = token.clone().drop_guard();
            let going = Going {
                core: active.core(),
                options: &options,
                method: method.as_deref(),
                deadline: deadline.as_ref(),
                token: &token,
            };
            let answered = tokio::select! {
                biased;
                () = token.cancelled() => Err(exchange::cancelled("the call was cancelled")),
                () = passed => Err(expired()),
                answered = going.send(request) => answered,
            };
            let awaited = Awaited {
                active,
                options,
                method,
                deadline: deadline.as_ref(),
                token: &token,
                ending,
            };
            Ok(match answered {
                Ok(response) => match exchange::too_large(&response) {
                    Some(status) => status.into_http(),
                    None => awaited.watch(response),
                },
                Err(status) => ended_by(status, deadline.as_ref()).into_http(),
            })
        })
    }
}
