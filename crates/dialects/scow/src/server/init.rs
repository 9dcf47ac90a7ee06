//! `scow.server.InitService`: the first administrators, until the initialisation is ended.
//!
//! The real program never asks whether the initialisation is still open; here no administrator is made once it has
//! ended. What it leaves to others: the rules (`accounts`).

use access::Secret;
use accounts::{Error, Initialise, Look, NewPerson};
use tonic::{Code, Request, Response, Status};
use wire::scow::server::{
    CompleteInitRequest, CompleteInitResponse, CreateInitAdminRequest, CreateInitAdminResponse,
    QuerySystemInitializedRequest, QuerySystemInitializedResponse, UserExistsRequest, UserExistsResponse,
    init_service_server::InitService,
};

use crate::server::{Management, fault};

#[tonic::async_trait]
impl InitService for Management {
    async fn query_system_initialized(
        &self,
        request: Request<QuerySystemInitializedRequest>,
    ) -> Result<Response<QuerySystemInitializedResponse>, Status> {
        let (permit, _) = self.permit::<Look, _>(request).await?;
        let at = self.accounts.initialised(&permit).await;
        let initialized = at.map_err(fault::accounts)?.is_some();
        Ok(Response::new(QuerySystemInitializedResponse { initialized }))
    }

    async fn create_init_admin(
        &self,
        request: Request<CreateInitAdminRequest>,
    ) -> Result<Response<CreateInitAdminResponse>, Status> {
        let (permit, message) = self.permit::<Initialise, _>(request).await?;
        let new = NewPerson {
            tenant: accounts::DEFAULT_TENANT.to_owned(),
            name: message.user_id,
            label: message.name,
            email: message.email,
            password: Secret::from(message.password),
        };
        let made = self.accounts.create_first_admin(permit, new).await;
        made.map_err(|error| {
            if matches!(error, Error::UserExists { .. }) {
                return fault::word(Code::AlreadyExists, "EXISTS_IN_SCOW");
            }
            if matches!(error, Error::Initialised { .. }) {
                // ALREADY_EXISTS would tell the pages that the user is there.
                return Status::new(Code::FailedPrecondition, error.to_string());
            }
            fault::renamed(error, &[("user_name", "user_id")])
        })?;
        Ok(Response::new(CreateInitAdminResponse {
            created_in_auth: true,
        }))
    }

    async fn complete_init(
        &self,
        request: Request<CompleteInitRequest>,
    ) -> Result<Response<CompleteInitResponse>, Status> {
        let (permit, _) = self.permit::<Initialise, _>(request).await?;
        let ended = self.accounts.complete_initialisation(permit).await;
        ended.map_err(fault::accounts)?;
        Ok(Response::new(CompleteInitResponse {}))
    }

    async fn user_exists(
        &self,
        request: Request<UserExistsRequest>,
    ) -> Result<Response<UserExistsResponse>, Status> {
        let (permit, message) = self.permit::<Look, _>(request).await?;
        let there = match self.accounts.person(&permit, &message.user_id).await {
            Ok(_) => true,
            Err(Error::UserNotFound { .. }) => false,
            Err(error) => return Err(fault::accounts(error)),
        };
        // Users sign in where they are kept.
        Ok(Response::new(UserExistsResponse {
            exists_in_scow: there,
            exists_in_auth: Some(there),
        }))
    }
}
