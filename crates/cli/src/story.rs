//! The first run: what the zone can do, shown as facts by doing it over the wire.
//!
//! What it is for: `soke up --story` tells on the first start that a zone was made, its owner signed in, and a
//! real program ran whose output was fetched and checked; on later starts, that all of it is still there.
//! What it leaves to others: everything it shows. It is a client like any other.

use std::{fmt::Write as _, net::SocketAddr, path::Path, time::Duration};

use model::ErrorKind;
use sha2::{Digest as _, Sha256};
use wire::soke::v1::{self, sign_in_request::Proof};

use crate::{
    Error,
    client::{Client, Surroundings, Zone},
    files::download,
    jobs::{mebibytes, newest, seconds, state_word},
    link::SignInLink,
    run::{submit_message, watch_to_end},
    sign_in::{identity, sign_in_with},
    terminal::say,
    users::sign_in_code,
};

/// How many files the first job makes and hashes.
const FILES: u32 = 300;
/// How many numbers, one per line, each file holds.
const LINES: u32 = 5_000;
/// How long the first job may take before the story gives up.
const PATIENCE: Duration = Duration::from_secs(60);

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
    /// Whether to sign the owner in and run a first job with that code.
    pub show: bool,
    /// How this program is called for this zone, such as `soke` or `soke --data FOLDER`.
    pub program: String,
    /// Whether the zone is for trying clients out only.
    pub test: bool,
}

/// Tells the story of this start. Its last lines are always what to do next.
///
/// # Errors
/// A step failed; the steps before it are told already.
pub async fn tell(beginning: Beginning) -> Result<(), Error> {
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
        Some(code) if beginning.show => Some(first(data, code.clone()).await?),
        Some(code) => Some(code.clone()),
        None => {
            later(data).await?;
            None
        }
    };
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
    hint("remove", format_args!("stop it, then rm -r {}", data.display()))?;
    hint("stop", format_args!("Ctrl-C here, or {program} stop"))
}

/// Signs the owner in, runs a job, and gives a code for signing in elsewhere.
async fn first(data: &Path, code: String) -> Result<String, Error> {
    let client = Client::to(Zone::here(data)?).await?;
    let who = sign_in_with(&client, Proof::LinkCode(code)).await?;
    let roles = who.roles.join(", ");
    fact(
        "signed in",
        format_args!("{} ({roles}), by one-time code", who.user_name),
    )?;
    first_job(&client).await?;
    sign_in_code(&client, &who.user_name).await
}

async fn first_job(client: &Client) -> Result<(), Error> {
    let cores = std::thread::available_parallelism()
        .map_or(1, std::num::NonZero::get)
        .min(2);
    let cores = u32::try_from(cores).unwrap_or(1);
    let message = v1::SubmitJobRequest {
        name: "first-run".to_owned(),
        script: script(cores),
        cores,
        stdout_path: "first-run-sums.txt".to_owned(),
        ..v1::SubmitJobRequest::default()
    };
    let job = submit_message(client, message).await?;
    fact(
        format_args!("job {} queued", job.number),
        format_args!("make {FILES} files and hash them with sha256sum, {cores} at a time"),
    )?;
    let ended = tokio::time::timeout(PATIENCE, watch_to_end(client, job.number))
        .await
        .map_err(|_elapsed| Error::Answer("the first job has not ended after 60 seconds"))??;
    fact(
        format_args!("job {} {}", ended.number, state_word(&ended)),
        format_args!(
            "{}on {}: CPU {}, peak memory {}",
            ended
                .exit_code
                .map_or_else(String::new, |code| format!("exit code {code} ")),
            ended.node_name,
            seconds(ended.cpu_micros),
            mebibytes(ended.peak_memory_bytes),
        ),
    )?;
    if ended.exit_code != Some(0) {
        return Err(Error::Answer(
            "the first job did not end well: see `soke logs --errors` for it",
        ));
    }
    let mut output = Vec::new();
    download(client, &ended.cluster, &ended.stdout_path, |bytes| {
        output.extend_from_slice(bytes);
        Ok(())
    })
    .await?;
    if output != expected_sums().as_bytes() {
        return Err(Error::Answer("the first job's output is not what it must be"));
    }
    fact(
        "output fetched",
        format_args!(
            "{}, {} bytes: {FILES} of {FILES} checksums are right",
            ended.stdout_path,
            output.len()
        ),
    )
}

/// Shows what an earlier start has left.
async fn later(data: &Path) -> Result<(), Error> {
    let client = Client::to(Zone::here(data)?).await?;
    let who = match identity(&client).await {
        Ok(who) => who,
        Err(fault) if fault.kind() == ErrorKind::Unauthenticated => {
            return fact("signed in", "nobody here: run `soke sign-in`");
        }
        Err(other) => return Err(other),
    };
    fact(
        "still signed in",
        format_args!("{} ({})", who.user_name, who.roles.join(", ")),
    )?;
    match newest(&client).await? {
        Some(job) => fact(
            "jobs on record",
            format_args!(
                "{}; the newest, {}, is {}",
                job.number,
                job.name,
                state_word(&job)
            ),
        ),
        None => fact("jobs on record", 0),
    }
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

/// The first job: plain shell and the tools of every Debian.
fn script(cores: u32) -> String {
    format!(
        "#!/bin/sh\n\
         set -eu\n\
         mkdir -p first-run\n\
         cd first-run\n\
         for n in $(seq 1 {FILES}); do seq \"$n\" $((n + {LINES} - 1)) > \"$n.txt\"; done\n\
         seq -f '%g.txt' 1 {FILES} | xargs -n 15 -P {cores} sha256sum | LC_ALL=C sort -k 2\n"
    )
}

/// What that job must have written, computed here.
fn expected_sums() -> String {
    let mut lines: Vec<(String, String)> = (1..=FILES)
        .map(|n| {
            let text: String = (n..n + LINES).fold(String::new(), |mut text, number| {
                writeln!(text, "{number}").expect("a String takes every text");
                text
            });
            (format!("{n}.txt"), hex::encode(Sha256::digest(text.as_bytes())))
        })
        .collect();
    lines.sort();
    lines
        .iter()
        .map(|(name, sum)| format!("{sum}  {name}\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{expected_sums, script};

    #[test]
    fn the_first_job_writes_what_is_expected_of_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let output = Command::new("sh")
            .args(["-c", &script(2)])
            .current_dir(folder.path())
            .env("LC_ALL", "C")
            .output()
            .expect("a shell");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected_sums());
    }
}
