//! Who calls: the credential a door read, the peer it came from, and the actor it turns out to be.
//!
//! What it leaves to others: reading credentials from a protocol (the doors) and judging them (`sign_in`,
//! `authenticate`).

use std::net::IpAddr;

use model::{Name, SessionId, Timestamp, UserId};

use crate::{Error, FrontEndActor, Secret};

/// What a caller shows with a call. Doors only read it; no door compares a secret itself.
pub enum Credential {
    /// The text behind `authorization: Bearer`.
    Bearer(Secret),
    /// The session token of a kRPC request. It is the same token as the bearer's.
    KrpcToken(Secret),
    /// A cookie that this zone gave.
    Cookie {
        /// Its name, which belongs to it: the same secret under another name is refused.
        name: String,
        /// Its value.
        secret: Secret,
    },
    /// The text behind `authorization: Bearer` at a door for front ends: the token of one, or a user's own.
    FrontEnd {
        /// The token.
        token: Secret,
        /// For which user a front end speaks in this call; none: for itself. A user's own token speaks for that user,
        /// whatever stands here.
        user: Option<String>,
    },
}

/// What a person or program shows once, to open a session.
pub enum Proof {
    /// A name and its password.
    Password {
        /// Who wants to sign in.
        user_name: String,
        /// The password, 12 to 1024 bytes.
        password: Secret,
    },
    /// A signature over a challenge.
    Key {
        /// Who wants to sign in.
        user_name: String,
        /// The bytes that `challenge` gave, unchanged.
        challenge: Vec<u8>,
        /// The Ed25519 signature over them, 64 bytes.
        signature: Vec<u8>,
        /// The raw public key, 32 bytes.
        public_key: Vec<u8>,
    },
    /// A one-time sign-in code.
    LinkCode(Secret),
    /// A wallet's signature over a text of this zone.
    Wallet {
        /// The text that `wallet_text` gave, unchanged.
        text: String,
        /// The signature over it as a wallet frames a text (EIP-191), 65 bytes.
        signature: Vec<u8>,
    },
}

/// Where a call comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The address of the other side; none where the call never touched a network.
    pub address: Option<IpAddr>,
    /// The door it came through: "native", "scow" and so on.
    pub door: &'static str,
    /// The id under which logs and audit speak of this call; empty where the door gives none.
    pub request_id: String,
}

impl Peer {
    /// A peer at `address` that came through `door`, with no request id.
    #[must_use]
    pub const fn new(address: Option<IpAddr>, door: &'static str) -> Self {
        Self {
            address,
            door,
            request_id: String::new(),
        }
    }

    /// The same peer under this request id; what is longer than 64 bytes is cut off.
    #[must_use]
    pub fn with_request_id(mut self, id: &str) -> Self {
        id[..id.floor_char_boundary(64)].clone_into(&mut self.request_id);
        self
    }

    pub(crate) fn address_text(&self) -> String {
        self.address
            .map(|address| address.to_canonical().to_string())
            .unwrap_or_default()
    }
}

/// Whoever makes a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A signed-in user.
    User(UserActor),
    /// A front end, for itself or for a user.
    FrontEnd(FrontEndActor),
}

/// A user who is signed in, or for whom a front end speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserActor {
    /// The user.
    pub id: UserId,
    /// The user's name, never given to anybody else.
    pub name: Name,
    /// The user's number in the zone, from 1.
    pub number: u32,
    /// The session under which the call is made; none where a front end speaks for the user.
    pub session: Option<SessionId>,
    /// The Unix account that does this user's work where the agent is root; none: one of the zone's own.
    pub unix_name: Option<String>,
}

impl Actor {
    /// The user behind the call: the one who is signed in, or for whom a front end speaks.
    #[must_use]
    pub const fn user(&self) -> Option<&UserActor> {
        match self {
            Actor::User(user) => Some(user),
            Actor::FrontEnd(front_end) => front_end.speaks_for.as_ref(),
        }
    }
}

impl UserActor {
    /// The session, for what only a signed-in user does.
    ///
    /// # Errors
    /// `Unauthenticated` where a front end speaks for the user.
    pub(crate) fn session(&self) -> Result<SessionId, Error> {
        self.session.ok_or(Error::SessionEnded)
    }
}

/// A token that was found good: who shows it, and through which app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Who shows it.
    pub actor: Actor,
    /// The app for which the session was opened.
    pub app_id: String,
}

/// Who a session is, as told to its holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub user_id: UserId,
    /// The user's name.
    pub user_name: Name,
    /// The session.
    pub session_id: SessionId,
    /// The roles over the whole zone, in alphabetical order.
    pub roles: Vec<String>,
}

/// A session that was opened for a browser: one cookie shows it, and no token.
pub struct SignedInByCookie {
    /// Who signed in.
    pub identity: Identity,
    /// The value of the cookie, 256 random bits.
    pub cookie: Secret,
    /// The end of the cookie and of the session.
    pub expires_at: Timestamp,
}

/// A session that was opened or carried on.
pub struct SignedIn {
    /// Who signed in.
    pub identity: Identity,
    /// Shown with every call until `access_expires_at`.
    pub access_token: Secret,
    /// The end of the access token.
    pub access_expires_at: Timestamp,
    /// Good once, for `refresh` only.
    pub refresh_token: Secret,
    /// The end of the refresh token.
    pub refresh_expires_at: Timestamp,
}
