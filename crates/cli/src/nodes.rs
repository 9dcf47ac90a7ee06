//! The commands about machines: join tokens, the list, putting one out.
//!
//! What it leaves to others: joining, which a machine does itself (crate `soke`).

use serde_json::json;
use wire::soke::v1::{self, node_service_client::NodeServiceClient};

use crate::{
    Error,
    args::{Nodes, NodesCommand, Token, TokenCommand},
    client::{Client, Surroundings},
    json::instant,
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
            let address = client.reached_by_others().await?;
            if asked.json {
                let token = answer.join_token.unwrap_or_default();
                let mut told = token_as_json(&token);
                told["text"] = answer.text.into();
                told["server"] = address.into();
                return say(told);
            }
            say(format_args!(
                "on the other machine, within {} minutes; it asks for the token below:",
                asked.minutes
            ))?;
            say(format_args!("soke join {address}"))?;
            say(answer.text)
        }
        Some(TokenCommand::List { json }) => {
            let message = v1::ListJoinTokensRequest {};
            let answer = client
                .call(message, |request| nodes.list_join_tokens(request))
                .await?;
            for token in answer.join_tokens {
                if json {
                    say(token_as_json(&token))?;
                    continue;
                }
                let state = if token.good { "good" } else { "ended" };
                let id = token.join_token_id;
                say(format_args!(
                    "{id}  {state:<5}  {} of {} used  {}",
                    token.used, token.uses, token.node_name
                ))?;
            }
            Ok(())
        }
        Some(TokenCommand::Revoke { id, form }) => {
            let told = json!({"join_token_id": id, "revoked": true});
            let message = v1::RevokeJoinTokenRequest { join_token_id: id };
            client
                .call(message, |request| nodes.revoke_join_token(request))
                .await?;
            if form.json { say(told) } else { say("revoked") }
        }
    }
}

/// Lists machines, or puts one out.
pub(crate) async fn nodes(surroundings: &Surroundings, asked: Nodes) -> Result<(), Error> {
    let client = Client::open(surroundings).await?;
    match asked.command {
        None => list(&client, asked.json).await,
        Some(NodesCommand::Remove { name, form }) => {
            let told = json!({"name": name, "removed": true});
            let mut nodes = NodeServiceClient::new(client.channel());
            let message = v1::RemoveNodeRequest { name };
            client.call(message, |request| nodes.remove_node(request)).await?;
            if form.json { say(told) } else { say("removed") }
        }
    }
}

async fn list(client: &Client, as_lines: bool) -> Result<(), Error> {
    if !as_lines {
        say(format_args!(
            "{:<32} {:<5} {:<15} {:>5} {:>8}  {:<11}  {}",
            "NODE", "STATE", "ADDRESS", "CORES", "MEMORY", "CERTIFICATE", "VERSION"
        ))?;
    }
    let mut page_token = String::new();
    loop {
        let message = v1::ListNodesRequest {
            page_size: 0,
            page_token,
        };
        let mut nodes = NodeServiceClient::new(client.channel());
        let page = client.call(message, |request| nodes.list_nodes(request)).await?;
        for node in &page.nodes {
            if as_lines {
                say(as_json(node))?;
            } else {
                say(row(node))?;
            }
        }
        if page.next_page_token.is_empty() {
            return Ok(());
        }
        page_token = page.next_page_token;
    }
}

const fn state_word(node: &v1::Node) -> &'static str {
    if node.live { "live" } else { "away" }
}

fn row(node: &v1::Node) -> String {
    let memory = node.memory_bytes >> 20;
    let ends_at = node.certificate_ends_at.unwrap_or_default();
    let ends_at = jiff::Timestamp::from_second(ends_at.seconds).unwrap_or_default();
    let ends_on = ends_at.strftime("%Y-%m-%d");
    format!(
        "{:<32} {:<5} {:<15} {:>5} {memory:>5}MiB  {ends_on:<11}  {}",
        node.name,
        state_word(node),
        node.address,
        node.cores,
        node.version
    )
}

fn as_json(node: &v1::Node) -> serde_json::Value {
    json!({
        "node_id": node.node_id,
        "name": node.name,
        "state": state_word(node),
        "address": node.address,
        "cores": node.cores,
        "memory_bytes": node.memory_bytes,
        "version": node.version,
        "joined_at": instant(node.joined_at.as_ref()),
        "last_seen_at": instant(node.last_seen_at.as_ref()),
        "certificate_ends_at": instant(node.certificate_ends_at.as_ref()),
    })
}

fn token_as_json(token: &v1::JoinToken) -> serde_json::Value {
    json!({
        "join_token_id": token.join_token_id,
        "node_name": (!token.node_name.is_empty()).then_some(&token.node_name),
        "uses": token.uses,
        "used": token.used,
        "good": token.good,
        "made_at": instant(token.made_at.as_ref()),
        "ends_at": instant(token.ends_at.as_ref()),
        "last_used_at": instant(token.last_used_at.as_ref()),
    })
}
