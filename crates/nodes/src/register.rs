//! Joining for clients that bring nothing but a short token: the zone makes their keys, and hands them out once.
//!
//! The certificates live 365 days, because these clients renew nothing. An answer that is lost is not given again: there
//! is no key by which its receiver would be known. What it leaves to others: the form in which all of it travels (the
//! doors).

use access::{KeyedCertificate, Newcomer, NodeCertificate, Peer, Secret, Subject, node};
use model::{Name, NodeId, Timestamp};
use store::params;

use crate::{
    Config, Error, Handle, Join, Node, TOPIC, TokenFault,
    join::{self, Draft},
    record, short,
    spend::{self, spend},
    tokens::note_time,
};

/// What a client shows to register a machine, and what its door wants made.
pub struct Registration {
    /// The short token.
    pub token: Secret,
    /// What the machine's name begins with; the zone makes up the rest.
    pub name_begins: &'static str,
    /// Whom the certificates name, in the order in which they are given.
    pub subjects: Vec<Subject>,
}

/// What a client is given for its machine.
pub struct Registered {
    /// What the machine is now.
    pub node: Node,
    /// The word by which the client speaks of the machine from now on, 16 lower-case hexadecimal digits.
    pub word: Secret,
    /// The certificates with their keys.
    pub certificates: Vec<KeyedCertificate>,
}

/// What is written down of a registration.
#[derive(Clone)]
struct Written {
    token: String,
    word: String,
    name: Name,
    tls_key: String,
    certificates: Vec<NodeCertificate>,
}

impl Handle {
    /// Makes a machine of the zone from a short token alone.
    ///
    /// # Errors
    /// `Unauthenticated` for a token that is not good, counted; `Exhausted` for such a token where this address, or the
    /// zone, was refused too often in this minute, and where no address is free; the store's own.
    pub async fn register(&self, peer: &Peer, wish: &Registration) -> Result<Registered, Error> {
        let registered = self.try_register(peer, wish).await;
        registered.map_err(|error| spend::refused(&self.house, peer, error))
    }

    async fn try_register(&self, peer: &Peer, wish: &Registration) -> Result<Registered, Error> {
        let house = &self.house;
        let hash = short::hash(wish.token.expose());
        // Nothing is made for guesses.
        spend::expect_known(house, &hash, true).await?;
        let (zone, word) = (house.access.zone(), short::draw());
        let made = wish
            .subjects
            .iter()
            .map(|subject| zone.issue_keyed_certificate(subject));
        let certificates = made.collect::<Result<Vec<_>, access::Error>>()?;
        let first = certificates.first().ok_or(Error::Row { what: "certificate" })?;
        let written = Written {
            token: hash,
            word: short::hash(word.expose()),
            name: made_up(wish.name_begins)?,
            tls_key: first.key_fingerprint.clone(),
            certificates: certificates.iter().map(|one| one.certificate.clone()).collect(),
        };
        let (config, now) = (house.config.clone(), house.time.now());
        let settle = move |tx: &mut Newcomer<'_, '_>| settle(tx, &written, &config, now);
        let access = &house.access;
        let settled = access.write_for_newcomer::<Join, _, _, _>(&house.store, peer, settle);
        let node = settled.await?.map_err(|fault| Error::Token { fault })?;
        Ok(Registered {
            node,
            word,
            certificates,
        })
    }
}

fn settle(
    tx: &mut Newcomer<'_, '_>,
    written: &Written,
    config: &Config,
    now: Timestamp,
) -> Result<Result<Node, TokenFault>, Error> {
    let token = match spend(tx, &written.token, true, &written.name, now)? {
        Ok(spent) => spent.token,
        Err(fault) => return Ok(Err(fault)),
    };
    tx.about(format_args!("node {} by token {token}", written.name));
    let draft = Draft {
        name: &written.name,
        tls_key: &written.tls_key,
        device_key: None,
        overlay_key: None,
        token_hash: &written.token,
        is_own: false,
    };
    let id: NodeId = join::insert(tx, &draft, config, now)?;
    tx.execute(
        "INSERT INTO node_words (hash, node_id) VALUES (?1, ?2)",
        params![written.word.as_str(), id],
    )?;
    let written_at = tx.now();
    for certificate in &written.certificates {
        node::add_certificate(tx, id, certificate, written_at)?;
    }
    note_time(tx, now)?;
    tx.change(TOPIC, &id.to_string())?;
    Ok(Ok(record::by_id(tx, id)?))
}

/// A name for a machine that tells none.
fn made_up(begins: &str) -> Result<Name, Error> {
    let bytes: [u8; 6] = rand::random();
    let name = format!("{begins}-{}", hex::encode(bytes));
    name.parse().map_err(|_no_name| Error::Row { what: "name" })
}
