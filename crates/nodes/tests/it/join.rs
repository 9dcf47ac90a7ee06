//! Joining: one token, one machine, whatever runs at the same time or is lost on the way.

use futures::future::join_all;
use model::{ErrorKind, Span};
use nodes::{Error, TokenFault, TokenWish};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
};

use crate::bed::{Bed, Machine, token_fault};

async fn two_hundred_at_once(bed: &Bed) {
    let token = bed.token(TokenWish::default()).await;
    let machines: Vec<_> = (0..200).map(|_| Machine::new()).collect();
    let names: Vec<_> = (0..200).map(|at| format!("n{at}")).collect();
    let joins = machines
        .iter()
        .zip(&names)
        .map(|(machine, name)| bed.join(machine, &token, name));
    let answers = join_all(joins).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    for refused in lost {
        assert_eq!(token_fault(refused), TokenFault::Used);
    }
    assert_eq!(bed.names().await.len(), 1);
    assert_eq!(bed.count("SELECT COUNT(*) FROM node_addresses").await, 1);
    assert_eq!(bed.count("SELECT COUNT(*) FROM nodes").await, 1);
    assert_eq!(bed.count("SELECT COUNT(*) FROM machine_certificates").await, 1);
}

#[tokio::test]
async fn j01_two_hundred_joins_with_one_token_make_one_node_with_one_address() {
    two_hundred_at_once(&Bed::new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn j01_on_postgresql_too() {
    two_hundred_at_once(&Bed::postgres().await).await;
}

#[tokio::test]
async fn j02_a_join_whose_answer_was_lost_is_repeated_across_a_restart() {
    let bed = Bed::new().await;
    let (machine, token) = (Machine::new(), bed.token(TokenWish::default()).await);
    let first = bed.join(&machine, &token, "one").await.unwrap();
    let bed = bed.restarted().await;
    let again = bed.join(&machine, &token, "one").await.unwrap();
    assert_eq!(first.node, again.node);
    assert_eq!(bed.names().await, ["one"]);
    assert_eq!(bed.count("SELECT COUNT(*) FROM node_addresses").await, 1);
    for joined in [&first, &again] {
        let known = bed.recognised(&joined.certificate.chain[0]).await.unwrap();
        assert_eq!(known.id, first.node.id);
    }
}

#[tokio::test]
async fn j03_a_join_may_be_repeated_with_the_same_keys_name_and_token_within_the_window_only() {
    let bed = Bed::new().await;
    let (machine, token) = (Machine::new(), bed.token(TokenWish::default()).await);
    let first = bed.join(&machine, &token, "one").await.unwrap();
    bed.pass(Span::from_secs(14 * 60));
    assert_eq!(bed.join(&machine, &token, "one").await.unwrap().node, first.node);
    assert_eq!(
        token_fault(bed.join(&Machine::new(), &token, "one").await),
        TokenFault::Used
    );
    assert_eq!(
        token_fault(bed.join(&machine, &token, "two").await),
        TokenFault::Used
    );
    let other_device = Machine {
        key: KeyPair::from_pem(&machine.key.serialize_pem()).unwrap(),
        device: Machine::new().device,
        overlay: machine.overlay.clone(),
    };
    assert_eq!(
        token_fault(bed.join(&other_device, &token, "one").await),
        TokenFault::Used
    );
    bed.pass(Span::from_secs(2 * 60));
    assert_eq!(
        token_fault(bed.join(&machine, &token, "one").await),
        TokenFault::Used
    );
    assert_eq!(bed.names().await, ["one"]);
}

#[tokio::test]
async fn j04_a_token_past_its_end_is_refused_also_when_the_clock_goes_back() {
    let bed = Bed::new().await;
    let hour = TokenWish {
        life: Some(Span::from_secs(3600)),
        ..TokenWish::default()
    };
    let (in_time, late) = (bed.token(hour.clone()).await, bed.token(hour.clone()).await);
    let stepped_back = bed.token(hour).await;
    bed.pass(Span::from_secs(55 * 60));
    bed.join(&Machine::new(), &in_time, "in-time").await.unwrap();
    // To the very millisecond after the end of the last of them.
    let listed = bed
        .nodes
        .tokens(&bed.permit::<nodes::ListTokens>().await)
        .await
        .unwrap();
    let ends_at = listed.iter().map(|token| token.ends_at).max().unwrap();
    bed.pass(ends_at + Span::from_micros(1000) - bed.clock.now());
    assert_eq!(
        token_fault(bed.join(&Machine::new(), &late, "late").await),
        TokenFault::Expired
    );
    bed.pass(Span::from_secs(-3600));
    let back = bed.join(&Machine::new(), &stepped_back, "back").await;
    assert_eq!(token_fault(back), TokenFault::Expired);
    let bed = bed.restarted().await;
    for token in [&late, &stepped_back] {
        assert_eq!(
            token_fault(bed.join(&Machine::new(), token, "back").await),
            TokenFault::Expired
        );
    }
    assert_eq!(bed.names().await, ["in-time"]);
}

#[tokio::test]
async fn j08_of_a_request_only_the_key_is_used() {
    let bed = Bed::new().await;
    let (machine, token) = (Machine::new(), bed.token(TokenWish::default()).await);
    let mut greedy =
        CertificateParams::new(vec!["two.example".to_owned(), "soke.localhost".to_owned()]).unwrap();
    greedy.distinguished_name.push(DnType::CommonName, "two");
    greedy
        .distinguished_name
        .push(DnType::OrganizationName, "lknm:register");
    greedy.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let request = greedy.serialize_request(&machine.key);
    let mut wish = machine.wish(token.expose(), "one");
    wish.request = match request {
        Ok(request) => request.der().to_vec(),
        Err(_no_basic_constraints_in_requests) => {
            greedy.is_ca = IsCa::NoCa;
            greedy.serialize_request(&machine.key).unwrap().der().to_vec()
        }
    };
    let joined = bed.nodes.join(&crate::bed::peer(), &wish).await.unwrap();
    let certificate = joined.certificate.chain[0].as_ref();
    let holds = |text: &str| {
        certificate
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    assert!(holds("one"));
    for foreign in ["two", "soke.localhost", "lknm:register"] {
        assert!(!holds(foreign), "{foreign}");
    }
    let key = machine.key.public_key_raw();
    assert!(certificate.windows(key.len()).any(|part| part == key));
}

#[tokio::test]
async fn j08_requests_that_cannot_be_used_are_refused_by_field_and_use_no_token() {
    let bed = Bed::new().await;
    let (machine, token) = (Machine::new(), bed.token(TokenWish::default()).await);
    let request_of = |key: &KeyPair| {
        let request = CertificateParams::default().serialize_request(key);
        request.unwrap().der().to_vec()
    };
    let p384 = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let ed25519 = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let mut changed = machine.request();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    let mut longer = machine.request();
    longer.push(0);
    let cases = [
        (vec![0; 1 << 20], "over 4096 bytes"),
        (vec![0x30; 4096], "not well formed"),
        (Vec::new(), "not well formed"),
        (request_of(&p384), "another key than P-256"),
        (request_of(&ed25519), "another key than P-256"),
        (changed, "not signed with its own key"),
        (longer, "bytes after its end"),
    ];
    for (request, says) in cases {
        let mut wish = machine.wish(token.expose(), "one");
        wish.request = request;
        let error = bed.nodes.join(&crate::bed::peer(), &wish).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(says), "{says}: {error}");
    }
    let mut wish = machine.wish(token.expose(), "One\n");
    wish.device_key = vec![1; 31];
    wish.overlay_key = vec![0; 32];
    wish.request = Vec::new();
    let error = bed
        .nodes
        .join(&crate::bed::peer(), &wish)
        .await
        .unwrap_err()
        .to_string();
    for field in ["`name`", "`device_key`", "`overlay_key`", "`request`"] {
        assert!(error.contains(field), "{field}: {error}");
    }
    bed.join(&machine, &token, "one").await.unwrap();
}

#[tokio::test]
async fn j15_names_that_are_none_taken_or_reserved_are_refused_and_use_no_token() {
    let bed = Bed::new().await;
    bed.joined("one").await;
    let token = bed.token(TokenWish::default()).await;
    let (long, machine) = ("a".repeat(300), Machine::new());
    for name in [
        "",
        "../one",
        "a/b",
        "one\n",
        long.as_str(),
        "on\u{202e}e",
        "ONE",
        "1one",
        "-one",
    ] {
        let error = bed.join(&machine, &token, name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{name:?}");
        assert!(error.to_string().contains("`name`"), "{error}");
    }
    for name in ["one", "ada", "kernel", "ood", "owner", "su-x"] {
        let error = bed.join(&machine, &token, name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exists, "{name}");
    }
    bed.join(&machine, &token, "two").await.unwrap();
    assert_eq!(bed.names().await, ["one", "two"]);
}

#[tokio::test]
async fn a_key_that_any_machine_ever_had_is_refused() {
    let bed = Bed::new().await;
    let (machine, joined) = bed.joined("one").await;
    let token = bed.token(TokenWish::default()).await;
    let fresh = Machine::new();
    let copies = [
        Machine {
            key: KeyPair::from_pem(&machine.key.serialize_pem()).unwrap(),
            ..Machine::new()
        },
        Machine {
            device: machine.device.clone(),
            ..Machine::new()
        },
        Machine {
            overlay: machine.overlay.clone(),
            ..Machine::new()
        },
    ];
    for removed in [false, true] {
        if removed {
            let permit = bed.permit::<nodes::Remove>().await;
            bed.nodes
                .remove(&permit, joined.node.name.as_str())
                .await
                .unwrap();
        }
        for copy in &copies {
            let error = bed.join(copy, &token, "two").await.unwrap_err();
            assert!(matches!(error, Error::KeyTaken), "{error}");
        }
    }
    bed.join(&fresh, &token, "two").await.unwrap();
}
