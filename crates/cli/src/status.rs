//! How the zone is, as text or JSON.
//!
//! What it leaves to others: judging it (the server).

use serde_json::json;
use wire::soke::v1::{self, Health, zone_service_client::ZoneServiceClient};

use crate::{
    Error,
    args::Form,
    client::{Client, Surroundings},
    terminal::say,
};

/// Asks the zone how it is.
pub(crate) async fn status(client: &Client) -> Result<v1::GetStatusResponse, Error> {
    let mut zone = ZoneServiceClient::new(client.channel());
    client
        .call(v1::GetStatusRequest {}, |request| zone.get_status(request))
        .await
}

/// Shows how the zone is.
pub(crate) async fn show(surroundings: &Surroundings, form: Form) -> Result<(), Error> {
    let client = Client::open(surroundings).await?;
    let status = status(&client).await?;
    if form.json {
        return say(as_json(&status));
    }
    say(format_args!(
        "zone      {} ({})",
        status.zone_host, status.zone_id
    ))?;
    say(format_args!("CA        {}", status.ca_fingerprint))?;
    say(format_args!(
        "version   {}, store {}",
        status.version, status.store_engine
    ))?;
    for listener in &status.listeners {
        say(format_args!("listener  {listener}"))?;
    }
    say(format_args!(
        "jobs      {} waiting, {} running",
        status.jobs_pending, status.jobs_running
    ))?;
    for check in &status.checks {
        say(format_args!(
            "{:<9} {}: {}",
            word(check.health()),
            check.name,
            check.text
        ))?;
    }
    Ok(())
}

fn as_json(status: &v1::GetStatusResponse) -> serde_json::Value {
    let checks: Vec<_> = status
        .checks
        .iter()
        .map(|check| json!({"name": check.name, "health": word(check.health()), "text": check.text}))
        .collect();
    json!({
        "zone_id": status.zone_id,
        "zone_host": status.zone_host,
        "version": status.version,
        "ca_fingerprint": status.ca_fingerprint,
        "store_engine": status.store_engine,
        "listeners": status.listeners,
        "jobs_pending": status.jobs_pending,
        "jobs_running": status.jobs_running,
        "checks": checks,
    })
}

const fn word(health: Health) -> &'static str {
    match health {
        Health::Unspecified => "unknown",
        Health::Ok => "ok",
        Health::Reduced => "reduced",
        Health::Bad => "bad",
    }
}
