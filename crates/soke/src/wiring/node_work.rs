//! What this machine does for its zone over the link: one line for each room that works on nodes.
//!
//! What it leaves to others: the work, and the link (`agent`).

use rpc::Calls;
use tonic::service::Routes;

/// Everything that a node answers.
pub(crate) fn node_work() -> Calls {
    let services = Routes::builder();
    agent::node::work(services)
}
