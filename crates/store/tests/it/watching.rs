//! Watches: every change is seen, in order, and nobody waits for one that came before.

use std::{collections::BTreeSet, time::Duration};

use model::ErrorKind;
use store::{Change, Error, Store, Watch};

use crate::bed::{Bed, Refusal, eventually, on_both_engines, write};

on_both_engines!(
    the_first_wait_answers_at_once_and_the_next_waits,
    a_watcher_sees_every_change_of_many_writers_in_order,
    a_change_that_was_undone_wakes_nobody,
    old_changes_are_trimmed_and_the_watcher_is_told,
    revisions_go_on_after_closing,
);

const SOON: Duration = Duration::from_secs(20);

async fn woken(watch: &mut Watch) {
    tokio::time::timeout(SOON, watch.changed())
        .await
        .expect("a wake within 20 s");
}

async fn sleeps(watch: &mut Watch) {
    let quiet = tokio::time::timeout(Duration::from_millis(100), watch.changed()).await;
    assert!(quiet.is_err(), "a wake without a change");
}

async fn change(store: &Store, topic: &'static str, key: &'static str) -> i64 {
    write(store, move |tx| tx.change(topic, key)).await.unwrap()
}

async fn the_first_wait_answers_at_once_and_the_next_waits(bed: Bed) {
    let store = bed.open().await;
    let before = change(&store, "jobs", "1").await;
    let mut watch = store.watch("jobs");
    woken(&mut watch).await;
    // A notification of the change before may still be on its way from the server.
    eventually("the watch is quiet", async || {
        let mut fresh = store.watch("jobs");
        fresh.changed().await;
        tokio::time::timeout(Duration::from_millis(100), fresh.changed())
            .await
            .is_err()
    })
    .await;
    let mut watch = store.watch("jobs");
    woken(&mut watch).await;
    sleeps(&mut watch).await;
    change(&store, "users", "ada").await;
    sleeps(&mut watch).await;
    let after = change(&store, "jobs", "2").await;
    woken(&mut watch).await;
    assert!(before < after);
    let all = watch.since(0).await.unwrap();
    let want = |rev, key: &str| Change {
        rev,
        key: key.to_owned(),
    };
    assert_eq!(all, [want(before, "1"), want(after, "2")]);
    assert_eq!(watch.since(before).await.unwrap(), [want(after, "2")]);
    assert_eq!(watch.since(after).await.unwrap(), []);
}

async fn a_watcher_sees_every_change_of_many_writers_in_order(bed: Bed) {
    const WRITERS: i64 = 6;
    const EACH: i64 = 25;
    let store = bed.open().await;
    let mut watch = store.watch("t");
    let watcher = tokio::spawn(async move {
        let mut seen: Vec<Change> = Vec::new();
        while seen.len() < usize::try_from(WRITERS * EACH).unwrap() {
            woken(&mut watch).await;
            let last = seen.last().map_or(0, |change| change.rev);
            seen.extend(watch.since(last).await.unwrap());
        }
        seen
    });
    let writers = (0..WRITERS).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut written = Vec::new();
            for n in 0..EACH {
                let key = format!("{writer}/{n}");
                let work = move |tx: &mut store::Tx<'_>| -> Result<i64, Error> {
                    let first = tx.change("t", &key)?;
                    tx.change("other", &key)?;
                    Ok(first)
                };
                written.push(store.write(work).await.unwrap());
            }
            written
        })
    });
    let mut written = BTreeSet::new();
    for writer in writers.collect::<Vec<_>>() {
        for rev in writer.await.unwrap() {
            assert!(written.insert(rev), "revision {rev} was given twice");
        }
    }
    let seen = watcher.await.unwrap();
    assert!(seen.is_sorted_by(|a, b| a.rev < b.rev));
    assert_eq!(
        seen.iter().map(|change| change.rev).collect::<BTreeSet<_>>(),
        written
    );
}

async fn a_change_that_was_undone_wakes_nobody(bed: Bed) {
    let store = bed.open().await;
    let mut watch = store.watch("t");
    woken(&mut watch).await;
    let undone = store.write(|tx| -> Result<(), Refusal> {
        tx.change("t", "undone")?;
        Err(Refusal::Mine("on second thoughts"))
    });
    assert!(undone.await.is_err());
    sleeps(&mut watch).await;
    assert_eq!(watch.since(0).await.unwrap(), []);
}

async fn old_changes_are_trimmed_and_the_watcher_is_told(bed: Bed) {
    let store = bed.open().await;
    let mut watch = store.watch("t");
    woken(&mut watch).await;
    let many = if bed.is_sqlite() {
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 70000) \
         INSERT INTO changes (topic, key) SELECT 't', CAST(i AS TEXT) FROM n"
    } else {
        "INSERT INTO changes (rev, topic, key) \
         SELECT nextval('changes_rev'), 't', CAST(i AS TEXT) FROM generate_series(1, 70000) AS g (i)"
    };
    let last = write(&store, move |tx| {
        tx.execute(many, &[])?;
        tx.change("t", "last")
    });
    let last = last.await.unwrap();
    woken(&mut watch).await;
    eventually("old changes are trimmed", || async {
        watch.since(0).await.is_err()
    })
    .await;
    let error = watch.since(0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Precondition);
    let Error::Trimmed { asked: 0, kept_after } = error else {
        panic!("{error:?}");
    };
    assert_eq!(kept_after, last - 65_536);
    assert_eq!(watch.since(kept_after).await.unwrap().len(), 65_536);
    assert!(watch.since(kept_after - 1).await.is_err());
    change(&store, "t", "later").await;
    woken(&mut watch).await;
    assert_eq!(watch.since(last).await.unwrap().len(), 1);
}

async fn revisions_go_on_after_closing(bed: Bed) {
    let store = bed.open().await;
    let before = change(&store, "t", "1").await;
    write(&store, |tx| tx.execute("DELETE FROM changes", &[]))
        .await
        .unwrap();
    store.close().await;
    let store = bed.open().await;
    assert!(change(&store, "t", "2").await > before);
}
