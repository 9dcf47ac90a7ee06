//! The Grid compute gateway's HTTP door: the wallet's handshake under GET `/greet`, and everything else to the
//! service that the caller has deployed.
//!
//! Path of a request: its head comes from the gateway's listener -> `/greet` or not -> cookie -> access -> services
//! -> a small JSON answer, or [`Answer::Forward`]. What it leaves to others: signatures, cookies and rights
//! (`access`), deploying ([`Services`]), and carrying bytes (`gateway`).
//!
//! Paths, parameters and texts are those of the contract on HTTP (sections 2 to 6), where the document speaks; where
//! Soke differs, `docs/grid.md` says so. The answers to `/greet` are one JSON object each.
//!
//! Invariants: nothing is deployed and nothing forwarded without a cookie that this zone gave; a caller reaches only
//! what is theirs; no answer and no log line holds a cookie or a signature. Outside of a zone for tests no input but a
//! good signature signs anybody in, whatever it says.

mod answer;
mod cookie;
mod greet;
mod process;
mod query;
mod services;
mod target;

use std::sync::Arc;

use access::{Access, Actor, Peer, UserActor};
use http::{Method, Response, StatusCode, request};
use rpc::{PeerInfo, RequestId};
use tasks::Clock;
use tonic::body::Body;

pub use answer::refusal;
pub use cookie::owns as owns_cookie;
pub use services::{Endpoint, NoEndpoint, NotDeployed, Services};
pub use target::Origin;

use target::Targets;

/// The one path of the handshake.
const GREET: &str = "/greet";

/// What the door is made of.
pub struct Parts {
    /// Who callers are and what they may do.
    pub access: Access,
    /// Deploys, and knows what is deployed.
    pub services: Arc<dyn Services>,
    /// The clock.
    pub clock: Clock,
    /// Whether the zone is for trying clients out: callers are believed, and a deployment is a host to forward to.
    pub test: bool,
}

/// The door. It is asked about the head of each request.
pub struct Door {
    access: Access,
    services: Arc<dyn Services>,
    clock: Clock,
    /// Where callers want to be forwarded to; only in a zone for tests.
    targets: Option<Targets>,
}

/// What the door says of a request.
pub enum Answer {
    /// This.
    Response(Response<Body>),
    /// It goes to a service of the caller.
    Forward(Forward),
}

/// Where a request goes, and in whose name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// The service.
    pub endpoint: Endpoint,
    /// In a zone for tests: the host that stands for a service.
    pub origin: Option<Origin>,
    /// The caller, and the session by which it goes through.
    pub user: UserActor,
}

impl Door {
    /// Makes the door.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts {
            access,
            services,
            clock,
            test,
        } = parts;
        Self {
            access,
            services,
            clock,
            targets: test.then(Targets::default),
        }
    }

    /// Answers a request by its head, or says where it goes.
    pub async fn answer(&self, head: &request::Parts) -> Answer {
        let Some(info) = PeerInfo::of(&head.extensions) else {
            let text = "the source address is missing";
            return Answer::Response(refusal(StatusCode::INTERNAL_SERVER_ERROR, text));
        };
        let id = RequestId::fresh();
        let peer = Peer::new(Some(info.address.ip()), "grid").with_request_id(id.as_str());
        if head.method == Method::GET && head.uri.path() == GREET {
            let mut response = self.greet(head, info, &peer).await;
            id.tell(response.headers_mut());
            Answer::Response(response)
        } else {
            self.process(head, &peer).await
        }
    }

    /// Whoever shows a cookie that stands. Of several the first good one counts.
    async fn caller(&self, head: &request::Parts, peer: &Peer) -> Result<UserActor, access::Error> {
        let mut refusal = None;
        for shown in cookie::shown(&head.headers, self.targets.is_some()) {
            match self.access.authenticate(shown, peer).await {
                Ok(Actor::User(user)) => return Ok(user),
                Ok(Actor::FrontEnd(_)) => {}
                Err(error) => refusal = Some(error),
            }
        }
        Err(refusal.unwrap_or_else(|| self.access.refuse(peer)))
    }
}
