//! The zone's machines: how one joins, who it is from then on, what it tells, and how it leaves.
//!
//! Request path of a join: a door reads the token and three public keys and calls [`Handle::join`]; one transaction
//! uses the token up, takes the name and an address, and writes the certificate down. From then on the machine
//! shows its certificate ([`access::Access::authenticate_node`]) and acts under [`access::NodePermit`].
//! Clients that bring no keys register a machine with a short token instead ([`Handle::register`]).
//! What it leaves to others: protocols (the doors), the link (`rpc`), what a machine may do (`access`), work on
//! machines (`jobs`, `services`, `files`).
//!
//! Invariants: a token is used as often as it says and not once more, whatever runs at the same time; a machine
//! that repeats its join with the same keys and token within the window is the same machine; a machine acts for
//! itself only; keys and names never come back; heartbeats write no history.

mod action;
mod by_word;
mod error;
mod guesses;
mod heartbeat;
mod join;
mod list;
mod own;
mod pool;
mod record;
mod register;
mod remove;
mod renew;
mod short;
mod spend;
mod time;
mod token;
mod tokens;
mod upkeep;

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::{Arc, OnceLock},
};

use access::{Access, SystemPermit};
use model::{Name, NodeId, Span};
use store::{Migration, Store, Tx, params};
use tasks::{Clock, Tasks};

pub use action::{
    ACTIONS, Heartbeat, Join, Leave, List, ListTokens, MakeToken, Remove, Renew, RevokeToken, State,
};
pub use error::{Error, TokenFault};
pub use heartbeat::Told;
pub use join::{Joined, Wish};
pub use list::Page;
pub use pool::Pool;
pub use record::Node;
pub use register::{Registered, Registration};
pub use token::TokenText;
pub use tokens::{Token, TokenWish};

/// The topic under which every machine that came, left or was renewed is announced; the key is its id.
pub const TOPIC: &str = "nodes";

/// The steps that make this room's tables.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        room: "nodes",
        number: 1,
        sql: include_str!("../sql/0001_nodes.sql"),
    },
    Migration {
        room: "nodes",
        number: 2,
        sql: include_str!("../sql/0002_registered.sql"),
    },
];

/// What can be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where the machines' addresses come from: 10.77.0.0/16. It stays as it was when the zone was made.
    pub pool: Pool,
    /// How long an address that was given back is not handed out: an hour.
    pub quarantine: Span,
    /// How long a machine may repeat its join with the same keys and token: 15 minutes.
    pub join_window: Span,
    /// How long after its last heartbeat a machine counts as there: 30 s.
    pub silence: Span,
    /// How many joins of one address are refused in a minute before it must wait: 60; ten times as many in the zone.
    pub refusals_per_minute: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            pool: Pool::new(Ipv4Addr::new(10, 77, 0, 0), 16).expect("this is a network"),
            quarantine: Span::from_secs(3600),
            join_window: Span::from_secs(15 * 60),
            silence: Span::from_secs(30),
            refusals_per_minute: 60,
        }
    }
}

/// What the room is given at its start.
pub struct Parts {
    /// The store, with [`MIGRATIONS`] applied.
    pub store: Store,
    /// Who may do what, and the zone's authority.
    pub access: Access,
    /// The owner of this room's tasks.
    pub tasks: Tasks,
    /// The clock.
    pub clock: Clock,
    /// What can be set.
    pub config: Config,
}

/// A handle on this room; clones share it.
#[derive(Clone)]
pub struct Handle {
    house: Arc<House>,
}

struct House {
    store: Store,
    access: Access,
    config: Config,
    time: time::Judged,
    beats: heartbeat::Beats,
    guesses: guesses::Guesses,
    /// The machine that the server runs on.
    own: OnceLock<NodeId>,
}

/// Opens the room and starts its upkeep.
///
/// # Errors
/// `Precondition` where the pool is another one than the zone was made with; the store's own.
pub async fn start(parts: Parts) -> Result<Handle, Error> {
    let Parts {
        store,
        access,
        tasks,
        clock,
        config,
    } = parts;
    let (pool, now) = (config.pool, clock.now());
    let begin = move |tx: &mut Tx<'_>| {
        tx.execute(
            "INSERT INTO nodes_zone (one, pool, next, latest) VALUES (1, ?1, ?2, ?3) ON CONFLICT (one) DO NOTHING",
            params![pool.to_string(), pool.first(), now],
        )?;
        let row = tx.row("SELECT pool, latest FROM nodes_zone WHERE one = 1", &[])?;
        let row = row.ok_or(Error::Row { what: "pool" })?;
        Ok::<(String, model::Timestamp), Error>((row.get(0)?, row.get(1)?))
    };
    let (made_with, latest) = SystemPermit::new("nodes.start").write(&store, begin).await?;
    if made_with != pool.to_string() {
        return Err(Error::OtherPool { made_with, pool });
    }
    let house = Arc::new(House {
        time: time::Judged::new(clock, latest),
        beats: heartbeat::Beats::default(),
        guesses: guesses::Guesses::new(config.refusals_per_minute),
        own: OnceLock::new(),
        store,
        access,
        config,
    });
    let (kept, stop) = (Arc::clone(&house), tasks.token());
    tasks.spawn("nodes.upkeep", tasks::Policy::StopAll, upkeep::run(kept, stop));
    Ok(Handle { house })
}

impl Handle {
    /// Every machine that does the zone's work with its name: those that brought keys of their own, and so have an agent.
    ///
    /// # Errors
    /// The store's own.
    pub async fn names(&self) -> Result<BTreeMap<NodeId, Name>, Error> {
        let read = |tx: &mut Tx<'_>| {
            let rows = tx.rows(
                "SELECT id, name FROM nodes WHERE ended_at IS NULL AND device_key IS NOT NULL",
                &[],
            )?;
            let pairs = rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?)));
            pairs.collect::<Result<BTreeMap<NodeId, Name>, Error>>()
        };
        SystemPermit::new("nodes.names")
            .read(&self.house.store, read)
            .await
    }

    /// The names of all machines that do the zone's work, in the caller's transaction.
    ///
    /// # Errors
    /// The store's own.
    pub fn all_names(&self, tx: &mut Tx<'_>) -> Result<Vec<String>, store::Error> {
        let rows = tx.rows(
            "SELECT name FROM nodes WHERE ended_at IS NULL AND device_key IS NOT NULL ORDER BY name",
            &[],
        )?;
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// The machine of this name with what it told last, in the caller's transaction; none where it is none of those that
    /// do the zone's work.
    ///
    /// # Errors
    /// The store's own.
    pub fn named(&self, tx: &mut Tx<'_>, name: &str) -> Result<Option<Node>, store::Error> {
        match record::by_name(tx, name) {
            Ok(node) if node.device_key.is_empty() => Ok(None),
            Ok(mut node) => {
                self.add_beats(&mut node);
                Ok(Some(node))
            }
            Err(Error::Store(error)) => Err(error),
            Err(_no_such_machine) => Ok(None),
        }
    }

    /// Wakes whenever a machine came or left.
    #[must_use]
    pub fn watch(&self) -> store::Watch {
        self.house.store.watch(TOPIC)
    }
}
