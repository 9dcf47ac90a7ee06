//! The handshake step by step, its edges in time, and cookies.

use access::Peer;
use http::Method;

use crate::bed::{Bed, Said, proof};

const NOT_VERIFIED: &str = r#"{"msg":"[Fail] Failed to verify your account"}"#;

fn refused(said: &Said) {
    assert_eq!((said.status, said.body.as_str()), (400, NOT_VERIFIED));
    assert!(said.set_cookies().is_empty());
}

#[tokio::test]
async fn each_step_opens_the_next_and_a_skipped_one_is_refused() {
    let (bed, wallet) = (Bed::new().await, testbed::Wallet::new(1));
    // 2 without 1, 3 without 2, process without 3.
    refused(&bed.greet(&bed.signed(&wallet), "").await);
    let announced = bed.greet(&format!("type=1&input={}", wallet.address()), "").await;
    assert_eq!(announced.status, 200);
    let early = bed.greet("type=3&input=http://x/m.yaml", "").await;
    assert_eq!(early.body, r#"{"msg":"[Fail] user is not authorized"}"#);
    bed.pass(1);
    let said = bed.greet(&bed.signed(&wallet), "").await;
    let cookie = said.cookie();
    let early = bed.said(Method::GET, "/", &[("cookie", &cookie)]).await;
    let nothing = r#"{"msg":"[Fail] have not deployed before or something went wrong"}"#;
    assert_eq!((early.status, early.body.as_str()), (400, nothing));
    assert_eq!(
        bed.greet("type=3&input=http://x/m.yaml", &cookie).await.status,
        200
    );
    let (user, url, endpoint) = bed.services.deployed().remove(0);
    assert_eq!(url, "http://x/m.yaml");
    let forward = bed.forwarded(Method::POST, "/greet", &cookie).await;
    assert_eq!((forward.endpoint, forward.user.id), (endpoint, user));
    assert_eq!(forward.origin, None);
}

#[tokio::test]
async fn the_documents_own_example_counts_in_its_minute() {
    let bed = Bed::new().await;
    let address = "0x0d2897e7e3ad18df4a0571a7bacb3ffe417d3b06";
    let sig = "0x1fd59e72cd4811467ebb0dfc09d8897c31ad2bde6acf6a1d7fb164f09f69bf12\
               7c2f676552d7be0a69ea6b5e8f6012394424f9c0e07e9f22ac8e6d18a62b8a3b01";
    let query = format!("type=2&input=1703757313&addr={address}&sig={sig}");
    bed.greet(&format!("type=1&input={address}"), "").await;
    bed.pass(59);
    let said = bed.greet(&query, "").await;
    assert_eq!(
        (said.status, said.body.as_str()),
        (200, r#"{"msg":"[ACK] already authorized"}"#)
    );
    refused(&bed.greet(&query, "").await);
}

#[tokio::test]
async fn w01_w05_the_minute_both_digests_and_every_form_of_a_signature() {
    let bed = Bed::new().await;
    let now = bed.clock.now().secs();
    for (number, ahead, fits) in [
        (1, 0, true),
        (2, -59, true),
        (3, -60, false),
        (4, -61, false),
        (5, 1, true),
        (6, 5, true),
        (7, 6, false),
        (8, 3_600, false),
        (9, 315_360_000, false),
    ] {
        let (wallet, time) = (testbed::Wallet::new(number), (now + ahead).to_string());
        bed.greet(&format!("type=1&input={}", wallet.address()), "").await;
        let said = bed
            .greet(&proof(&wallet, &time, &wallet.sign_plain(&time)), "")
            .await;
        assert_eq!(said.status == 200, fits, "{ahead} s: {said:?}");
    }
    let (wallet, time) = (testbed::Wallet::new(20), now.to_string());
    bed.greet(&format!("type=1&input={}", wallet.address()), "").await;
    let good = wallet.sign_plain(&time);
    let digits = &good[2..];
    for bad in [
        String::new(),
        "0x".to_owned(),
        "0x0".to_owned(),
        "0x00".to_owned(),
        digits.to_owned(),
        good[..130].to_owned(),
        format!("{good}00"),
        format!("0x{}1d", &digits[..128]),
        format!("0x{}ff", &digits[..128]),
        format!("0x{}zz", &digits[..128]),
        format!("0x{}", "00".repeat(65)),
        format!("0x{}", "ff".repeat(65)),
    ] {
        refused(&bed.greet(&proof(&wallet, &time, &bad), "").await);
    }
    let framed = format!("0X{}", hex::encode_upper(wallet.sign_text(&time)));
    assert_eq!(bed.greet(&proof(&wallet, &time, &framed), "").await.status, 200);
    assert_eq!(bed.greet(&proof(&wallet, &time, &good), "").await.status, 200);
}

#[tokio::test]
async fn w02_a_signature_opens_one_session() {
    let (bed, wallet) = (Bed::new().await, testbed::Wallet::new(1));
    bed.greet(&format!("type=1&input={}", wallet.address()), "").await;
    let query = bed.signed(&wallet);
    let (one, two) = tokio::join!(bed.greet(&query, ""), bed.greet(&query, ""));
    assert_eq!(
        [one.status, two.status]
            .iter()
            .filter(|status| **status == 200)
            .count(),
        1
    );
    // The same with v 27 or 28 instead of 0 or 1, and in capitals.
    let time = bed.clock.now().secs().to_string();
    let mut other = wallet.sign_bytes(time.as_bytes());
    other[64] += 27;
    refused(
        &bed.greet(&proof(&wallet, &time, &format!("0x{}", hex::encode(other))), "")
            .await,
    );
    let capitals = query.replace(&wallet.address()[2..], &wallet.address()[2..].to_uppercase());
    refused(&bed.greet(&capitals, "").await);
}

#[tokio::test]
async fn w03_no_word_is_a_proof() {
    let (bed, wallet) = (Bed::new().await, testbed::Wallet::new(1));
    bed.greet(&format!("type=1&input={}", wallet.address()), "").await;
    for word in ["cheat", "Cheat", "CHEAT", "test", "memo.io", "true", "0", "", "*"] {
        refused(
            &bed.greet(&format!("type=2&input={word}&addr={}", wallet.address()), "")
                .await,
        );
        refused(&bed.greet(&format!("type=2&input={word}"), "").await);
        refused(
            &bed.greet(&format!("type=2&input={word}&addr=0x&sig=0x00"), "")
                .await,
        );
    }
}

#[tokio::test]
async fn w04_cookies_are_ours_unchanged_and_under_their_own_name() {
    let (bed, wallet) = (Bed::new().await, testbed::Wallet::new(1));
    let said = {
        bed.greet(&format!("type=1&input={}", wallet.address()), "").await;
        bed.greet(&bed.signed(&wallet), "").await
    };
    let set = said.set_cookies().remove(0);
    let (pair, attributes) = set.split_once("; ").expect("attributes");
    assert_eq!(attributes, "Path=/; Max-Age=86400; HttpOnly; SameSite=Lax");
    let (name, value) = pair.split_once('=').expect("a pair");
    assert_eq!(name, format!("cpuser_{}", wallet.address()));
    assert_eq!(value.len(), 43);
    let try_cookie =
        async |cookie: String| bed.greet("type=3&input=http://x/m.yaml", &cookie).await.status == 200;
    assert!(try_cookie(pair.to_owned()).await);
    assert!(try_cookie(format!("a=b; {pair}; c=d")).await);
    let (other, all) = (testbed::Wallet::new(2).address(), wallet.address());
    for bad in [
        format!("cpuser_{other}={value}"),
        // Digits that move between the name and the value.
        format!("{}={}{value}", &name[..name.len() - 1], &name[name.len() - 1..]),
        format!("{name}{}={}", &value[..1], &value[1..]),
        format!("cpuser_={value}"),
        format!("cpuser_0x={value}"),
        format!("cpuser_{}={value}", all.to_uppercase()),
        format!("cpuser_test={value}"),
        format!("cpuser_1703757313={value}"),
        format!("CPUSER_{all}={value}"),
        format!("{name}={}", &value[..42]),
        format!("{name}={value}A"),
        format!("{name}=\"{value}\""),
        format!("{name}="),
        name.to_owned(),
        "cpuser_0x7e5f4552091a69125d5dfcb7b8c2659029395bdf=9999999999_AAAA".to_owned(),
    ] {
        assert!(!try_cookie(bad.clone()).await, "{bad}");
    }
    // A bad one of this door before it does not hide the good one.
    assert!(try_cookie(format!("cpuser_{other}=stale; {pair}")).await);
}

#[tokio::test]
async fn a_cookie_ends_after_a_day_and_greeting_again_gives_the_same_deployment() {
    let (bed, wallet) = (Bed::new().await, testbed::Wallet::new(1));
    let cookie = bed.cookie(&wallet).await;
    bed.greet("type=3&input=http://x/m.yaml", &cookie).await;
    let before = bed.forwarded(Method::GET, "/", &cookie).await;
    bed.pass(86_399);
    bed.forwarded(Method::GET, "/", &cookie).await;
    bed.pass(1);
    for refusal in [
        bed.said(Method::GET, "/", &[("cookie", &cookie)]).await,
        bed.greet("type=3&input=http://x/m.yaml", &cookie).await,
    ] {
        let wanted = r#"{"msg":"[Fail] user is not authorized"}"#;
        assert_eq!((refusal.status, refusal.body.as_str()), (400, wanted));
    }
    let again = bed.greet(&bed.signed(&wallet), &cookie).await.cookie();
    let after = bed.forwarded(Method::GET, "/", &again).await;
    assert_eq!((after.endpoint, after.user.id), (before.endpoint, before.user.id));
    assert_ne!(after.user.session, before.user.session);
}

#[tokio::test]
async fn w08_two_users_of_one_second_reach_their_own_and_nothing_else() {
    let (bed, ada, bob) = (Bed::new().await, testbed::Wallet::new(1), testbed::Wallet::new(2));
    let (ada, bob) = tokio::join!(bed.cookie(&ada), bed.cookie(&bob));
    assert_ne!(ada, bob);
    for (cookie, url) in [(&ada, "http://x/ada.yaml"), (&bob, "http://x/bob.yaml")] {
        assert_eq!(
            bed.greet(&format!("type=3&input={url}"), cookie).await.status,
            200
        );
    }
    let deployed = bed.services.deployed();
    // Whatever a request names, the cookie alone decides.
    for (cookie, place) in [(&ada, 0), (&bob, 1)] {
        let other = &deployed[1 - place];
        for target in [
            "/".to_owned(),
            format!("/?addr={}&user={}&id={}", other.0, other.0, other.2.service),
            format!("/{}", other.2.service),
        ] {
            let forward = bed.forwarded(Method::GET, &target, cookie).await;
            assert_eq!(
                (forward.user.id, forward.endpoint),
                (deployed[place].0, deployed[place].2)
            );
        }
    }
}

#[tokio::test]
async fn a_wallet_that_is_linked_is_announced_once_and_is_its_user() {
    let (bed, wallet) = (Bed::new().await, testbed::Wallet::new(1));
    let ada = bed.link("ada", &wallet).await;
    let early = bed.greet(&bed.signed(&wallet), "").await;
    let wanted = r#"{"msg":"[Fail] Failed to verify your account"}"#;
    assert_eq!((early.status, early.body.as_str()), (400, wanted));
    bed.pass(1);
    bed.cookie(&wallet).await;
    bed.pass(3_601);
    let said = bed.greet(&bed.signed(&wallet), "").await;
    assert_eq!(
        said.status, 200,
        "greeted before, so without another announcement"
    );
    bed.greet("type=3&input=http://x/m.yaml", &said.cookie()).await;
    let forward = bed.forwarded(Method::GET, "/", &said.cookie()).await;
    assert_eq!((forward.user.id, forward.user.name.as_str()), (ada, "ada"));
}

#[tokio::test]
async fn another_wallet_in_the_same_browser_ends_the_first_ones_cookie() {
    let (bed, first, second) = (Bed::new().await, testbed::Wallet::new(1), testbed::Wallet::new(2));
    let one = bed.cookie(&first).await;
    bed.greet(&format!("type=1&input={}", second.address()), &one)
        .await;
    let set = bed.greet(&bed.signed(&second), &one).await.set_cookies();
    assert_eq!(set.len(), 2, "{set:?}");
    assert!(set[0].starts_with(&format!("cpuser_{}=", second.address())));
    let ended = format!("cpuser_{}=; Path=/; Max-Age=0;", first.address());
    assert!(set[1].starts_with(&ended), "{set:?}");
}

#[tokio::test]
async fn a_cookie_over_tls_is_marked_for_tls() {
    let (bed, wallet) = (Bed::new().await, testbed::Wallet::new(1));
    bed.cookie(&wallet).await;
    bed.pass(1);
    let target = format!("/greet?{}", bed.signed(&wallet));
    let grid::Answer::Response(response) = bed.ask(Method::GET, &target, &[], true).await else {
        panic!("an answer");
    };
    let set = crate::bed::read(response).await.set_cookies().remove(0);
    assert!(set.ends_with("; HttpOnly; SameSite=Lax; Secure"), "{set}");
}

#[tokio::test]
async fn pages_of_other_sites_may_not_greet() {
    let (bed, wallet) = (Bed::new().await, testbed::Wallet::new(1));
    let cookie = bed.cookie(&wallet).await;
    for (site, wanted) in [
        ("cross-site", 403),
        ("same-site", 403),
        ("anything", 403),
        ("same-origin", 200),
        ("none", 200),
    ] {
        let headers = [("sec-fetch-site", site), ("cookie", cookie.as_str())];
        let said = bed
            .said(Method::GET, "/greet?type=3&input=http://x/m.yaml", &headers)
            .await;
        assert_eq!(said.status, wanted, "{site}");
    }
}

#[tokio::test]
async fn a_closed_zone_and_a_crowd_are_told_so() {
    let config = access::Config {
        enrolment: false,
        sign_ins_per_minute: 2,
        ..access::Config::default()
    };
    let bed = Bed::with(config, false).await;
    let wallet = testbed::Wallet::new(1);
    let announce = format!("type=1&input={}", wallet.address());
    assert_eq!(bed.greet(&announce, "").await.status, 200);
    refused(&bed.greet(&bed.signed(&wallet), "").await);
    let crowd = bed.greet(&announce, "").await;
    let wanted = r#"{"msg":"[Fail] failed to authorized"}"#;
    assert_eq!((crowd.status, crowd.body.as_str()), (429, wanted));
}

#[tokio::test]
async fn a_session_that_is_ended_ends_the_cookie() {
    let (bed, wallet) = (Bed::new().await, testbed::Wallet::new(1));
    let cookie = bed.cookie(&wallet).await;
    bed.greet("type=3&input=http://x/m.yaml", &cookie).await;
    let forward = bed.forwarded(Method::GET, "/", &cookie).await;
    let actor = access::Actor::User(forward.user);
    let peer = Peer::new(None, "test");
    let permit = bed.access.permit::<access::session::SignOut>(&actor, &peer).await;
    bed.access.sign_out(&permit.expect("may")).await.expect("ended");
    assert_eq!(
        bed.said(Method::GET, "/", &[("cookie", &cookie)]).await.status,
        400
    );
}
