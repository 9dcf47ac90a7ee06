//! A machine from its join to its end: renewal, heartbeats, its own rows only, addresses.

use std::{collections::BTreeMap, time::Duration};

use access::audit::Read;
use model::{ErrorKind, Span};
use nodes::{Config, Error, Heartbeat, Leave, Remove, Renew, State, Told};

use crate::bed::{Bed, Machine, peer};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_machine_renews_its_certificate_for_its_own_key_only() {
    let bed = Bed::new().await;
    let (machine, joined) = bed.joined("one").await;
    bed.pass(Span::from_secs(12 * 3600));
    let permit = bed.node_permit::<Renew>(&joined).await;
    let id = joined.node.id;
    let renewed = bed.nodes.renew(&permit, id, &machine.request()).await.unwrap();
    let error = bed
        .nodes
        .renew(&permit, id, &Machine::new().request())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::OtherKey), "{error}");
    bed.pass(Span::from_secs(13 * 3600));
    let ended = bed.recognised(&joined.certificate.chain[0]).await.unwrap_err();
    assert_eq!(ended.kind(), ErrorKind::Unauthenticated);
    assert_eq!(bed.recognised(&renewed.chain[0]).await.unwrap().id, id);
    bed.pass(Span::from_secs(12 * 3600));
    bed.recognised(&renewed.chain[0]).await.unwrap_err();
}

#[tokio::test]
async fn j09_a_machine_acts_for_itself_only_and_the_try_is_audited() {
    let bed = Bed::new().await;
    let (machine, one) = bed.joined("one").await;
    let (_other, two) = bed.joined("two").await;
    let theirs = two.node.id;
    let renew = bed.node_permit::<Renew>(&one).await;
    let leave = bed.node_permit::<Leave>(&one).await;
    let state = bed.node_permit::<State>(&one).await;
    let beat = bed.node_permit::<Heartbeat>(&one).await;
    let kinds = [
        bed.nodes
            .renew(&renew, theirs, &machine.request())
            .await
            .unwrap_err()
            .kind(),
        bed.nodes.leave(&leave, theirs).await.unwrap_err().kind(),
        bed.nodes.state(&state, theirs).await.unwrap_err().kind(),
        bed.nodes
            .heartbeat(&beat, theirs, Told::default())
            .await
            .unwrap_err()
            .kind(),
    ];
    assert_eq!(kinds, [ErrorKind::NotFound; 4]);
    assert_eq!(bed.names().await, ["one", "two"]);
    let refused =
        "SELECT COUNT(*) FROM audit WHERE actor_kind = 'node' AND actor_name = 'one' AND outcome = 'refused'";
    assert_eq!(bed.count(refused).await, 4);
    let node = bed.recognised(&one.certificate.chain[0]).await.unwrap();
    let denied = bed.access.permit_node::<Remove>(&node, &peer()).await;
    assert_eq!(denied.err().map(|error| error.kind()), Some(ErrorKind::Denied));
    let denied = bed.access.permit_node::<Read>(&node, &peer()).await;
    assert_eq!(denied.err().map(|error| error.kind()), Some(ErrorKind::Denied));
    assert_eq!(bed.count(refused).await, 6);
}

#[tokio::test]
async fn a_removed_machine_is_none_from_then_on() {
    let bed = Bed::new().await;
    let (machine, joined) = bed.joined("one").await;
    let renew = bed.node_permit::<Renew>(&joined).await;
    let ended = bed.access.until_node_ended(joined.node.id);
    let permit = bed.permit::<Remove>().await;
    bed.nodes.remove(&permit, "one").await.unwrap();
    tokio::time::timeout(SOON, ended).await.expect("its links end");
    bed.recognised(&joined.certificate.chain[0]).await.unwrap_err();
    bed.nodes
        .renew(&renew, joined.node.id, &machine.request())
        .await
        .unwrap_err();
    assert!(bed.names().await.is_empty());
    for name in ["one", "two", "no name\n"] {
        let error = bed.nodes.remove(&permit, name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}

#[tokio::test]
async fn a_machine_leaves_by_itself() {
    let bed = Bed::new().await;
    let (_machine, joined) = bed.joined("one").await;
    let permit = bed.node_permit::<Leave>(&joined).await;
    bed.nodes.leave(&permit, joined.node.id).await.unwrap();
    assert!(bed.names().await.is_empty());
    bed.recognised(&joined.certificate.chain[0]).await.unwrap_err();
}

#[tokio::test]
async fn heartbeats_are_listed_and_write_next_to_nothing() {
    let bed = Bed::new().await;
    let (_machine, joined) = bed.joined("one").await;
    let beat = bed.node_permit::<Heartbeat>(&joined).await;
    let permit = bed.permit::<nodes::List>().await;
    let written = "SELECT COUNT(*) FROM nodes WHERE last_seen IS NOT NULL";
    let rows = "SELECT COUNT(*) FROM audit";
    let before = bed.count(rows).await;
    assert_eq!(bed.count(written).await, 0);
    for _ in 0..100 {
        let told = Told {
            version: "0.1.0\n".repeat(100),
            cores: 2,
            memory_bytes: 1 << 30,
        };
        bed.nodes.heartbeat(&beat, joined.node.id, told).await.unwrap();
    }
    let page = bed.nodes.list(&permit, 10, None).await.unwrap();
    let node = &page.nodes[0];
    assert!(node.is_live);
    assert_eq!(
        (node.cores, node.memory_bytes, node.version.len()),
        (2, 1 << 30, 64)
    );
    assert_eq!((bed.count(written).await, bed.count(rows).await), (1, before));
    bed.pass(Span::from_secs(31));
    assert!(!bed.nodes.list(&permit, 10, None).await.unwrap().nodes[0].is_live);
    let bed = bed.restarted().await;
    let page = bed.nodes.list(&permit, 10, None).await.unwrap();
    assert!(page.nodes[0].last_seen.is_some());
}

#[tokio::test]
async fn j12_addresses_are_odd_rest_after_use_and_a_full_pool_says_so() {
    let config = Config {
        pool: "10.9.0.0/29".parse().unwrap(),
        quarantine: Span::from_secs(60),
        ..Config::default()
    };
    let bed = Bed::with(config).await;
    let (_machine, one) = bed.joined("one").await;
    let (_machine, two) = bed.joined("two").await;
    let shown = [&one, &two].map(|joined| {
        (
            joined.node.address.to_string(),
            joined.node.peer_address().to_string(),
        )
    });
    let wanted = [("10.9.0.3", "10.9.0.4"), ("10.9.0.5", "10.9.0.6")];
    assert_eq!(shown, wanted.map(|(odd, even)| (odd.to_owned(), even.to_owned())));
    let token = bed.token(nodes::TokenWish::default()).await;
    let machine = Machine::new();
    let full = bed.join(&machine, &token, "three").await.unwrap_err();
    assert_eq!(full.kind(), ErrorKind::Exhausted);
    let permit = bed.permit::<Remove>().await;
    bed.nodes.remove(&permit, "two").await.unwrap();
    let resting = bed.join(&machine, &token, "three").await.unwrap_err();
    assert_eq!(resting.kind(), ErrorKind::Exhausted);
    bed.pass(Span::from_secs(61));
    let three = bed.join(&machine, &token, "three").await.unwrap();
    assert_eq!(three.node.address, two.node.address);
}

#[tokio::test]
async fn j12_rounds_of_join_and_leave_leak_no_address_and_reuse_none_too_early() {
    let rounds = if std::env::var_os("SOKE_TEST_FULL").is_some() {
        10_000
    } else {
        200
    };
    let rest = Span::from_secs(200);
    let config = Config {
        pool: "10.9.0.0/24".parse().unwrap(),
        quarantine: rest,
        ..Config::default()
    };
    let bed = Bed::with(config).await;
    let mut given_back = BTreeMap::new();
    for round in 0..rounds {
        let (_machine, joined) = bed.joined(&format!("n{round}")).await;
        let address = joined.node.address;
        let now = bed.clock.now();
        if let Some(before) = given_back.insert(address, now) {
            assert!(now - before >= rest, "{address} after {:?}", now - before);
        }
        let permit = bed.node_permit::<Leave>(&joined).await;
        bed.nodes.leave(&permit, joined.node.id).await.unwrap();
        bed.pass(Span::from_secs(2));
    }
    assert_eq!(bed.count("SELECT COUNT(*) FROM node_addresses").await, 126);
    assert_eq!(
        bed.count("SELECT COUNT(*) FROM node_addresses WHERE node_id IS NOT NULL")
            .await,
        0
    );
}

#[tokio::test]
async fn the_pool_stays_as_the_zone_was_made() {
    let bed = Bed::new().await;
    bed.joined("one").await;
    let bed = bed.restarted().await;
    assert_eq!(bed.names().await, ["one"]);
}

#[tokio::test]
async fn j11_a_machine_that_was_put_out_comes_back_with_new_keys_as_another_one_only() {
    let bed = Bed::new().await;
    let (machine, joined) = bed.joined("one").await;
    let permit = bed.permit::<Remove>().await;
    bed.nodes.remove(&permit, "one").await.unwrap();
    assert!(bed.recognised(&joined.certificate.chain[0]).await.is_err());
    let token = bed.token(nodes::TokenWish::default()).await;
    for name in ["one", "two"] {
        let refused = bed.join(&machine, &token, name).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Exists, "its old keys as {name}");
    }
    let fresh = Machine::new();
    let refused = bed.join(&fresh, &token, "one").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Exists, "its old name");
    let again = bed.join(&fresh, &token, "two").await.unwrap();
    assert_ne!(again.node.id, joined.node.id);
    assert_ne!(again.node.address, joined.node.address);
}

#[tokio::test]
async fn the_servers_own_machine_has_the_first_address_and_stays() {
    let bed = Bed::new().await;
    let token = bed.nodes.invite_own().await.unwrap();
    let own = bed.join(&Machine::new(), &token, "own").await.unwrap();
    assert_eq!(own.node.address.to_string(), "10.77.0.1");
    bed.nodes.set_own(own.node.id);
    let permit = bed.permit::<Remove>().await;
    let kept = bed.nodes.remove(&permit, "own").await.unwrap_err();
    assert_eq!(kept.kind(), ErrorKind::Precondition);
    let listed = bed.nodes.tokens(&bed.permit::<nodes::ListTokens>().await).await;
    assert!(listed.unwrap().is_empty());
    let any = bed.join(&Machine::new(), &token, "any").await.unwrap_err();
    assert_eq!(any.kind(), ErrorKind::Invalid);
    // A server whose node has lost its keys takes the place anew.
    let token = bed.nodes.invite_own().await.unwrap();
    let anew = bed.join(&Machine::new(), &token, "anew").await.unwrap();
    assert_eq!(anew.node.address, own.node.address);
    assert_eq!(bed.names().await, ["anew"]);
}

#[tokio::test]
async fn the_own_machine_gets_a_certificate_also_after_the_last_one_ended() {
    let bed = Bed::new().await;
    let machine = Machine::new();
    let token = bed.nodes.invite_own().await.unwrap();
    let own = bed.join(&machine, &token, "own").await.unwrap();
    bed.pass(Span::from_secs(3 * 86_400));
    assert!(bed.recognised(&own.certificate.chain[0]).await.is_err());
    let renewed = bed
        .nodes
        .renew_own(own.node.id, &machine.request())
        .await
        .unwrap();
    let known = bed.recognised(&renewed.chain[0]).await.unwrap();
    assert_eq!(known.id, own.node.id);
    let other = bed.nodes.renew_own(own.node.id, &Machine::new().request()).await;
    assert_eq!(other.unwrap_err().kind(), ErrorKind::Denied);
}
