//! The zone's words as types: ids, instants, money, names and the closed list of error kinds.
//!
//! What it is for: every other crate speaks of these things in these types, so that a wrong unit or a
//! wrong id does not compile. What it leaves to others: no I/O, no async, no storage form, no wire form;
//! `wire` alone knows which gRPC code or HTTP status an [`ErrorKind`] is.

mod chain;
mod error_kind;
pub mod id;
mod money;
mod name;
mod origin;
mod time;

pub use chain::chain;
pub use error_kind::ErrorKind;
pub use id::{AccountId, BadId, Id, JobId, NodeId, RunId, ServiceId, SessionId, TenantId, UserId};
pub use money::{BadMoney, Money};
pub use name::{BadName, Name};
pub use origin::Origin;
pub use time::{Span, Timestamp};
