//! Z01: every method of every protocol that we speak, and of health and reflection, called as nobody, as another user,
//! as the user whose things they are, and as the zone's owner; the codes are compared with `tests/golden/z01.txt`.
//!
//! A method without a row fails, so a new call cannot come in without somebody looking at who may make it.

use std::collections::BTreeMap;

use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, prost::Message as _};
use serde_json::Value;
use tonic::Code;

use crate::harness::{Wire, Zone};

const GOLDEN: &str = include_str!("../golden/z01.txt");
const REQUESTS: &str = include_str!("../golden/z01-requests.json");

/// The columns: who calls.
const CALLERS: [&str; 4] = ["nobody", "bob", "ada", "keeper"];

/// Calls after which sessions have ended: they are made with a session of their own.
const END_SESSIONS: [&str; 3] = [
    "soke.v1.SessionService/SignOut",
    "soke.v1.SessionService/SetPassword",
    "soke.v1.UserService/RevokeSessions",
];

/// Public keys of RFC 8032, section 7.1, one per caller.
pub(crate) const KEYS: [&str; 4] = [
    "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    "PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=",
    "/FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU=",
    "J4EX/BRMc0QPZ9Dyy5y3JBs4bEG3wTwXg4p/nT4VuWM=",
];

/// What ada has deployed.
pub(crate) const MANIFEST: &str = "kind: Process\nname: mine\ncommand: [sleep, \"600\"]\n";

type Rows = BTreeMap<String, [String; 4]>;

#[test]
fn z01_every_method_answers_each_caller_as_the_golden_matrix_says() {
    let zone = Zone::builder()
        .config("[access]\nsign_ins_per_minute = 100000\n")
        .start();
    let actual = Matrix::new(&zone).fill();
    if let Err(difference) = compare(&parse(GOLDEN), &actual) {
        let whole = actual
            .iter()
            .map(|(method, codes)| line(method, codes))
            .collect::<String>();
        panic!(
            "{difference}\nthe whole matrix as it is now:\n{whole}\n{}",
            zone.log()
        );
    }
}

#[test]
fn z01_a_method_without_a_row_and_a_row_without_a_method_both_fail() {
    let golden = parse(GOLDEN);
    assert!(golden.len() > 50, "the matrix is there: {}", golden.len());
    compare(&golden, &golden).expect("it equals itself");
    let method = "soke.v1.JobService/GetJob";
    let mut fewer = golden.clone();
    fewer.remove(method);
    let told = compare(&fewer, &golden).expect_err("a method without a row");
    assert!(told.contains("no row") && told.contains(method), "{told}");
    let told = compare(&golden, &fewer).expect_err("a row without a method");
    assert!(told.contains("no method") && told.contains(method), "{told}");
    let mut other = golden.clone();
    other.get_mut(method).expect("a row")[0] = "Ok".to_owned();
    let told = compare(&golden, &other).expect_err("another code");
    assert!(told.contains(method), "{told}");
}

#[test]
fn z01_nobody_may_make_a_call_that_is_not_on_the_short_list() {
    let open = [
        // The whole zone's, without a name; a part's is closed.
        "grpc.health.v1.Health/Check",
        "soke.v1.SessionService/CreateChallenge",
        "soke.v1.SessionService/CreateWalletText",
        "soke.v1.SessionService/Refresh",
        "soke.v1.SessionService/SignIn",
        // For whoever holds a bootstrap token, and for whoever wonders whether the door stands.
        "pb.LiteKubeNCBootstrapService/GetToken",
        "pb.LiteKubeNCBootstrapService/HealthCheck",
        "pb.LiteKubeNCService/GetToken",
    ];
    for (method, codes) in parse(GOLDEN) {
        let closed = ["Unauthenticated", "Unimplemented"].contains(&codes[0].as_str());
        assert!(
            closed || open.contains(&method.as_str()),
            "{method}: {}",
            codes[0]
        );
    }
}

/// A zone with things in it, and the sessions of the callers.
struct Matrix {
    wire: Wire,
    /// The listeners of calls that are not at the native one, by how the calls begin.
    elsewhere: Vec<(&'static str, Wire)>,
    requests: BTreeMap<String, Value>,
    bearers: BTreeMap<&'static str, String>,
    job: u32,
    service: String,
    fresh_names: u32,
}

impl Matrix {
    fn new(zone: &Zone) -> Self {
        let wire = zone.wire();
        let keeper = wire.sign_in(&zone.owner_code()).access_token;
        let mut bearers = BTreeMap::new();
        for name in ["ada", "bob"] {
            let code = wire.create_user(&keeper, name, "member");
            bearers.insert(name, wire.sign_in(&code).access_token);
        }
        // Owns the accounts that the calls make: whoever is in several has to name one for a job.
        wire.create_user(&keeper, "carol", "member");
        bearers.insert("keeper", keeper);
        let job = wire.submit(&bearers["ada"], "echo hello > hello.txt; echo hello");
        wire.job_until(&bearers["ada"], job, wire::soke::v1::JobState::Completed);
        let service = wire.deploy(&bearers["ada"], MANIFEST);
        open_account(&wire, &bearers["keeper"]);
        let (control, bootstrap) = crate::litekube::as_nobody(zone, &bearers["keeper"]);
        let elsewhere = vec![
            ("pb.LiteKubeNCService/", control),
            ("pb.LiteKubeNCBootstrapService/", bootstrap),
            ("scow.server.", Wire::connect_plain(zone.listener("scow.server"))),
        ];
        Self {
            wire,
            elsewhere,
            service,
            requests: serde_json::from_str(REQUESTS).expect("JSON"),
            bearers,
            job,
            fresh_names: 0,
        }
    }

    fn fill(mut self) -> Rows {
        let mut pool = DescriptorPool::decode(wire::DESCRIPTORS).expect("our descriptors");
        for beside in [
            tonic_health::pb::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
        ] {
            pool.decode_file_descriptor_set(beside)
                .expect("gRPC's own descriptors");
        }
        let mut rows = Rows::new();
        for service in pool.services() {
            for method in service.methods() {
                let name = format!("{}/{}", service.full_name(), method.name());
                let codes = [0, 1, 2, 3].map(|caller| format!("{:?}", self.call(&name, &method, caller)));
                rows.insert(name, codes);
            }
        }
        for name in self.requests.keys() {
            assert!(
                rows.contains_key(name),
                "z01-requests.json names {name}, which is no method"
            );
        }
        rows
    }

    fn call(&mut self, name: &str, method: &MethodDescriptor, caller: usize) -> Code {
        let who = CALLERS[caller];
        let ends_sessions = END_SESSIONS.contains(&name);
        let bearer = match self.bearers.get(who) {
            Some(_) if ends_sessions => Some(self.own_session(who)),
            Some(bearer) => Some(bearer.clone()),
            None => None,
        };
        let message = self.message(name, method, caller);
        let elsewhere = self
            .elsewhere
            .iter()
            .find(|(calls, _wire)| name.starts_with(calls));
        let wire = elsewhere.map_or(&self.wire, |(_calls, wire)| wire);
        let code = wire.code(&format!("/{name}"), &message, bearer.as_deref());
        if ends_sessions && code == Code::Ok {
            self.sign_in_again(who, bearer);
        }
        code
    }

    /// A session beside the one in use.
    fn own_session(&self, who: &str) -> String {
        let code = self.wire.sign_in_code(&self.bearers["keeper"], who);
        self.wire.sign_in(&code).access_token
    }

    /// Replaces whatever sessions a call has ended.
    fn sign_in_again(&mut self, who: &'static str, own: Option<String>) {
        if let Some(own) = own
            && !self.is_good(&self.bearers[who])
        {
            self.bearers.insert(who, own);
        }
        for name in ["ada", "bob"] {
            if !self.is_good(&self.bearers[name]) {
                let fresh = self.own_session(name);
                self.bearers.insert(name, fresh);
            }
        }
    }

    fn is_good(&self, bearer: &str) -> bool {
        self.wire
            .code("/soke.v1.SessionService/WhoAmI", b"", Some(bearer))
            == Code::Ok
    }

    /// The request of the table with its place-holders filled in, or an empty one.
    fn message(&mut self, name: &str, method: &MethodDescriptor, caller: usize) -> Vec<u8> {
        let Some(request) = self.requests.get(name) else {
            return Vec::new();
        };
        self.fresh_names += 1;
        let text = request
            .to_string()
            .replace("\"$job\"", &self.job.to_string())
            .replace("$service", &self.service)
            .replace("$fresh", &format!("fresh-{}", self.fresh_names))
            .replace("$key", KEYS[caller]);
        let mut json = serde_json::Deserializer::from_str(&text);
        let message = DynamicMessage::deserialize(method.input(), &mut json);
        message
            .unwrap_or_else(|fault| panic!("{name}: {fault}"))
            .encode_to_vec()
    }
}

/// Makes the account `team` of ada, with something on it.
fn open_account(wire: &Wire, keeper: &str) {
    use wire::soke::v1::{CreateAccountRequest, Money, PayRequest};
    let account = CreateAccountRequest {
        name: "team".to_owned(),
        owner_user_name: "ada".to_owned(),
        ..CreateAccountRequest::default()
    };
    let payment = PayRequest {
        account: "team".to_owned(),
        amount: Some(Money {
            ten_thousandths: 1_000_000,
        }),
        ..PayRequest::default()
    };
    for (call, message) in [
        ("CreateAccount", account.encode_to_vec()),
        ("Pay", payment.encode_to_vec()),
    ] {
        let answer = wire.raw(&format!("/soke.v1.AccountService/{call}"), &message, Some(keeper));
        answer.unwrap_or_else(|status| panic!("{call}: {status}"));
    }
}

/// Whether a call is built: it answers the owner something else than UNIMPLEMENTED.
pub(crate) fn is_built(method: &str) -> bool {
    let codes = parse(GOLDEN).remove(method);
    codes.is_some_and(|codes| codes[3] != "Unimplemented")
}

/// The good request of a call, with its place-holders, where there is one.
pub(crate) fn request(method: &str) -> Option<String> {
    let requests: BTreeMap<String, Value> = serde_json::from_str(REQUESTS).expect("JSON");
    requests.get(method).map(Value::to_string)
}

fn parse(text: &str) -> Rows {
    let lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [method, codes @ ..] = words.as_slice() else {
                panic!("no method: {line}");
            };
            let codes: [String; 4] = codes
                .iter()
                .map(|&code| code.to_owned())
                .collect::<Vec<_>>()
                .try_into()
                .unwrap_or_else(|_codes| panic!("a method and {} codes: {line}", CALLERS.len()));
            ((*method).to_owned(), codes)
        })
        .collect()
}

fn compare(golden: &Rows, actual: &Rows) -> Result<(), String> {
    let mut differences = String::new();
    for (method, codes) in actual {
        match golden.get(method) {
            None => differences.push_str(&format!("no row for this method: {}", line(method, codes))),
            Some(wanted) if wanted != codes => {
                differences.push_str(&format!(
                    "wanted {}found  {}",
                    line(method, wanted),
                    line(method, codes)
                ));
            }
            Some(_same) => {}
        }
    }
    for method in golden.keys().filter(|method| !actual.contains_key(*method)) {
        differences.push_str(&format!("no method for this row: {method}\n"));
    }
    if differences.is_empty() {
        Ok(())
    } else {
        Err(differences)
    }
}

fn line(method: &str, codes: &[String; 4]) -> String {
    let [nobody, bob, ada, keeper] = codes;
    format!("{method:<64} {nobody:<16} {bob:<17} {ada:<17} {keeper}\n")
}
