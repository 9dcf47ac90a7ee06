//! Machines whose clients bring nothing but a short token: registered, found by their word, ended.

use access::{CertificateHolder, NodePermit, Secret, Subject};
use futures::future::join_all;
use model::{ErrorKind, Span};
use nodes::{
    Error, Leave, List, ListTokens, MakeToken, Registered, Registration, Remove, State, TokenFault, TokenWish,
};

use crate::bed::{Bed, Machine, peer, token_fault};

fn short(uses: u32, minutes: i64) -> TokenWish {
    TokenWish {
        uses,
        life: Some(Span::from_secs(minutes * 60)),
        short: true,
        ..TokenWish::default()
    }
}

async fn register(bed: &Bed, token: &str) -> Result<Registered, Error> {
    let subject = |common_name: &str| Subject {
        organization: "old".to_owned(),
        common_name: common_name.to_owned(),
    };
    let wish = Registration {
        token: Secret::from(token.to_owned()),
        name_begins: "old",
        subjects: vec![subject("one"), subject("two")],
    };
    bed.nodes.register(&peer(), &wish).await
}

fn fault(registered: Result<Registered, Error>) -> TokenFault {
    match registered {
        Err(Error::Token { fault }) => fault,
        Ok(registered) => panic!("registered as {}", registered.node.name),
        Err(other) => panic!("{other}: {:?}", std::error::Error::source(&other)),
    }
}

async fn registered(bed: &Bed) -> Registered {
    let token = bed.token(short(1, 10)).await;
    register(bed, token.expose()).await.expect("a good token")
}

/// The permit of a registered machine, by its second certificate.
async fn own<A: access::Action>(bed: &Bed, registered: &Registered) -> NodePermit<A> {
    let leaf = &registered.certificates[1].certificate.chain[0];
    let node = bed.recognised(leaf).await.expect("known");
    bed.access.permit_node::<A>(&node, &peer()).await.expect("may")
}

#[tokio::test]
async fn a_short_token_registers_one_machine_with_certificates_for_a_year() {
    let bed = Bed::new().await;
    let token = bed.token(short(1, 10)).await;
    assert_eq!(token.expose().len(), 16);
    let first = register(&bed, token.expose()).await.unwrap();
    assert!(first.node.name.as_str().starts_with("old-"));
    assert_eq!(first.node.address.to_string(), "10.77.0.3");
    assert_eq!(
        (first.node.device_key.as_str(), first.node.overlay_key.as_str()),
        ("", "")
    );
    assert_ne!(
        first.certificates[0].key_pem.expose(),
        first.certificates[1].key_pem.expose()
    );
    for one in &first.certificates {
        let life = one.certificate.ends_at - bed.clock.now();
        assert_eq!(life, access::YEAR);
        let known = bed
            .access
            .authenticate_certificate(&one.certificate.chain[0], &peer())
            .await;
        let Ok(CertificateHolder::Node(node)) = known else {
            panic!("not known as a machine");
        };
        assert_eq!(node.id, first.node.id);
    }
    assert_eq!(fault(register(&bed, token.expose()).await), TokenFault::Used);
    let listed = bed
        .nodes
        .list(&bed.permit::<List>().await, 10, None)
        .await
        .unwrap();
    assert_eq!(
        listed.nodes[0].certificate_ends_at,
        Some(first.certificates[0].certificate.ends_at)
    );
    assert!(
        bed.nodes.names().await.unwrap().is_empty(),
        "it has no agent to do work"
    );
    let second = registered(&bed).await;
    assert_eq!(second.node.address.to_string(), "10.77.0.5");
}

async fn two_hundred_at_once(bed: &Bed) {
    let token = bed.token(short(1, 10)).await;
    let registrations = (0..200).map(|_| register(bed, token.expose()));
    let answers = join_all(registrations).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    for refused in lost {
        assert_eq!(fault(refused), TokenFault::Used);
    }
    for (sql, wanted) in [
        ("SELECT COUNT(*) FROM nodes", 1),
        ("SELECT COUNT(*) FROM node_words", 1),
        ("SELECT COUNT(*) FROM node_addresses", 1),
        ("SELECT COUNT(*) FROM machine_certificates", 2),
    ] {
        assert_eq!(bed.count(sql).await, wanted, "{sql}");
    }
}

#[tokio::test]
async fn j01_two_hundred_registrations_with_one_token_make_one_node_with_one_address() {
    two_hundred_at_once(&Bed::new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn j01_registrations_on_postgresql_too() {
    two_hundred_at_once(&Bed::postgres().await).await;
}

#[tokio::test]
async fn j04_a_short_token_past_its_end_is_refused_also_when_the_clock_goes_back() {
    let bed = Bed::new().await;
    let (late, stepped_back) = (bed.token(short(1, 10)).await, bed.token(short(1, 10)).await);
    // To the very millisecond after the end of the last of them.
    let permit = bed.permit::<ListTokens>().await;
    let listed = bed.nodes.tokens(&permit).await.unwrap();
    let ends_at = listed.iter().map(|token| token.ends_at).max().unwrap();
    bed.pass(ends_at + Span::from_micros(1000) - bed.clock.now());
    assert_eq!(fault(register(&bed, late.expose()).await), TokenFault::Expired);
    bed.pass(Span::from_secs(-3600));
    let bed = bed.restarted().await;
    for token in [&late, &stepped_back] {
        assert_eq!(fault(register(&bed, token.expose()).await), TokenFault::Expired);
    }
    assert_eq!(bed.count("SELECT COUNT(*) FROM nodes").await, 0);
}

#[tokio::test]
async fn as_many_machines_register_as_the_token_says() {
    let bed = Bed::new().await;
    let token = bed.token(short(3, 10)).await;
    for _ in 0..3 {
        register(&bed, token.expose()).await.unwrap();
    }
    assert_eq!(fault(register(&bed, token.expose()).await), TokenFault::Used);
}

#[tokio::test]
async fn j06_neither_sort_of_token_is_taken_for_the_other() {
    let bed = Bed::new().await;
    let long = bed.token(TokenWish::default()).await;
    let secret = long.expose().rsplit('.').next().unwrap().to_owned();
    for text in [long.expose(), &secret, "", "0123456789abcdef"] {
        assert_eq!(fault(register(&bed, text).await), TokenFault::Unknown);
    }
    let token = bed.token(short(1, 10)).await;
    assert_eq!(
        token_fault(bed.join(&Machine::new(), &token, "one").await),
        TokenFault::Unknown
    );
    register(&bed, token.expose()).await.expect("not used up by that");
}

#[tokio::test]
async fn lives_of_no_time_and_of_more_than_thirty_days_are_refused() {
    let bed = Bed::new().await;
    let permit = bed.permit::<MakeToken>().await;
    for minutes in [0, -1, i64::MIN / 60_000_000, 30 * 24 * 60 + 1, i64::MAX / 120] {
        let made = bed.nodes.make_token(&permit, &short(1, minutes)).await;
        assert_eq!(
            made.err().expect("refused").kind(),
            ErrorKind::Invalid,
            "{minutes}"
        );
    }
    bed.nodes
        .make_token(&permit, &short(1, 30 * 24 * 60))
        .await
        .expect("30 days");
}

#[tokio::test]
async fn a_machine_is_found_by_its_word_until_it_is_ended_and_its_certificates_with_it() {
    let bed = Bed::new().await;
    let one = registered(&bed).await;
    let list = bed.permit::<List>().await;
    let found = bed.nodes.find_by_word(&list, one.word.expose()).await.unwrap();
    assert_eq!(found, one.node);
    let remove = bed.permit::<Remove>().await;
    bed.nodes
        .remove_by_word(&remove, one.word.expose())
        .await
        .unwrap();
    for gone in [
        bed.nodes.find_by_word(&list, one.word.expose()).await.map(drop),
        bed.nodes.remove_by_word(&remove, one.word.expose()).await,
        bed.nodes.find_by_word(&list, "").await.map(drop),
    ] {
        assert_eq!(gone.unwrap_err().kind(), ErrorKind::NotFound);
    }
    for certificate in &one.certificates {
        assert!(bed.recognised(&certificate.certificate.chain[0]).await.is_err());
    }
    assert_eq!(bed.count("SELECT COUNT(*) FROM node_words").await, 0);
}

#[tokio::test]
async fn j09_a_machine_asks_of_itself_and_ends_itself_and_no_other() {
    let bed = Bed::new().await;
    let (one, two) = (registered(&bed).await, registered(&bed).await);
    let refusals = "SELECT COUNT(*) FROM audit WHERE outcome = 'refused'";
    let before = bed.count(refusals).await;
    let state = own::<State>(&bed, &one).await;
    let mine = bed.nodes.own_by_word(&state, one.word.expose()).await.unwrap();
    assert_eq!(mine.id, one.node.id);
    let leave = own::<Leave>(&bed, &one).await;
    for refused in [
        bed.nodes.own_by_word(&state, two.word.expose()).await.map(drop),
        bed.nodes.leave_by_word(&leave, two.word.expose()).await,
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotFound);
    }
    assert_eq!(bed.count(refusals).await, before + 2);
    let list = bed.permit::<List>().await;
    bed.nodes
        .find_by_word(&list, two.word.expose())
        .await
        .expect("still there");
    bed.nodes.leave_by_word(&leave, one.word.expose()).await.unwrap();
    assert!(
        bed.recognised(&one.certificates[0].certificate.chain[0])
            .await
            .is_err()
    );
}
