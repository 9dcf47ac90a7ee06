//! BuckyOS's doors of a whole zone: a session made there is the zone's own, outlives the server, and ends everywhere.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use krpc::{Reply, Request};
use serde_json::{Value, json};
use wire::soke::v1::{
    self, job_service_client::JobServiceClient, session_service_client::SessionServiceClient,
    user_service_client::UserServiceClient,
};

use crate::harness::{LONG, Wire, Zone, wire::signed};

const PASSWORD: &str = "correct horse battery";

/// Makes a call over HTTP/1.1 and reads the reply to it.
pub(crate) fn call(address: SocketAddr, service: &str, request: &Request) -> Reply {
    let body = request.to_body();
    let head = format!(
        "POST /kapi/{service} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(address).expect("the door is open");
    stream.set_read_timeout(Some(LONG)).expect("a bound");
    stream
        .write_all(&[head.into_bytes(), body].concat())
        .expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    assert!(
        answer.starts_with(b"HTTP/1.1 200 "),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("an end of the head");
    krpc::read_reply(&answer[end + 4..], request.seq).expect("a reply")
}

#[expect(
    clippy::disallowed_methods,
    reason = "the server of this test runs on the machine's clock"
)]
fn millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_millis()).expect("a small number")
}

#[expect(
    clippy::disallowed_methods,
    reason = "a bound that a user would measure with a watch"
)]
fn watch() -> Instant {
    Instant::now()
}

struct Doors {
    gateway: SocketAddr,
    config: SocketAddr,
}

impl Doors {
    fn of(zone: &Zone) -> Self {
        Self {
            gateway: zone.listener("buckyos.node_gateway"),
            config: zone.listener("buckyos.system_config"),
        }
    }

    fn hub(&self, method: &str, params: Value) -> Reply {
        call(self.gateway, "verify-hub", &Request::new(method, params, 1))
    }

    fn login(&self, name: &str, nonce: u64) -> Reply {
        let stored = krpc::stored_password(name, PASSWORD);
        let proof = krpc::password_proof(&stored, nonce);
        let params = json!({"type": "password", "username": name, "password": proof, "appid": "files", "login_nonce": nonce});
        self.hub("login_by_password", params)
    }

    fn set(&self, token: &str, key: &str) -> Reply {
        let request = Request::new("sys_config_set", json!({"key": key, "value": "v"}), 2);
        call(self.config, "system_config", &request.with_token(token))
    }

    fn verify(&self, token: &str) -> Reply {
        self.hub("verify_token", json!({"session_token": token}))
    }
}

fn text(reply: &Reply, member: &str) -> String {
    let result = reply.result.as_ref().expect("a result");
    result[member].as_str().expect("a text").to_owned()
}

fn who(wire: &Wire, bearer: &str) -> Result<String, tonic::Status> {
    let mut sessions = SessionServiceClient::new(wire.channel());
    let answer = wire.wait(sessions.who_am_i(signed(v1::WhoAmIRequest {}, bearer)))?;
    Ok(answer.into_inner().identity.expect("an identity").user_name)
}

pub(crate) fn set_password(wire: &Wire, bearer: &str) {
    let request = v1::SetPasswordRequest {
        old_password: String::new(),
        new_password: PASSWORD.to_owned(),
    };
    let mut sessions = SessionServiceClient::new(wire.channel());
    wire.wait(sessions.set_password(signed(request, bearer)))
        .expect("a password");
}

/// Uses a secret of every sort at these doors, good ones and wrong ones, and gives all of them.
pub(crate) fn use_every_secret(zone: &Zone, name: &str, password: &str) -> Vec<String> {
    const WRONG: [&str; 4] = [
        "canary-wrong-proof-41aa",
        "canary-wrong-jwt-8c02",
        "canary-wrong-kapi-refresh-19fe",
        "canary-wrong-session-token-e7d3",
    ];
    let (doors, nonce) = (Doors::of(zone), millis());
    let stored = krpc::stored_password(name, password);
    let proof = krpc::password_proof(&stored, nonce);
    let by_proof = |proof: &str, nonce: u64| {
        let params = json!({"type": "password", "username": name, "password": proof, "appid": "files", "login_nonce": nonce});
        doors.hub("login_by_password", params)
    };
    let login = by_proof(&proof, nonce);
    let (token, refresh) = (text(&login, "session_token"), text(&login, "refresh_token"));
    let key = format!("users/{name}/profile");
    assert!(doors.set(&token, &key).result.is_ok());
    let [wrong_proof, wrong_jwt, wrong_refresh, wrong_token] = WRONG;
    for refused in [
        by_proof(wrong_proof, nonce + 1),
        doors.hub("login_by_jwt", json!({"jwt": wrong_jwt})),
        doors.hub("refresh_token", json!({"refresh_token": wrong_refresh})),
        doors.hub("logout", json!({"refresh_token": wrong_refresh})),
        doors.verify(wrong_token),
        doors.set(wrong_token, &key),
    ] {
        assert!(refused.result.is_err());
    }
    let tail = |token: &str| token[token.len() - 24..].to_owned();
    let mut secrets = WRONG.map(str::to_owned).to_vec();
    secrets.extend([stored, proof, tail(&token), tail(&refresh)]);
    secrets
}

#[test]
fn a_session_of_verify_hub_submits_jobs_outlives_the_server_and_ends_at_every_door() {
    let mut zone = Zone::builder().start();
    let wire = zone.wire();
    let owner = wire.sign_in(&zone.owner_code()).access_token;
    let ada = wire
        .sign_in(&wire.create_user(&owner, "ada", "member"))
        .access_token;
    set_password(&wire, &ada);

    // The same user for verify-hub, for soke.v1 and for the jobs.
    let (doors, nonce) = (Doors::of(&zone), millis());
    let login = doors.login("ada", nonce);
    let (token, refresh) = (text(&login, "session_token"), text(&login, "refresh_token"));
    assert_eq!(doors.verify(&token), Reply::of(json!(true)));
    assert_eq!(who(&wire, &token).expect("known"), "ada");
    assert_eq!(doors.set(&token, "users/ada/profile"), Reply::written(1));
    let elsewhere = doors
        .set(&token, "users/keeper/profile")
        .result
        .expect_err("not hers");
    assert_eq!(
        elsewhere.to_string(),
        "No permission:No write permission for key: users/keeper/profile"
    );
    let number = wire.submit(&token, "true");
    assert_eq!(wire.job(&token, number).expect("her job").user_name, "ada");

    // What counts once still does after a restart, and what stands still stands.
    zone.stop();
    zone.start();
    let (wire, doors) = (zone.wire(), Doors::of(&zone));
    let again = doors.login("ada", nonce).result.expect_err("used");
    assert_eq!(
        again.to_string(),
        "Failed due to reason: Login nonce already used"
    );
    assert_eq!(doors.set(&token, "users/ada/profile"), Reply::written(2));
    let fresh = doors.hub("refresh_token", json!({"refresh_token": refresh}));
    let (token, refresh) = (text(&fresh, "session_token"), text(&fresh, "refresh_token"));
    assert_eq!(doors.verify(&token), Reply::of(json!(true)));

    let begun = watch();
    let mut users = UserServiceClient::new(wire.channel());
    let request = v1::RevokeSessionsRequest {
        user_name: "ada".to_owned(),
    };
    wire.wait(users.revoke_sessions(signed(request, &owner)))
        .expect("revoked");
    assert!(doors.verify(&token).result.is_err());
    assert!(doors.set(&token, "users/ada/profile").result.is_err());
    let refreshed = doors.hub("refresh_token", json!({"refresh_token": refresh}));
    assert!(refreshed.result.is_err());
    assert!(who(&wire, &token).is_err());
    let mut jobs = JobServiceClient::new(wire.channel());
    let submit = v1::SubmitJobRequest {
        script: "true".to_owned(),
        ..v1::SubmitJobRequest::default()
    };
    assert!(wire.wait(jobs.submit_job(signed(submit, &token))).is_err());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn the_machines_of_the_zone_are_devices_in_its_tree_that_nobody_writes() {
    let zone = Zone::builder().config("[jobs]\nnode_name = \"anchor\"\n").start();
    let wire = zone.wire();
    let owner = wire.sign_in(&zone.owner_code()).access_token;
    set_password(&wire, &owner);
    let doors = Doors::of(&zone);
    let token = text(&doors.login("keeper", millis()), "session_token");
    let ask = |method: &str, key: &str| {
        let request = Request::new(method, json!({"key": key}), 3).with_token(&token);
        let reply = call(doors.config, "system_config", &request);
        reply.result.unwrap_or_else(|fault| panic!("{key}: {fault}"))
    };
    assert_eq!(ask("sys_config_list", "devices"), json!(["anchor"]));
    assert_eq!(ask("sys_config_list", "devices/anchor"), json!(["doc", "info"]));
    let read = |key: &str| -> Value {
        let entry = ask("sys_config_get", key);
        serde_json::from_str(entry["value"].as_str().expect("a text")).expect("JSON")
    };
    let document = read("devices/anchor/doc");
    assert_eq!(document["device_type"], "ood");
    let key = &document["verificationMethod"][0]["publicKeyJwk"]["x"];
    assert_eq!(
        document["id"],
        format!("did:dev:{}", key.as_str().expect("a key"))
    );
    assert_eq!(read("devices/anchor/info")["ip"], "10.77.0.1");
    assert_eq!(ask("sys_config_get", "devices/other/doc"), Value::Null);
    let refused = doors
        .set(&token, "devices/anchor/doc")
        .result
        .expect_err("a mount");
    assert_eq!(
        refused.to_string(),
        "No permission:No write permission for key: devices/anchor/doc"
    );
}
