//! Who makes a call, for whom, on which cluster: the part that every call of SCOW's portal begins with.
//!
//! SCOW's own server believes the `user_id` of a request. Here a call carries a bearer, and `user_id` must be the
//! name of the bearer's own user. What it leaves to others: judging credential and right (`access`).

use access::{Access, Action, Permit};
use tonic::{Extensions, Status, metadata::MetadataMap};
use wire::FieldFaults;

use crate::{fault, trouble};

/// Asks `access` on behalf of a call, and knows the zone's clusters.
#[derive(Clone)]
pub(crate) struct Callers {
    callers: caller::Callers,
    cluster: String,
}

impl Callers {
    pub(crate) fn new(access: Access, cluster: String) -> Self {
        let callers = caller::Callers::new(access, "scow");
        Self { callers, cluster }
    }

    /// The id of the zone's cluster.
    pub(crate) fn cluster(&self) -> &str {
        &self.cluster
    }

    /// Whether the caller may do `A`.
    pub(crate) async fn permit<A: Action>(
        &self,
        metadata: &MetadataMap,
        extensions: &Extensions,
    ) -> Result<Permit<A>, Status> {
        self.callers.permit(metadata, extensions).await
    }

    /// Checks the two fields that every request has together with the others, and gives what the others say.
    pub(crate) fn check<A: Action, T>(
        &self,
        permit: &Permit<A>,
        user_id: &str,
        cluster: &str,
        others: Result<T, FieldFaults>,
    ) -> Result<T, Status> {
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
        if cluster != self.cluster {
            return Err(trouble::unknown_cluster(&[&self.cluster]));
        }
        Ok(others)
    }
}
