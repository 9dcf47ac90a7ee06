//! `soke.v1.UserService`: the people and programs of the zone.
//!
//! What it leaves to others: who may make or end what (`access`).

use access::{NewUser, User, user};
use tonic::{Request, Response, Status};
use wire::{
    FieldFaults,
    soke::v1::{self, user_service_server::UserService},
};

use caller::Callers;

use crate::page;

/// Serves the user calls.
#[derive(Clone)]
pub(crate) struct Users {
    pub(crate) callers: Callers,
}

#[tonic::async_trait]
impl UserService for Users {
    async fn create_user(
        &self,
        request: Request<v1::CreateUserRequest>,
    ) -> Result<Response<v1::CreateUserResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = self
            .callers
            .permit::<user::Create>(&metadata, &extensions)
            .await?;
        let wanted = NewUser {
            name: message.user_name,
            role: message.role,
            unix_name: message.unix_name,
        };
        let made = self.callers.access().create_user(&permit, &wanted).await;
        let (made, code) = made.map_err(caller::fault::access)?;
        Ok(Response::new(v1::CreateUserResponse {
            user: Some(encode(made)),
            sign_in_code: code.expose().to_owned(),
        }))
    }

    async fn list_users(
        &self,
        request: Request<v1::ListUsersRequest>,
    ) -> Result<Response<v1::ListUsersResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = self.callers.permit::<user::List>(&metadata, &extensions).await?;
        let mut faults = FieldFaults::new();
        let most = page::size(&mut faults, message.page_size);
        let after = page::token(&mut faults, &message.page_token);
        faults.finish()?;
        let page = self.callers.access().list_users(&permit, most, after).await;
        let page = page.map_err(caller::fault::access)?;
        Ok(Response::new(v1::ListUsersResponse {
            users: page.users.into_iter().map(encode).collect(),
            next_page_token: page.next.unwrap_or_default(),
        }))
    }

    async fn create_sign_in_code(
        &self,
        request: Request<v1::CreateSignInCodeRequest>,
    ) -> Result<Response<v1::CreateSignInCodeResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = self.callers.permit::<user::Code>(&metadata, &extensions).await?;
        named(&message.user_name)?;
        let code = self.callers.access();
        let code = code.create_sign_in_code(&permit, &message.user_name).await;
        let code = code.map_err(caller::fault::access)?;
        Ok(Response::new(v1::CreateSignInCodeResponse {
            sign_in_code: code.expose().to_owned(),
        }))
    }

    async fn revoke_sessions(
        &self,
        request: Request<v1::RevokeSessionsRequest>,
    ) -> Result<Response<v1::RevokeSessionsResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = self
            .callers
            .permit::<user::Revoke>(&metadata, &extensions)
            .await?;
        named(&message.user_name)?;
        let ended = self.callers.access();
        let ended = ended.revoke_sessions(&permit, &message.user_name).await;
        let ended = ended.map_err(caller::fault::access)?;
        Ok(Response::new(v1::RevokeSessionsResponse { ended }))
    }
}

fn named(user_name: &str) -> Result<(), Status> {
    let mut faults = FieldFaults::new();
    faults.check(
        !user_name.is_empty(),
        "user_name",
        "is empty",
        "the name of a user",
    );
    faults.finish()
}

fn encode(user: User) -> v1::User {
    v1::User {
        user_id: user.id.to_string(),
        user_name: user.name.to_string(),
        roles: user.roles,
    }
}
