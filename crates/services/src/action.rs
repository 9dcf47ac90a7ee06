//! What can be done with services, as the table of roles names it.
//!
//! What it leaves to others: who may do it (crate `access`).

access::actions! {
    /// Deploys a service from a manifest's text.
    Deploy "services.deploy" true
    /// Deploys a service from a manifest's address.
    DeployFrom "services.deploy_from" true
    /// Shows one service.
    Get "services.get" false
    /// Lists services.
    List "services.list" false
    /// Stops a service.
    Stop "services.stop" true
    /// Sends requests to a service.
    Use "services.use" false
}
