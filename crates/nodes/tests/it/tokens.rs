//! Tokens: what may be asked for, what is listed, what is kept.

use access::Peer;
use model::{ErrorKind, Span};
use nodes::{ListTokens, MakeToken, RevokeToken, TokenFault, TokenWish};

use crate::bed::{Bed, Machine, token_fault};

#[tokio::test]
async fn a_token_is_stored_as_its_hash_only_and_listed_with_its_last_use() {
    let bed = Bed::new().await;
    let wish = TokenWish {
        uses: 2,
        ..TokenWish::default()
    };
    let token = bed.token(wish).await;
    let secret = token.expose().rsplit('.').next().unwrap().to_owned();
    bed.join(&Machine::new(), &token, "one").await.unwrap();
    let permit = bed.permit::<ListTokens>().await;
    let listed = bed.nodes.tokens(&permit).await.unwrap();
    assert_eq!((listed[0].uses, listed[0].used, listed[0].good), (2, 1, true));
    assert!(listed[0].last_used_at.is_some());
    assert!(!format!("{listed:?}").contains(&secret));
    assert_eq!(
        bed.count("SELECT COUNT(*) FROM join_tokens WHERE length(hash) = 64")
            .await,
        1
    );
    bed.join(&Machine::new(), &token, "two").await.unwrap();
    assert_eq!(
        token_fault(bed.join(&Machine::new(), &token, "three").await),
        TokenFault::Used
    );
    let listed = bed.nodes.tokens(&permit).await.unwrap();
    assert!(!listed[0].good);
}

#[tokio::test]
async fn a_bound_token_takes_its_name_only_and_is_not_used_up_by_another() {
    let bed = Bed::new().await;
    let wish = TokenWish {
        node_name: "one".to_owned(),
        ..TokenWish::default()
    };
    let token = bed.token(wish).await;
    assert_eq!(
        token_fault(bed.join(&Machine::new(), &token, "two").await),
        TokenFault::OtherName
    );
    bed.join(&Machine::new(), &token, "one").await.unwrap();
}

#[tokio::test]
async fn a_revoked_unknown_or_foreign_token_is_refused() {
    let bed = Bed::new().await;
    let token = bed.token(TokenWish::default()).await;
    let listed = bed.nodes.tokens(&bed.permit::<ListTokens>().await).await.unwrap();
    let permit = bed.permit::<RevokeToken>().await;
    bed.nodes.revoke_token(&permit, &listed[0].id).await.unwrap();
    assert_eq!(
        token_fault(bed.join(&Machine::new(), &token, "one").await),
        TokenFault::Revoked
    );
    for id in ["", token.expose(), "01890000-0000-7000-8000-000000000000"] {
        let error = bed.nodes.revoke_token(&permit, id).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(!error.to_string().contains("soke-node"), "{error}");
    }
    let other = Bed::new().await.token(TokenWish::default()).await;
    let fingerprint = bed.access.zone().ca_fingerprint();
    let guessed = format!(
        "soke-node.{fingerprint}.{}",
        other.expose().rsplit('.').next().unwrap()
    );
    for text in [other.expose(), &guessed, "", "soke-node", "x"] {
        let wish = Machine::new().wish(text, "one");
        let refused = bed.nodes.join(&crate::bed::peer(), &wish).await;
        assert_eq!(token_fault(refused), TokenFault::Unknown);
    }
    assert!(bed.names().await.is_empty());
}

#[tokio::test]
async fn a_wish_out_of_bounds_names_every_field() {
    let bed = Bed::new().await;
    let permit = bed.permit::<MakeToken>().await;
    let wishes = [
        (
            TokenWish {
                node_name: "A b".to_owned(),
                uses: 1001,
                life: Some(Span::ZERO),
                short: false,
            },
            &["node_name", "uses", "life"][..],
        ),
        (
            TokenWish {
                node_name: "a".to_owned(),
                uses: 2,
                life: None,
                short: false,
            },
            &["uses"][..],
        ),
        (
            TokenWish {
                life: Some(Span::from_secs(30 * 86_400 + 1)),
                ..TokenWish::default()
            },
            &["life"][..],
        ),
        (
            TokenWish {
                life: Some(Span::from_secs(-1)),
                ..TokenWish::default()
            },
            &["life"][..],
        ),
        (
            TokenWish {
                life: Some(Span::from_secs(i64::MAX)),
                ..TokenWish::default()
            },
            &["life"][..],
        ),
    ];
    for (wish, fields) in wishes {
        let made = bed.nodes.make_token(&permit, &wish).await;
        let error = made.err().expect("refused");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        for field in fields {
            assert!(
                error.to_string().contains(&format!("`{field}`")),
                "{field}: {error}"
            );
        }
    }
}

#[tokio::test]
async fn j07_guesses_are_bounded_by_address_and_zone_and_keep_no_machine_out() {
    let bed = Bed::new().await;
    let fingerprint = bed.access.zone().ca_fingerprint().to_owned();
    let machine = Machine::new();
    let from = |last: u32| {
        Peer::new(
            Some(std::net::Ipv4Addr::from_bits(0x0a00_0000 + last).into()),
            "test",
        )
    };
    let guess = async |peer: &Peer| {
        let token = nodes::TokenText::draw(&fingerprint).text();
        let refused = bed.nodes.join(peer, &machine.wish(token.expose(), "one")).await;
        refused.unwrap_err().kind()
    };
    let mut told = std::collections::BTreeMap::<_, u32>::new();
    for round in 0..10_000 {
        *told.entry(guess(&from(1)).await).or_default() += 1;
        if round == 5_000 {
            let token = bed.token(TokenWish::default()).await;
            let joined = bed
                .nodes
                .join(&from(1), &Machine::new().wish(token.expose(), "good"))
                .await;
            joined.expect("a good token is taken from the same address");
        }
    }
    let expected = [(ErrorKind::Unauthenticated, 60), (ErrorKind::Exhausted, 9_940)];
    assert_eq!(told, expected.into_iter().collect());
    bed.pass(Span::from_secs(61));
    let mut early = 0;
    for last in 0..1_000 {
        early += u32::from(guess(&from(last)).await == ErrorKind::Unauthenticated);
    }
    assert_eq!(early, 600, "ten times as many in the zone");
    assert_eq!(bed.names().await, ["good"]);
}
