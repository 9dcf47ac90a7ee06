//! The job of the first run: files made and hashed on the second machine, and every checksum checked here.
//!
//! What it leaves to others: running it (the zone).

use std::{fmt::Write as _, time::Duration};

use sha2::{Digest as _, Sha256};
use wire::soke::v1;

use super::{fact, more, person::Person};
use crate::{
    Error,
    jobs::{mebibytes, output, seconds, state_word},
    run::{submit_message, watch_to_end},
};

/// How many files the job makes and hashes.
const FILES: u32 = 300;
/// How many numbers, one per line, each file holds.
const LINES: u32 = 5_000;
/// How long the job may take before the story gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the job on a machine, and checks what it wrote.
pub(super) async fn run(person: &Person, node: &str) -> Result<v1::Job, Error> {
    let cores = std::thread::available_parallelism()
        .map_or(1, std::num::NonZero::get)
        .min(2);
    let cores = u32::try_from(cores).unwrap_or(1);
    let message = v1::SubmitJobRequest {
        name: "first-run".to_owned(),
        script: script(cores),
        cores,
        time_limit_secs: 60,
        node: node.to_owned(),
        ..v1::SubmitJobRequest::default()
    };
    let client = &person.client;
    let job = submit_message(client, message).await?;
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
        more(&ended.reason)?;
        return Err(Error::Answer(
            "the first job did not end well: see `soke logs --errors 1`",
        ));
    }
    let written = output(client, ended.number).await?;
    if written != expected_sums().as_bytes() {
        return Err(Error::Answer("the first job's output is not what it must be"));
    }
    fact(
        "output fetched",
        format_args!(
            "{} bytes through the server: {FILES} of {FILES} checksums are right",
            written.len()
        ),
    )?;
    Ok(ended)
}

/// The job: plain shell and the tools of every Debian.
fn script(cores: u32) -> String {
    format!(
        "#!/bin/sh\n\
         set -eu\n\
         mkdir -p first-run\n\
         cd first-run\n\
         for n in $(seq 1 {FILES}); do seq \"$n\" $((n + {LINES} - 1)) > \"$n.txt\"; done\n\
         seq -f '%g.txt' 1 {FILES} | xargs -n 15 -P {cores} sha256sum | LC_ALL=C sort -k 2\n\
         # Whole seconds are paid for.\n\
         sleep 1\n"
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
