//! Values, placeholders and rows mean the same on both engines.

use model::{ErrorKind, JobId, Money, Name, Span, Timestamp};
use store::{Error, Store, Value, params};

use crate::bed::{Bed, number, on_both_engines, write};

on_both_engines!(
    values_come_back_as_they_went_in,
    long_and_odd_texts_come_back,
    a_text_with_nul_is_refused_before_it_is_sent,
    placeholders_inside_texts_and_comments_stay,
    a_placeholder_may_stand_twice_and_out_of_order,
    wrong_placeholders_and_parameters_are_refused,
    texts_sort_by_their_bytes_and_like_minds_case,
    columns_of_other_types_are_refused,
    more_than_one_row_is_refused_where_one_is_asked_for,
    a_limit_is_a_parameter,
    faults_never_show_values,
);

async fn values_come_back_as_they_went_in(bed: Bed) {
    let store = bed.open().await;
    let now = Timestamp::from_micros(1_700_000_000_123_456);
    let id = JobId::fresh(now);
    let name = Name::imported("Ada.L").unwrap();
    let (stored, key) = (name.clone(), id);
    let read = write(&store, move |tx| {
        let sql =
            "INSERT INTO things (key, n, note, yes) VALUES (?1, ?2, ?3, ?4) RETURNING key, n, note, yes";
        let row = tx.row(sql, params![key, now, &stored, true])?.unwrap();
        let none = tx
            .row(sql, params!["other", i64::MAX, None::<String>, None::<bool>])?
            .unwrap();
        Ok((row, none))
    });
    let (row, none) = read.await.unwrap();
    assert_eq!(row.get::<JobId>(0).unwrap(), id);
    assert_eq!(row.get::<Timestamp>(1).unwrap(), now);
    assert_eq!(row.get::<Name>(2).unwrap(), name);
    assert!(row.get::<bool>(3).unwrap());
    assert_eq!(row.get::<Span>(1).unwrap(), Span::from_micros(now.micros()));
    assert_eq!(none.get::<i64>(1).unwrap(), i64::MAX);
    assert_eq!(
        none.get::<Money>(1).unwrap(),
        Money::from_ten_thousandths(i64::MAX)
    );
    assert_eq!(none.get::<Option<String>>(2).unwrap(), None);
    assert_eq!(none.get::<Option<bool>>(3).unwrap(), None);
    assert!(matches!(none.get::<String>(2), Err(Error::Column { .. })));
    assert_eq!(number(&store, "SELECT COUNT(*) FROM things WHERE yes").await, 1);
    assert_eq!(
        number(&store, "SELECT COUNT(*) FROM things WHERE yes IS NULL").await,
        1
    );
}

async fn echo(store: &Store, text: String) -> Result<String, Error> {
    let wanted = text.clone();
    let written = write(store, move |tx| {
        tx.execute("DELETE FROM things", &[])?;
        tx.execute(
            "INSERT INTO things (key, n) VALUES (?1, 0)",
            params![text.as_str()],
        )?;
        let row = tx.row("SELECT key FROM things WHERE key = ?1", params![text.as_str()])?;
        row.expect("found by its text").get::<String>(0)
    });
    let text = written.await?;
    assert_eq!(text, wanted);
    Ok(text)
}

async fn long_and_odd_texts_come_back(bed: Bed) {
    let store = bed.open().await;
    let odd = [
        "",
        " ",
        "'",
        "''",
        "\"",
        "\\",
        "?1",
        "$1",
        "%",
        "e\u{301}",
        "\u{fe00}\u{10ffff}",
        "\r\n\t\u{1}",
    ];
    for text in odd {
        echo(&store, text.to_owned()).await.unwrap();
    }
    let long: String = (0..2_000_000_u32)
        .map(|n| char::from(b'a' + u8::try_from(n % 26).unwrap()))
        .collect();
    let kept = long.clone();
    let length = write(&store, move |tx| {
        tx.execute(
            "INSERT INTO things (key, n, note) VALUES ('long', 0, ?1)",
            params![&kept],
        )?;
        let row = tx.row("SELECT note FROM things WHERE key = 'long'", &[])?;
        row.unwrap().get::<String>(0)
    });
    assert_eq!(length.await.unwrap(), long);
}

async fn a_text_with_nul_is_refused_before_it_is_sent(bed: Bed) {
    let store = bed.open().await;
    let error = echo(&store, "a\0b".to_owned()).await.unwrap_err();
    assert!(matches!(error, Error::Nul));
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let changed = write(&store, |tx| tx.change("topic", "a\0b")).await;
    assert!(matches!(changed, Err(Error::Nul)));
}

async fn placeholders_inside_texts_and_comments_stay(bed: Bed) {
    let store = bed.open().await;
    let sql = "SELECT '?1 it''s $1' || CAST(?1 AS TEXT) /* ?7 ' */ AS \"odd?9\" -- ?8 \"\n WHERE ?2 = 5";
    let read = store.read(move |tx| tx.row(sql, params!["!", 5_i64])?.unwrap().get::<String>(0));
    assert_eq!(read.await.unwrap(), "?1 it's $1!");
}

async fn a_placeholder_may_stand_twice_and_out_of_order(bed: Bed) {
    let store = bed.open().await;
    let sql = "SELECT CAST(?2 AS TEXT) || CAST(?1 AS TEXT) || CAST(?2 AS TEXT)";
    let read = store.read(move |tx| tx.row(sql, params!["a", "b"])?.unwrap().get::<String>(0));
    assert_eq!(read.await.unwrap(), "bab");
}

async fn wrong_placeholders_and_parameters_are_refused(bed: Bed) {
    let store = bed.open().await;
    for sql in [
        "SELECT n FROM things WHERE key = ?",
        "SELECT n FROM things WHERE key = ?0",
    ] {
        let read = store.read(move |tx| tx.rows(sql, params!["a"])).await;
        assert!(matches!(read, Err(Error::Placeholder)), "{sql}: {read:?}");
    }
    let few = store
        .read(|tx| tx.rows("SELECT n FROM things WHERE key = ?1 AND n = ?2", params!["a"]))
        .await;
    assert!(matches!(few, Err(Error::Statement { .. })), "{few:?}");
    let two = store.read(|tx| tx.rows("SELECT 1; SELECT 2", &[])).await;
    assert!(matches!(two, Err(Error::Statement { .. })), "{two:?}");
    let wrong = store.read(|tx| tx.rows("SELEKT 1", &[])).await.unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Internal);
    let name = store
        .read(|tx| tx.rows("SELECT \"no such column\" FROM things", &[]))
        .await;
    assert!(matches!(name, Err(Error::Statement { .. })), "{name:?}");
}

async fn texts_sort_by_their_bytes_and_like_minds_case(bed: Bed) {
    let store = bed.open().await;
    let mut keys = [
        "b",
        "B",
        "a",
        "_",
        "a-c",
        "ab",
        "é",
        "z",
        "Z",
        "10",
        "9",
        "\u{10000}",
        "\u{ffff}",
    ];
    let added = write(&store, move |tx| {
        for key in keys {
            tx.execute("INSERT INTO things (key, n) VALUES (?1, 0)", params![key])?;
        }
        let rows = tx.rows("SELECT key FROM things ORDER BY key", &[])?;
        rows.iter()
            .map(|row| row.get(0))
            .collect::<Result<Vec<String>, _>>()
    });
    keys.sort_unstable();
    assert_eq!(added.await.unwrap(), keys);
    assert_eq!(
        number(&store, "SELECT COUNT(*) FROM things WHERE key LIKE 'b%'").await,
        1
    );
}

async fn columns_of_other_types_are_refused(bed: Bed) {
    let store = bed.open().await;
    let read = store
        .read(|tx| tx.rows("SELECT CAST(1.5 AS DOUBLE PRECISION)", &[]))
        .await;
    let error = read.unwrap_err();
    assert!(matches!(error, Error::Column { column: 0, .. }), "{error:?}");
}

async fn more_than_one_row_is_refused_where_one_is_asked_for(bed: Bed) {
    let store = bed.open().await;
    let read = store.read(|tx| tx.row("SELECT 1 UNION ALL SELECT 2", &[])).await;
    assert!(matches!(read, Err(Error::ManyRows)));
    let none = store.read(|tx| tx.row("SELECT n FROM things", &[])).await;
    assert_eq!(none.unwrap(), None);
}

async fn a_limit_is_a_parameter(bed: Bed) {
    let store = bed.open().await;
    let read = store
        .read(|tx| tx.rows("SELECT 1 UNION ALL SELECT 2 LIMIT ?1", params![1_u32]))
        .await;
    assert_eq!(read.unwrap().len(), 1);
}

async fn faults_never_show_values(bed: Bed) {
    let store = bed.open().await;
    let secret = "canary-5af1";
    let add = "INSERT INTO things (key, n, note) VALUES (?1, ?2, ?1)";
    write(&store, move |tx| tx.execute(add, params![secret, 1_i64]))
        .await
        .unwrap();
    let twice = write(&store, move |tx| tx.execute(add, params![secret, 1_i64]))
        .await
        .unwrap_err();
    let below = write(&store, move |tx| {
        tx.execute(add, params![format!("{secret}2"), -1_i64])
    })
    .await
    .unwrap_err();
    let orphan = "INSERT INTO parts (key, thing) VALUES (?1, ?1)";
    let orphan = write(&store, move |tx| {
        tx.execute(orphan, params![format!("{secret}3")])
    })
    .await
    .unwrap_err();
    let cast =
        store.read(move |tx| tx.rows("SELECT CAST(?1 AS BIGINT) FROM nowhere", &[Value::from(secret)]));
    for error in [twice, below, orphan, cast.await.unwrap_err()] {
        assert!(!format!("{error:?} {error}").contains("canary"), "{error:?}");
    }
}
