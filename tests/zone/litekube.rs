//! LiteKube's clients against a zone: every line of its interface document by grpcurl, and a client of grpcio.
//!
//! grpcurl is there where Go is (tests/tools/install); without it those lines are driven by grpcio alone.
//! What it leaves to others: what each answer means (dialect `litekube`, its own tests).

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use rpc::{
    CallLimits, Calls, Identity, Target, Trust,
    link::{Dial, Holder, Pace, serve_reversed},
};
use serde_json::{Value, json};
use tasks::Tasks;
use tonic::service::Routes;
use wire::pb::{
    self, lite_kube_nc_bootstrap_service_client::LiteKubeNcBootstrapServiceClient,
    lite_kube_nc_service_client::LiteKubeNcServiceClient,
};

use crate::harness::{LONG, Said, Wire, Zone, eventually, go_program, run};

/// The folder in which LiteKube's own tool looks, below the home folder.
const CERTIFICATES: &str = ".litekube/nc/certs/grpc";

/// The calls of the interface document, section "support tls", and of its list of interfaces.
const WITH_TLS: [(&str, &str); 9] = [
    (
        r#"grpcurl -d '{"token": "b52f93d3f0ec4be7"}' -cacert ca.pem -cert client.pem -key client-key.pem 101.43.253.110:6440 pb.LiteKubeNCService.CheckConnState"#,
        "connected",
    ),
    (
        r#"grpcurl -d '{"token": "b52f93d3f0ec4be7"}' -cacert ca.pem -cert client.pem -key client-key.pem 101.43.253.110:6440 pb.LiteKubeNCService.UnRegister"#,
        "ended",
    ),
    (
        r#"grpcurl -d '{"token": "b52f93d3f0ec4be7"}' -cacert ca.pem -cert client.pem -key client-key.pem 101.43.253.110:6440 pb.LiteKubeNCService.GetRegistedIp"#,
        "address",
    ),
    (
        r#"grpcurl -d '{"bootStrapToken": "deac5f329feb4729"}' -insecure 101.43.253.110:6439 pb.LiteKubeNCBootstrapService.GetToken"#,
        "registered",
    ),
    (
        r#"grpcurl -d '{"bootStrapToken": "deac5f329feb4729"}' -cacert ca.pem -cert client.pem -key client-key.pem 101.43.253.110:6439 pb.LiteKubeNCBootstrapService.GetToken"#,
        "registered",
    ),
    (
        r#"grpcurl -d '{"expireTime": 10}' -cacert ca.pem -cert client.pem -key client-key.pem  101.43.253.110:6440 pb.LiteKubeNCService.GetBootStrapToken"#,
        "token",
    ),
    (
        r#"grpcurl -d '{"bootStrapToken": "deac5f329feb4729"}' -cacert ca.pem -cert client.pem -key client-key.pem 101.43.253.110:6440 pb.LiteKubeNCService.GetToken"#,
        "registered",
    ),
    (
        r"grpcurl -cacert ca.pem -cert client.pem -key client-key.pem 101.43.253.110:6440 pb.LiteKubeNCService.HealthCheck",
        "health",
    ),
    (
        r"grpcurl -insecure 101.43.253.110:6439 pb.LiteKubeNCBootstrapService.HealthCheck",
        "health",
    ),
];

/// The calls of its section "without tls", in its order.
const WITHOUT_TLS: [(&str, &str); 9] = [
    (
        "grpcurl -plaintext 101.43.253.110:6440 list pb.LiteKubeNCService",
        "methods",
    ),
    (
        "grpcurl -plaintext 101.43.253.110:6440 describe pb.LiteKubeNCService.HelloWorld",
        "method",
    ),
    (
        "grpcurl -plaintext 101.43.253.110:6440 describe pb.HelloWorldRequest ",
        "request",
    ),
    (
        "grpcurl -plaintext 101.43.253.110:6440 describe pb.HelloWorldResponse",
        "response",
    ),
    (
        r#"grpcurl -d '{"token": "b52f93d3f0ec4be7"}' -plaintext 101.43.253.110:6440 pb.LiteKubeNCService.CheckConnState"#,
        "connected",
    ),
    (
        r#"grpcurl -d '{"token": "b52f93d3f0ec4be7"}' -plaintext 101.43.253.110:6440 pb.LiteKubeNCService.UnRegister"#,
        "ended",
    ),
    (
        r#"grpcurl -d '{"token": "b52f93d3f0ec4be7"}' -plaintext 101.43.253.110:6440 pb.LiteKubeNCService.GetRegistedIp"#,
        "address",
    ),
    (
        r#"grpcurl -d '{"bootStrapToken": "deac5f329feb4729"}' -plaintext 101.43.253.110:6439 pb.LiteKubeNCBootstrapService.GetToken"#,
        "registered",
    ),
    (
        r#"grpcurl -d '{"expireTime": 10}' -plaintext 101.43.253.110:6440 pb.LiteKubeNCService.GetBootStrapToken"#,
        "token",
    ),
];

/// The names in the answer of GetToken as the document prints them.
const APRIL_2022: [&str; 9] = [
    "code",
    "message",
    "token",
    "grpcCaCert",
    "grpcClientKey",
    "grpcClientCert",
    "NetworkCaCert",
    "NetworkClientKey",
    "NetworkClientCert",
];

/// The names that LiteKube's later clients print.
const LATER: [&str; 13] = [
    "code",
    "message",
    "token",
    "networkServerIp",
    "networkServerPort",
    "grpcServerIp",
    "grpcServerPort",
    "grpcCaCert",
    "grpcClientKey",
    "grpcClientCert",
    "networkCaCert",
    "networkClientKey",
    "networkClientCert",
];

fn tools() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/tools")
}

/// The folder of grpcurl, where it is.
fn grpcurl() -> Option<PathBuf> {
    go_program("bin/grpcurl").map(|_grpcurl| tools().join("bin"))
}

/// A zone whose owner has a certificate where LiteKube's tool looks for it.
fn zone_with_certificate(config: &str, arguments: &[&str]) -> Zone {
    let mut builder = Zone::builder().config(config);
    for argument in arguments {
        builder = builder.argument(argument);
    }
    let zone = builder.start();
    zone.sign_in_owner();
    zone.good(&["nc", "admin-cert"]);
    zone
}

/// LiteKube's clients at a zone.
struct Clients<'a> {
    zone: &'a Zone,
    wire: Wire,
    tasks: Tasks,
    linked: AtomicU32,
}

impl<'a> Clients<'a> {
    fn new(zone: &'a Zone) -> Self {
        let folder = zone.around().join(CERTIFICATES);
        let read = |name: &str| fs::read_to_string(folder.join(name)).expect("a file");
        let identity = Identity::from_pem(&read("client.pem"), &read("client-key.pem")).expect("PEM");
        let holder = Holder::new(identity).expect("they fit");
        Self {
            zone,
            wire: Wire::connect_as(zone.listener("litekube.control"), zone.ca_pem(), &holder),
            tasks: Tasks::new(),
            linked: AtomicU32::new(0),
        }
    }

    fn control(&self) -> LiteKubeNcServiceClient<rpc::Channel> {
        LiteKubeNcServiceClient::new(self.wire.channel())
    }

    fn bootstrap_token(&self) -> String {
        let request = pb::GetBootStrapTokenRequest { expire_time: 10 };
        let answer = self.wire.wait(self.control().get_boot_strap_token(request));
        answer.expect("a token").into_inner().boot_strap_token
    }

    fn registered(&self) -> pb::GetTokenResponse {
        let boot_strap_token = self.bootstrap_token();
        let request = pb::GetTokenRequest { boot_strap_token };
        let answer = self.wire.wait(self.control().get_token(request));
        answer.expect("a machine").into_inner()
    }

    fn state(&self, token: &str) -> pb::CheckConnResponse {
        let token = token.to_owned();
        let asked = self
            .control()
            .check_conn_state(pb::CheckConnStateRequest { token })
            .into_inner_of(&self.wire);
        asked.expect("answered")
    }

    /// A machine that holds a link with the certificate that it was given; gives its word and its address.
    fn linked(&self) -> (String, String) {
        let node = self.registered();
        let holder = holder(&node.network_client_cert, &node.network_client_key);
        let target = Target::from(self.zone.address())
            .with_server_name("soke.localhost")
            .expect("a name");
        let trust = Trust::Authority {
            pem: self.zone.ca_pem(),
        };
        let dial = Dial::new(target, &trust, &holder, Pace::default()).expect("a link");
        let nothing = Calls::new(Routes::default(), CallLimits::default());
        self.wire
            .wait(async { serve_reversed(&dial, &nothing, 1, &self.tasks) });
        let is_connected = || Some(self.state(&node.token)).filter(|answer| answer.conn_state == 3);
        let answer = eventually(LONG, "the machine is connected", is_connected);
        self.linked.fetch_add(1, Ordering::Relaxed);
        (node.token, answer.bind_ip)
    }

    /// Runs a line of the document against this zone, with fresh tokens in the places of its own.
    fn run(&self, line: &str, tools: &Path) -> (Said, String, String) {
        // A machine with a link for those lines only that speak of one.
        let (token, address) = match line.contains("b52f93d3f0ec4be7") {
            true => self.linked(),
            false => Default::default(),
        };
        let line = line
            .replace(
                "101.43.253.110:6440",
                &self.zone.listener("litekube.control").to_string(),
            )
            .replace(
                "101.43.253.110:6439",
                &self.zone.listener("litekube.bootstrap").to_string(),
            )
            .replace("b52f93d3f0ec4be7", &token)
            .replace("deac5f329feb4729", &self.bootstrap_token());
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &line])
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", tools.display()))
            .current_dir(self.zone.around().join(CERTIFICATES));
        (run(shell, "", LONG), line, address)
    }

    /// Runs a line and compares what it says with what the document shows.
    fn check(&self, line: &str, kind: &str, tools: &Path) {
        let (said, line, address) = self.run(line, tools);
        assert_eq!(said.code, Some(0), "{line}: {said:?}\n{}", self.zone.log());
        let told: Value = serde_json::from_str(&said.out).unwrap_or_default();
        let is_token = |name: &str| told[name].as_str().is_some_and(is_short);
        match kind {
            "methods" => {
                let methods: Vec<&str> = said.out.lines().collect();
                assert_eq!(methods[0], "pb.LiteKubeNCService.CheckConnState", "{said:?}");
                assert_eq!(methods.len(), 7, "{said:?}");
            }
            "method" => assert!(
                said.out.contains("rpc HelloWorld ( .pb.HelloWorldRequest )"),
                "{said:?}"
            ),
            "request" => assert!(said.out.contains("string hello_text = 1;"), "{said:?}"),
            "response" => assert!(said.out.contains("string thanks_text = 1;"), "{said:?}"),
            "connected" => {
                assert_eq!(
                    told,
                    json!({"code": "200", "message": "ok", "connState": 3, "bindIp": address}),
                    "{line}"
                );
            }
            "ended" => assert_eq!(
                told,
                json!({"code": "200", "message": "ok", "result": true}),
                "{line}"
            ),
            "address" => assert_eq!(
                told,
                json!({"code": "200", "message": "ok", "ip": address}),
                "{line}"
            ),
            "health" => assert_eq!(told, json!({"code": "200"}), "{line}"),
            "token" => {
                assert!(is_token("bootStrapToken"), "{line}: {told}");
                assert_eq!(
                    names(&said.out),
                    ["code", "message", "bootStrapToken", "cloudIp", "port"],
                    "{line}"
                );
                assert_eq!(
                    (&told["code"], &told["cloudIp"]),
                    (&json!("200"), &json!("127.0.0.1")),
                    "{line}"
                );
            }
            "registered" => {
                assert!(is_token("token"), "{line}: {}", told["token"]);
                assert_eq!(
                    (&told["code"], &told["message"]),
                    (&json!("200"), &json!("ok")),
                    "{line}"
                );
                assert_eq!(told["grpcClientKey"].as_str().map(str::len), Some(304), "{line}");
            }
            other => panic!("no such kind: {other}"),
        }
    }
}

/// Answers of one connection, without what is around them.
trait IntoInnerOf<T> {
    fn into_inner_of(self, wire: &Wire) -> Result<T, tonic::Status>;
}

impl<T, F: Future<Output = Result<tonic::Response<T>, tonic::Status>>> IntoInnerOf<T> for F {
    fn into_inner_of(self, wire: &Wire) -> Result<T, tonic::Status> {
        wire.wait(self).map(tonic::Response::into_inner)
    }
}

fn is_short(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The names of an object, in the order in which they are printed.
fn names(text: &str) -> Vec<String> {
    let lines = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix('"')?.split_once("\":"));
    lines.map(|(name, _value)| name.to_owned()).collect()
}

/// The certificate with its key that a machine was given.
fn holder(certificate: &str, key: &str) -> Holder {
    let pem = |field: &str| {
        let mut command = Command::new("base64");
        command.arg("-d");
        run(command, field, LONG).out
    };
    let identity = Identity::from_pem(&pem(certificate), &pem(key)).expect("PEM");
    Holder::new(identity).expect("they fit")
}

/// Connections to both services of a certificate that counts no more: all that they show is what else a call carries.
pub(crate) fn as_nobody(zone: &Zone, keeper: &str) -> (Wire, Wire) {
    let bootstrap = Wire::connect(zone.listener("litekube.bootstrap"), zone.ca_pem());
    let token = |made: pb::GetBootStrapTokenResponse| made.boot_strap_token;
    let admin = crate::harness::wire::certificate(&zone.wire(), keeper);
    let control = Wire::connect_as(zone.listener("litekube.control"), zone.ca_pem(), &admin);
    let mut client = LiteKubeNcServiceClient::new(control.channel());
    let request = pb::GetBootStrapTokenRequest { expire_time: 10 };
    let boot_strap_token = client
        .get_boot_strap_token(request)
        .into_inner_of(&control)
        .map(token)
        .expect("a token");
    let mut machine = LiteKubeNcBootstrapServiceClient::new(bootstrap.channel());
    let node = machine
        .get_token(pb::GetTokenRequest { boot_strap_token })
        .into_inner_of(&bootstrap);
    let node = node.expect("a machine");
    let token = node.token.clone();
    let ended = client
        .un_register(pb::UnRegisterRequest { token })
        .into_inner_of(&control);
    assert!(ended.expect("answered").result);
    let holder = holder(&node.grpc_client_cert, &node.grpc_client_key);
    let nobody = Wire::connect_as(zone.listener("litekube.control"), zone.ca_pem(), &holder);
    (nobody, bootstrap)
}

/// Uses every secret that LiteKube's clients have, and gives them all.
pub(crate) fn use_every_secret(zone: &Zone, keeper: &str) -> Vec<String> {
    let admin = crate::harness::wire::certificate(&zone.wire(), keeper);
    let wire = Wire::connect_as(zone.listener("litekube.control"), zone.ca_pem(), &admin);
    let mut client = LiteKubeNcServiceClient::new(wire.channel());
    let mut secrets = vec![
        "canary-bootstrap-token".to_owned(),
        "canary-node-token".to_owned(),
    ];
    let mut register = |token: &str| {
        let boot_strap_token = token.to_owned();
        let answer = client
            .get_token(pb::GetTokenRequest { boot_strap_token })
            .into_inner_of(&wire);
        answer.expect("answered")
    };
    assert_eq!(register("canary-bootstrap-token").code, "400");
    let request = pb::GetBootStrapTokenRequest { expire_time: 10 };
    let mut other = LiteKubeNcServiceClient::new(wire.channel());
    let made = other
        .get_boot_strap_token(request)
        .into_inner_of(&wire)
        .expect("a token");
    let node = register(&made.boot_strap_token);
    for token in ["canary-node-token", &node.token] {
        let token = token.to_owned();
        let asked = other
            .check_conn_state(pb::CheckConnStateRequest { token })
            .into_inner_of(&wire);
        asked.expect("answered");
    }
    secrets.extend([made.boot_strap_token, node.token]);
    // The middle of a key, where it is nobody else's.
    secrets.extend([node.grpc_client_key, node.network_client_key].map(|key| key[60..120].to_owned()));
    secrets
}

#[test]
fn every_call_that_the_document_shows_with_encryption_answers_as_it_shows() {
    let Some(tools) = grpcurl() else { return };
    let zone = zone_with_certificate("", &[]);
    let clients = Clients::new(&zone);
    for (line, kind) in WITH_TLS {
        clients.check(line, kind, &tools);
    }
    assert_eq!(
        clients.linked.load(Ordering::Relaxed),
        3,
        "each machine that is spoken of was connected"
    );
    // The lines without encryption find nobody in a zone that is in use.
    let (said, line, _address) = clients.run(
        &WITHOUT_TLS[8].0.replace("grpcurl", "grpcurl -connect-timeout 2"),
        &tools,
    );
    assert_ne!(said.code, Some(0), "{line}: {said:?}");
}

#[test]
fn every_call_that_the_document_shows_without_encryption_answers_in_a_zone_to_try_clients_out() {
    let Some(tools) = grpcurl() else { return };
    let zone = zone_with_certificate("", &["--test"]);
    assert!(zone.out().contains("  TEST "), "it is marked: {}", zone.out());
    let clients = Clients::new(&zone);
    for (line, kind) in WITHOUT_TLS {
        clients.check(line, kind, &tools);
    }
}

#[test]
fn both_numberings_print_exactly_the_names_that_their_clients_know() {
    let Some(tools) = grpcurl() else { return };
    let april = "[litekube]\nwire = \"2022-04\"\n";
    for (config, wanted) in [("", &LATER[..]), (april, &APRIL_2022[..])] {
        let zone = zone_with_certificate(config, &[]);
        let clients = Clients::new(&zone);
        let line = WITH_TLS[4].0;
        let (said, line, _address) = clients.run(line, &tools);
        assert_eq!(names(&said.out), wanted, "{line}: {said:?}");
        let (said, line, _address) = clients.run(WITH_TLS[5].0, &tools);
        let told: Value = serde_json::from_str(&said.out).expect("JSON");
        let port_of = if config.is_empty() {
            "litekube.bootstrap"
        } else {
            "litekube.control"
        };
        assert_eq!(
            told["port"],
            json!(zone.listener(port_of).port().to_string()),
            "{line}"
        );
        // A life as a number and, as int64 allows, as a text.
        let (said, line, _address) = clients.run(&WITH_TLS[5].0.replace("10}", "\"10\"}"), &tools);
        assert_eq!(said.code, Some(0), "{line}: {said:?}");
    }
}

#[test]
fn a_client_of_grpcio_goes_through_every_call() {
    let python = tools().join("venv/bin/python");
    assert!(
        python.exists(),
        "{} is missing: run tests/tools/install",
        python.display()
    );
    let zone = zone_with_certificate("", &["--test"]);
    let given = json!({
        "control": zone.listener("litekube.control").to_string(),
        "bootstrap": zone.listener("litekube.bootstrap").to_string(),
        "folder": zone.around().join(CERTIFICATES).to_string_lossy(),
    });
    let mut command = Command::new(python);
    command
        .arg("-B")
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../tests/zone/python/litekube.py"
        ))
        .env_clear()
        .env("PYTHONPATH", tools().join("python"));
    let said = run(command, &given.to_string(), LONG);
    assert_eq!(
        said.code,
        Some(0),
        "{}\n{}\n{}",
        said.out,
        said.errors,
        zone.log()
    );
    let listed = zone.good(&["nodes"]);
    assert!(
        listed.contains("\nlk-"),
        "machines that were registered are listed: {listed}"
    );
    assert!(zone.good(&["token", "list"]).contains("1 of 1 used"));
}

#[test]
fn an_administrators_certificate_is_where_litekubes_tool_looks_and_ends_with_its_session() {
    let zone = Zone::builder().start();
    let refused = zone.soke(&["nc", "admin-cert"]);
    assert_eq!(refused.code, Some(77), "nobody is signed in: {refused:?}");
    zone.sign_in_owner();
    zone.good(&["nc", "admin-cert"]);
    let folder = zone.around().join(CERTIFICATES);
    for (name, label) in [
        ("ca.pem", "CERTIFICATE"),
        ("client.pem", "CERTIFICATE"),
        ("client-key.pem", "PRIVATE KEY"),
    ] {
        let text = fs::read_to_string(folder.join(name)).expect("a file");
        assert!(text.starts_with(&format!("-----BEGIN {label}-----\n")), "{name}");
        let mode = fs::metadata(folder.join(name))
            .expect("a file")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let clients = Clients::new(&zone);
    assert!(is_short(&clients.bootstrap_token()));
    zone.good(&["user", "revoke", "keeper"]);
    let request = pb::GetBootStrapTokenRequest { expire_time: 10 };
    let refused = clients
        .control()
        .get_boot_strap_token(request)
        .into_inner_of(&clients.wire);
    assert_eq!(refused.expect_err("revoked").code(), tonic::Code::Unauthenticated);
}

#[test]
fn a_zone_to_try_clients_out_stays_on_this_machine_and_apart() {
    let zone = Zone::builder().argument("--test").start();
    let refused = zone.soke(&["up", "--listen", "0.0.0.0:0", "--test"]);
    assert_eq!(refused.code, Some(78), "{refused:?}");
    assert!(refused.errors.contains("lets in whoever comes"), "{refused:?}");
    drop(zone);
    let mut zone = Zone::builder().start();
    zone.stop();
    let refused = zone.soke(&["up", "--listen", "127.0.0.1:0", "--test"]);
    assert_eq!(refused.code, Some(78), "{refused:?}");
    assert!(refused.errors.contains("was made without it"), "{refused:?}");
}
