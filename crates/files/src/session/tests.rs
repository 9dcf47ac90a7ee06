//! Streams against real sessions: the store, the sign-in and the revocation are the real ones; only the node is
//! a source that never ends.

use std::{
    path::Path,
    sync::{Arc, Weak},
    time::Duration,
};

use access::{Access, Credential, Peer, Proof, session::SignOut};
use bytes::Bytes;
use confine::Account;
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture};
use tasks::{Clock, Tasks};

use crate::{Entry, Error, FilePath, Handle, OnNode, Parts, Read, Stream, Write};

/// The product promises five seconds; a stream ends within.
const FIVE_SECONDS: Duration = Duration::from_secs(5);

/// A node whose files never end. Every stream holds a share of `held`.
struct Endless {
    held: Arc<()>,
}

impl OnNode for Endless {
    fn home(&self, account: &Account) -> BoxFuture<'static, Result<String, Error>> {
        futures::future::ready(Ok(account.name.clone())).boxed()
    }

    fn list(&self, _account: &Account, _path: &FilePath) -> Stream<Vec<Entry>> {
        futures::stream::empty().boxed()
    }

    /// Takes chunks and is never done.
    fn write(
        &self,
        _account: &Account,
        _path: &FilePath,
        mut chunks: Stream<Bytes>,
    ) -> BoxFuture<'static, Result<(), Error>> {
        let held = Arc::clone(&self.held);
        Box::pin(async move {
            while chunks.next().await.transpose()?.is_some() {}
            assert!(Arc::strong_count(&held) > 0);
            std::future::pending().await
        })
    }

    fn read(&self, _account: &Account, _path: &FilePath, _offset: u64) -> Stream<Bytes> {
        let held = Arc::clone(&self.held);
        let chunks = futures::stream::repeat_with(move || {
            assert!(Arc::strong_count(&held) > 0);
            Ok(Bytes::from_static(b"chunk"))
        });
        chunks.boxed()
    }
}

struct Zone {
    access: Access,
    files: Handle,
    tasks: Tasks,
    streams: Weak<()>,
}

impl Zone {
    async fn new(data: &Path) -> Self {
        let (tasks, held) = (Tasks::new(), Arc::new(()));
        let engine = store::Engine::Sqlite {
            path: data.join("zone.db"),
        };
        let config = store::Config { engine };
        let store = store::Store::open(&config, access::MIGRATIONS, &tasks).await;
        let store = store.expect("a store");
        let access = Access::start(access::Parts {
            store: store.clone(),
            tasks: tasks.clone(),
            clock: Clock::system(),
            keys_dir: data.join("keys"),
            zone_host: "soke.localhost".to_owned(),
            config: access::Config::default(),
        });
        let access = access.await.expect("a zone");
        let streams = Arc::downgrade(&held);
        let files = crate::start(Parts {
            store,
            access: access.clone(),
            tasks: tasks.clone(),
            node: Arc::new(Endless { held }),
            most_bytes: 10,
        });
        Self {
            access,
            files,
            tasks,
            streams,
        }
    }

    /// Signs the owner in and opens a stream; gives also what ends the session.
    async fn open(&self) -> (Stream<Bytes>, access::Permit<SignOut>) {
        let code = self
            .access
            .first_owner("ada")
            .await
            .expect("made")
            .expect("a code");
        let peer = Peer::new(None, "test");
        let signed_in = self.access.sign_in(Proof::LinkCode(code), &peer).await;
        let token = signed_in.expect("signed in").access_token;
        let actor = self.access.authenticate(Credential::Bearer(token), &peer).await;
        let actor = actor.expect("known");
        let read = self
            .access
            .permit::<Read>(&actor, &peer)
            .await
            .expect("an owner reads");
        let sign_out = self.access.permit::<SignOut>(&actor, &peer).await;
        let path = FilePath::new("large").expect("a path");
        let stream = self.files.read(&read, &path, 0);
        (stream, sign_out.expect("may sign out"))
    }

    /// Signs the owner in; gives what writes and what ends the session.
    async fn sign_in(&self) -> (access::Permit<Write>, access::Permit<SignOut>) {
        let code = self
            .access
            .first_owner("ada")
            .await
            .expect("made")
            .expect("a code");
        let peer = Peer::new(None, "test");
        let signed_in = self.access.sign_in(Proof::LinkCode(code), &peer).await;
        let token = signed_in.expect("signed in").access_token;
        let actor = self.access.authenticate(Credential::Bearer(token), &peer).await;
        let actor = actor.expect("known");
        let write = self.access.permit(&actor, &peer).await.expect("an owner writes");
        let sign_out = self.access.permit(&actor, &peer).await.expect("may sign out");
        (write, sign_out)
    }

    /// Waits until only the node itself holds its share.
    async fn let_go(&self) {
        let gone = testbed::eventually(FIVE_SECONDS, async || self.streams.strong_count() <= 1).await;
        assert!(gone, "the stream lets go of its source");
    }
}

async fn end_of(mut stream: Stream<Bytes>) -> Option<Error> {
    let last = async {
        loop {
            match stream.next().await {
                Some(Ok(_chunk)) => {}
                Some(Err(error)) => return Some(error),
                None => return None,
            }
        }
    };
    tokio::time::timeout(FIVE_SECONDS, last)
        .await
        .expect("the stream ends in time")
}

#[tokio::test]
async fn a_stream_ends_with_its_session_while_it_is_read() {
    let data = tempfile::tempdir().expect("a folder");
    let zone = Zone::new(data.path()).await;
    let (mut stream, permit) = zone.open().await;
    stream.next().await.expect("a chunk").expect("read");
    let reading = tokio::join!(end_of(stream), async {
        zone.access.sign_out(&permit).await.expect("signed out");
    });
    assert!(matches!(reading.0, Some(Error::SessionEnded)), "{:?}", reading.0);
    zone.let_go().await;
}

#[tokio::test]
async fn a_stream_that_nobody_reads_lets_go_of_its_source_with_its_session() {
    let data = tempfile::tempdir().expect("a folder");
    let zone = Zone::new(data.path()).await;
    let (stream, permit) = zone.open().await;
    zone.access.sign_out(&permit).await.expect("signed out");
    zone.let_go().await;
    let last = end_of(stream).await;
    assert!(matches!(last, Some(Error::SessionEnded)), "{last:?}");
}

#[tokio::test]
async fn a_stream_whose_reader_is_gone_lets_go_of_its_source() {
    let data = tempfile::tempdir().expect("a folder");
    let zone = Zone::new(data.path()).await;
    let (mut stream, _permit) = zone.open().await;
    stream.next().await.expect("a chunk").expect("read");
    drop(stream);
    zone.let_go().await;
}

#[tokio::test]
async fn a_stop_ends_open_streams_with_an_error() {
    let data = tempfile::tempdir().expect("a folder");
    let zone = Zone::new(data.path()).await;
    let (stream, _permit) = zone.open().await;
    let stopped = tokio::join!(end_of(stream), zone.tasks.stop(FIVE_SECONDS));
    assert!(matches!(stopped.0, Some(Error::Stopping)), "{:?}", stopped.0);
}

#[tokio::test]
async fn a_file_under_way_is_let_go_with_its_session_and_when_it_is_larger_than_the_zone_takes() {
    let data = tempfile::tempdir().expect("a folder");
    let zone = Zone::new(data.path()).await;
    let (write, sign_out) = zone.sign_in().await;
    let path = FilePath::new("large").expect("a path");
    let bytes = |count: usize| {
        let chunks = [Ok(Bytes::from(vec![1; count])), Ok(Bytes::from_static(b"x"))];
        futures::stream::iter(chunks).boxed()
    };
    let written = tokio::join!(zone.files.write(write, &path, bytes(9)), async {
        zone.access.sign_out(&sign_out).await.expect("signed out");
    });
    assert!(matches!(written.0, Err(Error::SessionEnded)), "{:?}", written.0);
    let data = tempfile::tempdir().expect("a folder");
    let again = Zone::new(data.path()).await;
    let (write, _) = again.sign_in().await;
    let refused = again.files.write(write, &path, bytes(10)).await;
    assert!(
        matches!(refused, Err(Error::TooLarge { most_bytes: 10 })),
        "{refused:?}"
    );
}
