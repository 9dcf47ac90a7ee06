//! The shapes of a request that pass, those that do not, and the promise that nothing panics.

use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
use serde_json::{Value, json};

use super::{BadRequest, Request};

fn parse(text: &str) -> Result<Request, BadRequest> {
    Request::parse(text.as_bytes())
}

#[test]
fn the_three_shapes_of_clients_are_read() {
    let read = |sys: &str| {
        let text = format!(r#"{{"method":"m","params":{{}},"sys":{sys}}}"#);
        let request = parse(&text).unwrap();
        (request.seq, request.token, request.trace)
    };
    let text = |word: &str| Some(word.to_owned());
    assert_eq!(read("[7]"), (7, None, None));
    assert_eq!(read(r#"[7,"t"]"#), (7, text("t"), None));
    assert_eq!(read(r#"[7,"t","x"]"#), (7, text("t"), text("x")));
    assert_eq!(read(r#"[7,null,"x"]"#), (7, None, text("x")));
    assert_eq!(read("[7,null,null]"), (7, None, None));
    assert_eq!(read("[]"), (0, None, None));
    assert_eq!(read("[18446744073709551615]"), (u64::MAX, None, None));
    let bare = parse(r#"{"params":null,"method":"m","more":1}"#).unwrap();
    assert_eq!((bare.seq, bare.params), (0, Value::Null));
}

#[test]
fn every_other_shape_is_refused_with_its_place_and_without_its_text() {
    let with = |sys: &str| format!(r#"{{"method":"m","params":{{}},"sys":{sys}}}"#);
    let shapes = [
        "null".to_owned(),
        "[]".to_owned(),
        "3".to_owned(),
        r#""text""#.to_owned(),
        "{}".to_owned(),
        r#"{"method":"m"}"#.to_owned(),
        r#"{"params":{}}"#.to_owned(),
        r#"{"method":1,"params":{}}"#.to_owned(),
        r#"{"method":null,"params":{}}"#.to_owned(),
        r#"{"method":["m"],"params":{}}"#.to_owned(),
        r#"{"method":"m","method":"n","params":{}}"#.to_owned(),
        r#"{"method":"m","params":{},"sys":[1],"sys":[2]}"#.to_owned(),
        with("null"),
        with("1"),
        with("{}"),
        with(r#""1""#),
        with(r#"["1"]"#),
        with("[-1]"),
        with("[1.5]"),
        with("[null]"),
        with("[18446744073709551616]"),
        with("[1,2]"),
        with(r#"[1,{"secret":1}]"#),
        with("[1,true]"),
        with(r#"[1,"canary",5]"#),
        with(r#"[1,"t","x","canary"]"#),
    ];
    for shape in shapes {
        match parse(&shape) {
            Err(fault @ BadRequest::Shape { .. }) => {
                assert!(!fault.to_string().contains("canary"), "{fault}");
            }
            other => panic!("{shape}: {other:?}"),
        }
    }
    for text in [
        "",
        "{",
        "{]",
        "method=m",
        r#"{"method":"m","params":{}} x"#,
        "{\"method\":\"\n\"}",
    ] {
        assert!(matches!(parse(text), Err(BadRequest::NotJson { .. })), "{text}");
    }
    let deep = format!(r#"{{"method":"m","params":{}"#, "[".repeat(100_000));
    assert!(matches!(parse(&deep), Err(BadRequest::NotJson { .. })));
    assert_eq!(Request::parse(b"\xff\xfe{}"), Err(BadRequest::NotText));
}

#[test]
fn a_request_shows_no_secret_of_itself() {
    let request = Request::new("login", json!({"password": "canary"}), 1).with_token("canary");
    assert!(!format!("{request:?}").contains("canary"));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{0,6}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_the_bytes_are_reading_them_answers(bytes: Vec<u8>) {
        drop(Request::parse(&bytes));
    }

    #[test]
    fn whatever_stands_in_the_members_reading_them_answers(
        method in any_json(), params in any_json(), sys in any_json(),
    ) {
        let body = json!({"method": method, "params": params, "sys": sys}).to_string();
        let read = Request::parse(body.as_bytes());
        let elements = sys.as_array();
        let well_formed = method.is_string()
            && elements.is_some_and(|all| {
                all.len() <= 3
                    && all.first().is_none_or(Value::is_u64)
                    && all.iter().skip(1).all(|one| one.is_string() || one.is_null())
            });
        assert_eq!(read.is_ok(), well_formed, "{body}");
    }

    #[test]
    fn what_is_written_is_read_back(
        method in ".*", params in any_json(), seq: u64, token: Option<String>, trace: Option<String>,
    ) {
        let request = Request { method, params, seq, token, trace };
        assert_eq!(Request::parse(&request.to_body()), Ok(request));
    }
}
