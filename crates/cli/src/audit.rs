//! The commands about the audit trail: reading it, and looking whether it is whole.
//!
//! What it leaves to others: writing it (the server).

use serde_json::json;
use wire::soke::v1::{self, audit_service_client::AuditServiceClient};

use crate::{
    Error,
    args::{Audit, AuditCommand},
    client::{Client, Surroundings},
    terminal::say,
};

/// Shows the newest deeds, or whether the trail is whole.
pub(crate) async fn audit(surroundings: &Surroundings, asked: Audit) -> Result<u8, Error> {
    let client = Client::open(surroundings).await?;
    match asked.command {
        None => list(&client, &asked).await.map(|()| 0),
        Some(AuditCommand::Verify { json }) => verify(&client, json).await,
    }
}

async fn list(client: &Client, asked: &Audit) -> Result<(), Error> {
    if !asked.json {
        say(format_args!(
            "{:<20} {:<16} {:<9} {:<22} {:<8} {}",
            "TIME", "WHO", "DOOR", "ACTION", "OUTCOME", "OBJECT"
        ))?;
    }
    let mut left = asked.most.max(1);
    let mut page_token = String::new();
    loop {
        let message = v1::ListDeedsRequest {
            page_size: left.min(1000),
            page_token,
        };
        let mut trail = AuditServiceClient::new(client.channel());
        let page = client.call(message, |request| trail.list_deeds(request)).await?;
        for deed in &page.deeds {
            if asked.json {
                say(as_json(deed))?;
            } else {
                say(row(deed))?;
            }
        }
        left = left.saturating_sub(u32::try_from(page.deeds.len()).unwrap_or(u32::MAX));
        if page.next_page_token.is_empty() || left == 0 {
            return Ok(());
        }
        page_token = page.next_page_token;
    }
}

async fn verify(client: &Client, as_object: bool) -> Result<u8, Error> {
    let mut trail = AuditServiceClient::new(client.channel());
    let message = v1::VerifyTrailRequest {};
    let answer = client
        .call(message, |request| trail.verify_trail(request))
        .await?;
    if as_object {
        say(json!({"whole": answer.whole, "deeds": answer.deeds, "breach": answer.breach}))?;
    } else if answer.whole {
        say(format_args!("whole: {} deeds", answer.deeds))?;
    } else {
        say(format_args!("broken: {}", answer.breach))?;
    }
    Ok(if answer.whole {
        0
    } else {
        crate::error::exit_code(model::ErrorKind::Precondition)
    })
}

fn row(deed: &v1::Deed) -> String {
    let who = match deed.speaks_for.as_str() {
        "" if deed.actor_name.is_empty() => deed.actor_kind.clone(),
        "" => deed.actor_name.clone(),
        user => format!("{} for {user}", deed.actor_name),
    };
    let outcome = if deed.refused { "refused" } else { "done" };
    let line = format!(
        "{:<20} {who:<16} {:<9} {:<22} {outcome:<8} {}",
        instant(deed).map_or_else(String::new, |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string()),
        deed.door,
        deed.action,
        deed.object
    );
    line.trim_end().to_owned()
}

fn instant(deed: &v1::Deed) -> Option<jiff::Timestamp> {
    let at = deed.done_at.as_ref()?;
    jiff::Timestamp::new(at.seconds, at.nanos).ok()
}

fn as_json(deed: &v1::Deed) -> serde_json::Value {
    json!({
        "place": deed.place,
        "done_at": instant(deed).map(|at| at.to_string()),
        "actor_kind": deed.actor_kind,
        "actor_id": deed.actor_id,
        "actor_name": deed.actor_name,
        "session_id": deed.session_id,
        "speaks_for": deed.speaks_for,
        "door": deed.door,
        "address": deed.address,
        "action": deed.action,
        "object": deed.object,
        "refused": deed.refused,
        "reason": deed.reason,
        "times": deed.times,
        "hash": deed.hash,
    })
}
