//! The link: both directions of HTTP/2 between two machines of which only one can be reached.
//!
//! The side that dials shows a certificate. Over some of its connections (ALPN [`FORWARD`]) it is the client, as
//! usual; over others (ALPN [`REVERSED`]) it is the server, and the listener that it dialled makes the calls. The
//! side that listens asks for certificates on these two protocols only and lets a [`Judge`] say who may come in.
//!
//! What it is for: [`Door`] and [`Reach`] on the listening side, [`Dial`] and [`serve_reversed()`] on the dialling
//! side. What it leaves to others: who the holders of certificates are. This module knows holders by the name that
//! the judge gives them, and nothing about nodes.
//!
//! Each [`Dial`] has a number of its own, which all its connections show in their hello, so that a judge can tell two
//! programs apart that have the same certificate.
//!
//! Invariants: no handler hears of a connection before the judge admitted it; a connection ends when the judge's
//! admission ends; a call to a holder without a live connection fails at once, and one whose connection falls
//! silent fails when the pings are not answered; the dialling side tries again for ever, with growing, spread
//! waits.

mod answer;
mod dial;
mod door;
mod holder;
mod inward;
mod outward;

pub use dial::{Dial, Pace};
pub use door::{Admission, Caller, Door, Judge};
pub use holder::Holder;
pub use inward::{Links, Reach};
pub use outward::serve_reversed;

pub(crate) use door::{Entrance, Way, run_of};
pub(crate) use inward::{Ends, hold};

/// The protocol in the TLS hello of a connection over which the dialling side makes the calls.
pub const FORWARD: &[u8] = b"soke-link";

/// The protocol in the TLS hello of a connection over which the dialling side answers calls.
pub const REVERSED: &[u8] = b"soke-link-rev";

/// How a name begins that stands in the hello beside the protocol and is never chosen: the number of the [`Dial`].
const RUN: &[u8] = b"soke-run-";
