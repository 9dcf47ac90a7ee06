//! One user, whatever proof opened the session: wallet, key or password, for `soke.v1`, for kRPC and for jobs.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::Stdio,
    time::Duration,
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use krpc::{Reply, Request};
use serde_json::json;
use wire::soke::v1::{
    self, JobState, session_service_client::SessionServiceClient, sign_in_request::Proof,
    user_service_client::UserServiceClient,
};

use super::{
    Ethers, bytes,
    http::{ask, greet, now},
};
use crate::harness::{LONG, Wire, Zone, eventually, finished, wire::signed};

const PASSWORD: &str = "correct horse battery";

fn text(wire: &Wire, address: &str, link_to: &str) -> String {
    let message = v1::CreateWalletTextRequest {
        address: address.to_owned(),
        link_to: link_to.to_owned(),
    };
    let mut sessions = SessionServiceClient::new(wire.channel());
    let answer = wire.wait(sessions.create_wallet_text(message));
    answer.expect("a text").into_inner().text
}

fn identity(wire: &Wire, bearer: &str) -> Option<v1::Identity> {
    let mut sessions = SessionServiceClient::new(wire.channel());
    let answer = wire.wait(sessions.who_am_i(signed(v1::WhoAmIRequest {}, bearer)));
    answer.ok()?.into_inner().identity
}

/// Links a wallet of ethers to the user of this bearer.
pub(super) fn link(wire: &Wire, bearer: &str, wallet: &Ethers) -> String {
    let address = wallet.sign("").address;
    let name = identity(wire, bearer).expect("somebody").user_name;
    let text = text(wire, &address, &name);
    let message = v1::AddWalletRequest {
        signature: bytes(&wallet.sign(&text).signature),
        text,
        label: "ethers".to_owned(),
    };
    let mut sessions = SessionServiceClient::new(wire.channel());
    let added = wire.wait(sessions.add_wallet(signed(message, bearer)));
    added.expect("linked").into_inner().address
}

/// The cookie of a linked wallet, which is announced for it.
pub(super) fn cookie(zone: &Zone, wallet: &Ethers) -> String {
    let time = now().to_string();
    let proof = wallet.sign(&time);
    let announced = greet(
        zone.listener("grid.http"),
        &format!("type=1&input={}", proof.address),
        "",
    );
    assert_eq!(announced.status, 200, "{announced:?}");
    let query = format!(
        "type=2&input={time}&addr={}&sig={}",
        proof.address, proof.signature
    );
    greet(zone.listener("grid.http"), &query, "").cookie()
}

/// Adds a key to the user of this bearer and proves it on a challenge for that user.
fn key_proof(wire: &Wire, bearer: &str, user_name: &str) -> Proof {
    let key = Ed25519KeyPair::generate().expect("a key");
    let public_key = key.public_key().as_ref().to_vec();
    let mut sessions = SessionServiceClient::new(wire.channel());
    let message = v1::AddKeyRequest {
        public_key: public_key.clone(),
        label: "laptop".to_owned(),
    };
    let added = wire.wait(sessions.add_key(signed(message, bearer)));
    added.expect("a new key");
    let ask = v1::CreateChallengeRequest {
        user_name: user_name.to_owned(),
    };
    let challenge = wire.wait(sessions.create_challenge(ask)).expect("a challenge");
    let challenge = challenge.into_inner().challenge;
    Proof::Key(v1::KeyProof {
        user_name: user_name.to_owned(),
        signature: key.sign(&challenge).as_ref().to_vec(),
        challenge,
        public_key,
    })
}

fn verify(zone: &Zone, token: &str) -> Reply {
    let request = Request::new("verify_token", json!({ "session_token": token }), 1);
    crate::kapi::call(zone.listener("buckyos.node_gateway"), "verify-hub", &request)
}

#[test]
fn a_session_made_by_wallet_key_or_password_is_the_same_user_everywhere() {
    let zone = Zone::builder().start();
    let wire = zone.wire();
    let owner = wire.sign_in(&zone.owner_code()).access_token;
    let ada = wire
        .sign_in(&wire.create_user(&owner, "ada", "member"))
        .access_token;
    let wallet = Ethers::new(31);
    let address = link(&wire, &ada, &wallet);
    crate::kapi::set_password(&wire, &ada);
    let by_password = Proof::Password(v1::PasswordProof {
        user_name: "ada".to_owned(),
        password: PASSWORD.to_owned(),
    });
    let to_sign = text(&wire, &address, "");
    let by_wallet = Proof::Wallet(v1::WalletProof {
        signature: bytes(&wallet.sign(&to_sign).signature),
        text: to_sign,
    });
    let wanted = identity(&wire, &ada).expect("somebody");
    let by_key = key_proof(&wire, &ada, "ada");
    let mut bearers = vec![ada];
    for proof in [by_password, by_key, by_wallet.clone()] {
        let tokens = wire.try_sign_in(proof).expect("a good proof").tokens;
        bearers.push(tokens.expect("tokens").access_token);
    }
    assert!(wire.try_sign_in(by_wallet).is_err(), "W06: a text is good once");
    for bearer in &bearers {
        let who = identity(&wire, bearer).expect("somebody");
        assert_eq!(
            (who.user_id, who.user_name),
            (wanted.user_id.clone(), wanted.user_name.clone())
        );
        assert_eq!(verify(&zone, bearer), Reply::of(json!(true)));
        let number = wire.submit(bearer, "true");
        let job = wire.job_until(bearer, number, JobState::Completed);
        assert_eq!(job.user_name, "ada");
    }

    // The cookie of the same wallet ends with all her sessions.
    let door = zone.listener("grid.http");
    let cookie = cookie(&zone, &wallet);
    let process = || ask(door, "GET", "/", &format!("cookie: {cookie}\r\n"), "").body;
    assert!(process().contains("have not deployed before"), "{}", process());
    let mut users = UserServiceClient::new(wire.channel());
    let request = v1::RevokeSessionsRequest {
        user_name: "ada".to_owned(),
    };
    wire.wait(users.revoke_sessions(signed(request, &owner)))
        .expect("revoked");
    eventually(Duration::from_secs(5), "the cookie ends", || {
        process().contains("user is not authorized").then_some(())
    });
    for bearer in &bearers {
        assert!(identity(&wire, bearer).is_none());
        assert!(verify(&zone, bearer).result.is_err());
    }
}

/// Gives a command the signature of the text that it shows; gives what it said after that.
pub(super) fn sign_for(zone: &Zone, arguments: &[&str], wallet: &Ethers) -> String {
    let mut command = zone.command();
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().expect("starts");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut text = String::new();
    while !text.contains("Expiration Time: ") {
        let read = out.read_line(&mut text).expect("a line");
        assert!(read > 0, "the text ends early: {text}");
    }
    let signature = wallet.sign(text.trim_end_matches('\n')).signature;
    let mut stdin = child.stdin.take().expect("a pipe");
    writeln!(stdin, "{signature}").expect("written");
    drop(stdin);
    let mut rest = String::new();
    out.read_to_string(&mut rest).expect("the rest");
    let status = finished(&mut child, LONG).expect("it ends");
    assert!(status.success(), "{rest}");
    rest
}

#[test]
fn the_command_line_links_a_wallet_and_signs_in_with_it() {
    let zone = Zone::builder().start();
    zone.sign_in_owner();
    let wallet = Ethers::new(32);
    let address = wallet.sign("").address;
    let small = address.to_lowercase();
    let said = sign_for(
        &zone,
        &["wallet", "add", &address, "--label", "my ledger"],
        &wallet,
    );
    assert_eq!(said, format!("{small} signs in as keeper\n"));
    assert_eq!(zone.good(&["wallet", "list"]), format!("{small}  my ledger\n"));
    zone.good(&["sign-out"]);
    let said = sign_for(&zone, &["sign-in", "--wallet", &address], &wallet);
    assert_eq!(said, "signed in as keeper (owner)\n");
    zone.good(&["wallet", "remove", &small]);
    assert_eq!(zone.good(&["wallet", "list"]), "");
    for (arguments, input) in [
        (&["wallet", "add", "0x12"][..], ""),
        (&["wallet", "add", &address], "no signature\n"),
        (&["wallet", "remove", "x"], ""),
    ] {
        let bad = zone.soke_with_input(arguments, input);
        assert_eq!(bad.code, Some(64), "{arguments:?}: {bad:?}");
    }
}
