//! `soke.v1.NodeService`: the machines of the zone and the tokens with which they join.
//!
//! What it leaves to others: every rule about machines (`nodes`), and the machines' own calls (`agent`).

use model::Span;
use nodes::{List, ListTokens, MakeToken, Remove, RevokeToken, Token, TokenWish};
use tonic::{Request, Response, Status};
use wire::{
    FieldFaults,
    soke::v1::{self, node_service_server::NodeService},
};

use caller::Callers;

use crate::{fault, page, stamp::stamp};

/// Serves the calls about machines.
#[derive(Clone)]
pub(crate) struct Nodes {
    pub(crate) callers: Callers,
    pub(crate) nodes: nodes::Handle,
}

#[tonic::async_trait]
impl NodeService for Nodes {
    async fn create_join_token(
        &self,
        request: Request<v1::CreateJoinTokenRequest>,
    ) -> Result<Response<v1::CreateJoinTokenResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = self.callers.permit::<MakeToken>(&metadata, &extensions).await?;
        let wish = TokenWish {
            node_name: message.node_name,
            uses: message.uses,
            life: message.life.map(span),
            short: false,
        };
        let made = self.nodes.make_token(&permit, &wish).await;
        let (token, text) = made.map_err(fault::nodes)?;
        Ok(Response::new(v1::CreateJoinTokenResponse {
            join_token: Some(encode_token(token)),
            text: text.expose().to_owned(),
        }))
    }

    async fn list_join_tokens(
        &self,
        request: Request<v1::ListJoinTokensRequest>,
    ) -> Result<Response<v1::ListJoinTokensResponse>, Status> {
        let (metadata, extensions, _message) = request.into_parts();
        let permit = self.callers.permit::<ListTokens>(&metadata, &extensions).await?;
        let tokens = self.nodes.tokens(&permit).await.map_err(fault::nodes)?;
        Ok(Response::new(v1::ListJoinTokensResponse {
            join_tokens: tokens.into_iter().map(encode_token).collect(),
        }))
    }

    async fn revoke_join_token(
        &self,
        request: Request<v1::RevokeJoinTokenRequest>,
    ) -> Result<Response<v1::RevokeJoinTokenResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = self.callers.permit::<RevokeToken>(&metadata, &extensions).await?;
        named("join_token_id", &message.join_token_id)?;
        let revoked = self.nodes.revoke_token(&permit, &message.join_token_id).await;
        revoked.map_err(fault::nodes)?;
        Ok(Response::new(v1::RevokeJoinTokenResponse {}))
    }

    async fn list_nodes(
        &self,
        request: Request<v1::ListNodesRequest>,
    ) -> Result<Response<v1::ListNodesResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = self.callers.permit::<List>(&metadata, &extensions).await?;
        let mut faults = FieldFaults::new();
        let most = page::size(&mut faults, message.page_size);
        let after = page::token(&mut faults, &message.page_token);
        faults.finish()?;
        let page = self.nodes.list(&permit, most, after).await;
        let page = page.map_err(fault::nodes)?;
        Ok(Response::new(v1::ListNodesResponse {
            nodes: page.nodes.into_iter().map(encode_node).collect(),
            next_page_token: page.next.unwrap_or_default(),
        }))
    }

    async fn remove_node(
        &self,
        request: Request<v1::RemoveNodeRequest>,
    ) -> Result<Response<v1::RemoveNodeResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = self.callers.permit::<Remove>(&metadata, &extensions).await?;
        named("name", &message.name)?;
        self.nodes
            .remove(&permit, &message.name)
            .await
            .map_err(fault::nodes)?;
        Ok(Response::new(v1::RemoveNodeResponse {}))
    }
}

fn named(field: &str, text: &str) -> Result<(), Status> {
    let mut faults = FieldFaults::new();
    faults.check(!text.is_empty(), field, "is empty", "one from the list");
    faults.finish()
}

/// The length that a client asks for; what is out of range becomes the nearest that is in it, and is then refused.
fn span(length: prost_types::Duration) -> Span {
    let nanos = i64::from(length.nanos) / 1_000;
    Span::from_micros(length.seconds.saturating_mul(1_000_000).saturating_add(nanos))
}

fn encode_token(token: Token) -> v1::JoinToken {
    v1::JoinToken {
        join_token_id: token.id,
        node_name: token.node_name.map(|name| name.to_string()).unwrap_or_default(),
        uses: token.uses,
        used: token.used,
        made_at: Some(stamp(token.made_at)),
        ends_at: Some(stamp(token.ends_at)),
        last_used_at: token.last_used_at.map(stamp),
        good: token.good,
    }
}

fn encode_node(node: nodes::Node) -> v1::Node {
    v1::Node {
        node_id: node.id.to_string(),
        name: node.name.to_string(),
        address: node.address.to_string(),
        live: node.is_live,
        last_seen_at: node.last_seen.map(stamp),
        joined_at: Some(stamp(node.joined_at)),
        version: node.version,
        cores: node.cores,
        memory_bytes: node.memory_bytes,
        certificate_ends_at: node.certificate_ends_at.map(stamp),
    }
}
