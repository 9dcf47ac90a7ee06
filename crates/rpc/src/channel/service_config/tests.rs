//! Service configs: what is read, which entry holds, and what is refused.

use std::time::Duration;

use tonic::Code;

use super::{ServiceConfig, Throttling};

const WHOLE: &str = r#"{
    "loadBalancingConfig": [{"pick_first": {}}],
    "methodConfig": [
        {"name": [{}], "waitForReady": true},
        {"name": [{"service": "a.Store"}, {"service": "b.Store"}], "timeout": "1.5s"},
        {
            "name": [{"service": "a.Store", "method": "Get"}],
            "timeout": "3s",
            "retryPolicy": {
                "maxAttempts": 9,
                "initialBackoff": "0.1s",
                "maxBackoff": "1s",
                "backoffMultiplier": 1.6,
                "retryableStatusCodes": ["UNAVAILABLE", "aborted", 8]
            }
        }
    ],
    "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1}
}"#;

#[test]
fn the_entry_that_names_a_method_best_holds_for_it() {
    let config = ServiceConfig::read(WHOLE).unwrap();
    let get = config.method("/a.Store/Get").unwrap();
    let policy = get.retry.as_ref().unwrap();
    assert_eq!(get.timeout, Some(Duration::from_secs(3)));
    assert_eq!(get.wait_for_ready, None, "entries are not mixed");
    assert_eq!((policy.attempts, policy.growth), (5, 1600));
    assert_eq!(policy.first_wait, Duration::from_millis(100));
    for (code, covered) in [
        (Code::Unavailable, true),
        (Code::Aborted, true),
        (Code::ResourceExhausted, true),
        (Code::Internal, false),
    ] {
        assert_eq!(policy.covers(code), covered, "{code}");
    }
    for path in ["/a.Store/Put", "/b.Store/Get"] {
        let method = config.method(path).unwrap();
        assert_eq!(method.timeout, Some(Duration::from_millis(1500)), "{path}");
        assert!(method.retry.is_none(), "{path}");
    }
    let other = config.method("/c.Store/Get").unwrap();
    assert_eq!((other.timeout, other.wait_for_ready), (None, Some(true)));
    let throttling = Throttling {
        most_tokens: 10_000,
        ratio: 100,
    };
    assert_eq!(config.throttling, Some(throttling));
    assert!(
        ServiceConfig::read("{}")
            .unwrap()
            .method("/a.Store/Get")
            .is_none()
    );
}

#[test]
fn what_is_wrong_or_not_done_here_is_refused_by_name() {
    let policy = |from: &str, to: &str| WHOLE.replacen(from, to, 1);
    for (text, said) in [
        ("no JSON".to_owned(), "expected"),
        (policy("methodConfig", "methodsConfig"), "methodsConfig"),
        (policy("retryPolicy", "hedgingPolicy"), "hedgingPolicy"),
        (policy("pick_first", "round_robin"), "round_robin"),
        (policy("\"maxAttempts\": 9", "\"maxAttempts\": 1"), "maxAttempts"),
        (policy("\"maxAttempts\": 9,", ""), "maxAttempts"),
        (policy("\"0.1s\"", "\"0.1\""), "initialBackoff"),
        (policy("\"0.1s\"", "\"0s\""), "initialBackoff"),
        (policy("\"0.1s\"", "\"-1s\""), "initialBackoff"),
        (policy("\"0.1s\"", "\"1.1.1s\""), "initialBackoff"),
        (policy("\"3s\"", "\"99999999999999999999999s\""), "timeout"),
        (policy("\"3s\"", "\"315576000001s\""), "timeout"),
        (policy("1.6", "0"), "backoffMultiplier"),
        (policy("aborted", "broken"), "broken"),
        (policy("aborted", "OK"), "OK"),
        (policy("8]", "0]"), "retryableStatusCodes"),
        (
            policy("[\"UNAVAILABLE\", \"aborted\", 8]", "[]"),
            "retryableStatusCodes",
        ),
        (policy("\"maxTokens\": 10", "\"maxTokens\": 1001"), "maxTokens"),
        (policy("0.1}", "0}"), "tokenRatio"),
        (policy("[{}]", "[{\"method\": \"Get\"}]"), "method"),
        (policy("b.Store", "a.Store"), "a.Store"),
    ] {
        assert_ne!(text, WHOLE, "{said}");
        let fault = ServiceConfig::read(&text).unwrap_err().to_string();
        assert!(fault.contains(said), "{said}: {fault}");
    }
}
