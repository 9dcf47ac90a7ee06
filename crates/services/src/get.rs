//! Showing one service, now or once it stands where it shall.
//!
//! What it leaves to others: its endpoint (module `endpoint`).

use std::time::Duration;

use access::{Action, Permit, Scope};
use model::ServiceId;

use crate::{
    Error, Get, Handle, Inner, Service, State, Which,
    record::{self, Record, TOPIC},
};

impl Handle {
    /// Gives one service.
    ///
    /// # Errors
    /// `NotFound`: there is none, or it is not within the permit.
    pub async fn get(&self, permit: &Permit<Get>, which: Which) -> Result<Service, Error> {
        Ok(show(&self.inner, find(&self.inner, permit, which).await?))
    }

    /// Gives one service once it is ready, failed or stopped, or when the time is over.
    ///
    /// # Errors
    /// As [`Handle::get`].
    pub async fn settled(
        &self,
        permit: &Permit<Get>,
        which: Which,
        within: Duration,
    ) -> Result<Service, Error> {
        let mut changes = self.inner.store.watch(TOPIC);
        let first = self.get(permit, which).await?;
        let id = first.id;
        let mut last = first;
        let wait = async {
            loop {
                changes.changed().await;
                let now = self.get(permit, Which::Id(id)).await?;
                let settled = matches!(now.state, State::Ready | State::Failed | State::Stopped);
                last = now;
                if settled {
                    return Ok::<(), Error>(());
                }
            }
        };
        let token = self.inner.tasks.token();
        tokio::select! {
            waited = tokio::time::timeout(within, wait) => {
                // The time being over is an answer, too.
                waited.unwrap_or(Ok(()))?;
            }
            () = token.cancelled() => {}
        }
        Ok(last)
    }

    /// Waits until a service is ready.
    ///
    /// # Errors
    /// As [`Handle::get`]; Precondition: it failed or is stopped; Deadline: it is not ready when the time is over.
    pub async fn ready(
        &self,
        permit: &Permit<Get>,
        id: ServiceId,
        within: Duration,
    ) -> Result<Service, Error> {
        let service = self.settled(permit, Which::Id(id), within).await?;
        let (name, reason) = (service.name.to_string(), service.reason.clone());
        match service.state {
            State::Ready => Ok(service),
            state @ (State::Failed | State::Stopped | State::Stopping) => {
                Err(Error::NotReady { name, state, reason })
            }
            state @ (State::Pending | State::Starting | State::Unready | State::Restarting) => {
                Err(Error::NotInTime { name, state, reason })
            }
        }
    }
}

/// The service as it is shown now: one whose node is away was last heard of as its row says.
pub(crate) fn show(inner: &Inner, record: Record) -> Service {
    let mut service = record.shown();
    let is_away = service.node.is_some_and(|node| inner.nodes.on(node).is_none());
    if is_away && !matches!(service.state, State::Failed | State::Stopped) {
        service.reason = "its node is away".to_owned();
        if service.state == State::Ready {
            service.state = State::Unready;
        }
    }
    service
}

/// The service, where there is one and the permit covers it.
pub(crate) async fn find<A: Action>(
    inner: &Inner,
    permit: &Permit<A>,
    which: Which,
) -> Result<Record, Error> {
    let user = permit.user()?.id;
    let asked = which.clone();
    let found = permit.read(&inner.store, move |tx| match &asked {
        Which::Id(id) => record::by_id(tx, *id),
        Which::Named(name) => record::by_name(tx, user, name),
        Which::Latest => record::latest(tx, user),
    });
    let found = found.await?;
    let covered = found.filter(|record| permit.covers(&Scope::User(record.user)));
    covered.ok_or_else(|| Error::NotFound {
        what: which.to_string(),
    })
}
