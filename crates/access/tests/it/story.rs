//! The whole way once: a zone, its owner, a session, a permit, an audited write; and again after a restart.

use access::{Proof, Scope, audit, session, user, zone};
use store::params;

use crate::bed::{Bed, PASSWORD, by_password, eventually, peer, refused};

#[tokio::test]
async fn from_the_first_code_to_an_audited_write() {
    from_the_first_code_to_an_audited_write_on(Bed::new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_first_code_to_an_audited_write_on_postgresql() {
    from_the_first_code_to_an_audited_write_on(Bed::postgres().await).await;
}

async fn from_the_first_code_to_an_audited_write_on(bed: Bed) {
    let ada = bed.owner().await;
    assert_eq!(ada.tokens.identity.user_name.as_str(), "ada");
    assert_eq!(ada.tokens.identity.roles, ["owner"]);

    let permit = bed.permit::<user::Create>(&ada).await.expect("the owner may");
    let written = permit
        .write::<_, access::Error, _>(&bed.store, |write| {
            write.about("a thing");
            write.execute(
                "INSERT INTO hosts (label, kind, id) VALUES (?1, 'test', '1')",
                params!["here"],
            )?;
            Ok(write.covers(&Scope::Zone))
        })
        .await;
    assert!(written.expect("the work is done"));
    let rows = "SELECT COUNT(*) FROM audit WHERE action = 'user.create' AND object = 'a thing' AND outcome = 'done' \
                AND actor_name = 'ada' AND request = 'r-1' AND address = '192.0.2.7'";
    assert_eq!(bed.count(rows).await, 1);

    let read = bed.permit::<audit::Read>(&ada).await.expect("the owner may");
    let row = eventually(|| async {
        let rows = audit::list(&read, &bed.store, None, 10)
            .await
            .expect("rows are read");
        rows.into_iter().find(|row| row.object == "a thing")
    })
    .await;
    assert_eq!((row.action.as_str(), row.hash.len()), ("user.create", 64));
}

#[tokio::test]
async fn work_that_fails_leaves_neither_rows_nor_audit() {
    let bed = Bed::new().await;
    let ada = bed.owner().await;
    let permit = bed.permit::<user::Create>(&ada).await.expect("the owner may");
    let written = permit
        .write::<(), access::Error, _>(&bed.store, |write| {
            write.execute(
                "INSERT INTO hosts (label, kind, id) VALUES ('x', 'test', '1')",
                &[],
            )?;
            Err(access::Error::NotFound {
                what: "luck".to_owned(),
            })
        })
        .await;
    assert_eq!(refused(written).kind(), model::ErrorKind::NotFound);
    assert_eq!(bed.count("SELECT COUNT(*) FROM hosts").await, 0);
    assert_eq!(
        bed.count("SELECT COUNT(*) FROM audit WHERE action = 'user.create'")
            .await,
        0
    );
}

#[tokio::test]
async fn a_second_start_finds_zone_users_sessions_and_passwords() {
    a_second_start_finds_zone_users_sessions_and_passwords_on(Bed::new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_start_finds_zone_users_sessions_and_passwords_on_postgresql() {
    a_second_start_finds_zone_users_sessions_and_passwords_on(Bed::postgres().await).await;
}

async fn a_second_start_finds_zone_users_sessions_and_passwords_on(bed: Bed) {
    let ada = bed.owner().await;
    bed.set_password(&ada, PASSWORD).await;
    let (zone_id, ca) = (
        bed.access.zone().zone_id().to_owned(),
        bed.access.zone().ca_pem().to_owned(),
    );
    let bed = bed.restarted(|_| {}).await.expect("it starts again");
    assert_eq!(
        (bed.access.zone().zone_id(), bed.access.zone().ca_pem()),
        (zone_id.as_str(), ca.as_str())
    );
    assert!(bed.stands(&ada).await, "the session goes on");
    assert!(
        bed.access.first_owner("ada").await.expect("asked").is_none(),
        "there is an owner with a password"
    );
    bed.session(by_password("ada", PASSWORD)).await;
}

#[tokio::test]
async fn an_owner_who_never_came_in_gets_a_fresh_code_at_the_next_start() {
    let bed = Bed::new().await;
    let first = bed
        .access
        .first_owner("ada")
        .await
        .expect("made")
        .expect("a code");
    let bed = bed.restarted(|_| {}).await.expect("it starts again");
    let second = bed
        .access
        .first_owner("ada")
        .await
        .expect("asked")
        .expect("a fresh code");
    let old = bed.access.sign_in(Proof::LinkCode(first), &peer()).await;
    assert_eq!(refused(old).kind(), model::ErrorKind::Unauthenticated);
    bed.session(Proof::LinkCode(second)).await;
    assert!(
        bed.access.first_owner("ada").await.expect("asked").is_none(),
        "the owner is in"
    );
}

#[tokio::test]
async fn a_user_learns_who_they_are_and_signs_out_of_every_open_stream() {
    let bed = Bed::new().await;
    let ada = bed.owner().await;
    let permit = bed.permit::<session::WhoAmI>(&ada).await.expect("may ask");
    let identity = bed.access.who_am_i(&permit).await.expect("is told");
    assert_eq!(identity, ada.tokens.identity);
    bed.permit::<zone::Status>(&ada).await.expect("may ask");
    assert_eq!(
        bed.access.reads().get("session.who_am_i"),
        Some(&1),
        "reads are counted"
    );

    let stream = bed
        .access
        .until_revoked(ada.actor.user().expect("a user").session);
    tokio::pin!(stream);
    let early = tokio::time::timeout(std::time::Duration::from_millis(50), &mut stream).await;
    assert!(early.is_err(), "the stream is open");
    let out = bed.permit::<session::SignOut>(&ada).await.expect("may sign out");
    bed.access.sign_out(&out).await.expect("signs out");
    crate::bed::soon(stream).await;
    assert!(!bed.stands(&ada).await);
    let again = bed.permit::<session::WhoAmI>(&ada).await;
    assert_eq!(refused(again).kind(), model::ErrorKind::Unauthenticated);
    assert_eq!(
        refused(bed.access.sign_out(&out).await).kind(),
        model::ErrorKind::Unauthenticated
    );
}
