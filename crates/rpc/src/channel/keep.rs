//! Keeps a channel's connection, in the states that gRPC gives a channel.
//!
//! What it leaves to others: making one (`opening`), and the calls (`exchange`).
//!
//! Idle -> Connecting when a call or a question wants it; Connecting -> Ready or TransientFailure; TransientFailure ->
//! Ready, with tries and waits until then, or Idle when nobody calls any more; Ready -> Idle when the connection is lost or no call has run for the idle time. A closed
//! channel is Shutdown.

use std::{error::Error as StdError, fmt, io, pin::pin, sync::Arc, time::Duration};

use hyper::client::conn::http2::SendRequest;
use model::ErrorKind;
use tasks::{Clock, Policy, Tasks};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, body::Body};
use uuid::Uuid;

use super::{
    ChannelArgs, ChannelState, Handle,
    arguments::Waits,
    exchange::{cancelled, is_given_up},
    retry::Throttle,
    service_config::Method,
};
use crate::{
    CallCredentials, SecurityLevel, Target,
    connect::{Dialer, Origin},
};

/// Why there is no connection.
#[derive(Debug, Clone)]
pub(crate) struct Failure(Arc<io::Error>);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for Failure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

/// The state, and what belongs to it.
#[derive(Clone)]
struct View {
    state: ChannelState,
    sender: Option<SendRequest<Body>>,
    failure: Option<Failure>,
    /// How many tries have failed since the channel began.
    failures: u64,
}

/// What a channel's clones, its calls and its keeper share.
pub(crate) struct Core {
    pub(crate) args: ChannelArgs,
    pub(crate) credentials: Vec<Arc<dyn CallCredentials>>,
    pub(crate) security: SecurityLevel,
    pub(crate) origin: Origin,
    pub(super) throttle: Option<Throttle>,
    pub(crate) tasks: Tasks,
    pub(super) dialer: Dialer,
    view: watch::Sender<View>,
    active: watch::Sender<usize>,
    wanted: Notify,
    pub(super) lost: Arc<Notify>,
    closing: Notify,
    pub(super) cut: CancellationToken,
    clock: Clock,
}

impl Core {
    pub(super) fn start(
        dialer: Dialer,
        target: &Target,
        credentials: Vec<Arc<dyn CallCredentials>>,
        args: ChannelArgs,
    ) -> Arc<Self> {
        let view = View {
            state: ChannelState::Idle,
            sender: None,
            failure: None,
            failures: 0,
        };
        let config = args.service_config.as_ref();
        let throttling = config.and_then(|config| config.throttling);
        let core = Arc::new(Self {
            throttle: throttling.map(Throttle::new),
            args,
            credentials,
            security: dialer.security(),
            origin: target.origin(dialer.security() == SecurityLevel::Private),
            tasks: Tasks::new(),
            dialer,
            view: watch::Sender::new(view),
            active: watch::Sender::new(0),
            wanted: Notify::new(),
            lost: Arc::default(),
            closing: Notify::new(),
            cut: CancellationToken::new(),
            clock: Clock::system(),
        });
        let keeper = Keeper(Arc::clone(&core));
        let name = format!("channel to {target}");
        core.tasks.spawn(name, Policy::MayEnd, async move {
            let core = &keeper.0;
            let ended = core.tasks.token();
            tokio::select! {
                biased;
                () = ended.cancelled() => {}
                () = core.closing.notified() => {}
                () = core.keep() => {}
            }
        });
        core
    }

    pub(super) fn state(&self) -> ChannelState {
        self.view.borrow().state
    }

    pub(super) fn want(&self) {
        self.wanted.notify_one();
    }

    pub(super) async fn changed_from(&self, from: ChannelState) -> ChannelState {
        let mut view = self.view.subscribe();
        let changed = view.wait_for(|view| view.state != from).await;
        changed.map_or(ChannelState::Shutdown, |view| view.state)
    }

    pub(super) async fn connected(&self) -> Result<(), Failure> {
        let mut view = self.view.subscribe();
        self.want();
        let outcome = view.wait_for(|view| view.state == ChannelState::Ready || view.failures > 0);
        match outcome.await.as_deref() {
            Ok(View {
                failure: Some(failure),
                ..
            }) => Err(failure.clone()),
            Ok(_) => Ok(()),
            Err(_no_keeper) => Err(Failure(Arc::new(io::Error::other("the channel was closed")))),
        }
    }

    pub(super) async fn close(&self, grace: Duration) {
        self.set(ChannelState::Shutdown);
        self.closing.notify_one();
        let mut active = self.active.subscribe();
        let drained = tokio::time::timeout(grace, active.wait_for(|count| *count == 0)).await;
        if drained.is_err() {
            tracing::debug!("calls of a closed channel are cut");
            self.cut.cancel();
        }
        self.tasks.token().cancel();
    }

    /// Waits until the channel is closed, and gives what a call says then.
    pub(super) async fn closed(&self) -> Status {
        let mut view = self.view.subscribe();
        // The sender of the view lives as long as this does.
        drop(view.wait_for(|view| view.state == ChannelState::Shutdown).await);
        closed()
    }

    /// Gives the connection for a call; where there is none, as long as one may be had.
    pub(super) async fn sender(&self, wait_for_ready: bool) -> Result<SendRequest<Body>, Status> {
        let mut view = self.view.subscribe();
        let failures = view.borrow().failures;
        loop {
            let now = view.borrow_and_update().clone();
            match (now.state, now.sender) {
                (ChannelState::Ready, Some(sender)) if !sender.is_closed() => return Ok(sender),
                (ChannelState::Ready, _) => self.lost.notify_one(),
                (ChannelState::Shutdown, _) => return Err(closed()),
                (ChannelState::TransientFailure, _) if !wait_for_ready => {
                    return Err(unavailable(now.failure));
                }
                _ if now.failures > failures && !wait_for_ready => return Err(unavailable(now.failure)),
                (ChannelState::Idle, _) => self.want(),
                (ChannelState::Connecting | ChannelState::TransientFailure, _) => {}
            }
            if view.changed().await.is_err() {
                return Err(closed());
            }
        }
    }

    /// What a call says whose connection failed under it.
    pub(super) fn broke(&self, error: hyper::Error) -> Status {
        tracing::debug!(%error, "a call's connection broke off");
        self.torn(Status::from_error(Box::new(error)))
    }

    /// The same where the library has put the failure into words.
    pub(super) fn torn(&self, said: Status) -> Status {
        if self.state() == ChannelState::Shutdown {
            return closed();
        }
        // The library looks at the server's reason for giving up the connection, which is none of the call's.
        if said.code() == Code::Unknown || is_given_up(&said) {
            return wire::status(ErrorKind::Unavailable, "the connection broke off");
        }
        said
    }

    /// Notes how a call ended that cannot be made again any more.
    pub(super) fn settle(&self, method: Option<&Method>, code: Code) {
        if let Some(throttle) = &self.throttle {
            throttle.settle(method.and_then(|method| method.retry.as_ref()), code);
        }
    }

    fn set(&self, state: ChannelState) {
        self.view.send_if_modified(|view| {
            if view.state == ChannelState::Shutdown {
                return false;
            }
            view.state = state;
            view.sender = None;
            true
        });
    }

    async fn keep(&self) {
        let mut waits = Waits::new(&self.args);
        loop {
            self.wanted.notified().await;
            let sender = self.connect(&mut waits).await;
            let Some(sender) = sender else {
                self.rest();
                continue;
            };
            let lost = async {
                while !sender.is_closed() {
                    self.lost.notified().await;
                }
            };
            tokio::select! {
                biased;
                () = lost => {}
                () = self.idle() => {}
            }
            self.rest();
        }
    }

    /// Becomes idle; who wanted a connection before has to want it again.
    fn rest(&self) {
        while futures::FutureExt::now_or_never(self.wanted.notified()).is_some() {}
        self.set(ChannelState::Idle);
    }

    /// Tries until there is a connection, or until nobody has called for the idle time since the first try failed.
    async fn connect(&self, waits: &mut Waits) -> Option<SendRequest<Body>> {
        let mut idle = pin!(self.idle());
        loop {
            // After a failure the state stays until there is a connection (gRPC's "A62").
            if self.state() != ChannelState::TransientFailure {
                self.set(ChannelState::Connecting);
            }
            let begin = self.clock.monotonic();
            let wait = waits.next(spread());
            let longest = wait.max(self.args.connect);
            let failure = match tokio::time::timeout(longest, self.open()).await {
                Ok(Ok(sender)) => {
                    waits.reset();
                    self.view.send_if_modified(|view| {
                        let open = view.state != ChannelState::Shutdown;
                        if open {
                            view.state = ChannelState::Ready;
                            view.sender = Some(sender.clone());
                            view.failure = None;
                        }
                        open
                    });
                    return Some(sender);
                }
                Ok(Err(failure)) => failure,
                Err(_elapsed) => io::Error::new(io::ErrorKind::TimedOut, "no connection in time"),
            };
            tracing::debug!(%failure, "no connection");
            self.view.send_if_modified(|view| {
                let open = view.state != ChannelState::Shutdown;
                if open {
                    view.state = ChannelState::TransientFailure;
                    view.failure = Some(Failure(Arc::new(failure)));
                    view.failures += 1;
                }
                open
            });
            let again = tokio::time::Instant::from_std(begin + wait);
            tokio::select! {
                biased;
                () = idle.as_mut() => return None,
                () = tokio::time::sleep_until(again) => {}
            }
        }
    }

    /// Waits until no call has run for the idle time.
    async fn idle(&self) {
        let mut active = self.active.subscribe();
        loop {
            // The sender of the count lives as long as this does.
            drop(active.wait_for(|count| *count == 0).await);
            tokio::select! {
                biased;
                _changed = active.changed() => {}
                () = tokio::time::sleep(self.args.idle) => return,
            }
        }
    }
}

/// The task that keeps the connection. However it ends, also with the runtime under it, nobody waits for it any more.
struct Keeper(Arc<Core>);

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.set(ChannelState::Shutdown);
    }
}

/// A call that runs: it keeps the channel, and the channel from being idle.
pub(super) struct Active(Arc<Handle>);

impl Active {
    pub(super) fn new(handle: Arc<Handle>) -> Self {
        handle.core.active.send_modify(|count| *count += 1);
        Self(handle)
    }

    pub(super) fn core(&self) -> &Core {
        &self.0.core
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.core.active.send_modify(|count| *count -= 1);
    }
}

fn closed() -> Status {
    cancelled("the channel was closed")
}

fn unavailable(failure: Option<Failure>) -> Status {
    let text = match failure {
        Some(failure) => format!("no connection: {}", model::chain(&failure)),
        None => "no connection".to_owned(),
    };
    wire::status(ErrorKind::Unavailable, text)
}

/// A place from 0 to 1 within the spread of a wait, so that many who lost a server at once come back one by one.
pub(super) fn spread() -> f64 {
    let [byte, ..] = *Uuid::new_v4().as_bytes();
    f64::from(byte) / 255.0
}
