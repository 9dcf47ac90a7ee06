//! Transactions: all or nothing, one by one, and nobody pays for another's fault.

use std::{
    sync::{Mutex, mpsc},
    time::Duration,
};

use model::ErrorKind;
use store::{Error, Store, Tx, params};

use crate::bed::{Bed, Refusal, number, on_both_engines, write};

on_both_engines!(
    what_a_closure_wrote_is_there_after_its_answer,
    an_error_undoes_its_own_closure_and_no_other,
    a_panic_fails_only_its_own_call,
    a_unique_value_is_there_once,
    rules_of_the_schema_are_kept,
    a_closure_that_hides_a_failed_statement_keeps_nothing,
    after_a_failed_statement_the_others_of_its_closure_are_refused,
    counters_raised_in_parallel_lose_nothing,
    two_checks_at_once_do_not_both_pass,
    locking_a_row_tells_whether_it_is_there,
    a_read_sees_one_moment,
    a_read_writes_nothing,
    a_closed_store_refuses_and_opens_again,
    a_caller_who_went_away_harms_nobody,
);

fn add(tx: &mut Tx<'_>, key: &str, n: i64) -> Result<u64, Error> {
    tx.execute("INSERT INTO things (key, n) VALUES (?1, ?2)", params![key, n])
}

async fn what_a_closure_wrote_is_there_after_its_answer(bed: Bed) {
    let store = bed.open().await;
    let written = write(&store, |tx| {
        add(tx, "a", 1)?;
        add(tx, "b", 2)
    });
    assert_eq!(written.await.unwrap(), 1);
    assert_eq!(
        number(&store, "SELECT CAST(SUM(n) AS BIGINT) FROM things").await,
        3
    );
}

async fn an_error_undoes_its_own_closure_and_no_other(bed: Bed) {
    let store = bed.open().await;
    let calls = (0..60_i64).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            let work = move |tx: &mut Tx<'_>| {
                add(tx, &format!("thing {n}"), n)?;
                if n % 3 == 0 {
                    return Err(Refusal::Mine("every third refuses"));
                }
                Ok(n)
            };
            store.write(work).await
        })
    });
    for (n, call) in calls.collect::<Vec<_>>().into_iter().enumerate() {
        match call.await.unwrap() {
            Ok(_) => assert_ne!(n % 3, 0),
            Err(Refusal::Mine(_)) => assert_eq!(n % 3, 0),
            Err(Refusal::Store(error)) => panic!("{error:?}"),
        }
    }
    assert_eq!(number(&store, "SELECT COUNT(*) FROM things").await, 40);
    assert_eq!(
        number(&store, "SELECT COUNT(*) FROM things WHERE n % 3 = 0").await,
        0
    );
}

async fn a_panic_fails_only_its_own_call(bed: Bed) {
    let store = bed.open().await;
    let falls = write(&store, |tx| -> Result<(), Error> {
        add(tx, "falls", 1)?;
        panic!("as planned by this test")
    });
    let stands = write(&store, |tx| add(tx, "stands", 1));
    let (falls, stands) = tokio::join!(falls, stands);
    assert!(matches!(falls, Err(Error::Panicked)), "{falls:?}");
    assert_eq!(stands.unwrap(), 1);
    let read = store.read(|_| -> Result<(), Error> { panic!("as planned by this test") });
    assert!(matches!(read.await, Err(Error::Panicked)));
    assert_eq!(number(&store, "SELECT COUNT(*) FROM things").await, 1);
}

async fn a_unique_value_is_there_once(bed: Bed) {
    let store = bed.open().await;
    write(&store, |tx| add(tx, "a", 1)).await.unwrap();
    let error = write(&store, |tx| add(tx, "a", 2)).await.unwrap_err();
    assert!(error.is_unique_violation());
    assert_eq!(error.kind(), ErrorKind::Exists);
    let sql = "INSERT INTO things (key, n) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET n = things.n + excluded.n RETURNING n";
    let sum = write(&store, |tx| {
        tx.row(sql, params!["a", 5_i64])?.unwrap().get::<i64>(0)
    });
    assert_eq!(sum.await.unwrap(), 6);
}

async fn rules_of_the_schema_are_kept(bed: Bed) {
    let store = bed.open().await;
    let below = write(&store, |tx| add(tx, "a", -1)).await.unwrap_err();
    let none = write(&store, |tx| {
        tx.execute("INSERT INTO things (key) VALUES ('a')", &[])
    });
    let orphan = write(&store, |tx| {
        tx.execute("INSERT INTO parts (key, thing) VALUES ('p', 'nobody')", &[])
    });
    for error in [below, none.await.unwrap_err(), orphan.await.unwrap_err()] {
        assert!(matches!(error, Error::Rule { .. }), "{error:?}");
        assert_eq!(error.kind(), ErrorKind::Precondition);
    }
}

async fn a_closure_that_hides_a_failed_statement_keeps_nothing(bed: Bed) {
    let store = bed.open().await;
    let hidden = write(&store, |tx| {
        add(tx, "a", 1)?;
        assert!(add(tx, "a", 2).is_err());
        Ok(())
    });
    assert!(matches!(hidden.await, Err(Error::Hidden)));
    assert_eq!(number(&store, "SELECT COUNT(*) FROM things").await, 0);
}

async fn after_a_failed_statement_the_others_of_its_closure_are_refused(bed: Bed) {
    let store = bed.open().await;
    let later = write(&store, |tx| {
        assert!(tx.execute("INSERT INTO nowhere (a) VALUES (1)", &[]).is_err());
        add(tx, "a", 1)
    });
    assert!(matches!(later.await, Err(Error::Aborted)));
    write(&store, |tx| add(tx, "a", 1)).await.unwrap();
}

async fn counters_raised_in_parallel_lose_nothing(bed: Bed) {
    let store = bed.open().await;
    write(&store, |tx| {
        add(tx, "locked", 0)?;
        add(tx, "looked at", 0)
    })
    .await
    .unwrap();
    let raise = |store: Store| async move {
        for _ in 0..10 {
            let raised = write(&store, |tx| {
                assert!(tx.lock_row("things", "key", "locked".into())?);
                for key in ["locked", "looked at"] {
                    let row = tx.row("SELECT n FROM things WHERE key = ?1", params![key])?;
                    let n: i64 = row.unwrap().get(0)?;
                    tx.execute("UPDATE things SET n = ?2 WHERE key = ?1", params![key, n + 1])?;
                }
                Ok(())
            });
            raised.await.unwrap();
        }
    };
    let tasks: Vec<_> = (0..8).map(|_| tokio::spawn(raise(store.clone()))).collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(
        number(&store, "SELECT n FROM things WHERE key = 'locked'").await,
        80
    );
    assert_eq!(
        number(&store, "SELECT n FROM things WHERE key = 'looked at'").await,
        80
    );
}

/// Write skew: each of two withdrawals is allowed alone, both together are not.
async fn two_checks_at_once_do_not_both_pass(bed: Bed) {
    let store = bed.open().await;
    for round in 0..15_i64 {
        let fill = write(&store, |tx| {
            tx.execute("DELETE FROM things", &[])?;
            add(tx, "left", 100)?;
            add(tx, "right", 100)
        });
        fill.await.unwrap();
        let take = |key: &'static str| {
            store.write(move |tx| {
                let sum = tx.row("SELECT CAST(SUM(n) AS BIGINT) FROM things", &[])?;
                if sum.expect("a sum").get::<i64>(0)? < 200 {
                    return Err(Refusal::Mine("not enough together"));
                }
                tx.execute("UPDATE things SET n = n - 100 WHERE key = ?1", params![key])?;
                Ok(())
            })
        };
        let (left, right) = tokio::join!(take("left"), take("right"));
        assert!(left.is_ok() != right.is_ok(), "round {round}: {left:?} {right:?}");
    }
}

async fn locking_a_row_tells_whether_it_is_there(bed: Bed) {
    let store = bed.open().await;
    let found = write(&store, |tx| {
        add(tx, "a", 1)?;
        let there = tx.lock_row("things", "key", "a".into())?;
        Ok((there, tx.lock_row("things", "key", "b".into())?))
    });
    assert_eq!(found.await.unwrap(), (true, false));
}

async fn a_read_sees_one_moment(bed: Bed) {
    let store = bed.open().await;
    write(&store, |tx| add(tx, "a", 1)).await.unwrap();
    let (looked, has_looked) = mpsc::channel();
    let (wrote, has_written) = mpsc::channel::<()>();
    let has_written = Mutex::new(has_written);
    let reader = store.clone();
    let read = tokio::spawn(async move {
        let work = move |tx: &mut Tx<'_>| -> Result<(i64, i64, i64), Error> {
            let sql = "SELECT n FROM things WHERE key = 'a'";
            let before = tx.row(sql, &[])?.expect("a row").get(0)?;
            looked.send(()).expect("the test listens");
            has_written
                .lock()
                .unwrap()
                .recv_timeout(Duration::from_secs(20))
                .expect("a write in between");
            let after = tx.row(sql, &[])?.expect("a row").get(0)?;
            Ok((before, after, tx.revision()?))
        };
        reader.read(work).await
    });
    tokio::task::block_in_place(|| has_looked.recv_timeout(Duration::from_secs(20))).expect("a first look");
    let raised = write(&store, |tx| {
        tx.execute("UPDATE things SET n = 2", &[])?;
        tx.change("things", "a")
    });
    raised.await.unwrap();
    wrote.send(()).unwrap();
    assert_eq!(read.await.unwrap().unwrap(), (1, 1, 0));
    assert_eq!(number(&store, "SELECT n FROM things").await, 2);
}

async fn a_read_writes_nothing(bed: Bed) {
    let store = bed.open().await;
    let executed = store.read(|tx| add(tx, "a", 1)).await;
    assert!(matches!(executed, Err(Error::ReadOnly)));
    let changed = store.read(|tx| tx.change("things", "a")).await;
    assert!(matches!(changed, Err(Error::ReadOnly)));
    let sneaked = store.read(|tx| tx.rows("INSERT INTO things (key, n) VALUES ('a', 1) RETURNING n", &[]));
    let sneaked = sneaked.await;
    assert!(matches!(sneaked, Err(Error::ReadOnly)), "{sneaked:?}");
    assert_eq!(number(&store, "SELECT COUNT(*) FROM things").await, 0);
}

async fn a_closed_store_refuses_and_opens_again(bed: Bed) {
    let store = bed.open().await;
    let other = store.clone();
    write(&store, |tx| add(tx, "a", 1)).await.unwrap();
    store.close().await;
    let late = write(&other, |tx| add(tx, "b", 1)).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Unavailable);
    assert!(!bed.tasks.token().is_cancelled(), "closing the store is no fault");
    let again = bed.open().await;
    assert_eq!(number(&again, "SELECT COUNT(*) FROM things").await, 1);
}

async fn a_caller_who_went_away_harms_nobody(bed: Bed) {
    let store = bed.open().await;
    for n in 0..200 {
        let call = write(&store, move |tx| add(tx, &format!("gone {n}"), 1));
        drop(tokio::time::timeout(Duration::from_micros(n), call).await);
    }
    write(&store, |tx| add(tx, "stayed", 1)).await.unwrap();
    assert_eq!(
        number(&store, "SELECT COUNT(*) FROM things WHERE key = 'stayed'").await,
        1
    );
}
