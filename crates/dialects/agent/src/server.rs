//! The server's half: what machines ask and tell.
//!
//! What it leaves to others: every rule (`nodes`, `access`).

use access::{Access, Action, NodeCertificate, NodePermit, Peer, Secret};
use model::NodeId;
use nodes::{Heartbeat, Leave, Renew, State, Told, Wish};
use rpc::{PeerInfo, RequestId};
use tonic::{Extensions, Request, Response, Status};
use wire::{
    FieldFaults,
    soke::agent::v1::{self, node_service_server::NodeService},
};

use crate::fault;

/// Serves the calls of machines.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) access: Access,
    pub(crate) nodes: nodes::Handle,
}

impl Server {
    fn peer(extensions: &Extensions) -> Peer {
        let address = PeerInfo::of(extensions).map(|peer| peer.address.ip());
        let peer = Peer::new(address, "agent");
        match RequestId::of(extensions) {
            Some(id) => peer.with_request_id(id.as_str()),
            None => peer,
        }
    }

    /// Whether the machine at the other end may do `A`. Its key was proven when the connection was made.
    async fn permit<A: Action>(&self, extensions: &Extensions) -> Result<NodePermit<A>, Status> {
        let peer = Self::peer(extensions);
        let connection = PeerInfo::of(extensions);
        let shown = connection.and_then(|connection| connection.certificates.first());
        let Some(certificate) = shown else {
            return Err(caller::fault::access(self.access.refuse(&peer)));
        };
        let node = self.access.authenticate_node(certificate, &peer).await;
        let permit = self
            .access
            .permit_node(&node.map_err(caller::fault::access)?, &peer)
            .await;
        permit.map_err(caller::fault::access)
    }
}

#[tonic::async_trait]
impl NodeService for Server {
    async fn join(&self, request: Request<v1::JoinRequest>) -> Result<Response<v1::JoinResponse>, Status> {
        let (_metadata, extensions, message) = request.into_parts();
        let wish = Wish {
            token: Secret::from(message.token),
            name: message.name,
            request: message.certificate_request,
            device_key: message.device_key,
            overlay_key: message.overlay_key,
        };
        let joined = self.nodes.join(&Self::peer(&extensions), &wish).await;
        let joined = joined.map_err(fault::nodes)?;
        Ok(Response::new(v1::JoinResponse {
            node: Some(node(&joined.node)),
            certificate: Some(certificate(&joined.certificate)),
        }))
    }

    async fn renew(&self, request: Request<v1::RenewRequest>) -> Result<Response<v1::RenewResponse>, Status> {
        let (_metadata, extensions, message) = request.into_parts();
        let permit = self.permit::<Renew>(&extensions).await?;
        let id = id(&message.node_id)?;
        let renewed = self.nodes.renew(&permit, id, &message.certificate_request).await;
        let renewed = renewed.map_err(fault::nodes)?;
        Ok(Response::new(v1::RenewResponse {
            certificate: Some(certificate(&renewed)),
        }))
    }

    async fn get_node(
        &self,
        request: Request<v1::GetNodeRequest>,
    ) -> Result<Response<v1::GetNodeResponse>, Status> {
        let (_metadata, extensions, message) = request.into_parts();
        let permit = self.permit::<State>(&extensions).await?;
        let found = self.nodes.state(&permit, id(&message.node_id)?).await;
        let found = found.map_err(fault::nodes)?;
        Ok(Response::new(v1::GetNodeResponse {
            node: Some(node(&found)),
        }))
    }

    async fn leave(&self, request: Request<v1::LeaveRequest>) -> Result<Response<v1::LeaveResponse>, Status> {
        let (_metadata, extensions, message) = request.into_parts();
        let permit = self.permit::<Leave>(&extensions).await?;
        let left = self.nodes.leave(&permit, id(&message.node_id)?).await;
        left.map_err(fault::nodes)?;
        Ok(Response::new(v1::LeaveResponse {}))
    }

    async fn heartbeat(
        &self,
        request: Request<v1::HeartbeatRequest>,
    ) -> Result<Response<v1::HeartbeatResponse>, Status> {
        let (_metadata, extensions, message) = request.into_parts();
        let permit = self.permit::<Heartbeat>(&extensions).await?;
        let told = Told {
            version: message.version,
            cores: message.cores,
            memory_bytes: message.memory_bytes,
        };
        let noted = self.nodes.heartbeat(&permit, permit.node().id, told).await;
        noted.map_err(fault::nodes)?;
        Ok(Response::new(v1::HeartbeatResponse {}))
    }
}

fn id(text: &str) -> Result<NodeId, Status> {
    text.parse().map_err(|_bad_id| {
        let mut faults = FieldFaults::new();
        faults.add("node_id", "is no id", "the id that Join answered");
        faults.into_status()
    })
}

fn node(node: &nodes::Node) -> v1::Node {
    v1::Node {
        node_id: node.id.to_string(),
        name: node.name.to_string(),
        address: node.address.to_string(),
        peer_address: node.peer_address().to_string(),
    }
}

fn certificate(certificate: &NodeCertificate) -> v1::Certificate {
    v1::Certificate {
        chain: certificate.chain.iter().map(|one| one.to_vec()).collect(),
        ends_at_micros: certificate.ends_at.micros(),
    }
}
