//! Every field of every call that is built, filled with what nobody should send: each must get an answer that says what
//! is wrong, and the zone must stand as before.
//!
//! The calls come from the descriptors and the good requests from the matrix (Z01), so that a call that is built later
//! is asked too. What it leaves to others: which field a call blames for which value (the rooms' own tables).

use std::fmt::Write as _;

use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor, Value,
    prost::Message as _,
};
use tonic::{Code, Status};

use crate::{
    harness::{Wire, Zone},
    matrix,
};

/// How deep fields of messages within messages are looked at.
const DEPTH: usize = 3;
/// A text longer than any field takes.
const LONG_TEXT: usize = 70_000;
/// The longest sentence of a refusal.
const MOST_SENTENCE: usize = 8_192;

/// A field, as the way to it from the request.
type Path = Vec<FieldDescriptor>;

#[test]
fn each_field_of_each_call_takes_hostile_values_with_an_answer_and_nothing_breaks() {
    let zone = Zone::builder()
        .config("[access]\nsign_ins_per_minute = 100000\n")
        .start();
    let bed = Bed::new(&zone);
    let pool = DescriptorPool::decode(wire::DESCRIPTORS).expect("our descriptors");
    let (mut calls, mut faults) = (0, String::new());
    for service in pool.services() {
        for method in service.methods() {
            let name = format!("{}/{}", service.full_name(), method.name());
            if matrix::is_built(&name)
                && let Some((wire, bearer)) = bed.door(&name)
            {
                calls += bed.ask(wire, bearer, &name, &method, &mut faults);
            }
        }
    }
    assert!(faults.is_empty(), "{faults}\n{}", zone.log());
    assert!(calls > 400, "only {calls} calls were made");
    assert!(!zone.log().contains("panicked"), "{}", zone.log());
    let who = bed
        .wire
        .code("/soke.v1.SessionService/WhoAmI", b"", Some(&bed.bearer));
    assert_eq!(who, Code::Ok, "the session and the zone stand");
}

struct Bed {
    wire: Wire,
    /// LiteKube's bootstrap service, and its control service for an administrator.
    litekube: [Wire; 2],
    /// SCOW's management side.
    management: Wire,
    bearer: String,
    job: u32,
    service: String,
}

impl Bed {
    fn new(zone: &Zone) -> Self {
        let wire = zone.wire();
        let bearer = wire.sign_in(&zone.owner_code()).access_token;
        let job = wire.submit(&bearer, "echo hello");
        wire.job_until(&bearer, job, wire::soke::v1::JobState::Completed);
        let service = wire.deploy(&bearer, matrix::MANIFEST);
        let admin = crate::harness::wire::certificate(&wire, &bearer);
        let bootstrap = Wire::connect(zone.listener("litekube.bootstrap"), zone.ca_pem());
        let control = Wire::connect_as(zone.listener("litekube.control"), zone.ca_pem(), &admin);
        let management = Wire::connect_plain(zone.listener("scow.server"));
        Self {
            wire,
            litekube: [bootstrap, control],
            management,
            bearer,
            job,
            service,
        }
    }

    /// Where a call is served, and with which bearer.
    fn door(&self, name: &str) -> Option<(&Wire, Option<&str>)> {
        let [bootstrap, control] = &self.litekube;
        let doors = [
            ("soke.v1.", &self.wire, Some(self.bearer.as_str())),
            ("soke.agent.v1.NodeService/", &self.wire, None),
            ("scow.portal.", &self.wire, Some(self.bearer.as_str())),
            ("scow.common.", &self.wire, Some(self.bearer.as_str())),
            ("scow.server.", &self.management, Some(self.bearer.as_str())),
            ("pb.LiteKubeNCBootstrapService/", bootstrap, None),
            ("pb.LiteKubeNCService/", control, None),
        ];
        let found = doors.into_iter().find(|(calls, ..)| name.starts_with(calls));
        found.map(|(_calls, wire, bearer)| (wire, bearer))
    }

    /// Makes all calls of a method and gives how many they were.
    fn ask(
        &self,
        wire: &Wire,
        bearer: Option<&str>,
        name: &str,
        method: &MethodDescriptor,
        faults: &mut String,
    ) -> usize {
        let base = self.base(name, method);
        let mut messages = vec![("the whole message".to_owned(), vec![0xff; 16])];
        for path in paths(&method.input(), DEPTH) {
            for value in hostile(path.last().expect("a field")) {
                let mut message = base.clone();
                let words: Vec<&str> = path.iter().map(FieldDescriptor::name).collect();
                let label = format!("{} = {:.60}", words.join("."), format!("{value:?}"));
                set(&mut message, &path, value);
                messages.push((label, message.encode_to_vec()));
            }
        }
        for (label, message) in &messages {
            let answer = wire.raw(&format!("/{name}"), message, bearer);
            let whole = label == "the whole message";
            if let Err(status) = answer
                && let Some(fault) = unfit(name, &method.input(), &status, whole)
            {
                writeln!(faults, "{name}: {label}: {fault}: {status:?}").expect("a String takes every text");
            }
        }
        messages.len()
    }

    /// A request that is good, as far as the matrix has one.
    fn base(&self, name: &str, method: &MethodDescriptor) -> DynamicMessage {
        let Some(text) = matrix::request(name) else {
            return DynamicMessage::new(method.input());
        };
        let text = text
            .replace("\"$job\"", &self.job.to_string())
            .replace("\"userId\":\"ada\"", "\"userId\":\"keeper\"")
            .replace("$service", &self.service)
            .replace("$key", matrix::KEYS[0])
            .replace("$fresh", "fresh");
        let mut json = serde_json::Deserializer::from_str(&text);
        let message = DynamicMessage::deserialize(method.input(), &mut json);
        message.unwrap_or_else(|fault| panic!("{name}: {fault}"))
    }
}

/// What is unfit in a refusal.
fn unfit(name: &str, input: &MessageDescriptor, status: &Status, whole: bool) -> Option<&'static str> {
    let message = status.message();
    if message.len() > MOST_SENTENCE {
        return Some("the sentence is too long");
    }
    if message.chars().any(|c| c.is_control() && c != '\n') {
        return Some("the sentence repeats control characters");
    }
    match status.code() {
        // SCOW's pages know its own failures by this mark, and they are INTERNAL.
        Code::Internal if status.metadata().contains_key("is_scow_error") => None,
        // A tenant that is not there is INTERNAL in this call of SCOW's, and says so.
        Code::Internal
            if name == "scow.server.UserService/CreateUser" && message.starts_with("find tenant ") =>
        {
            None
        }
        // So is what a scheduler refuses, as an account that is not there.
        Code::Internal
            if name == "scow.portal.JobService/SubmitJob"
                && message.starts_with("submit job: find account ") =>
        {
            None
        }
        // What is no message is INTERNAL in all libraries of gRPC.
        Code::Internal if whole => None,
        Code::Internal
        | Code::Unknown
        | Code::Unavailable
        | Code::DeadlineExceeded
        | Code::DataLoss
        | Code::Cancelled
        | Code::Aborted => Some("a code that blames us"),
        Code::InvalidArgument => {
            let named = paths(input, DEPTH)
                .iter()
                .flatten()
                .any(|field| message.contains(field.name()));
            (name.starts_with("soke.") && !whole && !named).then_some("the sentence names no field")
        }
        Code::Ok
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Unauthenticated => None,
    }
}

/// All ways to fields that hold no message, down to this depth.
fn paths(message: &MessageDescriptor, depth: usize) -> Vec<Path> {
    let mut found = Vec::new();
    for field in message.fields() {
        let is_one = !field.is_list() && !field.is_map() && depth > 1;
        let kind = field.kind();
        let Some(inner) = kind.as_message().filter(|_| is_one) else {
            found.push(vec![field]);
            continue;
        };
        for rest in paths(inner, depth - 1) {
            let mut path = vec![field.clone()];
            path.extend(rest);
            found.push(path);
        }
    }
    found
}

/// Sets the field at the end of a way; messages on it are made where they are missing.
fn set(message: &mut DynamicMessage, path: &[FieldDescriptor], value: Value) {
    match path {
        [] => {}
        [last] => message.set_field(last, value),
        [first, rest @ ..] => {
            if !message.has_field(first)
                && let Kind::Message(inner) = first.kind()
            {
                message.set_field(first, Value::Message(DynamicMessage::new(inner)));
            }
            if let Value::Message(inner) = message.get_field_mut(first) {
                set(inner, rest, value);
            }
        }
    }
}

/// What nobody should send in a field of this kind.
fn hostile(field: &FieldDescriptor) -> Vec<Value> {
    let single: Vec<Value> = match field.kind() {
        Kind::String => vec![
            Value::String(String::new()),
            Value::String("\0".to_owned()),
            Value::String("a".repeat(LONG_TEXT)),
            Value::String("../../../../etc/passwd".to_owned()),
            Value::String("\u{202e}' OR 1=1; --\r\n%00".to_owned()),
        ],
        Kind::Bytes => vec![
            Value::Bytes(bytes::Bytes::new()),
            Value::Bytes(vec![0xff; LONG_TEXT].into()),
        ],
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => vec![Value::I32(i32::MIN), Value::I32(i32::MAX)],
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => vec![Value::I64(i64::MIN), Value::I64(i64::MAX)],
        Kind::Uint32 | Kind::Fixed32 => vec![Value::U32(0), Value::U32(u32::MAX)],
        Kind::Uint64 | Kind::Fixed64 => vec![Value::U64(0), Value::U64(u64::MAX)],
        Kind::Float => vec![Value::F32(f32::NAN), Value::F32(f32::INFINITY)],
        Kind::Double => vec![Value::F64(f64::NAN), Value::F64(f64::NEG_INFINITY)],
        Kind::Bool => vec![Value::Bool(true)],
        Kind::Enum(_) => vec![Value::EnumNumber(-1), Value::EnumNumber(9_999)],
        Kind::Message(inner) => vec![Value::Message(DynamicMessage::new(inner))],
    };
    if field.is_map() {
        Vec::new()
    } else if field.is_list() {
        let many = single
            .first()
            .map(|value| Value::List(vec![value.clone(); 5_000]));
        single
            .into_iter()
            .map(|value| Value::List(vec![value]))
            .chain(many)
            .collect()
    } else {
        single
    }
}
