//! Everything but the handshake: to the service that the caller has deployed last.
//!
//! Section 6 of the contract, "Process"; the answers where nothing is forwarded are 400, as the document says. What it
//! leaves to others: the bytes, and what happens to headers on the way (`gateway`).

use access::{Actor, Peer, UserActor};
use http::{StatusCode, request};
use model::ErrorKind;

use crate::{Answer, Door, Endpoint, Forward, NoEndpoint, Origin, refusal};

impl Door {
    /// Says where a request goes.
    pub(crate) async fn process(&self, head: &request::Parts, peer: &Peer) -> Answer {
        let refuse = |text| Answer::Response(refusal(StatusCode::BAD_REQUEST, text));
        let user = match self.caller(head, peer).await {
            Ok(user) => user,
            Err(error) => {
                log(&error);
                return refuse("user is not authorized");
            }
        };
        match self.entrance(&user, peer).await {
            Ok((endpoint, origin)) => Answer::Forward(Forward {
                endpoint,
                origin,
                user,
            }),
            Err(NoEndpoint::NotDeployed | NoEndpoint::Failed) => {
                refuse("have not deployed before or something went wrong")
            }
        }
    }

    async fn entrance(
        &self,
        user: &UserActor,
        peer: &Peer,
    ) -> Result<(Endpoint, Option<Origin>), NoEndpoint> {
        if let Some(targets) = &self.targets {
            let (endpoint, origin) = targets.of(user.id).ok_or(NoEndpoint::NotDeployed)?;
            return Ok((endpoint, Some(origin)));
        }
        let actor = Actor::User(user.clone());
        let endpoint = self.services.endpoint(&actor, peer).await?;
        Ok((endpoint, None))
    }
}

/// Logs what is no fault of the caller.
pub(crate) fn log(error: &access::Error) {
    if matches!(
        error.kind(),
        ErrorKind::Internal | ErrorKind::Unavailable | ErrorKind::Deadline
    ) {
        tracing::error!(error = model::chain(error), "a call failed");
    }
}
