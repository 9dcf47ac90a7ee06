//! A service that asks who calls, before any handler: the other side of an access token.

use std::collections::BTreeMap;

use rpc::{Arriving, Authenticator, CallLimits, Calls, bearer};
use sha2::{Digest as _, Sha256};
use tonic::{Request, Response, Status, service::Routes};
use wire::hello::{
    HelloRequest, HelloResponse,
    hello_service_server::{HelloService, HelloServiceServer},
};

/// Who calls, as handlers find it.
#[derive(Debug, Clone)]
pub(crate) struct Caller(String);

/// Knows tokens by their digests, so that how long a look takes tells nothing of a token.
pub(crate) struct Doorkeeper(BTreeMap<[u8; 32], String>);

impl Doorkeeper {
    /// Lets the holder of this token in, under this name.
    pub(crate) fn new(token: &str, name: &str) -> Self {
        Self(BTreeMap::from([(Sha256::digest(token).into(), name.to_owned())]))
    }
}

#[tonic::async_trait]
impl Authenticator for Doorkeeper {
    type Principal = Caller;

    async fn authenticate(&self, call: &Arriving<'_>) -> Result<Caller, Status> {
        let refused = || Status::unauthenticated("a token is needed, and this is none of ours");
        let token = bearer(call.metadata()).map_err(|_fault| refused())?;
        let digest = Sha256::digest(token.ok_or_else(refused)?.expose());
        let name = self.0.get(digest.as_slice()).ok_or_else(refused)?;
        Ok(Caller(name.clone()))
    }
}

/// Says hello to whoever has called.
struct Hello;

#[tonic::async_trait]
impl HelloService for Hello {
    async fn say_hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloResponse>, Status> {
        let caller = request.extensions().get::<Caller>();
        let name = caller.map_or("", |Caller(name)| name);
        let reply = format!("Hello,{name}!");
        Ok(Response::new(HelloResponse { reply }))
    }
}

/// The service behind its doorkeeper, to be served over TLS.
pub(crate) fn guarded(doorkeeper: Doorkeeper) -> Calls {
    let calls = Calls::new(Routes::new(HelloServiceServer::new(Hello)), CallLimits::default());
    calls.with_authenticator(doorkeeper)
}
