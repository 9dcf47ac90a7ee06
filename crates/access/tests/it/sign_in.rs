//! Proofs, limits and refresh.

use std::time::Duration;

use access::{Access, Config, Error, NewUser, Proof, session, user};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use model::{ErrorKind, Span};

use crate::bed::{Bed, PASSWORD, Session, alone, at, by_password, peer, refused, secret};

fn key_proof(name: &str, pair: &Ed25519KeyPair, challenge: &[u8]) -> Proof {
    Proof::Key {
        user_name: name.to_owned(),
        challenge: challenge.to_vec(),
        signature: pair.sign(challenge).as_ref().to_vec(),
        public_key: pair.public_key().as_ref().to_vec(),
    }
}

async fn add_key(bed: &Bed, session: &Session, key: &[u8]) -> Result<(), Error> {
    let permit = bed
        .permit::<session::AddKey>(session)
        .await
        .expect("may add a key");
    bed.access.add_key(&permit, key, "laptop").await
}

async fn refuse(access: &Access, proof: Proof) -> ErrorKind {
    refused(access.sign_in(proof, &peer()).await).kind()
}

#[tokio::test]
async fn t01_a_new_password_ends_every_other_session_and_stream() {
    t01_a_new_password_ends_every_other_session_and_stream_on(Bed::new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t01_a_new_password_ends_every_other_session_and_stream_on_postgresql() {
    t01_a_new_password_ends_every_other_session_and_stream_on(Bed::postgres().await).await;
}

async fn t01_a_new_password_ends_every_other_session_and_stream_on(bed: Bed) {
    let ada = bed.owner().await;
    bed.set_password(&ada, PASSWORD).await;
    let (here, there) = (
        bed.session(by_password("ada", PASSWORD)).await,
        bed.session(by_password("ada", PASSWORD)).await,
    );
    let stream = bed
        .access
        .until_revoked(there.actor.user().expect("a user").session);
    let permit = bed.permit::<session::SetPassword>(&here).await.expect("may");
    let wrong = bed
        .access
        .set_password(
            &permit,
            Some(&secret("not the old one")),
            &secret("another password"),
        )
        .await;
    assert_eq!(refused(wrong).kind(), ErrorKind::Denied);
    let none = bed
        .access
        .set_password(&permit, None, &secret("another password"))
        .await;
    assert_eq!(
        refused(none).kind(),
        ErrorKind::Denied,
        "the old password is wanted"
    );
    let set = bed
        .access
        .set_password(&permit, Some(&secret(PASSWORD)), &secret("another password"))
        .await;
    set.expect("is set");
    crate::bed::soon(stream).await;
    assert!(bed.stands(&here).await, "the session that set it goes on");
    assert!(!bed.stands(&there).await && !bed.stands(&ada).await);
    let old_refresh = bed
        .access
        .refresh(secret(there.tokens.refresh_token.expose()), &peer())
        .await;
    assert_eq!(refused(old_refresh).kind(), ErrorKind::Unauthenticated);
    assert_eq!(
        refuse(&bed.access, by_password("ada", PASSWORD)).await,
        ErrorKind::Unauthenticated
    );
    bed.session(by_password("ada", "another password")).await;
}

#[tokio::test]
async fn t01_all_sessions_of_a_user_end_together() {
    let bed = Bed::new().await;
    let ada = bed.owner().await;
    let bob = bed.user(&ada, "bob", "member").await;
    bed.set_password(&bob, PASSWORD).await;
    let second = bed.session(by_password("bob", PASSWORD)).await;
    let permit = bed.permit::<user::Revoke>(&ada).await.expect("may");
    assert_eq!(
        bed.access
            .revoke_sessions(&permit, "bob")
            .await
            .expect("ends them"),
        2
    );
    assert!(!bed.stands(&bob).await && !bed.stands(&second).await && bed.stands(&ada).await);
    assert_eq!(
        refused(bed.access.revoke_sessions(&permit, "eve").await).kind(),
        ErrorKind::NotFound
    );
}

#[tokio::test]
async fn t02_a_refresh_token_used_twice_ends_the_session_of_both_and_is_audited() {
    let bed = Bed::new().await;
    let ada = bed.owner().await;
    let first = ada.tokens.refresh_token.expose().to_owned();
    let turned = bed.access.refresh(secret(&first), &peer()).await;
    let Ok(turned) = turned else {
        panic!("the first use is good")
    };
    let turned = bed.carry(turned).await;
    assert_eq!(
        turned.actor.user().expect("a user").session,
        ada.actor.user().expect("a user").session,
        "the session goes on"
    );
    assert!(bed.stands(&ada).await, "an access token outlives a refresh");
    assert_eq!(
        refused(bed.access.refresh(secret(&first), &peer()).await).kind(),
        ErrorKind::Unauthenticated
    );
    assert!(
        !bed.stands(&turned).await && !bed.stands(&ada).await,
        "both are signed out"
    );
    let newest = bed
        .access
        .refresh(secret(turned.tokens.refresh_token.expose()), &peer())
        .await;
    assert_eq!(refused(newest).kind(), ErrorKind::Unauthenticated);
    let rows = "SELECT COUNT(*) FROM audit WHERE action = 'session.refresh' AND outcome = 'refused' \
                AND reason = 'refresh token used twice' AND actor_name = 'ada'";
    assert_eq!(bed.count(rows).await, 1);
}

#[tokio::test]
async fn t02_a_refresh_token_used_in_parallel_is_good_once_and_ends_the_session() {
    t02_a_refresh_token_used_in_parallel_is_good_once_and_ends_the_session_on(Bed::new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t02_a_refresh_token_used_in_parallel_is_good_once_and_ends_the_session_on_postgresql() {
    t02_a_refresh_token_used_in_parallel_is_good_once_and_ends_the_session_on(Bed::postgres().await).await;
}

async fn t02_a_refresh_token_used_in_parallel_is_good_once_and_ends_the_session_on(bed: Bed) {
    let ada = bed.owner().await;
    let token = ada.tokens.refresh_token.expose();
    let (from, access) = (peer(), &bed.access);
    let tries = (0..8).map(|_| access.refresh(secret(token), &from));
    let answers = futures_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(!bed.stands(&ada).await);
}

/// Waits for all, polled together.
async fn futures_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = waiting.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, slot) in waiting.iter_mut().zip(&mut done) {
            if slot.is_none()
                && let std::task::Poll::Ready(answer) = future.as_mut().poll(context)
            {
                *slot = Some(answer);
            }
        }
        if done.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[tokio::test]
async fn a_session_ends_unused_after_its_refresh_life_and_used_after_its_own() {
    let day = Span::from_secs(86_400);
    let bed = Bed::new().await;
    let begun = bed.clock.now();
    let ada = bed.owner().await;
    bed.clock.advance(Span::from_secs(15 * 60));
    assert!(!bed.stands(&ada).await, "the access token has ended");
    let mut latest = ada;
    for _ in 0..5 {
        (0..6).for_each(|_| bed.clock.advance(day));
        let turned = bed
            .access
            .refresh(secret(latest.tokens.refresh_token.expose()), &peer())
            .await;
        let Ok(turned) = turned else { break };
        latest = bed.carry(turned).await;
    }
    assert_eq!(
        latest.tokens.refresh_expires_at,
        begun + Span::from_secs(30 * 86_400)
    );
    bed.clock.advance(day);
    let late = bed
        .access
        .refresh(secret(latest.tokens.refresh_token.expose()), &peer())
        .await;
    assert_eq!(refused(late).kind(), ErrorKind::Unauthenticated);
}

#[tokio::test]
async fn a_sign_in_code_is_good_once_even_in_parallel_and_for_fifteen_minutes() {
    a_sign_in_code_is_good_once_even_in_parallel_and_for_fifteen_minutes_on(Bed::new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_code_is_good_once_even_in_parallel_and_for_fifteen_minutes_on_postgresql() {
    a_sign_in_code_is_good_once_even_in_parallel_and_for_fifteen_minutes_on(Bed::postgres().await).await;
}

async fn a_sign_in_code_is_good_once_even_in_parallel_and_for_fifteen_minutes_on(bed: Bed) {
    let ada = bed.owner().await;
    let permit = bed.permit::<user::Code>(&ada).await.expect("may");
    let code = bed
        .access
        .create_sign_in_code(&permit, "ada")
        .await
        .expect("is given");
    let (from, access) = (peer(), &bed.access);
    let answers =
        futures_all((0..8).map(|_| access.sign_in(Proof::LinkCode(secret(code.expose())), &from))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    let late = bed
        .access
        .create_sign_in_code(&permit, "ada")
        .await
        .expect("is given");
    bed.clock.advance(Span::from_secs(15 * 60));
    assert_eq!(
        refuse(&bed.access, Proof::LinkCode(late)).await,
        ErrorKind::Unauthenticated
    );
}

#[tokio::test]
async fn t05_every_bad_proof_answers_the_same_text() {
    let bed = Bed::new().await;
    let ada = bed.owner().await;
    bed.set_password(&ada, PASSWORD).await;
    bed.user(&ada, "bob", "member").await;
    let pair = Ed25519KeyPair::generate().expect("a key");
    let challenge = bed.access.challenge("ada").expect("a challenge");
    let mut proofs: Vec<Proof> = ["ada", "bob", "nobody-here", "kernel"]
        .map(|name| by_password(name, "wrong password"))
        .into();
    proofs.extend(["ada", "nobody-here"].map(|name| key_proof(name, &pair, &challenge)));
    proofs.push(Proof::LinkCode(secret("no such code")));
    let mut texts = Vec::new();
    for proof in proofs {
        let error = refused(bed.access.sign_in(proof, &peer()).await);
        texts.push((error.kind(), error.to_string()));
    }
    texts.dedup();
    assert_eq!(
        texts,
        [(
            ErrorKind::Unauthenticated,
            "sign in: the proof is not good".to_owned()
        )]
    );
}

#[test]
fn t05_unknown_names_cost_as_much_as_known_ones() {
    alone("sign_in::t05_unknown_names_cost_as_much_as_known_ones", async {
        let bed = Bed::new().await;
        let ada = bed.owner().await;
        bed.set_password(&ada, PASSWORD).await;
        bed.user(&ada, "bob", "member").await;
        let mut costs = Vec::new();
        for name in ["ada", "bob", "nobody-here"] {
            let before = processor_ticks();
            for n in 0..12 {
                let from = at(&format!("198.51.100.{n}"));
                refused(
                    bed.access
                        .sign_in(by_password(name, "wrong password"), &from)
                        .await,
                );
            }
            costs.push(processor_ticks() - before);
        }
        // Processor time, not time on the wall, so that a busy machine changes nothing. Twelve hashes are some
        // thirty ticks; without them there would be one or two.
        let (least, most) = (
            costs.iter().min().expect("three"),
            costs.iter().max().expect("three"),
        );
        assert!(least * 2 > *most && *least > 8, "{costs:?}");
    });
}

/// Processor time of this process in hundredths of a second: fields 14 and 15 of proc_pid_stat(5).
fn processor_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux tells");
    let after_name = stat.rsplit_once(") ").expect("a name").1;
    after_name
        .split(' ')
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().expect("a number"))
        .sum()
}

#[tokio::test]
async fn t06_a_million_bytes_in_any_field_are_invalid_at_once() {
    let bed = Bed::new().await;
    let ada = bed.owner().await;
    let (text, bytes) = ("a".repeat(1_000_000), vec![7; 1_000_000]);
    let key = |user_name: &str, challenge: &[u8], signature: &[u8], public_key: &[u8]| Proof::Key {
        user_name: user_name.to_owned(),
        challenge: challenge.to_vec(),
        signature: signature.to_vec(),
        public_key: public_key.to_vec(),
    };
    let (c, s, k) = ([1_u8; 10], [1_u8; 64], [1_u8; 32]);
    let proofs = [
        by_password(&text, PASSWORD),
        by_password("ada", &text),
        key(&text, &c, &s, &k),
        key("ada", &bytes, &s, &k),
        key("ada", &c, &bytes, &k),
        key("ada", &c, &s, &bytes),
        Proof::LinkCode(secret(&text)),
    ];
    let begun = bed.clock.monotonic();
    for proof in proofs {
        let error = refused(bed.access.sign_in(proof, &peer()).await);
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().len() < 256, "{error}");
    }
    assert_eq!(
        refused(bed.access.refresh(secret(&text), &peer()).await).kind(),
        ErrorKind::Invalid
    );
    assert_eq!(refused(bed.access.challenge(&text)).kind(), ErrorKind::Invalid);
    let credential = access::Credential::Bearer(secret(&text));
    assert_eq!(
        refused(bed.access.authenticate(credential, &peer()).await).kind(),
        ErrorKind::Invalid
    );
    let permit = bed.permit::<user::Create>(&ada).await.expect("may");
    let wanted = NewUser {
        name: text.clone(),
        role: text.clone(),
        unix_name: text.clone(),
    };
    let error = refused(bed.access.create_user(&permit, &wanted).await);
    let Error::Invalid(faults) = error else {
        panic!("{error}")
    };
    let fields: Vec<_> = faults.0.iter().map(|fault| fault.field).collect();
    assert_eq!(fields, ["user_name", "role", "unix_name"], "all faults at once");
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "nothing was hashed or stored"
    );
}

#[test]
fn t07_a_crowd_at_the_door_is_hashed_two_at_a_time() {
    alone(
        "sign_in::t07_a_crowd_at_the_door_is_hashed_two_at_a_time",
        crowd(),
    );
}

async fn crowd() {
    let bed = Bed::new().await;
    let ada = bed.owner().await;
    bed.set_password(&ada, PASSWORD).await;
    let before = resident_kib();
    let (from, access) = (at("198.51.100.9"), &bed.access);
    let crowd =
        futures_all((0..120).map(|n| access.sign_in(by_password(&format!("u{n}"), "wrong password"), &from)));
    tokio::pin!(crowd);
    let (mut most, mut answered) = (before, 0);
    let answers = loop {
        tokio::select! {
            answers = &mut crowd => break answers,
            // may sleep: memory is measured every 20 ms while the crowd signs in
            () = tokio::time::sleep(Duration::from_millis(20)) => {
                most = most.max(resident_kib());
                assert!(bed.stands(&ada).await, "other calls are answered meanwhile");
                answered += 1;
            }
        }
    };
    assert!(answers.iter().all(Result::is_err) && answered > 0);
    // Two hashes take 38 MiB; 120 would take 2,280.
    assert!(most - before < 120 * 1024, "{before} KiB grew to {most} KiB");
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .expect("a line");
    line.trim()
        .trim_end_matches("kB")
        .trim()
        .parse()
        .expect("a number")
}

#[tokio::test]
async fn t08_guessing_closes_the_name_for_the_guesser_only() {
    let bed = Bed::new().await;
    let ada = bed.owner().await;
    bed.set_password(&ada, PASSWORD).await;
    let (guesser, home) = (at("203.0.113.66"), at("203.0.113.5"));
    let mut kinds = Vec::new();
    for _ in 0..8 {
        kinds.push(
            refused(
                bed.access
                    .sign_in(by_password("Ada", "wrong password"), &guesser)
                    .await,
            )
            .kind(),
        );
    }
    assert_eq!(kinds.last(), Some(&ErrorKind::Exhausted), "{kinds:?}");
    let right = bed.access.sign_in(by_password("ada", PASSWORD), &guesser).await;
    assert_eq!(
        refused(right).kind(),
        ErrorKind::Exhausted,
        "even the right password, from there"
    );
    assert!(
        bed.access
            .sign_in(by_password("ada", PASSWORD), &home)
            .await
            .is_ok(),
        "the owner comes in from home"
    );
    let permit = bed.permit::<user::Code>(&ada).await.expect("may");
    let code = bed
        .access
        .create_sign_in_code(&permit, "ada")
        .await
        .expect("is given");
    assert!(
        bed.access.sign_in(Proof::LinkCode(code), &guesser).await.is_ok(),
        "codes are not guessed, so not closed"
    );
    bed.clock.advance(Span::from_secs(16 * 60));
    assert!(
        bed.access
            .sign_in(by_password("ada", PASSWORD), &guesser)
            .await
            .is_ok(),
        "the wait ends"
    );
}

#[tokio::test]
async fn t14_a_key_signs_in_with_a_fresh_challenge_of_this_zone_once() {
    let (bed, other) = (Bed::new().await, Bed::new().await);
    let ada = bed.owner().await;
    let pair = Ed25519KeyPair::generate().expect("a key");
    add_key(&bed, &ada, pair.public_key().as_ref())
        .await
        .expect("is added");
    let again = add_key(&bed, &ada, pair.public_key().as_ref()).await;
    assert_eq!(refused(again).kind(), ErrorKind::Exists);

    let challenge = bed.access.challenge("ada").expect("a challenge");
    let text = String::from_utf8(challenge.clone()).expect("readable");
    assert!(
        text.contains(bed.access.zone().zone_id()) && text.contains("user: ada\n"),
        "{text}"
    );
    bed.session(key_proof("ada", &pair, &challenge)).await;
    let replayed = key_proof("ada", &pair, &challenge);
    assert_eq!(
        refuse(&bed.access, replayed).await,
        ErrorKind::Unauthenticated,
        "answered before"
    );

    let foreign = other.access.challenge("ada").expect("a challenge");
    let someone = bed.access.challenge("bob").expect("unknown names get one too");
    let late = bed.access.challenge("ada").expect("a challenge");
    let mut longer = late.clone();
    longer.extend_from_slice(b"\n");
    for (why, challenge) in [
        ("other zone", &foreign),
        ("other user", &someone),
        ("changed", &longer),
    ] {
        let kind = refuse(&bed.access, key_proof("ada", &pair, challenge)).await;
        assert_eq!(kind, ErrorKind::Unauthenticated, "{why}");
    }
    let stranger = Ed25519KeyPair::generate().expect("a key");
    assert_eq!(
        refuse(&bed.access, key_proof("ada", &stranger, &late)).await,
        ErrorKind::Unauthenticated
    );
    bed.clock.advance(Span::from_secs(60));
    assert_eq!(
        refuse(&bed.access, key_proof("ada", &pair, &late)).await,
        ErrorKind::Unauthenticated,
        "60 s old"
    );
}

#[tokio::test]
async fn t14_the_key_of_one_user_does_not_sign_in_another() {
    t14_the_key_of_one_user_does_not_sign_in_another_on(Bed::new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t14_the_key_of_one_user_does_not_sign_in_another_on_postgresql() {
    t14_the_key_of_one_user_does_not_sign_in_another_on(Bed::postgres().await).await;
}

async fn t14_the_key_of_one_user_does_not_sign_in_another_on(bed: Bed) {
    let ada = bed.owner().await;
    let bob = bed.user(&ada, "bob", "member").await;
    let pair = Ed25519KeyPair::generate().expect("a key");
    add_key(&bed, &bob, pair.public_key().as_ref())
        .await
        .expect("is added");
    let challenge = bed.access.challenge("ada").expect("a challenge");
    assert_eq!(
        refuse(&bed.access, key_proof("ada", &pair, &challenge)).await,
        ErrorKind::Unauthenticated
    );
    assert_eq!(
        refused(add_key(&bed, &ada, pair.public_key().as_ref()).await).kind(),
        ErrorKind::Exists
    );
}

#[tokio::test]
async fn t14_small_order_and_non_canonical_keys_cannot_be_added() {
    let bed = Bed::new().await;
    let ada = bed.owner().await;
    let mut identity = [0; 32];
    identity[0] = 1;
    let non_canonical = [0xff; 32];
    for key in [&[0; 32][..], &identity, &non_canonical, &[1; 31], &[]] {
        assert_eq!(refused(add_key(&bed, &ada, key).await).kind(), ErrorKind::Invalid);
    }
}

#[tokio::test]
async fn t08_a_crowd_at_one_address_keeps_nobody_out_who_holds_a_key_a_code_or_a_token() {
    let bed = Bed::with(Config {
        sign_ins_per_minute: 3,
        ..Config::default()
    })
    .await;
    let ada = bed.owner().await;
    let pair = Ed25519KeyPair::generate().expect("a key");
    add_key(&bed, &ada, pair.public_key().as_ref())
        .await
        .expect("is added");
    let stranger = Ed25519KeyPair::generate().expect("a key");
    for n in 0..6 {
        let challenge = bed.access.challenge("ada").expect("is given to everybody");
        let proof = match n % 3 {
            0 => key_proof("ada", &stranger, &challenge),
            1 => Proof::LinkCode(secret("no such code")),
            _ => by_password("ada", "wrong password"),
        };
        refused(bed.access.sign_in(proof, &peer()).await);
    }
    assert_eq!(
        refuse(&bed.access, by_password("ada", PASSWORD)).await,
        ErrorKind::Exhausted
    );
    let challenge = bed.access.challenge("ada").expect("is given");
    bed.session(key_proof("ada", &pair, &challenge)).await;
    let permit = bed.permit::<user::Code>(&ada).await.expect("may");
    let code = bed
        .access
        .create_sign_in_code(&permit, "ada")
        .await
        .expect("is given");
    bed.session(Proof::LinkCode(code)).await;
    assert!(
        bed.access
            .refresh(secret(ada.tokens.refresh_token.expose()), &peer())
            .await
            .is_ok()
    );
    let rows = "SELECT COUNT(*) FROM audit WHERE action = 'session.sign_in' AND outcome = 'refused'";
    assert_eq!(
        bed.count(rows).await,
        3,
        "what is beyond the limit is counted, not written row by row"
    );
}
