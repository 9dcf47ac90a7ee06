//! Join tokens and machines, by whom and with which faults.

use tonic::Code;
use wire::soke::v1;

use crate::zone::{Zone, bearing, refusal};

fn wanted(node_name: &str, uses: u32, seconds: i64) -> v1::CreateJoinTokenRequest {
    v1::CreateJoinTokenRequest {
        node_name: node_name.to_owned(),
        uses,
        life: Some(prost_types::Duration { seconds, nanos: 0 }),
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_token_is_said_by_field() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    for (message, fields) in [
        (wanted("A b", 1001, 0), vec!["node_name", "uses", "life"]),
        (wanted("a", 2, 60), vec!["uses"]),
        (wanted("", 1, i64::MAX), vec!["life"]),
        (wanted("", 1, -1), vec!["life"]),
        (wanted("", 1, 30 * 86_400 + 1), vec!["life"]),
    ] {
        let fields = fields.into_iter().map(str::to_owned).collect();
        let answer = zone.nodes().create_join_token(bearing(&owner, message)).await;
        assert_eq!(refusal(answer), (Code::InvalidArgument, fields));
    }
}

#[tokio::test]
async fn tokens_are_made_listed_without_their_text_and_revoked_by_administrators_only() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    let message = v1::CreateJoinTokenRequest::default();
    let made = zone
        .nodes()
        .create_join_token(bearing(&owner, message.clone()))
        .await;
    let made = made.unwrap().into_inner();
    assert!(made.text.starts_with("soke-node."));
    assert!(!format!("{made:?}").contains(&made.text));
    let id = made.join_token.unwrap().join_token_id;
    let member = zone.member(&owner, "bob").await;
    let denied = zone.nodes().create_join_token(bearing(&member, message)).await;
    assert_eq!(refusal(denied).0, Code::PermissionDenied);
    let revoke = v1::RevokeJoinTokenRequest { join_token_id: id };
    zone.nodes()
        .revoke_join_token(bearing(&owner, revoke))
        .await
        .unwrap();
    let list = v1::ListJoinTokensRequest {};
    let listed = zone.nodes().list_join_tokens(bearing(&owner, list)).await;
    assert!(!listed.unwrap().into_inner().join_tokens[0].good);
    let nodes = zone
        .nodes()
        .list_nodes(bearing(&owner, v1::ListNodesRequest::default()))
        .await;
    assert!(nodes.unwrap().into_inner().nodes.is_empty());
    let nobody = v1::RemoveNodeRequest { name: "x".to_owned() };
    let answer = zone.nodes().remove_node(bearing(&owner, nobody)).await;
    assert_eq!(refusal(answer).0, Code::NotFound);
    let nothing = zone
        .nodes()
        .remove_node(bearing(&owner, v1::RemoveNodeRequest::default()))
        .await;
    assert_eq!(refusal(nothing), (Code::InvalidArgument, vec!["name".to_owned()]));
}
