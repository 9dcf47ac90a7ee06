//! Who calls, asked before anything else of a call is read, and what the service shows of itself in turn.
//!
//! What it is for: authentication of one's own, on the side that answers: an [`Authenticator`] looks at each call and
//! gives a principal or refuses, and call credentials can go along with answers as they do with calls. What it leaves
//! to others: what a principal may do, and the doors of a zone, which ask `access` about each action.

use std::sync::Arc;

use http::{Extensions, Request};
use model::ErrorKind;
use tonic::{Status, body::Body, metadata::MetadataMap};

use crate::{AuthContext, Call, CallCredentials, Deadline, PeerInfo, credentials};

/// A call as an [`Authenticator`] sees it: its head, and nothing of its messages.
pub struct Arriving<'a> {
    call: &'a Call,
    metadata: &'a MetadataMap,
    auth: &'a AuthContext,
    peer: Option<&'a PeerInfo>,
}

impl Arriving<'_> {
    /// The method as it stands in the request: `/package.Service/Method`.
    #[must_use]
    pub fn method(&self) -> &str {
        self.call.method()
    }

    /// What the caller sent along.
    #[must_use]
    pub const fn metadata(&self) -> &MetadataMap {
        self.metadata
    }

    /// How safe the connection is, and whom it proves.
    #[must_use]
    pub const fn auth_context(&self) -> &AuthContext {
        self.auth
    }

    /// Where the call comes from; nothing where it came over no listener.
    #[must_use]
    pub const fn peer(&self) -> Option<&PeerInfo> {
        self.peer
    }

    /// When the call ends at the latest; nothing where the caller set no deadline.
    #[must_use]
    pub fn deadline(&self) -> Option<&Deadline> {
        self.call.deadline()
    }
}

/// Finds out who makes a call. It is asked once for each, before a message is read and before anything is said; it may
/// wait and ask others, within the deadline of the call.
#[tonic::async_trait]
pub trait Authenticator: Send + Sync + 'static {
    /// What a caller is found to be. Handlers find it among the extensions of their request.
    type Principal: Clone + Send + Sync + 'static;

    /// Gives who calls. A method that everybody may call needs a principal that says so.
    ///
    /// # Errors
    /// The status that the call ends with; no handler sees it then.
    async fn authenticate(&self, call: &Arriving<'_>) -> Result<Self::Principal, Status>;
}

/// An authenticator whose kind of principal nobody needs to know.
#[tonic::async_trait]
trait Admits: Send + Sync {
    async fn admit(&self, call: &Arriving<'_>) -> Result<Extensions, Status>;
}

#[tonic::async_trait]
impl<A: Authenticator> Admits for A {
    async fn admit(&self, call: &Arriving<'_>) -> Result<Extensions, Status> {
        let principal = self.authenticate(call).await?;
        let mut extensions = Extensions::new();
        extensions.insert(principal);
        Ok(extensions)
    }
}

/// What stands before the handlers of a set of services.
#[derive(Clone, Default)]
pub(crate) struct Guard {
    authenticator: Option<Arc<dyn Admits>>,
    credentials: Vec<Arc<dyn CallCredentials>>,
}

impl Guard {
    pub(crate) fn set_authenticator(&mut self, authenticator: impl Authenticator) {
        self.authenticator = Some(Arc::new(authenticator));
    }

    pub(crate) fn add_credentials(&mut self, credentials: impl CallCredentials + 'static) {
        self.credentials.push(Arc::new(credentials));
    }

    pub(crate) fn is_open(&self) -> bool {
        self.authenticator.is_none() && self.credentials.is_empty()
    }

    /// Puts who calls among the extensions, and what this side shows into the head of the answer.
    pub(crate) async fn admit(&self, request: &mut Request<Body>, call: &Call) -> Result<(), Status> {
        let auth = AuthContext::of(request.extensions()).unwrap_or_else(AuthContext::nothing);
        if let Some(authenticator) = &self.authenticator {
            let metadata = MetadataMap::from_headers(std::mem::take(request.headers_mut()));
            let admitted = {
                let arriving = Arriving {
                    call,
                    metadata: &metadata,
                    auth: &auth,
                    peer: PeerInfo::of(request.extensions()),
                };
                authenticator.admit(&arriving).await
            };
            *request.headers_mut() = metadata.into_headers();
            request.extensions_mut().extend(admitted?);
        }
        let mut needed = self.credentials.iter().map(|part| part.minimum_security());
        if needed.any(|least| least > auth.security()) {
            return Err(wire::status(
                ErrorKind::Unauthenticated,
                "this service proves itself with every answer, and only where nobody can read it on the way: \
                 connect with TLS",
            ));
        }
        if !self.credentials.is_empty() {
            let shown =
                credentials::metadata(self.credentials.iter(), auth.security(), request.uri()).await?;
            call.add_initial_metadata(MetadataMap::from_headers(shown));
        }
        Ok(())
    }
}
