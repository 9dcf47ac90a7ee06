//! Wallets as credentials of users: linking, listing and taking away, and the sign-in by a text of this zone.
//!
//! What it leaves to others: signatures and texts (`wallet`), and the older handshake (`handshake`).

use model::{Timestamp, UserId};
use store::{Tx, params};

use crate::{
    Access, Error, Faults, Permit, Role, WalletAddress, Write,
    action::session::{AddWallet, ListWallets, RemoveWallet},
    grants,
    house::House,
    proven::{Once, Proven},
    sessions,
    sign_in::{check_label, check_length, check_name_in},
    wallet::{self, SIGNATURE, message::Purpose},
};

/// The most wallets of one user.
const MOST_WALLETS: usize = 32;
/// The longest text that is looked at, in bytes.
const LONGEST_TEXT: usize = 1024;

/// A wallet of a user, as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wallet {
    /// Its address.
    pub address: WalletAddress,
    /// What the user calls it.
    pub label: String,
    /// Since when it signs them in.
    pub added_at: Timestamp,
}

/// Notes what cannot be a signed text.
pub(crate) fn check(faults: &mut Faults, text: &str, signature: &[u8]) {
    check_length(faults, "text", text.len(), 1, LONGEST_TEXT);
    check_length(faults, "signature", signature.len(), SIGNATURE, SIGNATURE);
}

/// Whom the wallet signs in.
pub(crate) fn holder(tx: &mut Tx<'_>, address: WalletAddress) -> Result<Option<UserId>, Error> {
    let sql = "SELECT user_id FROM wallets WHERE address = ?1";
    let row = tx.row(sql, params![address.digits()])?;
    Ok(row.map(|row| row.get(0)).transpose()?)
}

/// Makes the wallet a credential of the user.
pub(crate) fn insert(
    tx: &mut Tx<'_>,
    address: WalletAddress,
    user: UserId,
    label: &str,
    now: Timestamp,
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO wallets (address, user_id, label, added_at) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (address) DO UPDATE SET user_id = excluded.user_id, label = excluded.label, \
         added_at = excluded.added_at",
        params![address.digits(), user, label, now],
    )?;
    Ok(())
}

/// Whether the wallet has signed in by the handshake, and so needs no announcement any more.
pub(crate) fn has_greeted(tx: &mut Tx<'_>, address: WalletAddress) -> Result<bool, Error> {
    let sql = "SELECT greeted FROM wallets WHERE address = ?1";
    let row = tx.row(sql, params![address.digits()])?;
    Ok(row.map(|row| row.get(0)).transpose()?.unwrap_or(false))
}

/// Notes that the wallet has signed in by the handshake. Its announcement has served.
pub(crate) fn greet(tx: &mut Tx<'_>, address: WalletAddress) -> Result<(), Error> {
    let sql = "UPDATE wallets SET greeted = TRUE WHERE address = ?1 AND NOT greeted";
    if tx.execute(sql, params![address.digits()])? > 0 {
        let sql = "DELETE FROM announced_wallets WHERE address = ?1";
        tx.execute(sql, params![address.digits()])?;
    }
    Ok(())
}

impl Access {
    /// Gives the text that a wallet signs: to sign in, or to be linked to the user named `link_to`. It names the zone,
    /// holds a nonce and ends after five minutes. Nothing is stored; an unknown wallet or user gets a text too.
    ///
    /// # Errors
    /// `Invalid` for a user name that cannot be one.
    pub fn wallet_text(&self, address: WalletAddress, link_to: Option<&str>) -> Result<String, Error> {
        let mut faults = Faults::default();
        if let Some(name) = link_to {
            check_name_in(&mut faults, "link_to", name);
        }
        faults.check()?;
        let purpose = link_to.map_or(Purpose::SignIn, Purpose::Link);
        let now = self.house.clock.now();
        self.house.wallet_texts.make(address, purpose, now)
    }

    /// Lets a wallet sign in the caller from now on. The signature is over the text that `wallet_text` gave for the
    /// caller's name. A wallet that so far signs in a guest of its own is taken over, and the guest's sessions end.
    ///
    /// # Errors
    /// `Invalid` naming every field at fault; `Unauthenticated` for a text or signature that is not good, or was used
    /// before; `Exists` for a wallet of somebody else.
    pub async fn add_wallet(
        &self,
        permit: &Permit<AddWallet>,
        text: &str,
        signature: &[u8],
        label: &str,
    ) -> Result<WalletAddress, Error> {
        let mut faults = Faults::default();
        check(&mut faults, text, signature);
        check_label(&mut faults, label);
        faults.check()?;
        let (user, now) = (permit.user()?.clone(), self.house.clock.now());
        let purpose = Purpose::Link(user.name.as_str());
        let proven = self.house.signed(text, signature, purpose, now);
        let (address, once) = proven.ok_or(Error::BadProof)?;
        let (label, id) = (label.to_owned(), user.id);
        let add = move |write: &mut Write<'_, '_>| {
            let now = write.now();
            write.about(format_args!("wallet {address}"));
            once.spend(write)?;
            let held = write.rows("SELECT address FROM wallets WHERE user_id = ?1", params![id])?;
            match holder(write, address)? {
                Some(holder) if holder == id => {}
                _ if held.len() >= MOST_WALLETS => {
                    let mut faults = Faults::default();
                    let what = format!("is one more than {MOST_WALLETS}");
                    faults.add("text", what, "fewer wallets of this user");
                    return Err(Error::Invalid(faults));
                }
                None => {}
                Some(guest) if grants::of_user(write, guest)? == [Role::Guest] => {
                    sessions::end_all_but(write, guest, None, "wallet was linked", now)?;
                }
                Some(_somebody_else) => return Err(Error::WalletTaken),
            }
            insert(write, address, id, &label, now)
        };
        permit.write(&self.house.store, add).await?;
        Ok(address)
    }

    /// Lists the caller's wallets by address.
    ///
    /// # Errors
    /// The store's own.
    pub async fn list_wallets(&self, permit: &Permit<ListWallets>) -> Result<Vec<Wallet>, Error> {
        let user = permit.user()?.id;
        let read = move |tx: &mut Tx<'_>| {
            let sql = "SELECT address, label, added_at FROM wallets WHERE user_id = ?1 ORDER BY address";
            let rows = tx.rows(sql, params![user])?;
            let wallet = |row: &store::Row| {
                let digits: String = row.get(0)?;
                let address = format!("0x{digits}").parse();
                Ok(Wallet {
                    address: address.map_err(|_fault| Error::Row { what: "wallet" })?,
                    label: row.get(1)?,
                    added_at: row.get(2)?,
                })
            };
            rows.iter().map(wallet).collect()
        };
        permit.read(&self.house.store, read).await
    }

    /// Takes a wallet away from the caller, and ends every other session of the caller: whoever holds the wallet may
    /// have one.
    ///
    /// # Errors
    /// `NotFound` for what is no wallet of the caller.
    pub async fn remove_wallet(
        &self,
        permit: &Permit<RemoveWallet>,
        address: WalletAddress,
    ) -> Result<(), Error> {
        let user = permit.user()?.clone();
        let remove = move |write: &mut Write<'_, '_>| {
            let now = write.now();
            write.about(format_args!("wallet {address}"));
            let sql = "DELETE FROM wallets WHERE address = ?1 AND user_id = ?2";
            if write.execute(sql, params![address.digits(), user.id])? == 0 {
                return Err(Error::NotFound {
                    what: format!("wallet {address}"),
                });
            }
            sessions::end_all_but(write, user.id, user.session, "wallet was removed", now)?;
            Ok(())
        };
        permit.write(&self.house.store, remove).await
    }
}

impl House {
    /// Which wallet has signed this text of ours.
    fn signed(
        &self,
        text: &str,
        signature: &[u8],
        purpose: Purpose<'_>,
        now: Timestamp,
    ) -> Option<(WalletAddress, Once)> {
        let known = self.wallet_texts.read(text, purpose, now)?;
        let signer = wallet::signer(&wallet::personal_digest(text), signature)?;
        let once = Once {
            hash: known.hash,
            ends_at: known.ends_at,
        };
        (signer == known.address).then_some((signer, once))
    }

    /// Judges a sign-in by a text of ours. An unknown wallet reads like a wrong signature.
    pub(crate) async fn prove_wallet(
        &self,
        text: &str,
        signature: &[u8],
        peer: &crate::Peer,
        now: Timestamp,
    ) -> Result<Proven, Error> {
        let signed = self.signed(text, signature, Purpose::SignIn, now);
        let Some((address, once)) = signed else {
            return Err(self.bad_unguessable(peer, None, "wallet").await);
        };
        match self
            .store
            .read(move |tx: &mut Tx<'_>| holder(tx, address))
            .await?
        {
            Some(user) => Ok(Proven::Wallet { user, address, once }),
            None => Err(self.bad_unguessable(peer, None, "wallet").await),
        }
    }
}
