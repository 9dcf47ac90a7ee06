//! Signing in and out, by each proof, and what is refused.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use tonic::{Code, Request};
use wire::soke::v1::{self, sign_in_request::Proof};

use crate::zone::{Zone, bearing, refusal, token};

const PASSWORD: &str = "correct horse battery";

fn password(user_name: &str, password: &str) -> Proof {
    Proof::Password(v1::PasswordProof {
        user_name: user_name.to_owned(),
        password: password.to_owned(),
    })
}

#[tokio::test]
async fn a_code_opens_a_session_once_and_a_password_opens_more() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    let who = zone
        .sessions()
        .who_am_i(bearing(&owner, v1::WhoAmIRequest {}))
        .await;
    let identity = who.expect("told").into_inner().identity.expect("somebody");
    assert_eq!(
        (identity.user_name.as_str(), &identity.roles[..]),
        ("ada", &["owner".to_owned()][..])
    );
    let message = v1::SetPasswordRequest {
        new_password: PASSWORD.to_owned(),
        ..v1::SetPasswordRequest::default()
    };
    zone.sessions()
        .set_password(bearing(&owner, message))
        .await
        .expect("set");
    let signed_in = zone.sign_in(password("ada", PASSWORD)).await.expect("signed in");
    let tokens = signed_in.tokens.expect("tokens");
    let (short, long) = (
        tokens.access_expires_at.expect("an end"),
        tokens.refresh_expires_at.expect("an end"),
    );
    assert!(short.seconds < long.seconds);
    for wrong in [password("ada", "wrong horse battery"), password("eve", PASSWORD)] {
        assert_eq!(
            refusal(zone.sign_in(wrong).await),
            (Code::Unauthenticated, vec![])
        );
    }
}

#[tokio::test]
async fn a_key_signs_a_challenge_in_once() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    let key = Ed25519KeyPair::generate().expect("a key");
    let public_key = key.public_key().as_ref().to_vec();
    let message = v1::AddKeyRequest {
        public_key: public_key.clone(),
        label: "laptop".to_owned(),
    };
    zone.sessions()
        .add_key(bearing(&owner, message))
        .await
        .expect("added");
    let ask = v1::CreateChallengeRequest {
        user_name: "ada".to_owned(),
    };
    let challenge = zone
        .sessions()
        .create_challenge(ask)
        .await
        .expect("given")
        .into_inner()
        .challenge;
    let proof = Proof::Key(v1::KeyProof {
        user_name: "ada".to_owned(),
        signature: key.sign(&challenge).as_ref().to_vec(),
        challenge,
        public_key,
    });
    zone.sign_in(proof.clone()).await.expect("signed in");
    let again = zone.sign_in(proof).await;
    assert_eq!(refusal(again), (Code::Unauthenticated, vec![]));
}

#[tokio::test]
async fn a_wallet_is_linked_signs_in_once_with_each_text_and_is_taken_away() {
    let zone = Zone::new().await;
    let (owner, wallet) = (zone.owner().await, testbed::Wallet::new(1));
    let text = async |link_to: &str| {
        let message = v1::CreateWalletTextRequest {
            address: wallet.address().to_uppercase().replacen("0X", "0x", 1),
            link_to: link_to.to_owned(),
        };
        let given = zone.sessions().create_wallet_text(message).await;
        given.expect("given").into_inner().text
    };
    let proof = async || {
        let text = text("").await;
        let signature = wallet.sign_text(&text);
        Proof::Wallet(v1::WalletProof { text, signature })
    };
    let unknown = zone.sign_in(proof().await).await;
    assert_eq!(refusal(unknown), (Code::Unauthenticated, vec![]));
    let to_link = text("ada").await;
    let message = v1::AddWalletRequest {
        signature: wallet.sign_text(&to_link),
        text: to_link,
        label: "hardware".to_owned(),
    };
    let added = zone.sessions().add_wallet(bearing(&owner, message)).await;
    assert_eq!(added.expect("linked").into_inner().address, wallet.address());
    let good = proof().await;
    let signed_in = zone.sign_in(good.clone()).await.expect("signed in");
    assert_eq!(signed_in.identity.expect("somebody").user_name, "ada");
    assert_eq!(refusal(zone.sign_in(good).await), (Code::Unauthenticated, vec![]));
    let listed = zone
        .sessions()
        .list_wallets(bearing(&owner, v1::ListWalletsRequest {}))
        .await;
    let listed = listed.expect("a list").into_inner().wallets;
    assert_eq!((listed.len(), listed[0].label.as_str()), (1, "hardware"));
    let remove = v1::RemoveWalletRequest {
        address: wallet.address(),
    };
    let removed = zone
        .sessions()
        .remove_wallet(bearing(&owner, remove.clone()))
        .await;
    removed.expect("taken away");
    let again = zone.sessions().remove_wallet(bearing(&owner, remove)).await;
    assert_eq!(refusal(again), (Code::NotFound, vec![]));
    assert_eq!(
        refusal(zone.sign_in(proof().await).await),
        (Code::Unauthenticated, vec![])
    );
    for address in ["", "0x", "7e5f4552091a69125d5dfcb7b8c2659029395bdf"] {
        let message = v1::CreateWalletTextRequest {
            address: address.to_owned(),
            ..v1::CreateWalletTextRequest::default()
        };
        let answer = zone.sessions().create_wallet_text(message).await;
        assert_eq!(
            refusal(answer),
            (Code::InvalidArgument, vec!["address".to_owned()])
        );
    }
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_its_second_use_ends_the_session() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    let member = v1::CreateUserRequest {
        user_name: "bob".to_owned(),
        ..v1::CreateUserRequest::default()
    };
    let made = zone
        .users()
        .create_user(bearing(&owner, member))
        .await
        .expect("made");
    let code = made.into_inner().sign_in_code;
    let signed_in = zone.sign_in(Proof::LinkCode(code)).await.expect("signed in");
    let refresh = v1::RefreshRequest {
        refresh_token: signed_in.tokens.expect("tokens").refresh_token,
    };
    let fresh = zone.sessions().refresh(refresh.clone()).await.expect("refreshed");
    let fresh = fresh.into_inner().tokens.expect("tokens").access_token;
    let who = || zone.sessions();
    who()
        .who_am_i(bearing(&fresh, v1::WhoAmIRequest {}))
        .await
        .expect("good");
    let again = zone.sessions().refresh(refresh).await;
    assert_eq!(refusal(again), (Code::Unauthenticated, vec![]));
    let after = who().who_am_i(bearing(&fresh, v1::WhoAmIRequest {})).await;
    assert_eq!(refusal(after), (Code::Unauthenticated, vec![]));
}

#[tokio::test]
async fn what_is_wrong_with_a_sign_in_is_said_by_field() {
    let zone = Zone::new().await;
    let answer = zone.sessions().sign_in(v1::SignInRequest { proof: None }).await;
    assert_eq!(refusal(answer), (Code::InvalidArgument, vec!["proof".to_owned()]));
    let answer = zone.sessions().refresh(v1::RefreshRequest::default()).await;
    assert_eq!(
        refusal(answer),
        (Code::InvalidArgument, vec!["refresh_token".to_owned()])
    );
    let long = "x".repeat(100_000);
    let cases = [
        (
            password("", ""),
            Code::InvalidArgument,
            vec!["user_name", "password"],
        ),
        (password("ada", &long), Code::InvalidArgument, vec!["password"]),
        (
            Proof::LinkCode(String::new()),
            Code::InvalidArgument,
            vec!["link_code"],
        ),
        (
            Proof::LinkCode("no such code".to_owned()),
            Code::Unauthenticated,
            vec![],
        ),
        (
            Proof::Key(v1::KeyProof::default()),
            Code::InvalidArgument,
            vec!["user_name", "challenge", "signature", "public_key"],
        ),
    ];
    for (number, (proof, code, fields)) in cases.into_iter().enumerate() {
        let fields = fields.into_iter().map(str::to_owned).collect();
        assert_eq!(
            refusal(zone.sign_in(proof).await),
            (code, fields),
            "case {number}"
        );
    }
    let ask = v1::CreateChallengeRequest {
        user_name: "\u{7f}".to_owned(),
    };
    let answer = zone.sessions().create_challenge(ask).await;
    assert_eq!(
        refusal(answer),
        (Code::InvalidArgument, vec!["user_name".to_owned()])
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_new_password_or_key_is_said_by_field() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    let set = |old: &str, new: &str| v1::SetPasswordRequest {
        old_password: old.to_owned(),
        new_password: new.to_owned(),
    };
    let first = zone
        .sessions()
        .set_password(bearing(&owner, set("", PASSWORD)))
        .await;
    first.expect("no old password is wanted where none is set");
    for (message, code, fields) in [
        (set("", "short"), Code::InvalidArgument, vec!["new_password"]),
        (
            set(&"x".repeat(1025), &"x".repeat(1025)),
            Code::InvalidArgument,
            vec!["old_password", "new_password"],
        ),
        (set("", "another long password"), Code::PermissionDenied, vec![]),
        (
            set("wrong password", "another long password"),
            Code::PermissionDenied,
            vec![],
        ),
    ] {
        let fields: Vec<String> = fields.into_iter().map(str::to_owned).collect();
        let answer = zone.sessions().set_password(bearing(&owner, message)).await;
        assert_eq!(refusal(answer), (code, fields));
    }
    for (public_key, label, fields) in [
        (vec![], "", vec!["public_key", "label"]),
        (vec![1; 31], "laptop", vec!["public_key"]),
        (vec![0; 32], "laptop", vec!["public_key"]),
        (vec![1; 33], "a\nb", vec!["public_key", "label"]),
    ] {
        let message = v1::AddKeyRequest {
            public_key,
            label: label.to_owned(),
        };
        let fields: Vec<String> = fields.into_iter().map(str::to_owned).collect();
        let answer = zone.sessions().add_key(bearing(&owner, message)).await;
        assert_eq!(refusal(answer), (Code::InvalidArgument, fields));
    }
}

#[tokio::test]
async fn a_session_that_was_left_is_left() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    let out = || Request::new(v1::SignOutRequest {});
    let nobody = zone.sessions().sign_out(out()).await;
    assert_eq!(refusal(nobody), (Code::Unauthenticated, vec![]));
    zone.sessions()
        .sign_out(bearing(&owner, v1::SignOutRequest {}))
        .await
        .expect("left");
    let again = zone
        .sessions()
        .sign_out(bearing(&owner, v1::SignOutRequest {}))
        .await;
    assert_eq!(refusal(again), (Code::Unauthenticated, vec![]));
    let signed_in = zone
        .access
        .first_owner("ada")
        .await
        .expect("asked")
        .expect("a fresh code");
    let proof = Proof::LinkCode(signed_in.expose().to_owned());
    assert!(!token(&zone.sign_in(proof).await.expect("signed in")).is_empty());
}
