//! T13: secrets that would be recognised anywhere, and a look at everything that is written down.

use std::{
    fs,
    io::{self, Write},
    sync::{Arc, Mutex},
};

use access::{Credential, Error, Proof, session, user};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};

use crate::bed::{Bed, alone, bearer, by_password, peer, secret};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .expect("one writer at a time")
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Everything that an error shows: its text, its debug form, and those of what caused it.
fn shown<T>(answer: Result<T, Error>) -> String {
    let Err(error) = answer else { return String::new() };
    let (mut text, mut source) = (format!("{error} {error:?}"), std::error::Error::source(&error));
    while let Some(cause) = source {
        text.push_str(&format!(" {cause} {cause:?}"));
        source = cause.source();
    }
    text
}

const CANARIES: [&str; 6] = [
    "canary-password-right",
    "canary-password-wrong",
    "canary-password-new",
    "canary-code",
    "canary-token",
    "canary-typed-as-name",
];

/// Does all that can be done with secrets, well and badly; gives every error text and every secret there was.
async fn everything(bed: &Bed) -> (String, Vec<String>) {
    let [right, wrong, new, code, token, name] = CANARIES;
    let (mut texts, mut secrets) = (String::new(), CANARIES.map(str::to_owned).to_vec());
    let ada = bed.owner().await;
    bed.set_password(&ada, right).await;
    let access = &bed.access;
    let long = format!("{token}{}", "x".repeat(5000));
    let signing = Ed25519KeyPair::generate().expect("a key");
    let challenge = access.challenge("ada").expect("a challenge");
    let bad_key = Proof::Key {
        user_name: "ada".to_owned(),
        challenge: challenge.clone(),
        signature: signing.sign(&challenge).as_ref().to_vec(),
        public_key: signing.public_key().as_ref().to_vec(),
    };
    let proofs = [
        by_password("ada", wrong),
        by_password(name, wrong),
        by_password(&format!("{name}!"), wrong),
        by_password("ada", &long),
        Proof::LinkCode(secret(code)),
        Proof::LinkCode(secret(&long)),
        bad_key,
    ];
    for proof in proofs {
        texts.push_str(&shown(access.sign_in(proof, &peer()).await));
    }
    for bad in [token, &long, "canary-token.canary-token.canary-token"] {
        texts.push_str(&shown(
            access
                .authenticate(Credential::Bearer(secret(bad)), &peer())
                .await,
        ));
        texts.push_str(&shown(access.refresh(secret(bad), &peer()).await));
    }
    let set = bed.permit::<session::SetPassword>(&ada).await.expect("may");
    texts.push_str(&shown(
        access
            .set_password(&set, Some(&secret(wrong)), &secret(new))
            .await,
    ));
    texts.push_str(&shown(
        access
            .set_password(&set, Some(&secret(right)), &secret("canary-code"))
            .await,
    ));
    texts.push_str(&shown(
        access
            .set_password(&set, Some(&secret(right)), &secret(new))
            .await,
    ));
    let fresh = bed.permit::<user::Code>(&ada).await.expect("may");
    let fresh = access.create_sign_in_code(&fresh, "ada").await.expect("is given");
    secrets.push(fresh.expose().to_owned());
    let turned = access
        .refresh(secret(ada.tokens.refresh_token.expose()), &peer())
        .await;
    let turned = turned.expect("is refreshed");
    texts.push_str(&shown(
        access
            .refresh(secret(ada.tokens.refresh_token.expose()), &peer())
            .await,
    ));
    for pair in [&ada.tokens, &turned] {
        for token in [&pair.access_token, &pair.refresh_token] {
            texts.push_str(&shown(access.authenticate(bearer(token), &peer()).await));
            // The last part is the signature: what makes it a secret.
            secrets.extend(token.expose().rsplit('.').next().map(str::to_owned));
        }
    }
    let key = fs::read_to_string(bed.seal_key()).expect("is read");
    secrets.extend(key.split_whitespace().last().map(str::to_owned));
    (texts, secrets)
}

#[test]
fn t13_no_secret_is_in_an_error_a_log_line_or_the_database() {
    alone(
        "secrets::t13_no_secret_is_in_an_error_a_log_line_or_the_database",
        async {
            let log = Log::default();
            let writer = log.clone();
            tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_writer(move || writer.clone())
                .init();
            let bed = Bed::new().await;
            let (texts, secrets) = everything(&bed).await;
            let store = bed.dir.path().join("store");
            let bed = bed.restarted(|_| {}).await.expect("it starts again");
            tracing::info!("the log is written");
            let logged = log.0.lock().expect("no writer").clone();
            assert!(logged.windows(18).any(|window| window == b"the log is written"));
            let mut places = vec![
                ("errors".to_owned(), texts.into_bytes()),
                ("log".to_owned(), logged),
            ];
            for file in fs::read_dir(&store).expect("a folder") {
                let path = file.expect("a file").path();
                places.push((path.display().to_string(), fs::read(&path).expect("is read")));
            }
            assert!(secrets.len() > 11 && places.len() > 2);
            for (place, bytes) in &places {
                for secret in &secrets {
                    let found = bytes
                        .windows(secret.len())
                        .any(|window| window == secret.as_bytes());
                    assert!(!found, "{} begins a secret found in {place}", &secret[..6]);
                }
            }
            drop(bed);
        },
    );
}
