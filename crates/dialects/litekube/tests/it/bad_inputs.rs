//! What clients may send that is no good, call by call: each gets an answer, and none anything else.

use tonic::Code;
use wire::pb;

use crate::bed::{Zone, address, get_token, state, unregister};

/// What stands in a field where a token belongs, and what is answered: a text for code 400, or a status.
fn tokens(empty: &'static str) -> Vec<(String, Result<&'static str, Code>)> {
    let not_found = Ok("fail to find such item");
    vec![
        (String::new(), Ok(empty)),
        (" ".to_owned(), not_found),
        ("0123456789abcdef".to_owned(), not_found),
        ("0123456789ABCDEF".to_owned(), not_found),
        ("0123456789abcde".to_owned(), not_found),
        ("0".repeat(17), not_found),
        ("' OR 1=1 --".to_owned(), not_found),
        ("\u{202e}\u{0}\n".to_owned(), not_found),
        ("\u{6d4b}\u{8bd5}".to_owned(), not_found),
        ("a".repeat(60 * 1024), not_found),
        ("a".repeat(65 * 1024), Err(Code::OutOfRange)),
        ("a".repeat(5 * 1024 * 1024), Err(Code::ResourceExhausted)),
    ]
}

#[tokio::test]
async fn every_call_answers_every_bad_token_with_its_code_and_text() {
    let zone = Zone::new().await;
    let mut admin = zone.as_admin().await;
    let mut bootstrap = zone.bootstrap().await;
    for (token, wanted) in tokens("token can't be empty") {
        let shown = &token[..token.len().min(20)].escape_debug().to_string();
        let state = state(&mut admin, &token).await;
        let coded = state.map(|answer| {
            assert_eq!((answer.conn_state, answer.bind_ip.as_str()), (-1, ""), "{shown}");
            (answer.code, answer.message)
        });
        same("CheckConnState", shown, coded, wanted);
        let address = address(&mut admin, &token).await;
        let coded = address.map(|answer| {
            assert_eq!(answer.ip, "", "{shown}");
            (answer.code, answer.message)
        });
        same("GetRegistedIp", shown, coded, wanted);
        let ended = unregister(&mut admin, &token).await;
        let coded = ended.map(|answer| {
            assert!(!answer.result, "{shown}");
            (answer.code, answer.message)
        });
        same("UnRegister", shown, coded, wanted);
    }
    for (token, wanted) in tokens("bootstrap token can't be empty") {
        let shown = &token[..token.len().min(20)].escape_debug().to_string();
        let request = || pb::GetTokenRequest {
            boot_strap_token: token.clone(),
        };
        for (name, answer) in [
            ("GetToken", bootstrap.get_token(request()).await),
            (
                "GetToken of the control service",
                admin.get_token(request()).await,
            ),
        ] {
            let coded = answer
                .map(tonic::Response::into_inner)
                .map_err(|status| status.code());
            let coded = coded.map(|answer| {
                assert_eq!(
                    (answer.token.as_str(), answer.grpc_client_key.as_str()),
                    ("", ""),
                    "{shown}"
                );
                assert_eq!(answer.network_server_port, "6441", "{shown}");
                (answer.code, answer.message)
            });
            same(name, shown, coded, wanted);
        }
    }
    assert_eq!(zone.count("SELECT COUNT(*) FROM nodes").await, 0);
    assert_eq!(
        get_token(&mut bootstrap, "").await.code,
        "400",
        "the door stands still"
    );
}

#[track_caller]
fn same(
    call: &str,
    shown: &str,
    answered: Result<(String, String), Code>,
    wanted: Result<&'static str, Code>,
) {
    let wanted = wanted.map(|text| ("400".to_owned(), text.to_owned()));
    assert_eq!(answered, wanted, "{call} with {shown}");
}

#[tokio::test]
async fn hello_takes_any_text_up_to_the_limit() {
    let zone = Zone::new().await;
    let mut admin = zone.as_admin().await;
    for (length, wanted) in [
        (0, Ok(())),
        (60 * 1024, Ok(())),
        (65 * 1024, Err(Code::OutOfRange)),
    ] {
        let hello_text = "h".repeat(length);
        let answer = admin.hello_world(pb::HelloWorldRequest { hello_text }).await;
        assert_eq!(
            answer.map(drop).map_err(|status| status.code()),
            wanted,
            "{length}"
        );
    }
}
