//! What gRPC promises and the library underneath leaves out; the only crate that touches a transport.
//!
//! What it is for: every listener of the house is a [`Listener`] given to [`serve()`], every outgoing
//! connection comes from [`connect()`], and every set of gRPC services stands inside [`Calls`]. What it leaves
//! to others: which services there are (the dialects), who a caller is (`access`), hosts and pages
//! (`gateway`), and gRPC codes for error kinds (`wire`).
//!
//! Path of a request: TCP accept -> TLS within a deadline -> HTTP version by its first bytes -> header limits
//! -> [`PeerInfo`] put into the extensions -> the service. In [`Calls`]: [`RequestId`] -> path grammar -> content type ->
//! deadline -> compression -> message limit -> [`Authenticator`] -> handler -> messages -> trailers. A handler finds its
//! [`Call`], [`Deadline`], [`RequestId`] and [`AuthContext`] among the extensions; one in blocking code runs on
//! [`Workers`]. [`Json`] writes the messages of the same services another way.
//!
//! Invariants: no error of a connection ends the accept loop; no peer that stays silent holds a place for
//! longer than its deadline; a stop ends every connection within its grace; a call past its deadline ends
//! with DEADLINE_EXCEEDED whether or not its stream has begun; a panic in a handler is that call's INTERNAL.
//!
//! A call that a handler makes over a [`Channel`] or a [`link::Reach`] ends no later than the handler's own.
//!
//! Compression, message by message: a handler chooses with [`Call::compress_next`] and sees with
//! [`Call::message_was_compressed`]; a caller puts a [`Compression`] into the [`CallOptions`] of its request and does both
//! with that.

mod address;
mod alarm;
mod arrivals;
mod auth;
mod bearer;
mod blocking;
mod body;
mod call;
mod calls;
mod channel;
mod connect;
mod connection;
mod credentials;
mod deadline;
mod details;
mod error;
mod form;
mod framing;
#[cfg(any(test, feature = "fuzz"))]
#[doc(hidden)]
pub mod fuzz;
mod guard;
mod gzip;
mod held;
mod intake;
mod json;
mod limits;
mod line;
pub mod link;
mod listen;
mod overdue;
mod packer;
mod path;
mod peer;
mod reply;
mod request_id;
mod seats;
mod serve;
mod stream;
mod strict;
mod tls;
mod trust;
mod unpacker;
mod workers;

pub use address::ListenAddress;
pub use auth::{AuthContext, SecurityLevel};
pub use bearer::{Bearer, bearer};
pub use blocking::{Answers, Asked, Blocking, Requests};
pub use call::{Call, End};
pub use calls::Calls;
pub use channel::{Argument, CallOptions, Cancel, Channel, ChannelArgs, ChannelState, Compression};
pub use connect::{Target, connect, connect_as, connect_lazy};
pub use credentials::{
    AccessToken, CallContext, CallCredentials, ChannelCredentials, CompositeCallCredentials,
};
pub use deadline::{Deadline, within};
pub use error::Error;
pub use guard::{Arriving, Authenticator};
pub use json::{Json, JsonChannel};
pub use limits::{CallLimits, Limits};
pub use listen::{Listener, Security};
pub use peer::PeerInfo;
pub use request_id::RequestId;
pub use serve::{Serving, serve};
pub use strict::Upgrading;
pub use tls::{ClientCertificates, Identity, TlsSource, server_config};
pub use trust::{Fingerprint, Trust};
pub use workers::{Received, Replies, Workers};
