//! Connections that wait for the next request of the same user to the same service.
//!
//! What it leaves to others: when a connection may be kept (`body`), and making new ones (`upstream`).

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hyper::client::conn::http1::SendRequest;
use model::UserId;
use tasks::{Policy, Tasks};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;

use crate::http_door::Endpoint;

/// How long a connection may take to be ready again after its answer has ended.
const SETTLE: Duration = Duration::from_secs(1);
/// How often idle connections are looked at.
const LOOK: Duration = Duration::from_millis(500);

/// What a kept connection may serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) user: UserId,
    pub(super) endpoint: Endpoint,
}

/// A connection to a service.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) sender: SendRequest<Body>,
    /// Ends it at once.
    pub(super) cut: CancellationToken,
}

/// The kept connections. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Pool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    keep_for: Duration,
    tasks: Tasks,
    kept: Mutex<BTreeMap<Key, Vec<(Instant, Connection)>>>,
    filled: Notify,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.cut.cancel();
    }
}

impl Pool {
    pub(super) fn new(most: usize, keep_for: Duration, tasks: &Tasks) -> Self {
        let pool = Self(Arc::new(Inner {
            most,
            keep_for,
            tasks: tasks.clone(),
            kept: Mutex::default(),
            filled: Notify::new(),
        }));
        let (looking, stopping) = (pool.clone(), tasks.token());
        tasks.spawn("idle connections to services", Policy::MayEnd, async move {
            tokio::select! {
                () = stopping.cancelled() => looking.kept().clear(),
                () = looking.look_after() => {}
            }
        });
        pool
    }

    /// The connection that was used last, if one is kept and lives.
    pub(super) fn take(&self, key: &Key) -> Option<Connection> {
        let mut kept = self.kept();
        let idle = kept.get_mut(key)?;
        while let Some((since, connection)) = idle.pop() {
            if since.elapsed() < self.0.keep_for && connection.sender.is_ready() {
                return Some(connection);
            }
        }
        kept.remove(key);
        None
    }

    /// Keeps a connection whose answer has ended, once it is ready for another.
    pub(super) fn put(&self, key: Key, mut connection: Connection) {
        let pool = self.clone();
        let settle = async move {
            if let Ok(Ok(())) = timeout(SETTLE, connection.sender.ready()).await {
                let mut kept = pool.kept();
                let idle = kept.entry(key).or_default();
                if idle.len() < pool.0.most {
                    idle.push((Instant::now(), connection));
                    pool.0.filled.notify_one();
                }
            }
        };
        self.0
            .tasks
            .spawn("connection to a service settles", Policy::MayEnd, settle);
    }

    async fn look_after(&self) {
        loop {
            self.0.filled.notified().await;
            while !self.kept().is_empty() {
                sleep(LOOK).await;
                self.kept().retain(|_, idle| {
                    idle.retain(|(since, connection)| {
                        since.elapsed() < self.0.keep_for && !connection.sender.is_closed()
                    });
                    !idle.is_empty()
                });
            }
        }
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<Key, Vec<(Instant, Connection)>>> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
