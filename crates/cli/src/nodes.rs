//! The commands about machines: join tokens, the list, putting one out.
//!
//! What it leaves to others: joining, which a machine does itself (crate `soke`).

use wire::soke::v1::{self, node_service_client::NodeServiceClient};

use crate::{
    Error,
    args::{Nodes, NodesCommand, Token, TokenCommand},
    client::{Client, Surroundings},
    terminal::say,
};

/// Makes, lists or ends join tokens.
pub(crate) async fn token(surroundings: &Surroundings, asked: Token) -> Result<(), Error> {
    let client = Client::open(surroundings).await?;
    let mut nodes = NodeServiceClient::new(client.channel());
    match asked.command {
        None => {
            let message = v1::CreateJoinTokenRequest {
                node_name: asked.name,
                uses: asked.uses,
                life: Some(prost_types::Duration {
                    seconds: i64::from(asked.minutes) * 60,
                    nanos: 0,
                }),
            };
            let answer = client
                .call(message, |request| nodes.create_join_token(request))
                .await?;
            let address = &client.zone.address;
            say(format_args!(
                "on the other machine, within {} minutes; it asks for the token below:",
                asked.minutes
            ))?;
            say(format_args!("soke join {address}"))?;
            say(answer.text)
        }
        Some(TokenCommand::List) => {
            let message = v1::ListJoinTokensRequest {};
            let answer = client
                .call(message, |request| nodes.list_join_tokens(request))
                .await?;
            for token in answer.join_tokens {
                let state = if token.good { "good" } else { "ended" };
                let id = token.join_token_id;
                say(format_args!(
                    "{id}  {state:<5}  {} of {} used  {}",
                    token.used, token.uses, token.node_name
                ))?;
            }
            Ok(())
        }
        Some(TokenCommand::Revoke { id }) => {
            let message = v1::RevokeJoinTokenRequest { join_token_id: id };
            client
                .call(message, |request| nodes.revoke_join_token(request))
                .await?;
            say("revoked")
        }
    }
}

/// Lists machines, or puts one out.
pub(crate) async fn nodes(surroundings: &Surroundings, asked: Nodes) -> Result<(), Error> {
    let client = Client::open(surroundings).await?;
    match asked.command {
        None => list(&client).await,
        Some(NodesCommand::Remove { name }) => {
            let mut nodes = NodeServiceClient::new(client.channel());
            let message = v1::RemoveNodeRequest { name };
            client.call(message, |request| nodes.remove_node(request)).await?;
            say("removed")
        }
    }
}

async fn list(client: &Client) -> Result<(), Error> {
    say(format_args!(
        "{:<32} {:<5} {:<15} {:>5} {:>8}  {:<11}  {}",
        "NODE", "STATE", "ADDRESS", "CORES", "MEMORY", "CERTIFICATE", "VERSION"
    ))?;
    let mut page_token = String::new();
    loop {
        let message = v1::ListNodesRequest {
            page_size: 0,
            page_token,
        };
        let mut nodes = NodeServiceClient::new(client.channel());
        let page = client.call(message, |request| nodes.list_nodes(request)).await?;
        for node in page.nodes {
            let state = if node.live { "live" } else { "away" };
            let memory = node.memory_bytes >> 20;
            let ends_at = node.certificate_ends_at.unwrap_or_default();
            let ends_at = jiff::Timestamp::from_second(ends_at.seconds).unwrap_or_default();
            let ends_on = ends_at.strftime("%Y-%m-%d");
            say(format_args!(
                "{:<32} {state:<5} {:<15} {:>5} {memory:>5}MiB  {ends_on:<11}  {}",
                node.name, node.address, node.cores, node.version
            ))?;
        }
        if page.next_page_token.is_empty() {
            return Ok(());
        }
        page_token = page.next_page_token;
    }
}
