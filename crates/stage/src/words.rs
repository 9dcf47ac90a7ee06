//! What supervisor and keeper say to each other: the order, commands of one byte, and words of one line.
//!
//! What it leaves to others: what either does about it (modules `supervise` and `keep`).

use std::{
    fs::File,
    io::{self, Read as _, Write},
};

use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::spec::{Exit, Spec};

/// Commands of the supervisor, one byte each.
pub(crate) const END: u8 = b'e';
pub(crate) const MEMORY: u8 = b'm';

/// The longest order, in bytes.
const LONGEST_ORDER: u64 = 64 << 20;

/// What the keeper says to the supervisor, one JSON line each.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Word {
    /// The program runs since this instant.
    Started(Timestamp),
    /// Everything of the work has ended.
    Ended(Exit),
}

/// Sends the order: its length as eight bytes, then itself.
pub(crate) fn send_order(to: &mut impl Write, spec: &Spec) -> io::Result<()> {
    let bytes = serde_json::to_vec(spec).map_err(io::Error::other)?;
    to.write_all(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes())?;
    to.write_all(&bytes)
}

/// Takes the order in.
pub(crate) fn read_order(from: &mut File) -> io::Result<Vec<u8>> {
    let mut length = [0; 8];
    from.read_exact(&mut length)?;
    let length = u64::from_be_bytes(length);
    if length > LONGEST_ORDER {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = Vec::new();
    from.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}
