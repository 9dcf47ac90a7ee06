//! `scow.server.ConfigService`: which clusters are in service. The zone has one, and it is.
//!
//! What it leaves to others: what the cluster offers (`scow.common.ConfigService`).

use access::zone;
use tonic::{Request, Response, Status};
use wire::scow::server::{
    ClusterActivationStatus, ClusterRuntimeInfo, GetClustersRuntimeInfoRequest,
    GetClustersRuntimeInfoResponse, config_service_server::ConfigService,
};

use crate::server::Management;

#[tonic::async_trait]
impl ConfigService for Management {
    async fn get_clusters_runtime_info(
        &self,
        request: Request<GetClustersRuntimeInfoRequest>,
    ) -> Result<Response<GetClustersRuntimeInfoResponse>, Status> {
        self.permit::<zone::Status, _>(request).await?;
        let cluster = ClusterRuntimeInfo {
            cluster_id: self.callers.cluster().to_owned(),
            activation_status: ClusterActivationStatus::Activated.into(),
            last_activation_operation: None,
            update_time: None,
        };
        let results = vec![cluster];
        Ok(Response::new(GetClustersRuntimeInfoResponse { results }))
    }
}
