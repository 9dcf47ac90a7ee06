//! The start of this room: opens or makes the zone, and starts its upkeep.
//!
//! What it leaves to others: opening the store and the listeners (crate `soke`).

use std::sync::Arc;

use tasks::Policy;
use tokio::sync::Notify;

use crate::{
    Access, Error, Parts,
    audit::{self, Anonymous},
    ed25519::Challenges,
    handshake,
    house::House,
    password::Hasher,
    password_proof,
    recent::Recent,
    roles::Table,
    root,
    seal::KeyFile,
    token_keys::{self, Ring},
    tries::Tries,
    upkeep,
    wallet::message::Messages,
};

impl Access {
    /// Opens the zone in the store, or makes one where there is none, and starts this room's tasks.
    ///
    /// # Errors
    /// `Precondition` where the store holds a zone and its seal key is missing, damaged or readable by others;
    /// `Internal` where the zone's secrets do not open with it; the store's own.
    pub async fn start(parts: Parts) -> Result<Access, Error> {
        let Parts {
            store,
            tasks,
            clock,
            keys_dir,
            zone_host,
            config,
        } = parts;
        let known = store.read(root::read_id).await?;
        let may_make = known.is_none();
        let key_file = tasks
            .blocking("access.seal_key", move || KeyFile::open(&keys_dir, may_make))
            .await??;
        let now = clock.now();
        let zone_id = known.unwrap_or_else(|| root::fresh_zone_id(now));
        let seal = key_file.for_zone(&zone_id)?;
        if may_make {
            let (draft, id, key) = (root::Draft::draw(&zone_id, now)?, zone_id.clone(), seal.clone());
            let life = config.longest_token();
            let make = move |tx: &mut store::Tx<'_>| {
                draft.write(tx, &key, &id, now)?;
                token_keys::make(tx, &key, life, now)?;
                audit::begin(tx, &key, now)
            };
            store.write(make).await?;
        }
        if !config.password_proof {
            store.write(password_proof::forget_all).await?;
        }
        if config.believe_wallets {
            store.write(handshake::forget_all).await?;
        }
        let (key, its_clock, life) = (seal.clone(), clock.clone(), config.certificate_life);
        let read = move |tx: &mut store::Tx<'_>| {
            let (root, challenge_key) = root::read(tx, &key, &its_clock, life)?;
            Ok::<_, Error>((root, challenge_key, token_keys::read(tx, &key)?))
        };
        let (root, challenge_key, keys) = store.read(read).await?;
        let challenges = Challenges::new(&challenge_key, &format!("{zone_id} {zone_host}"));
        let wallet_texts = Messages::new(&challenge_key, &zone_host, &zone_id);
        let hasher = Hasher::new(&tasks, config.hashing_at_once).await?;
        let house = House {
            tries: Tries::new(config.sign_ins_per_minute),
            roles: Table::shipped()?,
            ring: Ring::new(keys),
            anonymous: Anonymous::default(),
            recent: Recent::default(),
            unsealed: Notify::new(),
            reads: std::sync::Mutex::default(),
            store,
            tasks,
            clock,
            config,
            seal,
            root,
            challenges,
            wallet_texts,
            hasher,
        };
        let house = Arc::new(house);
        house.tasks.spawn(
            "access.sealer",
            Policy::StopAll,
            audit::run_sealer(Arc::clone(&house)),
        );
        house
            .tasks
            .spawn("access.upkeep", Policy::StopAll, upkeep::run(Arc::clone(&house)));
        Ok(Access { house })
    }
}
