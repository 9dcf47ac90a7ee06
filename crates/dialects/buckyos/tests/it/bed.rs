//! A zone with its doors for each test, and a client that speaks plain HTTP/1.1.

use access::{Access, Action, Actor, Credential, NewUser, Permit, Proof, Secret};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use buckyos::{Config, Handle};
use krpc::Request;
use model::{Span, Timestamp};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use store::{Engine, Store};
use tasks::{Clock, Tasks};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// What every wait of these tests is bounded by.
pub(crate) const SOON: Duration = Duration::from_secs(20);
pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const ZONE: &str = "zone.example";
/// When the clock of every test begins, in seconds since the epoch.
pub(crate) const BEGIN: i64 = 1_790_000_000;

pub(crate) struct Bed {
    pub(crate) access: Access,
    pub(crate) clock: Clock,
    doors: Handle,
    store: Store,
    tasks: Tasks,
    seq: AtomicU64,
    dir: TempDir,
}

/// A signed-in user.
pub(crate) struct Caller {
    pub(crate) token: String,
    pub(crate) refresh: String,
    pub(crate) actor: Actor,
}

/// A signing key and its public half.
pub(crate) struct Key(Ed25519KeyPair);

/// What an HTTP answer was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// One connection.
pub(crate) struct Connection(TcpStream);

pub(crate) fn peer() -> access::Peer {
    access::Peer::new(None, "test")
}

pub(crate) fn secret(text: &str) -> Secret {
    Secret::from(text.to_owned())
}

impl Key {
    pub(crate) fn fresh() -> Self {
        Self(Ed25519KeyPair::generate().expect("a key"))
    }

    pub(crate) fn public(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    /// The signature over some bytes.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Vec<u8> {
        self.0.sign(bytes).as_ref().to_vec()
    }

    /// A JWT with these two parts.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.0.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// A login JWT as a client writes it.
    pub(crate) fn login(&self, name: &str, jti: &str) -> String {
        self.sign(&json!({"alg": "EdDSA", "kid": name}), &claims(name, jti))
    }
}

/// The claims of a login JWT as a client writes them.
pub(crate) fn claims(name: &str, jti: &str) -> Value {
    json!({"iss": name, "sub": name, "appid": "files", "jti": jti, "exp": BEGIN + 900})
}

/// The claims of a token, proven or not.
pub(crate) fn claims_of(token: &str) -> Value {
    part_of(token, 1)
}

/// One part of a token as JSON.
pub(crate) fn part_of(token: &str, place: usize) -> Value {
    let part = token.split('.').nth(place).expect("three parts");
    let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}

/// The error text of a reply.
pub(crate) fn error(reply: &Value) -> &str {
    reply["error"]
        .as_str()
        .unwrap_or_else(|| panic!("no error: {reply}"))
}

/// The result of a reply.
pub(crate) fn result(reply: &Value) -> &Value {
    reply
        .get("result")
        .unwrap_or_else(|| panic!("no result: {reply}"))
}

impl Bed {
    pub(crate) async fn new() -> Bed {
        Bed::with(access::Config::default()).await
    }

    pub(crate) async fn with(config: access::Config) -> Bed {
        let clock = Clock::manual(Timestamp::from_secs(BEGIN));
        Bed::open(tempfile::tempdir().expect("a folder"), clock, config).await
    }

    /// Stops the zone and starts it again with these settings.
    pub(crate) async fn restarted(self, config: access::Config) -> Bed {
        let Bed {
            access,
            clock,
            doors,
            store,
            tasks,
            dir,
            ..
        } = self;
        doors.stop(SOON).await;
        drop((access, doors));
        tasks.stop(SOON).await;
        store.close().await;
        Bed::open(dir, clock, config).await
    }

    async fn open(dir: TempDir, clock: Clock, config: access::Config) -> Bed {
        let tasks = Tasks::new();
        let path = dir.path().join("zone.db");
        let engine = Engine::Sqlite { path };
        let migrations = [access::MIGRATIONS, tree::MIGRATIONS].concat();
        let store = Store::open(&store::Config { engine }, &migrations, &tasks).await;
        let store = store.expect("a store");
        let access = Access::start(access::Parts {
            store: store.clone(),
            tasks: tasks.child(),
            clock: clock.clone(),
            keys_dir: dir.path().join("keys"),
            zone_host: ZONE.to_owned(),
            config,
        });
        let access = access.await.expect("a zone");
        let tree = tree::start(tree::Parts {
            store: store.clone(),
            mounts: tree::Mounts::default(),
        });
        let doors = buckyos::start(buckyos::Parts {
            config: Config {
                system_config: rpc::ListenAddress::loopback(0),
                node_gateway: rpc::ListenAddress::loopback(0),
                body_wait: Duration::from_millis(500),
                ..Config::default()
            },
            access: access.clone(),
            tree,
            hosts: vec![ZONE.to_owned()],
            clock: clock.clone(),
            tasks: tasks.child(),
        });
        Bed {
            access,
            clock,
            doors: doors.await.expect("open doors"),
            store,
            tasks,
            seq: AtomicU64::new(u64::try_from(BEGIN).expect("positive") * 1000),
            dir,
        }
    }

    pub(crate) fn system_config(&self) -> SocketAddr {
        self.doors.bound()[0].address
    }

    pub(crate) fn node_gateway(&self) -> SocketAddr {
        self.doors.bound()[1].address
    }

    /// The clock in milliseconds.
    pub(crate) fn millis(&self) -> u64 {
        u64::try_from(self.clock.now().micros() / 1000).expect("positive")
    }

    pub(crate) fn advance(&self, secs: i64) {
        self.clock.advance(Span::from_secs(secs));
    }

    /// A sequence number that no other call has.
    pub(crate) fn seq(&self) -> u64 {
        self.seq.fetch_add(1, Ordering::SeqCst)
    }

    /// Makes a call and gives the whole reply; HTTP and `sys` are as they have to be.
    pub(crate) async fn send(&self, service: &str, request: &Request) -> Value {
        let address = match service {
            "system_config" => self.system_config(),
            _ => self.node_gateway(),
        };
        let body = String::from_utf8(request.to_body()).expect("text");
        let answer = Connection::open(address)
            .await
            .post(&format!("/kapi/{service}"), &body)
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let reply: Value = serde_json::from_str(&answer.body).expect("JSON");
        assert_eq!(reply["sys"][0], json!(request.seq), "{reply}");
        reply
    }

    /// Calls verify-hub without a token.
    pub(crate) async fn hub(&self, method: &str, params: Value) -> Value {
        self.send("verify-hub", &Request::new(method, params, self.seq()))
            .await
    }

    /// Calls system_config with a token.
    pub(crate) async fn config(&self, token: &str, method: &str, params: Value) -> Value {
        let request = Request::new(method, params, self.seq()).with_token(token);
        self.send("system_config", &request).await
    }

    /// Tells whether each door takes this access token.
    pub(crate) async fn doors_of(&self, token: &str) -> [bool; 3] {
        let verified = self.hub("verify_token", json!({"session_token": token})).await;
        let listed = self
            .config(token, "sys_config_get", json!({"key": "boot/config"}))
            .await;
        let bearer = Credential::Bearer(secret(token));
        let native = self.access.authenticate(bearer, &peer()).await;
        [
            verified.get("result") == Some(&json!(true)),
            listed.get("result").is_some(),
            native.is_ok(),
        ]
    }

    pub(crate) async fn count(&self, sql: &'static str) -> u64 {
        let system = access::SystemPermit::new("test.count");
        let count = system.read::<_, store::Error, _>(&self.store, move |tx| {
            tx.row(sql, &[])?.map_or(Ok(0), |row| row.get(0))
        });
        count.await.expect("it runs")
    }

    pub(crate) async fn permit<A: Action>(&self, by: &Caller) -> Permit<A> {
        let permit = self.access.permit::<A>(&by.actor, &peer()).await;
        permit.unwrap_or_else(|error| panic!("{error}"))
    }

    pub(crate) async fn sign_in(&self, proof: Proof) -> Caller {
        let signed_in = self.access.sign_in(proof, &peer()).await;
        let signed_in = signed_in.unwrap_or_else(|error| panic!("{error}"));
        self.caller(signed_in.access_token.expose(), signed_in.refresh_token.expose())
            .await
    }

    pub(crate) async fn caller(&self, token: &str, refresh: &str) -> Caller {
        let bearer = Credential::Bearer(secret(token));
        let actor = self.access.authenticate(bearer, &peer()).await.expect("good");
        Caller {
            token: token.to_owned(),
            refresh: refresh.to_owned(),
            actor,
        }
    }

    /// The zone's owner, `keeper`, with the first code.
    pub(crate) async fn owner(&self) -> Caller {
        let code = self.access.first_owner("keeper").await.expect("made");
        self.sign_in(Proof::LinkCode(code.expect("a code"))).await
    }

    /// A new user with a one-time code.
    pub(crate) async fn user(&self, by: &Caller, name: &str, role: &str) -> Caller {
        let permit = self.permit::<access::user::Create>(by).await;
        let wanted = NewUser {
            name: name.to_owned(),
            role: role.to_owned(),
            unix_name: String::new(),
        };
        let made = self.access.create_user(&permit, &wanted).await;
        let (_user, code) = made.unwrap_or_else(|error| panic!("{error}"));
        self.sign_in(Proof::LinkCode(code)).await
    }

    pub(crate) async fn set_password(&self, by: &Caller, old: Option<&str>, new: &str) {
        let permit = self.permit::<access::session::SetPassword>(by).await;
        let old = old.map(secret);
        let new = secret(new);
        let set = self.access.set_password(&permit, old.as_ref(), &new);
        set.await.expect("set");
    }

    pub(crate) async fn add_key(&self, by: &Caller, key: &Key) {
        let permit = self.permit::<access::session::AddKey>(by).await;
        let added = self.access.add_key(&permit, key.public(), "a key");
        added.await.expect("added");
    }

    /// The parameters of a password login, with the proof that a client computes.
    pub(crate) fn password_login(&self, name: &str, password: &str, nonce: u64) -> Value {
        let stored = krpc::stored_password(name, password);
        json!({
            "type": "password",
            "username": name,
            "password": krpc::password_proof(&stored, nonce),
            "appid": "files",
            "login_nonce": nonce,
        })
    }
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = timeout(SOON, TcpStream::connect(address)).await;
        Self(stream.expect("in time").expect("connected"))
    }

    /// Posts a body with the headers that the TypeScript client sends.
    pub(crate) async fn post(&mut self, path: &str, body: &str) -> Answer {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: keep-alive\r\n\
             content-type: application/json\r\naccept: */*\r\naccept-language: *\r\nsec-fetch-mode: cors\r\n\
             user-agent: node\r\naccept-encoding: gzip, deflate\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        self.raw(&[head.as_bytes(), body.as_bytes()].concat()).await
    }

    /// Sends bytes and reads one answer.
    pub(crate) async fn raw(&mut self, bytes: &[u8]) -> Answer {
        timeout(SOON, self.0.write_all(bytes))
            .await
            .expect("in time")
            .expect("sent");
        timeout(SOON, self.read()).await.expect("an answer in time")
    }

    async fn read(&mut self) -> Answer {
        let mut bytes = Vec::new();
        loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8(bytes[..end].to_vec()).expect("text");
                let length = head.lines().find_map(|line| {
                    let (name, value) = line.split_once(':')?;
                    let is_length = name.eq_ignore_ascii_case("content-length");
                    is_length.then(|| value.trim().parse::<usize>().expect("a number"))
                });
                let whole = end + 4 + length.unwrap_or(0);
                while bytes.len() < whole {
                    assert_ne!(self.0.read_buf(&mut bytes).await.expect("read"), 0, "{head}");
                }
                let status = head
                    .split(' ')
                    .nth(1)
                    .expect("a status")
                    .parse()
                    .expect("a number");
                let body = String::from_utf8(bytes[end + 4..whole].to_vec()).expect("text");
                return Answer { status, head, body };
            }
            let read = self.0.read_buf(&mut bytes).await.expect("read");
            assert_ne!(read, 0, "the connection was closed without an answer");
        }
    }
}
