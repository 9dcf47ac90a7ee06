//! The audit trail: what it holds, how soon it is sealed, and that tampering is found and named.

use access::{
    Permit, Proof,
    audit::{self, Breach, Read, Verdict},
    user,
};
use model::Span;

use crate::bed::{Bed, Session, bearer, by_password, eventually, peer, refused, secret};

/// Ten audited deeds, all sealed.
async fn ten_deeds(bed: &Bed) -> (Session, Permit<Read>) {
    let ada = bed.owner().await;
    let permit = bed.permit::<user::Create>(&ada).await.expect("may");
    for _ in 0..8 {
        permit
            .write::<_, access::Error, _>(&bed.store, |_write| Ok(()))
            .await
            .expect("is done");
    }
    sealed(bed).await;
    assert_eq!(bed.count("SELECT MAX(seq) FROM audit").await, 10);
    let read = bed.permit::<Read>(&ada).await.expect("may");
    assert_eq!(
        bed.access.verify_audit(&read).await.expect("is looked over"),
        Verdict::Whole { rows: 10 }
    );
    (ada, read)
}

async fn sealed(bed: &Bed) {
    eventually(|| async {
        (bed.count("SELECT COUNT(*) FROM audit WHERE seq IS NULL").await == 0).then_some(())
    })
    .await;
}

async fn verdict(bed: &Bed, read: &Permit<Read>) -> Verdict {
    bed.access.verify_audit(read).await.expect("is looked over")
}

#[tokio::test]
async fn rows_are_sealed_within_a_second() {
    let bed = Bed::new().await;
    bed.owner().await;
    let begun = bed.clock.monotonic();
    sealed(&bed).await;
    assert!(
        begun.elapsed() < std::time::Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn u02_a_changed_field_is_named() {
    let changes = [
        "UPDATE audit SET object = object || ' ' WHERE seq = 4",
        "UPDATE audit SET done_at = done_at + 1 WHERE seq = 4",
        "UPDATE audit SET actor_name = 'eve' WHERE seq = 4",
        "UPDATE audit SET outcome = 'refused' WHERE seq = 4",
        "UPDATE audit SET hash = '0' || substr(hash, 2) WHERE seq = 4 AND hash NOT LIKE '0%'",
    ];
    let bed = Bed::new().await;
    let (_, read) = ten_deeds(&bed).await;
    bed.tamper("CREATE TABLE kept AS SELECT * FROM audit").await;
    for change in changes {
        if bed.tamper(change).await == 1 {
            assert_eq!(
                verdict(&bed, &read).await,
                Verdict::Broken(Breach::Changed { seq: 4 }),
                "{change}"
            );
        }
        bed.tamper("DELETE FROM audit").await;
        bed.tamper("INSERT INTO audit SELECT * FROM kept").await;
    }
    assert_eq!(verdict(&bed, &read).await, Verdict::Whole { rows: 10 });
}

#[tokio::test]
async fn u02_a_dropped_row_is_named() {
    u02_a_dropped_row_is_named_on(Bed::new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u02_a_dropped_row_is_named_on_postgresql() {
    u02_a_dropped_row_is_named_on(Bed::postgres().await).await;
}

async fn u02_a_dropped_row_is_named_on(bed: Bed) {
    let (_, read) = ten_deeds(&bed).await;
    bed.tamper("DELETE FROM audit WHERE seq = 6").await;
    assert_eq!(
        verdict(&bed, &read).await,
        Verdict::Broken(Breach::Missing { seq: 6 })
    );
    bed.tamper("UPDATE audit SET seq = seq - 1 WHERE seq = 7").await;
    assert_eq!(
        verdict(&bed, &read).await,
        Verdict::Broken(Breach::Changed { seq: 6 }),
        "moved up to hide it"
    );
}

#[tokio::test]
async fn u02_rows_that_changed_places_are_named() {
    let bed = Bed::new().await;
    let (_, read) = ten_deeds(&bed).await;
    bed.tamper("UPDATE audit SET seq = 100 WHERE seq = 3").await;
    bed.tamper("UPDATE audit SET seq = 3 WHERE seq = 5").await;
    bed.tamper("UPDATE audit SET seq = 5 WHERE seq = 100").await;
    assert_eq!(
        verdict(&bed, &read).await,
        Verdict::Broken(Breach::Changed { seq: 3 })
    );
}

#[tokio::test]
async fn u02_a_cut_tail_is_named() {
    u02_a_cut_tail_is_named_on(Bed::new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn u02_a_cut_tail_is_named_on_postgresql() {
    u02_a_cut_tail_is_named_on(Bed::postgres().await).await;
}

async fn u02_a_cut_tail_is_named_on(bed: Bed) {
    let (_, read) = ten_deeds(&bed).await;
    bed.tamper("DELETE FROM audit WHERE seq > 7").await;
    assert_eq!(
        verdict(&bed, &read).await,
        Verdict::Broken(Breach::Cut { seq: 8, head: 10 })
    );
    bed.tamper("DELETE FROM audit WHERE seq IS NOT NULL").await;
    assert_eq!(
        verdict(&bed, &read).await,
        Verdict::Broken(Breach::Cut { seq: 1, head: 10 })
    );
}

#[tokio::test]
async fn u02_a_changed_or_lost_head_is_found() {
    let bed = Bed::new().await;
    let (_, read) = ten_deeds(&bed).await;
    bed.tamper("UPDATE sealed SET box = substr(box, 2) || substr(box, 1, 1) WHERE name = 'audit/head'")
        .await;
    assert_eq!(
        verdict(&bed, &read).await,
        Verdict::Broken(Breach::Rewritten { head: 0 })
    );
    bed.tamper("DELETE FROM sealed WHERE name = 'audit/head'").await;
    assert_eq!(
        verdict(&bed, &read).await,
        Verdict::Broken(Breach::Rewritten { head: 0 })
    );
}

#[tokio::test]
async fn the_chain_goes_on_over_a_restart() {
    the_chain_goes_on_over_a_restart_on(Bed::new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_chain_goes_on_over_a_restart_on_postgresql() {
    the_chain_goes_on_over_a_restart_on(Bed::postgres().await).await;
}

async fn the_chain_goes_on_over_a_restart_on(bed: Bed) {
    let (ada, _) = ten_deeds(&bed).await;
    let bed = bed.restarted(|_| {}).await.expect("it starts again");
    let permit = bed.permit::<user::Create>(&ada).await.expect("may");
    permit
        .write::<_, access::Error, _>(&bed.store, |_write| Ok(()))
        .await
        .expect("is done");
    sealed(&bed).await;
    let read = bed.permit::<Read>(&ada).await.expect("may");
    assert_eq!(verdict(&bed, &read).await, Verdict::Whole { rows: 11 });
    let rows = audit::list(&read, &bed.store, Some(11), 3).await.expect("rows");
    assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [10, 9, 8]);
}

#[tokio::test]
async fn sign_ins_good_and_bad_have_rows_and_a_name_nobody_has_is_not_kept() {
    let bed = Bed::new().await;
    let ada = bed.owner().await;
    bed.set_password(&ada, "a good password").await;
    for name in ["ada", "my-secret-password"] {
        refused(
            bed.access
                .sign_in(by_password(name, "wrong password"), &peer())
                .await,
        );
    }
    refused(
        bed.access
            .sign_in(Proof::LinkCode(secret("no such code")), &peer())
            .await,
    );
    let good = "SELECT COUNT(*) FROM audit WHERE action = 'session.sign_in' AND outcome = 'done' AND actor_name = 'ada'";
    assert_eq!(bed.count(good).await, 1);
    let bad = "SELECT COUNT(*) FROM audit WHERE action = 'session.sign_in' AND outcome = 'refused'";
    assert_eq!(bed.count(bad).await, 3);
    let told = "SELECT COUNT(*) FROM audit WHERE outcome = 'refused' AND object = 'ada'";
    assert_eq!(bed.count(told).await, 1);
    let leaked = "SELECT COUNT(*) FROM audit WHERE object LIKE '%secret%' OR actor_name LIKE '%secret%'";
    assert_eq!(bed.count(leaked).await, 0);
}

#[tokio::test]
async fn refusals_of_unknown_callers_are_counted_by_address_and_minute() {
    let bed = Bed::new().await;
    let ada = bed.owner().await;
    for _ in 0..40 {
        let nonsense = bed
            .access
            .authenticate(access::Credential::Bearer(secret("nonsense")), &peer())
            .await;
        refused(nonsense);
    }
    let nothing: access::Error = bed.access.refuse(&peer());
    assert_eq!(nothing.kind(), model::ErrorKind::Unauthenticated);
    assert_eq!(
        bed.count("SELECT COUNT(*) FROM audit WHERE outcome = 'refused'")
            .await,
        0,
        "no row per try"
    );
    bed.clock.advance(Span::from_secs(60));
    assert!(
        bed.access
            .authenticate(bearer(&ada.tokens.access_token), &peer())
            .await
            .is_ok()
    );
    bed.session(Proof::LinkCode({
        let permit = bed.permit::<user::Code>(&ada).await.expect("may");
        bed.access
            .create_sign_in_code(&permit, "ada")
            .await
            .expect("a code")
    }))
    .await;
    let counted = "SELECT COUNT(*) FROM audit WHERE action = 'session.authenticate' AND times = 41 \
                   AND address = '192.0.2.7' AND actor_kind = 'anonymous'";
    eventually(|| async { (bed.count(counted).await == 1).then_some(()) }).await;
}
