//! Users made, listed and shut out, by whom and with which faults.

use tonic::Code;
use wire::soke::v1;

use crate::zone::{Zone, bearing, refusal};

fn wanted(user_name: &str, role: &str, unix_name: &str) -> v1::CreateUserRequest {
    v1::CreateUserRequest {
        user_name: user_name.to_owned(),
        role: role.to_owned(),
        unix_name: unix_name.to_owned(),
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_new_user_is_said_by_field() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    let long = "a".repeat(33);
    for (message, code, fields) in [
        (wanted("", "", ""), Code::InvalidArgument, vec!["user_name"]),
        (
            wanted("Ada", "king", "root"),
            Code::InvalidArgument,
            vec!["user_name", "role", "unix_name"],
        ),
        (
            wanted(&long, "owner", "a b"),
            Code::InvalidArgument,
            vec!["user_name", "role", "unix_name"],
        ),
        (
            wanted("a\u{e9}", "member", ""),
            Code::InvalidArgument,
            vec!["user_name"],
        ),
        (wanted("ada", "", ""), Code::AlreadyExists, vec![]),
        (wanted("admin", "", ""), Code::AlreadyExists, vec![]),
    ] {
        let (name, fields) = (
            message.user_name.clone(),
            fields.into_iter().map(str::to_owned).collect(),
        );
        let answer = zone.users().create_user(bearing(&owner, message)).await;
        assert_eq!(refusal(answer), (code, fields), "{name}");
    }
}

#[tokio::test]
async fn users_are_listed_in_pages_by_name() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    for name in ["cyd", "bob", "dan"] {
        zone.member(&owner, name).await;
    }
    let mut seen = Vec::new();
    let mut message = v1::ListUsersRequest {
        page_size: 3,
        page_token: String::new(),
    };
    loop {
        let page = zone.users().list_users(bearing(&owner, message.clone())).await;
        let page = page.expect("listed").into_inner();
        seen.extend(page.users.into_iter().map(|user| user.user_name));
        if page.next_page_token.is_empty() {
            break;
        }
        message.page_token = page.next_page_token;
    }
    assert_eq!(seen, ["ada", "bob", "cyd", "dan"]);
    let bad = v1::ListUsersRequest {
        page_size: 1001,
        page_token: "x".repeat(65),
    };
    let answer = zone.users().list_users(bearing(&owner, bad)).await;
    let fields = vec!["page_size".to_owned(), "page_token".to_owned()];
    assert_eq!(refusal(answer), (Code::InvalidArgument, fields));
}

#[tokio::test]
async fn a_member_may_do_none_of_it_whatever_the_fields_say() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    let bob = zone.member(&owner, "bob").await;
    let denied = (Code::PermissionDenied, Vec::<String>::new());
    let (made, listed, code, revoked) = (
        zone.users().create_user(bearing(&bob, wanted("", "", ""))).await,
        zone.users()
            .list_users(bearing(&bob, v1::ListUsersRequest::default()))
            .await,
        zone.users()
            .create_sign_in_code(bearing(&bob, v1::CreateSignInCodeRequest::default()))
            .await,
        zone.users()
            .revoke_sessions(bearing(&bob, v1::RevokeSessionsRequest::default()))
            .await,
    );
    assert_eq!(refusal(made), denied);
    assert_eq!(refusal(listed), denied);
    assert_eq!(refusal(code), denied);
    assert_eq!(refusal(revoked), denied);
}

#[tokio::test]
async fn a_user_who_is_shut_out_is_out_at_once() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    let bob = zone.member(&owner, "bob").await;
    let name = |user_name: &str| v1::RevokeSessionsRequest {
        user_name: user_name.to_owned(),
    };
    let ended = zone.users().revoke_sessions(bearing(&owner, name("bob"))).await;
    assert_eq!(ended.expect("shut out").into_inner().ended, 1);
    let who = zone
        .sessions()
        .who_am_i(bearing(&bob, v1::WhoAmIRequest {}))
        .await;
    assert_eq!(refusal(who), (Code::Unauthenticated, vec![]));
    let unknown = zone.users().revoke_sessions(bearing(&owner, name("eve"))).await;
    assert_eq!(refusal(unknown), (Code::NotFound, vec![]));
    let empty = zone.users().revoke_sessions(bearing(&owner, name(""))).await;
    assert_eq!(
        refusal(empty),
        (Code::InvalidArgument, vec!["user_name".to_owned()])
    );
    let code = v1::CreateSignInCodeRequest {
        user_name: "eve".to_owned(),
    };
    let unknown = zone.users().create_sign_in_code(bearing(&owner, code)).await;
    assert_eq!(refusal(unknown), (Code::NotFound, vec![]));
}
