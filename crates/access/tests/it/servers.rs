//! Two servers of one zone on one PostgreSQL database: what one does counts at the other at once.

use access::{
    audit::{Read, Verdict},
    session, user,
};
use model::ErrorKind;

use crate::bed::{Bed, bearer, eventually, peer, refused, secret, soon};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_opened_on_one_server_stands_and_ends_on_both() {
    let here = Bed::postgres().await;
    let there = here.beside().await;
    let ada = here.owner().await;
    assert!(there.stands(&ada).await);
    let stream = there
        .access
        .until_revoked(ada.actor.user().expect("a user").session);
    let permit = here.permit::<session::SignOut>(&ada).await.expect("may");
    here.access.sign_out(&permit).await.expect("signs out");
    assert!(!there.stands(&ada).await, "from the next call on");
    soon(stream).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_token_shown_to_both_servers_is_good_at_one() {
    let here = Bed::postgres().await;
    let there = here.beside().await;
    let ada = here.owner().await;
    let (token, from) = (ada.tokens.refresh_token.expose(), peer());
    let (one, two) = tokio::join!(
        here.access.refresh(secret(token), &from),
        there.access.refresh(secret(token), &from)
    );
    assert!(one.is_ok() != two.is_ok());
    assert!(!here.stands(&ada).await && !there.stands(&ada).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t15_a_new_token_key_of_one_server_is_known_to_the_other_at_once() {
    let here = Bed::postgres().await;
    let there = here.beside().await;
    let ada = here.owner().await;
    here.access.rotate_token_key().await.expect("a new key signs");
    let turned = here
        .access
        .refresh(secret(ada.tokens.refresh_token.expose()), &peer())
        .await;
    let Ok(turned) = turned else {
        panic!("is refreshed")
    };
    let known = there
        .access
        .authenticate(bearer(&turned.access_token), &peer())
        .await;
    assert!(known.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z06_a_right_taken_on_one_server_is_gone_on_the_other() {
    let here = Bed::postgres().await;
    let there = here.beside().await;
    let ada = here.owner().await;
    let amy = here.user(&ada, "amy", "admin").await;
    let held = there.permit::<user::Create>(&amy).await.expect("may, now");
    here.tamper("DELETE FROM grants WHERE role = 'admin'").await;
    let written = held
        .write::<(), access::Error, _>(&there.store, |_write| panic!("never runs"))
        .await;
    assert_eq!(refused(written).kind(), ErrorKind::Denied);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_two_servers_make_one_chain() {
    let here = Bed::postgres().await;
    let there = here.beside().await;
    let ada = here.owner().await;
    for _ in 0..10 {
        for bed in [&here, &there] {
            let permit = bed.permit::<user::Create>(&ada).await.expect("may");
            permit
                .write::<_, access::Error, _>(&bed.store, |_write| Ok(()))
                .await
                .expect("is done");
        }
    }
    let all =
        || async { (here.count("SELECT COUNT(*) FROM audit WHERE seq IS NULL").await == 0).then_some(()) };
    eventually(all).await;
    let read = here.permit::<Read>(&ada).await.expect("may");
    assert_eq!(
        here.access.verify_audit(&read).await.expect("is looked over"),
        Verdict::Whole { rows: 22 }
    );
}
