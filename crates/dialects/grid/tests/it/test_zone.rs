//! A zone for trying clients out: both effects of the document's `--test`.

use http::Method;

use crate::bed::Bed;

#[tokio::test]
async fn any_input_signs_in_whoever_is_named_or_the_user_test() {
    let (bed, wallet) = (Bed::for_tests().await, testbed::Wallet::new(1));
    for input in ["cheat", "1703757313", "anything"] {
        let said = bed.greet(&format!("type=2&input={input}"), "").await;
        assert_eq!(
            (said.status, said.body.as_str()),
            (200, r#"{"msg":"[ACK] already authorized"}"#)
        );
        assert!(said.cookie().starts_with("cpuser_test="));
        let said = bed
            .greet(&format!("type=2&input={input}&addr={}", wallet.address()), "")
            .await;
        assert!(
            said.cookie()
                .starts_with(&format!("cpuser_{}=", wallet.address()))
        );
    }
    let said = bed.greet("type=2&input=x&addr=0x12", "").await;
    assert_eq!(said.status, 400);
}

#[tokio::test]
async fn a_deployment_is_a_host_to_forward_to_each_callers_own() {
    let (bed, wallet) = (Bed::for_tests().await, testbed::Wallet::new(1));
    let nobody = bed.greet("type=2&input=x", "").await.cookie();
    let wallet = bed
        .greet(&format!("type=2&input=x&addr={}", wallet.address()), "")
        .await
        .cookie();
    assert_eq!(
        bed.said(Method::GET, "/", &[("cookie", &nobody)]).await.status,
        400
    );
    for (cookie, host) in [
        (&nobody, "http://127.0.0.1:9000"),
        (&wallet, "https://www.example.org"),
    ] {
        let said = bed.greet(&format!("type=3&input={host}"), cookie).await;
        assert_eq!(
            (said.status, said.body.as_str()),
            (200, r#"{"msg":"[ACK] deployed ok"}"#)
        );
    }
    let one = bed.forwarded(Method::GET, "/", &nobody).await;
    let two = bed.forwarded(Method::GET, "/", &wallet).await;
    assert_eq!(one.origin.expect("a host").to_string(), "http://127.0.0.1:9000");
    assert_eq!(
        two.origin.expect("a host").to_string(),
        "https://www.example.org:443"
    );
    assert_ne!(one.endpoint.service, two.endpoint.service);
    assert!(bed.services.deployed().is_empty());
    let said = bed.greet("type=3&input=127.0.0.1:8080", &nobody).await;
    assert_eq!(said.status, 500);
    assert!(
        said.body.starts_with(r#"{"msg":"[Fail] Failed to deploy: "#),
        "{}",
        said.body
    );
    assert_eq!(
        bed.greet("type=3", &nobody).await.body,
        r#"{"msg":"[Fail] empty deployment"}"#
    );
}
