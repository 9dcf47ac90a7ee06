//! Who you are and what you may do: names, users, credentials, grants, sessions, permits, audit, and the root of
//! the zone's trust.
//!
//! Request path: a door reads a [`Credential`] and gives it to [`Access::authenticate`], which answers an
//! [`Actor`]; [`Access::permit`] answers a [`Permit`] for one action, with its [`Cover`]; the use case writes
//! through [`Permit::write`], which looks at the right again and adds the audit row in the same transaction.
//! What it leaves to others: protocols (the doors), what the actions do (the slices), where the rows lie
//! (`store`).
//!
//! Invariants: only this room makes an actor or a permit, and only this room calls `store.write`; no error, log
//! line or audit row holds a secret; a session that was ended is refused from the next call on; names are never
//! given twice; every changed row that somebody asked for has its audit row in the same transaction.

mod action;
mod apps;
pub mod audit;
mod authenticate;
mod certificates;
mod config;
mod cookies;
mod digest;
mod ed25519;
mod error;
mod front_end;
pub mod grants;
mod handshake;
mod house;
mod keyed;
pub mod known;
mod lasting;
mod migrations;
mod names;
mod newcomer;
pub mod node;
mod node_key;
mod own_jwt;
mod password;
mod password_proof;
pub mod people;
mod permit;
mod proven;
mod recent;
mod refresh;
mod roles;
mod root;
mod seal;
mod secret;
mod sessions;
mod sign_in;
mod start;
mod strangers;
mod token;
mod token_keys;
mod tries;
mod upkeep;
mod users;
mod wallet;
mod wallets;
mod who;
mod write;
mod yourself;

use std::sync::Arc;

pub use action::{ACTIONS, Action, session, user, zone};
pub use certificates::{CertificateHolder, UserCertificate};
pub use config::{Config, Parts};
pub use error::{Error, Fault, Faults, JwtFault};
pub use front_end::{FrontEnd, FrontEndActor};
pub use handshake::Handshake;
pub use keyed::{KeyedCertificate, Subject, YEAR};
pub use lasting::Lasting;
pub use migrations::MIGRATIONS;
pub use newcomer::Newcomer;
pub use node::{NodeActor, NodeCertificate, NodePermit};
pub use node_key::{MOST_REQUEST, NodeKey};
pub use password_proof::PasswordLogin;
pub use permit::{Cover, Permit, Scope, SystemPermit};
pub use roles::{Reach, Role, Table, UnknownRole};
pub use root::{Asked, ServerCertificate, ZoneRoot};
pub use secret::Secret;
pub use users::{NewUser, User, UserPage};
pub use wallet::{NoWalletAddress, WalletAddress};
pub use wallets::Wallet;
pub use who::{Actor, Credential, Identity, Peer, Proof, SignedIn, SignedInByCookie, UserActor, Verified};
pub use write::Write;

use house::House;

/// A handle on this room; clones share it.
#[derive(Clone)]
pub struct Access {
    house: Arc<House>,
}
