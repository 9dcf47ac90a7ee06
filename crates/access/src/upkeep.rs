//! What this room does by itself: follows one token key with another, renews server certificates before they
//! end, and clears away what has ended.
//!
//! What it leaves to others: sealing the audit trail (`audit`).

use std::{sync::Arc, time::Duration};

use model::{Span, Timestamp};
use rustls::ServerConfig;
use store::{Tx, params};
use tasks::Policy;
use tokio::sync::watch;

use crate::{Access, Asked, Error, house::House, token_keys};

/// How often it is looked whether something is due.
const ROUND: Duration = Duration::from_secs(60);
/// How long the rows of ended sessions are kept.
const ENDED_SESSIONS: Span = Span::from_secs(30 * 86_400);

impl Access {
    /// Gives the TLS settings of a listener under these names, and fresh ones from then on, at half the life of
    /// each certificate. `alpn` lists the protocols to offer.
    ///
    /// # Errors
    /// `Internal` where a name cannot stand in a certificate.
    pub fn server_tls(
        &self,
        names: Vec<String>,
        alpn: Vec<Vec<u8>>,
    ) -> Result<watch::Receiver<Arc<ServerConfig>>, Error> {
        self.server_tls_asking(names, alpn, Asked::Nothing)
    }

    /// As [`Access::server_tls`], for a listener that asks its callers for certificates.
    ///
    /// # Errors
    /// `Internal` where a name cannot stand in a certificate.
    pub fn server_tls_asking(
        &self,
        names: Vec<String>,
        alpn: Vec<Vec<u8>>,
        asked: Asked,
    ) -> Result<watch::Receiver<Arc<ServerConfig>>, Error> {
        let house = Arc::clone(&self.house);
        let first = house.root.issue_server_certificate(&names)?;
        let mut ends_at = first.ends_at;
        let (given, receiver) = watch::channel(first.settings_asking(&alpn, asked)?);
        let renew = async move {
            let (stop, half) = (house.tasks.token(), house.config.certificate_life.to_std() / 2);
            loop {
                // Looked at in short rounds: a machine that slept finds the clock moved on.
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = given.closed() => return,
                    () = tokio::time::sleep(ROUND.min(half)) => {}
                }
                if (ends_at - house.clock.now()).to_std() > half {
                    continue;
                }
                let issued = house.root.issue_server_certificate(&names);
                match issued.and_then(|issued| Ok((issued.ends_at, issued.settings_asking(&alpn, asked)?))) {
                    Ok((ends, settings)) => {
                        ends_at = ends;
                        given.send_replace(settings);
                    }
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::error!(error, "a server certificate cannot be renewed");
                    }
                }
            }
        };
        self.house
            .tasks
            .spawn("access.certificate", Policy::MayEnd, renew);
        Ok(receiver)
    }

    /// Makes a new key that signs tokens from now on; tokens of the one before it stay good to their end.
    ///
    /// # Errors
    /// The store's own.
    pub async fn rotate_token_key(&self) -> Result<(), Error> {
        self.house.rotate_token_key().await
    }
}

impl House {
    async fn rotate_token_key(self: &Arc<Self>) -> Result<(), Error> {
        let (now, house) = (self.clock.now(), Arc::clone(self));
        let longest = self.config.longest_token();
        let make = move |tx: &mut Tx<'_>| {
            token_keys::make(tx, &house.seal, longest, now)?;
            token_keys::read(tx, &house.seal)
        };
        self.ring.set(self.write(make).await?);
        Ok(())
    }
}

/// Runs the upkeep until the house stops.
pub(crate) async fn run(house: Arc<House>) {
    let stop = house.tasks.token();
    let mut keys = house.store.watch(token_keys::TOPIC);
    loop {
        if let Err(error) = round(&house).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the upkeep of access is put off"
            );
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = keys.changed() => {}
            () = tokio::time::sleep(ROUND) => {}
        }
    }
}

async fn round(house: &Arc<House>) -> Result<(), Error> {
    let (now, seal) = (house.clock.now(), house.seal.clone());
    let keys = house.store.read(move |tx| token_keys::read(tx, &seal)).await?;
    let due = now - keys.made_at >= house.config.token_key_life;
    house.ring.set(keys);
    if due {
        house.rotate_token_key().await?;
    }
    if house.store.read(move |tx| anything_to_clear(tx, now)).await? {
        house.write(move |tx| clear(tx, now)).await?;
    }
    Ok(())
}

fn anything_to_clear(tx: &mut Tx<'_>, now: Timestamp) -> Result<bool, Error> {
    let row = tx.row(
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM sign_in_codes WHERE expires_at < ?1) \
         OR EXISTS (SELECT 1 FROM answered_challenges WHERE expires_at < ?1) \
         OR EXISTS (SELECT 1 FROM announced_wallets WHERE ends_at < ?1) \
         OR EXISTS (SELECT 1 FROM cookies WHERE ends_at < ?1) \
         OR EXISTS (SELECT 1 FROM sessions WHERE expires_at < ?2)",
        params![now, now - ENDED_SESSIONS],
    )?;
    Ok(row.is_some())
}

fn clear(tx: &mut Tx<'_>, now: Timestamp) -> Result<(), Error> {
    tx.execute("DELETE FROM sign_in_codes WHERE expires_at < ?1", params![now])?;
    tx.execute(
        "DELETE FROM answered_challenges WHERE expires_at < ?1",
        params![now],
    )?;
    tx.execute("DELETE FROM announced_wallets WHERE ends_at < ?1", params![now])?;
    tx.execute("DELETE FROM cookies WHERE ends_at < ?1", params![now])?;
    tx.execute(
        "DELETE FROM sessions WHERE expires_at < ?1",
        params![now - ENDED_SESSIONS],
    )?;
    Ok(())
}
