//! The Grid handshake: a wallet signs the time, and a cookie shows the session.
//!
//! The signed text is the decimal time alone: no zone, no purpose. So the window is a minute, each text counts once for
//! each wallet, whatever form its signature has, and the session that it opens has a cookie and no token. A wallet has to
//! be announced before its first handshake; one that signs in nobody then makes a guest. What it leaves to others: the calls that carry this
//! (the door), signatures (`wallet`), and the better sign-in by a text of this zone (`wallets`).

use model::{Name, Span, Timestamp, UserId};
use store::{Tx, params};

use crate::{
    Access, Error, Peer, Role, SignedInByCookie, WalletAddress,
    audit::{self, Entry, Outcome},
    digest,
    house::House,
    proven::{Once, Proven},
    users, wallet, wallets,
};

/// A signature counts while its time is less old than this.
const WINDOW: Span = Span::from_secs(60);
/// And no further ahead than this: clocks differ.
const AHEAD: Span = Span::from_secs(5);
/// How long a used text is remembered after its window, for a clock that is set back.
const MARGIN: Span = Span::from_secs(60);
/// How long an announcement lasts.
const ANNOUNCED: Span = Span::from_secs(60 * 60);
/// The most announcements that are kept; a further one takes the place of the one that ends first.
const MOST_ANNOUNCED: i64 = 10_000;
/// The most guests of the zone: whoever has a wallet can make one, and wallets cost nothing.
const MOST_GUESTS: i64 = 10_000;
const GUESTS: &str = "SELECT COUNT(*) FROM grants WHERE role = 'guest'";
/// The action under which announcements beyond the limit are counted.
const ANNOUNCE: &str = "session.announce";
/// The action that makes a guest, in the audit trail.
const ENROL: &str = "user.enrol";
/// Who signs in where a zone for tests is given no wallet at all.
const NOBODY: &str = "test";

/// What a wallet shows in the Grid handshake. It cannot be printed: until it was used it is a credential.
#[derive(Clone)]
pub struct Handshake {
    /// The time as it was signed: Unix seconds in decimal digits.
    pub time: String,
    /// The wallet.
    pub address: WalletAddress,
    /// The signature over the time, plain or as a wallet frames a text (EIP-191).
    pub signature: Vec<u8>,
}

/// The seconds in a text of decimal digits alone, in their one shortest form.
fn seconds(text: &str) -> Option<i64> {
    let digits = (1..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let shortest = !text.starts_with('0') || text == "0";
    if digits && shortest {
        text.parse().ok()
    } else {
        None
    }
}

/// The instant that a handshake names, where it lies within the window at `now`.
fn in_window(time: &str, now: Timestamp) -> Option<Timestamp> {
    // Whole seconds on both sides: 59 s old counts to the end of that second, 60 s old does not.
    let (signed, now) = (seconds(time)?, now.secs());
    let age = now.checked_sub(signed)?;
    (-AHEAD.secs()..WINDOW.secs())
        .contains(&age)
        .then(|| Timestamp::from_secs(signed))
}

impl Handshake {
    /// The proof that this is used once, where it is good at `now`.
    fn judge(&self, now: Timestamp) -> Option<Once> {
        let signed_at = in_window(&self.time, now)?;
        let digests = [
            wallet::keccak256(self.time.as_bytes()),
            wallet::personal_digest(&self.time),
        ];
        let fits = |digest: &[u8; 32]| wallet::signer(digest, &self.signature) == Some(self.address);
        let digest = digests.iter().find(|digest| fits(digest))?;
        let used = format!("handshake\0{}\0{}", self.address.digits(), hex::encode(digest));
        Some(Once {
            hash: digest::sha256_hex(used.as_bytes()),
            ends_at: signed_at + WINDOW + MARGIN,
        })
    }
}

impl Access {
    /// Notes for an hour that a wallet is about to sign in. Anybody may announce any wallet; it gives no right.
    ///
    /// # Errors
    /// `Exhausted` after too many announcements from this address; the store's own.
    pub async fn announce_wallet(&self, address: WalletAddress, peer: &Peer) -> Result<(), Error> {
        let (house, now) = (&self.house, self.house.clock.now());
        house.enter(peer, ANNOUNCE, now)?;
        if house
            .store
            .read(move |tx| wallets::has_greeted(tx, address))
            .await?
        {
            return Ok(());
        }
        let announce = move |tx: &mut Tx<'_>| {
            tx.execute(
                "INSERT INTO announced_wallets (address, ends_at) VALUES (?1, ?2) \
                 ON CONFLICT (address) DO UPDATE SET ends_at = excluded.ends_at",
                params![address.digits(), now + ANNOUNCED],
            )?;
            if count(tx, "SELECT COUNT(*) FROM announced_wallets")? > MOST_ANNOUNCED {
                let sql = "DELETE FROM announced_wallets WHERE address = \
                     (SELECT address FROM announced_wallets ORDER BY ends_at, address LIMIT 1)";
                tx.execute(sql, &[])?;
            }
            Ok(())
        };
        house.write(announce).await
    }

    /// Opens a session for a wallet that signed the time, with a cookie of the name `cookie` to show it. The wallet was
    /// announced, or has done this before. One that signs in nobody becomes a guest where the zone enrols guests.
    ///
    /// # Errors
    /// `Unauthenticated` for a time outside of the window, a signature that is not good or was used before, a wallet
    /// that was not announced, and one that signs in nobody and cannot become a guest: the answers read the same.
    pub async fn sign_in_by_handshake(
        &self,
        handshake: &Handshake,
        cookie: &str,
        peer: &Peer,
    ) -> Result<SignedInByCookie, Error> {
        let (house, now) = (&self.house, self.house.clock.now());
        let Some(once) = handshake.judge(now) else {
            return Err(house.bad_unguessable(peer, None, "wallet").await);
        };
        let (address, enrols) = (handshake.address, house.config.enrolment);
        let look = move |tx: &mut Tx<'_>| {
            let user = wallets::holder(tx, address)?;
            let expected = wallets::has_greeted(tx, address)? || is_announced(tx, address, now)?;
            let may_enter = user.is_some() || (enrols && count(tx, GUESTS)? < MOST_GUESTS);
            Ok::<_, Error>((user, expected && may_enter))
        };
        let proven = match house.store.read(look).await? {
            (Some(user), true) => Proven::Handshake { user, address, once },
            (None, true) => Proven::Guest { address, once },
            (Some(_), false) => return Err(house.bad_unguessable(peer, None, "wallet not announced").await),
            (None, false) => return Err(house.bad_unguessable(peer, None, "unknown wallet").await),
        };
        house.open_for_cookie(proven, cookie, peer).await
    }

    /// Opens a session for whoever names a wallet, or for the user `test`, without any proof: for zones that were
    /// started for tests and for no other.
    ///
    /// # Errors
    /// `Precondition` in every other zone.
    pub async fn sign_in_believed(
        &self,
        address: Option<WalletAddress>,
        cookie: &str,
        peer: &Peer,
    ) -> Result<SignedInByCookie, Error> {
        if !self.house.config.believe_wallets {
            return Err(Error::SignatureWanted);
        }
        let proven = Proven::Believed { address };
        self.house.open_for_cookie(proven, cookie, peer).await
    }
}

fn count(tx: &mut Tx<'_>, sql: &'static str) -> Result<i64, Error> {
    let row = tx.row(sql, &[])?.ok_or(Error::Row { what: "count" })?;
    Ok(row.get(0)?)
}

fn is_announced(tx: &mut Tx<'_>, address: WalletAddress, now: Timestamp) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM announced_wallets WHERE address = ?1 AND ends_at > ?2";
    Ok(tx.row(sql, params![address.digits(), now])?.is_some())
}

/// Makes the guest of a wallet: named `w` and the first 30 digits of the address, or other digits where that name was
/// ever given.
pub(crate) fn make_guest(
    tx: &mut Tx<'_>,
    house: &House,
    address: WalletAddress,
    now: Timestamp,
) -> Result<UserId, Error> {
    let digits = address.digits();
    let user = match guest(tx, &format!("w{}", &digits[..30]), now)? {
        Some(user) => user,
        None => {
            // The transaction may run twice, so what is drawn is a function of what stands in it.
            let seed = format!("guest\0{digits}\0{}\0{}", house.root.zone_id(), now.micros());
            let other = digest::sha256_hex(seed.as_bytes());
            guest(tx, &format!("w{}", &other[..30]), now)?.ok_or(Error::Raced { step: "make a guest" })?
        }
    };
    wallets::insert(tx, address, user, "first sign-in", now)?;
    wallets::greet(tx, address)?;
    let entry = Entry::of_system("grid", ENROL).about(&format!("wallet {address}"));
    audit::insert(tx, &entry, Outcome::Done, now)?;
    Ok(user)
}

fn guest(tx: &mut Tx<'_>, name: &str, now: Timestamp) -> Result<Option<UserId>, Error> {
    let name: Name = name
        .parse()
        .map_err(|_fault| Error::Row { what: "guest's name" })?;
    users::insert_guest(tx, name, now)
}

/// Forgets what the handshake left: a zone for tests keeps it in no later server.
pub(crate) fn forget_all(tx: &mut Tx<'_>) -> Result<(), Error> {
    tx.execute("DELETE FROM cookies", &[])?;
    tx.execute("DELETE FROM announced_wallets", &[])?;
    Ok(())
}

/// Whom a zone for tests signs in: the wallet's user, or `test`. Both may do what members may.
pub(crate) fn believed(
    tx: &mut Tx<'_>,
    house: &House,
    address: Option<WalletAddress>,
    now: Timestamp,
) -> Result<UserId, Error> {
    let user = match address {
        Some(address) => match wallets::holder(tx, address)? {
            Some(user) => user,
            None => make_guest(tx, house, address, now)?,
        },
        None => match guest(tx, NOBODY, now)? {
            Some(user) => user,
            None => {
                let row = tx.row("SELECT id FROM users WHERE folded = ?1", params![NOBODY])?;
                row.ok_or(Error::Row { what: "user" })?.get(0)?
            }
        },
    };
    crate::grants::insert(tx, user, Role::Member, None, now)?;
    Ok(user)
}

#[cfg(test)]
mod tests;
