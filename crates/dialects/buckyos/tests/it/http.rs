//! What never becomes a call: statuses, hosts, bodies; and that the connection outlives all of it.

use krpc::Request;
use serde_json::{Value, json};

use crate::bed::{Bed, Connection, PASSWORD, ZONE, error};

fn head(verb: &str, target: &str, host: &str, length: usize) -> String {
    format!("{verb} {target} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n\r\n")
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "a table of cases, one after another")]
async fn each_door_answers_what_is_no_call_with_the_status_of_the_contract() {
    let bed = Bed::new().await;
    let body = r#"{"method":"x","params":{},"sys":[1]}"#;
    let (config, gateway) = (bed.system_config(), bed.node_gateway());
    let local = "127.0.0.1:3180";
    let below = format!("files.{ZONE}");
    let dashed = format!("files-ada.{ZONE}");
    // Door, verb, target, host, status, what the body begins with.
    let table = [
        (
            gateway,
            "POST",
            "/kapi/system_config",
            local,
            200,
            "{\"error\":\"No permission:No session token\"",
        ),
        (
            gateway,
            "POST",
            "/kapi/system_config/",
            local,
            200,
            "{\"error\":\"No permission:",
        ),
        (
            gateway,
            "POST",
            "/kapi/system_config/x/y",
            ZONE,
            200,
            "{\"error\":\"No permission:",
        ),
        (
            gateway,
            "POST",
            "/kapi/verify-hub",
            local,
            200,
            "{\"error\":\"Unknown method: x\"",
        ),
        (
            gateway,
            "POST",
            "/kapi/verify-hub",
            &below,
            200,
            "{\"error\":\"Unknown method: x\"",
        ),
        (
            gateway,
            "POST",
            "/kapi/verify-hub",
            &dashed,
            200,
            "{\"error\":\"Unknown method: x\"",
        ),
        (
            gateway,
            "POST",
            "http://127.0.0.1/kapi/verify-hub",
            "127.0.0.1",
            200,
            "{\"error\":\"Unknown method: x\"",
        ),
        (
            gateway,
            "POST",
            "/kapi/verify-hub?x=1",
            local,
            200,
            "{\"error\":\"Unknown method: x\"",
        ),
        (gateway, "POST", "/kapi/nope", local, 403, ""),
        (gateway, "POST", "/kapi/verify_hub", local, 403, ""),
        (gateway, "POST", "/kapi/verify%2Dhub", local, 403, ""),
        (gateway, "POST", "/kapi/", local, 403, ""),
        (gateway, "POST", "//kapi/verify-hub", local, 403, ""),
        (gateway, "POST", "/KAPI/verify-hub", local, 403, ""),
        (gateway, "GET", "/", local, 403, ""),
        (gateway, "POST", "/kapi/verify-hub", "evil.example", 403, ""),
        (
            gateway,
            "GET",
            "/kapi/system_config",
            local,
            500,
            "Method not allowed",
        ),
        (
            gateway,
            "PUT",
            "/kapi/verify-hub",
            local,
            500,
            "Method not allowed",
        ),
        (
            gateway,
            "DELETE",
            "/kapi/verify-hub",
            local,
            500,
            "Method not allowed",
        ),
        (
            config,
            "POST",
            "/kapi/system_config",
            local,
            200,
            "{\"error\":\"No permission:No session token\"",
        ),
        (
            config,
            "POST",
            "/kapi/system_config/",
            local,
            200,
            "{\"error\":\"No permission:",
        ),
        (
            config,
            "GET",
            "/kapi/system_config",
            local,
            500,
            "Method not allowed",
        ),
        (
            config,
            "POST",
            "/kapi/verify-hub",
            local,
            404,
            "There is nothing here.",
        ),
        (config, "POST", "/kapi/system_config", "evil.example", 403, ""),
    ];
    for (door, verb, target, host, status, begins) in table {
        let request = head(verb, target, host, body.len()) + body;
        let answer = Connection::open(door).await.raw(request.as_bytes()).await;
        assert_eq!(answer.status, status, "{verb} {target} {host}: {answer:?}");
        let as_said = if begins.is_empty() {
            answer.body.is_empty()
        } else {
            answer.body.starts_with(begins)
        };
        assert!(as_said, "{verb} {target} {host}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_request_is_answered_400_and_the_connection_stays() {
    let bed = Bed::new().await;
    for (door, path) in [
        (bed.system_config(), "/kapi/system_config"),
        (bed.node_gateway(), "/kapi/verify-hub"),
    ] {
        let mut connection = Connection::open(door).await;
        for body in [
            "",
            "x",
            "null",
            "[]",
            "{}",
            r#"{"method":"m"}"#,
            r#"{"method":5,"params":{}}"#,
            r#"{"method":"m","params":{},"sys":{}}"#,
            r#"{"method":"m","params":{},"sys":["1"]}"#,
            r#"{"method":"m","params":{},"sys":[1,5]}"#,
            r#"{"method":"m","params":{},"sys":[1,"t",5]}"#,
            // W11: more elements than there are meanings.
            r#"{"method":"m","params":{},"sys":[1,"t","x",null]}"#,
            r#"{"method":"m","params":{},"sys":[-1]}"#,
            r#"{"method":"m","params":{}"#,
        ] {
            let answer = connection.post(path, body).await;
            assert_eq!(answer.status, 400, "{body}: {answer:?}");
            assert!(
                answer.body.starts_with("read the request: "),
                "{body}: {answer:?}"
            );
        }
        let not_text = [head("POST", path, "localhost", 2).as_bytes(), b"\xff\xfe"].concat();
        assert_eq!(connection.raw(&not_text).await.status, 400);
        let good = connection.post(path, r#"{"method":"m","params":{}}"#).await;
        assert_eq!(good.status, 200);
        assert!(
            good.body.ends_with(r#""sys":[0],"code":"no_permission"}"#) || path.ends_with("hub"),
            "{good:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_have_a_length_and_a_time() {
    let bed = Bed::new().await;
    let path = "/kapi/verify-hub";
    let fits = format!(
        r#"{{"method":"m","params":{{}}}}{}"#,
        " ".repeat(1024 * 1024 - 26)
    );
    assert_eq!(fits.len(), 1024 * 1024);
    let answer = Connection::open(bed.node_gateway()).await.post(path, &fits).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let long = head("POST", path, "localhost", 1024 * 1024 + 1);
    let mut connection = Connection::open(bed.node_gateway()).await;
    let sent = [long.as_bytes(), fits.as_bytes(), b" "].concat();
    assert_eq!(connection.raw(&sent).await.status, 413);
    let slow = head("POST", path, "localhost", 10) + "{";
    let answer = Connection::open(bed.node_gateway())
        .await
        .raw(slow.as_bytes())
        .await;
    assert_eq!(answer.status, 408, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_reaches_nothing() {
    let bed = Bed::new().await;
    let body = r#"{"method":"m","params":{}}"#;
    let with = |line: &str| {
        let length = body.len();
        format!(
            "POST /kapi/verify-hub HTTP/1.1\r\nhost: localhost\r\n{line}\r\ncontent-length: {length}\r\n\r\n{body}"
        )
    };
    let status = async |line: &str| {
        let mut connection = Connection::open(bed.node_gateway()).await;
        connection.raw(with(line).as_bytes()).await.status
    };
    assert_eq!(status("sec-fetch-site: cross-site").await, 403);
    assert_eq!(status("sec-fetch-site: same-origin").await, 200);
    assert_eq!(status("sec-fetch-mode: cors").await, 200);
    assert_eq!(status("host: evil.example").await, 400);
}

/// The trap: one client takes the second element of `sys` for its new token, so it is there only where the request
/// had a third, and never from system_config.
#[tokio::test(flavor = "multi_thread")]
async fn the_second_element_of_sys_is_repeated_only_where_it_was_asked_for() {
    let bed = Bed::new().await;
    let owner = bed.owner().await;
    let sys = async |service: &str, request: Request| bed.send(service, &request).await["sys"].clone();
    let plain = |method: &str| Request::new(method, json!({"key": "boot/config"}), 7);
    for method in ["sys_config_get", "no_such"] {
        assert_eq!(sys("verify-hub", plain(method)).await, json!([7]));
        assert_eq!(
            sys("verify-hub", plain(method).with_token(&owner.token)).await,
            json!([7])
        );
        assert_eq!(
            sys("verify-hub", plain(method).with_trace("t")).await,
            json!([7, "t"])
        );
        assert_eq!(sys("system_config", plain(method)).await, json!([7]));
        assert_eq!(
            sys("system_config", plain(method).with_token(&owner.token)).await,
            json!([7])
        );
        let traced = plain(method).with_token(&owner.token).with_trace("t");
        assert_eq!(sys("system_config", traced).await, json!([7]));
    }
    let null_trace = r#"{"method":"x","params":{},"sys":[7,null,null]}"#;
    let answer = Connection::open(bed.node_gateway())
        .await
        .post("/kapi/verify-hub", null_trace)
        .await;
    assert!(answer.body.contains(r#""sys":[7],"#), "{answer:?}");
}

/// Wrong types in parameters are answers; the programs that this protocol comes from close the connection.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "a table of cases, one after another")]
async fn a_parameter_of_a_wrong_type_is_answered_on_a_connection_that_stays() {
    let bed = Bed::new().await;
    let owner = bed.owner().await;
    bed.set_password(&owner, None, PASSWORD).await;
    let values = [
        json!(5),
        json!(true),
        json!([]),
        json!({}),
        json!(1.5),
        json!(null),
    ];
    let mut cases: Vec<(&str, &str, Value)> = Vec::new();
    for (service, method, good) in [
        ("system_config", "sys_config_get", json!({"key": "a"})),
        (
            "system_config",
            "sys_config_set",
            json!({"key": "a", "value": "v"}),
        ),
        (
            "system_config",
            "sys_config_create",
            json!({"key": "a", "value": "v"}),
        ),
        (
            "system_config",
            "sys_config_append",
            json!({"key": "a", "append_value": "v"}),
        ),
        (
            "system_config",
            "sys_config_exec_tx",
            json!({"actions": {"a": {"action": "remove"}}, "main_key": "a:1"}),
        ),
        (
            "system_config",
            "sys_config_set_by_json_path",
            json!({"key": "a", "json_path": "a", "value": "1"}),
        ),
        ("system_config", "sys_config_delete", json!({"key": "a"})),
        ("system_config", "sys_config_list", json!({"key": "a"})),
        ("verify-hub", "login_by_jwt", json!({"type": "jwt", "jwt": "x"})),
        (
            "verify-hub",
            "login_by_password",
            bed.password_login("keeper", PASSWORD, bed.millis()),
        ),
        ("verify-hub", "refresh_token", json!({"refresh_token": "x"})),
        ("verify-hub", "logout", json!({"refresh_token": "x"})),
        ("verify-hub", "verify_token", json!({"session_token": "x"})),
    ] {
        for member in good.as_object().expect("an object").keys() {
            for value in &values {
                let mut params = good.clone();
                params[member] = value.clone();
                let a_number_fits = member == "login_nonce" && (value == &json!(5) || value.is_null());
                let null_is_default = member == "type" && method == "login_by_jwt" && value.is_null();
                let none_fits = method == "sys_config_exec_tx"
                    && (member == "actions" && value.is_object() || member == "main_key" && value.is_null());
                if !a_number_fits && !null_is_default && !none_fits {
                    cases.push((service, method, params));
                }
            }
        }
        for params in values.iter().chain(&[json!("text"), json!([good])]) {
            if !params.is_object() {
                cases.push((service, method, params.clone()));
            }
        }
    }
    let mut connection = Connection::open(bed.node_gateway()).await;
    for (service, method, params) in &cases {
        let request = Request::new(*method, params.clone(), bed.seq()).with_token(&owner.token);
        let body = String::from_utf8(request.to_body()).expect("text");
        let answer = connection.post(&format!("/kapi/{service}"), &body).await;
        assert_eq!(answer.status, 200, "{method} {params}: {answer:?}");
        let reply: Value = serde_json::from_str(&answer.body).expect("JSON");
        let text = error(&reply);
        let told = ["Parse Request Error: ", "Failed due to reason: Missing "];
        assert!(
            told.iter().any(|begin| text.starts_with(begin)),
            "{method} {params}: {text}"
        );
    }
    assert!(cases.len() > 130, "{}", cases.len());
}
