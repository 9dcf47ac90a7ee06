//! The table of roles and actions: which role may do what, and how far it reaches.
//!
//! The table is one data file, `roles.toml`, compiled in. What it leaves to others: who holds which role
//! (`grants`), and the actions themselves, which the slices declare; a test in crate `soke` joins both.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use serde::Deserialize;

use crate::Error;

/// A role. The order is the rank: an owner stands above an admin, an admin above a member, a member above a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Is known by a wallet and nothing else, and has no right but to leave.
    Guest,
    /// Does their own work.
    Member,
    /// Looks after users and everybody's jobs.
    Admin,
    /// Has the zone.
    Owner,
}

impl Role {
    /// Every role once, lowest rank first.
    pub const ALL: [Role; 4] = [Role::Guest, Role::Member, Role::Admin, Role::Owner];

    /// The role as stored and shown.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Role::Guest => "guest",
            Role::Member => "member",
            Role::Admin => "admin",
            Role::Owner => "owner",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Says that a text names no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Role::ALL
            .into_iter()
            .find(|role| role.word() == text)
            .ok_or(UnknownRole)
    }
}

/// How far a role reaches with an action. The order is the width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// Over what belongs to the caller.
    Own,
    /// Over everything in the zone.
    Zone,
}

/// The table itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    actions: BTreeMap<String, BTreeMap<Role, Reach>>,
    #[serde(default)]
    open_to_nodes: BTreeSet<String>,
}

impl Table {
    /// The table that this program was built with.
    ///
    /// # Errors
    /// `Internal` when the data file is not well formed, which a test rules out.
    pub fn shipped() -> Result<Self, Error> {
        Self::parse(include_str!("../roles.toml"))
    }

    /// Reads a table; unknown roles, reaches, members and double lines are refused.
    ///
    /// # Errors
    /// `Internal` with the place of the first fault.
    pub fn parse(text: &str) -> Result<Self, Error> {
        toml::from_str(text).map_err(Error::Roles)
    }

    /// The actions that have a line, in alphabetical order.
    pub fn actions(&self) -> impl Iterator<Item = &str> {
        let all: BTreeSet<&str> = self
            .actions
            .keys()
            .chain(&self.open_to_nodes)
            .map(String::as_str)
            .collect();
        all.into_iter()
    }

    /// How far `role` reaches with `action`; none: not at all.
    #[must_use]
    pub fn reach(&self, role: Role, action: &str) -> Option<Reach> {
        self.actions.get(action)?.get(&role).copied()
    }

    /// Whether machines of the zone may do this, each for itself.
    #[must_use]
    pub fn is_open_to_nodes(&self, action: &str) -> bool {
        self.open_to_nodes.contains(action)
    }

    /// The widest reach that any of `roles` has with `action`.
    pub(crate) fn widest(&self, roles: &[Role], action: &str) -> Option<Reach> {
        roles.iter().filter_map(|role| self.reach(*role, action)).max()
    }
}

#[cfg(test)]
mod tests;
