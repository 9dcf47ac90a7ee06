//! What only a server can do: be shared, be away, be the wrong one.

use std::time::Duration;

use model::ErrorKind;
use store::{Config, Engine, Error, Store, params};
use testbed::Postgres;

use crate::bed::{Bed, TABLES, eventually, number, write};

async fn refused(bed: &Bed, url: &str) -> Error {
    let engine = Engine::Postgres {
        url: url.to_owned(),
        connections: 1,
    };
    let error = Store::open(&Config { engine }, &[TABLES], &bed.tasks)
        .await
        .unwrap_err();
    let shown = format!("{error} {error:?} {:?}", std::error::Error::source(&error));
    assert!(!shown.contains("canary"), "{shown}");
    error
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_address_is_never_shown() {
    let bed = Bed::sqlite();
    let engine = Engine::Postgres {
        url: "postgresql://canary:canary@canary/canary".to_owned(),
        connections: 3,
    };
    assert_eq!(
        format!("{:?}", Config { engine }),
        "Config { engine: Postgres { connections: 3, .. } }"
    );
    for url in [
        "postgresql://u:canary@%2Fno%2Fsuch%2Ffolder/d",
        "postgresql://u:canary@127.0.0.1:1/d?connect_timeout=1",
    ] {
        assert_eq!(refused(&bed, url).await.kind(), ErrorKind::Unavailable);
    }
    for url in [
        "canary",
        "postgresql://u:canary@h:canary/d",
        "host=h canary=1",
        "postgresql:/u:canary@h",
    ] {
        assert!(matches!(refused(&bed, url).await, Error::BadAddress), "{url}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_across_the_network_is_refused_unless_the_address_says_that_it_is_trusted() {
    let bed = Bed::sqlite();
    for url in [
        "postgresql://u:canary@192.0.2.1/d",
        "postgresql://u:canary@db.example/d?sslmode=require",
        "host=localhost hostaddr=192.0.2.1 user=u password=canary",
    ] {
        let error = refused(&bed, url).await;
        assert!(error.to_string().contains("sslmode=disable"), "{error}");
    }
    let trusted = refused(
        &bed,
        "postgresql://u:canary@no-such-host.invalid/d?sslmode=disable",
    )
    .await;
    assert_eq!(trusted.kind(), ErrorKind::Unavailable);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_sorts_or_spells_otherwise_is_refused() {
    let bed = Bed::sqlite();
    let server = Postgres::shared();
    server
        .sql(
            "postgres",
            "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1'",
        )
        .unwrap();
    let error = refused(&bed, &server.address("latin")).await;
    assert!(
        error
            .to_string()
            .contains("its encoding is LATIN1; make it with CREATE DATABASE"),
        "{error}"
    );
    let made =
        "CREATE DATABASE sorted TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'en-US'";
    server.sql("postgres", made).unwrap();
    let error = refused(&bed, &server.address("sorted")).await;
    assert!(
        error.to_string().contains("does not sort texts by their bytes"),
        "{error}"
    );
    let error = refused(&bed, &server.address("nowhere")).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_table_of_the_same_name_is_told_and_left_alone() {
    let bed = Bed::sqlite();
    let server = Postgres::shared();
    server
        .sql("postgres", "CREATE DATABASE taken TEMPLATE template0")
        .unwrap();
    server
        .sql(
            "taken",
            "CREATE TABLE migrations (id INT); INSERT INTO migrations VALUES (7)",
        )
        .unwrap();
    let error = refused(&bed, &server.address("taken")).await;
    assert!(matches!(error, Error::Statement { .. }), "{error:?}");
    assert_eq!(
        server.sql("taken", "SELECT id FROM migrations").unwrap().trim(),
        "7"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_that_open_together_migrate_once() {
    let bed = Bed::postgres();
    let opening = (0..4).map(|_| {
        let (config, tasks) = (bed.config.clone(), bed.tasks.clone());
        tokio::spawn(async move { Store::open(&config, &[TABLES], &tasks).await })
    });
    for store in opening.collect::<Vec<_>>() {
        assert_eq!(
            number(&store.await.unwrap().unwrap(), "SELECT COUNT(*) FROM migrations").await,
            2
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_of_one_server_hears_what_another_wrote() {
    let bed = Bed::postgres();
    let (here, there) = (bed.open().await, bed.open().await);
    let mut watch = here.watch("t");
    watch.changed().await;
    let rev = write(&there, |tx| tx.change("t", "k")).await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), watch.changed())
        .await
        .unwrap();
    assert_eq!(watch.since(0).await.unwrap()[0].rev, rev);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_crash_of_the_server_the_store_finds_it_again_and_misses_no_change() {
    let server = Postgres::start().unwrap();
    let bed = Bed::on_server(&server);
    let (here, there) = (bed.open().await, bed.open().await);
    let mut watch = here.watch("t");
    watch.changed().await;
    server.crash().unwrap();
    let away = write(&there, |tx| {
        tx.execute("INSERT INTO things (key, n) VALUES (?1, 1)", params!["a"])
    });
    assert_eq!(away.await.unwrap_err().kind(), ErrorKind::Unavailable);
    server.resume().unwrap();
    eventually("the server is found again", async || {
        write(&there, |tx| tx.change("t", "k")).await.is_ok()
    })
    .await;
    tokio::time::timeout(Duration::from_secs(20), watch.changed())
        .await
        .unwrap();
    eventually("the other store reads again", async || {
        watch.since(0).await.is_ok_and(|seen| seen.len() == 1)
    })
    .await;
    assert_eq!(number(&here, "SELECT COUNT(*) FROM things").await, 0);
}
