//! Making a user inside a write of somebody else, so that a slice's own rows about them stand or fall with them.
//!
//! What takes long, the hash of the password, is done before the transaction. What it leaves to others: the right to
//! make users at all (the action of the write), and what else a slice keeps about a person.

use std::sync::Arc;

use model::{Name, UserId};
use store::params;

use crate::{
    Access, Error, Faults, Role, Secret, Write, grants,
    house::House,
    password::{LONGEST, SHORTEST_ELSEWHERE},
    password_proof,
    sign_in::check_length,
    users,
};

/// Somebody who is to be made a user: checked, and with their password hashed.
pub struct Newcomer {
    house: Arc<House>,
    name: Name,
    role: Role,
    password: Option<Password>,
}

struct Password {
    verifier: String,
    /// What a password proof is judged by.
    stored: Secret,
}

impl Newcomer {
    /// The user's name.
    #[must_use]
    pub const fn name(&self) -> &Name {
        &self.name
    }
}

impl Access {
    /// Prepares somebody who is to be made a user with [`enrol`]: of this name, with this role over the zone and, where
    /// one is given, this password. Names and passwords of other systems are taken: up to 63 of `[A-Za-z0-9_.@-]`, and 8 to
    /// 1024 bytes.
    ///
    /// # Errors
    /// `Invalid` naming each of `user_name`, `password` and `role` that is at fault; `Unavailable` where too many
    /// passwords are hashed at once.
    pub async fn newcomer(
        &self,
        name: &str,
        password: Option<&Secret>,
        role: Role,
    ) -> Result<Newcomer, Error> {
        let mut faults = Faults::default();
        let name = Name::imported(name);
        if let Err(fault) = &name {
            faults.add(
                "user_name",
                format!("is not a name: {fault}"),
                "1 to 63 of A-Z a-z 0-9 _ . @ -",
            );
        }
        if let Some(password) = password {
            check_length(
                &mut faults,
                "password",
                password.expose().len(),
                SHORTEST_ELSEWHERE,
                LONGEST,
            );
        }
        if ![Role::Member, Role::Admin].contains(&role) {
            faults.add("role", "is no role that can be given", "`admin` or `member`");
        }
        let name = match name {
            Ok(name) if faults.0.is_empty() => name,
            _ => return Err(Error::Invalid(faults)),
        };
        let password = match password {
            Some(password) => Some(Password {
                verifier: self.house.hasher.hash(password).await?,
                stored: password_proof::stored(&name, password),
            }),
            None => None,
        };
        Ok(Newcomer {
            house: Arc::clone(&self.house),
            name,
            role,
            password,
        })
    }
}

/// Makes the user, in the transaction of the write. What else is written there is kept or lost together with it.
///
/// # Errors
/// `Exists` for a name that was ever given or is reserved; `Denied`, with an audit row, unless the actor reaches over
/// the zone and may give the role.
pub fn enrol(write: &mut Write<'_, '_>, newcomer: &Newcomer) -> Result<UserId, Error> {
    let now = write.now();
    let user = users::insert_plain(write, &newcomer.name, now)?;
    grants::give(write, user, newcomer.role)?;
    if let Some(password) = &newcomer.password {
        write.execute(
            "INSERT INTO passwords (user_id, verifier, set_at) VALUES (?1, ?2, ?3)",
            params![user, password.verifier.as_str(), now],
        )?;
        password_proof::keep(write, &newcomer.house, user, &password.stored, now)?;
    }
    Ok(user)
}
