//! Handlers in plain blocking code: a thread for each call, requests as an iterator, answers through a sink.
//!
//! What it is for: services whose work waits in the system or only computes, written by whoever knows no futures. A
//! generated service's method hands its request to [`Workers`] and awaits the answer; the closure runs on a thread for
//! blocking work, never on those that serve connections. What it leaves to others: the generated code.
//!
//! Invariants: no more closures run at a time than there are threads. A call that finds none free waits for one, at
//! most until its deadline; where too many wait already it is refused with RESOURCE_EXHAUSTED. A closure is never
//! killed: it keeps its thread until it returns, so it looks at its [`Call`], or meets the end of the call at the next
//! request or answer.

use std::{fmt, sync::Arc};

use model::ErrorKind;
use tasks::{Policy, Tasks};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status, Streaming, codegen::BoxStream};

use crate::{Call, End, body::expired};

/// How many answers of a stream may wait to be sent; the handler waits then.
const AHEAD: usize = 16;

/// What its task and its thread are called.
const NAME: &str = "blocking handler";

/// Threads for blocking handlers, bounded. Clones share them.
#[derive(Debug, Clone)]
pub struct Workers {
    tasks: Tasks,
    threads: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Workers {
    /// At most `threads` handlers run at a time, and at most `waiting` calls wait for one to end. They belong to
    /// `tasks`, whose stop waits for them.
    #[must_use]
    pub fn new(tasks: &Tasks, threads: usize, waiting: usize) -> Self {
        let threads = threads.clamp(1, Semaphore::MAX_PERMITS);
        let places = waiting.saturating_add(threads).min(Semaphore::MAX_PERMITS);
        Self {
            tasks: tasks.clone(),
            threads: Arc::new(Semaphore::new(threads)),
            places: Arc::new(Semaphore::new(places)),
        }
    }

    /// Answers one request with one message.
    ///
    /// # Errors
    /// What the handler says; INTERNAL where it panics; RESOURCE_EXHAUSTED where too many calls wait.
    pub async fn unary<Q, A, F>(&self, request: Request<Q>, handler: F) -> Result<Response<A>, Status>
    where
        Q: Send + 'static,
        A: Send + 'static,
        F: FnOnce(Request<Q>) -> Result<Response<A>, Status> + Send + 'static,
    {
        let call = call_of(&request);
        let seat = self.seat().await?;
        let (tell, told) = oneshot::channel();
        self.run(
            call,
            seat,
            move || drop(tell.send(handler(request))),
            None::<Last<A>>,
        );
        told.await.unwrap_or_else(|_panicked| Err(failed()))
    }

    /// Answers one request with a stream: the handler sends each message, and what it returns ends the stream.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED where too many calls wait. What the handler says comes at the end of the stream.
    pub async fn server_streaming<Q, A, F>(
        &self,
        request: Request<Q>,
        handler: F,
    ) -> Result<Response<BoxStream<A>>, Status>
    where
        Q: Send + 'static,
        A: Send + 'static,
        F: FnOnce(Request<Q>, &Replies<A>) -> Result<(), Status> + Send + 'static,
    {
        let call = call_of(&request);
        let seat = self.seat().await?;
        Ok(self.stream(call, seat, move |replies| handler(request, replies)))
    }

    /// Answers a stream of requests with one message, at the end of them or before.
    ///
    /// # Errors
    /// As [`Workers::unary`].
    pub async fn client_streaming<Q, A, F>(
        &self,
        request: Request<Streaming<Q>>,
        handler: F,
    ) -> Result<Response<A>, Status>
    where
        Q: Send + 'static,
        A: Send + 'static,
        F: FnOnce(Request<Received<Q>>) -> Result<Response<A>, Status> + Send + 'static,
    {
        let call = call_of(&request);
        self.unary(received(request, &call), handler).await
    }

    /// Answers a stream of requests with a stream, in any order.
    ///
    /// # Errors
    /// As [`Workers::server_streaming`].
    pub async fn bidirectional<Q, A, F>(
        &self,
        request: Request<Streaming<Q>>,
        handler: F,
    ) -> Result<Response<BoxStream<A>>, Status>
    where
        Q: Send + 'static,
        A: Send + 'static,
        F: FnOnce(Request<Received<Q>>, &Replies<A>) -> Result<(), Status> + Send + 'static,
    {
        let call = call_of(&request);
        self.server_streaming(received(request, &call), handler).await
    }

    /// A thread for one handler.
    async fn seat(&self) -> Result<Seat, Status> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_none_left| {
            wire::status(
                ErrorKind::Exhausted,
                "every thread for such calls is busy and too many calls wait for one: call again later",
            )
        })?;
        let thread = Arc::clone(&self.threads).acquire_owned().await;
        let thread = thread.map_err(|_never_closed| failed())?;
        Ok(Seat {
            _thread: thread,
            _place: place,
        })
    }

    fn stream<A, F>(&self, call: Call, seat: Seat, handler: F) -> Response<BoxStream<A>>
    where
        A: Send + 'static,
        F: FnOnce(&Replies<A>) -> Result<(), Status> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(AHEAD);
        let last = sender.clone();
        let replies = Replies {
            sender,
            call: call.clone(),
        };
        let work = move || {
            if let Err(status) = handler(&replies) {
                // Where nobody receives any more, nobody is told.
                drop(replies.sender.blocking_send(Err(status)));
            }
        };
        self.run(call, seat, work, Some(last));
        Response::new(Box::pin(ReceiverStream::new(receiver)))
    }

    /// Runs a handler on its thread, as a part of its call. A panic is told to `last`.
    fn run<A, F>(&self, call: Call, seat: Seat, work: F, last: Option<Last<A>>)
    where
        A: Send + 'static,
        F: FnOnce() + Send + 'static,
    {
        let tasks = self.tasks.clone();
        self.tasks.spawn(NAME, Policy::MayEnd, async move {
            let worked = tasks.blocking(NAME, move || {
                let _seat = seat;
                call.scope(work);
            });
            if let (Err(_panicked), Some(last)) = (worked.await, last) {
                drop(last.send(Err(failed())).await);
            }
        });
    }
}

/// Where the end of a stream is told.
type Last<A> = mpsc::Sender<Result<A, Status>>;

/// A handler's thread and its place in the row; free again when dropped.
struct Seat {
    _thread: OwnedSemaphorePermit,
    _place: OwnedSemaphorePermit,
}

fn call_of<Q>(request: &Request<Q>) -> Call {
    let call = Call::of(request.extensions()).cloned();
    call.unwrap_or_else(|| Call::new(None, None))
}

fn received<Q>(request: Request<Streaming<Q>>, call: &Call) -> Request<Received<Q>> {
    request.map(|stream| Received {
        stream: Some(stream),
        call: call.clone(),
        runtime: Handle::current(),
    })
}

fn failed() -> Status {
    wire::status(ErrorKind::Internal, "")
}

/// What a handler reads once its call has ended.
fn ended(end: End) -> Status {
    match end {
        End::DeadlinePassed => expired(),
        End::Answered | End::Cancelled => {
            Status::new(Code::Cancelled, "nobody waits for the answer any more")
        }
    }
}

/// The requests of a call, one by one; the iterator waits for each. It ends after the last one, and after an error:
/// a request that cannot be read, an upload that broke off, the end of the call.
pub struct Received<T> {
    stream: Option<Streaming<T>>,
    call: Call,
    runtime: Handle,
}

impl<T> fmt::Debug for Received<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("call", &self.call.method())
            .finish_non_exhaustive()
    }
}

impl<T> Iterator for Received<T> {
    type Item = Result<T, Status>;

    fn next(&mut self) -> Option<Self::Item> {
        let (stream, call) = (self.stream.as_mut()?, &self.call);
        let next = self.runtime.block_on(async {
            tokio::select! {
                biased;
                end = call.ended() => Err(ended(end)),
                message = stream.message() => message,
            }
        });
        let next = next.transpose();
        if !matches!(next, Some(Ok(_))) {
            self.stream = None;
        }
        next
    }
}

/// Sends the answers of a call, one by one.
#[derive(Debug)]
pub struct Replies<T> {
    sender: mpsc::Sender<Result<T, Status>>,
    call: Call,
}

impl<T> Replies<T> {
    /// Sends one, and waits where there is no room.
    ///
    /// # Errors
    /// DEADLINE_EXCEEDED or CANCELLED once the call has ended, so that a handler may return it.
    pub fn send(&self, message: T) -> Result<(), Status> {
        if self.call.is_cancelled() || self.sender.blocking_send(Ok(message)).is_err() {
            let late = self.call.deadline().is_some_and(crate::Deadline::is_expired);
            return Err(ended(if late { End::DeadlinePassed } else { End::Cancelled }));
        }
        Ok(())
    }
}
