//! What can be set, and what the room is given at its start.
//!
//! What it leaves to others: reading files and flags (crate `soke`).

use std::path::PathBuf;

use model::Span;
use store::Store;
use tasks::{Clock, Tasks};

use crate::FrontEnd;

/// Lengths and limits. The defaults are right for most zones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// How long an access token is good: 15 minutes.
    pub access_life: Span,
    /// How long a refresh token is good, and so how long a session lasts unused: 7 days.
    pub refresh_life: Span,
    /// How long a session lasts at most: 30 days.
    pub session_life: Span,
    /// How long a cookie is good, and with it the session that it shows: 24 hours.
    pub cookie_life: Span,
    /// How long a one-time sign-in code is good: 15 minutes.
    pub code_life: Span,
    /// How long a server certificate is good; it is renewed at half of it: 24 hours.
    pub certificate_life: Span,
    /// How long a key signs tokens before another does: 30 days.
    pub token_key_life: Span,
    /// How many passwords are hashed at once, each taking 19 MiB: 2.
    pub hashing_at_once: usize,
    /// How many sign-ins by password one address may try per minute: 120.
    pub sign_ins_per_minute: u32,
    /// Whether a wallet that signs in nobody yet makes a guest of the zone by the Grid handshake: yes.
    pub enrolment: bool,
    /// Whether whoever names a wallet is believed without a signature. For a zone that is thrown away after a test
    /// and that only this machine reaches; never for another: no.
    pub believe_wallets: bool,
    /// Whether BuckyOS's password proof signs in. It needs a second, weaker verifier of each password, which is
    /// kept sealed; without it none is kept: yes.
    pub password_proof: bool,
    /// Whether whoever shows nothing may act as a user of the zone at a door that asks for it. For a zone that is
    /// thrown away after a test and that only this machine reaches; never for another: no.
    pub strangers: bool,
    /// The program that may speak for users of the zone by a token of its own: none.
    pub front_end: Option<FrontEnd>,
}

impl Default for Config {
    fn default() -> Self {
        const DAY: i64 = 86_400;
        Self {
            access_life: Span::from_secs(15 * 60),
            refresh_life: Span::from_secs(7 * DAY),
            session_life: Span::from_secs(30 * DAY),
            cookie_life: Span::from_secs(DAY),
            code_life: Span::from_secs(15 * 60),
            certificate_life: Span::from_secs(DAY),
            token_key_life: Span::from_secs(30 * DAY),
            hashing_at_once: 2,
            sign_ins_per_minute: 120,
            enrolment: true,
            believe_wallets: false,
            password_proof: true,
            strangers: false,
            front_end: None,
        }
    }
}

/// What the room is given at its start.
pub struct Parts {
    /// The store, with [`MIGRATIONS`](crate::MIGRATIONS) applied.
    pub store: Store,
    /// The owner of this room's tasks.
    pub tasks: Tasks,
    /// The clock.
    pub clock: Clock,
    /// The folder of `seal.key`, open to its owner only.
    pub keys_dir: PathBuf,
    /// The zone's host name, shown in challenges.
    pub zone_host: String,
    /// Lengths and limits.
    pub config: Config,
}

impl Config {
    /// The life of the longest-lived token.
    pub(crate) fn longest_token(&self) -> Span {
        self.refresh_life.max(self.access_life)
    }
}
