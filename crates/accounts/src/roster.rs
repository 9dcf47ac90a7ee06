//! Who is in an account, as a list.
//!
//! What it leaves to others: taking users in (`member`).

use access::{Cover, Permit};
use store::{Row, Tx, params};

use crate::{Error, Handle, Look, MemberRole, account, member};

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

fn listed(tx: &mut Tx<'_>, name: &str, cover: &Cover) -> Result<Vec<Member>, Error> {
    let account = account::by_name(tx, name)?.ok_or_else(|| account::not_found(name))?;
    if let Cover::Own(user) = cover
        && member::role_in(tx, account.id, *user)?.is_none()
    {
        return Err(account::not_found(name));
    }
    let rows = tx.rows(
        "SELECT user_name, role FROM account_members WHERE account_id = ?1 ORDER BY user_name",
        params![account.id],
    )?;
    let member = |row: &Row| {
        let role: String = row.get(1)?;
        Ok(Member {
            user: row.get(0)?,
            role: MemberRole::read(&role)?,
        })
    };
    rows.iter().map(member).collect()
}
