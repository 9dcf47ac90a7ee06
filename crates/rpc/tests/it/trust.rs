//! Who a client believes, and certificates that change while all goes on.

use std::{
    error::Error as _,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use model::ErrorKind;
use rpc::{ClientCertificates, Error, Identity, Limits, Security, Target, TlsSource, Trust, server_config};
use tasks::Policy;
use wire::grpc::testing::Empty;

use crate::support::{Authority, Server, ZONE, eventually, quick, waits};

fn chain_of(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(one) = source {
        text = format!("{text}: {one}");
        source = one.source();
    }
    text
}

#[tokio::test]
async fn a_server_is_believed_by_its_authority_or_by_the_authority_s_fingerprint() {
    let authority = Authority::new();
    let server = Server::start(authority.tls(), quick()).await;
    for trust in [authority.trust(), Trust::Fingerprint(authority.fingerprint())] {
        let mut client = server.client(&trust).await;
        client.empty_call(Empty::default()).await.unwrap();
    }
}

#[tokio::test]
async fn another_authority_another_fingerprint_or_another_name_is_not_believed() {
    let authority = Authority::new();
    let other = Authority::new();
    let server = Server::start(authority.tls(), quick()).await;
    for trust in [other.trust(), Trust::Fingerprint(other.fingerprint())] {
        let error = rpc::connect(&server.target(), &trust).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(
            chain_of(&error).contains("invalid peer certificate"),
            "{}",
            chain_of(&error)
        );
    }
    let elsewhere = server.target().with_server_name("other.localhost").unwrap();
    for trust in [authority.trust(), Trust::Fingerprint(authority.fingerprint())] {
        let error = rpc::connect(&elsewhere, &trust).await.unwrap_err();
        assert!(
            chain_of(&error).contains("not valid for name"),
            "{}",
            chain_of(&error)
        );
    }
    assert_eq!(server.seen.peers.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn a_fingerprint_of_the_server_s_own_certificate_is_not_that_of_an_authority() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue(&[ZONE]);
    let pin = rpc::Fingerprint::of(&certificate);
    let config = server_config(
        Identity::new(vec![certificate], key),
        &ClientCertificates::Unasked,
    )
    .unwrap();
    let server = Server::start(Security::Tls(TlsSource::new(config)), quick()).await;
    rpc::connect(&server.target(), &Trust::Fingerprint(pin))
        .await
        .unwrap_err();
    rpc::connect(&server.target(), &Trust::Fingerprint(authority.fingerprint()))
        .await
        .unwrap_err();
}

#[tokio::test]
async fn a_plaintext_client_gets_nothing_from_a_tls_listener() {
    let authority = Authority::new();
    let server = Server::start(authority.tls(), quick()).await;
    let mut client = wire::grpc::testing::test_service_client::TestServiceClient::new(
        rpc::connect_lazy(&server.target(), &Trust::Plaintext).unwrap(),
    );
    client.empty_call(Empty::default()).await.unwrap_err();
    assert!(server.seen.peers.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_listener_that_requires_client_certificates_serves_nobody_without_one() {
    let authority = Authority::new();
    let clients = ClientCertificates::Required {
        authorities: authority.pem(),
    };
    let config = server_config(authority.identity(&[ZONE]), &clients).unwrap();
    let server = Server::start(Security::Tls(TlsSource::new(config)), quick()).await;
    let channel = rpc::connect_lazy(&server.target(), &authority.trust()).unwrap();
    let mut client = wire::grpc::testing::test_service_client::TestServiceClient::new(channel);
    client.empty_call(Empty::default()).await.unwrap_err();
    assert!(server.seen.peers.lock().unwrap().is_empty());
}

#[test]
fn a_target_is_a_host_and_a_port() {
    for fits in ["soke.localhost:7443", "127.0.0.1:1", "[::1]:7443"] {
        assert_eq!(fits.parse::<Target>().unwrap().to_string(), fits);
    }
    for wrong in [
        "",
        "soke.localhost",
        "soke.localhost:0",
        ":7443",
        "a b:1",
        "u@h:1",
        "http://x:1",
        "x:99999",
    ] {
        let error = wrong.parse::<Target>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{wrong}");
        assert!(error.to_string().contains("soke.localhost:7443"), "{error}");
    }
}

#[test]
fn a_server_s_name_is_a_host_name_or_an_address() {
    let target: Target = "127.0.0.1:7443".parse().unwrap();
    for fits in ["soke.localhost", "127.0.0.1", "::1", "[::1]", "2001:db8::7"] {
        target.clone().with_server_name(fits).expect(fits);
    }
    for wrong in ["", "a:1", "[::1]:1", "u@h", "::1::", "a/b", "a b"] {
        let error = target.clone().with_server_name(wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{wrong}");
    }
}

#[test]
fn certificates_that_are_none_are_named() {
    let error = Identity::from_pem("", "").unwrap_err();
    assert!(error.to_string().starts_with("read private key"), "{error}");
    let trust = Trust::Authority {
        pem: "nothing".to_owned(),
    };
    let target: Target = "localhost:1".parse().unwrap();
    let error = rpc::connect_lazy(&target, &trust).unwrap_err();
    assert_eq!(
        error.to_string(),
        "read authority: holds no certificate in PEM form"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_swapped_under_load_without_one_failed_call() {
    let authority = Arc::new(Authority::new());
    let source = TlsSource::new(authority.config());
    let server = Arc::new(Server::start(Security::Tls(source.clone()), Limits::default()).await);
    let done = Arc::new(AtomicBool::new(false));
    let calls = Arc::new(AtomicUsize::new(0));
    let ended = Arc::new(AtomicUsize::new(0));
    for caller in 0..4 {
        let (server, authority) = (Arc::clone(&server), Arc::clone(&authority));
        let (done, calls, ended) = (Arc::clone(&done), Arc::clone(&calls), Arc::clone(&ended));
        let tasks = server.tasks.clone();
        let work = async move {
            let mut client = server.client(&authority.trust()).await;
            while !done.load(Ordering::SeqCst) {
                if caller % 2 == 0 {
                    client = server.client(&Trust::Fingerprint(authority.fingerprint())).await;
                }
                client.unary_call(waits(1)).await.expect("no call fails");
                calls.fetch_add(1, Ordering::SeqCst);
            }
            ended.fetch_add(1, Ordering::SeqCst);
        };
        tasks.spawn("caller", Policy::MayEnd, work);
    }
    for swap in 1..=30 {
        source.swap(authority.config());
        eventually("calls go on", || calls.load(Ordering::SeqCst) >= swap * 8).await;
    }
    done.store(true, Ordering::SeqCst);
    eventually("every caller ended well", || ended.load(Ordering::SeqCst) == 4).await;
    println!("{} calls beside 30 swaps", calls.load(Ordering::SeqCst));
    assert!(server.serving.stop(Duration::from_secs(5)).await.late.is_empty());
}
