//! BuckyOS's remote calls as bytes: one JSON request in a POST, one JSON response, and the claims of its tokens.
//!
//! Request path: [`Request::parse`] reads a body, a service makes a [`Reply`], and [`Reply::to_body`] writes it
//! under the request's [`Echo`]. Clients go the other way with [`Request::to_body`] and [`read_reply`].
//! [`Jwt::parse`] takes a token apart; nothing of it is proven by that.
//!
//! What it leaves to others: HTTP, the services and their methods (dialect `buckyos`), keys and sessions
//! (`access`). No input and output, no clock, no random numbers.
//!
//! Invariants: whatever the bytes are, the answer is a value and never a panic; no `Debug` text of a request or
//! token holds a secret; a response carries a second element in `sys` only where the request carried a third,
//! because one client of this protocol takes that element for its new token.

mod claims;
mod failure;
mod proof;
mod request;
mod response;

pub use claims::{BadToken, Claims, Jwt};
pub use failure::{Class, Failure};
pub use proof::{login_nonce, password_proof, stored_password};
pub use request::{BadRequest, Echo, Request};
pub use response::{BadReply, Reply, read_reply};
