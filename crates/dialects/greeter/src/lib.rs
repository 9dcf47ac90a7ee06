//! The gRPC document's examples as a server: `helloworld.Greeter` and the `HelloService` without a package, with
//! reflection (v1 and v1alpha) and health, in protobuf and in JSON.
//!
//! What it is for: trying out a gRPC client, as the document does on port 50051. It holds no state and no secret, asks
//! nobody who they are, and belongs to no zone. What it leaves to others: transport, deadlines, limits (`rpc`).
//!
//! Request path: `rpc` -> [`rpc::Calls`] -> `greet` (this crate), reflection or health (tonic's).

mod error;
mod greet;
mod reflect;

use std::{net::SocketAddr, time::Duration};

use rpc::{CallLimits, Calls, Json, Limits, ListenAddress, Listener, Security, Serving};
use tasks::{Stopped, Tasks};
use tonic::service::Routes;
use wire::{hello::hello_service_server::HelloServiceServer, helloworld::greeter_server::GreeterServer};

pub use error::Error;
use greet::Greet;

/// Where the document's server stands.
pub const PORT: u16 = 50_051;

/// The most bytes of one message.
const MOST_MESSAGE: u32 = 64 * 1024;

/// What the greeter is made of.
pub struct Parts {
    /// Where it stands.
    pub address: ListenAddress,
    /// Plain, as in the document, or TLS.
    pub security: Security,
    /// Whether a plain listener may stand where others reach it.
    pub insecure: bool,
    /// The owner of its tasks.
    pub tasks: Tasks,
}

/// The open greeter.
#[derive(Debug)]
pub struct Handle {
    serving: Serving,
}

/// Opens the greeter.
///
/// # Errors
/// Invalid where a plain listener would be reached by others; precondition where the address cannot be taken.
pub async fn start(parts: Parts) -> Result<Handle, Error> {
    let failed = |source| Error::Open { source };
    if matches!(parts.security, Security::Plain) {
        let checked = parts.address.check_plaintext(parts.insecure);
        checked.map_err(|_reachable| Error::Plaintext {
            address: parts.address.to_string(),
        })?;
    }
    let listener = Listener::bind(parts.address, parts.security)
        .await
        .map_err(failed)?;
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<GreeterServer<Greet>>().await;
    reporter.set_serving::<HelloServiceServer<Greet>>().await;
    let (reflection, reflection_alpha) = reflect::services()?;
    let mut routes = Routes::builder();
    let most = usize::try_from(MOST_MESSAGE).unwrap_or(usize::MAX);
    routes
        .add_service(GreeterServer::new(Greet).max_decoding_message_size(most))
        .add_service(HelloServiceServer::new(Greet).max_decoding_message_size(most))
        .add_service(health)
        .add_service(reflection)
        .add_service(reflection_alpha);
    let limits = CallLimits {
        message_bytes: MOST_MESSAGE,
        ..CallLimits::default()
    };
    let json = Json::new(wire::DESCRIPTORS).map_err(|fault| Error::Descriptors {
        source: Box::new(fault),
    })?;
    let calls = Calls::new(routes.routes(), limits).with_json(json);
    let serving = rpc::serve(listener, calls, &parts.tasks, Limits::default());
    Ok(Handle { serving })
}

impl Handle {
    /// The address with its real port.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.serving.address()
    }

    /// Closes the greeter; running calls have `grace` to end.
    pub async fn stop(&self, grace: Duration) -> Stopped {
        self.serving.stop(grace).await
    }
}
