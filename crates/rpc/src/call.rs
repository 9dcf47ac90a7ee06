//! One call as its handler sees it: what it may still say, and how it learns that nobody waits any more.
//!
//! What it leaves to others: carrying it out (`reply`), and who the caller is ([`crate::AuthContext`], `access`).

use std::{
    collections::VecDeque,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
};

use futures::task::AtomicWaker;
use http::{HeaderMap, HeaderName, uri::PathAndQuery};
use tokio::sync::Notify;
use tonic::metadata::MetadataMap;

use crate::{Deadline, held::Part};

tokio::task_local! {
    /// The call whose handler or answer is being polled.
    static CURRENT: Call;
}

/// How a call ended for the side that answers it. The caller judges for itself and may come to another end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its status was handed to the connection, whatever that status was.
    Answered,
    /// Its deadline passed first.
    DeadlinePassed,
    /// Its caller gave up, or the connection broke.
    Cancelled,
}

/// One call. Every request that [`crate::Calls`] hands on carries one among its extensions; clones share it.
///
/// A handler is dropped when its call ends early, and all it awaits with it. Work that it has put elsewhere
/// is not: that takes a clone along and looks at [`Call::is_cancelled`] or waits for [`Call::ended`]. What was
/// done before the end stays done; nothing here takes it back.
#[derive(Debug, Clone)]
pub struct Call(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    method: Option<PathAndQuery>,
    deadline: Option<Deadline>,
    ended: Notify,
    end: OnceLock<End>,
    said: Mutex<Said>,
    waker: AtomicWaker,
    compressed: AtomicBool,
}

/// What the handler has said about its answer.
#[derive(Debug, Default)]
struct Said {
    headers: Option<HeaderMap>,
    /// What goes along with the first headers, whenever they go.
    beside: HeaderMap,
    headers_gone: bool,
    trailers: HeaderMap,
    compress: Option<bool>,
    compress_next: VecDeque<bool>,
}

impl Call {
    pub(crate) fn new(method: Option<PathAndQuery>, deadline: Option<Deadline>) -> Self {
        Self(Arc::new(Inner {
            method,
            deadline,
            ended: Notify::new(),
            end: OnceLock::new(),
            said: Mutex::default(),
            waker: AtomicWaker::new(),
            compressed: AtomicBool::new(false),
        }))
    }

    /// Finds the call among a request's extensions.
    #[must_use]
    pub fn of(extensions: &http::Extensions) -> Option<&Self> {
        extensions.get()
    }

    /// The call in whose handler, or in whose stream of answers, this runs; `None` elsewhere, also in a task
    /// that the handler has started.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Self::clone).ok()
    }

    /// The method as it stands in the request: `/package.Service/Method`.
    #[must_use]
    pub fn method(&self) -> &str {
        self.0.method.as_ref().map_or("", PathAndQuery::path)
    }

    /// When the call ends at the latest; `None` where the caller set no deadline.
    #[must_use]
    pub fn deadline(&self) -> Option<&Deadline> {
        self.0.deadline.as_ref()
    }

    /// Tells whether nobody waits for the answer any more: the caller is gone or the deadline has passed.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        match self.0.end.get() {
            Some(end) => *end != End::Answered,
            None => self.deadline().is_some_and(Deadline::is_expired),
        }
    }

    /// Waits until the call has ended and tells how. It may be asked again and by several.
    pub async fn ended(&self) -> End {
        let passed = async {
            match self.deadline() {
                Some(deadline) => tokio::time::sleep_until(deadline.at().into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.told() => {}
            () = passed => {}
        }
        self.0.end.get().copied().unwrap_or(End::DeadlinePassed)
    }

    /// Waits until the end has been noted.
    async fn told(&self) {
        let mut told = pin!(self.0.ended.notified());
        // Listens first, so that no end between the look and the wait is missed.
        told.as_mut().enable();
        if self.0.end.get().is_none() {
            told.await;
        }
    }

    /// Sends initial metadata now, before there is an answer. What the answer itself carries as metadata
    /// after that is not sent.
    ///
    /// Returns false, and sends nothing, when initial metadata has gone out already.
    pub fn send_initial_metadata(&self, metadata: MetadataMap) -> bool {
        {
            let mut said = self.said();
            if said.headers_gone || said.headers.is_some() {
                return false;
            }
            said.headers = Some(kept(metadata));
        }
        self.0.waker.wake();
        true
    }

    /// Adds metadata to what the caller gets after the last message, also when the call succeeds. It may be
    /// called for as long as the answer runs, so it may tell what came of a stream.
    pub fn add_trailing_metadata(&self, metadata: MetadataMap) {
        extend(&mut self.said().trailers, &kept(metadata));
    }

    /// Says whether messages of the answer are compressed where the caller takes gzip. To be said before the
    /// answer begins; a stream that decides by message says `false` there and then
    /// [`Call::compress_next`]. Nothing is compressed where nothing is said.
    pub fn compress(&self, on: bool) {
        self.said().compress = Some(on);
    }

    /// Says it for one message: the first call for the first message of the answer, the second for the
    /// second. A message for which nothing is said goes as [`Call::compress`] says.
    pub fn compress_next(&self, on: bool) {
        let mut said = self.said();
        said.compress.get_or_insert(false);
        said.compress_next.push_back(on);
    }

    /// Tells whether the message that the handler has received last came compressed; false before the first.
    #[must_use]
    pub fn message_was_compressed(&self) -> bool {
        self.0.compressed.load(Ordering::Acquire)
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.0.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `poll` as a part of this call.
    pub(crate) fn scope<T>(&self, poll: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self.clone(), poll)
    }

    pub(crate) fn note_compressed(&self, compressed: bool) {
        self.0.compressed.store(compressed, Ordering::Release);
    }

    /// Has this waker told when initial metadata is to be sent.
    pub(crate) fn watch(&self, waker: &Waker) {
        self.0.waker.register(waker);
    }

    /// The initial metadata that is to be sent at once, where there is some.
    pub(crate) fn take_early(&self) -> Option<HeaderMap> {
        let mut said = self.said();
        let mut early = said.headers.take()?;
        said.headers_gone = true;
        extend(&mut early, &std::mem::take(&mut said.beside));
        Some(early)
    }

    /// Notes that initial metadata is gone, and gives what was still to go with it.
    pub(crate) fn take_headers(&self) -> Option<HeaderMap> {
        let mut said = self.said();
        said.headers_gone = true;
        let mut headers = std::mem::take(&mut said.beside);
        match said.headers.take() {
            Some(own) if headers.is_empty() => Some(own),
            Some(own) => {
                extend(&mut headers, &own);
                Some(headers)
            }
            None => (!headers.is_empty()).then_some(headers),
        }
    }

    /// Has metadata go along with the first headers, without hurrying them.
    pub(crate) fn add_initial_metadata(&self, metadata: MetadataMap) {
        extend(&mut self.said().beside, &kept(metadata));
    }

    pub(crate) fn take_trailers(&self) -> HeaderMap {
        std::mem::take(&mut self.said().trailers)
    }

    /// Tells whether the answer is to say that its messages may be compressed.
    pub(crate) fn compresses(&self) -> bool {
        self.said().compress.is_some()
    }

    /// Tells whether the next message that leaves is to be compressed.
    pub(crate) fn compress_this(&self) -> bool {
        let mut said = self.said();
        let own = said.compress_next.pop_front();
        own.or(said.compress).unwrap_or(false)
    }

    /// Notes the end; the first one counts.
    fn finish(&self, end: End) {
        if self.0.end.set(end).is_ok() {
            self.0.ended.notify_waiters();
        }
    }
}

/// Adds all entries, besides those that are there.
pub(crate) fn extend(headers: &mut HeaderMap, more: &HeaderMap) {
    for (name, value) in more {
        headers.append(name.clone(), value.clone());
    }
}

/// Metadata without the names that are the protocol's own.
pub(crate) fn kept(metadata: MetadataMap) -> HeaderMap {
    let mut headers = metadata.into_headers();
    let own = |name: &HeaderName| {
        name.as_str().starts_with("grpc-") || matches!(name.as_str(), "content-type" | "te" | "user-agent")
    };
    let reserved: Vec<HeaderName> = headers.keys().filter(|name| own(name)).cloned().collect();
    for name in reserved {
        headers.remove(name);
    }
    headers
}

/// Holds a call, and its place among those that run, while it is being answered. Dropped before its answer is out, it
/// ends the call.
pub(crate) struct Watched(
    pub(crate) Call,
    #[expect(dead_code, reason = "it is held, and given back when this is dropped")] Part,
);

impl Watched {
    pub(crate) const fn new(call: Call, place: Part) -> Self {
        Self(call, place)
    }

    pub(crate) fn finish(&self, end: End) {
        self.0.finish(end);
    }

    /// Ends the call of which nobody takes more.
    pub(crate) fn leave(&self) {
        let late = self.0.deadline().is_some_and(Deadline::is_expired);
        self.finish(if late { End::DeadlinePassed } else { End::Cancelled });
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.leave();
    }
}
