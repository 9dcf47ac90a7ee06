//! The promises about joining, by their ids, kept in LiteKube's words.

use std::time::Duration;

use futures::future::join_all;
use model::Span;
use tonic::Code;
use wire::pb;

use crate::bed::{Zone, address, bootstrap_token, get_token, holder, state, unregister};

const REFUSALS: &str = "SELECT COUNT(*) FROM audit WHERE outcome = 'refused'";

#[tokio::test]
async fn j01_two_hundred_registrations_with_one_bootstrap_token_make_one_node() {
    let zone = Zone::new().await;
    let token = bootstrap_token(&mut zone.as_admin().await, 10).await;
    let bootstrap = zone.bootstrap().await;
    let tries = (0..200).map(|_| {
        let (mut bootstrap, token) = (bootstrap.clone(), token.clone());
        async move { get_token(&mut bootstrap, &token).await }
    });
    let answers = join_all(tries).await;
    let won = answers.iter().filter(|answer| answer.code == "200").count();
    assert_eq!(won, 1);
    for lost in answers.iter().filter(|answer| answer.code != "200") {
        assert_eq!(
            (lost.code.as_str(), lost.message.as_str()),
            ("400", "fail to find such item")
        );
        assert_eq!((lost.token.as_str(), lost.grpc_client_cert.as_str()), ("", ""));
    }
    assert_eq!(zone.count("SELECT COUNT(*) FROM nodes").await, 1);
    assert_eq!(zone.count("SELECT COUNT(*) FROM node_addresses").await, 1);
    assert_eq!(zone.count("SELECT COUNT(*) FROM machine_certificates").await, 2);
}

#[tokio::test]
async fn j04_a_bootstrap_token_past_its_end_stays_refused_when_the_clock_goes_back() {
    let zone = Zone::new().await;
    let mut admin = zone.as_admin().await;
    let mut bootstrap = zone.bootstrap().await;
    let token = bootstrap_token(&mut admin, 1).await;
    let other = bootstrap_token(&mut admin, 1).await;
    let permit = zone.permit::<nodes::ListTokens>().await;
    let listed = zone.nodes.tokens(&permit).await.unwrap();
    let ends_at = listed.iter().map(|token| token.ends_at).max().unwrap();
    zone.pass(ends_at + Span::from_micros(1000) - zone.clock.now());
    let late = get_token(&mut bootstrap, &token).await;
    assert_eq!(
        (late.code.as_str(), late.message.as_str()),
        ("400", "fail to find such item")
    );
    zone.pass(Span::from_secs(-3600));
    for token in [&token, &other] {
        assert_eq!(get_token(&mut bootstrap, token).await.code, "400");
    }
    assert_eq!(zone.count("SELECT COUNT(*) FROM nodes").await, 0);
}

#[tokio::test]
async fn j09_one_machines_certificate_neither_asks_nor_ends_another() {
    let zone = Zone::new().await;
    let (one, two) = (zone.registered().await, zone.registered().await);
    let pairs = [
        (&one.grpc_client_cert, &one.grpc_client_key),
        (&one.network_client_cert, &one.network_client_key),
    ];
    for (certificate, key) in pairs {
        let mut machine = zone.control(&holder(certificate, key)).await;
        let before = zone.count(REFUSALS).await;
        let asked = state(&mut machine, &two.token).await.unwrap();
        assert_eq!(
            (asked.code.as_str(), asked.message.as_str()),
            ("400", "fail to find such item")
        );
        assert_eq!((asked.conn_state, asked.bind_ip.as_str()), (-1, ""));
        assert_eq!(address(&mut machine, &two.token).await.unwrap().code, "400");
        let ended = unregister(&mut machine, &two.token).await.unwrap();
        assert_eq!((ended.code.as_str(), ended.result), ("400", false));
        let made = machine
            .get_boot_strap_token(pb::GetBootStrapTokenRequest { expire_time: 1 })
            .await;
        assert_eq!(made.unwrap_err().code(), Code::PermissionDenied);
        assert_eq!(zone.count(REFUSALS).await, before + 4, "each leaves its row");
        assert_eq!(state(&mut machine, &one.token).await.unwrap().code, "200");
    }
    let mut admin = zone.as_admin().await;
    assert_eq!(state(&mut admin, &two.token).await.unwrap().code, "200");
    let mut machine = zone
        .control(&holder(&one.grpc_client_cert, &one.grpc_client_key))
        .await;
    assert!(
        unregister(&mut machine, &one.token).await.unwrap().result,
        "itself it ends"
    );
    let gone = async || state(&mut machine.clone(), &one.token).await == Err(Code::Unauthenticated);
    assert!(testbed::eventually(Duration::from_secs(10), gone).await);
}

#[tokio::test]
async fn j14_no_life_that_is_asked_for_makes_a_token_that_never_ends() {
    let zone = Zone::new().await;
    let mut admin = zone.as_admin().await;
    let thirty_days = 30 * 24 * 60;
    let refused = [
        -1,
        -7,
        i64::MIN,
        thirty_days + 1,
        99_999_999_999,
        i64::MAX,
        i64::MAX / 60,
    ];
    for expire_time in refused {
        let request = pb::GetBootStrapTokenRequest { expire_time };
        let answer = admin.get_boot_strap_token(request).await.unwrap().into_inner();
        assert_eq!(answer.code, "400", "{expire_time}");
        assert!(
            answer.message.contains("1 to 43200 minutes"),
            "{}",
            answer.message
        );
        assert_eq!(
            (answer.boot_strap_token.as_str(), answer.cloud_ip.as_str()),
            ("", "127.0.0.1")
        );
    }
    assert_eq!(zone.count("SELECT COUNT(*) FROM join_tokens").await, 0);
    for (expire_time, minutes) in [(0, 10), (1, 1), (5, 5), (thirty_days, thirty_days)] {
        bootstrap_token(&mut admin, expire_time).await;
        let permit = zone.permit::<nodes::ListTokens>().await;
        let newest = &zone.nodes.tokens(&permit).await.unwrap()[0];
        assert_eq!(newest.ends_at - newest.made_at, Span::from_secs(minutes * 60));
        zone.pass(Span::from_secs(1));
    }
}

#[tokio::test]
async fn j07_whoever_guesses_bootstrap_tokens_is_told_so_and_keeps_nobody_out() {
    let zone = Zone::new().await;
    let token = bootstrap_token(&mut zone.as_admin().await, 10).await;
    let bootstrap = zone.bootstrap().await;
    let guesses = (0..1000).map(|guess| {
        let (mut bootstrap, token) = (bootstrap.clone(), format!("{guess:016x}"));
        async move { get_token(&mut bootstrap, &token).await }
    });
    let answers = join_all(guesses).await;
    assert!(
        answers
            .iter()
            .all(|answer| answer.code == "400" && answer.token.is_empty())
    );
    let known = answers
        .iter()
        .filter(|answer| answer.message == "fail to find such item")
        .count();
    assert!(
        (1..1000).contains(&known),
        "{known} are answered as such, then no more"
    );
    assert_eq!(get_token(&mut bootstrap.clone(), &token).await.code, "200");
}
