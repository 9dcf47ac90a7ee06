//! A machine that does no work: each call of its zone answers UNIMPLEMENTED.
//!
//! What it leaves to others: everything.

use rpc::{CallLimits, Calls};
use tonic::service::Routes;
use wire::soke::agent::v1::agent_service_server::{AgentService, AgentServiceServer};

struct Idle;

impl AgentService for Idle {}

/// The service of a machine that keeps its link and does nothing over it.
#[must_use]
pub fn idle() -> Calls {
    Calls::new(Routes::new(AgentServiceServer::new(Idle)), CallLimits::default())
}
