//! A later start: what an earlier one has left is still there.
//!
//! What it leaves to others: keeping it (the zone).

use std::{path::Path, time::Duration};

use model::ErrorKind;
use wire::soke::v1::{self, ServiceState, service_service_client::ServiceServiceClient};

use super::{fact, machine, money, person};
use crate::{
    Error,
    client::{Client, Zone},
    jobs::{newest, state_word},
    services::{self, settled},
    sign_in::identity,
};

/// How long the second machine and a service on it may take to be back.
const PATIENCE: Duration = Duration::from_secs(10);

/// Shows what is there.
pub(super) async fn show(data: &Path, has_second: bool) -> Result<(), Error> {
    let client = Client::to(Zone::here(data)?).await?;
    let who = match identity(&client).await {
        Ok(who) => who,
        Err(fault) if fault.kind() == ErrorKind::Unauthenticated => {
            return fact("signed in", "nobody here: run `soke sign-in`");
        }
        Err(other) => return Err(other),
    };
    let mut people = format!("{} ({})", who.user_name, who.roles.join(", "));
    if person_is_signed_in(data).await? {
        people.push_str(&format!(", {}", person::NAME));
    }
    fact("still signed in", people)?;
    let machines = if has_second {
        machine::all_with_second(&client, PATIENCE).await
    } else {
        machine::all(&client).await
    };
    match machines {
        Ok(machines) => fact("machines", in_words(&machines))?,
        // Not everybody may see them.
        Err(fault) if fault.kind() == ErrorKind::Denied => {}
        Err(other) => return Err(other),
    }
    match newest(&client).await? {
        Some(job) => fact(
            "jobs on record",
            format_args!(
                "{}; the newest, {}, is {}",
                job.number,
                job.name,
                state_word(&job)
            ),
        )?,
        None => fact("jobs on record", 0)?,
    }
    money::show_balance(&client).await?;
    show_services(&client, has_second).await
}

/// Whether the session of the first run's person is still good.
async fn person_is_signed_in(data: &Path) -> Result<bool, Error> {
    let client = Client::to(Zone::here_as(data, person::NAME)?).await?;
    match identity(&client).await {
        Ok(_who) => Ok(true),
        Err(fault) if fault.kind() == ErrorKind::Unauthenticated => Ok(false),
        Err(other) => Err(other),
    }
}

fn in_words(machines: &[v1::Node]) -> String {
    let words: Vec<String> = machines
        .iter()
        .map(|node| {
            let state = if node.live { "live" } else { "away" };
            format!("{} {state}", node.name)
        })
        .collect();
    words.join(", ")
}

/// Shows services that are not stopped, each once it is as before or has had its time.
async fn show_services(client: &Client, has_second: bool) -> Result<(), Error> {
    let message = v1::ListServicesRequest::default();
    let mut services = ServiceServiceClient::new(client.channel());
    let page = client
        .call(message, |request| services.list_services(request))
        .await?;
    let mut words = Vec::new();
    for mut service in page.services {
        if has_second && service.state() != ServiceState::Ready {
            service = settled(client, &service.service_id, PATIENCE).await?;
        }
        let (state, node) = (services::state_word(&service), &service.node_name);
        words.push(format!("{} {state} on {node}", service.name));
    }
    if words.is_empty() {
        return Ok(());
    }
    fact("services", words.join(", "))
}
