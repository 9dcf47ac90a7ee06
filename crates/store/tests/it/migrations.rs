//! Migrations: applied once, in order, all or none; a database of another mind is refused.

use model::ErrorKind;
use store::{Error, Migration};

use crate::bed::{Bed, number, on_both_engines, write};

on_both_engines!(
    migrations_are_applied_once_and_new_ones_later,
    a_migration_whose_text_changed_is_refused,
    a_database_of_a_newer_release_is_refused,
    a_migration_that_fails_leaves_nothing_behind,
    foreign_tables_are_left_alone,
    a_list_with_a_hole_is_refused,
);

const FIRST: Migration = Migration {
    room: "a",
    number: 1,
    sql: "CREATE TABLE a (n BIGINT NOT NULL); INSERT INTO a (n) VALUES (1);",
};
const SECOND: Migration = Migration {
    room: "a",
    number: 2,
    sql: "-- may hold a ? in a comment\nINSERT INTO a (n) VALUES (2);",
};
const OTHER: Migration = Migration {
    room: "b",
    number: 1,
    sql: "INSERT INTO a (n) VALUES (10);",
};

async fn migrations_are_applied_once_and_new_ones_later(bed: Bed) {
    for (list, sum) in [
        (vec![FIRST], 1),
        (vec![FIRST], 1),
        (vec![FIRST, SECOND, OTHER], 13),
        (vec![FIRST, OTHER, SECOND], 13),
    ] {
        let store = bed.try_open(&list).await.unwrap();
        assert_eq!(number(&store, "SELECT CAST(SUM(n) AS BIGINT) FROM a").await, sum);
        store.close().await;
    }
    let store = bed.try_open(&[FIRST, SECOND, OTHER]).await.unwrap();
    let sql = "SELECT COUNT(*) FROM migrations WHERE applied_at > 1700000000000000 AND room <> 'store'";
    assert_eq!(number(&store, sql).await, 3);
}

async fn a_migration_whose_text_changed_is_refused(bed: Bed) {
    bed.try_open(&[FIRST]).await.unwrap().close().await;
    let changed = Migration {
        sql: "CREATE TABLE a (n BIGINT);",
        ..FIRST
    };
    let error = bed.try_open(&[changed]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Precondition);
    assert!(
        error
            .to_string()
            .starts_with("migrate room `a`, number 1: its text is not"),
        "{error}"
    );
    bed.try_open(&[FIRST]).await.unwrap();
}

async fn a_database_of_a_newer_release_is_refused(bed: Bed) {
    bed.try_open(&[FIRST, SECOND]).await.unwrap().close().await;
    let error = bed.try_open(&[FIRST]).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("number 2: this database was used by a newer release"),
        "{error}"
    );
    let error = bed.try_open(&[]).await.unwrap_err();
    assert!(error.to_string().contains("newer release"), "{error}");
}

async fn a_migration_that_fails_leaves_nothing_behind(bed: Bed) {
    let wrong = Migration {
        sql: "INSERT INTO a (n) VALUES (2); INSERT INTO nowhere (n) VALUES (2);",
        ..SECOND
    };
    let error = bed.try_open(&[FIRST, wrong]).await.unwrap_err();
    assert_eq!(error.to_string(), "apply migration 2 of room `a`");
    assert!(matches!(error, Error::ApplyMigration { .. }));
    let store = bed.try_open(&[FIRST, SECOND]).await.unwrap();
    assert_eq!(number(&store, "SELECT CAST(SUM(n) AS BIGINT) FROM a").await, 3);
}

async fn foreign_tables_are_left_alone(bed: Bed) {
    let store = bed.try_open(&[]).await.unwrap();
    // What somebody else made in the same database, whatever it looks like.
    write(&store, |tx| {
        tx.execute(
            "CREATE TABLE foreign_notes (id INTEGER PRIMARY KEY, \"room\" TEXT)",
            &[],
        )?;
        tx.execute("INSERT INTO foreign_notes (id, room) VALUES (1, 'store')", &[])
    })
    .await
    .unwrap();
    store.close().await;
    let store = bed.try_open(&[FIRST]).await.unwrap();
    assert_eq!(number(&store, "SELECT COUNT(*) FROM foreign_notes").await, 1);
}

async fn a_list_with_a_hole_is_refused(bed: Bed) {
    let error = bed.try_open(&[SECOND]).await.unwrap_err();
    assert!(error.to_string().contains("out of order"), "{error}");
}
