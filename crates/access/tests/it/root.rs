//! The zone's root: the key on disk, sealed secrets, certificates that a client accepts, renewed in time.

use std::{fs, os::unix::fs::PermissionsExt as _, sync::Arc, time::Duration};

use access::{Config, Error};
use model::{ErrorKind, Span};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use tempfile::TempDir;

use crate::bed::{Bed, refused, soon};

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).expect("is there").permissions().mode() & 0o7777
}

fn set_mode(path: &std::path::Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("is set");
}

fn seal_key(dir: &TempDir) -> std::path::PathBuf {
    dir.path().join("keys").join("seal.key")
}

#[tokio::test]
async fn the_seal_key_and_its_folder_are_for_their_owner_only() {
    let bed = Bed::new().await;
    assert_eq!(mode(&bed.seal_key()), 0o600);
    assert_eq!(mode(bed.seal_key().parent().expect("a folder")), 0o700);
}

#[tokio::test]
async fn a_zone_does_not_start_without_its_seal_key() {
    let bed = Bed::new().await;
    let path = bed.seal_key();
    let error = refused(
        bed.restarted(|dir| fs::remove_file(seal_key(dir)).expect("is removed"))
            .await,
    );
    assert_eq!(error.kind(), ErrorKind::Precondition);
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    assert!(!path.exists(), "no new key is made for an old zone");
}

#[tokio::test]
async fn a_zone_does_not_start_with_a_seal_key_that_others_may_read() {
    for (wide, in_folder) in [(0o640, false), (0o604, false), (0o750, true)] {
        let bed = Bed::new().await;
        let widen = |dir: &TempDir| {
            let key = seal_key(dir);
            set_mode(
                if in_folder {
                    key.parent().expect("a folder")
                } else {
                    &key
                },
                wide,
            );
        };
        let error = refused(bed.restarted(widen).await);
        assert!(
            matches!(error, Error::SealKeyOpen { mode, .. } if mode == wide),
            "{error}"
        );
        assert!(error.to_string().contains("chmod"), "{error}");
    }
}

#[tokio::test]
async fn a_zone_does_not_start_with_another_or_a_damaged_seal_key() {
    let other = Bed::new().await;
    let foreign = fs::read(other.seal_key()).expect("is read");
    let bed = Bed::new().await;
    let error = refused(
        bed.restarted(|dir| fs::write(seal_key(dir), foreign).expect("is written"))
            .await,
    );
    assert!(matches!(error, Error::SealBroken { .. }), "{error}");
    for damaged in ["", "soke-seal-key-1 00", "soke-seal-key-1 zz", "\u{0}\u{1}"] {
        let bed = Bed::new().await;
        let error = refused(
            bed.restarted(|dir| fs::write(seal_key(dir), damaged).expect("is written"))
                .await,
        );
        assert!(matches!(error, Error::SealKeyBad { .. }), "{error}");
    }
}

#[tokio::test]
async fn sealed_records_cannot_trade_places() {
    let bed = Bed::new().await;
    bed.tamper(
        "UPDATE sealed SET nonce = (SELECT nonce FROM sealed WHERE name = 'owner/key'), \
         box = (SELECT box FROM sealed WHERE name = 'owner/key') WHERE name = 'ca/key'",
    )
    .await;
    let error = refused(bed.restarted(|_| {}).await);
    assert!(
        matches!(&error, Error::SealBroken { name } if name == "ca/key"),
        "{error}"
    );
}

#[tokio::test]
async fn no_secret_lies_open_in_the_database() {
    let bed = Bed::new().await;
    let ada = bed.owner().await;
    bed.set_password(&ada, "a canary password").await;
    let dir = bed.dir.path().join("store");
    let key = fs::read_to_string(bed.seal_key()).expect("is read");
    let key = key.trim().rsplit(' ').next().expect("digits").to_owned();
    let shown = [
        key.as_str(),
        "a canary password",
        ada.tokens.access_token.expose(),
        ada.tokens.refresh_token.expose(),
        "PRIVATE KEY",
    ];
    for file in fs::read_dir(dir).expect("a folder") {
        let bytes = fs::read(file.expect("a file").path()).expect("is read");
        for secret in shown {
            assert!(
                !bytes
                    .windows(secret.len())
                    .any(|window| window == secret.as_bytes()),
                "found"
            );
        }
    }
}

/// Shakes hands in memory and gives the server's certificate.
fn shake(settings: &Arc<ServerConfig>, ca: &RootCertStore, name: &str) -> Result<Vec<u8>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(ca.clone())
        .with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec()];
    let name = rustls_pki_types::ServerName::try_from(name.to_owned()).expect("a name");
    let mut client = ClientConnection::new(Arc::new(client), name)?;
    let mut server = ServerConnection::new(Arc::clone(settings))?;
    while client.is_handshaking() || server.is_handshaking() {
        let (mut up, mut down) = (Vec::new(), Vec::new());
        client.write_tls(&mut up).expect("memory");
        server.read_tls(&mut up.as_slice()).expect("memory");
        server.process_new_packets()?;
        server.write_tls(&mut down).expect("memory");
        client.read_tls(&mut down.as_slice()).expect("memory");
        client.process_new_packets()?;
    }
    assert_eq!(client.alpn_protocol(), Some(&b"h2"[..]));
    Ok(client.peer_certificates().expect("shown")[0].to_vec())
}

/// A zone on the machine's own time would be needed for a real handshake; the bed's clock is set to it.
async fn bed_of_today(certificate_life: Span) -> Bed {
    let bed = Bed::with(Config {
        certificate_life,
        ..Config::default()
    })
    .await;
    let today = tasks::Clock::system().now();
    bed.clock.advance(today - bed.clock.now());
    bed
}

#[tokio::test]
async fn a_client_that_trusts_the_zone_accepts_its_listeners_by_their_names() {
    let bed = bed_of_today(Span::from_secs(86_400)).await;
    let bed = bed.restarted(|_| {}).await.expect("it starts again");
    let (here, other) = (bed.access, Bed::new().await.access);
    let mut trusted = RootCertStore::empty();
    trusted.add(here.zone().ca_der().clone()).expect("a certificate");
    let names = ["soke.localhost", "localhost", "127.0.0.1", "::1"]
        .map(str::to_owned)
        .to_vec();
    let settings = here
        .server_tls(names.clone(), vec![b"h2".to_vec()])
        .expect("settings")
        .borrow()
        .clone();
    for name in &names {
        shake(&settings, &trusted, name).expect("is accepted");
    }
    shake(&settings, &trusted, "elsewhere.example").expect_err("another name");
    let mut foreign = RootCertStore::empty();
    foreign.add(other.zone().ca_der().clone()).expect("a certificate");
    shake(&settings, &foreign, "localhost").expect_err("another zone's authority");
    assert!(here.zone().ca_pem().starts_with("-----BEGIN CERTIFICATE-----\n"));
    assert_eq!(here.zone().ca_fingerprint().len(), 64);
}

#[tokio::test]
async fn a_server_certificate_is_renewed_at_half_its_life() {
    let bed = bed_of_today(Span::from_secs(2)).await;
    let mut settings = bed
        .access
        .server_tls(vec!["localhost".to_owned()], Vec::new())
        .expect("settings");
    let first = Arc::clone(&settings.borrow_and_update());
    tokio::time::timeout(Duration::from_millis(1500), settings.changed())
        .await
        .expect_err("not before its time");
    bed.clock.advance(Span::from_secs(1));
    soon(settings.changed()).await.expect("renewed");
    assert!(!Arc::ptr_eq(&first, &settings.borrow()));
}
