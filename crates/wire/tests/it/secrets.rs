//! No secret reaches a log through a message's Debug form.

use std::collections::BTreeSet;

use prost_reflect::{DescriptorPool, Kind, MessageDescriptor};
use wire::soke::v1::sign_in_request::Proof;
use wire::soke::v1::{PasswordProof, SignInRequest, SignInResponse, Tokens};

/// What a field is called that carries a secret.
const SECRET_WORDS: [&str; 6] = [
    "password",
    "token",
    "link_code",
    "sign_in_code",
    "api_key",
    "clientkey",
];

/// Fields with such a word in their name that carry no secret.
const HARMLESS: [&str; 16] = [
    // Where a list goes on.
    "soke.v1.ListJobsRequest.page_token",
    "soke.v1.ListJobsResponse.next_page_token",
    "soke.v1.ListUsersRequest.page_token",
    "soke.v1.ListUsersResponse.next_page_token",
    "soke.v1.ListNodesRequest.page_token",
    "soke.v1.ListNodesResponse.next_page_token",
    "soke.v1.ListServicesRequest.page_token",
    "soke.v1.ListServicesResponse.next_page_token",
    "soke.v1.ListDeedsRequest.page_token",
    "soke.v1.ListDeedsResponse.next_page_token",
    "soke.v1.ListChargesRequest.page_token",
    "soke.v1.ListChargesResponse.next_page_token",
    "soke.v1.ListPaymentsRequest.page_token",
    "soke.v1.ListPaymentsResponse.next_page_token",
    // What names a token in lists.
    "soke.v1.JoinToken.join_token_id",
    "soke.v1.RevokeJoinTokenRequest.join_token_id",
];

fn listed() -> BTreeSet<&'static str> {
    include_str!("../../secret_messages.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(' ').next())
        .collect()
}

/// The names of a message's text and bytes fields that look like secrets.
fn secrets_of(message: &MessageDescriptor) -> Vec<String> {
    message
        .fields()
        .filter(|field| matches!(field.kind(), Kind::String | Kind::Bytes))
        .map(|field| field.full_name().to_owned())
        .filter(|name| {
            let last = name.rsplit('.').next().unwrap().to_lowercase();
            SECRET_WORDS.iter().any(|word| last.contains(word)) && !HARMLESS.contains(&name.as_str())
        })
        .collect()
}

#[test]
fn every_message_with_a_secret_field_is_listed() {
    let pool = DescriptorPool::decode(wire::DESCRIPTORS).unwrap();
    let listed = listed();
    let missing: Vec<String> = pool
        .all_messages()
        .filter(|message| !listed.contains(message.full_name()))
        .flat_map(|message| secrets_of(&message))
        .collect();
    assert!(
        missing.is_empty(),
        "add their messages to crates/wire/secret_messages.txt: {missing:?}"
    );
    for name in listed {
        assert!(
            pool.get_message_by_name(name).is_some(),
            "there is no message {name}"
        );
    }
}

#[test]
fn the_debug_form_of_a_listed_message_is_its_name() {
    let canary = "canary-7f3a";
    let proof = PasswordProof {
        user_name: "anna".into(),
        password: canary.into(),
    };
    assert_eq!(format!("{proof:?}"), "soke.v1.PasswordProof");
    let request = SignInRequest {
        proof: Some(Proof::LinkCode(canary.into())),
    };
    assert_eq!(format!("{request:?}"), "soke.v1.SignInRequest");
    let tokens = Tokens {
        access_token: canary.into(),
        ..Tokens::default()
    };
    let response = SignInResponse {
        identity: None,
        tokens: Some(tokens),
    };
    let shown = format!("{response:?}");
    assert!(!shown.contains(canary), "{shown}");
    assert!(shown.contains("soke.v1.Tokens"), "{shown}");
}
