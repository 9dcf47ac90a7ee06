//! The two services, with every spelling of the wire.
//!
//! What it leaves to others: what the calls do (`desk`).

use std::sync::Arc;

use tonic::{Request, service::Routes};
use wire::pb::{
    self,
    lite_kube_nc_bootstrap_service_server::{LiteKubeNcBootstrapService, LiteKubeNcBootstrapServiceServer},
    lite_kube_nc_service_server::{LiteKubeNcService, LiteKubeNcServiceServer},
};

use crate::{
    Error, Numbering,
    desk::{Answered, Desk},
    numbering::Older,
    reflection,
};

/// The most bytes of one request; a longer one is refused before it is read.
const MOST_REQUEST: usize = 64 * 1024;

/// `pb.LiteKubeNCService`.
pub(crate) struct Control(Arc<Desk>);

/// `pb.LiteKubeNCBootstrapService`.
pub(crate) struct Bootstrap(Arc<Desk>);

impl Control {
    /// The service with this numbering, and what tells of it.
    pub(crate) fn routes(desk: &Arc<Desk>, numbering: Numbering) -> Result<Routes, Error> {
        let service = LiteKubeNcServiceServer::new(Self(Arc::clone(desk)));
        let service = service.max_decoding_message_size(MOST_REQUEST);
        let mut routes = Routes::builder();
        match numbering {
            Numbering::Later => routes.add_service(service),
            Numbering::April2022 => routes.add_service(Older::new(service, desk)),
        };
        reflection::add_to(&mut routes, numbering, "pb.LiteKubeNCService")?;
        Ok(routes.routes())
    }
}

impl Bootstrap {
    /// The service with this numbering, and what tells of it.
    pub(crate) fn routes(desk: &Arc<Desk>, numbering: Numbering) -> Result<Routes, Error> {
        let service = LiteKubeNcBootstrapServiceServer::new(Self(Arc::clone(desk)));
        let service = service.max_decoding_message_size(MOST_REQUEST);
        let mut routes = Routes::builder();
        match numbering {
            Numbering::Later => routes.add_service(service),
            Numbering::April2022 => routes.add_service(Older::new(service, desk)),
        };
        reflection::add_to(&mut routes, numbering, "pb.LiteKubeNCBootstrapService")?;
        Ok(routes.routes())
    }
}

#[tonic::async_trait]
impl LiteKubeNcService for Control {
    async fn hello_world(&self, request: Request<pb::HelloWorldRequest>) -> Answered<pb::HelloWorldResponse> {
        self.0.hello(request).await
    }

    async fn health_check(
        &self,
        request: Request<pb::HealthCheckRequest>,
    ) -> Answered<pb::HealthCheckResponse> {
        self.0.control_health(request).await
    }

    async fn get_boot_strap_token(
        &self,
        request: Request<pb::GetBootStrapTokenRequest>,
    ) -> Answered<pb::GetBootStrapTokenResponse> {
        self.0.make_token(request).await
    }

    async fn check_conn_state(
        &self,
        request: Request<pb::CheckConnStateRequest>,
    ) -> Answered<pb::CheckConnResponse> {
        self.0.connection(request).await
    }

    async fn un_register(&self, request: Request<pb::UnRegisterRequest>) -> Answered<pb::UnRegisterResponse> {
        self.0.unregister(request).await
    }

    async fn get_registed_ip(
        &self,
        request: Request<pb::GetRegistedIpRequest>,
    ) -> Answered<pb::GetRegistedIpResponse> {
        self.0.address(request).await
    }

    async fn get_token(&self, request: Request<pb::GetTokenRequest>) -> Answered<pb::GetTokenResponse> {
        self.0.register(request).await
    }
}

#[tonic::async_trait]
impl LiteKubeNcBootstrapService for Bootstrap {
    async fn health_check(
        &self,
        _request: Request<pb::HealthCheckRequest>,
    ) -> Answered<pb::HealthCheckResponse> {
        self.0.health().await
    }

    async fn get_token(&self, request: Request<pb::GetTokenRequest>) -> Answered<pb::GetTokenResponse> {
        self.0.register(request).await
    }
}
