//! The tree with a real store and real rights.

mod bed;

use std::collections::BTreeSet;

use bed::{Bed, Caller, Devices};
use model::ErrorKind;
use tree::{Error, Key, MOST_OWN_KEYS, MOST_VALUE, Prefix};

fn key(text: &str) -> Key {
    Key::parse(text).expect("a key")
}

async fn value(bed: &Bed, by: &Caller, text: &str) -> Option<(String, u64)> {
    let entry = bed.get(by, text).await.expect("may be read");
    entry.map(|entry| (entry.value, entry.revision))
}

fn is(text: &str, revision: u64) -> Option<(String, u64)> {
    Some((text.to_owned(), revision))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_goes_on_after_a_deletion() {
    revisions(&Bed::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_goes_on_after_a_deletion_on_postgresql() {
    revisions(&Bed::postgres().await).await;
}

async fn revisions(bed: &Bed) {
    let owner = bed.owner().await;
    assert_eq!(value(bed, &owner, "t/a").await, None);
    assert_eq!(bed.create(&owner, "t/a", "1").await.expect("created"), 1);
    assert_eq!(bed.set(&owner, "kv://t/a", "2").await.expect("set"), 2);
    assert_eq!(value(bed, &owner, "/config/t/a").await, is("2", 2));
    assert_eq!(bed.append(&owner, "t/a", "3").await.expect("appended"), 3);
    assert_eq!(value(bed, &owner, "obj://config/t/a").await, is("23", 3));
    assert_eq!(bed.delete(&owner, "t/a").await.expect("deleted"), 4);
    assert_eq!(value(bed, &owner, "t/a").await, None);
    let again = bed.delete(&owner, "t/a").await.expect_err("it is gone");
    assert_eq!(again.kind(), ErrorKind::NotFound);
    let append = bed.append(&owner, "t/a", "x").await.expect_err("it is gone");
    assert_eq!(append.kind(), ErrorKind::NotFound);
    assert_eq!(bed.create(&owner, "t/a", "").await.expect("made again"), 5);
    let exists = bed.create(&owner, "t/a", "x").await.expect_err("it is there");
    assert_eq!(exists.kind(), ErrorKind::Exists);
    assert_eq!(value(bed, &owner, "t/a").await, is("", 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_side_by_side_never_share_a_revision() {
    side_by_side(&Bed::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_side_by_side_never_share_a_revision_on_postgresql() {
    side_by_side(&Bed::postgres().await).await;
}

async fn side_by_side(bed: &Bed) {
    let owner = bed.owner().await;
    let writes = (0..40).map(|number| {
        let owner = &owner;
        async move { bed.set(owner, "t/a", &number.to_string()).await.expect("set") }
    });
    let revisions: BTreeSet<u64> = bed::all(writes).await.into_iter().collect();
    assert_eq!(revisions, (1..=40).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_has_each_name_below_once_in_order_and_no_deleted_ones() {
    names(&Bed::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_has_each_name_below_once_in_order_and_no_deleted_ones_on_postgresql() {
    names(&Bed::postgres().await).await;
}

async fn names(bed: &Bed) {
    let owner = bed.owner().await;
    for text in [
        "a/x",
        "a/x/1",
        "a/x/2",
        "a/x-1",
        "a/x0",
        "a/gone",
        "b",
        "a.b/c",
        "a/\u{10ffff}/q",
    ] {
        bed.set(&owner, text, "v").await.expect("set");
    }
    bed.delete(&owner, "a/gone").await.expect("deleted");
    let names = async |place: &str| bed.list(&owner, place).await.expect("listed");
    assert_eq!(names("a").await, ["x", "x-1", "x0", "\u{10ffff}"]);
    assert_eq!(names("/config/a/").await, ["x", "x-1", "x0", "\u{10ffff}"]);
    assert_eq!(names("a/x").await, ["1", "2"]);
    assert_eq!(names("").await, ["a", "a.b", "b", "devices"]);
    assert_eq!(names("nowhere").await, [""; 0]);
    assert_eq!(names("b").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_have_their_own_part_and_no_other() {
    let bed = Bed::new().await;
    let owner = bed.owner().await;
    let (bob, eve) = (bed.member(&owner, "bob").await, bed.member(&owner, "eve").await);
    bed.set(&bob, "users/bob/apps/files/settings", "mine")
        .await
        .expect("own part");
    bed.set(&owner, "boot/config", "{}").await.expect("the owner's");
    bed.set(&owner, "system/secret", "canary")
        .await
        .expect("the owner's");
    assert_eq!(value(&bed, &bob, "boot/config").await, is("{}", 1));
    assert_eq!(
        value(&bed, &owner, "users/bob/apps/files/settings").await,
        is("mine", 1)
    );
    for text in [
        "users/bob/apps/files/settings",
        "users/eve/../bob/apps/files/settings",
        "system/secret",
        "system/missing",
        "devices/one/doc",
    ] {
        assert!(
            matches!(bed.get(&eve, text).await, Err(Error::NoRead { .. })),
            "{text}"
        );
        for denied in [
            bed.set(&eve, text, "x").await,
            bed.create(&eve, text, "x").await,
            bed.append(&eve, text, "x").await,
            bed.delete(&eve, text).await,
        ] {
            assert!(matches!(denied, Err(Error::NoWrite { .. })), "{text}");
        }
    }
    for place in ["", "users", "users/bob", "system", "devices"] {
        assert!(
            matches!(bed.list(&eve, place).await, Err(Error::NoRead { .. })),
            "{place}"
        );
    }
    assert_eq!(
        bed.list(&bob, "users/bob/apps").await.expect("own part"),
        ["files"]
    );
    for own in [
        "users/eve/settings",
        "users/eve/doc",
        "users/eve/key",
        "boot/config",
    ] {
        assert!(
            matches!(bed.set(&eve, own, "x").await, Err(Error::NoWrite { .. })),
            "{own}"
        );
    }
    let refused = "SELECT COUNT(*) FROM audit WHERE outcome = 'refused' AND action LIKE 'tree.%'";
    assert_eq!(bed.count(refused).await, 24, "every refused write leaves its row");
    let done = "SELECT COUNT(*) FROM audit WHERE outcome = 'done' AND action = 'tree.set' AND object = 'boot/config'";
    assert_eq!(bed.count(done).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mount_is_read_and_never_written() {
    let bed = Bed::new().await;
    let owner = bed.owner().await;
    assert_eq!(
        value(&bed, &owner, "devices/one/doc").await,
        is("document of one", 7)
    );
    assert_eq!(value(&bed, &owner, "devices/two/doc").await, None);
    assert_eq!(bed.list(&owner, "devices").await.expect("listed"), Devices::NAMES);
    for denied in [
        bed.set(&owner, "devices/one/doc", "x").await,
        bed.create(&owner, "devices/two/doc", "x").await,
        bed.delete(&owner, "devices/one/doc").await,
    ] {
        assert!(matches!(denied, Err(Error::NoWrite { .. })));
    }
    assert_eq!(bed.count("SELECT COUNT(*) FROM tree").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_and_leave_nothing_behind() {
    let bed = Bed::new().await;
    let owner = bed.owner().await;
    let long = "x".repeat(MOST_VALUE + 1);
    for value in [long.as_str(), "a\0b"] {
        let refused = bed.set(&owner, "t/a", value).await.expect_err("no value");
        assert_eq!(refused.kind(), ErrorKind::Invalid);
    }
    bed.set(&owner, "t/a", &long[1..]).await.expect("just fits");
    let over = bed.append(&owner, "t/a", "x").await.expect_err("one too many");
    assert_eq!(over.kind(), ErrorKind::Invalid);

    let bob = bed.member(&owner, "bob").await;
    let fill = "INSERT INTO tree (key, revision, size, changed_at, value) \
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) \
                SELECT 'users/bob/k' || i, 1, 0, 0, '' FROM n";
    assert_eq!(bed.tamper(fill).await, MOST_OWN_KEYS);
    let full = bed.set(&bob, "users/bob/more", "x").await.expect_err("no room");
    assert_eq!(full.kind(), ErrorKind::Exhausted);
    bed.set(&bob, "users/bob/k1", "changed")
        .await
        .expect("no new key");
    bed.set(&owner, "users/bob/more", "x")
        .await
        .expect("the owner has room");
    bed.tamper("UPDATE tree SET size = 16777216 WHERE key = 'users/bob/k2'")
        .await;
    bed.tamper("DELETE FROM tree WHERE key = 'users/bob/more'").await;
    let full = bed.set(&bob, "users/bob/k1", "x").await.expect_err("no room");
    assert_eq!(full.kind(), ErrorKind::Exhausted);
    assert_eq!(value(&bed, &bob, "users/bob/k1").await, is("changed", 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_ended_writes_nothing() {
    let bed = Bed::new().await;
    let owner = bed.owner().await;
    let bob = bed.member(&owner, "bob").await;
    let permit = bed.permit::<tree::Set>(&bob).await.expect("may write");
    bed.revoke(&owner, "bob").await;
    let late = bed.tree.set(&permit, &key("users/bob/x"), "v").await;
    assert_eq!(
        late.expect_err("the session ended").kind(),
        ErrorKind::Unauthenticated
    );
    assert_eq!(bed.count("SELECT COUNT(*) FROM tree").await, 0);
    assert!(Prefix::parse("users/bob").is_ok());
}
