//! Messages there and back, however they are cut, and what is refused.

use prost_reflect::prost::Message as _;
use tonic::Code;
use wire::grpc::testing::{BoolValue, Payload, SimpleRequest};

use super::{Json, Translator};
use crate::framing::framed;

const PATH: &str = "/grpc.testing.TestService/UnaryCall";

fn frame(message: &[u8]) -> Vec<u8> {
    framed(false, u32::try_from(message.len()).unwrap(), message).to_vec()
}

fn json() -> Json {
    Json::new(wire::DESCRIPTORS).unwrap()
}

#[test]
fn messages_come_back_as_they_went_however_they_are_cut() {
    let method = json().method(PATH).unwrap().clone();
    let message = SimpleRequest {
        response_size: 7,
        payload: Some(Payload {
            r#type: 0,
            body: b"\0\xff".as_slice().into(),
        }),
        expect_compressed: Some(BoolValue { value: true }),
        ..SimpleRequest::default()
    };
    let proto = [frame(&message.encode_to_vec()), frame(b"")].concat();
    let text = Translator::to_json(method.asked.clone())
        .translate(&proto)
        .unwrap();
    let wanted = br#"{"responseSize":7,"payload":{"body":"AP8="},"expectCompressed":{"value":true}}"#;
    assert_eq!(text, [frame(wanted), frame(b"{}")].concat());
    for cut in 1..=text.len() {
        let mut translator = Translator::from_json(method.asked.clone(), 1000);
        let pieces = text.chunks(cut).map(|piece| translator.translate(piece).unwrap());
        assert_eq!(pieces.collect::<Vec<_>>().concat(), proto, "cut at {cut}");
    }
}

#[test]
fn what_is_no_json_of_the_message_is_refused_without_its_values() {
    let method = json().method(PATH).unwrap().clone();
    for text in [
        "",
        "[]",
        "{",
        "{} {}",
        r#"{"canary":1}"#,
        r#"{"responseSize":"canary"}"#,
        r#"{"payload":{"body":"canary canary"}}"#,
    ] {
        let mut translator = Translator::from_json(method.asked.clone(), 1000);
        let status = translator.translate(&frame(text.as_bytes())).unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{text}");
        assert!(
            status.message().contains("grpc.testing.SimpleRequest"),
            "{status}"
        );
        assert!(!status.message().contains("canary"), "{status}");
    }
    let deep = format!("{{\"payload\":{}", "{\"body\":".repeat(100_000));
    let mut translator = Translator::from_json(method.asked.clone(), 1000);
    translator.translate(&frame(deep.as_bytes())).unwrap_err();
    let long = r#"{"responseSize":7,"fillUsername":true}"#;
    let mut translator = Translator::from_json(method.asked, 3);
    let status = translator.translate(&frame(long.as_bytes())).unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
}

#[test]
fn bytes_that_are_no_descriptors_are_an_error() {
    let error = Json::new(b"no descriptors").unwrap_err();
    assert!(error.to_string().contains("descriptor set"), "{error}");
    assert!(json().method("/no.Such/Method").is_none());
}
