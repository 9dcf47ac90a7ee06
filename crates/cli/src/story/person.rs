//! One person with three proofs: a password, a key and a wallet sign in the same user.
//!
//! The proofs are made up and lie in `client/ada.json`, readable for the zone's owner only, so that the reader of the story
//! can go on as that person. What it leaves to others: judging proofs (the server).

use std::path::Path;

use aws_lc_rs::{
    rand,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use serde::Serialize;
use wire::soke::v1::{
    self, session_service_client::SessionServiceClient, sign_in_request::Proof,
    user_service_client::UserServiceClient,
};

use super::{fact, wallet::Wallet};
use crate::{
    Error,
    client::{Client, Zone},
    place::write_private,
    sign_in::sign_in_with,
};

/// What the person is called.
pub(super) const NAME: &str = "ada";

/// A member of the zone who has signed in.
pub(super) struct Person {
    /// With the session of the last sign-in.
    pub(super) client: Client,
    pub(super) wallet: Wallet,
}

/// What is kept for the reader.
#[derive(Serialize)]
struct Proofs {
    user_name: &'static str,
    password: String,
    /// Ed25519 (RFC 8032): the seed in hex.
    key_seed: String,
    /// secp256k1: the number in hex, as wallets import it.
    wallet_key: String,
    wallet_address: String,
}

/// Makes the user and its three proofs, and signs in with each.
pub(super) async fn arrive(keeper: &Client, data: &Path) -> Result<Person, Error> {
    let code = make_user(keeper).await?;
    let client = Client::to(Zone::here_as(data, NAME)?).await?;
    sign_in_with(&client, Proof::LinkCode(code)).await?;
    let (seed, number) = (random()?, random()?);
    let password = hex::encode(random()?);
    let key = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_no_key| no_luck())?;
    let wallet = Wallet::of(&number).ok_or_else(no_luck)?;
    let proofs = Proofs {
        user_name: NAME,
        password: password.clone(),
        key_seed: hex::encode(seed),
        wallet_key: format!("0x{}", hex::encode(number)),
        wallet_address: wallet.address.clone(),
    };
    keep(data, &proofs)?;
    let person = Person { client, wallet };
    person.learn(&password, &key).await?;
    let proofs = [
        Proof::Password(v1::PasswordProof {
            user_name: NAME.to_owned(),
            password,
        }),
        person.by_key(&key).await?,
        person.by_wallet().await?,
    ];
    let mut ids = Vec::new();
    for proof in proofs {
        ids.push(sign_in_with(&person.client, proof).await?.user_id);
    }
    ids.dedup();
    let [id] = ids.as_slice() else {
        return Err(Error::Answer("three proofs of one person sign in several users"));
    };
    fact(
        "signed in",
        format_args!("{NAME} by password, key and wallet: one user, {id}"),
    )?;
    Ok(person)
}

impl Person {
    /// Tells the zone by which proofs the person is known from now on.
    async fn learn(&self, password: &str, key: &Ed25519KeyPair) -> Result<(), Error> {
        let client = &self.client;
        let mut sessions = SessionServiceClient::new(client.channel());
        let message = v1::SetPasswordRequest {
            old_password: String::new(),
            new_password: password.to_owned(),
        };
        client
            .call(message, |request| sessions.set_password(request))
            .await?;
        let message = v1::AddKeyRequest {
            public_key: key.public_key().as_ref().to_vec(),
            label: "first run".to_owned(),
        };
        client.call(message, |request| sessions.add_key(request)).await?;
        let v1::WalletProof { text, signature } = self.signed(NAME).await?;
        let message = v1::AddWalletRequest {
            text,
            signature,
            label: "first run".to_owned(),
        };
        client
            .call(message, |request| sessions.add_wallet(request))
            .await?;
        Ok(())
    }

    async fn by_key(&self, key: &Ed25519KeyPair) -> Result<Proof, Error> {
        let message = v1::CreateChallengeRequest {
            user_name: NAME.to_owned(),
        };
        let mut sessions = SessionServiceClient::new(self.client.channel());
        let answer = self
            .client
            .call_unsigned(message, |request| sessions.create_challenge(request))
            .await?;
        Ok(Proof::Key(v1::KeyProof {
            user_name: NAME.to_owned(),
            signature: key.sign(&answer.challenge).as_ref().to_vec(),
            challenge: answer.challenge,
            public_key: key.public_key().as_ref().to_vec(),
        }))
    }

    async fn by_wallet(&self) -> Result<Proof, Error> {
        self.signed("").await.map(Proof::Wallet)
    }

    /// The zone's text for the wallet, to sign in or to be linked to a user, with its signature.
    async fn signed(&self, link_to: &str) -> Result<v1::WalletProof, Error> {
        let message = v1::CreateWalletTextRequest {
            address: self.wallet.address.clone(),
            link_to: link_to.to_owned(),
        };
        let mut sessions = SessionServiceClient::new(self.client.channel());
        let answer = self
            .client
            .call_unsigned(message, |request| sessions.create_wallet_text(request))
            .await?;
        let signature = self.wallet.sign(&answer.text);
        let text = answer.text;
        Ok(v1::WalletProof { text, signature })
    }
}

async fn make_user(keeper: &Client) -> Result<String, Error> {
    let message = v1::CreateUserRequest {
        user_name: NAME.to_owned(),
        role: "member".to_owned(),
        unix_name: String::new(),
    };
    let mut users = UserServiceClient::new(keeper.channel());
    let answer = keeper.call(message, |request| users.create_user(request)).await?;
    Ok(answer.sign_in_code)
}

fn keep(data: &Path, proofs: &Proofs) -> Result<(), Error> {
    let path = data.join("client").join(format!("{NAME}.json"));
    let text = serde_json::to_vec_pretty(proofs).map_err(|source| Error::Malformed {
        path: path.clone(),
        source,
    })?;
    write_private(&path, &text)
}

fn random() -> Result<[u8; 32], Error> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_no_source| no_luck())?;
    Ok(bytes)
}

fn no_luck() -> Error {
    Error::Answer("this machine gives no random numbers")
}
