//! The doors that are open, as one thing to list and to close.
//!
//! What it leaves to others: opening them, one file of this folder each.

use std::{net::SocketAddr, time::Duration};

use futures::future::{BoxFuture, join_all};
use tasks::Stopped;

/// What every dialect's handle can do.
pub(crate) trait Door: Send {
    /// Each listener by its name in the configuration, with the address that it has.
    fn bound(&self) -> Vec<(&'static str, SocketAddr)>;
    /// No new connection and no new call; running calls have `grace` to end.
    fn close(&self, grace: Duration) -> BoxFuture<'_, Stopped>;
}

impl Door for gateway::Handle {
    fn bound(&self) -> Vec<(&'static str, SocketAddr)> {
        let bound = gateway::Handle::bound(self);
        bound.into_iter().map(|one| (one.name, one.address)).collect()
    }

    fn close(&self, grace: Duration) -> BoxFuture<'_, Stopped> {
        Box::pin(self.stop(grace))
    }
}

impl Door for buckyos::Handle {
    fn bound(&self) -> Vec<(&'static str, SocketAddr)> {
        let bound = buckyos::Handle::bound(self);
        bound.into_iter().map(|one| (one.name, one.address)).collect()
    }

    fn close(&self, grace: Duration) -> BoxFuture<'_, Stopped> {
        Box::pin(self.stop(grace))
    }
}

impl Door for gateway::http_door::Handle {
    fn bound(&self) -> Vec<(&'static str, SocketAddr)> {
        vec![gateway::http_door::Handle::bound(self)]
    }

    fn close(&self, grace: Duration) -> BoxFuture<'_, Stopped> {
        Box::pin(self.stop(grace))
    }
}

impl Door for scow::Handle {
    fn bound(&self) -> Vec<(&'static str, SocketAddr)> {
        let bound = scow::Handle::bound(self);
        bound.into_iter().map(|one| (one.name, one.address)).collect()
    }

    fn close(&self, grace: Duration) -> BoxFuture<'_, Stopped> {
        Box::pin(self.stop(grace))
    }
}

impl Door for litekube::Handle {
    fn bound(&self) -> Vec<(&'static str, SocketAddr)> {
        let bound = litekube::Handle::bound(self);
        bound.into_iter().map(|one| (one.name, one.address)).collect()
    }

    fn close(&self, grace: Duration) -> BoxFuture<'_, Stopped> {
        Box::pin(self.stop(grace))
    }
}

/// Every open door.
pub(crate) struct Doors(pub(crate) Vec<Box<dyn Door>>);

impl Doors {
    /// Every listener.
    pub(crate) fn bound(&self) -> Vec<(&'static str, SocketAddr)> {
        self.0.iter().flat_map(|door| door.bound()).collect()
    }

    /// Closes all doors at once and gives what did not end in time.
    pub(crate) async fn close(&self, grace: Duration) -> Vec<String> {
        let closed = join_all(self.0.iter().map(|door| door.close(grace))).await;
        closed.into_iter().flat_map(|stopped| stopped.late).collect()
    }
}
