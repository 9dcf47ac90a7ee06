//! What one call wants beside what its channel does, and what can be said and seen while it runs.
//!
//! What it leaves to others: carrying it out (`exchange`).

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use tokio_util::sync::CancellationToken;

use crate::CallCredentials;

/// What one call wants; put it among the extensions of its request.
#[derive(Debug, Clone, Default)]
pub struct CallOptions {
    /// When the call ends at the latest. A time allowed by the request itself ([`crate::within`]) counts too; the
    /// earlier of both holds.
    pub deadline: Option<Instant>,
    /// Waits for a connection instead of failing when there is none to be had now. Nothing: as the channel does.
    pub wait_for_ready: Option<bool>,
    /// Compresses the messages of the request. Nothing: as the channel does.
    pub compress: Option<bool>,
    /// Chooses for single messages of the request, and sees which messages of the answer came compressed.
    pub compression: Option<Compression>,
    /// Goes along besides what the channel's credentials add.
    pub credentials: Option<Arc<dyn CallCredentials>>,
    /// Ends the call from outside.
    pub cancel: Option<Cancel>,
}

/// Ends calls from outside: they then say CANCELLED to whoever waits for them, and the server is told. Clones are one.
#[derive(Debug, Clone, Default)]
pub struct Cancel(CancellationToken);

impl Cancel {
    /// One that has not been used.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends every call that was given this, now and later.
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// What ends a call that was given this, besides its own end.
    pub(crate) fn child(&self) -> CancellationToken {
        self.0.child_token()
    }
}

/// The compression of one call, message by message, as its caller sees and chooses it. Clones are one; each call takes
/// one of its own.
///
/// A request whose messages are to be chosen one by one says at its head that they may be compressed: by
/// [`CallOptions::compress`], also with `false`, or by a [`Compression::compress_next`] before the call.
#[derive(Debug, Clone, Default)]
pub struct Compression(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    next: Mutex<VecDeque<bool>>,
    received: AtomicBool,
}

impl Compression {
    /// That of a call about which nothing was said yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says for one message of the request whether it is compressed: the first call for the first message, the second
    /// for the second. A message for which nothing is said goes as [`CallOptions::compress`] or the channel says.
    pub fn compress_next(&self, on: bool) {
        self.next().push_back(on);
    }

    /// Tells whether the message of the answer that was received last came compressed; false before the first.
    #[must_use]
    pub fn message_was_compressed(&self) -> bool {
        self.0.received.load(Ordering::Acquire)
    }

    fn next(&self) -> MutexGuard<'_, VecDeque<bool>> {
        self.0.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn has_said(&self) -> bool {
        !self.next().is_empty()
    }

    pub(super) fn take_next(&self) -> Option<bool> {
        self.next().pop_front()
    }

    pub(super) fn note_compressed(&self, compressed: bool) {
        self.0.received.store(compressed, Ordering::Release);
    }
}
