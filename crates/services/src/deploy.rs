//! Deploying: a manifest is read, checked and durable, then answered.
//!
//! A name that the user has already is deployed anew: the process of before ends, then the new one starts. The same
//! manifest again changes nothing, unless the service has failed. What it leaves to others: fetching a manifest (module
//! `fetch`), starting (modules `place` and `reconcile`).

use access::{Action, Permit};
use confine::Account;
use model::{Name, ServiceId, Timestamp};
use store::Tx;

use crate::{
    Deploy, DeployFrom, Draft, Error, Fault, Handle, Inner, Service, State, fetch, manifest,
    record::{self, Record},
    state::{Standing, Wanted},
};

impl Handle {
    /// Everything that is wrong with a manifest, for a door that has faults of its own to tell beside these.
    #[must_use]
    pub fn faults(&self, text: &str) -> Vec<Fault> {
        manifest::read(text).err().unwrap_or_default()
    }

    /// Deploys a service of the permit's user from a manifest, on a node of this name or on any. It is answered when
    /// it is durable; [`Handle::ready`] waits for it.
    ///
    /// # Errors
    /// Invalid: [`Error::Manifest`] with every fault, or there is no such node. Exists: the port is taken.
    /// Exhausted: the user has too many services. Else as access and the store say.
    pub async fn deploy(
        &self,
        permit: Permit<Deploy>,
        text: String,
        wanted_node: Option<Name>,
    ) -> Result<Service, Error> {
        let draft = manifest::read(&text).map_err(Error::Manifest)?;
        write(&self.inner, &permit, draft, wanted_node).await
    }

    /// Deploys a service of the permit's user from the manifest at an address, which must lie in one of the origins
    /// that the zone allows.
    ///
    /// # Errors
    /// Invalid: the address is not allowed, or as [`Handle::deploy`]. Unavailable, Precondition or Deadline: it gives
    /// no manifest.
    pub async fn deploy_from(&self, permit: Permit<DeployFrom>, url: String) -> Result<Service, Error> {
        let config = &self.inner.config;
        let text = fetch::fetch(&config.manifest_sources, config.own_network, &url).await?;
        let draft = manifest::read(&text).map_err(Error::Manifest)?;
        write(&self.inner, &permit, draft, None).await
    }
}

async fn write<A: Action>(
    inner: &Inner,
    permit: &Permit<A>,
    draft: Draft,
    wanted_node: Option<Name>,
) -> Result<Service, Error> {
    let wanted_node = wanted_node.map(|name| name.to_string()).unwrap_or_default();
    check_node(inner, &wanted_node).await?;
    let user = permit.user()?.clone();
    let fresh = Record {
        id: ServiceId::fresh(inner.clock.now()),
        name: draft.name.clone(),
        user: user.id,
        account: Account {
            name: user.name.to_string(),
            number: user.number,
            unix_name: user.unix_name.clone(),
            owner: permit.is_owner(),
        },
        user_name: user.name,
        draft,
        wanted_node,
        standing: Standing::new(),
        deployed_at: inner.clock.now(),
    };
    let most = inner.config.most_unfinished;
    let written = permit.write(&inner.store, move |tx| {
        tx.about(format!("service {} of {}", fresh.name, fresh.user_name));
        put(tx, &fresh, most)
    });
    Ok(written.await?.shown())
}

async fn check_node(inner: &Inner, wanted: &str) -> Result<(), Error> {
    if wanted.is_empty() {
        return Ok(());
    }
    let machines = inner.nodes.machines().await?;
    if machines.iter().any(|machine| machine.name == wanted) {
        return Ok(());
    }
    let names: Vec<String> = machines.into_iter().map(|machine| machine.name).collect();
    Err(Error::Field {
        field: "node",
        what: "is no machine of this zone".to_owned(),
        want: format!("one of {}, or nothing for any", names.join(", ")),
    })
}

fn put(tx: &mut Tx<'_>, fresh: &Record, most: u32) -> Result<Record, Error> {
    let present = record::by_name(tx, fresh.user, &fresh.name)?;
    let present = present.filter(|record| record.standing.state != State::Stopped);
    if let Some(port) = fresh.draft.port {
        let own = present.as_ref().map(|record| record.id);
        if record::port_is_taken(tx, port, &fresh.wanted_node, own)? {
            return Err(Error::PortTaken { port });
        }
    }
    let Some(present) = present else {
        if record::unfinished_of(tx, fresh.user)? >= i64::from(most) {
            return Err(Error::TooMany { most });
        }
        record::insert(tx, fresh)?;
        return Ok(fresh.clone());
    };
    if is_same(&present, fresh) {
        return touched(tx, present, fresh.deployed_at);
    }
    let next = Record {
        id: present.id,
        ..fresh.clone()
    };
    record::write_draft(tx, &next)?;
    let again = record::happen(tx, present.id, |_record, standing| standing.deploy_again())?;
    let (record, ()) = again.ok_or(Error::Row { what: "a service" })?;
    Ok(record)
}

/// Whether a deployment asks for what is there already.
fn is_same(present: &Record, fresh: &Record) -> bool {
    let standing = &present.standing;
    let runs = standing.wanted == Wanted::Run && standing.state != State::Failed;
    runs && present.draft == fresh.draft && present.wanted_node == fresh.wanted_node
}

/// The same service, deployed last from now on.
fn touched(tx: &mut Tx<'_>, present: Record, now: Timestamp) -> Result<Record, Error> {
    let record = Record {
        deployed_at: now,
        ..present
    };
    record::write_draft(tx, &record)?;
    Ok(record)
}
