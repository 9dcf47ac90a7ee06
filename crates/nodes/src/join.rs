//! How a machine becomes one of the zone's: a token, three keys, a name; one transaction.
//!
//! What it leaves to others: showing the token to the right server only (the agent), and the signature under the
//! certificate (`access`).

use access::{Faults, Newcomer, NodeCertificate, NodeKey, Peer, node};
use model::{Name, NodeId, Timestamp};
use store::{Tx, params};

use crate::{
    Config, Error, Handle, Join, Node, TOPIC, TokenFault, TokenText, own, pool, record,
    spend::{self, Spent, spend},
    tokens::note_time,
};

/// What stands in the place of a machine's name where any will do, so that none may have it.
const ANYWHERE: &str = "any";

/// What a machine shows to join.
pub struct Wish {
    /// The token's text.
    pub token: access::Secret,
    /// The name that it wants, `[a-z][a-z0-9-]{0,31}`.
    pub name: String,
    /// A certificate request (PKCS #10, DER) for its P-256 key; nothing but the key is read.
    pub request: Vec<u8>,
    /// Its raw Ed25519 public key, 32 bytes.
    pub device_key: Vec<u8>,
    /// Its raw X25519 public key, 32 bytes.
    pub overlay_key: Vec<u8>,
}

/// What a machine is given when it joined.
#[derive(Debug, Clone)]
pub struct Joined {
    /// What it is now.
    pub node: Node,
    /// Its first certificate.
    pub certificate: NodeCertificate,
}

/// A wish, proven well formed.
#[derive(Clone)]
struct Checked {
    hash: String,
    name: Name,
    tls_key: String,
    device_key: String,
    overlay_key: String,
}

/// What came of a join.
enum Settled {
    Joined(Node),
    Refused(TokenFault),
}

impl Wish {
    fn check(&self, fingerprint: &str) -> Result<(Checked, NodeKey), Error> {
        let mut faults = Faults::default();
        let token = self.token.expose().parse::<TokenText>()?;
        if token.fingerprint() != fingerprint {
            let fault = TokenFault::Unknown;
            return Err(Error::Token { fault });
        }
        let name: Result<Name, _> = self.name.parse();
        if self.name == ANYWHERE {
            let what = "means any node where work is asked for".to_owned();
            faults.add("name", what, "another name");
        }
        if let Err(fault) = &name {
            let what = format!("is not a name: {fault}");
            faults.add("name", what, "[a-z][a-z0-9-]{0,31}");
        }
        let key = NodeKey::from_request(&self.request);
        if let Err(fault) = &key {
            faults.add(
                "request",
                format!("cannot be used: {fault}"),
                "a PKCS #10 request for a P-256 key",
            );
        }
        let keys = [
            ("device_key", &self.device_key),
            ("overlay_key", &self.overlay_key),
        ];
        for (field, bytes) in keys {
            if bytes.len() != 32 || bytes.iter().all(|byte| *byte == 0) {
                faults.add(
                    field,
                    format!("has {} bytes, or is all zero", bytes.len()),
                    "a raw public key of 32 bytes",
                );
            }
        }
        match (name, key) {
            (Ok(name), Ok(key)) if faults.0.is_empty() => {
                let checked = Checked {
                    hash: token.hash(),
                    name,
                    tls_key: key.fingerprint().to_owned(),
                    device_key: hex::encode(&self.device_key),
                    overlay_key: hex::encode(&self.overlay_key),
                };
                Ok((checked, key))
            }
            _ => Err(Error::Invalid(faults)),
        }
    }
}

impl Handle {
    /// Makes a machine of the zone, or gives the same machine again that was made from the same keys, name and token
    /// a moment ago: its answer was lost.
    ///
    /// # Errors
    /// `Invalid` naming every field at fault; `Unauthenticated` for a token that is not good, counted; `Exhausted`
    /// for such a token where this address, or the zone, was refused too often in this minute; `Exists` for a
    /// name or key that was ever used; `Exhausted` where no address is free; the store's own.
    pub async fn join(&self, peer: &Peer, wish: &Wish) -> Result<Joined, Error> {
        let joined = self.try_join(peer, wish).await;
        joined.map_err(|error| spend::refused(&self.house, peer, error))
    }

    async fn try_join(&self, peer: &Peer, wish: &Wish) -> Result<Joined, Error> {
        let house = &self.house;
        let (checked, key) = wish.check(house.access.zone().ca_fingerprint())?;
        // Nothing is signed for guesses.
        spend::expect_known(house, &checked.hash, false).await?;
        let certificate = house.access.zone().issue_node_certificate(&checked.name, &key)?;
        let (draft, config, now) = (certificate.clone(), house.config.clone(), house.time.now());
        let settle = move |tx: &mut Newcomer<'_, '_>| {
            let settled = settle(tx, &checked, &config, now)?;
            if let Settled::Joined(node) = &settled {
                let written_at = tx.now();
                node::add_certificate(tx, node.id, &draft, written_at)?;
                note_time(tx, now)?;
                tx.change(TOPIC, &node.id.to_string())?;
            }
            Ok::<_, Error>(settled)
        };
        let written = house
            .access
            .write_for_newcomer::<Join, _, _, _>(&house.store, peer, settle);
        match written.await? {
            Settled::Joined(node) => Ok(Joined { node, certificate }),
            Settled::Refused(fault) => Err(Error::Token { fault }),
        }
    }
}

fn settle(
    tx: &mut Newcomer<'_, '_>,
    wish: &Checked,
    config: &Config,
    now: Timestamp,
) -> Result<Settled, Error> {
    if let Some(again) = same_again(tx, wish, config, now)? {
        tx.about(format_args!("node {} again", wish.name));
        return Ok(Settled::Joined(again));
    }
    match spend(tx, &wish.hash, false, &wish.name, now)? {
        Ok(Spent { token, is_own }) => {
            tx.about(format_args!("node {} by token {token}", wish.name));
            let draft = Draft {
                name: &wish.name,
                tls_key: &wish.tls_key,
                device_key: Some(&wish.device_key),
                overlay_key: Some(&wish.overlay_key),
                token_hash: &wish.hash,
                is_own,
            };
            let id = insert(tx, &draft, config, now)?;
            Ok(Settled::Joined(record::by_id(tx, id)?))
        }
        Err(fault) => Ok(Settled::Refused(fault)),
    }
}

/// The machine that this very join made a moment ago.
fn same_again(
    tx: &mut Tx<'_>,
    wish: &Checked,
    config: &Config,
    now: Timestamp,
) -> Result<Option<Node>, Error> {
    let row = tx.row(
        &record::query(
            "tls_key = ?1 AND device_key = ?2 AND overlay_key = ?3 AND name = ?4 AND token_hash = ?5",
        ),
        params![
            wish.tls_key.as_str(),
            wish.device_key.as_str(),
            wish.overlay_key.as_str(),
            &wish.name,
            wish.hash.as_str()
        ],
    )?;
    let node = row.map(|row| record::read(&row)).transpose()?;
    Ok(node.filter(|node| now - node.joined_at <= config.join_window))
}

/// A machine that is about to be written down.
pub(crate) struct Draft<'a> {
    pub(crate) name: &'a Name,
    pub(crate) tls_key: &'a str,
    pub(crate) device_key: Option<&'a str>,
    pub(crate) overlay_key: Option<&'a str>,
    pub(crate) token_hash: &'a str,
    /// Whether it is the zone's own machine.
    pub(crate) is_own: bool,
}

/// Takes the name and an address, and writes the machine.
pub(crate) fn insert(
    tx: &mut Tx<'_>,
    draft: &Draft<'_>,
    config: &Config,
    now: Timestamp,
) -> Result<NodeId, Error> {
    let (device, overlay) = (
        draft.device_key.map(str::to_owned),
        draft.overlay_key.map(str::to_owned),
    );
    let taken = tx.rows(
        "SELECT 1 FROM nodes WHERE tls_key = ?1 OR device_key = ?2 OR overlay_key = ?3 LIMIT 1",
        params![draft.tls_key, device.clone(), overlay.clone()],
    )?;
    if !taken.is_empty() {
        return Err(Error::KeyTaken);
    }
    let id = NodeId::fresh(now);
    node::add(tx, id, draft.name, now)?;
    let address = if draft.is_own {
        own::replace(tx, config.pool.own(), config.quarantine, now)?;
        pool::take_own(tx, config.pool, id)?
    } else {
        pool::take(tx, config.pool, id, now)?
    };
    tx.execute(
        "INSERT INTO nodes (id, name, tls_key, device_key, overlay_key, token_hash, address, joined_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            id,
            draft.name,
            draft.tls_key,
            device,
            overlay,
            draft.token_hash,
            address,
            now
        ],
    )?;
    Ok(id)
}
