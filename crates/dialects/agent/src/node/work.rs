//! Everything that a machine does for its zone, as one service that answers over the link.
//!
//! Each sort of work adds its own gRPC service to one builder. What it leaves to others: the work.

use rpc::{CallLimits, Calls};
use tonic::service::RoutesBuilder;

/// The service of a machine that does the work in `services`; any other call of its zone answers UNIMPLEMENTED.
#[must_use]
pub fn work(services: RoutesBuilder) -> Calls {
    Calls::new(services.routes(), CallLimits::default())
}
