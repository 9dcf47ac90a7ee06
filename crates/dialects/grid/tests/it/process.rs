//! What is forwarded, and what is said where nothing is.

use grid::{NotDeployed, owns_cookie, refusal};
use http::{Method, StatusCode};

use crate::bed::{Bed, read};

#[tokio::test]
async fn any_method_and_path_goes_to_the_callers_service() {
    let (bed, wallet) = (Bed::new().await, testbed::Wallet::new(1));
    let cookie = bed.cookie(&wallet).await;
    bed.greet("type=3&input=http://x/m.yaml", &cookie).await;
    let (user, _url, endpoint) = bed.services.deployed().remove(0);
    for method in [
        "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND",
    ] {
        let method: Method = method.parse().expect("a method");
        for target in ["/", "/a;b=c/%2F?x=1;y", "/greet/", "/greet%2F", "/kapi/x"] {
            let forward = bed.forwarded(method.clone(), target, &cookie).await;
            assert_eq!((forward.user.id, forward.endpoint), (user, endpoint));
        }
    }
}

#[tokio::test]
async fn who_may_not_deploy_is_not_authorized() {
    let (bed, wallet) = (Bed::new().await, testbed::Wallet::new(1));
    let cookie = bed.cookie(&wallet).await;
    bed.services.refuse(Some(NotDeployed::NotAllowed));
    let said = bed.greet("type=3&input=http://x/m.yaml", &cookie).await;
    let wanted = r#"{"msg":"[Fail] user is not authorized"}"#;
    assert_eq!((said.status, said.body.as_str()), (400, wanted));
}

#[tokio::test]
async fn a_refusal_has_the_bytes_that_clients_know() {
    let said = read(refusal(StatusCode::BAD_REQUEST, "a <b> & \"c\"")).await;
    assert_eq!(said.body, r#"{"msg":"[Fail] a \u003cb\u003e \u0026 \"c\""}"#);
    assert_eq!(said.headers["content-length"], said.body.len().to_string());
}

#[test]
fn w10_every_cookie_of_this_door_is_known_by_its_name() {
    for name in [
        "cpuser_",
        "cpuser_0x7e5f4552091a69125d5dfcb7b8c2659029395bdf",
        "cpuser_test",
    ] {
        assert!(owns_cookie(name), "{name}");
    }
    for name in ["", "cpuser", "session", "xcpuser_1"] {
        assert!(!owns_cookie(name), "{name}");
    }
}
