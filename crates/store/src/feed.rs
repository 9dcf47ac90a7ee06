//! Who is to be woken when a topic changes.
//!
//! What it leaves to others: the engines tell which transactions became visible; the table `changes` keeps
//! which keys changed. A waker carries only a revision, so nothing is lost when wakes fall together.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use crate::{Error, Store, params};

/// The wakers of all topics that somebody watches.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    topics: Mutex<BTreeMap<String, watch::Sender<i64>>>,
}

impl Feed {
    /// Wakes the watchers of each changed topic.
    pub(crate) fn publish(&self, changes: &[(String, i64)]) {
        if changes.is_empty() {
            return;
        }
        let topics = self.topics();
        for (topic, rev) in changes {
            if let Some(waker) = topics.get(topic) {
                waker.send_if_modified(|newest| raise(newest, *rev));
            }
        }
    }

    /// Wakes every watcher, because it is not known what changed up to `rev`.
    pub(crate) fn publish_all(&self, rev: i64) {
        for waker in self.topics().values() {
            waker.send_if_modified(|newest| raise(newest, rev));
        }
    }

    fn subscribe(&self, topic: &str) -> watch::Receiver<i64> {
        let mut topics = self.topics();
        topics.retain(|name, waker| name == topic || waker.receiver_count() > 0);
        match topics.get(topic) {
            Some(waker) => waker.subscribe(),
            None => {
                let (waker, receiver) = watch::channel(0);
                topics.insert(topic.to_owned(), waker);
                receiver
            }
        }
    }

    fn topics(&self) -> MutexGuard<'_, BTreeMap<String, watch::Sender<i64>>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn raise(newest: &mut i64, rev: i64) -> bool {
    let newer = *newest < rev;
    if newer {
        *newest = rev;
    }
    newer
}

/// One change that a transaction recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The revision. Revisions of a topic grow; those between them belong to other topics.
    pub rev: i64,
    /// The thing that changed.
    pub key: String,
}

/// Watches one topic. It is woken by the state, not by the event: however many changes happen meanwhile, one
/// wake follows, and a change made before the wait begins is not missed.
#[derive(Debug)]
pub struct Watch {
    store: Store,
    topic: String,
    newest: watch::Receiver<i64>,
    begun: bool,
}

impl Watch {
    pub(crate) fn new(store: Store, feed: &Feed, topic: &str) -> Self {
        Self {
            store,
            topic: topic.to_owned(),
            newest: feed.subscribe(topic),
            begun: false,
        }
    }

    /// Waits until the topic has changed since the last call; the first call answers at once.
    ///
    /// A read begun afterwards sees everything up to that change. Once the store is closed no wake comes, so
    /// wait for the task's cancellation too. Safe to cancel.
    pub async fn changed(&mut self) {
        if !self.begun {
            self.begun = true;
            self.newest.mark_unchanged();
            return;
        }
        if self.newest.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Lists the changes of the topic after revision `rev` that are visible now, oldest first.
    ///
    /// # Errors
    /// Precondition ([`Error::Trimmed`]): changes after `rev` are no longer kept; read the present state
    /// instead. Unavailable: as the engine says.
    pub async fn since(&self, rev: i64) -> Result<Vec<Change>, Error> {
        let topic = self.topic.clone();
        let read = self.store.read(move |tx| {
            let kept_after = match tx.row("SELECT through FROM changes_trimmed", &[])? {
                Some(row) => row.get(0)?,
                None => 0,
            };
            if rev < kept_after {
                return Err(Error::Trimmed {
                    asked: rev,
                    kept_after,
                });
            }
            let sql = "SELECT rev, key FROM changes WHERE topic = ?1 AND rev > ?2 ORDER BY rev";
            let rows = tx.rows(sql, params![topic.as_str(), rev])?;
            let change = |row: &crate::Row| {
                Ok(Change {
                    rev: row.get(0)?,
                    key: row.get(1)?,
                })
            };
            rows.iter().map(change).collect()
        });
        read.await
    }
}

#[cfg(test)]
mod tests {
    use super::Feed;

    #[test]
    fn a_topic_nobody_watches_any_more_is_forgotten() {
        let feed = Feed::default();
        drop(feed.subscribe("gone"));
        let kept = feed.subscribe("kept");
        assert_eq!(feed.topics().keys().collect::<Vec<_>>(), ["kept"]);
        drop(kept);
    }

    #[test]
    fn a_waker_never_goes_back() {
        let feed = Feed::default();
        let mut newest = feed.subscribe("t");
        feed.publish(&[("t".to_owned(), 5), ("t".to_owned(), 3), ("u".to_owned(), 9)]);
        assert_eq!(*newest.borrow_and_update(), 5);
        feed.publish(&[("t".to_owned(), 4)]);
        assert!(!newest.has_changed().expect("the feed lives"));
        feed.publish_all(6);
        assert!(newest.has_changed().expect("the feed lives"));
    }
}
