//! A second machine: the token that lets it in, and the wait until it can work.
//!
//! What it leaves to others: starting it (crate `soke`), and joining, which it does itself.

use std::{fmt, time::Duration};

use wire::soke::v1::{self, node_service_client::NodeServiceClient};

use super::fact;
use crate::{Error, client::Client};

/// What the second machine is called.
const NAME: &str = "second";
/// How long a machine may take to come.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long between two looks.
const STEP: Duration = Duration::from_millis(50);

/// What a machine joins with.
#[derive(Clone)]
pub struct Invitation {
    /// Host and port of the zone's server.
    pub server: String,
    /// The token: a secret until it is used.
    pub token: String,
}

impl fmt::Debug for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invitation")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

/// Makes a token for one machine.
pub(super) async fn invite(keeper: &Client) -> Result<Invitation, Error> {
    let message = v1::CreateJoinTokenRequest {
        node_name: NAME.to_owned(),
        uses: 1,
        life: Some(prost_types::Duration {
            seconds: 300,
            nanos: 0,
        }),
    };
    let mut nodes = NodeServiceClient::new(keeper.channel());
    let answer = keeper
        .call(message, |request| nodes.create_join_token(request))
        .await?;
    Ok(Invitation {
        server: keeper.zone.address.clone(),
        token: answer.text,
    })
}

/// Waits until the machine takes work, and gives its name.
pub(super) async fn until_live(keeper: &Client) -> Result<String, Error> {
    let look = async {
        loop {
            let machines = all(keeper).await?;
            if let Some(second) = machines.iter().find(|node| node.name == NAME && node.live) {
                let others = machines.iter().filter(|node| node.name != NAME);
                let others: Vec<&str> = others.map(|node| node.name.as_str()).collect();
                return Ok::<_, Error>((second.address.clone(), others.join(", ")));
            }
            tokio::time::sleep(STEP).await;
        }
    };
    let late = Error::Answer("the second machine has not joined within 30 seconds");
    let (address, others) = tokio::time::timeout(PATIENCE, look)
        .await
        .map_err(|_elapsed| late)??;
    fact(
        "machine joined",
        format_args!("{NAME}, {address}, with a token good once; beside {others}"),
    )?;
    Ok(NAME.to_owned())
}

/// Every machine of the zone.
pub(super) async fn all(client: &Client) -> Result<Vec<v1::Node>, Error> {
    let mut machines = Vec::new();
    let mut page_token = String::new();
    loop {
        let message = v1::ListNodesRequest {
            page_size: 0,
            page_token,
        };
        let mut nodes = NodeServiceClient::new(client.channel());
        let page = client.call(message, |request| nodes.list_nodes(request)).await?;
        machines.extend(page.nodes);
        if page.next_page_token.is_empty() {
            return Ok(machines);
        }
        page_token = page.next_page_token;
    }
}

/// Every machine of the zone, once the second one is back, or after a while without it.
pub(super) async fn all_with_second(client: &Client, within: Duration) -> Result<Vec<v1::Node>, Error> {
    let back = async {
        loop {
            let machines = all(client).await?;
            if machines.iter().all(|node| node.name != NAME || node.live) {
                return Ok::<_, Error>(machines);
            }
            tokio::time::sleep(STEP).await;
        }
    };
    match tokio::time::timeout(within, back).await {
        Ok(machines) => machines,
        Err(_elapsed) => all(client).await,
    }
}
