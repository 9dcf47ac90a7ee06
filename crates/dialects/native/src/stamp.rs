//! Instants on the wire.
//!
//! What it leaves to others: which field carries which instant.

use model::Timestamp;

/// The protobuf form of an instant.
pub(crate) fn stamp(at: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: at.secs(),
        nanos: at.subsec_nanos(),
    }
}
