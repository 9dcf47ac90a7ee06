//! The certificates that GetToken gives, field by field (contract on the control API, section 6).

use rpc::Fingerprint;
use x509_parser::{certificate::X509Certificate, pem::parse_x509_pem, prelude::FromDer as _};

use crate::bed::{Zone, pem};

#[tokio::test]
async fn both_certificates_are_those_that_litekubes_clients_know() {
    let zone = Zone::new().await;
    let node = zone.registered().await;
    for authority in [&node.grpc_ca_cert, &node.network_ca_cert] {
        let own = Fingerprint::of_pem(&pem(authority)).expect("PEM").to_string();
        assert_eq!(own, format!("sha256:{}", zone.access.zone().ca_fingerprint()));
    }
    let given = [
        (
            &node.grpc_client_cert,
            "O=lknm:register, CN=network-controller-grpc-client",
        ),
        (
            &node.network_client_cert,
            "O=lknm:join, CN=network-controller-client",
        ),
    ];
    let authority = pem(&node.grpc_ca_cert);
    let (_, authority) = parse_x509_pem(authority.as_bytes()).expect("PEM");
    let (_, authority) = X509Certificate::from_der(&authority.contents).expect("a certificate");
    for (certificate, subject) in given {
        let text = pem(certificate);
        assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 1, "the leaf alone");
        assert!(
            text.ends_with("-----\n") && text.lines().all(|line| line.len() <= 64),
            "{text}"
        );
        let (_, block) = parse_x509_pem(text.as_bytes()).expect("PEM");
        let (_, leaf) = X509Certificate::from_der(&block.contents).expect("a certificate");
        assert_eq!(leaf.subject().to_string(), subject);
        leaf.verify_signature(Some(authority.public_key()))
            .expect("signed by the zone");
        let life = leaf.validity().not_after.timestamp() - zone.clock.now().secs();
        assert!((365 * 86_400 - 5..=365 * 86_400).contains(&life), "{life}");
        let usage = leaf.key_usage().expect("one").expect("key usage");
        assert!(usage.critical && usage.value.digital_signature() && usage.value.key_encipherment());
        let usage = leaf
            .extended_key_usage()
            .expect("one")
            .expect("extended key usage");
        assert!(usage.value.client_auth && !usage.value.server_auth);
        // Key usage, authority key identifier, extended key usage: no names, no basic constraints.
        let mut present: Vec<String> = leaf
            .extensions()
            .iter()
            .map(|one| one.oid.to_id_string())
            .collect();
        present.sort_unstable();
        assert_eq!(present, ["2.5.29.15", "2.5.29.35", "2.5.29.37"]);
    }
    // The length is that of the document's sample.
    for key in [&node.grpc_client_key, &node.network_client_key] {
        assert_eq!(key.len(), 304);
        assert!(pem(key).starts_with("-----BEGIN EC PRIVATE KEY-----\n"), "SEC 1");
    }
    assert_ne!(node.grpc_client_key, node.network_client_key);
}
