//! `scow.server.UserService`: users and the accounts that they are in.
//!
//! What it leaves to others: the rules (`accounts`), names and passwords (`access`).

use std::collections::BTreeMap;

use access::Secret;
use accounts::{AccountFilter, Enrol, Error, Join, Look, Membership, NewMember, NewPerson};
use tonic::{Code, Request, Response, Status};
use wire::scow::server::{
    AddUserToAccountRequest, AddUserToAccountResponse, CreateUserRequest, CreateUserResponse,
    GetAccountUsersRequest, GetAccountUsersResponse, GetUserInfoRequest, GetUserInfoResponse,
    GetUserStatusRequest, GetUserStatusResponse, GetUsersByIdsRequest, GetUsersByIdsResponse,
    GetUsersRequest, GetUsersResponse, QueryIsUserInAccountRequest, QueryIsUserInAccountResponse,
    get_users_by_ids_response::UserInfo, user_service_server::UserService,
};

use crate::server::{Management, fault, fitting, row};

#[tonic::async_trait]
impl UserService for Management {
    async fn get_user_info(
        &self,
        request: Request<GetUserInfoRequest>,
    ) -> Result<Response<GetUserInfoResponse>, Status> {
        let (permit, message) = self.permit::<Look, _>(request).await?;
        let person = self.accounts.person(&permit, &message.user_id).await;
        let person = person.map_err(fault::accounts)?;
        Ok(Response::new(row::person(person)))
    }

    async fn get_users(
        &self,
        request: Request<GetUsersRequest>,
    ) -> Result<Response<GetUsersResponse>, Status> {
        let (permit, message) = self.permit::<Look, _>(request).await?;
        let people = self.accounts.people(&permit, &message.tenant_name).await;
        let people = match people {
            // The real program compares the name, and finds nobody.
            Err(Error::TenantNotFound { .. }) => Vec::new(),
            people => people.map_err(fault::accounts)?,
        };
        let users = fitting(people.into_iter().map(row::user).collect())?;
        Ok(Response::new(GetUsersResponse { users }))
    }

    async fn get_account_users(
        &self,
        request: Request<GetAccountUsersRequest>,
    ) -> Result<Response<GetAccountUsersResponse>, Status> {
        let (permit, message) = self.permit::<Look, _>(request).await?;
        let members = self
            .accounts
            .account_users(&permit, &message.tenant_name, &message.account_name);
        let members = members.await.map_err(fault::accounts)?;
        let cluster = self.callers.cluster();
        let rows = members
            .into_iter()
            .map(|(person, role)| row::member(person, role, cluster));
        let results = fitting(rows.collect())?;
        Ok(Response::new(GetAccountUsersResponse { results }))
    }

    async fn get_users_by_ids(
        &self,
        request: Request<GetUsersByIdsRequest>,
    ) -> Result<Response<GetUsersByIdsResponse>, Status> {
        let (permit, message) = self.permit::<Look, _>(request).await?;
        let found = self.accounts.labels(&permit, &message.user_ids).await;
        let found = found.map_err(fault::accounts)?;
        let users = found
            .into_iter()
            .map(|(user_id, user_name)| UserInfo { user_id, user_name });
        let users = fitting(users.collect())?;
        Ok(Response::new(GetUsersByIdsResponse { users }))
    }

    async fn query_is_user_in_account(
        &self,
        request: Request<QueryIsUserInAccountRequest>,
    ) -> Result<Response<QueryIsUserInAccountResponse>, Status> {
        let (permit, message) = self.permit::<Look, _>(request).await?;
        let result = match self.accounts.person(&permit, &message.user_id).await {
            Ok(person) => {
                let is_in = |one: &Membership| one.account == message.account_name;
                person.tenant == message.tenant_name && person.memberships.iter().any(is_in)
            }
            Err(Error::UserNotFound { .. }) => false,
            Err(error) => return Err(fault::accounts(error)),
        };
        Ok(Response::new(QueryIsUserInAccountResponse { result }))
    }

    async fn get_user_status(
        &self,
        request: Request<GetUserStatusRequest>,
    ) -> Result<Response<GetUserStatusResponse>, Status> {
        let (permit, message) = self.permit::<Look, _>(request).await?;
        let person = self.accounts.person(&permit, &message.user_id).await;
        let person = person.map_err(fault::accounts)?;
        if person.tenant != message.tenant_name {
            let user = message.user_id;
            return Err(fault::accounts(Error::UserNotFound { user }));
        }
        let filter = AccountFilter {
            tenant: Some(person.tenant),
            name: None,
        };
        let accounts = self.accounts.accounts(&permit, filter).await;
        let mut accounts = accounts.map_err(fault::accounts)?;
        accounts.retain(|account| person.memberships.iter().any(|one| one.account == account.name));
        Ok(Response::new(GetUserStatusResponse {
            account_statuses: accounts.into_iter().map(row::standing).collect(),
            // No space is kept for users: each has what the machine has.
            storage_quotas: BTreeMap::from([(self.callers.cluster().to_owned(), 0)]),
        }))
    }

    async fn create_user(
        &self,
        request: Request<CreateUserRequest>,
    ) -> Result<Response<CreateUserResponse>, Status> {
        let (permit, message) = self.permit::<Enrol, _>(request).await?;
        let new = NewPerson {
            tenant: message.tenant_name,
            name: message.identity_id,
            label: message.name,
            email: message.email,
            password: Secret::from(message.password),
        };
        let made = self.accounts.create_user(permit, new).await;
        let made = made.map_err(|error| {
            if matches!(error, Error::UserExists { .. }) {
                return fault::word(Code::AlreadyExists, "EXISTS_IN_SCOW");
            }
            if matches!(error, Error::TenantNotFound { .. }) {
                // The pages know no other code for it (contract of the management side, 10.2).
                return Status::new(Code::Internal, error.to_string());
            }
            fault::renamed(error, &[("user_name", "identity_id")])
        })?;
        Ok(Response::new(CreateUserResponse {
            id: made.number,
            created_in_auth: true,
        }))
    }

    async fn add_user_to_account(
        &self,
        request: Request<AddUserToAccountRequest>,
    ) -> Result<Response<AddUserToAccountResponse>, Status> {
        let (permit, message) = self.permit::<Join, _>(request).await?;
        let new = NewMember {
            tenant: Some(message.tenant_name),
            account: message.account_name,
            user: message.user_id,
        };
        let added = self.accounts.add_user(permit, new).await;
        added.map_err(|error| {
            if matches!(error, Error::UserNotFound { .. } | Error::TenantNotFound { .. }) {
                return fault::word(Code::NotFound, "USER_OR_TENANT_NOT_FOUND");
            }
            if matches!(error, Error::AccountNotFound { .. }) {
                return fault::word(Code::NotFound, "ACCOUNT_OR_TENANT_NOT_FOUND");
            }
            fault::accounts(error)
        })?;
        Ok(Response::new(AddUserToAccountResponse {}))
    }
}
