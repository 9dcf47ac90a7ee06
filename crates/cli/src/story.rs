//! The first run: what the zone can do, shown as facts by doing it over the wire.
//!
//! What it is for: `soke up --story` tells on the first start that a zone was made, a second machine joined, one person
//! signed in three ways, a job ran on the second machine and was charged, and a service is reached through the gateway; on later starts,
//! that all of it is still there. What it leaves to others: everything it shows. It is a client like any other, with one
//! file for each part.

mod door;
mod first;
mod job;
mod later;
mod machine;
mod money;
mod person;
mod service;
mod wallet;

use std::net::SocketAddr;

use crate::{Error, client::Surroundings, link::SignInLink, terminal::say};

pub use machine::Invitation;

/// What the server knows and the story begins with.
#[derive(Clone)]
pub struct Beginning {
    /// Where the zone lies.
    pub surroundings: Surroundings,
    /// Whether this start has made the zone.
    pub is_new: bool,
    /// The zone's id.
    pub zone_id: String,
    /// SHA-256 of the zone's CA certificate.
    pub ca_fingerprint: String,
    /// Where the zone keeps its rows.
    pub store_engine: String,
    /// Where the native listener is reached: host and port.
    pub address: String,
    /// The owner's one-time code, as long as the owner has never signed in.
    pub owner_code: Option<String>,
    /// Whether to sign the owner in with that code and show what the zone can do.
    pub show: bool,
    /// Whether an earlier start has made a second machine on this one, and it is being started again.
    pub has_second: bool,
    /// How this program is called for this zone, such as `soke` or `soke --data FOLDER`.
    pub program: String,
    /// Whether the zone is for trying clients out only.
    pub test: bool,
}

/// Tells the story of this start. Its last lines are always what to do next. `join` starts a second machine.
///
/// # Errors
/// A step failed; the steps before it are told already.
pub async fn tell(beginning: Beginning, join: impl FnOnce(Invitation)) -> Result<(), Error> {
    let data = &beginning.surroundings.data;
    let found = if beginning.is_new {
        "zone made"
    } else {
        "zone found"
    };
    fact(found, format_args!("{} in {}", beginning.zone_id, data.display()))?;
    more(format_args!(
        "store {}, CA {}",
        beginning.store_engine, beginning.ca_fingerprint
    ))?;
    let code = match &beginning.owner_code {
        Some(code) if beginning.show => Some(first::show(&beginning, code.clone(), join).await?),
        Some(code) => Some(code.clone()),
        None => {
            later::show(data, beginning.has_second).await?;
            None
        }
    };
    what_next(&beginning, code)
}

fn what_next(beginning: &Beginning, code: Option<String>) -> Result<(), Error> {
    say("")?;
    say("The zone is up and stays up.")?;
    if beginning.test {
        hint(
            "TEST",
            "whoever can reach this machine's ports may do as they like here: keep nothing in this zone",
        )?;
    }
    hint("address", page(&beginning.address))?;
    if let Some(code) = code {
        let link = SignInLink {
            address: beginning.address.clone(),
            code,
            ca_fingerprint: beginning.ca_fingerprint.clone(),
        };
        hint("sign in", link)?;
        hint(
            "",
            "(good once, for a while: run `soke sign-in` on any machine and paste it)",
        )?;
    }
    let program = &beginning.program;
    hint("try", format_args!("{program} run -- hostname"))?;
    hint(
        "add",
        format_args!("{program} token, then on the machine what it says"),
    )?;
    hint("remove", format_args!("{program} remove --yes"))?;
    hint("stop", format_args!("Ctrl-C here, or {program} stop"))
}

/// The address as a browser takes it; loopback needs no certificate.
fn page(address: &str) -> String {
    let loopback = address
        .parse::<SocketAddr>()
        .is_ok_and(|address| address.ip().is_loopback());
    let scheme = if loopback { "http" } else { "https" };
    format!("{scheme}://{address}")
}

fn fact(what: impl std::fmt::Display, text: impl std::fmt::Display) -> Result<(), Error> {
    // Formatted first: a width does not reach through `format_args`.
    let what = what.to_string();
    say(format_args!("{what:<16} {text}"))
}

fn more(text: impl std::fmt::Display) -> Result<(), Error> {
    fact("", text)
}

fn hint(what: &str, text: impl std::fmt::Display) -> Result<(), Error> {
    say(format_args!("  {what:<9} {text}"))
}
