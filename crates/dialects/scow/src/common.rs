//! `scow.common.ConfigService`: what the zone's one cluster is and offers, and the version of the API. Both sides serve
//! it.
//!
//! What it leaves to others: what the nodes have (`jobs`), and who is in which account (`accounts`).

use access::{Permit, zone};
use accounts::Look;
use jobs::Offered;
use model::ErrorKind;
use tonic::{Request, Response, Status, service::RoutesBuilder};
use wire::scow::common::{
    ClusterConfigSchemaProto, GetApiVersionRequest, GetApiVersionResponse,
    GetAvailablePartitionsForClusterRequest, GetAvailablePartitionsForClusterResponse,
    GetClusterConfigFilesRequest, GetClusterConfigFilesResponse, GetClusterConfigRequest,
    GetClusterConfigResponse, I18nStringProtoType, Partition,
    cluster_config_schema_proto::{
        Ai, Hpc, LoginNodeAddresses, LoginNodesProtoType, ScowdConfigs, login_nodes_proto_type,
    },
    config_service_server::{ConfigService, ConfigServiceServer},
    i18n_string_proto_type,
};

use crate::{fault, for_whom::Callers, submit::QOS, trouble};

/// Which of SCOW's servers a call is made at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The portal's: a request speaks for its `user_id`.
    Portal,
    /// The management side's: a request speaks for nobody.
    Server,
}

/// The place of a cluster without one of its own: the largest whole number of JavaScript.
const LAST: i64 = 9_007_199_254_740_991;
/// What schedules jobs here, as programs are told.
const SCHEDULER: &str = "soke";
const MIB: u64 = 1024 * 1024;

/// Serves the calls.
#[derive(Clone)]
struct Config {
    callers: Callers,
    jobs: jobs::Handle,
    accounts: accounts::Handle,
    side: Side,
}

/// Adds the service to those of a listener.
pub(crate) fn add_to(
    routes: &mut RoutesBuilder,
    callers: Callers,
    jobs: jobs::Handle,
    accounts: accounts::Handle,
    side: Side,
) {
    routes.add_service(ConfigServiceServer::new(Config {
        callers,
        jobs,
        accounts,
        side,
    }));
}

#[tonic::async_trait]
impl ConfigService for Config {
    async fn get_cluster_config(
        &self,
        request: Request<GetClusterConfigRequest>,
    ) -> Result<Response<GetClusterConfigResponse>, Status> {
        let message = self.known(request).await?;
        self.callers.check_cluster(&message.cluster)?;
        Ok(Response::new(GetClusterConfigResponse {
            partitions: vec![self.partition().await?],
            scheduler_name: SCHEDULER.to_owned(),
        }))
    }

    async fn get_available_partitions_for_cluster(
        &self,
        request: Request<GetAvailablePartitionsForClusterRequest>,
    ) -> Result<Response<GetAvailablePartitionsForClusterResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let (user, account) = (&message.user_id, &message.account_name);
        let look = match self.side {
            Side::Portal => {
                let caller = self.callers.caller::<Look>(&metadata, &extensions, user);
                let checked = self.callers.check(caller.await?, user, &message.cluster, Ok(()));
                checked?.0
            }
            Side::Server => {
                let look = self.callers.permit::<Look>(&metadata, &extensions).await?;
                self.callers.check_cluster(&message.cluster)?;
                look
            }
        };
        let partitions = match (self.is_in(&look, user, account).await?, self.side) {
            (true, _) => vec![self.partition().await?],
            // SCOW's portal tells of no reason, its management side does.
            (false, Side::Portal) => Vec::new(),
            (false, Side::Server) => {
                let text = "the user is not in the account, or one of them is not there";
                let cluster = self.callers.cluster();
                return Err(trouble::engine_failed(cluster, ErrorKind::NotFound, text));
            }
        };
        Ok(Response::new(GetAvailablePartitionsForClusterResponse {
            partitions,
        }))
    }

    async fn get_cluster_config_files(
        &self,
        request: Request<GetClusterConfigFilesRequest>,
    ) -> Result<Response<GetClusterConfigFilesResponse>, Status> {
        self.known(request).await?;
        let offered = self.offered().await?;
        let cluster_configs = vec![cluster(self.callers.cluster(), &offered)];
        Ok(Response::new(GetClusterConfigFilesResponse { cluster_configs }))
    }

    async fn get_api_version(
        &self,
        request: Request<GetApiVersionRequest>,
    ) -> Result<Response<GetApiVersionResponse>, Status> {
        self.known(request).await?;
        let wire::Version { major, minor, patch } = wire::VERSION;
        Ok(Response::new(GetApiVersionResponse { major, minor, patch }))
    }
}

impl Config {
    /// What somebody asks who may know what the zone offers.
    async fn known<T>(&self, request: Request<T>) -> Result<T, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = self.callers.permit::<zone::Status>(&metadata, &extensions);
        permit.await?;
        Ok(message)
    }

    async fn offered(&self) -> Result<Offered, Status> {
        let offered = self.jobs.offered().await;
        offered.map_err(|error| fault::jobs(error, self.callers.cluster()))
    }

    /// Whether a user may submit in this account's name; without one everybody may.
    async fn is_in(&self, look: &Permit<Look>, user: &str, account: &str) -> Result<bool, Status> {
        if account.is_empty() {
            return Ok(true);
        }
        match self.accounts.person(look, user).await {
            Ok(person) => Ok(person.memberships.iter().any(|one| one.account == account)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(caller::fault::shown(error.kind(), &error)),
        }
    }

    /// The one partition, which has the whole cluster and its name.
    async fn partition(&self) -> Result<Partition, Status> {
        let offered = self.offered().await?;
        let short = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Ok(Partition {
            name: self.callers.cluster().to_owned(),
            mem_mb: offered.whole.memory_bytes / MIB,
            cores: short(offered.whole.cores),
            gpus: 0,
            nodes: u32::try_from(offered.nodes).unwrap_or(u32::MAX),
            qos: vec![QOS.to_owned()],
            comment: None,
        })
    }
}

fn cluster(id: &str, offered: &Offered) -> ClusterConfigSchemaProto {
    let display_name = i18n_string_proto_type::Value::DirectString(id.to_owned());
    let login = LoginNodeAddresses {
        login_node_addresses_value: offered.usual.clone().into_iter().collect(),
    };
    ClusterConfigSchemaProto {
        cluster_id: id.to_owned(),
        display_name: Some(I18nStringProtoType {
            value: Some(display_name),
        }),
        priority: LAST,
        // The engine is a part of this program; there is no adapter to reach.
        adapter_url: String::new(),
        proxy_gateway: None,
        login_nodes: Some(LoginNodesProtoType {
            value: Some(login_nodes_proto_type::Value::LoginNodeAddresses(login)),
        }),
        login_desktop: None,
        turbo_vnc_path: None,
        cross_cluster_file_transfer: None,
        hpc: Some(Hpc { enabled: true }),
        ai: Some(Ai { enabled: false }),
        k8s: None,
        scowd: Some(ScowdConfigs { enabled: false }),
    }
}
