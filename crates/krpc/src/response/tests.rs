//! The exact bytes of a reply, and what a client makes of other bytes.

use proptest::prelude::{Strategy, proptest};
use serde_json::{Value, json};

use super::{BadReply, Reply, read_reply};
use crate::{Class, Echo, Failure, Request};

fn body(reply: &Reply, request: &Request) -> String {
    String::from_utf8(reply.to_body(&request.echo())).unwrap()
}

#[test]
fn the_second_element_of_sys_is_there_only_where_the_request_had_a_third() {
    let plain = Request::new("m", Value::Null, 5);
    let with_token = plain.clone().with_token("secret");
    let traced = plain.clone().with_trace("x");
    let reply = Reply::of(json!(true));
    assert_eq!(body(&reply, &plain), r#"{"result":true,"sys":[5]}"#);
    assert_eq!(body(&reply, &with_token), r#"{"result":true,"sys":[5]}"#);
    assert_eq!(body(&reply, &traced), r#"{"result":true,"sys":[5,"x"]}"#);
    let failed = Reply::from(Failure::new(Class::NoPermission, "No session token"));
    assert_eq!(
        body(&failed, &plain),
        r#"{"error":"No permission:No session token","sys":[5],"code":"no_permission"}"#
    );
    assert_eq!(
        body(&Reply::written(3), &plain),
        r#"{"result":null,"sys":[5],"revision":3}"#
    );
}

#[test]
fn a_client_takes_a_reply_to_its_own_call_and_nothing_else() {
    let read = |text: &str| read_reply(text.as_bytes(), 5);
    assert_eq!(read(r#"{"result":null,"sys":[5]}"#), Ok(Reply::of(Value::Null)));
    assert_eq!(
        read(r#"{"sys":[5,"x"],"result":1,"more":2}"#),
        Ok(Reply::of(json!(1)))
    );
    assert_eq!(
        read(r#"{"error":"Key not exist: a","sys":[5]}"#),
        Ok(Reply::from(Failure::new(Class::KeyNotExist, "a")))
    );
    let wrong = [
        ("", BadReply::NotObject),
        ("[]", BadReply::NotObject),
        (r#"{"result":1}"#, BadReply::Sys),
        (r#"{"result":1,"sys":[]}"#, BadReply::Sys),
        (r#"{"result":1,"sys":["5"]}"#, BadReply::Sys),
        (r#"{"result":1,"sys":[5,null]}"#, BadReply::Sys),
        (
            r#"{"result":1,"sys":[6]}"#,
            BadReply::Sequence { sent: 5, got: 6 },
        ),
        (r#"{"error":null,"sys":[5]}"#, BadReply::Error),
        (r#"{"error":{"a":1},"sys":[5]}"#, BadReply::Error),
        (r#"{"sys":[5]}"#, BadReply::Empty),
    ];
    for (text, fault) in wrong {
        assert_eq!(read(text), Err(fault), "{text}");
    }
}

proptest! {
    #[test]
    fn whatever_the_bytes_are_a_client_answers(bytes: Vec<u8>, seq: u64) {
        drop(read_reply(&bytes, seq));
    }

    #[test]
    fn what_is_written_is_read_back(
        seq: u64, trace: Option<String>, text in ".*", revision: Option<u64>,
        class in (0..Class::ALL.len()).prop_map(|place| Class::ALL[place]),
    ) {
        let echo = Echo { seq, trace };
        let good = Reply { result: Ok(json!({"text": text})), revision };
        assert_eq!(read_reply(&good.to_body(&echo), seq), Ok(good));
        let bad = Reply::from(Failure::new(class, text));
        assert_eq!(read_reply(&bad.to_body(&echo), seq), Ok(bad));
    }
}
