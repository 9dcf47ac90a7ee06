//! The bounds of a listener and of a call, with the values that the house uses.
//!
//! What it leaves to others: reading them from a configuration.

use std::time::Duration;

/// Bounds one listener and each of its connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The most connections at a time, and never more than half of the files that the process may open. When they are
    /// used up, the connection that has waited longest without a request gives its place to the newcomer; where each
    /// has made one, the connection gives it on which no call runs and none has begun for longest.
    pub connections: usize,
    /// The longest time from accept to a finished TLS handshake.
    pub handshake: Duration,
    /// The longest time that the head of a request may take to arrive over HTTP/1.1, the first one included, and the first
    /// words of HTTP/2. A head that stays half there in HTTP/2 ends with its connection at the next ping, which nobody
    /// can answer before it is whole.
    pub head: Duration,
    /// The most bytes of request headers: names and values, in HTTP/2 32 more for each entry.
    pub header_bytes: u32,
    /// The most open calls on one HTTP/2 connection.
    pub streams: u32,
    /// The most calls on one connection that the peer has reset and no handler has seen yet.
    pub pending_resets: usize,
    /// How often an HTTP/2 peer is asked whether it still lives.
    pub ping_every: Duration,
    /// How long its answer may take.
    pub ping_wait: Duration,
    /// How long running calls may take to end after a stop; what runs then is cut. So is a call that long past its
    /// deadline whose caller takes nothing.
    pub drain: Duration,
    /// How old a connection may become, within a tenth; then its peer is told to make no new calls on it. Links have
    /// no age. Nothing: as old as it likes.
    pub age: Option<Duration>,
    /// How long the calls on a connection of that age may take to end; what runs then is cut.
    pub age_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            handshake: Duration::from_secs(5),
            head: Duration::from_secs(10),
            header_bytes: 64 * 1024,
            streams: 256,
            pending_resets: 20,
            ping_every: Duration::from_secs(30),
            ping_wait: Duration::from_secs(20),
            drain: Duration::from_secs(5),
            age: None,
            age_grace: Duration::from_secs(60),
        }
    }
}

/// Bounds the calls of one set of services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallLimits {
    /// The most bytes of one request message as sent.
    pub message_bytes: u32,
    /// The most bytes of request messages over 64 KiB that arrive at the same time, over all calls.
    pub arriving_bytes: usize,
    /// The longest time that a request message may take from its first byte to its last, while it is waited for.
    pub message_time: Duration,
    /// The most calls that run at the same time, over all connections: each costs some 10 KiB even where nothing
    /// comes of it.
    pub running: usize,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self {
            message_bytes: 4 * 1024 * 1024,
            arriving_bytes: 256 * 1024 * 1024,
            message_time: Duration::from_secs(60),
            running: 16 * 1024,
        }
    }
}
