//! Who makes a call, for whom, on which cluster: the part that every call of SCOW begins with.
//!
//! SCOW's own server believes the `user_id` of a request. Here a call carries a bearer: a user's own, and then `user_id`
//! must be that user's name; or, at the doors for front ends, the token of a front end, which speaks for the user that
//! is named, and for nobody on the management side. What it leaves to others: judging credential and right (`access`).

use access::{Access, Action, Actor, Credential, Faults, Peer, Permit};
use model::ErrorKind;
use tonic::{Extensions, Status, metadata::MetadataMap};
use wire::FieldFaults;

use crate::{fault, trouble};

/// Asks `access` on behalf of a call, and knows the zone's clusters.
#[derive(Clone)]
pub(crate) struct Callers {
    callers: caller::Callers,
    cluster: String,
    front_ends: bool,
}

/// Who makes a call of the portal side.
pub(crate) enum Caller<A> {
    /// Somebody who may make it.
    Known(Permit<A>),
    /// A front end, whose request names what cannot be a user; the right is not judged without one.
    Unnamed(Faults),
}

impl Callers {
    /// For a door at which users show their own bearers.
    pub(crate) fn new(access: Access, cluster: String) -> Self {
        let callers = caller::Callers::new(access, "scow");
        Self {
            callers,
            cluster,
            front_ends: false,
        }
    }

    /// The same for a door at which front ends show their tokens too.
    pub(crate) fn with_front_ends(mut self) -> Self {
        self.front_ends = true;
        self
    }

    /// The id of the zone's cluster.
    pub(crate) fn cluster(&self) -> &str {
        &self.cluster
    }

    /// Passes where the asked cluster is the zone's.
    pub(crate) fn check_cluster(&self, cluster: &str) -> Result<(), Status> {
        if cluster == self.cluster {
            Ok(())
        } else {
            Err(trouble::unknown_cluster(&[&self.cluster]))
        }
    }

    /// Whether the caller of a request that speaks for nobody may do `A`.
    pub(crate) async fn permit<A: Action>(
        &self,
        metadata: &MetadataMap,
        extensions: &Extensions,
    ) -> Result<Permit<A>, Status> {
        let peer = self.callers.peer(extensions);
        let actor = self.actor(metadata, &peer, None).await?;
        let actor = actor.map_err(|faults| caller::fault::fields(&faults))?;
        self.may(&actor, &peer).await
    }

    /// Whether the caller of a request that speaks for `user_id` may do `A`. A user's own bearer is judged as that
    /// user's; [`Callers::check`] then compares the names.
    pub(crate) async fn caller<A: Action>(
        &self,
        metadata: &MetadataMap,
        extensions: &Extensions,
        user_id: &str,
    ) -> Result<Caller<A>, Status> {
        let peer = self.callers.peer(extensions);
        match self.actor(metadata, &peer, Some(user_id.to_owned())).await? {
            Ok(actor) => Ok(Caller::Known(self.may(&actor, &peer).await?)),
            Err(faults) => Ok(Caller::Unnamed(faults)),
        }
    }

    /// Checks the two fields that the portal's requests have together with the others; gives the right, and what the
    /// others say.
    pub(crate) fn check<A: Action, T>(
        &self,
        caller: Caller<A>,
        user_id: &str,
        cluster: &str,
        others: Result<T, FieldFaults>,
    ) -> Result<(Permit<A>, T), Status> {
        let permit = match caller {
            Caller::Known(permit) => permit,
            Caller::Unnamed(wrong) => {
                let mut faults = others.err().unwrap_or_default();
                for fault in &wrong.0 {
                    faults.add(fault.field, &fault.what, &fault.want);
                }
                return Err(faults.into_status());
            }
        };
        let name = permit.user().map_err(caller::fault::access)?.name.as_str();
        if user_id.is_empty() {
            let mut faults = others.err().unwrap_or_default();
            let right = format!("the name of the signed-in user, `{name}`");
            faults.add("user_id", "is empty", right);
            return Err(faults.into_status());
        }
        let others = others.map_err(FieldFaults::into_status)?;
        if user_id != name {
            return Err(fault::denied(&format!(
                "user_id names somebody else: this session may act for `{name}` only"
            )));
        }
        self.check_cluster(cluster)?;
        Ok((permit, others))
    }

    async fn may<A: Action>(&self, actor: &Actor, peer: &Peer) -> Result<Permit<A>, Status> {
        let permit = self.callers.access().permit(actor, peer).await;
        permit.map_err(caller::fault::access)
    }

    /// Who calls; what is wrong with the user for whom a front end is to speak.
    async fn actor(
        &self,
        metadata: &MetadataMap,
        peer: &Peer,
        user: Option<String>,
    ) -> Result<Result<Actor, Faults>, Status> {
        let access = self.callers.access();
        // SCOW answers so, where every other door of the zone says UNAUTHENTICATED.
        if metadata.get_all("authorization").iter().count() > 1 {
            drop(access.refuse(peer));
            let text = "authorization is there more than once: want one entry, `Bearer <token>`";
            return Err(wire::status(ErrorKind::Invalid, text));
        }
        let Some(token) = caller::token(metadata)? else {
            return Err(caller::fault::access(access.refuse(peer)));
        };
        let credential = if self.front_ends {
            Credential::FrontEnd { token, user }
        } else {
            Credential::Bearer(token)
        };
        match access.authenticate(credential, peer).await {
            Ok(actor) => Ok(Ok(actor)),
            Err(access::Error::Invalid(faults)) if faults.0.iter().all(|fault| fault.field == "user_id") => {
                Ok(Err(faults))
            }
            Err(error) => Err(caller::fault::access(error)),
        }
    }
}
