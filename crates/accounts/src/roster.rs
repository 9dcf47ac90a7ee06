//! Who is in an account, as a list.
//!
//! What it leaves to others: taking users in (`member`).

use access::{Cover, Permit};
use store::{Tx, params};

use crate::{Error, Handle, Look, MemberRole};

/// A user of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The user's name.
    pub user: String,
    /// As what.
    pub role: MemberRole,
}

impl Handle {
    /// Lists who is in an account, by name. Whoever reaches over their own only sees the accounts that they are in.
    ///
    /// # Errors
    /// `NotFound`: [`Error::AccountNotFound`].
    pub async fn members(&self, permit: &Permit<Look>, account: &str) -> Result<Vec<Member>, Error> {
        let (account, cover) = (account.to_owned(), *permit.cover());
        let read = permit.read(&self.inner.store, move |tx| listed(tx, &account, &cover));
        read.await
    }
}

fn listed(tx: &mut Tx<'_>, account: &str, cover: &Cover) -> Result<Vec<Member>, Error> {
    let rows = tx.rows(
        "SELECT m.user_name, m.role, m.user_id FROM account_members m JOIN accounts a ON a.id = m.account_id \
         WHERE a.folded = ?1 ORDER BY m.user_name",
        params![account.to_ascii_lowercase()],
    )?;
    let mut members = Vec::with_capacity(rows.len());
    let mut is_known = matches!(cover, Cover::Zone);
    for row in rows {
        if let Cover::Own(user) = cover {
            is_known |= row.get::<model::UserId>(2)? == *user;
        }
        let role = match row.get::<String>(1)?.as_str() {
            "user" => MemberRole::User,
            "admin" => MemberRole::Admin,
            "owner" => MemberRole::Owner,
            _ => return Err(Error::Row { what: "role" }),
        };
        let user = row.get(0)?;
        members.push(Member { user, role });
    }
    // Each account has an owner, so that an account without users is none.
    if is_known && !members.is_empty() {
        Ok(members)
    } else {
        Err(Error::AccountNotFound {
            account: account.to_owned(),
        })
    }
}
