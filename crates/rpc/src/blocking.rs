//! Calls for programs that know no futures.
//!
//! What it leaves to others: the calls themselves, which the generated clients make. What is here waits for them, for
//! each answer of a stream, and for room to send the next request.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use futures::Stream;

use tokio::{
    runtime::{Builder, Runtime},
    sync::mpsc,
};
use tonic::{Status, Streaming};

use crate::{Channel, ChannelArgs, ChannelCredentials, Error, Target, channel};

/// A channel whose calls are waited for. It has one thread of its own, on which the connection is kept.
///
/// It is for threads that may wait: inside of an asynchronous program its calls panic. When it and all its answers are gone
/// the channel is closed: a clone that is left says CANCELLED.
pub struct Blocking {
    channel: Channel,
    runtime: Arc<Thread>,
}

/// The thread. It ends by itself once nobody is left who waits on it: whoever lets go of it last does not wait for that,
/// and may be an asynchronous program.
struct Thread(Option<Runtime>);

impl Thread {
    fn runtime(&self) -> &Runtime {
        self.0.as_ref().expect("it is taken only when this is dropped")
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Blocking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocking")
            .field("channel", &self.channel)
            .finish_non_exhaustive()
    }
}

impl Blocking {
    /// Makes a channel that connects at its first call.
    ///
    /// # Errors
    /// As [`Channel::new`]; precondition when the system gives no thread.
    pub fn new(target: &Target, credentials: &ChannelCredentials, args: ChannelArgs) -> Result<Self, Error> {
        let built = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("rpc-channel")
            .enable_all()
            .build();
        let runtime = Thread(Some(built.map_err(|source| Error::Thread { source })?));
        let entered = runtime.runtime().enter();
        let channel = Channel::new(target, credentials, args)?;
        drop(entered);
        Ok(Self {
            channel,
            runtime: Arc::new(runtime),
        })
    }

    /// The channel, for generated clients and for its state.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Waits for a call of a generated client, or for anything else.
    pub fn wait<F: Future>(&self, call: F) -> F::Output {
        self.runtime.runtime().block_on(call)
    }

    /// The answers of a stream, one by one. Dropped before their end, they cancel the call.
    #[must_use]
    pub fn answers<T>(&self, stream: Streaming<T>) -> Answers<T> {
        Answers {
            stream: Some(stream),
            runtime: Arc::clone(&self.runtime),
        }
    }

    /// Requests to be sent one by one, and the stream of them for the generated client. `places` of them wait to be
    /// sent at the most; then the sender waits.
    #[must_use]
    pub fn requests<T>(&self, places: usize) -> (Requests<T>, Asked<T>) {
        let (sender, receiver) = mpsc::channel(places.max(1));
        let closed = Arc::<AtomicBool>::default();
        let asked = Asked {
            receiver,
            closed: Arc::clone(&closed),
        };
        (Requests { sender, closed }, asked)
    }
}

/// The answers of a stream. After an error there are no more.
pub struct Answers<T> {
    stream: Option<Streaming<T>>,
    runtime: Arc<Thread>,
}

impl<T> fmt::Debug for Answers<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").finish_non_exhaustive()
    }
}

impl<T> Iterator for Answers<T> {
    type Item = Result<T, Status>;

    fn next(&mut self) -> Option<Self::Item> {
        let stream = self.stream.as_mut()?;
        let next = self.runtime.runtime().block_on(stream.message()).transpose();
        if !matches!(next, Some(Ok(_))) {
            self.stream = None;
        }
        next
    }
}

/// Sends the requests of a stream, until it is closed. Dropped before that, it cancels the call: a thread that gives up in
/// the middle of an upload does not make it look complete.
#[derive(Debug)]
pub struct Requests<T> {
    sender: mpsc::Sender<T>,
    closed: Arc<AtomicBool>,
}

impl<T> Requests<T> {
    /// Sends one, and waits where there is no room. False, with the request dropped, when the call has ended.
    #[must_use]
    pub fn send(&self, request: T) -> bool {
        self.sender.blocking_send(request).is_ok()
    }

    /// Ends the requests.
    pub fn close(self) {
        self.closed.store(true, Ordering::Release);
    }
}

/// What [`Requests`] sends, for the generated client.
#[derive(Debug)]
pub struct Asked<T> {
    receiver: mpsc::Receiver<T>,
    closed: Arc<AtomicBool>,
}

impl<T> Stream for Asked<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let next = ready!(self.receiver.poll_recv(cx));
        if next.is_none() && !self.closed.load(Ordering::Acquire) && channel::give_up() {
            // The call has been cancelled, and asks for nothing more.
            return Poll::Pending;
        }
        Poll::Ready(next)
    }
}
